//! SetDesiredCapacity.

use tidemill_api::autoscaling::SetDesiredCapacityType;
use tidemill_scaling::Workers;
use tidemill_scaling::group::Cause;
use tidemill_wire::Fault;

use super::{AutoScaling, fault, names};
use crate::context::Context;

pub(super) async fn handle(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &SetDesiredCapacityType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let desired = u32::try_from(it.desired_capacity).map(Workers::new);
    let desired =
        desired.map_err(|_| fault::validation("DesiredCapacity must not be negative."))?;
    let honours = it.honor_cooldown == Some(true);
    let done = service.groups.set_desired(&key, desired, honours, Cause::Set).await;
    done.map_err(fault::of)
}
