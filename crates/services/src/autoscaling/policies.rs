//! PutScalingPolicy, DescribePolicies, DeletePolicy and DescribeAdjustmentTypes.

use tidemill_api::autoscaling::{
    AdjustmentType, Alarm, DeletePolicyType, DescribeAdjustmentTypesAnswer, DescribePoliciesType,
    PoliciesType, PolicyARNType, PutScalingPolicyType, ScalingPolicy, StepAdjustment,
};
use tidemill_base::{AccountId, Region};
use tidemill_metric::AlarmKey;
use tidemill_scaling::Workers;
use tidemill_scaling::aws::{Adjustment, BadSteps, Change, Side, Step, Steps};
use tidemill_scaling::group::{GroupKey, Policy, Simple, State, Stepwise, Target, Way};
use tidemill_wire::Fault;

use super::page::{Page, page};
use super::{AutoScaling, fault, names, settings, target_tracking};
use crate::context::Context;

/// Policies of a page, and most of them.
const PAGE: (usize, usize) = (50, 100);

const SIMPLE: &str = "SimpleScaling";
const STEP: &str = "StepScaling";
const TRACKING: &str = "TargetTrackingScaling";
const PREDICTIVE: &str = "PredictiveScaling";
/// How the numbers of policies are meant.
const CHANGES: [&str; 3] = ["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"];

pub(super) async fn put(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &PutScalingPolicyType,
) -> Result<PolicyARNType, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    if it.policy_name.contains(':') {
        return Err(fault::validation("PolicyName cannot contain a colon."));
    }
    fault::refuse(&[
        ("PredictiveScalingConfiguration", it.predictive_scaling_configuration.is_some()),
        ("MinAdjustmentStep", it.min_adjustment_step.is_some()),
    ])?;
    let way = match it.policy_type.as_deref().unwrap_or(SIMPLE) {
        SIMPLE => Way::Simple(read_simple(it)?),
        STEP => Way::Stepwise(read_steps(it)?),
        TRACKING => Way::Tracking(read_tracking(service, &key, it)?),
        PREDICTIVE => {
            return Err(fault::validation(
                "PolicyType PredictiveScaling is not supported by the groups of Tidemill.",
            ));
        }
        other => {
            return Err(fault::validation(format!(
                "PolicyType {other} is invalid. The valid types are {SIMPLE}, {STEP} and \
                 {TRACKING}."
            )));
        }
    };
    let enabled = it.enabled.unwrap_or(true);
    let name = &it.policy_name;
    let (policy, _) =
        service.groups.put_policy(&key, name, enabled, way).await.map_err(fault::of)?;
    service.keep_alarms().await;
    let arn = arn(&key, name, &policy);
    let alarms = match &policy.way {
        Way::Tracking(target) => target
            .alarms()
            .map(|(_, name)| shown_alarm(&target_tracking::alarm_key(&key, name)))
            .collect(),
        Way::Simple(_) | Way::Stepwise(_) => Vec::new(),
    };
    Ok(PolicyARNType { policy_arn: Some(arn), alarms: Some(alarms) })
}

pub(super) async fn delete(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DeletePolicyType,
) -> Result<(), Fault> {
    let (key, name) = find(service, cx, it.auto_scaling_group_name.as_deref(), &it.policy_name)?;
    service.groups.drop_policy(&key, &name).await.map_err(fault::of)?;
    service.keep_alarms().await;
    Ok(())
}

pub(super) fn describe(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DescribePoliciesType,
) -> Result<PoliciesType, Fault> {
    let types = it.policy_types.as_deref().unwrap_or_default();
    let wanted = it.policy_names.as_deref().unwrap_or_default();
    let group = it.auto_scaling_group_name.as_deref();
    // A policy's alarms are those that have it for an action, whoever made them.
    let alarms: Vec<(AlarmKey, Vec<Box<str>>)> = service.metrics.look(|state| {
        let mine = state.alarms().list(cx.account(), &cx.region, None);
        let actions = |actions: &[Vec<Box<str>>; 3]| actions.iter().flatten().cloned().collect();
        mine.map(|(key, alarm)| (key.clone(), actions(&alarm.settings.actions))).collect()
    });
    let found = service.groups.look(|state| {
        let mut found = Vec::new();
        for (key, it) in names::groups_named(state, cx, group)? {
            for (name, policy) in it.policies() {
                let arn = arn(key, name, policy);
                let named = wanted.is_empty() || wanted.iter().any(|it| it == name || *it == arn);
                let typed = types.is_empty() || types.iter().any(|it| it == type_of(policy));
                if named && typed {
                    let acts = |actions: &Vec<Box<str>>| actions.iter().any(|it| **it == *arn);
                    let alarms = alarms.iter().filter(|(_, actions)| acts(actions));
                    let alarms = alarms.map(|(key, _)| shown_alarm(key)).collect();
                    found.push((names::order(key, name), shown(key, (name, policy), arn, alarms)));
                }
            }
        }
        Ok(found)
    })?;
    let Page { items, next } = page(found, it.next_token.as_deref(), it.max_records, PAGE)?;
    Ok(PoliciesType { scaling_policies: Some(items), next_token: next })
}

