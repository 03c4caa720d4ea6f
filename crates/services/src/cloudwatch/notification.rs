//! What topics are told of an alarm that turned: a subject, and a message in AWS's JSON.

use serde_json::{Map, Value, json};
use tidemill_metric::{
    Alarms, Check, Due, Gives, Measure, MetricKey, Query, Source, Standing, Watched,
};

use super::alarm::{self, MISSING};
use super::reason::instant;
use super::region;
use super::statistic::Statistic;

/// The subject: how the alarm stands, which, and where.
pub(super) fn subject(due: &Due) -> String {
    let (state, name) = (alarm::state_value(due.to.standing), &due.key.name);
    format!("{state}: \"{name}\" in {}", region::name(&due.key.region))
}

/// The message. Of an alarm that was deleted meanwhile it says what is still known.
pub(super) fn message(alarms: &Alarms, due: &Due) -> String {
    let alarm = alarms.find(&due.key);
    let settings = alarm.map(|alarm| &alarm.settings);
    let actions = |standing: Standing| -> Vec<&str> {
        let actions = settings.map(|settings| &settings.actions[standing as usize]);
        actions.map(|all| all.iter().map(AsRef::as_ref).collect()).unwrap_or_default()
    };
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
    put("AlarmName", json!(due.key.name.as_ref()));
    put("AlarmDescription", json!(settings.and_then(|it| it.description.as_deref())));
    put("AWSAccountId", json!(due.key.account.to_string()));
    let configured = alarm.map(|alarm| instant(alarm.configured));
    put("AlarmConfigurationUpdatedTimestamp", json!(configured));
    put("NewStateValue", json!(alarm::state_value(due.to.standing).as_str()));
    put("NewStateReason", json!(due.to.text.as_ref()));
    put("StateChangeTime", json!(instant(due.at)));
    put("Region", json!(region::name(&due.key.region)));
    put("AlarmArn", json!(alarm::arn(&due.key)));
    put("OldStateValue", json!(alarm::state_value(due.from).as_str()));
    put("OKActions", json!(actions(Standing::Fine)));
    put("AlarmActions", json!(actions(Standing::Alarming)));
    put("InsufficientDataActions", json!(actions(Standing::Unknown)));
    match settings.map(|settings| &settings.watched) {
        Some(Watched::Values(check)) => put("Trigger", trigger(check)),
        Some(Watched::Alarms(rule)) => put("AlarmRule", json!(rule.as_ref())),
        None => {}
    }
    if due.composite {
        put("TriggeringChildren", children(due));
    }
    Value::Object(all).to_string()
}

/// What an alarm holds against its threshold.
fn trigger(check: &Check) -> Value {
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
    let mut period = check.period().as_secs();
    if let Source::Metric(measure) = &check.source {
        let percentile = Statistic::read_percentile(&measure.statistic).is_some();
        put("MetricName", json!(measure.metric.name.as_ref()));
        put("Namespace", json!(measure.metric.namespace.as_ref()));
        if percentile {
            put("StatisticType", json!("ExtendedStatistic"));
            put("ExtendedStatistic", json!(measure.statistic.as_ref()));
        } else {
            put("StatisticType", json!("Statistic"));
            put("Statistic", json!(shouted(&measure.statistic)));
        }
        put("Unit", json!(measure.unit.map(tidemill_metric::Unit::as_str)));
        put("Dimensions", dimensions(&measure.metric));
        period = measure.period.as_secs();
    }
    put("Period", json!(period));
    put("EvaluationPeriods", json!(check.periods));
    if let Some(breaching) = check.breaching {
        put("DatapointsToAlarm", json!(breaching));
    }
    put("ComparisonOperator", json!(alarm::comparison(check.comparison).as_str()));
    put("Threshold", json!(check.threshold));
    let missing = MISSING.iter().find(|(one, _)| Some(*one) == check.missing);
    put("TreatMissingData", json!(missing.map_or("missing", |(_, name)| *name)));
    let few = check.few_values_count.map(|count| if count { "evaluate" } else { "ignore" });
    put("EvaluateLowSampleCountPercentile", json!(few.unwrap_or_default()));
    if let Source::Queries(queries) = &check.source {
        put("Metrics", queries.iter().map(query).collect());
    }
    Value::Object(all)
}

fn query(it: &Query) -> Value {
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
    put("Id", json!(it.id.as_ref()));
    match &it.gives {
        Gives::Measure(Measure { metric, statistic, unit, period }) => {
            let mut stat = json!({
                "Metric": {
                    "Dimensions": dimensions(metric),
                    "MetricName": metric.name.as_ref(),
                    "Namespace": metric.namespace.as_ref(),
                },
                "Period": period.as_secs(),
                "Stat": statistic.as_ref(),
            });
            if let Some(unit) = unit {
                stat["Unit"] = json!(unit.as_str());
            }
            put("MetricStat", stat);
        }
        Gives::Expression { text, period } => {
            put("Expression", json!(text.as_ref()));
            if let Some(period) = period {
                put("Period", json!(period.as_secs()));
            }
        }
    }
    if let Some(label) = &it.label {
        put("Label", json!(label.as_ref()));
    }
    put("ReturnData", json!(it.returned));
    Value::Object(all)
}

fn dimensions(metric: &MetricKey) -> Value {
    let all = metric.dimensions().iter();
    all.map(|it| json!({ "value": it.value.as_ref(), "name": it.name.as_ref() })).collect()
}

/// A statistic's name as it stands in messages: `SAMPLE_COUNT`.
fn shouted(statistic: &str) -> String {
    let mut shouted = String::with_capacity(statistic.len() + 1);
    for (at, letter) in statistic.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            shouted.push('_');
        }
        shouted.push(letter.to_ascii_uppercase());
    }
    shouted
}

/// The alarms that turned a composite one, of which its reason tells.
fn children(due: &Due) -> Value {
    let data = due.to.data.as_deref().unwrap_or_default();
    let data: Value = serde_json::from_str(data).unwrap_or_default();
    let all = data["triggeringAlarms"].as_array().map_or(&[][..], Vec::as_slice);
    let child = |it: &Value| {
        let state = json!({
            "Value": it["state"]["value"],
            "Timestamp": it["state"]["timestamp"],
        });
        json!({ "Arn": it["arn"], "State": state })
    };
    all.iter().map(child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistic_is_shouted_a_word_at_a_time() {
        for (statistic, told) in [("Average", "AVERAGE"), ("SampleCount", "SAMPLE_COUNT")] {
            assert_eq!(shouted(statistic), told);
        }
    }
}
