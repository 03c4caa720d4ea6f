//! The words every other crate uses: names, ids, units, time and chance.
//!
//! Floor 0. Nothing here does I/O, and nothing here knows a protocol. Bare integers and strings
//! for an id, a size or a time stop at this crate's types.

#[cfg(feature = "cbor")]
mod cbor;
mod chance;
mod headers;
mod ids;
mod names;
mod time;
mod units;

pub use chance::Chance;
pub use headers::{Fields, Header, Headers, header_text};
pub use ids::{AccountId, BadAccountId, BadUuid, MessageId, RequestId, Uuid};
pub use names::{BadName, QueueName, Region};
pub use time::{Clock, Timestamp};
pub use units::{BadSize, ByteSize};
