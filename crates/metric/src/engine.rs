//! The metrics of a data folder: the state, and the journal that remembers it.
//!
//! One copy of the state is enough: nothing about a value depends on those before it, so that it
//! is written down first and taken into the state, in the order of the log, once it is durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemill_base::{AccountId, ByteSize, Clock, Region, Timestamp};
use tidemill_journal::{
    CheckpointError, Driver, Effort, Event as Recovered, Journal, OpenError, Options, Poisoned,
    Position, Unreadable,
};

use crate::alarm::{AlarmKey, AlarmSettings, Reason, Tags};
use crate::alarms::{Alarms, Change};
use crate::point::Point;
use crate::record::{Batch, Event, VERSION};
use crate::state::State;
use crate::tier::Retention;

/// The metrics, kept in a journal of their own. What it shows is durable. Clones share it.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    journal: Journal,
    clock: Clock,
    /// How much memory the state may take.
    limit: ByteSize,
    shown: Mutex<Shown>,
    /// Held while a checkpoint is made: they are made one after the other.
    checkpoint: Mutex<Checkpoint>,
}

#[derive(Debug)]
struct Shown {
    /// The fold of every record before `at`.
    state: State,
    at: Position,
    /// What was appended behind, each with where the log ended after it.
    between: VecDeque<(Position, Event)>,
    /// When it was found that keeping things for a shorter time makes no room.
    vain: Option<Timestamp>,
}

/// The checkpoint in force.
#[derive(Debug)]
struct Checkpoint {
    at: Position,
    size: u64,
    /// When what has grown older was moved last: whoever does that makes checkpoints, too.
    aged: Timestamp,
}

/// How many values there are, and what they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Metrics.
    pub metrics: usize,
    /// About how much memory they take.
    pub weight: ByteSize,
    /// How long they are kept.
    pub retention: Retention,
}

/// Why values were not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no memory for more, although nothing is kept for longer than it must.
    #[error("there is no memory for more metrics")]
    Full,
    /// The journal accepts nothing more.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

/// The name of the section that holds what was measured.
const SECTION: &str = "metrics";
/// Alarms take at most this part of the memory; their history comes beside.
const ALARMS_PART: u64 = 4;
/// The name of the section that holds the alarms.
const ALARMS: &str = "alarms";
/// At least so much is appended between two checkpoints, and twice as much as one has: writing them
/// then costs less than writing what they save from being replayed.
const INTERVAL: ByteSize = ByteSize::mib(4);
/// How often what has grown older is moved.
const AGING: Duration = Duration::from_mins(10);
/// Where no room was to be had, it is looked for again after so long: looking goes through all that
/// there is.
const LOOK: Duration = Duration::from_mins(1);
/// Room is made for at least this part of the limit.
const ROOM: u64 = 16;

impl Metrics {
    /// Opens the metrics that the driver holds, or begins without any. They take about `limit` of
    /// memory; before they take more, they are kept for half as long, and so on, where that helps.
    ///
    /// # Errors
    /// If the journal does not open, or holds what this version does not understand.
    pub fn open(
        driver: impl Driver + 'static,
        options: Options,
        clock: Clock,
        limit: ByteSize,
    ) -> Result<Self, OpenError<Unreadable>> {
        let mut state = State::default();
        let begin = Position::default();
        let mut checkpoint = Checkpoint { at: begin, size: 0, aged: clock.now() };
        let journal = Journal::open(driver, options, |event| match event {
            Recovered::Section { name, at, bytes } => {
                let told = |why| Unreadable(format!("the snapshot of the {name}: {why}"));
                if name == ALARMS {
                    state.take_up(Alarms::decode(bytes).map_err(told)?);
                } else {
                    let alarms = state.alarms().clone();
                    state = State::decode(bytes).map_err(told)?;
                    state.take_up(alarms);
                }
                checkpoint.at = at;
                checkpoint.size += bytes.len() as u64;
                Ok(())
            }
            Recovered::Record { record, .. } => {
                let (kind, version) = (record.kind.0, record.version);
                let told =
                    |why| Unreadable(format!("a record of kind {kind}, version {version}: {why}"));
                state.happened(Event::read(record).map_err(told)?);
                Ok(())
            }
        })?;
        let between = VecDeque::new();
        let shown = Shown { state, at: journal.end(), between, vain: None };
        let (shown, checkpoint) = (Mutex::new(shown), Mutex::new(checkpoint));
        Ok(Self(Arc::new(Inner { journal, clock, limit, shown, checkpoint })))
    }

