//! A copy of a log while it is written, or while it rests: a directory that opens as it is.
//!
//! The checkpoint in force and the log behind it are named once more, so that nothing of them goes
//! or changes ([`links`]), then copied. A copy of what is being written may have holes: a part that
//! was read before it was there, before a part that was. So first the log is read for what is known
//! to have been synced; whatever is before that was there when the copying began, and must read
//! well in the copy. From there on the copy counts as far as it reads well, and is cut where it
//! does not: there it looks as a crash would have left it. All that was acknowledged before we
//! began was written by then, so it is before the cut.
//!
//! The copy is read whole before its root is put, which makes it a log: until then what stands in
//! its place cannot be opened.

pub(crate) mod links;

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tidemill_base::ByteSize;

use crate::check::{CheckError, Progress, Report, examine};
use crate::driver::DriverError;
use crate::drivers::FileDriver;
use crate::drivers::file::{during, make_dir, sync_dir, write_whole};
use crate::error::Damages;
use crate::frame::Codec;
use crate::recovery::of_scan;
use crate::root::{COPY, ROOT, Root};
use crate::scan::{Scan, Survey, damage_at};
use crate::{SegmentId, section};
use links::Links;

/// What a copy is called until it is whole.
const UNFINISHED: &str = ".unfinished";
/// What stands for the root until then. It is none, so that nobody opens the copy.
const NO_ROOT: &[u8] = b"this copy was not finished\n";
/// The file that counts a log's writers.
const EPOCH: &str = "EPOCH";

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing is ever overwritten.
    #[error("{0} exists: a backup goes where nothing is yet")]
    Exists(PathBuf),
    /// There is a copy that is being made, or was not finished.
    #[error("{0} exists: another backup is being made, or one was not finished; if so, remove it")]
    Unfinished(PathBuf),
    /// There are no logs in the directory.
    #[error("{0} is not a data folder")]
    NoLogs(PathBuf),
    /// Somebody opened the log for writing meanwhile.
    #[error("the log in {0} was opened anew meanwhile: try again")]
    Reopened(PathBuf),
    /// The log is damaged. It cannot be had whole, and half of it is no backup.
    #[error("the log in {log} is damaged; `tidemill check` says more:{damage}")]
    Damaged {
        /// Its directory.
        log: PathBuf,
        /// Where.
        damage: Damages,
    },
    /// A section cannot be read.
    #[error("the snapshot {section} in {log} is damaged; `tidemill check` says more")]
    BrokenSection {
        /// The log's directory.
        log: PathBuf,
        /// The first such section.
        section: String,
    },
    /// The log could not be read.
    #[error(transparent)]
    Unreadable(#[from] CheckError),
}

impl From<DriverError> for BackupError {
    fn from(error: DriverError) -> Self {
        Self::Unreadable(error.into())
    }
}

/// Copies those of the logs called `names` that the directory `from` holds, to the directory `to`,
/// which must not exist. Whether they are being written does not matter. Each copy holds at least
/// what was durable when this was called, and was read whole; returns what it holds.
///
/// # Errors
/// If anything exists at `to`; if a log is damaged; if one cannot be read, or the copy not be
/// written. What was copied by then is removed.
pub fn back_up(
    from: &Path,
    names: &[&str],
    to: &Path,
    mut progress: impl FnMut(&str, Progress),
) -> Result<Vec<Report>, BackupError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let is_log = |name: &&&str| from.join(name).join("segments").is_dir();
    let logs: Vec<&str> = names.iter().filter(is_log).copied().collect();
    if logs.is_empty() {
        return Err(BackupError::NoLogs(from.to_owned()));
    }
    let (parent, unfinished) = begin(to)?;
    let copied = copy_logs(from, &logs, &unfinished, &mut progress).and_then(|reports| {
        fs::rename(&unfinished, to).map_err(during("move", &unfinished))?;
        sync_dir(&parent)?;
        Ok(reports)
    });
    if copied.is_err() {
        // The error says what went wrong; what stays has a name that says what it is.
        drop(fs::remove_dir_all(&unfinished));
    }
    copied
}

/// Makes the directory that the copy is made in; returns the one around it, too.
fn begin(to: &Path) -> Result<(PathBuf, PathBuf), BackupError> {
    let Some(name) = to.file_name() else { return Err(BackupError::Exists(to.to_owned())) };
    let parent = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    make_dir(&parent)?;
    let mut name = name.to_owned();
    name.push(UNFINISHED);
    let unfinished = parent.join(name);
    match fs::DirBuilder::new().mode(0o700).create(&unfinished) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(BackupError::Unfinished(unfinished));
        }
        made => made.map_err(during("make", &unfinished))?,
    }
    Ok((parent, unfinished))
}

fn copy_logs(
    from: &Path,
    logs: &[&str],
    to: &Path,
    progress: &mut impl FnMut(&str, Progress),
) -> Result<Vec<Report>, BackupError> {
    // All of them before any bytes, so that at no time one looks like an empty log.
    for log in logs {
        let log = to.join(log);
        for dir in ["", "segments", "checkpoint"] {
            make_dir(&log.join(dir))?;
        }
        write_whole(&log.join("checkpoint"), ROOT, NO_ROOT)?;
    }
    let copy = |log: &&str| copy_log(&from.join(log), &to.join(log), &mut |at| progress(log, at));
    let reports = logs.iter().map(copy).collect::<Result<_, _>>()?;
    sync_dir(to)?;
    Ok(reports)
}

