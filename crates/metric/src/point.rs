//! What was measured, as it comes in.

use tidemill_base::Timestamp;

use crate::key::Dimension;
use crate::spread::Spread;
use crate::summary::Summary;
use crate::unit::Unit;

/// What was measured of one metric at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The metric's name.
    pub name: Box<str>,
    /// Its dimensions, in any order.
    pub dimensions: Vec<Dimension>,
    /// What it is counted in.
    pub unit: Unit,
    /// When it was measured.
    pub at: Timestamp,
    /// How finely time is told apart.
    pub resolution: Resolution,
    /// What was measured.
    pub measured: Measurement,
}

/// How finely a value's time is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// By the second.
    Second,
    /// By the minute.
    Minute,
}

/// A measurement. All numbers are finite, and counts and sizes of samples positive.
#[derive(Clone, Debug, PartialEq)]
pub enum Measurement {
    /// One value.
    Value(f64),
    /// Several, each with how often it was measured.
    Values(Vec<(f64, f64)>),
    /// What somebody else worked out of many.
    Statistics {
        /// How many.
        samples: f64,
        /// Their sum.
        sum: f64,
        /// The least.
        minimum: f64,
        /// The greatest.
        maximum: f64,
    },
}

impl Measurement {
    /// The same as a summary; `None` of no value at all.
    pub(crate) fn summary(&self) -> Option<Summary> {
        match self {
            Self::Value(value) => Some(Summary::of(*value, 1.0)),
            Self::Values(values) => {
                let mut all = values.iter().map(|(value, count)| Summary::of(*value, *count));
                let mut whole = all.next()?;
                all.for_each(|one| whole.add(&one));
                Some(whole)
            }
            Self::Statistics { samples, sum, minimum, maximum } => {
                // What all values were is known only where they were all the same.
                let same = minimum.to_bits() == maximum.to_bits();
                let spread = if same { Spread::of(*minimum, *samples) } else { Spread::Unknown };
                let (samples, sum) = (*samples, *sum);
                Some(Summary { samples, sum, minimum: *minimum, maximum: *maximum, spread })
            }
        }
    }
}
