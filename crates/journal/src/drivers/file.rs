//! A store in a directory: segments as files, written ahead with zeros and used again.
//!
//! Making a file longer costs a sync twice as much as writing over blocks that exist. So a
//! discarded segment becomes the next by renaming; where there is none, the next one is made ready
//! while the last one fills; and where there was no time for that, it is filled with zeros in steps
//! ahead of what is appended. The layout of the directory is in `docs/formats.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_base::ByteSize;

use crate::SegmentId;
use crate::backup::links;
use crate::driver::{Driver, DriverError, Epoch, Held};
use crate::drivers::spare::Preparing;

/// How many discarded segments wait to be used again.
const SPARES: usize = 2;
/// How far a segment is filled with zeros ahead of what is appended, in bytes.
const STEP: u64 = 1 << 20;
/// A segment is made ready once one part in so many of the one before is used.
const EARLY: u64 = 8;
/// What the one that is made ready is called.
const READY: &str = "ready.seg";
/// What the system reads before it changes a part of it, unless it has it in memory.
const PAGE: u64 = ZEROS.len() as u64;
static ZEROS: [u8; 4096] = [0; 4096];
/// What `stat` calls a block, everywhere, in bytes.
const BLOCK: u64 = 512;
/// How many files are kept open for reading.
const OPEN_FILES: usize = 64;
/// So many blobs are stored together rather than one by one.
const MANY: usize = 16;
/// What a file that is not complete yet is called after its name.
const UNFINISHED: &str = ".tmp";

/// A store in a directory, for one process at a time.
#[derive(Debug)]
pub struct FileDriver {
    dir: PathBuf,
    /// The locked file, while this is the writer.
    lock: Mutex<Option<File>>,
    state: Mutex<State>,
    /// The last segment that was, or is, made ready.
    preparing: Mutex<Option<Preparing>>,
    /// One sync at a time: a second one that found nothing left to do would return before the
    /// first has done it.
    syncing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<SegmentId, Arc<File>>,
    /// The segment appended to last.
    filled: Option<Filled>,
    /// What the next sync must sync.
    dirty: BTreeSet<SegmentId>,
    names_changed: bool,
    /// A sync failed. The system tells that once, and the next sync says nothing of what was lost.
    sync_failed: bool,
}

/// What is known of the segment that is appended to.
#[derive(Clone, Copy, Debug)]
struct Filled {
    id: SegmentId,
    size: u64,
    /// Up to where its blocks exist.
    upto: u64,
}

type Outcome<T> = Result<T, DriverError>;

