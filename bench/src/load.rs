//! Load: a number of clients, each sending its next request when the last was answered.

use std::future::Future;
use std::time::{Duration, Instant};

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
    latencies: Vec<Duration>,
}

impl Measured {
    /// The server's processor time for one request, in microseconds.
    pub fn cpu_per_request(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests as f64
    }

    /// The latency below which a share of the answers came, in microseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let at = ((self.latencies.len() as f64 * share) as usize).min(self.latencies.len() - 1);
        self.latencies[at].as_secs_f64() * 1e6
    }
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
    let (syncs_before, syncing_before) = server.syncs().await?;
    let cpu_before = server.cpu()?;
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
    let cpu = server.cpu()?.saturating_sub(cpu_before);
    let (syncs, syncing) = server.syncs().await?;
    let (syncs, syncing) = (syncs - syncs_before, syncing.saturating_sub(syncing_before));
    let mut latencies: Vec<_> = told.iter().map(|(latency, _)| *latency).collect();
    latencies.sort_unstable();
    let messages = told.iter().map(|(_, messages)| messages).sum();
    Ok(Measured { requests: told.len(), messages, wall, cpu, syncs, syncing, latencies })
}

/// The machine's clock: a benchmark measures nothing else.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn now() -> Instant {
    Instant::now()
}
