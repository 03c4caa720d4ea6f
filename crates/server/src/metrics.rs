//! What Prometheus is told: requests as they are answered, queues and journal as they stand.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tidemill_api::SERVICES;
use tidemill_base::Clock;
use tidemill_http::Budget;
use tidemill_queue::{DiskMetrics, Failure, QueueMetrics};
use tidemill_services::Told;
use tidemill_wire::{Call, Service};

use crate::crowd::Crowd;
use crate::failure::{Logs, word};

/// What a request that was answered as asked counts as; any other as its error's name.
pub(crate) const OK: &str = "ok";

/// Bounds of the request durations, in seconds. The last ones are for long polls.
const DURATIONS: [f64; 14] =
    [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfOperation {
    service: &'static str,
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfResult {
    service: &'static str,
    operation: &'static str,
    result: &'static str,
}

/// What is counted of one operation's successes.
struct Successes {
    requests: Counter,
    durations: Histogram,
}

/// The metrics of the whole service.
pub(crate) struct Metrics {
    registry: Registry,
    /// Of each service, by the index of the operation: nearly every request is one of them, and
    /// to look up labels costs more than to count. Also found among the two below.
    successes: Vec<(&'static Service, Vec<OnceLock<Successes>>)>,
    requests: Family<OfResult, Counter>,
    durations: Family<OfOperation, Histogram, fn() -> Histogram>,
}

fn durations() -> Histogram {
    Histogram::new(DURATIONS)
}

impl Metrics {
    pub(crate) fn new(logs: Logs, clock: Clock) -> Self {
        let mut registry = Registry::with_prefix("tidemill");
        let requests = Family::default();
        let durations = Family::new_with_constructor(durations as fn() -> Histogram);
        registry.register(
            "requests",
            "Requests answered, by operation and by result: ok, or the error's name",
            requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "How long requests took, long polls included",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register_collector(Box::new(Engines { logs, clock }));
        let cells = |service: &&'static Service| {
            (*service, service.operations.iter().map(|_| OnceLock::new()).collect())
        };
        let successes = SERVICES.iter().map(cells).collect();
        Self { registry, successes, requests, durations }
    }

    /// Counts a request that was answered; `call` is what it called, if that could be told.
    pub(crate) fn answered(&self, call: Option<&Call>, result: &'static str, took: Duration) {
        if let Some(call) = call
            && result == OK
            && let Some(successes) = self.successes(call)
        {
            successes.requests.inc();
            successes.durations.observe(took.as_secs_f64());
            return;
        }
        let (service, operation) =
            call.map_or(("none", "none"), |call| (call.service.name, call.operation.name));
        self.requests.get_or_create(&OfResult { service, operation, result }).inc();
        let durations = self.durations.get_or_create(&OfOperation { service, operation });
        durations.observe(took.as_secs_f64());
    }

    fn successes(&self, call: &Call) -> Option<&Successes> {
        let mut services = self.successes.iter();
        let (_, cells) = services.find(|(service, _)| std::ptr::eq(*service, call.service))?;
        let (service, operation) = (call.service.name, call.operation.name);
        let labels = || OfResult { service, operation, result: OK };
        Some(cells.get(call.operation.index)?.get_or_init(|| Successes {
            requests: self.requests.get_or_create(&labels()).clone(),
            durations: self.durations.get_or_create(&OfOperation { service, operation }).clone(),
        }))
    }

    /// Tells of connections and memory too.
    pub(crate) fn watch(&mut self, crowd: &Crowd, budget: &Budget) {
        let registry = &mut self.registry;
        registry.register("connections", "Connections that are served", crowd.open.clone());
        let help = "Connections refused because there were too many";
        registry.register("connections_refused", help, crowd.refused.clone());
        registry.register_collector(Box::new(Memory(budget.clone())));
    }

    /// Tells of what topics told, too.
    pub(crate) fn watch_topics(&mut self, told: &Arc<Told>) {
        self.registry.register_collector(Box::new(Topics(Arc::clone(told))));
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }
}

/// What topics told.
#[derive(Debug)]
struct Topics(Arc<Told>);

impl Collector for Topics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let all = [
            ("topic_deliveries", "Messages put into queues that subscribed", self.0.delivered()),
            (
                "topic_deliveries_dropped",
                "Messages given up because a queue that subscribed is gone or cannot take them",
                self.0.dropped(),
            ),
        ];
        for (name, help, count) in all {
            let counter = ConstCounter::new(count);
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}

/// What requests hold.
#[derive(Debug)]
struct Memory(Budget);

impl Collector for Memory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "What requests and large answers under way hold";
        let (gauge, unit) = (ConstGauge::new(self.0.held()), Unit::Bytes);
        let described =
            encoder.encode_descriptor("request_memory", help, Some(&unit), MetricType::Gauge)?;
        gauge.encode(described)
    }
}

/// Asks the engines when it is asked itself: nothing is counted twice, nothing kept up to date.
struct Engines {
    logs: Logs,
    clock: Clock,
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engines")
    }
}

