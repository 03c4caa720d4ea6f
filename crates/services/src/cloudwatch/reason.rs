//! Why an alarm stands as it does, in AWS's words: a text for people, and data for programs.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill_base::Timestamp;
use tidemill_metric::{Check, Comparison, Missing, Source, Standing};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::measure::Point;

/// From so many datapoints on, only the most recent of them are told, so many.
const TOLD: usize = 5;
/// A program is told of so many values,
const RECENT: usize = 50;
/// and of so many together with when they were: all in all less than fits into StateReasonData.
const EVALUATED: usize = 25;

/// Why, for a person.
pub(super) fn text(it: &Check, standing: Standing, points: &[Point]) -> String {
    let wanted = it.periods as usize;
    let absent = wanted - points.len();
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let was = |count: usize| if count == 1 { "was" } else { "were" };
    if standing == Standing::Unknown {
        return format!(
            "Insufficient Data: {wanted} datapoint{} {} unknown.",
            s(wanted),
            was(wanted)
        );
    }
    let treated = match it.missing() {
        Missing::Breaching => Some("Breaching"),
        Missing::NotBreaching => Some("NonBreaching"),
        Missing::Missing | Missing::Ignored => None,
    };
    let treated = treated.filter(|_| absent > 0).map(|treated| {
        let (s, were) = (s(absent), was(absent));
        format!("{absent} missing datapoint{s} {were} treated as [{treated}]")
    });
    let alarming = standing == Standing::Alarming;
    let told = |point: &&Point| it.is_breached_by(point.value) == alarming;
    let mut told: Vec<&Point> = points.iter().filter(told).collect();
    told.reverse();
    let count = told.len();
    // What is missing made the difference: there is nothing else to tell of.
    if let Some(treated) = treated.as_ref().filter(|_| told.is_empty()) {
        let received = match points.len() {
            0 => "no datapoints were".to_owned(),
            count => format!("{count} datapoint{} {}", s(count), was(count)),
        };
        let s = s(wanted);
        return format!(
            "Threshold Crossed: {received} received for {wanted} period{s} and {treated}."
        );
    }
    let values: Vec<String> = told
        .iter()
        .take(TOLD)
        .map(|point| format!("{} ({})", double(point.value), day(point.start)))
        .collect();
    let values = values.join(", ");
    let out_of = match it.breaching {
        Some(_) => format!(" out of the last {wanted} datapoints"),
        None => format!(" datapoint{}", s(count)),
    };
    let not = if alarming { "" } else { "not " };
    let treated = treated.map(|treated| format!(" and {treated}")).unwrap_or_default();
    let was = was(count);
    let words = format!("{not}{} ({}){treated}", words(it.comparison), double(it.threshold));
    let text = if count < TOLD {
        format!("Threshold Crossed: {count}{out_of} [{values}] {was} {words}")
    } else {
        format!(
            "Threshold Crossed: {count}{out_of} {was} {words}. The most recent datapoints which \
             crossed the threshold: [{values}]"
        )
    };
    let Some(needed) = it.breaching else { return text + "." };
    let (least, turn) = match standing {
        Standing::Alarming => (needed, "OK -> ALARM"),
        _ => (it.periods - needed + 1, "ALARM -> OK"),
    };
    let s = s(least as usize);
    format!("{text} (minimum {least} datapoint{s} for {turn} transition).")
}

fn words(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::AtLeast => "greater than or equal to the threshold",
        Comparison::Above => "greater than the threshold",
        Comparison::Below => "less than the threshold",
        Comparison::AtMost => "less than or equal to the threshold",
    }
}

/// Why, for a program.
pub(super) fn data(it: &Check, points: &[Point], at: Timestamp) -> Value {
    let mut data = json!({ "version": "1.0", "queryDate": instant(at) });
    if let Some(first) = points.first() {
        data["startDate"] = instant(first.start).into();
    }
    if let Source::Metric(measure) = &it.source {
        if let Some(unit) = measure.unit {
            data["unit"] = unit.as_str().into();
        }
        data["statistic"] = (*measure.statistic).into();
    }
    let period = it.period();
    data["period"] = period.as_secs().into();
    let recent = &points[points.len().saturating_sub(RECENT)..];
    data["recentDatapoints"] = recent.iter().map(|point| point.value).collect();
    data["threshold"] = it.threshold.into();
    let evaluated: Vec<Value> = match points {
        [] => (1..=it.periods)
            .take(EVALUATED)
            .map(|back| json!({ "timestamp": instant(at - period * back) }))
            .collect(),
        points => points
            .iter()
            .rev()
            .take(EVALUATED)
            .map(|point| {
                let mut told = json!({ "timestamp": instant(point.start), "value": point.value });
                if let Some(samples) = point.samples {
                    told["sampleCount"] = samples.into();
                }
                told
            })
            .collect(),
    };
    data["evaluatedDatapoints"] = evaluated.into();
    data
}

/// A time as its parts; one that no date has room for is the last that has.
fn date(time: Timestamp) -> OffsetDateTime {
    let since = time::Duration::try_from(Duration::from_millis(time.as_millis()));
    let date = since.ok().and_then(|since| OffsetDateTime::UNIX_EPOCH.checked_add(since));
    date.unwrap_or(PrimitiveDateTime::MAX.assume_utc())
}

/// `26/10/23 16:42:00`.
fn day(time: Timestamp) -> String {
    let form = format_description!("[day]/[month]/[year repr:last_two] [hour]:[minute]:[second]");
    date(time).format(form).expect("each part is one that every date has")
}

