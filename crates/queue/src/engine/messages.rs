//! Messages: sent, deleted, hidden for longer.

use std::iter::once;
use std::time::Duration;

use tidemill_base::MessageId;
use tidemill_journal::Position;

use super::shard::{Committed, Shard};
use super::{Engine, Inner};
use crate::commands::{ChangeVisibility, Delete, Send, Sending};
use crate::content::Packed;
use crate::deduplication::Marks;
use crate::key::{QueueId, QueueNumber};
use crate::machine::Few;
use crate::message::{NewMessage, Sent};
use crate::receipt::Receipt;
use crate::refusal::{Error, Refusal};

/// Messages ready to be sent, all of them to one queue.
struct Letters {
    messages: Few<Sending>,
    contents: Few<Packed>,
}

/// What became of things that were done together, each for itself.
#[derive(Debug)]
pub struct Each<T> {
    /// What is to be told of each, in their order, once the log is durable.
    pub outcomes: Vec<Result<T, Error>>,
    /// Up to where: see [`Engine::durable`].
    pub upto: Position,
}

impl<T> Each<T> {
    fn with_capacity(number: usize) -> Self {
        Self { outcomes: Vec::with_capacity(number), upto: Position::ZERO }
    }

    fn push(&mut self, done: Result<Committed<T>, Error>) {
        self.outcomes.push(done.map(|Committed { reply, upto }| {
            self.upto = self.upto.max(upto);
            reply
        }));
    }
}

impl Engine {
    /// Sends a message. It is durable when this returns.
    pub async fn send(&self, id: QueueId, message: NewMessage) -> Result<Sent, Error> {
        let Each { mut outcomes, upto } = self.send_each(once((id, message)));
        self.durable(upto, 1).await?;
        outcomes.pop().expect("a message that was sent has an answer")
    }

    /// Sends messages, all of them or none, in this order. Those that a FIFO queue was sent
    /// before, or that repeat one of the call, are not stored. Refuses with
    /// [`Refusal::TooLarge`].
    pub async fn send_batch(
        &self,
        id: QueueId,
        messages: Vec<NewMessage>,
    ) -> Result<Vec<Sent>, Error> {
        self.0.may_grow()?;
        let queue = self.0.number(id)?;
        let letters = self.0.pack(messages.into_iter());
        let sent = self.0.post(&mut self.0.lock(), queue, letters)?;
        self.0.journal.durable_for(sent.upto, sent.reply.len()).await?;
        Ok(sent.reply.into_vec())
    }

    /// Sends messages to whatever queues, each for itself, with one turn of the lock and one sync
    /// for all of them. None is durable, and none may be told of, before what is returned is.
    pub fn send_each(
        &self,
        messages: impl ExactSizeIterator<Item = (QueueId, NewMessage)>,
    ) -> Each<Sent> {
        let mut each = Each::with_capacity(messages.len());
        if let Err(failure) = self.0.may_grow() {
            messages.for_each(|_| each.push(Err(failure.clone().into())));
            return each;
        }
        let pack = |(id, message)| Ok((self.0.number(id)?, self.0.pack(once(message))));
        let packed: Vec<Result<_, Refusal>> = messages.map(pack).collect();
        let mut shard = self.0.lock();
        for one in packed {
            let post = |(queue, letters)| self.0.post(&mut shard, queue, letters);
            let sent = one.map_err(Error::from).and_then(post);
            each.push(sent.map(|Committed { reply, upto }| {
                let reply = *reply.first().expect("a message that was sent has an answer");
                Committed { reply, upto }
            }));
        }
        each
    }

    /// Waits until the log is durable up to where [`Each`] says, for so `many` at once.
    pub async fn durable(&self, upto: Position, many: usize) -> Result<(), Error> {
        Ok(self.0.journal.durable_for(upto, many).await?)
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
        let deleted = self.0.strike(&mut self.0.lock(), queue, receipts)?;
        self.0.journal.durable_for(deleted.upto, receipts.len()).await?;
        Ok(deleted.reply)
    }

    /// As [`Engine::delete`], of messages of whatever queues, each for itself, with one turn of the
    /// lock and one sync for all of them. None may be told of before what is returned is durable.
    pub fn delete_each(
        &self,
        messages: impl ExactSizeIterator<Item = (QueueId, Receipt)>,
    ) -> Each<()> {
        let mut each = Each::with_capacity(messages.len());
        if let Err(failure) = self.0.may_change() {
            messages.for_each(|_| each.push(Err(failure.clone().into())));
            return each;
        }
        let mut shard = self.0.lock();
        for (id, receipt) in messages {
            let deleted = self.0.number(id).map_err(Error::from);
            let deleted = deleted.and_then(|queue| self.0.strike(&mut shard, queue, &[receipt]));
            each.push(deleted.and_then(|Committed { mut reply, upto }| {
                reply.pop().expect("a receipt has an answer")?;
                Ok(Committed { reply: (), upto })
            }));
        }
        each
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
        self.0.journal.durable_for(committed.upto, changes.len()).await?;
        Ok(committed.reply)
    }
}

impl Inner {
    /// Gives messages their ids, and packs them as they are written.
    fn pack(&self, messages: impl ExactSizeIterator<Item = NewMessage>) -> Letters {
        let mut letters = Letters {
            messages: Few::with_capacity(messages.len()),
            contents: Few::with_capacity(messages.len()),
        };
        for NewMessage { content, delay } in messages {
            let id = MessageId::random(&self.chance);
            let group = content.group.as_deref().map(Into::into);
            letters.messages.push(Sending { id, delay, group, marks: Marks::of(&content) });
            letters.contents.push(Packed::new(id, content));
        }
        letters
    }

    /// Sends what was packed, all of it or nothing.
    fn post(
        &self,
        shard: &mut Shard,
        queue: QueueNumber,
        Letters { messages, contents }: Letters,
    ) -> Result<Committed<Few<Sent>>, Error> {
        let sent = self.commit(shard, &Send { queue, messages }, &contents)?;
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
        self.watch(shard, queue);
        Ok(sent)
    }

    /// Deletes messages of a queue; an answer a receipt.
    fn strike(
        &self,
        shard: &mut Shard,
        queue: QueueNumber,
        receipts: &[Receipt],
    ) -> Result<Committed<Vec<Result<(), Refusal>>>, Error> {
        let delete = Delete { queue, receipts: receipts.to_vec() };
        let Committed { reply, upto } = self.commit(shard, &delete, &[])?;
        let found = shard.machine.queue_mut(queue)?;
        found.memory.tally.deleted += count(reply.deleted);
        if found.stock.has_ready() && !found.memory.waiters.is_empty() {
            // There may be room in flight again, or a group that waited for this.
            self.attend(shard, queue);
        }
        Ok(Committed { reply: reply.answers, upto })
    }
}

/// A number of things in memory, as counters keep it.
pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).expect("a number of things in memory fits 64 bits")
}
