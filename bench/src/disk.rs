//! The floor of a disk: a bare loop that appends and syncs, and does nothing else.
//!
//! It writes as the journal does, over blocks that were written before and never past the file's
//! end, so that both ask the same of the disk: without that, a sync costs twice as much, and the
//! floor would flatter whoever is measured against it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::load::now;
use crate::work::noise;

/// How much is written before it begins again at the front: a few of the journal's segments.
const ROOM: usize = 64 << 20;
/// How much is written at a time to make the file.
const STEP: usize = 1 << 20;

/// A file on the disk that is measured.
pub struct Disk {
    file: File,
    bytes: Vec<u8>,
    at: usize,
}

impl Disk {
    /// Makes a file in `folder`, all its blocks written. It is gone when this is dropped.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let file = tempfile::tempfile_in(folder).context("no file can be made there")?;
        let bytes = noise(ROOM);
        for at in (0..ROOM).step_by(STEP) {
            file.write_all_at(&bytes[at..at + STEP], at as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, bytes, at: 0 })
    }

    /// Appends `bytes` and syncs; returns how long the sync alone took.
    pub fn append(&mut self, bytes: usize) -> anyhow::Result<Duration> {
        let bytes = bytes.clamp(1, ROOM);
        if self.at + bytes > ROOM {
            self.at = 0;
        }
        self.file.write_all_at(&self.bytes[self.at..self.at + bytes], self.at as u64)?;
        self.at += bytes;
        let started = now();
        self.file.sync_data()?;
        Ok(started.elapsed())
    }

    /// Appends and syncs for so long; returns how long each sync took.
    pub fn syncs(&mut self, bytes: usize, time: Duration) -> anyhow::Result<Vec<Duration>> {
        let (started, mut took) = (now(), Vec::new());
        while started.elapsed() < time {
            took.push(self.append(bytes)?);
        }
        Ok(took)
    }

    /// Appends `bytes` altogether, with so many syncs; returns how long that took.
    pub fn carry(&mut self, bytes: u64, syncs: u64) -> anyhow::Result<Duration> {
        let each = usize::try_from(bytes / syncs.max(1))?;
        let started = now();
        for _ in 0..syncs {
            self.append(each)?;
        }
        Ok(started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bare_loop_begins_again_at_the_front_and_never_makes_its_file_longer() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::in_folder(folder.path()).unwrap();
        disk.carry(3 * ROOM as u64, 9).unwrap();
        assert_eq!(disk.file.metadata().unwrap().len(), ROOM as u64);
        assert!(!disk.syncs(1024, Duration::from_millis(1)).unwrap().is_empty());
    }
}
