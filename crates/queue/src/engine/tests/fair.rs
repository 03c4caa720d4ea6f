//! Fair queues: standard queues whose messages have groups, none of which crowds out the others.

use super::*;

async fn send(bench: &Bench, queue: QueueId, group: &str, count: usize) {
    let mut new = message(group);
    new.content.group = Some(group.into());
    bench.engine.send_batch(queue, vec![new; count]).await.unwrap();
}

/// Receives so often without deleting, ten at a time.
async fn take_tens(bench: &Bench, queue: QueueId, times: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    for _ in 0..times {
        taken.extend(bench.take(queue, 10).await);
    }
    taken
}

fn noisy(bench: &Bench, queue: QueueId) -> (usize, usize) {
    let counts = bench.engine.describe(queue).unwrap().counts;
    (counts.noisy_groups, counts.visible_quiet)
}

#[tokio::test]
async fn a_group_with_a_large_backlog_does_not_keep_others_waiting() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "big", 500).await;
    take_tens(&bench, queue, 3).await;
    assert_eq!(noisy(&bench, queue), (1, 0));
    send(&bench, queue, "small", 2).await;
    bench.send(queue, &["none"]).await;
    assert_eq!(noisy(&bench, queue), (1, 3));
    let got = bench.take(queue, 5).await;
    assert_eq!(bodies(&got), ["small", "small", "none", "big", "big"]);
    assert_eq!(got[0].content.group.as_deref(), Some("small"));
}

#[tokio::test]
async fn groups_that_take_no_more_than_their_share_go_by_age() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "one", 100).await;
    // Thirty make a group noisy, and no fewer.
    take_tens(&bench, queue, 2).await;
    assert_eq!(bench.take(queue, 9).await.len(), 9);
    send(&bench, queue, "two", 1).await;
    assert_eq!(noisy(&bench, queue), (0, 72));
    assert_eq!(bodies(&bench.take(queue, 1).await), ["one"]);
    assert_eq!(bodies(&bench.take(queue, 1).await), ["two"]);
}

#[tokio::test]
async fn a_tenth_of_what_is_in_flight_is_nobodys_noise() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.send(queue, &["x"; 360]).await;
    take_tens(&bench, queue, 36).await;
    send(&bench, queue, "one", 50).await;
    take_tens(&bench, queue, 4).await;
    // Forty of four hundred.
    assert_eq!(noisy(&bench, queue), (0, 10));
    bench.take(queue, 1).await;
    assert_eq!(noisy(&bench, queue), (1, 0));
}

#[tokio::test]
async fn of_noisy_groups_the_one_with_fewest_in_flight_is_next() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "one", 60).await;
    take_tens(&bench, queue, 5).await;
    send(&bench, queue, "two", 60).await;
    take_tens(&bench, queue, 3).await;
    assert_eq!(noisy(&bench, queue).0, 2);
    // Fifty of the one and thirty of the other: until they are even, then by turns.
    assert_eq!(bodies(&take_tens(&bench, queue, 2).await), ["two"; 20]);
    let even = bench.take(queue, 4).await;
    assert_eq!(bodies(&even), ["one", "two", "one", "two"]);
}

#[tokio::test]
async fn a_noisy_group_is_quiet_again_once_nothing_of_it_waits() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "one", 40).await;
    let taken = take_tens(&bench, queue, 3).await;
    assert_eq!(noisy(&bench, queue).0, 1);
    let receipts: Vec<_> = taken.iter().map(|one| one.receipt).collect();
    bench.engine.delete(queue, &receipts).await.unwrap();
    // Deleting makes it hold less; it is noisy as long as there is a backlog.
    assert_eq!(noisy(&bench, queue), (1, 0));
    bench.take(queue, 10).await;
    assert_eq!(noisy(&bench, queue), (0, 0));
    send(&bench, queue, "one", 1).await;
    assert_eq!(noisy(&bench, queue), (0, 1));
}

#[tokio::test]
async fn a_noisy_group_is_quiet_after_five_minutes_without_a_send() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "one", 100).await;
    let long = Receive { max: 40, visibility: Some(3600 * SECOND), ..Receive::default() };
    bench.engine.receive(queue, long).await.unwrap();
    bench.advance(200 * SECOND);
    send(&bench, queue, "one", 1).await;
    bench.advance(299 * SECOND);
    assert_eq!(noisy(&bench, queue), (1, 0));
    bench.advance(SECOND);
    assert_eq!(noisy(&bench, queue), (0, 61));
}

#[tokio::test]
async fn what_comes_back_or_was_delayed_keeps_to_its_group() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let mut late = delayed("late", 40 * SECOND);
    late.content.group = Some("one".into());
    bench.engine.send(queue, late).await.unwrap();
    send(&bench, queue, "one", 60).await;
    take_tens(&bench, queue, 4).await;
    send(&bench, queue, "two", 1).await;
    bench.advance(29 * SECOND);
    take_tens(&bench, queue, 1).await;
    // Forty come back after thirty seconds, and are behind whoever is quiet.
    bench.advance(11 * SECOND);
    let counts = bench.engine.describe(queue).unwrap().counts;
    assert_eq!((counts.visible, counts.in_flight, counts.visible_quiet), (52, 10, 0));
    send(&bench, queue, "three", 1).await;
    let order = take_tens(&bench, queue, 6).await;
    assert_eq!(order.len(), 53);
    assert_eq!(bodies(&order)[0], "three");
    assert_eq!(bodies(&order).iter().filter(|body| **body == "late").count(), 1);
}

#[tokio::test]
async fn groups_are_kept_over_a_crash_and_a_checkpoint() {
    let mut bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "big", 100).await;
    take_tens(&bench, queue, 4).await;
    send(&bench, queue, "small", 1).await;
    for round in 0..2 {
        if round == 1 {
            bench.engine.shut_down().await.unwrap();
        }
        bench = bench.crash();
        assert_eq!((bench.counts(queue), noisy(&bench, queue)), ((61, 40, 0), (1, 1)));
    }
    assert_eq!(bodies(&bench.take(queue, 2).await), ["small", "big"]);
    let seen = bench.engine.peek(queue, None, 1).unwrap();
    assert_eq!(seen[0].content.group.as_deref(), Some("big"));
}

#[tokio::test]
async fn a_purge_and_old_age_leave_no_group_behind() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "one", 100).await;
    take_tens(&bench, queue, 4).await;
    bench.engine.purge(queue).await.unwrap();
    assert_eq!((bench.counts(queue), noisy(&bench, queue)), ((0, 0, 0), (0, 0)));
    send(&bench, queue, "one", 100).await;
    take_tens(&bench, queue, 4).await;
    bench.advance(5 * 24 * 3600 * SECOND);
    assert_eq!((bench.counts(queue), noisy(&bench, queue)), ((0, 0, 0), (0, 0)));
    send(&bench, queue, "one", 1).await;
    assert_eq!(bodies(&bench.take(queue, 10).await), ["one"]);
}
