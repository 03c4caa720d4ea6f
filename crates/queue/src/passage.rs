//! A passage: how a message came from one queue to another.

use tidemill_base::Timestamp;

use crate::codec::{Put, Reader, Unreadable};
use crate::key::QueueNumber;

/// How a message came to the queue that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    /// The queue that it came from.
    pub(crate) source: QueueNumber,
    pub(crate) at: Timestamp,
    pub(crate) why: CarryReason,
    /// How often it had been received by then.
    pub(crate) receives: u32,
}

/// Why a message was carried to another queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CarryReason {
    /// It was received too often.
    Exhausted,
    /// It outlived its queue's retention.
    TooOld,
}

impl CarryReason {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.put_u8(match self {
            Self::Exhausted => 0,
            Self::TooOld => 1,
        });
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        match reader.u8()? {
            0 => Ok(Self::Exhausted),
            1 => Ok(Self::TooOld),
            _ => Err(reader.bad()),
        }
    }
}

impl Passage {
    /// Layout: source, when (varints), why (u8: 0 received too often, 1 too old), how often it
    /// had been received (varint).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_varint(self.source.0.into());
        out.put_varint(self.at.as_millis());
        self.why.write(out);
        out.put_varint(self.receives.into());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            source: QueueNumber(u32::try_from(reader.varint()?).map_err(|_| reader.bad())?),
            at: Timestamp::from_millis(reader.varint()?),
            why: CarryReason::read(reader)?,
            receives: u32::try_from(reader.varint()?).map_err(|_| reader.bad())?,
        })
    }
}
