//! An instance as its group knows it.

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

use super::hook::Wait;
use super::ids::{ActivityId, InstanceId};
use super::settings::TemplateSource;

/// An instance of a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Member {
    /// Its id.
    #[n(0)]
    pub id: InstanceId,
    /// How it stands in the group.
    #[n(1)]
    pub state: Lifecycle,
    /// Since when; of one that goes, since it began to.
    #[n(2)]
    pub since: Timestamp,
    /// The activity that it is the object of, if that has not ended.
    #[n(3)]
    pub activity: Option<ActivityId>,
    /// When it was launched or attached.
    #[n(4)]
    pub joined: Timestamp,
    /// When it came into service first.
    #[n(5)]
    pub served: Option<Timestamp>,
    /// What it was made from.
    #[n(6)]
    pub origin: Origin,
    /// The instance type's name.
    #[n(7)]
    pub kind: String,
    /// The availability zone.
    #[n(8)]
    pub zone: String,
    /// The image.
    #[n(9)]
    pub image: String,
    /// Whether it is spared when the group shrinks.
    #[n(10)]
    pub protected: bool,
    /// What is thought of its health.
    #[n(11)]
    pub health: Health,
    /// Whether it is to be followed by another once it is gone.
    #[n(12)]
    pub replaced: bool,
    /// What it waits for.
    #[n(13)]
    pub waits: Vec<Wait>,
}

/// What an instance was made from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Origin {
    /// A launch template; its version is a number.
    #[n(0)]
    Template(#[n(0)] TemplateSource),
    /// A launch configuration: its name, and when it was made. Another may have the name by now.
    #[n(1)]
    Configuration(#[n(0)] String, #[n(1)] Option<Timestamp>),
    /// It was made by somebody else, and attached.
    #[n(2)]
    Elsewhere,
}

/// How an instance stands in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Lifecycle {
    /// It is being launched.
    #[n(0)]
    Pending,
    /// It runs, and waits for somebody to say that it may serve.
    #[n(1)]
    PendingWait,
    /// Somebody has. No group has one be so for now: what may go on serves at once.
    #[n(2)]
    PendingProceed,
    /// It serves.
    #[n(3)]
    InService,
    /// It is being terminated.
    #[n(4)]
    Terminating,
    /// It is to be terminated, and waits for somebody to say that it may be.
    #[n(5)]
    TerminatingWait,
    /// Somebody has.
    #[n(6)]
    TerminatingProceed,
    /// It is out of service, and stays in the group.
    #[n(7)]
    Standby,
}

/// What is thought of an instance's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Health {
    /// Nothing bad is known.
    #[default]
    #[n(0)]
    Healthy,
    /// Its machine does not run.
    #[n(1)]
    NotRunning,
    /// Somebody said that it is not healthy.
    #[n(2)]
    Told,
}

impl Lifecycle {
    /// Whether it is on its way into service.
    pub const fn is_coming(self) -> bool {
        matches!(self, Self::Pending | Self::PendingWait | Self::PendingProceed)
    }

    /// Whether somebody is to say that it may go on.
    pub const fn waits(self) -> bool {
        matches!(self, Self::PendingWait | Self::TerminatingWait)
    }

    /// Whether it is on its way out for good.
    pub const fn is_going(self) -> bool {
        matches!(self, Self::Terminating | Self::TerminatingWait | Self::TerminatingProceed)
    }
}
