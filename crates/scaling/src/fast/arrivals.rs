//! How many messages come in a second: slow to follow noise, and at once where it is none.

use std::f64::consts::LN_2;
use std::time::Duration;

use crate::Messages;

/// What was seen so long ago counts half.
const HALF_LIFE: f64 = 10.0;
/// The same for the slow average, against which the trend is told.
const SLOW_HALF_LIFE: f64 = 60.0;
/// A trend is believed to add so much of the rate at most.
const MOST_AHEAD: f64 = 0.5;
/// So many times the usual scatter is a change, and no longer chance.
const SURPRISE: f64 = 5.0;
/// How much one look changes what is thought of the scatter.
const SCATTER_LEARNT: f64 = 0.05;
/// And how much a surprise does: it is a change of the load more often than it is scatter.
const SCATTER_FROM_SURPRISE: f64 = 0.01;

/// The rate at which messages come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arrivals {
    /// Messages a second.
    rate: f64,
    /// How many seconds that rests on.
    weight: f64,
    /// The average of longer ago, and how many seconds that rests on.
    slow: (f64, f64),
    /// The scatter of the counts against that of messages that come one by one (which is one).
    /// Messages that are sent ten at a time have ten.
    scatter: f64,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { rate: 0.0, weight: 0.0, slow: (0.0, 0.0), scatter: 1.0 }
    }
}

impl Arrivals {
    /// Messages a second.
    pub(super) fn rate(self) -> f64 {
        self.rate
    }

    /// Messages a second after `ahead` that are sure: a few seconds' count is taken for as much
    /// less as it scatters, and what grows goes on to grow. What shrinks may stop.
    pub(super) fn rate_in(self, ahead: Duration) -> f64 {
        let is_new = (1.0 - self.weight / HALF_LIFE).max(0.0);
        let doubt = (self.rate * self.scatter / self.weight.max(1e-3)).sqrt() * is_new;
        let rate = (self.rate - doubt).max(0.0);
        // An average over so long is behind by so much.
        let behind = |half_life: f64, weight: f64| weight.min(half_life / LN_2);
        let apart = behind(SLOW_HALF_LIFE, self.slow.1) - behind(HALF_LIFE, self.weight);
        if apart <= HALF_LIFE {
            return rate;
        }
        let growth = (self.rate - self.slow.0).max(0.0) / apart;
        rate + (growth * ahead.as_secs_f64()).min(rate * MOST_AHEAD)
    }

    /// So many came within so long, which is not nothing.
    pub(super) fn learn(&mut self, came: Messages, within: Duration) {
        let (came, span) = (came.as_f64(), within.as_secs_f64());
        let expected = self.rate * span;
        let deviation = (expected.max(1.0) * self.scatter).sqrt();
        let surprise = (came - expected) / deviation;
        if self.weight > 0.0 && surprise.abs() > SURPRISE {
            // Something else has begun. One look is little to go by: as much of the change is
            // believed as is sure, and the next looks weigh more than this one.
            let doubt = 2.0 * (came.max(1.0) * self.scatter).sqrt();
            let sure = if surprise > 0.0 {
                (came - doubt).max(expected)
            } else {
                (came + doubt).min(expected)
            };
            self.rate = sure / span;
            self.weight = span / 4.0;
            self.slow = (self.rate, self.weight);
            self.learn_scatter(SURPRISE, SCATTER_FROM_SURPRISE);
        } else {
            if self.weight > 0.0 {
                self.learn_scatter(surprise, SCATTER_LEARNT);
            }
            let average = |(rate, weight): (f64, f64), half_life: f64| {
                let old = weight * 0.5_f64.powf(span / half_life);
                ((rate * old + came) / (old + span), old + span)
            };
            (self.rate, self.weight) = average((self.rate, self.weight), HALF_LIFE);
            self.slow = average(self.slow, SLOW_HALF_LIFE);
        }
    }

    /// Takes in a deviation of so many times the scatter as it is thought to be.
    fn learn_scatter(&mut self, times: f64, weight: f64) {
        let scatter = times * times * self.scatter;
        self.scatter = (self.scatter + (scatter - self.scatter) * weight).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(counts: impl IntoIterator<Item = u64>) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for count in counts {
            arrivals.learn(Messages::new(count), Duration::from_secs(1));
        }
        arrivals
    }

    #[test]
    fn noise_changes_little() {
        let noisy = after((0..60).map(|second| if second % 2 == 0 { 90 } else { 110 }));
        assert!((95.0..105.0).contains(&noisy.rate()), "{noisy:?}");
    }

    #[test]
    fn a_jump_is_seen_in_the_first_second_and_believed_in_the_third() {
        let calm = || std::iter::repeat_n(5, 60);
        assert!(after(calm().chain([105])).rate() > 75.0);
        let settled = after(calm().chain([105, 105, 105]));
        assert!((100.0..106.0).contains(&settled.rate()), "{settled:?}");
    }

    #[test]
    fn what_grows_is_seen_ahead_and_what_is_even_is_not() {
        let minute = Duration::from_mins(1);
        // A quarter more each second: in a minute it will be fifteen more than now.
        let growing = after((0..400).map(|second| 100 + second / 4));
        let ahead = growing.rate_in(minute) - growing.rate();
        assert!((12.0..16.0).contains(&ahead), "{ahead} {growing:?}");
        let even = after(std::iter::repeat_n(100, 400));
        assert!((even.rate_in(minute) - even.rate()).abs() < 0.1, "{even:?}");
    }

    #[test]
    fn an_end_is_seen_at_once() {
        assert!(after(std::iter::repeat_n(100, 60).chain([0])).rate() <= 2.0);
    }

    #[test]
    fn messages_that_come_by_tens_are_no_change_each_time() {
        let bursts = (0..600).map(|second| [50, 150, 100, 80, 120][second % 5]);
        let seen = after(bursts);
        assert!((85.0..115.0).contains(&seen.rate()), "{seen:?}");
        assert!(seen.scatter > 5.0, "{seen:?}");
    }
}
