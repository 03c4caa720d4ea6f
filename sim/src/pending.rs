//! What a disk was told and has not synced yet, and what of it outlives a crash.

use std::collections::BTreeMap;

use tidemill_journal::SegmentId;

use crate::dice::Dice;

/// What a disk writes as a whole.
pub(crate) const SECTOR: usize = 512;

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Everything: only the process died.
    Written,
    /// Nothing.
    Synced,
    /// The first so many bytes, and what was made or discarded before some moment.
    First,
    /// Some sectors and not others, in no order.
    Sectors,
}

/// A write, with what it wrote over.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) id: SegmentId,
    pub(crate) offset: usize,
    pub(crate) old: Vec<u8>,
}

/// A change that can be undone.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Wrote(Write),
    Created(SegmentId),
    Discarded(SegmentId, Vec<u8>),
}

/// Changes that were not synced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    changes: Vec<Change>,
    /// Writes that no sync stores any more, since one failed, unless they are written again.
    given_up: Vec<Write>,
    /// The last that was synced.
    last: Option<Write>,
}

impl Write {
    fn end(&self) -> usize {
        self.offset + self.old.len()
    }

    /// What is left of it where another one came after.
    fn without(self, later: &Self) -> Vec<Self> {
        if self.id != later.id {
            return vec![self];
        }
        let before = later.offset.clamp(self.offset, self.end()) - self.offset;
        let after = later.end().clamp(self.offset, self.end()) - self.offset;
        let part = |from: usize, to: usize| Self {
            id: self.id,
            offset: self.offset + from,
            old: self.old[from..to].to_vec(),
        };
        let parts = [part(0, before), part(after.max(before), self.old.len())];
        parts.into_iter().filter(|part| !part.old.is_empty()).collect()
    }

    /// Undoes it, but for those sectors that `keep` says, by where they begin in the write.
    fn undo(&self, segments: &mut Segments, keep: impl Fn(usize) -> bool) {
        let Some(bytes) = segments.get_mut(&self.id) else { return };
        let mut at = self.offset;
        while at < self.end() {
            let until = ((at / SECTOR + 1) * SECTOR).min(self.end());
            if !keep(at) {
                bytes[at..until].copy_from_slice(&self.old[at - self.offset..until - self.offset]);
            }
            at = until;
        }
    }
}

type Segments = BTreeMap<SegmentId, Vec<u8>>;

impl Pending {
    pub(crate) fn wrote(&mut self, write: Write) {
        self.given_up = self.given_up.drain(..).flat_map(|other| other.without(&write)).collect();
        self.changes.push(Change::Wrote(write));
    }

    pub(crate) fn renamed(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// What a segment holds from there on is durably forgotten.
    pub(crate) fn cut(&mut self, id: SegmentId, offset: usize) {
        let shorten = |write: &mut Write| {
            if write.id == id {
                let kept = offset.saturating_sub(write.offset).min(write.old.len());
                write.old.truncate(kept);
            }
        };
        for change in &mut self.changes {
            if let Change::Wrote(write) = change {
                shorten(write);
            }
        }
        self.given_up.iter_mut().for_each(shorten);
        self.last = self.last.take().filter(|write| write.id != id);
    }

    pub(crate) fn synced(&mut self) {
        for change in self.changes.drain(..) {
            match change {
                Change::Wrote(write) => self.last = Some(write),
                Change::Created(_) | Change::Discarded(..) => {}
            }
        }
    }

    /// A sync failed.
    pub(crate) fn give_up(&mut self) {
        let (writes, others): (Vec<_>, Vec<_>) =
            self.changes.drain(..).partition(|change| matches!(change, Change::Wrote(_)));
        self.changes = others;
        self.given_up.extend(writes.into_iter().filter_map(|change| match change {
            Change::Wrote(write) => Some(write),
            _ => None,
        }));
    }

    /// The machine ends, or only the process.
    pub(crate) fn crash(
        &mut self,
        keep: Keep,
        segments: &mut Segments,
        dice: &Dice,
        forgets: bool,
    ) {
        if keep == Keep::Written {
            return;
        }
        let changes = std::mem::take(&mut self.changes);
        // Files are made and deleted in order; how far that came is anybody's guess.
        let kept = match keep {
            Keep::Written | Keep::Synced => 0,
            Keep::First | Keep::Sectors => dice.index(changes.len() + 1),
        };
        for (number, change) in changes.iter().enumerate().rev() {
            match change {
                Change::Created(id) if number >= kept => drop(segments.remove(id)),
                Change::Discarded(id, bytes) if number >= kept => {
                    segments.insert(*id, bytes.clone());
                }
                Change::Created(_) | Change::Discarded(..) => {}
                Change::Wrote(write) => match keep {
                    Keep::Written => {}
                    Keep::Synced => write.undo(segments, |_| false),
                    Keep::First if number + 1 == kept => {
                        let until = write.offset + dice.index(write.old.len() + 1);
                        write.undo(segments, |at| at < until);
                    }
                    Keep::First => write.undo(segments, |_| number < kept),
                    Keep::Sectors => write.undo(segments, |_| dice.once_in(2)),
                },
            }
        }
        for write in std::mem::take(&mut self.given_up).iter().rev() {
            write.undo(segments, |_| false);
        }
        if let Some(write) = self.last.take().filter(|_| forgets) {
            write.undo(segments, |_| false);
        }
    }
}
