//! GetMetricStatistics: the statistics of one metric, a datapoint a period and unit.

use tidemill_api::cloudwatch::{Datapoint, GetMetricStatisticsInput, GetMetricStatisticsOutput};
use tidemill_metric::Bucket;
use tidemill_wire::{Fault, Map};

use super::statistic::Statistic;
use super::{CloudWatch, fault, names, span};
use crate::context::Context;

/// Most datapoints of an answer.
const DATAPOINTS: u64 = 1440;

pub(super) fn handle(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: GetMetricStatisticsInput,
) -> Result<GetMetricStatisticsOutput, Fault> {
    let wanted = wanted(&it)?;
    let period = span::period(it.period).ok_or_else(|| {
        fault::invalid("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    })?;
    if it.start_time >= it.end_time {
        return Err(fault::combination(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let asked = it.end_time.since(it.start_time).as_secs() / period.as_secs();
    if asked > DATAPOINTS {
        return Err(fault::combination(format!(
            "You have requested up to {asked} datapoints, which exceeds the limit of \
             {DATAPOINTS}. You may reduce the datapoints requested by increasing Period, or \
             decreasing the time range."
        )));
    }
    let key = names::key(cx, &it.namespace, &it.metric_name, it.dimensions.as_ref());
    let unit = it.unit.as_ref().map(names::unit);
    let now = service.metrics.now();
    let range = (span::first(it.start_time, period, now), it.end_time);
    let found = service.metrics.look(|state| state.measured(&key, unit, range, period, now));
    let datapoints = found.iter().filter_map(|bucket| datapoint(&wanted, bucket)).collect();
    Ok(GetMetricStatisticsOutput { label: Some(it.metric_name), datapoints: Some(datapoints) })
}

/// The statistics that are asked for, by what they are called.
fn wanted(it: &GetMetricStatisticsInput) -> Result<Vec<(String, Statistic)>, Fault> {
    let plain = it.statistics.as_deref().filter(|list| !list.is_empty());
    let extended = it.extended_statistics.as_deref().filter(|list| !list.is_empty());
    let read = |text: &str| (text.to_owned(), Statistic::read(text));
    let read: Vec<_> = match (plain, extended) {
        (Some(_), Some(_)) => {
            return Err(fault::combination(fault::both("Statistics", "ExtendedStatistics")));
        }
        (Some(plain), None) => plain.iter().map(|one| read(one.as_str())).collect(),
        (None, Some(extended)) => {
            let read = |text: &String| (text.clone(), Statistic::read_percentile(text));
            extended.iter().map(read).collect()
        }
        (None, None) => {
            return Err(fault::missing(
                "At least one of the parameters Statistics and ExtendedStatistics must be \
                 specified.",
            ));
        }
    };
    let known = |((text, statistic), index): ((String, Option<Statistic>), usize)| {
        let place = format!("ExtendedStatistics.member.{index}");
        let bad = || fault::invalid(fault::bad_value(&text, &place));
        let statistic = statistic.ok_or_else(bad)?;
        Ok((text, statistic))
    };
    read.into_iter().zip(1..).map(known).collect()
}

/// A datapoint with what is asked for; none where nothing of that can be told.
fn datapoint(wanted: &[(String, Statistic)], bucket: &Bucket) -> Option<Datapoint> {
    let mut datapoint = Datapoint {
        timestamp: Some(bucket.start),
        unit: Some(names::write_unit(bucket.unit)),
        ..Datapoint::default()
    };
    let mut extended = Map::new();
    let mut told = false;
    for (text, statistic) in wanted {
        let value = statistic.of(&bucket.summary);
        told |= value.is_some();
        match statistic {
            Statistic::SampleCount => datapoint.sample_count = value,
            Statistic::Average => datapoint.average = value,
            Statistic::Sum => datapoint.sum = value,
            Statistic::Minimum => datapoint.minimum = value,
            Statistic::Maximum => datapoint.maximum = value,
            Statistic::Percentile(_) => {
                extended.extend(value.map(|value| (text.clone(), value)));
            }
        }
    }
    datapoint.extended_statistics = (!extended.is_empty()).then_some(extended);
    told.then_some(datapoint)
}
