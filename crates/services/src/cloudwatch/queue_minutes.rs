//! What SQS tells CloudWatch each minute of every queue that is in use.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tidemill_base::{AccountId, Region, Timestamp};
use tidemill_metric::{Dimension, Error, Measurement, Metrics, Point, Resolution, Unit};
use tidemill_queue::{Counts, Engine, QueueId, QueueMetrics, Tally};

/// The queues as they were a minute ago.
#[derive(Debug)]
pub struct QueueMinutes {
    queues: Engine,
    metrics: Metrics,
    before: HashMap<QueueId, Before>,
}

/// What was known of a queue.
#[derive(Clone, Copy, Debug)]
struct Before {
    tally: Tally,
    /// When anything happened at it, or it held a message.
    in_use: Timestamp,
}

const MINUTE: Duration = Duration::from_mins(1);
/// A queue that holds nothing and that nobody asks anything of is told of for so long.
const IN_USE: Duration = Duration::from_hours(6);
/// So many queues go into the metrics at once: what is written as one stays of a moderate size.
const AT_ONCE: usize = 500;

impl QueueMinutes {
    /// Tells `metrics` of `queues`.
    pub fn new(queues: Engine, metrics: Metrics) -> Self {
        Self { queues, metrics, before: HashMap::new() }
    }

    /// Tells of the minute that began at `start`: what happened since the last time, and how the
    /// queues stand now. While the disk takes nothing in, the minute is left out, and what happened
    /// in it counts for the next one.
    ///
    /// # Errors
    /// If the metrics are not taken. What was taken before counts; the rest counts for the next
    /// minute.
    pub async fn tell(&mut self, start: Timestamp) -> Result<(), Error> {
        if self.queues.failure().is_some() {
            return Ok(());
        }
        let queues = self.queues.metrics().queues;
        let mut places: BTreeMap<(AccountId, Region), Vec<&QueueMetrics>> = BTreeMap::new();
        for queue in &queues {
            let place = (queue.key.account, queue.key.region.clone());
            places.entry(place).or_default().push(queue);
        }
        for ((account, region), queues) in places {
            for queues in queues.chunks(AT_ONCE) {
                let (mut points, mut after) = (Vec::new(), Vec::with_capacity(queues.len()));
                for queue in queues {
                    let before = self.before.get(&queue.id).copied();
                    after.push((queue.id, observe(queue, before, start, &mut points)));
                }
                if !points.is_empty() {
                    let stored = self.metrics.store(account, region.clone(), "AWS/SQS", points);
                    stored.await?;
                }
                // Only what was taken is not told again.
                self.before.extend(after);
            }
        }
        let known: HashSet<QueueId> = queues.iter().map(|queue| queue.id).collect();
        self.before.retain(|id, _| known.contains(id));
        Ok(())
    }
}

/// What there is to tell of a queue for the minute that began at `start`. A clock that was moved by
/// hand may be hours past it: what is told is what held at the minute's own end.
fn observe(
    queue: &QueueMetrics,
    before: Option<Before>,
    start: Timestamp,
    points: &mut Vec<Point>,
) -> Before {
    let now = start + MINUTE;
    let tally = before.map_or_else(Tally::default, |before| before.tally);
    let Counts { visible, in_flight, delayed, .. } = queue.counts;
    let in_use = match before {
        Some(before) if tally == queue.tally && visible + in_flight + delayed == 0 => before.in_use,
        _ => now,
    };
    if now.since(in_use) < IN_USE {
        let values = values(queue, tally, now);
        let dimension = Dimension::new("QueueName", queue.key.name.as_str());
        points.extend(values.into_iter().map(|(name, unit, measured)| Point {
            name: name.into(),
            dimensions: vec![dimension.clone()],
            unit,
            at: start,
            resolution: Resolution::Minute,
            measured,
        }));
    }
    Before { tally: queue.tally, in_use }
}

/// The metrics of one queue; `before` is what had happened before the minute.
#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
fn values(
    queue: &QueueMetrics,
    before: Tally,
    now: Timestamp,
) -> Vec<(&'static str, Unit, Measurement)> {
    let (counts, tally) = (&queue.counts, &queue.tally);
    let age = counts.oldest.map_or(0, |oldest| now.since(oldest).as_secs());
    let sent = tally.sent - before.sent;
    let mut all = vec![
        ("ApproximateNumberOfMessagesVisible", counts.visible as u64),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight as u64),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed as u64),
        ("NumberOfMessagesSent", sent),
        ("NumberOfMessagesReceived", tally.received - before.received),
        ("NumberOfMessagesDeleted", tally.deleted - before.deleted),
        ("NumberOfEmptyReceives", tally.empty_receives - before.empty_receives),
    ];
    if queue.key.name.is_fifo() {
        let groups = counts.groups_in_flight as u64;
        let repeated = tally.deduplicated - before.deduplicated;
        all.push(("ApproximateNumberOfGroupsWithInflightMessages", groups));
        all.push(("NumberOfDeduplicatedSentMessages", repeated));
    } else {
        let quiet = counts.visible_quiet as u64;
        all.push(("ApproximateNumberOfNoisyGroups", counts.noisy_groups as u64));
        all.push(("ApproximateNumberOfMessagesVisibleInQuietGroups", quiet));
    }
    let count = |(name, count): (_, u64)| (name, Unit::COUNT, Measurement::Value(count as f64));
    let mut all: Vec<_> = all.into_iter().map(count).collect();
    let age = Measurement::Value(age as f64);
    all.push(("ApproximateAgeOfOldestMessage", Unit::SECONDS, age));
    if sent > 0 {
        // Of the sizes only their sum is known: docs/cloudwatch.md says what is told instead.
        let (samples, sum) = (sent as f64, (tally.sent_bytes - before.sent_bytes) as f64);
        let mean = sum / samples;
        let sizes = Measurement::Statistics { samples, sum, minimum: mean, maximum: mean };
        all.push(("SentMessageSize", Unit::BYTES, sizes));
    }
    all
}
