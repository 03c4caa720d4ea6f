//! The log stays small: what is dead goes, and what survives moves.

use super::*;

impl Bench {
    fn segments(&self) -> usize {
        self.engine.0.journal.segments().len()
    }

    fn keep_house(&self) {
        self.engine.0.keep_house().unwrap();
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
