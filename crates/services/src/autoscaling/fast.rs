//! The fast mind over groups: each second it is told how a group's queue stands and what its
//! instances hold, and what it decides becomes the group's size.
//!
//! What it learnt is kept in memory alone: a service that starts anew learns it anew, in seconds.

use std::collections::HashMap;
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_queue::{QueueId, QueueKey, QueueMetrics};
use tidemill_scaling::fast::{self, Instance, Observation, Phase, Policy};
use tidemill_scaling::group::{
    ActivityId, Cause, Group, GroupKey, InstanceId, Lifecycle, Member, Origin, Process,
};
use tidemill_scaling::{Limits, Messages, Workers};

use super::drain::Held;
use super::tuning::{Mode, Tuning};
use super::{AutoScaling, target_tracking};

/// How often the mind is asked. What it is told is counted over as long.
const STEP: Duration = Duration::from_secs(1);

/// What was learnt of each group.
#[derive(Default)]
pub(super) struct Minds(HashMap<GroupKey, Mind>);

struct Mind {
    /// Of which group: its name may be used again.
    group: ActivityId,
    queue: QueueId,
    state: fast::State,
    came: Came,
    /// When it was asked last.
    asked: Timestamp,
}

/// How many messages became visible for the first time since a queue was first looked at. What is
/// counted of a queue is what was sent since the service started, and who is kept back, who may
/// have been sent before.
#[derive(Clone, Copy, Debug)]
struct Came {
    sent: u64,
    delayed: u64,
    purged: Option<Timestamp>,
    /// What was sent and is not kept back. It may fall for a moment: one that is kept back is
    /// counted as that a little later than as sent.
    sum: i64,
    /// The most that it ever was, which never falls.
    most: u64,
}

impl Came {
    /// What is known after another look, or the first.
    fn after(before: Option<Self>, (sent, delayed, purged): (u64, u64, Option<Timestamp>)) -> Self {
        let Some(before) = before else { return Self { sent, delayed, purged, sum: 0, most: 0 } };
        // What a purge took came to nobody; who is kept back now was sent after it.
        let kept = if purged == before.purged { before.delayed } else { 0 };
        let came = sent.cast_signed() - before.sent.cast_signed() + kept.cast_signed();
        let sum = before.sum + came - delayed.cast_signed();
        let most = before.most.max(u64::try_from(sum).unwrap_or(0));
        Self { sent, delayed, purged, sum, most }
    }
}

impl Minds {
    /// Asks the mind about a group, if it is its turn, and has the group do what it decides. Says
    /// whether somebody should look again soon: a first message may come at any moment.
    pub(super) async fn think(
        &mut self,
        service: &AutoScaling,
        key: &GroupKey,
        held: &mut Held,
    ) -> bool {
        let now = service.groups.now();
        let asked = self.0.get(key).map(|mind| mind.asked);
        let due = asked.is_none_or(|asked| now.since(asked) >= STEP || now < asked);
        // Nobody is there to take the first message: it does not wait for the second's end.
        let rests = |group: &Group| group.is_empty() && group.desired == Workers::NONE;
        let rests = service.groups.look(|state| state.group(key).is_some_and(rests));
        if !due && !rests {
            return false;
        }
        let Some((group, queue, tuning)) = service.governed(key) else {
            self.0.remove(key);
            return false;
        };
        let Some(policy) = policy(&group, &tuning) else { return false };
        let Some(measured) = service.queues.measure(queue) else { return false };
        if !due && measured.counts.visible == 0 {
            return true;
        }
        let fresh = |mind: &&Mind| mind.group == group.id && mind.queue == queue;
        let known = self.0.get(key).filter(fresh);
        let counted = (measured.tally.sent, measured.counts.delayed as u64, measured.purged);
        let came = Came::after(known.map(|mind| mind.came), counted);
        let state = known.map_or_else(|| fast::State::new(&policy), |mind| mind.state.clone());
        let seen = observe(&measured, came, &group, now, |id| held.of(&service.queues, id));
        let is_empty = group.is_empty();
        let (decision, state) = fast::decide(&policy, state, &seen, now);
        let mind = Mind { group: group.id, queue, state, came, asked: now };
        self.0.insert(key.clone(), mind);
        let mut going = decision.drain.clone();
        going.extend(decision.stop.iter().map(|stop| stop.id));
        // Those that are going already are let go as any others: `drain`.
        going.retain(|id| group.member(*id).is_some_and(|member| !member.state.is_going()));
        let mut wanted = decision.wanted;
        if group.refreshing().is_some_and(|refresh| refresh.stage.replaces()) {
            // There may be more than the group's size: who goes is the refresh's business, and as
            // many as there are need not be as many as there should be.
            going.clear();
            if decision.cause == fast::Cause::Enough {
                wanted = group.desired;
            }
        }
        if wanted == group.desired && going.is_empty() {
            return is_empty;
        }
        let why = told(&decision, &seen);
        let cause = |step| Cause::Fast { why, step };
        let done = service.groups.resize(key, wanted, &going, cause).await;
        if let Err(error) = done {
            tracing::debug!(group = key.name, %error, "the fast mind was not followed");
        }
        is_empty
    }

    /// Forgets groups that are not there any more.
    pub(super) fn retain(&mut self, keys: &[GroupKey]) {
        self.0.retain(|key, _| keys.contains(key));
    }
}

