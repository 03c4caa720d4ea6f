//! FIFO queues: order in a group, groups beside each other, nothing twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::message::Sent;
use crate::receipt::Receipt;
use crate::refusal::{IN_FLIGHT_LIMIT, Refusal};
use crate::settings::{Discipline, Scope};

const LONG: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_mins(1);

fn fifo() -> SettingsChange {
    SettingsChange { discipline: Some(Discipline::Fifo), ..SettingsChange::default() }
}

fn of(group: &str, body: &str) -> NewMessage {
    let mut new = message(body);
    new.content.group = Some(group.into());
    new
}

fn once(group: &str, body: &str, id: &str) -> NewMessage {
    let mut new = of(group, body);
    new.content.deduplication = Some(id.into());
    new
}

/// Sends messages that are named by their group and a number: `a1`.
async fn send(bench: &Bench, queue: QueueId, names: &[&str]) {
    let messages = names.iter().map(|name| of(&name[..1], name)).collect();
    bench.engine.send_batch(queue, messages).await.unwrap();
}

async fn hide(bench: &Bench, queue: QueueId, receipt: Receipt, hidden: Duration) {
    let answers = bench.engine.change_visibility(queue, &[(receipt, hidden)]).await.unwrap();
    assert_eq!(answers, [Ok(())]);
}

async fn delete(bench: &Bench, queue: QueueId, receipt: Receipt) -> Result<(), Refusal> {
    bench.engine.delete(queue, &[receipt]).await.unwrap().remove(0)
}

fn attempt(name: &str) -> Receive {
    Receive { max: 10, attempt: Some(name.into()), ..Receive::default() }
}

#[tokio::test]
async fn one_receive_takes_a_whole_group_and_the_group_goes_to_the_back() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1", "b1", "a2", "a3", "c1"]).await;
    let first = bench.take(queue, 4).await;
    assert_eq!(bodies(&first), ["a1", "a2", "a3", "b1"]);
    for one in &first {
        hide(&bench, queue, one.receipt, Duration::ZERO).await;
    }
    assert_eq!(bodies(&bench.take(queue, 10).await), ["c1", "a1", "a2", "a3", "b1"]);
}

#[tokio::test]
async fn what_is_in_flight_locks_what_comes_after_it_in_its_group_alone() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1", "a2", "a3", "b1"]).await;
    let out = bench.take(queue, 2).await;
    assert_eq!(bodies(&out), ["a1", "a2"]);
    assert_eq!(bodies(&bench.take(queue, 10).await), ["b1"]);
    // One of the two does not unlock it, whichever.
    assert_eq!(delete(&bench, queue, out[0].receipt).await, Ok(()));
    assert!(bench.take(queue, 10).await.is_empty());
    assert_eq!(delete(&bench, queue, out[1].receipt).await, Ok(()));
    assert_eq!(bodies(&bench.take(queue, 10).await), ["a3"]);
}

#[tokio::test]
async fn what_was_not_deleted_in_time_comes_back_in_its_order() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1", "a2", "a3", "a4"]).await;
    let out = bench.take(queue, 3).await;
    hide(&bench, queue, out[1].receipt, MINUTE).await;
    bench.advance(30 * SECOND);
    // What was extended blocks itself and all after it.
    let again = bench.take(queue, 10).await;
    assert_eq!((bodies(&again), again[0].receive_count), (vec!["a1"], 2));
    bench.advance(30 * SECOND);
    assert_eq!(bodies(&bench.take(queue, 10).await), ["a1", "a2", "a3", "a4"]);
}

#[tokio::test]
async fn a_message_that_was_made_visible_is_so_alone() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1", "a2", "a3"]).await;
    let out = bench.take(queue, 2).await;
    hide(&bench, queue, out[0].receipt, Duration::ZERO).await;
    assert_eq!(bodies(&bench.take(queue, 10).await), ["a1"]);
}

