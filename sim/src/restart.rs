//! Ends and beginnings: the process is killed, the machine dies, the service stops; then it starts
//! again, and is held to what was promised.

use std::time::Duration;

use tidemill_base::Clock;
use tidemill_journal::{Hand, Options, Position, SyncMode};
use tidemill_queue::{Config, Discipline, Engine, OpenError};

use crate::disk::Fault;
use crate::pending::Keep;
use crate::world::World;

/// After so many starts that fail the disk is left alone.
const TRIES: u64 = 6;

impl World {
    /// The first start.
    pub(crate) fn start(&self) {
        if self.plan.sync == SyncMode::Written {
            self.mirror.trust_no_watermark();
        }
        self.open();
        self.promised.set(Position::ZERO);
    }

    /// An end of some kind, and the start after it.
    pub(crate) fn restart(&self) {
        let is_dead = self.disk.is_dead();
        let failed = is_dead || self.engine().failure().is_some();
        if !failed && self.dice.once_in(3) {
            self.say(|| "the service stops".into());
            self.disk.cut_fuse();
            let closed = self.engine().close();
            if let Err(error) = closed {
                self.excuse(&format!("stopping: {error}"));
            }
            self.count("orderly stops", 1);
        }
        self.end_process();
        let keep = match self.dice.below(6) {
            0 | 1 if !is_dead => Keep::Written,
            2 => Keep::Synced,
            3 => Keep::First,
            _ => Keep::Sectors,
        };
        self.end_machine(keep);
        let keep = if self.open() { Keep::Synced } else { keep };
        if self.is_sound() {
            self.hold_to_promises(keep);
        }
    }

    /// Nobody is there any more who could do or hear anything.
    pub(crate) fn end_process(&self) {
        for seen in self.mirror.seen() {
            self.note(&seen);
        }
        self.disk.shut_out();
        drop(self.tasks.take());
        drop(self.engine.take());
    }

    fn end_machine(&self, keep: Keep) {
        self.say(|| format!("an end; kept is {keep:?}"));
        self.disk.restart(keep);
        if keep == Keep::Written {
            self.count("kills", 1);
        } else {
            self.count("power cuts", 1);
        }
    }

    /// Opens the engine. The power may go while it does; says whether it went.
    fn open(&self) -> bool {
        self.turn_the_clock();
        let mut went = false;
        for again in 0..=TRIES {
            if again < TRIES && self.plan.ends > 0 && self.dice.once_in(5) {
                let fault = self.dice.of(&[Fault::Death, Fault::Error, Fault::Full, Fault::Torn]);
                self.disk.light_fuse(self.dice.below(12), fault);
            }
            match self.open_once() {
                Ok(engine) => {
                    *self.engine.borrow_mut() = Some(engine);
                    self.count("starts", 1);
                    return went;
                }
                Err(error) if self.disk.has_failed() => {
                    self.say(|| format!("it does not start: {error}"));
                    self.count("starts that failed", 1);
                    let is_dead = self.disk.is_dead();
                    let keeps = [Keep::Synced, Keep::First, Keep::Sectors];
                    let keep = if is_dead { self.dice.of(&keeps) } else { Keep::Written };
                    self.end_machine(keep);
                    went |= is_dead;
                }
                Err(error) => {
                    self.violate(&format!("it does not start on a good disk: {error}"));
                    return went;
                }
            }
        }
        went
    }

    fn open_once(&self) -> Result<Engine, OpenError> {
        let hand = Hand::new();
        let journal = Options {
            segment_size: self.plan.segment,
            sync: self.plan.sync,
            clock: self.clock.borrow().clone(),
            chance: self.dice.chance(),
            hand: Some(hand.clone()),
            ..Options::default()
        };
        let clock = self.clock.borrow().clone();
        let chance = self.dice.chance();
        // Patience would be measured in real time.
        let patience = Duration::from_hours(1);
        let config = Config { journal, clock, chance, patience, ..Config::default() };
        *self.hand.borrow_mut() = hand;
        Engine::open_mirrored(self.disk.seat(), config, &self.mirror)
    }

