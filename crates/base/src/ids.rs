//! Ids: of an account, of a message, of a request, and of whatever else is to have one of its own.

use std::fmt;
use std::str::FromStr;

use crate::Chance;

/// An account: twelve decimal digits on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

/// Not an account id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account id is twelve decimal digits")]
pub struct BadAccountId;

impl AccountId {
    /// The account of whoever names no other.
    pub const DEFAULT: Self = Self(0);

    /// The account as a number, for storing.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The account stored as `number`, if it has at most twelve digits.
    pub const fn from_u64(number: u64) -> Option<Self> {
        if number < 1_000_000_000_000 { Some(Self(number)) } else { None }
    }
}

impl FromStr for AccountId {
    type Err = BadAccountId;

    fn from_str(text: &str) -> Result<Self, BadAccountId> {
        if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadAccountId);
        }
        text.parse().map(Self).map_err(|_| BadAccountId)
    }
}

impl AccountId {
    fn digits(self) -> [u8; 12] {
        // Every message carries its sender's account: the formatter's padding is slow.
        let mut text = [b'0'; 12];
        let mut rest = self.0;
        for digit in text.iter_mut().rev() {
            *digit += u8::try_from(rest % 10).expect("a digit");
            rest /= 10;
        }
        text
    }

    /// The account as text, as `to_string` would give it, without going through a formatter.
    pub fn text(self) -> String {
        text(&self.digits()).to_owned()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(&self.digits()))
    }
}

/// Digits and hyphens, which are UTF-8.
fn text(ascii: &[u8]) -> &str {
    str::from_utf8(ascii).expect("digits and hyphens are UTF-8")
}

/// A UUID's text.
fn uuid(bytes: &[u8; 16]) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 0x0f)];
    }
    let mut text = [b'-'; 36];
    text[..8].copy_from_slice(&digits[..8]);
    text[9..13].copy_from_slice(&digits[8..12]);
    text[14..18].copy_from_slice(&digits[12..16]);
    text[19..23].copy_from_slice(&digits[16..20]);
    text[24..].copy_from_slice(&digits[20..]);
    text
}

/// An id that is drawn, and that nothing else has: a random (version 4) UUID. As text it has small
/// letters and hyphens, and is read in no other form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

/// Not a UUID as [`Uuid`] is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a UUID is 32 digits in small letters, with hyphens")]
pub struct BadUuid;

impl Uuid {
    /// A new one.
    pub fn random(chance: &Chance) -> Self {
        let mut bytes = chance.bytes::<16>();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// The bytes, for storing.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The UUID stored as `bytes`.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id as text, as `to_string` would give it, without going through a formatter.
    pub fn text(&self) -> String {
        text(&uuid(&self.0)).to_owned()
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(&uuid(&self.0)))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = BadUuid;

    fn from_str(text: &str) -> Result<Self, BadUuid> {
        let digits: String = text.split('-').collect();
        let plain = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(&digits, 16).ok().filter(|_| plain).ok_or(BadUuid)?;
        let id = Self(number.to_be_bytes());
        if id.to_string() == text { Ok(id) } else { Err(BadUuid) }
    }
}

/// A message's id, a UUID that never changes while the message lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Uuid);

impl MessageId {
    /// A new id.
    pub fn random(chance: &Chance) -> Self {
        Self(Uuid::random(chance))
    }

    /// The id as text, as `to_string` would give it, without going through a formatter.
    pub fn text(&self) -> String {
        self.0.text()
    }

    /// The id's bytes, for storing.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id stored as `bytes`.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A request's id, a UUID: it is in the answer and in the log, so that the two find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new id.
    pub fn random(chance: &Chance) -> Self {
        Self(Uuid::random(chance))
    }

    /// The id as text, as `to_string` would give it, without going through a formatter.
    pub fn text(&self) -> String {
        self.0.text()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_as_it_is_written() {
        let id = Uuid::random(&Chance::seeded(1));
        let text = id.to_string();
        assert_eq!((text.len(), &text[14..15]), (36, "4"));
        assert_eq!(text.parse(), Ok(id));
        for bad in ["", "x", &text[1..], &text.to_uppercase(), &text.replace('-', "")] {
            assert_eq!(bad.parse::<Uuid>(), Err(BadUuid), "{bad}");
        }
    }

    #[test]
    fn an_account_is_twelve_digits_both_ways() {
        assert_eq!("000000000042".parse::<AccountId>().unwrap().to_string(), "000000000042");
        for bad in ["", "42", "0000000000042", "00000000004x", "+00000000042"] {
            assert_eq!(bad.parse::<AccountId>(), Err(BadAccountId), "{bad:?}");
        }
    }

    #[test]
    fn a_message_id_reads_as_a_version_4_uuid() {
        let text = MessageId::random(&Chance::seeded(1)).to_string();
        assert_eq!(text.len(), 36);
        assert_eq!(&text[14..15], "4");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
        let id = MessageId::from_bytes([0x0f; 16]);
        assert_eq!(id.to_string(), "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f");
    }
}
