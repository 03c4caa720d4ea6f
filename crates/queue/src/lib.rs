//! The queue engine: what a queue holds, who gets it next, and when it comes back.
//!
//! An [`Engine`] keeps queues in a journal. It knows no protocol and no AWS: services translate.
//! Inside, `machine` is the pure part (commands are decided against a state that records move), and
//! `engine` is the part with a clock, a lock, a disk and receivers that wait.

mod attempts;
mod codec;
mod commands;
mod content;
mod deduplication;
mod engine;
mod ground;
mod groups;
mod holder;
mod key;
mod line;
mod loose;
mod machine;
mod message;
#[cfg(any(test, feature = "model"))]
pub mod model;
mod moves;
mod passage;
mod queue;
mod receipt;
mod record;
mod redrive;
mod refusal;
mod rows;
mod settings;
mod settings_codec;
mod stock;
mod waiters;

pub use codec::Unreadable;
pub use commands::Created;
pub use engine::{Config, Description, DiskMetrics, Each, Engine, Metrics, QueueMetrics};
pub use holder::Holder;
pub use key::{QueueId, QueueKey, Sequence, ShardId};
pub use message::{
    Attribute, AttributeValue, Content, Delivery, Digest, NewMessage, Peeked, Receive, Sent,
    Standing,
};
pub use moves::{Move, MoveFailure, MoveId, MoveStatus};
pub use queue::Tally;
pub use receipt::Receipt;
pub use redrive::{DEAD_LETTER_EXPIRED, DEAD_LETTER_EXPIRED_TAG, Redrive, RedriveAllow};
pub use refusal::{
    Error, Failure, IN_FLIGHT_LIMIT, LONGEST_HIDDEN, OpenError, PURGE_PAUSE, REMOVAL_PAUSE, Refusal,
};
pub use settings::{Discipline, Scope, SettingName, Settings, SettingsChange, Tags};
pub use stock::Counts;
pub use tidemill_journal::Position;
