//! Sends, receives and deletes against Tidemill, each beside a bare handler that reads the very
//! same requests and answers as many bytes.
//!
//! All are measured in one run on one machine; what counts is the ratio of the server's processor
//! time for a request. The sync mode and the machine stand beside the numbers.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]

use std::num::NonZeroUsize;
use std::sync::Arc;

use clap::Parser;
use tidemill_bench::calm::{Calm, calmest};
use tidemill_bench::client::Client;
use tidemill_bench::load::{self, Measured, Told, now};
use tidemill_bench::queue::Queue;
use tidemill_bench::report::{Allowed, Kept, Report, Written};
use tidemill_bench::server::Server;
use tidemill_bench::work::{BATCH, Work, handles, to_path};

/// Measures Tidemill's requests a second, processor time a request and latencies.
#[derive(Parser, Clone)]
struct Options {
    /// Clients at once, each on its own connection
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Messages of each workload; a queue has at most 120,000 in flight
    #[arg(long, default_value_t = 100_000, value_parser = messages)]
    messages: u32,
    /// Rounds that count: each workload shows the median of them
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// How many times the bare handler's processor time a request with one message may take
    #[arg(long, default_value_t = 1.5)]
    at_most: f64,
    /// What part of that time a message may take in batches of ten
    #[arg(long, default_value_t = 0.25)]
    batched_at_most: f64,
    #[command(flatten)]
    calm: Calm,
    #[command(flatten)]
    written: Written,
    #[command(flatten)]
    kept: Kept,
}

/// Reads a number of messages.
fn messages(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=120_000).contains(number));
    number.ok_or_else(|| "from 1 to 120000".to_owned())
}

/// What a message goes through.
const STAGES: [&str; 3] = ["send", "receive", "delete"];

/// One stage, and the same requests at the bare handler.
struct Pair {
    tidemill: Measured,
    bare: Measured,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.tidemill.cpu_per_request() / self.bare.cpu_per_request()
    }

    /// The part of the machine's time that others had, in the worse of both.
    fn stolen(&self) -> f64 {
        self.tidemill.stolen.max(self.bare.stolen)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let load = format!(
        "{} clients, {} times {} messages of {} bytes",
        options.clients, options.rounds, options.messages, options.written.size
    );
    let mut report =
        Report::begin("cpu", &options.kept, &options.written.on, &options.written.sync, &load);
    report.line(&format!(
        "{:<14}{:>9}{:>9}{:>8}{:>8}{:>7}{:>9}{:>9}{:>9}{:>9}{:>10}{:>9}{:>10}",
        "workload",
        "req/s",
        "msg/s",
        "cpu us",
        "bare us",
        "ratio",
        "p50 us",
        "p90 us",
        "p99 us",
        "p99.9",
        "req/sync",
        "sync us",
        "stolen %"
    ));
    let single = stages(&options, 1, &mut report).await?;
    let batched = stages(&options, BATCH, &mut report).await?;
    for (stage, pair) in STAGES.iter().zip(&single) {
        let what = format!("{stage}: processor time, times the bare handler's");
        report.target(&what, pair.ratio(), Allowed::AtMost(options.at_most));
    }
    for ((stage, single), batched) in STAGES.iter().zip(&single).zip(&batched) {
        let part = cpu_per_message(&batched.tidemill) / cpu_per_message(&single.tidemill);
        let what = format!("{stage}: a message's processor time in batches of ten, of a single's");
        report.target(&what, part, Allowed::AtMost(options.batched_at_most));
    }
    report.end()
}

/// All rounds with `batch` messages a request; of each stage the one whose ratio is the median.
async fn stages(options: &Options, batch: usize, report: &mut Report) -> anyhow::Result<Vec<Pair>> {
    let data = tempfile::Builder::new().prefix(".bench-").tempdir_in(&options.written.on)?;
    let server = Server::tidemill(data.path(), &options.written.sync).await?;
    let bare = Bare { server: Server::bare().await?, head: 0 }.look().await?;
    let mut stages: [Vec<Pair>; 3] = Default::default();
    let is_wanted =
        |stage: &Vec<Pair>| options.calm.wants_more(stage.iter().map(Pair::stolen), options.rounds);
    while stages.iter().any(is_wanted) {
        let round = stages[0].len();
        let queue = Queue { name: format!("bench-{round}"), fifo: false, groups: 0 };
        queue.create(&mut Client::connect(&server.address).await?).await?;
        let work = Work::new(&queue.url(), options.written.size, batch);
        for (stage, pair) in
            stages.iter_mut().zip(life(options, &server, &bare, work, batch).await?)
        {
            stage.push(pair);
        }
    }
    let mut medians = Vec::new();
    for (name, pairs) in STAGES.into_iter().zip(stages) {
        let mut pairs = calmest(pairs, options.rounds, Pair::stolen);
        pairs.sort_unstable_by(|one, other| one.ratio().total_cmp(&other.ratio()));
        let pair = pairs.swap_remove(pairs.len() / 2);
        report.line(&row(&format!("{name} {batch}"), &pair));
        medians.push(pair);
    }
    report.line(&format!("{:<14}{} KiB resident", "", server.resident_kib()?));
    Ok(medians)
}

