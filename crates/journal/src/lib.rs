//! The log under everything: append, wait until it is durable, read back, check point, recover.
//!
//! Everything Tidemill remembers is one append-only log of checksummed records, and the state
//! that folding them gives. This crate keeps the log and knows nothing of what its records mean.
//! It is the only crate that touches the data directory. The bytes are in `docs/formats.md`.
//!
//! The life of a record: [`Journal::append`] copies it into memory, one [`Journal::write`] hands
//! everything pending to the [`Driver`], one sync makes that durable and moves the watermark that
//! [`Journal::durable_at`] waits for. Later its segment is dead, and [`Journal::checkpoint`] lets
//! it go.

mod ahead;
mod backup;
#[cfg(feature = "cbor")]
pub mod cbor;
mod check;
mod checkpoint;
mod driver;
mod drivers;
mod error;
mod frame;
mod group;
mod hand;
mod journal;
mod ledger;
mod options;
mod pace;
mod position;
mod read;
mod recent;
mod record;
mod recovery;
mod root;
mod salvage;
mod scan;
mod section;
mod stats;
mod tail;
mod under_way;
mod waiters;
mod writer;

pub use backup::{BackupError, back_up};
pub use check::{CheckError, Progress, Report, check};
pub use checkpoint::Section;
pub use driver::{Driver, DriverError, Epoch, Held};
pub use drivers::{Fault, Faults, FaultyDriver, FileDriver, Keep, MemoryDriver, Operation};
pub use error::{CheckpointError, Damage, Damages, OpenError, PoisonCause, Poisoned, ReadError};
pub use group::{Appended, Group};
pub use hand::Hand;
pub use journal::Journal;
pub use ledger::{CommitError, Ledger, State, Unreadable};
pub use options::{BadSyncMode, Options, SyncMode};
pub use position::{Position, Segment, SegmentId};
pub use record::{Event, Kind, Record, RecordRef};
pub use salvage::salvage;
pub use stats::{Stats, SyncLatency};
pub use under_way::Effort;
pub use waiters::Durable;
