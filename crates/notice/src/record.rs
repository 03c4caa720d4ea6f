//! What is written down: each thing that happened to a topic, as a kind and CBOR.

use minicbor::{Decode, Encode};
use tidemill_journal::cbor::{self, Written};
use tidemill_journal::{Record, RecordRef, Unreadable};

use crate::subscription::{Subscription, SubscriptionId};
use crate::topic::{Tags, Topic, TopicKey};

/// Something that happened. The state is what these add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It happened to a topic.
    Of(TopicKey, What),
    /// Everything was forgotten.
    Cleared,
}

/// What happened to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was made.
    Made(Topic),
    /// It is there no more, nor its subscriptions.
    Gone(()),
    /// People are shown this for its name.
    Named(String),
    /// It has this policy, or the usual one again.
    Governed(Option<String>),
    /// It has more tags, or other values of them.
    Tagged(Tags),
    /// It has fewer tags.
    Untagged(Vec<String>),
    /// Somebody is told from now on.
    Subscribed(Subscribed),
    /// Somebody is told in another form.
    RawSet(RawSet),
    /// Somebody is told no more.
    Unsubscribed(SubscriptionId),
}

/// Somebody is told from now on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Subscribed {
    /// By this id.
    #[n(0)]
    pub id: SubscriptionId,
    /// Who, and in which form.
    #[n(1)]
    pub subscription: Subscription,
}

/// Somebody is told in another form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RawSet {
    /// By this id.
    #[n(0)]
    pub id: SubscriptionId,
    /// Whether with nothing around the message.
    #[n(1)]
    pub raw: bool,
}

/// The version that is written. What can be said by a new member needs no new one.
const VERSION: u8 = 1;
const CLEARED: u8 = 127;

macro_rules! whats {
    ($($kind:literal $name:ident)*) => {
        impl Written for Event {
            fn record(&self) -> Record {
                match self {
                    $(Self::Of(key, What::$name(what)) => {
                        cbor::write($kind, VERSION, &(key, what))
                    })*
                    Self::Cleared => cbor::bare(CLEARED, VERSION),
                }
            }

            fn read(record: RecordRef<'_>) -> Result<Self, Unreadable> {
                match (record.kind.0, record.version) {
                    $(($kind, VERSION) => cbor::read(record)
                        .map(|(key, what)| Self::Of(key, What::$name(what))),)*
                    (CLEARED, VERSION) => Ok(Self::Cleared),
                    _ => Err(cbor::unknown(record)),
                }
            }
        }
    };
}

whats! {
    1 Made
    2 Gone
    3 Named
    4 Governed
    5 Tagged
    6 Untagged
    7 Subscribed
    8 RawSet
    9 Unsubscribed
}
