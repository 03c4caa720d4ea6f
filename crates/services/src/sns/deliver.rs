//! Delivery: what is published goes to everybody who subscribed, and is durable there.
//!
//! A queue that cannot take a message, because it is gone or allows none as long, goes without: on
//! AWS, too, such a delivery is given up at once. It is told in the log, and counted.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tidemill_base::MessageId;
use tidemill_notice::{Target, TopicKey};
use tidemill_queue::Failure;
use tracing::warn;

use super::message::Message;
use super::subscriptions::queue_key;
use super::{Sns, arn};
use crate::sqs::{self, Letter, Undelivered};

use super::envelope::Envelope;

/// How often somebody was told of something, and was not.
#[derive(Debug, Default)]
pub struct Told {
    delivered: AtomicU64,
    dropped: AtomicU64,
}

impl Told {
    /// So many messages are in queues that subscribed.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// So many were given up, as their queue could not take them.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// What is published, and what goes with it.
pub(super) struct Published<'a> {
    pub(super) topic: &'a TopicKey,
    /// Where those who are told find the service.
    pub(super) base: &'a str,
    /// What the publisher traces.
    pub(super) trace: Option<&'a str>,
}

impl Sns {
    /// Tells everybody who subscribed to a topic of each of these, in their order; gives their ids.
    /// None if there is no such topic.
    ///
    /// # Errors
    /// If the disk does not take them now. Some may have been told all the same.
    pub(super) async fn publish(
        &self,
        published: &Published<'_>,
        messages: &[Message],
    ) -> Result<Option<Vec<MessageId>>, Failure> {
        let subscribers = self.topics.look(|state| {
            let topic = state.topic(published.topic)?;
            Some(topic.subscriptions().map(|(id, it)| (id, it.clone())).collect::<Vec<_>>())
        });
        let Some(subscribers) = subscribers else { return Ok(None) };
        let (at, sender) = (self.topics.now(), published.topic.account.to_string());
        let mut ids = Vec::with_capacity(messages.len());
        for message in messages {
            let id = self.topics.new_message_id();
            let envelope = Envelope {
                id,
                topic: published.topic,
                subject: message.subject.as_deref(),
                text: &message.text,
                at,
                attributes: &message.attributes,
                base: published.base,
            };
            let plain = Bytes::copy_from_slice(message.text.as_bytes());
            let letter = |(subscription, it): &(_, tidemill_notice::Subscription)| {
                let Target::Queue(queue) = &it.target;
                let (body, attributes) = if it.raw {
                    (plain.clone(), message.attributes.clone())
                } else {
                    (envelope.write(*subscription).into(), Vec::new())
                };
                Letter {
                    queue: queue_key(queue),
                    body,
                    attributes,
                    sender: sender.clone(),
                    trace_header: published.trace.map(str::to_owned),
                    group: message.group.clone(),
                }
            };
            let letters = subscribers.iter().map(letter);
            let delivered = sqs::deliver(&self.queues, letters).await?;
            for ((subscription, _), outcome) in subscribers.iter().zip(delivered) {
                self.count(outcome, || arn::of_subscription(published.topic, *subscription));
            }
            ids.push(id);
        }
        Ok(Some(ids))
    }

    pub(super) fn count(
        &self,
        outcome: Result<(), Undelivered>,
        subscription: impl Fn() -> String,
    ) {
        match outcome {
            Ok(()) => drop(self.told.delivered.fetch_add(1, Ordering::Relaxed)),
            Err(why) => {
                self.told.dropped.fetch_add(1, Ordering::Relaxed);
                warn!(subscription = subscription(), %why, "a notification was dropped");
            }
        }
    }
}
