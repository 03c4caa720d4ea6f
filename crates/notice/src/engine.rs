//! The engine: what is known of topics, and what may be done with them.

use std::fmt;
use std::sync::Arc;

use tidemill_base::{Chance, Clock, MessageId, Timestamp};
use tidemill_journal::cbor::Written as _;
use tidemill_journal::{
    CheckpointError, CommitError, Driver, Ledger, OpenError, Options, Poisoned, Unreadable,
};

use crate::record::{Event, RawSet, Subscribed, What};
use crate::refusal::Refusal;
use crate::state::State;
use crate::subscription::{Subscription, SubscriptionId, Target};
use crate::topic::{Tags, Topic, TopicKey};
use crate::{SUBSCRIPTIONS, TAGS, TOPICS};

/// Topics. Cloning shares them.
#[derive(Clone)]
pub struct Notices(Arc<Inner>);

struct Inner {
    ledger: Ledger<State>,
    clock: Clock,
    chance: Chance,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The caller did something wrong.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The journal accepts nothing more.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

/// What a topic is to be, as far as anybody says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// What people are shown for its name.
    pub display_name: Option<String>,
    /// Its policy, if not the usual one.
    pub policy: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl NewTopic {
    /// Whether a topic that is there will do. It may have more tags.
    fn is_met_by(&self, topic: &Topic) -> Result<(), Refusal> {
        let named = self.display_name.as_ref().is_none_or(|name| *name == topic.display_name);
        let governed = self.policy.is_none() || self.policy == topic.policy;
        if !named || !governed {
            return Err(Refusal::OtherSettings);
        }
        let tagged = self.tags.iter().all(|(key, value)| topic.tags.get(key) == Some(value));
        if tagged { Ok(()) } else { Err(Refusal::OtherTags) }
    }
}

impl Notices {
    /// Opens the topics that the journal's driver holds, or begins without any.
    ///
    /// # Errors
    /// If the journal does not open, or holds what this version does not understand.
    pub fn open(
        journal: impl Driver + 'static,
        options: Options,
        clock: Clock,
        chance: Chance,
    ) -> Result<Self, OpenError<Unreadable>> {
        let ledger = Ledger::open(journal, options, State::default())?;
        Ok(Self(Arc::new(Inner { ledger, clock, chance })))
    }

    /// Looks at what is known, as far as it is durable.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.0.ledger.read(look)
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// An id for something that is published.
    pub fn new_message_id(&self) -> MessageId {
        MessageId::random(&self.0.chance)
    }

    /// Makes a topic. One of this name that is there will do, if it is what is asked for.
    ///
    /// # Errors
    /// If it is something else, there would be too many, or the journal accepts nothing more.
    pub async fn create(&self, key: TopicKey, new: NewTopic) -> Result<(), NoticeError> {
        self.commit(|state| {
            if let Some(topic) = state.topic(&key) {
                return new.is_met_by(topic).map(|()| Vec::new());
            }
            if state.topics_of(key.account, &key.region).count() >= TOPICS {
                return Err(Refusal::TooManyTopics(TOPICS));
            }
            if new.tags.len() > TAGS {
                return Err(Refusal::TooManyTags(TAGS));
            }
            let NewTopic { display_name, policy, tags } = new;
            let display_name = display_name.unwrap_or_default();
            let topic = Topic { display_name, policy, tags, ..Topic::default() };
            Ok(vec![Event::Of(key, What::Made(topic))])
        })
        .await
    }

    /// Removes a topic with its subscriptions. One that is not there is removed already.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn delete(&self, key: TopicKey) -> Result<(), NoticeError> {
        self.commit(|state| {
            let there = state.topic(&key).is_some();
            Ok(there.then_some(Event::Of(key, What::Gone(()))).into_iter().collect())
        })
        .await
    }

    /// Sets what people are shown for a topic's name.
    ///
    /// # Errors
    /// If it is not there, or the journal accepts nothing more.
    pub async fn set_display_name(&self, key: &TopicKey, name: String) -> Result<(), NoticeError> {
        self.change(key, |_| Ok(vec![What::Named(name)])).await
    }

    /// Sets a topic's policy, or the usual one.
    ///
    /// # Errors
    /// If it is not there, or the journal accepts nothing more.
    pub async fn set_policy(
        &self,
        key: &TopicKey,
        policy: Option<String>,
    ) -> Result<(), NoticeError> {
        self.change(key, |_| Ok(vec![What::Governed(policy)])).await
    }

    /// Tags a topic. A tag of the same key is replaced.
    ///
    /// # Errors
    /// If it is not there or would have too many, or the journal accepts nothing more.
    pub async fn tag(&self, key: &TopicKey, tags: Tags) -> Result<(), NoticeError> {
        self.change(key, |topic| {
            let new = tags.keys().filter(|name| !topic.tags.contains_key(*name)).count();
            if topic.tags.len() + new > TAGS {
                return Err(Refusal::TooManyTags(TAGS));
            }
            Ok(vec![What::Tagged(tags)])
        })
        .await
    }

