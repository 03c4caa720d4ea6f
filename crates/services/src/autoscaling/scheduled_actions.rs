//! PutScheduledUpdateGroupAction, DescribeScheduledActions, DeleteScheduledAction, and the same for
//! many at once.

use tidemill_api::autoscaling::{
    BatchDeleteScheduledActionAnswer, BatchDeleteScheduledActionType,
    BatchPutScheduledUpdateGroupActionAnswer, BatchPutScheduledUpdateGroupActionType,
    DeleteScheduledActionType, DescribeScheduledActionsType,
    FailedScheduledUpdateGroupActionRequest, PutScheduledUpdateGroupActionType,
    ScheduledActionsType, ScheduledUpdateGroupAction, ScheduledUpdateGroupActionRequest,
};
use tidemill_base::Timestamp;
use tidemill_scaling::Workers;
use tidemill_scaling::group::{GroupKey, NewScheduled, Scheduled};
use tidemill_wire::Fault;
use tracing::warn;

use super::page::{Page, page};
use super::{AutoScaling, fault, names, settings};
use crate::context::Context;

/// Actions of a page, and most of them.
const PAGE: (usize, usize) = (50, 100);
/// Most actions of one batch.
const BATCH: usize = 50;
/// Names of the one time zone that we know.
const UTC: [&str; 7] = ["UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "Etc/GMT", "GMT"];

pub(super) async fn put(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: PutScheduledUpdateGroupActionType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    fault::refuse(&[("Time", it.time.is_some())])?;
    let action = ScheduledUpdateGroupActionRequest {
        scheduled_action_name: it.scheduled_action_name,
        start_time: it.start_time,
        end_time: it.end_time,
        recurrence: it.recurrence,
        min_size: it.min_size,
        max_size: it.max_size,
        desired_capacity: it.desired_capacity,
        time_zone: it.time_zone,
    };
    let action = read(action, service.groups.now())?;
    service.groups.schedule(&key, vec![action]).await.map_err(fault::of)
}

pub(super) async fn put_many(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: BatchPutScheduledUpdateGroupActionType,
) -> Result<BatchPutScheduledUpdateGroupActionAnswer, Fault> {
    let count = it.scheduled_update_group_actions.len();
    let key = of_batch(service, cx, &it.auto_scaling_group_name, count)?;
    let mut failed = Vec::new();
    for action in it.scheduled_update_group_actions {
        let name = action.scheduled_action_name.clone();
        let done = match read(action, service.groups.now()) {
            Err(wrong) => Err(wrong),
            Ok(action) => service.groups.schedule(&key, vec![action]).await.map_err(fault::of),
        };
        failed.extend(done.err().map(|why| failure(name, &why)));
    }
    let failed = Some(failed);
    Ok(BatchPutScheduledUpdateGroupActionAnswer { failed_scheduled_update_group_actions: failed })
}

pub(super) async fn delete(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DeleteScheduledActionType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    service.groups.unschedule(&key, &it.scheduled_action_name).await.map_err(fault::of)
}

pub(super) async fn delete_many(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: BatchDeleteScheduledActionType,
) -> Result<BatchDeleteScheduledActionAnswer, Fault> {
    let count = it.scheduled_action_names.len();
    let key = of_batch(service, cx, &it.auto_scaling_group_name, count)?;
    let mut failed = Vec::new();
    for name in it.scheduled_action_names {
        let done = service.groups.unschedule(&key, &name).await.map_err(fault::of);
        failed.extend(done.err().map(|why| failure(name, &why)));
    }
    Ok(BatchDeleteScheduledActionAnswer { failed_scheduled_actions: Some(failed) })
}

pub(super) fn describe(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DescribeScheduledActionsType,
) -> Result<ScheduledActionsType, Fault> {
    let wanted = it.scheduled_action_names.as_deref().unwrap_or_default();
    let group = it.auto_scaling_group_name.as_deref();
    // Names say it all: times are looked at only where none are given.
    let in_time = |action: &Scheduled| {
        !wanted.is_empty()
            || (it.start_time.is_none_or(|start| action.next >= start)
                && it.end_time.is_none_or(|end| action.next <= end))
    };
    let found = service.groups.look(|state| {
        let mut found = Vec::new();
        for (key, it) in names::groups_named(state, cx, group)? {
            for (name, action) in it.scheduled_actions() {
                let named = wanted.is_empty() || wanted.iter().any(|it| it == name);
                if named && in_time(action) {
                    found.push((names::order(key, name), shown(key, name, action)));
                }
            }
        }
        Ok(found)
    })?;
    let Page { items, next } = page(found, it.next_token.as_deref(), it.max_records, PAGE)?;
    Ok(ScheduledActionsType { scheduled_update_group_actions: Some(items), next_token: next })
}

impl AutoScaling {
    /// Has groups do what is due by their schedules when it is `now`.
    pub async fn keep_schedules(&self, now: Timestamp) {
        if self.queues.failure().is_some() {
            return;
        }
        if let Err(error) = self.groups.keep_schedules(now).await {
            warn!(%error, "scheduled actions were not looked after");
        }
    }
}

/// The group of a batch of so many actions.
fn of_batch(
    service: &AutoScaling,
    cx: &Context<'_>,
    group: &str,
    count: usize,
) -> Result<GroupKey, Fault> {
    let key = names::key(cx, group);
    if service.groups.look(|state| state.group(&key).is_none()) {
        return Err(fault::no_group(group));
    }
    if count > BATCH {
        return Err(fault::validation(format!("A batch has at most {BATCH} scheduled actions.")));
    }
    Ok(key)
}

fn failure(name: String, why: &Fault) -> FailedScheduledUpdateGroupActionRequest {
    FailedScheduledUpdateGroupActionRequest {
        scheduled_action_name: name,
        error_code: Some(why.error.code.to_owned()),
        error_message: Some(why.message.to_string()),
    }
}

fn read(
    it: ScheduledUpdateGroupActionRequest,
    now: Timestamp,
) -> Result<(String, NewScheduled), Fault> {
    if it.scheduled_action_name.contains(':') {
        return Err(fault::validation("ScheduledActionName cannot contain a colon."));
    }
    if it.recurrence.is_none() && it.start_time.is_none() {
        let message = "At least one of StartTime and Recurrence must be specified.";
        return Err(fault::validation(message));
    }
    if it.start_time.is_some_and(|start| start <= now) {
        return Err(fault::validation("Given start time is in the past"));
    }
    if it.end_time.is_some_and(|end| end <= now) {
        return Err(fault::validation("Given end time is in the past"));
    }
    if it.start_time.zip(it.end_time).is_some_and(|(start, end)| end < start) {
        return Err(fault::validation("Given end time is before the start time"));
    }
    if let Some(zone) = it.time_zone.as_deref().filter(|zone| !UTC.contains(zone)) {
        return Err(fault::validation(format!(
            "TimeZone {zone} is not supported by Tidemill, which schedules by UTC."
        )));
    }
    let size = |name, given: Option<i32>| {
        given.map(|given| settings::number(name, given).map(Workers::new)).transpose()
    };
    let sizes = [
        size("MinSize", it.min_size)?,
        size("MaxSize", it.max_size)?,
        size("DesiredCapacity", it.desired_capacity)?,
    ];
    if sizes.iter().all(Option::is_none) {
        return Err(fault::validation(
            "At least one of MinSize, MaxSize and DesiredCapacity must be specified.",
        ));
    }
    if let [Some(min), Some(max), _] = sizes
        && min > max
    {
        return Err(fault::validation("MinSize cannot be greater than MaxSize."));
    }
    let (start, end) = (it.start_time, it.end_time);
    let new = NewScheduled { start, end, recurrence: it.recurrence, zone: it.time_zone, sizes };
    Ok((it.scheduled_action_name, new))
}

fn arn(key: &GroupKey, name: &str, action: &Scheduled) -> String {
    let GroupKey { account, region, name: group } = key;
    let id = action.id;
    format!(
        "arn:aws:autoscaling:{region}:{account}:scheduledUpdateGroupAction:{id}:\
         autoScalingGroupName/{group}:scheduledActionName/{name}"
    )
}

fn shown(key: &GroupKey, name: &str, it: &Scheduled) -> ScheduledUpdateGroupAction {
    let size = |size: Option<Workers>| size.and_then(|size| i32::try_from(size.count()).ok());
    ScheduledUpdateGroupAction {
        auto_scaling_group_name: Some(key.name.clone()),
        scheduled_action_name: Some(name.to_owned()),
        scheduled_action_arn: Some(arn(key, name, it)),
        // When it is next.
        time: Some(it.next),
        start_time: Some(it.next),
        end_time: it.end,
        recurrence: it.recurrence.clone(),
        min_size: size(it.min),
        max_size: size(it.max),
        desired_capacity: size(it.desired),
        time_zone: it.zone.clone(),
    }
}
