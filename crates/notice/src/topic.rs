//! A topic, and what it is known by.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use tidemill_base::{AccountId, Region};

use crate::subscription::{Subscription, SubscriptionId};

/// Keys and values that mean something to people alone.
pub type Tags = BTreeMap<String, String>;

/// A topic's name: 1 to 256 of `A-Z a-z 0-9 - _`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(String);

/// Not the name of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a topic's name has 1 to 256 letters, digits, hyphens or underscores")]
pub struct BadTopicName;

impl TopicName {
    /// The longest name, in characters.
    pub const MAX: usize = 256;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TopicName {
    type Err = BadTopicName;

    fn from_str(text: &str) -> Result<Self, BadTopicName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > Self::MAX || !text.bytes().all(plain) {
            return Err(BadTopicName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A topic, by whose it is, where, and its name. Topics are listed in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicKey {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The name.
    pub name: TopicName,
}

/// A topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Topic {
    /// What people are shown for its name; empty if that was never said.
    #[n(0)]
    pub display_name: String,
    /// Who may do what with it, in a language that means something to the floor above; none is the
    /// usual.
    #[n(1)]
    pub policy: Option<String>,
    /// Its tags.
    #[n(2)]
    pub tags: Tags,
    /// Who is told.
    #[n(3)]
    pub(crate) subscriptions: BTreeMap<SubscriptionId, Subscription>,
    /// How many were told once, and are no more.
    #[n(4)]
    pub unsubscribed: u64,
}

impl Topic {
    /// Who is told, by the ids of the subscriptions.
    pub fn subscriptions(&self) -> impl ExactSizeIterator<Item = (SubscriptionId, &Subscription)> {
        self.subscriptions.iter().map(|(id, subscription)| (*id, subscription))
    }

    /// The subscription of this id.
    pub fn subscription(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.subscriptions.get(&id)
    }
}
