//! What is asked of single instances of groups: DescribeAutoScalingInstances, SetInstanceHealth,
//! SetInstanceProtection, TerminateInstanceInAutoScalingGroup.

use tidemill_api::autoscaling::{
    ActivityType, AutoScalingInstanceDetails, AutoScalingInstancesType,
    DescribeAutoScalingInstancesType, SetInstanceHealthQuery, SetInstanceProtectionAnswer,
    SetInstanceProtectionQuery, TerminateInstanceInAutoScalingGroupType,
};
use tidemill_scaling::group::{GroupError, GroupKey, InstanceId, Member, Refusal};
use tidemill_wire::Fault;

use super::page::{Page, page};
use super::{AutoScaling, activity, fault, group, names};
use crate::context::Context;

/// Instances of a page, and most of them.
const PAGE: (usize, usize) = (50, 50);
/// Most instances of a request.
const INSTANCES: usize = 50;

pub(super) fn describe(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DescribeAutoScalingInstancesType,
) -> Result<AutoScalingInstancesType, Fault> {
    let wanted = it.instance_ids.as_deref().unwrap_or_default();
    let found = service.groups.look(|state| {
        let mut found: Vec<(String, AutoScalingInstanceDetails)> = Vec::new();
        for (key, group) in state.groups_of(cx.account(), &cx.region) {
            for member in group.members() {
                let id = names::instance_text(member.id);
                if wanted.is_empty() || wanted.contains(&id) {
                    found.push((id, details(key, member)));
                }
            }
        }
        found
    });
    let Page { items, next } = page(found, it.next_token.as_deref(), it.max_records, PAGE)?;
    Ok(AutoScalingInstancesType { auto_scaling_instances: Some(items), next_token: next })
}

fn details(key: &GroupKey, member: &Member) -> AutoScalingInstanceDetails {
    let (template, configuration) = group::origin(&member.origin);
    AutoScalingInstanceDetails {
        instance_id: names::instance_text(member.id),
        instance_type: Some(member.kind.clone()),
        auto_scaling_group_name: key.name.clone(),
        availability_zone: member.zone.clone(),
        availability_zone_id: None,
        lifecycle_state: group::lifecycle(member.state).to_owned(),
        // In capitals here, and not where a group is described.
        health_status: group::health(member.health).to_ascii_uppercase(),
        launch_configuration_name: configuration,
        launch_template: template,
        image_id: Some(member.image.clone()),
        protected_from_scale_in: member.protected,
        weighted_capacity: None,
    }
}

pub(super) async fn set_health(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &SetInstanceHealthQuery,
) -> Result<(), Fault> {
    let healthy = match it.health_status.as_str() {
        "Healthy" => true,
        "Unhealthy" => false,
        _ => {
            return Err(fault::validation(
                "Valid instance health states are: [Healthy, Unhealthy].",
            ));
        }
    };
    let (key, id) = find(service, cx, &it.instance_id)?;
    let respects = it.should_respect_grace_period != Some(false);
    service.groups.judge(&key, id, healthy, respects).await.map_err(fault::of)
}

pub(super) async fn protect(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &SetInstanceProtectionQuery,
) -> Result<SetInstanceProtectionAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    if it.instance_ids.len() > INSTANCES {
        return Err(fault::limit(format!("A request names up to {INSTANCES} instances.")));
    }
    let group = &it.auto_scaling_group_name;
    let strange = |id: &str| {
        fault::validation(format!("The instance {id} is not part of Auto Scaling group {group}."))
    };
    let read = |id: &String| names::instance(id).map_err(|_| strange(id));
    let ids: Vec<InstanceId> = it.instance_ids.iter().map(read).collect::<Result<_, _>>()?;
    let done = service.groups.spare(&key, ids, it.protected_from_scale_in).await;
    done.map_err(|error| match error {
        GroupError::Refused(Refusal::NotAMember(id)) => strange(&names::instance_text(id)),
        error => fault::of(error),
    })?;
    Ok(SetInstanceProtectionAnswer::default())
}

pub(super) async fn terminate(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &TerminateInstanceInAutoScalingGroupType,
) -> Result<ActivityType, Fault> {
    let several = it.instance_ids.as_ref().is_some_and(|ids| !ids.is_empty());
    fault::refuse(&[("InstanceIds", several)])?;
    let Some(id) = it.instance_id.as_deref() else {
        return Err(fault::validation("The request must contain the parameter InstanceId."));
    };
    let (key, id) = find(service, cx, id)?;
    if it.auto_scaling_group_name.as_ref().is_some_and(|name| *name != key.name) {
        return Err(fault::no_instance(&names::instance_text(id)));
    }
    let shrink = it.should_decrement_desired_capacity;
    let done = service.groups.terminate(&key, id, shrink).await;
    let begun = done.map_err(|error| match error {
        GroupError::Refused(Refusal::BelowMin { min, .. }) => fault::validation(format!(
            "Currently, desiredSize equals minSize ({min}). Terminating instance without \
             replacement will violate group's min size constraint. Either set \
             shouldDecrementDesiredCapacity flag to false or lower group's min size."
        )),
        error => fault::of(error),
    })?;
    let shown = service.groups.look(|state| activity::shown(state, &key, &begun));
    Ok(ActivityType { activity: Some(shown), activities: None })
}

/// The caller's instance of this id, and its group.
pub(super) fn find(
    service: &AutoScaling,
    cx: &Context<'_>,
    text: &str,
) -> Result<(GroupKey, InstanceId), Fault> {
    let id = names::instance(text)?;
    let (account, region) = (cx.account(), &cx.region);
    let key = service
        .groups
        .look(|state| state.group_of(account, region, id).map(|(key, _)| key.clone()));
    key.map(|key| (key, id)).ok_or_else(|| fault::no_instance(text))
}
