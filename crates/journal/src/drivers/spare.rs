//! A segment made ready before it is needed.
//!
//! To write where no blocks are yet costs a sync several times what it costs elsewhere, and whoever
//! fills a segment with zeros while it is appended to makes those wait who are appending. So while
//! one segment fills, the next is written whole, by a thread of its own, to a file that nobody
//! syncs or reads yet. Where that fails, the one who appends fills the segment as it goes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Written at once: others want the disk, too.
const PIECE: usize = 256 << 10;
/// What memory and files are aligned to where the system's cache is passed by.
const ALIGNED: usize = 4096;
/// A segment is made ready only where so many would have room.
const ROOM: u64 = 8;

/// A thread that makes a file. Dropping it stops it and waits for it: until then it writes.
#[derive(Debug)]
pub(super) struct Preparing {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Preparing {
    /// Begins to make `path`, of `size` bytes, in a directory that is there. It has this name once
    /// it is whole, and `unfinished` until then.
    pub(super) fn begin(path: PathBuf, unfinished: PathBuf, size: u64) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let prepare = move || {
            let made = make(&unfinished, size, &stopped);
            if made.and_then(|()| fs::rename(&unfinished, &path)).is_err() {
                // Nothing is lost, and whoever claims the store next would take it away, too.
                drop(fs::remove_file(&unfinished));
            }
        };
        let thread = std::thread::Builder::new().name("spare".into()).spawn(prepare)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Preparing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has made nothing, and nothing depends on it.
            drop(thread.join());
        }
    }
}

/// Writes zeros, and has them reach the disk.
fn make(path: &Path, size: u64, stopped: &AtomicBool) -> io::Result<()> {
    let room = rustix::fs::statvfs(path.parent().unwrap_or(path))?;
    if room.f_bavail.saturating_mul(room.f_frsize) / ROOM < size {
        return Err(ErrorKind::StorageFull.into());
    }
    let file = create(path, true).or_else(|_| create(path, false))?;
    let zeros = vec![0; PIECE + ALIGNED];
    let zeros = &zeros[zeros.as_ptr().align_offset(ALIGNED).min(ALIGNED)..][..PIECE];
    let mut at = 0;
    while at < size {
        if stopped.load(Ordering::Relaxed) {
            return Err(ErrorKind::Interrupted.into());
        }
        let piece = &zeros[..PIECE.min(usize::try_from(size - at).unwrap_or(PIECE))];
        write(&file, path, piece, at)?;
        at += piece.len() as u64;
    }
    file.sync_all()
}

/// Makes a file that is written past the system's cache, or through it: nobody will read it soon,
/// but not every file system knows the former.
fn create(path: &Path, direct: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    if direct {
        options.custom_flags(DIRECT);
    }
    options.open(path)
}

#[cfg(target_os = "linux")]
const DIRECT: i32 = rustix::fs::OFlags::DIRECT.bits().cast_signed();
#[cfg(not(target_os = "linux"))]
const DIRECT: i32 = 0;

/// Writes a piece, through the cache if it cannot be passed by, as at an odd end.
fn write(file: &File, path: &Path, piece: &[u8], at: u64) -> io::Result<()> {
    match file.write_all_at(piece, at) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            let through = OpenOptions::new().write(true).open(path)?;
            through.write_all_at(piece, at)?;
            through.sync_data()
        }
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_spare_is_whole_zeros_with_blocks() {
        let dir = tempfile::tempdir().unwrap();
        // Odd ends, too, are written somehow.
        for size in [4096, 1 << 20, (1 << 20) + 100] {
            let (path, unfinished) = (dir.path().join("spare"), dir.path().join("spare.tmp"));
            let mut preparing = Preparing::begin(path.clone(), unfinished.clone(), size).unwrap();
            preparing.thread.take().unwrap().join().unwrap();
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!((metadata.len(), metadata.mode() & 0o777), (size, 0o600));
            assert!(metadata.blocks() * 512 >= size);
            assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 0));
            assert!(!unfinished.exists());
        }
    }

    #[test]
    fn one_that_is_stopped_or_fails_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (path, unfinished) = (dir.path().join("spare"), dir.path().join("spare.tmp"));
        // More than any disk has room for.
        drop(Preparing::begin(path.clone(), unfinished.clone(), 1 << 60).unwrap());
        assert!(!path.exists() && !unfinished.exists());
        let stopped = AtomicBool::new(true);
        assert!(make(&unfinished, 1 << 20, &stopped).is_err());
        drop(Preparing::begin(dir.path().join("no/spare"), unfinished.clone(), 4096).unwrap());
        assert!(!unfinished.exists());
    }
}
