//! Has a FIFO queue forget what it was sent and asked, once all of that is too old to matter.
//!
//! While messages come, each makes the queue forget what is too old by then. After the last one
//! somebody has to, and it has to be recorded: what is remembered is part of the state.

use smallvec::smallvec;

use crate::key::QueueNumber;
use crate::machine::{Command, Decision, Few, Machine};
use crate::record::Record;
use crate::refusal::Refusal;

pub(crate) struct Lapse {
    pub(crate) queue: QueueNumber,
}

impl Command for Lapse {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        let (queue, at) = (self.queue, machine.now());
        let fifo = machine.queue(queue)?.stock.fifo();
        let is_due = fifo.is_some_and(|fifo| fifo.has_lapsed(at));
        let records = if is_due { smallvec![Record::Lapsed { queue, at }] } else { Few::new() };
        Ok(Decision { records, reply: () })
    }
}
