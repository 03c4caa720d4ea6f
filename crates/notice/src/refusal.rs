//! What a caller did wrong, as facts. Whoever speaks to the caller has words for them.

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no topic of this name.
    #[error("there is no such topic")]
    NoTopic,
    /// The topic has no subscription of this id.
    #[error("there is no such subscription")]
    NoSubscription,
    /// There is a topic of this name, and it is set to something else.
    #[error("the topic is there, and is set to something else")]
    OtherSettings,
    /// There is a topic of this name, and its tags are not these.
    #[error("the topic is there, and has other tags")]
    OtherTags,
    /// There is such a subscription, and it is of another form.
    #[error("the subscription is there, and is of another form")]
    OtherForm,
    /// More topics than there may be.
    #[error("there may be {0} topics")]
    TooManyTopics(usize),
    /// More subscriptions than there may be.
    #[error("there may be {0} subscriptions of a topic")]
    TooManySubscriptions(usize),
    /// More tags than there may be.
    #[error("there may be {0} tags")]
    TooManyTags(usize),
}
