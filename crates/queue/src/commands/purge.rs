//! Empties a queue: what waits, what is delayed and what is in flight.

use smallvec::smallvec;

use crate::key::QueueNumber;
use crate::machine::{Command, Decision, Machine};
use crate::record::Record;
use crate::refusal::{PURGE_PAUSE, Refusal};

pub(crate) struct Purge {
    pub(crate) queue: QueueNumber,
}

impl Command for Purge {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        let queue = machine.queue(self.queue)?;
        let at = machine.now();
        if queue.facts.purged.is_some_and(|purged| at < purged + PURGE_PAUSE) {
            return Err(Refusal::PurgedRecently);
        }
        let purged = Record::Purged { queue: self.queue, at, before: queue.facts.next };
        Ok(Decision { records: smallvec![purged], reply: () })
    }
}
