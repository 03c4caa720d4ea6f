//! What the lock protects: the machine, and who waits for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_journal::{Group, Position};
use tokio::sync::oneshot;

use super::Inner;
use super::messages::count;
use super::moves::Movers;
use crate::commands::{CarryExhausted, DropOld, Dropped, Lapse, Take, Taken};
use crate::content::Packed;
use crate::holder::Holder;
use crate::key::{QueueKey, QueueNumber};
use crate::machine::{Command, Few, Machine};
use crate::queue::Queue;
use crate::record::{Header, Record};
use crate::refusal::{Error, Refusal};
use crate::waiters::{Ticket, Waiter};

/// The state of a shard and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) machine: Machine,
    /// How to reach the receivers that wait.
    pub(super) replies: HashMap<Ticket, oneshot::Sender<Result<Served, Error>>>,
    /// Which queues to look at when. A queue is in it at most once, at its `memory.armed`.
    pub(super) timers: BTreeSet<(Timestamp, QueueNumber)>,
    /// Which queues to look at once the log is durable up to where: somebody waits there for
    /// what was sent.
    pub(super) undurable: BTreeSet<(Position, QueueNumber)>,
    /// The moves of messages that are under way.
    pub(super) movers: Movers,
    pub(super) next_ticket: Ticket,
    /// Who is given nothing.
    pub(super) draining: BTreeSet<Holder>,
    /// The engine was shut down, so nobody may begin to wait.
    pub(super) stopping: bool,
}

impl Shard {
    pub(super) fn is_draining(&self, holder: Option<Holder>) -> bool {
        holder.is_some_and(|holder| self.draining.contains(&holder))
    }
}

/// What a receiver was given.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) taken: Vec<Taken>,
    /// To be written before the answer leaves.
    pub(super) upto: Position,
    /// What the queues are called that some of it may have come from.
    pub(super) sources: Arc<BTreeMap<QueueNumber, QueueKey>>,
    /// To be durable before the answer leaves: what went to the dead-letter queue instead.
    pub(super) carried: Option<Position>,
}

/// What was carried away before a receive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cleared {
    /// Up to where that is recorded, if there was anything.
    pub(super) carried: Option<Position>,
    /// Whether there may be more than was carried: the timer goes on with it at once for those
    /// who wait, and until then they are handed nothing.
    pub(super) more: bool,
}

/// How many messages are carried away for one receive, before others get the lock.
const CARRIES: usize = 256;

/// A command that was carried out, if not yet durable.
pub(super) struct Committed<R> {
    pub(super) reply: R,
    /// To be durable, or written, before the answer leaves.
    pub(super) upto: Position,
}

impl Inner {
    /// Carries out a command: decides, appends, applies. `contents` are those of the messages
    /// that it records, in order.
    pub(super) fn commit<C: Command>(
        &self,
        shard: &mut Shard,
        command: &C,
        contents: &[Packed],
    ) -> Result<Committed<C::Reply>, Error> {
        let machine = &mut shard.machine;
        machine.advance(command.queue(), self.clock.now(), self.journal.durable());
        let decision = command.decide(machine)?;
        if decision.records.is_empty() {
            // What the answer rests on may still be on its way to the disk.
            return Ok(Committed { reply: decision.reply, upto: self.journal.end() });
        }
        let records = &decision.records;
        let is_stored = |nth: &usize| C::stores(&decision.reply, *nth);
        let contents = || (0..contents.len()).filter(is_stored).map(|nth| &contents[nth]);
        let most = self.journal.max_payload().as_usize();
        if headers(records).zip(contents()).any(|(one, it)| one.room() + it.size() > most) {
            return Err(Refusal::TooLarge.into());
        }
        let contents = contents();
        let appended = self.journal.append(|group| push_all(group, records, contents))?;
        for (position, record) in appended.value.into_iter().zip(records) {
            machine.apply(position, record);
        }
        Ok(Committed { reply: decision.reply, upto: appended.end })
    }

