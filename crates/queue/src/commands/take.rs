//! Hands messages out: the inner half of a receive.

use std::time::Duration;

use smallvec::smallvec;
use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::deduplication::Mark;
use crate::holder::Holder;
use crate::key::{QueueNumber, Sequence};
use crate::loose::Held;
use crate::machine::{Command, Decision, Few, Machine};
use crate::passage::Passage;
use crate::record::{Received, Record};
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
    /// How it came here, if it came from another queue.
    pub(crate) passage: Option<Passage>,
}

pub(crate) struct Take {
    pub(crate) queue: QueueNumber,
    pub(crate) max: u8,
    pub(crate) visibility: Option<Duration>,
    /// What the receive can be repeated by, on a FIFO queue.
    pub(crate) attempt: Option<Mark>,
    /// Who receives, if that is known.
    pub(crate) holder: Option<Holder>,
}

impl Command for Take {
    type Reply = Vec<Taken>;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<Vec<Taken>>, Refusal> {
        let queue = machine.queue(self.queue)?;
        let now = machine.now();
        let until = now + self.visibility.unwrap_or(queue.facts.settings.visibility);
        let fifo = queue.stock.fifo();
        let attempt = self.attempt.filter(|_| fifo.is_some());
        if let Some((fifo, mark)) = fifo.zip(attempt)
            && let Some(given) = fifo.attempted(mark, now)
        {
            let (queue, attempt, holder) = (self.queue, mark, self.holder);
            let records = smallvec![Record::Repeated { queue, until, attempt, holder }];
            let reply = given.iter().map(|held| Taken::as_it_is(held, held.receives, now));
            return Ok(Decision { records, reply: reply.collect() });
        }
        let room = IN_FLIGHT_LIMIT.saturating_sub(queue.stock.in_flight());
        if room == 0 && fifo.is_none() {
            return Err(Refusal::InFlightLimit);
        }
        let heads = queue.stock.heads(usize::from(self.max).min(room));
        if heads.is_empty() {
            return Ok(Decision { records: Few::new(), reply: Vec::new() });
        }
        let mut sequences: Vec<Sequence> = heads.iter().map(|head| head.sequence).collect();
        if fifo.is_none() {
            sequences.sort_unstable();
        }
        let reply = heads.iter().map(|it| Taken::as_it_is(it, it.receives.saturating_add(1), now));
        let (queue, holder) = (self.queue, self.holder);
        let received = Received { queue, at: now, until, attempt, holder, sequences };
        let records = smallvec![Record::Received(received)];
        Ok(Decision { records, reply: reply.collect() })
    }
}

impl Taken {
    /// What is told of a message on its `receive`th receive.
    fn as_it_is(held: &Held, receive: u32, now: Timestamp) -> Self {
        Self {
            sequence: held.sequence,
            position: held.position,
            sent: held.sent,
            receive,
            first_received: held.first_received.min(now),
            passage: held.passage,
        }
    }
}
