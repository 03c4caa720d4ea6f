//! Removes a queue with everything in it.

use smallvec::smallvec;

use crate::key::QueueNumber;
use crate::machine::{Command, Decision, Machine};
use crate::record::Record;
use crate::refusal::Refusal;

pub(crate) struct Remove {
    pub(crate) queue: QueueNumber,
}

impl Command for Remove {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        machine.queue(self.queue)?;
        let removed = Record::Removed { queue: self.queue, at: machine.now() };
        Ok(Decision { records: smallvec![removed], reply: () })
    }
}
