//! The expressions of a request or an alarm: each worked out after those that it speaks of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_metric::math::{Expression, Known, Line, Scope, Value};
use tidemill_metric::one_period;
use tidemill_wire::Fault;

use super::order::ordered;
use super::{fault, span};

/// So many datapoints metrics may have that expressions speak of, together with what those make on
/// the way: they take memory.
pub(super) const POINTS: usize = 2_000_000;

/// Metrics, and the expressions that speak of them.
pub(super) struct Sheet {
    range: (Timestamp, Timestamp),
    /// When it is asked, if the range is to be rounded by how long ago it was.
    asked: Option<Timestamp>,
    metrics: Vec<Known>,
    expressions: Vec<Asked>,
}

struct Asked {
    id: String,
    expression: Expression,
    /// How long a period is, if it was said.
    period: Option<Duration>,
}

/// A label, and values in order of time.
type Labelled = (String, Vec<(Timestamp, f64)>);

impl Sheet {
    /// An empty one, about this time, rounded as somebody is answered who asks now.
    pub(super) fn new(range: (Timestamp, Timestamp), now: Timestamp) -> Self {
        Self { asked: Some(now), ..Self::exact(range) }
    }

    /// An empty one, about this time.
    pub(super) fn exact(range: (Timestamp, Timestamp)) -> Self {
        Self { range, asked: None, metrics: Vec::new(), expressions: Vec::new() }
    }

    /// Adds what was measured of a metric.
    pub(super) fn add_metric(
        &mut self,
        id: &str,
        label: &str,
        points: &[(Timestamp, f64)],
        period: Duration,
    ) {
        let points = points.iter().copied().collect();
        let value = Value::Line(Line { label: label.to_owned(), points });
        self.metrics.push(Known { id: id.to_owned(), value, period: Some(period) });
    }

    /// Adds an expression, over periods of so long, if that was said.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn add_expression(
        &mut self,
        id: &str,
        text: &str,
        period: Option<Duration>,
    ) -> Result<(), Fault> {
        let expression = Expression::read(text).map_err(|error| wrong(id, error))?;
        self.expressions.push(Asked { id: id.to_owned(), expression, period });
        Ok(())
    }

    pub(super) fn has_expressions(&self) -> bool {
        !self.expressions.is_empty()
    }

    /// Works out every expression: what each gives, by its id.
    ///
    /// # Errors
    /// If one cannot be worked out.
    pub(super) fn work_out(self) -> Result<BTreeMap<String, Value>, Fault> {
        let period = self.period()?;
        let Self { range: (start, until), asked, metrics, expressions } = self;
        let range = (asked.map_or(start, |now| span::first(start, period, now)), until);
        let held = |known: &Known| match &known.value {
            Value::Line(line) => line.points.len(),
            Value::Number(_) | Value::Lines(_) => 0,
        };
        let left = POINTS.saturating_sub(metrics.iter().map(held).sum());
        let mut scope = Scope { known: metrics, range, period, left };
        let mut worked_out = BTreeMap::new();
        for Asked { id, expression, .. } in in_order(expressions)? {
            let value = expression.work_out(&mut scope).map_err(|error| wrong(&id, error))?;
            scope.known.push(Known { id: id.clone(), value: value.clone(), period: None });
            worked_out.insert(id, value);
        }
        Ok(worked_out)
    }

    /// The one period of all.
    fn period(&self) -> Result<Duration, Fault> {
        let metrics = self.metrics.iter().filter_map(|metric| metric.period);
        let expressions = self.expressions.iter().filter_map(|asked| asked.period);
        one_period(metrics.chain(expressions)).ok_or_else(|| {
            fault::validation(
                "The queries are of several periods: Tidemill works out expressions over one \
                 period only.",
            )
        })
    }
}

/// The expressions, each behind those that it speaks of.
///
/// # Errors
/// If one speaks of itself, through others too.
fn in_order(expressions: Vec<Asked>) -> Result<Vec<Asked>, Fault> {
    let ids = expressions.iter().map(|asked| &*asked.id);
    let places: BTreeMap<&str, usize> = ids.zip(0..).collect();
    let speaks_of = |asked: &Asked| {
        let ids = asked.expression.speaks_of();
        ids.into_iter().filter_map(|id| places.get(id).copied()).collect()
    };
    let speaks_of: Vec<BTreeSet<usize>> = expressions.iter().map(speaks_of).collect();
    let order = ordered(&speaks_of);
    if order.len() < expressions.len() {
        let there: BTreeSet<&usize> = order.iter().collect();
        let absent = expressions.iter().zip(0..).find(|(_, place)| !there.contains(place));
        let id = absent.map_or("", |(asked, _)| &*asked.id);
        return Err(wrong(id, "it speaks of itself"));
    }
    let mut expressions: Vec<Option<Asked>> = expressions.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| expressions[place].take()).collect())
}

/// What a value is to the caller: series, each with its label. `None` for a number.
pub(super) fn lines(id: &str, label: Option<&str>, value: &Value) -> Option<Vec<Labelled>> {
    let points = |line: &Line| line.points.iter().map(|(at, value)| (*at, *value)).collect();
    match value {
        Value::Number(_) => None,
        Value::Line(line) => Some(vec![(label.unwrap_or(id).to_owned(), points(line))]),
        Value::Lines(lines) => {
            let label = |line: &Line| match label {
                None | Some("") => line.label.clone(),
                Some(label) => format!("{label} {}", line.label),
            };
            Some(lines.iter().map(|line| (label(line), points(line))).collect())
        }
    }
}

/// The period that was asked for an expression.
///
/// # Errors
/// If it is none that there is.
pub(super) fn period(id: &str, seconds: Option<i32>) -> Result<Option<Duration>, Fault> {
    let period = |seconds| {
        span::period(seconds).ok_or_else(|| wrong(id, fault::bad_value(seconds, "Period")))
    };
    seconds.map(period).transpose()
}

/// What is wrong with an expression.
pub(super) fn wrong(id: &str, why: impl std::fmt::Display) -> Fault {
    fault::validation(format!("Error in expression '{id}': {why}."))
}
