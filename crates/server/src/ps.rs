//! `tidemill ps`: the instances, and what each of their units does.

use std::io::{self, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::Ps;
use crate::client::Client;
use crate::screen;

pub(crate) fn run(ps: &Ps) -> anyhow::Result<()> {
    let client = Client::new(&ps.endpoint)?;
    let answer = client.own("/_tidemill/instances", &json!({ "Region": client.region() }))?;
    let found = answer["Instances"].as_array().map_or(&[][..], Vec::as_slice);
    let now = answer["Now"].as_u64().unwrap_or_default();
    let over = |one: &&Value| matches!(one["State"].as_str(), Some("stopped" | "terminated"));
    let mut out = io::stdout().lock();
    if !ps.json {
        let head = ["INSTANCE", "NAME", "STATE", "AGE", "PROCESSES", "MEMORY", "HOLDS", "UNITS"];
        line(&mut out, &head.map(str::to_owned))?;
    }
    for one in found.iter().filter(|one| ps.all || !over(one)) {
        if ps.json {
            writeln!(out, "{one}")?;
            continue;
        }
        let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
        let launched = one["Launched"].as_u64().unwrap_or(now);
        let age = Duration::from_secs(now.saturating_sub(launched) / 1000);
        let memory = one["Memory"].as_u64().unwrap_or_default() >> 20;
        let units = one["Units"].as_array().map_or(&[][..], Vec::as_slice);
        let units = units.iter().map(unit).collect::<Vec<_>>().join(", ");
        let failure = one["Failure"].as_str().map(str::to_owned);
        line(
            &mut out,
            &[
                text("InstanceId"),
                text("Name"),
                state(one),
                humantime::format_duration(age).to_string(),
                one["Processes"].to_string(),
                format!("{memory} MiB"),
                one["Held"].to_string(),
                failure.unwrap_or(units),
            ],
        )?;
    }
    Ok(())
}

/// How an instance is, as people are told: one that is given no more messages still runs.
pub(crate) fn state(one: &Value) -> String {
    match one["State"].as_str() {
        Some("running") if one["Draining"] == true => "draining".to_owned(),
        state => state.unwrap_or("-").to_owned(),
    }
}

fn unit(unit: &Value) -> String {
    let text = |name: &str| unit[name].as_str().unwrap_or_default();
    let ended = unit["Ended"].as_str().map_or(String::new(), |ended| format!(" ({ended})"));
    let restarts = match unit["Restarts"].as_u64() {
        None | Some(0) => String::new(),
        Some(restarts) => format!(" restarted {restarts}x"),
    };
    format!("{} {}{ended}{restarts}", text("Name"), text("State"))
}

fn line(
    out: &mut impl io::Write,
    [id, name, state, age, processes, memory, held, units]: &[String; 8],
) -> io::Result<()> {
    let row = format!(
        "{id:<19}  {name:<16}  {state:<12}  {age:<12}  {processes:>9}  {memory:>8}  {held:>5}  \
         {units}"
    );
    writeln!(out, "{}", screen::row(&row))
}
