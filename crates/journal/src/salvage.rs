//! Salvaging: gives up what is damaged, so that the rest can be used.
//!
//! Copies what is there to `salvaged/` first, then notes in the root which ranges are lost, then
//! puts filler records in their place. A crash in between leaves damage that the next salvage
//! finds again.

use std::ops::Range;
use std::path::Path;

use tidemill_base::ByteSize;

use crate::check::{CheckError, Report, examine, existing, no_log};
use crate::driver::{Driver, DriverError};
use crate::drivers::FileDriver;
use crate::error::{Damage, OpenError};
use crate::frame::{Codec, FRAME, HEADER, SegmentHeader, in_memory};
use crate::record::Kind;
use crate::recovery::load_root;
use crate::root::{COPY, ROOT, Root};
use crate::section;

/// Makes the log in `dir` open again without what is damaged, and returns what was. Refuses while
/// a server holds the directory.
///
/// Reading a record that was given up says [`crate::ReadError::Lost`], and
/// [`crate::Journal::lost`] lists the ranges. A broken section is no longer part of the
/// checkpoint: its state is gone but for the records since. A damaged root is replaced by its copy.
pub fn salvage(dir: &Path) -> Result<Report, CheckError> {
    let driver = existing(dir)?;
    let epoch = driver.claim()?.0;
    let report = match usable_root(&driver) {
        Ok(Some(root)) => give_up(&driver, root, epoch),
        Ok(None) => Err(no_log(dir)),
        Err(error) => Err(error),
    };
    driver.release();
    report
}

/// The root, or if that is damaged its copy, which then takes its place.
fn usable_root(driver: &FileDriver) -> Result<Option<Root>, CheckError> {
    let damaged = match load_root(driver) {
        Err(error @ OpenError::Checkpoint { .. }) => error,
        root => return root,
    };
    let copy = driver.get(COPY)?;
    let Some(root) = copy.and_then(|blob| Root::decode(&blob).ok()) else { return Err(damaged) };
    if let Some(bytes) = driver.get(ROOT)? {
        driver.keep_salvaged(ROOT, &bytes)?;
    }
    driver.put(ROOT, &root.encode())?;
    Ok(Some(root))
}

fn give_up(driver: &FileDriver, mut root: Root, epoch: u64) -> Result<Report, CheckError> {
    let report = examine(driver, &root, |_| {})?;
    if report.is_whole() {
        return Ok(report);
    }
    for damage in &report.damage {
        keep(driver, damage)?;
    }
    for (name, at) in &root.sections {
        if report.broken_sections.contains(name)
            && let Some(blob) = section::blob_name(name, *at)
            && let Some(bytes) = driver.get(&blob)?
        {
            driver.keep_salvaged(&blob, &bytes)?;
        }
    }
    root.sections.retain(|(name, _)| !report.broken_sections.contains(name));
    for damage in &report.damage {
        root.lost.extend(records_in(damage));
    }
    root.lost = merged(root.lost);
    driver.put(ROOT, &root.encode())?;
    driver.put(COPY, &root.encode())?;
    for damage in &report.damage {
        fill(driver, &root, epoch, damage)?;
    }
    driver.sync()?;
    Ok(report)
}

/// The positions of records that damage affects: a header's holds none.
fn records_in(damage: &Damage) -> Option<Range<u64>> {
    let base = damage.segment.base().as_u64();
    let start = damage.bytes.start.max(HEADER as u64);
    (start < damage.bytes.end).then(|| base + start..base + damage.bytes.end)
}

fn keep(driver: &FileDriver, damage: &Damage) -> Result<(), DriverError> {
    let Range { start, end } = damage.bytes;
    if !driver.segments()?.contains(&damage.segment) {
        return Ok(());
    }
    let mut bytes = vec![0; in_memory(end - start)];
    let count = driver.read(damage.segment, start, &mut bytes)?;
    let name = format!("{}-{start}-{end}.bytes", damage.segment);
    driver.keep_salvaged(&name, &bytes[..count])
}

/// Puts a filler where the damage is, and the header and the segment too if it took them.
fn fill(driver: &FileDriver, root: &Root, epoch: u64, damage: &Damage) -> Result<(), DriverError> {
    let (id, size) = (damage.segment, root.segment_size);
    if !driver.segments()?.contains(&id) {
        driver.create(id, ByteSize::bytes(size))?;
    }
    if damage.bytes.start < HEADER as u64 {
        let header = SegmentHeader { base: id.base().as_u64(), size, epoch, salt: root.salt };
        driver.overwrite(id, 0, &header.encode())?;
    }
    if let Some(range) = records_in(damage) {
        let payload = vec![0; in_memory(range.end - range.start) - FRAME];
        let filler = Codec { salt: root.salt }.encode(range.start, Kind::FILLER, &payload);
        driver.overwrite(id, range.start - id.base().as_u64(), &filler)?;
    }
    Ok(())
}

/// The ranges in order, those that touch as one.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}
