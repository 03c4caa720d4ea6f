//! What can go wrong, told apart by who has to do something about it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::driver::DriverError;
use crate::{Position, SegmentId};

/// Why a journal stopped accepting anything.
#[derive(Debug, thiserror::Error)]
pub enum PoisonCause {
    /// A write failed: what is on disk past the last sync is unknown.
    #[error("a write failed: {0}")]
    Write(DriverError),
    /// A sync failed: what it should have made durable may be gone, whatever a later sync says.
    #[error("a sync failed: {0}")]
    Sync(DriverError),
    /// What writes and syncs panicked, on its own thread or on a caller's.
    #[error("the journal panicked: {0}")]
    Panic(String),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// The journal accepts nothing more. What was durable stays so and can be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the journal stopped: {0}")]
pub struct Poisoned(pub Arc<PoisonCause>);

/// A place whose bytes are not what was written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// In which segment.
    pub segment: SegmentId,
    /// The bytes of the segment's file.
    pub bytes: Range<u64>,
    /// The position of the first of them.
    pub position: Position,
    /// What is wrong.
    pub what: &'static str,
}

impl Damage {
    /// The positions that are affected.
    pub fn range(&self) -> Range<Position> {
        let end = self.position.as_u64() + (self.bytes.end - self.bytes.start);
        self.position..Position::from_u64(end)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, bytes, position, what } = self;
        let (start, end, file) = (bytes.start, bytes.end, segment.file_name());
        write!(f, "segments/{file}, bytes {start} to {end} (position {position}): {what}")
    }
}

/// Every place that was found damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damages(pub Vec<Damage>);

impl fmt::Display for Damages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for damage in &self.0 {
            write!(f, "\n  {damage}")?;
        }
        Ok(())
    }
}

/// What to do about damage.
const SALVAGE: &str = "`tidemill check DIR --salvage` keeps what is whole";

/// Why a journal did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError<E> {
    /// The store failed, or somebody else has it.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The options make no sense.
    #[error("{0}")]
    Options(&'static str),
    /// The file that says what there should be cannot be read.
    #[error("checkpoint/{name} is damaged: {what}; {SALVAGE}")]
    Checkpoint {
        /// The root, or the name of a section.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Written by a later program.
    #[error("{name} has format version {found}; this program reads up to {known}")]
    Version {
        /// Which file.
        name: String,
        /// The version it has.
        found: u16,
        /// The last version that is known here.
        known: u16,
    },
    /// A segment that must exist does not.
    #[error("segments/{} is missing; {SALVAGE}", .0.file_name())]
    MissingSegment(SegmentId),
    /// A segment that cannot be part of this log: somebody put it there.
    #[error("segments/{} does not belong to this log", .0.file_name())]
    Stray(SegmentId),
    /// Bytes that were durable have changed.
    #[error("the log is damaged; {SALVAGE}:{0}")]
    Damaged(Damages),
    /// The caller did not understand a section or a record.
    #[error("at position {at}: {source}")]
    Fold {
        /// Where.
        at: Position,
        /// What the caller said.
        source: E,
    },
    /// The sync thread did not start.
    #[error("the sync thread did not start: {0}")]
    Thread(std::io::Error),
}

/// Why a record was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Its bytes are not what was written.
    #[error("the log is damaged: {0}")]
    Damaged(Damage),
    /// It was damaged once, and the range salvaged without it.
    #[error("the record at position {0} was lost to damage")]
    Lost(Position),
    /// Nothing is there: never appended, or its segment was discarded.
    #[error("the log holds nothing at position {0}")]
    Absent(Position),
    /// The store failed.
    #[error(transparent)]
    Io(DriverError),
}

/// Why a checkpoint was not made, or not tidied up after. Unless it is a [`Self::Driver`], the one
/// before stays in force; then the next open tells.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The journal accepts nothing more.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// The store failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A section's name takes 1 to 200 bytes: three for each that is no ASCII letter or digit and
    /// none of `-_.`, one for each that is.
    #[error("{0:?} cannot name a section")]
    BadName(String),
    /// A section that was never put.
    #[error("the section {name:?} at position {at} was not put")]
    NoSuchSection {
        /// Its name.
        name: String,
        /// Its position.
        at: Position,
    },
    /// A position beyond the log's end.
    #[error("position {0} is beyond the log's end")]
    Beyond(Position),
    /// A position before the one that the checkpoint in force replays from: the records in
    /// between may be gone.
    #[error("position {0} is before the checkpoint in force")]
    Behind(Position),
    /// A segment that is replayed, or still written, cannot be discarded.
    #[error("segment {0} is still needed")]
    StillNeeded(SegmentId),
}
