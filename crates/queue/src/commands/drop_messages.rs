//! Drops messages that nobody deleted: too old, or lost with a damaged piece of the log. What is
//! too old goes to the dead-letter queue instead, if its queue wants that.
//!
//! That a message grew too old is recorded, though time and settings tell it: the settings may
//! be others by the time the log is replayed.

use smallvec::smallvec;
use tidemill_base::Timestamp;

use super::carry::{Cargo, carry};
use crate::key::{QueueNumber, Sequence};
use crate::loose::Held;
use crate::machine::{Command, Decision, Few, Machine};
use crate::passage::CarryReason;
use crate::record::{DropReason, Record};
use crate::refusal::Refusal;

/// How many messages one record drops.
const AT_ONCE: usize = 512;

pub(crate) struct DropOld {
    pub(crate) queue: QueueNumber,
}

/// What became of messages that were too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Whether there may be more.
    pub(crate) more: bool,
    /// Those that went elsewhere instead.
    pub(crate) cargo: Cargo,
}

impl Command for DropOld {
    type Reply = Dropped;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<Dropped>, Refusal> {
        let queue = machine.queue(self.queue)?;
        let retention = queue.facts.settings.retention;
        if machine.now() < Timestamp::EPOCH + retention {
            return Ok(Decision { records: Few::new(), reply: Dropped::default() });
        }
        let sequences = queue.stock.aging_until(machine.now() - retention, AT_ONCE);
        let more = sequences.len() == AT_ONCE;
        if queue.facts.keeps_expired()
            && let Some((target, _)) = machine.dead_letter_target(queue)
        {
            let old: Vec<Held> =
                sequences.into_iter().filter_map(|one| queue.stock.find(one)).collect();
            let Decision { records, reply: cargo } =
                carry(machine, queue, target, CarryReason::TooOld, &old);
            return Ok(Decision { records, reply: Dropped { more, cargo } });
        }
        let records = dropped(self.queue, DropReason::TooOld, sequences);
        Ok(Decision { records, reply: Dropped { more, cargo: Cargo::default() } })
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

fn dropped(queue: QueueNumber, why: DropReason, mut sequences: Vec<Sequence>) -> Few<Record> {
    sequences.sort_unstable();
    if sequences.is_empty() {
        Few::new()
    } else {
        smallvec![Record::Dropped { queue, why, sequences }]
    }
}
