//! How long a durable send takes under many clients, beside what a sync of that disk takes.
//!
//! In turns, so that both see the same minutes: a bare loop appends and syncs while nothing else
//! is asked of the disk; clients send as fast as they are answered; and they send at a pace that
//! leaves the machine half idle, as most services are. Fails if the p99 of the first is more than
//! a few times the disk's median sync.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use tidemill_bench::calm::{Calm, calmest};
use tidemill_bench::client::Client;
use tidemill_bench::disk::Disk;
use tidemill_bench::load::{self, Measured, Told, now, percentile};
use tidemill_bench::queue::Queue;
use tidemill_bench::report::{Allowed, Kept, Report};
use tidemill_bench::server::Server;
use tidemill_bench::work::Work;

/// Measures how long durable sends take, beside the disk's own syncs.
#[derive(Parser)]
struct Options {
    /// Clients at once, each on its own connection
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Bytes of a message's body
    #[arg(long, default_value_t = 1024)]
    size: usize,
    /// Rounds that count: in each the disk, the sends, and the paced sends have their turn
    #[arg(long, default_value = "8")]
    rounds: NonZeroUsize,
    /// Seconds that a turn of sends takes; the disk's is half as long
    #[arg(long, default_value_t = 2.0)]
    turn: f64,
    /// The pace of the paced sends, as a part of what the clients carried unpaced
    #[arg(long, default_value_t = 0.5)]
    pace: f64,
    /// Folder to make the data folder in; its disk is the one that is measured
    #[arg(long, default_value = ".")]
    on: PathBuf,
    /// How many times the disk's median sync the p99 of a send may be
    #[arg(long, default_value_t = 3.0)]
    at_most: f64,
    #[command(flatten)]
    calm: Calm,
    #[command(flatten)]
    kept: Kept,
}

/// What a round showed.
struct Round {
    /// The disk's syncs of a message, and of as much as Tidemill gives it at once.
    disk: [Vec<Duration>; 2],
    /// Sends as fast as answered, and paced.
    sends: [Measured; 2],
}

impl Round {
    fn stolen(&self) -> f64 {
        self.sends[0].stolen.max(self.sends[1].stolen)
    }
}

// One thread for all clients: it is busy for less than half of the time, and every other one
// would be another that takes turns with the server.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let load = format!("{} clients, messages of {} bytes", options.clients, options.size);
    let mut report = Report::begin("latency", &options.kept, &options.on, "durable", &load);
    let data = tempfile::Builder::new().prefix(".bench-").tempdir_in(&options.on)?;
    let server = Server::tidemill(data.path(), "durable").await?;
    let mut disk = Disk::in_folder(&options.on)?;
    let turn = Duration::from_secs_f64(options.turn);

    let mut rounds: Vec<Round> = Vec::new();
    // Nothing is warm in the first one.
    let mut is_warm = false;
    while options.calm.wants_more(rounds.iter().map(Round::stolen), options.rounds) {
        // A queue of its own for each round: what the one before left goes, and its segments with
        // it, as they would where somebody receives.
        let name = format!("latency-{}", rounds.len() + usize::from(is_warm));
        let queue = Queue { name, fifo: false, groups: 0 };
        let mut client = Client::connect(&server.address).await?;
        queue.create(&mut client).await?;
        let work = Work::new(&queue.url(), options.size, 1);
        if !is_warm {
            sends(&server, &options, &work, turn, None).await?;
            queue.purge(&mut client).await?;
            is_warm = true;
            continue;
        }
        let small = disk.syncs(options.size, turn / 4)?;
        let sent = sends(&server, &options, &work, turn, None).await?;
        let large = disk.syncs((sent.written / sent.syncs.max(1)) as usize, turn / 4)?;
        let rate = sent.requests_a_second() * options.pace;
        let slow = sends(&server, &options, &work, turn, Some(rate)).await?;
        rounds.push(Round { disk: [small, large], sends: [sent, slow] });
        queue.purge(&mut Client::connect(&server.address).await?).await?;
    }
    let tried = rounds.len();
    let counted = calmest(rounds, options.rounds, Round::stolen);
    let most = counted.last().map_or(f64::NAN, Round::stolen);
    report.line(&format!(
        "the calmest {} of {tried} rounds: up to {:.1} % of the machine's time was stolen",
        counted.len(),
        most * 100.0
    ));
    tell(&mut report, options.at_most, counted);
    report.end()
}

