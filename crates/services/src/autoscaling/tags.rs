//! CreateOrUpdateTags, DeleteTags and DescribeTags: what groups are tagged with.

use tidemill_api::autoscaling::{
    CreateOrUpdateTagsType, DeleteTagsType, DescribeTagsType, Tag as Given, TagDescription,
    TagsType,
};
use tidemill_scaling::group::{Group, GroupKey, TAGS, Tag, Tags};
use tidemill_wire::Fault;

use super::page::{Page, page};
use super::{AutoScaling, fault, names, tuning};
use crate::context::Context;

/// The kind of resource that has tags.
const KIND: &str = "auto-scaling-group";
/// Tags of a page, and most of them.
const PAGE: (usize, usize) = (50, 100);

pub(super) async fn put(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &CreateOrUpdateTagsType,
) -> Result<(), Fault> {
    let mut all = Vec::new();
    for (group, given) in by_group(&it.tags)? {
        let key = names::key(cx, group);
        let tags = read(&key, &given)?;
        all.push((key, tags));
    }
    service.groups.tag(all).await.map_err(fault::of)
}

pub(super) async fn delete(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DeleteTagsType,
) -> Result<(), Fault> {
    let groups = by_group(&it.tags)?;
    let keys: Vec<GroupKey> = groups.iter().map(|(group, _)| names::key(cx, group)).collect();
    let is_gone = |key: &GroupKey, name: &str, tag: &Tag| {
        let given = groups.iter().filter(|(group, _)| *group == key.name);
        given.flat_map(|(_, tags)| tags).any(|one| {
            one.key == name && one.value.as_ref().is_none_or(|value| *value == tag.value)
        })
    };
    service.groups.untag(&keys, is_gone).await.map_err(fault::of)
}

/// The tags of a request by the group that they are of.
fn by_group(given: &[Given]) -> Result<Vec<(&str, Vec<Given>)>, Fault> {
    let mut groups: Vec<(&str, Vec<Given>)> = Vec::new();
    for tag in given {
        if tag.resource_type.as_deref().is_some_and(|kind| kind != KIND) {
            return Err(fault::validation(format!("The ResourceType of a tag is {KIND}.")));
        }
        let Some(group) = tag.resource_id.as_deref() else {
            return Err(fault::validation("The ResourceId of a tag is a group's name."));
        };
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, tags)) => tags.push(tag.clone()),
            None => groups.push((group, vec![tag.clone()])),
        }
    }
    Ok(groups)
}

/// Reads what a group is tagged with.
pub(super) fn read(key: &GroupKey, given: &[Given]) -> Result<Tags, Fault> {
    let group = &key.name;
    let mut tags = Tags::new();
    for tag in given {
        if tag.resource_id.as_ref().is_some_and(|id| id != group) {
            return Err(fault::validation(format!(
                "A tag of the group {group} has it as its ResourceId."
            )));
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(fault::validation(format!(
                "The tag key {} begins with aws:, which is reserved.",
                tag.key
            )));
        }
        let value = tag.value.clone().unwrap_or_default();
        tuning::check(&tag.key, &value).map_err(fault::validation)?;
        tuning::check_queue(key, &tag.key, &value).map_err(fault::validation)?;
        let propagates = tag.propagate_at_launch == Some(true);
        if tags.insert(tag.key.clone(), Tag { value, propagates }).is_some() {
            return Err(fault::validation(format!("The tag key {} is there twice.", tag.key)));
        }
    }
    if tags.len() > TAGS {
        return Err(fault::limit(format!("A group may have {TAGS} tags.")));
    }
    Ok(tags)
}

/// A group's tags as they are shown.
pub(super) fn shown(key: &GroupKey, group: &Group) -> Vec<TagDescription> {
    let one = |(name, tag): (&String, &Tag)| TagDescription {
        resource_id: Some(key.name.clone()),
        resource_type: Some(KIND.to_owned()),
        key: Some(name.clone()),
        value: Some(tag.value.clone()),
        propagate_at_launch: Some(tag.propagates),
    };
    group.tags.iter().map(one).collect()
}

pub(super) fn describe(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DescribeTagsType,
) -> Result<TagsType, Fault> {
    let filters = it.filters.as_deref().unwrap_or_default();
    for filter in filters {
        let name = filter.name.as_deref().unwrap_or_default();
        if !matches!(name, "auto-scaling-group" | "key" | "value" | "propagate-at-launch") {
            return Err(fault::validation(format!(
                "Filter type {name} is not correct. Allowed Filter types are: auto-scaling-group, \
                 key, value, propagate-at-launch"
            )));
        }
    }
    let passes = |tag: &TagDescription| {
        filters.iter().all(|filter| {
            let values = filter.values.as_deref().unwrap_or_default();
            let found = match filter.name.as_deref().unwrap_or_default() {
                "key" => tag.key.clone(),
                "value" => tag.value.clone(),
                "propagate-at-launch" => tag.propagate_at_launch.map(|it| it.to_string()),
                _ => tag.resource_id.clone(),
            };
            values.contains(&found.unwrap_or_default())
        })
    };
    let found = service.groups.look(|state| {
        let all = state.groups_of(cx.account(), &cx.region);
        let all =
            all.flat_map(|(key, group)| shown(key, group).into_iter().map(move |it| (key, it)));
        let keyed = |(key, tag): (&GroupKey, TagDescription)| {
            let name = tag.key.as_deref().unwrap_or_default();
            (names::order(key, name), tag)
        };
        all.filter(|(_, tag)| passes(tag)).map(keyed).collect::<Vec<_>>()
    });
    let Page { items, next } = page(found, it.next_token.as_deref(), it.max_records, PAGE)?;
    Ok(TagsType { tags: Some(items), next_token: next })
}
