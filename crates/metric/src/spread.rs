//! How values are distributed, in bounded memory: exactly while there are few different ones, in
//! bins whose bounds grow by a constant factor afterwards, which are made wider rather than many.

/// The distribution of values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Spread {
    /// Each value and how often, by value. None is below zero.
    Exact(Vec<(f64, f64)>),
    /// How often zero, and how often a value of each bin, by bin.
    Binned {
        /// A bin's upper bound is 2^(2^-scale) times its lower one.
        scale: i8,
        /// How many zeros.
        zeros: f64,
        /// Bin `n` begins at 2^(n * 2^-scale).
        bins: Vec<(i32, f64)>,
    },
    /// Not known, and never will be.
    Unknown,
}

/// So many different values are told apart.
const VALUES: usize = 32;
/// So many bins.
const BINS: usize = 160;
/// Bins of the finest scale are about four hundredths wide: their middle is off by half of that.
const FINEST: i8 = 4;
/// Bins of the coarsest scale hold all numbers that there are, in fewer than there may be.
const COARSEST: i8 = -8;

impl Spread {
    /// Of `count` times `value`.
    pub(crate) fn of(value: f64, count: f64) -> Self {
        // Minus zero is zero: values are compared by their order.
        if value < 0.0 { Self::Unknown } else { Self::Exact(vec![(value.abs(), count)]) }
    }

    /// Takes in another distribution.
    pub(crate) fn add(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Unknown, _) => {}
            (_, Self::Unknown) => *self = Self::Unknown,
            (Self::Exact(mine), Self::Exact(theirs)) => {
                merge(mine, theirs, f64::total_cmp);
                if mine.len() > VALUES {
                    *self = binned(mine);
                }
            }
            (Self::Exact(mine), Self::Binned { .. }) => {
                let mut whole = binned(mine);
                whole.add(other);
                *self = whole;
            }
            (Self::Binned { .. }, Self::Exact(theirs)) => self.add(&binned(theirs)),
            (
                Self::Binned { scale, zeros, bins },
                Self::Binned { scale: their_scale, zeros: their_zeros, bins: theirs },
            ) => {
                let mut theirs = theirs.clone();
                let least = *scale.min(&mut their_scale.clone());
                widen(bins, *scale - least);
                widen(&mut theirs, *their_scale - least);
                merge(bins, &theirs, i32::cmp);
                *scale = least;
                *zeros += their_zeros;
                fit(scale, bins);
            }
        }
    }

    /// The value that `percent` of all do not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Option<f64> {
        let rank = |total: f64| total * percent / 100.0;
        match self {
            Self::Unknown => None,
            Self::Exact(values) => {
                let total: f64 = values.iter().map(|(_, count)| count).sum();
                Some(at_rank(values.iter().copied(), rank(total)))
            }
            Self::Binned { scale, zeros, bins } => {
                let total: f64 = *zeros + bins.iter().map(|(_, count)| count).sum::<f64>();
                let middle = |bin: i32| ((f64::from(bin) + 0.5) * width(*scale)).exp2();
                let bins = bins.iter().map(|(bin, count)| (middle(*bin), *count));
                Some(at_rank(std::iter::once((0.0, *zeros)).chain(bins), rank(total)))
            }
        }
    }

    /// Whether what was read is what the rest relies on: in order, of scales that there are.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Exact(values) => {
                values.iter().all(|(value, _)| value.is_sign_positive() && !value.is_nan())
                    && values.is_sorted_by(|(one, _), (next, _)| one < next)
            }
            Self::Binned { scale, bins, .. } => {
                (COARSEST..=FINEST).contains(scale)
                    && bins.is_sorted_by(|(one, _), (next, _)| one < next)
            }
        }
    }

    /// About how many bytes it takes beside itself.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Exact(values) => values.len() * size_of::<(f64, f64)>(),
            Self::Binned { bins, .. } => bins.len() * size_of::<(i32, f64)>(),
            Self::Unknown => 0,
        }
    }
}

/// The binary logarithm of a bin's width.
fn width(scale: i8) -> f64 {
    (-f64::from(scale)).exp2()
}

/// The first value at which so many are reached.
fn at_rank(values: impl Iterator<Item = (f64, f64)>, rank: f64) -> f64 {
    let (mut reached, mut last) = (0.0, 0.0);
    for (value, count) in values.filter(|(_, count)| *count > 0.0) {
        reached += count;
        last = value;
        // What was summed up in another order may miss the rank by a hair.
        if reached >= rank - reached * 1e-12 {
            break;
        }
    }
    last
}

