//! What follows for a group from what is seen of its instances, and what is to be done about it.
//!
//! Two steps: [`decide`] says what happened or is to happen, which is written down; [`acts`] says
//! what is to be done so that it does, out of what was written down and of what is seen. The second
//! may be asked as often as anybody likes.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_base::Timestamp;

use super::activity::{Activity, Cause, Deed, End, Outcome, Said, Step};
use super::choose::choose;
use super::hook::{Answer, Transition, Wait};
use super::ids::{ActivityId, InstanceId};
use super::member::{Health, Lifecycle, Member};
use super::record::{Answered, Ended, Judged, Left, Moved, Waiting, What};
use super::settings::Process;
use super::{Group, workers};

/// Most launches that begin at one look; one while launches fail.
const LAUNCHES: usize = 20;
/// One in so many is replaced at a time of those that have lived long enough; one at least.
const SHARE: usize = 10;

/// What is seen of instances. What is not in here was not looked at.
pub type Seen = BTreeMap<InstanceId, Sight>;

/// How an instance is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It is being stopped, or is, and may be started again.
    Stopped,
    /// It is being stopped for good.
    Ending,
    /// It is gone; and why, if it did not go well.
    Gone(Option<String>),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Launch an instance for this activity.
    Launch(ActivityId),
    /// Terminate this instance.
    Terminate(InstanceId),
}

/// What is to be done for a group, of which this is seen.
pub fn acts(group: &Group, seen: &Seen) -> Vec<Act> {
    let mut acts: Vec<Act> = group.launching().map(Act::Launch).collect();
    for member in group.members() {
        let leaves = matches!(member.state, Lifecycle::Terminating | Lifecycle::TerminatingProceed);
        let runs = !matches!(seen.get(&member.id), Some(Sight::Ending | Sight::Gone(_)) | None);
        if leaves && runs {
            acts.push(Act::Terminate(member.id));
        }
    }
    acts
}

/// What happens to a group of which this is seen at `now`. Activities that begin take their ids
/// from `ids`.
pub fn decide(
    group: &Group,
    seen: &Seen,
    now: Timestamp,
    ids: &mut dyn FnMut() -> ActivityId,
) -> Vec<What> {
    let mut draft = Draft { group: group.clone(), whats: Vec::new(), now, ids };
    draft.follow(seen);
    draft.replace();
    draft.close();
    draft.refresh();
    draft.shrink();
    draft.grow();
    draft.watch();
    if draft.group.closing && draft.group.is_empty() {
        draft.whats.push(What::Gone(()));
    }
    draft.whats
}

/// A group as it will be, and what happens to make it so.
pub(super) struct Draft<'a> {
    pub(super) group: Group,
    whats: Vec<What>,
    pub(super) now: Timestamp,
    ids: &'a mut dyn FnMut() -> ActivityId,
}