impl FileDriver {
    /// The store in `dir`, which is made when it is claimed. Files are for their owner only.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            lock: Mutex::default(),
            state: Mutex::default(),
            preparing: Mutex::default(),
            syncing: Mutex::default(),
        }
    }

    /// Where the store is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Keeps every other process out until [`Driver::release`], and changes nothing.
    pub(crate) fn hold(&self) -> Outcome<()> {
        let path = self.dir.join("LOCK");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(during("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Only to name who it is: whoever holds the lock may be writing this just now.
                let by = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(DriverError::Held(Held { store: self.dir.display().to_string(), by }));
            }
            Err(TryLockError::Error(error)) => return Err(during("lock", &path)(error)),
        }
        file.set_len(0).map_err(during("write", &path))?;
        writeln!(file, "{}", std::process::id()).map_err(during("write", &path))?;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    /// Keeps a copy of bytes that are about to be replaced, as `salvaged/NAME`.
    pub(crate) fn keep_salvaged(&self, name: &str, bytes: &[u8]) -> Outcome<()> {
        let dir = self.dir.join("salvaged");
        make_dir(&dir)?;
        write_whole(&dir, name, bytes)
    }

    /// Writes in the middle of a segment, which [`Driver::append`] never does: it may take what
    /// follows for worthless.
    pub(crate) fn overwrite(&self, id: SegmentId, offset: u64, bytes: &[u8]) -> Outcome<()> {
        self.writes()?;
        let file = self.file(id)?;
        self.state().dirty.insert(id);
        file.write_all_at(bytes, offset).map_err(during("write to", &self.segment_path(id)))
    }

    fn next_epoch(&self) -> Outcome<Epoch> {
        let path = self.dir.join("EPOCH");
        let last = match fs::read_to_string(&path) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| during("understand", &path)(ErrorKind::InvalidData.into()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(during("read", &path)(error)),
        };
        let epoch: u64 = u64::saturating_add(last, 1);
        write_whole(&self.dir, "EPOCH", format!("{epoch}\n").as_bytes())?;
        Ok(Epoch(epoch))
    }

    /// Puts away what a crash left: a backup's links, half-written blobs, and too many spares.
    fn tidy(&self) -> Outcome<()> {
        links::drop_stale(&self.dir)?;
        let blobs = self.dir.join("checkpoint");
        for name in names(&blobs)?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            let path = blobs.join(name);
            fs::remove_file(&path).map_err(during("delete", &path))?;
        }
        let spares = self.dir.join("spare");
        let (unfinished, whole): (Vec<String>, Vec<String>) =
            names(&spares)?.into_iter().partition(|name| name.ends_with(UNFINISHED));
        for name in unfinished.iter().chain(whole.iter().skip(SPARES)) {
            let path = spares.join(name);
            fs::remove_file(&path).map_err(during("delete", &path))?;
        }
        Ok(())
    }

    fn sync_changes(&self) -> Outcome<()> {
        let (dirty, names_changed) = {
            let mut state = self.state();
            (std::mem::take(&mut state.dirty), std::mem::take(&mut state.names_changed))
        };
        if names_changed {
            sync_dir(&self.dir.join("segments"))?;
            sync_dir(&self.dir.join("spare"))?;
        }
        for id in dirty {
            let file = match self.file(id) {
                Ok(file) => file,
                // Discarded since: nobody needs it any more.
                Err(DriverError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let synced = file.sync_data();
            synced.map_err(|error| during("sync", &self.segment_path(id))(error))?;
        }
        Ok(())
    }

    fn segment_path(&self, id: SegmentId) -> PathBuf {
        self.dir.join("segments").join(id.file_name())
    }

    fn blob_path(&self, name: &str) -> PathBuf {
        self.dir.join("checkpoint").join(name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writes(&self) -> Outcome<()> {
        match *self.lock.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(_) => Ok(()),
            None => Err(during("write to", &self.dir)(ErrorKind::NotConnected.into())),
        }
    }

    fn file(&self, id: SegmentId) -> Outcome<Arc<File>> {
        let mut state = self.state();
        if let Some(file) = state.open.get(&id) {
            return Ok(Arc::clone(file));
        }
        let path = self.segment_path(id);
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = Arc::new(file.map_err(during("open", &path))?);
        if state.open.len() >= OPEN_FILES {
            state.open.pop_first();
        }
        state.open.insert(id, Arc::clone(&file));
        Ok(file)
    }

    /// What is known of a segment that is about to be appended to at `offset`.
    fn filled(&self, id: SegmentId, file: &File, offset: u64) -> io::Result<Filled> {
        if let Some(known) = self.state().filled.filter(|filled| filled.id == id) {
            return Ok(known);
        }
        // After a restart nobody knows; nothing after the end is worth anything.
        Ok(Filled { id, size: file.metadata()?.len(), upto: offset })
    }

    /// Fills a segment with zeros up to the next step after `end`, if it is not yet.
    fn fill_ahead(&self, file: &File, filled: Filled, end: u64) -> io::Result<()> {
        let Filled { id, size, mut upto } = filled;
        if upto < end {
            let target = end.next_multiple_of(STEP).min(size).max(end);
            let zeros = vec![0; usize::try_from(target - end).expect("at most a step")];
            upto = match file.write_all_at(&zeros, end) {
                Ok(()) => target,
                // There may be room for what is appended, if not for more.
                Err(error) if is_full(&error) => end,
                Err(error) => return Err(error),
            };
        }
        self.state().filled = Some(Filled { id, size, upto });
        Ok(())
    }

    /// Begins to make the next segment ready, if it is time for that and there is none.
    fn prepare(&self, filled: Filled, offset: u64, end: u64) {
        if !(offset..end).contains(&(filled.size / EARLY)) {
            return;
        }
        let spares = self.dir.join("spare");
        if !names(&spares).is_ok_and(|names| names.is_empty()) {
            return;
        }
        let begun = Preparing::begin(spares.join(READY), unfinished(&spares, READY), filled.size);
        // Should it not begin, the segment is filled as it is appended to.
        *self.preparing.lock().unwrap_or_else(PoisonError::into_inner) = begun.ok();
    }
}

impl Driver for FileDriver {
    fn claim(&self) -> Outcome<Epoch> {
        for dir in ["", "segments", "spare", "checkpoint"] {
            make_dir(&self.dir.join(dir))?;
        }
        self.hold()?;
        self.tidy()?;
        // Whoever wrote them last may not have synced them.
        let segments = self.segments()?;
        let mut state = self.state();
        state.dirty.extend(segments);
        state.names_changed = true;
        drop(state);
        self.next_epoch()
    }

    fn release(&self) {
        // Nothing is written once somebody else may.
        self.preparing.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Closing the file unlocks it.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn segments(&self) -> Outcome<Vec<SegmentId>> {
        let names = names(&self.dir.join("segments"))?;
        Ok(names.iter().filter_map(|name| SegmentId::from_file_name(name)).collect())
    }

    fn create(&self, id: SegmentId, size: ByteSize) -> Outcome<()> {
        self.writes()?;
        let (spares, path) = (self.dir.join("spare"), self.segment_path(id));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let spare = names(&spares)?.into_iter().find(|name| !name.ends_with(UNFINISHED));
        options.truncate(spare.is_none());
        if let Some(spare) = spare {
            fs::rename(spares.join(spare), &path).map_err(during("make", &path))?;
        }
        let file = options.open(&path).map_err(during("make", &path))?;
        let metadata = file.metadata().map_err(during("look at", &path))?;
        file.set_len(size.as_u64()).map_err(during("make", &path))?;
        // A segment is filled from its beginning, so what it has of blocks are its first ones.
        let upto = (metadata.blocks() * BLOCK).min(metadata.len()).min(size.as_u64());
        let mut state = self.state();
        state.filled = Some(Filled { id, size: size.as_u64(), upto });
        state.open.insert(id, Arc::new(file));
        state.names_changed = true;
        Ok(())
    }

    fn append(&self, id: SegmentId, offset: u64, bytes: &[u8]) -> Outcome<()> {
        self.writes()?;
        let file = self.file(id)?;
        self.state().dirty.insert(id);
        let end = offset + bytes.len() as u64;
        let written = self.filled(id, &file, offset).and_then(|filled| {
            // Whole pages, where there are blocks for them: the system would read the last one
            // before it changes a part of it. Nothing after the end is worth anything.
            let padded = end.next_multiple_of(PAGE);
            let padding = if padded <= filled.upto { padded - end } else { 0 };
            write_padded(&file, bytes, padding, offset)?;
            self.fill_ahead(&file, filled, end)?;
            self.prepare(filled, offset, end);
            Ok(())
        });
        // The path is put together only for an error: this is done for every batch.
        written.map_err(|error| during("write to", &self.segment_path(id))(error))
    }

    fn sync(&self) -> Outcome<()> {
        let _syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.writes()?;
        if self.state().sync_failed {
            return Err(during("sync", &self.dir)(io::Error::other("an earlier sync failed")));
        }
        let synced = self.sync_changes();
        self.state().sync_failed |= synced.is_err();
        synced
    }

    fn read(&self, id: SegmentId, offset: u64, bytes: &mut [u8]) -> Outcome<usize> {
        loop {
            match self.file(id)?.read_at(bytes, offset) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The path is put together only for an error: this is done for every cold message.
                read => return read.map_err(|error| during("read", &self.segment_path(id))(error)),
            }
        }
    }

    fn cut(&self, id: SegmentId, offset: u64) -> Outcome<()> {
        self.writes()?;
        let (file, path) = (self.file(id)?, self.segment_path(id));
        let length = file.metadata().map_err(during("look at", &path))?.len();
        file.set_len(offset).map_err(during("cut", &path))?;
        file.set_len(length).map_err(during("cut", &path))?;
        file.sync_all().map_err(during("sync", &path))?;
        self.state().filled = None;
        Ok(())
    }

    fn discard(&self, id: SegmentId) -> Outcome<()> {
        self.writes()?;
        let (path, spares) = (self.segment_path(id), self.dir.join("spare"));
        {
            let mut state = self.state();
            state.open.remove(&id);
            state.dirty.remove(&id);
            state.names_changed = true;
        }
        let is_linked = links::is_linked(&path)?;
        if is_linked {
            links::drop_stale(&self.dir)?;
        } else if names(&spares)?.len() < SPARES {
            return fs::rename(&path, spares.join(id.file_name())).map_err(during("move", &path));
        }
        fs::remove_file(&path).map_err(during("delete", &path))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Outcome<()> {
        self.writes()?;
        write_whole(&self.dir.join("checkpoint"), name, bytes)
    }

    fn put_all(&self, blobs: &[(String, Vec<u8>)]) -> Outcome<()> {
        self.writes()?;
        let dir = self.dir.join("checkpoint");
        if blobs.len() < MANY {
            return blobs.iter().try_for_each(|(name, bytes)| write_whole(&dir, name, bytes));
        }
        // Opened first: it tells the sync of what goes wrong from here on, whoever hears of it.
        let there = File::open(&dir).map_err(during("open", &dir))?;
        for (name, bytes) in blobs {
            write_unfinished(&dir, name, bytes)?;
        }
        sync_unfinished(&there, &dir, blobs)?;
        for (name, _) in blobs {
            let (path, unfinished) = (dir.join(name), unfinished(&dir, name));
            fs::rename(&unfinished, &path).map_err(during("move", &unfinished))?;
        }
        sync_dir(&dir)
    }

    fn get(&self, name: &str) -> Outcome<Option<Vec<u8>>> {
        let path = self.blob_path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(during("read", &path)(error)),
        }
    }

    fn blobs(&self) -> Outcome<Vec<String>> {
        let mut names = names(&self.dir.join("checkpoint"))?;
        names.retain(|name| !name.ends_with(UNFINISHED));
        Ok(names)
    }

    fn delete(&self, name: &str) -> Outcome<()> {
        self.writes()?;
        let path = self.blob_path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(during("delete", &path)(error))
            }
            _ => Ok(()),
        }
    }

    fn used(&self) -> Outcome<ByteSize> {
        let mut blocks = 0;
        for dir in ["segments", "spare", "checkpoint"].map(|dir| self.dir.join(dir)) {
            for name in names(&dir)? {
                match fs::metadata(dir.join(&name)) {
                    Ok(metadata) => blocks += metadata.blocks(),
                    // Gone since it was listed.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(during("look at", &dir.join(name))(error)),
                }
            }
        }
        Ok(ByteSize::bytes(blocks * BLOCK))
    }

    fn free(&self) -> Outcome<Option<ByteSize>> {
        let found = rustix::fs::statvfs(&self.dir);
        let found = found.map_err(|error| during("look at", &self.dir)(error.into()))?;
        Ok(Some(ByteSize::bytes(found.f_bavail.saturating_mul(found.f_frsize))))
    }
}

