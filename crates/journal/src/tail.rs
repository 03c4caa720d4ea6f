//! The end of the log in memory: what was appended and not yet handed to the driver.
//!
//! Positions are final the moment a record is pushed, so the records, seals and segment headers
//! are laid out here exactly as they will be on disk, in chunks that never cross a segment.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::frame::{BATCH, CONTINUES, Codec, FRAME, HEADER, SEAL, SegmentHeader, framed};
use crate::record::Kind;

/// A chunk's memory is asked for at once, up to this much.
const LARGEST_HINT: usize = 1 << 20;

/// The end of the log.
#[derive(Debug)]
pub(crate) struct Tail {
    codec: Codec,
    segment_size: u64,
    epoch: u64,
    /// Contiguous, each within one segment; the last is being filled.
    chunks: Vec<Chunk>,
    /// Where the chunks end and the next one begins.
    end: u64,
    /// Where the segments begin that exist, or will once the chunks are written.
    segments: BTreeSet<u64>,
    /// The batch record, whose content is known only when the batch is taken.
    batch: Option<Place>,
    /// The last record of a group under way, complete once it is known whether another follows.
    open: Option<Open>,
    records: u64,
    hint: usize,
}

#[derive(Debug)]
struct Chunk {
    start: u64,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    chunk: usize,
    offset: usize,
}

#[derive(Debug)]
struct Open {
    place: Place,
    length: usize,
    kind: Kind,
    version: u8,
}

/// What a taken tail leaves to be written.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Positions and bytes, in order, each within one segment.
    pub(crate) chunks: Vec<(u64, Bytes)>,
    pub(crate) end: u64,
    pub(crate) records: u64,
}

/// The tail as it was, for undoing a group that did not complete.
#[derive(Debug)]
pub(crate) struct Mark {
    chunks: usize,
    last: usize,
    end: u64,
    records: u64,
    batch: Option<Place>,
}

impl Tail {
    pub(crate) fn new(
        codec: Codec,
        segment_size: u64,
        epoch: u64,
        end: u64,
        segments: BTreeSet<u64>,
    ) -> Self {
        let (chunks, batch, open) = (Vec::new(), None, None);
        Self { codec, segment_size, epoch, chunks, end, segments, batch, open, records: 0, hint: 0 }
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(crate) fn pending(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    pub(crate) fn segments(&self) -> &BTreeSet<u64> {
        &self.segments
    }

    /// False if there was no such segment.
    pub(crate) fn forget_segment(&mut self, base: u64) -> bool {
        self.segments.remove(&base)
    }

    /// The largest payload that fits in a segment together with all that a segment begins with.
    pub(crate) fn max_payload(segment_size: u64) -> u64 {
        (segment_size - (HEADER + BATCH + SEAL + FRAME) as u64) & !7
    }

    /// Appends a record to the group under way and returns its position.
    pub(crate) fn push(&mut self, kind: Kind, version: u8, fill: impl FnOnce(&mut Vec<u8>)) -> u64 {
        assert!(!kind.is_reserved(), "kinds from 0xF0 are the journal's own");
        self.finish_open(CONTINUES);
        let bytes = &mut self.chunk().bytes;
        let offset = bytes.len();
        bytes.resize(offset + FRAME, 0);
        fill(bytes);
        let length = bytes.len().checked_sub(offset + FRAME).expect("a fill only appends");
        bytes.resize(offset + framed(length), 0);
        let max = Self::max_payload(self.segment_size);
        assert!(length as u64 <= max, "a record of {length} bytes is over the limit of {max}");
        let mut place = Place { chunk: self.chunks.len() - 1, offset };
        if !self.fits(0) {
            let record = self.chunk().bytes.split_off(offset);
            self.roll();
            place = Place { chunk: place.chunk + 1, offset: self.chunk().bytes.len() };
            self.chunk().bytes.extend_from_slice(&record);
        }
        self.open = Some(Open { place, length, kind, version });
        self.records += 1;
        self.moved();
        self.chunks[place.chunk].start + place.offset as u64
    }

    /// Where a record with a payload of this length will be if it is pushed next.
    pub(crate) fn next_position(&mut self, payload: usize) -> u64 {
        self.chunk();
        self.moved();
        let base = self.end - self.end % self.segment_size;
        if self.fits(framed(payload)) { self.end } else { base + self.segment_size + HEADER as u64 }
    }

    /// The tail as it is, between two groups.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            chunks: self.chunks.len(),
            last: self.chunks.last().map_or(0, |chunk| chunk.bytes.len()),
            end: self.end,
            records: self.records,
            batch: self.batch,
        }
    }