pub(super) fn adjustment_types() -> DescribeAdjustmentTypesAnswer {
    let one = |name: &str| AdjustmentType { adjustment_type: Some(name.to_owned()) };
    DescribeAdjustmentTypesAnswer { adjustment_types: Some(CHANGES.into_iter().map(one).collect()) }
}

/// A policy, as an ARN names it.
pub(crate) struct Named {
    pub(crate) key: GroupKey,
    id: String,
    pub(crate) policy: String,
}

impl Named {
    /// Reads the ARN of a policy.
    pub(crate) fn read(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(8, ':').skip(3);
        let region: Region = parts.next()?.parse().ok()?;
        let account: AccountId = parts.next()?.parse().ok()?;
        if parts.next()? != "scalingPolicy" {
            return None;
        }
        let id = parts.next()?.to_owned();
        let (group, policy) = parts.next()?.split_once(":policyName/")?;
        let name = group.strip_prefix("autoScalingGroupName/")?.to_owned();
        let key = GroupKey { account, region, name };
        Some(Self { key, id, policy: policy.to_owned() })
    }

    /// The policy, if it is there.
    pub(crate) fn find<'a>(&self, state: &'a State) -> Option<(&'a str, &'a Policy)> {
        let group = state.group(&self.key)?;
        let (name, policy) = group.policies().find(|(name, _)| *name == self.policy)?;
        (policy.id.to_string() == self.id).then_some((name, policy))
    }
}

/// The ARN of a policy.
pub(super) fn arn(key: &GroupKey, name: &str, policy: &Policy) -> String {
    let GroupKey { account, region, name: group } = key;
    let id = policy.id;
    format!(
        "arn:aws:autoscaling:{region}:{account}:scalingPolicy:{id}:autoScalingGroupName/{group}:\
         policyName/{name}"
    )
}

/// The policy of this name or ARN: its group, and its name.
pub(super) fn find(
    service: &AutoScaling,
    cx: &Context<'_>,
    group: Option<&str>,
    policy: &str,
) -> Result<(GroupKey, String), Fault> {
    if policy.starts_with("arn:") {
        let named = Named::read(policy);
        let named = named.filter(|it| {
            (it.key.account, &it.key.region) == (cx.account(), &cx.region)
                && group.is_none_or(|group| group == it.key.name)
                && service.groups.look(|state| it.find(state).is_some())
        });
        return named.map(|it| (it.key, it.policy)).ok_or_else(|| fault::no_policy(policy));
    }
    let Some(group) = group else {
        return Err(fault::validation(
            "AutoScalingGroupName must be specified with the name of a policy.",
        ));
    };
    let key = names::key(cx, group);
    service.groups.look(|state| match state.group(&key) {
        None => Err(fault::no_group(group)),
        Some(it) if it.policy(policy).is_none() => Err(fault::no_policy(policy)),
        Some(_) => Ok(()),
    })?;
    Ok((key, policy.to_owned()))
}

fn shown_alarm(key: &AlarmKey) -> Alarm {
    let arn = format!("arn:aws:cloudwatch:{}:{}:alarm:{}", key.region, key.account, key.name);
    Alarm { alarm_name: Some(key.name.to_string()), alarm_arn: Some(arn) }
}

fn type_of(policy: &Policy) -> &'static str {
    match policy.way {
        Way::Simple(_) => SIMPLE,
        Way::Stepwise(_) => STEP,
        Way::Tracking(_) => TRACKING,
    }
}

