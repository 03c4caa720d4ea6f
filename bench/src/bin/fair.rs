//! How long quiet tenants wait while a noisy one floods a standard queue: alone, beside the flood
//! with message groups (fair queues), and beside it without.
//!
//! Fails if with groups the quiet tenants' p90 is more than a few times what it is alone.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tidemill_bench::client::{Client, call};
use tidemill_bench::load::{now, percentile};
use tidemill_bench::queue::Queue;
use tidemill_bench::report::{Allowed, Kept, Report};
use tidemill_bench::server::Server;

/// Measures how long quiet tenants wait beside a noisy one.
#[derive(Parser)]
struct Options {
    /// Consumers, each holding a batch of ten for `work`
    #[arg(long, default_value_t = 16)]
    consumers: usize,
    /// What a message takes to be worked on, in milliseconds
    #[arg(long, default_value_t = 2)]
    work: u64,
    /// Messages that the noisy tenant sends at once
    #[arg(long, default_value_t = 50_000)]
    flood: usize,
    /// Messages that each of ten quiet tenants sends, one each 50 ms
    #[arg(long, default_value_t = 60)]
    quiet: usize,
    /// Folder to make the data folder in
    #[arg(long, default_value = ".")]
    on: std::path::PathBuf,
    /// Fail if the quiet ones' p90 is more than this many times what it is without a flood, and
    /// more than 50 ms
    #[arg(long, default_value_t = 3.0)]
    at_most: f64,
    #[command(flatten)]
    kept: Kept,
}

/// The quiet tenants.
const TENANTS: usize = 10;
/// How often each sends.
const EVERY: Duration = Duration::from_millis(50);

/// When each quiet message was sent, until it arrives, and how long those that arrived waited.
type Waits = Arc<Mutex<(HashMap<String, Instant>, Vec<Duration>)>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let load = format!(
        "{TENANTS} quiet tenants with {} messages each, a flood of {}, {} consumers",
        options.quiet, options.flood, options.consumers
    );
    let mut report = Report::begin("fair", &options.kept, &options.on, "durable", &load);
    report.line("quiet tenants' wait, from send to receive, in ms");
    let alone = run(&options, 0, true).await?;
    report.line(&row("alone", &alone));
    let fair = run(&options, options.flood, true).await?;
    report.line(&row("beside a flood, with groups", &fair));
    let without = run(&options, options.flood, false).await?;
    report.line(&row("beside a flood, without", &without));
    let most = (at(&alone, 0.9) * options.at_most).max(50.0);
    let what = "quiet tenants' wait beside a flood, p90, in ms";
    report.target(what, at(&fair, 0.9), Allowed::AtMost(most));
    report.end()
}

async fn run(options: &Options, flood: usize, grouped: bool) -> anyhow::Result<Vec<Duration>> {
    let data = tempfile::Builder::new().prefix(".bench-").tempdir_in(&options.on)?;
    let server = Server::tidemill(data.path(), "durable").await?;
    let groups = usize::from(grouped);
    let queue = Queue { name: "fair".into(), fifo: false, groups };
    queue.create(&mut Client::connect(&server.address).await?).await?;
    queue.fill(&server.address, flood, 64).await?;
    let waits = Waits::default();
    let work = Duration::from_millis(options.work);
    let mut consumers = Vec::new();
    for _ in 0..options.consumers {
        let client = Client::connect(&server.address).await?;
        consumers.push(tokio::spawn(consume(client, queue.url(), work, Arc::clone(&waits))));
    }
    let mut tenants = Vec::new();
    for tenant in 0..TENANTS {
        let client = Client::connect(&server.address).await?;
        let (url, waits) = (queue.url(), Arc::clone(&waits));
        let group = grouped.then(|| format!("quiet-{tenant}"));
        tenants.push(tokio::spawn(send(client, url, tenant, group, options.quiet, waits)));
    }
    for tenant in tenants {
        tenant.await??;
    }
    // Until all have arrived, or the flood is clearly in their way.
    let until = now() + Duration::from_secs(10);
    while lock(&waits).0.values().next().is_some() && now() < until {
        tokio::time::sleep(EVERY).await;
    }
    consumers.iter().for_each(tokio::task::JoinHandle::abort);
    let mut waits = lock(&waits);
    let late: Vec<_> = waits.0.drain().map(|(_, sent)| sent.elapsed()).collect();
    waits.1.extend(late);
    waits.1.sort_unstable();
    Ok(waits.1.clone())
}

async fn send(
    mut client: Client,
    url: String,
    tenant: usize,
    group: Option<String>,
    count: usize,
    waits: Waits,
) -> anyhow::Result<()> {
    for number in 0..count {
        let body = format!("quiet-{tenant}-{number}");
        let mut message = json!({ "QueueUrl": url, "MessageBody": body });
        if let Some(group) = &group {
            message["MessageGroupId"] = group.as_str().into();
        }
        lock(&waits).0.insert(body, now());
        call(&mut client, "SendMessage", &message).await?;
        tokio::time::sleep(EVERY).await;
    }
    Ok(())
}

async fn consume(
    mut client: Client,
    url: String,
    work: Duration,
    waits: Waits,
) -> anyhow::Result<()> {
    let receive = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20 });
    loop {
        let answer = call(&mut client, "ReceiveMessage", &receive).await?;
        let Some(messages) = answer["Messages"].as_array() else { continue };
        let arrived = now();
        let mut entries: Vec<Value> = Vec::new();
        for (id, message) in messages.iter().enumerate() {
            let body = message["Body"].as_str().unwrap_or_default();
            {
                let mut waits = lock(&waits);
                if let Some(sent) = waits.0.remove(body) {
                    waits.1.push(arrived - sent);
                }
            }
            let handle = &message["ReceiptHandle"];
            entries.push(json!({ "Id": id.to_string(), "ReceiptHandle": handle }));
        }
        tokio::time::sleep(work * u32::try_from(messages.len())?).await;
        let delete = json!({ "QueueUrl": url, "Entries": entries });
        call(&mut client, "DeleteMessageBatch", &delete).await?;
    }
}

fn row(name: &str, waits: &[Duration]) -> String {
    let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| at(waits, share));
    format!("{name:<30}p50 {p50:>8.1}   p90 {p90:>8.1}   p99 {p99:>8.1}")
}

/// The wait below which a share of them is, in milliseconds.
fn at(sorted: &[Duration], share: f64) -> f64 {
    percentile(sorted, share) / 1e3
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
