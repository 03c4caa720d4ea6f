//! PutMetricData: takes in what was measured, all of a request or nothing.

use std::time::Duration;

use tidemill_api::cloudwatch::{MetricDatum, PutMetricDataInput};
use tidemill_base::Timestamp;
use tidemill_metric::{Measurement, Point, Resolution, Unit};
use tidemill_wire::Fault;

use super::{CloudWatch, fault, names};
use crate::context::Context;

/// Most data of a request.
const DATA: usize = 1000;
/// Most values of a datum.
const VALUES: usize = 150;
/// How old a datum may be.
const PAST: Duration = Duration::from_hours(14 * 24);
/// How far it may be ahead.
const FUTURE: Duration = Duration::from_hours(2);

pub(super) async fn handle(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: PutMetricDataInput,
) -> Result<(), Fault> {
    service.may_change()?;
    if it.namespace.starts_with("AWS/") {
        return Err(fault::invalid(fault::bad_value("AWS/", "Namespace")));
    }
    if it.entity_metric_data.is_some_and(|data| !data.is_empty()) {
        return Err(fault::invalid(
            "Tidemill keeps no entities: send what was measured as MetricData.",
        ));
    }
    names::check(&it.namespace, "Namespace").map_err(fault::invalid)?;
    let data = it.metric_data.unwrap_or_default();
    if data.is_empty() {
        return Err(fault::missing("The parameter MetricData is required."));
    }
    if data.len() > DATA {
        return Err(fault::invalid(fault::too_many("MetricData", DATA)));
    }
    let now = service.metrics.now();
    let point = |(datum, index)| point(datum, &format!("MetricData.member.{index}"), now);
    let points: Vec<Point> = data.into_iter().zip(1..).map(point).collect::<Result<_, _>>()?;
    let stored = service.metrics.store(cx.account(), cx.region.clone(), &it.namespace, points);
    stored.await.map_err(|error| fault::of(&error))
}

/// Reads a datum; `place` is what its parameters' names begin with.
fn point(datum: MetricDatum, place: &str, now: Timestamp) -> Result<Point, Fault> {
    let dimensions = names::read_dimensions(datum.dimensions.as_ref());
    names::check_distinct(&dimensions).map_err(fault::invalid)?;
    names::check(&datum.metric_name, &format!("{place}.MetricName")).map_err(fault::invalid)?;
    for (dimension, number) in dimensions.iter().zip(1..) {
        let place = format!("{place}.Dimensions.member.{number}");
        names::check(&dimension.name, &format!("{place}.Name")).map_err(fault::invalid)?;
        names::check(&dimension.value, &format!("{place}.Value")).map_err(fault::invalid)?;
    }
    let at = datum.timestamp.unwrap_or(now);
    if at + PAST < now {
        return Err(fault::invalid(format!(
            "The parameter {place}.Timestamp must specify a time within the past two weeks."
        )));
    }
    if at > now + FUTURE {
        return Err(fault::invalid(format!(
            "The parameter {place}.Timestamp must specify a time no more than two hours in the \
             future."
        )));
    }
    let resolution = match datum.storage_resolution {
        None | Some(60) => Resolution::Minute,
        Some(1) => Resolution::Second,
        Some(_) => {
            return Err(fault::invalid(format!(
                "The parameter {place}.StorageResolution must be a value in the set [ 1, 60 ]."
            )));
        }
    };
    let unit = datum.unit.as_ref().map_or(Unit::NONE, names::unit);
    let measured = measured(&datum, place)?;
    Ok(Point { name: datum.metric_name.into(), dimensions, unit, at, resolution, measured })
}

fn measured(datum: &MetricDatum, place: &str) -> Result<Measurement, Fault> {
    let named = |name: &str| format!("{place}.{name}");
    let values = datum.values.as_deref().filter(|values| !values.is_empty());
    let counts = datum.counts.as_deref().filter(|counts| !counts.is_empty());
    if let Some(value) = datum.value {
        let other =
            [(values.is_some(), "Values"), (datum.statistic_values.is_some(), "StatisticValues")];
        if let Some((_, other)) = other.iter().find(|(given, _)| *given) {
            return Err(fault::combination(fault::both(&named("Value"), &named(other))));
        }
        check(value, &named("Value"))?;
    }
    if values.map_or(0, <[f64]>::len) != counts.map_or(0, <[f64]>::len) && counts.is_some() {
        return Err(fault::invalid(format!(
            "The parameters {place}.Values and {place}.Counts must be of the same size."
        )));
    }
    if let Some(value) = datum.value {
        return Ok(Measurement::Value(value));
    }
    if let Some(values) = values {
        return several(values, counts, place);
    }
    let Some(set) = &datum.statistic_values else {
        return Err(fault::missing(format!(
            "At least one of the parameters {place}.Value, {place}.Values or \
             {place}.StatisticValues must be specified."
        )));
    };
    let place = named("StatisticValues");
    let numbers = [
        (set.sample_count, "SampleCount"),
        (set.sum, "Sum"),
        (set.minimum, "Minimum"),
        (set.maximum, "Maximum"),
    ];
    for (number, name) in numbers {
        check(number, &format!("{place}.{name}"))?;
    }
    if set.maximum < set.minimum {
        return Err(fault::invalid(format!(
            "The parameter {place}.Maximum must be greater than {place}.Minimum."
        )));
    }
    if set.sample_count <= 0.0 {
        return Err(positive(&format!("{place}.SampleCount")));
    }
    let (samples, sum) = (set.sample_count, set.sum);
    Ok(Measurement::Statistics { samples, sum, minimum: set.minimum, maximum: set.maximum })
}

/// Several values, each with its count, or once each.
fn several(values: &[f64], counts: Option<&[f64]>, place: &str) -> Result<Measurement, Fault> {
    if values.len() > VALUES {
        return Err(fault::invalid(fault::too_many(&format!("{place}.Values"), VALUES)));
    }
    let mut all = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let count = counts.map_or(1.0, |counts| counts[index]);
        let number = index + 1;
        check(*value, &format!("{place}.Values.member.{number}"))?;
        let named = format!("{place}.Counts.member.{number}");
        check(count, &named)?;
        if count <= 0.0 {
            return Err(positive(&named));
        }
        all.push((*value, count));
    }
    Ok(Measurement::Values(all))
}

/// Refuses what is no number, and what is further from zero than two to the power of 360.
fn check(number: f64, parameter: &str) -> Result<(), Fault> {
    if number.abs() <= 360_f64.exp2() {
        return Ok(());
    }
    Err(fault::invalid(fault::bad_value(number, parameter)))
}

fn positive(parameter: &str) -> Fault {
    fault::invalid(format!("The parameter {parameter} must be greater than 0."))
}
