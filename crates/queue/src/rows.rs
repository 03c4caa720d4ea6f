//! Rows: messages of groups that nobody has received yet, by sequence, each chained to the next of
//! its group.
//!
//! One is found by its sequence, whatever its group, and the next of a group by the one before:
//! neither takes a list a group, of which there may be a hundred thousand. A row costs 20 bytes.
//! The chunks are shared: a copy, for a snapshot, copies only their addresses.

use std::collections::VecDeque;
use std::sync::Arc;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::ground::Ground;
use crate::groups::GroupId;
use crate::key::Sequence;

/// The rows of one chunk.
const CHUNK: usize = 512;

/// A message of a group that was never received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) sequence: Sequence,
    pub(crate) position: Position,
    pub(crate) sent: Timestamp,
    pub(crate) group: GroupId,
}

/// The rows of one group, from the first to the last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chain {
    len: usize,
    first: Sequence,
    last: Sequence,
}

/// A [`Row`] in 20 bytes: a position is a multiple of 8, so 48 bits of it reach 2 PiB.
#[derive(Clone, Copy, Debug)]
struct Packed {
    low: u32,
    high: u16,
    /// Its distance from the chunk's first.
    sequence: u16,
    sent: u32,
    /// 0 once the row has left.
    group: u32,
    /// The distance to the next of its group: 0 if there is none, [`FAR`] if it does not fit.
    next: u32,
}

const FAR: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Chunk {
    sequence: Sequence,
    sent: Timestamp,
    /// How many rows at the beginning have left.
    gone: usize,
    /// How many rows are left.
    live: usize,
    rows: Vec<Packed>,
}

/// Rows in order of sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// None is empty.
    chunks: VecDeque<Arc<Chunk>>,
    /// Where each begins, close together: to find one is most of what there is to do.
    firsts: VecDeque<Sequence>,
    len: usize,
}