    /// Ends a group: all of it, or nothing, will be there after a crash.
    pub(crate) fn complete(&mut self) {
        self.finish_open(0);
    }

    /// Undoes everything since `mark`.
    pub(crate) fn revert(&mut self, mark: &Mark) {
        self.open = None;
        self.chunks.truncate(mark.chunks);
        if let Some(last) = self.chunks.last_mut() {
            last.bytes.truncate(mark.last);
        }
        (self.end, self.records, self.batch) = (mark.end, mark.records, mark.batch);
        // A segment begun at or after the end was begun by what is undone now.
        drop(self.segments.split_off(&mark.end));
    }

    /// Takes everything that is pending. `synced` is what was synced by now.
    pub(crate) fn take(&mut self, synced: u64) -> Option<Batch> {
        let place = self.batch.take()?;
        let chunk = &mut self.chunks[place.chunk];
        let at = chunk.start + place.offset as u64;
        let frame = self.codec.encode(at, Kind::BATCH, &synced.to_le_bytes());
        chunk.bytes[place.offset..place.offset + BATCH].copy_from_slice(&frame);
        self.hint = self.pending().min(LARGEST_HINT);
        let chunks = std::mem::take(&mut self.chunks).into_iter();
        let chunks = chunks.map(|chunk| (chunk.start, Bytes::from(chunk.bytes))).collect();
        Some(Batch { chunks, end: self.end, records: std::mem::take(&mut self.records) })
    }

    /// The pending bytes from `at` to the end of their chunk.
    pub(crate) fn bytes_at(&self, at: u64) -> Option<&[u8]> {
        let index = self.chunks.partition_point(|chunk| chunk.start <= at).checked_sub(1)?;
        let chunk = &self.chunks[index];
        chunk.bytes.get(usize::try_from(at - chunk.start).ok()?..).filter(|rest| !rest.is_empty())
    }

    /// The chunk to append to; begins a batch if there is none.
    fn chunk(&mut self) -> &mut Chunk {
        if self.chunks.is_empty() {
            let bytes = Vec::with_capacity(self.hint);
            self.chunks.push(Chunk { start: self.end, bytes });
            if self.end.is_multiple_of(self.segment_size) {
                self.begin_segment();
            } else if !self.fits(BATCH) {
                self.roll();
            }
            let chunk = self.chunks.len() - 1;
            let bytes = &mut self.chunks[chunk].bytes;
            self.batch = Some(Place { chunk, offset: bytes.len() });
            bytes.resize(bytes.len() + BATCH, 0);
        }
        self.chunks.last_mut().expect("a chunk was begun if there was none")
    }

    /// Whether `more` bytes and a seal fit in the last chunk's segment.
    fn fits(&self, more: usize) -> bool {
        let last = self.chunks.last().expect("asked with a chunk begun");
        let base = last.start - last.start % self.segment_size;
        let end = last.start + (last.bytes.len() + more + SEAL) as u64;
        end <= base + self.segment_size
    }

    /// Seals the last chunk's segment and begins the next one.
    fn roll(&mut self) {
        let (codec, size) = (self.codec, self.segment_size);
        let last = self.chunks.last_mut().expect("rolls with a chunk begun");
        let at = last.start + last.bytes.len() as u64;
        last.bytes.extend_from_slice(&codec.encode(at, Kind::SEAL, &[]));
        let start = last.start - last.start % size + size;
        self.chunks.push(Chunk { start, bytes: Vec::new() });
        self.begin_segment();
    }

    /// Writes the header of the segment that the last chunk begins.
    fn begin_segment(&mut self) {
        let last = self.chunks.last_mut().expect("a segment begins with a chunk");
        let (size, epoch, salt) = (self.segment_size, self.epoch, self.codec.salt);
        let header = SegmentHeader { base: last.start, size, epoch, salt };
        last.bytes.extend_from_slice(&header.encode());
        self.segments.insert(last.start);
    }

    fn moved(&mut self) {
        let last = self.chunks.last().expect("moves with a chunk begun");
        self.end = last.start + last.bytes.len() as u64;
    }

    fn finish_open(&mut self, flags: u8) {
        if let Some(Open { place, length, kind, version }) = self.open.take() {
            let chunk = &mut self.chunks[place.chunk];
            let at = chunk.start + place.offset as u64;
            let frame = &mut chunk.bytes[place.offset..place.offset + FRAME + length];
            self.codec.finish(at, frame, kind, version, flags);
        }
    }
}