    /// Looks after a queue: drops what is too old, serves those who wait, sets the timer.
    ///
    /// Says whether more is too old than was dropped: a queue of millions must not keep the lock.
    /// The timer goes on with it at once, and until then the queue hands nothing out.
    pub(super) fn attend(&self, shard: &mut Shard, number: QueueNumber) -> bool {
        let (now, durable) = (self.clock.now(), self.journal.durable());
        shard.machine.advance(Some(number), now, durable);
        let now = shard.machine.now();
        let Ok(queue) = shard.machine.queue(number) else { return false };
        let retention = queue.facts.settings.retention;
        let is_old = queue.stock.ages_from().is_some_and(|from| from + retention <= now);
        let lapsing = has_lapsed(queue, now) && self.lapse(shard, number, now);
        let expiring = is_old && self.drop_old(shard, number);
        if !expiring {
            self.serve(shard, number);
        }
        while let Ok(queue) = shard.machine.queue_mut(number)
            && let Some(ticket) = queue.memory.waiters.pop_overdue(now)
        {
            queue.memory.tally.empty_receives += 1;
            answer(shard, ticket, Ok(Served::default()));
        }
        self.watch(shard, number);
        if !expiring && !lapsing {
            postpone_unmet(shard, number, now);
        }
        expiring
    }

    /// Forgets some of what is over; says whether there is more.
    fn lapse(&self, shard: &mut Shard, number: QueueNumber, now: Timestamp) -> bool {
        if let Err(error) = self.commit(shard, &Lapse { queue: number }, &[]) {
            // A poisoned journal: nothing is sent any more either.
            tracing::debug!(%error, "a queue does not forget what it was sent");
            return false;
        }
        shard.machine.queue(number).is_ok_and(|queue| has_lapsed(queue, now))
    }

    /// Drops some of what is too old; says whether there is more.
    fn drop_old(&self, shard: &mut Shard, number: QueueNumber) -> bool {
        match self.commit(shard, &DropOld { queue: number }, &[]) {
            Ok(Committed { reply: Dropped { more, cargo }, .. }) => {
                if let Some(target) = cargo.target {
                    self.expect_at(shard, target, self.journal.end());
                }
                more
            }
            // A poisoned journal: what is too old stays visible to those who look.
            Err(error) => {
                tracing::debug!(%error, "messages that grew too old were not dropped");
                false
            }
        }
    }

    /// Carries away what a receive of `max` messages would be handed and was received too often.
    pub(super) fn carry_exhausted(
        &self,
        shard: &mut Shard,
        number: QueueNumber,
        max: u8,
    ) -> Result<Cleared, Error> {
        let mut count = 0;
        let mut last = None;
        while count < CARRIES {
            let carry = CarryExhausted { queue: number, max };
            let Committed { reply: cargo, upto } = self.commit(shard, &carry, &[])?;
            let Some(target) = cargo.target else { break };
            count += cargo.count;
            last = Some((target, upto));
        }
        if let Some((target, upto)) = last {
            self.expect_at(shard, target, upto);
        }
        Ok(Cleared { carried: last.map(|(_, upto)| upto), more: count >= CARRIES })
    }

    /// Sees to it that what was carried to a queue, up to here, is soon seen there.
    fn expect_at(&self, shard: &mut Shard, target: QueueNumber, upto: Position) {
        self.watch(shard, target);
        // Nobody waits for the sync, but somebody may for what it makes visible.
        drop(self.journal.durable_at(upto));
    }

    /// Hands what is visible to those who wait, in the order in which they came.
    fn serve(&self, shard: &mut Shard, number: QueueNumber) {
        while let Ok(queue) = shard.machine.queue(number)
            && queue.stock.has_ready()
            && let Some((ticket, waiter)) = queue.memory.waiters.first()
        {
            let Waiter { max, visibility, attempt, holder, .. } = waiter;
            let take = Take { queue: number, max, visibility, attempt, holder };
            let served = match self.carry_then_take(shard, &take) {
                Ok(None) => return self.look_again(shard, number),
                Ok(Some(served)) if served.taken.is_empty() => return,
                Ok(Some(served)) => Ok(served),
                // Room is made by deletions, and by time, before the receiver's own is up.
                Err(Error::Refused(Refusal::InFlightLimit)) => return,
                Err(error) => Err(error),
            };
            if let Ok(queue) = shard.machine.queue_mut(number) {
                queue.memory.waiters.remove(ticket);
                queue.memory.tally.received +=
                    served.as_ref().map_or(0, |served| count(served.taken.len()));
            }
            answer(shard, ticket, served);
        }
    }

