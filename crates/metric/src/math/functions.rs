//! The functions of expressions, by their names.

use std::time::Duration;

use tidemill_base::Timestamp;

use super::{BadExpression, Known, Line, Node, Points, Scope, Value};

impl Scope {
    /// What a function gives for what it is given.
    pub(super) fn call(&mut self, name: &str, given: &[Node]) -> Result<Value, BadExpression> {
        let wrong = || BadExpression(format!("{name} is not for what it is given"));
        match (name, given) {
            ("METRICS", []) => Ok(Value::Lines(self.metrics(""))),
            ("METRICS", [Node::Text(part)]) => Ok(Value::Lines(self.metrics(part))),
            ("PERIOD", [Node::Known(id)]) => {
                let known = self.known.iter().find(|known| *known.id == **id);
                let period = known.and_then(|known| known.period).ok_or_else(wrong)?;
                Ok(Value::Number(period.as_secs_f64()))
            }
            ("IF", [condition, then, other @ ..]) if other.len() < 2 => {
                let (condition, then) = (self.value(condition)?, self.value(then)?);
                let other = other.first().map(|other| self.value(other)).transpose()?;
                choose(condition, then, other).ok_or_else(wrong)
            }
            ("FILL", [lines, with]) => self.fill(lines, with)?.ok_or_else(wrong),
            ("TIME_SERIES", [number]) => match self.value(number)? {
                Value::Number(number) => {
                    let points = self.times(1)?.into_iter().map(|at| (at, number)).collect();
                    Ok(Value::Line(Line { label: name.to_owned(), points }))
                }
                _ => Err(wrong()),
            },
            ("SORT", [lines, Node::Word(by), Node::Word(order), limit @ ..]) if limit.len() < 2 => {
                let limit = limit.first().map(|limit| self.value(limit)).transpose()?;
                let Value::Lines(lines) = self.value(lines)? else { return Err(wrong()) };
                sorted(lines, by, order, limit).ok_or_else(wrong)
            }
            ("SLICE", [lines, from, to @ ..]) if to.len() < 2 => {
                let (lines, from) = (self.value(lines)?, self.value(from)?);
                let to = to.first().map(|to| self.value(to)).transpose()?;
                slice(lines, &from, to.as_ref()).ok_or_else(wrong)
            }
            (_, [one]) => {
                let value = self.value(one)?;
                of_one(name, value)?.ok_or_else(wrong)
            }
            _ if NAMES.contains(&name) => Err(wrong()),
            _ => Err(unknown(name)),
        }
    }

    /// The metrics whose ids have this in them, but not what expressions gave.
    fn metrics(&self, part: &str) -> Vec<Line> {
        let metrics = self.known.iter().filter(|it| it.period.is_some() && it.id.contains(part));
        let line = |known: &Known| match &known.value {
            Value::Line(line) => Some(line.clone()),
            _ => None,
        };
        metrics.filter_map(line).collect()
    }

    /// When each period begins, for so many lines that have a point then.
    fn times(&self, lines: usize) -> Result<Vec<Timestamp>, BadExpression> {
        let ((from, until), period) = (self.range, self.period.max(Duration::from_secs(1)));
        let most = until.since(from).as_secs() / period.as_secs() + 1;
        // Before they are made.
        self.room(usize::try_from(most).unwrap_or(usize::MAX).saturating_mul(lines))?;
        let times = std::iter::successors(Some(from), |at| Some(*at + period));
        Ok(times.take_while(|at| *at < until).collect())
    }

    /// What FILL gives; `None` if it is not for these.
    fn fill(&mut self, lines: &Node, with: &Node) -> Result<Option<Value>, BadExpression> {
        let with = match with {
            Node::Word(word) if **word == *"REPEAT" => Filler::Repeat,
            Node::Word(word) if **word == *"LINEAR" => Filler::Linear,
            with => match self.value(with)? {
                Value::Number(number) => Filler::Number(number),
                Value::Line(line) => Filler::Line(line),
                Value::Lines(_) => return Ok(None),
            },
        };
        let value = self.value(lines)?;
        let times = self.times(value.lines())?;
        Ok(by_line(value, |line| Line { points: with.fill(&line.points, &times), ..line }))
    }
}

