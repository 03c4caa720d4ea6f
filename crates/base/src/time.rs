//! Time: a point on the wall clock, and the clock that tells it.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The beginning of 1970.
    pub const EPOCH: Self = Self(0);
    /// Later than anything that happens: the deadline of what has none.
    pub const NEVER: Self = Self(u64::MAX);

    /// A point `millis` milliseconds after the beginning of 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the beginning of 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the beginning of 1970.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// How long ago `earlier` was; nothing if it is yet to come.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }
}

type Listener = Box<dyn Fn() + Send + Sync>;

struct Manual {
    now: Mutex<Timestamp>,
    /// Called after each move of the clock, so that whoever sleeps until a deadline looks again.
    listeners: Mutex<Vec<Listener>>,
}

#[derive(Clone)]
enum Source {
    System,
    /// Runs as the machine's, from another time on.
    Running(Timestamp),
    Manual(Arc<Manual>),
}

/// The clock: the machine's own, or one that a test moves by hand. Cloning shares it.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    /// What the machine's steady clock showed when this one was made.
    started: Duration,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { source: Source::System, started: read(ClockId::Monotonic) }
    }

    /// A clock that stands at `now` until it is moved by [`Clock::advance`].
    pub fn manual(now: Timestamp) -> Self {
        let manual = Manual { now: Mutex::new(now), listeners: Mutex::default() };
        Self { source: Source::Manual(Arc::new(manual)), started: read(ClockId::Monotonic) }
    }

    /// A clock that shows `now` and runs on from there as the machine's does: for a test of what
    /// goes by itself at a time that the machine's clock does not show soon.
    pub fn running(now: Timestamp) -> Self {
        Self { source: Source::Running(now), started: read(ClockId::Monotonic) }
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System => Timestamp::EPOCH + read(ClockId::Realtime),
            Source::Running(from) => *from + self.monotonic(),
            Source::Manual(manual) => *manual.now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Real time since the clock was made, whatever it shows: for measuring, never for deciding.
    pub fn monotonic(&self) -> Duration {
        read(ClockId::Monotonic).saturating_sub(self.started)
    }

    /// Whether the clock stands still until it is moved.
    pub fn is_manual(&self) -> bool {
        matches!(self.source, Source::Manual(_))
    }

    /// How long in real time until the clock can show `deadline`; `None` if waiting will not do,
    /// because the clock is moved by hand.
    pub fn until(&self, deadline: Timestamp) -> Option<Duration> {
        match &self.source {
            Source::System | Source::Running(_) => Some(deadline.since(self.now())),
            Source::Manual(_) if deadline <= self.now() => Some(Duration::ZERO),
            Source::Manual(_) => None,
        }
    }

    /// Moves a manual clock forward and tells the listeners. Returns the new time, or `None` (and
    /// does nothing) for the machine's clock.
    pub fn advance(&self, by: Duration) -> Option<Timestamp> {
        let Source::Manual(manual) = &self.source else { return None };
        let now = {
            let mut now = manual.now.lock().unwrap_or_else(PoisonError::into_inner);
            *now = *now + by;
            *now
        };
        for listener in manual.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            listener();
        }
        Some(now)
    }

    /// Calls `listener` after each move of a manual clock. The machine's clock never calls.
    pub fn on_advance(&self, listener: impl Fn() + Send + Sync + 'static) {
        if let Source::Manual(manual) = &self.source {
            let mut listeners = manual.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            listeners.push(Box::new(listener));
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::System => "Clock(system)",
            Source::Running(_) => "Clock(running)",
            Source::Manual(_) => "Clock(manual)",
        })
    }
}

/// Reads one of the machine's clocks: the one place that does. It goes round the standard types,
/// whose checked arithmetic takes longer than to read the clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    // A clock before 1970 is as good as one that shows it.
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        assert_eq!(clock.now(), Timestamp::from_millis(1_000));
        assert_eq!(clock.until(Timestamp::from_millis(1_001)), None);
        assert_eq!(clock.advance(Duration::from_secs(2)), Some(Timestamp::from_millis(3_000)));
        assert_eq!(clock.until(Timestamp::from_millis(1_001)), Some(Duration::ZERO));
    }

    #[test]
    fn moving_the_clock_tells_the_listeners() {
        let clock = Clock::manual(Timestamp::EPOCH);
        let heard = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&heard);
        clock.on_advance(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        clock.advance(Duration::from_millis(1));
        clock.advance(Duration::from_millis(1));
        assert_eq!(heard.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_running_clock_begins_where_it_is_told_to() {
        let (from, far) = (Timestamp::from_millis(1_000), Timestamp::from_millis(3_600_000));
        let clock = Clock::running(from);
        let (now, left) = (clock.now(), clock.until(far).unwrap());
        assert!(now >= from && now < far);
        assert!(left <= far.since(now) && clock.now() + left >= far);
        assert_eq!(clock.advance(Duration::from_secs(1)), None);
    }

    #[test]
    fn the_system_clock_cannot_be_moved() {
        assert_eq!(Clock::system().advance(Duration::from_secs(1)), None);
    }

    #[test]
    fn time_saturates_at_its_ends() {
        assert_eq!(Timestamp::NEVER + Duration::from_secs(1), Timestamp::NEVER);
        assert_eq!(Timestamp::EPOCH - Duration::from_secs(1), Timestamp::EPOCH);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::NEVER), Duration::ZERO);
    }
}