/// Writes `bytes`, and so many zeros behind them, of which it does not matter how many there are.
fn write_padded(file: &File, bytes: &[u8], zeros: u64, offset: u64) -> io::Result<()> {
    let zeros = &ZEROS[..usize::try_from(zeros).expect("what a page lacks is less than a page")];
    let mut written = 0;
    while written < bytes.len() {
        let rest = [IoSlice::new(&bytes[written..]), IoSlice::new(zeros)];
        match rustix::io::pwritev(file, &rest, offset + written as u64) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Says what was being done to which file.
pub(crate) fn during<'a>(
    doing: &'a str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> DriverError + use<'a> {
    move |error| DriverError::io(format!("{doing} {}", path.display()), error)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

pub(crate) fn make_dir(dir: &Path) -> Outcome<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(during("make", dir))?;
    dir.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

pub(crate) fn sync_dir(dir: &Path) -> Outcome<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(during("sync", dir))
}

/// The names of the files in a directory, in order.
fn names(dir: &Path) -> Outcome<Vec<String>> {
    let entries = fs::read_dir(dir).map_err(during("list", dir))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(during("list", dir))?.file_name();
        names.extend(name.into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// Puts a file in place of one that may exist: the old or the new one survives, never a mixture.
pub(crate) fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> Outcome<()> {
    let (path, unfinished) = (dir.join(name), unfinished(dir, name));
    let file = write_unfinished(dir, name, bytes)?;
    file.sync_all().map_err(during("sync", &unfinished))?;
    fs::rename(&unfinished, &path).map_err(during("move", &unfinished))?;
    sync_dir(dir)
}

/// Syncs files that do not have their names yet: one sync of the whole file system, since one a
/// file would take seconds for thousands. `there` is the directory, opened before they were
/// written: the system tells it of every write that failed since. Before Linux 5.8 it told of none.
#[cfg(target_os = "linux")]
fn sync_unfinished(there: &File, dir: &Path, _blobs: &[(String, Vec<u8>)]) -> Outcome<()> {
    rustix::fs::syncfs(there).map_err(|error| during("sync", dir)(error.into()))
}

/// Syncs files that do not have their names yet.
#[cfg(not(target_os = "linux"))]
fn sync_unfinished(_there: &File, dir: &Path, blobs: &[(String, Vec<u8>)]) -> Outcome<()> {
    for (name, _) in blobs {
        let path = unfinished(dir, name);
        File::open(&path).and_then(|file| file.sync_all()).map_err(during("sync", &path))?;
    }
    Ok(())
}

/// What a file is called until it is whole.
fn unfinished(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}{UNFINISHED}"))
}

/// Writes a file that is not synced yet, nor has its name.
fn write_unfinished(dir: &Path, name: &str, bytes: &[u8]) -> Outcome<File> {
    let unfinished = unfinished(dir, name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&unfinished).map_err(during("write", &unfinished))?;
    file.write_all(bytes).map_err(during("write", &unfinished))?;
    Ok(file)
}
