//! The time that is asked about, as AWS rounds it, and the periods it is divided into.

use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_wire::Fault;

use super::fault;

/// A period, in seconds: 1, 5, 10, 20, 30, or a multiple of 60.
pub(super) fn period(seconds: i32) -> Option<Duration> {
    let seconds = u64::try_from(seconds).ok()?;
    let known =
        [1, 5, 10, 20, 30].contains(&seconds) || (seconds > 0 && seconds.is_multiple_of(60));
    known.then(|| Duration::from_secs(seconds))
}

/// An alarm's periods are no shorter.
const SHORTEST: Duration = Duration::from_secs(10);

/// A period of an alarm, in seconds.
///
/// # Errors
/// If it is none.
pub(super) fn alarm_period(seconds: i32) -> Result<Duration, Fault> {
    period(seconds)
        .filter(|period| *period >= SHORTEST)
        .ok_or_else(|| fault::validation("Period must be 10, 20, 30 or a multiple of 60"))
}

const DAY: Duration = Duration::from_hours(24);

/// Where the first period begins: the further back, the coarser.
pub(super) fn first(start: Timestamp, period: Duration, now: Timestamp) -> Timestamp {
    let ago = now.since(start);
    let step = match period.as_secs() {
        seconds @ ..60 => seconds,
        _ if ago <= 15 * DAY => 60,
        _ if ago <= 63 * DAY => 300,
        _ => 3600,
    };
    Timestamp::from_millis(start.as_secs() / step * step * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_rounded_down_further_the_longer_ago_it_was() {
        // 2023-11-14T22:13:20Z.
        let start = Timestamp::from_millis(1_700_000_000_123);
        let minute = Duration::from_mins(1);
        let rounded = |period, ago| start.since(first(start, period, start + ago)).as_secs();
        assert_eq!(rounded(Duration::from_secs(1), Duration::ZERO), 0);
        assert_eq!(rounded(Duration::from_secs(30), Duration::ZERO), 20);
        assert_eq!(rounded(minute, Duration::ZERO), 20);
        assert_eq!(rounded(5 * minute, 15 * DAY), 20);
        assert_eq!(rounded(minute, 15 * DAY + minute), 3 * 60 + 20);
        assert_eq!(rounded(minute, 64 * DAY), 13 * 60 + 20);
    }

    #[test]
    fn a_period_is_a_part_of_a_minute_or_some_minutes() {
        for good in [1, 5, 10, 20, 30, 60, 120, 86_400] {
            assert!(period(good).is_some(), "{good}");
        }
        for bad in [-60, 0, 2, 15, 45, 61, 90] {
            assert_eq!(period(bad), None, "{bad}");
        }
        let of_alarms = [1, 5, 10, 20, 30, 60].map(|seconds| alarm_period(seconds).is_ok());
        assert_eq!(of_alarms, [false, false, true, true, true, true]);
    }
}
