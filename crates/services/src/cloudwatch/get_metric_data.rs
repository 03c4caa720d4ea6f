//! GetMetricData: statistics of many metrics, a list of times and values each.

use std::time::Duration;

use tidemill_api::cloudwatch::{
    GetMetricDataInput, GetMetricDataOutput, MetricDataQuery, MetricDataResult, MetricStat, ScanBy,
    StatusCode,
};
use tidemill_base::Timestamp;
use tidemill_wire::Fault;

use super::expressions::{self, Sheet};
use super::statistic::Statistic;
use super::{CloudWatch, fault, names, span};
use crate::context::Context;

/// Most queries of a request.
const QUERIES: usize = 500;
/// Most datapoints of an answer.
const DATAPOINTS: usize = 100_800;

pub(super) fn handle(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: &GetMetricDataInput,
) -> Result<GetMetricDataOutput, Fault> {
    check(it)?;
    let most = match it.max_datapoints {
        None => DATAPOINTS,
        Some(most) => usize::try_from(most)
            .ok()
            .filter(|most| (1..=DATAPOINTS).contains(most))
            .ok_or_else(|| fault::validation(fault::bad_value(most, "MaxDatapoints")))?,
    };
    let token = it.next_token.as_deref().filter(|token| !token.is_empty());
    let skip = token.map_or(Some(0), read_token).ok_or_else(fault::bad_token)?;
    let answers = answers(service, cx, it)?;
    let mut page = Page { skip, left: most, first: skip == 0, results: Vec::new() };
    let mut more = false;
    for (query, answer) in it.metric_data_queries.iter().zip(answers) {
        for mut series in answer.into_iter().filter(|_| query.return_data != Some(false)) {
            if it.scan_by != Some(ScanBy::TimestampAscending) {
                series.points.reverse();
            }
            more |= page.add(query, series);
        }
    }
    Ok(GetMetricDataOutput {
        metric_data_results: Some(page.results),
        next_token: more.then(|| write_token(skip + most)),
        messages: Some(Vec::new()),
    })
}