    /// Takes in values. They are seen once this returns, all of them or none.
    ///
    /// # Errors
    /// If there is no memory for more, or the journal accepts nothing more.
    pub async fn store(
        &self,
        account: AccountId,
        region: Region,
        namespace: &str,
        points: Vec<Point>,
    ) -> Result<(), Error> {
        let now = self.0.clock.now();
        let batch = Batch { account, region, namespace: namespace.into(), now, points };
        let end = {
            let mut shown = self.0.shown();
            if let Some(shorter) = self.0.make_room(&mut shown, now)? {
                self.0.append(&mut shown, Event::Aged { now, retention: shorter })?;
            }
            self.0.append(&mut shown, Event::Stored(batch))?
        };
        Ok(self.0.journal.durable_at(end).await?)
    }

    /// Makes an alarm with these tags, or sets it to something else; how it stands and what it is
    /// tagged with stays.
    ///
    /// # Errors
    /// If there is no memory for more, or the journal accepts nothing more.
    pub async fn put_alarm(
        &self,
        key: AlarmKey,
        settings: AlarmSettings,
        tags: Tags,
    ) -> Result<(), Error> {
        self.may_have_more_alarms()?;
        let now = self.now();
        Ok(self.change(vec![Change::Put(key, Box::new(settings), tags)], now).await?)
    }

    /// The same with an alarm of which it is known how it stands: there is no moment, and no
    /// crash, in which it is there and stands otherwise.
    ///
    /// # Errors
    /// If there is no memory for more, or the journal accepts nothing more.
    pub async fn put_judged_alarm(
        &self,
        key: AlarmKey,
        settings: AlarmSettings,
        tags: Tags,
        reason: Reason,
    ) -> Result<(), Error> {
        self.may_have_more_alarms()?;
        let now = self.now();
        let put = Change::Put(key.clone(), Box::new(settings), tags);
        Ok(self.change(vec![put, Change::Judged(key, reason)], now).await?)
    }

    /// Tags an alarm. A tag of the same key is replaced.
    ///
    /// # Errors
    /// If there is no memory for more, or the journal accepts nothing more.
    pub async fn tag_alarm(&self, key: AlarmKey, tags: Tags) -> Result<(), Error> {
        self.may_have_more_alarms()?;
        let now = self.now();
        Ok(self.change(vec![Change::Tagged(key, tags)], now).await?)
    }

    /// Whether there may be more alarms, for those who do something else first.
    ///
    /// # Errors
    /// If there is no memory for more.
    pub fn may_have_more_alarms(&self) -> Result<(), Error> {
        let most = ByteSize::bytes(self.0.limit.as_u64() / ALARMS_PART);
        let full = self.look(|state| state.alarms().weight() > most);
        if full { Err(Error::Full) } else { Ok(()) }
    }

