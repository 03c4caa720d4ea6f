//! Expressions over what was measured: metric math. Pure: text and series in, series out.
//!
//! A missing value counts as 0 where another series has one, and what is no number (a division by
//! nothing, the logarithm of nothing) is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_base::Timestamp;

mod functions;
mod parse;
mod work;

/// An expression that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression(Node);

/// Why an expression cannot be understood, or cannot be worked out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadExpression(String);

/// Values by time.
pub type Points = BTreeMap<Timestamp, f64>;

/// Values by time, and what people call them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// What people call it.
    pub label: String,
    /// The values.
    pub points: Points,
}

/// What an expression may speak of, by its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// How expressions call it.
    pub id: String,
    /// Its values: one line, or those of an expression that gives many.
    pub value: Value,
    /// How long each value was gathered; none for what an expression gave.
    pub period: Option<Duration>,
}

/// What an expression gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A line.
    Line(Line),
    /// Some lines, in order.
    Lines(Vec<Line>),
}

/// What is known where an expression is worked out.
#[derive(Debug)]
pub struct Scope {
    /// The metrics and the expressions before, in the order they were asked for.
    pub known: Vec<Known>,
    /// The time it is about, to the period: the beginnings of the first period, and of the first
    /// behind.
    pub range: (Timestamp, Timestamp),
    /// How long a period is.
    pub period: Duration,
    /// So many more points may be made: what an expression makes is made in memory.
    pub left: usize,
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Number(f64),
    Text(Box<str>),
    /// A word that means something to the function it is given to.
    Word(Box<str>),
    /// What is known by this id.
    Known(Box<str>),
    Both(Operator, Box<[Node; 2]>),
    List(Vec<Node>),
    Call(Box<str>, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    AtMost,
    AtLeast,
    Below,
    Above,
    Plus,
    Minus,
    Times,
    Over,
    Power,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(text: &str) -> Result<Self, BadExpression> {
        parse::parse(text).map(Self)
    }

    /// The ids that it speaks of.
    pub fn speaks_of(&self) -> Vec<&str> {
        let (mut ids, mut nodes) = (Vec::new(), vec![&self.0]);
        while let Some(node) = nodes.pop() {
            match node {
                Node::Known(id) => ids.push(&**id),
                Node::Both(_, both) => nodes.extend(both.iter()),
                Node::List(list) | Node::Call(_, list) => nodes.extend(list),
                Node::Number(_) | Node::Text(_) | Node::Word(_) => {}
            }
        }
        ids
    }

    /// Works it out.
    ///
    /// # Errors
    /// If it speaks of what is not known, or does what cannot be done.
    pub fn work_out(&self, scope: &mut Scope) -> Result<Value, BadExpression> {
        scope.value(&self.0)
    }
}

#[cfg(test)]
mod tests;
