//! Sends, receives and deletes against Tidemill, beside the same requests against a bare handler.
//!
//! Both are measured in one run on one machine; what counts is the ratio of the server's
//! processor time for a request. The sync mode and the machine stand beside the numbers.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]

use std::time::Duration;

use base64::Engine as _;
use clap::Parser;
use serde_json::{Value, json};
use tidemill_bench::client::{Client, request};
use tidemill_bench::load::{self, Measured, Told, now};
use tidemill_bench::server::Server;

const QUEUE: &str = "http://127.0.0.1/000000000000/bench";

/// Measures Tidemill's requests a second, processor time a request and latencies.
#[derive(Parser, Clone)]
struct Options {
    /// Clients at once, each on its own connection
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Messages of each workload; a queue has at most 120,000 in flight
    #[arg(long, default_value_t = 100_000, value_parser = messages)]
    messages: u32,
    /// Bytes of a message's body
    #[arg(long, default_value_t = 1024)]
    size: usize,
    /// When answers may leave: durable or written
    #[arg(long, default_value = "durable")]
    sync: String,
    /// Folder to make the data folder in; its disk is the one that is measured
    #[arg(long, default_value = ".")]
    on: std::path::PathBuf,
    /// Fail if a single SendMessage costs more than this many times the bare handler's
    #[arg(long)]
    at_most: Option<f64>,
}

/// Reads a number of messages.
fn messages(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=120_000).contains(number));
    number.ok_or_else(|| "from 1 to 120000".to_owned())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    println!("{}", machine(&options));
    println!(
        "{:<22}{:>9}{:>9}{:>8}{:>7}{:>9}{:>9}{:>9}{:>9}{:>10}{:>9}",
        "workload",
        "req/s",
        "msg/s",
        "cpu us",
        "ratio",
        "p50 us",
        "p90 us",
        "p99 us",
        "p99.9",
        "req/sync",
        "sync us"
    );
    let ratio = lifecycle(&options, 1).await?;
    lifecycle(&options, 10).await?;
    if let Some(most) = options.at_most {
        anyhow::ensure!(ratio <= most, "a SendMessage costs {ratio:.2} times a bare request");
        println!("a SendMessage costs {ratio:.2} times a bare request, at most {most} allowed");
    }
    Ok(())
}

/// Sends, receives and deletes all messages in batches of `batch`; returns the ratio of a send.
async fn lifecycle(options: &Options, batch: usize) -> anyhow::Result<f64> {
    let data = tempfile::Builder::new().prefix(".bench-").tempdir_in(&options.on)?;
    let server = Server::tidemill(data.path(), &options.sync).await?;
    let bare = Server::bare().await?;
    let mut client = Client::connect(&server.address).await?;
    client.call(&request("/", "CreateQueue", &json!({"QueueName": "bench"}).to_string())).await?;

    let send = send_request("/", options, batch);
    let answer = client.call(&send).await?.len();
    let purge = json!({ "QueueUrl": QUEUE }).to_string();
    client.call(&request("/", "PurgeQueue", &purge)).await?;

    let rounds = options.messages as usize / batch / options.clients;
    let floor = repeat(&bare, options, send_request(&format!("/{answer}"), options, batch), rounds);
    let floor = floor.await?;
    row(&format!("bare, send {batch}'s bytes"), &floor, floor.cpu_per_request());

    let sent = repeat(&server, options, send, rounds).await?;
    row(&format!("send {batch}"), &sent, floor.cpu_per_request());

    let (received, receipts) = receive_all(&server, options, batch).await?;
    row(&format!("receive {batch}"), &received, floor.cpu_per_request());

    let deleted = delete_all(&server, options, batch, receipts).await?;
    row(&format!("delete {batch}"), &deleted, floor.cpu_per_request());
    println!("{:<22}{} KiB resident", "", server.resident_kib()?);
    Ok(sent.cpu_per_request() / floor.cpu_per_request())
}

fn send_request(path: &str, options: &Options, batch: usize) -> Vec<u8> {
    // Random-looking text, so that nothing on the way profits from a run of one letter.
    let bytes: Vec<u8> =
        (0..options.size as u64).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
    let mut body = base64::engine::general_purpose::STANDARD.encode(bytes);
    body.truncate(options.size);
    if batch == 1 {
        let parameters = json!({"QueueUrl": QUEUE, "MessageBody": body});
        return request(path, "SendMessage", &parameters.to_string());
    }
    let entries: Vec<Value> =
        (0..batch).map(|id| json!({"Id": id.to_string(), "MessageBody": body})).collect();
    let parameters = json!({"QueueUrl": QUEUE, "Entries": entries});
    request(path, "SendMessageBatch", &parameters.to_string())
}

