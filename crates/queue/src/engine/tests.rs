//! The engine by its real door, on a store in memory that can be crashed, with a clock that is
//! moved by hand.

mod administration;
mod clock;
mod dead_letters;
mod disk;
mod fair;
mod fifo;
mod fifo_dead_letters;
mod holders;
mod housekeeping;
mod messages;
mod moves;
mod recovery;
mod soak;
mod waiting;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tidemill_base::{AccountId, ByteSize, Chance, Clock, Region, Timestamp};
use tidemill_journal::{Driver, Keep, MemoryDriver, Options};

use super::{Config, Engine};
use crate::key::{QueueId, QueueKey};
use crate::message::{Content, Delivery, NewMessage, Receive};
use crate::settings::{SettingsChange, Tags};

const SECOND: Duration = Duration::from_secs(1);
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// An engine, the store under it, and its clock.
struct Bench {
    store: MemoryDriver,
    clock: Clock,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        let store = MemoryDriver::new();
        let clock = Clock::manual(START);
        let engine = open(store.clone(), &clock);
        Self { store, clock, engine }
    }

    /// Loses what was not synced, and starts again.
    fn crash(self) -> Self {
        self.store.crash(&Keep::Synced);
        drop(self.engine);
        let engine = open(self.store.clone(), &self.clock);
        Self { engine, ..self }
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn queue(&self, name: &str) -> QueueId {
        self.queue_with(name, SettingsChange::default()).await
    }

    async fn queue_with(&self, name: &str, settings: SettingsChange) -> QueueId {
        self.engine.create(key(name), settings, Tags::new()).await.unwrap().id
    }

    async fn send(&self, queue: QueueId, bodies: &[&str]) {
        let messages = bodies.iter().map(|body| message(body)).collect();
        self.engine.send_batch(queue, messages).await.unwrap();
    }

    /// Receives without waiting.
    async fn take(&self, queue: QueueId, max: u8) -> Vec<Delivery> {
        let ask = Receive { max, wait: Some(Duration::ZERO), ..Receive::default() };
        self.engine.receive(queue, ask).await.unwrap()
    }

    /// Where messages stand: visible, in flight, delayed.
    fn counts(&self, queue: QueueId) -> (usize, usize, usize) {
        let counts = self.engine.describe(queue).unwrap().counts;
        (counts.visible, counts.in_flight, counts.delayed)
    }
}

fn open(driver: impl Driver + 'static, clock: &Clock) -> Engine {
    let journal = Options { segment_size: ByteSize::kib(64), ..Options::default() };
    let config =
        Config { journal, clock: clock.clone(), chance: Chance::seeded(1), ..Config::default() };
    Engine::open(driver, config).unwrap()
}

fn key(name: &str) -> QueueKey {
    QueueKey { account: AccountId::DEFAULT, region: Region::default(), name: name.parse().unwrap() }
}

fn message(body: &str) -> NewMessage {
    let body = Bytes::copy_from_slice(body.as_bytes());
    NewMessage { content: Content { body, ..Content::default() }, delay: None }
}

fn delayed(body: &str, delay: Duration) -> NewMessage {
    NewMessage { delay: Some(delay), ..message(body) }
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|one| str::from_utf8(&one.content.body).unwrap()).collect()
}

fn waiting(max: u8, wait: Duration) -> Receive {
    Receive { max, wait: Some(wait), ..Receive::default() }
}

/// Polls once, as a caller does that then turns to something else.
fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
