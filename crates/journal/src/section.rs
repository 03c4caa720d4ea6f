//! A section: one named part of a checkpoint, a blob of its own. Documented in `docs/formats.md`.

use std::fmt::Write;

use crate::root::{BadBlob, Reader, begin, end, put_text};

/// The version of a section's layout. To change it: count up, keep reading older ones, and say in
/// `docs/formats.md` what is different.
pub(crate) const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"TIDESECT";
/// What the names of all sections' blobs begin with.
pub(crate) const PREFIX: &str = "section-";
/// A blob's name must do for a file's.
const LONGEST: usize = 200;

/// The name of the blob that holds a section, if the section's name allows one.
pub(crate) fn blob_name(name: &str, at: u64) -> Option<String> {
    let mut blob = format!("{PREFIX}{at:016x}-");
    let before = blob.len();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                blob.push(char::from(byte));
            }
            other => write!(blob, "%{other:02X}").expect("a String takes everything"),
        }
    }
    (1..=LONGEST).contains(&(blob.len() - before)).then_some(blob)
}

/// The blob of a section.
pub(crate) fn encode(name: &str, at: u64, bytes: &[u8]) -> Vec<u8> {
    let mut blob = begin(MAGIC, VERSION);
    blob.extend_from_slice(&at.to_le_bytes());
    put_text(&mut blob, name);
    blob.extend_from_slice(bytes);
    end(blob)
}

/// The bytes of the section that this blob should hold.
pub(crate) fn decode<'a>(blob: &'a [u8], name: &str, at: u64) -> Result<&'a [u8], BadBlob> {
    let mut reader = Reader::open(blob, MAGIC, VERSION)?;
    if (reader.word(), reader.text()) != (Some(at), Some(name)) {
        return Err(BadBlob::Garbled("it is another section"));
    }
    Ok(reader.rest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_reads_back_only_as_itself() {
        let blob = encode("queues/a", 64, b"state");
        assert_eq!(decode(&blob, "queues/a", 64), Ok(&b"state"[..]));
        assert!(decode(&blob, "queues/a", 72).is_err());
        assert!(decode(&blob, "queues/b", 64).is_err());
        for bit in 0..blob.len() * 8 {
            let mut blob = blob.clone();
            blob[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&blob, "queues/a", 64).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_section_s_name_does_for_a_file_name() {
        let name = blob_name("000000000000/us-east-1/orders.fifo", 64);
        let expected = "section-0000000000000040-000000000000%2Fus-east-1%2Forders.fifo";
        assert_eq!(name.as_deref(), Some(expected));
        assert_eq!(blob_name("", 64), None);
        assert_eq!(blob_name(&"/".repeat(67), 64), None);
    }
}
