//! Work: how long consumers have had messages in flight, each message counted by itself. What is
//! recent counts most: each minute halves all that was before.
//!
//! Halving by minutes, instead of forgetting what is too old, takes one number for a group and
//! never changes who has a greater part than another: a group's part grows only while it has more
//! of what is in flight than of the work. All is in whole milliseconds, so that the same times
//! always come to the same sums.
//!
//! Work is neither recorded nor part of a snapshot: after a restart it counts from nothing.

use tidemill_base::Timestamp;

/// Each of these halves what was before.
const HALF_LIFE_MILLIS: u64 = 60_000;
/// While a queue has seen less work than this, in milliseconds, nobody has too great a part of it.
const ENOUGH_MILLIS: u64 = 60_000;

/// A queue's own time, in milliseconds since it was first looked at: that of its clock, but it
/// stands still where the clock goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

/// Recent work.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    millis: u64,
    upto: Moment,
}

/// A queue's own time, and all its recent work.
#[derive(Clone, Debug, Default)]
pub(super) struct Shift {
    moment: Moment,
    /// What the clock showed last.
    clock: Option<Timestamp>,
    all: Work,
}

impl Work {
    /// None so far.
    pub(super) fn none(upto: Moment) -> Self {
        Self { millis: 0, upto }
    }

    /// Goes on to `to`; so many messages were in flight all the while.
    pub(super) fn settle(&mut self, to: Moment, in_flight: usize) {
        debug_assert!(to >= self.upto, "a queue's own time does not go back");
        let in_flight = u64::try_from(in_flight).expect("a count has at most 64 bits");
        let minute = |moment: u64| moment / HALF_LIFE_MILLIS;
        // A message is in flight for twelve hours at most.
        while in_flight > 0 && minute(self.upto.0) < minute(to.0) {
            let end = (minute(self.upto.0) + 1) * HALF_LIFE_MILLIS;
            self.millis += (end - self.upto.0) * in_flight;
            self.millis /= 2;
            self.upto = Moment(end);
        }
        let halvings = u32::try_from(minute(to.0) - minute(self.upto.0)).unwrap_or(u32::MAX);
        self.millis = self.millis.checked_shr(halvings).unwrap_or(0);
        self.millis += (to.0 - self.upto.0) * in_flight;
        self.upto = to;
    }

    /// Whether this is more than so many hundredths of `all`.
    pub(super) fn exceeds(&self, percent: u8, all: &Self) -> bool {
        debug_assert_eq!(self.upto, all.upto, "both are settled");
        self.millis * 100 > all.millis * u64::from(percent)
    }

    /// Whether there is enough of it for anybody to have too much.
    pub(super) fn is_enough(&self) -> bool {
        self.millis >= ENOUGH_MILLIS
    }
}

impl Shift {
    pub(super) fn moment(&self) -> Moment {
        self.moment
    }

    pub(super) fn all(&self) -> &Work {
        &self.all
    }

    /// The clock goes on to `to`, if it is not past that; so many messages were in flight.
    pub(super) fn pass(&mut self, to: Timestamp, in_flight: usize) {
        // Time begins with the first look.
        let Some(clock) = self.clock.filter(|clock| *clock < to) else { return };
        self.moment.0 += to.as_millis() - clock.as_millis();
        self.clock = Some(to);
        self.all.settle(self.moment, in_flight);
    }

    /// The clock shows `now`, be it that it went back.
    pub(super) fn look(&mut self, now: Timestamp, in_flight: usize) {
        self.pass(now, in_flight);
        self.clock = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn work(steps: &[(u64, usize)]) -> u64 {
        let mut work = Work::default();
        for (to, in_flight) in steps {
            work.settle(Moment(*to), *in_flight);
        }
        work.millis
    }

    #[test]
    fn work_is_time_for_each_message_and_halves_each_minute() {
        assert_eq!(work(&[(1_000, 0), (3_000, 5)]), 10_000);
        assert_eq!(work(&[(59_999, 2)]), 119_998);
        assert_eq!(work(&[(60_000, 2)]), 60_000);
        assert_eq!(work(&[(60_000, 2), (60_500, 1), (239_999, 0)]), 30_250 / 2);
        assert_eq!(work(&[(60_000, 2), (u64::MAX / 2, 0)]), 0);
    }

    #[test]
    fn it_does_not_matter_how_often_work_is_settled() {
        let often: Vec<_> = (1..=400_000).step_by(777).map(|to| (to, 3)).collect();
        assert_eq!(work(&often), work(&[(often.last().unwrap().0, 3)]));
    }

    #[test]
    fn a_queues_own_time_stands_still_where_the_clock_goes_back() {
        let mut shift = Shift::default();
        // The first look begins it.
        shift.look(at(1_000_000), 7);
        shift.look(at(1_000_100), 1);
        assert_eq!((shift.moment(), shift.all().millis), (Moment(100), 100));
        shift.look(at(500), 1);
        // Something that was due while nobody looked changes nothing behind what is counted.
        shift.pass(at(400), 1);
        assert_eq!((shift.moment(), shift.all().millis), (Moment(100), 100));
        shift.look(at(700), 2);
        assert_eq!((shift.moment(), shift.all().millis), (Moment(300), 500));
    }
}
