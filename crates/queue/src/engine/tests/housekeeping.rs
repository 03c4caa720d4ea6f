//! The log stays small: what is dead goes, and what survives moves.

use std::collections::BTreeSet;

use tidemill_base::MessageId;
use tidemill_journal::{Fault, Faults, FaultyDriver, Operation};

use super::*;
use crate::engine::housekeeping::is_behind;

impl Bench {
    fn segments(&self) -> usize {
        self.engine.0.journal.segments().len()
    }

    fn keep_house(&self) {
        self.engine.0.keep_house().unwrap();
    }

    /// Whether housekeeping was asked for since this was asked last.
    fn is_called(&self) -> bool {
        poll(&mut Box::pin(self.engine.0.untidy.notified())).is_ready()
    }
}

const KIB: usize = 1024;

#[tokio::test]
async fn a_log_of_dead_messages_is_let_go() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let body = "x".repeat(KIB);
    for _ in 0..200 {
        bench.send(queue, &[&*body; 10]).await;
        let got = bench.take(queue, 10).await;
        let receipts: Vec<_> = got.iter().map(|one| one.receipt).collect();
        bench.engine.delete(queue, &receipts).await.unwrap();
        bench.keep_house();
    }
    // Two megabytes went through 64 KiB segments.
    assert!(bench.segments() <= 7, "{} segments", bench.segments());
    let bench = bench.crash();
    assert_eq!(bench.counts(queue), (0, 0, 0));
}

#[tokio::test]
async fn a_queue_that_begins_while_the_logs_end_is_looked_at_is_not_behind_it() {
    let bench = Bench::new();
    let end = bench.engine.0.journal.end();
    for name in ["a", "b"] {
        bench.queue(name).await;
    }
    let shard = bench.engine.0.lock();
    assert!(shard.machine.queues().all(|queue| !is_behind(queue, end, end)));
}

#[tokio::test]
async fn an_idle_queue_does_not_hold_the_log_back() {
    let bench = Bench::new();
    let idle = bench.queue("idle").await;
    bench.send(idle, &["survivor"]).await;
    let busy = bench.queue("busy").await;
    let body = "x".repeat(KIB);
    for _ in 0..200 {
        bench.send(busy, &[&*body; 10]).await;
        let got = bench.take(busy, 10).await;
        let receipts: Vec<_> = got.iter().map(|one| one.receipt).collect();
        bench.engine.delete(busy, &receipts).await.unwrap();
        bench.keep_house();
    }
    assert!(bench.segments() <= 8, "{} segments", bench.segments());
    let bench = bench.crash();
    assert_eq!(bodies(&bench.take(idle, 1).await), ["survivor"]);
}

#[tokio::test]
async fn the_few_who_survive_in_an_old_segment_move_and_keep_their_place() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let mut kept = Vec::new();
    for number in 0..1000 {
        let body = format!("{number:04}-{}", "x".repeat(KIB));
        bench.send(queue, &[&body]).await;
        kept.push(body);
    }
    let mut receipts = Vec::new();
    for _ in 0..10 {
        for got in bench.take(queue, 100).await {
            let number: usize = bodies(std::slice::from_ref(&got))[0][..4].parse().unwrap();
            if !number.is_multiple_of(20) {
                receipts.push(got.receipt);
            }
        }
    }
    bench.engine.delete(queue, &receipts).await.unwrap();
    let full = bench.segments();
    bench.keep_house();
    bench.keep_house();
    assert!(bench.segments() < full / 2, "{} of {full} segments", bench.segments());
    kept = kept.into_iter().step_by(20).collect();
    let bench = bench.crash();
    assert_eq!(bench.counts(queue), (0, 50, 0));
    bench.advance(30 * SECOND);
    assert_eq!(bodies(&bench.take(queue, 50).await), kept);
}

#[tokio::test]
async fn waiting_messages_that_moved_are_received_in_order() {
    let bench = Bench::new();
    let (keep, toss) = (bench.queue("keep").await, bench.queue("toss").await);
    let body = "x".repeat(KIB);
    for number in 0..60 {
        bench.send(keep, &[&format!("{number}")]).await;
        bench.send(toss, &[&*body; 10]).await;
    }
    bench.engine.purge(toss).await.unwrap();
    bench.keep_house();
    bench.keep_house();
    assert!(bench.segments() <= 7, "{} segments", bench.segments());
    let expected: Vec<_> = (0..60).map(|number| number.to_string()).collect();
    let bench = bench.crash();
    assert_eq!(bodies(&bench.take(keep, 100).await), expected);
}

