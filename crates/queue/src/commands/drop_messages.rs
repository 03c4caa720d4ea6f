//! Drops messages that nobody deleted: too old, or lost with a damaged piece of the log.
//!
//! That a message grew too old is recorded, though time and settings tell it: the settings may
//! be others by the time the log is replayed.

use tidemill_base::Timestamp;

use crate::key::{QueueNumber, Sequence};
use crate::machine::{Command, Decision, Machine};
use crate::record::{DropReason, Record};
use crate::refusal::Refusal;

/// How many messages one record drops.
const AT_ONCE: usize = 512;

pub(crate) struct DropOld {
    pub(crate) queue: QueueNumber,
}

impl Command for DropOld {
    /// Whether there may be more.
    type Reply = bool;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<bool>, Refusal> {
        let queue = machine.queue(self.queue)?;
        let retention = queue.facts.settings.retention;
        if machine.now() < Timestamp::EPOCH + retention {
            return Ok(Decision { records: Vec::new(), reply: false });
        }
        let sequences = queue.stock.sent_until(machine.now() - retention, AT_ONCE);
        let reply = sequences.len() == AT_ONCE;
        Ok(Decision { records: dropped(self.queue, DropReason::TooOld, sequences), reply })
    }
}

pub(crate) struct DropLost {
    pub(crate) queue: QueueNumber,
    pub(crate) sequences: Vec<Sequence>,
}

impl Command for DropLost {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        machine.queue(self.queue)?;
        let chunks = self.sequences.chunks(AT_ONCE);
        let records = chunks.flat_map(|lost| dropped(self.queue, DropReason::Lost, lost.to_vec()));
        Ok(Decision { records: records.collect(), reply: () })
    }
}

fn dropped(queue: QueueNumber, why: DropReason, mut sequences: Vec<Sequence>) -> Vec<Record> {
    sequences.sort_unstable();
    if sequences.is_empty() { Vec::new() } else { vec![Record::Dropped { queue, why, sequences }] }
}
