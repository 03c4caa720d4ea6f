//! How many messages a second go the whole way, sent, received and deleted over HTTP in batches
//! of ten, beside a bare loop that puts the same bytes on the same disk with the same syncs.
//!
//! Fails if it is less than a part of what the bare loop carries. The loop runs twice after each
//! round of messages, and nothing else is asked of the disk then.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Parser;
use tidemill_bench::calm::{Calm, Ticks, calmest};
use tidemill_bench::client::Client;
use tidemill_bench::disk::Disk;
use tidemill_bench::load::{self, Measured, Told, now};
use tidemill_bench::queue::Queue;
use tidemill_bench::report::{Allowed, Kept, Report, Written};
use tidemill_bench::server::Server;
use tidemill_bench::work::{BATCH, Work, handles};

/// Measures whole lives of messages, beside the disk's own pace.
#[derive(Parser)]
struct Options {
    /// Clients at once, each on its own connection
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Messages of a round
    #[arg(long, default_value_t = 200_000)]
    messages: usize,
    /// Rounds that count; the median of them is what is told
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,
    /// The part of what the bare loop carries that is to be carried
    #[arg(long, default_value_t = 0.4)]
    at_least: f64,
    #[command(flatten)]
    calm: Calm,
    #[command(flatten)]
    written: Written,
    #[command(flatten)]
    kept: Kept,
}

// One thread for all clients: it is busy for less than half of the time, and every other one
// would be another that takes turns with the server.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let load = format!(
        "{} clients, {} times {} messages of {} bytes, {BATCH} a request",
        options.clients, options.rounds, options.messages, options.written.size
    );
    let mut report = Report::begin(
        "lifecycle",
        &options.kept,
        &options.written.on,
        &options.written.sync,
        &load,
    );
    let data = tempfile::Builder::new().prefix(".bench-").tempdir_in(&options.written.on)?;
    let server = Server::tidemill(data.path(), &options.written.sync).await?;
    let queue = Queue { name: "lifecycle".into(), fifo: false, groups: 0 };
    queue.create(&mut Client::connect(&server.address).await?).await?;
    let work = Work::new(&queue.url(), options.written.size, BATCH);
    let mut disk = Disk::in_folder(&options.written.on)?;
    // Fills segments and caches, and is not counted.
    live(&server, &options, &work).await?;

    report.line(&format!(
        "{:>8}{:>10}{:>11}{:>10}{:>12}{:>10}{:>9}{:>14}{:>10}{:>8}",
        "round",
        "msg/s",
        "bytes/msg",
        "msg/sync",
        "cpu us/msg",
        "syncs",
        "sync us",
        "bare msg/s",
        "stolen %",
        "part"
    ));
    let mut rounds: Vec<Round> = Vec::new();
    while options.calm.wants_more(rounds.iter().map(|round| round.stolen), options.rounds) {
        let machine = Ticks::now();
        let lived = live(&server, &options, &work).await?;
        let bare = disk.carry(lived.written, lived.syncs)?;
        let bare = (bare + disk.carry(lived.written, lived.syncs)?) / 2;
        let stolen = machine.stolen_until(Ticks::now());
        let part = bare.as_secs_f64() / lived.wall.as_secs_f64();
        let round = Round { stolen, part };
        report.line(&row(rounds.len() + 1, &lived, bare, &round));
        rounds.push(round);
    }
    let mut counted = calmest(rounds, options.rounds, |round| round.stolen);
    counted.sort_by(|one, other| one.part.total_cmp(&other.part));
    let what = "messages' whole lives, of what the bare loop carries: the calmest rounds' median";
    report.target(what, counted[counted.len() / 2].part, Allowed::AtLeast(options.at_least));
    report.end()
}

/// What a round showed.
struct Round {
    /// The part of the machine's time that others had.
    stolen: f64,
    /// What was carried, of what the bare loop carries.
    part: f64,
}

/// Each client sends ten messages, receives ten, deletes them, and begins again.
async fn live(server: &Server, options: &Options, work: &Work) -> anyhow::Result<Measured> {
    let rounds = options.messages / BATCH / options.clients;
    let sent = rounds * BATCH * options.clients;
    let mut lived = load::run(server, options.clients, |_, mut client| {
        let work = work.clone();
        async move {
            let mut told = Told::with_capacity(3 * rounds);
            for _ in 0..rounds {
                let started = now();
                client.call(&work.send).await?;
                told.push((started.elapsed(), 0));
                let started = now();
                let handles = handles(client.call(&work.receive).await?)?;
                told.push((started.elapsed(), 0));
                // Others may have been quicker; then they find fewer later.
                if handles.is_empty() {
                    continue;
                }
                let delete = work.delete(&handles);
                let started = now();
                client.call(&delete).await?;
                told.push((started.elapsed(), handles.len()));
            }
            Ok(told)
        }
    })
    .await?;
    // A receive may bring fewer than ten, and what took too long was received again.
    let mut client = Client::connect(&server.address).await?;
    let mut left = 0;
    loop {
        let handles = handles(client.call(&work.receive).await?)?;
        if handles.is_empty() {
            break;
        }
        left += handles.len();
        client.call(&work.delete(&handles)).await?;
    }
    anyhow::ensure!(left * 100 <= sent, "{left} of {sent} messages were left behind");
    lived.messages = sent - left;
    Ok(lived)
}

fn row(number: usize, lived: &Measured, bare: Duration, round: &Round) -> String {
    let (messages, syncs) = (lived.messages as f64, lived.syncs.max(1) as f64);
    format!(
        "{number:>8}{:>10.0}{:>11.0}{:>10.1}{:>12.1}{:>10}{:>9.0}{:>14.0}{:>10.1}{:>8.2}",
        lived.messages_a_second(),
        lived.written as f64 / messages,
        messages / syncs,
        lived.cpu.as_secs_f64() * 1e6 / messages,
        lived.syncs,
        lived.syncing.as_secs_f64() * 1e6 / syncs,
        messages / bare.as_secs_f64(),
        round.stolen * 100.0,
        round.part,
    )
}
