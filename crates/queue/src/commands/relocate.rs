//! Moves a message's record to the log's end, so that the segment it survived in can go.

use smallvec::smallvec;
use tidemill_journal::Position;

use crate::key::QueueNumber;
use crate::machine::{Command, Decision, Machine};
use crate::record::{Header, Record};
use crate::refusal::Refusal;

pub(crate) struct Relocate {
    /// What the record says.
    pub(crate) header: Header,
    /// Where the record is.
    pub(crate) from: Position,
}

impl Command for Relocate {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.header.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        let found = machine.queue(self.header.queue)?.stock.find(self.header.sequence);
        if found.is_none_or(|held| held.position != self.from) {
            return Err(Refusal::MessageGone);
        }
        Ok(Decision { records: smallvec![Record::Moved(self.header.clone())], reply: () })
    }
}