impl Draft<'_> {
    pub(super) fn put(&mut self, what: What) {
        self.group.happened(&what).expect("what is decided on is about what is there");
        self.whats.push(what);
    }

    /// Takes in what became of each instance.
    fn follow(&mut self, seen: &Seen) {
        let known: Vec<_> =
            self.group.members().map(|member| (member.id, member.state, member.health)).collect();
        let judges = self.group.does(Process::HealthCheck);
        for (id, state, health) in known {
            let Some(sight) = seen.get(&id) else { continue };
            match (state, sight) {
                (Lifecycle::Pending, Sight::Running) => self.arrive(id),
                // It may run again one day, and nobody waits for that.
                (state, Sight::Stopped) if state.is_coming() => {
                    let why = "The instance was stopped before it served.".to_owned();
                    self.end_of(id, Outcome::Failed, Some(why));
                    let said = vec![self.said(Cause::NotRunning)];
                    self.terminate(id, said, false);
                }
                (state, Sight::Gone(why)) if state.is_coming() => {
                    let why = why.clone();
                    let why = why.unwrap_or_else(|| "The instance was terminated.".to_owned());
                    self.end_of(id, Outcome::Failed, Some(why));
                    self.put(What::Left(Left { instance: id }));
                }
                (state, Sight::Gone(_)) if state.is_going() => {
                    self.end_of(id, Outcome::Successful, None);
                    self.put(What::Left(Left { instance: id }));
                }
                // One that stands by is nobody's loss until it is to serve.
                (Lifecycle::Standby, Sight::Gone(_)) => {
                    self.put(What::Left(Left { instance: id }));
                }
                (Lifecycle::InService, Sight::Stopped | Sight::Ending | Sight::Gone(_))
                    if judges && health == Health::Healthy =>
                {
                    let health = Health::NotRunning;
                    self.put(What::Judged(Judged { instance: id, health }));
                }
                (state, _) if state.waits() => self.hear(id, state),
                _ => {}
            }
        }
    }

    /// An instance that runs serves, or waits for somebody to say that it may.
    fn arrive(&mut self, id: InstanceId) {
        let waits = self.waits_for(Transition::Launching);
        if waits.is_empty() {
            return self.serve(id);
        }
        let (state, at) = (Lifecycle::PendingWait, self.now);
        let activity = self.group.member(id).and_then(|member| member.activity);
        self.put(What::Moved(Moved { instance: id, state, at, activity, replaced: false }));
        self.put(What::Waiting(Waiting { instance: id, waits }));
    }

    /// New waits for all hooks of a transition.
    fn waits_for(&mut self, transition: Transition) -> Vec<Wait> {
        let (ids, now) = (&mut self.ids, self.now);
        let hooks = self.group.hooks.iter().filter(|(_, hook)| hook.transition == transition);
        hooks.map(|(name, hook)| Wait::new(name, hook, (*ids)(), now)).collect()
    }

    /// An instance that waits goes on as soon as all was said, or its time is over.
    fn hear(&mut self, id: InstanceId, state: Lifecycle) {
        let now = self.now;
        let waits = self.group.member(id).map(|member| member.waits.clone()).unwrap_or_default();
        for wait in waits.iter().filter(|wait| wait.answer.is_none() && wait.ends() <= now) {
            let (hook, answer) = (wait.hook.clone(), wait.default);
            let answered = Answered { instance: id, hook, answer, at: now, timed_out: true };
            self.put(What::Answered(answered));
        }
        let Some(member) = self.group.member(id) else { return };
        let abandoned = member.waits.iter().find(|wait| wait.answer == Some(Answer::Abandon));
        let all = member.waits.iter().all(|wait| wait.answer.is_some());
        match (state, abandoned) {
            (Lifecycle::PendingWait, Some(wait)) => {
                let why = if wait.timed_out {
                    "Heartbeat Timeout"
                } else {
                    "Lifecycle Action Completed with ABANDON Result"
                };
                let why = format!(
                    "Instance failed to complete user's Lifecycle Action: Lifecycle Action with \
                     token {} was abandoned: {why}",
                    wait.token
                );
                self.end_of(id, Outcome::Cancelled, Some(why));
                let said = vec![self.said(Cause::Abandoned(id))];
                self.terminate(id, said, false);
            }
            (Lifecycle::PendingWait, None) if all => self.serve(id),
            (Lifecycle::TerminatingWait, abandoned) if all || abandoned.is_some() => {
                let (activity, replaced) = (member.activity, member.replaced);
                let state = Lifecycle::TerminatingProceed;
                self.put(What::Moved(Moved { instance: id, state, at: now, activity, replaced }));
            }
            _ => {}
        }
    }

    /// An instance that runs comes into service.
    fn serve(&mut self, id: InstanceId) {
        let (state, at) = (Lifecycle::InService, self.now);
        self.end_of(id, Outcome::Successful, None);
        let activity = None;
        self.put(What::Moved(Moved { instance: id, state, at, activity, replaced: false }));
    }

    /// Who is not healthy goes, and is followed by another; who has lived long enough, too.
    fn replace(&mut self) {
        if !self.group.does(Process::Terminate) {
            return;
        }
        let mut leaving = Vec::new();
        if self.group.does(Process::ReplaceUnhealthy) {
            for member in self.group.members().filter(|it| it.state == Lifecycle::InService) {
                let cause = match member.health {
                    Health::NotRunning => Cause::NotRunning,
                    Health::Told => Cause::Unhealthy,
                    Health::Healthy => continue,
                };
                leaving.push((member.id, cause));
            }
        }
        for (id, cause) in leaving {
            let said = vec![self.said(cause)];
            self.terminate(id, said, true);
        }
        for id in self.aged() {
            let said = vec![self.said(Cause::Lifetime)];
            self.terminate(id, said, true);
        }
    }

    /// Who has lived long enough, the oldest first: a share at a time, and nobody before all that
    /// there should be serve. A group whose instances all came at once does not end at once.
    fn aged(&self) -> Vec<InstanceId> {
        let Some(most) = self.group.settings.lifetime else { return Vec::new() };
        let most = Duration::from_secs(most.into());
        let serves = |it: &&Member| it.state == Lifecycle::InService;
        let serving = self.group.members().filter(serves).count();
        if workers(serving) < self.group.desired {
            return Vec::new();
        }
        let mut aged: Vec<&Member> = self.group.members().filter(serves).collect();
        aged.retain(|it| self.now.since(it.joined) >= most);
        aged.sort_by_key(|it| (it.joined, it.id));
        aged.truncate((serving / SHARE).max(1));
        aged.into_iter().map(|it| it.id).collect()
    }

    /// Who stands by goes too, when all is to end.
    fn close(&mut self) {
        if !self.group.closing {
            return;
        }
        let stands = |it: &&Member| it.state == Lifecycle::Standby;
        let ids: Vec<InstanceId> = self.group.members().filter(stands).map(|it| it.id).collect();
        let step = Step { from: self.group.desired, to: self.group.desired };
        for id in ids {
            let said = vec![self.said(Cause::Deleted(step))];
            self.terminate(id, said, false);
        }
    }

    /// Who is too many goes.
    fn shrink(&mut self) {
        let capacity = self.group.capacity();
        let most = self.group.desired + self.group.surge();
        let many = (capacity - self.group.replaced() - most).count() as usize;
        if many == 0 || !self.group.does(Process::Terminate) {
            return;
        }
        let chosen = choose(&self.group, many, self.now);
        let to = capacity - workers(chosen.len());
        let step = Step { from: capacity, to };
        let causes = self.group.causes.clone();
        for id in &chosen {
            let mut said = causes.clone();
            said.push(self.said(Cause::Many(step)));
            said.push(self.said(Cause::Selected(*id)));
            self.terminate(*id, said, false);
        }
        if chosen.len() < many && self.group.launching.is_empty() && !self.group.told_spared {
            let mut said = causes;
            said.push(self.said(Cause::Equilibrium));
            let mut activity = self.activity(Deed::Spare, None, said);
            let outcome = Outcome::Cancelled;
            activity.end = Some(End { at: self.now, outcome, message: None });
            self.put(What::Begun(activity));
        }
    }

    /// Who is missing is launched.
    fn grow(&mut self) {
        let capacity = self.group.capacity();
        let mut desired = self.group.desired;
        let refreshes = self.group.refreshing().is_some_and(|it| it.stage.replaces());
        if self.group.may_replace() {
            desired = desired + self.group.surge();
        }
        let missing = (desired - capacity).count() as usize;
        let waits = self.group.launches_from().is_some_and(|from| self.now < from);
        if missing == 0 || waits || self.group.closing || !self.group.does(Process::Launch) {
            return;
        }
        let most = if self.group.failures > 0 { 1 } else { LAUNCHES };
        let most = most.saturating_sub(self.group.launching.len());
        let count = missing.min(most);
        let step = Step { from: capacity, to: desired };
        let causes = self.group.causes.clone();
        for _ in 0..count {
            let said = if self.group.owed > 0 {
                vec![self.said(Cause::Replacement)]
            } else if refreshes && causes.is_empty() {
                vec![self.said(Cause::LaunchedByRefresh)]
            } else {
                let mut said = causes.clone();
                said.push(self.said(Cause::Short(step)));
                said
            };
            let activity = self.activity(Deed::Launch, None, said);
            self.put(What::Begun(activity));
        }
    }

    /// Begins to terminate an instance.
    pub(super) fn terminate(&mut self, id: InstanceId, said: Vec<Said>, replaced: bool) {
        // What it was doing is not to be done any more.
        self.end_of(id, Outcome::Cancelled, None);
        let activity = self.activity(Deed::Terminate, Some(id), said);
        // Nobody is asked about one that never served, or when all is to end.
        let asks = !self.group.closing
            && self.group.member(id).is_some_and(|member| member.served.is_some());
        let waits = if asks { self.waits_for(Transition::Terminating) } else { Vec::new() };
        let state =
            if waits.is_empty() { Lifecycle::Terminating } else { Lifecycle::TerminatingWait };
        let at = self.now;
        let moved = Moved { instance: id, state, at, activity: Some(activity.id), replaced };
        self.put(What::Begun(activity));
        self.put(What::Moved(moved));
        if !waits.is_empty() {
            self.put(What::Waiting(Waiting { instance: id, waits }));
        }
    }

    /// Ends what an instance is the object of, if it is of anything.
    fn end_of(&mut self, id: InstanceId, outcome: Outcome, message: Option<String>) {
        let activity = self.group.member(id).and_then(|member| member.activity);
        if let Some(activity) = activity {
            let end = End { at: self.now, outcome, message };
            self.put(What::Ended(Ended { activity, end }));
        }
    }

    fn activity(
        &mut self,
        deed: Deed,
        instance: Option<InstanceId>,
        causes: Vec<Said>,
    ) -> Activity {
        let (id, group, began) = ((self.ids)(), self.group.id, self.now);
        let zone = instance.and_then(|id| self.group.member(id)).map(|it| it.zone.clone());
        let zone = zone.or_else(|| self.group.settings.zones.first().cloned()).unwrap_or_default();
        Activity { id, group, deed, instance, causes, began, end: None, zone }
    }

    pub(super) fn said(&self, cause: Cause) -> Said {
        Said { at: self.now, cause }
    }
}

/// What happens when somebody has an instance go: the activity, and the instance's move.
pub(super) fn terminate_one(
    group: &Group,
    id: InstanceId,
    (said, replaced): (Vec<Said>, bool),
    now: Timestamp,
    ids: &mut dyn FnMut() -> ActivityId,
) -> Vec<What> {
    let mut draft = Draft { group: group.clone(), whats: Vec::new(), now, ids };
    draft.terminate(id, said, replaced);
    draft.whats
}
