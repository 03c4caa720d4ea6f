//! Opening: what the checkpoint says, what follows it in the log, and where the log ends.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use tidemill_base::ByteSize;

use crate::driver::{Driver, DriverError, Epoch};
use crate::error::{Damages, OpenError};
use crate::frame::{self, Codec, in_memory};
use crate::root::{self, BadBlob, COPY, ROOT, Root};
use crate::scan::{Scan, ScanError, Survey, load};
use crate::section;
use crate::{Event, Options, Position, SegmentId};

/// The sizes that a segment may have, in bytes.
pub(crate) const SEGMENT_SIZES: RangeInclusive<u64> = 1 << 10..=1 << 30;

/// The most segments that can be missing one after the other: more would not be damage.
pub(crate) const WIDEST_GAP: u64 = 1024;

/// A journal as it was found, ready to go on.
pub(crate) struct Recovered {
    pub(crate) epoch: Epoch,
    pub(crate) root: Root,
    /// Where the log ends and the next record goes.
    pub(crate) tail: u64,
    /// Where the segments begin that exist.
    pub(crate) segments: BTreeSet<u64>,
}

/// Takes over the driver's store and folds what it holds.
pub(crate) fn recover<E>(
    driver: &dyn Driver,
    options: &Options,
    mut fold: impl FnMut(Event<'_>) -> Result<(), E>,
) -> Result<Recovered, OpenError<E>> {
    let epoch = driver.claim()?;
    let root = match load_root(driver)? {
        Some(root) => root,
        None => create(driver, options)?,
    };
    tidy(driver, &root)?;
    fold_sections(driver, &root, &mut fold)?;
    let present = present_segments(driver, &root)?;
    let codec = Codec { salt: root.salt };
    let scan = Scan::new(driver, codec, root.segment_size, root.durable, |at, record| {
        fold(Event::Record { at: Position::from_u64(at), record })
    });
    let survey = scan.run(root.replay_from, &present, &mut || ()).map_err(of_scan)?;
    if !survey.damage.is_empty() {
        return Err(OpenError::Damaged(Damages(survey.damage)));
    }
    if let Some(missing) = survey.missing {
        return Err(OpenError::MissingSegment(missing));
    }
    let segments = cut(driver, &root, &survey, present)?;
    write_again(driver, &root, survey.synced..survey.tail)?;
    // What the last process only wrote counts from here on, so it must not be lost any more.
    driver.sync()?;
    Ok(Recovered { epoch, root, tail: survey.tail, segments })
}

/// The root, if the store is not new.
pub(crate) fn load_root<E>(driver: &dyn Driver) -> Result<Option<Root>, OpenError<E>> {
    match driver.get(ROOT)? {
        Some(blob) => {
            Root::decode(&blob).map(Some).map_err(|bad| of_blob(bad, ROOT, root::VERSION))
        }
        None if driver.segments()?.is_empty() => Ok(None),
        None => Err(OpenError::Checkpoint { name: ROOT.into(), what: "it is missing" }),
    }
}

fn create<E>(driver: &dyn Driver, options: &Options) -> Result<Root, OpenError<E>> {
    let segment_size = options.segment_size.as_u64();
    if !SEGMENT_SIZES.contains(&segment_size) || !segment_size.is_multiple_of(8) {
        return Err(OpenError::Options("a segment has 1 KiB to 1 GiB, a multiple of 8 bytes"));
    }
    let root = Root {
        salt: options.chance.number(),
        segment_size,
        replay_from: 0,
        durable: 0,
        kept: Vec::new(),
        sections: Vec::new(),
        lost: Vec::new(),
    };
    driver.put(ROOT, &root.encode())?;
    driver.put(COPY, &root.encode())?;
    Ok(root)
}

/// Finishes the checkpoint in force: copies its root, and deletes the sections that are not in it.
fn tidy(driver: &dyn Driver, root: &Root) -> Result<(), DriverError> {
    let blob = root.encode();
    if driver.get(COPY)?.as_ref() != Some(&blob) {
        driver.put(COPY, &blob)?;
    }
    let named: BTreeSet<_> =
        root.sections.iter().filter_map(|(name, at)| section::blob_name(name, *at)).collect();
    for blob in driver.blobs()? {
        if blob.starts_with(section::PREFIX) && !named.contains(&blob) {
            driver.delete(&blob)?;
        }
    }
    Ok(())
}

fn fold_sections<E>(
    driver: &dyn Driver,
    root: &Root,
    fold: &mut impl FnMut(Event<'_>) -> Result<(), E>,
) -> Result<(), OpenError<E>> {
    for (name, at) in &root.sections {
        let blob = load_section(driver, name, *at)?;
        let bytes = section::decode(&blob, name, *at)
            .map_err(|bad| of_blob(bad, name, section::VERSION))?;
        let at = Position::from_u64(*at);
        fold(Event::Section { name, at, bytes })
            .map_err(|source| OpenError::Fold { at, source })?;
    }
    Ok(())
}

pub(crate) fn load_section<E>(
    driver: &dyn Driver,
    name: &str,
    at: u64,
) -> Result<Vec<u8>, OpenError<E>> {
    let missing = || OpenError::Checkpoint { name: name.into(), what: "it is missing" };
    let blob = section::blob_name(name, at).ok_or_else(missing)?;
    driver.get(&blob)?.ok_or_else(missing)
}

/// The segments that the driver has, if all of them can be the log's: each begins where one would,
/// and the way from one to the next is no longer than damage explains.
pub(crate) fn list_segments<E>(
    driver: &dyn Driver,
    root: &Root,
) -> Result<Vec<SegmentId>, OpenError<E>> {
    let present = driver.segments()?;
    let size = root.segment_size;
    let mut before = root.replay_from.max(root.durable);
    for id in &present {
        let base = id.base().as_u64();
        let near = base <= before + WIDEST_GAP * size;
        if !base.is_multiple_of(size) || !near {
            return Err(OpenError::Stray(*id));
        }
        before = before.max(base);
    }
    Ok(present)
}

/// The segments of the log. Deletes those that a crash kept from being discarded.
fn present_segments<E>(driver: &dyn Driver, root: &Root) -> Result<Vec<SegmentId>, OpenError<E>> {
    let first = SegmentId::holding(root.replay_from, root.segment_size);
    let kept: BTreeSet<_> =
        root.kept.iter().map(|base| SegmentId::from_base(Position::from_u64(*base))).collect();
    let mut present = Vec::new();
    for id in list_segments(driver, root)? {
        if id >= first || kept.contains(&id) {
            present.push(id);
        } else {
            driver.discard(id)?;
        }
    }
    let begun = first.base().as_u64() < root.replay_from;
    let needed = kept.into_iter().chain(begun.then_some(first));
    match needed.into_iter().find(|id| !present.contains(id)) {
        Some(missing) => Err(OpenError::MissingSegment(missing)),
        None => Ok(present),
    }
}

/// Makes sure that nothing after the tail is ever taken for part of the log, and says which
/// segments remain.
fn cut(
    driver: &dyn Driver,
    root: &Root,
    survey: &Survey,
    present: Vec<SegmentId>,
) -> Result<BTreeSet<u64>, DriverError> {
    let Range { start, end } = offset_in_segment(survey.tail, root.segment_size);
    let mut segments = BTreeSet::new();
    for id in present.into_iter().rev() {
        let base = id.base().as_u64();
        if base >= survey.tail {
            // The log will come here again, perhaps in the very same file, and what reads well
            // there must not follow what is written then. The last first, so that a crash
            // meanwhile leaves no gap.
            driver.cut(id, 0)?;
            driver.discard(id)?;
            continue;
        }
        if base == start && survey.leftovers {
            driver.cut(id, end - start)?;
        }
        segments.insert(base);
    }
    Ok(segments)
}

/// Writes what is not known to have been synced once more. Where a sync failed before, the
/// operating system may show bytes that it has given up storing, and a later sync would say
/// nothing of it; written again, they are stored or that sync fails.
fn write_again(driver: &dyn Driver, root: &Root, range: Range<u64>) -> Result<(), DriverError> {
    let size = root.segment_size;
    let (mut at, mut image) = (range.start, Vec::new());
    while at < range.end {
        let id = SegmentId::holding(at, size);
        let base = id.base().as_u64();
        load(driver, id, size, &mut image)?;
        let end = in_memory(range.end - base).min(image.len());
        if let Some(bytes) = image.get(in_memory(at - base)..end) {
            driver.append(id, at - base, bytes)?;
        }
        at = base + size;
    }
    Ok(())
}

/// From where the segment of a position begins, to the position.
fn offset_in_segment(at: u64, size: u64) -> Range<u64> {
    at - at % size..at
}

pub(crate) fn of_scan<E>(error: ScanError<E>) -> OpenError<E> {
    match error {
        ScanError::Driver(error) => OpenError::Driver(error),
        ScanError::Version { segment, found } => OpenError::Version {
            name: format!("segments/{}", segment.file_name()),
            found,
            known: frame::VERSION,
        },
        ScanError::Visit { at, source } => OpenError::Fold { at: Position::from_u64(at), source },
    }
}

pub(crate) fn of_blob<E>(bad: BadBlob, name: &str, known: u16) -> OpenError<E> {
    let name = name.to_owned();
    match bad {
        BadBlob::Version(found) => OpenError::Version { name, found, known },
        BadBlob::Garbled(what) => OpenError::Checkpoint { name, what },
    }
}

/// The size of a segment, for a driver.
pub(crate) fn byte_size(root: &Root) -> ByteSize {
    ByteSize::bytes(root.segment_size)
}
