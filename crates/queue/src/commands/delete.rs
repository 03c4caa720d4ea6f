//! Deletes messages by their receipts.

use super::change_visibility::sealed_here;
use smallvec::smallvec;

use crate::key::{QueueNumber, Sequence};
use crate::loose::Held;
use crate::machine::{Command, Decision, Few, Machine};
use crate::receipt::Receipt;
use crate::record::Record;
use crate::refusal::Refusal;

pub(crate) struct Delete {
    pub(crate) queue: QueueNumber,
    pub(crate) receipts: Vec<Receipt>,
}

/// What became of a deletion.
#[derive(Debug)]
pub(crate) struct Deletions {
    /// An answer a receipt.
    pub(crate) answers: Vec<Result<(), Refusal>>,
    /// How many messages went.
    pub(crate) deleted: usize,
}

impl Command for Delete {
    type Reply = Deletions;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    /// On a standard queue any receipt of a message will do, also an old one. On a FIFO queue the
    /// receive must not be over: the next one may be at work, and the group waits for it. That a
    /// message is gone already is no refusal: it is what the receiver wants.
    fn decide(&self, machine: &Machine) -> Result<Decision<Deletions>, Refusal> {
        let stock = &machine.queue(self.queue)?.stock;
        let is_fifo = stock.fifo().is_some();
        let answer = |receipt: &Receipt| {
            sealed_here(receipt, machine, self.queue)?;
            let found = stock.find(receipt.sequence).filter(|_| is_fifo);
            let is_out = |held: Held| held.receives == receipt.receive && held.due > machine.now();
            if found.is_none_or(is_out) { Ok(()) } else { Err(Refusal::ReceiptExpired) }
        };
        let answers: Vec<_> = self.receipts.iter().map(answer).collect();
        let good = self.receipts.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
        let mut sequences: Vec<Sequence> = good
            .map(|(receipt, _)| receipt.sequence)
            .filter(|sequence| stock.find(*sequence).is_some())
            .collect();
        sequences.sort_unstable();
        sequences.dedup();
        let deleted = sequences.len();
        let records = if sequences.is_empty() {
            Few::new()
        } else {
            smallvec![Record::Deleted { queue: self.queue, sequences }]
        };
        Ok(Decision { records, reply: Deletions { answers, deleted } })
    }
}
