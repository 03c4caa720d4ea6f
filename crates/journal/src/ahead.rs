//! What stands behind records that were read from the disk, read with them.
//!
//! A backlog is read in the order in which it was written, mostly: what costs is the call to the
//! system, and not the bytes it brings. So whoever goes on where a record was read gets more than
//! it asked for, and the next ones find theirs here.

use std::collections::VecDeque;

use bytes::Bytes;

/// So much is read at once of what is read in order.
const MUCH: usize = 32 << 10;
/// Read at once of all else, in the hope that it is the whole record.
const LITTLE: usize = 4096;
/// In so many places somebody may be reading in order.
const PLACES: usize = 4;

/// The last places that were read.
#[derive(Debug, Default)]
pub(crate) struct Ahead(VecDeque<Place>);

#[derive(Debug)]
struct Place {
    /// Where the bytes begin.
    start: u64,
    bytes: Bytes,
    /// Where the last record ends that was asked for.
    next: u64,
}

impl Place {
    /// Whether a reader that was here may have gone on to `at`: others' records are between.
    fn leads_to(&self, at: u64) -> bool {
        (self.next..=self.next + MUCH as u64).contains(&at)
    }

    /// What was asked for already is not given again: whoever comes back wants to know how it is
    /// on the disk by now.
    fn bytes_at(&self, at: u64) -> Option<Bytes> {
        if at < self.next {
            return None;
        }
        let offset = usize::try_from(at.checked_sub(self.start)?).ok()?;
        (offset < self.bytes.len()).then(|| self.bytes.slice(offset..))
    }
}

impl Ahead {
    /// What was read ahead, from `at` on. It may end within a record, or hold what was not yet
    /// written then: only a record whose checksum is right may be believed.
    pub(crate) fn bytes_at(&self, at: u64) -> Option<Bytes> {
        self.0.iter().find_map(|place| place.bytes_at(at))
    }

    /// How much to read at `at`.
    pub(crate) fn much(&self, at: u64) -> usize {
        if self.0.iter().any(|place| place.leads_to(at)) { MUCH } else { LITTLE }
    }

    /// The record at `at` was found in what was read ahead, and ends at `next`.
    pub(crate) fn found(&mut self, at: u64, next: u64) {
        if let Some(place) = self.0.iter_mut().find(|place| place.bytes_at(at).is_some()) {
            place.next = next;
        }
    }

    /// The record at `at`, which ends at `next`, was read with all of `bytes`.
    pub(crate) fn read(&mut self, at: u64, bytes: Bytes, next: u64) {
        let left = self.0.iter().position(|place| place.leads_to(at));
        // Who was nowhere near takes the place of the one that was longest not gone on from.
        let left = left.or_else(|| (self.0.len() >= PLACES).then_some(0));
        if let Some(left) = left {
            self.0.remove(left);
        }
        self.0.push_back(Place { start: at, bytes, next });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_on_gets_more_and_finds_it_here() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.much(64), LITTLE);
        ahead.read(64, Bytes::from_static(b"12345678"), 72);
        assert_eq!(ahead.much(64), LITTLE);
        assert_eq!(ahead.much(72 + MUCH as u64 + 8), LITTLE);
        assert_eq!(ahead.much(80), MUCH);
        ahead.read(80, Bytes::from_static(b"abcdefghijklmnop"), 88);
        assert_eq!(ahead.bytes_at(88), Some(Bytes::from_static(b"ijklmnop")));
        ahead.found(88, 96);
        assert_eq!((ahead.bytes_at(96), ahead.much(96)), (None, MUCH));
        assert_eq!(ahead.bytes_at(88), None, "it was asked for");
    }

    #[test]
    fn several_read_in_order_and_the_place_longest_left_is_forgotten() {
        let mut ahead = Ahead::default();
        let far = |nth: usize| (nth as u64 + 1) << 30;
        for nth in 0..=PLACES {
            ahead.read(far(nth), Bytes::from_static(b"12345678"), far(nth) + 8);
        }
        assert_eq!(ahead.much(far(0) + 8), LITTLE);
        for nth in 1..=PLACES {
            assert_eq!(ahead.much(far(nth) + 8), MUCH);
        }
    }
}
