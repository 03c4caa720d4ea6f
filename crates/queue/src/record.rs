//! What the journal holds of us: a record for everything that changed.
//!
//! Each that is about a queue begins with its number (u32), and most with the time (u64 ms). Most
//! are version 1; messages are version 2, receives 2 or 3, and what the older were is said beside.
//! To change a layout: give the kind a new version here, and keep decoding the older ones. A kind's
//! number is never used again.

mod carried;

use std::sync::Arc;

use tidemill_base::{AccountId, MessageId, Timestamp};
use tidemill_journal::{Kind, RecordRef};

use crate::codec::{Put, Reader, Unreadable};
use crate::content::Packed;
use crate::deduplication::Mark;
use crate::holder::Holder;
use crate::key::{QueueKey, QueueNumber, Sequence};
use crate::moves::{MoveNumber, MoveStatus, Plan, put_status, read_number, read_status};
use crate::receipt::Secret;
use crate::settings::{Settings, Tags};
use crate::settings_codec::{put_settings, put_tags, read_settings, read_tags};

pub(crate) use carried::{Arriving, Carried, Carry};

/// The first version of every kind.
const FIRST: u8 = 1;
/// The version of messages, and of receives by nobody who is known.
const SECOND: u8 = 2;
/// The version of receives by a holder.
const THIRD: u8 = 3;

/// A change. `apply` needs nothing else to move the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Kind 1, the shard's first: secret (16 bytes).
    Founded { secret: Secret },
    /// Kind 2: queue, time, account (u64), region, name, settings, tags.
    Created(Box<Created>),
    /// Kind 3: queue, time, the settings after the change.
    Configured { queue: QueueNumber, at: Timestamp, settings: Box<Settings> },
    /// Kind 4: queue, time, the tags after the change.
    Tagged { queue: QueueNumber, at: Timestamp, tags: Tags },
    /// Kind 5: queue, time.
    Removed { queue: QueueNumber, at: Timestamp },
    /// Kind 6: queue, time, sequence (u64). Every message before it is gone.
    Purged { queue: QueueNumber, at: Timestamp, before: Sequence },
    /// Kind 7: a header, then the content.
    Message(Header),
    /// Kind 8: the same, again: the message survived its segment, and lives here now.
    Moved(Header),
    /// Kind 9.
    Received(Received),
    /// Kind 10: queue, time, sequences. Handed out, but it never arrived: as if not received.
    Returned { queue: QueueNumber, at: Timestamp, sequences: Vec<Sequence> },
    /// Kind 11: queue, sequences.
    Deleted { queue: QueueNumber, sequences: Vec<Sequence> },
    /// Kind 12: queue, visible again at (u64), sequences.
    Hidden { queue: QueueNumber, until: Timestamp, sequences: Vec<Sequence> },
    /// Kind 13: queue, sequences. Too old, or lost with a damaged piece of the log.
    Dropped { queue: QueueNumber, why: DropReason, sequences: Vec<Sequence> },
    /// Kind 14: nothing. The names of removed queues may be used again.
    Forgotten,
    /// Kind 15: queue, visible again at (u64), mark of the attempt (16 bytes), in version 2 to whom
    /// (u64). What that receive gave was given again.
    Repeated { queue: QueueNumber, until: Timestamp, attempt: Mark, holder: Option<Holder> },
    /// Kind 16: queue, time. What the queue remembered of sends and receives is over by then.
    Lapsed { queue: QueueNumber, at: Timestamp },
    /// Kind 20: source, and the rest. See there.
    Carried(Box<Carried>),
    /// Kind 21: queue, then the plan. A move from the queue began.
    MoveBegan { queue: QueueNumber, plan: Box<Plan> },
    /// Kind 22: queue, move (varint), sequences. They are new messages elsewhere, whose records
    /// are of the same group as this one.
    Redriven { queue: QueueNumber, number: MoveNumber, sequences: Vec<Sequence> },
    /// Kind 23: queue, time, move (varint), how it ended (u8).
    MoveEnded { queue: QueueNumber, at: Timestamp, number: MoveNumber, status: MoveStatus },
}

/// What [`Record::Received`] says: queue, time, visible again at (u64), whether there is an attempt
/// (u8: 0 or 1), its mark (16 bytes, if there is one), in version 3 the holder (u64), sequences in
/// the order in which they were handed out. Version 1 had no attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) queue: QueueNumber,
    pub(crate) at: Timestamp,
    pub(crate) until: Timestamp,
    /// What the receive can be repeated by.
    pub(crate) attempt: Option<Mark>,
    /// Who has them now, if that is known.
    pub(crate) holder: Option<Holder>,
    pub(crate) sequences: Vec<Sequence>,
}

