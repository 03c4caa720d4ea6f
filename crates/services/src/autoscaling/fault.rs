//! Where the engine's refusals and failures meet the wire, and the words that AWS has for them.

use std::borrow::Cow;

use tidemill_api::autoscaling::errors;
use tidemill_fleet as fleet;
use tidemill_queue::Failure;
use tidemill_scaling::group::{GroupError, Refusal, Waiter};
use tidemill_wire::{Fault, fault as common};

use super::names;
use crate::disk;

/// The engine's answer as the caller is told it.
pub(super) fn of(error: GroupError) -> Fault {
    match error {
        GroupError::Refused(refusal) => refused(refusal),
        GroupError::Poisoned(_) => disk::failed(&common::INTERNAL_FAILURE),
    }
}

/// A refusal as the caller is told it.
pub(super) fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::NoGroup(name) => no_group(&name),
        Refusal::GroupExists(name) => Fault::new(
            &errors::ALREADY_EXISTS_FAULT,
            format!(
                "AutoScalingGroup by this name already exists - A group with the name {name} \
                 already exists"
            ),
        ),
        Refusal::Closing(name) => Fault::new(
            &errors::SCALING_ACTIVITY_IN_PROGRESS_FAULT,
            format!("The AutoScalingGroup {name} is pending delete."),
        ),
        Refusal::HasInstances => Fault::new(
            &errors::RESOURCE_IN_USE_FAULT,
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot \
             instance request(s) still in the group.",
        ),
        Refusal::Undeletable => {
            validation("The AutoScalingGroup cannot be deleted so: its DeletionProtection is set.")
        }
        Refusal::UnderWay(activity) => Fault::new(
            &errors::SCALING_ACTIVITY_IN_PROGRESS_FAULT,
            format!("Scaling activity {activity} is in progress and blocks this action"),
        ),
        Refusal::CoolingDown => Fault::new(
            &errors::SCALING_ACTIVITY_IN_PROGRESS_FAULT,
            "The AutoScalingGroup is in its cooldown period, which blocks this action",
        ),
        Refusal::AboveMax { wanted, max } => validation(format!(
            "New SetDesiredCapacity value {wanted} is above max value {max} for the \
             AutoScalingGroup."
        )),
        Refusal::BelowMin { wanted, min } => validation(format!(
            "New SetDesiredCapacity value {wanted} is below min value {min} for the \
             AutoScalingGroup."
        )),
        Refusal::Limits { min, max } => validation(format!(
            "Max bound, {max}, must be greater than or equal to min bound, {min}"
        )),
        Refusal::NoInstance(id) => no_instance(&names::instance_text(id)),
        other => of_instances(other),
    }
}

/// The rest of them.
fn of_instances(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::NotAMember(id) => validation(format!(
            "The instance {} is not part of this Auto Scaling group.",
            names::instance_text(id)
        )),
        Refusal::WrongState(id) => validation(format!(
            "The instance {} is not in InService or EnteringStandby or Standby.",
            names::instance_text(id)
        )),
        Refusal::NoConfiguration(name) => no_configuration(&name),
        Refusal::ConfigurationExists(name) => Fault::new(
            &errors::ALREADY_EXISTS_FAULT,
            format!(
                "Launch Configuration by this name already exists - A launch configuration already \
                 exists with the name {name}"
            ),
        ),
        Refusal::ConfigurationInUse { configuration, group } => Fault::new(
            &errors::RESOURCE_IN_USE_FAULT,
            format!(
                "Cannot delete launch configuration {configuration} because it is attached to \
                 AutoScalingGroup {group}"
            ),
        ),
        Refusal::InAGroup(id) => validation(format!(
            "Instance {} is already part of an Auto Scaling group.",
            names::instance_text(id)
        )),
        Refusal::NoHook(name) => validation(format!("No Lifecycle Hook found with name {name}")),
        Refusal::NotWaiting(Waiter::Instance(id)) => validation(format!(
            "No active Lifecycle Action found with instance ID {}",
            names::instance_text(id)
        )),
        Refusal::NotWaiting(Waiter::Token(token)) => {
            validation(format!("No active Lifecycle Action found with token {token}"))
        }
        Refusal::TooManyListeners(most) => limit(format!("A group may tell {most} topics.")),
        Refusal::BadHook(why) => validation(why),
        Refusal::TooManyHooks(most) => limit(format!("A group may have {most} lifecycle hooks.")),
        Refusal::TooManyTags(most) => limit(format!("A group may have {most} tags.")),
        Refusal::TooManyGroups(most) => limit(format!("There may be {most} AutoScalingGroups.")),
        Refusal::TooManyConfigurations(most) => {
            limit(format!("There may be {most} launch configurations."))
        }
        Refusal::NoPolicy(name) => no_policy(&name),
        Refusal::TooManyPolicies(most) => limit(format!("A group may have {most} policies.")),
        Refusal::SameMetric => validation(
            "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
        ),
        Refusal::NoScheduled(name) => {
            validation(format!("Scheduled action name not found - {name} not found"))
        }
        Refusal::TooManyScheduled(most) => {
            limit(format!("A group may have {most} scheduled actions."))
        }
        Refusal::BadRecurrence(text) => {
            validation(format!("Given recurrence string:{text} is invalid"))
        }
        Refusal::NeverScheduled => {
            validation("The scheduled action would never be carried out before its EndTime.")
        }
        refusal => of_refreshes(&refusal),
    }
}

