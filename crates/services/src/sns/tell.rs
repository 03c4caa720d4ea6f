//! What our own services have to say: to a topic, or straight to a queue.

use tidemill_base::{AccountId, Region};

use super::deliver::Published;
use super::message::Message;
use super::{Sns, arn};
use crate::sqs::{self, Letter};

/// Most characters of a subject.
const SUBJECT: usize = 100;
/// Where nobody knows where the service is found.
const NOWHERE: &str = "http://127.0.0.1";

/// Why somebody was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Untold {
    /// He never will be, for this reason.
    Never(String),
    /// The disk does not take it now.
    NotNow,
}

impl Sns {
    /// Whether there is a topic of this ARN in `account` and `region`, or a queue that takes what
    /// says nothing of order.
    pub(crate) fn finds(&self, target: &str, account: AccountId, region: &Region) -> bool {
        if let Some(queue) = sqs::of_arn(target) {
            let near = queue.account == account && queue.region == *region;
            return near && !queue.name.is_fifo() && self.queues.find(&queue).is_some();
        }
        arn::read(target).is_some_and(|key| {
            let near = key.account == account && key.region == *region;
            near && self.topics.look(|state| state.topic(&key).is_some())
        })
    }

    /// Tells a topic, or a queue, of `account` what one of our services has to say. It is durable
    /// when this returns.
    pub(crate) async fn tell(
        &self,
        target: &str,
        account: AccountId,
        subject: &str,
        message: String,
    ) -> Result<(), Untold> {
        let never = |why: &str| Untold::Never(why.to_owned());
        if let Some(queue) = sqs::of_arn(target) {
            if queue.account != account {
                return Err(never("The queue is of another account"));
            }
            let letter = Letter {
                queue,
                body: message.into(),
                attributes: Vec::new(),
                sender: account.to_string(),
                trace_header: None,
                group: None,
            };
            let delivered = sqs::deliver(&self.queues, std::iter::once(letter)).await;
            let outcome = delivered.map_err(|_| Untold::NotNow)?.swap_remove(0);
            self.count(outcome, || target.to_owned());
            return outcome.map_err(|why| Untold::Never(why.to_string()));
        }
        let key = arn::read(target).ok_or_else(|| never("It is no topic"))?;
        if key.account != account {
            return Err(never("The topic is of another account"));
        }
        let base = self.endpoint.get().map_or(NOWHERE, String::as_str);
        let published = Published { topic: &key, base, trace: None };
        let message = Message {
            subject: Some(subject.chars().take(SUBJECT).collect()),
            text: message,
            attributes: Vec::new(),
            group: None,
        };
        match self.publish(&published, &[message]).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(never("Topic does not exist")),
            Err(_) => Err(Untold::NotNow),
        }
    }
}
