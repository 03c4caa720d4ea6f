//! The engine: what is known of instances and templates, and what may be done with them.

mod instances;
mod templates;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill_base::{Chance, Clock, Timestamp};
use tidemill_journal::cbor::Written as _;
use tidemill_journal::{
    CheckpointError, CommitError, Driver as JournalDriver, Ledger, OpenError, Options, Poisoned,
    Unreadable,
};
use tokio::sync::Notify;

pub use self::instances::{Change, Launch, Launched, Template as TemplateOf};
pub use self::templates::{NewTemplate, NewVersion};
use crate::driver::Driver;
use crate::id::{InstanceId, TemplateId};
use crate::instance::Instance;
use crate::keeper::{BLIND, SOON, blocking};
use crate::owner::Owner;
use crate::process::{Cursor, Line, Status, Wanted};
use crate::recipe::Tags;
use crate::record::{Event, Resource, Tagged, Untagged};
use crate::refusal::Refusal;
use crate::state::State;
use crate::template::Template;

/// Instances and the templates that they are launched from. Cloning shares them.
#[derive(Clone)]
pub struct Fleet(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) ledger: Ledger<State>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) driver: Box<dyn Driver>,
    /// The variables that an instance's programs are given.
    pub(crate) environment: Environment,
    /// Most instances that there may be at once, of all owners.
    pub(crate) most: usize,
    /// How each instance was seen last.
    pub(crate) statuses: Mutex<HashMap<InstanceId, Status>>,
    /// Told when something is to be done.
    pub(crate) changed: Notify,
    /// Whether all that runs is to end, and nothing to be started any more.
    pub(crate) closing: AtomicBool,
    /// Held while instances are looked at, and started.
    pub(crate) looking: Mutex<()>,
}

/// What an instance's programs are given, by instance.
pub type Environment = Box<dyn Fn(&Instance) -> Vec<(String, String)> + Send + Sync>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The caller did something wrong.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The journal accepts nothing more.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

/// Most tags of a resource.
pub const TAGS: usize = 50;

impl Fleet {
    /// Opens the fleet that the journal's driver holds, or begins an empty one. Its instances stand
    /// on `driver`; there may be `most` of them.
    ///
    /// # Errors
    /// If the journal does not open, or holds what this version does not understand.
    pub fn open(
        journal: impl JournalDriver + 'static,
        options: Options,
        (clock, chance): (Clock, Chance),
        driver: Box<dyn Driver>,
        environment: Environment,
        most: usize,
    ) -> Result<Self, OpenError<Unreadable>> {
        let ledger = Ledger::open(journal, options, State::default())?;
        let (statuses, changed) = (Mutex::default(), Notify::new());
        let (closing, looking) = (AtomicBool::new(false), Mutex::default());
        Ok(Self(Arc::new(Inner {
            ledger,
            clock,
            chance,
            driver,
            environment,
            most,
            statuses,
            changed,
            closing,
            looking,
        })))
    }

    /// Keeps instances as they are to be; never returns.
    pub async fn run(&self) {
        Arc::clone(&self.0).keep().await;
    }