#[tokio::test]
async fn a_receipt_deletes_only_while_its_receive_lasts() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1"]).await;
    let first = bench.take(queue, 1).await[0].receipt;
    bench.advance(30 * SECOND);
    assert_eq!(delete(&bench, queue, first).await, Err(Refusal::ReceiptExpired));
    let second = bench.take(queue, 1).await[0].receipt;
    // It is somebody else's now.
    assert_eq!(delete(&bench, queue, first).await, Err(Refusal::ReceiptExpired));
    let stolen = bench.engine.change_visibility(queue, &[(first, Duration::ZERO)]).await.unwrap();
    assert_eq!(stolen, [Err(Refusal::MessageGone)]);
    assert_eq!(delete(&bench, queue, second).await, Ok(()));
    // What is gone is gone, whoever asks.
    assert_eq!(delete(&bench, queue, second).await, Ok(()));
    assert_eq!(delete(&bench, queue, first).await, Ok(()));
}

#[tokio::test]
async fn a_duplicate_answers_with_the_original_for_five_minutes() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    let first = bench.engine.send(queue, once("a", "x", "1")).await.unwrap();
    assert!(!first.duplicate);
    let receipt = bench.take(queue, 1).await[0].receipt;
    assert_eq!(delete(&bench, queue, receipt).await, Ok(()));
    // The message is gone, the memory of it is not; nor does it matter which group it is of.
    bench.advance(299 * SECOND);
    let again = bench.engine.send(queue, once("b", "y", "1")).await.unwrap();
    assert_eq!(again, Sent { duplicate: true, ..first });
    assert_eq!(bench.counts(queue), (0, 0, 0));
    // Counted from the first one.
    bench.advance(SECOND);
    let new = bench.engine.send(queue, once("a", "z", "1")).await.unwrap();
    assert!(!new.duplicate && new.sequence > first.sequence);
    let tally = bench.engine.metrics().queues[0].tally;
    assert_eq!((tally.sent, tally.sent_bytes, tally.deduplicated), (2, 2, 1));
}

#[tokio::test]
async fn of_a_batch_that_repeats_itself_only_the_new_ones_are_stored() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    bench.engine.send(queue, once("a", "0", "zero")).await.unwrap();
    let batch = [("1", "one"), ("0", "zero"), ("2", "two"), ("1 again", "one"), ("3", "three")];
    let messages = batch.map(|(body, id)| once("a", body, id)).into();
    let sent = bench.engine.send_batch(queue, messages).await.unwrap();
    let duplicates: Vec<_> = sent.iter().map(|one| one.duplicate).collect();
    assert_eq!(duplicates, [false, true, false, true, false]);
    assert_eq!((sent[3].id, sent[3].sequence), (sent[0].id, sent[0].sequence));
    let got = bench.take(queue, 10).await;
    assert_eq!(bodies(&got), ["0", "1", "2", "3"]);
    assert_eq!(got[1].content.deduplication.as_deref(), Some("one"));
    assert_eq!((got[1].id, got[3].id), (sent[0].id, sent[4].id));
}

#[tokio::test]
async fn duplicates_are_known_after_a_crash_and_after_a_checkpoint() {
    let mut bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    let first = bench.engine.send(queue, once("a", "x", "1")).await.unwrap();
    bench = bench.crash();
    let again = bench.engine.send(queue, once("a", "x", "1")).await.unwrap();
    assert_eq!(again, Sent { duplicate: true, ..first });
    for number in 0..600 {
        bench.engine.send(queue, of("a", &format!("{number}-{}", "x".repeat(1000)))).await.unwrap();
    }
    bench.engine.shut_down().await.unwrap();
    bench = bench.crash();
    let again = bench.engine.send(queue, once("a", "x", "1")).await.unwrap();
    assert_eq!(again, Sent { duplicate: true, ..first });
    assert_eq!(bodies(&bench.take(queue, 1).await), ["x"]);
}

#[tokio::test]
async fn a_purge_forgets_what_was_sent() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    bench.engine.send(queue, once("a", "x", "1")).await.unwrap();
    bench.take(queue, 1).await;
    bench.engine.purge(queue).await.unwrap();
    assert!(!bench.engine.send(queue, once("a", "y", "1")).await.unwrap().duplicate);
    assert_eq!(bodies(&bench.take(queue, 10).await), ["y"]);
}

