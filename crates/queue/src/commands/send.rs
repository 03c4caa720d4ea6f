//! Takes messages in. Their contents never come here: they go from the sender to the journal.

use std::time::Duration;

use tidemill_base::MessageId;

use crate::key::{QueueNumber, Sequence};
use crate::machine::{Command, Decision, Machine};
use crate::message::Sent;
use crate::record::{Header, Record};
use crate::refusal::Refusal;
use crate::stock::delay_seconds;

pub(crate) struct Send {
    pub(crate) queue: QueueNumber,
    /// Of each message: the id it gets, and how long it is kept back if it says so itself.
    pub(crate) messages: Vec<(MessageId, Option<Duration>)>,
}

impl Command for Send {
    type Reply = Vec<Sent>;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<Vec<Sent>>, Refusal> {
        let queue = machine.queue(self.queue)?;
        let sent = machine.now();
        let mut records = Vec::with_capacity(self.messages.len());
        let mut reply = Vec::with_capacity(self.messages.len());
        let mut sequence: Sequence = queue.facts.next;
        for (id, delay) in &self.messages {
            let delay = delay_seconds(delay.unwrap_or(queue.facts.settings.delay));
            records.push(Record::Message(Header { queue: self.queue, sequence, sent, delay }));
            reply.push(Sent { id: *id, sequence, duplicate: false });
            sequence = sequence.next();
        }
        Ok(Decision { records, reply })
    }
}
