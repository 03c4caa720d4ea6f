//! EnableMetricsCollection, DisableMetricsCollection and DescribeMetricCollectionTypes: which of a
//! group's counts are published as metrics.

use std::collections::BTreeSet;

use tidemill_api::autoscaling::{
    DescribeMetricCollectionTypesAnswer, DisableMetricsCollectionQuery,
    EnableMetricsCollectionQuery, MetricCollectionType, MetricGranularityType,
};
use tidemill_scaling::Workers;
use tidemill_scaling::group::Counts;
use tidemill_wire::Fault;

use super::{AutoScaling, fault, names};
use crate::context::Context;

/// How often they are published.
pub(super) const GRANULARITY: &str = "1Minute";

/// A metric's name, and what it counts.
pub type GroupMetric = (&'static str, fn(&Counts) -> Workers);

/// The metrics of a group.
pub const METRICS: [GroupMetric; 8] = [
    ("GroupDesiredCapacity", |counts| counts.desired),
    ("GroupInServiceInstances", |counts| counts.in_service),
    ("GroupMaxSize", |counts| counts.max),
    ("GroupMinSize", |counts| counts.min),
    ("GroupPendingInstances", |counts| counts.pending),
    ("GroupStandbyInstances", |counts| counts.standby),
    ("GroupTerminatingInstances", |counts| counts.terminating),
    ("GroupTotalInstances", Counts::total),
];

pub(super) async fn enable(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &EnableMetricsCollectionQuery,
) -> Result<(), Fault> {
    if it.granularity != GRANULARITY {
        return Err(fault::validation(format!(
            "The only valid granularity is {GRANULARITY}, and not {}.",
            it.granularity
        )));
    }
    set(service, cx, &it.auto_scaling_group_name, it.metrics.as_deref(), true).await
}

pub(super) async fn disable(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DisableMetricsCollectionQuery,
) -> Result<(), Fault> {
    set(service, cx, &it.auto_scaling_group_name, it.metrics.as_deref(), false).await
}

async fn set(
    service: &AutoScaling,
    cx: &Context<'_>,
    group: &str,
    given: Option<&[String]>,
    published: bool,
) -> Result<(), Fault> {
    let mut metrics = BTreeSet::new();
    for name in given.unwrap_or_default() {
        if !METRICS.iter().any(|(known, _)| known == name) {
            return Err(fault::validation(format!(
                "{name} is no metric of a group here: DescribeMetricCollectionTypes lists them."
            )));
        }
        metrics.insert(name.clone());
    }
    if metrics.is_empty() {
        metrics.extend(METRICS.iter().map(|(name, _)| (*name).to_owned()));
    }
    let key = names::key(cx, group);
    service.groups.measure(&key, metrics, published).await.map_err(fault::of)
}

pub(super) fn types() -> DescribeMetricCollectionTypesAnswer {
    let metric =
        |(name, _): &GroupMetric| MetricCollectionType { metric: Some((*name).to_owned()) };
    let granularity = MetricGranularityType { granularity: Some(GRANULARITY.to_owned()) };
    DescribeMetricCollectionTypesAnswer {
        metrics: Some(METRICS.iter().map(metric).collect()),
        granularities: Some(vec![granularity]),
    }
}
