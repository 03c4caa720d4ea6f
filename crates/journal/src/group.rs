//! A group: the records that are appended together, and survive a crash together or not at all.

use crate::tail::{Mark, Tail};
use crate::{Kind, Position};

/// The records appended by one [`crate::Journal::append`].
#[derive(Debug)]
pub struct Group<'a> {
    tail: &'a mut Tail,
    /// Where the tail was; `None` once the group is complete.
    mark: Option<Mark>,
}

/// What an append gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended<T> {
    /// What the closure returned.
    pub value: T,
    /// Where the log ends after the group: what to wait for.
    pub end: Position,
}

impl<'a> Group<'a> {
    pub(crate) fn begin(tail: &'a mut Tail) -> Self {
        let mark = Some(tail.mark());
        Self { tail, mark }
    }

    pub(crate) fn complete(mut self) {
        self.mark = None;
        self.tail.complete();
    }

    /// Appends a record: `fill` adds its payload to what the buffer holds already.
    ///
    /// # Panics
    /// If the kind is reserved, the payload larger than [`crate::Journal::max_payload`], or `fill`
    /// takes something away. Nothing of the group is appended then.
    pub fn push(&mut self, kind: Kind, version: u8, fill: impl FnOnce(&mut Vec<u8>)) -> Position {
        Position::from_u64(self.tail.push(kind, version, fill))
    }

    /// Where the next record will be, if its payload has `payload` bytes: a record can hold its
    /// own position.
    pub fn next_position(&mut self, payload: usize) -> Position {
        Position::from_u64(self.tail.next_position(payload))
    }
}

impl Drop for Group<'_> {
    /// A group that is dropped before it is complete, because a fill panicked, leaves nothing.
    fn drop(&mut self) {
        if let Some(mark) = self.mark.take() {
            self.tail.revert(&mark);
        }
    }
}
