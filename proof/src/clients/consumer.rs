//! Receives, and does with what it got what consumers do: deletes it, gives it up, takes more time
//! for it, forgets it, or comes back to it much later with an old handle.

use std::time::Duration;

use serde_json::{Value, json};

use super::wire::{Message, handles, messages, places};
use super::{Shared, call, refused};
use crate::body::Number;
use crate::dice::Dice;
use crate::link::{Answer, Link};
use crate::queues::Queue;
use crate::story::{Deed, Id, MARGIN, Moment};

/// At most so many old handles are kept.
const KEPT: usize = 40;

/// A client that receives from one queue.
pub(crate) struct Consumer {
    queue: Queue,
    dice: Dice,
    /// Handles of messages that it has not deleted yet.
    kept: Vec<Held>,
    /// A receive from a FIFO queue whose answer was lost: asked again with the same attempt id,
    /// it gives the same messages.
    unanswered: Option<Value>,
}

/// A message that it received.
#[derive(Clone)]
struct Held {
    number: Number,
    id: Id,
    handle: String,
    /// When it asked for it.
    received: Moment,
    /// Until then nobody else can have it, by the monotonic clock.
    until: Duration,
}

/// What it does with some messages.
#[derive(Clone, Copy)]
enum Act {
    Delete,
    /// Hides them for so many seconds; for none: gives them up.
    Hide(u64),
}

impl Consumer {
    pub(crate) fn new(queue: Queue, dice: Dice) -> Self {
        Self { queue, dice, kept: Vec::new(), unanswered: None }
    }

