//! The state: every metric and what was measured of it. Pure: the time is in what happens.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use tidemill_base::{AccountId, ByteSize, Region, Timestamp};

use crate::alarms::Alarms;
use crate::codec::{Malformed, Reader, length, put_key, put_time, put_u32};
use crate::key::MetricKey;
use crate::point::{Point, Resolution};
use crate::record::{Batch, Event, read_retention};
use crate::series::Series;
use crate::summary::Summary;
use crate::tier::{Retention, Tier};
use crate::unit::Unit;

/// Every metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    metrics: BTreeMap<MetricKey, Metric>,
    /// Which are kept in a section of their own.
    alarms: Alarms,
    retention: Retention,
    /// About how many bytes the metrics take: kept up, never written.
    weight: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Metric {
    series: Series,
    /// The latest time of which there was a value.
    last: Timestamp,
}

/// What was measured within one period.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// When the period begins.
    pub start: Timestamp,
    /// What it is counted in.
    pub unit: Unit,
    /// What was measured.
    pub summary: Summary,
}

/// Which metrics are listed.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// Only those behind this one.
    pub after: Option<&'a MetricKey>,
    /// Only those of which there is a value of this time or later.
    pub since: Timestamp,
    /// At most so many.
    pub limit: usize,
}

impl State {
    /// What was measured of a metric between `from` and `until`, by period and unit, in order of
    /// time. The periods are counted from `from`. What has grown coarser than `period` by age is
    /// left out, as is what is in another unit than `unit`, if one is asked for. What was told by
    /// the minute from the start is in the period in which the minute begins.
    pub fn measured(
        &self,
        key: &MetricKey,
        unit: Option<Unit>,
        (from, until): (Timestamp, Timestamp),
        period: Duration,
        now: Timestamp,
    ) -> Vec<Bucket> {
        let Some(metric) = self.metrics.get(key) else { return Vec::new() };
        let period = period.as_secs().max(1);
        // What is younger than this and kept by the minute was told by the minute.
        let young = Tier::Second.start(self.retention.first(Tier::Second, now));
        let minute = Tier::Minute.seconds();
        let mut found: BTreeMap<(u64, Unit), Summary> = BTreeMap::new();
        for (unit, tier, start, summary) in metric.series.between(unit, (from, until), now) {
            let by_minute = tier == Tier::Minute && period < minute && start >= young;
            if !period.is_multiple_of(tier.seconds()) && !by_minute {
                continue;
            }
            let at = start.since(from).as_secs() / period;
            let known = found.entry((at, unit));
            known.and_modify(|known| known.add(&summary)).or_insert(summary);
        }
        let bucket = |((at, unit), summary)| {
            let start = from + Duration::from_secs(at * period);
            Bucket { start, unit, summary }
        };
        found.into_iter().map(bucket).collect()
    }

    /// The same with all units taken together: for each period its beginning and what was measured.
    pub fn whole(
        &self,
        key: &MetricKey,
        unit: Option<Unit>,
        range: (Timestamp, Timestamp),
        period: Duration,
        now: Timestamp,
    ) -> Vec<(Timestamp, Summary)> {
        let mut whole: Vec<(Timestamp, Summary)> = Vec::new();
        for bucket in self.measured(key, unit, range, period, now) {
            match whole.last_mut().filter(|(start, _)| *start == bucket.start) {
                Some((_, summary)) => summary.add(&bucket.summary),
                None => whole.push((bucket.start, bucket.summary)),
            }
        }
        whole
    }

