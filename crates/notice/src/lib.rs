//! Topics: what is told to one is told to all who subscribed to it.
//!
//! Floor 2. An engine like the others: its state is the fold of its records, in a journal of its
//! own. It knows who is to be told, and nothing of how: whoever publishes asks for the subscribers
//! and delivers to them, so that nothing of what is published is kept here.

mod codec;
mod engine;
mod record;
mod refusal;
mod state;
mod subscription;
#[cfg(test)]
mod tests;
mod topic;

pub use engine::{NewTopic, NoticeError, Notices};
pub use record::{Event, RawSet, Subscribed, What};
pub use refusal::Refusal;
pub use state::State;
pub use subscription::{Queue, Subscription, SubscriptionId, Target};
pub use topic::{BadTopicName, Tags, Topic, TopicKey, TopicName};

/// Most topics of an account in a region.
pub const TOPICS: usize = 1000;
/// Most subscriptions of a topic: so many times is a message written that is published once.
pub const SUBSCRIPTIONS: usize = 200;
/// Most tags of a topic.
pub const TAGS: usize = 50;
