//! A record as callers see it: a kind, a version, and bytes that only they understand.

use bytes::Bytes;

use crate::Position;

/// What a record is about. The meaning belongs to the caller; `0xF0` and above are the journal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// The first of the kinds that the journal keeps for itself.
    pub const RESERVED: Self = Self(0xF0);
    /// Begins a batch and says how much was synced when it was written.
    pub(crate) const BATCH: Self = Self(0xF0);
    /// Ends a segment.
    pub(crate) const SEAL: Self = Self(0xF1);
    /// Stands where a damaged range was salvaged.
    pub(crate) const FILLER: Self = Self(0xF2);

    /// Whether callers may not use it.
    pub(crate) const fn is_reserved(self) -> bool {
        self.0 >= Self::RESERVED.0
    }
}

/// A record that was read back. Its payload shares memory with the cache where it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is about.
    pub kind: Kind,
    /// Which version of its kind's layout the payload has.
    pub version: u8,
    /// The caller's bytes.
    pub payload: Bytes,
}

impl Record {
    /// The record without a share in its memory.
    pub fn as_ref(&self) -> RecordRef<'_> {
        RecordRef { kind: self.kind, version: self.version, payload: &self.payload }
    }
}

/// A record seen in passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// What it is about.
    pub kind: Kind,
    /// Which version of its kind's layout the payload has.
    pub version: u8,
    /// The caller's bytes.
    pub payload: &'a [u8],
}

/// What recovery hands to the fold: first the checkpoint's sections, then the records after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A section of the checkpoint in force.
    Section {
        /// The name it was put under.
        name: &'a str,
        /// The position it was put with: it holds the effect of every record before.
        at: Position,
        /// The caller's bytes.
        bytes: &'a [u8],
    },
    /// A record at or after where the checkpoint says to replay from.
    Record {
        /// Where the record is.
        at: Position,
        /// The record.
        record: RecordRef<'a>,
    },
}
