//! Moves: what begins, shows and cancels them, and the loop that takes them further.
//!
//! A step reads some messages without the lock, and then, under it, sends them on as new ones and
//! takes them out of their queue, all in one group of records: a crash leaves each in one place. A
//! message that somebody received meanwhile stays.

mod pace;

use std::collections::BTreeSet;
use std::sync::Arc;

use tidemill_base::{MessageId, Timestamp};
use tidemill_journal::Position;

use super::shard::Shard;
use super::{Engine, Inner};
use crate::commands::{BeginMove, EndMove, Redrive, Redriving};
use crate::content::Packed;
use crate::key::{QueueId, QueueKey, QueueNumber, Sequence};
use crate::loose::Held;
use crate::machine::Machine;
use crate::moves::{Move, MoveFailure, MoveId, MoveNumber, MoveStatus, Task};
use crate::queue::Queue;
use crate::refusal::{Error, Failure, Refusal};
use pace::Pace;

pub(super) use pace::Movers;

/// At most so many messages are moved in one step.
const AT_ONCE: usize = 256;
/// A step's messages are not more than so many bytes and one message.
const BYTES_AT_ONCE: usize = 4 << 20;

/// What a step of a move is to do.
enum Step {
    /// There is no such move any more.
    Gone,
    /// The pace allows nothing before then.
    Wait(Timestamp),
    /// The disk has no room for more: what is moved is written anew.
    NoRoom,
    /// All that was looked at has to stay; there may be more.
    Again,
    End(MoveNumber, MoveStatus),
    Go(MoveNumber, Vec<Pick>),
}

/// A message that is to be moved.
#[derive(Clone, Copy, Debug)]
struct Pick {
    sequence: Sequence,
    position: Position,
    destination: QueueNumber,
}

/// When moves have to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Next {
    AtOnce,
    At(Timestamp),
    /// When that is asked for: there is none, or the disk has no room for more.
    Never,
}

impl Engine {
    /// The queues whose dead letters go to the one that is called `key`, in order of their keys.
    pub fn dead_letter_sources(&self, key: &QueueKey) -> Vec<QueueKey> {
        self.0.lock().machine.dead_letter_sources(key).cloned().collect()
    }

    /// Whether another queue's dead letters go to this one.
    pub fn is_dead_letter_queue(&self, id: QueueId) -> Result<bool, Refusal> {
        let number = self.0.number(id)?;
        let shard = self.0.lock();
        let key = &shard.machine.queue(number)?.facts.key;
        Ok(shard.machine.dead_letter_sources(key).next().is_some())
    }

    /// Begins to move what is visible now in `source`, a dead-letter queue, to `destination`, or
    /// else each message back to where it came from; at most `per_second` messages a second, or
    /// else as fast as it goes. [`Engine::run`] does it.
    ///
    /// What is moved is a new message: it has a new id, is sent anew, and was never received. What
    /// is in flight stays, and what comes later too. While the disk is nearly full none begins, and
    /// those under way rest. Refuses with [`Refusal::NotADeadLetterQueue`],
    /// [`Refusal::MoveUnderWay`], [`Refusal::NoSuchDestination`], [`Refusal::SameQueue`] and
    /// [`Refusal::OtherDiscipline`].
    pub async fn start_move(
        &self,
        source: QueueId,
        destination: Option<QueueId>,
        per_second: Option<u32>,
    ) -> Result<MoveId, Error> {
        self.0.may_grow()?;
        let queue = self.0.number(source)?;
        let number = |id| self.0.number(id).map_err(|_| Refusal::NoSuchDestination);
        let destination = destination.map(number).transpose()?;
        let begun = {
            let mut shard = self.0.lock();
            let begin = BeginMove { queue, destination, per_second };
            let begun = self.0.commit(&mut shard, &begin, &[])?;
            let now = shard.machine.now();
            shard.movers.insert(queue, Pace::new(now));
            begun
        };
        self.0.moves.notify_one();
        self.0.journal.durable_at(begun.upto).await?;
        Ok(MoveId { queue: source, number: begun.reply })
    }

    /// Up to `max` of the last moves from `source`, the newest first. Ten that are over are
    /// remembered.
    pub fn moves(&self, source: QueueId, max: usize) -> Result<Vec<Move>, Refusal> {
        let number = self.0.number(source)?;
        let moves = Arc::clone(&self.0.lock().machine.queue(number)?.facts.moves);
        let shown = |task: &Task| Move {
            id: MoveId { queue: source, number: task.plan.number },
            destination: task.plan.destination.clone(),
            per_second: task.plan.per_second,
            started: task.plan.started,
            ended: task.end.map(|(at, _)| at),
            status: task.status(),
            moved: task.moved,
            to_move: task.plan.to_move,
        };
        Ok(moves.iter().take(max).map(shown).collect())
    }