#[tokio::test]
async fn what_a_duplicate_is_was_settled_when_the_queue_was_made() {
    let bench = Bench::new();
    let scope = |scope| SettingsChange { deduplication_scope: Some(scope), ..fifo() };
    let queue = bench.queue_with("a.fifo", scope(Scope::Group)).await;
    bench.engine.configure(queue, scope(Scope::Queue)).await.unwrap();
    let shown = bench.engine.settings(queue).unwrap();
    assert_eq!(shown.deduplication_scope, Scope::Queue);
    let bench = bench.crash();
    let mut sent = Vec::new();
    for group in ["a", "b", "a"] {
        sent.push(bench.engine.send(queue, once(group, "x", "1")).await.unwrap().duplicate);
    }
    assert_eq!(sent, [false, false, true]);
}

#[tokio::test]
async fn a_queue_that_is_sent_nothing_forgets_all_it_was_sent() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    bench.engine.send(queue, once("a", "x", "1")).await.unwrap();
    let lapses =
        || bench.engine.0.lock().machine.queue(queue.number).unwrap().stock.fifo()?.lapses();
    assert_eq!(lapses(), Some(START + 5 * MINUTE));
    bench.advance(5 * MINUTE);
    assert_eq!(lapses(), None);
}

#[tokio::test]
async fn a_receive_that_is_asked_again_gives_the_same_again() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1", "a2", "b1"]).await;
    let first = bench.engine.receive(queue, attempt("x")).await.unwrap();
    bench.advance(20 * SECOND);
    // A receive is durable with whatever is next.
    send(&bench, queue, &["b2"]).await;
    let bench = bench.crash();
    let again = bench.engine.receive(queue, attempt("x")).await.unwrap();
    assert_eq!(again, first);
    // Its visibility began anew.
    bench.advance(29 * SECOND);
    assert!(bench.take(queue, 10).await.is_empty());
    assert!(bench.engine.receive(queue, attempt("y")).await.unwrap().is_empty());
    bench.advance(SECOND);
    let late = bench.engine.receive(queue, attempt("x")).await.unwrap();
    assert_eq!((bodies(&late[..3]), late[0].receive_count), (bodies(&first), 2));
}

#[tokio::test]
async fn who_waits_is_served_when_a_receive_that_was_asked_again_ends_sooner() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1"]).await;
    bench.engine.receive(queue, attempt("x")).await.unwrap();
    let ask = waiting(1, 20 * SECOND);
    let mut waiter = Box::pin(bench.engine.receive(queue, ask.clone()));
    assert!(poll(&mut waiter).is_pending());
    let short = Receive { visibility: Some(3 * SECOND), ..attempt("x") };
    assert_eq!(bodies(&bench.engine.receive(queue, short).await.unwrap()), ["a1"]);
    bench.advance(3 * SECOND);
    // Nobody but the clock moved anything.
    assert_eq!(bench.engine.0.lock().replies.len(), 0);
    assert_eq!(bodies(&waiter.await.unwrap()), ["a1"]);
    bench.advance(MINUTE);
    let again = Receive { visibility: Some(Duration::ZERO), ..attempt("y") };
    let short = Receive { visibility: Some(SECOND), ..attempt("y") };
    bench.engine.receive(queue, short).await.unwrap();
    let mut waiter = Box::pin(bench.engine.receive(queue, ask));
    assert!(poll(&mut waiter).is_pending());
    bench.engine.receive(queue, again).await.unwrap();
    assert_eq!(bodies(&waiter.await.unwrap()), ["a1"]);
}

