//! DescribeAlarmHistory: what happened to alarms, deleted ones too.

use serde_json::{Value, json};
use tidemill_api::cloudwatch::{
    AlarmHistoryItem, AlarmType, DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput,
    HistoryItemType, ScanBy,
};
use tidemill_metric::{Happening, HistoryItem, Reason};
use tidemill_wire::Fault;

use super::{CloudWatch, alarm, fault};
use crate::context::Context;
use crate::token;

/// Items of a page, if nobody says how many.
const PAGE: i32 = 100;
/// What a summary may have.
const SUMMARY: usize = 255;
/// What the data may have.
const DATA: usize = 4095;

pub(super) fn handle(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: &DescribeAlarmHistoryInput,
) -> Result<DescribeAlarmHistoryOutput, Fault> {
    let token = it.next_token.as_deref().filter(|token| !token.is_empty());
    let after = token.map(|token| read_token(token).ok_or_else(fault::bad_token)).transpose()?;
    let ascending = it.scan_by == Some(ScanBy::TimestampAscending);
    let types = it.alarm_types.as_deref().filter(|types| !types.is_empty());
    let types = types.unwrap_or(&[AlarmType::MetricAlarm]);
    // Contributors are what alarms of several series have: none of ours.
    let none = it.alarm_contributor_id.is_some();
    let most = usize::try_from(it.max_records.unwrap_or(PAGE)).unwrap_or(1);
    let wanted = |item: &HistoryItem| {
        !none
            && types.contains(&alarm::kind(item.composite))
            && (item.key.account, &item.key.region) == (cx.account(), &cx.region)
            && it.alarm_name.as_ref().is_none_or(|name| **name == *item.key.name)
            && it.history_item_type.as_ref().is_none_or(|kind| *kind == kind_of(&item.what))
            && it.start_date.is_none_or(|start| item.at >= start)
            && it.end_date.is_none_or(|end| item.at <= end)
            && after.is_none_or(|after| (item.number > after) == ascending && item.number != after)
    };
    let mut found: Vec<HistoryItem> = service.metrics.look(|state| {
        let history = state.alarms().history();
        let take = |items: &mut dyn Iterator<Item = &HistoryItem>| {
            items.filter(|item| wanted(item)).take(most + 1).cloned().collect()
        };
        if ascending { take(&mut { history }) } else { take(&mut history.rev()) }
    });
    let more = found.len() > most;
    found.truncate(most);
    let last = found.last().filter(|_| more);
    Ok(DescribeAlarmHistoryOutput {
        next_token: last.map(|item| token::write(&item.number.to_string())),
        alarm_history_items: Some(found.iter().map(described).collect()),
    })
}

fn kind_of(what: &Happening) -> HistoryItemType {
    match what {
        Happening::Created | Happening::Updated | Happening::Deleted => {
            HistoryItemType::ConfigurationUpdate
        }
        Happening::Turned { .. } => HistoryItemType::StateUpdate,
        Happening::Acted { .. } => HistoryItemType::Action,
    }
}

fn described(item: &HistoryItem) -> AlarmHistoryItem {
    let name = &item.key.name;
    let configured = |done: &str, kind: &str| {
        let data = json!({ "version": "1.0", "type": kind, "alarmArn": alarm::arn(&item.key) });
        (format!("Alarm \"{name}\" {done}"), data)
    };
    let (summary, data) = match &item.what {
        Happening::Created => configured("created", "Create"),
        Happening::Updated => configured("updated", "Update"),
        Happening::Deleted => configured("deleted", "Delete"),
        Happening::Turned { from, to } => {
            let value = |reason: &Reason| alarm::state_value(reason.standing);
            let summary = format!("Alarm updated from {} to {}", value(from), value(to));
            let (from, to) = (state(from), state(to));
            (summary, json!({ "version": "1.0", "oldState": from, "newState": to }))
        }
        Happening::Acted { action, turned, failure } => {
            let mut data = json!({
                "actionState": if failure.is_some() { "Failed" } else { "Succeeded" },
                "stateUpdateTimestamp": turned.as_millis(),
                "notificationResource": action,
            });
            match failure {
                None => (format!("Successfully executed action {action}"), data),
                Some(why) => {
                    data["error"] = (**why).into();
                    let told = format!("Failed to execute action {action}. Received error: ");
                    (format!("{told}\"{why}\""), data)
                }
            }
        }
    };
    AlarmHistoryItem {
        alarm_name: Some(name.to_string()),
        alarm_type: Some(alarm::kind(item.composite)),
        timestamp: Some(item.at),
        history_item_type: Some(kind_of(&item.what)),
        history_summary: Some(summary.chars().take(SUMMARY).collect()),
        history_data: Some(shortened(data)),
        ..AlarmHistoryItem::default()
    }
}

fn state(reason: &Reason) -> Value {
    let value = alarm::state_value(reason.standing);
    let mut state = json!({ "stateValue": value.as_str(), "stateReason": &*reason.text });
    let data = reason.data.as_deref().and_then(|data| serde_json::from_str::<Value>(data).ok());
    if let Some(data) = data {
        state["stateReasonData"] = data;
    }
    state
}

/// The data as text. What would be too long leaves out why, for programs.
fn shortened(mut data: Value) -> String {
    let whole = data.to_string();
    if whole.len() <= DATA {
        return whole;
    }
    for state in ["oldState", "newState"] {
        if let Some(state) = data.get_mut(state).and_then(Value::as_object_mut) {
            state.remove("stateReasonData");
        }
    }
    data.to_string()
}

/// A token is the number of the last item of the page before.
fn read_token(token: &str) -> Option<u64> {
    token::read(token)?.parse().ok()
}
