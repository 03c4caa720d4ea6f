//! GetMetricData: statistics of many metrics, a list of times and values each.

use std::mem;
use std::time::Duration;

use tidemill_api::cloudwatch::{
    GetMetricDataInput, GetMetricDataOutput, MetricDataQuery, MetricDataResult, MetricStat, ScanBy,
    StatusCode,
};
use tidemill_base::Timestamp;
use tidemill_metric::{MetricKey, Summary, Unit};
use tidemill_wire::Fault;

use super::expressions::{self, Sheet};
use super::statistic::Statistic;
use super::{CloudWatch, fault, names, query, span};
use crate::context::Context;
use crate::token;

/// Most queries of a request.
const QUERIES: usize = 500;
/// Most datapoints of an answer.
const DATAPOINTS: usize = 100_800;

pub(super) async fn handle(
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
    let from = token.map_or(Some(Place::default()), Place::read).ok_or_else(fault::bad_token)?;
    let mut sheet = Sheet::new((it.start_time, it.end_time), service.metrics.now());
    let asked = read(cx, it, &mut sheet)?;
    let mut worked_out = if sheet.has_expressions() {
        Some(work_out(service, it, &asked, sheet).await?)
    } else {
        None
    };
    let mut page = Page { from, left: most, next: None, results: Vec::new() };
    for (index, (query, asked)) in it.metric_data_queries.iter().zip(&asked).enumerate() {
        if query.return_data == Some(false) || index < from.query {
            continue;
        }
        let answer = match (&mut worked_out, asked) {
            _ if page.is_full() => {
                page.next = Some(Place { query: index, ..Place::default() });
                break;
            }
            (Some(answers), _) => mem::take(&mut answers[index]),
            (None, Some(asked)) => vec![look(service, it, asked).await],
            (None, None) => unreachable!("with an expression all is worked out"),
        };
        page.add(index, it, answer);
        if page.next.is_some() {
            break;
        }
    }
    Ok(GetMetricDataOutput {
        metric_data_results: Some(page.results),
        next_token: page.next.map(Place::write),
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

/// What a query asks of a metric.
struct Asked {
    label: String,
    key: MetricKey,
    unit: Option<Unit>,
    statistic: Statistic,
    period: Duration,
    /// Whether the caller may see it.
    allowed: bool,
}

/// Checks every query, before any is answered. Expressions go to the sheet, and give `None`.
fn read(
    cx: &Context<'_>,
    it: &GetMetricDataInput,
    sheet: &mut Sheet,
) -> Result<Vec<Option<Asked>>, Fault> {
    let read = |(query, index): (&MetricDataQuery, usize)| {
        let place = format!("MetricDataQueries.member.{index}");
        query::check(query, &place)?;
        match &query.metric_stat {
            None => {
                let text = query.expression.as_deref().unwrap_or_default();
                let period = expressions::period(&query.id, query.period)?;
                sheet.add_expression(&query.id, text, period).map(|()| None)
            }
            Some(stat) => read_stat(cx, query, stat, &place).map(Some),
        }
    };
    it.metric_data_queries.iter().zip(1..).map(read).collect()
}

fn read_stat(
    cx: &Context<'_>,
    query: &MetricDataQuery,
    stat: &MetricStat,
    place: &str,
) -> Result<Asked, Fault> {
    let (statistic, period) = query::check_stat(stat, place)?;
    let key = query::metric(cx, stat, place)?;
    Ok(Asked {
        label: query.label.as_deref().unwrap_or(&key.name).to_owned(),
        key,
        unit: stat.unit.as_ref().map(names::unit),
        statistic,
        period,
        allowed: query.account_id.as_ref().is_none_or(|id| *id == cx.account().to_string()),
    })
}

/// What each query gives, in order, where some are expressions: those may speak of all metrics.
async fn work_out(
    service: &CloudWatch,
    it: &GetMetricDataInput,
    asked: &[Option<Asked>],
    mut sheet: Sheet,
) -> Result<Vec<Vec<Series>>, Fault> {
    let mut answers = Vec::with_capacity(asked.len());
    let mut points = 0;
    for (query, asked) in it.metric_data_queries.iter().zip(asked) {
        let Some(asked) = asked else {
            answers.push(Vec::new());
            continue;
        };
        let series = look(service, it, asked).await;
        points += series.points.len();
        if points > expressions::POINTS {
            return Err(fault::validation(format!(
                "The metrics have more than {} datapoints, which is too much for expressions.",
                expressions::POINTS
            )));
        }
        sheet.add_metric(&query.id, &series.label, &series.points, asked.period);
        answers.push(vec![series]);
    }
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
    Ok(answers)
}

/// What was measured of a metric, in order of time. Others get their turn afterwards: a request may
/// ask for hundreds.
async fn look(service: &CloudWatch, it: &GetMetricDataInput, asked: &Asked) -> Series {
    let Asked { label, key, unit, statistic, period, allowed } = asked;
    let mut series = Series { label: label.clone(), points: Vec::new(), allowed: *allowed };
    if *allowed {
        let now = service.metrics.now();
        let range = (span::first(it.start_time, *period, now), it.end_time);
        let found = service.metrics.look(|state| state.whole(key, *unit, range, *period, now));
        let point =
            |(start, summary): &(Timestamp, Summary)| Some((*start, statistic.of(summary)?));
        series.points = found.iter().filter_map(point).collect();
        tokio::task::yield_now().await;
    }
    series
}

/// Where a page begins: a query, one of the series that it gives, and one of that one's datapoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    query: usize,
    series: usize,
    point: usize,
}

impl Place {
    /// The token of the page that begins here.
    fn write(self) -> String {
        let Self { query, series, point } = self;
        token::write(&format!("{query} {series} {point}"))
    }

    fn read(token: &str) -> Option<Self> {
        let text = token::read(token)?;
        let mut numbers = text.split(' ').map(|number| number.parse().ok());
        let place =
            Self { query: numbers.next()??, series: numbers.next()??, point: numbers.next()?? };
        numbers.next().is_none().then_some(place)
    }
}

/// A part of all datapoints, those of one query after those of another.
struct Page {
    /// Where it begins.
    from: Place,
    /// So many datapoints more fit.
    left: usize,
    /// Where the next one begins, once it is clear that there is one.
    next: Option<Place>,
    results: Vec<MetricDataResult>,
}

impl Page {
    /// Whether nothing more fits. What has no datapoints is on the next page then, too.
    fn is_full(&self) -> bool {
        self.left == 0
    }

    /// Adds what a query gives, as far as it fits.
    fn add(&mut self, index: usize, it: &GetMetricDataInput, answer: Vec<Series>) {
        let from = if index == self.from.query { self.from } else { Place::default() };
        for (number, series) in answer.into_iter().enumerate().skip(from.series) {
            let begin = if number == from.series { from.point } else { 0 };
            let place = Place { query: index, series: number, point: begin };
            if self.is_full() {
                self.next = Some(place);
                return;
            }
            self.next = self.add_series(it, place, series);
            if self.next.is_some() {
                return;
            }
        }
    }

    /// Adds a series from the place on; gives the place where to go on with it, if not all fits.
    fn add_series(
        &mut self,
        it: &GetMetricDataInput,
        from: Place,
        series: Series,
    ) -> Option<Place> {
        let Series { label, mut points, allowed } = series;
        if it.scan_by != Some(ScanBy::TimestampAscending) {
            points.reverse();
        }
        let begin = from.point.min(points.len());
        let end = points.len().min(begin + self.left);
        self.left -= end - begin;
        let more = end < points.len();
        let status = match (allowed, more) {
            (false, _) => StatusCode::Forbidden,
            (true, true) => StatusCode::PartialData,
            (true, false) => StatusCode::Complete,
        };
        let (timestamps, values) = points[begin..end].iter().copied().unzip();
        self.results.push(MetricDataResult {
            id: Some(it.metric_data_queries[from.query].id.clone()),
            label: Some(label),
            timestamps: Some(timestamps),
            values: Some(values),
            status_code: Some(status),
            messages: None,
        });
        more.then_some(Place { point: end, ..from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_it_was_written_and_nothing_else_is_one() {
        let place = Place { query: 499, series: 2, point: 100_800 };
        assert_eq!(Place::read(&place.write()), Some(place));
        for text in ["", "1", "1 2", "1 2 3 4", "1 2 -3", "1 2 x"] {
            assert_eq!(Place::read(&token::write(text)), None, "{text}");
        }
    }
}
