//! DescribeScalingActivities: what groups did, and an activity as the API shows it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidemill_api::autoscaling::{ActivitiesType, Activity as Shown, DescribeScalingActivitiesType};
use tidemill_base::Timestamp;
use tidemill_scaling::group::{Activity, Cause, GroupKey, State};
use tidemill_wire::Fault;

use super::page::{Page, page};
use super::{AutoScaling, fault, names, words};
use crate::context::Context;

/// Activities of a page, and most of them.
const PAGE: (usize, usize) = (100, 100);

pub(super) fn describe(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DescribeScalingActivitiesType,
) -> Result<ActivitiesType, Fault> {
    let filtered = it.filters.as_ref().is_some_and(|filters| !filters.is_empty());
    fault::refuse(&[("Filters", filtered)])?;
    let with_gone = it.include_deleted_groups == Some(true);
    let wanted = it.activity_ids.as_deref().unwrap_or_default();
    let found: Vec<(String, Shown)> = service.groups.look(|state| {
        let keys: Vec<&GroupKey> = match &it.auto_scaling_group_name {
            None => state.active(cx.account(), &cx.region).collect(),
            Some(name) => {
                let key = names::key(cx, name);
                if state.group(&key).is_none() && !with_gone {
                    return Err(fault::no_group(name));
                }
                state.active(cx.account(), &cx.region).filter(|it| **it == key).collect()
            }
        };
        let mut found: Vec<(String, Shown)> = Vec::new();
        for key in keys {
            let now = state.group(key).map(|group| group.id);
            for (order, it) in in_order(state, key) {
                let named = wanted.is_empty() || wanted.contains(&it.id.to_string());
                if named && (with_gone || Some(it.group) == now) {
                    found.push((order, shown(state, key, it)));
                }
            }
        }
        Ok(found)
    })?;
    let Page { items, next } = page(found, it.next_token.as_deref(), it.max_records, PAGE)?;
    Ok(ActivitiesType { activities: items, next_token: next })
}

/// What groups of this name did, each with a key by which the newest of all groups is first.
fn in_order<'a>(
    state: &'a State,
    key: &'a GroupKey,
) -> impl Iterator<Item = (String, &'a Activity)> {
    let mut oldest: Vec<&Activity> = state.activities(key).collect();
    oldest.reverse();
    // Of those that began at one moment, so many were before.
    let mut before: BTreeMap<Timestamp, u32> = BTreeMap::new();
    oldest.into_iter().map(move |it| {
        let at = before.entry(it.began).or_default();
        *at += 1;
        let (time, number) = (u64::MAX - it.began.as_millis(), u32::MAX - *at);
        (format!("{time:016x}\0{}\0{number:08x}", key.name), it)
    })
}

/// An activity as it is shown.
pub(super) fn shown(state: &State, key: &GroupKey, it: &Activity) -> Shown {
    let group = state.group(key).filter(|group| group.id == it.group);
    let member = group.zip(it.instance).and_then(|(group, id)| group.member(id));
    let waits = member.is_some_and(|member| member.state.waits());
    let (status, progress) = words::progress(it, waits);
    let details = details(it, group.and_then(|group| group.settings.subnets.as_deref()));
    Shown {
        activity_id: it.id.to_string(),
        auto_scaling_group_name: key.name.clone(),
        description: Some(words::description(it)),
        cause: words::cause(it),
        start_time: it.began,
        end_time: it.end.as_ref().map(|end| end.at),
        status_code: status.into(),
        status_message: words::message(it),
        progress: Some(progress),
        details: Some(Value::Object(details).to_string()),
        auto_scaling_group_state: group.is_none().then(|| "Deleted".to_owned()),
        auto_scaling_group_arn: Some(names::arn_of(key, &it.group.to_string())),
    }
}

/// What is said of an activity besides, of a group in these subnets.
pub(super) fn details(it: &Activity, subnets: Option<&str>) -> Map<String, Value> {
    let alarms: Vec<_> = it
        .causes
        .iter()
        .filter_map(|said| match &said.cause {
            Cause::Alarm { alarm, .. } => Some(alarm.as_str()),
            _ => None,
        })
        .collect();
    let mut details = Map::new();
    if let Some(subnets) = subnets {
        let subnet = subnets.split(',').next().unwrap_or_default().trim();
        details.insert("Subnet ID".to_owned(), json!(subnet));
    }
    details.insert("Availability Zone".to_owned(), json!(it.zone));
    if !alarms.is_empty() {
        details.insert("InvokingAlarms".to_owned(), json!(alarms));
    }
    details
}