/// What concerns the request as a whole.
fn check(it: &GetMetricDataInput) -> Result<(), Fault> {
    let queries = &it.metric_data_queries;
    if queries.is_empty() {
        return Err(fault::validation("The parameter MetricDataQueries is required."));
    }
    if queries.len() > QUERIES {
        return Err(fault::validation(fault::too_many("MetricDataQueries", QUERIES)));
    }
    if it.start_time >= it.end_time {
        return Err(fault::validation(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let mut ids: Vec<&str> = queries.iter().map(|query| &*query.id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(fault::validation(
            "The values for parameter id in MetricDataQueries are not unique.",
        ));
    }
    Ok(())
}

/// A series that a query gives.
struct Series {
    label: String,
    points: Vec<(Timestamp, f64)>,
    /// Whether the caller may see it.
    allowed: bool,
}

/// What each query gives, in order: the metrics are looked at, then the expressions worked out.
fn answers(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: &GetMetricDataInput,
) -> Result<Vec<Vec<Series>>, Fault> {
    let mut answers = Vec::new();
    let mut sheet = Sheet::new((it.start_time, it.end_time), service.metrics.now());
    for (query, index) in it.metric_data_queries.iter().zip(1..) {
        let place = format!("MetricDataQueries.member.{index}");
        check_query(query, &place)?;
        let Some(stat) = &query.metric_stat else {
            sheet.add_expression(query)?;
            answers.push(Vec::new());
            continue;
        };
        let (statistic, period) = check_stat(stat, &place)?;
        let series = look(service, cx, it, (query, stat), (statistic, period), &place)?;
        sheet.add_metric(&query.id, &series.label, &series.points, period);
        answers.push(vec![series]);
    }
    if sheet.has_expressions() {
        let worked_out = sheet.work_out()?;
        for (query, answer) in it.metric_data_queries.iter().zip(&mut answers) {
            let Some(value) = worked_out.get(&*query.id) else { continue };
            let label = query.label.as_deref();
            let lines = expressions::lines(&query.id, label, value);
            if lines.is_none() && query.return_data != Some(false) {
                return Err(expressions::wrong(&query.id, "it gives a number, and no series"));
            }
            let series = |(label, points)| Series { label, points, allowed: true };
            *answer = lines.unwrap_or_default().into_iter().map(series).collect();
        }
    }
    Ok(answers)
}

/// What was measured of a metric, in order of time.
fn look(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: &GetMetricDataInput,
    (query, stat): (&MetricDataQuery, &MetricStat),
    (statistic, period): (Statistic, Duration),
    place: &str,
) -> Result<Series, Fault> {
    let (namespace, name) = match (&stat.metric.namespace, &stat.metric.metric_name) {
        (Some(namespace), Some(name)) => (namespace, name),
        (None, _) => return Err(required(&format!("{place}.MetricStat.Metric.Namespace"))),
        (_, None) => return Err(required(&format!("{place}.MetricStat.Metric.MetricName"))),
    };
    let label = query.label.as_ref().unwrap_or(name).to_owned();
    let allowed = query.account_id.as_ref().is_none_or(|id| *id == cx.account().to_string());
    if !allowed {
        return Ok(Series { label, points: Vec::new(), allowed });
    }
    let key = names::key(cx, namespace, name, stat.metric.dimensions.as_ref());
    let unit = stat.unit.as_ref().map(names::unit);
    let now = service.metrics.now();
    let range = (span::first(it.start_time, period, now), it.end_time);
    let found = service.metrics.look(|state| state.whole(&key, unit, range, period, now));
    let points = found.iter().filter_map(|(start, summary)| Some((*start, statistic.of(summary)?)));
    Ok(Series { label, points: points.collect(), allowed })
}

/// What a query may be: one metric or an expression, and what it is to be called.
fn check_query(query: &MetricDataQuery, place: &str) -> Result<(), Fault> {
    let id = &query.id;
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !id.chars().all(inner) {
        return Err(fault::validation(format!(
            "The value {id} for parameter {place}.Id is not matching the expected pattern \
             ^[a-z][a-zA-Z0-9_]*$."
        )));
    }
    let (expression, stat) = (format!("{place}.Expression"), format!("{place}.MetricStat"));
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

fn check_stat(stat: &MetricStat, place: &str) -> Result<(Statistic, Duration), Fault> {
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

fn required(parameter: &str) -> Fault {
    fault::validation(format!("The parameter {parameter} is required."))
}

/// A part of all datapoints, those of one query after those of another.
struct Page {
    /// So many were on pages before.
    skip: usize,
    /// So many more fit.
    left: usize,
    /// Whether there was no page before.
    first: bool,
    results: Vec<MetricDataResult>,
}

impl Page {
    /// Adds what of a query is on this page; whether there is more of it behind.
    fn add(&mut self, query: &MetricDataQuery, series: Series) -> bool {
        let Series { label, points, allowed } = series;
        let before = self.skip.min(points.len());
        self.skip -= before;
        let here = (points.len() - before).min(self.left);
        self.left -= here;
        let more = before + here < points.len();
        // A query without datapoints is on the first page, one whose turn has not come on none.
        if here > 0 || (points.is_empty() && self.first) {
            let status = match (allowed, more) {
                (false, _) => StatusCode::Forbidden,
                (true, true) => StatusCode::PartialData,
                (true, false) => StatusCode::Complete,
            };
            let (timestamps, values) = points[before..before + here].iter().copied().unzip();
            self.results.push(MetricDataResult {
                id: Some(query.id.clone()),
                label: Some(label),
                timestamps: Some(timestamps),
                values: Some(values),
                status_code: Some(status),
                messages: None,
            });
        }
        more
    }
}

/// What a token begins with. To change what is behind it, change this.
const MARK: &str = "1";

/// A token is how many datapoints were on the pages before.
fn write_token(shown: usize) -> String {
    MARK.to_owned() + &hex::encode(shown.to_string())
}

fn read_token(token: &str) -> Option<usize> {
    let text = String::from_utf8(hex::decode(token.strip_prefix(MARK)?).ok()?).ok()?;
    text.parse().ok()
}
