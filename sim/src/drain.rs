//! The end of a run: whatever is there can be received, and deleted.

use std::time::Duration;

use tidemill_queue::{Receive, SettingsChange};

use crate::asked::{Ask, Held};
use crate::world::World;

const DAY: Duration = Duration::from_hours(24);
/// Nothing is hidden for longer, however the clock went.
const LONG: Duration = Duration::from_hours(72);

impl World {
    /// Receives and deletes until nothing is left.
    pub(crate) fn drain(&self) {
        let queues = self.clients.borrow().queues();
        for queue in &queues {
            let change = SettingsChange {
                redrive: Some(None),
                delay: Some(Duration::ZERO),
                retention: Some(14 * DAY),
                visibility: Some(DAY / 24),
                ..SettingsChange::default()
            };
            self.now_do(Ask::Configure(*queue, change));
        }
        for _ in 0..1000 {
            match self.engine().move_some() {
                Ok(true) => {}
                Ok(false) if self.has_moves() => drop(self.clock.borrow().advance(DAY / 24 / 60)),
                _ => break,
            }
        }
        let clock = self.clock.borrow().clone();
        clock.advance(LONG);
        for queue in queues {
            for _ in 0..10_000 {
                let ask = Receive { max: 10, wait: Some(Duration::ZERO), ..Receive::default() };
                let before = self.held_count();
                self.now_do(Ask::Receive(queue, ask));
                let got = self.held_since(before);
                if got.is_empty() || !self.is_sound() {
                    break;
                }
                self.now_do(Ask::Delete(queue, got));
            }
            let counts = self.engine().describe(queue).map(|it| it.counts);
            let left = counts.map(|it| it.visible + it.in_flight + it.delayed);
            if left != Ok(0) && self.is_sound() {
                let there = self.engine().peek(queue, None, 3);
                self.violate(&format!("{left:?} of {queue} cannot be had: {there:?}"));
            }
        }
        self.look();
    }

    fn now_do(&self, ask: Ask) {
        self.begin(ask);
        self.settle_all();
        self.look();
    }

    fn held_count(&self) -> usize {
        self.clients.borrow().held_count()
    }

    fn held_since(&self, before: usize) -> Vec<Held> {
        self.clients.borrow().held_since(before)
    }

    fn has_moves(&self) -> bool {
        let engine = self.engine();
        let under_way = |queue| {
            let newest = engine.moves(queue, 1).ok().and_then(|moves| moves.into_iter().next());
            newest.is_some_and(|task| task.ended.is_none())
        };
        self.clients.borrow().queues().into_iter().any(under_way)
    }
}
