//! A queue: what is recorded of it, and what is merely remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::codec::{Put, Reader, Unreadable};
use crate::ground::Ground;
use crate::key::{QueueKey, QueueNumber, Sequence};
use crate::moves::Moves;
use crate::record::{Carried, Created, Header, Record, put_key, read_key};
use crate::redrive::{DEAD_LETTER_EXPIRED, DEAD_LETTER_EXPIRED_TAG};
use crate::settings::{Settings, Tags};
use crate::settings_codec::{put_settings, put_tags, read_settings, read_tags};
use crate::stock::{Fifo, Layout, Stock, StockView};
use crate::waiters::Waiters;

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) facts: Facts,
    pub(crate) stock: Stock,
    pub(crate) memory: Memory,
}

/// What is recorded of a queue besides its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) number: QueueNumber,
    pub(crate) key: QueueKey,
    pub(crate) settings: Arc<Settings>,
    pub(crate) tags: Arc<Tags>,
    pub(crate) created: Timestamp,
    /// When the settings or the tags last changed.
    pub(crate) modified: Timestamp,
    /// When the queue was last purged.
    pub(crate) purged: Option<Timestamp>,
    /// The sequence that the next message gets.
    pub(crate) next: Sequence,
    /// What the queues are called that messages here came from. Some may be gone.
    pub(crate) sources: Arc<BTreeMap<QueueNumber, QueueKey>>,
    /// The moves of messages from here to elsewhere.
    pub(crate) moves: Arc<Moves>,
}

impl Facts {
    /// Whether messages that grow too old go to the dead-letter queue, if there is one.
    pub(crate) fn keeps_expired(&self) -> bool {
        self.tags.get(DEAD_LETTER_EXPIRED_TAG).is_some_and(|value| value == DEAD_LETTER_EXPIRED)
    }
}

/// What a process knows of a queue, and the next one need not.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) waiters: Waiters,
    pub(crate) tally: Tally,
    pub(crate) coverage: Coverage,
    /// For when the timer is set; `Timestamp::NEVER` if it is not.
    pub(crate) armed: Timestamp,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            waiters: Waiters::default(),
            tally: Tally::default(),
            coverage: Coverage::default(),
            armed: Timestamp::NEVER,
        }
    }
}

/// What happened at a queue since the process started. Never goes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages sent.
    pub sent: u64,
    /// The bytes of their bodies.
    pub sent_bytes: u64,
    /// Messages handed out, each time counted.
    pub received: u64,
    /// Messages deleted by a receipt.
    pub deleted: u64,
    /// Messages that were sent again and not stored.
    pub deduplicated: u64,
    /// Receives that went away with nothing.
    pub empty_receives: u64,
}

/// How far checkpoints cover a queue's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Where the queue's newest section was taken.
    pub(crate) section: Option<Position>,
    /// How many bytes that section has.
    pub(crate) size: u64,
    /// The first record that no section holds.
    pub(crate) first: Option<Position>,
    /// Whether a section is being made.
    making: bool,
    /// The first record that the section being made will not hold.
    after: Option<Position>,
}

impl Coverage {
    fn note(&mut self, position: Position) {
        self.first.get_or_insert(position);
        if self.making {
            self.after.get_or_insert(position);
        }
    }

    /// A section is being made, of every record so far.
    pub(crate) fn begin(&mut self) {
        self.making = true;
        self.after = None;
    }

    /// The first record that will not be held once the section being made is in force.
    pub(crate) fn first_after(&self) -> Option<Position> {
        if self.making { self.after } else { self.first }
    }

    /// The section is in force.
    pub(crate) fn finish(&mut self, at: Position, size: u64) {
        debug_assert!(self.making, "what is in force was made");
        self.section = Some(at);
        self.size = size;
        self.first = self.after;
        self.making = false;
    }

    /// The section came to nothing.
    pub(crate) fn abandon(&mut self) {
        self.making = false;
    }
}

/// A copy of what is recorded of a queue, cheap to take.
#[derive(Clone, Debug)]
pub(crate) struct QueueView {
    facts: Facts,
    pub(crate) stock: StockView,
}

