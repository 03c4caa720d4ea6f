//! ExecutePolicy, and what alarms have policies do: policies are told to decide.

use std::collections::BTreeMap;

use tidemill_api::autoscaling::ExecutePolicyType;
use tidemill_base::Timestamp;
use tidemill_metric::{AlarmKey, Standing};
use tidemill_scaling::aws::{Side, Steps};
use tidemill_scaling::group::{Group, GroupKey, Invocation, Policy, Way};
use tidemill_wire::Fault;

use super::policies::{self, Named};
use super::{AutoScaling, fault, target_tracking};
use crate::context::Context;

/// An alarm has a policy decide.
#[derive(Clone, Debug)]
pub(crate) struct PolicyAction {
    /// The policy.
    pub(crate) arn: String,
    /// The alarm: it acts where it is itself, and nowhere else.
    pub(crate) alarm: AlarmKey,
    /// Which side of its threshold is the bad one.
    pub(crate) side: Side,
    /// What it holds its metric against.
    pub(crate) threshold: f64,
    /// The newest value, if there is one.
    pub(crate) value: Option<f64>,
}

pub(super) async fn handle(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &ExecutePolicyType,
) -> Result<(), Fault> {
    let group = it.auto_scaling_group_name.as_deref();
    let (key, name) = policies::find(service, cx, group, &it.policy_name)?;
    let policy = service.groups.look(|state| state.group(&key)?.policy(&name).cloned());
    let policy = policy.ok_or_else(|| fault::no_policy(&name))?;
    let invocation = read(it, name, &policy)?;
    let honours = it.honor_cooldown == Some(true);
    service.groups.execute(&key, invocation, honours).await.map_err(fault::of)
}

/// What a policy is to decide on, as the caller says it.
fn read(it: &ExecutePolicyType, name: String, policy: &Policy) -> Result<Invocation, Fault> {
    let refuse = |message: &'static str| Err(fault::validation(message));
    let values = (it.metric_value, it.breach_threshold);
    let (threshold, value) = match (&policy.way, values) {
        (Way::Tracking(_), _) => {
            return refuse("A TargetTrackingScaling policy cannot be executed by a request.");
        }
        (Way::Simple(_), (None, None)) => (0.0, None),
        (Way::Simple(_), _) => {
            return refuse(
                "MetricValue and BreachThreshold are not supported for a SimpleScaling policy.",
            );
        }
        (Way::Stepwise(_), _) if it.honor_cooldown == Some(true) => {
            return refuse("HonorCooldown is not supported for a StepScaling policy.");
        }
        (Way::Stepwise(steps), (Some(value), Some(threshold))) => {
            let fits = Steps::new(steps.change, steps.steps.clone());
            if fits.is_ok_and(|steps| steps.adjustment(threshold, value).is_none()) {
                return refuse("MetricValue does not correspond to a step of the policy.");
            }
            (threshold, Some(value))
        }
        (Way::Stepwise(_), _) => {
            return refuse(
                "MetricValue and BreachThreshold must be specified for a StepScaling policy.",
            );
        }
    };
    let side = if value.is_some_and(|value| value < threshold) { Side::Low } else { Side::High };
    Ok(Invocation { policy: name, alarm: None, side, threshold, value })
}

impl AutoScaling {
    /// Has policies decide on what alarms saw at `at`, those of one group together. Says of each
    /// whether there was such a policy to decide.
    pub(crate) async fn invoke(
        &self,
        actions: &[PolicyAction],
        at: Timestamp,
    ) -> Vec<Result<(), String>> {
        let mut outcomes = Vec::with_capacity(actions.len());
        let mut groups: BTreeMap<GroupKey, (Vec<usize>, Vec<Invocation>)> = BTreeMap::new();
        for (index, action) in actions.iter().enumerate() {
            let named = Named::read(&action.arn);
            let AlarmKey { account, region, name } = &action.alarm;
            let there = |it: &Named| {
                let is_near = (it.key.account, &it.key.region) == (*account, region);
                is_near && self.groups.look(|state| it.find(state).is_some())
            };
            let Some(named) = named.filter(there) else {
                outcomes.push(Err(format!("Policy {} not found", action.arn)));
                continue;
            };
            outcomes.push(Ok(()));
            let (indexes, invocations) = groups.entry(named.key).or_default();
            indexes.push(index);
            invocations.push(Invocation {
                policy: named.policy,
                alarm: Some(name.to_string()),
                side: action.side,
                threshold: action.threshold,
                value: action.value,
            });
        }
        for (key, (indexes, invocations)) in groups {
            if self.is_governed(&key) {
                // It would undo a second later what they decide.
                for index in indexes {
                    outcomes[index] = Err(format!("{} is sized by the fast mind", key.name));
                }
                continue;
            }
            let content = self.contents(&key);
            let is_content = |policy: &str| content.get(policy).copied().flatten();
            let done = self.groups.invoke(&key, &invocations, is_content, at).await;
            if let Err(error) = done {
                for index in indexes {
                    outcomes[index] = Err(error.to_string());
                }
            }
        }
        outcomes
    }

    /// Of each policy of a group that follows a target and may have it shrink, whether its metric
    /// is where it should be: `None` where nobody knows.
    fn contents(&self, key: &GroupKey) -> BTreeMap<String, Option<bool>> {
        let lows: Vec<(String, String)> = self.groups.look(|state| {
            let policies = state.group(key).into_iter().flat_map(Group::policies);
            let low = |(name, policy): (&str, &Policy)| match &policy.way {
                Way::Tracking(target) => Some((name.to_owned(), target.low.clone()?)),
                Way::Simple(_) | Way::Stepwise(_) => None,
            };
            policies.filter_map(low).collect()
        });
        self.metrics.look(|state| {
            let content = |alarm: &str| {
                let alarm = state.alarms().find(&target_tracking::alarm_key(key, alarm))?;
                match alarm.reason.standing {
                    Standing::Fine => Some(true),
                    Standing::Alarming => Some(false),
                    Standing::Unknown => None,
                }
            };
            lows.into_iter().map(|(name, alarm)| (name, content(&alarm))).collect()
        })
    }
}