/// The table, and the target.
fn tell(report: &mut Report, at_most: f64, rounds: Vec<Round>) {
    let (mut small, mut large, mut closed, mut paced) = (Vec::new(), Vec::new(), None, None);
    for Round { disk: [one, many], sends: [fast, slow] } in rounds {
        small.extend(one);
        large.extend(many);
        add(&mut closed, fast);
        add(&mut paced, slow);
    }
    small.sort_unstable();
    large.sort_unstable();
    let median = percentile(&small, 0.5);
    report.line(&format!(
        "{:<34}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}{:>9}",
        "", "each s", "p50 us", "p90 us", "p99 us", "p99.9", "KiB/sync", "sync us"
    ));
    row(report, "the disk, a message a sync", &small);
    row(report, "the disk, as much as Tidemill", &large);
    // What is sent at a pace is only told.
    let kinds = [
        ("sends, as fast as answered", closed, Some(Allowed::AtMost(at_most))),
        ("sends, paced", paced, None),
    ];
    for (name, sent, allowed) in kinds {
        let Some(sent) = sent else { continue };
        report.line(&sends_row(name, &sent));
        let ratio = sent.percentile(0.99) / median;
        let what = format!("{name}: p99, in median syncs of the disk");
        match allowed {
            Some(allowed) => report.target(&what, ratio, allowed),
            None => report.line(&format!("        {what}: {ratio:.2}")),
        }
    }
}

fn add(all: &mut Option<Measured>, one: Measured) {
    match all {
        Some(all) => all.add(one),
        None => *all = Some(one),
    }
}

/// Sends for so long, at `rate` a second if there is one.
async fn sends(
    server: &Server,
    options: &Options,
    work: &Work,
    time: Duration,
    rate: Option<f64>,
) -> anyhow::Result<Measured> {
    let every = rate.map(|rate| Duration::from_secs_f64(options.clients as f64 / rate));
    let began = now();
    load::run(server, options.clients, |index, mut client| {
        let request = work.send.clone();
        // They do not all begin at once.
        let first = every.map_or(Duration::ZERO, |it| it * index as u32 / options.clients as u32);
        async move {
            let (mut told, mut due) = (Told::new(), began + first);
            while began.elapsed() < time {
                let started = match every {
                    None => now(),
                    Some(every) => wait_for(&mut due, every).await,
                };
                client.call(&request).await?;
                told.push((started.elapsed(), 1));
            }
            Ok(told)
        }
    })
    .await
}

/// Waits until a request is due, and says from when its latency counts: from when it was due, if
/// the one before kept it waiting; else from now, since the timer wakes up to a millisecond late.
async fn wait_for(due: &mut Instant, every: Duration) -> Instant {
    let this = *due;
    *due += every;
    if this <= now() {
        return this;
    }
    tokio::time::sleep_until(this.into()).await;
    now()
}

fn row(report: &mut Report, name: &str, took: &[Duration]) {
    let sum: Duration = took.iter().sum();
    let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| percentile(took, share));
    let rate = took.len() as f64 / sum.as_secs_f64();
    report.line(&format!("{name:<34}{rate:>9.0}{p50:>9.0}{p90:>9.0}{p99:>9.0}{p999:>9.0}"));
}

fn sends_row(name: &str, sent: &Measured) -> String {
    let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| sent.percentile(share));
    let syncs = sent.syncs.max(1) as f64;
    format!(
        "{name:<34}{:>9.0}{p50:>9.0}{p90:>9.0}{p99:>9.0}{p999:>9.0}{:>10.1}{:>9.0}",
        sent.requests_a_second(),
        sent.written as f64 / syncs / 1024.0,
        sent.syncing.as_secs_f64() * 1e6 / syncs,
    )
}
