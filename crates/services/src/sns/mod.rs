//! SNS: topics, who subscribed to them, and what is published, one operation, or a few of the same
//! kind, a file.
//!
//! Nothing of what is published is kept: a message is in every queue that subscribed, durable
//! there, before its publisher is answered.

mod arn;
mod attributes;
mod batch;
mod deliver;
mod envelope;
mod fault;
mod message;
mod message_attributes;
mod page;
mod publish;
mod subscriptions;
mod tags;
mod tell;
mod topics;

pub use deliver::Told;
pub(crate) use envelope::timestamp;
pub(crate) use tell::Untold;

use std::sync::{Arc, OnceLock};

use tidemill_api::sns::{Request, Response, errors};
use tidemill_notice::{Notices, TopicKey};
use tidemill_queue::Engine;
use tidemill_wire::Fault;

use crate::context::Context;

/// The service over its engines: the topics, and the queues that it delivers to.
#[derive(Clone)]
pub struct Sns {
    topics: Notices,
    /// It looks after the disk for all: where it takes nothing in, neither do we.
    queues: Engine,
    /// Where the service is found by those who are told of what no client published.
    endpoint: Arc<OnceLock<String>>,
    told: Arc<Told>,
}

impl Sns {
    /// The service that serves `topics` and delivers to `queues`. `endpoint` is where it is found,
    /// once that is known.
    pub fn new(topics: Notices, queues: Engine, endpoint: Arc<OnceLock<String>>) -> Self {
        Self { topics, queues, endpoint, told: Arc::default() }
    }

    /// How often somebody was told of something, and was not.
    pub fn told(&self) -> &Arc<Told> {
        &self.told
    }

    /// Answers one request.
    pub async fn handle(&self, cx: &Context<'_>, request: Request) -> Result<Response, Fault> {
        use {Request as Q, Response as A};
        match request {
            Q::ConfirmSubscription(_) => Err(subscriptions::confirm()),
            Q::CreateTopic(it) => topics::create(self, cx, it).await.map(A::CreateTopic),
            Q::DeleteTopic(it) => {
                topics::delete(self, cx, &it.topic_arn).await.map(|()| A::DeleteTopic)
            }
            Q::GetSubscriptionAttributes(it) => {
                subscriptions::get(self, cx, &it).map(A::GetSubscriptionAttributes)
            }
            Q::GetTopicAttributes(it) => topics::get(self, cx, &it).map(A::GetTopicAttributes),
            Q::ListSubscriptions(it) => {
                subscriptions::list(self, cx, &it).map(A::ListSubscriptions)
            }
            Q::ListSubscriptionsByTopic(it) => {
                subscriptions::list_of(self, cx, &it).map(A::ListSubscriptionsByTopic)
            }
            Q::ListTagsForResource(it) => tags::list(self, cx, &it).map(A::ListTagsForResource),
            Q::ListTopics(it) => topics::list(self, cx, &it).map(A::ListTopics),
            Q::Publish(it) => publish::handle(self, cx, it).await.map(A::Publish),
            Q::PublishBatch(it) => batch::handle(self, cx, it).await.map(A::PublishBatch),
            Q::SetSubscriptionAttributes(it) => {
                subscriptions::set(self, cx, it).await.map(|()| A::SetSubscriptionAttributes)
            }
            Q::SetTopicAttributes(it) => {
                topics::set(self, cx, it).await.map(|()| A::SetTopicAttributes)
            }
            Q::Subscribe(it) => subscriptions::subscribe(self, cx, it).await.map(A::Subscribe),
            Q::TagResource(it) => tags::add(self, cx, it).await.map(A::TagResource),
            Q::Unsubscribe(it) => {
                let done = subscriptions::unsubscribe(self, cx, &it.subscription_arn).await;
                done.map(|()| A::Unsubscribe)
            }
            Q::UntagResource(it) => tags::remove(self, cx, it).await.map(A::UntagResource),
        }
    }

    /// Refuses a change that the disk may not keep.
    fn may_change(&self) -> Result<(), Fault> {
        self.queues.failure().map_or(Ok(()), |failure| Err(fault::of_disk(&failure)))
    }
}

/// The topic that a caller's ARN means, if the caller may use it.
fn named(cx: &Context<'_>, arn: &str, action: &str) -> Result<TopicKey, Fault> {
    let key = arn::topic(arn, "TopicArn")?;
    check_owner(cx, &key, arn, action)?;
    if key.region == cx.region { Ok(key) } else { Err(fault::invalid("TopicArn")) }
}

/// Policies are kept and not yet obeyed: a topic is its own account's alone.
fn check_owner(cx: &Context<'_>, key: &TopicKey, arn: &str, action: &str) -> Result<(), Fault> {
    if cx.principal.is_of(key.account) {
        return Ok(());
    }
    let message = format!(
        "User: {} is not authorized to perform: SNS:{action} on resource: {arn} because no \
         resource-based policy allows the SNS:{action} action",
        cx.principal
    );
    Err(Fault::new(&errors::AUTHORIZATION_ERROR_EXCEPTION, message))
}
