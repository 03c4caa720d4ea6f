//! PutMetricAlarm: makes an alarm on a metric or an expression, or sets it to something else.

use std::time::Duration;

use tidemill_api::cloudwatch::{ComparisonOperator, PutMetricAlarmInput};
use tidemill_metric::{
    AlarmKey, AlarmSettings, Alarms, Check, Comparison, Measure, Missing, Source, Tags, Watched,
};
use tidemill_wire::Fault;

use super::action::Action;
use super::statistic::Statistic;
use super::{CloudWatch, alarm, alarm_queries, fault, names, span, tags};
use crate::context::Context;

/// Most alarms of an account in a region.
const ALARMS: usize = 5000;

pub(super) async fn handle(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: PutMetricAlarmInput,
) -> Result<(), Fault> {
    service.may_change()?;
    refuse_unknown(&it)?;
    alarm::check_texts(&it.alarm_name, it.alarm_description.as_deref())?;
    let key = alarm::key(cx, &it.alarm_name);
    let tags = tags::read(it.tags.clone().unwrap_or_default()).map_err(fault::validation)?;
    let settings = settings(cx, it)?;
    service.to_the_end(|service| put(service, key, settings, tags)).await
}

async fn put(
    service: CloudWatch,
    key: AlarmKey,
    settings: AlarmSettings,
    tags: Tags,
) -> Result<(), Fault> {
    let _alone = service.alone().await;
    service.metrics.look(|state| {
        let alarms = state.alarms();
        if alarms.find(&key).is_some_and(|alarm| alarm.settings.rule().is_some()) {
            return Err(fault::validation(format!(
                "{} is the name of a composite alarm: it cannot become a metric one.",
                key.name
            )));
        }
        check_room(alarms, &key)
    })?;
    let put = service.metrics.put_alarm(key, settings, tags).await;
    put.map_err(|error| fault::of_alarms(&error))
}

/// Whether there may be this alarm, too.
pub(super) fn check_room(alarms: &Alarms, key: &AlarmKey) -> Result<(), Fault> {
    let count = || alarms.list(key.account, &key.region, None).count();
    if alarms.find(key).is_none() && count() >= ALARMS {
        return Err(fault::too_many_alarms(ALARMS));
    }
    Ok(())
}

/// What we cannot do is refused by its name, rather than left undone.
fn refuse_unknown(it: &PutMetricAlarmInput) -> Result<(), Fault> {
    let given = [
        ("ThresholdMetricId", it.threshold_metric_id.is_some()),
        ("EvaluationWindow", it.evaluation_window.is_some()),
        ("WarmUpConfiguration", it.warm_up_configuration.is_some()),
        ("EvaluationCriteria", it.evaluation_criteria.is_some()),
        ("EvaluationInterval", it.evaluation_interval.is_some()),
        ("ActionConfiguration", it.action_configuration.is_some()),
    ];
    match names::first_given(&given) {
        Some(name) => Err(fault::validation(format!(
            "The parameter {name} is not understood yet: alarms of Tidemill hold one metric or \
             expression against a number."
        ))),
        None => Ok(()),
    }
}

fn settings(cx: &Context<'_>, it: PutMetricAlarmInput) -> Result<AlarmSettings, Fault> {
    let source = match it.metrics.as_deref().filter(|list| !list.is_empty()) {
        Some(queries) => {
            refuse_with_metrics(&it)?;
            Source::Queries(alarm_queries::read(cx, queries)?)
        }
        None => Source::Metric(measure(cx, &it)?),
    };
    let periods = required(it.evaluation_periods, "EvaluationPeriods")?;
    if it.datapoints_to_alarm.is_some_and(|needed| needed > periods) {
        return Err(fault::validation(
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
        ));
    }
    let actions = actions(cx, [it.ok_actions, it.alarm_actions, it.insufficient_data_actions])?;
    let threshold = required(it.threshold, "Threshold")?;
    if !threshold.is_finite() {
        return Err(fault::validation(fault::bad_value(threshold, "Threshold")));
    }
    let few_values = it.evaluate_low_sample_count_percentile.as_deref().map(few_values);
    let check = Check {
        source,
        periods: u32::try_from(periods).unwrap_or(1),
        breaching: it.datapoints_to_alarm.and_then(|needed| u32::try_from(needed).ok()),
        threshold,
        comparison: comparison(&required(it.comparison_operator, "ComparisonOperator")?)?,
        missing: it.treat_missing_data.as_deref().map(missing).transpose()?,
        few_values_count: few_values.transpose()?,
    };
    check_span(check.period(), periods)?;
    Ok(AlarmSettings {
        description: it.alarm_description.map(String::into_boxed_str),
        actions_enabled: it.actions_enabled.unwrap_or(true),
        actions,
        watched: Watched::Values(check),
    })
}

