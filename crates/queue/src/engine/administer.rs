//! Queues: made, changed, emptied, removed.

use std::sync::PoisonError;

use tidemill_journal::Position;

use super::shard::answer;
use super::{Engine, Inner};
use crate::commands::{Configure, Create, Created, Forget, Purge, Remove, Tag};
use crate::key::{QueueId, QueueKey, QueueNumber};
use crate::machine::Command;
use crate::refusal::{Error, Refusal};
use crate::settings::{SettingsChange, Tags};

impl Engine {
    /// Makes a queue. One of this name that exists will do, if it has every setting that is
    /// given; its tags do not matter.
    ///
    /// Refuses with [`Refusal::Exists`] and [`Refusal::RemovedRecently`].
    pub async fn create(
        &self,
        key: QueueKey,
        settings: SettingsChange,
        tags: Tags,
    ) -> Result<Created, Error> {
        self.0.may_grow()?;
        let create = Create { key, settings, tags };
        let (created, upto) = {
            let mut shard = self.0.lock();
            let created = self.0.commit(&mut shard, &create, &[])?;
            let mut names = self.0.names.write().unwrap_or_else(PoisonError::into_inner);
            names.insert(create.key, created.reply.id);
            (created.reply, created.upto)
        };
        self.0.journal.durable_at(upto).await?;
        Ok(created)
    }

    /// Changes settings. What is delayed or in flight already stays so.
    pub async fn configure(&self, id: QueueId, change: SettingsChange) -> Result<(), Error> {
        self.change(id, |queue| Configure { queue, change }).await
    }

    /// Sets tags.
    pub async fn tag(&self, id: QueueId, set: Tags) -> Result<(), Error> {
        self.change(id, |queue| Tag { queue, set, clear: Vec::new() }).await
    }

    /// Removes tags. Those that are not there do not matter.
    pub async fn untag(&self, id: QueueId, clear: Vec<String>) -> Result<(), Error> {
        self.change(id, |queue| Tag { queue, set: Tags::new(), clear }).await
    }

    /// Drops every message, also those in flight. Refuses with [`Refusal::PurgedRecently`].
    pub async fn purge(&self, id: QueueId) -> Result<(), Error> {
        self.change(id, |queue| Purge { queue }).await
    }

    /// Removes a queue and every message in it. Receivers that wait there are told.
    pub async fn remove(&self, id: QueueId) -> Result<(), Error> {
        self.0.may_change()?;
        let upto = self.0.remove(self.0.number(id)?)?;
        Ok(self.0.journal.durable_at(upto).await?)
    }

    /// Removes every queue and forgets that they were there: what is left is as good as new.
    pub async fn clear(&self) -> Result<(), Error> {
        self.0.may_change()?;
        let numbers: Vec<_> =
            self.0.lock().machine.queues().map(|queue| queue.facts.number).collect();
        for number in numbers {
            match self.0.remove(number) {
                Ok(_) | Err(Error::Refused(Refusal::NoSuchQueue)) => {}
                Err(error) => return Err(error),
            }
        }
        let upto = self.0.commit(&mut self.0.lock(), &Forget, &[])?.upto;
        Ok(self.0.journal.durable_at(upto).await?)
    }

    async fn change<C: Command<Reply = ()>>(
        &self,
        id: QueueId,
        command: impl FnOnce(QueueNumber) -> C,
    ) -> Result<(), Error> {
        self.0.may_change()?;
        let number = self.0.number(id)?;
        let (upto, remains) = {
            let mut shard = self.0.lock();
            let upto = self.0.commit(&mut shard, &command(number), &[])?.upto;
            self.0.attend(&mut shard, number);
            (upto, std::mem::take(&mut shard.machine.remains))
        };
        // Of a purge. The lock is let go by now.
        drop(remains);
        Ok(self.0.journal.durable_at(upto).await?)
    }
}

impl Inner {
    /// The number of a queue of this shard.
    pub(super) fn number(&self, id: QueueId) -> Result<QueueNumber, Refusal> {
        if id.shard == self.id { Ok(id.number) } else { Err(Refusal::NoSuchQueue) }
    }

    fn remove(&self, number: QueueNumber) -> Result<Position, Error> {
        let mut shard = self.lock();
        let queue = shard.machine.queue_mut(number)?;
        let (key, armed) = (queue.facts.key.clone(), queue.memory.armed);
        // Read before the queue is gone, told only once it is.
        let waiting = queue.memory.waiters.tickets();
        let upto = self.commit(&mut shard, &Remove { queue: number }, &[])?.upto;
        shard.timers.remove(&(armed, number));
        for ticket in waiting {
            answer(&mut shard, ticket, Err(Refusal::NoSuchQueue.into()));
        }
        self.names.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let remains = std::mem::take(&mut shard.machine.remains);
        drop(shard);
        drop(remains);
        Ok(upto)
    }
}