/// What [`Record::Created`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Created {
    pub(crate) queue: QueueNumber,
    pub(crate) at: Timestamp,
    pub(crate) key: QueueKey,
    pub(crate) settings: Settings,
    pub(crate) tags: Tags,
}

/// What a message's record says of it before its content: queue (u32), sequence (u64), sent (u64
/// ms), delay (u16 s), flags (u8), group (text, flag 1), mark and id (16 bytes each, flag 2).
/// Version 1 ended with the delay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) queue: QueueNumber,
    pub(crate) sequence: Sequence,
    pub(crate) sent: Timestamp,
    /// Whole seconds. Of a message in a FIFO queue 0: there the queue's own delay counts.
    pub(crate) delay: u16,
    pub(crate) group: Option<Arc<str>>,
    /// What a FIFO queue knows the message by, and the id that it answers a repetition with.
    pub(crate) known: Option<(Mark, MessageId)>,
}

const HAS_GROUP: u8 = 1;
const IS_KNOWN: u8 = 2;

impl Header {
    /// Reads the header of a record of this version; returns what is behind it, too.
    pub(crate) fn read(version: u8, payload: &[u8]) -> Result<(Self, &[u8]), Unreadable> {
        let mut reader = Reader::new("message header", payload);
        let mut header = Self {
            queue: reader.queue()?,
            sequence: Sequence(reader.u64()?),
            sent: reader.time()?,
            delay: reader.u16()?,
            group: None,
            known: None,
        };
        let flags = if version == FIRST { 0 } else { reader.u8()? };
        if flags > HAS_GROUP | IS_KNOWN {
            return Err(reader.bad());
        }
        if flags & HAS_GROUP != 0 {
            header.group = Some(reader.text()?.into());
        }
        if flags & IS_KNOWN != 0 {
            let mark = Mark(reader.array()?);
            header.known = Some((mark, MessageId::from_bytes(reader.array()?)));
        }
        Ok((header, reader.rest()))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_queue(self.queue);
        out.put_u64(self.sequence.0);
        out.put_time(self.sent);
        out.put_u16(self.delay);
        let flag = |given: bool, flag: u8| if given { flag } else { 0 };
        out.put_u8(flag(self.group.is_some(), HAS_GROUP) | flag(self.known.is_some(), IS_KNOWN));
        if let Some(group) = &self.group {
            out.put_text(group);
        }
        if let Some((mark, id)) = &self.known {
            out.put(&mark.0);
            out.put(id.as_bytes());
        }
    }

    /// At least the number of bytes that it is written as.
    pub(crate) fn room(&self) -> usize {
        64 + self.group.as_ref().map_or(0, |group| group.len())
    }
}

/// Why messages were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// Older than the queue's retention.
    TooOld,
    /// Their bytes were lost to damage.
    Lost,
}

impl Record {
    pub(crate) fn kind(&self) -> Kind {
        Kind(match self {
            Self::Founded { .. } => 1,
            Self::Created(_) => 2,
            Self::Configured { .. } => 3,
            Self::Tagged { .. } => 4,
            Self::Removed { .. } => 5,
            Self::Purged { .. } => 6,
            Self::Message(_) => 7,
            Self::Moved(_) => 8,
            Self::Received(_) => 9,
            Self::Returned { .. } => 10,
            Self::Deleted { .. } => 11,
            Self::Hidden { .. } => 12,
            Self::Dropped { .. } => 13,
            Self::Forgotten => 14,
            Self::Repeated { .. } => 15,
            Self::Lapsed { .. } => 16,
            Self::Carried(_) => 20,
            Self::MoveBegan { .. } => 21,
            Self::Redriven { .. } => 22,
            Self::MoveEnded { .. } => 23,
        })
    }

    /// The version that it is written in.
    pub(crate) fn version(&self) -> u8 {
        match self {
            Self::Received(Received { holder: Some(_), .. }) => THIRD,
            Self::Message(_)
            | Self::Moved(_)
            | Self::Received(_)
            | Self::Repeated { holder: Some(_), .. } => SECOND,
            _ => FIRST,
        }
    }

    /// Whether a content follows.
    pub(crate) fn has_content(&self) -> bool {
        matches!(self, Self::Message(_) | Self::Moved(_))
    }

