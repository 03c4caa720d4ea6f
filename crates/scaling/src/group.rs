//! Groups: instances that come and go together, as many as a group is told to have.
//!
//! An engine like the others: its state is the fold of its records, and it is given the time. It
//! knows nothing of those who run instances. Whoever does tells what it sees; [`decide()`] says
//! what follows, [`acts`] what is to be done about it, and both may be asked again and again: what
//! is to be done is known from what was written down alone, so that nothing is done twice or left
//! undone by a service that dies in between.

mod activity;
mod choose;
mod codec;
mod configuration;
mod cron;
mod decide;
mod engine;
mod hook;
mod ids;
mod member;
mod notice;
mod policy;
mod policy_verbs;
mod record;
mod refresh;
mod refusal;
#[cfg(test)]
mod samples;
mod scheduled;
mod settings;
mod stand;
mod state;
#[cfg(test)]
mod tests;
mod verbs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

pub use activity::{Activity, Cause, Deed, End, Outcome, Said, Step};
pub use configuration::Configuration;
pub use decide::{Act, Seen, Sight, acts, decide};
pub use engine::{GroupError, Groups};
pub use hook::{Answer, HOOKS, Hook, Transition, Wait, Waiter};
pub use ids::{ActivityId, GroupKey, InstanceId};
pub use member::{Health, Lifecycle, Member, Origin};
pub use notice::{Kind, LISTENERS, Notice, Notified, Owed, Trial};
pub use policy::{
    Invocation, POLICIES, Policy, PolicyPut, Simple, Stepwise, Target, Way, decide_by_policies,
};
pub use policy_verbs::NewScheduled;
pub use record::{
    Answered, Ended, Event, HookSet, Joined, Judged, Left, Made, Moved, Renewed, Spared, Waiting,
    Wanted, What,
};
pub use refresh::{
    Awaited, Halt, NewRefresh, Preferences, Progress, REFRESHES, REMEMBERED, Refresh, Rollback,
    Stage, Treatment,
};
pub use refusal::Refusal;
pub use scheduled::{SCHEDULED, Scheduled, ScheduledPut, decide_by_schedule};
pub use settings::{
    HealthCheck, Process, Protection, Settings, Source, Tag, Tags, TemplateSource, Termination,
};
pub use stand::Stand;
pub use state::{ACTIVITIES, GONE, State};
pub use verbs::{CONFIGURATIONS, GROUPS, NewGroup, TAGS};

use crate::{Workers, aws};

/// Most causes that are kept of what the group was told to have. An activity tells them with its
/// own.
const CAUSES: usize = 3;
/// The longest pause after launches that failed one after the other.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A group.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Group {
    /// What sets it apart from another of the same name.
    #[n(0)]
    pub id: ActivityId,
    /// When it was made.
    #[n(1)]
    pub made: Timestamp,
    /// What it is told to be.
    #[n(2)]
    pub settings: Settings,
    /// How many it is told to have.
    #[n(3)]
    pub desired: Workers,
    /// Its tags.
    #[n(4)]
    pub tags: Tags,
    /// What it does not do by itself for now.
    #[n(5)]
    pub suspended: BTreeSet<Process>,
    /// Metrics that are published, by name.
    #[n(6)]
    pub metrics: BTreeSet<String>,
    /// Whether it is to be deleted with all that it has.
    #[n(7)]
    pub closing: bool,
    /// Its instances.
    #[n(8)]
    members: BTreeMap<InstanceId, Member>,
    /// Launches that have begun and of which no instance is known.
    #[n(9)]
    launching: BTreeSet<ActivityId>,
    /// Why it is told to have as many as it has, while it has not.
    #[n(10)]
    causes: Vec<Said>,
    /// So many that are gone are to be followed by others.
    #[n(11)]
    owed: u32,
    /// So many launches failed one after the other.
    #[n(12)]
    failures: u32,
    /// When the last of them did.
    #[n(13)]
    failed: Option<Timestamp>,
    /// When the last instance had come or gone as it should.
    #[n(14)]
    settled: Option<Timestamp>,
    /// Whether it was told that all that might go are spared, since it was last told its size.
    #[n(15)]
    told_spared: bool,
    /// Activities that have begun and not ended.
    #[n(16)]
    under_way: BTreeSet<ActivityId>,
    /// Its hooks, by name.
    #[n(17)]
    pub hooks: BTreeMap<String, Hook>,
    /// Its policies, by name.
    #[cbor(n(18), default)]
    policies: BTreeMap<String, Policy>,
    /// What is done with it by the clock, by name.
    #[cbor(n(19), default)]
    scheduled: BTreeMap<String, Scheduled>,
    /// Its refreshes, the newest last: no other goes on.
    #[cbor(n(20), default)]
    refreshes: VecDeque<Refresh>,
    /// Whom it tells of what it does, and of what.
    #[cbor(n(30), default)]
    notified: BTreeMap<String, BTreeSet<Kind>>,
}

