//! Actions: what an alarm does when it turns, by the ARN that names it.
//!
//! The engine writes down that an action is due together with the turn that made it so, and that it
//! was taken, or why not, afterwards. It is taken once: only a service that ends between the two
//! takes it again when it is back. So a request that has actions taken runs to its end, though its
//! caller hangs up. [`CloudWatch::act`] is the one place where actions meet what they act on. A
//! scaling policy decides again each minute for as long as its alarm is alarming, as on AWS.

use serde_json::Value;
use tidemill_base::{Region, Timestamp};
use tidemill_metric::{Alarm, AlarmKey, Check, Comparison, Due, Standing};
use tidemill_scaling::aws::Side;
use tidemill_wire::Fault;

use super::measure::{self, Gathered};
use super::{CloudWatch, fault, notification};
use crate::autoscaling::PolicyAction;
use crate::sns::Untold;

/// What the ARN of an action names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A topic of SNS, which is told of the turn.
    Topic,
    /// A scaling policy of EC2 Auto Scaling, which is to decide anew.
    ScalingPolicy,
}

impl Action {
    /// What this ARN names, in the alarm's own region.
    ///
    /// # Errors
    /// If it is no ARN, or names what alarms here cannot act on.
    pub(super) fn read(arn: &str, region: &Region) -> Result<Self, Fault> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, place, _, resource] = parts[..] else {
            return Err(fault::validation(format!("Invalid arn syntax: {arn}")));
        };
        if partition.is_empty() || resource.is_empty() {
            return Err(fault::validation(format!("Invalid arn syntax: {arn}")));
        }
        let action = match service {
            "sns" => Self::Topic,
            "autoscaling" if resource.starts_with("scalingPolicy:") => Self::ScalingPolicy,
            _ => {
                return Err(fault::validation(format!(
                    "The action {arn} is not understood yet: alarms of Tidemill act on topics of \
                     SNS and on scaling policies of EC2 Auto Scaling."
                )));
            }
        };
        if place != region.as_str() {
            return Err(fault::validation(format!(
                "Invalid region {place} specified. Only {region} is supported."
            )));
        }
        Ok(action)
    }
}

impl CloudWatch {
    /// Takes every action that is due, the oldest first. With a minute, those scaling policies
    /// decide anew whose alarms have been alarming since before.
    pub(super) async fn act(&self, minute: Option<Timestamp>) {
        let _turn = self.acting.lock().await;
        let due: Vec<Due> = self.metrics.look(|state| state.alarms().due().cloned().collect());
        let last = due.iter().map(|due| due.at).max();
        let mut outcomes = Vec::with_capacity(due.len());
        // Policies of one group decide together: `asked` says for which of what is due.
        let (mut asked, mut actions) = (Vec::new(), Vec::new());
        for due in due {
            let action = Action::read(&due.action, &due.key.region);
            match action.map_err(|fault| fault.message.into_owned()) {
                Ok(Action::Topic) => match self.tell(&due).await {
                    Ok(()) => outcomes.push((due.number, Ok(()))),
                    Err(Untold::Never(why)) => outcomes.push((due.number, Err(why))),
                    // It stays due.
                    Err(Untold::NotNow) => {}
                },
                Ok(Action::ScalingPolicy) => {
                    asked.push(due.number);
                    actions.push(self.by_turn(&due));
                }
                Err(why) => outcomes.push((due.number, Err(why))),
            }
        }
        if let Some(minute) = minute {
            actions.extend(self.still_alarming(minute));
        }
        if let Some(at) = minute.max(last) {
            let invoked = self.invoke(&actions, at).await;
            // What alarms go on about is in no history.
            outcomes.extend(asked.into_iter().zip(invoked));
        }
        let Some(now) = last else { return };
        outcomes.sort_unstable_by_key(|(number, _)| *number);
        let outcome = |(number, outcome): (u64, Result<(), String>)| {
            (number, outcome.err().map(String::into_boxed_str))
        };
        // It happened when the alarm turned, as far as anybody can tell: a clock that leaps, leaps
        // over both.
        // A journal that accepts nothing more says so to whoever asks for anything.
        drop(self.metrics.acted(outcomes.into_iter().map(outcome).collect(), now).await);
    }

