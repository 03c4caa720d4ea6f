//! What was measured: a meter an operation, the meters of a phase together.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Bytes that a body begins with: when it was sent, in microseconds, as hexadecimal digits.
pub(super) const STAMP: u64 = 16;

/// The longest latency that is told apart from longer ones, in microseconds: a week.
const LONGEST: u64 = 7 * 24 * 60 * 60 * 1_000_000;

/// What one phase showed.
pub(super) struct Phase {
    pub(super) name: &'static str,
    /// From the first request to the last that carried a message.
    pub(super) took: Duration,
    /// By operation.
    pub(super) meters: BTreeMap<&'static str, Meter>,
    /// Messages that should have come, and did not.
    pub(super) missing: u64,
}

impl Phase {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, took: Duration::ZERO, meters: BTreeMap::new(), missing: 0 }
    }

    pub(super) fn meter(&mut self, operation: &'static str) -> &mut Meter {
        self.meters.entry(operation).or_default()
    }

    /// Takes in what another client measured.
    pub(super) fn add(&mut self, meters: BTreeMap<&'static str, Meter>) {
        for (operation, meter) in meters {
            self.meter(operation).add(&meter);
        }
    }

    /// Requests, and entries of batches, that failed.
    pub(super) fn failures(&self) -> u64 {
        self.meters.values().map(Meter::failures).sum()
    }
}

/// What one operation showed.
pub(super) struct Meter {
    /// Requests that were answered and carried a message.
    pub(super) requests: u64,
    /// Messages they carried.
    pub(super) messages: u64,
    /// Receives that waited and found nothing.
    pub(super) empty: u64,
    /// What failed: how often, by the error's name.
    pub(super) errors: BTreeMap<String, u64>,
    /// In microseconds, to three digits.
    latencies: Histogram<u64>,
}

impl Default for Meter {
    fn default() -> Self {
        let latencies = Histogram::new(3).expect("three digits are within what it can");
        Self { requests: 0, messages: 0, empty: 0, errors: BTreeMap::new(), latencies }
    }
}

impl Meter {
    /// A request was answered after so long, and carried so many messages.
    pub(super) fn answered(&mut self, latency: Duration, messages: u64) {
        self.requests += 1;
        self.messages += messages;
        let latency = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).min(LONGEST);
        self.latencies.record(latency).expect("a histogram grows up to the longest latency");
    }

    /// Something failed.
    pub(super) fn failed(&mut self, error: &str) {
        *self.errors.entry(error.to_owned()).or_default() += 1;
    }

    pub(super) fn failures(&self) -> u64 {
        self.errors.values().sum()
    }

    /// The latency within which this share of the requests was answered.
    pub(super) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.latencies.value_at_percentile(percent))
    }

    pub(super) fn longest(&self) -> Duration {
        Duration::from_micros(self.latencies.max())
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.messages += other.messages;
        self.empty += other.empty;
        for (error, count) in &other.errors {
            *self.errors.entry(error.clone()).or_default() += count;
        }
        self.latencies.add(&other.latencies).expect("a histogram that resizes takes in any");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_measured_apart_is_added_up() {
        let mut phase = Phase::new("send");
        for client in 1..=2 {
            let mut meter = Meter::default();
            for request in 1..=50 {
                meter.answered(Duration::from_millis(client * request), 10);
            }
            meter.failed("Timeout");
            phase.add(BTreeMap::from([("SendMessageBatch", meter)]));
        }
        let meter = phase.meter("SendMessageBatch");
        assert_eq!((meter.requests, meter.messages), (100, 1000));
        assert_eq!(meter.percentile(50.0).as_millis(), 34);
        assert_eq!(meter.longest().as_millis(), 100);
        assert_eq!(phase.failures(), 2);
    }

    #[test]
    fn what_takes_for_ever_is_measured_too() {
        let mut meter = Meter::default();
        meter.answered(Duration::from_hours(10), 1);
        assert_eq!(meter.percentile(99.9).as_secs() / 60, 600);
    }
}