/// Those of refreshes, and what has no words of AWS's.
fn of_refreshes(refusal: &Refusal) -> Fault {
    match refusal {
        Refusal::Refreshing => Fault::new(
            &errors::INSTANCE_REFRESH_IN_PROGRESS_FAULT,
            "An Instance Refresh is already in progress and blocks the execution of this Instance \
             Refresh.",
        ),
        Refusal::ChangedByRefresh => validation(
            "An active instance refresh with a desired configuration exists. All configuration \
             options derived from the desired configuration are not available for update while the \
             instance refresh is active.",
        ),
        Refusal::NotRefreshing(name) => Fault::new(
            &errors::ACTIVE_INSTANCE_REFRESH_NOT_FOUND_FAULT,
            format!(
                "No in progress or pending Instance Refresh found for Auto Scaling group {name}"
            ),
        ),
        Refusal::Irreversible => Fault::new(
            &errors::IRREVERSIBLE_INSTANCE_REFRESH_FAULT,
            "The instance refresh cannot be rolled back: that takes a DesiredConfiguration, and an \
             AutoScalingGroup whose launch template has a version other than $Latest and $Default.",
        ),
        refusal => validation(refusal.to_string()),
    }
}

/// What a launch is refused for, in the words of the service that launches.
pub(super) fn of_launch(fault: &Fault) -> String {
    fault.message.to_string()
}

/// The fleet's refusal in words.
pub(super) fn of_fleet(error: fleet::FleetError) -> String {
    crate::ec2::told(error).message.into_owned()
}

pub(super) fn no_group(name: &str) -> Fault {
    validation(format!("AutoScalingGroup name not found - AutoScalingGroup {name} not found"))
}

pub(super) fn no_policy(name: &str) -> Fault {
    validation(format!("Policy name not found - Policy {name} not found"))
}

pub(super) fn no_configuration(name: &str) -> Fault {
    validation(format!(
        "Launch configuration name not found - Launch configuration {name} not found"
    ))
}

pub(super) fn no_instance(text: &str) -> Fault {
    validation(format!("Instance Id not found - No managed instance found for instance ID: {text}"))
}

/// A policy whose alarms there is no memory for.
pub(super) fn no_room_for_alarms() -> Fault {
    Fault::new(
        &common::THROTTLED,
        "there is no memory for the alarms of the policy: delete some, or start the service with \
         more (--metrics-memory)",
    )
}

/// What is wrong with the disk that all share.
pub(super) fn of_disk(failure: &Failure) -> Fault {
    disk::of_failure(failure, &common::INTERNAL_FAILURE, &common::UNAVAILABLE)
}

/// A parameter that will not do.
pub(super) fn validation(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&common::VALIDATION, message)
}

/// More than there may be.
pub(super) fn limit(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::LIMIT_EXCEEDED_FAULT, message)
}

/// A token that we did not give out.
pub(super) fn bad_token() -> Fault {
    Fault::new(&errors::INVALID_NEXT_TOKEN, "The NextToken value is not valid.")
}

/// Refuses parameters that a group here has no use for: the first of them that is there.
pub(super) fn refuse(parameters: &[(&str, bool)]) -> Result<(), Fault> {
    none_of(parameters, |name| format!("{name} is not supported by the groups of Tidemill."))
}

/// Refuses parameters that are not to be there, in words for the first of them that is.
pub(super) fn none_of(
    parameters: &[(&str, bool)],
    words: impl FnOnce(&str) -> String,
) -> Result<(), Fault> {
    match parameters.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => Err(validation(words(name))),
    }
}
