//! Who goes: who does the least, and nobody before what it holds is done.

use std::cmp::Reverse;

use tidemill_base::Timestamp;

use super::observation::{Instance, Observation, Phase};
use super::policy::Policy;
use crate::{Messages, Workers};

/// An instance that is to be stopped now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop<Id> {
    /// What the caller calls it.
    pub id: Id,
    /// Why it may be.
    pub why: Why,
}

/// Why an instance may be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It never came to work, and is not needed any more.
    NotNeeded,
    /// It was given nothing more, and holds nothing any more.
    Drained,
    /// It still holds messages, but has had its time. They become visible again when their
    /// visibility timeout ends.
    DrainEnded,
}

/// Those that were drained, or had the time for it.
pub(super) fn drained<Id: Clone>(
    policy: &Policy,
    seen: &Observation<Id>,
    now: Timestamp,
) -> Vec<Stop<Id>> {
    let stop = |instance: &Instance<Id>| {
        let Phase::Draining(since) = instance.phase else { return None };
        let why = if instance.holds == Messages::NONE {
            Why::Drained
        } else if now.since(since) >= policy.drain {
            Why::DrainEnded
        } else {
            return None;
        };
        Some(Stop { id: instance.id.clone(), why })
    };
    seen.instances.iter().filter_map(stop).collect()
}

/// The `excess` workers that are missed least, without those that are protected: first those that
/// do not work yet, then the idle, then who holds the fewest messages; the youngest of equals.
///
/// Who works is drained, also if it was found idle: it may have received something since.
pub(super) fn chosen<Id: Clone>(
    seen: &Observation<Id>,
    excess: Workers,
) -> (Vec<Id>, Vec<Stop<Id>>) {
    let mut those: Vec<&Instance<Id>> =
        seen.instances.iter().filter(|instance| instance.stays() && !instance.protected).collect();
    those.sort_by_key(|instance| {
        (instance.phase != Phase::Pending, instance.holds, Reverse(instance.launched))
    });
    those.truncate(excess.count() as usize);
    let (pending, working): (Vec<_>, Vec<_>) =
        those.into_iter().partition(|instance| instance.phase == Phase::Pending);
    let stop = |instance: &Instance<Id>| Stop { id: instance.id.clone(), why: Why::NotNeeded };
    let drain = working.into_iter().map(|instance| instance.id.clone()).collect();
    (drain, pending.into_iter().map(stop).collect())
}
