//! What a backlog costs: receives from a queue of a hundred beside receives from one of a million,
//! the memory that the million takes, and how long the service takes to start with it.
//!
//! Fails if a promise is broken: a receive's p99 at most 1.5 times the small queue's, 300 MiB
//! resident, two seconds to start. Both queues are measured in turns in one run.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tidemill_bench::client::{Client, call};
use tidemill_bench::load::{now, percentile};
use tidemill_bench::queue::Queue;
use tidemill_bench::report::{Allowed, Kept, Report, Written};
use tidemill_bench::server::Server;

/// Measures what a backlog costs.
#[derive(Parser)]
struct Options {
    /// Messages that wait in the large queue
    #[arg(long, default_value_t = 1_000_000)]
    waiting: usize,
    /// Message groups that the backlog is spread over, each a run of its own: 0 is a standard
    /// queue, other numbers FIFO ones
    #[arg(long, value_delimiter = ',', default_value = "0,10,100000")]
    groups: Vec<usize>,
    /// Receives measured at each queue
    #[arg(long, default_value_t = 5_000)]
    receives: usize,
    /// Fail if the large queue's p99 is more than this many times the small one's
    #[arg(long, default_value_t = 1.5)]
    at_most: f64,
    /// Fail if more is resident, in MiB
    #[arg(long, default_value_t = 300)]
    resident: u64,
    /// Fail if a start takes longer, in seconds
    #[arg(long, default_value_t = 2.0)]
    start: f64,
    #[command(flatten)]
    written: Written,
    #[command(flatten)]
    kept: Kept,
}

/// Receives in a row at one queue before it is the other's turn.
const TURN: usize = 100;
/// Messages in the small queue.
const FEW: usize = 100;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let load = format!(
        "{} messages of {} bytes wait, {} receives a queue",
        options.waiting, options.written.size, options.receives
    );
    let mut report =
        Report::begin("backlog", &options.kept, &options.written.on, &options.written.sync, &load);
    report.line(&format!(
        "{:<20}{:>10}{:>10}{:>10}{:>10}{:>7}{:>10}{:>12}{:>12}",
        "backlog", "p50 us", "of 100", "p99 us", "of 100", "ratio", "MiB", "start s", "killed s"
    ));
    for groups in &options.groups {
        measure(&options, *groups, &mut report).await?;
    }
    report.end()
}

/// Measures one kind of queue.
async fn measure(options: &Options, groups: usize, report: &mut Report) -> anyhow::Result<()> {
    let data = tempfile::Builder::new().prefix(".bench-").tempdir_in(&options.written.on)?;
    let server = Server::tidemill(data.path(), &options.written.sync).await?;
    let fifo = groups > 0;
    let suffix = if fifo { ".fifo" } else { "" };
    let small = Queue { name: format!("small{suffix}"), fifo, groups: groups.min(FEW) };
    let large = Queue { name: format!("large{suffix}"), fifo, groups };
    let mut client = Client::connect(&server.address).await?;
    for (queue, count) in [(&small, FEW), (&large, options.waiting)] {
        queue.create(&mut client).await?;
        queue.fill(&server.address, count, options.written.size).await?;
        // A connection that was idle for as long as a large queue takes to fill is closed.
        client = Client::connect(&server.address).await?;
    }
    let (mut few, mut many) = (Vec::new(), Vec::new());
    while many.len() < options.receives {
        for (queue, latencies) in [(&small, &mut few), (&large, &mut many)] {
            for _ in 0..TURN {
                latencies.push(
                    receive(&mut client, queue, options.written.size, latencies.len()).await?,
                );
            }
        }
    }
    few.sort_unstable();
    many.sort_unstable();
    let resident = server.resident_kib()? / 1024;
    let killed = restart(server, &options.written.sync, data.path(), true).await?;
    let stopped = restart(killed.1, &options.written.sync, data.path(), false).await?;
    let ratio = percentile(&many, 0.99) / percentile(&few, 0.99);
    let name = if groups == 0 { "standard".to_owned() } else { format!("{groups} groups") };
    let (start, killed) = (stopped.0.as_secs_f64(), killed.0.as_secs_f64());
    report.line(&format!(
        "{name:<20}{:>10.0}{:>10.0}{:>10.0}{:>10.0}{ratio:>7.2}{resident:>10}{start:>12.2}\
         {killed:>12.2}",
        percentile(&many, 0.5),
        percentile(&few, 0.5),
        percentile(&many, 0.99),
        percentile(&few, 0.99),
    ));
    let mut target = |what: &str, measured, most| {
        report.target(&format!("{name}: {what}"), measured, Allowed::AtMost(most));
    };
    target("p99 of a receive, times that of a hundred", ratio, options.at_most);
    target("resident, in MiB", resident as f64, options.resident as f64);
    target("a start, in s", start.max(killed), options.start);
    Ok(())
}

/// Receives one message, says how long that took, and puts another in its place.
async fn receive(
    client: &mut Client,
    queue: &Queue,
    size: usize,
    number: usize,
) -> anyhow::Result<Duration> {
    let url = queue.url();
    let parameters = json!({ "QueueUrl": url });
    let started = now();
    let answer = call(client, "ReceiveMessage", &parameters).await?;
    let took = started.elapsed();
    let handle = &answer["Messages"][0]["ReceiptHandle"];
    anyhow::ensure!(handle.is_string(), "{} gave nothing: {answer}", queue.name);
    let parameters = json!({ "QueueUrl": url, "ReceiptHandle": handle });
    call(client, "DeleteMessage", &parameters).await?;
    let mut message = queue.message(usize::MAX / 2 + number, size);
    message["QueueUrl"] = url.into();
    call(client, "SendMessage", &message).await?;
    Ok(took)
}

/// Ends the server, by a signal or as a crash would, and says how long a new one takes until it
/// has answered.
async fn restart(
    server: Server,
    sync: &str,
    data: &std::path::Path,
    crash: bool,
) -> anyhow::Result<(Duration, Server)> {
    if crash {
        server.kill().await?;
    } else {
        server.stop().await?;
    }
    let started = now();
    let server = Server::tidemill(data, sync).await?;
    let mut client = Client::connect(&server.address).await?;
    call(&mut client, "ListQueues", &json!({})).await?;
    Ok((started.elapsed(), server))
}