/// What is part of each query is not given beside them.
fn refuse_with_metrics(it: &PutMetricAlarmInput) -> Result<(), Fault> {
    let given = [
        ("MetricName", it.metric_name.is_some()),
        ("Namespace", it.namespace.is_some()),
        ("Dimensions", it.dimensions.as_ref().is_some_and(|list| !list.is_empty())),
        ("Period", it.period.is_some()),
        ("Unit", it.unit.is_some()),
        ("Statistic", it.statistic.is_some()),
        ("ExtendedStatistic", it.extended_statistic.is_some()),
        ("EvaluateLowSampleCountPercentile", it.evaluate_low_sample_count_percentile.is_some()),
    ];
    match names::first_given(&given) {
        Some(name) => {
            Err(fault::validation(format!("{name} should not be set if list of Metrics is set.")))
        }
        None => Ok(()),
    }
}

/// The one metric of an alarm that is not on an expression.
fn measure(cx: &Context<'_>, it: &PutMetricAlarmInput) -> Result<Measure, Fault> {
    let statistic = statistic(it)?;
    let namespace = required(it.namespace.as_deref(), "Namespace")?;
    let name = required(it.metric_name.as_deref(), "MetricName")?;
    let seconds = required(it.period, "Period")?;
    let period = span::alarm_period(seconds)?;
    let metric = names::key(cx, namespace, name, it.dimensions.as_ref());
    names::check_distinct(metric.dimensions())
        .and_then(|()| names::check_metric(&metric, ""))
        .map_err(fault::validation)?;
    Ok(Measure { metric, statistic, unit: it.unit.as_ref().map(names::unit), period })
}

/// What an alarm does when it becomes fine, alarming, unknown.
pub(super) fn actions(
    cx: &Context<'_>,
    given: [Option<Vec<String>>; 3],
) -> Result<[Vec<Box<str>>; 3], Fault> {
    let actions = given.map(|list| {
        list.unwrap_or_default().into_iter().map(String::into_boxed_str).collect::<Vec<_>>()
    });
    for action in actions.iter().flatten() {
        names::check(action, "Actions").map_err(fault::validation)?;
        Action::read(action, &cx.region)?;
    }
    Ok(actions)
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, Fault> {
    value.ok_or_else(|| fault::validation(format!("The parameter {name} is required.")))
}

fn statistic(it: &PutMetricAlarmInput) -> Result<Box<str>, Fault> {
    match (&it.statistic, &it.extended_statistic) {
        (Some(_), Some(_)) => Err(fault::validation(fault::both("Statistic", "ExtendedStatistic"))),
        (Some(plain), None) => Ok(plain.as_str().into()),
        (None, Some(extended)) if Statistic::read_percentile(extended).is_some() => {
            Ok(extended.as_str().into())
        }
        (None, Some(extended)) => {
            Err(fault::validation(fault::bad_value(extended, "ExtendedStatistic")))
        }
        (None, None) => Err(fault::validation(
            "At least one of the parameters Statistic and ExtendedStatistic must be specified.",
        )),
    }
}

/// All periods together are a day, or a week where each is an hour or more.
fn check_span(period: Duration, periods: i32) -> Result<(), Fault> {
    let hourly = period >= Duration::from_hours(1);
    let (most, told) = if hourly { (7 * 86_400, "7 days") } else { (86_400, "a day") };
    if period.as_secs().saturating_mul(u64::try_from(periods).unwrap_or(0)) <= most {
        return Ok(());
    }
    Err(fault::validation(format!(
        "Metrics cannot be checked across more than {told} (EvaluationPeriods * Period must be \
         <= {most})."
    )))
}

fn comparison(operator: &ComparisonOperator) -> Result<Comparison, Fault> {
    Ok(match operator {
        ComparisonOperator::GreaterThanOrEqualToThreshold => Comparison::AtLeast,
        ComparisonOperator::GreaterThanThreshold => Comparison::Above,
        ComparisonOperator::LessThanThreshold => Comparison::Below,
        ComparisonOperator::LessThanOrEqualToThreshold => Comparison::AtMost,
        other => {
            return Err(fault::validation(format!(
                "The value {other} for parameter ComparisonOperator is not understood yet: there \
                 are no bands."
            )));
        }
    })
}

fn missing(text: &str) -> Result<Missing, Fault> {
    alarm::MISSING.iter().find(|(_, name)| *name == text).map(|(missing, _)| *missing).ok_or_else(
        || {
            fault::validation(format!(
                "The value {text} is not supported for TreatMissingData parameter. Supported \
                 values are [breaching, notBreaching, ignore, missing]."
            ))
        },
    )
}

fn few_values(text: &str) -> Result<bool, Fault> {
    match text {
        "evaluate" => Ok(true),
        "ignore" => Ok(false),
        _ => Err(fault::validation(format!(
            "Option {text} is not supported. Supported options for parameter \
             EvaluateLowSampleCountPercentile are evaluate and ignore."
        ))),
    }
}
