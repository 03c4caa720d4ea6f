//! How finely time is told apart, and for how long.

use std::time::Duration;

use tidemill_base::Timestamp;

/// How wide a bucket is. What is kept in a tier moves to the next one with age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A second, kept for three hours.
    Second,
    /// A minute, kept for 15 days.
    Minute,
    /// Five minutes, kept for 63 days.
    FiveMinutes,
    /// An hour, kept for 455 days.
    Hour,
}

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// The last bucket: its end can be counted, too.
const LAST: u32 = u32::MAX - 1;

impl Tier {
    /// All of them, the finest first.
    pub(crate) const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::FiveMinutes, Self::Hour];

    /// A bucket's width, in seconds.
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::FiveMinutes => 300,
            Self::Hour => HOUR,
        }
    }

    /// The next coarser one.
    pub(crate) const fn next(self) -> Option<Self> {
        match self {
            Self::Second => Some(Self::Minute),
            Self::Minute => Some(Self::FiveMinutes),
            Self::FiveMinutes => Some(Self::Hour),
            Self::Hour => None,
        }
    }

    /// The bucket that a time falls into: how many come before it. All times that are further ahead
    /// than can be counted, the first in 2106, fall into the last one.
    #[expect(clippy::cast_possible_truncation, reason = "what would be cut is the last one")]
    pub(crate) const fn bucket(self, at: Timestamp) -> u32 {
        let bucket = at.as_secs() / self.seconds();
        if bucket > LAST as u64 { LAST } else { bucket as u32 }
    }

    /// When a bucket begins.
    pub(crate) const fn start(self, bucket: u32) -> Timestamp {
        Timestamp::from_millis(bucket as u64 * self.seconds() * 1000)
    }
}

/// How long each tier is kept: as long as is promised, or less where memory is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How often all of it was halved: at most [`Self::MOST`] times.
    halvings: u8,
}

impl Retention {
    /// Nothing is halved more often: seconds are kept for a few of them then, hours for some.
    const MOST: u8 = 10;

    /// A time that was halved so often, if that may be.
    pub(crate) fn halved(halvings: u8) -> Option<Self> {
        (halvings <= Self::MOST).then_some(Self { halvings })
    }

    /// How often all of it was halved.
    pub const fn halvings(self) -> u8 {
        self.halvings
    }

    /// All that are shorter, the longest first.
    pub(crate) fn shorter(self) -> impl Iterator<Item = Self> {
        (self.halvings + 1..=Self::MOST).map(|halvings| Self { halvings })
    }

    /// Twice as long, if that is no more than what is promised.
    pub(crate) fn longer(self) -> Self {
        Self { halvings: self.halvings.saturating_sub(1) }
    }

    /// How long a tier is kept.
    pub const fn of(self, tier: Tier) -> Duration {
        let seconds = match tier {
            Tier::Second => 3 * HOUR,
            Tier::Minute => 15 * DAY,
            Tier::FiveMinutes => 63 * DAY,
            Tier::Hour => 455 * DAY,
        };
        Duration::from_secs(seconds >> self.halvings)
    }

    /// The bucket before which all have left the tier at `now`.
    pub(crate) fn first(self, tier: Tier, now: Timestamp) -> u32 {
        tier.bucket(now - self.of(tier))
    }

    /// Where a bucket of `tier` that begins at `start` belongs at `now`; nowhere once it is gone.
    pub(crate) fn tier_at(self, mut tier: Tier, start: Timestamp, now: Timestamp) -> Option<Tier> {
        while tier.bucket(start) < self.first(tier, now) {
            tier = tier.next()?;
        }
        Some(tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_cannot_be_counted_is_in_the_last_bucket() {
        let seconds = |seconds: u64| Tier::Second.bucket(Timestamp::from_millis(seconds * 1000));
        assert_eq!(seconds(u64::from(LAST) - 1), LAST - 1);
        for late in [u64::from(LAST), u64::from(LAST) + 1, u64::from(u32::MAX) + 10] {
            assert_eq!(seconds(late), LAST);
        }
        assert_eq!(Tier::Hour.bucket(Timestamp::NEVER), LAST);
    }

    #[test]
    fn what_is_kept_is_halved_ten_times_at_most() {
        let all: Vec<u8> = Retention::default().shorter().map(Retention::halvings).collect();
        assert_eq!(all, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(Retention::halved(10).unwrap().shorter().count(), 0);
        assert_eq!(Retention::halved(11), None);
        assert_eq!(Retention::halved(1).map(Retention::longer), Some(Retention::default()));
        assert_eq!(Retention::default().longer(), Retention::default());
    }
}
