//! What nobody wants goes to the dead-letter queue: once, whole, and with its past.

use tidemill_journal::{Faults, FaultyDriver};

use super::*;
use crate::redrive::{DEAD_LETTER_EXPIRED, DEAD_LETTER_EXPIRED_TAG, Redrive};

const HOUR: Duration = Duration::from_hours(1);

/// Settings of a queue whose dead letters go to the one that is called `target`.
pub(super) fn redriving(target: &str, max_receives: u32) -> SettingsChange {
    let redrive = Redrive { target: key(target), max_receives };
    SettingsChange { redrive: Some(Some(redrive)), ..SettingsChange::default() }
}

pub(super) fn keeping_expired() -> Tags {
    Tags::from([(DEAD_LETTER_EXPIRED_TAG.into(), DEAD_LETTER_EXPIRED.into())])
}

impl Bench {
    /// A dead-letter queue and one that leaves its dead letters there.
    pub(super) async fn pair(&self, max_receives: u32) -> (QueueId, QueueId) {
        let dead = self.queue("dead").await;
        (dead, self.queue_with("live", redriving("dead", max_receives)).await)
    }

    /// Receives everything, and lets it come back a second later.
    pub(super) async fn receive_in_vain(&self, queue: QueueId) -> usize {
        let ask = Receive { max: 10, visibility: Some(SECOND), ..Receive::default() };
        let mut received = 0;
        for _ in 0..self.counts(queue).0.div_ceil(10) {
            received += self.engine.receive(queue, ask.clone()).await.unwrap().len();
        }
        self.advance(SECOND);
        received
    }

    /// Receives without waiting once everything that was done is durable.
    pub(super) async fn take_durable(&self, queue: QueueId, max: u8) -> Vec<Delivery> {
        self.settle().await;
        self.take(queue, max).await
    }

    pub(super) async fn settle(&self) {
        let journal = &self.engine.0.journal;
        journal.durable_at(journal.end()).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_received_too_often_goes_to_the_dead_letter_queue_with_its_past() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(2).await;
    bench.send(live, &["bad"]).await;
    bench.advance(SECOND);
    bench.send(live, &["good"]).await;
    let first = bench.take(live, 1).await.remove(0);
    bench.advance(30 * SECOND);
    assert_eq!(bodies(&bench.take(live, 10).await), ["bad", "good"]);
    let good = bench.engine.peek(live, None, 10).unwrap()[1].sequence;
    bench.advance(30 * SECOND);
    let got = bench.take(live, 10).await;
    assert_eq!((bodies(&got), got[0].sequence), (vec!["good"], good));
    // It is there once the receive that it was in the way of has its answer.
    let got = bench.take(dead, 10).await;
    assert_eq!(bodies(&got), ["bad"]);
    let dead_letter = &got[0];
    assert_eq!(dead_letter.id, first.id);
    assert_eq!(dead_letter.receive_count, 3);
    assert_eq!((dead_letter.sent, dead_letter.first_received), (START, first.first_received));
    assert_eq!(dead_letter.source, Some(key("live")));
    assert_eq!((bench.counts(live), bench.counts(dead)), ((0, 1, 0), (0, 1, 0)));
    let tally = |queue: usize| bench.engine.metrics().queues[queue].tally;
    assert_eq!((tally(0).sent, tally(1).sent), (0, 2));
}

#[tokio::test]
async fn in_a_chain_of_dead_letter_queues_each_counts_for_itself() {
    let bench = Bench::new();
    let last = bench.queue("last").await;
    let dead = bench.queue_with("dead", redriving("last", 2)).await;
    let live = bench.queue_with("live", redriving("dead", 2)).await;
    bench.send(live, &["bad"]).await;
    for queue in [live, live, dead, dead] {
        if queue == dead {
            assert_eq!(bench.take(live, 1).await, []);
        }
        assert_eq!(bench.receive_in_vain(queue).await, 1);
    }
    bench.settle().await;
    let bench = bench.crash();
    assert_eq!(bench.take(dead, 1).await, []);
    let got = bench.take(last, 1).await;
    assert_eq!((bodies(&got), got[0].receive_count), (vec!["bad"], 5));
}

#[tokio::test]
async fn who_waits_at_the_dead_letter_queue_is_woken_and_knows_the_source_after_it_is_gone() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    bench.send(live, &["x"]).await;
    assert_eq!(bench.receive_in_vain(live).await, 1);
    let mut waits = Box::pin(bench.engine.receive(dead, waiting(10, 20 * SECOND)));
    assert!(poll(&mut waits).is_pending());
    assert!(bench.take(live, 10).await.is_empty());
    let got = waits.await.unwrap();
    bench.engine.remove(live).await.unwrap();
    assert_eq!((bodies(&got), got[0].source.clone()), (vec!["x"], Some(key("live"))));
    let bench = bench.crash();
    bench.advance(30 * SECOND);
    assert_eq!(bench.take(dead, 1).await[0].source, Some(key("live")));
}

