//! What is done each minute, by the clock: the queues are measured, alarms are looked at, and what
//! was measured before grows older. A clock that is moved by hand brings every minute it passed.

use std::sync::Arc;
use std::time::Duration;

use tidemill_base::{Clock, Timestamp};
use tidemill_metric::Metrics;
use tidemill_queue::Engine;
use tidemill_services::{CloudWatch, QueueMinutes};
use tokio::sync::{Mutex, Notify};
use tracing::{error, warn};

const MINUTE: Duration = Duration::from_mins(1);
/// How often alarms of short periods are looked at.
const STEP: Duration = Duration::from_secs(10);
/// Of a longer leap only so much is gone through, the last of it.
const LEAP: Duration = Duration::from_hours(24);

/// The minutes as they pass.
pub(crate) struct Minutes {
    clock: Clock,
    metrics: Metrics,
    cloudwatch: CloudWatch,
    /// Held while minutes are gone through: one after the other.
    turn: Mutex<Turn>,
    moved: Arc<Notify>,
}

struct Turn {
    /// The end of the step that comes next.
    next: Timestamp,
    queues: QueueMinutes,
    /// When what was measured was moved on last.
    aged: Timestamp,
}

impl Minutes {
    pub(crate) fn new(
        clock: &Clock,
        engine: Engine,
        metrics: Metrics,
        cloudwatch: CloudWatch,
    ) -> Self {
        let moved = Arc::new(Notify::new());
        let wake = Arc::clone(&moved);
        clock.on_advance(move || wake.notify_one());
        let now = clock.now();
        let queues = QueueMinutes::new(engine, metrics.clone());
        let turn = Mutex::new(Turn { next: whole(now) + STEP, queues, aged: now });
        Self { clock: clock.clone(), metrics, cloudwatch, turn, moved }
    }

    /// Goes through the steps as they end; never returns.
    pub(crate) async fn run(&self) {
        loop {
            self.catch_up().await;
            let next = self.turn.lock().await.next;
            let pause = async {
                match self.clock.until(next) {
                    Some(span) => tokio::time::sleep(span).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.moved.notified() => {}
            }
        }
    }

    /// Goes through every step that has ended by now and was not gone through before.
    pub(crate) async fn catch_up(&self) {
        let mut turn = self.turn.lock().await;
        let now = self.clock.now();
        // A clock that was set back begins anew.
        let next = turn.next.min(whole(now) + STEP);
        turn.next = next.max(whole(now - LEAP));
        while turn.next <= now {
            let end = turn.next;
            turn.next = end + STEP;
            if end.as_secs().is_multiple_of(MINUTE.as_secs())
                && let Err(error) = turn.queues.tell(end - MINUTE).await
            {
                warn!(%error, "a minute of the queues was not measured");
            }
            self.cloudwatch.watch(end).await;
        }
        self.tidy(&mut turn).await;
    }

    /// Has another thread tidy up the metrics: that blocks.
    async fn tidy(&self, turn: &mut Turn) {
        let (metrics, mut aged) = (self.metrics.clone(), turn.aged);
        let tidied = tokio::task::spawn_blocking(move || (metrics.tidy(&mut aged), aged)).await;
        match tidied {
            Ok((tidied, aged)) => {
                turn.aged = aged;
                if let Err(error) = tidied {
                    warn!(%error, "the metrics were not tidied");
                }
            }
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(failure) => error!(%failure, "the metrics were not tidied"),
            },
        }
    }
}

/// The step's beginning.
fn whole(time: Timestamp) -> Timestamp {
    let step = STEP.as_secs();
    Timestamp::from_millis(time.as_secs() / step * step * 1000)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tidemill_base::{AccountId, ByteSize, Chance, Region};
    use tidemill_journal::{MemoryDriver, Options};
    use tidemill_metric::{AlarmKey, AlarmSettings, Comparison, Dimension, MetricKey, Standing};
    use tidemill_queue::{Config, QueueKey, SettingsChange};

    use super::*;

    const NAME: &str = "orders";

    async fn make_queue(clock: &Clock) -> Engine {
        let (clock, chance) = (clock.clone(), Chance::seeded(1));
        let config = Config { clock, chance, ..Config::default() };
        let engine = Engine::open(MemoryDriver::new(), config).unwrap();
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let key = QueueKey { account, region, name: NAME.parse().unwrap() };
        engine.create(key, SettingsChange::default(), BTreeMap::default()).await.unwrap();
        engine
    }

    /// Goes off as soon as the queue is measured.
    async fn make_alarm(metrics: &Metrics) -> AlarmKey {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let dimensions = vec![Dimension::new("QueueName", NAME)];
        let name = "ApproximateNumberOfMessagesVisible";
        let settings = AlarmSettings {
            description: None,
            actions_enabled: true,
            actions: Default::default(),
            metric: MetricKey::new(account, region.clone(), "AWS/SQS", name, dimensions),
            statistic: "Maximum".into(),
            unit: None,
            period: MINUTE,
            periods: 1,
            breaching: None,
            threshold: 0.0,
            comparison: Comparison::AtLeast,
            missing: None,
            few_values_count: None,
        };
        let key = AlarmKey { account, region, name: NAME.into() };
        metrics.put_alarm(key.clone(), settings, BTreeMap::default()).await.unwrap();
        key
    }

    #[tokio::test]
    async fn a_clock_that_runs_by_itself_brings_minutes() {
        // A moment before a minute ends.
        let clock = Clock::running(Timestamp::from_millis(1_700_000_039_800));
        let engine = make_queue(&clock).await;
        let limit = ByteSize::mib(1);
        let driver = MemoryDriver::new();
        let metrics = Metrics::open(driver, Options::default(), clock.clone(), limit).unwrap();
        let key = make_alarm(&metrics).await;
        let cloudwatch = CloudWatch::new(metrics.clone(), engine.clone());
        let minutes = Minutes::new(&clock, engine, metrics.clone(), cloudwatch);
        let standing =
            || metrics.look(|state| state.alarms().find(&key).map(|alarm| alarm.reason.standing));
        let alarming = async {
            while standing() != Some(Standing::Alarming) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = minutes.run() => unreachable!("it never returns"),
            done = tokio::time::timeout(MINUTE, alarming) => done.unwrap(),
        }
    }
}
