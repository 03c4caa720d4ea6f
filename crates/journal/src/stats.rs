//! What the journal counts about itself, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemill_base::ByteSize;

/// The upper bounds of the buckets of [`SyncLatency`], but for the last, which has none.
const BOUNDS: [Duration; 13] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// Counters since the journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Syncs that succeeded.
    pub syncs: u64,
    /// How long they took.
    pub sync_latency: SyncLatency,
    /// Batches written, each by one write a segment.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes in them, headers and all.
    pub bytes: ByteSize,
    /// Segments that exist now.
    pub segments: u64,
    /// What everything takes on disk now, if that could be found out.
    pub disk: Option<ByteSize>,
    /// Reads answered from memory.
    pub cache_hits: u64,
    /// Reads answered from the driver.
    pub cache_misses: u64,
}

/// How many syncs took how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncLatency {
    counts: [u64; BOUNDS.len() + 1],
    /// All of them together.
    pub total: Duration,
}

impl SyncLatency {
    /// The buckets: an upper bound, `None` for the last, and how many took no longer than it but
    /// longer than the one before.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        BOUNDS.iter().copied().map(Some).chain([None]).zip(self.counts.iter().copied())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    syncs: [AtomicU64; BOUNDS.len() + 1],
    sync_nanos: AtomicU64,
    batches: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Counters {
    pub(crate) fn synced(&self, took: Duration) {
        let bucket = BOUNDS.partition_point(|bound| *bound < took);
        self.syncs[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sync_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn wrote(&self, records: u64, bytes: u64) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, from_memory: bool) {
        let counter = if from_memory { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self, segments: u64, disk: Option<ByteSize>) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = std::array::from_fn(|bucket| count(&self.syncs[bucket]));
        Stats {
            syncs: counts.iter().sum(),
            sync_latency: SyncLatency {
                counts,
                total: Duration::from_nanos(count(&self.sync_nanos)),
            },
            batches: count(&self.batches),
            records: count(&self.records),
            bytes: ByteSize::bytes(count(&self.bytes)),
            segments,
            disk,
            cache_hits: count(&self.hits),
            cache_misses: count(&self.misses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_counted_under_the_first_bound_it_does_not_exceed() {
        let counters = Counters::default();
        for micros in [50, 51, 2_000_000] {
            counters.synced(Duration::from_micros(micros));
        }
        let stats = counters.stats(0, None);
        let filled: Vec<_> = stats.sync_latency.buckets().filter(|(_, count)| *count > 0).collect();
        let micros = |micros| Some(Duration::from_micros(micros));
        assert_eq!(filled, [(micros(50), 1), (micros(100), 1), (None, 1)]);
        assert_eq!(stats.syncs, 3);
    }
}
