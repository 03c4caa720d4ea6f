//! `[Timer]`: when a service is started again and again.

use std::time::Duration;

use super::calendar::Calendar;

/// When a timer's service is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timer {
    /// The service.
    pub unit: String,
    /// So long after what is named, once.
    pub spans: Vec<(Since, Duration)>,
    /// At these times of the calendar, again and again.
    pub calendars: Vec<Calendar>,
}

/// What a timer counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// From the instance's start.
    Boot,
    /// From when the service was started last.
    UnitActive,
    /// From when the service ended last.
    UnitInactive,
}

impl Timer {
    /// How long to wait until the service is due, if it ever is. All times are since the boot but
    /// `wall`, which is seconds since 1970.
    ///
    /// What was due before `checked` and did not happen then is due no more.
    pub fn due(&self, now: Moment, last: Last) -> Option<Duration> {
        let spans = self.spans.iter().filter_map(|(since, span)| match since {
            // It happens once.
            Since::Boot => (last.activated.is_none()).then_some(*span),
            Since::UnitActive => last.activated?.checked_add(*span),
            Since::UnitInactive => last.ended?.checked_add(*span),
        });
        let spans = spans.map(|at| at.saturating_sub(now.up));
        // A calendar counts from when it was looked at last, so that no second of it is missed.
        let calendars = self.calendars.iter().filter_map(|calendar| {
            let next = calendar.next_after(last.looked)?;
            Some(Duration::from_secs(next).saturating_sub(now.wall))
        });
        spans.chain(calendars).min()
    }
}

/// A moment, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the instance was started.
    pub up: Duration,
    /// Since 1970.
    pub wall: Duration,
}

/// What a timer remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// When it started its service, since the boot.
    pub activated: Option<Duration>,
    /// When its service ended, since the boot.
    pub ended: Option<Duration>,
    /// When the calendar was followed last: seconds since 1970.
    pub looked: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(up: u32) -> Moment {
        Moment { up: SECOND * up, wall: SECOND * (1_000_000_020 + up) }
    }

    #[test]
    fn a_service_is_due_after_the_boot_and_again_after_it_was_started() {
        let spans = vec![(Since::Boot, SECOND * 5), (Since::UnitActive, SECOND * 60)];
        let timer = Timer { spans, ..Timer::default() };
        let mut last = Last::default();
        assert_eq!(timer.due(at(2), last), Some(SECOND * 3));
        assert_eq!(timer.due(at(7), last), Some(Duration::ZERO));
        last.activated = Some(SECOND * 7);
        assert_eq!(timer.due(at(10), last), Some(SECOND * 57));
    }

    #[test]
    fn a_service_that_never_ran_is_not_due_by_what_counts_from_its_runs() {
        let spans = vec![(Since::UnitActive, SECOND), (Since::UnitInactive, SECOND)];
        let timer = Timer { spans, ..Timer::default() };
        assert_eq!(timer.due(at(10), Last::default()), None);
        let last = Last { ended: Some(SECOND * 10), ..Last::default() };
        assert_eq!(timer.due(at(10), last), Some(SECOND));
    }

    #[test]
    fn a_calendar_misses_no_time_of_its_own_between_two_looks() {
        let calendars = vec![Calendar::parse("minutely").unwrap()];
        let timer = Timer { calendars, ..Timer::default() };
        // 1 000 000 020 is a whole minute.
        let last = Last { looked: 1_000_000_020, ..Last::default() };
        assert_eq!(timer.due(at(10), last), Some(SECOND * 50));
        assert_eq!(timer.due(at(61), last), Some(Duration::ZERO));
    }
}
