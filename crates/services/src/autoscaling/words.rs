//! What is said of activities, in AWS's words.

use std::fmt::Write as _;

use tidemill_base::Timestamp;
use tidemill_scaling::group::{Activity, Cause, Deed, Outcome, Said, Step};
use time::OffsetDateTime;
use time::macros::format_description;

use super::names::instance_text;

/// Most characters of a cause.
const CAUSE: usize = 1023;
/// Most characters of a status message.
const MESSAGE: usize = 255;

/// What an activity does.
pub(super) fn description(it: &Activity) -> String {
    let instance = it.instance.map(instance_text);
    let instance = instance.as_deref().unwrap_or_default();
    let message = it.end.as_ref().and_then(|end| end.message.as_deref());
    match (it.deed, it.instance, message) {
        (Deed::Launch, None, Some(why)) => format!(
            "Launching a new EC2 instance.  Status Reason: {why} Launching EC2 instance failed."
        ),
        (Deed::Launch, None, None) => "Launching a new EC2 instance".to_owned(),
        (Deed::Launch, Some(_), None) => format!("Launching a new EC2 instance: {instance}"),
        (Deed::Launch, Some(_), Some(why)) => {
            format!("Launching a new EC2 instance: {instance}.  Status Reason: {why}")
        }
        (Deed::Terminate, ..) => format!("Terminating EC2 instance: {instance}"),
        (Deed::Spare, ..) => SPARED.to_owned(),
        (Deed::Attach, ..) => format!("Attaching an existing EC2 instance: {instance}"),
        (Deed::Detach, ..) => format!("Detaching EC2 instance: {instance}"),
        (Deed::EnterStandby, ..) => format!("Moving EC2 instance to Standby: {instance}"),
        (Deed::ExitStandby, ..) => format!("Moving EC2 instance out of Standby: {instance}"),
    }
}

const SPARED: &str = "Could not scale to desired capacity because all remaining instances are \
                      protected from scale-in.";

/// What is to be said of how an activity ended, if anything.
pub(super) fn message(it: &Activity) -> Option<String> {
    let why = it.end.as_ref().and_then(|end| end.message.clone());
    let why = match (it.deed, it.instance, why) {
        (Deed::Spare, ..) => SPARED.to_owned(),
        (Deed::Launch, None, Some(why)) => format!("{why} Launching EC2 instance failed."),
        (_, _, why) => why?,
    };
    Some(cut(why, MESSAGE))
}

/// How far an activity is, whose instance waits for somebody or not: its status, and the
/// percentage.
pub(super) fn progress(it: &Activity, waits: bool) -> (&'static str, i32) {
    match it.end.as_ref().map(|end| end.outcome) {
        Some(Outcome::Successful) => ("Successful", 100),
        Some(Outcome::Failed) => ("Failed", 100),
        Some(Outcome::Cancelled) => ("Cancelled", 100),
        None if waits => ("MidLifecycleAction", 60),
        None => match (it.deed, it.instance) {
            (Deed::Launch, None) => ("PreInService", 0),
            (Deed::Launch, Some(_)) => ("PreInService", 30),
            _ => ("InProgress", 0),
        },
    }
}

/// Why an activity was begun.
pub(super) fn cause(it: &Activity) -> String {
    let sentences: Vec<String> = it.causes.iter().map(sentence).collect();
    cut(sentences.join("  "), CAUSE)
}

