//! How far the moves under way have come, and how fast they may go on. Remembered, never recorded:
//! after a restart a move looks through its queue once more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemill_base::Timestamp;

use crate::key::{QueueNumber, Sequence};

/// What a message costs: a move is given as much a millisecond as it may move a second.
const MESSAGE: u64 = 1000;

/// The moves under way, by the queue that they move messages from.
#[derive(Debug, Default)]
pub(in crate::engine) struct Movers(BTreeMap<QueueNumber, Pace>);

/// How far a move has come.
#[derive(Debug)]
pub(in crate::engine) struct Pace {
    /// Everything before it was moved or has to stay.
    cursor: Sequence,
    /// Groups of a FIFO queue of which something has to stay, and with it all that is behind.
    blocked: BTreeSet<Arc<str>>,
    /// What it was given and has not spent.
    credit: u64,
    /// Up to when it was given.
    at: Timestamp,
}

impl Movers {
    pub(super) fn insert(&mut self, queue: QueueNumber, pace: Pace) {
        self.0.insert(queue, pace);
    }

    /// A move that was under way when the journal was opened.
    pub(in crate::engine) fn resume(&mut self, queue: QueueNumber, now: Timestamp) {
        self.0.insert(queue, Pace::new(now));
    }

    pub(super) fn remove(&mut self, queue: QueueNumber) {
        self.0.remove(&queue);
    }

    pub(super) fn get_mut(&mut self, queue: QueueNumber) -> Option<&mut Pace> {
        self.0.get_mut(&queue)
    }

    pub(super) fn queues(&self) -> Vec<QueueNumber> {
        self.0.keys().copied().collect()
    }

    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Pace {
    /// A move that may begin with one message at once.
    pub(super) fn new(now: Timestamp) -> Self {
        let (cursor, blocked) = (Sequence::default(), BTreeSet::new());
        Self { cursor, blocked, credit: MESSAGE, at: now }
    }

    pub(super) fn cursor(&self) -> Sequence {
        self.cursor
    }

    pub(super) fn go_on(&mut self, to: Sequence) {
        self.cursor = to;
    }

    pub(super) fn go_back(&mut self, to: Sequence) {
        self.cursor = self.cursor.min(to);
    }

    pub(super) fn block(&mut self, group: Arc<str>) {
        self.blocked.insert(group);
    }

    pub(super) fn blocks(&self, group: &str) -> bool {
        self.blocked.contains(group)
    }

    /// How many messages may be moved now, at most `most`. What was not used adds up for a second
    /// and no longer: whoever receives them relies on the pace.
    pub(super) fn allow(&mut self, now: Timestamp, per_second: Option<u32>, most: usize) -> usize {
        let Some(per_second) = per_second.map(u64::from) else { return most };
        let elapsed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        self.at = now;
        let given = self.credit.saturating_add(elapsed.saturating_mul(per_second));
        self.credit = given.min(per_second * MESSAGE);
        usize::try_from(self.credit / MESSAGE).unwrap_or(most).min(most)
    }

    /// So many were moved.
    pub(super) fn spend(&mut self, messages: usize) {
        let cost = u64::try_from(messages).unwrap_or(u64::MAX).saturating_mul(MESSAGE);
        self.credit = self.credit.saturating_sub(cost);
    }

    /// When the next ones may be moved: those of a tenth of a second together.
    pub(super) fn wait_until(&self, per_second: Option<u32>) -> Timestamp {
        let Some(per_second) = per_second.map(u64::from).filter(|number| *number > 0) else {
            return self.at;
        };
        let wanted = (per_second / 10).max(1) * MESSAGE;
        let millis = wanted.saturating_sub(self.credit).div_ceil(per_second);
        Timestamp::from_millis(self.at.as_millis().saturating_add(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// How many were moved by `end`, looking whenever it says to.
    fn moved(per_second: u32, end: u64) -> usize {
        let mut pace = Pace::new(at(0));
        let (mut now, mut moved) = (at(0), 0);
        while now <= at(end) {
            let allowed = pace.allow(now, Some(per_second), 256);
            pace.spend(allowed);
            moved += allowed;
            let next = pace.wait_until(Some(per_second));
            assert!(next > now, "it does not spin");
            now = next;
        }
        moved
    }

    #[test]
    fn a_pace_is_kept_over_time() {
        assert_eq!(moved(1, 3_000), 4);
        assert_eq!(moved(3, 10_000), 31);
        assert_eq!(moved(300, 10_000), 3_001);
        assert_eq!(moved(500, 10_000), 5_001);
    }

    #[test]
    fn what_was_not_used_adds_up_for_a_second_only() {
        let mut pace = Pace::new(at(0));
        assert_eq!(pace.allow(at(100_000), Some(50), 256), 50);
        // The clock went back.
        assert_eq!(pace.allow(at(0), Some(50), 256), 50);
        pace.spend(50);
        assert_eq!(pace.allow(at(40), Some(50), 256), 2);
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let mut pace = Pace::new(at(0));
        assert_eq!(pace.allow(at(0), None, 256), 256);
        pace.spend(256);
        assert_eq!(pace.allow(at(0), None, 256), 256);
    }
}
