//! Target tracking: which metric a policy follows, between the wire and the engines, and the pair
//! of alarms that it keeps.

use std::time::Duration;

use tidemill_api::autoscaling::{
    self as api, CustomizedMetricSpecification, TargetTrackingConfiguration,
    TargetTrackingMetricDataQuery, TargetTrackingMetricStat,
};
use tidemill_metric::{
    AlarmKey, AlarmSettings, Check, Comparison, Dimension, Gives, Measure, MetricKey, Query,
    Source, Tags, Unit, Watched,
};
use tidemill_scaling::aws::{AlarmRule, Side};
use tidemill_scaling::group::{Group, GroupKey, Policy, Target, Way};
use tidemill_wire::Fault;
use tracing::warn;

use super::{AutoScaling, fault, policies};
use crate::cloudwatch;

/// How far below the target the low alarm is. AWS publishes no rule: docs/autoscaling.md.
const LOW: f64 = 0.9;
/// The period of metrics for which none is said.
const MINUTE: Duration = Duration::from_mins(1);
/// Where queues tell of themselves, and what says there which queue it is.
const QUEUES: &str = "AWS/SQS";
const QUEUE: &str = "QueueName";
/// What the names of our alarms begin with.
const PREFIX: &str = "TargetTracking-";

/// The target that a policy is given, and the metric that it is for.
pub(super) fn read(
    key: &GroupKey,
    it: &TargetTrackingConfiguration,
) -> Result<(f64, Source), Fault> {
    if !it.target_value.is_finite() || it.target_value <= 0.0 {
        return Err(fault::validation("TargetValue must be greater than 0."));
    }
    let source = match (&it.predefined_metric_specification, &it.customized_metric_specification) {
        (Some(predefined), None) => {
            return Err(fault::validation(format!(
                "PredefinedMetricType {} is not supported by Tidemill, which does not measure it: \
                 publish a metric and use CustomizedMetricSpecification.",
                predefined.predefined_metric_type
            )));
        }
        (None, Some(custom)) => read_custom(key, custom)?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(fault::validation(
                "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification \
                 must be specified.",
            ));
        }
    };
    Ok((it.target_value, source))
}

fn read_custom(key: &GroupKey, it: &CustomizedMetricSpecification) -> Result<Source, Fault> {
    let Some(queries) = it.metrics.as_deref().filter(|list| !list.is_empty()) else {
        let required = |name: &str| fault::validation(format!("{name} must be specified."));
        let statistic = it.statistic.as_ref().ok_or_else(|| required("Statistic"))?;
        let metric = metric(
            key,
            it.namespace.as_deref().ok_or_else(|| required("Namespace"))?,
            it.metric_name.as_deref().ok_or_else(|| required("MetricName"))?,
            it.dimensions.as_deref(),
        )?;
        return Ok(Source::Metric(Measure {
            metric,
            statistic: statistic.as_str().into(),
            unit: unit(it.unit.as_deref())?,
            period: period(it.period)?,
        }));
    };
    let beside = [
        ("MetricName", it.metric_name.is_some()),
        ("Namespace", it.namespace.is_some()),
        ("Dimensions", it.dimensions.as_ref().is_some_and(|list| !list.is_empty())),
        ("Statistic", it.statistic.is_some()),
        ("Unit", it.unit.is_some()),
        ("Period", it.period.is_some()),
    ];
    fault::none_of(&beside, |name| format!("{name} cannot be specified with Metrics."))?;
    let queries: Vec<Query> =
        queries.iter().map(|query| read_query(key, query)).collect::<Result<_, _>>()?;
    cloudwatch::check_queries(&queries)
        .map_err(|wrong| fault::validation(wrong.message.into_owned()))?;
    Ok(Source::Queries(queries))
}

fn read_query(key: &GroupKey, it: &TargetTrackingMetricDataQuery) -> Result<Query, Fault> {
    let gives = match (&it.metric_stat, &it.expression) {
        (Some(stat), None) => {
            if it.period.is_some() {
                return Err(fault::validation("Period cannot be specified with MetricStat."));
            }
            if !cloudwatch::is_statistic(&stat.stat) {
                return Err(fault::validation(format!("Stat {} is not supported.", stat.stat)));
            }
            let dimensions = stat.metric.dimensions.as_deref();
            Gives::Measure(Measure {
                metric: metric(key, &stat.metric.namespace, &stat.metric.metric_name, dimensions)?,
                statistic: stat.stat.as_str().into(),
                unit: unit(stat.unit.as_deref())?,
                period: period(stat.period)?,
            })
        }
        (None, Some(text)) => Gives::Expression {
            text: text.as_str().into(),
            period: it.period.map(|seconds| period(Some(seconds))).transpose()?,
        },
        (Some(_), Some(_)) | (None, None) => {
            return Err(fault::validation(format!(
                "Exactly one of Expression and MetricStat must be specified for {}.",
                it.id
            )));
        }
    };
    Ok(Query {
        id: it.id.as_str().into(),
        label: it.label.as_deref().map(Box::from),
        returned: it.return_data.unwrap_or(true),
        own_account: false,
        gives,
    })
}

