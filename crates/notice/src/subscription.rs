//! A subscription: who is told of what is published, and in which form.

use minicbor::{Decode, Encode};
use tidemill_base::{AccountId, QueueName, Region, Uuid};

/// A subscription's id.
pub type SubscriptionId = Uuid;

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
