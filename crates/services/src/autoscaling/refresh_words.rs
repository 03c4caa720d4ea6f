//! What is said of instance refreshes, in AWS's words as far as they are known.

use tidemill_base::Timestamp;
use tidemill_scaling::group::{Awaited, Group, Halt, InstanceId, Refresh, Stage};

use super::names::instance_text;
use super::processes;

/// The name of a stage.
pub(super) fn status(stage: Stage) -> &'static str {
    match stage {
        Stage::Pending => "Pending",
        Stage::Replacing => "InProgress",
        Stage::Baking => "Baking",
        Stage::Cancelling => "Cancelling",
        Stage::RollingBack => "RollbackInProgress",
        Stage::Successful => "Successful",
        Stage::Failed => "Failed",
        Stage::Cancelled => "Cancelled",
        Stage::RolledBack => "RollbackSuccessful",
        Stage::RollbackFailed => "RollbackFailed",
    }
}

/// Why a refresh of a group stands as it does, if there is something to be said.
pub(super) fn reason(group: &Group, it: &Refresh, now: Timestamp) -> Option<String> {
    match &it.halt {
        Some(halt) => Some(halted(halt)),
        None if it.stage.is_active() => group.awaited(now).map(|awaited| waits(&awaited, now)),
        None => None,
    }
}

/// Why a refresh turned back.
pub(super) fn turned(why: &Halt) -> String {
    match why {
        Halt::Asked { .. } => "Rollback was started due to user request.".to_owned(),
        why => halted(why),
    }
}

fn halted(halt: &Halt) -> String {
    match halt {
        Halt::Asked { .. } => "Cancelled due to user request.".to_owned(),
        Halt::Deleted => "Cancelled because the Auto Scaling group is being deleted.".to_owned(),
        Halt::Alarm(name) => format!("The CloudWatch alarm {name} is in the ALARM state."),
        Halt::Stuck(awaited) => {
            // What has a time of its own is not waited for in vain.
            let awaited = waits(awaited, Timestamp::from_millis(0));
            format!("The instance refresh could not continue within one hour. {awaited}")
        }
        Halt::TooLong => "The instance refresh did not finish within 14 days.".to_owned(),
    }
}

fn waits(awaited: &Awaited, now: Timestamp) -> String {
    let rest = |until: &Timestamp| until.since(now).as_secs();
    let remaining = |id: &InstanceId, why: &str| {
        let id = instance_text(*id);
        format!("Waiting for remaining instances to be available. For example: {id} {why}")
    };
    match awaited {
        Awaited::Warming(id) => {
            let id = instance_text(*id);
            format!(
                "Waiting for instances to warm up before continuing. For example: {id} is warming \
                 up."
            )
        }
        Awaited::Coming(id) => {
            remaining(id, "has insufficient data to evaluate its health with Amazon EC2.")
        }
        Awaited::Going(id) => remaining(id, "is being terminated."),
        Awaited::Unhealthy(id) => remaining(id, "is unhealthy."),
        Awaited::Protected(id) => {
            remaining(id, "is protected. Remove instance scale-in protection to continue.")
        }
        Awaited::Standby(id) => {
            remaining(id, "is in Standby. Return the instance to service to continue.")
        }
        Awaited::Suspended(process) => format!(
            "The {} process is suspended. Resume it to continue.",
            processes::name(*process)
        ),
        Awaited::Launches => {
            "Waiting for remaining instances to be available. Launching instances \
                              failed: the scaling activities say why."
                .to_owned()
        }
        Awaited::Capacity => "Waiting for remaining instances to be available.".to_owned(),
        Awaited::Checkpoint(until) => format!(
            "Waiting for checkpoint delay to finish before continuing. There are {} seconds left.",
            rest(until)
        ),
        Awaited::Baking(until) => format!(
            "Waiting for bake time to finish before continuing. There are {} seconds left.",
            rest(until)
        ),
    }
}