fn sentence(said: &Said) -> String {
    let at = time(said.at);
    let what = match &said.cause {
        Cause::Created(step) => {
            format!("a user request created an AutoScalingGroup {}", changing(*step))
        }
        Cause::Constraints { min, max, step } => format!(
            "a user request update of AutoScalingGroup constraints to min: {min}, max: {max}, \
             desired: {} {}",
            step.to,
            changing(*step)
        ),
        Cause::Set(step) => {
            format!("a user request explicitly set group desired capacity {}", changing(*step))
        }
        Cause::Alarm { alarm, policy, step } => format!(
            "a monitor alarm {alarm} in state ALARM triggered policy {policy} {}",
            changing(*step)
        ),
        Cause::Policy { policy, step } => {
            format!("a user request executed policy {policy} {}", changing(*step))
        }
        Cause::Scheduled { min, max, desired, step, .. } => {
            let mut constraints = String::new();
            for (name, value) in [("min", min), ("max", max), ("desired", desired)] {
                if let Some(value) = value {
                    let comma = if constraints.is_empty() { "" } else { ", " };
                    write!(constraints, "{comma}{name}: {value}").expect(SURE);
                }
            }
            format!(
                "a scheduled action update of AutoScalingGroup constraints to {constraints} {}",
                changing(*step)
            )
        }
        Cause::Fast { why, step } => format!("{why}, {}", changing(*step)),
        Cause::Deleted(step) => {
            format!("a user request deleted the AutoScalingGroup {}", changing(*step))
        }
        Cause::Short(Step { from, to }) => format!(
            "an instance was started in response to a difference between desired and actual \
             capacity, increasing the capacity from {from} to {to}."
        ),
        Cause::Many(Step { from, to }) => format!(
            "an instance was taken out of service in response to a difference between desired and \
             actual capacity, shrinking the capacity from {from} to {to}."
        ),
        Cause::Equilibrium => "group reached equilibrium.".to_owned(),
        cause => of_instance(cause),
    };
    format!("At {at} {what}")
}

/// What was the matter with one instance.
fn of_instance(cause: &Cause) -> String {
    let shrinking = |step: &Option<Step>| match step {
        Some(Step { from, to }) => format!(", shrinking the capacity from {from} to {to}."),
        None => ".".to_owned(),
    };
    match cause {
        Cause::Selected(instance) => {
            format!("instance {} was selected for termination.", instance_text(*instance))
        }
        Cause::Replacement => "an instance was launched in response to an unhealthy instance \
                               needing to be replaced."
            .to_owned(),
        Cause::NotRunning => "an instance was taken out of service in response to an EC2 health \
                              check indicating it has been terminated or stopped."
            .to_owned(),
        Cause::Unhealthy => "an instance was taken out of service in response to a user \
                             health-check."
            .to_owned(),
        Cause::Lifetime => "an instance was taken out of service in response to exceeding the \
                            maximum instance lifetime."
            .to_owned(),
        Cause::TakenByRefresh => "an instance was taken out of service in response to an instance \
                                  refresh."
            .to_owned(),
        Cause::LaunchedByRefresh => {
            "an instance was launched in response to an instance refresh.".to_owned()
        }
        Cause::Asked { instance, step } => format!(
            "instance {} was taken out of service in response to a user request{}",
            instance_text(*instance),
            shrinking(step)
        ),
        Cause::Abandoned(instance) => format!(
            "instance {} was taken out of service in response to an abandoned lifecycle action.",
            instance_text(*instance)
        ),
        Cause::Attached(Step { from, to }) => format!(
            "an instance was attached in response to a user request, increasing the capacity \
             from {from} to {to}"
        ),
        Cause::Detached { instance, step } => format!(
            "instance {} was detached in response to a user request{}",
            instance_text(*instance),
            shrinking(step)
        ),
        Cause::Standby { instance, step } => format!(
            "instance {} was moved to standby in response to a user request{}",
            instance_text(*instance),
            shrinking(step)
        ),
        Cause::Returned { instance, step: Step { from, to } } => format!(
            "instance {} was moved out of standby in response to a user request, increasing the \
             capacity from {from} to {to}.",
            instance_text(*instance)
        ),
        Cause::Created(_)
        | Cause::Constraints { .. }
        | Cause::Set(_)
        | Cause::Alarm { .. }
        | Cause::Policy { .. }
        | Cause::Scheduled { .. }
        | Cause::Short(_)
        | Cause::Many(_)
        | Cause::Deleted(_)
        | Cause::Equilibrium
        | Cause::Fast { .. } => unreachable!("what is said of a group is said elsewhere"),
    }
}

const SURE: &str = "writing to a string does not fail";

fn changing(Step { from, to }: Step) -> String {
    format!("changing the desired capacity from {from} to {to}.")
}

fn time(at: Timestamp) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    let date = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    date.format(form).expect("a date has what the form asks for")
}

fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some((end, _)) => text[..end].to_owned(),
    }
}