fn metric(
    key: &GroupKey,
    namespace: &str,
    name: &str,
    dimensions: Option<&[api::MetricDimension]>,
) -> Result<MetricKey, Fault> {
    let dimensions = dimensions.unwrap_or_default();
    let mut names: Vec<&str> = dimensions.iter().map(|it| &*it.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(fault::validation("No metric may specify the same dimension twice."));
    }
    let dimensions = dimensions.iter().map(|it| Dimension::new(&it.name, &it.value)).collect();
    let metric = MetricKey::new(key.account, key.region.clone(), namespace, name, dimensions);
    cloudwatch::check_metric(&metric, "").map_err(fault::validation)?;
    Ok(metric)
}

fn unit(text: Option<&str>) -> Result<Option<Unit>, Fault> {
    let read = |text: &str| {
        text.parse().map_err(|_| fault::validation(format!("{text} is not a unit of CloudWatch.")))
    };
    text.map(read).transpose()
}

fn period(seconds: Option<i32>) -> Result<Duration, Fault> {
    match seconds {
        None | Some(60) => Ok(MINUTE),
        Some(10) => Ok(Duration::from_secs(10)),
        Some(30) => Ok(Duration::from_secs(30)),
        Some(_) => Err(fault::validation("Period must be 10, 30 or 60.")),
    }
}

/// A target as it was given.
pub(super) fn shown(it: &Target) -> TargetTrackingConfiguration {
    let custom = match Source::from_bytes(&it.metric) {
        Ok(Source::Metric(Measure { metric, statistic, unit, period })) => {
            CustomizedMetricSpecification {
                metric_name: Some(metric.name.to_string()),
                namespace: Some(metric.namespace.to_string()),
                dimensions: Some(shown_dimensions(&metric)),
                statistic: Some((&*statistic).into()),
                unit: unit.map(|unit| unit.as_str().to_owned()),
                period: shown_period(period),
                metrics: None,
            }
        }
        Ok(Source::Queries(queries)) => CustomizedMetricSpecification {
            metrics: Some(queries.iter().map(shown_query).collect()),
            ..CustomizedMetricSpecification::default()
        },
        // What was written down reads as it was written.
        Err(_) => CustomizedMetricSpecification::default(),
    };
    TargetTrackingConfiguration {
        predefined_metric_specification: None,
        customized_metric_specification: Some(custom),
        target_value: it.target,
        disable_scale_in: Some(it.disable_scale_in),
    }
}

fn shown_query(it: &Query) -> TargetTrackingMetricDataQuery {
    let mut shown = TargetTrackingMetricDataQuery {
        id: it.id.to_string(),
        label: it.label.as_deref().map(str::to_owned),
        return_data: Some(it.returned),
        ..TargetTrackingMetricDataQuery::default()
    };
    match &it.gives {
        Gives::Measure(Measure { metric, statistic, unit, period }) => {
            shown.metric_stat = Some(TargetTrackingMetricStat {
                metric: api::Metric {
                    namespace: metric.namespace.to_string(),
                    metric_name: metric.name.to_string(),
                    dimensions: Some(shown_dimensions(metric)),
                },
                stat: statistic.to_string(),
                unit: unit.map(|unit| unit.as_str().to_owned()),
                period: shown_period(*period),
            });
        }
        Gives::Expression { text, period } => {
            shown.expression = Some(text.to_string());
            shown.period = period.and_then(shown_period);
        }
    }
    shown
}

fn shown_dimensions(metric: &MetricKey) -> Vec<api::MetricDimension> {
    let dimension = |it: &Dimension| api::MetricDimension {
        name: it.name.to_string(),
        value: it.value.to_string(),
    };
    metric.dimensions().iter().map(dimension).collect()
}

/// A minute is what holds where nothing is said.
fn shown_period(period: Duration) -> Option<i32> {
    if period == MINUTE { None } else { i32::try_from(period.as_secs()).ok() }
}

/// Names for the alarms of a target.
pub(super) fn alarm_name(key: &GroupKey, side: Side, unique: &str) -> String {
    AlarmRule::of(side, 1.0, LOW).name(&key.name, unique)
}

