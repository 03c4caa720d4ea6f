//! The root: the blob that says which checkpoint is in force and what must exist.
//!
//! It is replaced as a whole, which is what makes a checkpoint atomic. Documented in
//! `docs/formats.md`; what changes here changes there.

use std::ops::Range;

/// The blob's name.
pub(crate) const ROOT: &str = "root";
/// The blob that holds the same once more, put right after: without a root nothing else can be
/// understood, so a salvage must be able to do without one of the two.
pub(crate) const COPY: &str = "root-copy";
/// The version of the root's layout. To change it: count up, keep reading older ones, and say in
/// `docs/formats.md` what is different.
pub(crate) const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"TIDEROOT";
/// No log comes this far: a gigabyte a second would take a hundred years.
const FARTHEST: u64 = 1 << 62;

/// What a journal knows before it reads any record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) salt: u64,
    pub(crate) segment_size: u64,
    pub(crate) replay_from: u64,
    /// The log was durable up to here when the root was put.
    pub(crate) durable: u64,
    /// The segments before the one that `replay_from` is in and that are still read from.
    pub(crate) kept: Vec<u64>,
    /// Names and positions of the sections.
    pub(crate) sections: Vec<(String, u64)>,
    /// Ranges that were damaged and salvaged without their records.
    pub(crate) lost: Vec<Range<u64>>,
}

/// Why a blob was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadBlob {
    Version(u16),
    Garbled(&'static str),
}

impl Root {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut blob = begin(MAGIC, VERSION);
        for word in [self.salt, self.segment_size, self.replay_from, self.durable] {
            blob.extend_from_slice(&word.to_le_bytes());
        }
        put_count(&mut blob, self.kept.len());
        self.kept.iter().for_each(|base| blob.extend_from_slice(&base.to_le_bytes()));
        put_count(&mut blob, self.sections.len());
        for (name, at) in &self.sections {
            blob.extend_from_slice(&at.to_le_bytes());
            put_text(&mut blob, name);
        }
        put_count(&mut blob, self.lost.len());
        for range in &self.lost {
            blob.extend_from_slice(&range.start.to_le_bytes());
            blob.extend_from_slice(&range.end.to_le_bytes());
        }
        end(blob)
    }

    pub(crate) fn decode(blob: &[u8]) -> Result<Self, BadBlob> {
        let mut reader = Reader::open(blob, MAGIC, VERSION)?;
        let root = Self::read(&mut reader).ok_or(BadBlob::Garbled("its content is cut short"))?;
        let sizes = crate::recovery::SEGMENT_SIZES;
        let sound = sizes.contains(&root.segment_size) && root.segment_size.is_multiple_of(8);
        let whole = root.kept.iter().all(|base| sound && base.is_multiple_of(root.segment_size));
        let near = root.replay_from <= root.durable && root.durable <= FARTHEST;
        let behind = root.kept.iter().all(|base| *base < root.replay_from);
        if !sound || !whole || !near || !behind || !root.replay_from.is_multiple_of(8) {
            return Err(BadBlob::Garbled("its content makes no sense"));
        }
        Ok(root)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let [salt, segment_size, replay_from, durable] =
            [reader.word()?, reader.word()?, reader.word()?, reader.word()?];
        // Each list grows as it is read: a count is never trusted with memory.
        let (mut kept, mut sections, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..reader.count()? {
            kept.push(reader.word()?);
        }
        for _ in 0..reader.count()? {
            let at = reader.word()?;
            sections.push((reader.text()?.to_owned(), at));
        }
        for _ in 0..reader.count()? {
            lost.push(reader.word()?..reader.word()?);
        }
        Some(Self { salt, segment_size, replay_from, durable, kept, sections, lost })
    }
}

/// Begins a blob: magic, version, six bytes of zeros.
pub(crate) fn begin(magic: [u8; 8], version: u16) -> Vec<u8> {
    let mut blob = magic.to_vec();
    blob.extend_from_slice(&version.to_le_bytes());
    blob.extend_from_slice(&[0; 6]);
    blob
}

/// Ends a blob with the checksum of everything before.
pub(crate) fn end(mut blob: Vec<u8>) -> Vec<u8> {
    let sum = crc32fast::hash(&blob);
    blob.extend_from_slice(&sum.to_le_bytes());
    blob
}

fn put_count(blob: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("a checkpoint lists fewer than 2^32 things");
    blob.extend_from_slice(&count.to_le_bytes());
}

pub(crate) fn put_text(blob: &mut Vec<u8>, text: &str) {
    put_count(blob, text.len());
    blob.extend_from_slice(text.as_bytes());
}

/// Reads a blob whose checksum was right.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn open(blob: &'a [u8], magic: [u8; 8], version: u16) -> Result<Self, BadBlob> {
        let (body, sum) =
            blob.split_last_chunk::<4>().ok_or(BadBlob::Garbled("it is cut short"))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(BadBlob::Garbled("its checksum is wrong"));
        }
        let (head, rest) =
            body.split_first_chunk::<16>().ok_or(BadBlob::Garbled("it is cut short"))?;
        if head[..8] != magic {
            return Err(BadBlob::Garbled("it is a file of another kind"));
        }
        match u16::from_le_bytes([head[8], head[9]]) {
            found if found == version => Ok(Self(rest)),
            other => Err(BadBlob::Version(other)),
        }
    }

    pub(crate) fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    fn count(&mut self) -> Option<usize> {
        let (count, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        usize::try_from(u32::from_le_bytes(*count)).ok()
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let (text, rest) = self.count().and_then(|count| self.0.split_at_checked(count))?;
        self.0 = rest;
        str::from_utf8(text).ok()
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Root {
        Root {
            salt: 7,
            segment_size: 1 << 20,
            replay_from: 3 << 20,
            durable: (3 << 20) + 512,
            kept: vec![0, 2 << 20],
            sections: vec![("queues/a".into(), 64), ("queues/b".into(), 3 << 20)],
            lost: vec![64..128, 256..512],
        }
    }

    #[test]
    fn a_root_reads_as_it_was_written() {
        assert_eq!(Root::decode(&root().encode()), Ok(root()));
    }

    #[test]
    fn a_root_that_contradicts_itself_is_refused() {
        let replays_what_is_not_durable = Root { durable: (3 << 20) - 8, ..root() };
        let keeps_what_is_replayed = Root { kept: vec![4 << 20], ..root() };
        for root in [replays_what_is_not_durable, keeps_what_is_replayed] {
            assert!(matches!(Root::decode(&root.encode()), Err(BadBlob::Garbled(_))));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_root_is_noticed() {
        let whole = root().encode();
        for bit in 0..whole.len() * 8 {
            let mut blob = whole.clone();
            blob[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Root::decode(&blob), Err(BadBlob::Garbled(_))), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(Root::decode(&whole[..length]).is_err(), "cut to {length}");
        }
    }
}
