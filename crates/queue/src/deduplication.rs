//! What a FIFO queue was sent in the last five minutes: a message that repeats one of them is not
//! taken in.
//!
//! Only what is recorded moves this: entries leave by the time of a later record, a number of them
//! at a time, and one that is still here does not count once it is too old. So folding gives the
//! same again, byte for byte. Should the clock go back, what was sent before counts as sent then.
//! A million entries take some 90 bytes each; a copy, for a snapshot, copies addresses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tidemill_base::{MessageId, Timestamp};

use crate::codec::{Put, Reader, Unreadable};
use crate::key::Sequence;
use crate::message::Content;
use crate::settings::Scope;

/// For how long a queue remembers what it was sent, or what it was asked.
pub(crate) const REMEMBERED: Duration = Duration::from_mins(5);

/// How many entries one record makes a queue forget: a million are too many to forget at once,
/// and each record brings one at most.
pub(crate) const FORGOTTEN_AT_ONCE: usize = 1024;

/// The entries of one chunk.
const CHUNK: usize = 512;

/// What a message, or a receive, is known by: half of a SHA-256. Two that differ never share one
/// by chance, nor can anybody make them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Mark(pub(crate) [u8; 16]);

impl Mark {
    /// Of parts that are texts, so that no two lists of them give the same.
    pub(crate) fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        Self(*hash.first_chunk().expect("32 bytes begin with 16"))
    }
}

/// What a message is known by, within its queue and within its group. Made before any lock is
/// taken, when it is not known yet which of them counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    in_queue: Mark,
    in_group: Mark,
}

impl Marks {
    pub(crate) fn of(content: &Content) -> Option<Self> {
        let id = content.deduplication.as_deref()?;
        let group = content.group.as_deref().unwrap_or_default();
        Some(Self { in_queue: Mark::of(&[id]), in_group: Mark::of(&[group, id]) })
    }

    pub(crate) fn within(&self, scope: Scope) -> Mark {
        match scope {
            Scope::Queue => self.in_queue,
            Scope::Group => self.in_group,
        }
    }
}

/// A message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Original {
    pub(crate) mark: Mark,
    pub(crate) id: MessageId,
    pub(crate) sequence: Sequence,
    pub(crate) sent: Timestamp,
}

/// The entries, in the order of their times: all that is persisted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Originals {
    /// Each but the last is full.
    chunks: VecDeque<Arc<Vec<Original>>>,
    /// How many entries of the first chunk have left.
    gone: usize,
}

/// Messages that were sent, by what they are known by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deduplication {
    originals: Originals,
    /// The number of the first entry; each later one has the next.
    first: u64,
    /// The newest entry of each mark, by number.
    by_mark: BTreeMap<Mark, u64>,
}

impl Originals {
    fn front(&self) -> Option<&Original> {
        self.chunks.front().map(|chunk| &chunk[self.gone])
    }

    fn back(&self) -> Option<&Original> {
        self.chunks.back().and_then(|chunk| chunk.last())
    }

    /// Has what was sent after `latest` count as sent then.
    fn cap(&mut self, latest: Timestamp) {
        for chunk in self.chunks.iter_mut().rev() {
            if chunk.last().is_none_or(|last| last.sent <= latest) {
                break;
            }
            for original in Arc::make_mut(chunk) {
                original.sent = original.sent.min(latest);
            }
        }
    }

