//! What a crash leaves, what damage takes, and what still works on a disk that failed.

use std::fs;
use std::path::Path;

use tidemill_base::MessageId;
use tidemill_journal::{Fault, Faults, FaultyDriver, FileDriver, Operation};

use super::*;
use crate::message::Standing;
use crate::refusal::{Error, Failure};

#[tokio::test]
async fn receipts_and_counts_survive_a_crash() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.send(queue, &["x", "y"]).await;
    bench.engine.send(queue, delayed("z", 100 * SECOND)).await.unwrap();
    let receipt = bench.take(queue, 1).await[0].receipt;
    // A receive alone need not survive a crash of the machine; this one is synced by the next.
    bench.engine.tag(queue, Tags::new()).await.unwrap();
    let bench = bench.crash();
    assert_eq!(bench.counts(queue), (1, 1, 1));
    let seen = bench.engine.peek(queue, None, 10).unwrap();
    assert_eq!(seen[0].standing, Standing::InFlight { until: START + 30 * SECOND });
    bench.engine.delete(queue, &[receipt]).await.unwrap();
    let bench = bench.crash();
    assert_eq!(bench.counts(queue), (1, 0, 1));
}

#[tokio::test]
async fn a_receive_survives_the_process() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.send(queue, &["x"]).await;
    bench.take(queue, 1).await;
    bench.store.crash(&Keep::Written);
    let again = open(bench.store.clone(), &bench.clock);
    assert_eq!(again.describe(queue).unwrap().counts.in_flight, 1);
}

/// Many tasks send, receive and delete while the power goes at some moment. What was answered is
/// true afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_taken_back_by_a_crash() {
    for seed in 0..12 {
        let store = MemoryDriver::new();
        let faults = Faults::none();
        let clock = Clock::manual(START);
        let engine = open(FaultyDriver::new(store.clone(), &faults), &clock);
        let queue =
            engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
        let dice = Chance::seeded(seed);
        faults.die_after(faults.changes() + 5 + dice.number() % 60);
        let workers: Vec<_> =
            (0..8).map(|worker| tokio::spawn(work(engine.clone(), queue, worker))).collect();
        let mut all = Answered::default();
        for worker in workers {
            let one = worker.await.unwrap();
            all.sent.extend(one.sent);
            all.deleted.extend(one.deleted);
            all.unsure.extend(one.unsure);
        }
        drop(engine);
        store.crash(&Keep::Sectors(dice));
        let engine = open(store, &clock);
        let there: Vec<_> =
            engine.peek(queue, None, usize::MAX).unwrap().into_iter().map(|one| one.id).collect();
        for id in &all.sent {
            let deleted = all.deleted.contains(id);
            assert!(!deleted || !there.contains(id), "{id} was deleted");
            assert!(deleted || there.contains(id) || all.unsure.contains(id), "{id} was sent");
        }
    }
}

/// What a worker was told.
#[derive(Default)]
struct Answered {
    sent: Vec<MessageId>,
    deleted: Vec<MessageId>,
    /// The deletion got no answer: it may have happened or not.
    unsure: Vec<MessageId>,
}

/// Sends two, deletes one, until the disk fails.
async fn work(engine: Engine, queue: QueueId, worker: usize) -> Answered {
    let mut told = Answered::default();
    for round in 0.. {
        let bodies = [format!("{worker}-{round}-a"), format!("{worker}-{round}-b")];
        let batch = bodies.iter().map(|body| message(body)).collect();
        let Ok(new) = engine.send_batch(queue, batch).await else { break };
        told.sent.extend(new.into_iter().map(|one| one.id));
        let Ok(got) = engine.receive(queue, waiting(1, Duration::ZERO)).await else { break };
        let Some(got) = got.first() else { continue };
        if engine.delete(queue, &[got.receipt]).await.is_err() {
            told.unsure.push(got.id);
            break;
        }
        told.deleted.push(got.id);
    }
    told
}

#[tokio::test]
async fn a_hundred_thousand_messages_are_there_after_a_restart() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    for batch in 0..100 {
        let messages = (0..1000).map(|one| message(&format!("{batch}-{one}"))).collect();
        bench.engine.send_batch(queue, messages).await.unwrap();
    }
    let got = bench.take(queue, 10).await;
    let receipts: Vec<_> = got.iter().map(|one| one.receipt).collect();
    bench.engine.delete(queue, &receipts).await.unwrap();
    bench.engine.0.keep_house().unwrap();
    bench.send(queue, &["last"]).await;
    let bench = bench.crash();
    assert_eq!(bench.counts(queue), (99_991, 0, 0));
    assert_eq!(bodies(&bench.take(queue, 2).await), ["0-10", "0-11"]);
    let end = bench.engine.peek(queue, Some(crate::key::Sequence(99_999)), 10).unwrap();
    assert_eq!(end.len(), 2);
    assert_eq!(end[1].content.body, "last");
}

