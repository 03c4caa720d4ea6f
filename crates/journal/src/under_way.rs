//! How long the disk has been at what it was last asked to do: a disk that hangs returns no error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemill_base::Clock;

/// What the disk was asked for and has not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// To take bytes. While it does not, nothing can be written, and no receive is answered.
    Write,
    /// To make them durable. Writes may go on meanwhile.
    Sync,
}

/// Since when each effort is under way.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    write: Since,
    sync: Since,
}

/// Nanoseconds on the clock and one more; nothing is under way at 0.
#[derive(Debug, Default)]
struct Since(AtomicU64);

/// Ends an effort, whether it succeeded, failed or panicked.
pub(crate) struct Begun<'a>(&'a Since);

impl UnderWay {
    /// Notes that an effort begins now. It ends when what is returned is dropped.
    pub(crate) fn begin(&self, effort: Effort, clock: &Clock) -> Begun<'_> {
        let since = self.since(effort);
        since.0.store(nanos(clock.monotonic()).saturating_add(1), Ordering::Relaxed);
        Begun(since)
    }

    /// For how long an effort has been under way, if it is.
    pub(crate) fn lasts(&self, effort: Effort, clock: &Clock) -> Option<Duration> {
        let since = self.since(effort).0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(clock.monotonic().saturating_sub(Duration::from_nanos(since)))
    }

    fn since(&self, effort: Effort) -> &Since {
        match effort {
            Effort::Write => &self.write,
            Effort::Sync => &self.sync,
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Relaxed);
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_effort_is_told_until_it_ends_whatever_the_other_does() {
        let (under_way, clock) = (UnderWay::default(), Clock::system());
        let lasts = |effort| under_way.lasts(effort, &clock).is_some();
        let both = || (lasts(Effort::Write), lasts(Effort::Sync));
        assert_eq!(both(), (false, false));
        let sync = under_way.begin(Effort::Sync, &clock);
        assert_eq!(both(), (false, true));
        let write = under_way.begin(Effort::Write, &clock);
        assert_eq!(both(), (true, true));
        drop(sync);
        assert_eq!(both(), (true, false));
        drop(write);
        assert_eq!(both(), (false, false));
    }
}
