//! Works an expression out: operators, and what stands on either side of them.

use super::{BadExpression, Line, Node, Operator, Points, Scope, Value};

impl Scope {
    pub(super) fn value(&mut self, node: &Node) -> Result<Value, BadExpression> {
        match node {
            Node::Number(number) => Ok(Value::Number(*number)),
            Node::Text(text) | Node::Word(text) => {
                Err(BadExpression(format!("{text:?} means nothing where it stands")))
            }
            Node::Known(id) => {
                let known = self.known.iter().find(|known| *known.id == **id);
                let value = known.map(|known| known.value.clone());
                let value = value.ok_or_else(|| BadExpression(format!("there is no {id}")))?;
                self.made(value)
            }
            Node::List(items) => {
                let mut lines = Vec::new();
                for item in items {
                    match self.value(item)? {
                        Value::Line(line) => lines.push(line),
                        Value::Lines(more) => lines.extend(more),
                        Value::Number(_) => {
                            return Err(BadExpression("a list holds no numbers".to_owned()));
                        }
                    }
                }
                Ok(Value::Lines(lines))
            }
            Node::Both(operator, both) => {
                let [left, right] = &**both;
                let (left, right) = (self.value(left)?, self.value(right)?);
                // What one line has, each of a list may get; before that is made.
                match (&left, &right) {
                    (Value::Lines(many), Value::Line(one))
                    | (Value::Line(one), Value::Lines(many)) => {
                        self.room(many.len().saturating_mul(one.points.len()))?;
                    }
                    _ => {}
                }
                let value = combined(*operator, left, right)?;
                self.made(value)
            }
            Node::Call(name, given) => {
                let value = self.call(name, given)?;
                self.made(value)
            }
        }
    }

    /// Counts a value against what may be made: its points, and its lines, which take memory
    /// without any. What is no number is left out.
    fn made(&mut self, mut value: Value) -> Result<Value, BadExpression> {
        let lines = match &mut value {
            Value::Number(_) => &mut [],
            Value::Line(line) => std::slice::from_mut(line),
            Value::Lines(lines) => &mut lines[..],
        };
        let mut made = lines.len();
        for line in lines {
            line.points.retain(|_, value| value.is_finite());
            made += line.points.len();
        }
        self.room(made)?;
        self.left -= made;
        Ok(value)
    }

    /// Refuses what would make more than may be made.
    pub(super) fn room(&self, points: usize) -> Result<(), BadExpression> {
        if points > self.left {
            return Err(BadExpression("it makes too many datapoints".to_owned()));
        }
        Ok(())
    }
}

impl Value {
    /// How many lines it has.
    pub(super) fn lines(&self) -> usize {
        match self {
            Self::Number(_) => 0,
            Self::Line(_) => 1,
            Self::Lines(lines) => lines.len(),
        }
    }
}

/// Two values put together, point by point.
fn combined(operator: Operator, left: Value, right: Value) -> Result<Value, BadExpression> {
    use Value::{Line as One, Lines, Number};
    let both = |left, right| lines(operator, left, &right);
    Ok(match (left, right) {
        (Number(left), Number(right)) => Number(operator.of(left, right)),
        (One(left), Number(right)) => One(left.each(|value| operator.of(value, right))),
        (Number(left), One(right)) => One(right.each(|value| operator.of(left, value))),
        (One(left), One(right)) => One(both(left, right)),
        (Lines(left), Number(right)) => {
            let each = |line: Line| line.each(|value| operator.of(value, right));
            Lines(left.into_iter().map(each).collect())
        }
        (Number(left), Lines(right)) => {
            let each = |line: Line| line.each(|value| operator.of(left, value));
            Lines(right.into_iter().map(each).collect())
        }
        (Lines(left), One(right)) => {
            Lines(left.into_iter().map(|line| lines(operator, line, &right)).collect())
        }
        (One(left), Lines(right)) => {
            let each = |right: Line| {
                let label = right.label.clone();
                Line { label, ..lines(operator, left.clone(), &right) }
            };
            Lines(right.into_iter().map(each).collect())
        }
        (Lines(_), Lines(_)) => {
            return Err(BadExpression("two lists cannot be put together".to_owned()));
        }
    })
}

/// Two lines put together. Where one has no value, it counts as 0.
fn lines(operator: Operator, left: Line, right: &Line) -> Line {
    let or_zero = |points: &Points, at| points.get(at).copied().unwrap_or_default();
    let times = left.points.keys().chain(right.points.keys());
    let points =
        times.map(|at| (*at, operator.of(or_zero(&left.points, at), or_zero(&right.points, at))));
    Line { label: left.label, points: points.collect() }
}

impl Line {
    /// The line with each value made another.
    pub(super) fn each(self, made: impl Fn(f64) -> f64) -> Self {
        let points = self.points.into_iter().map(|(at, value)| (at, made(value)));
        Self { label: self.label, points: points.collect() }
    }
}

impl Operator {
    fn of(self, left: f64, right: f64) -> f64 {
        let is = |so: bool| if so { 1.0 } else { 0.0 };
        match self {
            Self::Or => is(left != 0.0 || right != 0.0),
            Self::And => is(left != 0.0 && right != 0.0),
            #[expect(clippy::float_cmp, reason = "who asks for equality gets it")]
            Self::Equal => is(left == right),
            #[expect(clippy::float_cmp, reason = "who asks for equality gets it")]
            Self::Unequal => is(left != right),
            Self::AtMost => is(left <= right),
            Self::AtLeast => is(left >= right),
            Self::Below => is(left < right),
            Self::Above => is(left > right),
            Self::Plus => left + right,
            Self::Minus => left - right,
            Self::Times => left * right,
            Self::Over => left / right,
            Self::Power => left.powf(right),
        }
    }
}
