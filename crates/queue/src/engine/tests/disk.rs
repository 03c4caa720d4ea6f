//! A disk that hangs or is nearly full: what is refused, what is not, and when that ends.

use tidemill_journal::{Effort, Fault, Faults, FaultyDriver, Operation};

use super::*;
use crate::refusal::{Error, Failure};

/// An engine on a disk of which more than `patience` is asked, and what goes wrong with it.
async fn faulty(patience: Duration) -> (Engine, Faults, QueueId) {
    let faults = Faults::none();
    let driver = FaultyDriver::new(MemoryDriver::new(), &faults);
    let journal = Options { segment_size: ByteSize::kib(64), ..Options::default() };
    let config = Config { journal, patience, ..Config::default() };
    let engine = Engine::open(driver, config).unwrap();
    let queue = engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
    (engine, faults, queue)
}

fn has(engine: &Engine, faults: &Faults, mib: u64) {
    faults.set_free(Some(ByteSize::mib(mib)));
    engine.0.look_at_disk();
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_takes_nothing_in_and_lets_everything_out() {
    let (engine, faults, queue) = faulty(SECOND).await;
    engine.send_batch(queue, vec![message("x"), message("y")]).await.unwrap();
    has(&engine, &faults, 256);
    engine.send(queue, message("z")).await.unwrap();
    has(&engine, &faults, 255);
    let told = engine.send(queue, message("w")).await.unwrap_err();
    let full = Failure::Full { free: ByteSize::mib(255), reserve: ByteSize::mib(256) };
    assert!(matches!(&told, Error::Failed(failure) if failure.to_string() == full.to_string()));
    assert!(engine.create(key("b"), SettingsChange::default(), Tags::new()).await.is_err());
    let got = engine.receive(queue, waiting(10, Duration::ZERO)).await.unwrap();
    assert_eq!(bodies(&got), ["x", "y", "z"]);
    assert_eq!(engine.delete(queue, &[got[0].receipt]).await.unwrap(), [Ok(())]);
    engine.change_visibility(queue, &[(got[1].receipt, Duration::ZERO)]).await.unwrap();
    engine.tag(queue, Tags::new()).await.unwrap();
    engine.purge(queue).await.unwrap();
    // A little more than the reserve is not enough, or it would change its mind all the time.
    has(&engine, &faults, 287);
    assert!(engine.failure().is_some());
    has(&engine, &faults, 288);
    assert!(engine.failure().is_none());
    engine.send(queue, message("w")).await.unwrap();
}

#[tokio::test]
async fn where_space_is_short_what_is_dead_goes_at_once() {
    let (engine, faults, queue) = faulty(SECOND).await;
    let body = "x".repeat(20_000);
    engine.send_batch(queue, (0..10).map(|_| message(&body)).collect()).await.unwrap();
    let got = engine.receive(queue, waiting(10, Duration::ZERO)).await.unwrap();
    let receipts: Vec<_> = got.iter().map(|one| one.receipt).collect();
    engine.delete(queue, &receipts).await.unwrap();
    let segments = || engine.0.journal.segments().len();
    engine.0.keep_house().unwrap();
    let before = segments();
    assert!(before > 2, "a short log is not worth the work");
    has(&engine, &faults, 1);
    engine.0.keep_house().unwrap();
    assert!(segments() < before && segments() <= 2, "{} of {before} are left", segments());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_refuses_those_who_come_later_and_serves_those_who_waited() {
    let (engine, faults, queue) = faulty(Duration::ZERO).await;
    engine.send(queue, message("x")).await.unwrap();
    faults.plan(Operation::Sync, 0, Fault::Stall);
    let waits = tokio::spawn({
        let engine = engine.clone();
        async move { engine.send(queue, message("y")).await }
    });
    let stalled = faults.clone();
    tokio::task::spawn_blocking(move || stalled.wait_stalled()).await.unwrap();
    assert!(matches!(engine.failure(), Some(Failure::Stalled { .. })));
    let told = engine.send(queue, message("z")).await.unwrap_err();
    assert!(matches!(told, Error::Failed(Failure::Stalled { .. })), "{told}");
    assert!(engine.purge(queue).await.is_err());
    // It has only to be written.
    let got = engine.receive(queue, waiting(1, Duration::ZERO)).await.unwrap();
    assert_eq!(bodies(&got), ["x"]);
    faults.resume();
    waits.await.unwrap().unwrap();
    engine.0.journal.wait_durable(engine.0.journal.end()).unwrap();
    assert_eq!(engine.describe(queue).unwrap().counts.visible, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_hangs_refuses_receives_though_a_sync_has_hung_for_longer() {
    let (engine, faults, queue) = faulty(Duration::ZERO).await;
    engine.send_batch(queue, vec![message("x"), message("y")]).await.unwrap();
    faults.plan(Operation::Sync, 0, Fault::Stall);
    let hang = |receives: bool| {
        let engine = engine.clone();
        tokio::spawn(async move {
            if receives {
                engine.receive(queue, waiting(1, Duration::ZERO)).await.map(drop)
            } else {
                engine.send(queue, message("z")).await.map(drop)
            }
        })
    };
    let sends = hang(false);
    let lasts = |effort| engine.0.journal.under_way(effort).is_some();
    while !lasts(Effort::Sync) {
        tokio::task::yield_now().await;
    }
    assert!(engine.0.may_receive().is_ok());
    faults.plan(Operation::Append, 0, Fault::Stall);
    let receives = hang(true);
    while !lasts(Effort::Write) {
        tokio::task::yield_now().await;
    }
    // The thread that asked is lost until the disk answers. No other may be.
    let told = engine.0.may_receive().unwrap_err();
    assert!(matches!(told, Failure::Stalled { effort: Effort::Write, .. }), "{told}");
    assert!(engine.receive(queue, waiting(1, Duration::ZERO)).await.is_err());
    faults.resume();
    sends.await.unwrap().unwrap();
    receives.await.unwrap().unwrap();
}
