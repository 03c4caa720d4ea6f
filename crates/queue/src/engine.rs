//! The engine: the machine with a clock, a lock, a disk, and receivers that wait.
//!
//! The rule of the lock: decide, append to the journal's memory, apply, and let go, about a
//! microsecond. It is never held across I/O or an await. Answers leave after the journal is durable
//! up to the records they rest on.

mod administer;
#[cfg(feature = "model")]
mod by_hand;
mod disk;
mod holders;
mod housekeeping;
mod look;
mod messages;
mod moves;
mod open;
mod receive;
mod shard;
mod timer;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tidemill_base::{ByteSize, Chance, Clock};
use tidemill_journal::{Journal, Options};
use tokio::sync::{Notify, watch};

use crate::key::{QueueId, QueueKey, ShardId};
use crate::receipt::Secret;
use crate::refusal::Failure;

use disk::Disk;
pub use disk::DiskMetrics;
use housekeeping::House;
pub use look::{Description, Metrics, QueueMetrics};
pub use messages::Each;
use shard::Shard;

/// What an engine is opened with.
#[derive(Clone, Debug)]
pub struct Config {
    /// How the journal is kept.
    pub journal: Options,
    /// Tells the time.
    pub clock: Clock,
    /// Makes ids and secrets.
    pub chance: Chance,
    /// With less room than this on the disk, nothing is taken in: what is left is for deletions.
    pub reserve: ByteSize,
    /// How long the disk may take for a write or a sync before changes are refused.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            journal: Options::default(),
            clock: Clock::system(),
            chance: Chance::system(),
            reserve: ByteSize::mib(256),
            patience: Duration::from_secs(5),
        }
    }
}

/// The queues of one journal. Clones share it.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    id: ShardId,
    journal: Journal,
    clock: Clock,
    chance: Chance,
    secret: Secret,
    /// The one owner of all state. See the rule of the lock above. Taken before the journal's
    /// own lock, and never under it.
    shard: Mutex<Shard>,
    /// What queues are called, beside the shard, so that finding one waits for nobody. Changed
    /// only under the shard's lock.
    names: RwLock<HashMap<QueueKey, QueueId>>,
    /// The timer has an earlier deadline.
    rearmed: Notify,
    /// A move began, or a manual clock was moved.
    moves: Notify,
    /// There may be something to tidy: the log went on to another segment, space is short, or a
    /// log that hardly grows has something to let go.
    untidy: Notify,
    /// The segment that the watermark was in when it last moved.
    segment: AtomicU64,
    /// Whether the engine was shut down.
    stopped: watch::Sender<bool>,
    /// Held by whoever makes a checkpoint.
    housekeeping: Mutex<House>,
    disk: Disk,
    /// Reads of messages whose bytes were damaged.
    damaged_reads: AtomicU64,
}

impl Engine {
    /// The queue that is called `key`.
    pub fn find(&self, key: &QueueKey) -> Option<QueueId> {
        self.0.names.read().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    /// Answers every waiting receiver with nothing; from now on none waits. For a service that
    /// stops: the requests under way end, and new ones are still served.
    pub fn end_waiting(&self) {
        self.0.stop_waiting();
    }

    /// Wakes every waiting receiver with an empty answer, makes a last checkpoint and closes the
    /// journal: every later change fails. To be called once, when no request is under way.
    pub async fn shut_down(&self) -> Result<(), Failure> {
        self.0.stop_waiting();
        self.0.stopped.send_replace(true);
        let inner = Arc::clone(&self.0);
        let closing = tokio::task::spawn_blocking(move || inner.close());
        closing.await.expect("closing a journal does not panic")
    }
}

impl Inner {
    /// A panic while the state moved leaves it unfit for use, and whoever looked at it next would
    /// go on with half of a change. The process ends instead: its next start folds the journal.
    fn lock(&self) -> std::sync::MutexGuard<'_, Shard> {
        self.shard.lock().unwrap_or_else(|_| {
            tracing::error!("a task failed while the queues' state moved; ending the process");
            std::process::abort()
        })
    }

    /// The last checkpoint, and the end of the log.
    fn close(&self) -> Result<(), Failure> {
        // Without the checkpoint the next start takes longer; without the end of the log what
        // was answered last may be gone.
        let checkpoint = catch_unwind(AssertUnwindSafe(|| self.keep_house()));
        self.journal.close()?;
        checkpoint.unwrap_or_else(|_| Err(Failure::Checkpoint("it panicked".into())))
    }

    fn note_damage(&self) {
        self.damaged_reads.fetch_add(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("shard", &self.0.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
