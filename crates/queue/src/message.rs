//! A message: what its sender gave us, and what a receiver gets.

use std::time::Duration;

use bytes::Bytes;
use tidemill_base::{MessageId, Timestamp};

use crate::holder::Holder;
use crate::key::{QueueKey, Sequence};
use crate::receipt::Receipt;

/// An MD5 digest. The caller computes it for its reply; we keep it for later ones.
pub type Digest = [u8; 16];

/// A named value that travels with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// What its sender says it is, as `Number.int`.
    pub data_type: String,
    /// Its value.
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// Text, also for numbers.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// What a message says: everything that never changes while it lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The body, shared with the bytes that it was read from.
    pub body: Bytes,
    /// The attributes, in the order in which they were given.
    pub attributes: Vec<Attribute>,
    /// Who sent it.
    pub sender: String,
    /// The trace header, an attribute of the system's.
    pub trace_header: Option<String>,
    /// The group that it belongs to: in a FIFO queue the one whose order it keeps, in a standard
    /// queue the one that is not to crowd out others. A message without one is in a FIFO queue
    /// of the group with the empty name.
    pub group: Option<String>,
    /// What it is known by: in a FIFO queue, another one of the same id is not taken in.
    pub deduplication: Option<String>,
    /// The digest of the body.
    pub body_md5: Digest,
    /// The digest of the attributes, if there are any.
    pub attributes_md5: Option<Digest>,
}

/// A message to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// What it says.
    pub content: Content,
    /// How long it is kept back: rounded up to whole seconds, at most 65,535 of them; the
    /// queue's own delay if absent.
    pub delay: Option<Duration>,
}

/// A message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The id that it now has; of a duplicate, that of the message that it repeats.
    pub id: MessageId,
    /// Its place in the order of its queue; of a duplicate, that of the one that it repeats.
    pub sequence: Sequence,
    /// Whether it repeats a message that was sent before, and was not stored.
    pub duplicate: bool,
}

/// What a receiver asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    /// At most so many messages.
    pub max: u8,
    /// How long they stay hidden from others; the queue's own setting if absent.
    pub visibility: Option<Duration>,
    /// How long to wait for the first one; the queue's own setting if absent.
    pub wait: Option<Duration>,
    /// What a FIFO queue knows this receive by: asked again with the same one, because the answer
    /// was lost, it hands out the same messages again.
    pub attempt: Option<String>,
    /// Who asks, if that is to be known: see [`Engine::held`](crate::Engine::held).
    pub holder: Option<Holder>,
}

impl Default for Receive {
    fn default() -> Self {
        Self { max: 1, visibility: None, wait: None, attempt: None, holder: None }
    }
}

/// A message as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: MessageId,
    /// Its place in the order of its queue.
    pub sequence: Sequence,
    /// What deletes it, or hides it for longer.
    pub receipt: Receipt,
    /// How often it was handed out, this time included.
    pub receive_count: u32,
    /// When it was handed out for the first time.
    pub first_received: Timestamp,
    /// When it was sent.
    pub sent: Timestamp,
    /// The queue that it came from, if it is here as a dead letter of another.
    pub source: Option<QueueKey>,
    /// What it says.
    pub content: Content,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The next receive may get it.
    Visible,
    /// Somebody has it, and it comes back then.
    InFlight {
        /// When it is visible again.
        until: Timestamp,
    },
    /// Its sender has it kept back until then.
    Delayed {
        /// When it becomes visible.
        until: Timestamp,
    },
}

/// A message as it is looked at, without receiving it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// Its id.
    pub id: MessageId,
    /// Its place in the order of its queue.
    pub sequence: Sequence,
    /// Where it stands.
    pub standing: Standing,
    /// How often it was handed out.
    pub receive_count: u32,
    /// When it was handed out for the first time, if it was.
    pub first_received: Option<Timestamp>,
    /// When it was sent.
    pub sent: Timestamp,
    /// The queue that it came from, if it is here as a dead letter of another.
    pub source: Option<QueueKey>,
    /// What it says.
    pub content: Content,
}
