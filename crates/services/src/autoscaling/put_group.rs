//! CreateAutoScalingGroup and UpdateAutoScalingGroup.

use tidemill_api::autoscaling::{CreateAutoScalingGroupType, UpdateAutoScalingGroupType};
use tidemill_scaling::Workers;
use tidemill_scaling::group::{GroupError, NewGroup, Refusal, Settings};
use tidemill_wire::Fault;

use super::{AutoScaling, fault, hooks, names, settings, tags};
use crate::context::Context;

pub(super) async fn create(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: CreateAutoScalingGroupType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    // A colon would end the name within ARNs.
    if key.name.contains(':') {
        return Err(fault::validation("An AutoScalingGroup name must not contain a colon."));
    }
    let hooks = hooks::of_new(service, &key, it.lifecycle_hook_specification_list.as_deref())?;
    let asked = settings::of_new(service, &key, &it)?;
    let tags = tags::read(&key, it.tags.as_deref().unwrap_or_default())?;
    let desired = asked.desired.or(asked.min).unwrap_or_default();
    let settings = asked.settings(cx)?;
    let limits = (settings.min, settings.max);
    let new = NewGroup { settings, desired, tags, hooks };
    let made = service.groups.create(&key, new).await;
    made.map_err(|error| sized(error, desired, limits))
}

pub(super) async fn update(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: UpdateAutoScalingGroupType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let asked = settings::of_change(service, &key, &it)?;
    let desired = asked.desired;
    let mut limits = (Workers::NONE, Workers::NONE);
    let change = |old: Settings| {
        let new = asked.over(old);
        limits = (new.min, new.max);
        (new, desired)
    };
    let done = service.groups.update(&key, change).await;
    done.map_err(|error| sized(error, desired.unwrap_or_default(), limits))
}

/// A refusal as these two operations tell it: what is outside of the limits is told with both.
fn sized(error: GroupError, desired: Workers, (min, max): (Workers, Workers)) -> Fault {
    match error {
        GroupError::Refused(Refusal::AboveMax { .. } | Refusal::BelowMin { .. }) => {
            fault::validation(format!(
                "Desired capacity:{desired} must be between the specified min size:{min} and max \
                 size:{max}"
            ))
        }
        error => fault::of(error),
    }
}
