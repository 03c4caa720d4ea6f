//! `tidemill bench`: how fast an endpoint of SQS is, ours or another.
//!
//! It makes a queue of its own, drives it phase by phase, tells what each showed, and removes
//! the queue again, also when it is interrupted.

mod load;
mod meter;
mod report;

use std::convert::Infallible;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::json;
use tidemill_base::{Chance, Clock};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Bench;
use crate::client::Client;
use load::{Load, Work};
use meter::Phase;

/// Most messages that are in flight at a time: SQS allows 120,000 a queue. More come in rounds.
const ROUND: u64 = 100_000;
/// Longest that a request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any run: a message that comes back would be counted twice.
const VISIBILITY: &str = "43200";
/// Signals within this time are one.
const ONCE: Duration = Duration::from_millis(500);
/// Bytes of one request's messages: what SQS allows.
const REQUEST_BYTES: u64 = 1 << 20;

/// Measures.
pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    check(bench)?;
    let stop = Arc::new(AtomicBool::new(false));
    let clients = (0..bench.clients.max(2)).map(|_| Client::impatient(&bench.endpoint, PATIENCE));
    let clients = clients.collect::<anyhow::Result<Vec<_>>>()?;
    let client = &clients[0];
    let suffix = if bench.fifo { ".fifo" } else { "" };
    let name = format!("tidemill-bench-{:016x}{suffix}", Chance::system().number());
    stop_when_told(Arc::clone(&stop), name.clone())?;
    let queue = make_queue(client, bench, &name)?;
    let mut phases = Vec::new();
    let load = Load::new(bench, &clients, &queue, &stop, Clock::system());
    let measured = measure(&load, bench, &mut phases);
    let removed = client.sqs("DeleteQueue", &json!({ "QueueUrl": queue }));
    let interrupted = stop.load(Ordering::Relaxed);
    if bench.json {
        println!("{}", report::json(bench, client.region(), &name, &phases, interrupted));
    } else {
        print!("{}", report::table(bench, &phases));
    }
    measured?;
    removed.with_context(|| format!("the queue {name} is left behind"))?;
    if interrupted {
        bail!("interrupted; the queue {name} is removed");
    }
    let failed: u64 = phases.iter().map(Phase::failures).sum();
    let missing: u64 = phases.iter().map(|phase| phase.missing).sum();
    if failed + missing > 0 {
        bail!("{failed} failures, {missing} messages missing");
    }
    Ok(())
}

fn check(bench: &Bench) -> anyhow::Result<()> {
    let size = bench.size.as_u64();
    if !(meter::STAMP..=REQUEST_BYTES).contains(&size) {
        bail!("--size is from {} B to 1 MiB, what SQS allows", meter::STAMP);
    }
    if size * u64::from(bench.batch) > REQUEST_BYTES {
        bail!("--size times --batch is more than the 1 MiB that SQS allows a request");
    }
    Ok(())
}

fn make_queue(client: &Client, bench: &Bench, name: &str) -> anyhow::Result<String> {
    let mut attributes = json!({ "VisibilityTimeout": VISIBILITY });
    if bench.fifo {
        attributes["FifoQueue"] = json!("true");
    }
    let asked = json!({ "QueueName": name, "Attributes": attributes });
    let made = client.sqs("CreateQueue", &asked).context("a queue to measure with")?;
    let url = made["QueueUrl"].as_str().ok_or_else(|| anyhow!("a queue without a URL: {made}"))?;
    Ok(url.to_owned())
}

fn measure(load: &Load<'_>, bench: &Bench, phases: &mut Vec<Phase>) -> anyhow::Result<()> {
    // A message in flight keeps its group's others back, so a FIFO queue is not received first
    // and deleted later.
    let works: &[Work] = if bench.fifo {
        &[Work::Send, Work::Consume]
    } else {
        &[Work::Send, Work::Receive, Work::Delete]
    };
    phases.extend(works.iter().map(|work| Phase::new(work.name())));
    let mut left = bench.messages;
    while left > 0 {
        let round = left.min(ROUND);
        let mut there = round;
        for (work, phase) in works.iter().zip(phases.iter_mut()) {
            there = load.run(*work, there, phase)?;
        }
        left -= round;
    }
    phases.push(Phase::new(Work::Mix.name()));
    if let Some(phase) = phases.last_mut() {
        load.run(Work::Mix, bench.messages, phase)?;
    }
    Ok(())
}

/// The first signal ends the measuring; another ends the process where it stands.
fn stop_when_told(stop: Arc<AtomicBool>, queue: String) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wait = async move {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let clock = Clock::system();
        let mut first = None;
        loop {
            tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
            let now = clock.monotonic();
            // Shells and supervisors often tell a process and its group: that is once.
            if now.saturating_sub(*first.get_or_insert(now)) > ONCE {
                eprintln!("\ntidemill: stopped at once; the queue {queue} may be left behind");
                exit(130);
            }
            stop.store(true, Ordering::Relaxed);
        }
    };
    let watch = move || {
        let Err(error): std::io::Result<Infallible> = runtime.block_on(wait);
        eprintln!("tidemill: cannot listen for Ctrl-C: {error}");
    };
    thread::Builder::new().name("signals".to_owned()).spawn(watch)?;
    Ok(())
}
