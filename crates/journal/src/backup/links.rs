//! A second name for each file of a checkpoint, so that it stays whole while it is copied.
//!
//! Nobody is asked to wait. A file that has two names keeps its bytes when the writer takes the
//! first one away: sections are never written again under their names, and a segment with a second
//! name is not recycled when it is discarded (see [`is_linked`]). The names are in `backup/`, laid
//! out as the log itself, and a lock beside it says whether somebody still copies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::driver::{Driver, DriverError};
use crate::drivers::FileDriver;
use crate::drivers::file::during;
use crate::error::OpenError;
use crate::recovery::load_root;
use crate::root::Root;
use crate::{Position, SegmentId, section};

/// Where the names are, in the log's directory.
const NAMES: &str = "backup";
/// Locked while they are needed.
const LOCK: &str = "BACKUP";
/// How often a checkpoint may come between before we give up.
const TRIES: usize = 100;

/// The names of what a checkpoint and the log behind it need. They go when this is dropped.
pub(super) struct Links {
    dir: PathBuf,
    pub(super) root: Root,
    /// Those that are kept and those that are replayed, in order.
    pub(super) segments: Vec<SegmentId>,
    /// Locked as long as it is open.
    _lock: File,
}

impl Links {
    /// Names the files of the log in `dir` once more, as they are now. Waits for another backup.
    pub(super) fn make<E>(dir: &Path) -> Result<Self, OpenError<E>> {
        let lock = open_lock(dir)?;
        lock.lock().map_err(during("lock", &dir.join(LOCK)))?;
        let driver = FileDriver::new(dir);
        for _ in 0..TRIES {
            clear(dir)?;
            let Some(root) = load_root(&driver)? else {
                let doing = format!("look for a log in {}", dir.display());
                return Err(DriverError::io(doing, ErrorKind::NotFound.into()).into());
            };
            let linked = link_all(&driver, &root);
            // While this is the root nothing that it names was taken away, nor used again.
            if load_root(&driver)?.as_ref() == Some(&root) {
                let segments = linked?;
                return Ok(Self { dir: dir.to_owned(), root, segments, _lock: lock });
            }
        }
        let doing = format!("find {} at rest", dir.display());
        Err(DriverError::io(doing, ErrorKind::ResourceBusy.into()).into())
    }

    /// The files by their second names.
    pub(super) fn driver(&self) -> FileDriver {
        FileDriver::new(self.dir.join(NAMES))
    }

    /// Where a segment is, and where in any other log's directory.
    pub(super) fn segment(dir: &Path, id: SegmentId) -> PathBuf {
        dir.join("segments").join(id.file_name())
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // What stays is dropped by whoever discards next, or by the next start.
        drop(clear(&self.dir));
    }
}

/// Whether a file has a second name, so that its bytes must stay as they are.
pub(crate) fn is_linked(path: &Path) -> Result<bool, DriverError> {
    Ok(fs::metadata(path).map_err(during("look at", path))?.nlink() > 1)
}

/// Takes the second names away that a backup left which did not end.
pub(crate) fn drop_stale(dir: &Path) -> Result<(), DriverError> {
    if !dir.join(NAMES).is_dir() {
        return Ok(());
    }
    match open_lock(dir)?.try_lock() {
        // The lock goes with the file, at the end of this.
        Ok(()) => clear(dir),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(during("lock", &dir.join(LOCK))(error)),
    }
}

fn link_all(driver: &FileDriver, root: &Root) -> Result<Vec<SegmentId>, DriverError> {
    let (from, to) = (driver.dir(), driver.dir().join(NAMES));
    for dir in ["segments", "checkpoint"] {
        // After a crash nobody needs them: they are not synced.
        let (dir, mut builder) = (to.join(dir), fs::DirBuilder::new());
        builder.recursive(true).mode(0o700).create(&dir).map_err(during("make", &dir))?;
    }
    for (name, at) in &root.sections {
        if let Some(blob) = section::blob_name(name, *at) {
            let place = Path::new("checkpoint").join(blob);
            link(&from.join(&place), &to.join(&place))?;
        }
    }
    let first = SegmentId::holding(root.replay_from, root.segment_size);
    let kept = root.kept.iter().map(|base| SegmentId::from_base(Position::from_u64(*base)));
    let live = driver.segments()?.into_iter().filter(|id| *id >= first);
    let segments: Vec<_> = kept.chain(live).collect();
    for id in &segments {
        link(&Links::segment(from, *id), &Links::segment(&to, *id))?;
    }
    Ok(segments)
}

/// Gives a file a second name. One that is missing is found missing by whoever reads it all.
fn link(from: &Path, to: &Path) -> Result<(), DriverError> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        linked => linked.map_err(during("link", from)),
    }
}

fn open_lock(dir: &Path) -> Result<File, DriverError> {
    let path = dir.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(&path).map_err(during("open", &path))
}

fn clear(dir: &Path) -> Result<(), DriverError> {
    let names = dir.join(NAMES);
    let cleared: io::Result<()> = match fs::remove_dir_all(&names) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        cleared => cleared,
    };
    cleared.map_err(during("delete", &names))
}
