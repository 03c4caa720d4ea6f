//! What groups cost: memory for a million messages in few and in many of them, and the time of a
//! receive when many are locked, or when one tenant has a backlog of a million.
//!
//! `cargo run --release -p tidemill-queue --example groups`. Everything is kept in memory, the log
//! too; what that takes is subtracted.

use std::env;
use std::error::Error;
use std::fs;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use tidemill_base::{AccountId, ByteSize, Clock, Region};
use tidemill_journal::{MemoryDriver, Options};
use tidemill_queue::{
    Config, Content, Discipline, Engine, NewMessage, QueueId, QueueKey, Receive, SettingsChange,
    Tags,
};

const MESSAGES: u32 = 1_000_000;
const RECEIVES: u32 = 2_000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A queue and what is sent to it.
#[derive(Clone, Copy)]
struct Case {
    discipline: Discipline,
    groups: u32,
    is_known: bool,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let clock = Clock::system();
    let (standard, fifo) = (Discipline::Standard, Discipline::Fifo);
    let cases = [
        (fifo, 10, false),
        (fifo, 100_000, false),
        (fifo, 100_000, true),
        (standard, 10, false),
        (standard, 100_000, false),
    ];
    match env::args().nth(1) {
        Some(number) => {
            let (discipline, groups, is_known) = cases[number.parse::<usize>()?];
            Case { discipline, groups, is_known }.measure(&clock).await?;
        }
        // Each in a process of its own, or one would grow into what another left.
        None => {
            for number in 0..cases.len() {
                Command::new(env::current_exe()?).arg(number.to_string()).status()?;
            }
        }
    }
    Ok(())
}

impl Case {
    async fn measure(self, clock: &Clock) -> Outcome<()> {
        let store = MemoryDriver::new();
        let engine = open(&store, clock)?;
        let queue = self.queue(&engine).await?;
        let before = resident()?;
        let start = clock.monotonic();
        for first in (0..MESSAGES).step_by(1000) {
            let messages = (first..first + 1000).map(|number| self.message(number)).collect();
            engine.send_batch(queue, messages).await?;
        }
        let sent = clock.monotonic();
        let log = engine.metrics().journal.disk.map_or(0, ByteSize::as_u64);
        let grown = resident()?.saturating_sub(before).saturating_sub(log);
        let ask =
            Receive { max: 10, visibility: Some(Duration::from_hours(1)), ..Receive::default() };
        let mut received = 0;
        for _ in 0..RECEIVES {
            received += engine.receive(queue, ask.clone()).await?.len();
        }
        let done = clock.monotonic();
        let Self { discipline, groups, is_known } = self;
        println!(
            "{discipline:?}, {groups} groups{}: {} bytes a message; a send {} ns; a receive of {} \
             {} ns",
            if is_known { ", deduplicated" } else { "" },
            grown / u64::from(MESSAGES),
            (sent.saturating_sub(start) / MESSAGES).as_nanos(),
            received / RECEIVES as usize,
            (done.saturating_sub(sent) / RECEIVES).as_nanos(),
        );
        Ok(())
    }

    async fn queue(self, engine: &Engine) -> Outcome<QueueId> {
        let name = "groups".parse()?;
        let key = QueueKey { account: AccountId::DEFAULT, region: Region::default(), name };
        let discipline = Some(self.discipline);
        let change = SettingsChange { discipline, ..SettingsChange::default() };
        Ok(engine.create(key, change, Tags::new()).await?.id)
    }

    fn message(self, number: u32) -> NewMessage {
        let content = Content {
            body: Bytes::from_static(b"x"),
            group: Some(format!("tenant-{}", number % self.groups)),
            deduplication: self.is_known.then(|| number.to_string()),
            ..Content::default()
        };
        NewMessage { content, delay: None }
    }
}

fn open(store: &MemoryDriver, clock: &Clock) -> Outcome<Engine> {
    let journal = Options { recent: ByteSize::mib(16), ..Options::default() };
    let config = Config { journal, clock: clock.clone(), ..Config::default() };
    Ok(Engine::open(store.clone(), config)?)
}

/// The memory that the process has, in bytes.
fn resident() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib = line.split_whitespace().nth(1).ok_or("no size")?;
    Ok(kib.parse::<u64>()? << 10)
}
