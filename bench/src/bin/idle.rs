//! What waiting costs: a thousand long polls at one queue, the processor time that they take, and
//! how soon a message reaches one of them, and only one.
//!
//! Fails if a promise is broken: while nothing is sent the waiting take at most 1 % of a core; a
//! send's p99 until its message is received is at most 5 ms more than the syncs took.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tidemill_bench::client::{Client, call};
use tidemill_bench::load::{now, percentile};
use tidemill_bench::queue::Queue;
use tidemill_bench::report::{Allowed, Kept, Report};
use tidemill_bench::server::Server;
use tokio::sync::mpsc;

/// Measures what a thousand long polls cost.
#[derive(Parser)]
struct Options {
    /// Long polls at once
    #[arg(long, default_value_t = 1_000)]
    polls: usize,
    /// Messages sent, one after the other
    #[arg(long, default_value_t = 1_000)]
    messages: usize,
    /// Seconds to watch while nothing happens
    #[arg(long, default_value_t = 10)]
    watch: u64,
    /// Folder to make the data folder in
    #[arg(long, default_value = ".")]
    on: std::path::PathBuf,
    /// Fail if the waiting take more of a core, in percent
    #[arg(long, default_value_t = 1.0)]
    at_most: f64,
    /// Fail if the p99 from a send to its receive is longer than the slowest syncs by more, in ms
    #[arg(long, default_value_t = 5.0)]
    beyond: f64,
    #[command(flatten)]
    kept: Kept,
}

/// A message as it arrived, and when.
type Arrived = (Value, Instant);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let load = format!("{} long polls, {} messages", options.polls, options.messages);
    let mut report = Report::begin("idle", &options.kept, &options.on, "durable", &load);
    let data = tempfile::Builder::new().prefix(".bench-").tempdir_in(&options.on)?;
    let server = Server::tidemill(data.path(), "durable").await?;
    let queue = Queue { name: "idle".into(), fifo: false, groups: 0 };
    let mut client = Client::connect(&server.address).await?;
    queue.create(&mut client).await?;
    let (arrivals, mut arrived) = mpsc::unbounded_channel();
    for _ in 0..options.polls {
        let poller = Client::connect(&server.address).await?;
        tokio::spawn(poll(poller, queue.clone(), arrivals.clone()));
    }
    waiting(&server, options.polls).await?;

    let before = server.cpu()?;
    tokio::time::sleep(Duration::from_secs(options.watch)).await;
    let used = server.cpu()?.saturating_sub(before).as_secs_f64() / options.watch as f64 * 100.0;

    let before = server.journal().await?;
    let mut latencies = Vec::new();
    for number in 0..options.messages {
        let mut message = queue.message(number, 64);
        message["QueueUrl"] = queue.url().into();
        let started = now();
        call(&mut client, "SendMessage", &message).await?;
        let (body, at) = arrived.recv().await.ok_or_else(|| anyhow::anyhow!("polls ended"))?;
        anyhow::ensure!(body == message["MessageBody"], "another message arrived: {body}");
        latencies.push(at - started);
        // Nobody but that one was woken: all others still wait.
        waiting(&server, options.polls).await?;
    }
    anyhow::ensure!(arrived.try_recv().is_err(), "a message arrived twice");
    latencies.sort_unstable();
    let after = server.journal().await?;
    let syncing = after.syncing.saturating_sub(before.syncing).as_secs_f64();
    let sync = syncing * 1e3 / (after.syncs - before.syncs) as f64;
    let at = |share: f64| percentile(&latencies, share) / 1e3;
    report.line(&format!("{} KiB resident; a sync takes {sync:.2} ms", server.resident_kib()?));
    report.line(&format!(
        "send to receive, durable: p50 {:.2} ms, p99 {:.2} ms",
        at(0.5),
        at(0.99)
    ));
    report.target("waiting, in percent of a core", used, Allowed::AtMost(options.at_most));
    let what = "send to receive beyond a sync, p99, in ms";
    report.target(what, at(0.99) - sync, Allowed::AtMost(options.beyond));
    report.end()
}

/// Waits, receives, deletes, and waits again.
async fn poll(
    mut client: Client,
    queue: Queue,
    arrivals: mpsc::UnboundedSender<Arrived>,
) -> anyhow::Result<()> {
    let url = queue.url();
    let receive = json!({ "QueueUrl": url, "WaitTimeSeconds": 20 });
    loop {
        let answer = call(&mut client, "ReceiveMessage", &receive).await?;
        let at = now();
        let Some(message) = answer["Messages"].get(0) else { continue };
        let delete = json!({ "QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"] });
        call(&mut client, "DeleteMessage", &delete).await?;
        arrivals.send((message["Body"].clone(), at))?;
    }
}

/// Returns once so many receivers wait.
async fn waiting(server: &Server, number: usize) -> anyhow::Result<()> {
    while server.waiting_receivers().await? != number {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
