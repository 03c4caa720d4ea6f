//! What Auto Scaling tells CloudWatch each minute of the groups that ask for it.

use std::collections::BTreeMap;

use tidemill_base::{AccountId, Region, Timestamp};
use tidemill_metric::{Dimension, Error, Measurement, Point, Resolution, Unit};

use super::AutoScaling;
use super::metrics::METRICS;

impl AutoScaling {
    /// Tells of the minute that began at `start`: how many of each group are how at its end. While
    /// the disk takes nothing in, the minute is left out.
    ///
    /// # Errors
    /// If the metrics are not taken.
    pub async fn tell(&self, start: Timestamp) -> Result<(), Error> {
        if self.queues.failure().is_some() {
            return Ok(());
        }
        let mut places: BTreeMap<(AccountId, Region), Vec<Point>> = BTreeMap::new();
        self.groups.look(|state| {
            for (key, group) in state.groups().filter(|(_, group)| !group.metrics.is_empty()) {
                let counts = group.counts();
                let points = places.entry((key.account, key.region.clone())).or_default();
                let published = METRICS.iter().filter(|(name, _)| group.metrics.contains(*name));
                points.extend(published.map(|(name, count)| Point {
                    name: (*name).into(),
                    dimensions: vec![Dimension::new("AutoScalingGroupName", &key.name)],
                    unit: Unit::NONE,
                    at: start,
                    resolution: Resolution::Minute,
                    measured: Measurement::Value(count(&counts).as_f64()),
                }));
            }
        });
        for ((account, region), points) in places {
            self.metrics.store(account, region, "AWS/AutoScaling", points).await?;
        }
        Ok(())
    }
}
