//! Takes back what was handed out and never arrived, as if it had not been.

use super::Taken;
use smallvec::smallvec;

use crate::key::QueueNumber;
use crate::machine::{Command, Decision, Few, Machine};
use crate::record::Record;
use crate::refusal::Refusal;

pub(crate) struct GiveBack {
    pub(crate) queue: QueueNumber,
    pub(crate) taken: Vec<Taken>,
}

impl Command for GiveBack {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        let stock = &machine.queue(self.queue)?.stock;
        // Unless somebody received it since, or its time ran out anyway.
        let still_out = |taken: &&Taken| {
            stock
                .find(taken.sequence)
                .is_some_and(|held| held.receives == taken.receive && held.due > machine.now())
        };
        let mut sequences: Vec<_> =
            self.taken.iter().filter(still_out).map(|taken| taken.sequence).collect();
        sequences.sort_unstable();
        let (queue, at) = (self.queue, machine.now());
        let records = if sequences.is_empty() {
            Few::new()
        } else {
            smallvec![Record::Returned { queue, at, sequences }]
        };
        Ok(Decision { records, reply: () })
    }
}
