//! What can go wrong, kept apart: the caller's fault and the disk's.

use std::time::Duration;

use tidemill_base::ByteSize;
use tidemill_journal::{Effort, OpenError as JournalOpenError, Poisoned};

use crate::codec::Unreadable;
use crate::settings::SettingName;

/// Why the engine will not do what was asked. The caller can do something about each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such queue, or no longer.
    #[error("the queue does not exist")]
    NoSuchQueue,
    /// A queue of this name exists and has another value for a setting that was given.
    #[error("a queue of this name exists with another value for {setting}")]
    Exists {
        /// The first such setting.
        setting: SettingName,
    },
    /// A queue of this name was removed less than [`crate::REMOVAL_PAUSE`] ago.
    #[error("a queue of this name was removed less than a minute ago")]
    RemovedRecently,
    /// The queue was purged less than [`crate::PURGE_PAUSE`] ago.
    #[error("the queue was purged less than a minute ago")]
    PurgedRecently,
    /// [`crate::IN_FLIGHT_LIMIT`] messages are in flight.
    #[error("too many messages are in flight")]
    InFlightLimit,
    /// This is no receipt of ours, or one of another queue.
    #[error("the receipt is not valid")]
    BadReceipt,
    /// The message would stay hidden for more than [`crate::LONGEST_HIDDEN`] since it was received.
    #[error("the message would be hidden for more than twelve hours since it was received")]
    HiddenTooLong {
        /// For how long more it was to be.
        asked: Duration,
    },
    /// The message was deleted, purged or has expired.
    #[error("the message does not exist any more")]
    MessageGone,
    /// The receipt is of a receive that is over: a FIFO queue deletes only what is still out.
    #[error("the receipt has expired")]
    ReceiptExpired,
    /// Only from a queue that is the dead-letter queue of another are messages moved.
    #[error("the queue is no other queue's dead-letter queue")]
    NotADeadLetterQueue,
    /// Messages are being moved from the queue already.
    #[error("a move from this queue is under way")]
    MoveUnderWay,
    /// This is no name of a move.
    #[error("this names no move")]
    BadMoveId,
    /// There is no such move, or it is so long over that it was forgotten.
    #[error("there is no such move")]
    NoSuchMove,
    /// The move is over.
    #[error("the move is not under way any more")]
    MoveIsOver,
    /// There is no queue to move messages to.
    #[error("the destination of the move does not exist")]
    NoSuchDestination,
    /// Messages cannot be moved to the queue that they come from.
    #[error("the destination of the move is its source")]
    SameQueue,
    /// One of the two queues is a FIFO queue and the other is not.
    #[error("the queues are not of the same discipline")]
    OtherDiscipline,
    /// The message does not fit into one record of the journal.
    #[error("the message is too large to be stored")]
    TooLarge,
}

/// Why the engine could not do what was asked, though there is nothing wrong with it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The disk failed, and the journal accepts nothing more until it is opened again.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// The disk does not answer: this may end. Requests that came before wait for it.
    #[error("the disk has not ended a {} for {lasts:.1?}", named(*.effort))]
    Stalled {
        /// What it was asked to do.
        effort: Effort,
        /// Since how long.
        lasts: Duration,
    },
    /// The disk is nearly full: nothing is taken in. Deletions and receives go on.
    #[error("the disk has {} MiB left, of which {reserve} are kept for deletions", mib(*.free))]
    Full {
        /// How much room there was when it was last looked at.
        free: ByteSize,
        /// How much of it is not for messages.
        reserve: ByteSize,
    },
    /// A checkpoint could not be stored.
    #[error("a checkpoint failed: {0}")]
    Checkpoint(String),
}

fn named(effort: Effort) -> &'static str {
    match effort {
        Effort::Write => "write",
        Effort::Sync => "sync",
    }
}

fn mib(size: ByteSize) -> u64 {
    size.as_u64() >> 20
}

/// Why a changing call was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The caller's fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk's fault.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<Poisoned> for Error {
    fn from(poisoned: Poisoned) -> Self {
        Self::Failed(Failure::Poisoned(poisoned))
    }
}

/// Why the engine did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal could not be recovered, or holds what this version cannot read.
    #[error(transparent)]
    Journal(#[from] JournalOpenError<Unreadable>),
    /// The journal failed while the engine made itself ready.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<Poisoned> for OpenError {
    fn from(poisoned: Poisoned) -> Self {
        Self::Failed(Failure::Poisoned(poisoned))
    }
}

/// How many messages of a queue may be in flight at a time.
pub const IN_FLIGHT_LIMIT: usize = 120_000;
/// How long a message may stay hidden after it was received, however often that is extended. Whole
/// seconds count.
pub const LONGEST_HIDDEN: Duration = Duration::from_hours(12);
/// How long after a purge the next one is refused.
pub const PURGE_PAUSE: Duration = Duration::from_mins(1);
/// How long after its removal a queue's name stays taken.
pub const REMOVAL_PAUSE: Duration = Duration::from_mins(1);
