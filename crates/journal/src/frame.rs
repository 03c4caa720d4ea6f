//! A record's bytes in a segment: twelve bytes of header, the payload, zeros up to a multiple
//! of 8. Documented in `docs/formats.md`; what changes here changes there.
//!
//! The checksum covers the position, so that the stale bytes of a recycled segment never pass for
//! records, and the journal's salt, so that neither another journal's bytes do, nor a payload that
//! somebody made to look like a record.

use crate::record::{Kind, RecordRef};

/// The bytes before a payload.
pub(crate) const FRAME: usize = 12;
/// The bytes of a segment's header, before its first record.
pub(crate) const HEADER: usize = 64;
/// The bytes of a whole seal.
pub(crate) const SEAL: usize = 16;
/// The bytes of a whole batch record.
pub(crate) const BATCH: usize = 24;
/// What a segment's file begins with.
const MAGIC: [u8; 8] = *b"TIDELOG\n";
/// The version of everything in a segment's file. To change the layout: count up, keep reading
/// what older numbers meant, and say in `docs/formats.md` what is different.
pub(crate) const VERSION: u16 = 1;

/// Set on every record of a group but its last.
pub(crate) const CONTINUES: u8 = 1;

/// The bytes that a payload of this length takes in a segment.
pub(crate) const fn framed(payload: usize) -> usize {
    (FRAME + payload).next_multiple_of(8)
}

/// A number of bytes as a position counts them, in memory.
pub(crate) fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a segment has at most 1 GiB, which memory can address")
}

/// What is found at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A whole record.
    Frame(Frame<'a>),
    /// Zeros, where nothing was written yet.
    Blank,
    /// Anything else.
    Bad,
}

/// A whole record as it is in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) record: RecordRef<'a>,
    pub(crate) continues: bool,
    /// The bytes it takes, padding included.
    pub(crate) size: usize,
}

/// Writes and checks frames of one journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codec {
    pub(crate) salt: u64,
}

impl Codec {
    /// Completes a frame in place: `frame` is twelve bytes of anything and then the payload.
    pub(crate) fn finish(self, at: u64, frame: &mut [u8], kind: Kind, version: u8, flags: u8) {
        let length = frame.len() - FRAME;
        let length = u32::try_from(length).expect("a record is smaller than its segment");
        frame[..4].copy_from_slice(&length.to_le_bytes());
        frame[8..FRAME].copy_from_slice(&[kind.0, version, flags, 0]);
        frame[11] = self.check(at, frame);
        let sum = self.sum(at, frame);
        frame[4..8].copy_from_slice(&sum.to_le_bytes());
    }

    /// A whole frame, padded.
    pub(crate) fn encode(self, at: u64, kind: Kind, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; FRAME];
        frame.extend_from_slice(payload);
        self.finish(at, &mut frame, kind, 0, 0);
        frame.resize(framed(payload.len()), 0);
        frame
    }

    /// What is at the beginning of `bytes`, which belong at position `at` and go no further than
    /// the segment.
    pub(crate) fn decode(self, at: u64, bytes: &[u8]) -> Found<'_> {
        let Some(header) = bytes.get(..FRAME) else {
            return if bytes.iter().all(|byte| *byte == 0) { Found::Blank } else { Found::Bad };
        };
        if header.iter().all(|byte| *byte == 0) {
            return Found::Blank;
        }
        let Some(length) = self.length(at, header) else { return Found::Bad };
        let Some(frame) = bytes.get(..FRAME + length) else { return Found::Bad };
        let sum = u32::from_le_bytes([frame[4], frame[5], frame[6], frame[7]]);
        if self.sum(at, frame) != sum {
            return Found::Bad;
        }
        let (kind, version, flags) = (Kind(frame[8]), frame[9], frame[10]);
        let record = RecordRef { kind, version, payload: &frame[FRAME..] };
        Found::Frame(Frame { record, continues: flags & CONTINUES != 0, size: framed(length) })
    }

    /// The payload's length according to a header that agrees with itself. The one byte that says
    /// so keeps a search through garbage from summing up megabytes at every offset.
    pub(crate) fn length(self, at: u64, header: &[u8]) -> Option<usize> {
        let agrees = header[10] & !CONTINUES == 0 && self.check(at, header) == header[11];
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        agrees.then(|| in_memory(u64::from(length)))
    }

    fn check(self, at: u64, header: &[u8]) -> u8 {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let kinds = u32::from_le_bytes([header[8], header[9], header[10], 0]);
        let word = (u64::from(length) << 32 | u64::from(kinds)) ^ self.salt ^ at.rotate_left(24);
        word.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0]
    }

    fn sum(self, at: u64, frame: &[u8]) -> u32 {
        let mut before = [0; 24];
        before[..8].copy_from_slice(&self.salt.to_le_bytes());
        before[8..16].copy_from_slice(&at.to_le_bytes());
        before[16..20].copy_from_slice(&frame[..4]);
        before[20..].copy_from_slice(&frame[8..FRAME]);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&before);
        hasher.update(&frame[FRAME..]);
        hasher.finalize()
    }
}