    /// The queue that this is about, if it is about one.
    pub(crate) fn queue(&self) -> Option<QueueNumber> {
        match self {
            Self::Founded { .. } | Self::Forgotten => None,
            Self::Created(created) => Some(created.queue),
            Self::Message(header) | Self::Moved(header) => Some(header.queue),
            Self::Configured { queue, .. }
            | Self::Tagged { queue, .. }
            | Self::Removed { queue, .. }
            | Self::Purged { queue, .. }
            | Self::Received(Received { queue, .. })
            | Self::Returned { queue, .. }
            | Self::Deleted { queue, .. }
            | Self::Hidden { queue, .. }
            | Self::Dropped { queue, .. }
            | Self::Repeated { queue, .. }
            | Self::Lapsed { queue, .. }
            | Self::MoveBegan { queue, .. }
            | Self::Redriven { queue, .. }
            | Self::MoveEnded { queue, .. } => Some(*queue),
            Self::Carried(carried) => Some(carried.source),
        }
    }

    /// The other queue that this is about, if there is one.
    pub(crate) fn target(&self) -> Option<QueueNumber> {
        match self {
            Self::Carried(carried) => Some(carried.target),
            _ => None,
        }
    }

    /// Writes the payload; `content` is what follows a message's header.
    pub(crate) fn write(&self, content: Option<&Packed>, out: &mut Vec<u8>) {
        debug_assert_eq!(self.has_content(), content.is_some(), "messages alone have a content");
        if let Some(queue) = self.queue().filter(|_| !self.has_content()) {
            out.put_queue(queue);
        }
        match self {
            Self::Founded { secret } => out.put(&secret.0),
            Self::Forgotten => {}
            Self::Created(created) => created.write(out),
            Self::Configured { at, settings, .. } => {
                out.put_time(*at);
                put_settings(out, settings);
            }
            Self::Tagged { at, tags, .. } => {
                out.put_time(*at);
                put_tags(out, tags);
            }
            Self::Removed { at, .. } | Self::Lapsed { at, .. } => out.put_time(*at),
            Self::Purged { at, before, .. } => {
                out.put_time(*at);
                out.put_u64(before.0);
            }
            Self::Message(header) | Self::Moved(header) => {
                header.write(out);
                if let Some(content) = content {
                    content.write(out);
                }
            }
            Self::Received(received) => received.write(out),
            Self::Repeated { until, attempt, holder, .. } => {
                out.put_time(*until);
                out.put(&attempt.0);
                put_holder(out, *holder);
            }
            Self::Returned { at, sequences, .. } => {
                out.put_time(*at);
                out.put_sequences(sequences);
            }
            Self::Deleted { sequences, .. } => out.put_sequences(sequences),
            Self::Hidden { until, sequences, .. } => {
                out.put_time(*until);
                out.put_sequences(sequences);
            }
            Self::Dropped { why, sequences, .. } => {
                out.put_u8(matches!(why, DropReason::Lost).into());
                out.put_sequences(sequences);
            }
            Self::Carried(carried) => carried.write(out),
            Self::MoveBegan { plan, .. } => plan.write(out),
            Self::Redriven { number, sequences, .. } => {
                out.put_varint(number.0.into());
                out.put_sequences(sequences);
            }
            Self::MoveEnded { at, number, status, .. } => {
                out.put_time(*at);
                out.put_varint(number.0.into());
                put_status(out, *status);
            }
        }
    }

    pub(crate) fn read(record: RecordRef<'_>) -> Result<Self, Unreadable> {
        let Kind(kind) = record.kind;
        let version = record.version;
        let newest = match kind {
            9 => THIRD,
            7 | 8 | 15 => SECOND,
            _ => FIRST,
        };
        if !(FIRST..=newest).contains(&version) {
            return Err(Unreadable::new(format!("record of kind {kind}, version {version}")));
        }
        // A message's content is not the state's business, so what follows the header is no error.
        match kind {
            7 => return Header::read(version, record.payload).map(|(it, _)| Self::Message(it)),
            8 => return Header::read(version, record.payload).map(|(it, _)| Self::Moved(it)),
            _ => {}
        }
        let mut reader = Reader::new("record", record.payload);
        if kind == 1 {
            return Ok(Self::Founded { secret: Secret(reader.array()?) });
        }
        if kind == 14 {
            reader.finish()?;
            return Ok(Self::Forgotten);
        }
        let queue = reader.queue()?;
        let read = match kind {
            9 => Self::Received(Received::read(version, queue, &mut reader)?),
            15 => {
                let (until, attempt) = (reader.time()?, Mark(reader.array()?));
                let holder = read_holder(version == SECOND, &mut reader)?;
                Self::Repeated { queue, until, attempt, holder }
            }
            _ => Self::read_of_queue(kind, queue, &mut reader)?,
        };
        reader.finish()?;
        Ok(read)
    }

