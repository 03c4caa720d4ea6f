//! What a query of GetMetricData or of an alarm may be: a metric's statistic, or an expression.

use std::time::Duration;

use tidemill_api::cloudwatch::{MetricDataQuery, MetricStat};
use tidemill_metric::MetricKey;
use tidemill_wire::Fault;

use super::statistic::Statistic;
use super::{fault, names, span};
use crate::context::Context;

/// What a query may be: one metric or an expression, and what it is to be called.
pub(super) fn check(query: &MetricDataQuery, place: &str) -> Result<(), Fault> {
    let id = &query.id;
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !id.chars().all(inner) {
        return Err(fault::validation(format!(
            "The value {id} for parameter {place}.Id is not matching the expected pattern \
             ^[a-z][a-zA-Z0-9_]*$."
        )));
    }
    let (expression, stat) = (format!("{place}.Expression"), format!("{place}.MetricStat"));
    let texts = [("Expression", &query.expression), ("Label", &query.label)];
    for (name, text) in texts {
        let text = text.as_deref().unwrap_or_default();
        names::check_text(text, &format!("{place}.{name}")).map_err(fault::validation)?;
    }
    match (&query.expression, &query.metric_stat) {
        (Some(_), Some(_)) => return Err(fault::validation(fault::both(&expression, &stat))),
        (None, None) => {
            let either = format!("At least one of the parameters {expression} or {stat}");
            return Err(fault::validation(format!("{either} must be specified.")));
        }
        (Some(_), None) if query.account_id.is_some() => {
            let account = format!("{place}.AccountId");
            return Err(fault::validation(fault::both(&account, &expression)));
        }
        (None, Some(_)) if query.period.is_some() => {
            let period = format!("{place}.Period");
            return Err(fault::validation(fault::both(&period, &stat)));
        }
        _ => {}
    }
    if query.label.as_ref().is_some_and(|label| label.contains("${")) {
        return Err(fault::validation(format!(
            "The parameter {place}.Label is not understood yet: Tidemill fills in no labels."
        )));
    }
    Ok(())
}

/// The statistic and the period that a query asks for.
pub(super) fn check_stat(stat: &MetricStat, place: &str) -> Result<(Statistic, Duration), Fault> {
    let statistic = Statistic::read(&stat.stat).ok_or_else(|| {
        let place = format!("{place}.MetricStat.Stat");
        fault::validation(format!(
            "The value {} for parameter {place} is not supported.",
            stat.stat
        ))
    })?;
    let period = span::period(stat.period).ok_or_else(|| {
        let place = format!("{place}.MetricStat.Period");
        fault::validation(format!(
            "The parameter {place} must be 1, 5, 10, 20, 30 or a multiple of 60."
        ))
    })?;
    Ok((statistic, period))
}

/// The metric that a query asks for.
pub(super) fn metric(cx: &Context<'_>, stat: &MetricStat, place: &str) -> Result<MetricKey, Fault> {
    match (&stat.metric.namespace, &stat.metric.metric_name) {
        (Some(namespace), Some(name)) => {
            let key = names::key(cx, namespace, name, stat.metric.dimensions.as_ref());
            let place = format!("{place}.MetricStat.Metric.");
            names::check_metric(&key, &place).map_err(fault::validation)?;
            Ok(key)
        }
        (None, _) => Err(required(&format!("{place}.MetricStat.Metric.Namespace"))),
        (_, None) => Err(required(&format!("{place}.MetricStat.Metric.MetricName"))),
    }
}

fn required(parameter: &str) -> Fault {
    fault::validation(format!("The parameter {parameter} is required."))
}
