//! DescribeAutoScalingGroups.

use tidemill_api::autoscaling::{AutoScalingGroupNamesType, AutoScalingGroupsType, Filter};
use tidemill_scaling::group::{Group, GroupKey};
use tidemill_wire::Fault;

use super::page::{Page, page};
use super::{AutoScaling, fault, group};
use crate::context::Context;

/// Groups of a page, and most of them.
const PAGE: (usize, usize) = (50, 100);

pub(super) fn handle(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &AutoScalingGroupNamesType,
) -> Result<AutoScalingGroupsType, Fault> {
    let names = it.auto_scaling_group_names.as_deref().unwrap_or_default();
    let filters = it.filters.as_deref().unwrap_or_default();
    check(filters)?;
    let found = service.groups.look(|state| {
        let mine = state.groups_of(cx.account(), &cx.region);
        let wanted = mine.filter(|(key, group)| {
            (names.is_empty() || names.contains(&key.name))
                && filters.iter().all(|filter| passes(filter, group))
        });
        let with_instances = it.include_instances != Some(false);
        let shown = |(key, group): (&GroupKey, &Group)| {
            (key.name.clone(), group::shown(key, group, with_instances))
        };
        wanted.map(shown).collect::<Vec<_>>()
    });
    let Page { items, next } = page(found, it.next_token.as_deref(), it.max_records, PAGE)?;
    Ok(AutoScalingGroupsType { auto_scaling_groups: items, next_token: next })
}

fn check(filters: &[Filter]) -> Result<(), Fault> {
    for filter in filters {
        let name = filter.name.as_deref().unwrap_or_default();
        let known = matches!(name, "tag-key" | "tag-value") || name.starts_with("tag:");
        if !known {
            return Err(fault::validation(format!(
                "Filter type {name} is not correct. Allowed Filter types are: tag-key, tag-value, \
                 tag:<key>"
            )));
        }
    }
    Ok(())
}

fn passes(filter: &Filter, group: &Group) -> bool {
    let values = filter.values.as_deref().unwrap_or_default();
    let name = filter.name.as_deref().unwrap_or_default();
    match name {
        "tag-key" => group.tags.keys().any(|key| values.contains(key)),
        "tag-value" => group.tags.values().any(|tag| values.contains(&tag.value)),
        _ => {
            let tag = name.strip_prefix("tag:").and_then(|key| group.tags.get(key));
            tag.is_some_and(|tag| values.contains(&tag.value))
        }
    }
}