impl Collector for Engines {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let metrics = self.logs.engine.metrics();
        let queues = &metrics.queues;
        messages(&mut encoder, queues)?;
        let now = self.clock.now();
        let age = |queue: &QueueMetrics| {
            queue.counts.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64())
        };
        gauges(
            &mut encoder,
            queues,
            "queue_oldest_message_age_seconds",
            "Age of the oldest message that the queue holds, wherever it stands",
            age,
        )?;
        let others: [(&str, &str, Gauge); 4] = [
            ("queue_waiting_receivers", "Long polls that wait", |it| it.waiting_receivers as f64),
            (
                "queue_groups_in_flight",
                "Message groups of a FIFO queue of which something is in flight",
                |it| it.counts.groups_in_flight as f64,
            ),
            (
                "queue_noisy_groups",
                "Message groups of a standard queue that take more than their share",
                |it| it.counts.noisy_groups as f64,
            ),
            (
                "queue_visible_in_quiet_groups",
                "Visible messages that are of no noisy group",
                |it| it.counts.visible_quiet as f64,
            ),
        ];
        for (name, help, value) in others {
            gauges(&mut encoder, queues, name, help, value)?;
        }
        counters(&mut encoder, queues)?;
        disk(&mut encoder, &metrics.disk, self.logs.failure().as_ref())?;
        measured(&mut encoder, &self.logs.measured.stored())?;
        journal(&mut encoder, &metrics)
    }
}

/// What is read off a queue.
type Gauge = fn(&QueueMetrics) -> f64;
type Labels<'a> = [(&'static str, &'a str); 3];

fn labels<'a>(account: &'a str, queue: &'a QueueMetrics) -> Labels<'a> {
    [
        ("account", account),
        ("region", queue.key.region.as_str()),
        ("queue", queue.key.name.as_str()),
    ]
}

