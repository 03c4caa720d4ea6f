//! StartInstances, StopInstances, RebootInstances and TerminateInstances.

use tidemill_api::ec2::{
    InstanceStateChange, RebootInstancesRequest, StartInstancesRequest, StartInstancesResult,
    StopInstancesRequest, StopInstancesResult, TerminateInstancesRequest, TerminateInstancesResult,
};
use tidemill_fleet::{Change, Phase};
use tidemill_wire::Fault;

use super::{Call, fault, ids, instance};
use crate::context::holder_of;

pub(super) async fn start(
    call: &Call<'_>,
    it: &StartInstancesRequest,
) -> Result<StartInstancesResult, Fault> {
    fault::refuse(&[("AdditionalInfo", it.additional_info.is_some())])?;
    let ids = ids::instances(&it.instance_ids)?;
    // One that was drained so that it could stop, did. Before the start is on the disk: whoever
    // asks for it may hang up meanwhile.
    for id in &ids {
        let is_stopped = call.fleet.look(|state| {
            let instance = state.instance(*id).filter(|it| it.owner == call.owner);
            instance.is_some_and(|it| it.phase == Phase::Stopped)
        });
        if let Some(holder) = holder_of(*id).filter(|_| is_stopped) {
            call.queues.drain(holder, false);
        }
    }
    let changes = call.fleet.start(&call.owner, &ids).await.map_err(fault::of)?;
    Ok(StartInstancesResult { starting_instances: Some(shown(&changes)) })
}

pub(super) async fn stop(
    call: &Call<'_>,
    it: &StopInstancesRequest,
) -> Result<StopInstancesResult, Fault> {
    fault::refuse(&[("Hibernate", it.hibernate == Some(true))])?;
    let ids = ids::instances(&it.instance_ids)?;
    // Without a shutdown of its system, an instance is as good as unplugged.
    let abrupt = it.force == Some(true) || it.skip_os_shutdown == Some(true);
    let changes = call.fleet.stop(&call.owner, &ids, abrupt).await.map_err(fault::of)?;
    Ok(StopInstancesResult { stopping_instances: Some(shown(&changes)) })
}

pub(super) async fn reboot(call: &Call<'_>, it: &RebootInstancesRequest) -> Result<(), Fault> {
    let ids = ids::instances(&it.instance_ids)?;
    call.fleet.reboot(&call.owner, &ids).await.map_err(fault::of)
}

pub(super) async fn terminate(
    call: &Call<'_>,
    it: &TerminateInstancesRequest,
) -> Result<TerminateInstancesResult, Fault> {
    let ids = ids::instances(&it.instance_ids)?;
    let abrupt = it.force == Some(true) || it.skip_os_shutdown == Some(true);
    let changes = call.fleet.terminate(&call.owner, &ids, abrupt).await.map_err(fault::of)?;
    Ok(TerminateInstancesResult { terminating_instances: Some(shown(&changes)) })
}

fn shown(changes: &[Change]) -> Vec<InstanceStateChange> {
    let one = |change: &Change| InstanceStateChange {
        instance_id: Some(change.id.to_string()),
        current_state: Some(instance::state(change.now)),
        previous_state: Some(instance::state(change.before)),
    };
    changes.iter().map(one).collect()
}