impl Chain {
    pub(crate) fn first(&self) -> Option<Sequence> {
        (self.len > 0).then_some(self.first)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Packed {
    /// `None` if a difference to the chunk's beginning is too large.
    fn new(row: &Row, chunk: &Chunk) -> Option<Self> {
        let sequence = u16::try_from(row.sequence.0.checked_sub(chunk.sequence.0)?).ok()?;
        let sent = row.sent.as_millis().checked_sub(chunk.sent.as_millis())?;
        let sent = u32::try_from(sent).ok()?;
        let group = GroupId::pack(Some(row.group));
        let mut packed = Self { low: 0, high: 0, sequence, sent, group, next: 0 };
        packed.place(row.position);
        Some(packed)
    }

    fn place(&mut self, position: Position) {
        let eighths = position.as_u64() / 8;
        self.high = u16::try_from(eighths >> 32).expect("a log's life ends at 2 PiB");
        self.low = u32::try_from(eighths & u64::from(u32::MAX)).expect("32 bits");
    }

    fn position(&self) -> Position {
        Position::from_u64((u64::from(self.high) << 32 | u64::from(self.low)) * 8)
    }
}

impl Chunk {
    fn starting_with(row: &Row) -> Self {
        Self { sequence: row.sequence, sent: row.sent, gone: 0, live: 0, rows: Vec::new() }
    }

    fn row(&self, index: usize) -> Option<Row> {
        let packed = self.rows.get(index)?;
        let group = GroupId::unpack(packed.group)?;
        Some(Row {
            sequence: Sequence(self.sequence.0 + u64::from(packed.sequence)),
            position: packed.position(),
            sent: Timestamp::from_millis(self.sent.as_millis() + u64::from(packed.sent)),
            group,
        })
    }

    /// The index of the first row that is not before `sequence`.
    fn index_from(&self, sequence: Sequence) -> usize {
        let distance = sequence.0.saturating_sub(self.sequence.0);
        self.rows.partition_point(|packed| u64::from(packed.sequence) < distance)
    }

    fn index_of(&self, sequence: Sequence) -> Option<usize> {
        // Where nothing is missing the distance is the index.
        let distance = u16::try_from(sequence.0.checked_sub(self.sequence.0)?).ok()?;
        let guess = self.rows.get(usize::from(distance));
        let index = match guess.filter(|packed| packed.sequence == distance) {
            Some(_) => usize::from(distance),
            None => self.index_from(sequence),
        };
        self.row(index).filter(|row| row.sequence == sequence).map(|_| index)
    }

    fn take(&mut self, index: usize) {
        self.rows[index].group = 0;
        self.live -= 1;
        while self.rows.get(self.gone).is_some_and(|packed| packed.group == 0) {
            self.gone += 1;
        }
        // One that stays for long must not keep the room of all that stood beside it.
        if self.rows.len() >= 8 && self.live * 2 < self.rows.len() {
            self.rows.retain(|packed| packed.group != 0);
            self.rows.shrink_to_fit();
            self.gone = 0;
        }
    }
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Lets `row` join, whose sequence is larger than any that was ever here, at the end of its
    /// group's `chain`.
    pub(crate) fn push(&mut self, row: &Row, chain: &mut Chain) {
        if chain.len > 0 {
            let distance = u32::try_from(row.sequence.0 - chain.last.0).unwrap_or(FAR);
            let (chunk, index) = self.find(chain.last).expect("a chain's last row is there");
            Arc::make_mut(&mut self.chunks[chunk]).rows[index].next = distance;
        } else {
            chain.first = row.sequence;
        }
        chain.last = row.sequence;
        chain.len += 1;
        let open = self.chunks.back().filter(|chunk| chunk.rows.len() < CHUNK);
        let packed = open.and_then(|chunk| Packed::new(row, chunk)).unwrap_or_else(|| {
            let chunk = Chunk::starting_with(row);
            let packed = Packed::new(row, &chunk).expect("nothing is far from itself");
            self.chunks.push_back(Arc::new(chunk));
            self.firsts.push_back(row.sequence);
            packed
        });
        let chunk = self.chunks.back_mut().expect("one was pushed if there was none");
        let chunk = Arc::make_mut(chunk);
        chunk.rows.push(packed);
        chunk.live += 1;
        self.len += 1;
    }

    /// Takes out the first row of a chain.
    pub(crate) fn pop(&mut self, chain: &mut Chain) -> Option<Row> {
        let first = chain.first()?;
        chain.first = self.next_of(first).unwrap_or_default();
        chain.len -= 1;
        let (number, index) = self.find(first).expect("a chain's first row is there");
        let chunk = Arc::make_mut(&mut self.chunks[number]);
        let row = chunk.row(index);
        chunk.take(index);
        if chunk.live == 0 {
            self.chunks.remove(number);
            self.firsts.remove(number);
        }
        self.len -= 1;
        row
    }

    pub(crate) fn get(&self, sequence: Sequence) -> Option<Row> {
        let (chunk, index) = self.find(sequence)?;
        self.chunks[chunk].row(index)
    }

    /// The next one of the same group.
    fn next_of(&self, sequence: Sequence) -> Option<Sequence> {
        let (chunk, index) = self.find(sequence)?;
        let packed = &self.chunks[chunk].rows[index];
        match packed.next {
            0 => None,
            FAR => {
                let group = GroupId::unpack(packed.group);
                let mut after = self.iter_from(sequence.next());
                after.find(|row| Some(row.group) == group).map(|row| row.sequence)
            }
            distance => Some(Sequence(sequence.0 + u64::from(distance))),
        }
    }

    /// The rows of a chain, first to last.
    pub(crate) fn chain(&self, chain: &Chain) -> impl Iterator<Item = Row> + '_ {
        let next = |sequence: &Sequence| self.next_of(*sequence);
        std::iter::successors(chain.first(), next).map_while(|sequence| self.get(sequence))
    }

    /// The first row of all.
    pub(crate) fn first(&self) -> Option<Row> {
        self.chunks.front().and_then(|chunk| chunk.row(chunk.gone))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Row> + '_ {
        self.iter_from(Sequence(0))
    }

    /// The rows from `sequence` on.
    pub(crate) fn iter_from(&self, sequence: Sequence) -> impl Iterator<Item = Row> + '_ {
        let start = self.chunk_of(sequence);
        self.chunks.range(start.min(self.chunks.len())..).enumerate().flat_map(
            move |(number, chunk)| {
                let from = if number == 0 { chunk.index_from(sequence) } else { 0 };
                (from.max(chunk.gone)..chunk.rows.len()).filter_map(|index| chunk.row(index))
            },
        )
    }

    /// Notes that a message's record is elsewhere now; returns where it was.
    pub(crate) fn relocate(&mut self, sequence: Sequence, to: Position) -> Option<Position> {
        let (chunk, index) = self.find(sequence)?;
        let packed = &mut Arc::make_mut(&mut self.chunks[chunk]).rows[index];
        let from = packed.position();
        packed.place(to);
        Some(from)
    }

    /// Tells `visit` where messages are, many at a time where they are close together.
    pub(crate) fn for_each_place(&self, mut visit: impl FnMut(Position, usize)) {
        let mut places = self.iter().map(|row| row.position).peekable();
        while let Some(first) = places.next() {
            let mut count = 1;
            while places.next_if(|next| Ground::together(first, *next)).is_some() {
                count += 1;
            }
            visit(first, count);
        }
    }

