//! A receipt: what a receiver shows to delete a message or to hide it for longer.
//!
//! It names a queue, a message and which receive of it this was, and it is sealed with a secret
//! that lives in the journal: nobody can make one up, and one made before a restart still works.

use std::fmt;
use std::hash::Hasher;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use siphasher::sip::SipHasher24;

use crate::codec::{Put, Reader};
use crate::key::{QueueId, QueueNumber, Sequence, ShardId};
use crate::refusal::Refusal;

/// The layout below. To change it, count up and keep parsing the older ones: receipts are held by
/// receivers for up to twelve hours.
const VERSION: u8 = 1;
/// Version, shard, queue, sequence, receive, seal.
const SIZE: usize = 1 + 2 + 4 + 8 + 4 + 8;
/// The same as text, in characters.
const TEXT: usize = SIZE.div_ceil(3) * 4;

/// What seals receipts. Whoever knows it can make them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) [u8; 16]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// One receive of one message. Reads and writes as opaque text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub(crate) queue: QueueId,
    pub(crate) sequence: Sequence,
    /// Which receive of the message it was: the first is 1.
    pub(crate) receive: u32,
    seal: u64,
}

impl Receipt {
    pub(crate) fn new(queue: QueueId, sequence: Sequence, receive: u32, secret: Secret) -> Self {
        let mut receipt = Self { queue, sequence, receive, seal: 0 };
        receipt.seal = receipt.expected_seal(secret);
        receipt
    }

    /// Reads a receipt. Whether we made it shows only when it is used.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        // A longer text is no receipt; do not decode a megabyte to find out.
        if text.len() != TEXT {
            return Err(Refusal::BadReceipt);
        }
        let mut bytes = [0; SIZE];
        let decoded = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes);
        decoded.map_err(|_| Refusal::BadReceipt)?;
        Self::decode(&bytes).ok_or(Refusal::BadReceipt)
    }

    /// The receipt as text, as `to_string` would give it, without going through a formatter.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(TEXT);
        BASE64_URL_SAFE_NO_PAD.encode_string(self.encode(), &mut text);
        text
    }

    /// Whether we made it, for a message of `queue`.
    pub(crate) fn check(&self, queue: QueueId, secret: Secret) -> Result<(), Refusal> {
        if self.queue == queue && self.seal == self.expected_seal(secret) {
            Ok(())
        } else {
            Err(Refusal::BadReceipt)
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new("receipt", bytes);
        if reader.u8().ok()? != VERSION {
            return None;
        }
        let shard = ShardId(reader.u16().ok()?);
        let number = QueueNumber(reader.u32().ok()?);
        let sequence = Sequence(reader.u64().ok()?);
        let receive = reader.u32().ok()?;
        let seal = reader.u64().ok()?;
        reader.finish().ok()?;
        Some(Self { queue: QueueId { shard, number }, sequence, receive, seal })
    }

    fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let mut rest = &mut bytes[..];
        rest.put_u8(VERSION);
        rest.put_u16(self.queue.shard.0);
        rest.put_queue(self.queue.number);
        rest.put_u64(self.sequence.0);
        rest.put_u32(self.receive);
        rest.put_u64(self.seal);
        bytes
    }

    fn expected_seal(&self, secret: Secret) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&secret.0);
        hasher.write(&self.encode()[..SIZE - 8]);
        hasher.finish()
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: QueueId = QueueId { shard: ShardId(1), number: QueueNumber(7) };
    const SECRET: Secret = Secret([3; 16]);

    #[test]
    fn a_receipt_survives_being_text() {
        let receipt = Receipt::new(QUEUE, Sequence(42), 3, SECRET);
        let again = Receipt::parse(&receipt.to_string()).unwrap();
        assert_eq!(again, receipt);
        assert_eq!(again.check(QUEUE, SECRET), Ok(()));
    }

    #[test]
    fn a_receipt_is_good_for_its_queue_and_its_secret_alone() {
        let receipt = Receipt::new(QUEUE, Sequence(42), 3, SECRET);
        let other = QueueId { number: QueueNumber(8), ..QUEUE };
        assert_eq!(receipt.check(other, SECRET), Err(Refusal::BadReceipt));
        assert_eq!(receipt.check(QUEUE, Secret([4; 16])), Err(Refusal::BadReceipt));
        let forged = Receipt { sequence: Sequence(43), ..receipt };
        assert_eq!(forged.check(QUEUE, SECRET), Err(Refusal::BadReceipt));
    }

    #[test]
    fn garbage_is_no_receipt() {
        let good = Receipt::new(QUEUE, Sequence(42), 3, SECRET).to_string();
        let newer = format!("B{}", &good[1..]);
        for bad in ["", "garbage", &good[1..], &format!("{good}A"), &"*".repeat(36), &newer] {
            assert_eq!(Receipt::parse(bad), Err(Refusal::BadReceipt), "{bad:?}");
        }
    }
}
