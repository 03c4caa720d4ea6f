//! A subscription: who is told of what is published, and in which form.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use tidemill_base::{AccountId, Chance, QueueName, Region};

/// A subscription's id, a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId([u8; 16]);

/// Not the id of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not an id")]
pub struct BadSubscriptionId;

impl SubscriptionId {
    /// A new one.
    pub fn random(chance: &Chance) -> Self {
        let mut bytes = chance.bytes::<16>();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// The bytes, for storing.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        let part = |from: u32, bits: u32| (number >> from) & ((1 << bits) - 1);
        let (a, b, c) = (part(96, 32), part(80, 16), part(64, 16));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", part(48, 16), part(0, 48))
    }
}

impl fmt::Debug for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SubscriptionId {
    type Err = BadSubscriptionId;

    fn from_str(text: &str) -> Result<Self, BadSubscriptionId> {
        let digits: String = text.split('-').collect();
        let plain = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(&digits, 16).ok().filter(|_| plain);
        let id = Self(number.ok_or(BadSubscriptionId)?.to_be_bytes());
        // It is written in one way alone.
        if id.to_string() == text { Ok(id) } else { Err(BadSubscriptionId) }
    }
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Subscription {
    /// Who is told.
    #[n(0)]
    pub target: Target,
    /// Whether he is told the message as it is, with nothing around it.
    #[n(1)]
    pub raw: bool,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Target {
    /// A queue, which may not be there.
    #[n(0)]
    Queue(#[n(0)] Queue),
}

/// A queue, by whose it is, where, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The name.
    pub name: QueueName,
}
