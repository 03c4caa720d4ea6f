//! Simple scaling: one change, and then nothing until its instances have come or gone for a while.

use std::time::Duration;

use tidemill_base::Timestamp;

use super::adjustment::Adjustment;
use crate::{Limits, Workers};

/// What keeps simple scaling waiting. Target tracking and step scaling do not ask it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cooldown {
    /// Instances that the last change asked for are still coming or going.
    pub under_way: bool,
    /// When the last of them had come or gone; `None` if there was no change yet.
    pub settled: Option<Timestamp>,
}

impl Cooldown {
    /// Whether a policy that waits for `cooldown` is to wait at `now`.
    pub fn holds(self, cooldown: Duration, now: Timestamp) -> bool {
        self.under_way || self.settled.is_some_and(|settled| now.since(settled) < cooldown)
    }
}

/// What becomes of a group of `capacity`; `None` if the change has to wait.
pub fn scale_simply(
    adjustment: Adjustment,
    capacity: Workers,
    limits: Limits,
    waits: Cooldown,
    cooldown: Duration,
    now: Timestamp,
) -> Option<Workers> {
    (!waits.holds(cooldown, now)).then(|| limits.clamp(adjustment.of(capacity)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Change;

    const COOLDOWN: Duration = Duration::from_mins(5);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_cooldown_begins_when_the_last_instance_has_come_or_gone() {
        let change = Adjustment { change: Change::ChangeInCapacity, by: 3 };
        let limits = Limits::new(Workers::NONE, Workers::new(3)).unwrap();
        let scaled =
            |waits, now| scale_simply(change, Workers::new(2), limits, waits, COOLDOWN, at(now));
        // At most three, two there, three more: three.
        let three = Some(Workers::new(3));
        assert_eq!(scaled(Cooldown::default(), 0), three);
        assert_eq!(scaled(Cooldown { under_way: true, settled: None }, 1000), None);
        let settled = Cooldown { under_way: false, settled: Some(at(1000)) };
        assert_eq!(scaled(settled, 1299), None);
        assert_eq!(scaled(settled, 1300), three);
    }
}