#[tokio::test]
async fn a_receive_is_not_given_again_once_anything_happened_to_its_messages() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1", "a2", "b1"]).await;
    let first = bench.engine.receive(queue, attempt("x")).await.unwrap();
    assert_eq!(first.len(), 3);
    assert_eq!(delete(&bench, queue, first[2].receipt).await, Ok(()));
    assert!(bench.engine.receive(queue, attempt("x")).await.unwrap().is_empty());
    hide(&bench, queue, first[0].receipt, Duration::ZERO).await;
    let next = bench.engine.receive(queue, attempt("x")).await.unwrap();
    assert_eq!((bodies(&next), next[0].receive_count), (vec!["a1"], 2));
    // More than five minutes are too many.
    hide(&bench, queue, next[0].receipt, 10 * MINUTE).await;
    send(&bench, queue, &["c1"]).await;
    let long = Receive { visibility: Some(10 * MINUTE), ..attempt("z") };
    assert_eq!(bodies(&bench.engine.receive(queue, long).await.unwrap()), ["c1"]);
    bench.advance(299 * SECOND);
    assert_eq!(bodies(&bench.engine.receive(queue, attempt("z")).await.unwrap()), ["c1"]);
    bench.advance(SECOND);
    assert!(bench.engine.receive(queue, attempt("z")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_queues_delay_holds_back_every_message() {
    let bench = Bench::new();
    let delay = |seconds| SettingsChange { delay: Some(seconds * SECOND), ..fifo() };
    let queue = bench.queue_with("a.fifo", delay(5)).await;
    send(&bench, queue, &["a1", "b1"]).await;
    assert_eq!(bench.counts(queue), (0, 0, 2));
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(10, LONG)));
    assert!(poll(&mut receive).is_pending());
    bench.advance(5 * SECOND);
    assert_eq!(bodies(&receive.await.unwrap()), ["a1", "b1"]);
    // A shorter delay counts for those that wait already.
    send(&bench, queue, &["c1"]).await;
    bench.engine.configure(queue, delay(0)).await.unwrap();
    assert_eq!(bodies(&bench.take(queue, 10).await), ["c1"]);
}

#[tokio::test]
async fn a_group_that_unlocks_wakes_a_receiver() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1", "a2", "a3", "a4"]).await;
    let wait = || Box::pin(bench.engine.receive(queue, waiting(1, 2 * LONG)));
    let first = bench.take(queue, 1).await[0].receipt;
    let mut receive = wait();
    assert!(poll(&mut receive).is_pending());
    assert_eq!(delete(&bench, queue, first).await, Ok(()));
    let second = receive.await.unwrap();
    assert_eq!(bodies(&second), ["a2"]);
    let mut receive = wait();
    assert!(poll(&mut receive).is_pending());
    hide(&bench, queue, second[0].receipt, Duration::ZERO).await;
    assert_eq!(bodies(&receive.await.unwrap()), ["a2"]);
    let mut receive = wait();
    assert!(poll(&mut receive).is_pending());
    bench.advance(30 * SECOND);
    assert_eq!(receive.await.unwrap()[0].receive_count, 3);
}

#[tokio::test]
async fn a_group_whose_receiver_went_away_goes_to_the_next_in_its_order() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1", "a2"]).await;
    let out = bench.take(queue, 10).await;
    let receive = || Box::pin(bench.engine.receive(queue, waiting(10, 2 * LONG)));
    let (mut first, mut second) = (receive(), receive());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    bench.advance(30 * SECOND);
    drop(first);
    let got = second.await.unwrap();
    assert_eq!(bodies(&got), bodies(&out));
    assert!(got.iter().all(|one| one.receive_count == 2));
}

#[tokio::test]
async fn what_grew_too_old_unlocks_its_group() {
    let bench = Bench::new();
    let change = SettingsChange { retention: Some(MINUTE), ..fifo() };
    let queue = bench.queue_with("a.fifo", change).await;
    send(&bench, queue, &["a1"]).await;
    let ask = Receive { visibility: Some(10 * MINUTE), ..Receive::default() };
    bench.engine.receive(queue, ask).await.unwrap();
    bench.advance(30 * SECOND);
    send(&bench, queue, &["a2"]).await;
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(1, MINUTE)));
    assert!(poll(&mut receive).is_pending());
    bench.advance(30 * SECOND);
    assert_eq!(bodies(&receive.await.unwrap()), ["a2"]);
}

