//! The record that carries messages from one queue to another, both in one: there is no moment at
//! which a message is in neither, or in both.
//!
//! It says all that either queue needs to fold its half, for the other may be held by a section, or
//! be gone. The bodies stay where they are.

use std::sync::Arc;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use super::{put_key, read_key};
use crate::codec::{Put, Reader, Unreadable};
use crate::key::{QueueKey, QueueNumber, Sequence};
use crate::loose::Held;
use crate::passage::{CarryReason, Passage};

/// Messages that go from one queue to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Where they were.
    pub(crate) source: QueueNumber,
    pub(crate) at: Timestamp,
    /// Where they are from now on.
    pub(crate) target: QueueNumber,
    pub(crate) why: CarryReason,
    /// What people call the source, for when it is gone.
    pub(crate) key: QueueKey,
    /// The sequence that the first of them gets; the others get the next ones.
    pub(crate) first: Sequence,
    pub(crate) messages: Vec<Carry>,
}

/// A message that goes from one queue to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carry {
    /// Its sequence at the source.
    pub(crate) sequence: Sequence,
    /// Where its record is, and stays.
    pub(crate) position: Position,
    /// When the target is to say that it was sent.
    pub(crate) sent: Timestamp,
    pub(crate) receives: u32,
    pub(crate) first_received: Timestamp,
    /// The group whose order it keeps.
    pub(crate) group: Option<Arc<str>>,
}

/// A message as it arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arriving<'a> {
    /// Without its group, which has a number of its own in each queue.
    pub(crate) held: Held,
    pub(crate) group: Option<&'a Arc<str>>,
}

impl Carried {
    /// The sequence that a later message of the target gets; `None` if there is none left.
    pub(crate) fn end(&self) -> Option<Sequence> {
        let count = u64::try_from(self.messages.len()).ok()?;
        self.first.0.checked_add(count).map(Sequence)
    }

    /// Each message as its target gets it.
    pub(crate) fn arriving<'a>(&'a self) -> impl Iterator<Item = Arriving<'a>> + 'a {
        let passage = |one: &Carry| {
            let Self { source, at, why, .. } = *self;
            Passage { source, at, why, receives: one.receives }
        };
        let arriving = move |(sequence, one): (u64, &'a Carry)| Arriving {
            held: Held {
                sequence: Sequence(sequence),
                position: one.position,
                sent: one.sent,
                due: self.at,
                receives: one.receives,
                group: None,
                first_received: one.first_received,
                received: one.first_received,
                holder: None,
                passage: Some(passage(one)),
            },
            group: one.group.as_ref(),
        };
        (self.first.0..).zip(&self.messages).map(arriving)
    }

    /// Layout, after the source: time, target (u32), why (u8: 0 received too often, 1 too old),
    /// the source's key, first sequence (varint), how many, and of each: its sequence at the
    /// source, where its record is, when it was sent, how often it was received and, if it was,
    /// when first (varints), its group (optional text).
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_time(self.at);
        out.put_queue(self.target);
        self.why.write(out);
        put_key(out, &self.key);
        out.put_varint(self.first.0);
        out.put_len(self.messages.len());
        for one in &self.messages {
            out.put_varint(one.sequence.0);
            out.put_varint(one.position.as_u64());
            out.put_varint(one.sent.as_millis());
            out.put_varint(one.receives.into());
            if one.receives > 0 {
                out.put_varint(one.first_received.as_millis());
            }
            out.put_optional_text(one.group.as_deref());
        }
    }

    pub(super) fn read(source: QueueNumber, reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let (at, target) = (reader.time()?, reader.queue()?);
        let why = CarryReason::read(reader)?;
        let (key, first) = (read_key(reader)?, Sequence(reader.varint()?));
        let messages = (0..reader.len()?).map(|_| read_carry(reader)).collect::<Result<_, _>>()?;
        let carried = Self { source, at, target, why, key, first, messages };
        let is_sound = source != target && carried.end().is_some();
        if is_sound { Ok(carried) } else { Err(reader.bad()) }
    }
}

fn read_carry(reader: &mut Reader<'_>) -> Result<Carry, Unreadable> {
    let sequence = Sequence(reader.varint()?);
    let position = reader.position()?;
    let sent = Timestamp::from_millis(reader.varint()?);
    let receives = u32::try_from(reader.varint()?).map_err(|_| reader.bad())?;
    let first_received =
        if receives > 0 { Timestamp::from_millis(reader.varint()?) } else { Timestamp::NEVER };
    let group = reader.optional_text()?.map(Into::into);
    Ok(Carry { sequence, position, sent, receives, first_received, group })
}