#[tokio::test]
async fn a_few_large_messages_among_many_small_ones_are_not_moved_for_nothing() {
    let bench = Bench::new();
    let (keep, toss) = (bench.queue("keep").await, bench.queue("toss").await);
    let body = "x".repeat(10 * KIB);
    for _ in 0..20 {
        bench.send(keep, &[&*body; 5]).await;
        bench.send(toss, &["y"; 20]).await;
    }
    bench.engine.purge(toss).await.unwrap();
    let before = bench.engine.0.journal.end().as_u64();
    bench.keep_house();
    bench.keep_house();
    let written = bench.engine.0.journal.end().as_u64() - before;
    assert!(written < 1 << 16, "{written} bytes");
    // Once most of them are gone, the rest moves.
    let got = bench.take(keep, 100).await;
    let receipts =
        got.iter().enumerate().filter(|(index, _)| index % 5 > 0).map(|(_, one)| one.receipt);
    bench.engine.delete(keep, &receipts.collect::<Vec<_>>()).await.unwrap();
    let full = bench.segments();
    bench.keep_house();
    bench.keep_house();
    assert!(bench.segments() < full / 2, "{} of {full} segments", bench.segments());
    let bench = bench.crash();
    assert_eq!(bench.counts(keep), (0, 20, 0));
}

#[tokio::test]
async fn a_log_that_hardly_grows_any_more_is_let_go_too() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let body = "x".repeat(KIB);
    for _ in 0..200 {
        bench.send(queue, &[&*body; 10]).await;
    }
    bench.keep_house();
    let mut receipts = Vec::new();
    for _ in 0..200 {
        receipts.extend(bench.take(queue, 10).await.iter().map(|one| one.receipt));
    }
    let is_called = || bench.is_called();
    let later = bench.engine.0.clock.monotonic() + 10 * SECOND;
    is_called();
    // All of them are there.
    bench.engine.0.look_at_log(later);
    assert!(!is_called());
    bench.engine.delete(queue, &receipts).await.unwrap();
    is_called();
    // That was looked at just now.
    bench.engine.0.look_at_log(later + SECOND);
    assert!(!is_called());
    bench.engine.0.look_at_log(later + 10 * SECOND);
    assert!(is_called());
    bench.keep_house();
    assert!(bench.segments() <= 2, "{} segments", bench.segments());
    // Nothing happens, and nothing is done.
    bench.engine.0.look_at_log(later + 100 * SECOND);
    assert!(!is_called());
    let bench = bench.crash();
    assert_eq!(bench.counts(queue), (0, 0, 0));
}

#[tokio::test]
async fn a_log_that_hardly_grows_is_left_alone_where_nothing_can_go() {
    let bench = Bench::new();
    let (busy, trickle) = (bench.queue("busy").await, bench.queue("trickle").await);
    let heavy = bench.queue("heavy").await;
    // Large ones among many small ones that are gone: few, but not worth moving.
    let body = "x".repeat(10 * KIB);
    for _ in 0..8 {
        bench.send(heavy, &[&*body; 5]).await;
        bench.send(busy, &["y"; 20]).await;
    }
    bench.engine.purge(busy).await.unwrap();
    // Nobody lives in what follows, but a section of this queue would be larger than all of it.
    for _ in 0..10 {
        bench.send(busy, &vec!["y"; 2_000]).await;
    }
    bench.keep_house();
    let before = bench.segments();
    while bench.segments() < before + 2 {
        let got = bench.take(busy, 10).await;
        let again: Vec<_> = got.iter().map(|one| (one.receipt, Duration::ZERO)).collect();
        bench.engine.change_visibility(busy, &again).await.unwrap();
    }
    let mut later = bench.engine.0.clock.monotonic();
    let mut passes = 0;
    for _ in 0..10 {
        bench.engine.tag(trickle, Tags::new()).await.unwrap();
        bench.is_called();
        later += 10 * SECOND;
        bench.engine.0.look_at_log(later);
        if bench.is_called() {
            bench.keep_house();
            passes += 1;
        }
    }
    assert!(passes <= 2, "{passes} passes");
}

