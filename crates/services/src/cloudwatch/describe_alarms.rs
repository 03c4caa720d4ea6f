//! DescribeAlarms and DescribeAlarmsForMetric: alarms by name, or by what they watch.

use tidemill_api::cloudwatch::{
    self as api, AlarmType, DescribeAlarmsForMetricInput, DescribeAlarmsForMetricOutput,
    DescribeAlarmsInput, DescribeAlarmsOutput,
};
use tidemill_metric::{Alarm, AlarmKey};
use tidemill_wire::Fault;

use super::{CloudWatch, alarm, fault, names};
use crate::context::Context;
use crate::token;

/// Alarms of a page, if nobody says how many.
const PAGE: i32 = 50;

pub(super) fn handle(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: &DescribeAlarmsInput,
) -> Result<DescribeAlarmsOutput, Fault> {
    let names = it.alarm_names.as_deref().filter(|names| !names.is_empty());
    if names.is_some() && it.alarm_name_prefix.is_some() {
        return Err(fault::validation(fault::both("AlarmNames", "AlarmNamePrefix")));
    }
    let types = it.alarm_types.as_deref().filter(|types| !types.is_empty());
    // There are no composite alarms, so that none has children or parents.
    let none = it.children_of_alarm_name.is_some()
        || it.parents_of_alarm_name.is_some()
        || types.is_some_and(|types| !types.contains(&AlarmType::MetricAlarm));
    let token = it.next_token.as_deref().filter(|token| !token.is_empty());
    // A token is the last name of the page before.
    let after = token.map(|token| token::read(token).ok_or_else(fault::bad_token)).transpose()?;
    let most = usize::try_from(it.max_records.unwrap_or(PAGE)).unwrap_or(1);
    let wanted = |key: &AlarmKey, alarm: &Alarm| {
        let actions = || alarm.settings.actions.iter().flatten();
        !none
            && names.is_none_or(|names| names.iter().any(|name| **name == *key.name))
            && it.alarm_name_prefix.as_ref().is_none_or(|prefix| key.name.starts_with(&**prefix))
            && it
                .state_value
                .as_ref()
                .is_none_or(|state| *state == alarm::state_value(alarm.reason.standing))
            && it
                .action_prefix
                .as_ref()
                .is_none_or(|prefix| actions().any(|action| action.starts_with(&**prefix)))
    };
    let mut found: Vec<_> = service.metrics.look(|state| {
        let alarms = state.alarms().list(cx.account(), &cx.region, after.as_deref());
        let alarms = alarms.filter(|(key, alarm)| wanted(key, alarm)).take(most + 1);
        alarms.map(|(key, alarm)| alarm::describe(key, alarm)).collect()
    });
    let more = found.len() > most;
    found.truncate(most);
    let last = found.last().filter(|_| more).and_then(|alarm| alarm.alarm_name.as_deref());
    Ok(DescribeAlarmsOutput {
        next_token: last.map(token::write),
        metric_alarms: Some(found),
        composite_alarms: Some(Vec::new()),
        log_alarms: None,
    })
}

pub(super) fn for_metric(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: &DescribeAlarmsForMetricInput,
) -> DescribeAlarmsForMetricOutput {
    let metric = names::key(cx, &it.namespace, &it.metric_name, it.dimensions.as_ref());
    let statistic = it.statistic.as_ref().map(api::Statistic::as_str);
    let statistic = statistic.or(it.extended_statistic.as_deref());
    let unit = it.unit.as_ref().map(names::unit);
    let period = it.period.and_then(|period| u64::try_from(period).ok());
    let wanted = |alarm: &Alarm| {
        let settings = &alarm.settings;
        settings.metric == metric
            && statistic.is_none_or(|statistic| statistic == &*settings.statistic)
            && unit.is_none_or(|unit| settings.unit == Some(unit))
            && period.is_none_or(|period| settings.period.as_secs() == period)
    };
    let found = service.metrics.look(|state| {
        let alarms = state.alarms().list(cx.account(), &cx.region, None);
        let alarms = alarms.filter(|(_, alarm)| wanted(alarm));
        alarms.map(|(key, alarm)| alarm::describe(key, alarm)).collect()
    });
    DescribeAlarmsForMetricOutput { metric_alarms: Some(found) }
}