#[tokio::test]
async fn who_waited_and_is_answered_finds_in_the_dead_letter_queue_what_was_in_the_way() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(2).await;
    bench.send(live, &["bad", "good"]).await;
    bench.take(live, 1).await;
    bench.advance(30 * SECOND);
    assert_eq!(bodies(&bench.take(live, 10).await), ["bad", "good"]);
    let mut waits = Box::pin(bench.engine.receive(live, waiting(10, 40 * SECOND)));
    assert!(poll(&mut waits).is_pending());
    bench.advance(30 * SECOND);
    assert_eq!(bodies(&waits.await.unwrap()), ["good"]);
    assert_eq!(bench.counts(dead), (1, 0, 0));
}

#[tokio::test]
async fn without_its_dead_letter_queue_a_message_stays_and_is_handed_out() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    bench.engine.remove(dead).await.unwrap();
    bench.send(live, &["x"]).await;
    for count in 1..5 {
        let got = bench.take(live, 1).await;
        assert_eq!(got[0].receive_count, count);
        bench.advance(30 * SECOND);
    }
    let itself = bench.queue_with("itself", redriving("itself", 1)).await;
    bench.send(itself, &["x"]).await;
    for _ in 0..3 {
        assert_eq!(bench.take(itself, 1).await.len(), 1);
        bench.advance(30 * SECOND);
    }
    // Once there is one again, it goes there.
    bench.advance(60 * SECOND);
    let dead = bench.queue("dead").await;
    assert!(bench.take(live, 1).await.is_empty());
    assert_eq!(bench.take_durable(dead, 1).await[0].receive_count, 5);
}

#[tokio::test]
async fn a_receive_goes_on_behind_thousands_of_dead_letters() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    let batch: Vec<_> = (0..1000).map(|number| message(&number.to_string())).collect();
    bench.engine.send_batch(live, batch).await.unwrap();
    assert_eq!(bench.receive_in_vain(live).await, 1000);
    bench.advance(SECOND);
    bench.send(live, &["good"]).await;
    // At most so many at once: the others get the lock in between.
    assert!(bench.take(live, 10).await.is_empty());
    assert_eq!(bench.counts(live).0, 1001 - 260);
    let mut waits = Box::pin(bench.engine.receive(live, waiting(10, 20 * SECOND)));
    assert!(poll(&mut waits).is_pending());
    bench.engine.tick();
    assert_eq!(bodies(&waits.await.unwrap()), ["good"]);
    bench.settle().await;
    assert_eq!((bench.counts(live), bench.counts(dead)), ((0, 1, 0), (1000, 0, 0)));
    let order: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&bench.take(dead, 10).await), order);
}

