//! The journal: its verbs, each a few lines over the tail, the writer and the watermark.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use tidemill_base::ByteSize;

use crate::checkpoint::{Checkpoints, Section};
use crate::driver::Driver;
use crate::error::{CheckpointError, OpenError, PoisonCause, Poisoned, ReadError};
use crate::group::{Appended, Group};
use crate::record::Record;
use crate::tail::Tail;
use crate::under_way::Effort;
use crate::waiters::Durable;
use crate::writer::Writer;
use crate::{Event, Options, Position, Segment, SegmentId, Stats, recovery};

/// The log. Clones share it; when the last is dropped it is closed.
///
/// An observer or a future that is kept inside the journal must not hold a clone of it, or it is
/// never dropped.
#[derive(Clone)]
pub struct Journal(Arc<Handle>);

struct Handle {
    writer: Arc<Writer>,
    checkpoints: Arc<Checkpoints>,
    segment_size: u64,
    /// The sync thread, until somebody has waited for its end. Held while waiting, so that whoever
    /// else closes waits too.
    thread: Mutex<Option<JoinHandle<()>>>,
    /// `None` where a hand does its work.
    thread_id: Option<ThreadId>,
}

impl Journal {
    /// Opens the log that the driver holds, or begins one. Hands to `fold` first each section of
    /// the checkpoint in force, then each record from where it says to replay, in order. An error
    /// of the fold ends it.
    ///
    /// What a crash left unfinished at the log's end is cut off. What was durable and has changed
    /// is an error that says where.
    pub fn open<E>(
        driver: impl Driver + 'static,
        options: Options,
        fold: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<Self, OpenError<E>> {
        let driver: Arc<dyn Driver> = Arc::new(driver);
        let recovered = match recovery::recover(&*driver, &options, fold) {
            Ok(recovered) => recovered,
            Err(error) => {
                driver.release();
                return Err(error);
            }
        };
        let segment_size = recovered.root.segment_size;
        let checkpoints = Arc::new(Checkpoints::new(recovered.root.clone()));
        let hand = options.hand.clone();
        let writer = Arc::new(Writer::new(driver, options, recovered));
        let thread = if let Some(hand) = hand {
            hand.hold(&writer, &checkpoints);
            None
        } else {
            let spawned = Arc::clone(&writer).spawn(Arc::clone(&checkpoints));
            Some(spawned.map_err(OpenError::Thread)?)
        };
        let thread_id = thread.as_ref().map(|thread| thread.thread().id());
        let thread = Mutex::new(thread);
        Ok(Self(Arc::new(Handle { writer, checkpoints, segment_size, thread, thread_id })))
    }

    /// Appends the records that `group` pushes, as one unit: after a crash all of them are there,
    /// or none. They are in memory only; see [`Journal::write`] and [`Journal::durable_at`].
    ///
    /// Never waits for the disk, unless more than [`Options::max_pending`] waits to be written.
    /// `group` runs under the journal's lock: it only copies, and calls nothing of the journal.
    pub fn append<T>(
        &self,
        group: impl FnOnce(&mut Group<'_>) -> T,
    ) -> Result<Appended<T>, Poisoned> {
        self.0.writer.append(group)
    }

    /// Returns once the log is written up to `upto`, or to its end if that is before: it survives
    /// the process. Writes whatever is pending if it must, without waiting for a sync under way.
    pub fn write(&self, upto: Position) -> Result<(), Poisoned> {
        self.0.writer.write(upto.as_u64())
    }

    /// Waits until the log is durable up to `upto`: it survives the machine. Many wait for one
    /// sync. Asks for that sync at once, polled or not.
    pub fn durable_at(&self, upto: Position) -> Durable {
        self.durable_for(upto, 1)
    }

    /// As [`Journal::durable_at`], for one that waits for `many` at once: how many wait is what
    /// tells whether a sync is worth its while.
    pub fn durable_for(&self, upto: Position, many: usize) -> Durable {
        self.0.writer.durable_for(upto, many)
    }

    /// As [`Journal::durable_at`], but blocks the thread.
    pub fn wait_durable(&self, upto: Position) -> Result<(), Poisoned> {
        self.0.writer.wait_durable(upto)
    }

    /// Up to where the log is durable.
    pub fn durable(&self) -> Position {
        Position::from_u64(self.0.writer.watermark().durable())
    }

    /// Where the log ends.
    pub fn end(&self) -> Position {
        Position::from_u64(self.0.writer.with_tail(|tail| tail.end()))
    }

    /// Has `observer` called with the watermark each time it has moved, on the sync thread, after
    /// those who waited were woken. It must be quick, and not wait for durability.
    pub fn on_durable(&self, observer: impl Fn(Position) + Send + Sync + 'static) {
        self.0.writer.observe(Arc::new(observer));
    }

    /// The record at a position that [`Group::push`] returned or the fold was told, wherever it
    /// is by now. Its checksum is verified.
    pub fn read(&self, at: Position) -> Result<Record, ReadError> {
        let checkpoints = &self.0.checkpoints;
        self.0.writer.read(at, |at| checkpoints.is_lost(at))
    }

    /// The largest payload that a record may have, in bytes.
    pub fn max_payload(&self) -> ByteSize {
        ByteSize::bytes(Tail::max_payload(self.0.segment_size))
    }

    /// The segment that holds a position.
    pub fn segment_of(&self, at: Position) -> SegmentId {
        SegmentId::holding(at.as_u64(), self.0.segment_size)
    }

    /// The segments that exist, oldest first.
    pub fn segments(&self) -> Vec<Segment> {
        let size = self.0.segment_size;
        let (bases, end) = self.0.writer.with_tail(|tail| (tail.segments().clone(), tail.end()));
        let segment = |base: u64| {
            let sealed = base + size <= end;
            let until = if sealed { base + size } else { end };
            let range = Position::from_u64(base)..Position::from_u64(until);
            Segment { id: SegmentId::from_base(range.start), range, sealed }
        };
        bases.into_iter().map(segment).collect()
    }

    /// Stores one section of a checkpoint: state that holds the effect of every record before
    /// `at`. Blocks until the log is durable up to there, and the section too. It is in force only
    /// once [`Journal::checkpoint`] names it.
    pub fn put_section(
        &self,
        name: &str,
        at: Position,
        bytes: &[u8],
    ) -> Result<(), CheckpointError> {
        let section = Section { name: name.to_owned(), at, bytes: bytes.to_vec() };
        self.put_sections(&[section])
    }

    /// Stores several sections, which costs far less than one by one where they are many.
    pub fn put_sections(&self, sections: &[Section]) -> Result<(), CheckpointError> {
        self.0.checkpoints.put(&self.0.writer, sections)
    }

    /// Puts a checkpoint in force: the next open is handed these sections, which were put before,
    /// and then the records from `replay_from`, where a record begins and which never moves back.
    /// All of it or nothing.
    ///
    /// Then lets go of the segments in `discard`, which nothing reads any more (those that are gone
    /// already are passed over), and of sections no longer named. Should that fail, the next open
    /// does it; the checkpoint is in force anyway.
    pub fn checkpoint(
        &self,
        replay_from: Position,
        sections: &[(String, Position)],
        discard: &[SegmentId],
    ) -> Result<(), CheckpointError> {
        self.0.checkpoints.put_in_force(&self.0.writer, replay_from, sections, discard)
    }

    /// The ranges whose records were lost to damage and given up by a salvage.
    pub fn lost(&self) -> Vec<Range<Position>> {
        self.0.checkpoints.lost()
    }

    /// Why the journal accepts nothing more, if so.
    pub fn is_poisoned(&self) -> Option<Arc<PoisonCause>> {
        self.0.writer.watermark().poison().cloned()
    }

    /// For how long the driver has been at a write or a sync that it was asked for and has not done
    /// yet. Both may be under way at a time.
    pub fn under_way(&self, effort: Effort) -> Option<Duration> {
        self.0.writer.under_way(effort)
    }

    /// How much more the store has room for, where that has an end and can be found out.
    pub fn free(&self) -> Option<ByteSize> {
        self.0.writer.driver().free().ok().flatten()
    }

    /// What was counted since the journal was opened.
    pub fn stats(&self) -> Stats {
        self.0.writer.stats()
    }

    /// Writes and syncs what is pending and accepts nothing more. Reading still works. To be
    /// called once no append is under way; those that come later are refused.
    pub fn close(&self) -> Result<(), Poisoned> {
        self.0.close()
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (end, durable) = (self.end(), self.durable());
        f.debug_struct("Journal").field("end", &end).field("durable", &durable).finish()
    }
}

impl Handle {
    fn close(&self) -> Result<(), Poisoned> {
        self.writer.stop();
        match self.thread_id {
            None => self.writer.end_by_hand(&self.checkpoints),
            // An observer dropped the last clone. The thread ends after it.
            Some(id) if id == std::thread::current().id() => return Ok(()),
            Some(_) => {}
        }
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // It catches its own panics and poisons the journal with them.
            let ended = thread.join();
            debug_assert!(ended.is_ok(), "the sync thread catches its panics");
        }
        self.writer.outcome()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Whoever cares whether this works calls `close`.
        drop(self.close());
    }
}
