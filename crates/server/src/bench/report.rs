//! What was measured, told: a table for people, one JSON object for machines.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::meter::{Meter, Phase};
use crate::cli::Bench;

const PERCENTS: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];

/// A line an operation of each phase, and below it what went wrong.
pub(super) fn table(bench: &Bench, phases: &[Phase]) -> String {
    let kind = if bench.fifo { "FIFO" } else { "standard" };
    let mut table = format!(
        "{}; {kind} queue; {} clients, {} messages of {}, {} a request",
        bench.endpoint.endpoint_url, bench.clients, bench.messages, bench.size, bench.batch
    );
    if let Some(rate) = bench.rate {
        let _ = write!(table, ", {rate} requests a second");
    }
    let _ = write!(table, "\n{:<8} {:<18} {:>9} {:>9}", "phase", "operation", "requests", "msg/s");
    for (name, _) in PERCENTS {
        let _ = write!(table, " {:>9}", format!("{name} ms"));
    }
    let _ = writeln!(table, " {:>9} {:>6}", "max ms", "failed");
    for phase in phases {
        for (operation, meter) in &phase.meters {
            let per_second = per_second(phase, meter);
            let _ = write!(table, "{:<8} {operation:<18}", phase.name);
            let _ = write!(table, " {:>9} {per_second:>9.0}", meter.requests);
            for (_, percent) in PERCENTS {
                let _ = write!(table, " {:>9.2}", millis(meter.percentile(percent)));
            }
            let longest = millis(meter.longest());
            let _ = writeln!(table, " {longest:>9.2} {:>6}", meter.failures());
            for (error, count) in &meter.errors {
                let _ = writeln!(table, "         {count} times: {error}");
            }
        }
        if phase.missing > 0 {
            let _ = writeln!(table, "         {} messages did not come", phase.missing);
        }
    }
    table
}

/// The same and a little more.
pub(super) fn json(
    bench: &Bench,
    region: &str,
    queue: &str,
    phases: &[Phase],
    interrupted: bool,
) -> Value {
    json!({
        "endpoint": bench.endpoint.endpoint_url,
        "region": region,
        "queue": queue,
        "fifo": bench.fifo,
        "clients": bench.clients,
        "messages": bench.messages,
        "size": bench.size.as_u64(),
        "batch": bench.batch,
        "rate": bench.rate,
        "interrupted": interrupted,
        "phases": phases.iter().map(phase).collect::<Vec<_>>(),
    })
}

fn phase(phase: &Phase) -> Value {
    let operations = phase.meters.iter();
    let operations: Map<_, _> =
        operations.map(|(name, meter)| ((*name).to_owned(), operation(phase, meter))).collect();
    json!({
        "phase": phase.name,
        "seconds": phase.took.as_secs_f64(),
        "missing": phase.missing,
        "operations": operations,
    })
}

fn operation(phase: &Phase, meter: &Meter) -> Value {
    let percentile = |(name, percent)| (String::from(name), millis(meter.percentile(percent)));
    let mut latency: Map<_, _> =
        PERCENTS.map(percentile).into_iter().map(|(name, ms)| (name, json!(ms))).collect();
    latency.insert("max".to_owned(), json!(millis(meter.longest())));
    json!({
        "requests": meter.requests,
        "messages": meter.messages,
        "messages_per_second": per_second(phase, meter),
        "latency_ms": latency,
        "empty": meter.empty,
        "errors": meter.errors,
    })
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^53")]
fn per_second(phase: &Phase, meter: &Meter) -> f64 {
    if phase.took.is_zero() { 0.0 } else { meter.messages as f64 / phase.took.as_secs_f64() }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
