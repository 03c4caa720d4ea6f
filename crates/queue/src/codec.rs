//! The bytes of our records: little-endian numbers, varints where small ones are the rule, and
//! length-prefixed text. A reader never trusts a length.

use std::time::Duration;

use bytes::BufMut as _;
use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::holder::Holder;
use crate::key::{QueueNumber, Sequence};

/// Bytes that are not what they should be: damaged, or written by a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreadable {0}")]
pub struct Unreadable(pub(crate) String);

impl Unreadable {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Writes what [`Reader`] reads.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn put_u8(&mut self, number: u8) {
        self.put(&[number]);
    }
    fn put_u16(&mut self, number: u16) {
        self.put(&number.to_le_bytes());
    }
    fn put_u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }
    fn put_u64(&mut self, number: u64) {
        self.put(&number.to_le_bytes());
    }
    /// Seven bits a byte, the lowest first.
    fn put_varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.put(&[number.to_le_bytes()[0] | 0x80]);
            number >>= 7;
        }
        self.put(&[number.to_le_bytes()[0]]);
    }
    fn put_len(&mut self, len: usize) {
        self.put_varint(u64::try_from(len).expect("a length in memory fits 64 bits"));
    }
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_len(bytes.len());
        self.put(bytes);
    }
    fn put_text(&mut self, text: &str) {
        self.put_bytes(text.as_bytes());
    }
    /// An absent text is told from an empty one.
    fn put_optional_text(&mut self, text: Option<&str>) {
        self.put_u8(u8::from(text.is_some()));
        if let Some(text) = text {
            self.put_text(text);
        }
    }
    fn put_time(&mut self, time: Timestamp) {
        self.put_u64(time.as_millis());
    }
    fn put_span(&mut self, span: Duration) {
        self.put_varint(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    }
    fn put_queue(&mut self, queue: QueueNumber) {
        self.put_u32(queue.0);
    }
    /// Ascending sequences, each as its distance from the one before.
    fn put_sequences(&mut self, sequences: &[Sequence]) {
        self.put_len(sequences.len());
        let mut last = 0;
        for sequence in sequences {
            self.put_varint(sequence.0.wrapping_sub(last));
            last = sequence.0;
        }
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Into room that is there, from its beginning on.
impl Put for &mut [u8] {
    fn put(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }
}

/// Reads what [`Put`] wrote, or says that it cannot.
pub(crate) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`, which are said to be `what`.
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    pub(crate) fn bad(&self) -> Unreadable {
        Unreadable::new(self.what)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.bad())?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.bad())?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Unreadable> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Unreadable> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Unreadable> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Unreadable> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.bad())
    }

    pub(crate) fn holder(&mut self) -> Result<Holder, Unreadable> {
        Holder::from_u64(self.u64()?).ok_or_else(|| self.bad())
    }

    /// A number of things to come, each of at least one byte: never more than bytes are left.
    pub(crate) fn len(&mut self) -> Result<usize, Unreadable> {
        let len = self.varint()?;
        usize::try_from(len).ok().filter(|len| *len <= self.rest.len()).ok_or_else(|| self.bad())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let len = self.len()?;
        self.take(len)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Unreadable> {
        let bytes = self.bytes()?;
        str::from_utf8(bytes).map_err(|_| self.bad())
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<&'a str>, Unreadable> {
        match self.u8()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            _ => Err(self.bad()),
        }
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Unreadable> {
        self.u64().map(Timestamp::from_millis)
    }

    pub(crate) fn span(&mut self) -> Result<Duration, Unreadable> {
        self.varint().map(Duration::from_millis)
    }

    pub(crate) fn queue(&mut self) -> Result<QueueNumber, Unreadable> {
        self.u32().map(QueueNumber)
    }

    /// Where a record is: a multiple of 8, and no log comes to 2 PiB.
    pub(crate) fn position(&mut self) -> Result<Position, Unreadable> {
        let at = self.varint()?;
        if at.is_multiple_of(8) && at < 1 << 51 {
            Ok(Position::from_u64(at))
        } else {
            Err(self.bad())
        }
    }

    /// A sequence as its distance from the one before, which is smaller.
    pub(crate) fn next_sequence(&mut self, last: Sequence) -> Result<Sequence, Unreadable> {
        let distance = self.varint()?;
        let next = last.0.checked_add(distance).filter(|next| *next > last.0 && *next < u64::MAX);
        next.map(Sequence).ok_or_else(|| self.bad())
    }

    pub(crate) fn sequences(&mut self) -> Result<Vec<Sequence>, Unreadable> {
        let mut last = 0_u64;
        (0..self.len()?)
            .map(|_| {
                last = last.wrapping_add(self.varint()?);
                Ok(Sequence(last))
            })
            .collect()
    }

    /// Whatever is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Fails if anything is left over.
    pub(crate) fn finish(self) -> Result<(), Unreadable> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.bad()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            bytes.put_varint(number);
            let mut reader = Reader::new("number", &bytes);
            assert_eq!(reader.varint(), Ok(number));
            reader.finish().unwrap();
        }
    }

    #[test]
    fn sequences_come_back_in_any_order() {
        for list in [vec![], vec![7], vec![3, 4, 9], vec![9, 3, u64::MAX, 0]] {
            let list: Vec<_> = list.into_iter().map(Sequence).collect();
            let mut bytes = Vec::new();
            bytes.put_sequences(&list);
            assert_eq!(Reader::new("list", &bytes).sequences(), Ok(list));
        }
    }

    #[test]
    fn a_place_where_no_record_can_be_and_a_sequence_that_stands_still_are_refused() {
        let put = |number: u64| {
            let mut bytes = Vec::new();
            bytes.put_varint(number);
            bytes
        };
        let position = |at| Reader::new("place", &put(at)).position();
        assert_eq!(position(4096), Ok(Position::from_u64(4096)));
        assert!(position(4097).is_err());
        assert!(position(1 << 51).is_err());
        let next =
            |last, distance| Reader::new("list", &put(distance)).next_sequence(Sequence(last)).ok();
        assert_eq!(next(7, 1), Some(Sequence(8)));
        assert_eq!((next(7, 0), next(7, u64::MAX), next(0, u64::MAX)), (None, None, None));
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused() {
        let mut bytes = Vec::new();
        bytes.put_varint(1 << 40);
        assert!(Reader::new("text", &bytes).text().is_err());
        assert!(Reader::new("list", &bytes).sequences().is_err());
        assert!(Reader::new("number", &[0xff; 11]).varint().is_err());
    }
}