    /// The metrics that are asked for and that `wanted` agrees to, by their keys.
    pub fn list<'a>(
        &'a self,
        listing: &Listing<'_>,
        wanted: impl Fn(&MetricKey) -> bool,
    ) -> Vec<&'a MetricKey> {
        let Listing { account, region, after, since, limit } = listing;
        let first = MetricKey::new(*account, region.clone(), "", "", Vec::new());
        let from = match after {
            Some(after) if **after > first => Bound::Excluded((*after).clone()),
            _ => Bound::Included(first),
        };
        self.metrics
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.account == *account && key.region == *region)
            .filter(|(key, metric)| metric.last >= *since && wanted(key))
            .map(|(key, _)| key)
            .take(*limit)
            .collect()
    }

    /// The alarms.
    pub fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// Takes up the alarms, which a checkpoint keeps apart.
    pub(crate) fn take_up(&mut self, alarms: Alarms) {
        self.alarms = alarms;
    }

    /// How many metrics there are.
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// About how much memory they take.
    pub fn weight(&self) -> ByteSize {
        ByteSize::bytes(self.weight as u64)
    }

    /// How long they are kept.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// Takes in what happened.
    pub(crate) fn happened(&mut self, event: Event) {
        match event {
            Event::Stored(batch) => self.store(batch),
            Event::Aged { now, retention } => self.age(now, retention),
            Event::Alarm { now, change } => self.alarms.changed(change, now),
            Event::Cleared => *self = Self::default(),
        }
    }

    fn store(&mut self, batch: Batch) {
        let Batch { account, region, namespace, now, points } = batch;
        for Point { name, dimensions, unit, at, resolution, measured } in points {
            let Some(summary) = measured.summary() else { continue };
            let finest = match resolution {
                Resolution::Second => Tier::Second,
                Resolution::Minute => Tier::Minute,
            };
            // What is gone already makes no metric.
            let Some(tier) = self.retention.tier_at(finest, at, now) else { continue };
            let key = MetricKey::new(account, region.clone(), &namespace, &name, dimensions);
            let metric = self.metrics.entry(key).or_insert_with_key(|key| {
                self.weight += key.weight();
                Metric::default()
            });
            let before = metric.series.weight();
            metric.series.add((unit, at), tier, &summary);
            metric.last = metric.last.max(at);
            self.weight = self.weight + metric.series.weight() - before;
        }
    }

    fn age(&mut self, now: Timestamp, retention: Retention) {
        self.retention = retention;
        self.alarms.forget(now);
        self.metrics.retain(|_, metric| {
            metric.series.age(retention, now);
            !metric.series.is_empty()
        });
        self.weigh();
    }

    /// About how much memory the metrics would take, if they were kept for this time only.
    pub(crate) fn weight_after(&self, retention: Retention, now: Timestamp) -> ByteSize {
        let weight = |(key, metric): (&MetricKey, &Metric)| {
            if !metric.series.has_older(retention, now) {
                return key.weight() + metric.series.weight();
            }
            let mut series = metric.series.clone();
            series.age(retention, now);
            if series.is_empty() { 0 } else { key.weight() + series.weight() }
        };
        ByteSize::bytes(self.metrics.iter().map(weight).sum::<usize>() as u64)
    }

    fn weigh(&mut self) {
        let weight = |(key, metric): (&MetricKey, &Metric)| key.weight() + metric.series.weight();
        self.weight = self.metrics.iter().map(weight).sum();
    }

    /// The metrics as bytes: a version, how long things are kept, and each metric.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![SNAPSHOT_VERSION, self.retention.halvings()];
        put_u32(&mut out, length(self.metrics.len()));
        for (key, metric) in &self.metrics {
            put_key(&mut out, key);
            put_time(&mut out, metric.last);
            metric.series.encode(&mut out);
        }
        out
    }

    /// Reads what [`State::encode`] wrote, in this version or an earlier one. There are no alarms.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != SNAPSHOT_VERSION {
            return Err(Malformed("its version is unknown"));
        }
        let mut state = Self { retention: read_retention(&mut reader)?, ..Self::default() };
        for _ in 0..reader.u32()? {
            let (key, last) = (reader.key()?, reader.time()?);
            let series = Series::decode(&mut reader)?;
            state.metrics.insert(key, Metric { series, last });
        }
        reader.end()?;
        state.weigh();
        Ok(state)
    }
}

/// The version of the snapshot that is written. The next one gets an arm of its own in
/// [`State::decode`], and the old one stays.
const SNAPSHOT_VERSION: u8 = 1;

#[cfg(test)]
mod tests;
