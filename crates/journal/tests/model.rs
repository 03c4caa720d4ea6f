//! Lives at random against a naive model: append, wait, read, checkpoint, discard, crash, reopen.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeSet;

use common::{open, options, push};
use tidemill_base::{ByteSize, Chance};
use tidemill_journal::{Journal, Keep, MemoryDriver, Options, Position, ReadError, SegmentId};

type Group = Vec<(Position, Vec<u8>)>;

/// What the log should hold, as a list.
#[derive(Default)]
struct Model {
    /// Everything ever appended that may still be there, by group, with where the log ended after.
    groups: Vec<(Position, Group)>,
    replay_from: Position,
    section: Option<(Position, Vec<u8>)>,
    discarded: BTreeSet<SegmentId>,
    durable: Position,
}

struct Life {
    memory: MemoryDriver,
    journal: Journal,
    model: Model,
    chance: Chance,
    options: Options,
}

impl Life {
    fn begin(seed: u64) -> Self {
        let chance = Chance::seeded(seed);
        let sizes = [1 << 10, 1 << 12, 1 << 14];
        let options = Options {
            segment_size: ByteSize::bytes(sizes[(seed % 3) as usize]),
            recent: ByteSize::bytes(seed % 4 * 1000),
            ..options()
        };
        let memory = MemoryDriver::new();
        let (journal, _) = open(&memory, options.clone());
        Self { memory, journal, model: Model::default(), chance, options }
    }

    fn below(&self, limit: usize) -> usize {
        usize::try_from(self.chance.number() % limit as u64).unwrap()
    }

    fn step(&mut self) {
        match self.below(20) {
            0..10 => self.append(),
            10..13 => self.journal.write(self.journal.end()).unwrap(),
            13..15 => {
                self.model.durable = self.journal.end();
                self.journal.wait_durable(self.model.durable).unwrap();
            }
            15..17 => self.read(),
            17..19 => self.checkpoint(),
            _ => self.reopen(),
        }
    }

    fn append(&mut self) {
        let largest = self.journal.max_payload().as_usize().min(1500);
        let bodies: Vec<_> = (0..=self.below(4))
            .map(|_| {
                let mut body = vec![0; self.below(largest + 1)];
                self.chance.fill(&mut body);
                body
            })
            .collect();
        let group = push(&self.journal, &bodies);
        self.model.groups.push((self.journal.end(), group));
    }

    fn read(&self) {
        if self.model.groups.is_empty() {
            return;
        }
        let (_, group) = &self.model.groups[self.below(self.model.groups.len())];
        let (at, body) = &group[self.below(group.len())];
        let read = self.journal.read(*at);
        if self.model.discarded.contains(&self.journal.segment_of(*at)) {
            // A batch may outlive its segment in the cache.
            assert!(matches!(&read, Err(ReadError::Absent(_))) || read.unwrap().payload == *body);
        } else {
            assert_eq!(read.unwrap().payload, *body);
        }
    }

    fn checkpoint(&mut self) {
        let ends: Vec<_> = self.model.groups.iter().map(|(end, _)| *end).collect();
        let later: Vec<_> = ends.into_iter().filter(|end| *end > self.model.replay_from).collect();
        let Some(at) = later.get(self.below(later.len().max(1))).copied() else { return };
        let bytes = at.as_u64().to_le_bytes().to_vec();
        self.journal.put_section("state", at, &bytes).unwrap();
        let old = self.journal.segments().into_iter().map(|segment| segment.id);
        let mut old: Vec<_> = old.filter(|id| *id < self.journal.segment_of(at)).collect();
        // Some survive, from the middle too.
        old.retain(|_| self.below(3) > 0);
        self.journal.checkpoint(at, &[("state".into(), at)], &old).unwrap();
        self.model.discarded.extend(old);
        self.model.section = Some((at, bytes));
        self.model.replay_from = at;
        self.model.durable = self.model.durable.max(at);
    }

    fn reopen(&mut self) {
        let keep = match self.below(5) {
            0 => None,
            1 => Some(Keep::Written),
            2 => Some(Keep::Synced),
            3 => Some(Keep::First(ByteSize::bytes(self.below(5000) as u64))),
            _ => Some(Keep::Sectors(self.chance.clone())),
        };
        match &keep {
            None => {
                self.model.durable = self.journal.end();
                self.journal.close().unwrap();
            }
            Some(keep) => self.memory.crash(keep),
        }
        let (journal, folded) = open(&self.memory, self.options.clone());
        self.journal = journal;
        let model = &mut self.model;
        let expected = model.section.clone().map(|(at, bytes)| ("state".to_owned(), at, bytes));
        assert_eq!(folded.sections, Vec::from_iter(expected));
        // What is there is a number of whole groups, the durable ones among them.
        let last = folded.records.last().map_or(model.replay_from, |(at, _)| *at);
        let survives = |(end, group): &(Position, Group)| {
            *end <= model.durable || group.last().is_some_and(|(at, _)| *at <= last)
        };
        let survivors = model.groups.iter().filter(|group| survives(group)).count();
        model.groups.truncate(survivors);
        let replayed = model.groups.iter().filter(|(end, _)| *end > model.replay_from);
        let expected: Vec<_> = replayed.flat_map(|(_, group)| group.clone()).collect();
        assert!(folded.records == expected, "{keep:?}: {} records", folded.records.len());
        model.durable = self.journal.durable();
    }
}

#[test]
fn a_life_at_random_holds_what_a_list_would() {
    for seed in 0..150 {
        let mut life = Life::begin(seed);
        for _ in 0..120 {
            life.step();
        }
        life.reopen();
    }
}
