//! A line: messages nobody has received yet, in the order in which they become available.
//!
//! Millions may wait, so one costs 16 bytes. They join at the back and leave at the front. The
//! chunks are shared: a copy of a line, for a snapshot, copies only their addresses.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::ground::Ground;
use crate::key::Sequence;

/// The messages of one chunk.
const CHUNK: usize = 1024;

/// A message that was sent and never received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sequence: Sequence,
    pub(crate) position: Position,
    pub(crate) sent: Timestamp,
    /// Whole seconds.
    pub(crate) delay: u16,
}

impl Entry {
    /// When it is, or was, to be handed out for the first time.
    pub(crate) fn available(&self) -> Timestamp {
        self.sent + Duration::from_secs(self.delay.into())
    }
}

/// An [`Entry`] in 16 bytes: a position is a multiple of 8, so 48 bits of it reach 2 PiB.
#[derive(Clone, Copy, Debug)]
struct Packed {
    place: u64,
    sequence: u32,
    sent: u32,
}

#[derive(Clone, Debug)]
struct Chunk {
    sequence: Sequence,
    sent: Timestamp,
    /// Whether an entry was relocated, so that positions may not ascend.
    scattered: bool,
    entries: Vec<Packed>,
}

/// Messages in order of sequence; in order of sending and of availability too, unless the clock
/// went back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// None is empty.
    chunks: VecDeque<Arc<Chunk>>,
    /// How many entries of the first chunk have left.
    gone: usize,
    len: usize,
}

impl Packed {
    /// `None` if a difference to the chunk's beginning is too large.
    fn new(entry: &Entry, chunk: &Chunk) -> Option<Self> {
        let sequence = u32::try_from(entry.sequence.0.checked_sub(chunk.sequence.0)?).ok()?;
        let sent = entry.sent.as_millis().checked_sub(chunk.sent.as_millis())?;
        let place = Self::place(entry.position, entry.delay);
        Some(Self { place, sequence, sent: u32::try_from(sent).ok()? })
    }

    fn place(position: Position, delay: u16) -> u64 {
        let eighths = position.as_u64() / 8;
        assert!(eighths < 1 << 48, "a log's life ends at 2 PiB");
        eighths << 16 | u64::from(delay)
    }

    fn position(self) -> Position {
        Position::from_u64((self.place >> 16) * 8)
    }

    fn delay(self) -> u16 {
        u16::try_from(self.place & 0xffff).expect("sixteen bits")
    }
}

impl Chunk {
    fn starting_with(entry: &Entry) -> Self {
        let (sequence, sent) = (entry.sequence, entry.sent);
        Self { sequence, sent, scattered: false, entries: Vec::new() }
    }

    fn entry(&self, index: usize) -> Entry {
        let packed = self.entries[index];
        Entry {
            sequence: Sequence(self.sequence.0 + u64::from(packed.sequence)),
            position: packed.position(),
            sent: Timestamp::from_millis(self.sent.as_millis() + u64::from(packed.sent)),
            delay: packed.delay(),
        }
    }

    /// The index of the first entry that is not before `sequence`.
    fn index_from(&self, sequence: Sequence) -> usize {
        let distance = sequence.0.saturating_sub(self.sequence.0);
        self.entries.partition_point(|packed| u64::from(packed.sequence) < distance)
    }
}

impl Line {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Lets `entry` join, whose sequence is larger than any here.
    pub(crate) fn push(&mut self, entry: &Entry) {
        let open = self.chunks.back().filter(|chunk| chunk.entries.len() < CHUNK);
        let packed = open.and_then(|chunk| Packed::new(entry, chunk)).unwrap_or_else(|| {
            let chunk = Chunk::starting_with(entry);
            let packed = Packed::new(entry, &chunk).expect("nothing is far from itself");
            self.chunks.push_back(Arc::new(chunk));
            packed
        });
        let chunk = self.chunks.back_mut().expect("one was pushed if there was none");
        let chunk = Arc::make_mut(chunk);
        chunk.scattered |= chunk.entries.last().is_some_and(|last| last.place > packed.place);
        chunk.entries.push(packed);
        self.len += 1;
    }

