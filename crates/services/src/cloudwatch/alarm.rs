//! Alarms as the wire has them.

use tidemill_api::cloudwatch::{
    AlarmType, ComparisonOperator, CompositeAlarm, MetricAlarm, StateValue, Statistic,
};
use tidemill_metric::{
    Alarm, AlarmKey, Check, Comparison, Measure, Missing, Source, Standing, Watched,
};
use tidemill_wire::Fault;

use super::{alarm_queries, fault, names};
use crate::context::Context;

/// Refuses what XML cannot say in what an alarm is called, and in what is said of it.
pub(super) fn check_texts(name: &str, description: Option<&str>) -> Result<(), Fault> {
    names::check(name, "AlarmName")
        .and_then(|()| names::check_text(description.unwrap_or_default(), "AlarmDescription"))
        .map_err(fault::validation)
}

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

/// How values are held against a threshold.
pub(super) fn comparison(comparison: Comparison) -> ComparisonOperator {
    match comparison {
        Comparison::AtLeast => ComparisonOperator::GreaterThanOrEqualToThreshold,
        Comparison::Above => ComparisonOperator::GreaterThanThreshold,
        Comparison::Below => ComparisonOperator::LessThanThreshold,
        Comparison::AtMost => ComparisonOperator::LessThanOrEqualToThreshold,
    }
}

/// Which kind an alarm is.
pub(super) fn kind(composite: bool) -> AlarmType {
    if composite { AlarmType::CompositeAlarm } else { AlarmType::MetricAlarm }
}

/// The ARN of an alarm.
pub(super) fn arn(key: &AlarmKey) -> String {
    format!("arn:aws:cloudwatch:{}:{}:alarm:{}", key.region, key.account, key.name)
}

/// An alarm, described: one of the two kinds.
pub(super) enum Described {
    Metric(Box<MetricAlarm>),
    Composite(Box<CompositeAlarm>),
}

impl Described {
    pub(super) fn of(cx: &Context<'_>, key: &AlarmKey, alarm: &Alarm) -> Self {
        match &alarm.settings.watched {
            Watched::Values(check) => {
                Self::Metric(Box::new(describe_metric(cx, key, alarm, check)))
            }
            Watched::Alarms(rule) => {
                Self::Composite(Box::new(describe_composite(key, alarm, rule)))
            }
        }
    }

    pub(super) fn name(&self) -> &str {
        let name = match self {
            Self::Metric(alarm) => &alarm.alarm_name,
            Self::Composite(alarm) => &alarm.alarm_name,
        };
        name.as_deref().unwrap_or_default()
    }

    /// As one is described by which alarms it is related to: only its name and ARN, and how it
    /// stands, if that is asked for.
    pub(super) fn shortened(self, with_state: bool) -> Self {
        let value = |value| if with_state { value } else { None };
        let at = |at| if with_state { at } else { None };
        match self {
            Self::Metric(it) => Self::Metric(Box::new(MetricAlarm {
                alarm_name: it.alarm_name,
                alarm_arn: it.alarm_arn,
                state_value: value(it.state_value),
                state_updated_timestamp: at(it.state_updated_timestamp),
                ..MetricAlarm::default()
            })),
            Self::Composite(it) => Self::Composite(Box::new(CompositeAlarm {
                alarm_name: it.alarm_name,
                alarm_arn: it.alarm_arn,
                state_value: value(it.state_value),
                state_updated_timestamp: at(it.state_updated_timestamp),
                ..CompositeAlarm::default()
            })),
        }
    }
}

fn actions(alarm: &Alarm, standing: Standing) -> Vec<String> {
    alarm.settings.actions[standing as usize].iter().map(ToString::to_string).collect()
}

/// What is described of an alarm of either kind.
macro_rules! described {
    ($kind:ident, $key:expr, $alarm:expr) => {{
        let (key, alarm): (&AlarmKey, &Alarm) = ($key, $alarm);
        let Alarm { settings, configured, reason, updated, turned, tags: _ } = alarm;
        $kind {
            alarm_name: Some(key.name.to_string()),
            alarm_arn: Some(arn(key)),
            alarm_description: settings.description.as_deref().map(str::to_owned),
            alarm_configuration_updated_timestamp: Some(*configured),
            actions_enabled: Some(settings.actions_enabled),
            ok_actions: Some(actions(alarm, Standing::Fine)),
            alarm_actions: Some(actions(alarm, Standing::Alarming)),
            insufficient_data_actions: Some(actions(alarm, Standing::Unknown)),
            state_value: Some(state_value(reason.standing)),
            state_reason: Some(reason.text.to_string()),
            state_reason_data: reason.data.as_deref().map(str::to_owned),
            state_updated_timestamp: Some(*updated),
            state_transitioned_timestamp: Some(*turned),
            ..$kind::default()
        }
    }};
}

fn describe_composite(key: &AlarmKey, alarm: &Alarm, rule: &str) -> CompositeAlarm {
    let alarm_rule = Some(rule.to_owned());
    CompositeAlarm { alarm_rule, ..described!(CompositeAlarm, key, alarm) }
}

/// An alarm on a metric or an expression, described.
pub(super) fn describe_metric(
    cx: &Context<'_>,
    key: &AlarmKey,
    alarm: &Alarm,
    check: &Check,
) -> MetricAlarm {
    let number = |number: u32| i32::try_from(number).ok();
    let missing = |missing: Missing| {
        MISSING.iter().find(|(one, _)| *one == missing).map(|(_, name)| (*name).to_owned())
    };
    let few = |count: bool| if count { "evaluate" } else { "ignore" }.to_owned();
    let described = MetricAlarm {
        evaluation_periods: number(check.periods),
        datapoints_to_alarm: check.breaching.and_then(number),
        threshold: Some(check.threshold),
        comparison_operator: Some(comparison(check.comparison)),
        treat_missing_data: check.missing.and_then(missing),
        evaluate_low_sample_count_percentile: check.few_values_count.map(few),
        ..described!(MetricAlarm, key, alarm)
    };
    let Measure { metric, statistic, unit, period } = match &check.source {
        Source::Metric(measure) => measure,
        Source::Queries(queries) => {
            let metrics = Some(alarm_queries::write(queries, cx));
            return MetricAlarm { metrics, ..described };
        }
    };
    let plain = super::statistic::Statistic::read_percentile(statistic).is_none();
    MetricAlarm {
        metric_name: Some(metric.name.to_string()),
        namespace: Some(metric.namespace.to_string()),
        statistic: plain.then(|| Statistic::from(&**statistic)),
        extended_statistic: (!plain).then(|| statistic.to_string()),
        dimensions: Some(names::write_dimensions(metric.dimensions())),
        period: i32::try_from(period.as_secs()).ok(),
        unit: unit.map(names::write_unit),
        ..described
    }
}