/// Sends, receives and deletes all messages.
async fn life(
    options: &Options,
    server: &Server,
    bare: &Bare,
    work: Work,
    batch: usize,
) -> anyhow::Result<[Pair; 3]> {
    let rounds = options.messages as usize / batch / options.clients;
    let same = |request: Vec<u8>| {
        let requests = Arc::new(vec![(request, batch); rounds]);
        (0..options.clients).map(|_| Arc::clone(&requests)).collect()
    };

    // One life to begin with: how many bytes does it answer?
    let mut client = Client::connect(&server.address).await?;
    let mut answered = [0; 3];
    client.call(&work.send).await?;
    answered[0] = client.answered();
    let first = handles(client.call(&work.receive).await?)?;
    answered[1] = client.answered();
    let delete = work.delete(&first);
    client.call(&delete).await?;
    answered[2] = client.answered();

    let sends = same(work.send.clone());
    let bare_sends = same(bare.like(&work.send, answered[0]));
    let send = Pair {
        bare: repeat(&bare.server, bare_sends).await?,
        tidemill: repeat(server, sends).await?,
    };
    let bare_receives = same(bare.like(&work.receive, answered[1]));
    let bare_receives = repeat(&bare.server, bare_receives).await?;
    let (received, held) = receive_all(server, options.clients, &work).await?;
    let deletes = held
        .iter()
        .map(|mine| {
            // A receive may have brought fewer than it asked for.
            let delete = |handles: &Vec<String>| (work.delete(handles), handles.len());
            Arc::new(mine.iter().map(delete).collect())
        })
        .collect();
    let bare_deletes = same(bare.like(&delete, answered[2]));
    let delete = Pair {
        bare: repeat(&bare.server, bare_deletes).await?,
        tidemill: repeat(server, deletes).await?,
    };
    Ok([send, Pair { tidemill: received, bare: bare_receives }, delete])
}

/// The bare handler.
struct Bare {
    server: Server,
    /// Bytes of its answer's head.
    head: usize,
}

impl Bare {
    /// Finds out how many bytes it answers besides what it is asked for.
    async fn look(mut self) -> anyhow::Result<Self> {
        let mut client = Client::connect(&self.server.address).await?;
        let digits = "100";
        let path = format!("/{digits}");
        let request = tidemill_bench::client::request(&path, "SendMessage", "{}");
        client.call(&request).await?;
        self.head = client.answered() - digits.parse::<usize>()?;
        Ok(self)
    }

    /// The same request, to be answered with as many bytes, the head among them.
    fn like(&self, request: &[u8], answered: usize) -> Vec<u8> {
        to_path(request, &format!("/{}", answered.saturating_sub(self.head)))
    }
}

/// What one client sends: requests, and how many messages each carries.
type Errands = Vec<(Vec<u8>, usize)>;

/// Each client sends its requests.
async fn repeat(server: &Server, requests: Vec<Arc<Errands>>) -> anyhow::Result<Measured> {
    load::run(server, requests.len(), |index, mut client| {
        let mine = Arc::clone(&requests[index]);
        async move {
            let mut told = Told::with_capacity(mine.len());
            for (request, messages) in mine.iter() {
                let started = now();
                client.call(request).await?;
                told.push((started.elapsed(), *messages));
            }
            Ok(told)
        }
    })
    .await
}

/// Receives until there is nothing; returns the handles of each client's receives, too.
async fn receive_all(
    server: &Server,
    clients: usize,
    work: &Work,
) -> anyhow::Result<(Measured, Vec<Vec<Vec<String>>>)> {
    let (sender, mut receipts) = tokio::sync::mpsc::unbounded_channel();
    let measured = load::run(server, clients, |_, mut client| {
        let (receive, sender) = (work.receive.clone(), sender.clone());
        async move {
            let mut told = Told::new();
            let mut mine = Vec::new();
            loop {
                let started = now();
                let answer = client.call(&receive).await?;
                let latency = started.elapsed();
                let handles = handles(answer)?;
                if handles.is_empty() {
                    break;
                }
                told.push((latency, handles.len()));
                mine.push(handles);
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

fn cpu_per_message(measured: &Measured) -> f64 {
    measured.cpu_per_request() * measured.requests as f64 / measured.messages as f64
}

fn row(workload: &str, pair: &Pair) -> String {
    let Pair { tidemill: measured, bare } = pair;
    format!(
        "{workload:<14}{:>9.0}{:>9.0}{:>8.1}{:>8.1}{:>7.2}{:>9.0}{:>9.0}{:>9.0}{:>9.0}{:>10}{:>9}\
         {:>10.1}",
        measured.requests_a_second(),
        measured.messages_a_second(),
        measured.cpu_per_request(),
        bare.cpu_per_request(),
        pair.ratio(),
        measured.percentile(0.5),
        measured.percentile(0.9),
        measured.percentile(0.99),
        measured.percentile(0.999),
        ratio_of(measured.requests as f64, measured.syncs),
        ratio_of(measured.syncing.as_secs_f64() * 1e6, measured.syncs),
        pair.stolen() * 100.0,
    )
}

/// A share of something in so many syncs, where there were any.
fn ratio_of(whole: f64, syncs: u64) -> String {
    if syncs == 0 { "-".to_owned() } else { format!("{:.1}", whole / syncs as f64) }
}
