//! How much of each stretch of the log is still alive: which segments can go, and which are nearly
//! empty and worth clearing.
//!
//! A stretch is smaller than a segment and knows nothing of segments, so that the machine needs
//! to know nothing of them either.

use std::collections::BTreeMap;
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
    /// By number. What is kept of a log may lie far apart, so there is no entry for the rest.
    stretches: BTreeMap<u64, Stretch>,
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

/// The stretches that a range touches.
fn stretches_of(range: &Range<Position>) -> Range<u64> {
    stretch_of(range.start)..range.end.as_u64().div_ceil(1 << STRETCH_BITS)
}

impl Ground {
    /// Whether two positions share a stretch.
    pub(crate) fn together(one: Position, other: Position) -> bool {
        stretch_of(one) == stretch_of(other)
    }

    /// A message was written at `at`.
    pub(crate) fn birth(&mut self, at: Position) {
        let stretch = self.stretches.entry(stretch_of(at)).or_default();
        stretch.born = stretch.born.saturating_add(1);
    }

    /// From here on the living are counted.
    pub(crate) fn start_counting(&mut self) {
        self.counting = true;
    }

    /// `count` messages at or near `at` live.
    pub(crate) fn settle(&mut self, at: Position, count: usize) {
        if self.counting {
            self.stretches.entry(stretch_of(at)).or_default().live += small(count);
        }
    }

    /// `count` messages that were at or near `at` are gone.
    pub(crate) fn leave(&mut self, at: Position, count: usize) {
        if self.counting {
            let stretch = self.stretches.entry(stretch_of(at)).or_default();
            debug_assert!(stretch.live >= small(count), "what leaves was there");
            stretch.live = stretch.live.saturating_sub(small(count));
        }
    }

    /// The messages in the stretches that `range` touches: at least those in the range itself.
    pub(crate) fn population(&self, range: &Range<Position>) -> Population {
        let mut population = Population::default();
        for (_, stretch) in self.stretches.range(stretches_of(range)) {
            population.born += u64::from(stretch.born);
            population.live += u64::from(stretch.live);
        }
        population
    }

    /// Forgets the stretches of which none of `kept` has anything: ranges of the log, in order.
    pub(crate) fn keep_only(&mut self, kept: &[Range<Position>]) {
        self.stretches.retain(|number, stretch| {
            let index = kept.partition_point(|range| stretches_of(range).end <= *number);
            let is_kept = kept.get(index).is_some_and(|range| stretches_of(range).contains(number));
            is_kept || stretch.live > 0
        });
    }

    /// How many messages were born where (varints: how many stretches, and of each the distance
    /// from the one before and the births). Who lives is counted again when a journal is opened.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_len(self.stretches.len());
        let mut last = 0;
        for (number, stretch) in &self.stretches {
            out.put_varint(number - last);
            out.put_varint(stretch.born.into());
            last = *number;
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let mut ground = Self::default();
        let mut number = 0_u64;
        for _ in 0..reader.len()? {
            number = number.checked_add(reader.varint()?).ok_or_else(|| reader.bad())?;
            let born = u32::try_from(reader.varint()?).map_err(|_| reader.bad())?;
            ground.stretches.insert(number, Stretch { born, live: 0 });
        }
        Ok(ground)
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
    fn what_is_empty_and_no_longer_kept_is_forgotten() {
        let mut ground = counting();
        for kib in [0, 64, 128, 640] {
            ground.birth(at(kib));
        }
        ground.settle(at(64), 1);
        ground.keep_only(&[at(130)..at(131), at(640)..at(704)]);
        let everywhere = at(0)..at(1000);
        assert_eq!(ground.population(&everywhere), Population { born: 3, live: 1 });
        ground.keep_only(&[]);
        assert_eq!(ground.population(&everywhere), Population { born: 1, live: 1 });
        ground.leave(at(64), 1);
        ground.keep_only(&[]);
        assert_eq!(ground.population(&everywhere), Population::default());
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
