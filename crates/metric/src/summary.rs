//! What is kept of any number of values: what every statistic can be worked out of.

use crate::spread::Spread;

/// Values, summed up.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many there are.
    pub samples: f64,
    /// Their sum.
    pub sum: f64,
    /// The least of them.
    pub minimum: f64,
    /// The greatest of them.
    pub maximum: f64,
    /// How they are distributed.
    pub(crate) spread: Spread,
}

impl Summary {
    /// `value`, measured `samples` times.
    pub(crate) fn of(value: f64, samples: f64) -> Self {
        let spread = Spread::of(value, samples);
        Self { samples, sum: value * samples, minimum: value, maximum: value, spread }
    }

    /// Takes in further values.
    pub(crate) fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.sum += other.sum;
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
        self.spread.add(&other.spread);
    }

    /// Their mean.
    pub fn average(&self) -> f64 {
        self.sum / self.samples
    }

    /// The least value that `percent` of all values do not exceed, 0 to 100. Exact where few
    /// different values were measured, within about a fiftieth otherwise. `None` where it cannot be
    /// told: of values below zero, and of those that came summed up.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let value = self.spread.percentile(percent)?;
        Some(value.clamp(self.minimum, self.maximum))
    }

    /// The value, if there is but one and nothing else to know of it.
    pub(crate) fn single(&self) -> Option<f64> {
        let bits = self.sum.to_bits();
        let same = [self.minimum, self.maximum].iter().all(|one| one.to_bits() == bits);
        let alone = self.samples.to_bits() == 1.0_f64.to_bits() && same;
        (alone && self.spread == Spread::of(self.sum, 1.0)).then_some(self.sum)
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.spread.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::Measurement;

    fn values(values: &[(f64, f64)]) -> Summary {
        Measurement::Values(values.to_vec()).summary().unwrap()
    }

    #[test]
    fn the_sum_of_two_four_and_five_is_eleven_and_their_mean_three_and_two_thirds() {
        let summary = values(&[(2.0, 1.0), (4.0, 1.0), (5.0, 1.0)]);
        assert_eq!((summary.samples, summary.sum), (3.0, 11.0));
        assert_eq!((summary.minimum, summary.maximum), (2.0, 5.0));
        assert!((summary.average() - 3.667).abs() < 0.001);
    }

    #[test]
    fn a_percentile_is_a_value_that_so_many_do_not_exceed() {
        let all: Vec<(f64, f64)> = (1..=10).map(|value| (f64::from(value), 1.0)).collect();
        let summary = values(&all);
        for (percent, value) in [(0.0, 1.0), (10.0, 1.0), (50.0, 5.0), (90.0, 9.0), (100.0, 10.0)] {
            assert_eq!(summary.percentile(percent), Some(value), "{percent}");
        }
        assert_eq!(summary.percentile(99.9), Some(10.0));
    }

    #[test]
    fn of_values_below_zero_and_of_statistics_no_percentile_is_known() {
        assert_eq!(values(&[(1.0, 1.0), (-1.0, 1.0)]).percentile(50.0), None);
        let set = |samples, minimum, maximum| {
            let sum = maximum * samples;
            Measurement::Statistics { samples, sum, minimum, maximum }.summary().unwrap()
        };
        assert_eq!(set(10.0, 1.0, 10.0).percentile(50.0), None);
        assert_eq!(set(10.0, 7.0, 7.0).percentile(50.0), Some(7.0));
        assert_eq!(set(1.0, 1.0, 7.0).percentile(50.0), None);
        let mut mixed = values(&[(7.0, 1.0)]);
        mixed.add(&set(10.0, 1.0, 10.0));
        assert_eq!(mixed.percentile(50.0), None);
        assert_eq!(mixed.samples, 11.0);
    }

    #[test]
    fn only_one_value_that_was_measured_once_stands_for_itself() {
        assert_eq!(Summary::of(3.5, 1.0).single(), Some(3.5));
        assert_eq!(Summary::of(-3.5, 1.0).single(), Some(-3.5));
        assert_eq!(Summary::of(3.5, 2.0).single(), None);
        let mut two = Summary::of(3.5, 1.0);
        two.add(&Summary::of(4.5, 1.0));
        assert_eq!(two.single(), None);
    }
}
