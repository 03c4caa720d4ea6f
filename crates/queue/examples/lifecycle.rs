//! What a message's life costs in the engine: time to send, receive and delete, memory to wait.
//!
//! `cargo run --release -p tidemill-queue --example lifecycle`. The store is memory, so what is
//! measured is the engine and the journal above the disk. Batches are large, so that waiting for
//! a sync does not count; the last line is the other extreme, one message a call from many tasks.

use std::error::Error;
use std::fs;
use std::time::Duration;

use bytes::Bytes;
use tidemill_base::{AccountId, ByteSize, Clock, Region};
use tidemill_journal::{Driver, DriverError, Epoch, MemoryDriver, Options, SegmentId};
use tidemill_queue::{
    Config, Content, Engine, NewMessage, QueueId, QueueKey, Receipt, Receive, SettingsChange, Tags,
};

const MESSAGES: u32 = 200_000;
const WAITING: u32 = 4_000_000;
const BODY: usize = 100;
const TASKS: u32 = 64;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    life().await?;
    waiting().await?;
    single_calls().await
}

fn open(driver: impl Driver + 'static, clock: &Clock) -> Outcome<Engine> {
    let journal = Options { recent: ByteSize::mib(16), ..Options::default() };
    let config = Config { journal, clock: clock.clone(), ..Config::default() };
    Ok(Engine::open(driver, config)?)
}

async fn queue(engine: &Engine) -> Outcome<QueueId> {
    let name = "lifecycle".parse()?;
    let key = QueueKey { account: AccountId::DEFAULT, region: Region::default(), name };
    Ok(engine.create(key, SettingsChange::default(), Tags::new()).await?.id)
}

fn message() -> NewMessage {
    let body = Bytes::from_static(&[b'x'; BODY]);
    NewMessage { content: Content { body, ..Content::default() }, delay: None }
}

fn report(what: &str, count: u32, took: Duration) {
    println!("{what:<28} {:>6} ns a message", (took / count).as_nanos());
}

async fn life() -> Outcome<()> {
    let clock = Clock::system();
    let store = MemoryDriver::new();
    let engine = open(store.clone(), &clock)?;
    let queue = queue(&engine).await?;
    let start = clock.monotonic();
    for _ in 0..MESSAGES / 1000 {
        engine.send_batch(queue, vec![message(); 1000]).await?;
    }
    let sent = clock.monotonic();
    report("send, 1000 a call", MESSAGES, sent.saturating_sub(start));
    let mut receipts: Vec<Receipt> = Vec::new();
    let ask = Receive { max: 10, visibility: Some(Duration::from_hours(1)), ..Receive::default() };
    while receipts.len() < 100_000 {
        let got = engine.receive(queue, ask.clone()).await?;
        receipts.extend(got.iter().map(|delivery| delivery.receipt));
    }
    let received = clock.monotonic();
    report("receive, 10 a call", 100_000, received.saturating_sub(sent));
    for some in receipts.chunks(1000) {
        engine.delete(queue, some).await?;
    }
    let deleted = clock.monotonic();
    report("delete, 1000 a call", 100_000, deleted.saturating_sub(received));
    engine.shut_down().await?;
    drop(engine);
    let closed = clock.monotonic();
    drop(open(store, &clock)?);
    report("open again, from the log", MESSAGES, clock.monotonic().saturating_sub(closed));
    Ok(())
}

async fn waiting() -> Outcome<()> {
    let engine = open(Forgetful, &Clock::system())?;
    let queue = queue(&engine).await?;
    // Fills the caches first.
    for _ in 0..200 {
        engine.send_batch(queue, vec![message(); 1000]).await?;
    }
    let before = resident()?;
    for _ in 0..WAITING / 1000 {
        engine.send_batch(queue, vec![message(); 1000]).await?;
    }
    let grown = resident()?.saturating_sub(before);
    println!("{:<28} {:>6} bytes a message", "waiting", grown / u64::from(WAITING));
    Ok(())
}

async fn single_calls() -> Outcome<()> {
    let clock = Clock::system();
    let engine = open(MemoryDriver::new(), &clock)?;
    let queue = queue(&engine).await?;
    let start = clock.monotonic();
    let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(lives(engine.clone(), queue))).collect();
    for task in tasks {
        task.await??;
    }
    let took = clock.monotonic().saturating_sub(start);
    report("whole lives, one a call", TASKS * 2000, took);
    Ok(())
}

async fn lives(engine: Engine, queue: QueueId) -> Outcome<()> {
    let ask = Receive { wait: Some(Duration::from_secs(1)), ..Receive::default() };
    for _ in 0..2000 {
        engine.send(queue, message()).await?;
        for delivery in engine.receive(queue, ask.clone()).await? {
            engine.delete(queue, &[delivery.receipt]).await?;
        }
    }
    Ok(())
}

/// The memory that the process has, in bytes.
fn resident() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib = line.split_whitespace().nth(1).ok_or("no size")?;
    Ok(kib.parse::<u64>()? << 10)
}

/// A store that keeps nothing, so that only the engine's own memory grows.
struct Forgetful;

impl Driver for Forgetful {
    fn claim(&self) -> Result<Epoch, DriverError> {
        Ok(Epoch(1))
    }
    fn release(&self) {}
    fn segments(&self) -> Result<Vec<SegmentId>, DriverError> {
        Ok(Vec::new())
    }
    fn create(&self, _: SegmentId, _: ByteSize) -> Result<(), DriverError> {
        Ok(())
    }
    fn append(&self, _: SegmentId, _: u64, _: &[u8]) -> Result<(), DriverError> {
        Ok(())
    }
    fn sync(&self) -> Result<(), DriverError> {
        Ok(())
    }
    fn read(&self, _: SegmentId, _: u64, _: &mut [u8]) -> Result<usize, DriverError> {
        Ok(0)
    }
    fn cut(&self, _: SegmentId, _: u64) -> Result<(), DriverError> {
        Ok(())
    }
    fn discard(&self, _: SegmentId) -> Result<(), DriverError> {
        Ok(())
    }
    fn put(&self, _: &str, _: &[u8]) -> Result<(), DriverError> {
        Ok(())
    }
    fn get(&self, _: &str) -> Result<Option<Vec<u8>>, DriverError> {
        Ok(None)
    }
    fn blobs(&self) -> Result<Vec<String>, DriverError> {
        Ok(Vec::new())
    }
    fn delete(&self, _: &str) -> Result<(), DriverError> {
        Ok(())
    }
    fn used(&self) -> Result<ByteSize, DriverError> {
        Ok(ByteSize::bytes(0))
    }
}
