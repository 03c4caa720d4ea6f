//! The one way from memory to the driver: what is pending is taken, written once, synced once.
//!
//! Two locks. `writing` is held while a batch is taken and handed to the driver, so batches reach
//! it in order; `shared` is held only to touch memory, so an append never waits for the disk.
//! `writing` comes first. A sync holds neither: appends and writes go on meanwhile, and what has
//! gathered is the next batch. Where many wait at a time, the sync thread gives the rest of them a
//! moment to join in: see `pace`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tidemill_base::{ByteSize, Clock};

use crate::ahead::Ahead;
use crate::checkpoint::Checkpoints;
use crate::driver::Driver;
use crate::error::{PoisonCause, Poisoned, ReadError};
use crate::frame::{Codec, framed};
use crate::group::{Appended, Group};
use crate::hand::Hand;
use crate::pace::Pace;
use crate::read;
use crate::recent::Recent;
use crate::record::Record;
use crate::recovery::{Recovered, byte_size};
use crate::stats::{Counters, Stats};
use crate::tail::{Batch, Tail};
use crate::under_way::{Effort, UnderWay};
use crate::waiters::{Durable, Watermark};
use crate::{Options, Position, SegmentId, SyncMode};

type Observer = Arc<dyn Fn(Position) + Send + Sync>;

/// Writes, syncs, and tells how far it got.
pub(crate) struct Writer {
    driver: Arc<dyn Driver>,
    codec: Codec,
    segment_size: ByteSize,
    mode: SyncMode,
    max_pending: usize,
    linger: Duration,
    clock: Clock,
    /// Does the sync thread's work, if there is none.
    hand: Option<Hand>,
    shared: Mutex<Shared>,
    /// Wakes the sync thread. Told only when it rests.
    work: Condvar,
    /// Held while a batch is on its way to the driver.
    writing: Mutex<()>,
    /// Everything before was accepted by the driver.
    written: AtomicU64,
    /// Everything before was synced, whatever the mode.
    synced: AtomicU64,
    watermark: Arc<Watermark>,
    /// Taken last. Gets a batch before `shared` is let go, so that a reader finds each record in
    /// the tail, or here, or at the driver.
    recent: Mutex<Recent>,
    /// Taken with no other lock held.
    ahead: Mutex<Ahead>,
    observers: Mutex<Vec<Observer>>,
    counters: Counters,
    under_way: UnderWay,
}

struct Shared {
    tail: Tail,
    /// Somebody waits for durability up to here.
    wanted: u64,
    /// How many began to wait for durability since the last batch was closed.
    waiting: usize,
    rest: Rest,
    stop: bool,
}

/// What the sync thread does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Works, and looks again before it rests.
    No,
    /// Waits, to let what nobody is waiting for gather.
    Lingers,
    /// Waits a moment, to let this many gather who wait.
    Gathers(usize),
    /// Waits until there is something.
    Sleeps,
}

impl Writer {
    pub(crate) fn new(driver: Arc<dyn Driver>, options: Options, found: Recovered) -> Self {
        let codec = Codec { salt: found.root.salt };
        let (size, end) = (byte_size(&found.root), found.tail);
        let tail = Tail::new(codec, size.as_u64(), found.epoch.0, end, found.segments);
        let shared = Shared { tail, wanted: end, waiting: 0, rest: Rest::No, stop: false };
        Self {
            driver,
            codec,
            segment_size: size,
            mode: options.sync,
            max_pending: options.max_pending.as_usize(),
            linger: options.linger,
            clock: options.clock,
            hand: options.hand,
            shared: Mutex::new(shared),
            work: Condvar::new(),
            writing: Mutex::new(()),
            written: AtomicU64::new(end),
            synced: AtomicU64::new(end),
            watermark: Arc::new(Watermark::new(end)),
            recent: Mutex::new(Recent::new(options.recent.as_usize())),
            ahead: Mutex::default(),
            observers: Mutex::default(),
            counters: Counters::default(),
            under_way: UnderWay::default(),
        }
    }

