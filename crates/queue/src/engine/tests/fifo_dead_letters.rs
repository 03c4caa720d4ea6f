//! Dead letters and moves of FIFO queues: whoever goes leaves the others in their order.

use super::dead_letters::{keeping_expired, redriving};
use super::*;
use crate::engine::moves::Next;
use crate::moves::MoveStatus;
use crate::settings::Discipline;

/// Settings of a FIFO queue.
fn fifo(settings: SettingsChange) -> SettingsChange {
    SettingsChange { discipline: Some(Discipline::Fifo), ..settings }
}

/// A FIFO queue and its dead-letter queue.
async fn pair(bench: &Bench, max_receives: u32) -> (QueueId, QueueId) {
    let dead = bench.queue_with("dead.fifo", fifo(SettingsChange::default())).await;
    let live = fifo(redriving("dead.fifo", max_receives));
    (dead, bench.queue_with("live.fifo", live).await)
}

/// Sends messages that are named by their group and a number, `a1`, and known by their names.
async fn send(bench: &Bench, queue: QueueId, names: &[&str]) -> usize {
    let new = |name: &&str| {
        let mut new = message(name);
        new.content.group = Some(name[..1].into());
        new.content.deduplication = Some((*name).into());
        new
    };
    let messages = names.iter().map(new).collect();
    let sent = bench.engine.send_batch(queue, messages).await.unwrap();
    sent.iter().filter(|one| !one.duplicate).count()
}

async fn delete(bench: &Bench, queue: QueueId, one: &Delivery) {
    bench.engine.delete(queue, &[one.receipt]).await.unwrap().remove(0).unwrap();
}

#[tokio::test]
async fn a_dead_letter_unlocks_its_group_and_is_sent_anew() {
    let bench = Bench::new();
    let (dead, live) = pair(&bench, 1).await;
    send(&bench, live, &["a1", "a2", "b1"]).await;
    let first = bench.take(live, 1).await.remove(0);
    bench.advance(30 * SECOND);
    assert_eq!(bodies(&bench.take(live, 10).await), ["b1", "a2"]);
    let got = bench.take_durable(dead, 10).await;
    assert_eq!(bodies(&got), ["a1"]);
    let dead_letter = &got[0];
    assert_eq!((dead_letter.id, dead_letter.receive_count), (first.id, 2));
    assert_eq!(dead_letter.sent, START + 30 * SECOND);
    assert_eq!(dead_letter.source, Some(key("live.fifo")));
    assert_eq!(dead_letter.content.group.as_deref(), Some("a"));
    // Two dead letters may have had the same one.
    assert_eq!(dead_letter.content.deduplication, Some(first.id.to_string()));
    let peeked = bench.engine.peek(dead, None, 1).unwrap().remove(0);
    assert_eq!(
        (peeked.content, peeked.source),
        (dead_letter.content.clone(), dead_letter.source.clone())
    );
    // The queue that it left still knows it.
    assert_eq!(send(&bench, live, &["a1"]).await, 0);
}

#[tokio::test]
async fn dead_letters_keep_the_order_of_their_groups_and_take_no_part_in_deduplication() {
    let bench = Bench::new();
    let (dead, live) = pair(&bench, 1).await;
    assert_eq!(send(&bench, dead, &["a1", "b9"]).await, 2);
    send(&bench, live, &["a1", "a2", "b1", "a3"]).await;
    assert_eq!(bench.receive_in_vain(live).await, 4);
    assert!(bench.take(live, 10).await.is_empty());
    bench.settle().await;
    let got = bench.take(dead, 10).await;
    assert_eq!(bodies(&got), ["a1", "a1", "a2", "a3", "b9", "b1"]);
    let bench = bench.crash();
    bench.advance(30 * SECOND);
    let again = bench.take(dead, 3).await;
    assert_eq!(bodies(&again), ["a1", "a1", "a2"]);
    assert!(bodies(&bench.take(dead, 10).await).iter().all(|name| name.starts_with('b')));
    for one in &again {
        delete(&bench, dead, one).await;
    }
    assert_eq!(bodies(&bench.take(dead, 10).await), ["a3"]);
}

#[tokio::test]
async fn a_dead_letter_of_a_fifo_queue_has_a_whole_life_before_it_and_so_has_what_expired() {
    const DAY: Duration = Duration::from_hours(24);
    let bench = Bench::new();
    let (dead, live) = pair(&bench, 1).await;
    bench.engine.tag(live, keeping_expired()).await.unwrap();
    send(&bench, live, &["a1", "b1"]).await;
    bench.advance(2 * DAY);
    assert_eq!(bodies(&bench.take(live, 1).await), ["a1"]);
    bench.advance(SECOND * 30);
    assert_eq!(bodies(&bench.take(live, 10).await), ["b1"]);
    bench.settle().await;
    bench.advance(2 * DAY);
    assert_eq!(bench.counts(live), (0, 0, 0));
    bench.settle().await;
    assert_eq!(bench.counts(dead), (2, 0, 0));
    bench.advance(2 * DAY);
    let seen = bench.engine.peek(dead, None, 10).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((&seen[0].content.body[..], seen[0].receive_count), (&b"b1"[..], 1));
    bench.advance(2 * DAY);
    assert_eq!(bench.counts(dead), (0, 0, 0));
}

#[tokio::test]
async fn a_fifo_queue_and_a_standard_one_take_no_dead_letters_of_each_other() {
    let bench = Bench::new();
    let dead = bench.queue("dead").await;
    let live = bench.queue_with("live.fifo", fifo(redriving("dead", 1))).await;
    send(&bench, live, &["a1"]).await;
    for count in 1..4 {
        assert_eq!(bench.take(live, 1).await[0].receive_count, count);
        bench.advance(30 * SECOND);
    }
    bench.settle().await;
    assert_eq!(bench.counts(dead), (0, 0, 0));
}

#[tokio::test]
async fn a_move_keeps_the_order_of_groups_and_stops_behind_what_is_in_flight() {
    let bench = Bench::new();
    let (dead, live) = pair(&bench, 1).await;
    send(&bench, live, &["a1", "b1", "a2", "c1", "b2", "a3"]).await;
    bench.receive_in_vain(live).await;
    assert!(bench.take(live, 10).await.is_empty());
    bench.settle().await;
    // The group that was served first here is the one that came first.
    let out = bench.take(dead, 1).await.remove(0);
    assert_eq!(bodies(std::slice::from_ref(&out)), ["a1"]);
    bench.engine.start_move(dead, None, Some(1)).await.unwrap();
    while let Next::At(next) = bench.move_on() {
        bench.advance(next.since(bench.clock.now()));
    }
    let done = bench.engine.moves(dead, 1).unwrap().remove(0);
    assert_eq!((done.status, done.moved), (MoveStatus::Completed, 3));
    assert_eq!(bench.counts(live), (3, 0, 0));
    assert_eq!(bodies(&bench.take(live, 10).await), ["b1", "b2", "c1"]);
    assert_eq!(bench.counts(dead), (2, 1, 0));
    delete(&bench, dead, &out).await;
    bench.engine.start_move(dead, None, None).await.unwrap();
    assert_eq!(bench.move_on(), Next::Never);
    let got = bench.take(live, 10).await;
    assert_eq!((bodies(&got), bench.counts(dead)), (vec!["a2", "a3"], (0, 0, 0)));
    let content = &got[0].content;
    assert_eq!(
        (content.group.as_deref(), content.deduplication.as_deref()),
        (Some("a"), Some("a2"))
    );
    // What was moved is not known by its deduplication id; what was sent still is.
    assert_eq!(send(&bench, live, &["a2"]).await, 0);
}
