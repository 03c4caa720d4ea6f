//! Moves: taking what lies in a dead-letter queue back to where it came from, or elsewhere.
//!
//! A queue remembers the one that is under way from it and the last few that are over. They are
//! recorded, so that a move goes on after a crash, and what it moved is not moved twice.

mod id;

use std::collections::VecDeque;

use tidemill_base::Timestamp;

use crate::codec::{Put, Reader, Unreadable};
use crate::key::{QueueKey, Sequence};
use crate::record::{put_key, read_key};

pub use id::MoveId;

/// How many moves a queue remembers that are over.
const REMEMBERED: usize = 10;

/// How a move stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveStatus {
    /// It is under way.
    Running,
    /// Everything that it could move was moved.
    Completed,
    /// It was stopped. What it had moved stays where it went.
    Cancelled,
    /// It could not go on. What it had moved stays where it went.
    Failed(MoveFailure),
}

/// Why a move could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveFailure {
    /// A queue that messages should go to does not exist any more, or has another discipline.
    NoSuchQueue,
    /// A message never came from another queue, so there is none to take it back to.
    UnknownSource,
    /// A message could not be stored at its destination.
    NotStored,
}

/// A move, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What cancels it.
    pub id: MoveId,
    /// Where everything goes; absent if each message goes back to where it came from.
    pub destination: Option<QueueKey>,
    /// At most so many messages a second; as many as possible if absent.
    pub per_second: Option<u32>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
    /// How it stands.
    pub status: MoveStatus,
    /// How many messages it has moved.
    pub moved: u64,
    /// How many there were to move when it began.
    pub to_move: u64,
}

/// A move's number at the queue that it moves messages from. Never used twice there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MoveNumber(pub(crate) u32);

/// What is recorded when a move begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) number: MoveNumber,
    pub(crate) started: Timestamp,
    pub(crate) destination: Option<QueueKey>,
    pub(crate) per_second: Option<u32>,
    /// Only messages of smaller sequence are moved: one that comes back at once is not moved
    /// again and again.
    pub(crate) before: Sequence,
    pub(crate) to_move: u64,
}

/// A move and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) plan: Plan,
    pub(crate) moved: u64,
    /// How it ended, and when. Never [`MoveStatus::Running`].
    pub(crate) end: Option<(Timestamp, MoveStatus)>,
}

/// The moves from a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moves {
    next: MoveNumber,
    active: Option<Task>,
    /// The newest first.
    over: VecDeque<Task>,
}

impl Moves {
    /// The number of the move that begins next.
    pub(crate) fn next(&self) -> MoveNumber {
        self.next
    }

    /// The move under way.
    pub(crate) fn active(&self) -> Option<&Task> {
        self.active.as_ref()
    }

    /// The newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Task> + '_ {
        self.active.iter().chain(&self.over)
    }

    pub(crate) fn begin(&mut self, plan: &Plan) {
        self.next = self.next.max(MoveNumber(plan.number.0.saturating_add(1)));
        self.active = Some(Task { plan: plan.clone(), moved: 0, end: None });
    }

    pub(crate) fn count(&mut self, number: MoveNumber, moved: usize) {
        if let Some(task) = self.active.as_mut().filter(|task| task.plan.number == number) {
            task.moved += u64::try_from(moved).unwrap_or(u64::MAX);
        }
    }

    pub(crate) fn end(&mut self, number: MoveNumber, at: Timestamp, status: MoveStatus) {
        if let Some(mut task) = self.active.take_if(|task| task.plan.number == number) {
            task.end = Some((at, status));
            self.over.push_front(task);
            self.over.truncate(REMEMBERED);
        }
    }

    /// Layout: next number (varint); how many are over (varint), each; 0 or 1 and the one under
    /// way. Of each: what its plan writes, how many were moved (varint), and of those that are
    /// over: when (u64 ms), how (u8).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_varint(self.next.0.into());
        out.put_len(self.over.len());
        for task in &self.over {
            task.plan.write(out);
            out.put_varint(task.moved);
            let (at, status) = task.end.expect("what is over has ended");
            out.put_time(at);
            put_status(out, status);
        }
        out.put_u8(u8::from(self.active.is_some()));
        if let Some(task) = &self.active {
            task.plan.write(out);
            out.put_varint(task.moved);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let next = read_number(reader)?;
        let mut over = VecDeque::new();
        for _ in 0..reader.len()? {
            let (plan, moved) = (Plan::read(reader)?, reader.varint()?);
            let end = Some((reader.time()?, read_status(reader)?));
            over.push_back(Task { plan, moved, end });
        }
        let active = match reader.u8()? {
            0 => None,
            1 => Some(Task { plan: Plan::read(reader)?, moved: reader.varint()?, end: None }),
            _ => return Err(reader.bad()),
        };
        if over.len() > REMEMBERED {
            return Err(reader.bad());
        }
        Ok(Self { next, active, over })
    }
}

