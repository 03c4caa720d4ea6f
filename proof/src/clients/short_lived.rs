//! A queue with a short life: it is made, sent to, purged, sent to again and removed. A crash may
//! come between any two steps, or in one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Shared, call, refused};
use crate::dice::Dice;
use crate::link::{Answer, Link};

/// Whether something is so, as far as a client can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    No,
    Maybe,
}

/// One queue.
#[derive(Debug)]
pub(super) struct ShortLived {
    name: String,
    /// How many messages are sent before and after the purge, one by one.
    before: u32,
    after: u32,
    sent: u32,
    exists: Known,
    purged: Known,
    removed: Known,
    /// Messages that surely are stored, and those that may be.
    sure: BTreeSet<String>,
    maybe: BTreeSet<String>,
}

impl ShortLived {
    pub(super) fn new(nth: u32, dice: &Dice) -> Self {
        Self {
            name: format!("short-lived-{nth}"),
            before: dice.between(0, 5) as u32,
            after: dice.between(0, 4) as u32,
            sent: 0,
            exists: Known::No,
            purged: Known::No,
            removed: Known::No,
            sure: BTreeSet::new(),
            maybe: BTreeSet::new(),
        }
    }

    /// Takes the next step of its life; nothing if the service went away.
    pub(super) async fn step(&mut self, link: &mut Link, shared: &Shared) -> Option<()> {
        if self.exists == Known::No {
            let parameters = json!({ "QueueName": self.name });
            return self
                .ask(link, shared, "CreateQueue", parameters, |it, so| it.exists = so)
                .await;
        }
        let parameters = json!({ "QueueUrl": self.name });
        if self.sent == self.before && self.purged == Known::No {
            self.ask(link, shared, "PurgeQueue", parameters, Self::note_purge).await
        } else if self.sent < self.before + self.after {
            let body = self.sent.to_string();
            self.sent += 1;
            let parameters = json!({ "QueueUrl": self.name, "MessageBody": body });
            let note = |it: &mut Self, so| {
                if so == Known::Yes { &mut it.sure } else { &mut it.maybe }.insert(body);
            };
            self.ask(link, shared, "SendMessage", parameters, note).await
        } else if self.removed == Known::No {
            self.ask(link, shared, "DeleteQueue", parameters, |it, so| it.removed = so).await
        } else {
            Some(())
        }
    }

    fn note_purge(&mut self, purged: Known) {
        self.purged = purged;
        if purged == Known::Yes {
            // What was sent earlier is gone, stored or not.
            self.sure.clear();
            self.maybe.clear();
        }
    }

    async fn ask(
        &mut self,
        link: &mut Link,
        shared: &Shared,
        operation: &str,
        parameters: Value,
        note: impl FnOnce(&mut Self, Known),
    ) -> Option<()> {
        match call(link, shared, operation, &parameters).await {
            Answer::Done(_) => note(self, Known::Yes),
            Answer::Refused(fault) => refused(shared, operation, &fault),
            Answer::Unknown => {
                note(self, Known::Maybe);
                return None;
            }
        }
        Some(())
    }

    /// Looks whether it is as it was answered. True if it has been looked at for the last time:
    /// it was removed, or holds all that it will.
    pub(super) async fn check(&mut self, link: &mut Link, shared: &Shared) -> Option<bool> {
        let parameters = json!({ "QueueName": self.name });
        let exists = match call(link, shared, "GetQueueUrl", &parameters).await {
            Answer::Done(_) => true,
            Answer::Refused(fault) if fault.says("QueueDoesNotExist") => false,
            Answer::Refused(fault) => {
                refused(shared, "GetQueueUrl", &fault);
                return Some(true);
            }
            Answer::Unknown => return None,
        };
        let may_be = match (self.exists, self.removed) {
            (Known::No, _) | (_, Known::Yes) => !exists,
            (Known::Yes, Known::No) => exists,
            _ => true,
        };
        if !may_be {
            let claim = "A queue is there from its creation to its removal";
            shared.ledger.violation(claim, format!("it is {exists} that {self:?} exists"));
        }
        if !exists {
            // That it is not there is known now, and it is made anew if it never was.
            self.exists = Known::No;
            return Some(self.removed != Known::No);
        }
        self.exists = Known::Yes;
        if self.removed == Known::No && self.sent < self.before + self.after {
            return Some(false);
        }
        self.check_messages(link, shared).await?;
        Some(true)
    }

    /// Receives all it holds, which is less than one receive may give. Nothing is hidden by that:
    /// should the answer be lost, the next look sees the same.
    async fn check_messages(&self, link: &mut Link, shared: &Shared) -> Option<()> {
        let parameters =
            json!({ "QueueUrl": self.name, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0 });
        let answer = match call(link, shared, "ReceiveMessage", &parameters).await {
            Answer::Done(answer) => answer,
            Answer::Unknown => return None,
            Answer::Refused(fault) => {
                refused(shared, "ReceiveMessage", &fault);
                return Some(());
            }
        };
        let messages = answer["Messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = messages.iter().filter_map(|it| it["Body"].as_str().map(str::to_owned));
        let found: BTreeSet<String> = found.collect();
        let earlier = |body: &String| body.parse::<u32>().is_ok_and(|sent| sent < self.before);
        // A purge whose answer was lost took all that was sent before it, or nothing.
        let is_purged = self.purged == Known::Maybe && !found.iter().any(earlier);
        let missing = self.sure.difference(&found).any(|body| !(is_purged && earlier(body)));
        let strange = found.iter().any(|it| !self.sure.contains(it) && !self.maybe.contains(it));
        if missing || strange {
            let claim = "A purge takes what was sent before it, and nothing else";
            shared.ledger.violation(claim, format!("found {found:?} in {self:?}"));
        }
        Some(())
    }
}