    fn read_of_queue(
        kind: u8,
        queue: QueueNumber,
        reader: &mut Reader<'_>,
    ) -> Result<Self, Unreadable> {
        Ok(match kind {
            2 => Self::Created(Box::new(Created::read(queue, reader)?)),
            3 => {
                let at = reader.time()?;
                Self::Configured { queue, at, settings: Box::new(read_settings(reader)?) }
            }
            4 => Self::Tagged { queue, at: reader.time()?, tags: read_tags(reader)? },
            5 => Self::Removed { queue, at: reader.time()? },
            6 => Self::Purged { queue, at: reader.time()?, before: Sequence(reader.u64()?) },
            10 => Self::Returned { queue, at: reader.time()?, sequences: reader.sequences()? },
            11 => Self::Deleted { queue, sequences: reader.sequences()? },
            12 => Self::Hidden { queue, until: reader.time()?, sequences: reader.sequences()? },
            13 => {
                let why = match reader.u8()? {
                    0 => DropReason::TooOld,
                    1 => DropReason::Lost,
                    _ => return Err(reader.bad()),
                };
                Self::Dropped { queue, why, sequences: reader.sequences()? }
            }
            16 => Self::Lapsed { queue, at: reader.time()? },
            20 => Self::Carried(Box::new(Carried::read(queue, reader)?)),
            21 => Self::MoveBegan { queue, plan: Box::new(Plan::read(reader)?) },
            22 => {
                let number = read_number(reader)?;
                Self::Redriven { queue, number, sequences: reader.sequences()? }
            }
            23 => {
                let (at, number) = (reader.time()?, read_number(reader)?);
                Self::MoveEnded { queue, at, number, status: read_status(reader)? }
            }
            kind => return Err(Unreadable::new(format!("record of kind {kind}"))),
        })
    }
}

impl Received {
    fn write(&self, out: &mut Vec<u8>) {
        out.put_time(self.at);
        out.put_time(self.until);
        out.put_u8(self.attempt.is_some().into());
        if let Some(mark) = &self.attempt {
            out.put(&mark.0);
        }
        put_holder(out, self.holder);
        out.put_sequences(&self.sequences);
    }

    fn read(version: u8, queue: QueueNumber, reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let (at, until) = (reader.time()?, reader.time()?);
        let attempt = match if version == FIRST { 0 } else { reader.u8()? } {
            0 => None,
            1 => Some(Mark(reader.array()?)),
            _ => return Err(reader.bad()),
        };
        let holder = read_holder(version == THIRD, reader)?;
        Ok(Self { queue, at, until, attempt, holder, sequences: reader.sequences()? })
    }
}

impl Created {
    fn write(&self, out: &mut Vec<u8>) {
        out.put_time(self.at);
        put_key(out, &self.key);
        put_settings(out, &self.settings);
        put_tags(out, &self.tags);
    }

    fn read(queue: QueueNumber, reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            queue,
            at: reader.time()?,
            key: read_key(reader)?,
            settings: read_settings(reader)?,
            tags: read_tags(reader)?,
        })
    }
}

/// Where there is none, not a byte is written: the record's version says so.
fn put_holder(out: &mut Vec<u8>, holder: Option<Holder>) {
    if let Some(holder) = holder {
        out.put_u64(holder.as_u64());
    }
}

fn read_holder(is_known: bool, reader: &mut Reader<'_>) -> Result<Option<Holder>, Unreadable> {
    is_known.then(|| reader.holder()).transpose()
}

pub(crate) fn put_key(out: &mut Vec<u8>, key: &QueueKey) {
    out.put_u64(key.account.as_u64());
    out.put_text(key.region.as_str());
    out.put_text(key.name.as_str());
}

pub(crate) fn read_key(reader: &mut Reader<'_>) -> Result<QueueKey, Unreadable> {
    let account = AccountId::from_u64(reader.u64()?).ok_or_else(|| reader.bad())?;
    let region = reader.text()?.parse().map_err(|_| reader.bad())?;
    let name = reader.text()?.parse().map_err(|_| reader.bad())?;
    Ok(QueueKey { account, region, name })
}

#[cfg(test)]
mod tests;
