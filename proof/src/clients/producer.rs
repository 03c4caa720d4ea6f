//! Sends, singly and in batches, small and large. To a FIFO queue it sends again what it got no
//! answer for, with the same ids; to a standard queue it does not, and does not know.

use std::time::Duration;

use serde_json::{Value, json};

use super::wire::{places, receipt};
use super::{Shared, call, refused};
use crate::body::{self, Number};
use crate::dice::Dice;
use crate::link::{Answer, Link};
use crate::queues::Queue;
use crate::story::{Deed, Group, Receipt};

/// A client that sends to one queue.
pub(crate) struct Producer {
    queue: Queue,
    /// The groups that it alone sends to; none in a standard queue.
    groups: Vec<Group>,
    dice: Dice,
    /// What has to be sent before anything else.
    unanswered: Option<Parcel>,
}

/// What is sent in one request.
struct Parcel {
    numbers: Vec<Number>,
    operation: &'static str,
    parameters: Value,
}

impl Producer {
    pub(crate) fn new(queue: Queue, groups: Vec<Group>, dice: Dice) -> Self {
        Self { queue, groups, dice, unanswered: None }
    }

    pub(super) async fn work(&mut self, link: &mut Link, shared: &Shared) {
        loop {
            let parcel = self.unanswered.take();
            let parcel = parcel.unwrap_or_else(|| self.pack(shared));
            if !self.send(parcel, link, shared).await {
                return;
            }
            tokio::time::sleep(self.dice.millis(0, 12)).await;
        }
    }

    /// Sends what was not answered until it is.
    pub(super) async fn settle(&mut self, link: &mut Link, shared: &Shared) -> bool {
        match self.unanswered.take() {
            Some(parcel) => self.send(parcel, link, shared).await,
            None => true,
        }
    }

    fn pack(&self, shared: &Shared) -> Parcel {
        let count = if self.dice.one_in(2) { 1 } else { self.dice.between(1, 10) };
        let group = (!self.groups.is_empty())
            .then(|| self.groups[self.dice.between(0, self.groups.len() as u64 - 1) as usize]);
        let numbers = shared.ledger.open(self.queue, group, count);
        let mut entries: Vec<_> = numbers.iter().map(|number| self.entry(*number, group)).collect();
        if count == 1 {
            let mut parameters = entries.remove(0);
            parameters["QueueUrl"] = self.queue.url().into();
            return Parcel { numbers, operation: "SendMessage", parameters };
        }
        for (place, entry) in entries.iter_mut().enumerate() {
            entry["Id"] = place.to_string().into();
        }
        let parameters = json!({ "QueueUrl": self.queue.url(), "Entries": entries });
        Parcel { numbers, operation: "SendMessageBatch", parameters }
    }

    fn entry(&self, number: Number, group: Option<Group>) -> Value {
        // Large ones fill the log's segments, so that housekeeping has its share of the crashes.
        let most = if self.dice.one_in(12) { 64 << 10 } else { 400 };
        let size = self.dice.between(1, most) as usize;
        let mut entry = json!({ "MessageBody": body::write(number, size) });
        if let Some(group) = group {
            entry["MessageGroupId"] = group.name().into();
            entry["MessageDeduplicationId"] = format!("d{}", number.0).into();
        } else if self.dice.one_in(8) {
            entry["DelaySeconds"] = 1.into();
        }
        entry
    }

    async fn send(&mut self, parcel: Parcel, link: &mut Link, shared: &Shared) -> bool {
        let began = shared.ledger.moment();
        let answer = call(link, shared, parcel.operation, &parcel.parameters).await;
        let note = |told: Vec<Option<Receipt>>| {
            let numbers = parcel.numbers.iter().copied();
            shared.ledger.note(began, numbers.zip(told.into_iter().map(Deed::Sent)));
        };
        match answer {
            Answer::Done(answer) => {
                note(told(&parcel, &answer, shared));
                true
            }
            Answer::Refused(fault) => {
                refused(shared, parcel.operation, &fault);
                tokio::time::sleep(Duration::from_millis(50)).await;
                true
            }
            Answer::Unknown => {
                note(vec![None; parcel.numbers.len()]);
                if self.queue.is_fifo() {
                    self.unanswered = Some(parcel);
                } else {
                    shared.ledger.lost_batch(parcel.numbers);
                }
                false
            }
        }
    }
}

/// What the answer says of each message.
fn told(parcel: &Parcel, answer: &Value, shared: &Shared) -> Vec<Option<Receipt>> {
    if parcel.operation == "SendMessage" {
        return vec![receipt(answer)];
    }
    let failed = places(answer, "Failed");
    if !failed.is_empty() {
        shared.ledger.violation("What is allowed is not refused", format!("{answer:.300}"));
    }
    let mut told = vec![None; parcel.numbers.len()];
    for place in places(answer, "Successful") {
        let entries = answer["Successful"].as_array().map(Vec::as_slice).unwrap_or_default();
        let id = place.to_string();
        told[place] = entries.iter().find(|entry| entry["Id"] == id).and_then(receipt);
    }
    told
}