impl Queue {
    pub(crate) fn new(created: &Created) -> Self {
        let facts = Facts {
            number: created.queue,
            key: created.key.clone(),
            settings: Arc::new(created.settings.clone()),
            tags: Arc::new(created.tags.clone()),
            created: created.at,
            modified: created.at,
            purged: None,
            next: Sequence(1),
            sources: Arc::default(),
            moves: Arc::default(),
        };
        let stock = Stock::new(&created.settings);
        Self { facts, stock, memory: Memory::default() }
    }

    /// Moves the queue by one of its records. Returns a stock that is no more, if there was one.
    pub(crate) fn apply(
        &mut self,
        position: Position,
        record: &Record,
        ground: &mut Ground,
    ) -> Option<Stock> {
        self.memory.coverage.note(position);
        match record {
            // The machine makes and removes queues.
            Record::Founded { .. } | Record::Created(_) | Record::Forgotten => {}
            Record::Removed { .. } => return Some(self.stock.clear(ground)),
            Record::Configured { at, settings, .. } => {
                self.stock.configure(*at, settings);
                self.facts.settings = Arc::new(settings.as_ref().clone());
                self.facts.modified = *at;
            }
            Record::Tagged { at, tags, .. } => {
                self.facts.tags = Arc::new(tags.clone());
                self.facts.modified = *at;
            }
            Record::Purged { at, .. } => {
                self.facts.purged = Some(*at);
                return Some(self.stock.clear(ground));
            }
            Record::Message(header) => self.add(position, header, ground),
            Record::Moved(header) => self.stock.relocate(header.sequence, position, ground),
            Record::Received(received) => self.stock.receive(received),
            Record::Repeated { until, attempt, holder, .. } => {
                self.stock.repeat(*attempt, *until, *holder);
            }
            Record::Lapsed { at, .. } => self.stock.lapse(*at),
            Record::Returned { at, sequences, .. } => {
                for one in sequences {
                    self.stock.give_back(*one, *at);
                }
            }
            Record::Hidden { until, sequences, .. } => {
                for one in sequences {
                    self.stock.hide(*one, *until);
                }
            }
            Record::Deleted { sequences, .. } | Record::Dropped { sequences, .. } => {
                for one in sequences {
                    self.stock.forget(*one, ground);
                }
            }
            Record::Carried(carried) if carried.source == self.facts.number => {
                for one in &carried.messages {
                    self.stock.forget(one.sequence, ground);
                }
            }
            Record::Carried(carried) => self.take_in(position, carried, ground),
            Record::Redriven { number, sequences, .. } => {
                for one in sequences {
                    self.stock.forget(*one, ground);
                }
                Arc::make_mut(&mut self.facts.moves).count(*number, sequences.len());
            }
            Record::MoveBegan { plan, .. } => Arc::make_mut(&mut self.facts.moves).begin(plan),
            Record::MoveEnded { at, number, status, .. } => {
                Arc::make_mut(&mut self.facts.moves).end(*number, *at, *status);
            }
        }
        None
    }

    /// Takes in messages that the record at `position` carries here.
    fn take_in(&mut self, position: Position, carried: &Carried, ground: &mut Ground) {
        debug_assert!(carried.first >= self.facts.next, "sequences ascend");
        if self.stock.is_empty() {
            // Nothing here speaks of the former ones any more.
            self.facts.sources = Arc::default();
        }
        if self.facts.sources.get(&carried.source) != Some(&carried.key) {
            Arc::make_mut(&mut self.facts.sources).insert(carried.source, carried.key.clone());
        }
        for arrival in carried.arriving() {
            self.stock.arrive(position, &arrival, ground);
        }
        self.facts.next = carried.end().expect("was looked at before it was recorded");
    }

    fn add(&mut self, position: Position, header: &Header, ground: &mut Ground) {
        debug_assert!(header.sequence >= self.facts.next, "sequences ascend");
        self.stock.add(position, header, ground);
        self.facts.next = header.sequence.next();
    }