fn binned(values: &[(f64, f64)]) -> Spread {
    let mut scale = FINEST;
    let zeros = values.iter().filter(|(value, _)| *value <= 0.0).map(|(_, count)| count).sum();
    let mut bins: Vec<(i32, f64)> = Vec::new();
    for (value, count) in values.iter().filter(|(value, _)| *value > 0.0) {
        #[expect(clippy::cast_possible_truncation, reason = "a logarithm is below two thousand")]
        let bin = (value.log2() / width(scale)).floor() as i32;
        match bins.last_mut().filter(|(last, _)| *last == bin) {
            Some((_, sum)) => *sum += count,
            None => bins.push((bin, *count)),
        }
    }
    fit(&mut scale, &mut bins);
    Spread::Binned { scale, zeros, bins }
}

/// Makes the bins wider until they are few enough.
fn fit(scale: &mut i8, bins: &mut Vec<(i32, f64)>) {
    while bins.len() > BINS {
        widen(bins, 1);
        *scale -= 1;
    }
}

/// Makes bins wider by a power of two, `doublings` times.
fn widen(bins: &mut Vec<(i32, f64)>, doublings: i8) {
    if doublings > 0 {
        for (bin, _) in bins.iter_mut() {
            *bin >>= doublings;
        }
        bins.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
    }
}

/// Merges two lists that are sorted, adding the counts of what is the same.
fn merge<T: Copy>(
    mine: &mut Vec<(T, f64)>,
    theirs: &[(T, f64)],
    order: impl Fn(&T, &T) -> std::cmp::Ordering,
) {
    for (value, count) in theirs {
        match mine.binary_search_by(|(known, _)| order(known, value)) {
            Ok(at) => mine[at].1 += count,
            Err(at) => mine.insert(at, (*value, *count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_all(values: impl Iterator<Item = f64>) -> Spread {
        let mut spread = Spread::Exact(Vec::new());
        values.for_each(|value| spread.add(&Spread::of(value, 1.0)));
        spread
    }

    #[test]
    fn many_values_take_bounded_memory_and_percentiles_stay_near() {
        let spread = of_all((1..=10_000).map(f64::from));
        assert!(spread.weight() <= BINS * 16);
        for percent in [1.0, 25.0, 50.0, 75.0, 99.0, 99.9] {
            let exact = 10_000.0 * percent / 100.0;
            let told = spread.percentile(percent).unwrap();
            assert!((told / exact - 1.0).abs() < 0.05, "p{percent}: {told} for {exact}");
        }
    }

    #[test]
    fn values_from_end_to_end_of_what_there_is_still_fit() {
        let spread = of_all((-360..=360).map(|power| f64::from(power).exp2()));
        assert!(matches!(&spread, Spread::Binned { bins, .. } if bins.len() <= BINS));
        let middle = spread.percentile(50.0).unwrap();
        assert!((0.05..20.0).contains(&middle), "{middle}");
    }

    #[test]
    fn it_does_not_matter_in_which_order_distributions_come_together() {
        let low = of_all((0..100).map(f64::from));
        let high = of_all((50..5_000).map(f64::from));
        let few = of_all([3.0, 0.0].into_iter());
        let sum = |all: [&Spread; 3]| {
            let mut sum = all[0].clone();
            sum.add(all[1]);
            sum.add(all[2]);
            sum
        };
        let one = sum([&low, &high, &few]);
        assert_eq!(sum([&few, &high, &low]), one);
        assert_eq!(sum([&high, &few, &low]), one);
    }

    #[test]
    fn only_what_is_in_order_and_of_a_scale_that_there_is_is_sound() {
        for sound in [of_all((0..9).map(f64::from)), of_all((0..999).map(f64::from))] {
            assert!(sound.is_sound(), "{sound:?}");
        }
        let bins = |scale, bins: &[i32]| {
            let bins = bins.iter().map(|bin| (*bin, 1.0)).collect();
            Spread::Binned { scale, zeros: 0.0, bins }
        };
        assert!(bins(COARSEST, &[-1, 0]).is_sound());
        for wrong in [
            Spread::Exact(vec![(2.0, 1.0), (1.0, 1.0)]),
            Spread::Exact(vec![(1.0, 1.0), (1.0, 1.0)]),
            Spread::Exact(vec![(-1.0, 1.0)]),
            Spread::Exact(vec![(f64::NAN, 1.0)]),
            bins(i8::MIN, &[0]),
            bins(COARSEST - 1, &[0]),
            bins(FINEST + 1, &[0]),
            bins(0, &[1, 0]),
            bins(0, &[1, 1]),
        ] {
            assert!(!wrong.is_sound(), "{wrong:?}");
        }
    }

    #[test]
    fn zeros_are_values_too() {
        let spread = of_all((0..200).map(|value| f64::from(value / 100)));
        assert_eq!(spread.percentile(50.0), Some(0.0));
        assert_eq!(spread.percentile(51.0), Some(1.0));
        assert_eq!(Spread::of(-0.0, 1.0), Spread::of(0.0, 1.0));
    }
}