    /// The chunk in which `sequence` is, if it is anywhere.
    fn chunk_of(&self, sequence: Sequence) -> usize {
        self.firsts.partition_point(|first| *first <= sequence).saturating_sub(1)
    }

    fn find(&self, sequence: Sequence) -> Option<(usize, usize)> {
        let chunk = self.chunk_of(sequence);
        Some((chunk, self.chunks.get(chunk)?.index_of(sequence)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64, groups: u64) -> Row {
        Row {
            sequence: Sequence(number),
            position: Position::from_u64(number * 1000),
            sent: Timestamp::from_millis(number * 10),
            group: group(number % groups),
        }
    }

    fn group(number: u64) -> GroupId {
        GroupId::unpack(u32::try_from(number + 1).unwrap()).unwrap()
    }

    fn rows(count: u64, groups: u64) -> (Rows, Vec<Chain>) {
        let mut rows = Rows::default();
        let mut chains = vec![Chain::default(); usize::try_from(groups).unwrap()];
        for number in 0..count {
            let chain = &mut chains[usize::try_from(number % groups).unwrap()];
            rows.push(&row(number, groups), chain);
        }
        (rows, chains)
    }

    #[test]
    fn a_chain_leaves_as_it_joined_and_the_others_stay() {
        let (mut rows, mut chains) = rows(5000, 7);
        let of = |number: u64| (0..5000).filter(move |n| n % 7 == number).map(|n| row(n, 7));
        assert!(rows.chain(&chains[3]).eq(of(3)));
        for expected in of(3) {
            assert_eq!(rows.pop(&mut chains[3]), Some(expected));
            assert_eq!(rows.get(expected.sequence), None);
        }
        assert_eq!((rows.pop(&mut chains[3]), chains[3].len()), (None, 0));
        assert!(rows.chain(&chains[4]).eq(of(4)));
        assert!(rows.iter().eq((0..5000).filter(|n| n % 7 != 3).map(|n| row(n, 7))));
        assert_eq!(rows.len(), 5000 - of(3).count());
    }

    #[test]
    fn one_that_stays_keeps_little_room() {
        let (mut rows, mut chains) = rows(51_200, 512);
        for chain in &mut chains[1..] {
            while rows.pop(chain).is_some() {}
        }
        assert!(rows.iter().eq((0..51_200).step_by(512).map(|n| row(n, 512))));
        assert!(rows.chain(&chains[0]).eq(rows.iter()));
        let room: usize = rows.chunks.iter().map(|chunk| chunk.rows.capacity()).sum();
        assert!(room < 100 * 8, "{room}");
        assert_eq!(rows.first(), Some(row(0, 512)));
    }

    #[test]
    fn a_row_takes_twenty_bytes() {
        assert_eq!(size_of::<Packed>(), 20);
    }

    #[test]
    fn rows_are_read_from_any_sequence() {
        let (mut rows, mut chains) = rows(2000, 2);
        for _ in 0..600 {
            rows.pop(&mut chains[0]);
        }
        for from in [0, 1, 511, 512, 513, 1199, 1200, 1999] {
            let expected = (from..2000).find(|n| n % 2 == 1 || *n >= 1200).map(|n| row(n, 2));
            assert_eq!(rows.iter_from(Sequence(from)).next(), expected, "{from}");
        }
        assert_eq!(rows.iter_from(Sequence(2000)).next(), None);
    }

    #[test]
    fn what_is_far_apart_is_chained_all_the_same() {
        let (mut rows, mut chain) = (Rows::default(), Chain::default());
        let all: Vec<_> =
            (0..4).map(|n| Row { sequence: Sequence(n << 40), ..row(0, 1) }).collect();
        for row in &all {
            rows.push(row, &mut chain);
        }
        assert!(rows.chain(&chain).eq(all.iter().copied()));
        // The clock went back.
        let late = Row { sequence: Sequence(5 << 40), sent: Timestamp::EPOCH, ..row(9, 1) };
        rows.push(&late, &mut chain);
        assert_eq!(rows.iter().last(), Some(late));
    }

    #[test]
    fn a_relocated_row_differs_by_its_position_and_copies_do_not_see_it() {
        let (mut rows, _) = rows(2000, 3);
        let copy = rows.clone();
        let to = Position::from_u64((1 << 51) - 8);
        assert_eq!(rows.relocate(Sequence(1500), to), Some(row(1500, 3).position));
        assert_eq!(rows.get(Sequence(1500)), Some(Row { position: to, ..row(1500, 3) }));
        assert_eq!(copy.get(Sequence(1500)), Some(row(1500, 3)));
        assert_eq!(rows.relocate(Sequence(2000), to), None);
        let mut total = 0;
        rows.for_each_place(|_, count| total += count);
        assert_eq!(total, 2000);
    }
}
