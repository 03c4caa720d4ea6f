//! All queues of the model, moved by records as the machine is.

use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use super::pond::{self, Modelled, Pond};
use crate::deduplication::Mark;
use crate::key::{QueueNumber, Sequence};
use crate::passage::CarryReason;
use crate::record::{Carried, Header, Record};
use crate::redrive::{DEAD_LETTER_EXPIRED, DEAD_LETTER_EXPIRED_TAG};

/// A record, and when it was made.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at: Position,
    pub(super) record: Record,
    pub(super) now: Timestamp,
    pub(super) durable: Position,
}

/// The queues.
#[derive(Clone, Debug, Default)]
pub(super) struct Ponds {
    pub(super) all: Vec<Pond>,
    /// The messages that were recorded one after the other until now.
    run: Vec<(QueueNumber, Sequence)>,
}

impl Ponds {
    pub(super) fn index(&self, number: QueueNumber) -> Option<usize> {
        self.all.iter().position(|pond| pond.number == number)
    }

    pub(super) fn get(&self, number: QueueNumber) -> Option<&Pond> {
        self.all.iter().find(|pond| pond.number == number)
    }

    fn get_mut(&mut self, number: QueueNumber) -> Option<&mut Pond> {
        self.all.iter_mut().find(|pond| pond.number == number)
    }

    /// Moves on, as the record says: whether it could be so was looked at before.
    pub(super) fn fold(&mut self, event: &Event) {
        if let Record::Created(created) = &event.record {
            let (number, key) = (created.queue, created.key.clone());
            let mut pond = Pond::new(number, key, created.settings.clone());
            pond.keeps_expired = keeps_expired(&created.tags);
            self.all.push(pond);
        }
        if let Record::Removed { queue, .. } = &event.record {
            self.all.retain(|pond| pond.number != *queue);
        }
        if let Record::Carried(carried) = &event.record {
            self.carry(event.at, carried);
        }
        if let Record::Redriven { queue, sequences, .. } = &event.record {
            self.redrive(*queue, sequences);
        }
        match &event.record {
            Record::Message(header) => self.run.push((header.queue, header.sequence)),
            _ => self.run.clear(),
        }
        if let Some(pond) = event.record.queue().and_then(|number| self.get_mut(number)) {
            fold_into(pond, event.at, &event.record);
        }
    }

    fn carry(&mut self, at: Position, carried: &Carried) {
        let ends = self.index(carried.source).zip(self.index(carried.target));
        let chosen: Vec<_> = carried.messages.iter().map(|one| (one.sequence, at)).collect();
        if let Some(ends) = ends {
            let too_old = carried.why == CarryReason::TooOld;
            pond::carry(&mut self.all, ends, &chosen, too_old, carried.at);
        }
    }

    /// The last messages recorded are those that leave here.
    fn redrive(&mut self, from: QueueNumber, sequences: &[Sequence]) {
        let start = self.run.len().saturating_sub(sequences.len());
        let came = self.run.split_off(start);
        for ((to, here), there) in came.into_iter().zip(sequences) {
            let origin = self.get(from).and_then(|pond| {
                let found = pond.messages.iter().find(|one| one.sequence == *there);
                found.map(|one| one.origin)
            });
            let pond = self.get_mut(to);
            let found = pond.and_then(|pond| pond.messages.iter_mut().find(|m| m.sequence == here));
            if let Some((origin, message)) = origin.zip(found) {
                message.origin = origin;
            }
        }
    }
}

fn fold_into(pond: &mut Pond, at: Position, record: &Record) {
    match record {
        Record::Configured { at, settings, .. } => pond.configure(settings.as_ref().clone(), *at),
        Record::Tagged { tags, .. } => pond.keeps_expired = keeps_expired(tags),
        Record::Purged { at, .. } => {
            pond.clear();
            pond.purged = Some(*at);
        }
        Record::Message(header) => add(pond, at, header),
        Record::Moved(header) => {
            let sequence = header.sequence;
            for message in pond.messages.iter_mut().filter(|one| one.sequence == sequence) {
                message.position = at;
            }
        }
        Record::Received(received) => {
            let attempt = received.attempt.map(number);
            let by = (attempt, received.holder);
            pond.give(received.sequences.clone(), received.until, by, received.at);
        }
        Record::Repeated { until, attempt, holder, .. } => {
            drop(pond.repeat(number(*attempt), *until, *holder));
        }
        Record::Returned { at, sequences, .. } => {
            for one in sequences {
                pond.take_back(*one, *at);
            }
        }
        Record::Hidden { until, sequences, .. } => {
            for one in sequences {
                pond.hide(*one, *until);
            }
        }
        Record::Deleted { sequences, .. }
        | Record::Dropped { sequences, .. }
        | Record::Redriven { sequences, .. } => {
            pond.retain(|message| !sequences.contains(&message.sequence));
        }
        Record::Founded { .. }
        | Record::Created(_)
        | Record::Removed { .. }
        | Record::Forgotten
        | Record::Lapsed { .. }
        | Record::Carried(_)
        | Record::MoveBegan { .. }
        | Record::MoveEnded { .. } => {}
    }
}

fn add(pond: &mut Pond, at: Position, header: &Header) {
    let delay = match header.delay {
        _ if pond.is_fifo() => pond.settings.delay,
        seconds => Duration::from_secs(seconds.into()),
    };
    let group = group(header);
    if let Some((mark, _)) = header.known {
        let group = group.unwrap_or_default();
        pond.remember(group, number(mark), header.sequence, header.sent);
    }
    pond.add(Modelled::new(header.sequence, at, header.sent, delay, group));
}

/// The model's groups are numbers.
pub(super) fn group(header: &Header) -> Option<u64> {
    header.group.as_ref().map(|name| name.parse().unwrap_or(u64::MAX))
}

/// What a message or a receive is known by, as the model has it.
pub(super) fn number(mark: Mark) -> u64 {
    u64::from_le_bytes(*mark.0.first_chunk().expect("a mark is longer than eight bytes"))
}

fn keeps_expired(tags: &crate::settings::Tags) -> bool {
    tags.get(DEAD_LETTER_EXPIRED_TAG).is_some_and(|value| value == DEAD_LETTER_EXPIRED)
}
