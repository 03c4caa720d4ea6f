//! The fewest and the most workers that a group may have.

use crate::Workers;

/// More at least than at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the smallest size, {min}, is above the largest, {max}")]
pub struct BadLimits {
    /// The fewest.
    pub min: Workers,
    /// The most.
    pub max: Workers,
}

/// The fewest and the most workers that a group may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    min: Workers,
    max: Workers,
}

impl Limits {
    /// From `min` to `max`, both included.
    ///
    /// # Errors
    /// `min` is above `max`.
    pub fn new(min: Workers, max: Workers) -> Result<Self, BadLimits> {
        if min > max { Err(BadLimits { min, max }) } else { Ok(Self { min, max }) }
    }

    /// The fewest.
    pub fn min(self) -> Workers {
        self.min
    }

    /// The most.
    pub fn max(self) -> Workers {
        self.max
    }

    /// What comes closest to `wanted`.
    pub fn clamp(self, wanted: Workers) -> Workers {
        wanted.clamp(self.min, self.max)
    }
}
