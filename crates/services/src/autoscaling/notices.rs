//! What groups owe to those who are told of them: said by the controller, in AWS's JSON.
//!
//! It is owed until it is written down that it was told. So it is told at least once, and twice
//! where the service dies in between; a repetition has the same RequestId.

use serde_json::{Map, Value, json};
use tidemill_scaling::group::{Activity, GroupKey, Kind, Notice, Owed, Transition, Trial, Wait};
use tracing::warn;

use super::activity::details;
use super::names::{self, instance_text};
use super::{AutoScaling, hooks, notifications, words};
use crate::sns::{Untold, timestamp};

/// So much is told before the groups are looked at again.
const MOST: usize = 32;
const SERVICE: &str = "AWS Auto Scaling";
/// Where instances come from, and where they are while they are the group's.
const PLACES: (&str, &str) = ("EC2", "AutoScalingGroup");

impl AutoScaling {
    /// Tells what is owed, the oldest first. Says whether there may be more.
    pub(super) async fn tell_owed(&self) -> bool {
        let owed: Vec<(u64, Owed)> = self.groups.look(|state| {
            state.owed().take(MOST).map(|(number, owed)| (number, owed.clone())).collect()
        });
        let (many, mut told) = (owed.len(), Vec::with_capacity(owed.len()));
        for (number, owed) in owed {
            match self.tell_one(&owed).await {
                Ok(()) => told.push(number),
                Err(Untold::Never(why)) => {
                    let (group, target) = (&owed.group.name, &owed.target);
                    warn!(group, target, why, "a group's notification was dropped");
                    told.push(number);
                }
                // The disk takes nothing in: it is told at another look.
                Err(Untold::NotNow) => break,
            }
        }
        if told.is_empty() {
            return false;
        }
        if let Err(error) = self.groups.told(told).await {
            warn!(%error, "what groups told was not written down");
            return false;
        }
        many == MOST
    }

    async fn tell_one(&self, owed: &Owed) -> Result<(), Untold> {
        let Some(sns) = &self.sns else {
            return Err(Untold::Never("there are no topics".to_owned()));
        };
        let (subject, message) = said(owed);
        sns.tell(&owed.target, owed.group.account, &subject, message.to_string()).await
    }

    /// Whether a group could tell whoever this ARN names.
    pub(super) fn can_tell(&self, target: &str, key: &GroupKey) -> bool {
        self.sns.as_ref().is_some_and(|sns| sns.finds(target, key.account, &key.region))
    }
}

/// The subject and the message.
fn said(owed: &Owed) -> (String, Value) {
    match &owed.notice {
        Notice::Trial(trial) => of_trial(owed, *trial),
        Notice::Done { kind, activity, subnets } => {
            of_activity(owed, *kind, activity, subnets.as_deref())
        }
        Notice::Waits { instance, wait, transition, metadata } => {
            let instance = instance_text(*instance);
            of_wait(owed, &instance, wait, *transition, metadata.as_deref())
        }
    }
}

fn of_trial(owed: &Owed, trial: Trial) -> (String, Value) {
    let group = &owed.group;
    let message = json!({
        "AccountId": group.account.to_string(),
        "RequestId": trial.id.to_string(),
        "AutoScalingGroupARN": names::arn_of(group, &owed.id.to_string()),
        "AutoScalingGroupName": group.name,
        "Service": SERVICE,
        "Event": notifications::name_of(Kind::Tested),
        "Time": timestamp(trial.at),
    });
    (format!("Auto Scaling: test notification for group \"{}\"", group.name), message)
}

fn of_activity(owed: &Owed, kind: Kind, it: &Activity, subnets: Option<&str>) -> (String, Value) {
    let what = match kind {
        Kind::Launched => "launch",
        Kind::LaunchFailed => "failed launch",
        Kind::Terminated => "termination",
        Kind::TerminateFailed => "failed termination",
        Kind::Tested => "test notification",
    };
    let comes = matches!(kind, Kind::Launched | Kind::LaunchFailed);
    let (from, to) = if comes { PLACES } else { (PLACES.1, PLACES.0) };
    // On AWS it is told of an end that is not quite one yet.
    let fails = matches!(kind, Kind::LaunchFailed | Kind::TerminateFailed);
    let (status, progress) = if fails { ("Failed", 100) } else { ("InProgress", 50) };
    let ended = it.end.as_ref().map_or(it.began, |end| end.at);
    let group = &owed.group;
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
    put("Origin", from.into());
    put("Destination", to.into());
    put("Progress", progress.into());
    put("AccountId", group.account.to_string().into());
    put("Description", words::description(it).into());
    put("RequestId", it.id.to_string().into());
    put("EndTime", timestamp(ended).into());
    put("AutoScalingGroupARN", names::arn_of(group, &owed.id.to_string()).into());
    put("ActivityId", it.id.to_string().into());
    put("StartTime", timestamp(it.began).into());
    put("Service", SERVICE.into());
    put("Time", timestamp(ended).into());
    put("EC2InstanceId", it.instance.map(instance_text).unwrap_or_default().into());
    put("StatusCode", status.into());
    put("StatusMessage", words::message(it).unwrap_or_default().into());
    put("Details", Value::Object(details(it, subnets)));
    put("AutoScalingGroupName", group.name.clone().into());
    put("Cause", words::cause(it).into());
    put("Event", notifications::name_of(kind).into());
    (format!("Auto Scaling: {what} for group \"{}\"", group.name), Value::Object(all))
}

fn of_wait(
    owed: &Owed,
    instance: &str,
    wait: &Wait,
    transition: Transition,
    metadata: Option<&str>,
) -> (String, Value) {
    let ((from, to), word) = match transition {
        Transition::Launching => (PLACES, "LAUNCHING"),
        Transition::Terminating => ((PLACES.1, PLACES.0), "TERMINATING"),
    };
    let mut message = json!({
        "Origin": from,
        "Destination": to,
        "LifecycleHookName": wait.hook,
        "AccountId": owed.group.account.to_string(),
        "RequestId": wait.token.to_string(),
        "LifecycleTransition": hooks::name_of(transition),
        "AutoScalingGroupName": owed.group.name,
        "Service": SERVICE,
        "Time": timestamp(wait.since),
        "EC2InstanceId": instance,
        "LifecycleActionToken": wait.token.to_string(),
    });
    if let Some(metadata) = metadata {
        message["NotificationMetadata"] = metadata.into();
    }
    let subject =
        format!("Auto Scaling:  Lifecycle action '{word}' for instance {instance} in progress.");
    (subject, message)
}