fn unknown(name: &str) -> BadExpression {
    BadExpression(format!("the function {name} is not understood yet"))
}

/// Those with more or fewer arguments than one.
const NAMES: [&str; 7] = ["METRICS", "PERIOD", "IF", "FILL", "TIME_SERIES", "SORT", "SLICE"];

/// What stands where there is no value.
enum Filler {
    Number(f64),
    Line(Line),
    /// The value before.
    Repeat,
    /// What lies between the values before and after.
    Linear,
}

impl Filler {
    fn fill(&self, points: &Points, times: &[Timestamp]) -> Points {
        let mut filled = points.clone();
        for at in times.iter().filter(|at| !points.contains_key(at)) {
            let before = || points.range(..at).next_back();
            let value = match self {
                Self::Number(number) => Some(*number),
                Self::Line(line) => line.points.get(at).copied(),
                Self::Repeat => before().map(|(_, value)| *value),
                Self::Linear => before().zip(points.range(at..).next()).map(|(left, right)| {
                    let part =
                        at.since(*left.0).as_secs_f64() / right.0.since(*left.0).as_secs_f64();
                    left.1 + (right.1 - left.1) * part
                }),
            };
            if let Some(value) = value {
                filled.insert(*at, value);
            }
        }
        filled
    }
}

/// IF: where the condition is not 0 the one, else the other. `None` if these do not go together.
fn choose(condition: Value, then: Value, other: Option<Value>) -> Option<Value> {
    let alone = |value: &Value| !matches!(value, Value::Lines(_));
    if !alone(&condition) || !alone(&then) || !other.as_ref().is_none_or(alone) {
        return None;
    }
    let condition = match condition {
        Value::Number(number) if number != 0.0 => return Some(then),
        Value::Number(_) => return Some(other.unwrap_or(Value::Line(Line::default()))),
        Value::Line(line) => line,
        Value::Lines(_) => return None,
    };
    let at = |value: &Value, at| match value {
        Value::Number(number) => Some(*number),
        Value::Line(line) => line.points.get(at).copied(),
        Value::Lines(_) => None,
    };
    let points = condition.points.iter().filter_map(|(time, condition)| {
        let value = if *condition == 0.0 {
            other.as_ref().and_then(|other| at(other, time))?
        } else {
            at(&then, time).unwrap_or_default()
        };
        Some((*time, value))
    });
    let points = points.collect();
    Some(Value::Line(Line { label: condition.label, points }))
}

/// The functions of one value: `None` if the function is not for such a value.
fn of_one(name: &str, value: Value) -> Result<Option<Value>, BadExpression> {
    let each: Option<fn(f64) -> f64> = match name {
        "ABS" => Some(f64::abs),
        "CEIL" => Some(f64::ceil),
        "FLOOR" => Some(f64::floor),
        "LOG" => Some(f64::ln),
        "LOG10" => Some(f64::log10),
        _ => None,
    };
    if let Some(each) = each {
        return Ok(by_line(value, |line| line.each(each)));
    }
    if let Some(fold) = folding(name) {
        return Ok(match value {
            Value::Number(_) => None,
            Value::Line(line) => {
                let values: Vec<f64> = line.points.into_values().collect();
                Some(Value::Number(fold(&values, values.len())))
            }
            Value::Lines(lines) => Some(Value::Line(across(name, lines, fold))),
        });
    }
    Ok(match (name, value) {
        ("DIFF", value) => by_line(value, |line| steps(line, |_, change| change)),
        ("DIFF_TIME", value) => by_line(value, |line| steps(line, |seconds, _| seconds)),
        ("RATE", value) => by_line(value, |line| steps(line, |seconds, change| change / seconds)),
        ("RUNNING_SUM", value) => by_line(value, |mut line| {
            let mut sum = 0.0;
            for value in line.points.values_mut() {
                sum += *value;
                *value = sum;
            }
            line
        }),
        ("METRIC_COUNT", Value::Lines(lines)) => {
            Some(Value::Number(f64::from(u32::try_from(lines.len()).unwrap_or(u32::MAX))))
        }
        ("FIRST", Value::Lines(lines)) => lines.into_iter().next().map(Value::Line),
        ("LAST", Value::Lines(lines)) => lines.into_iter().next_back().map(Value::Line),
        ("REMOVE_EMPTY", Value::Lines(mut lines)) => {
            lines.retain(|line| !line.points.is_empty());
            Some(Value::Lines(lines))
        }
        ("METRIC_COUNT" | "FIRST" | "LAST" | "REMOVE_EMPTY", _) => None,
        (name, _) if NAMES.contains(&name) => None,
        _ => return Err(unknown(name)),
    })
}