    fn push(&mut self, original: Original) {
        self.cap(original.sent);
        if self.chunks.back().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push_back(Arc::default());
        }
        let chunk = self.chunks.back_mut().expect("one was pushed if there was none");
        Arc::make_mut(chunk).push(original);
    }

    fn pop(&mut self) -> Option<Original> {
        let chunk = self.chunks.front()?;
        let (original, len) = (chunk[self.gone], chunk.len());
        self.gone += 1;
        if self.gone == len {
            self.chunks.pop_front();
            self.gone = 0;
        }
        Some(original)
    }

    /// The entry that is `distance` behind the first.
    fn get(&self, distance: u64) -> Option<&Original> {
        let index = usize::try_from(distance).ok()?.checked_add(self.gone)?;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    fn iter(&self) -> impl Iterator<Item = &Original> + '_ {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).skip(self.gone)
    }

    /// Layout: how many, and of each: mark (16 bytes), id (16 bytes), sequence and time as
    /// distances from the one before (varints).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_len(self.iter().count());
        let (mut sequence, mut sent) = (0, 0);
        for original in self.iter() {
            out.put(&original.mark.0);
            out.put(original.id.as_bytes());
            out.put_varint(original.sequence.0 - sequence);
            out.put_varint(original.sent.as_millis() - sent);
            (sequence, sent) = (original.sequence.0, original.sent.as_millis());
        }
    }
}

impl Deduplication {
    pub(crate) fn originals(&self) -> &Originals {
        &self.originals
    }

    /// The message that one of this mark would repeat.
    pub(crate) fn find(&self, mark: Mark, now: Timestamp) -> Option<&Original> {
        let distance = self.by_mark.get(&mark)?.checked_sub(self.first)?;
        self.originals.get(distance).filter(|original| original.sent + REMEMBERED > now)
    }

    /// Remembers a message that was sent now, and forgets those that are too old.
    pub(crate) fn add(&mut self, original: Original) {
        self.forget_until(original.sent);
        let number = self.first + u64::try_from(self.by_number_len()).unwrap_or(u64::MAX);
        self.by_mark.insert(original.mark, number);
        self.originals.push(original);
    }

    fn by_number_len(&self) -> usize {
        match self.originals.chunks.back() {
            Some(last) => {
                (self.originals.chunks.len() - 1) * CHUNK + last.len() - self.originals.gone
            }
            None => 0,
        }
    }

    /// Forgets some of what is too old at `now`.
    pub(crate) fn forget_until(&mut self, now: Timestamp) {
        self.originals.cap(now);
        for _ in 0..FORGOTTEN_AT_ONCE {
            if self.originals.front().is_none_or(|first| first.sent + REMEMBERED > now) {
                break;
            }
            let Some(original) = self.originals.pop() else { break };
            if self.by_mark.get(&original.mark) == Some(&self.first) {
                self.by_mark.remove(&original.mark);
            }
            self.first += 1;
        }
    }