#[tokio::test]
async fn housekeeping_that_panics_ends_the_background_work_and_a_shut_down_still_closes() {
    let (store, faults) = (MemoryDriver::new(), Faults::none());
    let clock = Clock::manual(START);
    let engine = open(FaultyDriver::new(store.clone(), &faults), &clock);
    let queue = engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
    let running = tokio::spawn(engine.clone().run());
    faults.plan(Operation::Put, 0, Fault::Panic);
    faults.plan(Operation::Put, 0, Fault::Panic);
    let body = "x".repeat(40 * KIB);
    for _ in 0..3 {
        engine.send(queue, message(&body)).await.unwrap();
    }
    assert!(running.await.unwrap_err().is_panic());
    assert!(engine.shut_down().await.is_err());
    drop(engine);
    assert_eq!(open(store, &clock).describe(queue).unwrap().counts.visible, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_engine_keeps_house_by_itself() {
    let bench = Bench::new();
    let running = tokio::spawn(bench.engine.clone().run());
    let queue = bench.queue("a").await;
    let body = "x".repeat(8 * KIB);
    // Goes on until housekeeping was seen to let segments go.
    while bench.engine.0.journal.segments()[0].range.start.as_u64() < 10 << 16 {
        bench.send(queue, &[&body]).await;
        let receipt = bench.take(queue, 1).await[0].receipt;
        bench.engine.delete(queue, &[receipt]).await.unwrap();
    }
    bench.engine.shut_down().await.unwrap();
    running.await.unwrap();
    let engine = open(bench.store.clone(), &bench.clock);
    assert_eq!(engine.describe(queue).unwrap().counts.visible, 0);
}

/// The power goes at some moment of much work with much housekeeping. What was answered is true
/// afterwards, wherever messages had moved to by then.
#[tokio::test]
async fn a_crash_at_any_moment_of_housekeeping_loses_nothing_and_brings_nothing_back() {
    let mut discarded = 0;
    for seed in 0..30 {
        let (store, faults, dice) = (MemoryDriver::new(), Faults::none(), Chance::seeded(seed));
        let clock = Clock::manual(START);
        let engine = open(FaultyDriver::new(store.clone(), &faults), &clock);
        let queue =
            engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
        faults.die_after(faults.changes() + 200 + dice.number() % 2_000);
        let mut told = Told::default();
        while told.work(&engine, queue, &dice).await.is_ok() {}
        discarded += engine.0.journal.segments()[0].range.start.as_u64() >> 16;
        drop(engine);
        store.crash(&Keep::Sectors(dice));
        let engine = open(store, &clock);
        let there = engine.peek(queue, None, usize::MAX).unwrap();
        let there: BTreeSet<_> = there.into_iter().map(|one| one.id).collect();
        assert!(told.alive.is_subset(&there), "seed {seed}");
        assert!(told.deleted.is_disjoint(&there), "seed {seed}");
        let counts = engine.describe(queue).unwrap().counts;
        assert_eq!(counts.visible + counts.in_flight, there.len(), "seed {seed}");
    }
    assert!(discarded > 100, "{discarded} segments were discarded");
}

/// What a caller was told.
#[derive(Default)]
struct Told {
    alive: BTreeSet<MessageId>,
    deleted: BTreeSet<MessageId>,
    rounds: u32,
}

impl Told {
    /// A round of work: sends, receives, deletes nearly all of it, and now and then keeps house.
    async fn work(
        &mut self,
        engine: &Engine,
        queue: QueueId,
        dice: &Chance,
    ) -> Result<(), crate::refusal::Error> {
        let body = "x".repeat(KIB);
        let sent = engine.send_batch(queue, vec![message(&body); 5]).await?;
        self.alive.extend(sent.into_iter().map(|one| one.id));
        let mut got = engine.receive(queue, waiting(10, Duration::ZERO)).await?;
        got.retain(|_| !dice.number().is_multiple_of(10));
        let receipts: Vec<_> = got.iter().map(|one| one.receipt).collect();
        // Until there is an answer, a deletion may have happened or not.
        for one in &got {
            self.alive.remove(&one.id);
        }
        engine.delete(queue, &receipts).await?;
        self.deleted.extend(got.into_iter().map(|one| one.id));
        self.rounds += 1;
        if self.rounds.is_multiple_of(7) {
            engine.0.keep_house()?;
        }
        Ok(())
    }
}