    /// Lets go of all it holds: the reckoning will find it.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
        self.unanswered = None;
    }

    pub(super) async fn work(&mut self, link: &mut Link, shared: &Shared) {
        while self.turn(link, shared).await.is_some() {
            if self.queue.lets_go() && self.queue.dead_letters().is_none() {
                // Most dead letters are left for the move tasks.
                tokio::time::sleep(self.dice.millis(50, 400)).await;
            }
        }
    }

    /// One receive, and what comes of it; nothing if the service went away.
    async fn turn(&mut self, link: &mut Link, shared: &Shared) -> Option<()> {
        let got = self.receive(link, shared).await?;
        // Where there are dead letters, more fails.
        let deletes = if self.queue.dead_letters().is_some() { 7 } else { 11 };
        match self.dice.between(1, 20) {
            few if few <= deletes => self.act(Act::Delete, got, link, shared).await?,
            ..=14 => self.act(Act::Hide(0), got, link, shared).await?,
            15 => self.act(Act::Hide(2), got, link, shared).await?,
            // Some of an answer is deleted, the rest comes back.
            16..=17 => {
                let some = got.into_iter().filter(|_| self.dice.one_in(2)).collect();
                self.act(Act::Delete, some, link, shared).await?;
            }
            _ => {
                self.kept.extend(got);
                let surplus = self.kept.len().saturating_sub(KEPT);
                self.kept.drain(..surplus);
            }
        }
        if !self.kept.is_empty() && self.dice.one_in(4) {
            let at = self.dice.between(0, self.kept.len() as u64 - 1) as usize;
            let old = self.kept.drain(at..(at + 10).min(self.kept.len())).collect();
            self.act(Act::Delete, old, link, shared).await?;
        }
        Some(())
    }

    async fn receive(&mut self, link: &mut Link, shared: &Shared) -> Option<Vec<Held>> {
        let parameters = self.unanswered.take().unwrap_or_else(|| self.ask());
        let seconds = parameters["VisibilityTimeout"].as_u64().unwrap_or_default();
        let (began, since) = (shared.ledger.moment(), shared.clock.monotonic());
        match call(link, shared, "ReceiveMessage", &parameters).await {
            Answer::Done(answer) => {
                let until = since + Duration::from_secs(seconds);
                let got = messages(&answer, self.queue, until, shared, false);
                let held = |it: &Message| Held {
                    number: it.number,
                    id: it.sight.id.clone(),
                    handle: it.handle.clone(),
                    received: began,
                    until,
                };
                let held = got.iter().map(held).collect();
                let deeds = got.into_iter().map(|it| (it.number, Deed::Received(it.sight)));
                shared.ledger.note(began, deeds);
                Some(held)
            }
            Answer::Refused(fault) => {
                refused(shared, "ReceiveMessage", &fault);
                None
            }
            Answer::Unknown => {
                shared.ledger.lost_receive(self.queue);
                if self.queue.is_fifo() && self.dice.one_in(2) {
                    self.unanswered = Some(parameters);
                }
                None
            }
        }
    }

    fn ask(&self) -> Value {
        let mut parameters = json!({
            "QueueUrl": self.queue.url(),
            "MaxNumberOfMessages": self.dice.between(1, 10),
            "VisibilityTimeout": self.dice.between(1, 2),
            "WaitTimeSeconds": self.dice.between(0, 1),
            "MessageSystemAttributeNames": ["All"],
        });
        if self.queue.is_fifo() {
            let attempt = format!("a{}", self.dice.between(0, u64::MAX - 1));
            parameters["ReceiveRequestAttemptId"] = attempt.into();
        }
        parameters
    }

    /// Does it to all of them, in one batch or singly.
    async fn act(
        &mut self,
        act: Act,
        these: Vec<Held>,
        link: &mut Link,
        shared: &Shared,
    ) -> Option<()> {
        if these.is_empty() {
            return Some(());
        }
        if these.len() > 1 && self.dice.one_in(2) {
            return self.act_at_once(act, &these, link, shared).await;
        }
        for one in &these {
            let mut parameters = act.parameters();
            parameters["QueueUrl"] = self.queue.url().into();
            parameters["ReceiptHandle"] = one.handle.as_str().into();
            let (began, since) = (shared.ledger.moment(), shared.clock.monotonic());
            let answer = call(link, shared, act.operation(), &parameters).await;
            match &answer {
                Answer::Refused(fault) => self.may_be_refused(act, &fault.body, shared),
                Answer::Done(_) => self.note(act, began, since, &[one], true, shared),
                Answer::Unknown => self.note(act, began, since, &[one], false, shared),
            }
            if matches!(answer, Answer::Unknown) {
                return None;
            }
        }
        Some(())
    }

    async fn act_at_once(
        &mut self,
        act: Act,
        these: &[Held],
        link: &mut Link,
        shared: &Shared,
    ) -> Option<()> {
        let with = act.parameters();
        let parameters = handles(self.queue, these.iter().map(|it| it.handle.as_str()), &with);
        let operation = format!("{}Batch", act.operation());
        let (began, since) = (shared.ledger.moment(), shared.clock.monotonic());
        match call(link, shared, &operation, &parameters).await {
            Answer::Done(answer) => {
                for entry in answer["Failed"].as_array().into_iter().flatten() {
                    self.may_be_refused(act, &entry.to_string(), shared);
                }
                let done = places(&answer, "Successful");
                let done: Vec<_> = done.into_iter().map(|place| &these[place]).collect();
                self.note(act, began, since, &done, true, shared);
                Some(())
            }
            Answer::Refused(fault) => {
                refused(shared, &operation, &fault);
                Some(())
            }
            Answer::Unknown => {
                let all: Vec<_> = these.iter().collect();
                self.note(act, began, since, &all, false, shared);
                None
            }
        }
    }

    /// What became of it, and until when each is held by whoever deletes it later.
    fn note(
        &mut self,
        act: Act,
        began: Moment,
        since: Duration,
        these: &[&Held],
        answered: bool,
        shared: &Shared,
    ) {
        let now = shared.clock.monotonic();
        let deed = |one: &&Held| {
            let deed = match act {
                Act::Hide(seconds) => Deed::Hidden { seconds },
                Act::Delete => Deed::Deleted {
                    from: self.queue,
                    id: one.id.clone(),
                    answered,
                    received: one.received,
                    held: now + MARGIN < one.until,
                },
            };
            (one.number, deed)
        };
        shared.ledger.note(began, these.iter().map(deed));
        if let Act::Hide(seconds @ 1..) = act {
            // Kept, to be deleted later. Whether the change was made may not be known.
            let until = since + Duration::from_secs(seconds);
            let longer = |one: &&Held| Held {
                until: if answered { until } else { until.min(one.until) },
                ..(*one).clone()
            };
            self.kept.extend(these.iter().map(longer));
        }
    }

    /// Handles of a FIFO queue end with their visibility timeout, and what is deleted, moved or
    /// dead cannot be hidden.
    fn may_be_refused(&self, act: Act, fault: &str, shared: &Shared) {
        let is_expired = self.queue.is_fifo() && fault.contains("receipt handle has expired");
        let is_gone = matches!(act, Act::Hide(_)) && fault.contains("Message does not exist");
        if !is_expired && !is_gone {
            let detail = format!("{}: {fault}", act.operation());
            shared.ledger.violation("What is allowed is not refused", detail);
        }
    }
}

impl Act {
    fn operation(self) -> &'static str {
        match self {
            Self::Delete => "DeleteMessage",
            Self::Hide(_) => "ChangeMessageVisibility",
        }
    }

    fn parameters(self) -> Value {
        match self {
            Self::Delete => json!({}),
            Self::Hide(seconds) => json!({ "VisibilityTimeout": seconds }),
        }
    }
}