/// How many of a group are how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The fewest that there may be.
    pub min: Workers,
    /// The most.
    pub max: Workers,
    /// How many there should be.
    pub desired: Workers,
    /// In service.
    pub in_service: Workers,
    /// On their way into service.
    pub pending: Workers,
    /// Out of service for a while.
    pub standby: Workers,
    /// On their way out.
    pub terminating: Workers,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> Workers {
        self.in_service + self.pending + self.standby + self.terminating
    }
}

impl Group {
    pub(crate) fn made(made: Made) -> Self {
        Self {
            id: made.id,
            made: made.at,
            desired: Workers::NONE,
            settings: made.settings,
            tags: made.tags,
            suspended: BTreeSet::new(),
            metrics: BTreeSet::new(),
            closing: false,
            members: BTreeMap::new(),
            launching: BTreeSet::new(),
            causes: Vec::new(),
            owed: 0,
            failures: 0,
            failed: None,
            settled: None,
            told_spared: false,
            under_way: BTreeSet::new(),
            hooks: BTreeMap::new(),
            policies: BTreeMap::new(),
            scheduled: BTreeMap::new(),
            refreshes: VecDeque::new(),
            notified: BTreeMap::new(),
        }
    }

    /// Its instances, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The instance of this id.
    pub fn member(&self, id: InstanceId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// Its policies, by name.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &Policy)> {
        self.policies.iter().map(|(name, policy)| (&**name, policy))
    }

