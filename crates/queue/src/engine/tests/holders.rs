//! Who has how many messages, and who is given no more.

use std::pin::Pin;

use super::dead_letters::redriving;
use super::*;
use crate::holder::Holder;
use crate::refusal::Error;
use crate::settings::Discipline;

type Asked<'a> = Pin<Box<dyn Future<Output = Result<Vec<Delivery>, Error>> + 'a>>;

fn worker(number: u64) -> Holder {
    Holder::from_u64(number).unwrap()
}

impl Bench {
    /// What a worker is given at once.
    async fn give(&self, queue: QueueId, number: u64, max: u8) -> Vec<Delivery> {
        let holder = Some(worker(number));
        let ask = Receive { max, holder, wait: Some(Duration::ZERO), ..Receive::default() };
        self.engine.receive(queue, ask).await.unwrap()
    }

    fn held(&self, number: u64) -> usize {
        self.engine.held(worker(number))
    }

    /// A receive of a worker that waits for up to 20 seconds.
    fn ask(&self, queue: QueueId, number: u64) -> Asked<'_> {
        let ask = Receive { holder: Some(worker(number)), ..waiting(1, 20 * SECOND) };
        Box::pin(self.engine.receive(queue, ask))
    }

    /// A worker was handed a message, and its answer has not left yet.
    async fn handed(&self, number: u64) -> (QueueId, Asked<'_>) {
        let queue = self.queue("q").await;
        let mut one = self.ask(queue, number);
        assert!(poll(&mut one).is_pending());
        self.send(queue, &["a"]).await;
        assert_eq!(self.counts(queue), (0, 1, 0));
        (queue, one)
    }
}

#[tokio::test]
async fn what_a_worker_has_is_counted_in_all_queues_until_it_is_deleted() {
    let bench = Bench::new();
    let (one, other) = (bench.queue("one").await, bench.queue("other").await);
    for queue in [one, other] {
        bench.send(queue, &["a", "b", "c", "d"]).await;
    }
    let got = bench.give(one, 7, 3).await;
    bench.give(other, 7, 1).await;
    bench.give(other, 8, 2).await;
    bench.take(other, 1).await;
    assert_eq!(bench.engine.holders(), [(worker(7), 4), (worker(8), 2)].into());
    let receipts: Vec<_> = got[..2].iter().map(|one| one.receipt).collect();
    bench.engine.delete(one, &receipts).await.unwrap();
    assert_eq!((bench.held(7), bench.held(8)), (2, 2));
    bench.engine.remove(other).await.unwrap();
    assert_eq!(bench.engine.holders(), [(worker(7), 1)].into());
    bench.engine.purge(one).await.unwrap();
    assert_eq!(bench.engine.holders(), [].into());
}

#[tokio::test]
async fn what_is_visible_again_is_nobodys_and_then_the_next_ones() {
    let bench = Bench::new();
    let queue = bench.queue("q").await;
    bench.send(queue, &["a", "b", "c"]).await;
    let got = bench.give(queue, 7, 3).await;
    let change = [(got[0].receipt, Duration::ZERO), (got[1].receipt, 60 * SECOND)];
    bench.engine.change_visibility(queue, &change).await.unwrap();
    assert_eq!(bench.held(7), 2);
    bench.advance(30 * SECOND);
    assert_eq!(bench.held(7), 1);
    assert_eq!(bench.give(queue, 8, 10).await.len(), 2);
    assert_eq!((bench.held(7), bench.held(8)), (1, 2));
    // It works on it still: but it is the other's who received it since.
    bench.engine.change_visibility(queue, &[(got[0].receipt, 60 * SECOND)]).await.unwrap();
    assert_eq!((bench.held(7), bench.held(8)), (1, 2));
    bench.advance(60 * SECOND);
    assert_eq!(bench.engine.holders(), [].into());
    bench.engine.change_visibility(queue, &[(got[1].receipt, 60 * SECOND)]).await.unwrap();
    assert_eq!(bench.engine.holders(), [(worker(7), 1)].into());
}

#[tokio::test]
async fn a_dead_letter_is_nobodys() {
    let bench = Bench::new();
    let dead = bench.queue("dead").await;
    let queue = bench.queue_with("q", redriving("dead", 1)).await;
    bench.send(queue, &["a"]).await;
    bench.give(queue, 7, 1).await;
    bench.advance(31 * SECOND);
    assert_eq!(bench.give(queue, 7, 1).await.len(), 0);
    assert_eq!(bench.counts(dead), (1, 0, 0));
    assert_eq!(bench.held(7), 0);
    bench.give(dead, 8, 1).await;
    assert_eq!(bench.engine.holders(), [(worker(8), 1)].into());
}

#[tokio::test]
async fn one_that_drains_is_given_nothing_and_what_it_has_only_falls() {
    let bench = Bench::new();
    let queue = bench.queue("q").await;
    bench.send(queue, &["a", "b", "c"]).await;
    let got = bench.give(queue, 7, 1).await;
    bench.engine.drain(worker(7), true);
    assert_eq!(bench.engine.draining(), [worker(7)].into());
    assert_eq!(bench.give(queue, 7, 1).await, []);
    assert_eq!(bench.held(7), 1);
    assert_eq!(bench.give(queue, 8, 1).await.len(), 1);
    bench.engine.delete(queue, &[got[0].receipt]).await.unwrap();
    assert_eq!((bench.held(7), bench.held(8)), (0, 1));
    bench.engine.drain(worker(7), false);
    assert_eq!(bench.engine.draining(), [].into());
    assert_eq!(bench.give(queue, 7, 1).await.len(), 1);
}

