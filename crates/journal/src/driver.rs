//! What holds the log's bytes: a directory, memory, one day a replicated log or an object store.
//!
//! A driver knows nothing of records. It keeps segments (bytes that are only ever appended, each
//! segment from its beginning) and blobs (small, named, replaced as a whole). The trait asks for
//! nothing that a replicated log with expected sequence numbers could not do: one writer, fenced by
//! an epoch; appends in order; one sync that covers every append before it.

use std::fmt;
use std::io;

use tidemill_base::ByteSize;

use crate::SegmentId;

/// Counts the writers that a store has had. A later one shuts out those before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Holds the log's bytes. Called from several threads at once: a read or a sync may overlap an
/// append, but no two calls append at once.
pub trait Driver: Send + Sync {
    /// Takes the only writer's seat. From here on every change by an earlier writer fails with
    /// [`DriverError::Fenced`].
    fn claim(&self) -> Result<Epoch, DriverError>;

    /// Leaves the writer's seat. Every later change by this writer may fail.
    fn release(&self);

    /// The segments that exist, in order.
    fn segments(&self) -> Result<Vec<SegmentId>, DriverError>;

    /// Makes a segment of `size` bytes. It may begin its life with the bytes of a discarded one.
    fn create(&self, id: SegmentId, size: ByteSize) -> Result<(), DriverError>;

    /// Writes `bytes` at `offset` of a segment, which is where the last append ended, or where the
    /// tail begins that a new writer writes once more. On success they survive the process, and
    /// every later read sees them.
    fn append(&self, id: SegmentId, offset: u64, bytes: &[u8]) -> Result<(), DriverError>;

    /// Makes everything durable that was created, appended and discarded before the call, by this
    /// writer or an earlier one.
    fn sync(&self) -> Result<(), DriverError>;

    /// Reads at `offset` until `bytes` are full or the segment ends; returns how many there were.
    fn read(&self, id: SegmentId, offset: u64, bytes: &mut [u8]) -> Result<usize, DriverError>;

    /// Forgets what a segment holds from `offset` on, durably: it reads as zeros, or not at all.
    fn cut(&self, id: SegmentId, offset: u64) -> Result<(), DriverError>;

    /// Deletes a segment, or keeps its space for the next one.
    fn discard(&self, id: SegmentId) -> Result<(), DriverError>;

    /// Stores a blob atomically and durably, in place of the one that had the name.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DriverError>;

    /// Stores blobs, as `put` does each: should it fail, any of them may be there. Many at once
    /// may cost far less than one by one.
    fn put_all(&self, blobs: &[(String, Vec<u8>)]) -> Result<(), DriverError> {
        blobs.iter().try_for_each(|(name, bytes)| self.put(name, bytes))
    }

    /// The blob of this name.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, DriverError>;

    /// The names of all blobs, in order.
    fn blobs(&self) -> Result<Vec<String>, DriverError>;

    /// Deletes a blob, if there is one of this name.
    fn delete(&self, name: &str) -> Result<(), DriverError>;

    /// How many bytes all of this takes where it is stored.
    fn used(&self) -> Result<ByteSize, DriverError>;

    /// How many bytes more may be stored there, where that has an end.
    fn free(&self) -> Result<Option<ByteSize>, DriverError> {
        Ok(None)
    }
}

/// What went wrong below the journal.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The store failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, and to what.
        doing: String,
        /// How it failed.
        source: io::Error,
    },
    /// Another writer has taken over.
    #[error("another writer has taken over (epoch {current}, ours was {ours})")]
    Fenced {
        /// The epoch that was claimed.
        ours: Epoch,
        /// The epoch of whoever claimed last.
        current: Epoch,
    },
    /// Another process holds the store.
    #[error("{0}")]
    Held(Held),
}

/// Who holds a store that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which store.
    pub store: String,
    /// The process that holds it, where known.
    pub by: Option<u32>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is in use by another process", self.store)?;
        match self.by {
            Some(pid) => write!(f, " (pid {pid})"),
            None => Ok(()),
        }
    }
}

impl DriverError {
    /// An I/O failure while `doing` something.
    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }
}

impl<D: Driver + ?Sized> Driver for std::sync::Arc<D> {
    fn claim(&self) -> Result<Epoch, DriverError> {
        (**self).claim()
    }
    fn release(&self) {
        (**self).release();
    }
    fn segments(&self) -> Result<Vec<SegmentId>, DriverError> {
        (**self).segments()
    }
    fn create(&self, id: SegmentId, size: ByteSize) -> Result<(), DriverError> {
        (**self).create(id, size)
    }
    fn append(&self, id: SegmentId, offset: u64, bytes: &[u8]) -> Result<(), DriverError> {
        (**self).append(id, offset, bytes)
    }
    fn sync(&self) -> Result<(), DriverError> {
        (**self).sync()
    }
    fn read(&self, id: SegmentId, offset: u64, bytes: &mut [u8]) -> Result<usize, DriverError> {
        (**self).read(id, offset, bytes)
    }
    fn cut(&self, id: SegmentId, offset: u64) -> Result<(), DriverError> {
        (**self).cut(id, offset)
    }
    fn discard(&self, id: SegmentId) -> Result<(), DriverError> {
        (**self).discard(id)
    }
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DriverError> {
        (**self).put(name, bytes)
    }
    fn put_all(&self, blobs: &[(String, Vec<u8>)]) -> Result<(), DriverError> {
        (**self).put_all(blobs)
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, DriverError> {
        (**self).get(name)
    }
    fn blobs(&self) -> Result<Vec<String>, DriverError> {
        (**self).blobs()
    }
    fn delete(&self, name: &str) -> Result<(), DriverError> {
        (**self).delete(name)
    }
    fn used(&self) -> Result<ByteSize, DriverError> {
        (**self).used()
    }
    fn free(&self) -> Result<Option<ByteSize>, DriverError> {
        (**self).free()
    }
}