    /// Takes tags from an alarm, by their keys.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn untag_alarm(&self, key: AlarmKey, tags: Vec<Box<str>>) -> Result<(), Poisoned> {
        let now = self.now();
        self.change(vec![Change::Untagged(key, tags)], now).await
    }

    /// Has the actions of alarms taken from now on, or not any more.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn enable_actions(&self, keys: Vec<AlarmKey>, on: bool) -> Result<(), Poisoned> {
        let now = self.now();
        self.change(keys.into_iter().map(|key| Change::Enabled(key, on)).collect(), now).await
    }

    /// Deletes alarms.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn delete_alarms(&self, keys: Vec<AlarmKey>) -> Result<(), Poisoned> {
        let now = self.now();
        self.change(keys.into_iter().map(Change::Deleted).collect(), now).await
    }

    /// Says how alarms stand at `now`.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn judge(
        &self,
        found: Vec<(AlarmKey, Reason)>,
        now: Timestamp,
    ) -> Result<(), Poisoned> {
        let change = |(key, reason)| Change::Judged(key, reason);
        self.change(found.into_iter().map(change).collect(), now).await
    }

    /// Says of actions that were due, by their numbers, that they were taken at `now`, or why not.
    ///
    /// # Errors
    /// If the journal accepts nothing more. They are due still then.
    pub async fn acted(
        &self,
        outcomes: Vec<(u64, Option<Box<str>>)>,
        now: Timestamp,
    ) -> Result<(), Poisoned> {
        let change = |(number, failure)| Change::Acted(number, failure);
        self.change(outcomes.into_iter().map(change).collect(), now).await
    }

    /// Writes down what was done about alarms: all of it, or nothing.
    async fn change(&self, changes: Vec<Change>, now: Timestamp) -> Result<(), Poisoned> {
        if changes.is_empty() {
            return Ok(());
        }
        let event = |change| Event::Alarm { now, change };
        let events = changes.into_iter().map(event).collect();
        let end = self.0.append_all(&mut self.0.shown(), events)?;
        self.0.journal.durable_at(end).await
    }

    /// What the clock shows, by which ages are told.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Looks at the state, as far as it is durable.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.shown().state)
    }

    /// How much there is.
    pub fn stored(&self) -> Stored {
        self.look(|state| Stored {
            metrics: state.len(),
            weight: ByteSize::bytes(state.weight().as_u64() + beside(state)),
            retention: state.retention(),
        })
    }

    /// Moves on what has grown older, now and then, and makes a checkpoint when one is worth it.
    /// Blocks. To be called about each minute.
    ///
    /// # Errors
    /// If the journal accepts nothing more, or a checkpoint cannot be stored; the one before stays
    /// in force then.
    pub fn tidy(&self) -> Result<(), CheckpointError> {
        let inner = &*self.0;
        let since = {
            let mut checkpoint = inner.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
            inner.age(&mut checkpoint)?;
            let since = inner.journal.end().as_u64().saturating_sub(checkpoint.at.as_u64());
            since.checked_sub(INTERVAL.as_u64().max(2 * checkpoint.size))
        };
        if since.is_some() { self.checkpoint() } else { Ok(()) }
    }

    /// Makes a checkpoint, and lets go of every segment before. Blocks.
    ///
    /// # Errors
    /// If it cannot be stored; the one before stays in force.
    pub fn checkpoint(&self) -> Result<(), CheckpointError> {
        let inner = &*self.0;
        let mut checkpoint = inner.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, snapshot) = {
            let shown = inner.shown();
            (shown.at, [(SECTION, shown.state.encode()), (ALARMS, shown.state.alarms().encode())])
        };
        let journal = &inner.journal;
        let mut size = 0;
        for (name, bytes) in &snapshot {
            journal.put_section(name, at, bytes)?;
            size += bytes.len() as u64;
        }
        let first = journal.segment_of(at);
        let old = journal.segments().into_iter().map(|segment| segment.id);
        let old: Vec<_> = old.filter(|id| *id < first).collect();
        let sections = snapshot.map(|(name, _)| (name.to_owned(), at));
        journal.checkpoint(at, &sections, &old)?;
        (checkpoint.at, checkpoint.size) = (at, size);
        Ok(())
    }

    /// Forgets everything, for an empty service between two tests.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn clear(&self) -> Result<(), Poisoned> {
        let end = self.0.append(&mut self.0.shown(), Event::Cleared)?;
        self.0.journal.durable_at(end).await
    }

    /// Why the journal accepts nothing more, if so: no value is taken in any more.
    pub fn failure(&self) -> Option<Poisoned> {
        self.0.journal.is_poisoned().map(Poisoned)
    }

    /// What the journal has been at for longest and has not done yet, and for how long.
    pub fn under_way(&self) -> Option<(Effort, Duration)> {
        let efforts = [Effort::Write, Effort::Sync].into_iter();
        let lasting = |effort| Some((effort, self.0.journal.under_way(effort)?));
        efforts.filter_map(lasting).max_by_key(|(_, lasts)| *lasts)
    }

    /// Writes and syncs what is pending, and accepts nothing more.
    ///
    /// # Errors
    /// If the journal had stopped before.
    pub fn close(&self) -> Result<(), Poisoned> {
        self.0.journal.close()
    }
}

