//! Load: a number of clients, each sending its next request when the last was answered.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::calm::Ticks;
use crate::client::Client;
use crate::server::Server;

/// What a load showed.
pub struct Measured {
    /// Requests that were answered.
    pub requests: usize,
    /// Messages they carried.
    pub messages: usize,
    /// From the first request to the last answer.
    pub wall: Duration,
    /// The server's user and system time in between.
    pub cpu: Duration,
    /// The syncs in between.
    pub syncs: u64,
    /// How long they took together.
    pub syncing: Duration,
    /// Bytes written to the log in between.
    pub written: u64,
    /// The part of the machine's time in between that its host gave to others.
    pub stolen: f64,
    latencies: Vec<Duration>,
}

impl Measured {
    /// The server's processor time for one request, in microseconds.
    pub fn cpu_per_request(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests as f64
    }

    /// The latency below which a share of the answers came, in microseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        percentile(&self.latencies, share)
    }

    /// Requests a second.
    pub fn requests_a_second(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }

    /// Messages a second.
    pub fn messages_a_second(&self) -> f64 {
        self.messages as f64 / self.wall.as_secs_f64()
    }

    /// Takes in what another run of the same load showed.
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.messages += other.messages;
        let (one, two) = (self.wall.as_secs_f64(), other.wall.as_secs_f64());
        self.stolen = (self.stolen * one + other.stolen * two) / (one + two);
        self.wall += other.wall;
        self.cpu += other.cpu;
        self.syncs += other.syncs;
        self.syncing += other.syncing;
        self.written += other.written;
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
    }
}

/// Of times in order, the one below which a share of them is, in microseconds; not a number if
/// there are none.
pub fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// What one client does: sends its requests, and tells each one's latency and messages.
pub type Told = Vec<(Duration, usize)>;

/// Runs `work` on `clients` connections at once and measures the server meanwhile.
pub async fn run<W, F>(server: &Server, clients: usize, work: W) -> anyhow::Result<Measured>
where
    W: Fn(usize, Client) -> F,
    F: Future<Output = anyhow::Result<Told>> + Send + 'static,
{
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Client::connect(&server.address).await?);
    }
    let before = server.journal().await?;
    let cpu_before = server.cpu()?;
    let machine = Ticks::now();
    let started = now();
    let running: Vec<_> = connections
        .into_iter()
        .enumerate()
        .map(|(index, client)| tokio::spawn(work(index, client)))
        .collect();
    let mut told = Told::new();
    for client in running {
        told.extend(client.await??);
    }
    let wall = started.elapsed();
    let stolen = machine.stolen_until(Ticks::now());
    let cpu = server.cpu()?.saturating_sub(cpu_before);
    let after = server.journal().await?;
    let (syncs, written) = (after.syncs - before.syncs, after.written - before.written);
    let syncing = after.syncing.saturating_sub(before.syncing);
    let mut latencies: Vec<_> = told.iter().map(|(latency, _)| *latency).collect();
    latencies.sort_unstable();
    let messages = told.iter().map(|(_, messages)| messages).sum();
    let requests = told.len();
    Ok(Measured { requests, messages, wall, cpu, syncs, syncing, written, stolen, latencies })
}

/// The machine's clock: a benchmark measures nothing else.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn now() -> Instant {
    Instant::now()
}