    /// Looks at what is known, as far as it is durable.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.0.ledger.read(look)
    }

    /// How an instance was seen last, if it was.
    pub fn status(&self, id: InstanceId) -> Option<Status> {
        self.0.status(id)
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// What an instance printed after `cursor`, at most `most` lines, and where to go on. Blocks.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn lines(
        &self,
        id: InstanceId,
        cursor: Cursor,
        wanted: Wanted,
        most: usize,
    ) -> std::io::Result<(Vec<Line>, Cursor)> {
        self.0.driver.lines(id, cursor, wanted, most)
    }

    /// The last lines that an instance printed, at most `most`, and where to go on. Blocks.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn last_lines(
        &self,
        id: InstanceId,
        wanted: Wanted,
        most: usize,
    ) -> std::io::Result<(Vec<Line>, Cursor)> {
        self.0.driver.last_lines(id, wanted, most)
    }

    /// The variables that an instance's programs were started with last; none if they cannot be
    /// read. Blocks.
    pub fn told(&self, id: InstanceId) -> Vec<(String, String)> {
        self.0.driver.told(id).unwrap_or_default()
    }

    /// Where what an instance prints next will be. Blocks.
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn log_end(&self, id: InstanceId) -> std::io::Result<Cursor> {
        self.0.driver.end(id)
    }

    /// What an instance printed last, at most so many bytes. Blocks.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn tail(&self, id: InstanceId, most: usize) -> std::io::Result<Vec<u8>> {
        self.0.driver.tail(id, most)
    }

    /// Sets tags of resources, all of them or none.
    ///
    /// # Errors
    /// If one is not there, or would have too many, or the journal accepts nothing more.
    pub async fn tag(
        &self,
        owner: &Owner,
        resources: Vec<Resource>,
        tags: Tags,
    ) -> Result<(), FleetError> {
        let decide = |state: &State| {
            let mut events = Vec::new();
            for resource in &resources {
                let before = state.owned_tags(owner, *resource)?;
                let more = tags.keys().filter(|name| !before.contains_key(*name)).count();
                if before.len() + more > TAGS {
                    return Err(Refusal::TooManyTags(TAGS));
                }
                events.push(Event::Tagged(Tagged { resource: *resource, tags: tags.clone() }));
            }
            Ok(events)
        };
        self.0.commit(decide).await
    }

    /// Takes tags from resources: those for which `which` says so.
    ///
    /// # Errors
    /// If a resource is not there, or the journal accepts nothing more.
    pub async fn untag(
        &self,
        owner: &Owner,
        resources: Vec<Resource>,
        which: impl Fn(&str, &str) -> bool,
    ) -> Result<(), FleetError> {
        let decide = |state: &State| {
            let mut events = Vec::new();
            for resource in &resources {
                let tags = state.owned_tags(owner, *resource)?.iter();
                let gone = tags.filter(|(name, value)| which(name, value));
                let names = gone.map(|(name, _)| name.clone()).collect();
                events.push(Event::Untagged(Untagged { resource: *resource, names }));
            }
            Ok(events)
        };
        self.0.commit(decide).await
    }

    /// Has all that runs end, and waits until it has. What is to run starts again when the fleet is
    /// opened and run.
    pub async fn stop_all(&self) {
        self.0.stop_all().await;
    }

    /// Forgets everything, for an empty service between two tests. What ran is ended: see
    /// [`Fleet::until_swept`].
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn clear(&self) -> Result<(), Poisoned> {
        match self.0.commit(|_| Ok(vec![Event::Cleared])).await {
            Ok(()) => Ok(()),
            Err(FleetError::Poisoned(poisoned)) => Err(poisoned),
            Err(FleetError::Refused(refusal)) => unreachable!("nothing was refused: {refusal}"),
        }
    }

    /// Waits until nothing is left of instances that were forgotten. It is the keeper who ends
    /// them: the fleet is run meanwhile. Where nobody can look something may be left, but it is not
    /// waited for that for ever.
    pub async fn until_swept(&self) {
        let mut blind = Duration::ZERO;
        while blind < BLIND {
            let inner = Arc::clone(&self.0);
            let is_swept = move || {
                let known = |id| inner.ledger.read(|state| state.instance(id).is_some());
                inner.driver.all().map(|all| all.into_iter().all(known))
            };
            match blocking(is_swept).await {
                Some(Ok(false)) => blind = Duration::ZERO,
                Some(Err(_)) => blind += SOON,
                Some(Ok(true)) | None => return,
            }
            self.0.changed.notify_one();
            tokio::time::sleep(SOON).await;
        }
        tracing::warn!("the instances' folder cannot be read: something of them may be left");
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

    /// Writes and syncs what is pending, and accepts nothing more. What runs goes on.
    ///
    /// # Errors
    /// If the journal had stopped before.
    pub fn close(&self) -> Result<(), Poisoned> {
        self.0.ledger.journal().close()
    }
}

impl Inner {
    /// Decides on what happens, and has it happen.
    pub(crate) async fn commit(
        &self,
        decide: impl FnOnce(&State) -> Result<Vec<Event>, Refusal>,
    ) -> Result<(), FleetError> {
        let records = |state: &State| {
            let events = decide(state)?;
            Ok(events.iter().map(Event::record).collect())
        };
        let committed = match self.ledger.commit(records).await {
            Ok(()) => Ok(()),
            Err(CommitError::Refused(refusal)) => Err(FleetError::Refused(refusal)),
            Err(CommitError::Poisoned(poisoned)) => Err(FleetError::Poisoned(poisoned)),
            Err(CommitError::Unreadable(why)) => unreachable!("what was decided fits: {why}"),
        };
        self.changed.notify_one();
        committed
    }
}

impl State {
    fn owned_tags(&self, owner: &Owner, resource: Resource) -> Result<&Tags, Refusal> {
        match resource {
            Resource::Instance(id) => {
                let instance = self.instance(id).filter(|instance| instance.owner == *owner);
                instance.map(|it| &it.tags).ok_or_else(|| Refusal::NoInstances(vec![id]))
            }
            Resource::Template(id) => self.owned_template(owner, id).map(|it| &it.tags),
        }
    }

    fn owned_template(&self, owner: &Owner, id: TemplateId) -> Result<&Template, Refusal> {
        let template = self.template(id).filter(|template| template.owner == *owner);
        template.ok_or(Refusal::NoTemplate(id))
    }

    /// The instances of an owner with these ids.
    ///
    /// # Errors
    /// If one is not there.
    pub fn owned_instances(
        &self,
        owner: &Owner,
        ids: &[InstanceId],
    ) -> Result<Vec<&Instance>, Refusal> {
        let found = |id: &InstanceId| self.instance(*id).filter(|it| it.owner == *owner);
        let missing: Vec<InstanceId> =
            ids.iter().copied().filter(|id| found(id).is_none()).collect();
        if missing.is_empty() {
            Ok(ids.iter().filter_map(found).collect())
        } else {
            Err(Refusal::NoInstances(missing))
        }
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fleet")
    }
}

#[cfg(test)]
mod tests;
