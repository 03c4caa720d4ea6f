//! Changes attributes and tags, makes queues and removes them, and looks after each crash whether
//! they are as they were when it was last answered.

use std::fmt;

use serde_json::json;

use super::short_lived::ShortLived;
use super::{Shared, call, refused};
use crate::dice::Dice;
use crate::link::{Answer, Link};
use crate::queues::Queue;

/// The shortest retention that it sets: nothing grows too old during a run.
const RETENTION: u64 = 86_400;
/// That of a queue for which none was set.
const DEFAULT: u64 = 345_600;

/// The client that looks after the queues themselves.
pub(crate) struct Keeper {
    dice: Dice,
    /// Added to the retention of the queue without dead letters.
    retention: Register,
    /// The tag of the queue with dead letters.
    tag: Register,
    queue: ShortLived,
    queues_made: u32,
}

/// Something that is written and read. A write whose answer was lost may have been carried out.
#[derive(Debug, Default)]
pub(crate) struct Register {
    sure: u64,
    maybe: Vec<u64>,
}

impl Register {
    fn next(&self) -> u64 {
        self.maybe.iter().copied().fold(self.sure, u64::max) + 1
    }

    /// Notes that a value was written, if that was answered.
    fn wrote(&mut self, value: u64, answered: bool) {
        if answered {
            *self = Self { sure: value, maybe: Vec::new() };
        } else {
            self.maybe.push(value);
        }
    }

    /// Notes what was read; false if it cannot be.
    fn reads(&mut self, value: u64) -> bool {
        let may_be = self.sure == value || self.maybe.contains(&value);
        *self = Self { sure: value, maybe: Vec::new() };
        may_be
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, perhaps {:?}", self.sure, self.maybe)
    }
}

impl Keeper {
    pub(crate) fn new(dice: Dice) -> Self {
        let queue = ShortLived::new(0, &dice);
        let (retention, tag) = (Register::default(), Register::default());
        Self { dice, retention, tag, queue, queues_made: 0 }
    }

    pub(super) async fn work(&mut self, link: &mut Link, shared: &Shared) {
        if !self.check(link, shared).await {
            return;
        }
        loop {
            tokio::time::sleep(self.dice.millis(5, 40)).await;
            let gone = match self.dice.between(1, 6) {
                1 => self.set_retention(link, shared).await,
                2 => self.set_tag(link, shared).await,
                _ => self.queue.step(link, shared).await,
            };
            if gone.is_none() {
                return;
            }
        }
    }

    /// Looks whether all is as it was answered; false if the service went away.
    pub(super) async fn check(&mut self, link: &mut Link, shared: &Shared) -> bool {
        self.checked(link, shared).await.is_some()
    }

    async fn checked(&mut self, link: &mut Link, shared: &Shared) -> Option<()> {
        let parameters =
            json!({ "QueueUrl": Queue::Plain.url(), "AttributeNames": ["MessageRetentionPeriod"] });
        let answer = ask(link, shared, "GetQueueAttributes", &parameters).await?;
        let retention = answer["Attributes"]["MessageRetentionPeriod"].as_str();
        let retention = retention.and_then(|text| text.parse::<u64>().ok());
        let retention = step_of(retention);
        expect(&mut self.retention, retention, "the retention", shared);

        let parameters = json!({ "QueueUrl": Queue::Orders.url() });
        let answer = ask(link, shared, "ListQueueTags", &parameters).await?;
        let tag = answer["Tags"]["n"].as_str().and_then(|text| text.parse().ok());
        expect(&mut self.tag, tag.unwrap_or(0), "the tag", shared);

        if self.queue.check(link, shared).await? {
            self.queues_made += 1;
            self.queue = ShortLived::new(self.queues_made, &self.dice);
        }
        Some(())
    }

    async fn set_retention(&mut self, link: &mut Link, shared: &Shared) -> Option<()> {
        let value = self.retention.next();
        let attributes = json!({ "MessageRetentionPeriod": (RETENTION + value).to_string() });
        let parameters = json!({ "QueueUrl": Queue::Plain.url(), "Attributes": attributes });
        let answered = ask(link, shared, "SetQueueAttributes", &parameters).await;
        self.retention.wrote(value, answered.is_some());
        answered.map(drop)
    }

    async fn set_tag(&mut self, link: &mut Link, shared: &Shared) -> Option<()> {
        let value = self.tag.next();
        let parameters =
            json!({ "QueueUrl": Queue::Orders.url(), "Tags": { "n": value.to_string() } });
        let answered = ask(link, shared, "TagQueue", &parameters).await;
        self.tag.wrote(value, answered.is_some());
        answered.map(drop)
    }
}

/// Which of the values that were set a retention is: 0 is the default, as long as none was. One
/// that nobody set is none of them.
fn step_of(retention: Option<u64>) -> u64 {
    match retention {
        Some(DEFAULT) => 0,
        Some(it) => it.checked_sub(RETENTION).unwrap_or(u64::MAX),
        None => u64::MAX,
    }
}

fn expect(register: &mut Register, value: u64, what: &str, shared: &Shared) {
    let before = register.to_string();
    if !register.reads(value) {
        let detail = format!("{what} is {value}, and was {before}");
        shared.ledger.violation("What was set stays set", detail);
    }
}

/// Calls what cannot be refused; nothing if the answer was lost.
async fn ask(
    link: &mut Link,
    shared: &Shared,
    operation: &str,
    parameters: &serde_json::Value,
) -> Option<serde_json::Value> {
    match call(link, shared, operation, parameters).await {
        Answer::Done(answer) => Some(answer),
        Answer::Unknown => None,
        Answer::Refused(fault) => {
            refused(shared, operation, &fault);
            Some(serde_json::Value::Null)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT, RETENTION, Register, step_of};

    #[test]
    fn a_retention_that_nobody_set_is_none_of_those_that_were() {
        assert_eq!((step_of(Some(DEFAULT)), step_of(Some(RETENTION + 3))), (0, 3));
        assert_eq!((step_of(Some(60)), step_of(None)), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_register_may_hold_what_was_lost_and_must_hold_what_was_answered() {
        let mut register = Register::default();
        register.wrote(1, true);
        register.wrote(2, false);
        register.wrote(3, false);
        assert_eq!(register.next(), 4);
        assert!(register.reads(2));
        assert!(!register.reads(3), "what was read stays");
        register.wrote(5, true);
        assert!(!register.reads(3), "an answered write is there");
    }
}