    /// Stops a move: from now on it moves nothing. Returns how many messages it had moved; they
    /// stay where they went. Refuses with [`Refusal::NoSuchMove`] and [`Refusal::MoveIsOver`].
    pub async fn cancel_move(&self, id: MoveId) -> Result<u64, Error> {
        self.0.may_change()?;
        let queue = self.0.number(id.queue).map_err(|_| Refusal::NoSuchMove)?;
        let end = EndMove { queue, number: id.number, status: MoveStatus::Cancelled };
        let ended = {
            let mut shard = self.0.lock();
            let ended = self.0.commit(&mut shard, &end, &[]).map_err(|error| match error {
                Error::Refused(Refusal::NoSuchQueue) => Refusal::NoSuchMove.into(),
                error => error,
            })?;
            shard.movers.remove(queue);
            ended
        };
        self.0.journal.durable_at(ended.upto).await?;
        Ok(ended.reply)
    }
}

impl Inner {
    /// Takes every move a step further. Blocks on the disk.
    pub(super) fn move_some(&self) -> Result<Next, Failure> {
        let movers = self.lock().movers.queues();
        let mut next = Next::Never;
        for queue in movers {
            next = next.min(self.step(queue)?);
        }
        Ok(next)
    }

    fn step(&self, queue: QueueNumber) -> Result<Next, Failure> {
        let step = self.plan_step(&mut self.lock(), queue);
        match step {
            Step::Gone | Step::NoRoom => Ok(Next::Never),
            Step::Wait(until) => Ok(Next::At(until)),
            Step::Again => Ok(Next::AtOnce),
            Step::End(number, status) => self.end_move(queue, number, status),
            Step::Go(number, picks) => self.go(queue, number, picks),
        }
    }

    fn plan_step(&self, shard: &mut Shard, number: QueueNumber) -> Step {
        shard.machine.advance(Some(number), self.clock.now(), self.journal.durable());
        let Shard { machine, movers, .. } = shard;
        let task = machine.queue(number).ok().and_then(|queue| {
            let task = queue.facts.moves.active()?;
            Some((queue, task))
        });
        let (Some((queue, task)), Some(pace)) = (task, movers.get_mut(number)) else {
            movers.remove(number);
            return Step::Gone;
        };
        pick(machine, queue, task, pace, self.disk.is_short())
    }

    /// Reads what was picked, and moves it.
    fn go(
        &self,
        queue: QueueNumber,
        number: MoveNumber,
        mut picks: Vec<Pick>,
    ) -> Result<Next, Failure> {
        let mut read: Vec<(Redriving, Packed)> = Vec::with_capacity(picks.len());
        let mut bytes = 0;
        let mut unread = None;
        for pick in picks.drain(..) {
            if bytes > BYTES_AT_ONCE {
                unread = Some(pick.sequence);
                break;
            }
            // One that cannot be read stays, for a repair to bring it back.
            let found = self.content(queue, pick.sequence, pick.position);
            if let Some((_, content)) = found {
                let Pick { sequence, destination, .. } = pick;
                let group = content.group.as_deref().map(Into::into);
                let packed = Packed::new(MessageId::random(&self.chance), content);
                bytes += packed.size();
                read.push((Redriving { sequence, destination, group }, packed));
            }
        }
        self.redrive(queue, number, read, unread)
    }

    /// Moves messages, unless somebody received them since they were picked.
    fn redrive(
        &self,
        queue: QueueNumber,
        number: MoveNumber,
        mut read: Vec<(Redriving, Packed)>,
        mut left: Option<Sequence>,
    ) -> Result<Next, Failure> {
        let moved = {
            let mut shard = self.lock();
            let shard = &mut *shard;
            shard.machine.advance(Some(queue), self.clock.now(), self.journal.durable());
            let machine = &shard.machine;
            let first = read.iter().position(|(one, _)| !may_go(machine, queue, one));
            if let Some(first) = first {
                left = Some(read[first].0.sequence);
                read.truncate(first);
            }
            if let (Some(left), Some(pace)) = (left, shard.movers.get_mut(queue)) {
                pace.go_back(left);
            }
            if read.is_empty() {
                return Ok(Next::AtOnce);
            }
            self.redrive_now(shard, queue, number, read)
        };
        match moved {
            Ok(upto) => {
                self.journal.wait_durable(upto).map_err(Failure::from).map(|()| Next::AtOnce)
            }
            // It was cancelled, or its queue removed.
            Err(Error::Refused(Refusal::NoSuchMove | Refusal::NoSuchQueue)) => Ok(Next::AtOnce),
            Err(Error::Refused(refusal)) => {
                tracing::error!(queue = queue.0, %refusal, "messages could not be moved");
                let failed = MoveStatus::Failed(MoveFailure::NotStored);
                self.end_move(queue, number, failed)
            }
            Err(Error::Failed(failure)) => Err(failure),
        }
    }