fn messages(encoder: &mut DescriptorEncoder<'_>, queues: &[QueueMetrics]) -> fmt::Result {
    let help = "Messages that the queue holds: visible, in_flight or delayed";
    let mut encoder = encoder.encode_descriptor("queue_messages", help, None, MetricType::Gauge)?;
    for queue in queues {
        let account = queue.key.account.to_string();
        let [account, region, name] = labels(&account, queue);
        let counts = &queue.counts;
        for (state, count) in [
            ("visible", counts.visible),
            ("in_flight", counts.in_flight),
            ("delayed", counts.delayed),
        ] {
            let labels = [account, region, name, ("state", state)];
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    queues: &[QueueMetrics],
    name: &str,
    help: &str,
    value: impl Fn(&QueueMetrics) -> f64,
) -> fmt::Result {
    let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for queue in queues {
        let account = queue.key.account.to_string();
        let gauge = ConstGauge::new(value(queue));
        gauge.encode(encoder.encode_family(&labels(&account, queue))?)?;
    }
    Ok(())
}

fn counters(encoder: &mut DescriptorEncoder<'_>, queues: &[QueueMetrics]) -> fmt::Result {
    type Count = fn(&QueueMetrics) -> u64;
    let counts: [(&str, &str, Count); 6] = [
        ("queue_sent", "Messages sent", |queue| queue.tally.sent),
        ("queue_sent_bytes", "Bytes of the bodies of messages sent", |queue| {
            queue.tally.sent_bytes
        }),
        ("queue_received", "Messages handed out, each time", |queue| queue.tally.received),
        ("queue_deleted", "Messages deleted by a receipt", |queue| queue.tally.deleted),
        ("queue_deduplicated", "Messages that repeated an earlier one", |queue| {
            queue.tally.deduplicated
        }),
        ("queue_empty_receives", "Receives answered with nothing", |queue| {
            queue.tally.empty_receives
        }),
    ];
    for (name, help, count) in counts {
        let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for queue in queues {
            let account = queue.key.account.to_string();
            let counter = ConstCounter::new(count(queue));
            counter.encode(encoder.encode_family(&labels(&account, queue))?)?;
        }
    }
    Ok(())
}

/// Whether changes are refused and why, and what the disk has left.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn disk(
    encoder: &mut DescriptorEncoder<'_>,
    disk: &DiskMetrics,
    failure: Option<&Failure>,
) -> fmt::Result {
    let help = "1 where changes are refused: the disk failed, is stalled, or is nearly full";
    let mut refusing = encoder.encode_descriptor("disk_refusing", help, None, MetricType::Gauge)?;
    let now = failure.map(word);
    for reason in ["failed", "stalled", "full"] {
        let gauge = ConstGauge::new(i64::from(now == Some(reason)));
        gauge.encode(refusing.encode_family(&[("reason", reason)])?)?;
    }
    if let Some(free) = disk.free {
        let help = "Bytes that the disk has room for";
        gauge(encoder, "disk_free_bytes", help, free.as_u64() as f64)?;
    }
    let help = "Bytes of those that are kept for deletions";
    gauge(encoder, "disk_reserve_bytes", help, disk.reserve.as_u64() as f64)?;
    let help = "How long the write or the sync has taken that is under way";
    gauge(encoder, "disk_operation_under_way_seconds", help, disk.under_way.as_secs_f64())
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(descriptor)
}

/// What CloudWatch holds.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn measured(encoder: &mut DescriptorEncoder<'_>, stored: &tidemill_metric::Stored) -> fmt::Result {
    let help = "Metrics of CloudWatch that are kept";
    gauge(encoder, "metrics_stored", help, stored.metrics as f64)?;
    let help = "About what they take of --metrics-memory";
    gauge(encoder, "metrics_memory_bytes", help, stored.weight.as_u64() as f64)?;
    let help = "How often the time that they are kept was halved for want of memory";
    gauge(encoder, "metrics_halvings", help, f64::from(stored.retention.halvings()))
}

fn journal(encoder: &mut DescriptorEncoder<'_>, metrics: &tidemill_queue::Metrics) -> fmt::Result {
    let stats = &metrics.journal;
    let counts = [
        ("journal_batches", "Batches written", stats.batches),
        ("journal_records", "Records written", stats.records),
        ("journal_bytes", "Bytes written", stats.bytes.as_u64()),
        ("journal_cache_hits", "Records read from memory", stats.cache_hits),
        ("journal_cache_misses", "Records read from the disk", stats.cache_misses),
        ("journal_damaged_reads", "Reads that failed their checksum", metrics.damaged_reads),
    ];
    for (name, help, count) in counts {
        let counter = ConstCounter::new(count);
        counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
    }
    let disk = stats.disk.map_or(0, tidemill_base::ByteSize::as_u64);
    let gauge = ConstGauge::new(i64::try_from(disk).unwrap_or(i64::MAX));
    let help = "Bytes that the data takes on the disk";
    gauge.encode(encoder.encode_descriptor(
        "journal_disk_bytes",
        help,
        None,
        MetricType::Gauge,
    )?)?;

    let name = "journal_sync_duration_seconds";
    let help = "How long syncs to the disk took";
    let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    let buckets: Vec<_> = stats
        .sync_latency
        .buckets()
        .map(|(bound, count)| (bound.map_or(f64::MAX, |bound| bound.as_secs_f64()), count))
        .collect();
    let total = stats.sync_latency.total.as_secs_f64();
    encoder.encode_histogram::<NoLabelSet>(total, stats.syncs, &buckets, None)
}
