//! Messages: sent, deleted, hidden for longer.

use std::time::Duration;

use tidemill_base::MessageId;

use super::Engine;
use crate::commands::{ChangeVisibility, Delete, Send, Sending};
use crate::content::Packed;
use crate::deduplication::Marks;
use crate::key::QueueId;
use crate::machine::Few;
use crate::message::{NewMessage, Sent};
use crate::receipt::Receipt;
use crate::refusal::{Error, Refusal};

impl Engine {
    /// Sends a message. It is durable when this returns.
    pub async fn send(&self, id: QueueId, message: NewMessage) -> Result<Sent, Error> {
        let mut sent = self.send_all(id, std::iter::once(message)).await?;
        Ok(sent.pop().expect("a message that was sent has an answer"))
    }

    /// Sends messages, all of them or none, in this order. Those that a FIFO queue was sent
    /// before, or that repeat one of the call, are not stored. Refuses with
    /// [`Refusal::TooLarge`].
    pub async fn send_batch(
        &self,
        id: QueueId,
        messages: Vec<NewMessage>,
    ) -> Result<Vec<Sent>, Error> {
        Ok(self.send_all(id, messages.into_iter()).await?.into_vec())
    }

    async fn send_all(
        &self,
        id: QueueId,
        messages: impl ExactSizeIterator<Item = NewMessage>,
    ) -> Result<Few<Sent>, Error> {
        self.0.may_grow()?;
        let queue = self.0.number(id)?;
        let mut contents: Few<Packed> = Few::with_capacity(messages.len());
        let mut new = Few::with_capacity(messages.len());
        for NewMessage { content, delay } in messages {
            let id = MessageId::random(&self.0.chance);
            let group = content.group.as_deref().map(Into::into);
            new.push(Sending { id, delay, group, marks: Marks::of(&content) });
            contents.push(Packed::new(id, content));
        }
        let sent = {
            let mut shard = self.0.lock();
            let send = Send { queue, messages: new };
            let sent = self.0.commit(&mut shard, &send, &contents)?;
            if let Ok(queue) = shard.machine.queue_mut(queue) {
                let tally = &mut queue.memory.tally;
                for (content, sent) in contents.iter().zip(&sent.reply) {
                    if sent.duplicate {
                        tally.deduplicated += 1;
                    } else {
                        tally.sent += 1;
                        tally.sent_bytes += count(content.body().len());
                    }
                }
            }
            self.0.watch(&mut shard, queue);
            sent
        };
        self.0.journal.durable_at(sent.upto).await?;
        Ok(sent.reply)
    }

    /// Deletes messages; an answer a receipt. On a standard queue any receipt of a message will
    /// do, and anywhere one that is gone already counts as deleted. Refuses single ones with
    /// [`Refusal::BadReceipt`] and, on a FIFO queue, [`Refusal::ReceiptExpired`].
    pub async fn delete(
        &self,
        id: QueueId,
        receipts: &[Receipt],
    ) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.0.may_change()?;
        let queue = self.0.number(id)?;
        let delete = Delete { queue, receipts: receipts.to_vec() };
        let committed = {
            let mut shard = self.0.lock();
            let committed = self.0.commit(&mut shard, &delete, &[])?;
            let queue = shard.machine.queue_mut(queue)?;
            queue.memory.tally.deleted += count(committed.reply.deleted);
            if queue.stock.has_ready() && !queue.memory.waiters.is_empty() {
                // There may be room in flight again, or a group that waited for this.
                self.0.attend(&mut shard, delete.queue);
            }
            committed
        };
        self.0.journal.durable_at(committed.upto).await?;
        Ok(committed.reply.answers)
    }

    /// Has messages stay hidden for so long from now on; an answer a receipt. With no time at
    /// all they are visible at once. Refuses single ones with [`Refusal::BadReceipt`] and
    /// [`Refusal::MessageGone`].
    pub async fn change_visibility(
        &self,
        id: QueueId,
        changes: &[(Receipt, Duration)],
    ) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.0.may_change()?;
        let queue = self.0.number(id)?;
        let change = ChangeVisibility { queue, changes: changes.to_vec() };
        let committed = {
            let mut shard = self.0.lock();
            let committed = self.0.commit(&mut shard, &change, &[])?;
            self.0.attend(&mut shard, queue);
            committed
        };
        self.0.journal.durable_at(committed.upto).await?;
        Ok(committed.reply)
    }
}

/// A number of things in memory, as counters keep it.
pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).expect("a number of things in memory fits 64 bits")
}
