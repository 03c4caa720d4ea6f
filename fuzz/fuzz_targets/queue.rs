//! Records and sections of queues, changed anywhere and with checksums that are right, are refused
//! or give queues that work, and that are the same after a restart.
//! `cargo fuzz run queue`

#![no_main]

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use tidemill_base::{AccountId, ByteSize, Chance, Clock, Region, Timestamp};
use tidemill_journal::{Event, Journal, Kind, MemoryDriver, Options, Position};
use tidemill_queue::{
    Attribute, AttributeValue, Config, Content, DEAD_LETTER_EXPIRED, DEAD_LETTER_EXPIRED_TAG,
    Engine, NewMessage, QueueId, QueueKey, Receive, Redrive, SettingsChange,
};
use tokio::runtime::{Builder, Runtime};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// What a journal of queues holds.
#[derive(Clone)]
struct Held {
    sections: Vec<(String, Vec<u8>)>,
    records: Vec<(Kind, u8, Vec<u8>)>,
}

#[derive(Arbitrary, Debug)]
enum Change {
    Set(u16, u8),
    Insert(u16, u8),
    Cut(u16),
    Remove(u16),
    Kind(u8),
    Drop,
    Repeat,
    Replace(Vec<u8>),
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_time().build().expect("threads"))
}

fn options() -> Options {
    let chance = Chance::seeded(1);
    let linger = Duration::from_hours(1);
    Options { segment_size: ByteSize::kib(64), chance, linger, ..Options::default() }
}

fn open(store: &MemoryDriver, clock: &Clock) -> Option<Engine> {
    let (clock, chance) = (clock.clone(), Chance::seeded(2));
    let config = Config { journal: options(), clock, chance, ..Config::default() };
    Engine::open(store.clone(), config).ok()
}

fn message(body: &str, delay: Option<u64>) -> NewMessage {
    let attribute = Attribute {
        name: "n".into(),
        data_type: "Binary".into(),
        value: AttributeValue::Binary(Bytes::from_static(b"value")),
    };
    let body = Bytes::copy_from_slice(body.as_bytes());
    let content = Content { body, attributes: vec![attribute], ..Content::default() };
    NewMessage { content, delay: delay.map(Duration::from_secs) }
}

async fn make(engine: &Engine, name: &str) -> QueueId {
    let (account, region) = (AccountId::DEFAULT, Region::default());
    let key = QueueKey { account, region, name: name.parse().expect("a name") };
    let tags = [("tag".to_owned(), name.to_owned())].into();
    let mut settings = SettingsChange::default();
    settings.policy = Some(Some("{}".into()));
    settings.extras.insert("extra".into(), Some("value".into()));
    engine.create(key, settings, tags).await.expect("the name is new").id
}

/// Some of everything that can happen to a queue.
async fn work(engine: &Engine, queue: QueueId, clock: &Clock) {
    let batch = ["a", "b", "c", "d", "e"].map(|body| message(body, None));
    engine.send_batch(queue, batch.into()).await.expect("sends");
    for delay in [900, 5, 100] {
        engine.send(queue, message("late", Some(delay))).await.expect("sends");
    }
    // The queue's own delay, once it has one.
    clock.advance(Duration::from_secs(3));
    let ask = Receive { max: 3, ..Receive::default() };
    let got = engine.receive(queue, ask).await.expect("receives");
    engine.delete(queue, &[got[0].receipt]).await.expect("deletes");
    let hidden = [(got[1].receipt, Duration::from_secs(7)), (got[2].receipt, Duration::ZERO)];
    engine.change_visibility(queue, &hidden).await.expect("hides");
    clock.advance(Duration::from_secs(6));
    let change = SettingsChange { delay: Some(Duration::from_secs(3)), ..Default::default() };
    engine.configure(queue, change).await.expect("configures");
    engine.untag(queue, vec!["tag".into()]).await.expect("untags");
}

/// Some become dead letters, and a move of them begins.
async fn fail(engine: &Engine, queue: QueueId, clock: &Clock) {
    let dead = make(engine, "dead").await;
    let target = engine.describe(dead).expect("it was made").key;
    let redrive = Some(Some(Redrive { target, max_receives: 1 }));
    let change = SettingsChange { redrive, ..SettingsChange::default() };
    engine.configure(queue, change).await.expect("configures");
    let tag = (DEAD_LETTER_EXPIRED_TAG.to_owned(), DEAD_LETTER_EXPIRED.to_owned());
    engine.tag(queue, [tag].into()).await.expect("tags");
    for _ in 0..3 {
        let ask = Receive { max: 3, ..Receive::default() };
        engine.receive(queue, ask).await.expect("receives");
        clock.advance(Duration::from_secs(30));
    }
    let done = engine.start_move(dead, None, None).await.expect("begins");
    engine.cancel_move(done).await.expect("is under way");
    engine.start_move(dead, Some(queue), Some(5)).await.expect("begins");
}

