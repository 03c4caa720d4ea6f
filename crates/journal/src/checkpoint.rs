//! Checkpoints: sections are put one by one, and come into force together with one new root.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::driver::DriverError;
use crate::error::CheckpointError;
use crate::root::{COPY, ROOT, Root};
use crate::section;
use crate::writer::Writer;
use crate::{Position, SegmentId};

/// One named part of a checkpoint: state that holds the effect of every record before `at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name: unlike those of the other sections, and at most some 200 bytes.
    pub name: String,
    /// Where it was taken.
    pub at: Position,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// The checkpoint in force, and the sections put for the next.
pub(crate) struct Checkpoints {
    state: Mutex<State>,
    /// What the root in force says is lost; apart, so that reading never waits for a checkpoint.
    lost: Mutex<Vec<Range<u64>>>,
}

/// Held while a root is put, so that roots come into force one after the other.
struct State {
    root: Root,
    /// Sections that were put and are not in force.
    put: BTreeSet<(String, u64)>,
}

impl Checkpoints {
    pub(crate) fn new(root: Root) -> Self {
        let lost = Mutex::new(root.lost.clone());
        Self { state: Mutex::new(State { root, put: BTreeSet::new() }), lost }
    }

    pub(crate) fn lost(&self) -> Vec<Range<Position>> {
        let position = Position::from_u64;
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.iter().map(|range| position(range.start)..position(range.end)).collect()
    }

    pub(crate) fn is_lost(&self, at: u64) -> bool {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.iter().any(|range| range.contains(&at))
    }

    pub(crate) fn put(&self, writer: &Writer, sections: &[Section]) -> Result<(), CheckpointError> {
        let end = writer.with_tail(|tail| tail.end());
        let mut blobs = Vec::with_capacity(sections.len());
        for Section { name, at, bytes } in sections {
            let at = at.as_u64();
            let blob = section::blob_name(name, at)
                .ok_or_else(|| CheckpointError::BadName(name.clone()))?;
            if at > end {
                return Err(CheckpointError::Beyond(Position::from_u64(at)));
            }
            blobs.push((blob, section::encode(name, at, bytes)));
        }
        let last = sections.iter().map(|section| section.at.as_u64()).max();
        writer.watermark().check()?;
        writer.make_durable(last.unwrap_or_default())?;
        writer.driver().put_all(&blobs)?;
        let put = sections.iter().map(|section| (section.name.clone(), section.at.as_u64()));
        self.state().put.extend(put);
        Ok(())
    }

    pub(crate) fn put_in_force(
        &self,
        writer: &Writer,
        replay_from: Position,
        sections: &[(String, Position)],
        discard: &[SegmentId],
    ) -> Result<(), CheckpointError> {
        writer.watermark().check()?;
        let mut state = self.state();
        let root = state.next_root(writer, replay_from, sections, discard)?;
        writer.make_durable(root.replay_from)?;
        writer.driver().put(ROOT, &root.encode())?;
        let before = std::mem::replace(&mut state.root, root);
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone_from(&state.root.lost);
        drop(lost);
        writer.driver().put(COPY, &state.root.encode())?;
        let idle = state.superseded(&before);
        drop(state);
        for (name, at) in idle {
            if let Some(blob) = section::blob_name(&name, at) {
                writer.driver().delete(&blob)?;
            }
        }
        for id in discard {
            if writer.with_tail(|tail| tail.forget_segment(id.base().as_u64())) {
                writer.driver().discard(*id)?;
            }
        }
        Ok(())
    }

    /// Notes where the log ends, all of which is synced: nothing that is missing there can be
    /// taken for a torn tail any more.
    pub(crate) fn sign_off(&self, writer: &Writer) -> Result<(), DriverError> {
        let mut state = self.state();
        let end = writer.with_tail(|tail| tail.end());
        if state.root.durable != end {
            state.root.durable = end;
            writer.driver().put(ROOT, &state.root.encode())?;
            writer.driver().put(COPY, &state.root.encode())?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The root of the next checkpoint, if everything it names is there.
    fn next_root(
        &self,
        writer: &Writer,
        replay_from: Position,
        sections: &[(String, Position)],
        discard: &[SegmentId],
    ) -> Result<Root, CheckpointError> {
        let from = replay_from.as_u64();
        let first = SegmentId::holding(from, self.root.segment_size);
        let (segments, end) = writer.with_tail(|tail| (tail.segments().clone(), tail.end()));
        if from > end {
            return Err(CheckpointError::Beyond(replay_from));
        }
        if from < self.root.replay_from {
            return Err(CheckpointError::Behind(replay_from));
        }
        if let Some(needed) = discard.iter().find(|id| **id >= first) {
            return Err(CheckpointError::StillNeeded(*needed));
        }
        let before: BTreeSet<_> = self.root.sections.iter().collect();
        for (name, at) in sections {
            let section = (name.clone(), at.as_u64());
            if !self.put.contains(&section) && !before.contains(&section) {
                let (name, at) = (name.clone(), *at);
                return Err(CheckpointError::NoSuchSection { name, at });
            }
        }
        let kept = segments.range(..first.base().as_u64()).copied();
        let gone = |base: &u64| discard.iter().any(|id| id.base().as_u64() == *base);
        let kept: Vec<u64> = kept.filter(|base| !gone(base)).collect();
        let size = self.root.segment_size;
        let held = |range: &&Range<u64>| {
            let base = SegmentId::holding(range.start, size).base().as_u64();
            base >= first.base().as_u64() || kept.contains(&base)
        };
        let sections = sections.iter().map(|(name, at)| (name.clone(), at.as_u64())).collect();
        Ok(Root {
            salt: self.root.salt,
            segment_size: size,
            replay_from: from,
            durable: from.max(writer.synced()).max(self.root.durable),
            lost: self.root.lost.iter().filter(held).cloned().collect(),
            kept,
            sections,
        })
    }

    /// The sections that the root in force has made useless: those in force before, and those put
    /// earlier than the ones that are. Forgets them.
    fn superseded(&mut self, before: &Root) -> Vec<(String, u64)> {
        let now: BTreeMap<_, _> = self.root.sections.iter().map(|(name, at)| (name, at)).collect();
        let mut idle = before.sections.clone();
        idle.retain(|(name, at)| now.get(name) != Some(&at));
        self.put.retain(|put| {
            let named = now.get(&put.0) == Some(&&put.1);
            let stale = now.get(&put.0).is_some_and(|at| **at > put.1);
            if stale {
                idle.push(put.clone());
            }
            !named && !stale
        });
        idle
    }
}