    /// The policy of this name.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.get(name)
    }

    /// What is done with it by the clock, by name.
    pub fn scheduled_actions(&self) -> impl Iterator<Item = (&str, &Scheduled)> {
        self.scheduled.iter().map(|(name, action)| (&**name, action))
    }

    /// The scheduled action of this name.
    pub fn scheduled(&self, name: &str) -> Option<&Scheduled> {
        self.scheduled.get(name)
    }

    /// Launches that have begun and of which no instance is known yet.
    pub fn launching(&self) -> impl Iterator<Item = ActivityId> {
        self.launching.iter().copied()
    }

    /// An activity that has begun and not ended, if there is one.
    pub fn under_way(&self) -> Option<ActivityId> {
        self.under_way.first().copied()
    }

    /// Whether nothing of it is left.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.launching.is_empty()
    }

    /// Whether it does this by itself now. One that is being deleted terminates whatever anybody
    /// says.
    pub fn does(&self, process: Process) -> bool {
        !self.suspended.contains(&process) || self.closing && process == Process::Terminate
    }

    /// Whether this instance is not chosen when the group shrinks: nobody is spared where all is
    /// to end.
    fn spares(&self, member: &Member) -> bool {
        member.protected && !self.closing
    }

    /// How many of those that go are to be followed by others.
    fn replaced(&self) -> Workers {
        workers(self.members().filter(|it| it.state.is_going() && it.replaced).count())
    }

    /// How many it is going to launch as soon as it may, besides those whose launch has begun: the
    /// followers of who goes, and those that are missing otherwise.
    pub fn to_come(&self) -> Workers {
        self.desired - (self.capacity() - self.replaced())
    }

    /// How many it has, against what it should have: who comes counts, who goes does not, unless
    /// another follows.
    pub fn capacity(&self) -> Workers {
        let counts = |member: &&Member| match member.state {
            state if state.is_going() => member.replaced,
            state => state.is_coming() || state == Lifecycle::InService,
        };
        workers(self.members().filter(counts).count() + self.launching.len())
    }

    /// How many of its instances are how.
    pub fn counts(&self) -> Counts {
        let count = |which: fn(Lifecycle) -> bool| {
            workers(self.members().filter(|member| which(member.state)).count())
        };
        Counts {
            min: self.settings.min,
            max: self.settings.max,
            desired: self.desired,
            in_service: count(|state| state == Lifecycle::InService),
            pending: count(Lifecycle::is_coming) + workers(self.launching.len()),
            standby: count(|state| state == Lifecycle::Standby),
            terminating: count(Lifecycle::is_going),
        }
    }

    /// The group as policies see it, where a new instance takes `warm_up` to pull its weight.
    pub fn fleet(&self, warm_up: Duration, now: Timestamp) -> aws::Fleet {
        let is_warm = |member: &&Member| {
            member.state == Lifecycle::InService
                && member.served.is_some_and(|served| now.since(served) >= warm_up)
        };
        let counts = self.counts();
        let ready = workers(self.members().filter(is_warm).count());
        let warming = counts.in_service - ready + counts.pending;
        aws::Fleet { desired: self.desired, ready, warming, terminating: counts.terminating }
    }

    /// What keeps simple changes of its size waiting.
    pub fn cooldown(&self) -> aws::Cooldown {
        aws::Cooldown { under_way: !self.under_way.is_empty(), settled: self.settled }
    }

    /// When it may launch again, after launches that failed.
    pub fn launches_from(&self) -> Option<Timestamp> {
        let pause = Duration::from_secs(1 << self.failures.min(9)).min(LONGEST_PAUSE);
        self.failed.map(|failed| failed + pause)
    }

    /// Takes in what happened.
    fn happened(&mut self, what: &What) -> Option<()> {
        match what {
            What::Set(settings) => {
                self.settings = settings.clone();
                // What was wrong may be mended by that.
                (self.failures, self.failed) = (0, None);
            }
            What::Wanted(wanted) => {
                self.desired = wanted.desired;
                self.causes.extend(wanted.said.clone());
                let more = self.causes.len().saturating_sub(CAUSES);
                self.causes.drain(..more);
                self.told_spared = false;
                (self.failures, self.failed) = (0, None);
                self.balance();
            }
            What::Begun(activity) => self.began(activity),
            What::Joined(joined) => {
                self.launching.remove(&joined.activity);
                self.members.insert(joined.member.id, joined.member.clone());
                if let Some(refresh) = self.refreshes.back_mut() {
                    refresh.joined(joined);
                }
                self.balance();
            }
            What::Moved(moved) => self.moved(*moved)?,
            What::Ended(ended) => self.ended(ended),
            What::Left(left) => {
                let member = self.members.remove(&left.instance)?;
                self.owed = self.owed.saturating_add(u32::from(member.replaced));
                self.balance();
            }
            What::Judged(judged) => self.members.get_mut(&judged.instance)?.health = judged.health,
            What::Spared(spared) => {
                for id in &spared.instances {
                    self.members.get_mut(id)?.protected = spared.protected;
                }
                self.told_spared = false;
            }
            What::HookSet(_)
            | What::HookGone(_)
            | What::Waiting(_)
            | What::Answered(_)
            | What::Renewed(_) => self.hooked(what)?,
            What::PolicyPut(_)
            | What::PolicyDropped(_)
            | What::ScheduledPut(_)
            | What::ScheduledDropped(_)
            | What::Notified(_)
            | What::Unnotified(_) => self.is_told(what)?,
            What::Refreshed(refresh) => self.refreshed(refresh),
            What::Tagged(tags) => self.tags.extend(tags.clone()),
            What::Untagged(names) => self.tags.retain(|name, _| !names.contains(name)),
            What::Suspended(processes) => self.suspended.clone_from(processes),
            What::Measured(metrics) => self.metrics.clone_from(metrics),
            What::Closing(()) => self.closing = true,
            What::Made(_) | What::Gone(()) | What::Configured(_) | What::Unconfigured(()) => {
                return None;
            }
        }
        Some(())
    }

    /// The same, of hooks.
    fn hooked(&mut self, what: &What) -> Option<()> {
        match what {
            What::HookSet(set) => {
                self.hooks.insert(set.name.clone(), set.hook.clone());
            }
            What::HookGone(name) => {
                self.hooks.remove(name)?;
            }
            What::Waiting(waiting) => {
                self.members.get_mut(&waiting.instance)?.waits.clone_from(&waiting.waits);
            }
            What::Answered(answered) => {
                let wait = self.wait(answered.instance, &answered.hook)?;
                (wait.answer, wait.timed_out) = (Some(answered.answer), answered.timed_out);
            }
            What::Renewed(renewed) => {
                self.wait(renewed.instance, &renewed.hook)?.renewed = renewed.at;
            }
            _ => return None,
        }
        Some(())
    }

    fn wait(&mut self, instance: InstanceId, hook: &str) -> Option<&mut Wait> {
        self.members.get_mut(&instance)?.waits.iter_mut().find(|wait| wait.hook == hook)
    }

    /// Takes in what it is told to do by itself.
    fn is_told(&mut self, what: &What) -> Option<()> {
        match what {
            What::PolicyPut(PolicyPut { name, policy }) => {
                self.policies.insert(name.clone(), policy.clone());
            }
            What::PolicyDropped(name) => drop(self.policies.remove(name)?),
            What::ScheduledPut(ScheduledPut { name, action }) => {
                self.scheduled.insert(name.clone(), action.clone());
            }
            What::ScheduledDropped(name) => drop(self.scheduled.remove(name)?),
            What::Notified(Notified { target, kinds, .. }) => {
                self.notified.insert(target.clone(), kinds.clone());
            }
            What::Unnotified(target) => drop(self.notified.remove(target)?),
            _ => return None,
        }
        Some(())
    }

    fn began(&mut self, activity: &Activity) {
        if activity.end.is_none() {
            self.under_way.insert(activity.id);
        }
        match activity.deed {
            Deed::Launch => {
                self.launching.insert(activity.id);
                if matches!(activity.causes.last(), Some(Said { cause: Cause::Replacement, .. })) {
                    self.owed = self.owed.saturating_sub(1);
                }
            }
            Deed::Spare => self.told_spared = true,
            Deed::Terminate
            | Deed::Attach
            | Deed::Detach
            | Deed::EnterStandby
            | Deed::ExitStandby => {}
        }
        self.balance();
    }

    fn moved(&mut self, moved: Moved) -> Option<()> {
        let member = self.members.get_mut(&moved.instance)?;
        // One that goes does so since it began to: it was given nothing more from then on.
        if !(member.state.is_going() && moved.state.is_going()) {
            member.since = moved.at;
        }
        member.state = moved.state;
        (member.activity, member.replaced) = (moved.activity, moved.replaced);
        if !moved.state.waits() {
            member.waits.clear();
        }
        if moved.state == Lifecycle::InService {
            member.served.get_or_insert(moved.at);
        }
        self.balance();
        Some(())
    }

    fn ended(&mut self, ended: &record::Ended) {
        let at = ended.end.at;
        self.under_way.remove(&ended.activity);
        if ended.end.outcome == Outcome::Successful {
            self.settled = Some(at);
        }
        let object = self.members.values_mut().find(|it| it.activity == Some(ended.activity));
        let launch = self.launching.remove(&ended.activity)
            || object.as_ref().is_some_and(|member| member.state.is_coming());
        if let Some(member) = object {
            member.activity = None;
        }
        match ended.end.outcome {
            // One that was given up for a reason has failed as well.
            Outcome::Failed | Outcome::Cancelled if launch && ended.end.message.is_some() => {
                (self.failures, self.failed) = (self.failures.saturating_add(1), Some(at));
            }
            // That one goes well on its way out says nothing of the next that is to come.
            Outcome::Successful if launch => (self.failures, self.failed) = (0, None),
            Outcome::Successful | Outcome::Failed | Outcome::Cancelled => {}
        }
    }

    /// Once the group has as many as it was told, or they are on their way, what is done from now
    /// on is done for other reasons; and no more are to follow who is gone than are missing.
    fn balance(&mut self) {
        let capacity = self.capacity();
        if self.desired <= capacity && capacity <= self.desired + self.surge() {
            self.causes.clear();
        }
        self.owed = self.owed.min((self.desired - capacity).count());
    }
}

fn workers(count: usize) -> Workers {
    Workers::new(u32::try_from(count).unwrap_or(u32::MAX))
}
