//! Actions: what an alarm does when it turns, by the ARN that names it.
//!
//! The engine writes down that an action is due together with the turn that made it so, and that it
//! was taken, or why not, afterwards: a crash between the two has it taken again, with the same
//! number. [`CloudWatch::take`] is the one place where an action meets what it acts on.

use tidemill_base::Region;
use tidemill_metric::Due;
use tidemill_wire::Fault;

use super::{CloudWatch, fault};

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
    /// Takes every action that is due, the oldest first.
    pub(super) async fn act(&self) {
        let _turn = self.acting.lock().await;
        let due: Vec<Due> = self.metrics.look(|state| state.alarms().due().cloned().collect());
        let mut outcomes = Vec::with_capacity(due.len());
        let mut last = None;
        for due in due {
            let failure = Self::take(&due).err();
            last = last.max(Some(due.at));
            outcomes.push((due.number, failure.map(String::into_boxed_str)));
        }
        let Some(now) = last else { return };
        // It happened when the alarm turned, as far as anybody can tell: a clock that leaps, leaps
        // over both.
        // A journal that accepts nothing more says so to whoever asks for anything.
        drop(self.metrics.acted(outcomes, now).await);
    }

    /// Takes one action, or says why it cannot be taken.
    fn take(due: &Due) -> Result<(), String> {
        let action = Action::read(&due.action, &due.key.region);
        match action.map_err(|fault| fault.message.into_owned())? {
            Action::Topic => Err("Tidemill does not serve topics yet.".to_owned()),
            Action::ScalingPolicy => {
                Err("Tidemill does not serve scaling policies yet.".to_owned())
            }
        }
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
