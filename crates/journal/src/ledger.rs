//! A ledger: a small state with a journal of its own, kept whole in one section.
//!
//! For what is neither large nor hot, as identities and settings. Whatever would need a state in
//! parts, or survivors moved out of old segments, uses a [`Journal`] itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_base::ByteSize;

use crate::driver::Driver;
use crate::error::{CheckpointError, OpenError, Poisoned};
use crate::record::{Event, Record, RecordRef};
use crate::{Journal, Options, Position};

/// The name of the only section.
const SECTION: &str = "state";
/// How much is appended between two checkpoints.
const INTERVAL: ByteSize = ByteSize::mib(1);

/// A state that is the fold of its records.
pub trait State: Sized {
    /// Takes a record's effect. The same records give the same state.
    fn apply(&mut self, record: RecordRef<'_>) -> Result<(), Unreadable>;

    /// The state as bytes.
    fn snapshot(&self) -> Vec<u8>;

    /// The state whose snapshot this is.
    fn restore(bytes: &[u8]) -> Result<Self, Unreadable>;
}

/// A record or a snapshot that the state does not understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError<E> {
    /// The caller decided against it.
    #[error("{0}")]
    Refused(E),
    /// The state does not understand the caller's records. Nothing was appended.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The journal accepts nothing more.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

/// A state and the journal it is the fold of.
#[derive(Debug)]
pub struct Ledger<S> {
    journal: Journal,
    states: Mutex<States<S>>,
    /// The log's end at the last checkpoint.
    checkpointed: AtomicU64,
}

#[derive(Debug)]
struct States<S> {
    /// With everything that was appended: what the next change is decided on.
    ahead: S,
    /// With everything that is durable: what anybody sees.
    shown: S,
    /// The records between the two, by group, each with where the log ended after it.
    between: VecDeque<(Position, Vec<Record>)>,
}

impl<S: State> Ledger<S> {
    /// Opens the ledger that the driver holds, or begins one with `initial`.
    pub fn open(
        driver: impl Driver + 'static,
        options: Options,
        initial: S,
    ) -> Result<Self, OpenError<Unreadable>> {
        let mut ahead = initial;
        let mut from = Position::ZERO;
        let journal = Journal::open(driver, options, |event| match event {
            Event::Section { at, bytes, .. } => {
                (ahead, from) = (S::restore(bytes)?, at);
                Ok(())
            }
            Event::Record { record, .. } => ahead.apply(record),
        })?;
        let at = journal.end();
        let shown =
            S::restore(&ahead.snapshot()).map_err(|source| OpenError::Fold { at, source })?;
        let states = Mutex::new(States { ahead, shown, between: VecDeque::new() });
        Ok(Self { journal, states, checkpointed: AtomicU64::new(from.as_u64()) })
    }

    /// Looks at the state, as far as it is durable.
    pub fn read<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        let mut states = self.states();
        states.show(self.journal.durable());
        look(&states.shown)
    }

    /// Decides on a change and makes it: `decide` is given the state with every change before,
    /// and returns the records that this one consists of, in their own right or none. Returns once
    /// the change is durable, and so is all that it was decided on.
    ///
    /// Now and then it makes a checkpoint too. Should that fail, the change is made all the same
    /// and a later one tries again.
    pub async fn commit<E>(
        &self,
        decide: impl FnOnce(&S) -> Result<Vec<Record>, E>,
    ) -> Result<(), CommitError<E>> {
        let end = self.append(decide)?;
        self.journal.durable_at(end).await?;
        let since = end.as_u64().saturating_sub(self.checkpointed.load(Ordering::Relaxed));
        if since >= INTERVAL.as_u64() {
            // The next change tries again, and whoever needs to know calls `checkpoint`.
            drop(self.checkpoint());
        }
        Ok(())
    }

    /// Makes a checkpoint of the whole state and lets go of every segment before. Blocks.
    pub fn checkpoint(&self) -> Result<(), CheckpointError> {
        let (at, snapshot) = {
            let states = self.states();
            (self.journal.end(), states.ahead.snapshot())
        };
        self.journal.put_section(SECTION, at, &snapshot)?;
        let first = self.journal.segment_of(at);
        let old = self.journal.segments().into_iter().map(|segment| segment.id);
        let old: Vec<_> = old.filter(|id| *id < first).collect();
        self.journal.checkpoint(at, &[(SECTION.to_owned(), at)], &old)?;
        self.checkpointed.store(at.as_u64(), Ordering::Relaxed);
        Ok(())
    }

    /// The journal below, for its counters and its end.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Decides and appends, under one lock, so that every decision sees the one before.
    fn append<E>(
        &self,
        decide: impl FnOnce(&S) -> Result<Vec<Record>, E>,
    ) -> Result<Position, CommitError<E>> {
        let mut states = self.states();
        let records = decide(&states.ahead).map_err(CommitError::Refused)?;
        if records.is_empty() {
            return Ok(self.journal.end());
        }
        if let Err(unreadable) = states.apply(&records) {
            states.rebuild()?;
            return Err(unreadable.into());
        }
        let appended = self.journal.append(|group| {
            for Record { kind, version, payload } in &records {
                group.push(*kind, *version, |bytes| bytes.extend_from_slice(payload));
            }
        });
        let end = match appended {
            Ok(appended) => appended.end,
            Err(poisoned) => {
                states.rebuild()?;
                return Err(poisoned.into());
            }
        };
        states.show(self.journal.durable());
        states.between.push_back((end, records));
        Ok(end)
    }

    fn states(&self) -> MutexGuard<'_, States<S>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: State> States<S> {
    fn apply(&mut self, records: &[Record]) -> Result<(), Unreadable> {
        records.iter().try_for_each(|record| self.ahead.apply(record.as_ref()))
    }

    /// Lets everybody see what is durable by now.
    fn show(&mut self, durable: Position) {
        while let Some((_, records)) = self.between.pop_front_if(|(end, _)| *end <= durable) {
            for record in records {
                let applied = self.shown.apply(record.as_ref());
                applied.expect("what one copy of the state took, the other takes");
            }
        }
    }

    /// Makes `ahead` again out of `shown`, after a change that was not made half changed it.
    fn rebuild(&mut self) -> Result<(), Unreadable> {
        self.ahead = S::restore(&self.shown.snapshot())?;
        for (_, records) in &self.between {
            for record in records {
                self.ahead.apply(record.as_ref())?;
            }
        }
        Ok(())
    }
}
