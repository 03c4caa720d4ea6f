//! Reading one record back, from memory or from the driver.

use bytes::Bytes;

use crate::driver::Driver;
use crate::error::ReadError;
use crate::frame::{Codec, FRAME, Found, HEADER, framed, in_memory};
use crate::record::{Kind, Record};
use crate::scan::damage_at;
use crate::{Position, SegmentId};

/// The record at the beginning of `bytes`, sharing their memory.
pub(crate) fn from_memory(codec: Codec, at: u64, bytes: &Bytes) -> Result<Record, ReadError> {
    match codec.decode(at, bytes) {
        Found::Frame(frame) if !frame.record.kind.is_reserved() => {
            let payload = bytes.slice_ref(frame.record.payload);
            Ok(Record { kind: frame.record.kind, version: frame.record.version, payload })
        }
        // What is in memory is as it was appended: no record begins here.
        _ => Err(ReadError::Absent(Position::from_u64(at))),
    }
}

/// The bytes of the frame at the beginning of `bytes`, or nothing if no frame begins here.
pub(crate) fn frame(codec: Codec, at: u64, bytes: &[u8]) -> &[u8] {
    match codec.decode(at, bytes) {
        Found::Frame(frame) => &bytes[..frame.size],
        Found::Blank | Found::Bad => &[],
    }
}

/// The record at `at` in segment `id`, which was written, and the bytes that were read with it:
/// the record's own first, and so `many` at least if the segment has them.
pub(crate) fn from_driver(
    driver: &dyn Driver,
    codec: Codec,
    id: SegmentId,
    at: u64,
    size: u64,
    many: usize,
) -> Result<(Record, Bytes), ReadError> {
    let offset = at - id.base().as_u64();
    let left = in_memory(size - offset);
    if offset < HEADER as u64 || !at.is_multiple_of(8) {
        return Err(ReadError::Absent(Position::from_u64(at)));
    }
    let mut bytes = vec![0; many.min(left)];
    fill(driver, id, offset, &mut bytes, 0)?;
    // A length is believed only as far as the segment goes.
    let length = bytes.get(..FRAME).and_then(|header| codec.length(at, header));
    let whole = length.map(framed).filter(|whole| *whole <= left);
    if let Some(whole) = whole
        && whole > bytes.len()
    {
        let have = bytes.len();
        bytes.resize(whole, 0);
        fill(driver, id, offset, &mut bytes, have)?;
    }
    match codec.decode(at, &bytes) {
        Found::Frame(frame) if frame.record.kind == Kind::FILLER => {
            Err(ReadError::Lost(Position::from_u64(at)))
        }
        Found::Frame(frame) if frame.record.kind.is_reserved() => {
            Err(ReadError::Absent(Position::from_u64(at)))
        }
        Found::Frame(frame) => {
            let (kind, version) = (frame.record.kind, frame.record.version);
            let payload = FRAME..FRAME + frame.record.payload.len();
            let bytes = Bytes::from(bytes);
            Ok((Record { kind, version, payload: bytes.slice(payload) }, bytes))
        }
        Found::Blank | Found::Bad => {
            let until = at + whole.unwrap_or(8) as u64;
            Err(ReadError::Damaged(damage_at(at..until, size, "no record can be read")))
        }
    }
}

/// Fills `bytes` from `have` on. What the store does not have stays zero.
fn fill(
    driver: &dyn Driver,
    id: SegmentId,
    offset: u64,
    bytes: &mut [u8],
    mut have: usize,
) -> Result<(), ReadError> {
    while have < bytes.len() {
        match driver.read(id, offset + have as u64, &mut bytes[have..]).map_err(ReadError::Io)? {
            0 => break,
            count => have += count,
        }
    }
    Ok(())
}
