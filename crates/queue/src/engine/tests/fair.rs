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

async fn delete(bench: &Bench, queue: QueueId, taken: &[Delivery]) {
    let receipts: Vec<_> = taken.iter().map(|one| one.receipt).collect();
    bench.engine.delete(queue, &receipts).await.unwrap();
}

/// Receives one after another and keeps them for an hour.
async fn keep(bench: &Bench, queue: QueueId, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let one = Receive { max: 1, visibility: Some(3600 * SECOND), ..Receive::default() };
        taken.extend(bench.engine.receive(queue, one).await.unwrap());
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
    bench.advance(SECOND);
    delete(&bench, queue, &taken).await;
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

#[tokio::test]
async fn a_group_of_few_slow_messages_is_noisy_by_the_time_that_they_take() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "slow", 10).await;
    let taken = keep(&bench, queue, 5).await;
    // Before there was a minute of work in all, nobody can have too much of it.
    bench.advance(Duration::from_millis(11_999));
    assert_eq!(noisy(&bench, queue), (0, 5));
    bench.advance(Duration::from_millis(1));
    assert_eq!(noisy(&bench, queue), (1, 0));
    send(&bench, queue, "quick", 2).await;
    bench.send(queue, &["none"]).await;
    assert_eq!(bodies(&bench.take(queue, 4).await), ["quick", "quick", "none", "slow"]);
    // What it did counts, also when nothing of it is in flight; but not once nothing waits.
    delete(&bench, queue, &taken).await;
    assert_eq!(noisy(&bench, queue), (1, 0));
    bench.take(queue, 4).await;
    assert_eq!(noisy(&bench, queue), (0, 0));
    send(&bench, queue, "slow", 1).await;
    assert_eq!(noisy(&bench, queue), (1, 0));
}

#[tokio::test]
async fn a_tenth_of_the_work_is_nobodys_noise() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "one", 1).await;
    keep(&bench, queue, 1).await;
    bench.send(queue, &["x"; 9]).await;
    let others = keep(&bench, queue, 9).await;
    send(&bench, queue, "one", 1).await;
    bench.advance(Duration::from_millis(299_999));
    send(&bench, queue, "one", 1).await;
    assert_eq!(noisy(&bench, queue), (0, 2));
    delete(&bench, queue, &others[..1]).await;
    bench.advance(Duration::from_millis(1));
    assert_eq!(noisy(&bench, queue), (1, 0));
}

#[tokio::test]
async fn a_noisy_group_is_quiet_once_it_has_no_more_than_a_tenth_of_recent_work() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "slow", 6).await;
    let taken = keep(&bench, queue, 5).await;
    bench.advance(12 * SECOND);
    delete(&bench, queue, &taken).await;
    bench.send(queue, &["x"; 20]).await;
    assert_eq!((keep(&bench, queue, 20).await.len(), noisy(&bench, queue)), (20, (1, 0)));
    // A minute of its own; of the others, twenty seconds each second.
    bench.advance(Duration::from_millis(26_999));
    assert_eq!(noisy(&bench, queue), (1, 0));
    bench.advance(Duration::from_millis(1));
    assert_eq!(noisy(&bench, queue), (0, 1));
}

#[tokio::test]
async fn a_group_is_not_quiet_for_having_been_away() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "slow", 1).await;
    bench.send(queue, &["x"]).await;
    let taken = keep(&bench, queue, 2).await;
    bench.advance(30 * SECOND);
    delete(&bench, queue, &taken[..1]).await;
    for _ in 0..500 {
        send(&bench, queue, "quick", 1).await;
        let quick = bench.take(queue, 1).await;
        delete(&bench, queue, &quick).await;
    }
    send(&bench, queue, "slow", 1).await;
    assert_eq!(noisy(&bench, queue), (1, 0));
    delete(&bench, queue, &keep(&bench, queue, 1).await).await;
    // Eight minutes later it did less than a hundredth of what there was to do.
    bench.advance(480 * SECOND);
    send(&bench, queue, "slow", 1).await;
    assert_eq!(noisy(&bench, queue), (0, 1));
}

#[tokio::test]
async fn groups_that_take_equally_long_are_served_by_turns() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    for group in ["one", "two", "three"] {
        send(&bench, queue, group, 1).await;
    }
    keep(&bench, queue, 3).await;
    for group in ["one", "two", "three"] {
        send(&bench, queue, group, 3).await;
    }
    bench.advance(20 * SECOND);
    assert_eq!(noisy(&bench, queue), (3, 0));
    let order = bench.take(queue, 5).await;
    assert_eq!(bodies(&order), ["one", "two", "three", "one", "two"]);
}

#[tokio::test]
async fn what_is_visible_again_is_no_work_any_more() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "one", 2).await;
    bench.take(queue, 1).await;
    // It took thirty seconds. That nobody looks for another thirty makes it no minute.
    bench.advance(59 * SECOND);
    assert_eq!(noisy(&bench, queue), (0, 2));
    assert_eq!(keep(&bench, queue, 2).await.len(), 2);
    send(&bench, queue, "one", 1).await;
    // At the minute 32 are halved; with two in flight, 22 seconds more make a minute of work.
    bench.advance(22 * SECOND + Duration::from_millis(999));
    assert_eq!(noisy(&bench, queue), (0, 1));
    bench.advance(Duration::from_millis(1));
    assert_eq!(noisy(&bench, queue), (1, 0));
}

#[tokio::test]
async fn a_restart_forgets_who_took_long_and_a_clock_that_went_back_hides_nobody() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    send(&bench, queue, "slow", 10).await;
    keep(&bench, queue, 5).await;
    bench.advance(60 * SECOND);
    assert_eq!(noisy(&bench, queue), (1, 0));
    let bench = bench.set_back(3600 * SECOND);
    assert_eq!(noisy(&bench, queue), (0, 5));
    bench.advance(Duration::from_millis(11_999));
    assert_eq!(noisy(&bench, queue), (0, 5));
    bench.advance(Duration::from_millis(1));
    assert_eq!(noisy(&bench, queue), (1, 0));
}
