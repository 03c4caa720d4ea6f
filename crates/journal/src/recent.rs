//! What was appended last, as it was written, for reading it without the disk.

use std::collections::VecDeque;

use bytes::Bytes;

/// The last batches, up to a limit. A record that is read shares the memory of its batch, which
/// therefore lives as long as the record does.
#[derive(Debug)]
pub(crate) struct Recent {
    /// In order of position; nothing overlaps.
    chunks: VecDeque<(u64, Bytes)>,
    bytes: usize,
    limit: usize,
}

impl Recent {
    pub(crate) fn new(limit: usize) -> Self {
        Self { chunks: VecDeque::new(), bytes: 0, limit }
    }

    /// Adds what is about to be written.
    pub(crate) fn add(&mut self, chunks: &[(u64, Bytes)]) {
        for (start, bytes) in chunks {
            self.bytes += bytes.len();
            self.chunks.push_back((*start, bytes.clone()));
        }
    }

    /// Lets go of the oldest beyond the limit, but of nothing that is not written yet: until then
    /// it is nowhere else.
    pub(crate) fn evict(&mut self, written: u64) {
        while self.bytes > self.limit
            && let Some((start, bytes)) = self.chunks.front()
            && start + bytes.len() as u64 <= written
        {
            self.bytes -= bytes.len();
            self.chunks.pop_front();
        }
    }

    /// The bytes from `at` to the end of their batch.
    pub(crate) fn bytes_at(&self, at: u64) -> Option<Bytes> {
        let index = self.chunks.partition_point(|(start, _)| *start <= at).checked_sub(1)?;
        let (start, bytes) = &self.chunks[index];
        let offset = usize::try_from(at - start).ok()?;
        (offset < bytes.len()).then(|| bytes.slice(offset..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_only_once_written() {
        let mut recent = Recent::new(10);
        recent.add(&[(64, Bytes::from_static(b"12345678")), (72, Bytes::from_static(b"abcdefgh"))]);
        recent.evict(64);
        assert_eq!(recent.bytes_at(66), Some(Bytes::from_static(b"345678")));
        recent.evict(80);
        assert_eq!(recent.bytes_at(66), None);
        assert_eq!(recent.bytes_at(72), Some(Bytes::from_static(b"abcdefgh")));
        assert_eq!(recent.bytes_at(80), None);
    }
}
