//! Activities: what a group did, why, and how it went.

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

use super::ids::{ActivityId, InstanceId};
use crate::Workers;

/// Something that a group did or does.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Activity {
    /// Its id.
    #[n(0)]
    pub id: ActivityId,
    /// The group that did it: a name may be used again.
    #[n(1)]
    pub group: ActivityId,
    /// What it does.
    #[n(2)]
    pub deed: Deed,
    /// The instance that it is about, once that is known.
    #[n(3)]
    pub instance: Option<InstanceId>,
    /// Why, the first thing first.
    #[n(4)]
    pub causes: Vec<Said>,
    /// When it began.
    #[n(5)]
    pub began: Timestamp,
    /// How it ended, if it has.
    #[n(6)]
    pub end: Option<End>,
    /// The availability zone.
    #[n(7)]
    pub zone: String,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Deed {
    /// An instance is launched.
    #[n(0)]
    Launch,
    /// One is terminated.
    #[n(1)]
    Terminate,
    /// Nothing: all that might go are spared.
    #[n(2)]
    Spare,
    /// One that somebody else made is taken in.
    #[n(3)]
    Attach,
    /// One is let go, and lives on.
    #[n(4)]
    Detach,
    /// One is taken out of service.
    #[n(5)]
    EnterStandby,
    /// One is put back into service.
    #[n(6)]
    ExitStandby,
}

/// A cause, and when it was one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Said {
    /// When.
    #[n(0)]
    pub at: Timestamp,
    /// What.
    #[n(1)]
    pub cause: Cause,
}

/// How an activity ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct End {
    /// When.
    #[n(0)]
    pub at: Timestamp,
    /// How.
    #[n(1)]
    pub outcome: Outcome,
    /// What is to be said of it, if anything.
    #[n(2)]
    pub message: Option<String>,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Outcome {
    /// Well.
    #[n(0)]
    Successful,
    /// It could not be done.
    #[n(1)]
    Failed,
    /// It was not to be done any more.
    #[n(2)]
    Cancelled,
}

/// From how many to how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Step {
    /// Before.
    #[n(0)]
    pub from: Workers,
    /// After.
    #[n(1)]
    pub to: Workers,
}

/// Why something is done, as a fact.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Cause {
    /// The group was made.
    #[n(0)]
    Created(#[n(0)] Step),
    /// Its limits, or with them its size, were changed.
    #[n(1)]
    Constraints {
        /// The fewest from now on.
        #[n(0)]
        min: Workers,
        /// The most from now on.
        #[n(1)]
        max: Workers,
        /// From how many to how many.
        #[n(2)]
        step: Step,
    },
    /// Somebody set its size.
    #[n(2)]
    Set(#[n(0)] Step),
    /// An alarm had a policy decide.
    #[n(3)]
    Alarm {
        /// The alarm.
        #[n(0)]
        alarm: String,
        /// The policy.
        #[n(1)]
        policy: String,
        /// From how many to how many.
        #[n(2)]
        step: Step,
    },
    /// Somebody had a policy decide.
    #[n(4)]
    Policy {
        /// The policy.
        #[n(0)]
        policy: String,
        /// From how many to how many.
        #[n(1)]
        step: Step,
    },
    /// It was time for it.
    #[n(5)]
    Scheduled {
        /// The scheduled action.
        #[n(0)]
        action: String,
        /// The fewest from now on, if that was set.
        #[n(1)]
        min: Option<Workers>,
        /// The most, if that was set.
        #[n(2)]
        max: Option<Workers>,
        /// The size, if that was set.
        #[n(3)]
        desired: Option<Workers>,
        /// From how many to how many.
        #[n(4)]
        step: Step,
    },
    /// There were fewer than there should be.
    #[n(6)]
    Short(#[n(0)] Step),
    /// There were more than there should be.
    #[n(7)]
    Many(#[n(0)] Step),
    /// This one was chosen.
    #[n(8)]
    Selected(#[n(0)] InstanceId),
    /// One that was not healthy is followed by another.
    #[n(9)]
    Replacement,
    /// Its machine does not run.
    #[n(10)]
    NotRunning,
    /// Somebody said that it is not healthy.
    #[n(11)]
    Unhealthy,
    /// Somebody had this one go, and perhaps the group shrink.
    #[n(12)]
    Asked {
        /// Which one.
        #[n(0)]
        instance: InstanceId,
        /// From how many to how many.
        #[n(1)]
        step: Option<Step>,
    },
    /// The group was deleted with all it had.
    #[n(13)]
    Deleted(#[n(0)] Step),
    /// Everything is as it can be.
    #[n(14)]
    Equilibrium,
    /// The fast mind decided, for this reason.
    #[n(15)]
    Fast {
        /// The reason, for people.
        #[n(0)]
        why: String,
        /// From how many to how many.
        #[n(1)]
        step: Step,
    },
    /// It lived as long as it may.
    #[n(16)]
    Lifetime,
    /// It was taken in.
    #[n(17)]
    Attached(#[n(0)] Step),
    /// It was let go.
    #[n(18)]
    Detached {
        /// Which one.
        #[n(0)]
        instance: InstanceId,
        /// From how many to how many.
        #[n(1)]
        step: Option<Step>,
    },
    /// It was taken out of service.
    #[n(19)]
    Standby {
        /// Which one.
        #[n(0)]
        instance: InstanceId,
        /// From how many to how many.
        #[n(1)]
        step: Option<Step>,
    },
    /// Somebody gave it up before it served.
    #[n(21)]
    Abandoned(#[n(0)] InstanceId),
    /// It was to be replaced by a refresh.
    #[n(22)]
    TakenByRefresh,
    /// A refresh replaces others by it.
    #[n(23)]
    LaunchedByRefresh,
    /// It was put back into service.
    #[n(20)]
    Returned {
        /// Which one.
        #[n(0)]
        instance: InstanceId,
        /// From how many to how many.
        #[n(1)]
        step: Step,
    },
}