/// How an alarm of a target is set; none if what it follows cannot be read.
fn alarm(arn: &str, target: &Target, side: Side) -> Option<AlarmSettings> {
    let source = Source::from_bytes(&target.metric).ok()?;
    let rule = AlarmRule::of(side, target.target, LOW);
    let check = Check {
        source,
        periods: rule.evaluations,
        breaching: None,
        threshold: rule.threshold,
        comparison: match side {
            Side::High => Comparison::Above,
            Side::Low => Comparison::Below,
        },
        missing: None,
        few_values_count: None,
    };
    Some(AlarmSettings {
        description: Some(description(arn).into()),
        actions_enabled: true,
        actions: [Vec::new(), vec![arn.into()], Vec::new()],
        watched: Watched::Values(check),
    })
}

/// The queue that a group's targets are about, by its name: the first that one's metric is of.
pub(super) fn queue_of(group: &Group) -> Option<String> {
    let targets = group.policies().filter_map(|(_, policy)| match &policy.way {
        Way::Tracking(target) if policy.enabled => Some(target),
        _ => None,
    });
    let mut metrics =
        targets.filter_map(|it| Source::from_bytes(&it.metric).ok()).flat_map(metrics);
    let queue = |metric: MetricKey| {
        let is_ours = &*metric.namespace == QUEUES;
        let mut dimensions = metric.dimensions().iter().filter(|_| is_ours);
        dimensions.find(|it| &*it.name == QUEUE).map(|it| it.value.to_string())
    };
    metrics.find_map(queue)
}

/// The metrics that values come from.
fn metrics(source: Source) -> Vec<MetricKey> {
    match source {
        Source::Metric(measure) => vec![measure.metric],
        Source::Queries(queries) => {
            let metric = |query: Query| match query.gives {
                Gives::Measure(measure) => Some(measure.metric),
                Gives::Expression { .. } => None,
            };
            queries.into_iter().filter_map(metric).collect()
        }
    }
}

fn description(arn: &str) -> String {
    format!("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {arn}.")
}

impl AutoScaling {
    /// Has every policy that follows a target have its alarms, and no alarm be there for one that
    /// is no more. May be asked at any time: a crash in between is mended by the next time.
    pub async fn keep_alarms(&self) {
        let _alone = self.keeping.lock().await;
        let mut wanted: Vec<(AlarmKey, AlarmSettings)> = Vec::new();
        self.groups.look(|state| {
            for (key, group) in state.groups() {
                for (name, policy) in group.policies() {
                    let Policy { way: Way::Tracking(target), .. } = policy else { continue };
                    let arn = policies::arn(key, name, policy);
                    for (side, alarm_name) in target.alarms() {
                        let alarm_key = alarm_key(key, alarm_name);
                        wanted.extend(alarm(&arn, target, side).map(|it| (alarm_key, it)));
                    }
                }
            }
        });
        let gone: Vec<AlarmKey> = self.metrics.look(|state| {
            let alarms = state.alarms();
            wanted.retain(|(key, _)| alarms.find(key).is_none());
            let ours = alarms.all().filter(|(key, _)| key.name.starts_with(PREFIX));
            let gone = ours.filter(|(key, alarm)| !self.belongs(key, &alarm.settings));
            gone.map(|(key, _)| key.clone()).collect()
        });
        for (key, settings) in wanted {
            let name = key.name.clone();
            if let Err(error) = self.metrics.put_alarm(key, settings, Tags::new()).await {
                warn!(alarm = &*name, %error, "a policy's alarm was not made");
            }
        }
        if !gone.is_empty() {
            // A journal that accepts nothing more says so to whoever asks for anything.
            drop(self.metrics.delete_alarms(gone).await);
        }
    }

    /// Whether an alarm is of a policy that there is, or was never of one.
    fn belongs(&self, key: &AlarmKey, settings: &AlarmSettings) -> bool {
        let [_, alarming, _] = &settings.actions;
        let [arn] = &alarming[..] else { return true };
        if settings.description.as_deref() != Some(&*description(arn)) {
            return true;
        }
        let Some(named) = policies::Named::read(arn) else { return true };
        self.groups.look(|state| {
            let policy = named.find(state).map(|(_, policy)| &policy.way);
            match policy {
                Some(Way::Tracking(target)) => target.alarms().any(|(_, name)| *name == *key.name),
                Some(Way::Simple(_) | Way::Stepwise(_)) | None => false,
            }
        })
    }
}

/// The alarm of this name where a group is.
pub(super) fn alarm_key(key: &GroupKey, name: &str) -> AlarmKey {
    AlarmKey { account: key.account, region: key.region.clone(), name: name.into() }
}