/// What a segment's file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) base: u64,
    pub(crate) size: u64,
    pub(crate) epoch: u64,
    pub(crate) salt: u64,
}

/// Why a segment's header was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// Written by a later program.
    Version(u16),
    /// Not a whole header of ours.
    Garbled,
}

impl SegmentHeader {
    pub(crate) fn encode(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.base.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.size.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.salt.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let Some(bytes) = bytes.get(..HEADER) else { return Err(BadHeader::Garbled) };
        let word = |at: usize| {
            u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes were taken"))
        };
        let sum = u32::from_le_bytes([bytes[60], bytes[61], bytes[62], bytes[63]]);
        if bytes[..8] != MAGIC || crc32fast::hash(&bytes[..60]) != sum {
            return Err(BadHeader::Garbled);
        }
        match u16::from_le_bytes([bytes[8], bytes[9]]) {
            VERSION => Ok(Self { base: word(16), size: word(24), epoch: word(32), salt: word(40) }),
            other => Err(BadHeader::Version(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODEC: Codec = Codec { salt: 0x1234_5678_9ABC_DEF0 };

    #[test]
    fn a_frame_reads_back_only_where_it_was_written() {
        let bytes = CODEC.encode(4096, Kind(7), b"payload");
        assert_eq!(bytes.len(), framed(7));
        let Found::Frame(frame) = CODEC.decode(4096, &bytes) else { panic!("not a frame") };
        assert_eq!((frame.record.kind, frame.record.payload), (Kind(7), &b"payload"[..]));
        for at in (0..1 << 20).step_by(8).filter(|at| *at != 4096) {
            assert_eq!(CODEC.decode(at, &bytes), Found::Bad, "at {at}");
        }
        assert_eq!(Codec { salt: 1 }.decode(4096, &bytes), Found::Bad);
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_noticed_but_for_the_padding() {
        let whole = CODEC.encode(64, Kind(7), b"payload");
        for bit in 0..(FRAME + 7) * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(CODEC.decode(64, &bytes), Found::Bad, "bit {bit}");
        }
    }

    #[test]
    fn a_header_reads_back_and_notices_a_flipped_bit() {
        let header = SegmentHeader { base: 1 << 24, size: 1 << 24, epoch: 3, salt: 9 };
        let whole = header.encode();
        assert_eq!(SegmentHeader::decode(&whole), Ok(header));
        for bit in 0..HEADER * 8 {
            let mut bytes = whole;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&bytes), Err(BadHeader::Garbled), "bit {bit}");
        }
    }

    #[test]
    fn the_fixed_records_have_the_sizes_they_claim() {
        assert_eq!(CODEC.encode(64, Kind::SEAL, &[]).len(), SEAL);
        assert_eq!(CODEC.encode(64, Kind::BATCH, &[0; 8]).len(), BATCH);
    }
}