async fn repeat(
    server: &Server,
    options: &Options,
    request: Vec<u8>,
    rounds: usize,
) -> anyhow::Result<Measured> {
    let batch = options.messages as usize / rounds / options.clients;
    load::run(server, options.clients, |_, mut client| {
        let request = request.clone();
        async move {
            let mut told = Told::with_capacity(rounds);
            for _ in 0..rounds {
                let started = now();
                client.call(&request).await?;
                told.push((started.elapsed(), batch));
            }
            Ok(told)
        }
    })
    .await
}

async fn receive_all(
    server: &Server,
    options: &Options,
    batch: usize,
) -> anyhow::Result<(Measured, Vec<Vec<Vec<String>>>)> {
    let parameters = json!({"QueueUrl": QUEUE, "MaxNumberOfMessages": batch,
        "VisibilityTimeout": 3600});
    let receive = request("/", "ReceiveMessage", &parameters.to_string());
    let (sender, mut receipts) = tokio::sync::mpsc::unbounded_channel();
    let measured = load::run(server, options.clients, |_, mut client| {
        let (receive, sender) = (receive.clone(), sender.clone());
        async move {
            let mut told = Told::new();
            let mut mine = Vec::new();
            loop {
                let started = now();
                let answer = client.call(&receive).await?;
                let latency = started.elapsed();
                let answer: Value = serde_json::from_slice(answer)?;
                let Some(messages) = answer["Messages"].as_array() else { break };
                let handle = |message: &Value| message["ReceiptHandle"].as_str().map(str::to_owned);
                told.push((latency, messages.len()));
                mine.push(messages.iter().filter_map(handle).collect::<Vec<_>>());
            }
            sender.send(mine)?;
            Ok(told)
        }
    })
    .await?;
    drop(sender);
    let mut all = Vec::new();
    while let Some(mine) = receipts.recv().await {
        all.push(mine);
    }
    Ok((measured, all))
}

async fn delete_all(
    server: &Server,
    options: &Options,
    batch: usize,
    receipts: Vec<Vec<Vec<String>>>,
) -> anyhow::Result<Measured> {
    load::run(server, options.clients, |index, mut client| {
        let mine = receipts.get(index).cloned().unwrap_or_default();
        async move {
            let mut told = Told::new();
            for handles in mine {
                let delete = delete_request(&handles, batch);
                let started = now();
                client.call(&delete).await?;
                told.push((started.elapsed(), handles.len()));
            }
            Ok(told)
        }
    })
    .await
}

fn delete_request(handles: &[String], batch: usize) -> Vec<u8> {
    if batch == 1 {
        let parameters = json!({"QueueUrl": QUEUE, "ReceiptHandle": handles[0]});
        return request("/", "DeleteMessage", &parameters.to_string());
    }
    let entry = |(id, handle)| json!({"Id": format!("{id}"), "ReceiptHandle": handle});
    let entries: Vec<Value> = handles.iter().enumerate().map(entry).collect();
    let parameters = json!({"QueueUrl": QUEUE, "Entries": entries});
    request("/", "DeleteMessageBatch", &parameters.to_string())
}

fn row(workload: &str, measured: &Measured, floor: f64) {
    let seconds = measured.wall.max(Duration::from_micros(1)).as_secs_f64();
    let cpu = measured.cpu_per_request();
    println!(
        "{workload:<22}{:>9.0}{:>9.0}{cpu:>8.1}{:>7.2}{:>9.0}{:>9.0}{:>9.0}{:>9.0}{:>10}{:>9}",
        measured.requests as f64 / seconds,
        measured.messages as f64 / seconds,
        cpu / floor,
        measured.percentile(0.5),
        measured.percentile(0.9),
        measured.percentile(0.99),
        measured.percentile(0.999),
        ratio_of(measured.requests as f64, measured.syncs),
        ratio_of(measured.syncing.as_secs_f64() * 1e6, measured.syncs),
    );
}

/// A share of something in so many syncs, where there were any.
fn ratio_of(whole: f64, syncs: u64) -> String {
    if syncs == 0 { "-".to_owned() } else { format!("{:.1}", whole / syncs as f64) }
}

/// The line that stands over the numbers: what machine, what mode, how many clients.
fn machine(options: &Options) -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores of {}; sync {}; {} clients, {} messages of {} bytes",
        model.map_or("an unknown processor", |(_, name)| name),
        options.sync,
        options.clients,
        options.messages,
        options.size,
    )
}