#[tokio::test]
async fn a_clock_that_went_back_delays_nothing_that_begins_after() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.advance(Duration::from_hours(24));
    bench.engine.send(queue, delayed("late", SECOND)).await.unwrap();
    bench.send(queue, &["x"]).await;
    bench.store.crash(&Keep::Synced);
    // A day earlier.
    let clock = Clock::manual(START);
    let bench = Bench { engine: open(bench.store.clone(), &clock), store: bench.store, clock };
    bench.send(queue, &["y"]).await;
    bench.engine.send(queue, delayed("z", SECOND)).await.unwrap();
    bench.advance(SECOND);
    // What was delayed before the clock went back is late by as much; nothing else is.
    assert_eq!(bodies(&bench.take(queue, 10).await), ["z", "x", "y"]);
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(10, 40 * SECOND)));
    assert!(poll(&mut receive).is_pending());
    bench.advance(30 * SECOND);
    assert_eq!(receive.await.unwrap().len(), 3);
    bench.engine.0.keep_house().unwrap();
    let bench = bench.crash();
    assert_eq!(bench.engine.peek(queue, None, 10).unwrap().len(), 4);
    bench.advance(Duration::from_hours(24));
    assert_eq!(bench.counts(queue), (4, 0, 0));
}

#[tokio::test]
async fn a_damaged_body_is_counted_and_the_others_are_delivered() {
    let faults = Faults::none();
    let clock = Clock::manual(START);
    let journal = tidemill_journal::Options {
        recent: ByteSize::bytes(0),
        segment_size: ByteSize::kib(64),
        ..Default::default()
    };
    let config = Config { journal, clock, chance: Chance::seeded(1), ..Config::default() };
    let engine = Engine::open(FaultyDriver::new(MemoryDriver::new(), &faults), config).unwrap();
    let queue = engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
    engine.send_batch(queue, vec![message("x"), message("y")]).await.unwrap();
    faults.plan(Operation::Read, 0, Fault::Flip(40));
    let got = engine.receive(queue, waiting(10, Duration::ZERO)).await.unwrap();
    assert_eq!(bodies(&got), ["y"]);
    assert_eq!(engine.metrics().damaged_reads, 1);
    assert_eq!(engine.describe(queue).unwrap().counts.in_flight, 2);
}

#[tokio::test]
async fn after_a_failed_sync_nothing_changes_and_looking_still_works() {
    let faults = Faults::none();
    let clock = Clock::manual(START);
    let engine = open(FaultyDriver::new(MemoryDriver::new(), &faults), &clock);
    let queue = engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
    engine.send(queue, message("x")).await.unwrap();
    faults.plan(Operation::Sync, 0, Fault::Error);
    for _ in 0..2 {
        let failed = engine.send(queue, message("y")).await.unwrap_err();
        assert!(matches!(failed, Error::Failed(Failure::Poisoned(_))), "{failed}");
    }
    assert!(engine.receive(queue, waiting(1, SECOND)).await.is_err());
    assert!(engine.purge(queue).await.is_err());
    assert_eq!(engine.find(&key("a")), Some(queue));
    assert_eq!(engine.describe(queue).unwrap().counts.visible, 1);
    assert_eq!(engine.peek(queue, None, 10).unwrap().len(), 1);
    // What grew too old cannot be recorded; the timer does not spin on it.
    clock.advance(10 * 24 * 3600 * SECOND);
    assert_eq!(engine.describe(queue).unwrap().counts.visible, 1);
}

/// Changes a byte of `body`, in whatever file of the directory it is.
fn damage(dir: &Path, body: &str) {
    for entry in fs::read_dir(dir.join("segments")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let found = bytes.windows(body.len()).position(|window| window == body.as_bytes());
        if let Some(at) = found {
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            return;
        }
    }
    panic!("no segment holds {body}");
}

#[tokio::test]
async fn what_a_salvage_gave_up_is_dropped_and_the_rest_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(START);
    let engine = open(FileDriver::new(dir.path()), &clock);
    let queue = engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
    for number in 0..400 {
        let body = format!("{number:03}-{}", "x".repeat(1000));
        engine.send(queue, message(&body)).await.unwrap();
    }
    engine.0.keep_house().unwrap();
    engine.shut_down().await.unwrap();
    drop(engine);
    damage(dir.path(), "007-xxx");
    tidemill_journal::salvage(dir.path()).unwrap();
    for _ in 0..2 {
        let engine = open(FileDriver::new(dir.path()), &clock);
        assert_eq!(engine.describe(queue).unwrap().counts.visible, 399);
        let seen = engine.peek(queue, None, 10).unwrap();
        let numbers: Vec<_> = seen.iter().map(|one| one.sequence.as_u64()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 9, 10, 11]);
        engine.shut_down().await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_section_of_the_shard_makes_no_number_free() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(START);
    let engine = open(FileDriver::new(dir.path()), &clock);
    let queue = engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
    for _ in 0..400 {
        engine.send(queue, message(&"x".repeat(1000))).await.unwrap();
    }
    engine.shut_down().await.unwrap();
    drop(engine);
    for entry in fs::read_dir(dir.path().join("checkpoint")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().ends_with("-shard") {
            fs::write(path, "garbage").unwrap();
        }
    }
    tidemill_journal::salvage(dir.path()).unwrap();
    let engine = open(FileDriver::new(dir.path()), &clock);
    let other = engine.create(key("b"), SettingsChange::default(), Tags::new()).await.unwrap().id;
    assert_ne!(other, queue);
    assert_eq!(engine.describe(queue).unwrap().counts.visible, 400);
}
