//! A run: rounds in which the service is used and ends at a moment that nobody chose, with a
//! reckoning now and then.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tidemill_bench::server::{Server, beside};

use crate::clients::{Client, Shared, call};
use crate::dice::Dice;
use crate::judge::Violation;
use crate::ledger::Page;
use crate::link::{Answer, Link};
use crate::queues::Queue;
use crate::reckoning::reckon;

/// One life of the service in so many is ended by being asked to.
const STOPPED_ONE_IN: u64 = 12;
/// One is asked to and then killed, which is likely to come while it makes its last checkpoint.
const KILLED_STOPPING_ONE_IN: u64 = 6;
/// One start in so many is killed before it serves.
const KILLED_STARTING_ONE_IN: u64 = 4;

/// A run, as far as it has come.
pub(crate) struct Run<'a> {
    data: &'a Path,
    sync: &'a str,
    dice: Dice,
    clients: Vec<Client>,
    /// The round that the disk is made to forget.
    forget: Option<u64>,
    pub(crate) shared: Shared,
    pub(crate) counts: Counts,
}

/// How often what was done to the service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) rounds: u64,
    pub(crate) killed: u64,
    pub(crate) killed_starting: u64,
    pub(crate) killed_stopping: u64,
    pub(crate) stopped: u64,
    pub(crate) last_start: Duration,
    pub(crate) slowest_start: Duration,
}

/// What a reckoning found, where it found something.
pub(crate) struct Found {
    pub(crate) page: Page,
    pub(crate) violations: Vec<Violation>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(data: &'a Path, sync: &'a str, seed: u64, shared: Shared) -> Self {
        let (dice, clients) = (Dice::of(seed, 0), Client::all(seed));
        Self { data, sync, dice, clients, forget: None, shared, counts: Counts::default() }
    }

    /// Has the disk forget what it stored in that round, to see whether it is found out.
    pub(crate) fn forgetting(self, round: Option<u64>) -> Self {
        Self { forget: round, ..self }
    }

    /// Runs `rounds` rounds, with a reckoning after each `every` and after the last. Tells
    /// `progress` after each. Ends at the first reckoning that finds something.
    pub(crate) async fn rounds(
        &mut self,
        rounds: u64,
        every: u64,
        progress: impl Fn(&Self),
    ) -> anyhow::Result<Option<Found>> {
        let mut server = self.start().await?;
        make_queues(&server.address, &self.shared).await?;
        for round in 1..=rounds {
            self.life(server).await?;
            if self.forget == Some(round) {
                copy(&self.before(), self.data)?;
            }
            while self.dice.one_in(KILLED_STARTING_ONE_IN) {
                self.killed_start().await?;
            }
            if self.forget == Some(round + 1) {
                copy(self.data, &self.before())?;
            }
            server = self.start().await?;
            self.counts.rounds = round;
            progress(self);
            if round % every != 0 && round != rounds {
                continue;
            }
            let (page, violations) = reckon(&server.address, &mut self.clients, &self.shared).await;
            if !violations.is_empty() {
                return Ok(Some(Found { page, violations }));
            }
        }
        server.stop().await?;
        check(self.data).await?;
        Ok(None)
    }

    /// Where the data folder is kept as it was before the round that is forgotten.
    fn before(&self) -> PathBuf {
        self.data.with_file_name("before")
    }

    /// Everybody works until the service is gone.
    async fn life(&mut self, server: Server) -> anyhow::Result<()> {
        let mut working = Vec::new();
        for mut client in self.clients.drain(..) {
            let (address, shared) = (server.address.clone(), self.shared.clone());
            working.push(tokio::spawn(async move {
                if let Some(mut link) = Link::open(&address).await {
                    client.work(&mut link, &shared).await;
                }
                client
            }));
        }
        // Often soon after the start, when the log is at its end and segments change.
        let most = if self.dice.one_in(4) { 60 } else { 700 };
        tokio::time::sleep(self.dice.millis(1, most)).await;
        if working.iter().any(tokio::task::JoinHandle::is_finished) {
            let detail = "a client lost its connection before the kill".to_owned();
            self.shared.ledger.violation("The service stays up until it is killed", detail);
        }
        if self.dice.one_in(STOPPED_ONE_IN) {
            server.stop().await?;
            self.counts.stopped += 1;
        } else if self.dice.one_in(KILLED_STOPPING_ONE_IN) {
            server.ask_to_stop().await?;
            tokio::time::sleep(self.dice.millis(0, 80)).await;
            server.kill().await?;
            self.counts.killed_stopping += 1;
        } else {
            server.kill().await?;
            self.counts.killed += 1;
        }
        for client in working {
            self.clients.push(client.await?);
        }
        Ok(())
    }

    async fn start(&mut self) -> anyhow::Result<Server> {
        let began = self.shared.clock.monotonic();
        let started = Server::tidemill(self.data, self.sync).await;
        let server = started.context("the service does not start after a crash")?;
        let took = self.shared.clock.monotonic().saturating_sub(began);
        self.counts.last_start = took;
        self.counts.slowest_start = self.counts.slowest_start.max(took);
        Ok(server)
    }

    /// Starts it and kills it while it reads what the last one left.
    async fn killed_start(&mut self) -> anyhow::Result<()> {
        let server = Server::start(self.data, self.sync)?;
        let percent = self.dice.between(0, 120) as u32;
        tokio::time::sleep(self.counts.last_start * percent / 100).await;
        server.kill().await?;
        self.counts.killed_starting += 1;
        Ok(())
    }
}

async fn make_queues(address: &str, shared: &Shared) -> anyhow::Result<()> {
    let mut link = Link::open(address).await.context("the service listens")?;
    for queue in Queue::ALL {
        let answer = call(&mut link, shared, "CreateQueue", &queue.creation()).await;
        anyhow::ensure!(matches!(answer, Answer::Done(_)), "{queue} cannot be made: {answer:?}");
    }
    Ok(())
}

/// Makes one folder what another is.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Has the data folder's every byte checked.
async fn check(data: &Path) -> anyhow::Result<()> {
    let mut command = tokio::process::Command::new(beside("tidemill")?);
    let output = command.arg("check").arg(data).output().await?;
    let told = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "the data folder is not whole:\n{told}");
    Ok(())
}
