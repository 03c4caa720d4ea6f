//! Whether the disk is fit for what is asked, looked at before anything is promised.
//!
//! Three things can be wrong with it. It failed: then the journal accepts nothing more. It hangs:
//! a write or a sync does not end, nobody knows whether it will, and whoever asks for a change is
//! turned away instead of piling up. It is nearly full: a reserve is kept for deletions, which are
//! what makes room, so what only adds is refused before the disk itself would refuse everything.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tidemill_base::ByteSize;
use tidemill_journal::{Effort, Poisoned};

use super::{Config, Engine, Inner};
use crate::refusal::Failure;

/// What a disk that was nearly full must have beyond the reserve before it counts as fit: this
/// part of the reserve. Without it a disk at the limit would change its mind all the time.
const BEYOND: u64 = 8;

/// What is known of the disk.
#[derive(Debug)]
pub(super) struct Disk {
    /// With less than this left, nothing is taken in.
    reserve: ByteSize,
    /// A write or a sync that takes longer hangs.
    patience: Duration,
    /// In bytes, when it was last looked at; nobody knows at [`u64::MAX`].
    free: AtomicU64,
    is_short: AtomicBool,
    /// Where the log ended when housekeeping was last asked for, for want of space.
    tidied: AtomicU64,
}

/// The disk, for those who look after it.
#[derive(Clone, Debug)]
pub struct DiskMetrics {
    /// What is wrong with it.
    pub failure: Option<Failure>,
    /// How much more it has room for, where that is known.
    pub free: Option<ByteSize>,
    /// How much of that is kept for deletions.
    pub reserve: ByteSize,
    /// How long the write or the sync has taken that is under way.
    pub under_way: Duration,
}

impl Engine {
    /// Why some changes are refused or all of them, if that is so: the disk failed, hangs, or is
    /// nearly full. Looks at memory only.
    pub fn failure(&self) -> Option<Failure> {
        self.0.failure()
    }

    /// What is to be said where another log of the same disk has been at a write or a sync for so
    /// long: that it hangs, if that is longer than it may take.
    pub fn hangs(&self, effort: Effort, lasts: Duration) -> Option<Failure> {
        self.0.hangs(effort, lasts)
    }
}

impl Disk {
    pub(super) fn new(config: &Config) -> Self {
        let (reserve, patience) = (config.reserve, config.patience);
        let (free, tidied) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
        Self { reserve, patience, free, is_short: AtomicBool::new(false), tidied }
    }

    pub(super) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }
}

impl Inner {
    /// What is told of several failures is the worst.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.poisoned().or_else(|| self.stalled()).or_else(|| self.full())
    }

    /// Refuses a change that may not end.
    pub(super) fn may_change(&self) -> Result<(), Failure> {
        self.stalled().map_or(Ok(()), Err)
    }

    /// Refuses what makes the data grow.
    pub(super) fn may_grow(&self) -> Result<(), Failure> {
        self.may_change()?;
        // What is wrong for good is told rather than what would pass.
        self.full().map_or(Ok(()), |full| Err(self.poisoned().unwrap_or(full)))
    }

    /// Refuses a receive: it has to be written, if not synced.
    pub(super) fn may_receive(&self) -> Result<(), Failure> {
        // Whatever a sync does: one that hangs for longer must not hide a write that hangs too.
        let lasts = self.journal.under_way(Effort::Write);
        lasts.and_then(|lasts| self.hangs(Effort::Write, lasts)).map_or(Ok(()), Err)
    }

    /// Looks at how much room is left; says so where that changes what is accepted. Asks the
    /// system, and calls for housekeeping where there is not enough.
    pub(super) fn look_at_disk(&self) {
        let disk = &self.disk;
        let Some(free) = self.journal.free() else { return };
        let (free, reserve) = (free.as_u64(), disk.reserve.as_u64());
        disk.free.store(free, Ordering::Relaxed);
        let was_short = disk.is_short();
        let needed = if was_short { reserve.saturating_add(reserve / BEYOND) } else { reserve };
        let is_short = free < needed;
        disk.is_short.store(is_short, Ordering::Relaxed);
        if was_short && !is_short {
            // They rested meanwhile.
            self.moves.notify_one();
        }
        // Deletions alone take long to fill a segment, and it is they who make room.
        let end = self.journal.end().as_u64();
        if is_short && disk.tidied.swap(end, Ordering::Relaxed) != end {
            self.untidy.notify_one();
        }
    }

    pub(super) fn disk_metrics(&self) -> DiskMetrics {
        let free = self.disk.free.load(Ordering::Relaxed);
        DiskMetrics {
            failure: self.failure(),
            free: (free != u64::MAX).then_some(ByteSize::bytes(free)),
            reserve: self.disk.reserve,
            under_way: self.under_way().map_or(Duration::ZERO, |(_, lasts)| lasts),
        }
    }

    fn poisoned(&self) -> Option<Failure> {
        self.journal.is_poisoned().map(|cause| Failure::Poisoned(Poisoned(cause)))
    }

    fn stalled(&self) -> Option<Failure> {
        let (effort, lasts) = self.under_way()?;
        self.hangs(effort, lasts)
    }

    fn hangs(&self, effort: Effort, lasts: Duration) -> Option<Failure> {
        (lasts > self.disk.patience).then_some(Failure::Stalled { effort, lasts })
    }

    /// What the disk has been at for longer, and for how long.
    fn under_way(&self) -> Option<(Effort, Duration)> {
        let efforts = [Effort::Write, Effort::Sync].into_iter();
        let lasting = |effort| Some((effort, self.journal.under_way(effort)?));
        efforts.filter_map(lasting).max_by_key(|(_, lasts)| *lasts)
    }

    fn full(&self) -> Option<Failure> {
        let free = ByteSize::bytes(self.disk.free.load(Ordering::Relaxed));
        self.disk.is_short().then_some(Failure::Full { free, reserve: self.disk.reserve })
    }
}

/// Tells the log of a change for the worse or the better, once.
pub(super) fn tell(before: Option<&Failure>, now: Option<&Failure>) {
    if before.map(std::mem::discriminant) == now.map(std::mem::discriminant) {
        return;
    }
    match now {
        Some(Failure::Poisoned(poisoned)) => tracing::error!(
            reason = %poisoned,
            "the disk failed: every change is refused until the service is started again; what \
             was acknowledged is kept. Look at the disk, free some space or replace it, restart",
        ),
        Some(Failure::Stalled { .. }) => tracing::error!(
            reason = now.map(tracing::field::display),
            "the disk hangs: changes are refused until it answers; those under way wait for it. \
             Look at the disk; no restart is needed if it comes back",
        ),
        Some(Failure::Full { .. }) => tracing::error!(
            reason = now.map(tracing::field::display),
            "the disk is nearly full: nothing is taken in, and deletions go on. Free some space, \
             or receive and delete messages; no restart is needed",
        ),
        // Housekeeping tells that.
        Some(Failure::Checkpoint(_)) => {}
        None => tracing::info!("the disk is fit again: everything is accepted"),
    }
}
