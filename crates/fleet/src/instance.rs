//! An instance, and the states that it goes through.

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

use crate::id::{InstanceId, ReservationId, TemplateId};
use crate::owner::Owner;
use crate::recipe::{Recipe, Tags};

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Instance {
    /// Its id.
    #[n(0)]
    pub id: InstanceId,
    /// Whose it is.
    #[n(1)]
    pub owner: Owner,
    /// Which launch it came from.
    #[n(2)]
    pub reservation: ReservationId,
    /// Its place in that launch, from 0.
    #[n(3)]
    pub index: u32,
    /// What it is made from.
    #[n(4)]
    pub recipe: Recipe,
    /// The template that this came from, and its version.
    #[n(5)]
    pub template: Option<(TemplateId, u64)>,
    /// Its tags.
    #[n(6)]
    pub tags: Tags,
    /// When it was launched, or started last.
    #[n(7)]
    pub launched: Timestamp,
    /// What its launcher knows the launch by, and a checksum of that.
    #[n(8)]
    pub token: Option<(String, u32)>,
    /// What marks its processes: nobody can guess it.
    #[n(9)]
    pub mark: String,
    /// How it is.
    #[n(10)]
    pub phase: Phase,
    /// Which start of it this is, from 1.
    #[n(11)]
    pub boot: u32,
    /// Since when it is so.
    #[n(12)]
    pub since: Timestamp,
    /// Why.
    #[n(13)]
    pub reason: Option<Reason>,
    /// Whether it is to end at once, without being asked.
    #[n(14)]
    pub abrupt: bool,
}

/// A state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Phase {
    /// It is being started.
    #[n(0)]
    Pending,
    /// It runs.
    #[n(1)]
    Running,
    /// It is being stopped.
    #[n(2)]
    Stopping,
    /// It may be started again.
    #[n(3)]
    Stopped,
    /// It is being stopped for good.
    #[n(4)]
    ShuttingDown,
    /// It is gone, and remembered for a while.
    #[n(5)]
    Terminated,
}

/// Why an instance is in its state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reason {
    /// Somebody asked for it.
    #[n(0)]
    Asked,
    /// It could not be started, for this reason.
    #[n(1)]
    Failed(#[n(0)] String),
}

impl Phase {
    /// Whether it is on its way to another.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Pending | Self::Stopping | Self::ShuttingDown)
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }
}