static WHOLE: LazyLock<Held> = LazyLock::new(|| {
    let (store, clock) = (MemoryDriver::new(), Clock::manual(START));
    runtime().block_on(async {
        let engine = open(&store, &clock).expect("the store is new");
        let queue = make(&engine, "one").await;
        work(&engine, queue, &clock).await;
        engine.shut_down().await.expect("closes");
        let engine = open(&store, &clock).expect("it was closed");
        work(&engine, queue, &clock).await;
        let two = make(&engine, "two").await;
        work(&engine, two, &clock).await;
        engine.purge(two).await.expect("purges");
        work(&engine, two, &clock).await;
        let three = make(&engine, "three").await;
        engine.remove(three).await.expect("removes");
        fail(&engine, two, &clock).await;
    });
    let mut held = Held { sections: Vec::new(), records: Vec::new() };
    let fold = |event: Event<'_>| {
        match event {
            Event::Section { name, bytes, .. } => held.sections.push((name.into(), bytes.into())),
            Event::Record { record, .. } => {
                held.records.push((record.kind, record.version, record.payload.into()));
            }
        }
        Ok::<(), std::convert::Infallible>(())
    };
    drop(Journal::open(store, options(), fold).expect("it was closed"));
    held
});

fn change_bytes(bytes: &mut Vec<u8>, change: &Change) {
    let place = |at: u16| usize::from(at) % bytes.len().max(1);
    match change {
        Change::Set(at, value) => {
            let at = place(*at);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = *value;
            }
        }
        Change::Insert(at, value) => {
            let at = place(*at);
            bytes.insert(at, *value);
        }
        Change::Cut(at) => {
            let at = place(*at);
            bytes.truncate(at);
        }
        Change::Remove(at) if !bytes.is_empty() => {
            let at = place(*at);
            bytes.remove(at);
        }
        Change::Replace(other) => bytes.clone_from(other),
        _ => {}
    }
}

/// The whole, changed.
fn changed(changes: &[(u8, Change)]) -> Held {
    let mut held = WHOLE.clone();
    for (which, change) in changes.iter().take(16) {
        let count = held.sections.len() + held.records.len();
        let index = usize::from(*which) % count.max(1);
        if let Some((_, bytes)) = held.sections.get_mut(index) {
            change_bytes(bytes, change);
            continue;
        }
        let index = index - held.sections.len();
        match (change, held.records.get_mut(index)) {
            (_, None) => {}
            (Change::Kind(kind), Some(record)) => record.0 = Kind(kind % 24),
            (Change::Drop, Some(_)) => drop(held.records.remove(index)),
            (Change::Repeat, Some(record)) => {
                let copy = record.clone();
                held.records.push(copy);
            }
            (_, Some((_, _, bytes))) => change_bytes(bytes, change),
        }
    }
    held
}

fn store(held: &Held) -> MemoryDriver {
    let store = MemoryDriver::new();
    let fold = |_: Event<'_>| Ok::<(), std::convert::Infallible>(());
    let journal = Journal::open(store.clone(), options(), fold).expect("the store is new");
    let append = |group: &mut tidemill_journal::Group<'_>| {
        for (kind, version, payload) in &held.records {
            group.push(*kind, *version, |out| out.extend_from_slice(payload));
        }
    };
    journal.append(append).expect("the store works");
    let mut named = Vec::new();
    for (name, bytes) in &held.sections {
        journal.put_section(name, Position::ZERO, bytes).expect("the store works");
        named.push((name.clone(), Position::ZERO));
    }
    journal.checkpoint(Position::ZERO, &named, &[]).expect("the store works");
    journal.close().expect("the store works");
    store
}

fuzz_target!(|changes: Vec<(u8, Change)>| {
    let (store, clock) = (store(&changed(&changes)), Clock::manual(START));
    let Some(engine) = open(&store, &clock) else {
        assert!(!changes.is_empty(), "what was not changed opens");
        return;
    };
    runtime().block_on(async {
        let queues: Vec<_> = engine.metrics().queues.into_iter().map(|queue| queue.id).collect();
        for queue in &queues {
            let ask = Receive { max: 10, ..Receive::default() };
            let got = engine.receive(*queue, ask).await.expect("receives");
            let receipts: Vec<_> = got.iter().map(|one| one.receipt).skip(1).collect();
            engine.delete(*queue, &receipts).await.expect("deletes");
            engine.send(*queue, message("new", None)).await.expect("sends");
            engine.peek(*queue, None, 100).expect("the queue is there");
        }
        clock.advance(Duration::from_secs(60));
        for queue in &queues {
            // What was carried between queues is seen once it is durable.
            engine.tag(*queue, Default::default()).await.expect("tags");
        }
        let before: Vec<_> = engine.metrics().queues.into_iter().map(|one| one.counts).collect();
        engine.shut_down().await.expect("closes");
        drop(engine);
        let engine = open(&store, &clock).expect("what was closed opens");
        let after: Vec<_> = engine.metrics().queues.into_iter().map(|one| one.counts).collect();
        assert_eq!(before, after);
        clock.advance(Duration::from_hours(24 * 15));
        for queue in queues {
            engine.purge(queue).await.ok();
            engine.remove(queue).await.expect("removes");
        }
    });
});