    /// Takes tags from a topic, by their keys.
    ///
    /// # Errors
    /// If it is not there, or the journal accepts nothing more.
    pub async fn untag(&self, key: &TopicKey, names: Vec<String>) -> Result<(), NoticeError> {
        self.change(key, |_| Ok(vec![What::Untagged(names)])).await
    }

    /// Has somebody told of what is published to a topic from now on; `raw` says in which form, if
    /// that matters. Who is told already is told once.
    ///
    /// # Errors
    /// If the topic is not there, he is told in another form, there would be too many, or the
    /// journal accepts nothing more.
    pub async fn subscribe(
        &self,
        key: &TopicKey,
        target: Target,
        raw: Option<bool>,
    ) -> Result<SubscriptionId, NoticeError> {
        let mut id = SubscriptionId::random(&self.0.chance);
        self.change(key, |topic| {
            if let Some((known, it)) = topic.subscriptions().find(|(_, it)| it.target == target) {
                id = known;
                let same = raw.is_none_or(|raw| raw == it.raw);
                return if same { Ok(Vec::new()) } else { Err(Refusal::OtherForm) };
            }
            if topic.subscriptions.len() >= SUBSCRIPTIONS {
                return Err(Refusal::TooManySubscriptions(SUBSCRIPTIONS));
            }
            let subscription = Subscription { target, raw: raw.unwrap_or_default() };
            Ok(vec![What::Subscribed(Subscribed { id, subscription })])
        })
        .await?;
        Ok(id)
    }

    /// Sets in which form somebody is told.
    ///
    /// # Errors
    /// If the subscription is not there, or the journal accepts nothing more.
    pub async fn set_raw(
        &self,
        key: &TopicKey,
        id: SubscriptionId,
        raw: bool,
    ) -> Result<(), NoticeError> {
        let set = self.change(key, |topic| {
            topic.subscription(id).ok_or(Refusal::NoSubscription)?;
            Ok(vec![What::RawSet(RawSet { id, raw })])
        });
        match set.await {
            Err(NoticeError::Refused(Refusal::NoTopic)) => Err(Refusal::NoSubscription.into()),
            done => done,
        }
    }

    /// Ends a subscription. One that is not there has ended already.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn unsubscribe(&self, key: TopicKey, id: SubscriptionId) -> Result<(), NoticeError> {
        self.commit(|state| {
            let there = state.topic(&key).and_then(|topic| topic.subscription(id)).is_some();
            Ok(there.then_some(Event::Of(key, What::Unsubscribed(id))).into_iter().collect())
        })
        .await
    }

    /// Forgets everything, for an empty service between two tests.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn clear(&self) -> Result<(), Poisoned> {
        match self.commit(|_| Ok(vec![Event::Cleared])).await {
            Ok(()) => Ok(()),
            Err(NoticeError::Poisoned(poisoned)) => Err(poisoned),
            Err(NoticeError::Refused(refusal)) => unreachable!("nothing was refused: {refusal}"),
        }
    }

    /// Makes a checkpoint, so that the next open replays nothing. Blocks.
    ///
    /// # Errors
    /// If it cannot be stored; the one before stays in force.
    pub fn checkpoint(&self) -> Result<(), CheckpointError> {
        self.0.ledger.checkpoint()
    }

    /// Why the journal accepts nothing more, if so.
    pub fn failure(&self) -> Option<Poisoned> {
        self.0.ledger.journal().is_poisoned().map(Poisoned)
    }

    /// Writes and syncs what is pending, and accepts nothing more.
    ///
    /// # Errors
    /// If the journal had stopped before.
    pub fn close(&self) -> Result<(), Poisoned> {
        self.0.ledger.journal().close()
    }

    /// Decides on what happens to a topic, and has it happen.
    async fn change(
        &self,
        key: &TopicKey,
        decide: impl FnOnce(&Topic) -> Result<Vec<What>, Refusal>,
    ) -> Result<(), NoticeError> {
        self.commit(|state| {
            let whats = decide(state.topic(key).ok_or(Refusal::NoTopic)?)?;
            Ok(whats.into_iter().map(|what| Event::Of(key.clone(), what)).collect())
        })
        .await
    }

    async fn commit(
        &self,
        decide: impl FnOnce(&State) -> Result<Vec<Event>, Refusal>,
    ) -> Result<(), NoticeError> {
        let records = |state: &State| Ok(decide(state)?.iter().map(Event::record).collect());
        match self.0.ledger.commit(records).await {
            Ok(()) => Ok(()),
            Err(CommitError::Refused(refusal)) => Err(NoticeError::Refused(refusal)),
            Err(CommitError::Poisoned(poisoned)) => Err(NoticeError::Poisoned(poisoned)),
            Err(CommitError::Unreadable(why)) => unreachable!("what was decided fits: {why}"),
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}