#[tokio::test]
async fn at_the_limit_a_receive_gets_nothing_and_is_told_nothing() {
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    for thousand in 0..=IN_FLIGHT_LIMIT / 1000 {
        let of_its_own = |number: usize| of(&(thousand * 1000 + number).to_string(), "x");
        bench.engine.send_batch(queue, (0..1000).map(of_its_own).collect()).await.unwrap();
    }
    let ask = Receive { max: 250, ..Receive::default() };
    let mut out = 0;
    while out < IN_FLIGHT_LIMIT {
        out += bench.engine.receive(queue, ask.clone()).await.unwrap().len();
    }
    assert_eq!(out, IN_FLIGHT_LIMIT);
    assert!(bench.take(queue, 10).await.is_empty());
    let counts = bench.engine.describe(queue).unwrap().counts;
    assert_eq!((counts.visible, counts.groups_in_flight), (1000, IN_FLIGHT_LIMIT));
}

#[tokio::test]
async fn groups_survive_a_crash_in_their_line_and_a_checkpoint_too() {
    let mut bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    send(&bench, queue, &["a1", "b1", "a2", "c1", "b2"]).await;
    let out = bench.take(queue, 1).await;
    assert_eq!(bodies(&out), ["a1"]);
    // A receive is durable with whatever is next.
    send(&bench, queue, &["d1"]).await;
    for round in 0..2 {
        if round == 1 {
            bench.engine.shut_down().await.unwrap();
        }
        bench = bench.crash();
        assert_eq!(bench.counts(queue), (5, 1, 0));
    }
    bench.advance(30 * SECOND);
    assert_eq!(bodies(&bench.take(queue, 10).await), ["b1", "b2", "c1", "a1", "a2", "d1"]);
    let seen = bench.engine.peek(queue, None, 3).unwrap();
    assert!(seen.iter().map(|one| one.content.group.as_deref().unwrap()).eq(["a", "b", "a"]));
}

/// Producers, and consumers that lose patience at any moment: what is received of a group is
/// received in its order, and once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn impatient_receivers_keep_every_group_in_order() {
    const EACH: u32 = 150;
    let bench = Bench::new();
    let queue = bench.queue_with("a.fifo", fifo()).await;
    let seen: Arc<Mutex<BTreeMap<String, Vec<u32>>>> = Arc::default();
    let consumers: Vec<_> = (0..8)
        .map(|seed| {
            let (engine, seen) = (bench.engine.clone(), Arc::clone(&seen));
            tokio::spawn(consume(engine, queue, Chance::seeded(seed), seen))
        })
        .collect();
    let producers: Vec<_> = (0..5)
        .map(|group: u32| {
            let engine = bench.engine.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let new = of(&group.to_string(), &number.to_string());
                    engine.send(queue, new).await.unwrap();
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
    let mut patience = 5_000_000;
    let deleted = || bench.engine.metrics().queues[0].tally.deleted;
    while deleted() < u64::from(5 * EACH) && patience > 0 {
        patience -= 1;
        tokio::task::yield_now().await;
    }
    bench.engine.remove(queue).await.unwrap();
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 5);
    assert!(seen.values().all(|numbers| numbers.iter().copied().eq(0..EACH)));
}

/// Receives, notes what it got, and deletes, until the queue is removed.
async fn consume(
    engine: Engine,
    queue: QueueId,
    dice: Chance,
    seen: Arc<Mutex<BTreeMap<String, Vec<u32>>>>,
) {
    loop {
        let patience = dice.number() % 8;
        let lose_patience = async {
            for _ in 0..patience {
                tokio::task::yield_now().await;
            }
        };
        let received = tokio::select! {
            received = engine.receive(queue, waiting(3, LONG)) => received,
            () = lose_patience => continue,
        };
        let Ok(got) = received else { return };
        for one in &got {
            let number = str::from_utf8(&one.content.body).unwrap().parse().unwrap();
            let group = one.content.group.clone().unwrap();
            seen.lock().unwrap().entry(group).or_default().push(number);
        }
        let receipts: Vec<_> = got.iter().map(|one| one.receipt).collect();
        let answers = engine.delete(queue, &receipts).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
    }
}
