//! Draining: an instance that is to be terminated is given no more messages, and is stopped when it
//! holds none, or when its time for that is over.
//!
//! The queues remember who is drained only as long as the service runs, so that it is said again
//! at each look.

use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_queue::{Engine, Holder};
use tidemill_scaling::group::{Group, InstanceId, Lifecycle, Seen, Sight};

use super::tuning::Tuning;

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

/// Whether an instance that goes may be stopped now.
pub(super) fn is_over(
    queues: &Engine,
    group: &Group,
    id: InstanceId,
    seen: &Seen,
    now: Timestamp,
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
    waited >= limit || holder(id).is_none_or(|holder| queues.held(holder) == 0)
}

/// Gives one that is gone what there is again: its number may be somebody's.
pub(super) fn end(queues: &Engine, id: InstanceId) {
    if let Some(holder) = holder(id) {
        queues.drain(holder, false);
    }
}