    /// Tells a topic that an alarm turned.
    async fn tell(&self, due: &Due) -> Result<(), Untold> {
        let Some(sns) = &self.sns else {
            return Err(Untold::Never("There are no topics.".into()));
        };
        let message = self.metrics.look(|state| notification::message(state.alarms(), due));
        let subject = notification::subject(due);
        sns.tell(&due.action, due.key.account, &subject, message).await
    }

    async fn invoke(&self, actions: &[PolicyAction], at: Timestamp) -> Vec<Result<(), String>> {
        match &self.autoscaling {
            Some(autoscaling) => autoscaling.invoke(actions, at).await,
            None => actions.iter().map(|_| Err("There are no scaling policies.".into())).collect(),
        }
    }

    /// What a policy is told of an alarm that turned: what turned it.
    fn by_turn(&self, due: &Due) -> PolicyAction {
        let data: Value = due
            .to
            .data
            .as_deref()
            .map(serde_json::from_str)
            .and_then(Result::ok)
            .unwrap_or_default();
        let value = data["recentDatapoints"].as_array().and_then(|all| all.last()?.as_f64());
        let check =
            self.metrics.look(|state| state.alarms().find(&due.key)?.settings.check().cloned());
        let threshold = check.as_ref().map(|check| check.threshold);
        let threshold = threshold.or_else(|| data["threshold"].as_f64()).unwrap_or_default();
        PolicyAction {
            arn: due.action.to_string(),
            alarm: due.key.clone(),
            side: check.as_ref().map_or(Side::High, side),
            threshold,
            value,
        }
    }

    /// What policies are told of alarms that have been alarming since before `minute`.
    fn still_alarming(&self, minute: Timestamp) -> Vec<PolicyAction> {
        let gathered: Vec<(AlarmKey, Vec<Box<str>>, Check, Gathered)> =
            self.metrics.look(|state| {
                let gathered = |(key, alarm): (&AlarmKey, &Alarm)| {
                    let check = alarm.settings.check()?;
                    let alarming = alarm.reason.standing == Standing::Alarming;
                    let acts = alarm.settings.actions_enabled && alarm.turned < minute;
                    let actions = &alarm.settings.actions[Standing::Alarming as usize];
                    let policies: Vec<Box<str>> = actions
                        .iter()
                        .filter(|it| it.starts_with("arn:aws:autoscaling:"))
                        .cloned()
                        .collect();
                    (alarming && acts && !policies.is_empty()).then(|| {
                        let gathered = measure::gather(state, check, minute);
                        (key.clone(), policies, check.clone(), gathered)
                    })
                };
                state.alarms().all().filter_map(gathered).collect()
            });
        let mut actions = Vec::new();
        for (key, policies, check, gathered) in gathered {
            let points = measure::points(&check, &gathered, minute);
            let value = points.last().map(|point| point.value);
            actions.extend(policies.into_iter().map(|arn| PolicyAction {
                arn: arn.into(),
                alarm: key.clone(),
                side: side(&check),
                threshold: check.threshold,
                value,
            }));
        }
        actions
    }
}

/// Which side of its threshold an alarm warns of.
fn side(check: &Check) -> Side {
    match check.comparison {
        Comparison::Above | Comparison::AtLeast => Side::High,
        Comparison::Below | Comparison::AtMost => Side::Low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_known_by_its_arn() {
        let home = Region::default();
        let read = |arn: &str| Action::read(arn, &home);
        let policy = "arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:c322:\
                      autoScalingGroupName/g:policyName/p";
        assert_eq!(read("arn:aws:sns:us-east-1:000000000000:topic").ok(), Some(Action::Topic));
        assert_eq!(read(policy).ok(), Some(Action::ScalingPolicy));
        for (bad, why) in [
            ("topic", "Invalid arn syntax: topic"),
            ("arn:aws:sns:us-east-1:000000000000:", "Invalid arn syntax: "),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", "is not understood yet"),
            ("arn:aws:sns:eu-west-1:000000000000:t", "Invalid region eu-west-1 specified."),
        ] {
            let fault = read(bad).unwrap_err();
            assert!(fault.message.contains(why), "{bad}: {}", fault.message);
        }
    }
}