impl AutoScaling {
    /// A group that the fast mind governs, its queue, and what its tags say.
    fn governed(&self, key: &GroupKey) -> Option<(Group, QueueId, Tuning)> {
        let group = self.groups.look(|state| state.group(key).cloned())?;
        let tuning = Tuning::of(&group.tags);
        // Who tells a group not to listen to alarms means this, too.
        let rests = group.closing || !group.does(Process::AlarmNotification);
        if tuning.mode.unwrap_or(self.mode) != Mode::Fast || rests {
            return None;
        }
        let queue = self.queue_of(key, &group, &tuning)?;
        Some((group, queue, tuning))
    }

    /// Whether the fast mind sizes a group, so that alarms do not.
    pub(super) fn is_governed(&self, key: &GroupKey) -> bool {
        self.governed(key).is_some()
    }

    /// The queue that a group works for: as a tag says, or else the one that a target is about.
    fn queue_of(&self, key: &GroupKey, group: &Group, tuning: &Tuning) -> Option<QueueId> {
        self.queues
            .find(&queue_key(key, tuning.queue.as_deref(), || target_tracking::queue_of(group))?)
    }
}

/// The queue that is meant by a tag, or else by a metric's dimension. How full it is is its own
/// account's to know, and nobody else's group follows it.
fn queue_key(
    key: &GroupKey,
    tagged: Option<&str>,
    tracked: impl FnOnce() -> Option<String>,
) -> Option<QueueKey> {
    let GroupKey { account, region, .. } = key;
    let queue = match tagged {
        Some(text) => crate::sqs::named(text, *account, region)?,
        // A dimension has a name, and is of the account that the metric is of.
        None => {
            QueueKey { account: *account, region: region.clone(), name: tracked()?.parse().ok()? }
        }
    };
    (queue.account == *account).then_some(queue)
}

/// What the mind is held to.
fn policy(group: &Group, tuning: &Tuning) -> Option<Policy> {
    let limits = Limits::new(group.settings.min, group.settings.max).ok()?;
    let usual = Policy::new(limits);
    Some(Policy {
        goal: tuning.goal.unwrap_or(usual.goal),
        idle: tuning.idle.unwrap_or(usual.idle),
        // How long they may take who go is no matter here: they are let go as any others.
        ..usual
    })
}

/// What is seen of a queue and of a group's instances, of which `held` says what each holds.
fn observe(
    measured: &QueueMetrics,
    came: Came,
    group: &Group,
    now: Timestamp,
    mut held: impl FnMut(InstanceId) -> usize,
) -> Observation<InstanceId> {
    let number = |count: usize| Messages::new(count as u64);
    let counted = group.members().filter(|member| member.state != Lifecycle::Standby);
    let mut instances: Vec<_> =
        counted.map(|member| instance(member, number(held(member.id)))).collect();
    // Launches of which nothing is there yet count as well: they are on their way. So do those
    // that are to begin, as soon as somebody is gone or launches do not fail any more; only they
    // may be spared yet.
    let coming = |protected| Instance {
        id: InstanceId::from_u64(0),
        launched: now,
        phase: Phase::Pending,
        holds: Messages::NONE,
        protected,
    };
    instances.extend(group.launching().map(|_| coming(true)));
    instances.extend((0..group.to_come().count()).map(|_| coming(false)));
    Observation {
        arrived: Messages::new(came.most),
        deleted: Messages::new(measured.tally.deleted),
        visible: number(measured.counts.visible),
        in_flight: number(measured.counts.in_flight),
        instances,
    }
}

/// An instance as the mind sees it.
fn instance(member: &Member, holds: Messages) -> Instance<InstanceId> {
    let serves = member.served.unwrap_or(member.since);
    Instance {
        id: member.id,
        launched: member.joined,
        phase: match member.state {
            // One that was taken in ran before: that says nothing of how long a launch takes.
            Lifecycle::InService if member.origin == Origin::Elsewhere => {
                Phase::InService(Timestamp::EPOCH)
            }
            Lifecycle::InService => Phase::InService(serves),
            state if state.is_coming() => Phase::Pending,
            _ => Phase::Draining(member.since),
        },
        holds,
        protected: member.protected,
    }
}

/// Why the mind decided so, for people.
fn told(decision: &fast::Decision<InstanceId>, seen: &Observation<InstanceId>) -> String {
    let fast::Estimate { arrivals, per_worker, .. } = decision.estimate;
    let (visible, flight) = (seen.visible.count(), seen.in_flight.count());
    let pace = match per_worker {
        Some(pace) => format!(", and an instance gets {pace:.1} a second done"),
        None => String::new(),
    };
    let waiting = format!("{visible} waited and {flight} were in flight");
    match decision.cause {
        fast::Cause::Arrivals => format!("{arrivals:.1} messages a second came{pace}; {waiting}"),
        fast::Cause::Backlog => {
            format!("{waiting} in the queue, {arrivals:.1} a second came{pace}")
        }
        fast::Cause::Unknown => {
            format!("{waiting} in the queue, and nobody knew yet how long they take")
        }
        fast::Cause::Quiet => {
            format!(
                "fewer instances were enough of late: {arrivals:.1} messages a second came{pace}"
            )
        }
        fast::Cause::Idle => "no message was about for a while".to_owned(),
        fast::Cause::Limits => {
            format!("the limits of the group allow no other size; {waiting}")
        }
        fast::Cause::Enough => format!("as many instances as there were were enough; {waiting}"),
    }
}

#[cfg(test)]
mod tests;