impl Inner {
    /// The state with everything that is durable by now.
    fn shown(&self) -> MutexGuard<'_, Shown> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let durable = self.journal.durable();
        while let Some((end, event)) = shown.between.pop_front_if(|(end, _)| *end <= durable) {
            shown.state.happened(event);
            shown.at = end;
        }
        shown
    }

    fn append(&self, shown: &mut Shown, event: Event) -> Result<Position, Poisoned> {
        self.append_all(shown, vec![event])
    }

    /// Appends events, which are taken into the state once they are durable: all, or none.
    fn append_all(&self, shown: &mut Shown, events: Vec<Event>) -> Result<Position, Poisoned> {
        let records: Vec<_> = events.iter().map(Event::encode).collect();
        let appended = self.journal.append(|group| {
            for (kind, payload) in &records {
                group.push(*kind, VERSION, |bytes| bytes.extend_from_slice(payload));
            }
        })?;
        let end = appended.end;
        shown.between.extend(events.into_iter().map(|event| (end, event)));
        Ok(end)
    }

    /// Moves on what has grown older, if it is time.
    fn age(&self, checkpoint: &mut Checkpoint) -> Result<(), Poisoned> {
        let now = self.clock.now();
        // A clock that was set back begins anew.
        checkpoint.aged = checkpoint.aged.min(now);
        if now.since(checkpoint.aged) < AGING {
            return Ok(());
        }
        checkpoint.aged = now;
        let end = {
            let mut shown = self.shown();
            let nothing = shown.state.is_empty() && !shown.state.alarms().is_stale(now);
            if nothing || shown.is_aging() {
                return Ok(());
            }
            let retention = self.relaxed(&shown.state);
            self.append(&mut shown, Event::Aged { now, retention })?
        };
        // This thread may take its time: whoever looks next finds the work done.
        self.journal.wait_durable(end)?;
        drop(self.shown());
        Ok(())
    }

    /// How long things are to be kept from now on, where that has to change for more to come in.
    /// Nothing is given up unless that makes room.
    fn make_room(&self, shown: &mut Shown, now: Timestamp) -> Result<Option<Retention>, Error> {
        let limit = self.room(&shown.state);
        // What is on its way already need not be asked for again.
        if shown.state.weight() <= ByteSize::bytes(limit) || shown.is_aging() {
            return Ok(None);
        }
        if shown.vain.is_some_and(|at| at <= now && now.since(at) < LOOK) {
            return Err(Error::Full);
        }
        let roomy = ByteSize::bytes(limit - limit / ROOM);
        let state = &shown.state;
        let helps = |shorter: &Retention| state.weight_after(*shorter, now) <= roomy;
        let shorter = state.retention().shorter().find(helps);
        shown.vain = shorter.is_none().then_some(now);
        shorter.map(Some).ok_or(Error::Full)
    }

    /// How many bytes there are for metrics: all but what alarms and their history take, and half
    /// at least.
    fn room(&self, state: &State) -> u64 {
        let limit = self.limit.as_u64();
        limit.saturating_sub(beside(state)).max(limit / 2)
    }

    /// How long things are to be kept where there is room again.
    fn relaxed(&self, state: &State) -> Retention {
        let retention = state.retention();
        let roomy = state.weight().as_u64() < self.room(state) / 4;
        if roomy { retention.longer() } else { retention }
    }
}

/// How many bytes alarms take, and their history.
fn beside(state: &State) -> u64 {
    state.alarms().weight().as_u64() + state.alarms().past().as_u64()
}

impl Shown {
    /// Whether things grow older as soon as what was appended is durable.
    fn is_aging(&self) -> bool {
        self.between.iter().any(|(_, event)| matches!(event, Event::Aged { .. }))
    }
}

#[cfg(test)]
mod tests;
