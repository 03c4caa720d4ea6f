//! What a run leaves to chance, drawn from its seed: the same seed gives the same plan.

use std::time::Duration;

use tidemill_base::Chance;

/// A stream of choices.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Chance);

impl Dice {
    /// The choices of one of the run's parts. Parts do not take each other's.
    pub(crate) fn of(seed: u64, part: u64) -> Self {
        // An odd factor: two parts of one seed never meet.
        Self(Chance::seeded(seed ^ (part + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// From `least` to `most`, both included.
    pub(crate) fn between(&self, least: u64, most: u64) -> u64 {
        assert!(least <= most, "there is something to choose from");
        least + self.0.number() % (most - least + 1)
    }

    /// True once in so many times.
    pub(crate) fn one_in(&self, times: u64) -> bool {
        self.between(1, times) == 1
    }

    /// From `least` to `most` milliseconds.
    pub(crate) fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }
}
