//! A clock that goes back: nothing gets stuck, and nothing is remembered until it has caught up.

use super::*;
use crate::settings::Discipline;

const MINUTE: Duration = Duration::from_mins(1);

impl Bench {
    /// Starts again, with a clock that shows an earlier time.
    pub(super) fn set_back(self, by: Duration) -> Self {
        let clock = Clock::manual(self.clock.now() - by);
        drop(self.engine);
        let engine = open(self.store.clone(), &clock);
        Self { clock, engine, ..self }
    }

    /// Sends a message of one group that is known by this name; says whether it was taken in.
    async fn offer(&self, queue: QueueId, name: &str) -> bool {
        let mut new = message(name);
        new.content.group = Some("g".into());
        new.content.deduplication = Some(name.into());
        !self.engine.send(queue, new).await.unwrap().duplicate
    }
}

fn fifo() -> SettingsChange {
    SettingsChange { discipline: Some(Discipline::Fifo), ..SettingsChange::default() }
}

#[tokio::test]
async fn what_has_no_delay_is_visible_whatever_the_clock_shows() {
    for settings in [SettingsChange::default(), fifo()] {
        let bench = Bench::new();
        let queue = bench.queue_with("a.fifo", settings).await;
        assert!(bench.offer(queue, "before").await);
        let bench = bench.set_back(60 * MINUTE);
        assert!(bench.offer(queue, "after").await);
        assert_eq!(bodies(&bench.take(queue, 10).await), ["before", "after"]);
    }
}

#[tokio::test]
async fn what_was_due_stays_so_when_a_delay_is_set_then() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    assert!(bench.offer(queue, "before").await);
    let bench = bench.set_back(60 * MINUTE);
    let delay = SettingsChange { delay: Some(MINUTE), ..SettingsChange::default() };
    bench.engine.configure(queue, delay).await.unwrap();
    assert!(bench.offer(queue, "after").await);
    assert_eq!(bench.counts(queue), (1, 0, 1));
    let bench = bench.set_back(MINUTE);
    assert_eq!(bench.counts(queue), (1, 0, 1));
}

#[tokio::test]
async fn a_message_is_remembered_for_five_minutes_more() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    assert!(bench.offer(queue, "a").await);
    let bench = bench.set_back(365 * 24 * 60 * MINUTE);
    assert!(!bench.offer(queue, "a").await);
    bench.advance(4 * MINUTE);
    assert!(!bench.offer(queue, "a").await);
    bench.advance(MINUTE);
    assert!(bench.offer(queue, "a").await);
}
