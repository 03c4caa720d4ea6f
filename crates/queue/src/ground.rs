//! How much of each stretch of the log is still alive: which segments can go, and which are nearly
//! empty and worth clearing.
//!
//! A stretch is smaller than a segment and knows nothing of segments, so that the machine needs
//! to know nothing of them either.

use std::collections::VecDeque;
use std::ops::Range;

use tidemill_journal::Position;

use crate::codec::{Put, Reader, Unreadable};

/// A stretch covers 64 KiB of log.
const STRETCH_BITS: u32 = 16;

/// The messages of one stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Population {
    /// How many messages were ever written there.
    pub(crate) born: u64,
    /// How many of them are not gone, nor moved elsewhere.
    pub(crate) live: u64,
}

/// The messages of every stretch of the log that is still kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ground {
    /// The number of the first stretch in `stretches`.
    first: u64,
    stretches: VecDeque<Stretch>,
    /// Whether the living are counted: not while a journal is replayed, where sections and
    /// records come in pieces, but from the count that ends it.
    counting: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stretch {
    born: u32,
    live: u32,
}

fn stretch_of(position: Position) -> u64 {
    position.as_u64() >> STRETCH_BITS
}

impl Ground {
    /// Whether two positions share a stretch.
    pub(crate) fn together(one: Position, other: Position) -> bool {
        stretch_of(one) == stretch_of(other)
    }

    pub(crate) fn birth(&mut self, at: Position) {
        self.stretch(at).born += 1;
    }

    /// From here on the living are counted.
    pub(crate) fn start_counting(&mut self) {
        self.counting = true;
    }

    /// `count` messages at or near `at` live.
    pub(crate) fn settle(&mut self, at: Position, count: usize) {
        if self.counting {
            self.stretch(at).live += small(count);
        }
    }

    /// `count` messages that were at or near `at` are gone.
    pub(crate) fn leave(&mut self, at: Position, count: usize) {
        if !self.counting {
            return;
        }
        let stretch = self.stretch(at);
        debug_assert!(stretch.live >= small(count), "what leaves was there");
        stretch.live = stretch.live.saturating_sub(small(count));
    }

    /// The messages in the stretches that `range` touches: at least those in the range itself.
    pub(crate) fn population(&self, range: &Range<Position>) -> Population {
        let first = stretch_of(range.start).saturating_sub(self.first);
        let end = (range.end.as_u64().div_ceil(1 << STRETCH_BITS)).saturating_sub(self.first);
        let index =
            |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(self.stretches.len());
        let mut population = Population::default();
        for stretch in self.stretches.range(index(first)..index(end)) {
            population.born += u64::from(stretch.born);
            population.live += u64::from(stretch.live);
        }
        population
    }

    /// Forgets the stretches that lie before `position` as a whole, and are empty.
    pub(crate) fn forget_before(&mut self, position: Position) {
        while self.first < stretch_of(position)
            && self.stretches.front().is_some_and(|stretch| stretch.live == 0)
        {
            self.stretches.pop_front();
            self.first += 1;
        }
    }

    /// How many messages were born where; who lives is counted again when a journal is opened.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_varint(self.first);
        out.put_len(self.stretches.len());
        for stretch in &self.stretches {
            out.put_varint(stretch.born.into());
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let first = reader.varint()?;
        let stretches = (0..reader.len()?)
            .map(|_| {
                let born = u32::try_from(reader.varint()?).map_err(|_| reader.bad())?;
                Ok(Stretch { born, live: 0 })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { first, stretches, counting: false })
    }

    fn stretch(&mut self, at: Position) -> &mut Stretch {
        let number = stretch_of(at);
        if self.stretches.is_empty() {
            self.first = number;
        }
        // A survivor in an old stretch may be met again after everything before it was forgotten.
        while number < self.first {
            self.first -= 1;
            self.stretches.push_front(Stretch::default());
        }
        let index = usize::try_from(number - self.first).expect("the log kept fits memory");
        if index >= self.stretches.len() {
            self.stretches.resize(index + 1, Stretch::default());
        }
        &mut self.stretches[index]
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a stretch of 64 KiB holds fewer than 2^32 messages")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(kib: u64) -> Position {
        Position::from_u64(kib << 10)
    }

    fn counting() -> Ground {
        Ground { counting: true, ..Ground::default() }
    }

    #[test]
    fn a_range_counts_every_stretch_it_touches() {
        let mut ground = counting();
        for kib in [0, 8, 63, 64, 130] {
            ground.birth(at(kib));
            ground.settle(at(kib), 1);
        }
        ground.leave(at(8), 1);
        assert_eq!(ground.population(&(at(0)..at(64))), Population { born: 3, live: 2 });
        assert_eq!(ground.population(&(at(60)..at(65))), Population { born: 4, live: 3 });
        assert_eq!(ground.population(&(at(1000)..at(2000))), Population::default());
    }

    #[test]
    fn what_is_empty_and_old_is_forgotten() {
        let mut ground = counting();
        ground.birth(at(0));
        ground.birth(at(64));
        ground.settle(at(64), 1);
        ground.forget_before(at(200));
        assert_eq!(ground.population(&(at(0)..at(64))), Population::default());
        assert_eq!(ground.population(&(at(0)..at(128))), Population { born: 1, live: 1 });
        ground.leave(at(64), 1);
        ground.forget_before(at(200));
        ground.settle(at(0), 1);
        assert_eq!(ground.population(&(at(0)..at(64))).live, 1);
    }

    #[test]
    fn births_come_back_from_a_snapshot() {
        let mut ground = Ground::default();
        ground.birth(at(640));
        ground.birth(at(900));
        let mut bytes = Vec::new();
        ground.write(&mut bytes);
        let read = Ground::read(&mut Reader::new("ground", &bytes)).unwrap();
        assert_eq!(read.population(&(at(0)..at(1000))), Population { born: 2, live: 0 });
    }
}
