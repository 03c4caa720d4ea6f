//! Receiving: at once if there is something, else waiting in line.

use std::sync::Arc;
use std::time::Duration;

use tidemill_base::{MessageId, Timestamp};
use tidemill_journal::{Position, ReadError, Record};
use tokio::sync::oneshot;

use super::messages::count;
use super::shard::{Cleared, Committed, Served, Shard};
use super::{Engine, Inner};
use crate::codec::Unreadable;
use crate::commands::{GiveBack, Take, Taken};
use crate::content::Packed;
use crate::deduplication::Mark;
use crate::key::{QueueId, QueueKey, QueueNumber, Sequence};
use crate::message::{Content, Delivery, Receive};
use crate::receipt::Receipt;
use crate::record::Header;
use crate::refusal::{Error, Refusal};
use crate::waiters::{Ticket, Waiter};

/// What a receive comes to at first.
enum Begun {
    Served(Served),
    Waiting(Waiting),
}

/// A receiver that waits. Dropping it takes it from the line, and gives back what it was handed
/// in the same moment.
struct Waiting {
    inner: Arc<Inner>,
    queue: QueueNumber,
    ticket: Ticket,
    reply: oneshot::Receiver<Result<Served, Error>>,
    answered: bool,
}

impl Engine {
    /// Hands out up to `ask.max` messages. If there are none, waits for the first one as long as
    /// the receive, or else the queue, says; then returns nothing.
    ///
    /// Dropping the future before it returns costs no message its place: whatever was about to
    /// be handed out is visible again. Refuses with [`Refusal::InFlightLimit`].
    pub async fn receive(&self, id: QueueId, ask: Receive) -> Result<Vec<Delivery>, Error> {
        self.0.may_receive()?;
        let queue = self.0.number(id)?;
        let served = match self.0.begin_receive(queue, &ask)? {
            Begun::Served(served) => served,
            Begun::Waiting(waiting) => waiting.served().await?,
        };
        let (is_empty, carried) = (served.taken.is_empty(), served.carried);
        let handed = Handed { inner: &self.0, queue, served: Some(served) };
        if let Some(upto) = carried {
            // Whoever looks at the dead-letter queue after this answer finds it there.
            self.0.journal.durable_at(upto).await?;
        }
        if is_empty {
            return Ok(Vec::new());
        }
        // The other requests that this thread has at hand go first: one write serves them all.
        tokio::task::yield_now().await;
        self.0.deliver(id, &handed.arrived())
    }
}

/// Messages on their way to a receiver. Dropped before they have arrived, they are given back.
struct Handed<'a> {
    inner: &'a Inner,
    queue: QueueNumber,
    served: Option<Served>,
}

impl Handed<'_> {
    fn arrived(mut self) -> Served {
        self.served.take().expect("they arrive once")
    }
}

impl Drop for Handed<'_> {
    fn drop(&mut self) {
        if let Some(Served { taken, .. }) = self.served.take()
            && !taken.is_empty()
        {
            self.inner.take_back(&mut self.inner.lock(), self.queue, taken);
        }
    }
}

