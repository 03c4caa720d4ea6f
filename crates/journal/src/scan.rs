//! Walks the log from a position to its end, and tells a torn tail from damage.
//!
//! Whatever cannot be read is a break. A break at or after everything that is known to have been
//! durable is what a crash leaves: the tail, where the log ends. A break before it is damage. What
//! was durable is said by the batch records that come later, so the walk never stops at a break;
//! it looks for the next offset where a record reads well and goes on.

use std::ops::Range;

use crate::driver::{Driver, DriverError};
use crate::error::Damage;
use crate::frame::{BadHeader, Codec, Found, Frame, HEADER, SegmentHeader, in_memory};
use crate::record::{Kind, RecordRef};
use crate::{Position, SegmentId};

/// What the walk found.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Where the log ends.
    pub(crate) tail: u64,
    /// Whether anything after the tail reads well and must not be taken for the log's later.
    pub(crate) leftovers: bool,
    /// Everything before is known to have been synced.
    pub(crate) synced: u64,
    /// What was durable and cannot be read.
    pub(crate) damage: Vec<Damage>,
    /// A segment that must exist after the last one that does.
    pub(crate) missing: Option<SegmentId>,
    /// The records that read well.
    pub(crate) records: u64,
}

/// Why a walk ended early.
#[derive(Debug)]
pub(crate) enum ScanError<E> {
    Driver(DriverError),
    Version { segment: SegmentId, found: u16 },
    Visit { at: u64, source: E },
}