/// A policy as it was given.
fn shown(
    key: &GroupKey,
    (name, policy): (&str, &Policy),
    arn: String,
    alarms: Vec<Alarm>,
) -> ScalingPolicy {
    let seconds = |seconds: u32| i32::try_from(seconds).unwrap_or(i32::MAX);
    let shown = ScalingPolicy {
        auto_scaling_group_name: Some(key.name.clone()),
        policy_name: Some(name.to_owned()),
        policy_arn: Some(arn),
        policy_type: Some(type_of(policy).to_owned()),
        step_adjustments: Some(Vec::new()),
        alarms: Some(alarms),
        enabled: Some(policy.enabled),
        ..ScalingPolicy::default()
    };
    match &policy.way {
        Way::Simple(it) => {
            let (adjustment_type, least) = shown_change(it.adjustment.change);
            ScalingPolicy {
                adjustment_type: Some(adjustment_type.to_owned()),
                min_adjustment_magnitude: least,
                scaling_adjustment: Some(it.adjustment.by),
                cooldown: it.cooldown.map(seconds),
                ..shown
            }
        }
        Way::Stepwise(it) => {
            let (adjustment_type, least) = shown_change(it.change);
            let step = |it: &Step| StepAdjustment {
                metric_interval_lower_bound: it.lower,
                metric_interval_upper_bound: it.upper,
                scaling_adjustment: it.by,
            };
            ScalingPolicy {
                adjustment_type: Some(adjustment_type.to_owned()),
                min_adjustment_magnitude: least,
                step_adjustments: Some(it.steps.iter().map(step).collect()),
                metric_aggregation_type: it.aggregation.clone(),
                estimated_instance_warmup: it.warm_up.map(seconds),
                ..shown
            }
        }
        Way::Tracking(it) => ScalingPolicy {
            estimated_instance_warmup: it.warm_up.map(seconds),
            target_tracking_configuration: Some(target_tracking::shown(it)),
            ..shown
        },
    }
}

fn shown_change(change: Change) -> (&'static str, Option<i32>) {
    match change {
        Change::ChangeInCapacity => ("ChangeInCapacity", None),
        Change::ExactCapacity => ("ExactCapacity", None),
        Change::PercentChangeInCapacity { at_least } => {
            let least = at_least.and_then(|least| i32::try_from(least.count()).ok());
            ("PercentChangeInCapacity", least)
        }
    }
}

fn read_simple(it: &PutScalingPolicyType) -> Result<Simple, Fault> {
    unfit(
        SIMPLE,
        &[
            ("StepAdjustments", it.step_adjustments.as_ref().is_some_and(|list| !list.is_empty())),
            ("MetricAggregationType", it.metric_aggregation_type.is_some()),
            ("EstimatedInstanceWarmup", it.estimated_instance_warmup.is_some()),
            ("TargetTrackingConfiguration", it.target_tracking_configuration.is_some()),
        ],
    )?;
    let by = it.scaling_adjustment.ok_or_else(|| {
        fault::validation("Scaling increment must be specified for a SimpleScaling policy")
    })?;
    let adjustment = Adjustment { change: read_change(it)?, by };
    if adjustment.change == Change::ExactCapacity && by < 0 {
        return Err(fault::validation("An exact capacity cannot be negative."));
    }
    Ok(Simple { adjustment, cooldown: settings::seconds("Cooldown", it.cooldown)? })
}

fn read_steps(it: &PutScalingPolicyType) -> Result<Stepwise, Fault> {
    unfit(
        STEP,
        &[
            ("ScalingAdjustment", it.scaling_adjustment.is_some()),
            ("Cooldown", it.cooldown.is_some()),
            ("TargetTrackingConfiguration", it.target_tracking_configuration.is_some()),
        ],
    )?;
    let step = |it: &StepAdjustment| Step {
        lower: it.metric_interval_lower_bound,
        upper: it.metric_interval_upper_bound,
        by: it.scaling_adjustment,
    };
    let steps: Vec<Step> =
        it.step_adjustments.as_deref().unwrap_or_default().iter().map(step).collect();
    let change = read_change(it)?;
    Steps::new(change, steps.clone()).map_err(|bad| fault::validation(words(bad)))?;
    let aggregation = it.metric_aggregation_type.as_deref().unwrap_or("Average");
    if !["Minimum", "Maximum", "Average"].contains(&aggregation) {
        return Err(fault::validation(format!(
            "MetricAggregationType {aggregation} is invalid. The valid types are Minimum, Maximum \
             and Average."
        )));
    }
    let warm_up = settings::seconds("EstimatedInstanceWarmup", it.estimated_instance_warmup)?;
    Ok(Stepwise { change, steps, warm_up, aggregation: Some(aggregation.to_owned()) })
}