    pub(crate) fn append<T>(
        &self,
        group: impl FnOnce(&mut Group<'_>) -> T,
    ) -> Result<Appended<T>, Poisoned> {
        let mut shared = self.shared();
        while shared.tail.pending() > self.max_pending {
            let end = shared.tail.end();
            drop(shared);
            self.write(end)?;
            shared = self.shared();
        }
        self.watermark.check()?;
        if shared.stop {
            return Err(Poisoned(Arc::new(PoisonCause::Closed)));
        }
        let mut records = Group::begin(&mut shared.tail);
        let value = group(&mut records);
        records.complete();
        let end = Position::from_u64(shared.tail.end());
        if shared.rest == Rest::Sleeps && !shared.tail.is_empty() {
            shared.rest = Rest::No;
            self.work.notify_one();
        }
        Ok(Appended { value, end })
    }

    pub(crate) fn write(&self, upto: u64) -> Result<(), Poisoned> {
        if self.written.load(Ordering::Acquire) >= upto {
            return Ok(());
        }
        let _writing = lock(&self.writing);
        if self.written.load(Ordering::Acquire) >= upto {
            return Ok(());
        }
        self.watermark.check()?;
        let _or_poison = OrPoison(&self.watermark);
        let Some(batch) = self.take() else { return Ok(()) };
        let _under_way = self.under_way.begin(Effort::Write, &self.clock);
        let outcome = batch.chunks.iter().try_for_each(|(at, bytes)| {
            let id = SegmentId::holding(*at, self.segment_size.as_u64());
            let offset = at - id.base().as_u64();
            if offset == 0 {
                self.driver.create(id, self.segment_size)?;
            }
            self.driver.append(id, offset, bytes)
        });
        if let Err(error) = outcome {
            return Err(self.watermark.give_up(PoisonCause::Write(error)));
        }
        let bytes = batch.chunks.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        self.counters.wrote(batch.records, bytes);
        self.written.store(batch.end, Ordering::Release);
        lock(&self.recent).evict(batch.end);
        Ok(())
    }

    fn take(&self) -> Option<Batch> {
        let mut shared = self.shared();
        let batch = shared.tail.take(self.synced.load(Ordering::Acquire))?;
        lock(&self.recent).add(&batch.chunks);
        Some(batch)
    }

    /// Makes everything up to `upto` survive the machine, whatever the mode.
    fn sync(&self, upto: u64) -> Result<(), Poisoned> {
        self.write(upto)?;
        if self.synced.load(Ordering::Acquire) >= upto {
            return Ok(());
        }
        self.watermark.check()?;
        let written = self.written.load(Ordering::Acquire);
        let began = self.clock.monotonic();
        let _or_poison = OrPoison(&self.watermark);
        let _under_way = self.under_way.begin(Effort::Sync, &self.clock);
        if let Err(error) = self.driver.sync() {
            return Err(self.watermark.give_up(PoisonCause::Sync(error)));
        }
        self.counters.synced(self.clock.monotonic().saturating_sub(began));
        self.synced.fetch_max(written, Ordering::AcqRel);
        Ok(())
    }

    /// Waits until the watermark has reached `upto` and it would survive the machine in any mode.
    pub(crate) fn make_durable(&self, upto: u64) -> Result<(), Poisoned> {
        self.wait_durable(Position::from_u64(upto))?;
        self.sync(upto)
    }

    /// Waits by blocking the thread, or by doing what it waits for where there is no sync thread.
    pub(crate) fn wait_durable(&self, upto: Position) -> Result<(), Poisoned> {
        if let Some(hand) = &self.hand {
            while self.watermark.durable() < upto.as_u64() {
                self.watermark.check()?;
                hand.round();
            }
            return Ok(());
        }
        self.durable_for(upto, 1).wait()
    }

    pub(crate) fn durable_for(&self, upto: Position, many: usize) -> Durable {
        let upto_bytes = upto.as_u64();
        if self.watermark.durable() < upto_bytes {
            let mut shared = self.shared();
            shared.wanted = shared.wanted.max(upto_bytes);
            shared.waiting += many;
            let enough = match shared.rest {
                Rest::No => false,
                Rest::Gathers(number) => shared.waiting >= number,
                Rest::Lingers | Rest::Sleeps => true,
            };
            if enough {
                shared.rest = Rest::No;
                self.work.notify_one();
            }
        }
        self.watermark.wait(upto)
    }

    pub(crate) fn read(
        &self,
        at: Position,
        is_lost: impl Fn(u64) -> bool,
    ) -> Result<Record, ReadError> {
        let from = at.as_u64();
        let cached = self.cached(from);
        self.counters.read(cached.is_some());
        match cached {
            Some(bytes) => read::from_memory(self.codec, from, &bytes),
            None if from >= self.written.load(Ordering::Acquire) => Err(ReadError::Absent(at)),
            None => {
                let size = self.segment_size.as_u64();
                let id = SegmentId::holding(from, size);
                if is_lost(from) {
                    return Err(ReadError::Lost(at));
                }
                if !self.has_segment(id) {
                    return Err(ReadError::Absent(at));
                }
                // A segment that was discarded meanwhile may have become another.
                self.cold(id, from).map_err(|error| {
                    if self.has_segment(id) { error } else { ReadError::Absent(at) }
                })
            }
        }
    }

    /// The record at `at` in segment `id`, from the disk.
    fn cold(&self, id: SegmentId, at: u64) -> Result<Record, ReadError> {
        let (bytes, many) = {
            let ahead = lock(&self.ahead);
            (ahead.bytes_at(at), ahead.much(at))
        };
        let end = |record: &Record| at + framed(record.payload.len()) as u64;
        let found = bytes.and_then(|bytes| read::from_memory(self.codec, at, &bytes).ok());
        if let Some(record) = found {
            lock(&self.ahead).found(at, end(&record));
            return Ok(record);
        }
        let size = self.segment_size.as_u64();
        let (record, bytes) = read::from_driver(&*self.driver, self.codec, id, at, size, many)?;
        lock(&self.ahead).read(at, bytes, end(&record));
        Ok(record)
    }

    fn has_segment(&self, id: SegmentId) -> bool {
        self.with_tail(|tail| tail.segments().contains(&id.base().as_u64()))
    }

    fn cached(&self, at: u64) -> Option<Bytes> {
        // Most are here, and then no append is kept waiting.
        if let Some(bytes) = lock(&self.recent).bytes_at(at) {
            return Some(bytes);
        }
        let shared = self.shared();
        if let Some(pending) = shared.tail.bytes_at(at) {
            // A copy of one record only: the rest of the chunk may be megabytes.
            return Some(Bytes::copy_from_slice(read::frame(self.codec, at, pending)));
        }
        // Taken between the two looks, perhaps; never while `shared` is held.
        lock(&self.recent).bytes_at(at)
    }

    pub(crate) fn with_tail<T>(&self, look: impl FnOnce(&mut Tail) -> T) -> T {
        look(&mut self.shared().tail)
    }

    pub(crate) fn watermark(&self) -> &Watermark {
        &self.watermark
    }

    /// Everything before survives the machine.
    pub(crate) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    pub(crate) fn driver(&self) -> &dyn Driver {
        &*self.driver
    }

    pub(crate) fn under_way(&self, effort: Effort) -> Option<Duration> {
        self.under_way.lasts(effort, &self.clock)
    }

    pub(crate) fn observe(&self, observer: Observer) {
        lock(&self.observers).push(observer);
    }

    pub(crate) fn stats(&self) -> Stats {
        let segments = self.with_tail(|tail| tail.segments().len());
        self.counters.stats(segments as u64, self.driver.used().ok())
    }

    /// Asks the sync thread to finish what is pending and end.
    pub(crate) fn stop(&self) {
        let mut shared = self.shared();
        shared.stop = true;
        shared.rest = Rest::No;
        self.work.notify_one();
    }

    /// Whether everything that was accepted was finished when the journal closed.
    pub(crate) fn outcome(&self) -> Result<(), Poisoned> {
        match self.watermark.poison() {
            Some(cause) if !matches!(**cause, PoisonCause::Closed) => {
                Err(Poisoned(Arc::clone(cause)))
            }
            _ => Ok(()),
        }
    }

    /// Starts the sync thread. When it is told to stop it signs the checkpoint off and leaves the
    /// driver.
    pub(crate) fn spawn(
        self: Arc<Self>,
        checkpoints: Arc<Checkpoints>,
    ) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("journal".into()).spawn(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| self.run(&checkpoints)));
            if let Err(panic) = ended {
                let text = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                self.watermark.give_up(PoisonCause::Panic(text.unwrap_or_default()));
            }
            self.driver.release();
        })
    }

    /// The sync thread: until it is told to stop, or may not go on.
    fn run(&self, checkpoints: &Checkpoints) {
        let mut pace = Pace::default();
        while self.watermark.poison().is_none() {
            let stop = self.rest();
            self.round(stop, checkpoints, &mut pace);
        }
    }

    /// Makes what has gathered durable, and tells those who wait. When it is to stop, accepts
    /// nothing more.
    fn round(&self, stop: bool, checkpoints: &Checkpoints, pace: &mut Pace) {
        if self.watermark.poison().is_some() {
            return;
        }
        let end = self.close_batch(pace);
        let began = self.clock.monotonic();
        let done = match self.mode {
            SyncMode::Written if !stop => self.write(end),
            _ => self.sync(end),
        };
        if done.is_err() {
            return;
        }
        pace.synced(began, self.clock.monotonic(), self.shared().waiting);
        self.advance();
        if stop {
            let cause = match checkpoints.sign_off(self) {
                Ok(()) => PoisonCause::Closed,
                Err(error) => PoisonCause::Write(error),
            };
            self.watermark.give_up(cause);
        }
    }

    /// A round of what the sync thread does, for a journal that has none. Gathers nobody.
    pub(crate) fn round_by_hand(&self, checkpoints: &Checkpoints) {
        self.round(false, checkpoints, &mut Pace::default());
    }

    /// The end of what the sync thread does, for a journal that has none.
    pub(crate) fn end_by_hand(&self, checkpoints: &Checkpoints) {
        self.round(true, checkpoints, &mut Pace::default());
        self.driver.release();
    }

    /// Rests until there is something to do; says whether it is to stop.
    fn rest(&self) -> bool {
        let mut shared = self.shared();
        loop {
            let durable = self.watermark.durable();
            let behind = shared.tail.end() > durable;
            // Whoever wants more than there is waits for an append, not for us.
            let wanted = behind && shared.wanted > durable;
            if shared.stop || wanted || self.watermark.poison().is_some() {
                shared.rest = Rest::No;
                return shared.stop;
            }
            if behind {
                shared.rest = Rest::Lingers;
                let waited = self.work.wait_timeout(shared, self.linger);
                let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                shared = woken;
                if timeout.timed_out() {
                    shared.rest = Rest::No;
                    return shared.stop;
                }
            } else {
                shared.rest = Rest::Sleeps;
                shared = self.work.wait(shared).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Lets more requests join the next sync, if the pace says so, and says where it ends.
    fn close_batch(&self, pace: &mut Pace) -> u64 {
        let mut shared = self.shared();
        if let (SyncMode::Durable, Some((number, moment))) = (self.mode, pace.gathering()) {
            let until = self.clock.monotonic() + moment;
            while shared.waiting < number && !shared.stop {
                let left = until.saturating_sub(self.clock.monotonic());
                if left.is_zero() {
                    break;
                }
                shared.rest = Rest::Gathers(number);
                let waited = self.work.wait_timeout(shared, left);
                (shared, _) = waited.unwrap_or_else(PoisonError::into_inner);
            }
            shared.rest = Rest::No;
        }
        pace.serves = std::mem::take(&mut shared.waiting);
        shared.tail.end()
    }

    fn advance(&self) {
        let reached = match self.mode {
            SyncMode::Durable => &self.synced,
            SyncMode::Written => &self.written,
        };
        let reached = reached.load(Ordering::Acquire);
        if self.watermark.advance(reached) {
            let observers = lock(&self.observers).clone();
            for observer in observers {
                observer(Position::from_u64(reached));
            }
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

/// Poisons the journal if what it guards panics, on whatever thread: a batch that was taken and
/// not written would leave a hole in the log.
struct OrPoison<'a>(&'a Watermark);

impl Drop for OrPoison<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up(PoisonCause::Panic("while writing or syncing".into()));
        }
    }
}

/// Locks. A panic under one of these locks leaves nothing half done: a group that panics is
/// undone, a write that panics is poison, and the rest only moves values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