impl<E> From<DriverError> for ScanError<E> {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

/// Walks one journal.
pub(crate) struct Scan<'a, V> {
    driver: &'a dyn Driver,
    codec: Codec,
    size: u64,
    /// Called for each record of each complete group before the first break.
    visit: V,
    /// Everything before was durable once.
    durable: u64,
    breaks: Vec<(Range<u64>, &'static str)>,
    /// The group under way, copied because its end may be in another segment.
    group: Vec<Held>,
    leftovers: bool,
    records: u64,
}

struct Held {
    at: u64,
    kind: Kind,
    version: u8,
    payload: Vec<u8>,
}

impl<'a, E, V: FnMut(u64, RecordRef<'_>) -> Result<(), E>> Scan<'a, V> {
    /// A walk through a journal that is known to have been durable up to `durable`.
    pub(crate) fn new(
        driver: &'a dyn Driver,
        codec: Codec,
        size: u64,
        durable: u64,
        visit: V,
    ) -> Self {
        let (breaks, group) = (Vec::new(), Vec::new());
        let (leftovers, records) = (false, 0);
        Self { driver, codec, size, visit, durable, breaks, group, leftovers, records }
    }

    /// Walks from `from` through those of the `present` segments that follow, and calls `passed`
    /// after each.
    pub(crate) fn run(
        mut self,
        from: u64,
        present: &[SegmentId],
        passed: &mut dyn FnMut(),
    ) -> Result<Survey, ScanError<E>> {
        let mut at = from;
        let mut image = Vec::new();
        let last = present.last().copied();
        loop {
            let id = SegmentId::holding(at, self.size);
            if last.is_none_or(|last| id > last) {
                break;
            }
            let base = id.base().as_u64();
            if present.contains(&id) {
                load(self.driver, id, self.size, &mut image)?;
                self.header(id, &image)?;
                self.segment(base, (at - base).max(HEADER as u64), &image)?;
                passed();
            } else {
                self.breaks.push((at..base + self.size, "its segment is missing"));
            }
            at = base + self.size;
        }
        Ok(self.finish(at))
    }

    fn header(&mut self, id: SegmentId, image: &[u8]) -> Result<(), ScanError<E>> {
        let base = id.base().as_u64();
        let what = match SegmentHeader::decode(image) {
            Err(BadHeader::Version(found)) => {
                return Err(ScanError::Version { segment: id, found });
            }
            Err(BadHeader::Garbled) => "the segment's header is damaged",
            Ok(header) if header.salt != self.codec.salt => "the segment is another journal's",
            Ok(header) if header.base != base || header.size != self.size => {
                "the segment is another one's file"
            }
            Ok(_) => return Ok(()),
        };
        self.breaks.push((base..base + HEADER as u64, what));
        Ok(())
    }

    fn segment(&mut self, base: u64, from: u64, image: &[u8]) -> Result<(), ScanError<E>> {
        let mut offset = in_memory(from);
        while (offset as u64) < self.size {
            let at = base + offset as u64;
            let rest = image.get(offset..).unwrap_or_default();
            if let Found::Frame(frame) = self.codec.decode(at, rest) {
                self.leftovers |= !self.breaks.is_empty();
                if frame.record.kind == Kind::SEAL {
                    return Ok(());
                }
                self.frame(at, &frame)?;
                offset += frame.size;
                continue;
            }
            let next = self.resync(base, offset + 8, image);
            let until = next.map_or(self.size, |next| next as u64);
            self.breaks.push((at..base + until, "no record can be read"));
            let Some(next) = next else { return Ok(()) };
            offset = next;
        }
        Ok(())
    }

    /// The next offset where a record reads well.
    fn resync(&self, base: u64, from: usize, image: &[u8]) -> Option<usize> {
        (from..image.len()).step_by(8).find(|offset| {
            let at = base + *offset as u64;
            matches!(self.codec.decode(at, &image[*offset..]), Found::Frame(_))
        })
    }

    fn frame(&mut self, at: u64, frame: &Frame<'_>) -> Result<(), ScanError<E>> {
        let record = frame.record;
        match record.kind {
            Kind::BATCH => {
                let synced =
                    record.payload.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
                self.durable = self.durable.max(synced);
            }
            // What a group lost is lost; the rest of it is worth having.
            Kind::FILLER => self.deliver()?,
            _ => {
                self.records += 1;
                if !self.breaks.is_empty() {
                    return Ok(());
                }
                if self.group.is_empty() && !frame.continues {
                    return self.visit(at, record);
                }
                let (kind, version, payload) = (record.kind, record.version, record.payload.into());
                self.group.push(Held { at, kind, version, payload });
                if !frame.continues {
                    self.deliver()?;
                }
            }
        }
        Ok(())
    }

    fn deliver(&mut self) -> Result<(), ScanError<E>> {
        if !self.breaks.is_empty() {
            return Ok(());
        }
        for Held { at, kind, version, payload } in std::mem::take(&mut self.group) {
            self.visit(at, RecordRef { kind, version, payload: &payload })?;
        }
        Ok(())
    }

    fn visit(&mut self, at: u64, record: RecordRef<'_>) -> Result<(), ScanError<E>> {
        (self.visit)(at, record).map_err(|source| ScanError::Visit { at, source })
    }

    fn finish(self, end: u64) -> Survey {
        let damage = self.breaks.iter().filter(|(range, _)| range.start < self.durable);
        let mut damage: Vec<_> =
            damage.map(|(range, what)| damage_at(range.clone(), self.size, what)).collect();
        let ends = self.breaks.first().map_or(end, |(range, _)| range.start);
        let tail = self.group.first().map_or(ends, |first| first.at);
        let short = end < self.durable;
        if damage.is_empty() && !short && tail < self.durable {
            let until = ends.min(tail - tail % self.size + self.size);
            damage.push(damage_at(tail..until, self.size, "a group has no end"));
        }
        Survey {
            tail,
            synced: self.durable,
            leftovers: self.leftovers || tail < ends,
            missing: short.then(|| SegmentId::holding(end, self.size)),
            damage,
            records: self.records,
        }
    }
}

/// Damage of a range of positions within one segment.
pub(crate) fn damage_at(range: Range<u64>, size: u64, what: &'static str) -> Damage {
    let segment = SegmentId::holding(range.start, size);
    let base = segment.base().as_u64();
    let position = Position::from_u64(range.start);
    Damage { segment, bytes: range.start - base..range.end - base, position, what }
}

/// Reads a whole segment, or as much of it as there is.
pub(crate) fn load(
    driver: &dyn Driver,
    id: SegmentId,
    size: u64,
    image: &mut Vec<u8>,
) -> Result<(), DriverError> {
    image.resize(in_memory(size), 0);
    let mut filled = 0;
    while filled < image.len() {
        match driver.read(id, filled as u64, &mut image[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    image.truncate(filled);
    Ok(())
}
