//! Receivers that wait: who is served, when, and what happens to one that goes away.

use tidemill_journal::{Fault, Faults, FaultyDriver, Operation};

use super::*;
use crate::refusal::{Error, Refusal};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_waiting_receiver_gets_what_is_sent() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(10, LONG)));
    assert!(poll(&mut receive).is_pending());
    bench.send(queue, &["x", "y"]).await;
    assert_eq!(bodies(&receive.await.unwrap()), ["x", "y"]);
}

#[tokio::test]
async fn a_receiver_that_goes_away_while_it_is_handed_something_gives_it_back() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.send(queue, &["x"]).await;
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(1, LONG)));
    assert!(poll(&mut receive).is_pending());
    assert_eq!(bench.counts(queue), (0, 1, 0));
    drop(receive);
    assert_eq!(bench.counts(queue), (1, 0, 0));
    assert_eq!(bench.take(queue, 1).await[0].receive_count, 1);
}

#[tokio::test]
async fn receivers_are_served_in_the_order_in_which_they_came() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let receive = || Box::pin(bench.engine.receive(queue, waiting(1, LONG)));
    let mut receivers: Vec<_> = (0..5).map(|_| receive()).collect();
    for receiver in &mut receivers {
        assert!(poll(receiver).is_pending());
    }
    bench.send(queue, &["0", "1", "2"]).await;
    let mut idle = receivers.split_off(3);
    for (number, receiver) in receivers.into_iter().enumerate() {
        assert_eq!(bodies(&receiver.await.unwrap()), [number.to_string()]);
    }
    // As many as there are messages, and nobody else.
    assert!(idle.iter_mut().all(|receiver| poll(receiver).is_pending()));
    assert_eq!(bench.engine.metrics().queues[0].waiting_receivers, 2);
}

#[tokio::test]
async fn of_a_thousand_who_wait_one_message_wakes_one() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let receive = || Box::pin(bench.engine.receive(queue, waiting(10, LONG)));
    let mut receivers: Vec<_> = (0..1000).map(|_| receive()).collect();
    assert!(receivers.iter_mut().all(|receiver| poll(receiver).is_pending()));
    bench.send(queue, &["x"]).await;
    assert_eq!(bodies(&receivers.remove(0).await.unwrap()), ["x"]);
    assert_eq!(bench.engine.metrics().queues[0].waiting_receivers, 999);
    bench.advance(LONG);
    for receiver in receivers {
        assert!(receiver.await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_receiver_goes_away_with_nothing_when_its_time_is_up() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(1, LONG)));
    assert!(poll(&mut receive).is_pending());
    bench.advance(19 * SECOND);
    assert!(poll(&mut receive).is_pending());
    bench.advance(SECOND);
    assert!(receive.await.unwrap().is_empty());
    assert_eq!(bench.engine.metrics().queues[0].tally.empty_receives, 1);
}

#[tokio::test]
async fn a_queue_may_say_how_long_to_wait() {
    let bench = Bench::new();
    let change = SettingsChange { receive_wait: Some(SECOND), ..SettingsChange::default() };
    let queue = bench.queue_with("a", change).await;
    let mut receive = Box::pin(bench.engine.receive(queue, Receive::default()));
    assert!(poll(&mut receive).is_pending());
    bench.advance(SECOND);
    assert!(receive.await.unwrap().is_empty());
}

#[tokio::test]
async fn what_becomes_visible_with_time_wakes_a_receiver() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.engine.send(queue, delayed("delayed", 3 * SECOND)).await.unwrap();
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(1, LONG)));
    assert!(poll(&mut receive).is_pending());
    bench.advance(3 * SECOND);
    assert_eq!(bodies(&receive.await.unwrap()), ["delayed"]);
    let mut again = Box::pin(bench.engine.receive(queue, waiting(1, 60 * SECOND)));
    assert!(poll(&mut again).is_pending());
    bench.advance(30 * SECOND);
    assert_eq!(again.await.unwrap()[0].receive_count, 2);
}

#[tokio::test]
async fn what_is_made_visible_wakes_a_receiver() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.send(queue, &["x"]).await;
    let receipt = bench.take(queue, 1).await[0].receipt;
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(1, LONG)));
    assert!(poll(&mut receive).is_pending());
    bench.engine.change_visibility(queue, &[(receipt, Duration::ZERO)]).await.unwrap();
    assert_eq!(bodies(&receive.await.unwrap()), ["x"]);
}

#[tokio::test]
async fn a_receiver_that_went_away_gets_nothing() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(1, LONG)));
    assert!(poll(&mut receive).is_pending());
    drop(receive);
    assert_eq!(bench.engine.metrics().queues[0].waiting_receivers, 0);
    bench.send(queue, &["x"]).await;
    assert_eq!(bodies(&bench.take(queue, 1).await), ["x"]);
}

