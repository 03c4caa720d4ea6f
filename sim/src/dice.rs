//! Choices: every one of a run comes from one seed.

use std::time::Duration;

use tidemill_base::Chance;

/// A seeded source of choices. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Chance);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Chance::seeded(seed))
    }

    /// Another source, whose choices do not depend on how many are made here later.
    pub(crate) fn fork(&self) -> Self {
        Self::seeded(self.0.number())
    }

    /// Another source, as [`Dice::fork`], for those who ask for [`Chance`].
    pub(crate) fn chance(&self) -> Chance {
        self.fork().0
    }

    /// Less than `sides`; 0 if there are none.
    pub(crate) fn below(&self, sides: u64) -> u64 {
        self.0.number() % sides.max(1)
    }

    /// An index into something of this length.
    pub(crate) fn index(&self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(length)).expect("less than a length in memory")
    }

    /// True once in `sides` times.
    pub(crate) fn once_in(&self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    /// One of these.
    pub(crate) fn of<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// Whole seconds, fewer than `fewer`.
    pub(crate) fn seconds(&self, fewer: u64) -> Duration {
        Duration::from_secs(self.below(fewer))
    }
}
