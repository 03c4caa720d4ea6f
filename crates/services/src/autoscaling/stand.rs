//! EnterStandby, ExitStandby, AttachInstances and DetachInstances.

use tidemill_api::autoscaling::{
    Activity as Shown, AttachInstancesQuery, DetachInstancesAnswer, DetachInstancesQuery,
    EnterStandbyAnswer, EnterStandbyQuery, ExitStandbyAnswer, ExitStandbyQuery,
};
use tidemill_fleet::{self as fleet, Phase, Resource, TAGS};
use tidemill_scaling::group::{
    Group, GroupError, GroupKey, InstanceId, Lifecycle, Member, Origin, Refusal, Stand,
};
use tidemill_wire::Fault;

use tracing::warn;

use super::{AutoScaling, activity, fault, launch, names};
use crate::context::Context;

/// Most instances of a request.
const INSTANCES: usize = 20;

pub(super) async fn enter(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &EnterStandbyQuery,
) -> Result<EnterStandbyAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let how = Stand::Enter { shrink: it.should_decrement_desired_capacity };
    let activities = stand(service, &key, it.instance_ids.as_deref(), how).await?;
    Ok(EnterStandbyAnswer { activities: Some(activities) })
}

pub(super) async fn exit(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &ExitStandbyQuery,
) -> Result<ExitStandbyAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let activities = stand(service, &key, it.instance_ids.as_deref(), Stand::Exit).await?;
    Ok(ExitStandbyAnswer { activities: Some(activities) })
}

pub(super) async fn detach(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DetachInstancesQuery,
) -> Result<DetachInstancesAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let how = Stand::Detach { shrink: it.should_decrement_desired_capacity };
    let activities = stand(service, &key, it.instance_ids.as_deref(), how).await?;
    let ids = read(it.instance_ids.as_deref())?;
    let is_ours = |name: &str, _: &str| name == launch::GROUP;
    let untagged = service.fleet()?.untag(&names::owner(&key), resources(&ids), is_ours).await;
    tagged(&key, untagged);
    Ok(DetachInstancesAnswer { activities: Some(activities) })
}

async fn stand(
    service: &AutoScaling,
    key: &GroupKey,
    ids: Option<&[String]>,
    how: Stand,
) -> Result<Vec<Shown>, Fault> {
    let ids = read(ids)?;
    let begun = service.groups.stand(key, &ids, how).await;
    let begun = begun.map_err(|error| match error {
        GroupError::Refused(Refusal::BelowMin { .. } | Refusal::AboveMax { .. }) => {
            sizes(service, key, ids.len())
        }
        GroupError::Refused(Refusal::WrongState(id)) => fault::validation(format!(
            "The instance {} is in no state for that.",
            names::instance_text(id)
        )),
        error => fault::of(error),
    })?;
    Ok(service
        .groups
        .look(|state| begun.iter().map(|activity| activity::shown(state, key, activity)).collect()))
}

/// A change that the group's limits forbid.
fn sizes(service: &AutoScaling, key: &GroupKey, count: usize) -> Fault {
    let counts = service.groups.look(|state| state.group(key).map(Group::counts));
    let counts = counts.unwrap_or_default();
    fault::validation(format!(
        "AutoScalingGroup {} has min-size={}, max-size={}, and desired-size={}. To move {count} \
         instance(s), please update the AutoScalingGroup sizes appropriately.",
        key.name, counts.min, counts.max, counts.desired
    ))
}

pub(super) async fn attach(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &AttachInstancesQuery,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let (ids, now) = (read(it.instance_ids.as_deref())?, service.groups.now());
    let owner = names::owner(&key);
    let tags = service.groups.look(|state| state.group(&key).map(|it| launch::tags(&key, it)));
    let tags = tags.ok_or_else(|| fault::no_group(&key.name))?;
    let found = service.fleet()?.look(|state| {
        let member = |id: &InstanceId| {
            let mut mine = state.instances_of(&owner);
            let instance = mine.find(|it| it.id == names::to_fleet(*id)).ok_or_else(|| {
                let id = names::instance_text(*id);
                fault::validation(format!("Invalid Instance ID(s): [{id}] specified"))
            })?;
            let id = instance.id;
            if instance.phase != Phase::Running {
                let message = format!("The instance {id} is not in the running state.");
                return Err(fault::validation(message));
            }
            // The group could not terminate it.
            if instance.recipe.keeps_living == Some(true) {
                let message = format!("The instance {id} has DisableApiTermination.");
                return Err(fault::validation(message));
            }
            let more = tags.keys().filter(|name| !instance.tags.contains_key(*name)).count();
            if instance.tags.len() + more > TAGS {
                let message = format!("The instance {id} would have more than {TAGS} tags.");
                return Err(fault::validation(message));
            }
            let state = Lifecycle::InService;
            let served = Some(now);
            Ok(Member { state, served, ..service.member(instance, Origin::Elsewhere) })
        };
        ids.iter().map(member).collect::<Result<Vec<_>, _>>()
    });
    let count = ids.len();
    let done = service.groups.attach(&key, found?).await;
    done.map_err(|error| match error {
        GroupError::Refused(Refusal::AboveMax { .. }) => sizes(service, &key, count),
        error => fault::of(error),
    })?;
    tagged(&key, service.fleet()?.tag(&owner, resources(&ids), tags).await);
    Ok(())
}

fn resources(ids: &[InstanceId]) -> Vec<Resource> {
    ids.iter().map(|id| Resource::Instance(names::to_fleet(*id))).collect()
}

/// What was asked for is done, whatever becomes of the tags that go with it.
fn tagged(key: &GroupKey, done: Result<(), fleet::FleetError>) {
    if let Err(error) = done {
        warn!(group = key.name, %error, "the tags of instances were not set to their group's");
    }
}

fn read(ids: Option<&[String]>) -> Result<Vec<InstanceId>, Fault> {
    let ids = ids.unwrap_or_default();
    if ids.is_empty() || ids.len() > INSTANCES {
        return Err(fault::validation(format!("A request names 1 to {INSTANCES} instances.")));
    }
    let mut ids: Vec<InstanceId> =
        ids.iter().map(|id| names::instance(id)).collect::<Result<_, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