#[tokio::test]
async fn the_age_of_a_dead_letter_counts_from_its_sending_and_its_queue_shows_since_when() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    bench.send(live, &["early"]).await;
    bench.advance(HOUR);
    bench.send(live, &["late"]).await;
    bench.advance(HOUR);
    // Of two, the one that was sent later goes first.
    bench.receive_in_vain(live).await;
    let late = Redrive { target: key("nowhere"), max_receives: 1 };
    let stay = SettingsChange { redrive: Some(Some(late)), ..SettingsChange::default() };
    bench.engine.configure(live, stay).await.unwrap();
    assert_eq!(bodies(&bench.take(live, 1).await), ["early"]);
    bench.engine.configure(live, redriving("dead", 1)).await.unwrap();
    assert!(bench.take(live, 1).await.is_empty());
    bench.advance(HOUR);
    assert!(bench.take(live, 1).await.is_empty());
    bench.settle().await;
    let oldest = bench.engine.describe(dead).unwrap().counts.oldest;
    assert_eq!(oldest, Some(START + 2 * HOUR + SECOND));
    // Four days after they were sent.
    bench.advance(93 * HOUR);
    assert_eq!(bodies_peeked(&bench, dead), ["late"]);
    bench.advance(HOUR);
    assert!(bodies_peeked(&bench, dead).is_empty());
}

fn bodies_peeked(bench: &Bench, queue: QueueId) -> Vec<String> {
    let seen = bench.engine.peek(queue, None, 1000).unwrap();
    seen.iter().map(|one| str::from_utf8(&one.content.body).unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_outlives_its_queue_goes_to_the_dead_letter_queue_if_a_tag_says_so() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(5).await;
    bench.send(live, &["dropped"]).await;
    bench.advance(96 * HOUR);
    assert_eq!((bench.counts(live), bench.counts(dead)), ((0, 0, 0), (0, 0, 0)));
    bench.engine.tag(live, keeping_expired()).await.unwrap();
    let sent = START + 96 * HOUR;
    let batch: Vec<_> = (0..1200).map(|number| message(&number.to_string())).collect();
    bench.engine.send_batch(live, batch).await.unwrap();
    let mut waits = Box::pin(bench.engine.receive(dead, waiting(1, 20 * SECOND)));
    assert!(poll(&mut waits).is_pending());
    bench.advance(95 * HOUR);
    assert_eq!(bench.counts(live), (1200, 0, 0));
    drop(waits);
    let mut waits = Box::pin(bench.engine.receive(dead, waiting(1, 2 * HOUR)));
    assert!(poll(&mut waits).is_pending());
    bench.advance(HOUR);
    let got = waits.await.unwrap();
    assert_eq!((bodies(&got), got[0].sent), (vec!["0"], sent));
    assert_eq!((got[0].receive_count, got[0].source.clone()), (1, Some(key("live"))));
    bench.settle().await;
    assert_eq!((bench.counts(live), bench.counts(dead)), ((0, 0, 0), (1199, 1, 0)));
    let bench = bench.crash();
    assert_eq!(bench.engine.describe(dead).unwrap().counts.oldest, Some(sent + 96 * HOUR));
    // There it has a whole life before it.
    bench.advance(95 * HOUR);
    assert_eq!(bench.counts(dead), (1200, 0, 0));
    bench.advance(HOUR);
    assert_eq!(bench.counts(dead), (0, 0, 0));
}

#[tokio::test]
async fn what_was_too_old_once_lives_on_in_every_queue_that_it_comes_to() {
    let bench = Bench::new();
    let last = bench.queue("last").await;
    let dead = bench.queue_with("dead", redriving("last", 1)).await;
    let live = bench.queue_with("live", redriving("dead", 1)).await;
    bench.engine.tag(live, keeping_expired()).await.unwrap();
    bench.send(live, &["old"]).await;
    bench.advance(96 * HOUR);
    assert_eq!(bench.take(live, 1).await, []);
    bench.settle().await;
    assert_eq!(bench.receive_in_vain(dead).await, 1);
    assert_eq!(bench.take(dead, 1).await, []);
    assert_eq!(bench.counts(last), (1, 0, 0));
    bench.advance(95 * HOUR);
    let bench = bench.crash();
    assert_eq!(bench.take(last, 1).await[0].sent, START);
}

#[tokio::test]
async fn a_dead_letter_stays_when_its_first_segment_goes_and_its_source_is_gone() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    let toss = bench.queue("toss").await;
    for number in 0..60 {
        bench.send(live, &[&format!("{number}")]).await;
        bench.send(toss, &[&*"x".repeat(1024); 10]).await;
    }
    bench.engine.purge(toss).await.unwrap();
    bench.receive_in_vain(live).await;
    while !bench.take(live, 10).await.is_empty() {}
    bench.settle().await;
    assert_eq!(bench.counts(dead), (60, 0, 0));
    bench.engine.remove(live).await.unwrap();
    let full = bench.engine.0.journal.segments().len();
    for _ in 0..3 {
        bench.engine.0.keep_house().unwrap();
    }
    let left = bench.engine.0.journal.segments().len();
    assert!(left <= 7, "{left} of {full} segments");
    let expected: Vec<_> = (0..60).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&bench.take(dead, 100).await), expected);
    let bench = bench.crash();
    bench.advance(30 * SECOND);
    let got = bench.take(dead, 100).await;
    assert_eq!(bodies(&got), expected);
    assert!(got.iter().all(|one| one.source == Some(key("live")) && one.sent == START));
}