    /// When all of it is too old, if there is any.
    pub(crate) fn lapses(&self) -> Option<Timestamp> {
        self.originals.back().map(|last| last.sent + REMEMBERED)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let mut memory = Self::default();
        let (mut sequence, mut sent) = (Sequence(0), 0_u64);
        let mut marks = Vec::new();
        for number in 0..reader.len()? {
            let mark = Mark(reader.array()?);
            let id = MessageId::from_bytes(reader.array()?);
            sequence = reader.next_sequence(sequence)?;
            // A section may be from when these did not ascend.
            sent = sent.wrapping_add(reader.varint()?);
            let sent = Timestamp::from_millis(sent);
            marks.push((mark, u64::try_from(number).unwrap_or(u64::MAX)));
            memory.originals.push(Original { mark, id, sequence, sent });
        }
        // Sorted at once: a million that join one by one take several times as long. Of those
        // with the same mark the newest stays.
        memory.by_mark = marks.into_iter().collect();
        Ok(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original(number: u64, mark: &str, sent: u64) -> Original {
        Original {
            mark: Mark::of(&[mark]),
            id: MessageId::from_bytes([u8::try_from(number % 256).unwrap(); 16]),
            sequence: Sequence(number),
            sent: Timestamp::from_millis(sent * 1000),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn found(memory: &Deduplication, mark: &str, now: u64) -> Option<u64> {
        memory.find(Mark::of(&[mark]), at(now)).map(|original| original.sequence.0)
    }

    #[test]
    fn a_message_is_remembered_for_five_minutes_from_its_sending() {
        let mut memory = Deduplication::default();
        memory.add(original(1, "a", 0));
        assert_eq!((found(&memory, "a", 299), found(&memory, "b", 0)), (Some(1), None));
        assert_eq!(found(&memory, "a", 300), None);
        memory.add(original(2, "a", 300));
        assert_eq!(found(&memory, "a", 599), Some(2));
        assert_eq!(memory.lapses(), Some(at(600)));
        memory.forget_until(at(600));
        assert_eq!((memory.lapses(), memory.by_mark.len()), (None, 0));
    }

    #[test]
    fn of_many_only_those_too_old_are_forgotten() {
        let mut memory = Deduplication::default();
        for number in 1..=3000 {
            memory.add(original(number, &number.to_string(), number));
        }
        assert_eq!(memory.by_mark.len(), 300);
        for number in [1, 2000, 2700] {
            assert_eq!(found(&memory, &number.to_string(), 3000), None, "{number}");
        }
        for number in 2701..=3000 {
            assert_eq!(found(&memory, &number.to_string(), 3000), Some(number));
        }
    }

    #[test]
    fn when_the_clock_went_back_nothing_is_forgotten_too_soon_nor_kept_for_ever() {
        let mut memory = Deduplication::default();
        for number in 1..=2000 {
            memory.add(original(number, &number.to_string(), 10_000 + number / 100));
        }
        memory.add(original(2001, "b", 500));
        for now in [500, 799] {
            assert_eq!(
                (found(&memory, "1", now), found(&memory, "2000", now)),
                (Some(1), Some(2000))
            );
        }
        assert_eq!((found(&memory, "2000", 800), memory.lapses()), (None, Some(at(800))));
        memory.forget_until(at(400));
        assert_eq!((found(&memory, "b", 699), memory.lapses()), (Some(2001), Some(at(700))));
        for number in 2002..=2010 {
            memory.add(original(number, "c", 700));
        }
        assert_eq!(memory.by_mark.len(), 1);
    }

    #[test]
    fn a_million_are_not_forgotten_at_once() {
        let mut memory = Deduplication::default();
        for number in 1..=3000 {
            memory.add(original(number, &number.to_string(), 0));
        }
        memory.add(original(3001, "3001", 300));
        assert_eq!((memory.by_mark.len(), found(&memory, "3000", 300)), (1977, None));
        memory.forget_until(at(600));
        assert_eq!((memory.by_mark.len(), memory.lapses()), (953, Some(at(600))));
        memory.forget_until(at(600));
        assert_eq!((memory.by_mark.len(), memory.lapses()), (0, None));
    }

    #[test]
    fn what_was_written_reads_back() {
        let mut memory = Deduplication::default();
        for (number, mark) in [(1, "a"), (5, "b"), (700, "a")] {
            memory.add(original(number, mark, number));
        }
        let mut bytes = Vec::new();
        memory.originals().write(&mut bytes);
        let mut reader = Reader::new("memory", &bytes);
        let again = Deduplication::read(&mut reader).unwrap();
        reader.finish().unwrap();
        assert!(again.originals.iter().eq(memory.originals.iter()));
        assert_eq!((found(&again, "a", 700), again.lapses()), (Some(700), memory.lapses()));
    }

    #[test]
    fn texts_that_join_alike_have_marks_of_their_own() {
        assert_ne!(Mark::of(&["ab", "c"]), Mark::of(&["a", "bc"]));
        let content = |group: &str| Content {
            group: Some(group.into()),
            deduplication: Some("x".into()),
            ..Content::default()
        };
        let (one, other) = (Marks::of(&content("1")).unwrap(), Marks::of(&content("2")).unwrap());
        assert_eq!(one.within(Scope::Queue), other.within(Scope::Queue));
        assert_ne!(one.within(Scope::Group), other.within(Scope::Group));
        assert_eq!(Marks::of(&Content::default()), None);
    }
}
