//! How calm the machine was: a virtual one does not always have the processors that it shows.

use std::num::NonZeroUsize;

/// Processor time since the start, of all processors together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ticks {
    /// What others of the host were given while somebody here wanted to run.
    stolen: u64,
    all: u64,
}

impl Ticks {
    /// As the system counts it; nothing where it does not tell.
    pub fn now() -> Self {
        Self::read(&std::fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// Of the first line: user, nice, system, idle, waiting, interrupts (twice), stolen.
    fn read(text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|it| it.parse().ok()).collect();
        Self { stolen: ticks.get(7).copied().unwrap_or(0), all: ticks.iter().sum() }
    }

    /// The part of the time since then that was stolen.
    pub fn stolen_until(self, later: Self) -> f64 {
        let all = later.all.saturating_sub(self.all).max(1);
        later.stolen.saturating_sub(self.stolen) as f64 / all as f64
    }
}

/// Which rounds count: the calmest. A round whose processors were somewhere else tells of others.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Calm {
    /// Measure further rounds, up to four times as many, until there are enough in which no more
    /// than this part of the machine's time was given to others on its host; the calmest count
    #[arg(long, default_value_t = 0.02)]
    pub stolen_at_most: f64,
}

/// How many times as many rounds are tried at most.
const PATIENCE: usize = 4;

impl Calm {
    /// Whether another round is to be measured: how much was stolen in those before, and how many
    /// calm ones there are to be.
    pub fn wants_more(
        self,
        stolen: impl ExactSizeIterator<Item = f64>,
        rounds: NonZeroUsize,
    ) -> bool {
        let (rounds, tried) = (rounds.get(), stolen.len());
        let calm = stolen.filter(|stolen| *stolen <= self.stolen_at_most).count();
        calm < rounds && tried < PATIENCE * rounds
    }
}

/// So many of all rounds, those in which the least was stolen; in the order of that.
pub fn calmest<T>(mut all: Vec<T>, rounds: NonZeroUsize, stolen: impl Fn(&T) -> f64) -> Vec<T> {
    all.sort_by(|one, other| stolen(one).total_cmp(&stolen(other)));
    all.truncate(rounds.get());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stolen_is_a_part_of_all_time() {
        let before = Ticks::read("cpu  10 0 10 60 0 0 0 20 5 0\ncpu0 1 1\n");
        assert_eq!(before, Ticks { stolen: 20, all: 100 });
        let later = Ticks::read("cpu  40 0 30 80 0 0 0 50 9 0\n");
        assert!((before.stolen_until(later) - 0.3).abs() < 1e-9);
        assert!(Ticks::read("").stolen_until(Ticks::read("")).abs() < 1e-9);
    }

    #[test]
    fn rounds_are_measured_until_enough_were_calm_and_not_for_ever() {
        let (calm, two) = (Calm { stolen_at_most: 0.02 }, NonZeroUsize::new(2).unwrap());
        assert!(calm.wants_more([].into_iter(), two));
        assert!(calm.wants_more([0.0, 0.3, 0.03].into_iter(), two));
        assert!(!calm.wants_more([0.0, 0.3, 0.02].into_iter(), two));
        assert!(!calm.wants_more([0.3; 8].into_iter(), two));
        assert_eq!(calmest(vec![0.3, 0.0, 0.1], two, |stolen| *stolen), [0.0, 0.1]);
    }
}
