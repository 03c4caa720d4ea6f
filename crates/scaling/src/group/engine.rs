//! The engine: what is known of groups, and what may be done with them.

use std::fmt;
use std::sync::Arc;

use tidemill_base::{Chance, Clock, Timestamp};
use tidemill_journal::cbor::Written as _;
use tidemill_journal::{
    CheckpointError, CommitError, Driver, Ledger, OpenError, Options, Poisoned, Unreadable,
};
use tokio::sync::Notify;

use super::activity::{End, Outcome};
use super::ids::{ActivityId, GroupKey};
use super::member::Member;
use super::record::{Ended, Event, Joined, What};
use super::refusal::Refusal;
use super::state::State;
use super::verbs::there;
use super::{Group, Seen, decide};

/// Groups. Cloning shares them.
#[derive(Clone)]
pub struct Groups(Arc<Inner>);

struct Inner {
    ledger: Ledger<State>,
    clock: Clock,
    chance: Chance,
    /// Told when something is to be done.
    changed: Notify,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The caller did something wrong.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The journal accepts nothing more.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

impl Groups {
    /// Opens the groups that the journal's driver holds, or begins without any.
    ///
    /// # Errors
    /// If the journal does not open, or holds what this version does not understand.
    pub fn open(
        journal: impl Driver + 'static,
        options: Options,
        clock: Clock,
        chance: Chance,
    ) -> Result<Self, OpenError<Unreadable>> {
        let ledger = Ledger::open(journal, options, State::default())?;
        let inner = Arc::new(Inner { ledger, clock, chance, changed: Notify::new() });
        let listener = Arc::downgrade(&inner);
        inner.clock.on_advance(move || {
            if let Some(inner) = listener.upgrade() {
                inner.changed.notify_one();
            }
        });
        Ok(Self(inner))
    }

    /// Looks at what is known, as far as it is durable.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.0.ledger.read(look)
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A new id.
    pub fn new_id(&self) -> ActivityId {
        ActivityId::random(&self.0.chance)
    }

    /// Waits until something was changed, by whomever, or a clock was moved by hand. There is one
    /// who waits.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Decides on what happens to a group, and has it happen.
    ///
    /// # Errors
    /// If the group is not there, `decide` says no, or the journal accepts nothing more.
    pub async fn change(
        &self,
        key: &GroupKey,
        decide: impl FnOnce(&Group, Timestamp) -> Result<Vec<What>, Refusal>,
    ) -> Result<(), GroupError> {
        self.commit(|state, now| {
            let whats = decide(there(state, key)?, now)?;
            Ok(whats.into_iter().map(|what| Event::Of(key.clone(), what)).collect())
        })
        .await
    }

    /// Decides on what follows from what is seen of a group's instances, and has it happen.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn settle(&self, key: &GroupKey, seen: &Seen) -> Result<(), GroupError> {
        let mut ids = || self.new_id();
        self.commit_quietly(|state, now| {
            // It may be gone by now.
            let Some(group) = state.group(key) else { return Ok(Vec::new()) };
            let whats = decide(group, seen, now, &mut ids);
            Ok(whats.into_iter().map(|what| Event::Of(key.clone(), what)).collect())
        })
        .await
    }

    /// Writes down which instance an activity launched. Says whether it is of the group now: it is
    /// not if the group does not know the launch any more.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn joined(
        &self,
        key: &GroupKey,
        activity: ActivityId,
        member: Member,
    ) -> Result<bool, GroupError> {
        let mut joined = false;
        self.commit_quietly(|state, _| {
            let group = state.group(key).filter(|group| group.launching.contains(&activity));
            let Some(group) = group else { return Ok(Vec::new()) };
            joined = true;
            let protected = group.settings.protects_new && !group.closing;
            let member = Member { activity: Some(activity), protected, ..member };
            Ok(vec![Event::Of(key.clone(), What::Joined(Joined { activity, member }))])
        })
        .await?;
        Ok(joined)
    }

    /// Writes down that an activity launched nothing, and why.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn failed(
        &self,
        key: &GroupKey,
        activity: ActivityId,
        why: String,
    ) -> Result<(), GroupError> {
        self.commit_quietly(|state, at| {
            let group = state.group(key).filter(|group| group.launching.contains(&activity));
            if group.is_none() {
                return Ok(Vec::new());
            }
            let end = End { at, outcome: Outcome::Failed, message: Some(why) };
            Ok(vec![Event::Of(key.clone(), What::Ended(Ended { activity, end }))])
        })
        .await
    }

    /// Decides on what happens, has it happen, and tells whoever waits for that.
    ///
    /// # Errors
    /// If `decide` says no, or the journal accepts nothing more.
    pub async fn commit(
        &self,
        decide: impl FnOnce(&State, Timestamp) -> Result<Vec<Event>, Refusal>,
    ) -> Result<(), GroupError> {
        let mut changes = false;
        let told = |state: &State, now| {
            let events = decide(state, now)?;
            changes = !events.is_empty();
            Ok(events)
        };
        self.commit_quietly(told).await?;
        // Who asks in vain, or for what is so already, has nobody look at every group.
        if changes {
            self.0.changed.notify_one();
        }
        Ok(())
    }

    /// The same, without telling.
    pub(super) async fn commit_quietly(
        &self,
        decide: impl FnOnce(&State, Timestamp) -> Result<Vec<Event>, Refusal>,
    ) -> Result<(), GroupError> {
        let now = self.now();
        let records = |state: &State| {
            let events = decide(state, now)?;
            Ok(events.iter().map(Event::record).collect())
        };
        match self.0.ledger.commit(records).await {
            Ok(()) => Ok(()),
            Err(CommitError::Refused(refusal)) => Err(GroupError::Refused(refusal)),
            Err(CommitError::Poisoned(poisoned)) => Err(GroupError::Poisoned(poisoned)),
            Err(CommitError::Unreadable(why)) => unreachable!("what was decided fits: {why}"),
        }
    }

    /// Forgets everything, for an empty service between two tests.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn clear(&self) -> Result<(), Poisoned> {
        match self.commit(|_, _| Ok(vec![Event::Cleared])).await {
            Ok(()) => Ok(()),
            Err(GroupError::Poisoned(poisoned)) => Err(poisoned),
            Err(GroupError::Refused(refusal)) => unreachable!("nothing was refused: {refusal}"),
        }
    }

    /// Makes a checkpoint, so that the next open replays nothing. Blocks.
    ///
    /// # Errors
    /// If it cannot be stored; the one before stays in force.
    pub fn checkpoint(&self) -> Result<(), CheckpointError> {
        self.0.ledger.checkpoint()
    }

    /// Why the journal accepts nothing more, if so.
    pub fn failure(&self) -> Option<Poisoned> {
        self.0.ledger.journal().is_poisoned().map(Poisoned)
    }

    /// Writes and syncs what is pending, and accepts nothing more.
    ///
    /// # Errors
    /// If the journal had stopped before.
    pub fn close(&self) -> Result<(), Poisoned> {
        self.0.ledger.journal().close()
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Groups")
    }
}
