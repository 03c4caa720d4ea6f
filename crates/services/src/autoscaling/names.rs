//! Ids and names of resources between the wire, the groups and those who run instances.

use tidemill_fleet as fleet;
use tidemill_scaling::group::{Configuration, Group, GroupKey, InstanceId, State};
use tidemill_wire::Fault;

use super::fault;
use crate::context::Context;

/// The caller's group, or launch configuration, of this name.
pub(super) fn key(cx: &Context<'_>, name: &str) -> GroupKey {
    GroupKey { account: cx.account(), region: cx.region.clone(), name: name.to_owned() }
}

/// The caller's groups, or the one that is named, which has to be there.
pub(super) fn groups_named<'a>(
    state: &'a State,
    cx: &Context<'_>,
    group: Option<&str>,
) -> Result<Vec<(&'a GroupKey, &'a Group)>, Fault> {
    let mine = state.groups_of(cx.account(), &cx.region);
    let meant = mine.filter(|(key, _)| group.is_none_or(|group| group == key.name));
    let meant: Vec<_> = meant.collect();
    match group {
        Some(group) if meant.is_empty() => Err(fault::no_group(group)),
        _ => Ok(meant),
    }
}

/// What things of groups are in the order of: by their groups' names, then by their own.
pub(super) fn order(key: &GroupKey, name: &str) -> String {
    format!("{}\0{name}", key.name)
}

/// The owner of a group's instances.
pub(super) fn owner(key: &GroupKey) -> fleet::Owner {
    fleet::Owner { account: key.account, region: key.region.clone() }
}

/// An instance as those know it who run it.
pub(super) fn to_fleet(id: InstanceId) -> fleet::InstanceId {
    fleet::InstanceId::from_u64(id.as_u64())
}

/// An instance as its group knows it.
pub(super) fn of_fleet(id: fleet::InstanceId) -> InstanceId {
    InstanceId::from_u64(id.as_u64())
}

/// An instance as everybody writes it.
pub(super) fn instance_text(id: InstanceId) -> String {
    to_fleet(id).to_string()
}

/// Reads an instance's id.
pub(super) fn instance(text: &str) -> Result<InstanceId, Fault> {
    text.parse().map(of_fleet).map_err(|_| fault::no_instance(text))
}

/// The ARN of a group.
pub(super) fn group_arn(key: &GroupKey, group: &Group) -> String {
    arn_of(key, &group.id.to_string())
}

/// The ARN of a group of this id.
pub(super) fn arn_of(key: &GroupKey, id: &str) -> String {
    let GroupKey { account, region, name } = key;
    format!(
        "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{id}:autoScalingGroupName/{name}"
    )
}

/// The ARN of a launch configuration.
pub(super) fn configuration_arn(key: &GroupKey, it: &Configuration) -> String {
    let GroupKey { account, region, name } = key;
    let id = it.id;
    format!(
        "arn:aws:autoscaling:{region}:{account}:launchConfiguration:{id}:\
         launchConfigurationName/{name}"
    )
}
