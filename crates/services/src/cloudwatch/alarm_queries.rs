//! The queries of an alarm on an expression, between the wire and the engine.

use std::time::Duration;

use tidemill_api::cloudwatch::{self as api, MetricDataQuery, MetricStat};
use tidemill_metric::{Gives, Measure, Query};
use tidemill_wire::Fault;

use super::{fault, measure, names, query, span};
use crate::context::Context;

/// Reads what an alarm is to watch.
///
/// # Errors
/// If it cannot.
pub(super) fn read(cx: &Context<'_>, given: &[MetricDataQuery]) -> Result<Vec<Query>, Fault> {
    let read = |(it, index): (&MetricDataQuery, usize)| {
        let place = format!("Metrics.member.{index}");
        query::check(it, &place)?;
        if it.account_id.as_ref().is_some_and(|id| *id != cx.account().to_string()) {
            return Err(fault::validation(format!(
                "The parameter {place}.AccountId is not understood yet: an alarm of Tidemill \
                 watches its own account."
            )));
        }
        Ok(Query {
            id: it.id.as_str().into(),
            label: it.label.as_deref().map(Box::from),
            returned: it.return_data.unwrap_or(true),
            own_account: it.account_id.is_some(),
            gives: match &it.metric_stat {
                Some(stat) => Gives::Measure(read_stat(cx, stat, &place)?),
                None => Gives::Expression {
                    text: it.expression.as_deref().unwrap_or_default().into(),
                    period: it.period.map(span::alarm_period).transpose()?,
                },
            },
        })
    };
    let queries: Vec<Query> = given.iter().zip(1..).map(read).collect::<Result<_, _>>()?;
    measure::check_queries(&queries)?;
    Ok(queries)
}

fn read_stat(cx: &Context<'_>, stat: &MetricStat, place: &str) -> Result<Measure, Fault> {
    query::check_stat(stat, place)?;
    let period = span::alarm_period(stat.period)?;
    let metric = query::metric(cx, stat, place)?;
    names::check_distinct(metric.dimensions()).map_err(fault::validation)?;
    let unit = stat.unit.as_ref().map(names::unit);
    Ok(Measure { metric, statistic: stat.stat.as_str().into(), unit, period })
}

/// What an alarm watches, as its owner gave it.
pub(super) fn write(queries: &[Query], cx: &Context<'_>) -> Vec<MetricDataQuery> {
    let seconds = |period: Duration| i32::try_from(period.as_secs()).unwrap_or(i32::MAX);
    let write = |it: &Query| {
        let mut written = MetricDataQuery {
            id: it.id.to_string(),
            label: it.label.as_deref().map(str::to_owned),
            return_data: Some(it.returned),
            account_id: it.own_account.then(|| cx.account().to_string()),
            ..MetricDataQuery::default()
        };
        match &it.gives {
            Gives::Measure(Measure { metric, statistic, unit, period }) => {
                written.metric_stat = Some(MetricStat {
                    metric: api::Metric {
                        namespace: Some(metric.namespace.to_string()),
                        metric_name: Some(metric.name.to_string()),
                        dimensions: Some(names::write_dimensions(metric.dimensions())),
                    },
                    period: seconds(*period),
                    stat: statistic.to_string(),
                    unit: unit.map(names::write_unit),
                });
            }
            Gives::Expression { text, period } => {
                written.expression = Some(text.to_string());
                written.period = period.map(seconds);
            }
        }
        written
    };
    queries.iter().map(write).collect()
}
