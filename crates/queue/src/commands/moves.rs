//! Begins a move of messages out of a dead-letter queue, takes it a step further, ends it.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::smallvec;

use crate::key::{QueueNumber, Sequence};
use crate::machine::{Command, Decision, Few, Machine};
use crate::moves::{MoveNumber, MoveStatus, Plan};
use crate::record::{Header, Record};
use crate::refusal::Refusal;
use crate::settings::Discipline;
use crate::stock::delay_seconds;

pub(crate) struct BeginMove {
    pub(crate) queue: QueueNumber,
    /// Where everything goes; absent if each message goes back to where it came from.
    pub(crate) destination: Option<QueueNumber>,
    pub(crate) per_second: Option<u32>,
}

impl Command for BeginMove {
    type Reply = MoveNumber;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<MoveNumber>, Refusal> {
        let queue = machine.queue(self.queue)?;
        if machine.dead_letter_sources(&queue.facts.key).next().is_none() {
            return Err(Refusal::NotADeadLetterQueue);
        }
        let find = |number| machine.queue(number).map_err(|_| Refusal::NoSuchDestination);
        let destination = self.destination.map(find).transpose()?;
        if let Some(destination) = destination {
            if destination.facts.number == self.queue {
                return Err(Refusal::SameQueue);
            }
            if destination.facts.settings.discipline != queue.facts.settings.discipline {
                return Err(Refusal::OtherDiscipline);
            }
        }
        if queue.facts.moves.active().is_some() {
            return Err(Refusal::MoveUnderWay);
        }
        let number = queue.facts.moves.next();
        let plan = Box::new(Plan {
            number,
            started: machine.now(),
            destination: destination.map(|queue| queue.facts.key.clone()),
            per_second: self.per_second.filter(|per_second| *per_second > 0),
            before: queue.facts.next,
            to_move: u64::try_from(queue.stock.counts().visible).unwrap_or(u64::MAX),
        });
        let records = smallvec![Record::MoveBegan { queue: self.queue, plan }];
        Ok(Decision { records, reply: number })
    }
}

/// Sends messages of a queue to others as new ones, and takes them out of it: both or neither.
/// Their contents, with new ids, go from the reader to the journal.
pub(crate) struct Redrive {
    pub(crate) queue: QueueNumber,
    pub(crate) number: MoveNumber,
    pub(crate) messages: Vec<Redriving>,
}

/// A message that is to be moved.
#[derive(Clone, Debug)]
pub(crate) struct Redriving {
    pub(crate) sequence: Sequence,
    pub(crate) destination: QueueNumber,
    pub(crate) group: Option<Arc<str>>,
}

impl Command for Redrive {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        let queue = machine.queue(self.queue)?;
        if queue.facts.moves.active().is_none_or(|task| task.plan.number != self.number) {
            return Err(Refusal::NoSuchMove);
        }
        let mut nexts: BTreeMap<QueueNumber, Sequence> = BTreeMap::new();
        let mut records = Few::with_capacity(self.messages.len() + 1);
        for Redriving { sequence, destination, group } in &self.messages {
            queue.stock.find(*sequence).ok_or(Refusal::MessageGone)?;
            let facts = &machine.queue(*destination)?.facts;
            let next = nexts.entry(*destination).or_insert(facts.next);
            let is_standard = facts.settings.discipline == Discipline::Standard;
            records.push(Record::Message(Header {
                queue: *destination,
                sequence: *next,
                sent: machine.now(),
                delay: if is_standard { delay_seconds(facts.settings.delay) } else { 0 },
                group: group.clone(),
                // Nothing that is moved is a repetition, nor what is sent after it.
                known: None,
            }));
            *next = next.next();
        }
        let sequences = self.messages.iter().map(|one| one.sequence).collect();
        let (queue, number) = (self.queue, self.number);
        records.push(Record::Redriven { queue, number, sequences });
        Ok(Decision { records, reply: () })
    }
}

pub(crate) struct EndMove {
    pub(crate) queue: QueueNumber,
    pub(crate) number: MoveNumber,
    pub(crate) status: MoveStatus,
}

impl Command for EndMove {
    /// How many messages it had moved.
    type Reply = u64;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<u64>, Refusal> {
        let (queue, at, number, status) = (self.queue, machine.now(), self.number, self.status);
        let moves = &machine.queue(queue)?.facts.moves;
        let task = moves.iter().find(|task| task.plan.number == number);
        let task = task.ok_or(Refusal::NoSuchMove)?;
        if task.end.is_some() {
            return Err(Refusal::MoveIsOver);
        }
        let records = smallvec![Record::MoveEnded { queue, at, number, status }];
        Ok(Decision { records, reply: task.moved })
    }
}
