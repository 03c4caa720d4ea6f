//! How many messages a worker gets done in a second, by what was deleted.

use std::time::Duration;

use crate::{Messages, Workers};

/// The last so many deletions are what is known; older ones fade.
const REMEMBERED: f64 = 500.0;
/// Where workers were found idle, in seconds, what was seen so long ago counts half. Who is at work
/// at a moment is a sample then, and a bad one: it takes many.
const HALF_LIFE: f64 = 60.0;
/// A guess counts as much as so many deletions.
const GUESSED: f64 = 5.0;
/// Work says something once it was seen for so many seconds.
const ENOUGH: f64 = 10.0;
/// A second in which nobody was ever idle says as much as so many others.
const EXACT: f64 = 10.0;

/// The rate at which one worker that has work gets it done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Service {
    /// Deletions, those of long ago counted less.
    deleted: f64,
    /// The seconds that workers spent on them.
    busy: f64,
    /// How many seconds of work were seen, exact ones counted as more, up to what is enough.
    seen: f64,
}

impl Service {
    /// What a worker is thought to do before one was seen.
    pub(super) fn guessed(service: Option<Duration>) -> Self {
        service.map_or_else(Self::default, |service| Self {
            deleted: GUESSED,
            busy: GUESSED * service.as_secs_f64().max(1e-6),
            seen: ENOUGH,
        })
    }

    /// So many messages were deleted within so long, in which so many workers were at work; all
    /// that there are, and none of them idle for a moment, if `always`.
    pub(super) fn learn(&mut self, deleted: Messages, busy: f64, within: Duration, always: bool) {
        let (deleted, span) = (deleted.as_f64(), within.as_secs_f64());
        let by_count = (1.0 - 1.0 / REMEMBERED).powf(deleted);
        let by_time = 0.5_f64.powf(span / HALF_LIFE);
        let kept = if always { by_count } else { by_count.max(by_time) };
        self.deleted = self.deleted * kept + deleted;
        self.busy = self.busy * kept + busy * span;
        if busy > 0.0 {
            let said = if always { span * EXACT } else { span };
            self.seen = (self.seen + said).min(ENOUGH);
        }
    }

    /// Messages a second and worker; `None` while nobody knows. Where workers have been at it and
    /// nothing was deleted yet, no more than one in the time that they have taken.
    pub(super) fn rate(self) -> Option<f64> {
        let is_known = self.seen >= ENOUGH && self.busy > 0.0;
        is_known.then(|| self.deleted.max(1.0) / self.busy)
    }
}

/// How many were at work between two looks, by both of them.
pub(super) fn between(before: Workers, after: Workers) -> f64 {
    before.as_f64().midpoint(after.as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_is_known_before_work_was_seen_unless_it_was_guessed() {
        assert_eq!(Service::guessed(None).rate(), None);
        let rate = Service::guessed(Some(Duration::from_millis(100))).rate();
        assert!(rate.is_some_and(|rate| (rate - 10.0).abs() < 1e-9), "{rate:?}");
    }

    #[test]
    fn a_worker_that_has_not_finished_yet_is_known_to_be_slow() {
        let mut service = Service::default();
        for _ in 0..30 {
            service.learn(Messages::NONE, 2.0, SECOND, true);
        }
        assert_eq!(service.rate(), Some(1.0 / 60.0));
    }

    #[test]
    fn a_change_of_pace_is_learnt_after_some_hundred_deletions() {
        let mut service = Service::default();
        for _ in 0..100 {
            service.learn(Messages::new(50), 5.0, SECOND, true);
        }
        assert!(service.rate().is_some_and(|rate| (rate - 10.0).abs() < 0.1));
        for _ in 0..200 {
            service.learn(Messages::new(10), 5.0, SECOND, true);
        }
        assert!(service.rate().is_some_and(|rate| (rate - 2.0).abs() < 0.2), "{service:?}");
    }
}
