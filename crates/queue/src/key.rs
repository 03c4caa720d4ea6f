//! What a queue is called: by people (account, region, name) and by the engine (a number).

use std::fmt;

use tidemill_base::{AccountId, QueueName, Region};

/// What people call a queue. No two living queues share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueKey {
    /// Whose queue it is.
    pub account: AccountId,
    /// Where its owner thinks it is.
    pub region: Region,
    /// Its name there.
    pub name: QueueName,
}

/// A shard: one journal and its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub(crate) u16);

/// A queue's number in its shard. Never used twice, so what speaks of a removed queue cannot
/// come to mean a newer one of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueNumber(pub(crate) u32);

/// What the engine calls a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId {
    pub(crate) shard: ShardId,
    pub(crate) number: QueueNumber,
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.shard.0, self.number.0)
    }
}

/// A message's number in its queue: the order in which they were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub(crate) u64);

impl Sequence {
    /// The sequence as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The sequence that [`Sequence::as_u64`] gave.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