    pub(crate) fn front(&self) -> Option<Entry> {
        self.chunks.front().map(|chunk| chunk.entry(self.gone))
    }

    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let chunk = self.chunks.front()?;
        let entry = chunk.entry(self.gone);
        self.gone += 1;
        self.len -= 1;
        if self.gone == chunk.entries.len() {
            self.chunks.pop_front();
            self.gone = 0;
        }
        Some(entry)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.iter_from(Sequence(0))
    }

    /// The entries from `sequence` on.
    pub(crate) fn iter_from(&self, sequence: Sequence) -> impl Iterator<Item = Entry> + '_ {
        let (start, index) = self.locate(sequence);
        let first = if start == 0 { index.max(self.gone) } else { index };
        self.chunks.range(start..).enumerate().flat_map(move |(number, chunk)| {
            let from = if number == 0 { first } else { 0 };
            (from..chunk.entries.len()).map(|index| chunk.entry(index))
        })
    }

    pub(crate) fn get(&self, sequence: Sequence) -> Option<Entry> {
        self.iter_from(sequence).next().filter(|entry| entry.sequence == sequence)
    }

    /// Notes that a message's record is elsewhere now; returns where it was.
    pub(crate) fn relocate(&mut self, sequence: Sequence, to: Position) -> Option<Position> {
        let from = self.get(sequence)?.position;
        let (chunk, index) = self.locate(sequence);
        let chunk = Arc::make_mut(&mut self.chunks[chunk]);
        let packed = &mut chunk.entries[index];
        packed.place = Packed::place(to, packed.delay());
        chunk.scattered = true;
        Some(from)
    }

    /// Tells `visit` where messages are, many at a time where they are close together.
    pub(crate) fn for_each_place(&self, mut visit: impl FnMut(Position, usize)) {
        for (number, chunk) in self.chunks.iter().enumerate() {
            let from = if number == 0 { self.gone } else { 0 };
            let entries = &chunk.entries[from..];
            let mut run = 0;
            while let Some(first) = entries.get(run) {
                let together =
                    |packed: &Packed| Ground::together(first.position(), packed.position());
                let rest = &entries[run..];
                let count = if chunk.scattered {
                    rest.iter().take_while(|packed| together(packed)).count()
                } else {
                    rest.partition_point(together)
                };
                visit(first.position(), count);
                run += count;
            }
        }
    }

    /// The chunk and the index in it of the first entry not before `sequence`; past the end of
    /// the last chunk if there is none.
    fn locate(&self, sequence: Sequence) -> (usize, usize) {
        let after = self.chunks.partition_point(|chunk| chunk.sequence <= sequence);
        let chunk = after.saturating_sub(1);
        let Some(found) = self.chunks.get(chunk) else { return (0, 0) };
        match found.index_from(sequence) {
            index if index == found.entries.len() && after < self.chunks.len() => (after, 0),
            index => (chunk, index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Entry {
        Entry {
            sequence: Sequence(number * 3),
            position: Position::from_u64(number * 1000),
            sent: Timestamp::from_millis(number * 10),
            delay: u16::try_from(number % 900).unwrap(),
        }
    }

    fn line(count: u64) -> Line {
        let mut line = Line::default();
        (0..count).for_each(|number| line.push(&entry(number)));
        line
    }

    #[test]
    fn entries_leave_as_they_joined() {
        let mut line = line(5000);
        assert_eq!(line.len(), 5000);
        for number in 0..5000 {
            assert_eq!(line.front(), Some(entry(number)));
            assert_eq!(line.pop(), Some(entry(number)));
        }
        assert_eq!((line.pop(), line.len()), (None, 0));
    }

    #[test]
    fn an_entry_takes_sixteen_bytes() {
        assert_eq!(size_of::<Packed>(), 16);
    }

    #[test]
    fn a_distance_too_large_begins_a_new_chunk() {
        let mut line = line(1);
        let far = Entry { sequence: Sequence(1 << 40), ..entry(1) };
        let late =
            Entry { sent: Timestamp::from_millis(1 << 41), sequence: Sequence(2 << 40), ..far };
        line.push(&far);
        line.push(&late);
        assert_eq!(line.iter().collect::<Vec<_>>(), [entry(0), far, late]);
    }

    #[test]
    fn a_line_is_read_from_any_sequence() {
        let mut line = line(3000);
        for _ in 0..1500 {
            line.pop();
        }
        for from in [0, 1, 1499, 1500, 1501, 2047, 2048, 2999] {
            let first = line.iter_from(Sequence(from * 3)).next();
            assert_eq!(first, Some(entry(from.max(1500))), "{from}");
            let between = line.iter_from(Sequence(from * 3 + 1)).next();
            assert_eq!(
                between,
                Some(entry((from + 1).max(1500))).filter(|_| from < 2999),
                "{from}"
            );
        }
        assert_eq!(line.get(Sequence(4501)), None);
        assert_eq!(line.get(Sequence(4500)), Some(entry(1500)));
        assert_eq!(line.get(Sequence(0)), None);
    }

    #[test]
    fn a_relocated_entry_differs_by_its_position_and_copies_do_not_see_it() {
        let mut line = line(2000);
        let copy = line.clone();
        let to = Position::from_u64(1 << 40);
        assert_eq!(line.relocate(Sequence(3 * 1500), to), Some(entry(1500).position));
        assert_eq!(line.get(Sequence(4500)), Some(Entry { position: to, ..entry(1500) }));
        assert_eq!(copy.get(Sequence(4500)), Some(entry(1500)));
        assert_eq!(line.relocate(Sequence(4501), to), None);
    }

    #[test]
    fn every_message_has_its_place_counted_once() {
        let mut line = line(3000);
        line.pop();
        line.relocate(Sequence(3000), Position::from_u64(8));
        // As a line that is read back from a snapshot gets them.
        let far = 1 << 30;
        for (number, position) in (4000..).zip([far, 16, far, far, far, far, far, far]) {
            line.push(&Entry { position: Position::from_u64(position), ..entry(number) });
        }
        let mut ground = Ground::default();
        ground.start_counting();
        let mut total = 0;
        line.for_each_place(|at, count| {
            ground.settle(at, count);
            total += count;
        });
        assert_eq!(total, 3007);
        for entry in line.iter() {
            ground.leave(entry.position, 1);
        }
    }
}
