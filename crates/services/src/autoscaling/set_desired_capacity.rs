//! SetDesiredCapacity.

use tidemill_api::autoscaling::SetDesiredCapacityType;
use tidemill_scaling::Workers;
use tidemill_scaling::group::Cause;
use tidemill_wire::Fault;

use super::{AutoScaling, fault, names, settings};
use crate::context::Context;

pub(super) async fn handle(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &SetDesiredCapacityType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let desired = settings::number("DesiredCapacity", it.desired_capacity).map(Workers::new)?;
    let honours = it.honor_cooldown == Some(true);
    let done = service.groups.set_desired(&key, desired, honours, Cause::Set).await;
    done.map_err(fault::of)
}
