//! The proof under crashes: clients use the service while it is killed, again and again, and a
//! ledger on their side then tells whether it kept everything that it had acknowledged.
//!
//! What is promised, and how to read what this says, is in `docs/reliability.md`. It is run by
//! `cargo xtask crash`.

#![allow(clippy::cast_possible_truncation, reason = "what was drawn from a small range is small")]

mod body;
mod clients;
mod dice;
mod judge;
mod ledger;
mod link;
mod queues;
mod reckoning;
mod run;
mod story;

use std::fmt::Write as _;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tidemill_base::{Chance, Clock};

use crate::clients::Shared;
use crate::ledger::Ledger;
use crate::run::{Found, Run};

/// Kills Tidemill while it is used, again and again, and holds it to what it had acknowledged.
#[derive(Parser)]
#[command(name = "crash")]
struct Options {
    /// How often the service is used and killed
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// What all choices are drawn from [default: another each time]
    #[arg(long)]
    seed: Option<u64>,
    /// After how many rounds the queues are emptied and the ledger is judged
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    reckon: u64,
    /// When answers may leave: durable or written
    #[arg(long, default_value = "durable")]
    sync: String,
    /// A round, from the second on, that the disk is made to forget after it: a run that then ends
    /// well proves nothing
    #[arg(long, value_name = "ROUND", value_parser = clap::value_parser!(u64).range(2..))]
    forget: Option<u64>,
    /// Folder for the data, and for the report if a promise was not kept
    #[arg(long, default_value = "target/crash")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match prove(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every promise was kept.
async fn prove(options: &Options) -> anyhow::Result<bool> {
    // Small enough to be typed again.
    let seed = options.seed.unwrap_or_else(|| Chance::system().number() % 1_000_000_000);
    println!("crash: {} rounds, sync {}, seed {seed}", options.rounds, options.sync);
    let folder = options.folder.join(format!("seed-{seed}"));
    let data = folder.join("data");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("an earlier run's folder")?;
    }
    fs::create_dir_all(&data)?;
    let clock = Clock::system();
    let shared = Shared { ledger: Arc::new(Ledger::new(clock.clone())), clock };
    let mut run = Run::new(&data, &options.sync, seed, shared).forgetting(options.forget);
    let began = run.shared.clock.monotonic();
    let found = run.rounds(options.rounds, options.reckon, |run| progress(run, options.rounds));
    let found = found.await;
    let took = run.shared.clock.monotonic().saturating_sub(began);
    if !matches!(found, Ok(None)) {
        eprintln!("the data is left in {}; to run it again: --seed {seed}", data.display());
    }
    match found? {
        None => {
            println!("{}", totals(&run, took));
            fs::remove_dir_all(&folder)?;
            Ok(true)
        }
        Some(found) => {
            let count = found.violations.len();
            let path = report(&folder, &found, &run, options, seed)?;
            println!("{}; {count} VIOLATIONS: {}", totals(&run, took), path.display());
            Ok(false)
        }
    }
}

/// Tells a person how far it is, and a log file now and then.
fn progress(run: &Run<'_>, rounds: u64) {
    let mut terminal = std::io::stderr();
    let (done, sent) = (run.counts.rounds, run.shared.ledger.totals().sent);
    let line = format!("round {done} of {rounds}, {sent} messages sent");
    // A terminal that went away is no reason to stop.
    let _ = if terminal.is_terminal() {
        write!(terminal, "\r{line}{}", if done == rounds { '\n' } else { ' ' })
    } else if done % 50 == 0 {
        writeln!(terminal, "{line}")
    } else {
        Ok(())
    };
}

fn totals(run: &Run<'_>, took: Duration) -> String {
    let (counts, done) = (run.counts, run.shared.ledger.totals());
    format!(
        "{} rounds in {} s: {} killed, {} while stopping, {} stopped, {} more killed while \
         starting, slowest start {} ms; {} requests, {} without an answer; {} messages sent, {} \
         received, {} deleted, {} received as dead letters, {} moves begun, {} messages moved",
        counts.rounds,
        took.as_secs(),
        counts.killed,
        counts.killed_stopping,
        counts.stopped,
        counts.killed_starting,
        counts.slowest_start.as_millis(),
        done.requests,
        done.unknown,
        done.sent,
        done.received,
        done.deleted,
        done.dead,
        done.moves,
        done.moved,
    )
}

/// Writes down what was found, and the first of it on the terminal.
fn report(
    folder: &Path,
    found: &Found,
    run: &Run<'_>,
    options: &Options,
    seed: u64,
) -> anyhow::Result<PathBuf> {
    let mut text = format!(
        "seed {seed}, round {} of {}, a reckoning each {}, sync {}\n\
         {} messages since the last reckoning\n",
        run.counts.rounds,
        options.rounds,
        options.reckon,
        options.sync,
        found.page.stories.len()
    );
    for violation in &found.violations {
        write!(text, "\n{violation}\n")?;
    }
    let path = folder.join("report.txt");
    fs::write(&path, &text)?;
    for violation in found.violations.iter().take(3) {
        eprintln!("{violation:.2000}\n");
    }
    Ok(path)
}
