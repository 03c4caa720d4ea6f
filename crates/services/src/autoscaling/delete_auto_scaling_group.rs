//! DeleteAutoScalingGroup.

use tidemill_api::autoscaling::DeleteAutoScalingGroupType;
use tidemill_wire::Fault;

use super::{AutoScaling, fault, names};
use crate::context::Context;

pub(super) async fn handle(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DeleteAutoScalingGroupType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let by_force = it.force_delete == Some(true);
    service.groups.delete(&key, by_force).await.map_err(fault::of)?;
    // Its policies' alarms go with it; if it ends later, by the minute.
    service.keep_alarms().await;
    Ok(())
}
