//! What an alarm looks at: the values of a metric, or of an expression over some.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_metric::math::Value;
use tidemill_metric::{Check, Gives, Measure, Query, Source, State, Summary};
use tidemill_wire::Fault;

use super::expressions::{self, Sheet};
use super::fault;
use super::statistic::Statistic;

/// Most metrics that an alarm's expressions are over,
const METRICS: usize = 10;
/// and most expressions.
const EXPRESSIONS: usize = 10;
/// Expressions over less than a minute see so much more than is looked at: what is told by the
/// minute can be filled in (`FILL(m, REPEAT)`) from the minute before.
const BEFORE: Duration = Duration::from_mins(3);

/// A period that has a value.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) start: Timestamp,
    /// How many samples the value is of, if it is a metric's.
    pub(super) samples: Option<f64>,
    pub(super) value: f64,
}

/// What was measured of each metric of a check, in the order in which it names them.
pub(super) struct Gathered(Vec<Vec<(Timestamp, Summary)>>);

/// Where the periods begin that are looked at when `at` has come.
fn first(check: &Check, at: Timestamp) -> Timestamp {
    at - check.period() * check.range()
}

/// What is looked up: for expressions over less than a minute some more.
fn range(check: &Check, at: Timestamp) -> (Timestamp, Timestamp) {
    let short = check.period() < Duration::from_mins(1);
    let before = match &check.source {
        Source::Queries(_) if short => BEFORE,
        Source::Queries(_) | Source::Metric(_) => Duration::ZERO,
    };
    (first(check, at) - before, at)
}

/// Looks up what there is for a check when `at` has come. Of a leap the clock shows the end: what
/// was young at `at` may be old by then, and is looked at as it was.
pub(super) fn gather(state: &State, check: &Check, at: Timestamp) -> Gathered {
    let range = range(check, at);
    let look = |it: &Measure| state.whole(&it.metric, it.unit, range, it.period, at);
    Gathered(match &check.source {
        Source::Metric(measure) => vec![look(measure)],
        Source::Queries(queries) => queries
            .iter()
            .filter_map(|query| match &query.gives {
                Gives::Measure(measure) => Some(look(measure)),
                Gives::Expression { .. } => None,
            })
            .collect(),
    })
}

/// The values that a check looks at, the oldest first. What cannot be worked out over what there
/// is now has none: the alarm stands as it does where values are missing.
pub(super) fn points(check: &Check, gathered: &Gathered, at: Timestamp) -> Vec<Point> {
    let mut found = gathered.0.iter();
    let mut of = |measure: &Measure| {
        found.next().map(|found| of_measure(measure, found)).unwrap_or_default()
    };
    let mut points = match &check.source {
        Source::Metric(measure) => of(measure),
        Source::Queries(queries) => of_queries(queries, range(check, at), of).unwrap_or_default(),
    };
    let first = first(check, at);
    points.retain(|point| point.start >= first);
    points
}

fn of_measure(measure: &Measure, found: &[(Timestamp, Summary)]) -> Vec<Point> {
    let Some(statistic) = Statistic::read(&measure.statistic) else { return Vec::new() };
    let point = |(start, summary): &(Timestamp, Summary)| {
        let (samples, value) = (Some(summary.samples), statistic.of(summary)?);
        Some(Point { start: *start, samples, value })
    };
    found.iter().filter_map(point).collect()
}

/// The values of the query that is returned; `of` is asked for those of each metric, in order.
fn of_queries(
    queries: &[Query],
    range: (Timestamp, Timestamp),
    of: impl FnMut(&Measure) -> Vec<Point>,
) -> Result<Vec<Point>, Fault> {
    let (sheet, returned) = written(queries, range, of)?;
    match returned {
        Some(points) => Ok(points),
        None => of_returned(queries, sheet.work_out()?),
    }
}

/// The queries on a sheet; and if a metric is returned, its values.
fn written(
    queries: &[Query],
    range: (Timestamp, Timestamp),
    mut of: impl FnMut(&Measure) -> Vec<Point>,
) -> Result<(Sheet, Option<Vec<Point>>), Fault> {
    let mut sheet = Sheet::exact(range);
    let mut returned = None;
    for query in queries {
        match &query.gives {
            Gives::Measure(measure) => {
                let points = of(measure);
                let values: Vec<_> = points.iter().map(|it| (it.start, it.value)).collect();
                let label = query.label.as_deref().unwrap_or(&measure.metric.name);
                sheet.add_metric(&query.id, label, &values, measure.period);
                if query.returned {
                    returned = Some(points);
                }
            }
            Gives::Expression { text, period } => {
                sheet.add_expression(&query.id, text, *period)?;
            }
        }
    }
    Ok((sheet, returned))
}

/// The values of the expression that is returned.
fn of_returned(
    queries: &[Query],
    mut worked_out: BTreeMap<String, Value>,
) -> Result<Vec<Point>, Fault> {
    let id = queries.iter().find(|query| query.returned).map_or("", |query| &*query.id);
    let wrong = |why: &str| Err(expressions::wrong(id, why));
    let line = match worked_out.remove(id) {
        Some(Value::Line(line)) => line,
        Some(Value::Lines(mut lines)) if lines.len() == 1 => lines.remove(0),
        Some(Value::Lines(_)) => return wrong("it gives several series, and an alarm watches one"),
        Some(Value::Number(_)) | None => return wrong("it gives a number, and no series"),
    };
    let point = |(start, value)| Point { start, samples: None, value };
    Ok(line.points.into_iter().map(point).collect())
}

/// Whether an alarm can watch these: one is returned, and every expression can be worked out.
///
/// # Errors
/// If not, why.
pub(crate) fn check_queries(queries: &[Query]) -> Result<(), Fault> {
    if queries.iter().filter(|query| query.returned).count() != 1 {
        return Err(fault::validation(
            "Exactly one element of the metrics list should return data.",
        ));
    }
    let mut ids: Vec<&str> = queries.iter().map(|query| &*query.id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(fault::validation("The values for parameter id in Metrics are not unique."));
    }
    let metric = |query: &&Query| matches!(query.gives, Gives::Measure(_));
    let metrics = queries.iter().filter(metric).count();
    if metrics > METRICS {
        return Err(fault::validation(format!(
            "An alarm is over at most {METRICS} metrics in its expressions."
        )));
    }
    if queries.len() - metrics > EXPRESSIONS {
        return Err(fault::validation(format!("An alarm has at most {EXPRESSIONS} expressions.")));
    }
    // Worked out once over values that are all one, those beside a metric that is returned, too:
    // what cannot be shows.
    let start = Timestamp::EPOCH;
    let one = |_: &Measure| vec![Point { start, samples: Some(1.0), value: 1.0 }];
    let (sheet, returned) = written(queries, (start, start + Duration::from_hours(1)), one)?;
    let worked_out = sheet.work_out()?;
    match returned {
        Some(_) => Ok(()),
        None => of_returned(queries, worked_out).map(drop),
    }
}
