//! The fast mind over groups: each second it is told how a group's queue stands and what its
//! instances hold, and what it decides becomes the group's size.
//!
//! What it learnt is kept in memory alone: a service that starts anew learns it anew, in seconds.

use std::collections::HashMap;
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_queue::{Engine, QueueId, QueueKey};
use tidemill_scaling::fast::{self, Instance, Observation, Phase, Policy};
use tidemill_scaling::group::{
    ActivityId, Cause, Group, GroupKey, InstanceId, Lifecycle, Member, Process,
};
use tidemill_scaling::{Limits, Messages, Workers};

use super::tuning::{Mode, Tuning};
use super::{AutoScaling, drain, target_tracking};

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
    /// When it was asked last.
    asked: Timestamp,
}

impl Minds {
    /// Asks the mind about a group, if it is its turn, and has the group do what it decides. Says
    /// whether somebody should look again soon: a first message may come at any moment.
    pub(super) async fn think(&mut self, service: &AutoScaling, key: &GroupKey) -> bool {
        let Some((group, queue, tuning)) = service.governed(key) else {
            self.0.remove(key);
            return false;
        };
        let now = service.groups.now();
        let Some(policy) = policy(&group, &tuning) else { return false };
        let fresh = |mind: &&mut Mind| mind.group == group.id && mind.queue == queue;
        let known = self.0.get_mut(key).filter(fresh);
        let is_empty = group.is_empty();
        let (state, asked) = match known {
            Some(mind) => (mind.state.clone(), Some(mind.asked)),
            None => (fast::State::new(&policy), None),
        };
        let Some(seen) = observe(&service.queues, queue, &group, now) else { return false };
        let due = asked.is_none_or(|asked| now.since(asked) >= STEP || now < asked);
        // Nobody is there to take the first message: it does not wait for the second's end.
        let awaited = is_empty && group.desired == Workers::NONE && seen.visible > Messages::NONE;
        if !due && !awaited {
            return is_empty;
        }
        let (decision, state) = fast::decide(&policy, state, &seen, now);
        let mind = Mind { group: group.id, queue, state, asked: now };
        self.0.insert(key.clone(), mind);
        let mut going = decision.drain.clone();
        going.extend(decision.stop.iter().map(|stop| stop.id));
        // Those that are going already are let go as any others: `drain`.
        going.retain(|id| group.member(*id).is_some_and(|member| !member.state.is_going()));
        let wanted = decision.wanted;
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
        let tracked = || target_tracking::queue_of(group);
        let named = tuning.queue.clone().or_else(tracked)?;
        let queue: QueueKey = crate::sqs::named(&named, key.account, &key.region)?;
        self.queues.find(&queue)
    }
}

/// What the mind is held to.
fn policy(group: &Group, tuning: &Tuning) -> Option<Policy> {
    let limits = Limits::new(group.settings.min, group.settings.max).ok()?;
    let usual = Policy::new(limits);
    Some(Policy {
        goal: tuning.goal.unwrap_or(usual.goal),
        idle: tuning.idle.unwrap_or(usual.idle),
        drain: tuning.drain.unwrap_or(usual.drain),
        ..usual
    })
}

/// What is seen of a queue and of a group's instances.
fn observe(
    queues: &Engine,
    queue: QueueId,
    group: &Group,
    now: Timestamp,
) -> Option<Observation<InstanceId>> {
    let measured = queues.measure(queue)?;
    let (counts, tally) = (measured.counts, measured.tally);
    let number = |count: usize| Messages::new(count as u64);
    let holders = queues.holders();
    let held = |id: InstanceId| {
        drain::holder(id).and_then(|holder| holders.get(&holder).copied()).unwrap_or_default()
    };
    let instance = |member: &Member| Instance {
        id: member.id,
        launched: member.joined,
        phase: match member.state {
            Lifecycle::InService => Phase::InService(member.served.unwrap_or(member.since)),
            state if state.is_coming() => Phase::Pending,
            _ => Phase::Draining(member.since),
        },
        holds: number(held(member.id)),
        protected: member.protected,
    };
    let counted = group.members().filter(|member| member.state != Lifecycle::Standby);
    let mut instances: Vec<_> = counted.map(instance).collect();
    // Launches of which nothing is there yet count as well: they are on their way.
    instances.extend(group.launching().map(|_| Instance {
        id: InstanceId::from_u64(0),
        launched: now,
        phase: Phase::Pending,
        holds: Messages::NONE,
        protected: true,
    }));
    Some(Observation {
        // One that is kept back has not come yet.
        arrived: Messages::new(tally.sent) - number(counts.delayed),
        deleted: Messages::new(tally.deleted),
        visible: number(counts.visible),
        in_flight: number(counts.in_flight),
        instances,
    })
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
        fast::Cause::Limits | fast::Cause::Enough => {
            format!("the limits of the group allow no other size; {waiting}")
        }
    }
}
