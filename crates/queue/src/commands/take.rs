//! Hands messages out: the inner half of a receive.

use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::key::{QueueNumber, Sequence};
use crate::machine::{Command, Decision, Machine};
use crate::record::Record;
use crate::refusal::{IN_FLIGHT_LIMIT, Refusal};

/// A message that was handed out, before its content is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) sequence: Sequence,
    pub(crate) position: Position,
    pub(crate) sent: Timestamp,
    /// Which receive of the message this is: the first is 1.
    pub(crate) receive: u32,
    pub(crate) first_received: Timestamp,
}

pub(crate) struct Take {
    pub(crate) queue: QueueNumber,
    pub(crate) max: u8,
    pub(crate) visibility: Option<Duration>,
}

impl Command for Take {
    type Reply = Vec<Taken>;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<Vec<Taken>>, Refusal> {
        let queue = machine.queue(self.queue)?;
        let room = IN_FLIGHT_LIMIT.saturating_sub(queue.stock.in_flight());
        if room == 0 {
            return Err(Refusal::InFlightLimit);
        }
        let now = machine.now();
        let heads = queue.stock.heads(usize::from(self.max).min(room));
        let reply: Vec<Taken> = heads
            .iter()
            .map(|head| Taken {
                sequence: head.sequence,
                position: head.position,
                sent: head.sent,
                receive: head.receives.saturating_add(1),
                first_received: head.first_received.min(now),
            })
            .collect();
        if reply.is_empty() {
            return Ok(Decision { records: Vec::new(), reply });
        }
        let until = now + self.visibility.unwrap_or(queue.facts.settings.visibility);
        let mut sequences: Vec<Sequence> = reply.iter().map(|taken| taken.sequence).collect();
        sequences.sort_unstable();
        let received = Record::Received { queue: self.queue, at: now, until, sequences };
        Ok(Decision { records: vec![received], reply })
    }
}
