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

    /// The bucket that a time falls into: how many come before it.
    #[expect(clippy::cast_possible_truncation, reason = "seconds outgrow 32 bits in 2106")]
    pub(crate) const fn bucket(self, at: Timestamp) -> u32 {
        (at.as_secs() / self.seconds()) as u32
    }

    /// When a bucket begins.
    pub(crate) const fn start(self, bucket: u32) -> Timestamp {
        Timestamp::from_millis(bucket as u64 * self.seconds() * 1000)
    }
}

/// How long each tier is kept: as long as is promised, or less where memory is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How often all of it was halved.
    pub halvings: u8,
}

impl Retention {
    /// Nothing is halved more often: seconds are kept for a few of them then, hours for some.
    pub(crate) const MOST: u8 = 10;

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
