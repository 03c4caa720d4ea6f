//! What a FIFO queue was lately asked, and what it gave: a receiver that lost the answer asks
//! again with the same attempt id, and gets the same messages.
//!
//! As with [`crate::deduplication`], only what is recorded moves this.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tidemill_base::Timestamp;

use crate::codec::{Put, Reader, Unreadable};
use crate::deduplication::{FORGOTTEN_AT_ONCE, Mark, REMEMBERED};
use crate::key::Sequence;

/// A receive that can be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) at: Timestamp,
    /// When what it gave is visible again.
    pub(crate) until: Timestamp,
    /// The turns that it gave the groups. A group whose turn is another was served since.
    pub(crate) turns: Range<u64>,
    /// What it gave, in that order.
    pub(crate) sequences: Vec<Sequence>,
}

/// Receives by the mark of their attempt ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    by_mark: BTreeMap<Mark, Attempt>,
    by_time: BTreeSet<(Timestamp, Mark)>,
}

impl Attempts {
    /// The receive that this mark names.
    pub(crate) fn find(&self, mark: Mark, now: Timestamp) -> Option<&Attempt> {
        self.by_mark.get(&mark).filter(|attempt| attempt.at + REMEMBERED > now)
    }

    /// Remembers a receive, and forgets those that are too old.
    pub(crate) fn add(&mut self, mark: Mark, attempt: Attempt) {
        self.forget_until(attempt.at);
        self.by_time.insert((attempt.at, mark));
        if let Some(former) = self.by_mark.insert(mark, attempt)
            && self.by_mark.get(&mark).is_some_and(|attempt| attempt.at != former.at)
        {
            self.by_time.remove(&(former.at, mark));
        }
    }

    /// Notes that a receive was repeated; returns what it gave.
    pub(crate) fn repeat(&mut self, mark: Mark, until: Timestamp) -> Vec<Sequence> {
        let Some(attempt) = self.by_mark.get_mut(&mark) else { return Vec::new() };
        attempt.until = until;
        attempt.sequences.clone()
    }

    /// Forgets some of what is too old at `now`. Of a later time there is nothing, unless the
    /// clock went back: that counts as of now.
    pub(crate) fn forget_until(&mut self, now: Timestamp) {
        while let Some((at, mark)) = self.by_time.last().copied()
            && at > now
        {
            self.by_time.pop_last();
            self.by_time.insert((now, mark));
            if let Some(attempt) = self.by_mark.get_mut(&mark) {
                attempt.at = now;
            }
        }
        for _ in 0..FORGOTTEN_AT_ONCE {
            if self.by_time.first().is_none_or(|(at, _)| *at + REMEMBERED > now) {
                break;
            }
            let Some((_, mark)) = self.by_time.pop_first() else { break };
            self.by_mark.remove(&mark);
        }
    }

    /// When all of it is too old, if there is any.
    pub(crate) fn lapses(&self) -> Option<Timestamp> {
        self.by_time.last().map(|(at, _)| *at + REMEMBERED)
    }

    /// Layout: how many, and of each, by mark: mark (16 bytes), time, visible again (u64 ms), first
    /// turn and number of turns (varints), sequences.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_len(self.by_mark.len());
        for (mark, attempt) in &self.by_mark {
            out.put(&mark.0);
            out.put_time(attempt.at);
            out.put_time(attempt.until);
            out.put_varint(attempt.turns.start);
            out.put_varint(attempt.turns.end - attempt.turns.start);
            out.put_sequences(&attempt.sequences);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let mut attempts = Self::default();
        for _ in 0..reader.len()? {
            let mark = Mark(reader.array()?);
            let (at, until) = (reader.time()?, reader.time()?);
            let start = reader.varint()?;
            let end = start.checked_add(reader.varint()?).ok_or_else(|| reader.bad())?;
            let attempt = Attempt { at, until, turns: start..end, sequences: reader.sequences()? };
            attempts.by_time.insert((at, mark));
            if attempts.by_mark.insert(mark, attempt).is_some() {
                return Err(reader.bad());
            }
        }
        Ok(attempts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn attempt(seconds: u64) -> Attempt {
        Attempt { at: at(seconds), until: at(seconds + 30), turns: 3..5, sequences: Vec::new() }
    }

    #[test]
    fn a_receive_is_remembered_for_five_minutes_whatever_it_is_repeated() {
        let mark = Mark::of(&["a"]);
        let mut attempts = Attempts::default();
        attempts.add(mark, Attempt { sequences: vec![Sequence(7)], ..attempt(0) });
        assert_eq!(attempts.repeat(mark, at(300)), [Sequence(7)]);
        assert_eq!(attempts.find(mark, at(299)).map(|found| found.until), Some(at(300)));
        assert_eq!(attempts.find(mark, at(300)), None);
        attempts.add(mark, attempt(100));
        assert_eq!(attempts.by_time.len(), 1);
        attempts.add(mark, attempt(100));
        assert_eq!(attempts.lapses(), Some(at(400)));
        attempts.forget_until(at(400));
        assert_eq!((attempts.lapses(), attempts.by_mark.len()), (None, 0));
        assert_eq!(attempts.repeat(mark, at(300)), []);
    }

    #[test]
    fn when_the_clock_went_back_a_receive_is_not_remembered_for_ever() {
        let mut attempts = Attempts::default();
        let (one, other) = (Mark::of(&["a"]), Mark::of(&["b"]));
        attempts.add(one, attempt(10_000));
        attempts.add(other, attempt(500));
        assert_eq!(attempts.lapses(), Some(at(800)));
        assert!(attempts.find(one, at(799)).is_some());
        assert!(attempts.find(one, at(800)).is_none());
        attempts.forget_until(at(800));
        assert_eq!((attempts.by_mark.len(), attempts.by_time.len()), (0, 0));
    }

    #[test]
    fn what_was_written_reads_back() {
        let mut attempts = Attempts::default();
        for (seconds, mark) in [(1, "a"), (0, "b")] {
            attempts.add(Mark::of(&[mark]), attempt(seconds));
        }
        let mut bytes = Vec::new();
        attempts.write(&mut bytes);
        let mut reader = Reader::new("attempts", &bytes);
        let again = Attempts::read(&mut reader).unwrap();
        reader.finish().unwrap();
        assert_eq!((again.by_mark, again.by_time), (attempts.by_mark, attempts.by_time));
    }
}