    /// Time goes by while nobody is there, or is set back.
    fn turn_the_clock(&self) {
        let now = self.now();
        let now = match self.dice.below(4) {
            0 => now + self.dice.seconds(self.plan.stride),
            1 if self.plan.goes_back => {
                self.mirror.be_lenient();
                now - Duration::from_secs(self.dice.below(4000))
            }
            _ => now,
        };
        *self.clock.borrow_mut() = Clock::manual(now);
    }

    /// Everything that somebody was told is so.
    fn hold_to_promises(&self, keep: Keep) {
        let end = self.mirror.recovered_end();
        let killed = keep == Keep::Written;
        if self.plan.sync == SyncMode::Durable || killed {
            let handed = if killed { self.handed.get() } else { Position::ZERO };
            let promised = self.promised.get().max(handed);
            if end < promised {
                self.violate(&format!("the log ends at {end}, and {promised} was promised"));
            }
        } else {
            // Not even that there was anything.
            self.ledger.borrow_mut().forget_promises();
            self.clients.borrow_mut().forget_all();
        }
        self.promised.set(end);
        self.handed.set(end);
        self.look();
        self.meet_queues();
        self.take_stock();
    }

    /// Finds out which queues there are.
    fn meet_queues(&self) {
        let engine = self.engine();
        let there = self.mirror.queues();
        let discipline = |id| match engine.settings(id) {
            Ok(settings) => settings.discipline,
            Err(_) => Discipline::Standard,
        };
        let queues = there.keys().map(|id| (*id, discipline(*id)));
        self.clients.borrow_mut().know(queues);
    }

    /// Looks at every message in every queue.
    fn take_stock(&self) {
        self.disk.cut_fuse();
        // Nobody asks for anything meanwhile.
        self.hand.borrow().clone().round();
        let engine = self.engine();
        if engine.failure().is_some() || engine.watermark() < self.mirror.end() {
            return;
        }
        let mut found = Vec::new();
        let mut wrong = Vec::new();
        for queue in self.mirror.queues().keys() {
            let Ok(peeked) = engine.peek(*queue, None, usize::from(u16::MAX)) else {
                self.violate(&format!("{queue} is not there"));
                continue;
            };
            // Looking drops what is too old, and carries it elsewhere.
            let expected = self.mirror.queues().remove(queue).unwrap_or_default();
            let ledger = self.ledger.borrow();
            let expected: Vec<_> = expected.iter().map(|at| ledger.name_at(*at)).collect();
            let names: Vec<_> =
                peeked.iter().map(|one| crate::ledger::name(&one.content.body)).collect();
            if names != expected {
                wrong.push(format!("{queue} holds the messages {names:?}, not {expected:?}"));
            }
            found.extend(peeked.into_iter().map(|one| one.content.body));
        }
        wrong.extend(self.ledger.borrow().judge(&found));
        for wrong in wrong {
            self.violate(&wrong);
        }
        self.look();
    }

    /// The end of a run: the disk is good again, everybody gets his answer, and every message that
    /// is there can be received and deleted.
    pub(crate) fn finish(&self) {
        self.disk.cut_fuse();
        if self.disk.is_dead() || self.engine().failure().is_some() {
            self.restart();
        }
        self.disk.cut_fuse();
        if !self.is_sound() {
            return;
        }
        self.settle_all();
        self.engine().compare();
        self.look();
        if self.is_sound() {
            self.end_process();
            self.end_machine(Keep::Synced);
            self.open();
        }
        if self.is_sound() {
            self.hold_to_promises(Keep::Synced);
        }
        if self.is_sound() {
            self.disk.cut_fuse();
            self.drain();
        }
    }

    /// Lets everything go on that can.
    pub(crate) fn settle_all(&self) {
        for _ in 0..200 {
            if !self.is_sound() || self.engine().failure().is_some() {
                return;
            }
            while self.tasks.borrow().iter().any(crate::tasks::Task::is_woken) {
                self.go_on(true);
                self.look();
            }
            self.hand.borrow().clone().round();
            if !self.tasks.borrow().iter().any(crate::tasks::Task::is_woken) {
                break;
            }
        }
        let stuck = self.tasks.borrow();
        let stuck = stuck.iter().find(|task| task.must_end());
        if let Some(task) = stuck {
            self.violate(&format!("{} gets no answer", crate::tasks::brief(&task.ask)));
        }
    }
}