impl Plan {
    /// Layout: number (varint), started (u64 ms), 0 or 1 and the destination, messages a second
    /// (varint, 0 for as many as possible), before which sequence, how many to move (varints).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_varint(self.number.0.into());
        out.put_time(self.started);
        out.put_u8(u8::from(self.destination.is_some()));
        if let Some(key) = &self.destination {
            put_key(out, key);
        }
        out.put_varint(self.per_second.unwrap_or(0).into());
        out.put_varint(self.before.0);
        out.put_varint(self.to_move);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            number: read_number(reader)?,
            started: reader.time()?,
            destination: match reader.u8()? {
                0 => None,
                1 => Some(read_key(reader)?),
                _ => return Err(reader.bad()),
            },
            per_second: match u32::try_from(reader.varint()?).map_err(|_| reader.bad())? {
                0 => None,
                per_second => Some(per_second),
            },
            before: Sequence(reader.varint()?),
            to_move: reader.varint()?,
        })
    }
}

impl Task {
    pub(crate) fn status(&self) -> MoveStatus {
        self.end.map_or(MoveStatus::Running, |(_, status)| status)
    }
}

pub(crate) fn read_number(reader: &mut Reader<'_>) -> Result<MoveNumber, Unreadable> {
    u32::try_from(reader.varint()?).map(MoveNumber).map_err(|_| reader.bad())
}

/// How a move ended.
pub(crate) fn put_status(out: &mut Vec<u8>, status: MoveStatus) {
    out.put_u8(match status {
        MoveStatus::Running => 0,
        MoveStatus::Completed => 1,
        MoveStatus::Cancelled => 2,
        MoveStatus::Failed(MoveFailure::NoSuchQueue) => 3,
        MoveStatus::Failed(MoveFailure::UnknownSource) => 4,
        MoveStatus::Failed(MoveFailure::NotStored) => 5,
    });
}

pub(crate) fn read_status(reader: &mut Reader<'_>) -> Result<MoveStatus, Unreadable> {
    Ok(match reader.u8()? {
        1 => MoveStatus::Completed,
        2 => MoveStatus::Cancelled,
        3 => MoveStatus::Failed(MoveFailure::NoSuchQueue),
        4 => MoveStatus::Failed(MoveFailure::UnknownSource),
        5 => MoveStatus::Failed(MoveFailure::NotStored),
        // What still runs did not end.
        _ => return Err(reader.bad()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(number: u32) -> Plan {
        Plan {
            number: MoveNumber(number),
            started: Timestamp::from_millis(number.into()),
            destination: None,
            per_second: (number > 5).then_some(number),
            before: Sequence(9),
            to_move: 4,
        }
    }

    #[test]
    fn the_last_ten_that_are_over_are_remembered_and_come_back() {
        let mut moves = Moves::default();
        for number in 0..20 {
            assert_eq!(moves.next(), MoveNumber(number));
            moves.begin(&plan(number));
            moves.count(MoveNumber(number), 3);
            moves.end(MoveNumber(number), Timestamp::from_millis(99), MoveStatus::Completed);
        }
        moves.begin(&plan(20));
        moves.count(MoveNumber(19), 7);
        moves.end(MoveNumber(19), Timestamp::EPOCH, MoveStatus::Cancelled);
        let numbers: Vec<_> = moves.iter().map(|task| task.plan.number.0).collect();
        assert_eq!(numbers, (10..=20).rev().collect::<Vec<_>>());
        assert_eq!(moves.active().map(|task| task.moved), Some(0));
        let mut bytes = Vec::new();
        moves.write(&mut bytes);
        let mut reader = Reader::new("moves", &bytes);
        assert_eq!(Moves::read(&mut reader), Ok(moves));
        reader.finish().unwrap();
    }
}
