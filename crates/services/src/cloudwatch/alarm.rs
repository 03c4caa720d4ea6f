//! Alarms as the wire has them.

use tidemill_api::cloudwatch::{ComparisonOperator, MetricAlarm, StateValue, Statistic};
use tidemill_metric::{Alarm, AlarmKey, Comparison, Missing, Standing};

use super::names;
use crate::context::Context;

/// The caller's alarm of this name.
pub(super) fn key(cx: &Context<'_>, name: &str) -> AlarmKey {
    AlarmKey { account: cx.account(), region: cx.region.clone(), name: name.into() }
}

/// What a period without a value counts as, by its name.
pub(super) const MISSING: [(Missing, &str); 4] = [
    (Missing::Breaching, "breaching"),
    (Missing::NotBreaching, "notBreaching"),
    (Missing::Ignored, "ignore"),
    (Missing::Missing, "missing"),
];

pub(super) fn state_value(standing: Standing) -> StateValue {
    match standing {
        Standing::Fine => StateValue::Ok,
        Standing::Alarming => StateValue::Alarm,
        Standing::Unknown => StateValue::InsufficientData,
    }
}

/// The ARN of an alarm.
pub(super) fn arn(key: &AlarmKey) -> String {
    format!("arn:aws:cloudwatch:{}:{}:alarm:{}", key.region, key.account, key.name)
}

/// An alarm, described.
pub(super) fn describe(key: &AlarmKey, alarm: &Alarm) -> MetricAlarm {
    let Alarm { settings, configured, reason, updated, turned, tags: _ } = alarm;
    let number = |number: u32| i32::try_from(number).ok();
    let actions = |standing: Standing| {
        let actions = &settings.actions[standing as usize];
        Some(actions.iter().map(ToString::to_string).collect())
    };
    let plain = super::statistic::Statistic::read_percentile(&settings.statistic).is_none();
    let missing = |missing: Missing| {
        MISSING.iter().find(|(one, _)| *one == missing).map(|(_, name)| (*name).to_owned())
    };
    let few = |count: bool| if count { "evaluate" } else { "ignore" }.to_owned();
    MetricAlarm {
        alarm_name: Some(key.name.to_string()),
        alarm_arn: Some(arn(key)),
        alarm_description: settings.description.as_deref().map(str::to_owned),
        alarm_configuration_updated_timestamp: Some(*configured),
        actions_enabled: Some(settings.actions_enabled),
        ok_actions: actions(Standing::Fine),
        alarm_actions: actions(Standing::Alarming),
        insufficient_data_actions: actions(Standing::Unknown),
        state_value: Some(state_value(reason.standing)),
        state_reason: Some(reason.text.to_string()),
        state_reason_data: reason.data.as_deref().map(str::to_owned),
        state_updated_timestamp: Some(*updated),
        state_transitioned_timestamp: Some(*turned),
        metric_name: Some(settings.metric.name.to_string()),
        namespace: Some(settings.metric.namespace.to_string()),
        statistic: plain.then(|| Statistic::from(&*settings.statistic)),
        extended_statistic: (!plain).then(|| settings.statistic.to_string()),
        dimensions: Some(names::write_dimensions(settings.metric.dimensions())),
        period: i32::try_from(settings.period.as_secs()).ok(),
        unit: settings.unit.map(names::write_unit),
        evaluation_periods: number(settings.periods),
        datapoints_to_alarm: settings.breaching.and_then(number),
        threshold: Some(settings.threshold),
        comparison_operator: Some(match settings.comparison {
            Comparison::AtLeast => ComparisonOperator::GreaterThanOrEqualToThreshold,
            Comparison::Above => ComparisonOperator::GreaterThanThreshold,
            Comparison::Below => ComparisonOperator::LessThanThreshold,
            Comparison::AtMost => ComparisonOperator::LessThanOrEqualToThreshold,
        }),
        treat_missing_data: settings.missing.and_then(missing),
        evaluate_low_sample_count_percentile: settings.few_values_count.map(few),
        ..MetricAlarm::default()
    }
}