/// `Friday 24 July, 2020 05:15:57 UTC`.
pub(super) fn weekday(time: Timestamp) -> String {
    let form = format_description!(
        "[weekday] [day padding:none] [month repr:long], [year] [hour]:[minute]:[second] UTC"
    );
    date(time).format(form).expect("each part is one that every date has")
}

/// `2023-08-04T12:31:29.591+0000`.
pub(super) fn instant(time: Timestamp) -> String {
    let form = format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+0000"
    );
    date(time).format(form).expect("each part is one that every date has")
}

/// A number as AWS's texts have it: `2.0`, `1.0E7`.
fn double(number: f64) -> String {
    if number != 0.0 && !(1e-3..1e7).contains(&number.abs()) {
        let text = format!("{number:E}");
        let (digits, power) = text.split_once('E').unwrap_or((&text, "0"));
        let point = if digits.contains('.') { "" } else { ".0" };
        return format!("{digits}{point}E{power}");
    }
    format!("{number:?}")
}

#[cfg(test)]
mod tests {
    use tidemill_base::{AccountId, Region};
    use tidemill_metric::{Measure, MetricKey};

    use super::*;

    fn check(periods: u32, breaching: Option<u32>, missing: Missing) -> Check {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let source = Source::Metric(Measure {
            metric: MetricKey::new(account, region, "n", "m", Vec::new()),
            statistic: "Sum".into(),
            unit: None,
            period: Duration::from_mins(1),
        });
        let check = Check::new(source, periods, Comparison::Above, 1.0);
        Check { breaching, missing: Some(missing), ..check }
    }

    /// One a minute, from 2023-10-26T16:42 on.
    fn points(values: &[f64]) -> Vec<Point> {
        let first = Timestamp::from_millis(1_698_338_520_000);
        let minutes = (0..).map(Duration::from_mins);
        let point = |(minute, &value)| Point { start: first + minute, samples: Some(1.0), value };
        minutes.zip(values).map(point).collect()
    }

    fn told(it: &Check, standing: Standing, values: &[f64]) -> String {
        text(it, standing, &points(values))
    }

    #[test]
    fn few_datapoints_are_told_one_by_one() {
        let of = |breaching| check(3, breaching, Missing::Missing);
        assert_eq!(
            told(&of(None), Standing::Alarming, &[2.0, 3.0, 4.0]),
            "Threshold Crossed: 3 datapoints [4.0 (26/10/23 16:44:00), 3.0 (26/10/23 16:43:00), \
             2.0 (26/10/23 16:42:00)] were greater than the threshold (1.0)."
        );
        assert_eq!(
            told(&of(Some(2)), Standing::Fine, &[1.0, 3.0, 0.5]),
            "Threshold Crossed: 2 out of the last 3 datapoints [0.5 (26/10/23 16:44:00), 1.0 \
             (26/10/23 16:42:00)] were not greater than the threshold (1.0) (minimum 2 datapoints \
             for ALARM -> OK transition)."
        );
        assert_eq!(
            told(&of(None), Standing::Unknown, &[]),
            "Insufficient Data: 3 datapoints were unknown."
        );
    }

    #[test]
    fn of_many_datapoints_the_most_recent_are_told() {
        let told = told(&check(6, Some(6), Missing::Missing), Standing::Alarming, &[2.0; 6]);
        assert_eq!(
            told,
            "Threshold Crossed: 6 out of the last 6 datapoints were greater than the threshold \
             (1.0). The most recent datapoints which crossed the threshold: [2.0 (26/10/23 \
             16:47:00), 2.0 (26/10/23 16:46:00), 2.0 (26/10/23 16:45:00), 2.0 (26/10/23 \
             16:44:00), 2.0 (26/10/23 16:43:00)] (minimum 6 datapoints for OK -> ALARM \
             transition)."
        );
    }

    #[test]
    fn what_is_missing_is_told_with_what_it_counts_as() {
        let it = check(20, Some(1), Missing::NotBreaching);
        assert_eq!(
            told(&it, Standing::Alarming, &[613.0]),
            "Threshold Crossed: 1 out of the last 20 datapoints [613.0 (26/10/23 16:42:00)] was \
             greater than the threshold (1.0) and 19 missing datapoints were treated as \
             [NonBreaching] (minimum 1 datapoint for OK -> ALARM transition)."
        );
        let it = check(2, None, Missing::Breaching);
        assert_eq!(
            told(&it, Standing::Alarming, &[]),
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing \
             datapoints were treated as [Breaching]."
        );
        let it = check(3, Some(2), Missing::Breaching);
        assert_eq!(
            told(&it, Standing::Alarming, &[0.0]),
            "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints \
             were treated as [Breaching]."
        );
    }

    #[test]
    fn what_a_program_is_told_fits() {
        let it = check(1440, None, Missing::Missing);
        let at = Timestamp::from_millis(1_698_338_520_000);
        for points in [points(&[-1.234_567_890_123_45e-100; 1440]), Vec::new()] {
            let text = data(&it, &points, at).to_string();
            assert!(text.len() <= 4000, "{}", text.len());
        }
    }

    #[test]
    fn numbers_and_times_read_as_on_aws() {
        let numbers = [(2.0, "2.0"), (21.5, "21.5"), (0.0, "0.0"), (1e7, "1.0E7")];
        for (number, text) in numbers {
            assert_eq!(double(number), text);
        }
        assert_eq!((double(1.25e-4), double(-1.5e9)), ("1.25E-4".into(), "-1.5E9".into()));
        let time = Timestamp::from_millis(1_698_338_520_591);
        assert_eq!(day(time), "26/10/23 16:42:00");
        assert_eq!(weekday(time), "Thursday 26 October, 2023 16:42:00 UTC");
        assert_eq!(instant(time), "2023-10-26T16:42:00.591+0000");
    }
}
