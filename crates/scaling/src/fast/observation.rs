//! What is seen of a queue and its workers at one moment.

use std::time::Duration;

use tidemill_base::Timestamp;

use crate::{Messages, Workers};

/// A queue and its workers at one moment. `Id` is whatever the caller calls an instance by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation<Id> {
    /// How many messages ever became visible for the first time, counted from some beginning.
    pub arrived: Messages,
    /// How many messages were ever deleted, counted from that beginning.
    pub deleted: Messages,
    /// How many wait to be received.
    pub visible: Messages,
    /// How many were received, and neither deleted nor given back.
    pub in_flight: Messages,
    /// Each instance that was launched and has not ended.
    pub instances: Vec<Instance<Id>>,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance<Id> {
    /// What the caller calls it.
    pub id: Id,
    /// When it was asked for.
    pub launched: Timestamp,
    /// How far it has come.
    pub phase: Phase,
    /// How many messages it received, and neither deleted nor gave back.
    pub holds: Messages,
    /// Whether it may not be chosen to go.
    pub protected: bool,
}

/// How far an instance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It was asked for, and does not work yet.
    Pending,
    /// It works since then.
    InService(Timestamp),
    /// It is to go, and is given nothing more since then.
    Draining(Timestamp),
}

impl<Id> Instance<Id> {
    /// Whether it stays.
    pub(super) fn stays(&self) -> bool {
        !matches!(self.phase, Phase::Draining(_))
    }

    /// Whether it was found with work in its hands.
    fn is_busy(&self) -> bool {
        self.phase != Phase::Pending && self.holds > Messages::NONE
    }
}

impl<Id> Observation<Id> {
    /// The workers that work, and those that were asked for: without those that are to go.
    pub(super) fn present(&self) -> Workers {
        self.count(Instance::stays)
    }

    /// The workers that take messages.
    pub(super) fn in_service(&self) -> Workers {
        self.count(|instance| matches!(instance.phase, Phase::InService(_)))
    }

    /// How many workers are at work. Where messages wait, each of those in service is: it may be
    /// asking for the next one at this moment.
    pub(super) fn busy(&self) -> Workers {
        let holding = self.count(Instance::is_busy);
        if self.visible > Messages::NONE { holding.max(self.in_service()) } else { holding }
    }

    /// How long the launches took that ended after `since`.
    pub(super) fn boots(&self, since: Timestamp) -> impl Iterator<Item = Duration> {
        self.instances.iter().filter_map(move |instance| match instance.phase {
            Phase::InService(ready) if ready > since => Some(ready.since(instance.launched)),
            _ => None,
        })
    }

    /// How long the oldest launch that has not ended has taken.
    pub(super) fn longest_launch(&self, now: Timestamp) -> Duration {
        let pending = self.instances.iter().filter(|instance| instance.phase == Phase::Pending);
        pending.map(|instance| now.since(instance.launched)).max().unwrap_or_default()
    }

    fn count(&self, which: impl Fn(&Instance<Id>) -> bool) -> Workers {
        let count = self.instances.iter().filter(|instance| which(instance)).count();
        Workers::new(u32::try_from(count).unwrap_or(u32::MAX))
    }
}
