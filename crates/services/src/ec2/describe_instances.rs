//! DescribeInstances: an owner's instances, by launch.

use std::collections::BTreeMap;

use tidemill_api::ec2::{DescribeInstancesRequest, DescribeInstancesResult};
use tidemill_fleet::{Instance, InstanceId, Profile, ReservationId};
use tidemill_wire::Fault;

use super::filter::{self, Values};
use super::page::page;
use super::{Call, fault, ids, instance};

/// Most instances of a page, and least.
const PAGE: (usize, usize) = (5, 1000);

pub(super) fn handle(
    call: &Call<'_>,
    it: &DescribeInstancesRequest,
) -> Result<DescribeInstancesResult, Fault> {
    let ids = it.instance_ids.as_deref().unwrap_or_default();
    if !ids.is_empty() && it.max_results.is_some() {
        return Err(fault::combination(
            "The parameter instancesSet cannot be used with the parameter maxResults",
        ));
    }
    let found = chosen(call, ids)?;
    let mut passed = Vec::new();
    for instance in found {
        if filter::passes(it.filters.as_deref(), |name| values(&instance, name))? {
            passed.push((instance.id.to_string(), instance));
        }
    }
    let (least, most) = PAGE;
    let (instances, next_token) =
        page(passed, it.next_token.as_deref(), (it.max_results, least, most))?;
    let mut launches: BTreeMap<ReservationId, Vec<Instance>> = BTreeMap::new();
    for instance in instances {
        launches.entry(instance.reservation).or_default().push(instance);
    }
    let reservations = launches.into_iter().map(|(id, mut instances)| {
        instances.sort_by_key(|instance| instance.index);
        instance::reservation(&call.owner, id, instances.iter().map(instance::shown).collect())
    });
    Ok(DescribeInstancesResult { reservations: Some(reservations.collect()), next_token })
}

/// The instances of these ids, or all; if one is not there, none.
pub(super) fn chosen(call: &Call<'_>, ids: &[String]) -> Result<Vec<Instance>, Fault> {
    if ids.is_empty() {
        return Ok(call.fleet.look(|state| state.instances_of(&call.owner).cloned().collect()));
    }
    let mut ids: Vec<InstanceId> = ids::instances(ids)?;
    ids.sort_unstable();
    ids.dedup();
    let found = call.fleet.look(|state| {
        let all = state.owned_instances(&call.owner, &ids)?;
        Ok(all.into_iter().cloned().collect())
    });
    found.map_err(fault::refused)
}

/// What an instance has under a filter's name.
pub(super) fn values(it: &Instance, name: &str) -> Values {
    let recipe = &it.recipe;
    match name {
        "instance-id" => filter::one(it.id),
        "instance-state-name" => filter::one(instance::state_name(it.phase)),
        "instance-state-code" => filter::one(instance::state_code(it.phase)),
        "instance-type" => filter::one(instance::kind(it)),
        "image-id" => filter::one(instance::image(it)),
        "availability-zone" => filter::one(instance::zone(it)),
        "client-token" => filter::maybe(it.token.as_ref().map(|(token, _)| token)),
        "iam-instance-profile.arn" => filter::maybe(instance::profile(it)),
        "iam-instance-profile.name" => filter::maybe(recipe.profile.as_ref().map(Profile::name)),
        "instance.group-id" | "group-id" => {
            Some(recipe.group_ids.iter().flatten().cloned().collect())
        }
        "instance.group-name" | "group-name" => {
            Some(recipe.group_names.iter().flatten().cloned().collect())
        }
        "key-name" => filter::maybe(recipe.key_name.as_ref()),
        "launch-index" => filter::one(it.index),
        "owner-id" => filter::one(it.owner.account),
        "private-ip-address" => filter::one(instance::ADDRESS),
        "reservation-id" => filter::one(it.reservation),
        "subnet-id" => filter::maybe(recipe.subnet.as_ref()),
        _ => filter::tags(&it.tags, name),
    }
}