#[tokio::test]
async fn what_was_handed_to_one_who_went_away_is_visible_again_at_once() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.send(queue, &["x"]).await;
    bench.take(queue, 1).await;
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(1, 60 * SECOND)));
    assert!(poll(&mut receive).is_pending());
    // Handed out here, and never asked for.
    bench.advance(30 * SECOND);
    assert_eq!(bench.counts(queue), (0, 1, 0));
    drop(receive);
    assert_eq!(bench.counts(queue), (1, 0, 0));
    // It does not count as received.
    assert_eq!(bench.take(queue, 1).await[0].receive_count, 2);
}

#[tokio::test]
async fn a_message_given_back_goes_to_the_next_in_line() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.engine.send(queue, delayed("x", SECOND)).await.unwrap();
    let receive = || Box::pin(bench.engine.receive(queue, waiting(1, LONG)));
    let (mut first, mut second) = (receive(), receive());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    bench.advance(SECOND);
    drop(first);
    let got = second.await.unwrap();
    assert_eq!((bodies(&got), got[0].receive_count), (vec!["x"], 1));
}

#[tokio::test]
async fn those_who_wait_at_a_removed_queue_are_told() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(1, LONG)));
    assert!(poll(&mut receive).is_pending());
    bench.engine.remove(queue).await.unwrap();
    assert!(matches!(receive.await, Err(Error::Refused(Refusal::NoSuchQueue))));
}

#[tokio::test]
async fn shutting_down_wakes_everybody() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let running = tokio::spawn(bench.engine.clone().run());
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(1, LONG)));
    assert!(poll(&mut receive).is_pending());
    bench.engine.shut_down().await.unwrap();
    assert!(receive.await.unwrap().is_empty());
    running.await.unwrap();
    assert!(bench.engine.send(queue, message("late")).await.is_err());
}

/// Lets a stalled disk go on, so that a failing test ends.
struct Resume(Faults);

impl Drop for Resume {
    fn drop(&mut self) {
        self.0.resume();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_durable_is_not_visible() {
    let faults = Faults::none();
    let clock = Clock::manual(START);
    let engine = open(FaultyDriver::new(MemoryDriver::new(), &faults), &clock);
    let queue = engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
    let _resumed_whatever_happens = Resume(faults.clone());
    faults.plan(Operation::Sync, 0, Fault::Stall);
    let mut send = Box::pin(engine.send(queue, message("x")));
    assert!(poll(&mut send).is_pending());
    faults.wait_stalled();
    let mut receive = Box::pin(engine.receive(queue, waiting(1, LONG)));
    assert!(poll(&mut receive).is_pending());
    assert!(engine.peek(queue, None, 10).unwrap().is_empty());
    assert_eq!(engine.describe(queue).unwrap().counts.visible, 0);
    faults.resume();
    assert_eq!(bodies(&receive.await.unwrap()), ["x"]);
    send.await.unwrap();
}

#[tokio::test]
async fn a_running_engine_keeps_real_time() {
    let engine = open(MemoryDriver::new(), &Clock::system());
    let running = tokio::spawn(engine.clone().run());
    let queue = engine.create(key("a"), SettingsChange::default(), Tags::new()).await.unwrap().id;
    let wait = Duration::from_millis(20);
    assert!(engine.receive(queue, waiting(1, wait)).await.unwrap().is_empty());
    engine.shut_down().await.unwrap();
    running.await.unwrap();
}

/// Producers and consumers at once, and consumers that lose patience at any moment. No time
/// passes, so a message that got stuck would stay in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn impatient_receivers_lose_no_message() {
    const EACH: usize = 400;
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    let consumers: Vec<_> = (0..8)
        .map(|seed| tokio::spawn(consume(bench.engine.clone(), queue, Chance::seeded(seed))))
        .collect();
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let engine = bench.engine.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    engine.send(queue, message(&number.to_string())).await.unwrap();
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
    let all_deleted = || bench.engine.metrics().queues[0].tally.deleted == 4 * EACH as u64;
    let mut patience = 5_000_000;
    while !all_deleted() && patience > 0 {
        patience -= 1;
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.counts(queue), (0, 0, 0));
    bench.engine.remove(queue).await.unwrap();
    for consumer in consumers {
        consumer.await.unwrap();
    }
}

/// Receives and deletes until the queue is removed.
async fn consume(engine: Engine, queue: QueueId, dice: Chance) {
    loop {
        let max = u8::try_from(1 + dice.number() % 3).unwrap();
        let patience = dice.number() % 8;
        let lose_patience = async {
            for _ in 0..patience {
                tokio::task::yield_now().await;
            }
        };
        let received = tokio::select! {
            received = engine.receive(queue, waiting(max, LONG)) => received,
            () = lose_patience => continue,
        };
        let Ok(got) = received else { return };
        assert!(got.iter().all(|one| one.receive_count == 1), "nothing was received twice");
        let receipts: Vec<_> = got.iter().map(|one| one.receipt).collect();
        engine.delete(queue, &receipts).await.unwrap();
    }
}
