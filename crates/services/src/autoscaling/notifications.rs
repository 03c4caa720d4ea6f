//! PutNotificationConfiguration, DescribeNotificationConfigurations,
//! DeleteNotificationConfiguration and DescribeAutoScalingNotificationTypes: whom groups tell of
//! what they do.

use std::collections::BTreeSet;

use tidemill_api::autoscaling::{
    DeleteNotificationConfigurationType, DescribeAutoScalingNotificationTypesAnswer,
    DescribeNotificationConfigurationsAnswer, DescribeNotificationConfigurationsType,
    NotificationConfiguration, PutNotificationConfigurationType,
};
use tidemill_scaling::group::Kind;
use tidemill_wire::Fault;

use super::page::{Page, page};
use super::{AutoScaling, fault, names};
use crate::context::Context;

/// Configurations of a page, and most of them.
const PAGE: (usize, usize) = (50, 100);
/// The kinds of notifications, by their names.
const KINDS: [(Kind, &str); 5] = [
    (Kind::Launched, "autoscaling:EC2_INSTANCE_LAUNCH"),
    (Kind::LaunchFailed, "autoscaling:EC2_INSTANCE_LAUNCH_ERROR"),
    (Kind::Terminated, "autoscaling:EC2_INSTANCE_TERMINATE"),
    (Kind::TerminateFailed, "autoscaling:EC2_INSTANCE_TERMINATE_ERROR"),
    (Kind::Tested, "autoscaling:TEST_NOTIFICATION"),
];

/// What a kind of notification is called.
pub(super) fn name_of(kind: Kind) -> &'static str {
    let found = KINDS.iter().find(|(one, _)| *one == kind);
    found.map(|(_, name)| *name).expect("every kind has a name")
}

pub(super) async fn put(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: PutNotificationConfigurationType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    if service.groups.look(|state| state.group(&key).is_none()) {
        return Err(fault::no_group(&key.name));
    }
    let kind = |name: &String| {
        let found = KINDS.iter().find(|(_, known)| known == name);
        found
            .map(|(kind, _)| *kind)
            .ok_or_else(|| fault::validation(format!("{name} is not a valid Notification Type")))
    };
    let kinds: BTreeSet<Kind> = it.notification_types.iter().map(kind).collect::<Result<_, _>>()?;
    if kinds.is_empty() {
        return Err(fault::validation("NotificationTypes must not be empty."));
    }
    if !it.topic_arn.starts_with("arn:aws:sns:") || !service.can_tell(&it.topic_arn, &key) {
        return Err(fault::validation(format!(
            "Unable to publish test message to notification target {}. Please check your target \
             configuration and try to put notification configuration again.",
            it.topic_arn
        )));
    }
    service.groups.notify(&key, it.topic_arn, kinds).await.map_err(fault::of)
}

pub(super) async fn delete(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DeleteNotificationConfigurationType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    service.groups.stop_notifying(&key, &it.topic_arn).await.map_err(fault::of)
}

pub(super) fn describe(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DescribeNotificationConfigurationsType,
) -> Result<DescribeNotificationConfigurationsAnswer, Fault> {
    // Groups that others manage there are none: IncludeManagedResources makes no difference.
    let wanted = it.auto_scaling_group_names.as_deref().unwrap_or_default();
    let found = service.groups.look(|state| {
        for name in wanted {
            if state.group(&names::key(cx, name)).is_none() {
                return Err(fault::no_group(name));
            }
        }
        let mut found = Vec::new();
        for (key, group) in state.groups_of(cx.account(), &cx.region) {
            if !wanted.is_empty() && !wanted.contains(&key.name) {
                continue;
            }
            for (topic, kinds) in group.notified() {
                for kind in kinds {
                    let (group, kind) = (key.name.clone(), name_of(*kind));
                    let shown = NotificationConfiguration {
                        auto_scaling_group_name: Some(group.clone()),
                        topic_arn: Some(topic.to_owned()),
                        notification_type: Some(kind.to_owned()),
                    };
                    found.push((format!("{group}\n{topic}\n{kind}"), shown));
                }
            }
        }
        Ok(found)
    })?;
    let Page { items, next } = page(found, it.next_token.as_deref(), it.max_records, PAGE)?;
    Ok(DescribeNotificationConfigurationsAnswer {
        notification_configurations: items,
        next_token: next,
    })
}

pub(super) fn types() -> DescribeAutoScalingNotificationTypesAnswer {
    let names = KINDS.iter().map(|(_, name)| (*name).to_owned()).collect();
    DescribeAutoScalingNotificationTypesAnswer { auto_scaling_notification_types: Some(names) }
}
