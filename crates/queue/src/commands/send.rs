//! Takes messages in. Their contents never come here: they go from the sender to the journal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_base::MessageId;

use crate::deduplication::{Mark, Marks};
use crate::key::{QueueNumber, Sequence};
use crate::machine::{Command, Decision, Few, Machine};
use crate::message::Sent;
use crate::record::{Header, Record};
use crate::refusal::Refusal;
use crate::stock::{Fifo, delay_seconds};

pub(crate) struct Send {
    pub(crate) queue: QueueNumber,
    pub(crate) messages: Few<Sending>,
}

/// What there is to know of a message besides its content.
pub(crate) struct Sending {
    /// The id that it gets.
    pub(crate) id: MessageId,
    /// How long it is kept back if it says so itself; not heeded by a FIFO queue.
    pub(crate) delay: Option<Duration>,
    pub(crate) group: Option<Arc<str>>,
    /// What it is known by; not heeded by a standard queue.
    pub(crate) marks: Option<Marks>,
}

impl Command for Send {
    type Reply = Few<Sent>;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<Few<Sent>>, Refusal> {
        let queue = machine.queue(self.queue)?;
        let at = machine.now();
        let mut originals = Originals { fifo: queue.stock.fifo(), here: BTreeMap::new() };
        let mut records = Few::with_capacity(self.messages.len());
        let mut reply = Few::with_capacity(self.messages.len());
        let mut sequence: Sequence = queue.facts.next;
        for sending in &self.messages {
            let sent = Sent { id: sending.id, sequence, duplicate: false };
            let mark = originals.mark(sending);
            if let Some(original) = mark.and_then(|mark| originals.find(mark, machine)) {
                reply.push(original);
                continue;
            }
            let delay = match queue.stock.fifo() {
                Some(_) => 0,
                None => delay_seconds(sending.delay.unwrap_or(queue.facts.settings.delay)),
            };
            let (queue, group) = (self.queue, sending.group.clone());
            let known = mark.map(|mark| (mark, sending.id));
            records.push(Record::Message(Header {
                queue,
                sequence,
                sent: at,
                delay,
                group,
                known,
            }));
            originals.here.extend(mark.map(|mark| (mark, sent)));
            reply.push(sent);
            sequence = sequence.next();
        }
        Ok(Decision { records, reply })
    }

    fn stores(reply: &Few<Sent>, nth: usize) -> bool {
        !reply[nth].duplicate
    }
}

/// What a message may repeat: one that a FIFO queue remembers, or an earlier one of the call.
struct Originals<'a> {
    fifo: Option<&'a Fifo>,
    here: BTreeMap<Mark, Sent>,
}

impl Originals<'_> {
    fn mark(&self, sending: &Sending) -> Option<Mark> {
        Some(self.fifo?.mark(sending.marks.as_ref()?))
    }

    fn find(&self, mark: Mark, machine: &Machine) -> Option<Sent> {
        let remembered = self.fifo?.original(mark, machine.now());
        let remembered = remembered.map(|original| Sent {
            id: original.id,
            sequence: original.sequence,
            duplicate: true,
        });
        let here = self.here.get(&mark).map(|sent| Sent { duplicate: true, ..*sent });
        remembered.or(here)
    }
}
