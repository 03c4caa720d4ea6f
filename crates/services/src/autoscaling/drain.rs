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
use tidemill_scaling::group::{Group, InstanceId, Lifecycle, Seen, Sight};

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
    // One that does not run finishes nothing; nobody waits where all is to end.
    let runs = seen.get(&id) == Some(&Sight::Running);
    if !runs || group.closing || member.served.is_none() {
        return true;
    }
    let limit = Tuning::of(&group.tags).drain.unwrap_or(DRAIN);
    let waited = match member.state {
        // What was waited for a hook counts as well: it was given nothing meanwhile.
        Lifecycle::Terminating | Lifecycle::TerminatingProceed => now.since(member.since),
        _ => return false,
    };
    waited >= limit || is_done(id)
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
