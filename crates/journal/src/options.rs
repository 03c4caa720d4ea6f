//! How a journal is kept: sizes, and how much a "durable" promises.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tidemill_base::{ByteSize, Chance, Clock};

use crate::hand::Hand;

/// What must have happened to a record before it counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// It was synced: it survives the machine.
    #[default]
    Durable,
    /// It was handed to the operating system, which syncs when it likes: it survives the process.
    Written,
}

/// Not a sync mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sync mode is \"durable\" or \"written\"")]
pub struct BadSyncMode;

impl FromStr for SyncMode {
    type Err = BadSyncMode;

    fn from_str(text: &str) -> Result<Self, BadSyncMode> {
        match text {
            "durable" => Ok(Self::Durable),
            "written" => Ok(Self::Written),
            _ => Err(BadSyncMode),
        }
    }
}

impl fmt::Display for SyncMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Durable => "durable",
            Self::Written => "written",
        })
    }
}

/// How a journal is kept. The defaults suit a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The size of a segment, 1 KiB to 1 GiB: fixed when the journal is made, ignored after. No
    /// record is larger ([`crate::Journal::max_payload`]).
    pub segment_size: ByteSize,
    /// What "durable" promises.
    pub sync: SyncMode,
    /// How many bytes of what was appended last are kept in memory for reading.
    pub recent: ByteSize,
    /// How many bytes may wait for being written. An append that finds more writes them itself,
    /// the only case in which it waits for the disk.
    pub max_pending: ByteSize,
    /// What nobody waits for is made durable after about this time.
    pub linger: Duration,
    /// Measures how long syncs take.
    pub clock: Clock,
    /// Salts a new journal's checksums.
    pub chance: Chance,
    /// Has no thread write and sync, but whoever holds this: for a simulation, in which all that
    /// happens is one thread's choice.
    pub hand: Option<Hand>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_size: ByteSize::mib(16),
            sync: SyncMode::Durable,
            recent: ByteSize::mib(16),
            max_pending: ByteSize::mib(64),
            linger: Duration::from_millis(50),
            clock: Clock::system(),
            chance: Chance::system(),
            hand: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_mode_reads_as_it_is_written() {
        for mode in [SyncMode::Durable, SyncMode::Written] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!("fast".parse::<SyncMode>(), Err(BadSyncMode));
    }
}
