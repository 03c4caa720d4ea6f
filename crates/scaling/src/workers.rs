//! What is counted: workers and messages, which are not to be mixed up.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

/// A number of workers; an instance of a group is one, or as many as its weight says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workers(u32);

impl Workers {
    /// None.
    pub const NONE: Self = Self(0);
    /// More than any group has.
    pub const MOST: Self = Self(u32::MAX);

    /// `count` workers.
    pub const fn new(count: u32) -> Self {
        Self(count)
    }

    /// How many they are.
    pub const fn count(self) -> u32 {
        self.0
    }

    /// How many they are, to calculate with.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0)
    }

    /// The fewest workers that are no less than `need`; none for what is negative or not a number.
    pub fn at_least(need: f64) -> Self {
        // What floating point leaves of a whole number is not another worker.
        let whole = (need - 1e-9).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast saturates, which is what is meant"
        )]
        Self(whole as u32)
    }
}

impl Add for Workers {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl Sub for Workers {
    type Output = Self;

    /// What is left; none where more are taken than there are.
    fn sub(self, fewer: Self) -> Self {
        Self(self.0.saturating_sub(fewer.0))
    }
}

impl Sum for Workers {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::NONE, Add::add)
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Messages(u64);

impl Messages {
    /// None.
    pub const NONE: Self = Self(0);

    /// `count` messages.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// How many they are.
    pub const fn count(self) -> u64 {
        self.0
    }

    /// How many they are, to calculate with.
    pub fn as_f64(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
        let number = self.0 as f64;
        number
    }
}

impl Sub for Messages {
    type Output = Self;

    /// What is left; none where more are taken than there are.
    fn sub(self, fewer: Self) -> Self {
        Self(self.0.saturating_sub(fewer.0))
    }
}

#[cfg(test)]
mod tests {
    use super::Workers;

    #[test]
    fn a_part_of_a_worker_is_a_worker() {
        let cases = [(0.0, 0), (0.01, 1), (1.0, 1), (1.5, 2), (-3.0, 0), (f64::NAN, 0)];
        for (need, count) in cases {
            assert_eq!(Workers::at_least(need), Workers::new(count), "{need}");
        }
        // 0.1 + 0.2 is a little more than 0.3.
        assert_eq!(Workers::at_least((0.1 + 0.2) * 10.0), Workers::new(3));
        assert_eq!(Workers::at_least(f64::INFINITY), Workers::MOST);
    }
}
