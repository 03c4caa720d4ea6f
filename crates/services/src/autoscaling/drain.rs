//! Draining: an instance that is to be terminated is given no more messages, and is stopped when it
//! holds none, or when its time for that is over.
//!
//! The queues remember who is drained only as long as the service runs, so that it is said again
//! at each look.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_fleet::{Fleet, Phase};
use tidemill_queue::{Engine, Holder};
use tidemill_scaling::group::{Group, InstanceId, Lifecycle, Member, Seen, Sight};

use super::tuning::Tuning;
use crate::context::instance_of;

/// How long an instance that is to go may finish what it holds, if no tag says so.
const DRAIN: Duration = Duration::from_mins(2);

/// An instance as the queues know it.
pub(super) fn holder(id: InstanceId) -> Option<Holder> {
    Holder::from_u64(id.as_u64())
}

/// Gives those that go nothing more; who they are.
pub(super) fn begin(queues: &Engine, group: &Group) -> Vec<InstanceId> {
    let going = group.members().filter(|member| member.state.is_going());
    let going: Vec<InstanceId> = going.map(|member| member.id).collect();
    for holder in going.iter().filter_map(|id| holder(*id)) {
        queues.drain(holder, true);
    }
    going
}

/// How many messages each has, looked at once in a pass over the groups, and only if somebody asks.
#[derive(Default)]
pub(super) struct Held(Option<BTreeMap<Holder, usize>>);

impl Held {
    /// How many messages an instance has.
    pub(super) fn of(&mut self, queues: &Engine, id: InstanceId) -> usize {
        let all = self.0.get_or_insert_with(|| queues.holders());
        holder(id).and_then(|holder| all.get(&holder).copied()).unwrap_or_default()
    }
}

/// Whether an instance that goes may be stopped now. `is_done` says of one that is given nothing
/// more whether it was found with nothing since then.
pub(super) fn is_over(
    group: &Group,
    id: InstanceId,
    seen: &Seen,
    now: Timestamp,
    is_done: impl FnOnce(InstanceId) -> bool,
) -> bool {
    let Some(member) = group.member(id) else { return true };
    let limit = Tuning::of(&group.tags).drain.unwrap_or(DRAIN);
    // Nobody waits where all is to end.
    group.closing || has_finished(member, seen.get(&id), now, limit, is_done)
}

/// The same of a member that is seen so, and has so long. Whether it was in service yet does not
/// matter: its program began before anybody saw that, and may be at work.
fn has_finished(
    member: &Member,
    sight: Option<&Sight>,
    now: Timestamp,
    limit: Duration,
    is_done: impl FnOnce(InstanceId) -> bool,
) -> bool {
    if !matches!(sight, Some(Sight::Starting | Sight::Running)) {
        return true;
    }
    let waited = match member.state {
        // What was waited for a hook counts as well: it was given nothing meanwhile.
        Lifecycle::Terminating | Lifecycle::TerminatingProceed => now.since(member.since),
        _ => return false,
    };
    waited >= limit || is_done(member.id)
}

/// Forgets those who are gone, also who was drained by hand.
pub(super) fn forget(queues: &Engine, fleet: &Fleet) {
    let mut gone = queues.draining();
    if gone.is_empty() {
        return;
    }
    fleet.look(|state| {
        let is_there = |holder: &Holder| {
            let found = state.instance(instance_of(*holder));
            found.is_some_and(|found| found.phase != Phase::Terminated)
        };
        gone.retain(|holder| !is_there(holder));
    });
    for holder in gone {
        queues.drain(holder, false);
    }
}

/// Gives one that is gone what there is again: its number may be somebody's.
pub(super) fn end(queues: &Engine, id: InstanceId) {
    if let Some(holder) = holder(id) {
        queues.drain(holder, false);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn one_that_works_is_waited_for_even_before_it_was_seen_in_service() {
        let at = Timestamp::from_millis(5000);
        let state = Lifecycle::Terminating;
        let member = Member { state, served: None, ..samples::member(at) };
        let limit = Duration::from_secs(10);
        let has_finished = |sight: Sight, now, is_done| {
            super::has_finished(&member, Some(&sight), now, limit, |_| is_done)
        };
        for works in [Sight::Starting, Sight::Running] {
            assert!(!has_finished(works.clone(), at, false), "{works:?}");
            assert!(has_finished(works.clone(), at, true), "{works:?}");
            assert!(has_finished(works, at + limit, false));
        }
        assert!(has_finished(Sight::Stopped, at, false));
    }
}
