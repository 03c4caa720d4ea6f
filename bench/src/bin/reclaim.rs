//! What is left on the disk of messages that are gone: gigabytes are sent, then received and
//! deleted, and the data folder is watched until it is small again.
//!
//! Fails if it is not within a minute. The worst case is the default: everything is sent before
//! anything is received, so that nothing could be given back on the way.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use tidemill_bench::client::Client;
use tidemill_bench::load::{self, Measured, Told, now};
use tidemill_bench::queue::Queue;
use tidemill_bench::report::{Allowed, Kept, Report, Written};
use tidemill_bench::server::Server;
use tidemill_bench::work::{BATCH, Work, handles};

/// Measures how soon a data folder is small again.
#[derive(Parser)]
struct Options {
    /// Gigabytes of messages, of 1,000,000,000 bytes
    #[arg(long, default_value_t = 3.0)]
    gigabytes: f64,
    /// Clients at once, each on its own connection
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Parts that the messages are sent in; each is deleted before the next is sent
    #[arg(long, default_value_t = 1)]
    parts: u64,
    /// How large the data folder may be at last, in megabytes of 1,000,000 bytes
    #[arg(long, default_value_t = 100.0)]
    at_most: f64,
    /// How soon, in seconds
    #[arg(long, default_value_t = 60)]
    within: u64,
    #[command(flatten)]
    written: Written,
    #[command(flatten)]
    kept: Kept,
}

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let load = format!(
        "{} GB in messages of {} bytes, {} clients, in {} part(s)",
        options.gigabytes, options.written.size, options.clients, options.parts
    );
    let mut report =
        Report::begin("reclaim", &options.kept, &options.written.on, &options.written.sync, &load);
    let data = tempfile::Builder::new().prefix(".bench-").tempdir_in(&options.written.on)?;
    let server = Server::tidemill(data.path(), &options.written.sync).await?;
    let queue = Queue { name: "reclaim".into(), fifo: false, groups: 0 };
    queue.create(&mut Client::connect(&server.address).await?).await?;
    let work = Work::new(&queue.url(), options.written.size, BATCH);
    let part = (options.gigabytes * 1e9) as u64 / options.written.size as u64 / options.parts;
    for number in 1..=options.parts {
        let sent = send(&server, &options, &work, part).await?;
        let full = megabytes(data.path())?;
        let gone = remove(&server, &options, &work).await?;
        anyhow::ensure!(gone.messages == sent.messages, "{} messages came", gone.messages);
        report.line(&format!(
            "part {number}: {} messages sent at {:.0}/s, {full:.0} MB on the disk; received and \
             deleted at {:.0}/s, {:.0} MB",
            sent.messages,
            sent.messages_a_second(),
            gone.messages_a_second(),
            megabytes(data.path())?,
        ));
    }
    let started = now();
    let mut size = megabytes(data.path())?;
    let mut least = size;
    while size > options.at_most && started.elapsed() < Duration::from_secs(options.within) {
        tokio::time::sleep(LOOK).await;
        size = megabytes(data.path())?;
        if size < least {
            least = size;
            report.line(&format!("{:>6.1} s: {size:.1} MB", started.elapsed().as_secs_f64()));
        }
    }
    let what = format!("data folder after at most {} s, in MB", options.within);
    report.target(&what, size, Allowed::AtMost(options.at_most));
    report.line(&format!(
        "        reached after {:.1} s; {} KiB resident",
        started.elapsed().as_secs_f64(),
        server.resident_kib()?
    ));
    report.end()
}

async fn send(
    server: &Server,
    options: &Options,
    work: &Work,
    count: u64,
) -> anyhow::Result<Measured> {
    let left = Arc::new(AtomicU64::new(count / BATCH as u64));
    load::run(server, options.clients, |_, mut client| {
        let (request, left) = (work.send.clone(), Arc::clone(&left));
        async move {
            let mut told = Told::new();
            let take = || {
                let less = |left: u64| left.checked_sub(1);
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
            };
            while take() {
                let started = now();
                client.call(&request).await?;
                told.push((started.elapsed(), BATCH));
            }
            Ok(told)
        }
    })
    .await
}

/// Receives and deletes until there is nothing.
async fn remove(server: &Server, options: &Options, work: &Work) -> anyhow::Result<Measured> {
    load::run(server, options.clients, |_, mut client| {
        let work = work.clone();
        async move {
            let mut told = Told::new();
            loop {
                let started = now();
                let handles = handles(client.call(&work.receive).await?)?;
                if handles.is_empty() {
                    return Ok(told);
                }
                client.call(&work.delete(&handles)).await?;
                told.push((started.elapsed(), handles.len()));
            }
        }
    })
    .await
}

/// What a folder takes on the disk, in megabytes. What goes while it is looked at is not there.
fn megabytes(folder: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0.0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            bytes += metadata.blocks() as f64 * 512.0;
        }
    }
    Ok(bytes / 1e6)
}
