//! What is done each minute, by the clock: the queues and groups are measured, schedules kept,
//! alarms looked at, and what was measured before grows older. A clock that is moved by hand
//! brings every minute it passed.

use std::sync::Arc;
use std::time::Duration;

use tidemill_base::{Clock, Timestamp};
use tidemill_metric::Metrics;
use tidemill_queue::Engine;
use tidemill_services::{AutoScaling, CloudWatch, QueueMinutes};
use tokio::sync::{Mutex, Notify, watch};
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
    autoscaling: Option<AutoScaling>,
    /// Taken by whoever goes through the minutes, and held: one does.
    turn: Mutex<Turn>,
    /// The end of the step that comes next, once all before it are gone through.
    next: watch::Sender<Timestamp>,
    moved: Arc<Notify>,
}

struct Turn {
    /// The end of the step that comes next.
    next: Timestamp,
    queues: QueueMinutes,
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
        let first = whole(now) + STEP;
        let turn = Mutex::new(Turn { next: first, queues });
        let next = watch::Sender::new(first);
        let clock = clock.clone();
        Self { clock, metrics, cloudwatch, autoscaling: None, turn, next, moved }
    }

    /// The same, which also looks after the groups of `autoscaling`.
    pub(crate) fn with_groups(self, autoscaling: AutoScaling) -> Self {
        Self { autoscaling: Some(autoscaling), ..self }
    }

    /// Goes through the steps as they end; never returns.
    pub(crate) async fn run(&self) {
        let mut turn = self.turn.lock().await;
        loop {
            self.catch_up(&mut turn).await;
            self.next.send_replace(turn.next);
            let pause = async {
                match self.clock.until(turn.next) {
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

    /// Waits until every step that has ended by now is gone through. Who stops waiting changes
    /// nothing: it is not he who goes through them.
    pub(crate) async fn caught_up(&self) {
        let now = self.clock.now();
        let waited = self.next.subscribe().wait_for(|next| *next > now).await.is_ok();
        assert!(waited, "it is told as long as we are there");
    }

    /// Goes through every step that has ended by now and was not gone through before.
    async fn catch_up(&self, turn: &mut Turn) {
        let now = self.clock.now();
        // A clock that was set back begins anew.
        let next = turn.next.min(whole(now) + STEP);
        turn.next = next.max(whole(now - LEAP));
        while turn.next <= now {
            let end = turn.next;
            turn.next = end + STEP;
            let is_minute = end.as_secs().is_multiple_of(MINUTE.as_secs());
            if is_minute && let Err(error) = turn.queues.tell(end - MINUTE).await {
                warn!(%error, "a minute of the queues was not measured");
            }
            if let Some(autoscaling) = &self.autoscaling {
                autoscaling.keep_schedules(end).await;
                if is_minute {
                    autoscaling.keep_alarms().await;
                    if let Err(error) = autoscaling.tell(end - MINUTE).await {
                        warn!(%error, "a minute of the groups was not measured");
                    }
                }
            }
            self.cloudwatch.watch(end).await;
        }
        self.tidy().await;
    }

    /// Has another thread tidy up the metrics: that blocks.
    async fn tidy(&self) {
        let metrics = self.metrics.clone();
        match tokio::task::spawn_blocking(move || metrics.tidy()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "the metrics were not tidied"),
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
    use tidemill_metric::{
        AlarmKey, AlarmSettings, Check, Comparison, Dimension, Error, Measure, MetricKey, Source,
        Standing, Watched,
    };
    use tidemill_queue::{Config, NewMessage, QueueId, QueueKey, SettingsChange};

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
        let source = Source::Metric(Measure {
            metric: MetricKey::new(account, region.clone(), "AWS/SQS", name, dimensions),
            statistic: "Maximum".into(),
            unit: None,
            period: MINUTE,
        });
        let check = Check::new(source, 1, Comparison::AtLeast, 0.0);
        let settings = AlarmSettings {
            description: None,
            actions_enabled: true,
            actions: Default::default(),
            watched: Watched::Values(check),
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
            // On a slow machine that minute is over before all this stands; then it is the next.
            done = tokio::time::timeout(2 * MINUTE, alarming) => done.unwrap(),
        }
    }

    /// The beginning of an hour.
    const START: Timestamp = Timestamp::from_millis(1_700_002_800_000);
    const DAY: Duration = Duration::from_hours(24);

    struct World {
        clock: Clock,
        queues: Engine,
        metrics: Metrics,
        minutes: QueueMinutes,
    }

    fn world(limit: ByteSize) -> World {
        let clock = Clock::manual(START);
        let config =
            Config { clock: clock.clone(), chance: Chance::seeded(1), ..Config::default() };
        let queues = Engine::open(MemoryDriver::new(), config).unwrap();
        let driver = MemoryDriver::new();
        let metrics = Metrics::open(driver, Options::default(), clock.clone(), limit).unwrap();
        let minutes = QueueMinutes::new(queues.clone(), metrics.clone());
        World { clock, queues, metrics, minutes }
    }

    impl World {
        async fn make_queue(&self, region: &str) -> QueueId {
            let (account, region) = (AccountId::DEFAULT, region.parse().unwrap());
            let key = QueueKey { account, region, name: NAME.parse().unwrap() };
            let made = self.queues.create(key, SettingsChange::default(), BTreeMap::default());
            made.await.unwrap().id
        }

        /// Moves the clock and tells of the minutes from `first` that it passed.
        async fn leap(&mut self, first: Timestamp, by: Duration) {
            self.clock.advance(by);
            let mut start = first;
            while start + MINUTE <= self.clock.now() {
                self.minutes.tell(start).await.unwrap();
                start = start + MINUTE;
            }
        }

        /// What is known by the minute, from `first` on.
        fn told(&self, region: &str, name: &str, first: Timestamp) -> Vec<(Timestamp, f64)> {
            let dimensions = vec![Dimension::new("QueueName", NAME)];
            let region = region.parse().unwrap();
            let key = MetricKey::new(AccountId::DEFAULT, region, "AWS/SQS", name, dimensions);
            let range = (first, first + DAY);
            let now = self.metrics.now();
            let found = self.metrics.look(|state| state.whole(&key, None, range, MINUTE, now));
            found.iter().map(|(start, summary)| (*start, summary.sum)).collect()
        }
    }

    #[tokio::test]
    async fn a_leap_tells_of_an_idle_queue_for_six_hours_and_no_longer() {
        let mut world = world(ByteSize::mib(1));
        world.make_queue("us-east-1").await;
        world.leap(START, MINUTE).await;
        world.leap(START + MINUTE, 8 * Duration::from_hours(1)).await;
        let told = world.told("us-east-1", "NumberOfMessagesSent", START);
        assert_eq!(told.len(), 6 * 60);
        assert_eq!(told.last().unwrap().0, START + Duration::from_hours(6) - MINUTE);
    }

    #[tokio::test]
    async fn each_minute_of_a_leap_has_the_age_that_the_oldest_message_had_then() {
        let mut world = world(ByteSize::mib(1));
        let queue = world.make_queue("us-east-1").await;
        world.queues.send(queue, NewMessage::default()).await.unwrap();
        world.leap(START, 3 * MINUTE).await;
        let told = world.told("us-east-1", "ApproximateAgeOfOldestMessage", START);
        let ages: Vec<f64> = told.iter().map(|(_, age)| *age).collect();
        assert_eq!(ages, [60.0, 120.0, 180.0]);
    }

    #[tokio::test]
    async fn who_stops_waiting_for_the_minutes_takes_none_of_them_away() {
        let world = world(ByteSize::mib(1));
        let queue = world.make_queue("us-east-1").await;
        let (clock, queues, metrics) = (&world.clock, &world.queues, &world.metrics);
        let cloudwatch = CloudWatch::new(metrics.clone(), queues.clone());
        let minutes = Minutes::new(clock, queues.clone(), metrics.clone(), cloudwatch);
        let minutes = Arc::new(minutes);
        let running = Arc::clone(&minutes);
        let running = tokio::spawn(async move { running.run().await });
        for patience in 0..20 {
            queues.send(queue, NewMessage::default()).await.unwrap();
            clock.advance(MINUTE);
            let hang_up = async {
                for _ in 0..patience {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = minutes.caught_up() => {}
                () = hang_up => {}
            }
        }
        minutes.caught_up().await;
        running.abort();
        let sent = world.told("us-east-1", "NumberOfMessagesSent", START);
        let count: f64 = sent.iter().map(|(_, count)| count).sum();
        assert!((count - 20.0).abs() < f64::EPSILON, "{sent:?}");
    }

    #[tokio::test]
    async fn what_was_taken_before_a_failure_is_not_counted_again() {
        // There is room for the first region, and none for the others.
        let mut world = world(ByteSize::bytes(1));
        let regions = ["ap-south-1", "eu-west-1", "us-east-1"];
        for region in regions {
            let queue = world.make_queue(region).await;
            world.queues.send(queue, NewMessage::default()).await.unwrap();
        }
        world.clock.advance(MINUTE);
        assert!(matches!(world.minutes.tell(START).await, Err(Error::Full)));
        let sent = |world: &World, first| {
            regions.map(|region| world.told(region, "NumberOfMessagesSent", first).len())
        };
        assert_eq!(sent(&world, START)[2], 0);
        // All that was measured is forgotten: there is room again.
        world.metrics.clear().await.unwrap();
        world.clock.advance(MINUTE);
        drop(world.minutes.tell(START + MINUTE).await);
        let told = world.told("ap-south-1", "NumberOfMessagesSent", START);
        assert_eq!(told, [(START + MINUTE, 0.0)]);
    }
}
