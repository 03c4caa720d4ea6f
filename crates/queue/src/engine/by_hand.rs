//! An engine that does nothing by itself, beside a model that follows it: for the simulation, in
//! which one thread does everything in an order that a seed gave.

use tidemill_journal::{Driver, Position};

use super::moves::Next;
use super::{Config, Engine};
use crate::model::Mirror;
use crate::refusal::{Failure, OpenError};

impl Engine {
    /// As [`Engine::open`]; what was recovered has to be what `mirror` says, and from here on it
    /// follows.
    pub fn open_mirrored(
        driver: impl Driver + 'static,
        config: Config,
        mirror: &Mirror,
    ) -> Result<Self, OpenError> {
        let now = config.clock.now();
        Self::open_with(driver, config, |machine, end| {
            let numbers: Vec<_> = machine.queues().map(|queue| queue.facts.number).collect();
            for number in numbers {
                machine.advance(Some(number), now, end);
            }
            mirror.recovered(machine, end, now);
            machine.mirror = Some(mirror.clone());
        })
    }

    /// One pass of housekeeping.
    pub fn keep_house(&self) -> Result<(), Failure> {
        self.0.keep_house()
    }

    /// Takes every move a step further; says whether one can go on at once.
    pub fn move_some(&self) -> Result<bool, Failure> {
        self.0.move_some().map(|next| next == Next::AtOnce)
    }

    /// What [`Engine::shut_down`] does, on this thread.
    pub fn close(&self) -> Result<(), Failure> {
        self.0.stop_waiting();
        self.0.close()
    }

    /// Up to where the log is durable.
    pub fn watermark(&self) -> Position {
        self.0.journal.durable()
    }

    /// Has the mirror compare what every queue holds.
    pub fn compare(&self) {
        let shard = &mut *self.0.lock();
        let numbers: Vec<_> = shard.machine.queues().map(|queue| queue.facts.number).collect();
        for number in numbers {
            shard.machine.advance(Some(number), self.0.clock.now(), self.0.journal.durable());
        }
        if let Some(mirror) = &shard.machine.mirror {
            mirror.compare(&shard.machine, self.0.journal.durable());
        }
    }
}