    /// Takes, after what was received too often is out of the way; nothing while it is not.
    fn carry_then_take(&self, shard: &mut Shard, take: &Take) -> Result<Option<Served>, Error> {
        let Cleared { carried, more } = self.carry_exhausted(shard, take.queue, take.max)?;
        if more {
            return Ok(None);
        }
        let Committed { reply: taken, upto } = self.commit(shard, take, &[])?;
        let sources = Arc::clone(&shard.machine.queue(take.queue)?.facts.sources);
        Ok(Some(Served { taken, upto, sources, carried }))
    }

    /// Sees to it that the queue is looked at again at once.
    pub(super) fn look_again(&self, shard: &mut Shard, number: QueueNumber) {
        let now = shard.machine.now();
        self.arm(shard, number, now);
    }

    /// Sees to it that the queue is looked at when it next has to be.
    pub(super) fn watch(&self, shard: &mut Shard, number: QueueNumber) {
        let Ok(queue) = shard.machine.queue_mut(number) else { return };
        if !queue.memory.waiters.is_empty() && queue.stock.has_fresh() {
            shard.undurable.insert((self.journal.end(), number));
        }
        let deadline = queue.next_deadline();
        self.arm(shard, number, deadline);
    }

    fn arm(&self, shard: &mut Shard, number: QueueNumber, deadline: Timestamp) {
        let Ok(queue) = shard.machine.queue_mut(number) else { return };
        // A deadline that has moved away is left to pass: looking once more costs less.
        if deadline < queue.memory.armed {
            shard.timers.remove(&(queue.memory.armed, number));
            queue.memory.armed = deadline;
            shard.timers.insert((deadline, number));
            if shard.timers.first() == Some(&(deadline, number)) {
                self.rearmed.notify_one();
            }
        }
    }

    /// The log became durable up to `durable`.
    pub(super) fn became_durable(&self, durable: Position) {
        // The lock is let go between queues, for others to get a turn.
        while self.attend_durable(durable) {}
    }

    fn attend_durable(&self, durable: Position) -> bool {
        let mut shard = self.lock();
        let Some(&(upto, number)) = shard.undurable.first() else { return false };
        if upto > durable {
            return false;
        }
        shard.undurable.pop_first();
        self.attend(&mut shard, number);
        true
    }
}

fn has_lapsed(queue: &Queue, now: Timestamp) -> bool {
    queue.stock.fifo().is_some_and(|fifo| fifo.has_lapsed(now))
}

/// A deadline that was not met though everything was done, because the journal is poisoned, is no
/// reason to look again at once.
fn postpone_unmet(shard: &mut Shard, number: QueueNumber, now: Timestamp) {
    let Ok(queue) = shard.machine.queue_mut(number) else { return };
    if queue.memory.armed <= now && queue.next_deadline() <= now {
        shard.timers.remove(&(queue.memory.armed, number));
        queue.memory.armed = now + Duration::from_secs(1);
        shard.timers.insert((queue.memory.armed, number));
    }
}

/// Tells a receiver what it gets. One that went away has been taken from the list before.
pub(super) fn answer(shard: &mut Shard, ticket: Ticket, served: Result<Served, Error>) {
    if let Some(reply) = shard.replies.remove(&ticket) {
        // Should it be going away just now, it finds the answer there and gives it back.
        drop(reply.send(served));
    }
}

/// Those of the messages that are recorded.
fn headers(records: &[Record]) -> impl Iterator<Item = &Header> {
    records.iter().filter_map(|record| match record {
        Record::Message(header) | Record::Moved(header) => Some(header),
        _ => None,
    })
}

fn push_all<'a>(
    group: &mut Group<'_>,
    records: &[Record],
    mut contents: impl Iterator<Item = &'a Packed>,
) -> Few<Position> {
    let mut push = |record: &Record| {
        let content = record
            .has_content()
            .then(|| contents.next().expect("a command comes with its messages' contents"));
        group.push(record.kind(), record.version(), |out| record.write(content, out))
    };
    records.iter().map(&mut push).collect()
}