/// Messages go through three queues while the power fails at some moment. None is lost, and none is
/// in two queues.
#[tokio::test]
async fn a_crash_at_any_moment_leaves_each_message_in_one_queue() {
    let mut moved = 0;
    for step in 0..60 {
        let (store, faults) = (MemoryDriver::new(), Faults::none());
        let clock = Clock::manual(START);
        let engine = open(FaultyDriver::new(store.clone(), &faults), &clock);
        let briefly = SettingsChange { retention: Some(60 * SECOND), ..redriving("dead", 1) };
        let queues = [
            engine.create(key("end"), SettingsChange::default(), Tags::new()).await.unwrap().id,
            engine.create(key("dead"), redriving("end", 2), Tags::new()).await.unwrap().id,
            engine.create(key("live"), briefly, keeping_expired()).await.unwrap().id,
        ];
        faults.die_after(faults.changes() + step);
        let mut sent = Vec::new();
        while let Ok(round) = toil(&engine, &clock, queues).await {
            sent.extend(round);
        }
        drop(engine);
        store.crash(&Keep::Sectors(Chance::seeded(step)));
        let engine = open(store, &clock);
        // What grew too old meanwhile was carried when the engine opened.
        engine.0.journal.durable_at(engine.0.journal.end()).await.unwrap();
        let seen = |queue| engine.peek(queue, None, usize::MAX).unwrap();
        let mut there: Vec<_> = queues.into_iter().flat_map(seen).map(|one| one.id).collect();
        moved += engine.describe(queues[0]).unwrap().counts.visible;
        there.sort_unstable();
        let all = there.len();
        there.dedup();
        assert_eq!(there.len(), all, "step {step}: one is in two queues");
        assert!(sent.iter().all(|id| there.contains(id)), "step {step}: one is lost");
        for queue in queues {
            let counts = engine.describe(queue).unwrap().counts;
            assert_eq!(counts.visible + counts.in_flight, seen(queue).len());
        }
    }
    assert!(moved > 20, "{moved} came to the last queue");
}

/// Sends some, receives everywhere, lets time pass and keeps house.
async fn toil(
    engine: &Engine,
    clock: &Clock,
    queues: [QueueId; 3],
) -> Result<Vec<tidemill_base::MessageId>, crate::refusal::Error> {
    let sent = engine.send_batch(queues[2], vec![message(&"x".repeat(3000)); 3]).await?;
    for queue in queues {
        engine.receive(queue, waiting(2, Duration::ZERO)).await?;
    }
    clock.advance(31 * SECOND);
    engine.0.keep_house()?;
    Ok(sent.into_iter().map(|one| one.id).collect())
}