fn copy_log(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, BackupError> {
    let epoch = read_epoch(from)?;
    let links = Links::make::<Infallible>(from)?;
    let (source, copy) = (links.driver(), FileDriver::new(to));
    let size = links.root.segment_size;
    let live = live(&links);
    let mut steps = Steps { done: 0, total: 2 * links.segments.len() + 2 * live.len(), size };
    let mut step = || progress(steps.next());
    // What it takes for damage may be what is not written yet.
    let synced = survey(&source, &links.root, &live, &mut step)?.synced;
    for id in &links.segments {
        copy_file(&Links::segment(source.dir(), *id), &Links::segment(to, *id))?;
        step();
    }
    for (name, at) in &links.root.sections {
        if let Some(blob) = section::blob_name(name, *at) {
            let place = Path::new("checkpoint").join(blob);
            copy_file(&source.dir().join(&place), &to.join(&place))?;
        }
    }
    let found = survey(&copy, &links.root, &live, &mut step)?;
    let damaged = |damage| BackupError::Damaged { log: from.to_owned(), damage: Damages(damage) };
    let missed = found.damage.iter().filter(|damage| damage.position.as_u64() < synced);
    let mut missed: Vec<_> = missed.cloned().collect();
    let tail = found.tail;
    if missed.is_empty() && tail < synced {
        let until = (tail + 1).next_multiple_of(size);
        missed.push(damage_at(tail..until, size, "the log ends before what was synced"));
    }
    if !missed.is_empty() {
        return Err(damaged(missed));
    }
    cut(to, &live, tail, size)?;
    let root = Root { durable: tail, ..links.root.clone() };
    // A driver that has not opened anything that was cut.
    let copy = FileDriver::new(to);
    let report = examine(&copy, &root, |_| step())?;
    if let Some(section) = report.broken_sections.first() {
        let (log, section) = (from.to_owned(), section.clone());
        return Err(BackupError::BrokenSection { log, section });
    }
    if !report.is_whole() {
        return Err(damaged(report.damage));
    }
    if read_epoch(from)? != epoch {
        return Err(BackupError::Reopened(from.to_owned()));
    }
    finish(to, &root, &epoch)?;
    Ok(report)
}

/// Says how far it is, segment by segment.
struct Steps {
    done: usize,
    total: usize,
    size: u64,
}

impl Steps {
    fn next(&mut self) -> Progress {
        self.done += 1;
        let bytes = |steps: usize| ByteSize::bytes(steps as u64 * self.size);
        Progress { done: bytes(self.done.min(self.total)), total: bytes(self.total) }
    }
}

/// The segments that are replayed.
fn live(links: &Links) -> Vec<SegmentId> {
    let first = SegmentId::holding(links.root.replay_from, links.root.segment_size);
    links.segments.iter().copied().filter(|id| *id >= first).collect()
}

/// Walks through what is replayed.
fn survey(
    driver: &FileDriver,
    root: &Root,
    live: &[SegmentId],
    passed: &mut dyn FnMut(),
) -> Result<Survey, CheckError> {
    let codec = Codec { salt: root.salt };
    let scan = Scan::new(driver, codec, root.segment_size, root.durable, |_, _| Ok(()));
    let from = SegmentId::holding(root.replay_from, root.segment_size).base().as_u64();
    scan.run(from, live, passed).map_err(of_scan)
}

/// Copies a file durably. One that is missing is found missing when the copy is read.
fn copy_file(from: &Path, to: &Path) -> Result<(), DriverError> {
    let mut source = match File::open(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(during("open", from))?,
    };
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(to);
    let mut copy = made.map_err(during("make", to))?;
    io::copy(&mut source, &mut copy).map_err(during("copy to", to))?;
    copy.sync_all().map_err(during("sync", to))
}

/// Forgets what was copied from `tail` on.
fn cut(to: &Path, live: &[SegmentId], tail: u64, size: u64) -> Result<(), DriverError> {
    for id in live {
        let (base, path) = (id.base().as_u64(), Links::segment(to, *id));
        if base >= tail && path.exists() {
            fs::remove_file(&path).map_err(during("delete", &path))?;
        } else if tail < base + size && path.exists() {
            let file = OpenOptions::new().write(true).open(&path);
            let file = file.map_err(during("open", &path))?;
            file.set_len(tail - base).map_err(during("cut", &path))?;
            file.set_len(size).map_err(during("cut", &path))?;
            file.sync_all().map_err(during("sync", &path))?;
        }
    }
    sync_dir(&to.join("segments"))?;
    sync_dir(&to.join("checkpoint"))
}

/// Makes the copy a log.
fn finish(to: &Path, root: &Root, epoch: &[u8]) -> Result<(), DriverError> {
    write_whole(to, EPOCH, epoch)?;
    let blobs = to.join("checkpoint");
    write_whole(&blobs, COPY, &root.encode())?;
    write_whole(&blobs, ROOT, &root.encode())
}

fn read_epoch(log: &Path) -> Result<Vec<u8>, DriverError> {
    let path = log.join(EPOCH);
    fs::read(&path).map_err(during("read", &path))
}