fn read_tracking(
    service: &AutoScaling,
    key: &GroupKey,
    it: &PutScalingPolicyType,
) -> Result<Target, Fault> {
    unfit(
        TRACKING,
        &[
            ("AdjustmentType", it.adjustment_type.is_some()),
            ("ScalingAdjustment", it.scaling_adjustment.is_some()),
            ("MinAdjustmentMagnitude", it.min_adjustment_magnitude.is_some()),
            ("Cooldown", it.cooldown.is_some()),
            ("StepAdjustments", it.step_adjustments.as_ref().is_some_and(|list| !list.is_empty())),
            ("MetricAggregationType", it.metric_aggregation_type.is_some()),
        ],
    )?;
    let given = it.target_tracking_configuration.as_ref().ok_or_else(|| {
        fault::validation(
            "TargetTrackingConfiguration must be specified for a TargetTrackingScaling policy",
        )
    })?;
    let (target, source) = target_tracking::read(key, given)?;
    let metric = source.to_bytes();
    let disable_scale_in = given.disable_scale_in == Some(true);
    let warm_up = settings::seconds("EstimatedInstanceWarmup", it.estimated_instance_warmup)?;
    // Before there is a policy that would wait for them.
    service.metrics.may_have_more_alarms().map_err(|_| fault::no_room_for_alarms())?;
    let name = |side| target_tracking::alarm_name(key, side, &service.groups.new_id().to_string());
    let (high, low) = (name(Side::High), (!disable_scale_in).then(|| name(Side::Low)));
    Ok(Target { target, disable_scale_in, warm_up, metric, high, low })
}

/// Refuses what does not go with a type of policies.
fn unfit(kind: &str, given: &[(&str, bool)]) -> Result<(), Fault> {
    fault::none_of(given, |name| format!("{name} cannot be specified for a {kind} policy."))
}

fn read_change(it: &PutScalingPolicyType) -> Result<Change, Fault> {
    let Some(given) = it.adjustment_type.as_deref() else {
        return Err(fault::validation("AdjustmentType must be specified."));
    };
    let least = it.min_adjustment_magnitude.map(|least| {
        u32::try_from(least)
            .ok()
            .filter(|least| *least > 0)
            .map(Workers::new)
            .ok_or_else(|| fault::validation("MinAdjustmentMagnitude must be greater than 0."))
    });
    let at_least = least.transpose()?;
    let change = match given {
        "ChangeInCapacity" => Change::ChangeInCapacity,
        "ExactCapacity" => Change::ExactCapacity,
        "PercentChangeInCapacity" => Change::PercentChangeInCapacity { at_least },
        _ => {
            return Err(fault::validation(format!(
                "AdjustmentType {given} is invalid. The valid types are {}.",
                CHANGES.join(", ")
            )));
        }
    };
    if at_least.is_some() && !matches!(change, Change::PercentChangeInCapacity { .. }) {
        return Err(fault::validation(
            "MinAdjustmentMagnitude goes with PercentChangeInCapacity alone.",
        ));
    }
    Ok(change)
}

/// What is wrong with steps.
fn words(bad: BadSteps) -> &'static str {
    match bad {
        BadSteps::None => "At least one StepAdjustment must be specified for a StepScaling policy",
        BadSteps::TooMany => "There can be at most 20 step adjustments per scaling policy",
        BadSteps::Empty => "The lower bound of a StepAdjustment must be below its upper bound",
        BadSteps::NotANumber => "The bounds of a StepAdjustment must be numbers",
        BadSteps::Overlap => "StepAdjustment intervals cannot overlap",
        BadSteps::Gap => "StepAdjustment intervals cannot have gaps between them",
        BadSteps::NoLowest => {
            "There must be a StepAdjustment with an unspecified lower bound (i.e., lower bound is \
             null) when one StepAdjustment has a negative lower bound"
        }
        BadSteps::NoHighest => {
            "There must be a StepAdjustment with an unspecified upper bound (i.e., upper bound is \
             null) when one StepAdjustment has a positive upper bound"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_known_by_its_arn() {
        let arn = "arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:c322:\
                   autoScalingGroupName/g:policyName/p";
        let named = Named::read(arn).unwrap();
        assert_eq!((&*named.key.name, &*named.id, &*named.policy), ("g", "c322", "p"));
        for bad in ["", "arn:aws:sns:us-east-1:000000000000:t", &arn[..arn.len() - 14]] {
            assert!(Named::read(bad).is_none(), "{bad}");
        }
    }
}
