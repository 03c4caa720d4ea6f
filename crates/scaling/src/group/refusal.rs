//! What a caller did wrong, as facts. Whoever speaks to the caller has words for them.

use super::hook::Waiter;
use super::ids::{ActivityId, InstanceId};
use crate::Workers;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no group of this name.
    #[error("there is no group {0}")]
    NoGroup(String),
    /// There is one already.
    #[error("there is a group {0} already")]
    GroupExists(String),
    /// It is being deleted.
    #[error("the group {0} is being deleted")]
    Closing(String),
    /// It has instances.
    #[error("the group has instances")]
    HasInstances,
    /// It must not be deleted so.
    #[error("the group is protected from that")]
    Undeletable,
    /// An activity has not ended, or ended too short a while ago.
    #[error("the activity {0} is under way")]
    UnderWay(ActivityId),
    /// Too little has passed since the last change.
    #[error("the group is cooling down")]
    CoolingDown,
    /// More than the most.
    #[error("{wanted} is above {max}")]
    AboveMax {
        /// So many.
        wanted: Workers,
        /// The most.
        max: Workers,
    },
    /// Fewer than the fewest.
    #[error("{wanted} is below {min}")]
    BelowMin {
        /// So many.
        wanted: Workers,
        /// The fewest.
        min: Workers,
    },
    /// The fewest would be more than the most.
    #[error("{min} is above {max}")]
    Limits {
        /// The fewest.
        min: Workers,
        /// The most.
        max: Workers,
    },
    /// No group has this instance.
    #[error("the instance {0:?} is of no group")]
    NoInstance(InstanceId),
    /// The group does not have this instance.
    #[error("the instance {0:?} is not of the group")]
    NotAMember(InstanceId),
    /// The instance is in no state for that.
    #[error("the instance {0:?} is in no state for that")]
    WrongState(InstanceId),
    /// The instance is of a group already.
    #[error("the instance {0:?} is of a group already")]
    InAGroup(InstanceId),
    /// The group has no hook of this name.
    #[error("the group has no hook {0}")]
    NoHook(String),
    /// Whoever is meant does not wait for that.
    #[error("{0:?} does not wait for that")]
    NotWaiting(Waiter),
    /// A hook's parameter is missing or wrong.
    #[error("{0}")]
    BadHook(&'static str),
    /// More hooks than there may be.
    #[error("there may be {0} hooks")]
    TooManyHooks(usize),
    /// There is no launch configuration of this name.
    #[error("there is no launch configuration {0}")]
    NoConfiguration(String),
    /// There is one already.
    #[error("there is a launch configuration {0} already")]
    ConfigurationExists(String),
    /// A group launches from it.
    #[error("the launch configuration {configuration} is used by {group}")]
    ConfigurationInUse {
        /// Which one.
        configuration: String,
        /// By which group.
        group: String,
    },
    /// More tags than there may be.
    #[error("there may be {0} tags")]
    TooManyTags(usize),
    /// More groups than there may be.
    #[error("there may be {0} groups")]
    TooManyGroups(usize),
    /// More launch configurations than there may be.
    #[error("there may be {0} launch configurations")]
    TooManyConfigurations(usize),
    /// The group has no policy of this name.
    #[error("there is no policy {0}")]
    NoPolicy(String),
    /// More policies than there may be.
    #[error("there may be {0} policies")]
    TooManyPolicies(usize),
    /// Another policy of the group is a target for the same metric.
    #[error("there is a target for this metric already")]
    SameMetric,
    /// The group has no scheduled action of this name.
    #[error("there is no scheduled action {0}")]
    NoScheduled(String),
    /// More scheduled actions than there may be.
    #[error("there may be {0} scheduled actions")]
    TooManyScheduled(usize),
    /// These are no times that come again and again.
    #[error("{0:?} is no recurrence")]
    BadRecurrence(String),
    /// A refresh goes on already.
    #[error("a refresh goes on already")]
    Refreshing,
    /// A refresh goes on that changes what instances are made from.
    #[error("a refresh goes on that changes what instances are made from")]
    ChangedByRefresh,
    /// No refresh of this group goes on that could be ended.
    #[error("no refresh of {0} goes on")]
    NotRefreshing(String),
    /// What a refresh does could not be undone.
    #[error("what the refresh does cannot be undone")]
    Irreversible,
    /// More whom a group would tell than there may be.
    #[error("a group may tell {0}")]
    TooManyListeners(usize),
    /// It would never be time for it.
    #[error("the scheduled action would never be carried out")]
    NeverScheduled,
}
