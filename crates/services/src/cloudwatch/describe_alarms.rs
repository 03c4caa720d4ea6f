//! DescribeAlarms and DescribeAlarmsForMetric: alarms by name, or by what they watch.

use std::collections::BTreeSet;

use tidemill_api::cloudwatch::{
    self as api, AlarmType, DescribeAlarmsForMetricInput, DescribeAlarmsForMetricOutput,
    DescribeAlarmsInput, DescribeAlarmsOutput,
};
use tidemill_metric::{Alarm, AlarmKey, Alarms, Measure, Source};
use tidemill_wire::Fault;

use super::alarm::Described;
use super::composite::Family;
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
    check(it)?;
    let related = it.children_of_alarm_name.is_some() || it.parents_of_alarm_name.is_some();
    let token = it.next_token.as_deref().filter(|token| !token.is_empty());
    // A token is the last name of the page before.
    let after = token.map(|token| token::read(token).ok_or_else(fault::bad_token)).transpose()?;
    let most = usize::try_from(it.max_records.unwrap_or(PAGE)).unwrap_or(1);
    let mut found: Vec<Described> = service.metrics.look(|state| {
        let alarms = state.alarms();
        let relatives = related.then(|| relatives(alarms, cx, it));
        let alarms = alarms.list(cx.account(), &cx.region, after.as_deref());
        let wanted = alarms.filter(|(key, alarm)| match &relatives {
            Some(relatives) => relatives.contains(&*key.name),
            None => wanted(it, key, alarm),
        });
        let described = wanted.map(|(key, alarm)| Described::of(cx, key, alarm));
        described.take(most + 1).collect()
    });
    let more = found.len() > most;
    found.truncate(most);
    let last = found.last().filter(|_| more).map(|alarm| token::write(alarm.name()));
    let mut output = DescribeAlarmsOutput {
        next_token: last,
        metric_alarms: Some(Vec::new()),
        composite_alarms: Some(Vec::new()),
        log_alarms: None,
    };
    for alarm in found {
        let with_state = it.children_of_alarm_name.is_some();
        match if related { alarm.shortened(with_state) } else { alarm } {
            Described::Metric(alarm) => output.metric_alarms.get_or_insert_default().push(*alarm),
            Described::Composite(alarm) => {
                output.composite_alarms.get_or_insert_default().push(*alarm);
            }
        }
    }
    Ok(output)
}

/// What does not go together.
fn check(it: &DescribeAlarmsInput) -> Result<(), Fault> {
    let names = it.alarm_names.as_ref().is_some_and(|names| !names.is_empty());
    let types = it.alarm_types.as_ref().is_some_and(|types| !types.is_empty());
    if names && it.alarm_name_prefix.is_some() {
        return Err(fault::validation(fault::both("AlarmNames", "AlarmNamePrefix")));
    }
    let relatives = [
        ("ChildrenOfAlarmName", it.children_of_alarm_name.is_some()),
        ("ParentsOfAlarmName", it.parents_of_alarm_name.is_some()),
    ];
    let others = [
        ("AlarmNames", names),
        ("AlarmNamePrefix", it.alarm_name_prefix.is_some()),
        ("AlarmTypes", types),
        ("StateValue", it.state_value.is_some()),
        ("ActionPrefix", it.action_prefix.is_some()),
    ];
    let mut given = relatives.iter().chain(&others).filter(|(_, given)| *given);
    match (given.next(), given.next()) {
        (Some((one, _)), Some((other, _))) if relatives.contains(&(one, true)) => {
            Err(fault::validation(fault::both(one, other)))
        }
        _ => Ok(()),
    }
}

/// The names of the alarms that watch one, or are watched by it.
fn relatives<'a>(
    alarms: &'a Alarms,
    cx: &Context<'_>,
    it: &DescribeAlarmsInput,
) -> BTreeSet<&'a str> {
    let family = |name: &str| Family::of(alarms, &alarm::key(cx, name));
    if let Some(name) = &it.children_of_alarm_name {
        return family(name).children(name).iter().copied().collect();
    }
    let name = it.parents_of_alarm_name.as_deref().unwrap_or_default();
    family(name).parents(name).iter().copied().collect()
}

fn wanted(it: &DescribeAlarmsInput, key: &AlarmKey, alarm: &Alarm) -> bool {
    let names = it.alarm_names.as_deref().filter(|names| !names.is_empty());
    let types = it.alarm_types.as_deref().filter(|types| !types.is_empty());
    let actions = || alarm.settings.actions.iter().flatten();
    let state = alarm::state_value(alarm.reason.standing);
    types
        .unwrap_or(&[AlarmType::MetricAlarm])
        .contains(&alarm::kind(alarm.settings.rule().is_some()))
        && names.is_none_or(|names| names.iter().any(|name| **name == *key.name))
        && it.alarm_name_prefix.as_ref().is_none_or(|prefix| key.name.starts_with(&**prefix))
        && it.state_value.as_ref().is_none_or(|wanted| *wanted == state)
        && it
            .action_prefix
            .as_ref()
            .is_none_or(|prefix| actions().any(|action| action.starts_with(&**prefix)))
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
    // An alarm on an expression is of no one metric.
    let wanted = |source: &Source| match source {
        Source::Queries(_) => false,
        Source::Metric(Measure { metric: watched, statistic: of, unit: only, period: span }) => {
            *watched == metric
                && statistic.is_none_or(|statistic| statistic == &**of)
                && unit.is_none_or(|unit| *only == Some(unit))
                && period.is_none_or(|period| span.as_secs() == period)
        }
    };
    let found = service.metrics.look(|state| {
        let alarms = state.alarms().list(cx.account(), &cx.region, None);
        let described = |(key, alarm): (&AlarmKey, &Alarm)| {
            let check = alarm.settings.check().filter(|check| wanted(&check.source))?;
            Some(alarm::describe_metric(cx, key, alarm, check))
        };
        alarms.filter_map(described).collect()
    });
    DescribeAlarmsForMetricOutput { metric_alarms: Some(found) }
}