impl Waiting {
    async fn served(mut self) -> Result<Served, Error> {
        let answer = (&mut self.reply).await;
        self.answered = true;
        answer.unwrap_or_else(|_| Err(Refusal::NoSuchQueue.into()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let mut shard = self.inner.lock();
        shard.replies.remove(&self.ticket);
        if let Ok(queue) = shard.machine.queue_mut(self.queue) {
            queue.memory.waiters.remove(self.ticket);
        }
        if let Ok(Ok(Served { taken, .. })) = self.reply.try_recv() {
            self.inner.take_back(&mut shard, self.queue, taken);
        }
    }
}

impl Inner {
    /// Takes back what was handed to a receiver that has gone away.
    fn take_back(&self, shard: &mut Shard, queue: QueueNumber, taken: Vec<Taken>) {
        if let Err(error) = self.commit(shard, &GiveBack { queue, taken }, &[]) {
            tracing::warn!(%error, "messages come back only when their visibility ends");
        }
        self.attend(shard, queue);
    }

    fn begin_receive(self: &Arc<Self>, queue: QueueNumber, ask: &Receive) -> Result<Begun, Error> {
        let mut shard = self.lock();
        let expiring = self.attend(&mut shard, queue);
        let wait = ask.wait.unwrap_or(shard.machine.queue(queue)?.facts.settings.receive_wait);
        let may_wait = !wait.is_zero() && !shard.stopping;
        let attempt = ask.attempt.as_deref().map(|attempt| Mark::of(&[attempt]));
        let Receive { max, visibility, holder, .. } = *ask;
        let take = Take { queue, max, visibility, attempt, holder };
        if shard.is_draining(holder) {
            // As at a queue that is empty: one that asks in a loop does so no faster than there.
            if may_wait {
                return Ok(Begun::Waiting(self.wait_in_line(&mut shard, &take, wait)?));
            }
            shard.machine.queue_mut(queue)?.memory.tally.empty_receives += 1;
            return Ok(Begun::Served(Served::default()));
        }
        let nothing = || Committed { reply: Vec::new(), upto: Position::ZERO };
        let cleared = (!expiring).then(|| self.carry_exhausted(&mut shard, queue, max));
        let Cleared { carried, more } = cleared.transpose()?.unwrap_or_default();
        let is_busy = expiring || more;
        let committed = if is_busy { Ok(nothing()) } else { self.commit(&mut shard, &take, &[]) };
        let Committed { reply: taken, upto } = match committed {
            // One that waits is not told of the limit, but waits for there to be room.
            Err(Error::Refused(Refusal::InFlightLimit)) if may_wait => nothing(),
            committed => committed?,
        };
        if !taken.is_empty() || !may_wait {
            // What was given again may be visible sooner than it was to be, or at once.
            let others_wait = !shard.machine.queue(queue)?.memory.waiters.is_empty();
            if others_wait && !taken.is_empty() {
                self.attend(&mut shard, queue);
            }
            let queue = shard.machine.queue_mut(queue)?;
            let tally = &mut queue.memory.tally;
            tally.empty_receives += u64::from(taken.is_empty());
            tally.received += count(taken.len());
            let sources = Arc::clone(&queue.facts.sources);
            return Ok(Begun::Served(Served { taken, upto, sources, carried }));
        }
        let waiting = self.wait_in_line(&mut shard, &take, wait)?;
        if is_busy {
            self.look_again(&mut shard, queue);
        }
        Ok(Begun::Waiting(waiting))
    }

    fn wait_in_line(
        self: &Arc<Self>,
        shard: &mut Shard,
        take: &Take,
        wait: Duration,
    ) -> Result<Waiting, Refusal> {
        let deadline = shard.machine.now() + wait;
        let Take { queue, max, visibility, attempt, holder } = *take;
        let ticket = shard.next_ticket;
        shard.next_ticket = Ticket(ticket.0 + 1);
        let waiter = Waiter { max, visibility, attempt, holder, deadline };
        let is_draining = shard.is_draining(holder);
        let waiters = &mut shard.machine.queue_mut(queue)?.memory.waiters;
        waiters.add(ticket, waiter);
        if let Some(holder) = holder.filter(|_| is_draining) {
            waiters.set_aside(holder);
        }
        let (sender, reply) = oneshot::channel();
        shard.replies.insert(ticket, sender);
        self.watch(shard, queue);
        let inner = Arc::clone(self);
        Ok(Waiting { inner, queue, ticket, reply, answered: false })
    }

    /// Reads what was handed out. A receive has only to survive the process: after a crash of
    /// the machine a message may come twice, as it may anyway.
    ///
    /// What is no longer in memory is read from the disk right here, at most ten records. A
    /// backlog is read in the order in which it was written, so that the system has read ahead;
    /// then a read takes microseconds, less than it takes to hand it to another thread and back.
    fn deliver(&self, id: QueueId, served: &Served) -> Result<Vec<Delivery>, Error> {
        self.journal.write(served.upto)?;
        let deliveries = served.taken.iter().map(|taken| {
            let source = taken.passage.and_then(|passage| served.sources.get(&passage.source));
            self.delivery(id, taken, source.cloned())
        });
        Ok(deliveries.flatten().collect())
    }

    fn delivery(&self, id: QueueId, taken: &Taken, source: Option<QueueKey>) -> Option<Delivery> {
        let (message, content) = self.content(id.number, taken.sequence, taken.position)?;
        Some(Delivery {
            id: message,
            sequence: taken.sequence,
            receipt: Receipt::new(id, taken.sequence, taken.receive, self.secret),
            receive_count: taken.receive,
            first_received: taken.first_received,
            sent: taken.sent,
            source,
            content: if taken.passage.is_some() { renamed(message, content) } else { content },
        })
    }

    /// Reads a message's content. If its bytes are damaged says so in the log and the counters:
    /// the message stays where it stands, for a repair to bring it back.
    pub(super) fn content(
        &self,
        queue: QueueNumber,
        sequence: Sequence,
        position: Position,
    ) -> Option<(MessageId, Content)> {
        let mut at = position;
        loop {
            let problem = match self.journal.read(at) {
                Ok(record) => match unpack(&record) {
                    Ok(found) => return Some(found),
                    Err(unreadable) => unreadable.to_string(),
                },
                Err(error) => {
                    // The record may have moved since, and its old segment be gone.
                    let now_at = self.place(queue, sequence);
                    match now_at {
                        Some(moved) if moved != at => {
                            at = moved;
                            continue;
                        }
                        None if matches!(error, ReadError::Absent(_)) => return None,
                        _ => error.to_string(),
                    }
                }
            };
            let queue = queue.0;
            tracing::error!(queue, %sequence, position = %at, problem, "unreadable message");
            self.note_damage();
            return None;
        }
    }

    fn place(&self, queue: QueueNumber, sequence: Sequence) -> Option<Position> {
        let shard = self.lock();
        let found = shard.machine.queue(queue).ok()?.stock.find(sequence);
        found.map(|held| held.position)
    }

    /// Wakes every waiting receiver with nothing, and lets nobody begin to wait.
    pub(super) fn stop_waiting(&self) {
        let mut shard = self.lock();
        shard.stopping = true;
        for queue in shard.machine.queues_mut() {
            queue.memory.waiters.clear();
        }
        for (_, reply) in shard.replies.drain() {
            // One that is going away needs no answer.
            drop(reply.send(Ok(Served::default())));
        }
    }
}

/// In a dead-letter queue a message is known by its id: two that came from different queues, or one
/// long after the other, may have had the same deduplication id.
pub(super) fn renamed(id: MessageId, content: Content) -> Content {
    let deduplication = content.deduplication.map(|_| id.to_string());
    Content { deduplication, ..content }
}

fn unpack(record: &Record) -> Result<(MessageId, Content), Unreadable> {
    let (header, content) = Header::read(record.version, &record.payload)?;
    let (id, content) = Packed::read(&record.payload.slice_ref(content))?.unpack()?;
    let group = header.group.map(|group| group.as_ref().to_owned()).or(content.group);
    Ok((id, Content { group, ..content }))
}

/// Absent if the message was never received.
pub(super) fn once(time: Timestamp) -> Option<Timestamp> {
    Some(time).filter(|time| *time != Timestamp::NEVER)
}
