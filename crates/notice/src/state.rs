//! Everything that is known of topics: the fold of the records.

use std::collections::BTreeMap;
use std::ops::Bound;

use minicbor::{Decode, Encode};
use tidemill_base::{AccountId, Region};
use tidemill_journal::cbor::Fold;

use crate::record::{Event, What};
use crate::subscription::{Subscription, SubscriptionId};
use crate::topic::{Topic, TopicKey};

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct State {
    #[n(0)]
    topics: BTreeMap<TopicKey, Topic>,
}

impl State {
    /// The topic of this name.
    pub fn topic(&self, key: &TopicKey) -> Option<&Topic> {
        self.topics.get(key)
    }

    /// The topics of an account in a region, by name.
    pub fn topics_of(
        &self,
        account: AccountId,
        region: &Region,
    ) -> impl Iterator<Item = (&TopicKey, &Topic)> {
        let mine = move |key: &TopicKey| key.account == account && key.region == *region;
        self.topics.iter().filter(move |(key, _)| mine(key))
    }

    /// At most `most` topics of an account in a region, by name, from the one behind `after` on.
    pub fn page(
        &self,
        account: AccountId,
        region: &Region,
        after: Option<&TopicKey>,
        most: usize,
    ) -> Vec<&TopicKey> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.topics.range((from, Bound::Unbounded)).map(|(key, _)| key);
        let mine = behind.filter(|key| key.account == account && key.region == *region);
        mine.take(most).collect()
    }

    /// At most `most` subscriptions of an account's topics in a region, in the order of the topics
    /// and then of their ids, from the one behind `after` on.
    pub fn subscriptions(
        &self,
        account: AccountId,
        region: &Region,
        after: Option<(&TopicKey, SubscriptionId)>,
        most: usize,
    ) -> Vec<(&TopicKey, SubscriptionId, &Subscription)> {
        let each = self.topics_of(account, region).flat_map(|(key, topic)| {
            topic.subscriptions().map(move |(id, subscription)| (key, id, subscription))
        });
        each.filter(|(key, id, _)| after.is_none_or(|after| (*key, *id) > after))
            .take(most)
            .collect()
    }
}

impl Fold for State {
    type Event = Event;

    fn happened(&mut self, event: Event) -> Option<()> {
        let (key, what) = match event {
            Event::Of(key, what) => (key, what),
            Event::Cleared => {
                *self = Self::default();
                return Some(());
            }
        };
        let what = match what {
            What::Made(topic) => {
                self.topics.insert(key, topic);
                return Some(());
            }
            What::Gone(()) => return self.topics.remove(&key).map(drop),
            what => what,
        };
        let topic = self.topics.get_mut(&key)?;
        match what {
            What::Named(name) => topic.display_name = name,
            What::Governed(policy) => topic.policy = policy,
            What::Tagged(tags) => topic.tags.extend(tags),
            What::Untagged(names) => topic.tags.retain(|name, _| !names.contains(name)),
            What::Subscribed(new) => {
                topic.subscriptions.insert(new.id, new.subscription);
            }
            What::RawSet(set) => topic.subscriptions.get_mut(&set.id)?.raw = set.raw,
            What::Unsubscribed(id) => {
                topic.subscriptions.remove(&id)?;
                topic.unsubscribed += 1;
            }
            What::Made(_) | What::Gone(()) => unreachable!("they were taken in above"),
        }
        Some(())
    }
}