#[tokio::test]
async fn to_one_that_drains_each_queue_is_empty_and_it_waits_as_long_as_there() {
    let bench = Bench::new();
    let queue = bench.queue("q").await;
    let mut before = bench.ask(queue, 7);
    assert!(poll(&mut before).is_pending());
    bench.engine.drain(worker(7), true);
    bench.send(queue, &["a"]).await;
    let mut after = bench.ask(queue, 7);
    assert!(poll(&mut before).is_pending() && poll(&mut after).is_pending());
    assert_eq!(bench.give(queue, 8, 1).await.len(), 1);
    bench.advance(20 * SECOND);
    assert_eq!((before.await.unwrap(), after.await.unwrap()), (vec![], vec![]));
    assert_eq!((bench.held(7), bench.held(8)), (0, 1));
}

#[tokio::test]
async fn others_wait_on_and_one_that_drains_no_more_is_back_at_its_place() {
    let bench = Bench::new();
    let queue = bench.queue("q").await;
    let (mut one, mut other) = (bench.ask(queue, 7), bench.ask(queue, 8));
    assert!(poll(&mut one).is_pending() && poll(&mut other).is_pending());
    bench.engine.drain(worker(7), true);
    bench.send(queue, &["a"]).await;
    assert_eq!(other.await.unwrap().len(), 1);
    let mut other = bench.ask(queue, 8);
    assert!(poll(&mut one).is_pending() && poll(&mut other).is_pending());
    bench.engine.drain(worker(7), false);
    bench.send(queue, &["b"]).await;
    assert_eq!(one.await.unwrap().len(), 1);
    assert!(poll(&mut other).is_pending());
}

#[tokio::test]
async fn one_that_drains_no_more_is_given_at_once_what_came_meanwhile() {
    let bench = Bench::new();
    let queue = bench.queue("q").await;
    bench.engine.drain(worker(7), true);
    let mut one = bench.ask(queue, 7);
    assert!(poll(&mut one).is_pending());
    bench.send(queue, &["a"]).await;
    bench.engine.drain(worker(7), false);
    assert_eq!(one.await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_handed_over_before_the_drain_is_counted_though_it_has_not_left() {
    let bench = Bench::new();
    let (_, one) = bench.handed(7).await;
    bench.engine.drain(worker(7), true);
    assert_eq!(bench.held(7), 1);
    assert_eq!(one.await.unwrap().len(), 1);
    assert_eq!(bench.held(7), 1);
}

#[tokio::test]
async fn whoever_goes_away_before_its_answer_has_nothing() {
    let bench = Bench::new();
    let (queue, one) = bench.handed(7).await;
    assert_eq!(bench.held(7), 1);
    drop(one);
    assert_eq!(bench.held(7), 0);
    assert_eq!(bench.counts(queue), (1, 0, 0));
}

#[tokio::test]
async fn who_repeats_a_receive_has_what_it_gave() {
    let bench = Bench::new();
    let fifo = Some(Discipline::Fifo);
    let settings = SettingsChange { discipline: fifo, ..SettingsChange::default() };
    let queue = bench.queue_with("q.fifo", settings).await;
    bench.send(queue, &["a", "b"]).await;
    let ask = |number| Receive {
        max: 10,
        attempt: Some("x".into()),
        holder: Some(worker(number)),
        ..Receive::default()
    };
    assert_eq!(bench.engine.receive(queue, ask(7)).await.unwrap().len(), 2);
    assert_eq!(bench.engine.receive(queue, ask(8)).await.unwrap().len(), 2);
    assert_eq!(bench.engine.holders(), [(worker(8), 2)].into());
    // What is durable after it makes the receive so.
    bench.send(queue, &["c"]).await;
    let bench = bench.crash();
    assert_eq!(bench.engine.holders(), [(worker(8), 2)].into());
}

#[tokio::test]
async fn who_has_what_is_known_after_a_restart_from_the_log_and_from_a_section() {
    let bench = Bench::new();
    let dead = bench.queue("dead").await;
    let queue = bench.queue_with("q", redriving("dead", 1)).await;
    bench.send(queue, &["a", "b", "c", "d"]).await;
    bench.give(queue, 7, 1).await;
    bench.advance(31 * SECOND);
    bench.give(queue, 7, 2).await;
    bench.give(dead, 8, 1).await;
    bench.take(queue, 1).await;
    let expected = [(worker(7), 2), (worker(8), 1)].into();
    assert_eq!(bench.engine.holders(), expected);
    // What is durable after it makes the receive so.
    bench.send(queue, &["e"]).await;
    let bench = bench.crash();
    assert_eq!(bench.engine.holders(), expected);
    bench.engine.shut_down().await.unwrap();
    let bench = bench.crash();
    assert_eq!(bench.engine.holders(), expected);
    // Who drains is told again by whoever wants it.
    assert_eq!(bench.give(queue, 7, 1).await.len(), 1);
    bench.advance(60 * SECOND);
    assert_eq!(bench.engine.holders(), [].into());
}