fn by_line(value: Value, made: impl Fn(Line) -> Line) -> Option<Value> {
    match value {
        Value::Number(_) => None,
        Value::Line(line) => Some(Value::Line(made(line))),
        Value::Lines(lines) => Some(Value::Lines(lines.into_iter().map(made).collect())),
    }
}

/// Makes one number of values, of which there could have been so many.
type Fold = fn(&[f64], usize) -> f64;

#[expect(clippy::cast_precision_loss, reason = "nobody has so many values")]
fn folding(name: &str) -> Option<Fold> {
    Some(match name {
        "SUM" => |values, _| values.iter().sum(),
        // What is missing counts as 0.
        "AVG" => |values, of| values.iter().sum::<f64>() / of as f64,
        "MIN" => |values, _| values.iter().copied().fold(f64::NAN, f64::min),
        "MAX" => |values, _| values.iter().copied().fold(f64::NAN, f64::max),
        "DATAPOINT_COUNT" => |values, _| values.len() as f64,
        "STDDEV" => |values, _| {
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
        },
        _ => return None,
    })
}

/// One line of many: for each time, the values that there are then.
fn across(name: &str, lines: Vec<Line>, fold: Fold) -> Line {
    let mut by_time = std::collections::BTreeMap::<_, Vec<f64>>::new();
    let of = lines.len();
    for (at, value) in lines.into_iter().flat_map(|line| line.points) {
        by_time.entry(at).or_default().push(value);
    }
    let points = by_time.into_iter().map(|(at, values)| (at, fold(&values, of)));
    Line { label: name.to_owned(), points: points.collect() }
}

/// A line of what lies between each value and the one before: seconds, and the change.
fn steps(line: Line, made: impl Fn(f64, f64) -> f64) -> Line {
    let pairs = line.points.iter().zip(line.points.iter().skip(1));
    let points = pairs.map(|((earlier, before), (at, value))| {
        (*at, made(at.since(*earlier).as_secs_f64(), value - before))
    });
    Line { label: line.label, points: points.collect() }
}

fn sorted(mut lines: Vec<Line>, by: &str, order: &str, limit: Option<Value>) -> Option<Value> {
    let fold = folding(by).filter(|_| ["AVG", "MIN", "MAX", "SUM"].contains(&by))?;
    let of = |line: &Line| {
        let values: Vec<f64> = line.points.values().copied().collect();
        let value = fold(&values, values.len());
        // A line without values is the least of all.
        if value.is_nan() { f64::NEG_INFINITY } else { value }
    };
    lines.sort_by(|left, right| of(left).total_cmp(&of(right)));
    match order {
        "ASC" => {}
        "DESC" => lines.reverse(),
        _ => return None,
    }
    if let Some(limit) = limit {
        lines.truncate(place(&limit)?);
    }
    Some(Value::Lines(lines))
}

fn slice(lines: Value, from: &Value, to: Option<&Value>) -> Option<Value> {
    let Value::Lines(mut lines) = lines else { return None };
    if let Some(to) = to {
        lines.truncate(place(to)?);
    }
    let from = place(from)?.min(lines.len());
    Some(Value::Lines(lines.split_off(from)))
}

/// A place in a list: a whole number.
fn place(value: &Value) -> Option<usize> {
    match value {
        Value::Number(number) if *number >= 0.0 && number.fract() == 0.0 && *number < 1e6 => {
            format!("{number}").parse().ok()
        }
        _ => None,
    }
}
