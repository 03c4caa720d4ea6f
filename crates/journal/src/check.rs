//! Checking: is every byte that was durable still what was written?
//!
//! Opening looks only at what it replays. This looks at everything, changes nothing but the lock's
//! file, and says where the damage is. [`crate::salvage`] builds on it.

use std::convert::Infallible;
use std::ops::Range;
use std::path::Path;

use tidemill_base::ByteSize;

use crate::driver::{Driver, DriverError};
use crate::drivers::FileDriver;
use crate::error::{Damage, OpenError};
use crate::frame::{Codec, in_memory};
use crate::recovery::{WIDEST_GAP, list_segments, load_root, load_section, of_scan};
use crate::root::Root;
use crate::scan::{Scan, Survey, damage_at};
use crate::{Position, SegmentId, section};

/// Why nothing could be checked.
pub type CheckError = OpenError<Infallible>;

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What was looked at.
    pub done: ByteSize,
    /// What there is to look at.
    pub total: ByteSize,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Segments that were read.
    pub segments: u64,
    /// Records that read well.
    pub records: u64,
    /// Sections of the checkpoint in force that read well.
    pub sections: u64,
    /// What was durable and cannot be read, segments that are missing among it.
    pub damage: Vec<Damage>,
    /// Sections that cannot be read.
    pub broken_sections: Vec<String>,
    /// What earlier salvages gave up.
    pub lost: Vec<Range<Position>>,
    /// Where the log ends. What comes after it is what a crash left, which opening cuts off.
    pub end: Position,
}

impl Report {
    /// Whether nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty() && self.broken_sections.is_empty()
    }
}

/// Reads everything in the data directory `dir`. Refuses while a server holds it.
pub fn check(dir: &Path, progress: impl FnMut(Progress)) -> Result<Report, CheckError> {
    let driver = existing(dir)?;
    driver.hold()?;
    let report = match load_root(&driver) {
        Ok(Some(root)) => examine(&driver, &root, progress),
        Ok(None) => Err(no_log(dir)),
        Err(error) => Err(error),
    };
    driver.release();
    report
}

/// The store in a directory that must exist.
pub(crate) fn existing(dir: &Path) -> Result<FileDriver, CheckError> {
    if dir.join("segments").is_dir() { Ok(FileDriver::new(dir)) } else { Err(no_log(dir)) }
}

pub(crate) fn no_log(dir: &Path) -> CheckError {
    let doing = format!("look for a log in {}", dir.display());
    OpenError::Driver(DriverError::io(doing, std::io::ErrorKind::NotFound.into()))
}

/// Reads everything that `root` says there should be.
pub(crate) fn examine(
    driver: &dyn Driver,
    root: &Root,
    mut progress: impl FnMut(Progress),
) -> Result<Report, CheckError> {
    let size = root.segment_size;
    let first = SegmentId::holding(root.replay_from, size);
    let present = list_segments(driver, root)?;
    let live: Vec<_> = present.iter().copied().filter(|id| *id >= first).collect();
    let kept: Vec<_> = root.kept.iter().map(|base| id(*base)).collect();
    let total = ByteSize::bytes((live.len() + kept.len()) as u64 * size);
    let mut segments = 0;
    let mut passed = || {
        segments += 1;
        progress(Progress { done: ByteSize::bytes(segments * size), total });
    };
    let (mut records, mut damage) = (0, Vec::new());
    for id in kept {
        if !present.contains(&id) {
            damage.push(missing(id, size));
            continue;
        }
        // All of it was durable long ago.
        let survey = walk(driver, root, u64::MAX, id.base().as_u64(), &[id], &mut passed)?;
        records += survey.records;
        damage.extend(survey.damage);
    }
    let from = first.base().as_u64();
    let survey = walk(driver, root, root.durable, from, &live, &mut passed)?;
    records += survey.records;
    damage.extend(survey.damage);
    if let Some(gone) = survey.missing {
        // No more of them than can be: else the root is wrong, and memory too small to list them.
        let bases = (gone.base().as_u64()..root.durable).step_by(in_memory(size));
        let bases = bases.take(in_memory(WIDEST_GAP));
        damage.extend(bases.map(|base| missing(id(base), size)));
    }
    let (sections, broken_sections) = examine_sections(driver, root)?;
    let position = Position::from_u64;
    let lost = root.lost.iter().map(|range| position(range.start)..position(range.end)).collect();
    let end = position(survey.tail);
    Ok(Report { segments, records, sections, damage, broken_sections, lost, end })
}

fn id(base: u64) -> SegmentId {
    SegmentId::from_base(Position::from_u64(base))
}

fn missing(id: SegmentId, size: u64) -> Damage {
    let base = id.base().as_u64();
    damage_at(base..base + size, size, "its segment is missing")
}

fn walk(
    driver: &dyn Driver,
    root: &Root,
    durable: u64,
    from: u64,
    present: &[SegmentId],
    passed: &mut dyn FnMut(),
) -> Result<Survey, CheckError> {
    let codec = Codec { salt: root.salt };
    let scan = Scan::new(driver, codec, root.segment_size, durable, |_, _| Ok(()));
    scan.run(from, present, passed).map_err(of_scan)
}

/// How many sections read well, and the names of those that do not.
fn examine_sections(driver: &dyn Driver, root: &Root) -> Result<(u64, Vec<String>), CheckError> {
    let (mut whole, mut broken) = (0, Vec::new());
    for (name, at) in &root.sections {
        let blob = match load_section::<Infallible>(driver, name, *at) {
            Ok(blob) => blob,
            Err(OpenError::Driver(error)) => return Err(OpenError::Driver(error)),
            Err(_) => Vec::new(),
        };
        match section::decode(&blob, name, *at) {
            Ok(_) => whole += 1,
            Err(_) => broken.push(name.clone()),
        }
    }
    Ok((whole, broken))
}
