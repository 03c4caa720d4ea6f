//! What a move is called: text that its starter keeps, to cancel it by.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::MoveNumber;
use crate::codec::{Put, Reader};
use crate::key::{QueueId, QueueNumber, ShardId};
use crate::refusal::Refusal;

/// The layout below. To change it, count up and keep parsing the older ones.
const VERSION: u8 = 1;
/// Version, shard, queue, number.
const SIZE: usize = 1 + 2 + 4 + 4;

/// Names a move. Reads and writes as opaque text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MoveId {
    pub(crate) queue: QueueId,
    pub(crate) number: MoveNumber,
}

impl MoveId {
    /// Reads a move's name, or refuses with [`Refusal::BadMoveId`]. Whether there is such a move
    /// shows only when it is used.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        // A longer text is no name; do not decode a megabyte to find out.
        if text.len() != (SIZE * 4).div_ceil(3) {
            return Err(Refusal::BadMoveId);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::BadMoveId)?;
        Self::decode(&bytes).ok_or(Refusal::BadMoveId)
    }

    /// The queue that messages are moved from.
    pub fn source(&self) -> QueueId {
        self.queue
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new("move", bytes);
        if reader.u8().ok()? != VERSION {
            return None;
        }
        let shard = ShardId(reader.u16().ok()?);
        let queue = QueueId { shard, number: QueueNumber(reader.u32().ok()?) };
        let number = MoveNumber(reader.u32().ok()?);
        reader.finish().ok()?;
        Some(Self { queue, number })
    }
}

impl fmt::Display for MoveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(SIZE);
        bytes.put_u8(VERSION);
        bytes.put_u16(self.queue.shard.0);
        bytes.put_queue(self.queue.number);
        bytes.put_u32(self.number.0);
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_being_text_and_garbage_is_none() {
        let queue = QueueId { shard: ShardId(1), number: QueueNumber(7) };
        let id = MoveId { queue, number: MoveNumber(3) };
        let text = id.to_string();
        assert_eq!(MoveId::parse(&text), Ok(id));
        assert_eq!(id.source(), queue);
        let newer = format!("B{}", &text[1..]);
        for bad in ["", "foobared", &text[1..], &format!("{text}A"), &"*".repeat(15), &newer] {
            assert_eq!(MoveId::parse(bad), Err(Refusal::BadMoveId), "{bad:?}");
        }
    }
}