    /// When somebody should look at the queue again, if nothing happens before.
    pub(crate) fn next_deadline(&self) -> Timestamp {
        let waiting = self.memory.waiters.first_deadline();
        let due = waiting.and_then(|_| self.stock.next_due());
        // Messages that grow too old in the same second go together.
        let retention = self.facts.settings.retention;
        let too_old = self.stock.ages_from_to_be().map(|from| {
            Timestamp::from_millis((from + retention).as_millis().saturating_add(999) / 1000 * 1000)
        });
        let lapses = self.stock.fifo().and_then(Fifo::lapses);
        [waiting, due, too_old, lapses].into_iter().flatten().min().unwrap_or(Timestamp::NEVER)
    }

    pub(crate) fn view(&self) -> QueueView {
        QueueView { facts: self.facts.clone(), stock: self.stock.view() }
    }

    /// Reads what [`QueueView::write`] wrote.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut reader = Reader::new("queue section", bytes);
        let version = reader.u8()?;
        if !(1..=SECTION_VERSION).contains(&version) {
            return Err(Unreadable::new(format!("queue section of version {version}")));
        }
        let mut facts = Facts {
            number: reader.queue()?,
            key: read_key(&mut reader)?,
            settings: Arc::new(read_settings(&mut reader)?),
            tags: Arc::new(read_tags(&mut reader)?),
            created: reader.time()?,
            modified: reader.time()?,
            purged: Some(reader.time()?).filter(|at| *at != Timestamp::NEVER),
            next: Sequence(reader.varint()?),
            sources: Arc::default(),
            moves: Arc::default(),
        };
        if version > 1 {
            facts.sources = Arc::new(read_sources(&mut reader)?);
            facts.moves = Arc::new(Moves::read(&mut reader)?);
        }
        let stock = Stock::read(&facts.settings, Layout(version), &mut reader)?;
        reader.finish()?;
        Ok(Self { facts, stock, memory: Memory::default() })
    }
}

/// The version of a queue's section. To change the layout: count up, and keep reading the older.
/// Version 1 had no groups, no sources and no moves, version 2 no holders.
const SECTION_VERSION: u8 = 3;

impl QueueView {
    /// Layout: version (u8), number, key, settings, tags, created, modified, purged (u64 ms, all
    /// ones for never), next sequence (varint), how many sources and of each number and key, the
    /// moves, the stock.
    pub(crate) fn write(self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u8(SECTION_VERSION);
        out.put_queue(self.facts.number);
        put_key(&mut out, &self.facts.key);
        put_settings(&mut out, &self.facts.settings);
        put_tags(&mut out, &self.facts.tags);
        out.put_time(self.facts.created);
        out.put_time(self.facts.modified);
        out.put_time(self.facts.purged.unwrap_or(Timestamp::NEVER));
        out.put_varint(self.facts.next.0);
        out.put_len(self.facts.sources.len());
        for (number, key) in self.facts.sources.iter() {
            out.put_queue(*number);
            put_key(&mut out, key);
        }
        self.facts.moves.write(&mut out);
        self.stock.write(&mut out);
        out
    }
}

fn read_sources(reader: &mut Reader<'_>) -> Result<BTreeMap<QueueNumber, QueueKey>, Unreadable> {
    (0..reader.len()?).map(|_| Ok((reader.queue()?, read_key(reader)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_while_a_section_is_made_is_not_covered_by_it() {
        let at = Position::from_u64;
        let mut coverage = Coverage::default();
        coverage.note(at(8));
        coverage.begin();
        assert_eq!(coverage.first_after(), None);
        coverage.note(at(80));
        coverage.note(at(88));
        assert_eq!((coverage.first, coverage.first_after()), (Some(at(8)), Some(at(80))));
        coverage.abandon();
        assert_eq!(coverage.first_after(), Some(at(8)));
        coverage.begin();
        coverage.note(at(96));
        coverage.finish(at(90), 10);
        assert_eq!((coverage.section, coverage.first), (Some(at(90)), Some(at(96))));
    }
}