    fn redrive_now(
        &self,
        shard: &mut Shard,
        queue: QueueNumber,
        number: MoveNumber,
        read: Vec<(Redriving, Packed)>,
    ) -> Result<Position, Error> {
        let (messages, contents): (Vec<_>, Vec<Packed>) = read.into_iter().unzip();
        let redrive = Redrive { queue, number, messages };
        let upto = self.commit(shard, &redrive, &contents)?.upto;
        if let Some(pace) = shard.movers.get_mut(queue) {
            pace.spend(redrive.messages.len());
        }
        let destinations = redrive.messages.iter().map(|one| one.destination);
        let destinations: BTreeSet<_> = destinations.collect();
        for destination in destinations {
            self.watch(shard, destination);
        }
        Ok(upto)
    }

    /// Ends a move. Whoever decided that may have let the lock go since: if it is over by now,
    /// another one may be under way.
    pub(super) fn end_move(
        &self,
        queue: QueueNumber,
        number: MoveNumber,
        status: MoveStatus,
    ) -> Result<Next, Failure> {
        let ended = {
            let mut shard = self.lock();
            let ended = self.commit(&mut shard, &EndMove { queue, number, status }, &[]);
            if ended.is_ok() {
                shard.movers.remove(queue);
            }
            ended
        };
        match ended {
            Ok(ended) => self.journal.wait_durable(ended.upto)?,
            // Cancelled meanwhile, or its queue removed.
            Err(Error::Refused(_)) => return Ok(Next::AtOnce),
            Err(Error::Failed(failure)) => return Err(failure),
        }
        Ok(Next::Never)
    }
}

/// Chooses the next messages to move, in the order in which they came; none while the disk
/// `is_short` of room.
fn pick(machine: &Machine, queue: &Queue, task: &Task, pace: &mut Pace, is_short: bool) -> Step {
    let plan = &task.plan;
    let everything = match &plan.destination {
        Some(key) => match destination(machine, queue, key) {
            Some(found) => Some(found),
            None => return Step::End(plan.number, MoveStatus::Failed(MoveFailure::NoSuchQueue)),
        },
        None => None,
    };
    let seen = queue.stock.list(pace.cursor(), AT_ONCE);
    let seen: Vec<_> = seen.into_iter().take_while(|held| held.sequence < plan.before).collect();
    if seen.is_empty() {
        return Step::End(plan.number, MoveStatus::Completed);
    }
    let allowed = pace.allow(machine.now(), plan.per_second, AT_ONCE);
    let mut picks = Vec::with_capacity(allowed.min(seen.len()));
    for held in seen {
        // In a FIFO queue what is in flight keeps back what is behind it in its group.
        let group = queue.stock.fifo().and_then(|fifo| fifo.group_name(&held));
        if held.due > machine.now() || group.as_ref().is_some_and(|group| pace.blocks(group)) {
            if let Some(group) = group {
                pace.block(group);
            }
        } else {
            if is_short {
                return Step::NoRoom;
            }
            if allowed == 0 {
                return Step::Wait(pace.wait_until(plan.per_second));
            }
            if picks.len() == allowed {
                break;
            }
            let found = everything.map_or_else(|| origin(machine, queue, &held), Ok);
            match found {
                Ok(destination) => {
                    let Held { sequence, position, .. } = held;
                    picks.push(Pick { sequence, position, destination });
                }
                // Those before it go first.
                Err(_) if !picks.is_empty() => break,
                Err(failure) => return Step::End(plan.number, MoveStatus::Failed(failure)),
            }
        }
        pace.go_on(held.sequence.next());
    }
    if picks.is_empty() { Step::Again } else { Step::Go(plan.number, picks) }
}

/// Where a message goes that goes back to where it came from.
fn origin(machine: &Machine, queue: &Queue, held: &Held) -> Result<QueueNumber, MoveFailure> {
    let source = held.passage.and_then(|passage| queue.facts.sources.get(&passage.source));
    let source = source.ok_or(MoveFailure::UnknownSource)?;
    destination(machine, queue, source).ok_or(MoveFailure::NoSuchQueue)
}

/// The queue that is called `key`, if messages of `queue` can go there.
fn destination(machine: &Machine, queue: &Queue, key: &QueueKey) -> Option<QueueNumber> {
    let found = machine.find(key)?;
    let is_alike = found.facts.settings.discipline == queue.facts.settings.discipline;
    let is_other = found.facts.number != queue.facts.number;
    (is_alike && is_other).then_some(found.facts.number)
}

/// Whether a message is still to be had, and the queue that it goes to still there.
fn may_go(machine: &Machine, queue: QueueNumber, one: &Redriving) -> bool {
    let held = machine.queue(queue).ok().and_then(|queue| queue.stock.find(one.sequence));
    held.is_some_and(|held| held.due <= machine.now()) && machine.queue(one.destination).is_ok()
}
