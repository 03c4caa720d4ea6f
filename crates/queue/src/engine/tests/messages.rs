//! Messages: sent, received, deleted, hidden, delayed, too old.

use super::*;
use crate::message::{Attribute, AttributeValue, Standing};
use crate::refusal::{Error, IN_FLIGHT_LIMIT, Refusal};

#[tokio::test]
async fn a_message_arrives_with_everything_it_said() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    let attribute = Attribute {
        name: "n".into(),
        data_type: "Number".into(),
        value: AttributeValue::Text("1".into()),
    };
    let content = Content {
        body: Bytes::from_static(b"hello"),
        attributes: vec![attribute],
        sender: "me".into(),
        trace_header: Some("Root=1".into()),
        group: Some("g".into()),
        deduplication: Some("once".into()),
        body_md5: [1; 16],
        attributes_md5: Some([2; 16]),
    };
    let new = NewMessage { content: content.clone(), delay: None };
    let sent = bench.engine.send(queue, new).await.unwrap();
    bench.advance(SECOND);
    let got = bench.take(queue, 10).await;
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].id, got[0].sequence), (sent.id, sent.sequence));
    assert_eq!(got[0].content, content);
    assert_eq!((got[0].receive_count, got[0].sent), (1, START));
    assert_eq!(got[0].first_received, START + SECOND);
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_time_is_up() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    bench.send(queue, &["a", "b"]).await;
    assert_eq!(bodies(&bench.take(queue, 1).await), ["a"]);
    assert_eq!(bodies(&bench.take(queue, 10).await), ["b"]);
    assert_eq!(bench.counts(queue), (0, 2, 0));
    bench.advance(29 * SECOND);
    assert!(bench.take(queue, 10).await.is_empty());
    bench.advance(SECOND);
    let again = bench.take(queue, 10).await;
    assert_eq!(bodies(&again), ["a", "b"]);
    assert_eq!((again[0].receive_count, again[0].first_received), (2, START));
}

#[tokio::test]
async fn a_deleted_message_is_gone_and_deleting_it_again_is_no_fault() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    bench.send(queue, &["a"]).await;
    let first = bench.take(queue, 1).await[0].receipt;
    bench.advance(30 * SECOND);
    let second = bench.take(queue, 1).await[0].receipt;
    assert_ne!(first, second);
    // The older receipt will do.
    let answers = bench.engine.delete(queue, &[first, second]).await.unwrap();
    assert_eq!(answers, [Ok(()), Ok(())]);
    assert_eq!(bench.counts(queue), (0, 0, 0));
    assert_eq!(bench.engine.delete(queue, &[second]).await.unwrap(), [Ok(())]);
    let hide = bench.engine.change_visibility(queue, &[(second, SECOND)]).await.unwrap();
    assert_eq!(hide, [Err(Refusal::MessageGone)]);
}

#[tokio::test]
async fn a_receipt_of_another_queue_is_refused_and_the_others_in_the_call_are_not() {
    let bench = Bench::new();
    let (queue, other) = (bench.queue("orders").await, bench.queue("other").await);
    bench.send(queue, &["a"]).await;
    bench.send(other, &["b"]).await;
    let here = bench.take(queue, 1).await[0].receipt;
    let there = bench.take(other, 1).await[0].receipt;
    let answers = bench.engine.delete(queue, &[there, here]).await.unwrap();
    assert_eq!(answers, [Err(Refusal::BadReceipt), Ok(())]);
    assert_eq!(bench.counts(other), (0, 1, 0));
}

#[tokio::test]
async fn visibility_can_be_changed_both_ways_even_after_it_ended() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    bench.send(queue, &["a"]).await;
    let receipt = bench.take(queue, 1).await[0].receipt;
    bench.engine.change_visibility(queue, &[(receipt, 100 * SECOND)]).await.unwrap();
    bench.advance(99 * SECOND);
    assert_eq!(bench.counts(queue), (0, 1, 0));
    bench.advance(SECOND);
    assert_eq!(bench.counts(queue), (1, 0, 0));
    bench.engine.change_visibility(queue, &[(receipt, 5 * SECOND)]).await.unwrap();
    assert_eq!(bench.counts(queue), (0, 1, 0));
    bench.engine.change_visibility(queue, &[(receipt, Duration::ZERO)]).await.unwrap();
    assert_eq!(bench.take(queue, 1).await[0].receive_count, 2);
}

#[tokio::test]
async fn a_message_stays_hidden_for_twelve_hours_at_most() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    bench.send(queue, &["slow"]).await;
    let hour = 3600 * SECOND;
    let receipt = bench.take(queue, 1).await[0].receipt;
    let hide = async |span| bench.engine.change_visibility(queue, &[(receipt, span)]).await;
    assert_eq!(hide(12 * hour).await.unwrap(), [Ok(())]);
    bench.advance(hour);
    let asked = 11 * hour + SECOND;
    assert_eq!(hide(asked).await.unwrap(), [Err(Refusal::HiddenTooLong { asked })]);
    let bench = bench.crash();
    let hide = async |span| bench.engine.change_visibility(queue, &[(receipt, span)]).await;
    assert_eq!(hide(asked).await.unwrap(), [Err(Refusal::HiddenTooLong { asked })]);
    assert_eq!(hide(11 * hour).await.unwrap(), [Ok(())]);
    bench.advance(11 * hour);
    // Received anew it may be hidden anew; and shown at once it may be at any time.
    assert_eq!(hide(Duration::ZERO).await.unwrap(), [Ok(())]);
    let receipt = bench.take(queue, 1).await[0].receipt;
    let hide = bench.engine.change_visibility(queue, &[(receipt, 12 * hour)]).await;
    assert_eq!(hide.unwrap(), [Ok(())]);
}

#[tokio::test]
async fn what_comes_back_has_its_place_again_and_the_third_time_is_last() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    bench.send(queue, &["bad"]).await;
    let ask = Receive { max: 1, visibility: Some(SECOND), ..Receive::default() };
    let receive = || bench.engine.receive(queue, ask.clone());
    assert_eq!(bodies(&receive().await.unwrap()), ["bad"]);
    bench.send(queue, &["good"]).await;
    for _ in 0..2 {
        bench.advance(SECOND);
        assert_eq!(bodies(&receive().await.unwrap()), ["bad"]);
    }
    bench.advance(SECOND);
    assert_eq!(bodies(&bench.take(queue, 10).await), ["good", "bad"]);
}

#[tokio::test]
async fn a_delayed_message_waits_its_time_and_then_its_turn() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    let batch = vec![
        delayed("five", 5 * SECOND),
        delayed("two", 2 * SECOND),
        message("now"),
        delayed("seven", 7 * SECOND),
    ];
    bench.engine.send_batch(queue, batch).await.unwrap();
    assert_eq!(bench.counts(queue), (1, 0, 3));
    assert_eq!(bodies(&bench.take(queue, 10).await), ["now"]);
    bench.advance(2 * SECOND);
    assert_eq!(bodies(&bench.take(queue, 10).await), ["two"]);
    bench.advance(2 * SECOND);
    bench.send(queue, &["prompt"]).await;
    bench.advance(3 * SECOND);
    assert_eq!(bodies(&bench.take(queue, 10).await), ["prompt", "five", "seven"]);
}

#[tokio::test]
async fn the_queues_delay_holds_for_messages_that_name_none() {
    let bench = Bench::new();
    let change = SettingsChange { delay: Some(3 * SECOND), ..SettingsChange::default() };
    let queue = bench.queue_with("orders", change).await;
    let batch = vec![message("late"), delayed("now", Duration::ZERO)];
    bench.engine.send_batch(queue, batch).await.unwrap();
    assert_eq!(bodies(&bench.take(queue, 10).await), ["now"]);
    bench.advance(3 * SECOND);
    assert_eq!(bodies(&bench.take(queue, 10).await), ["late"]);
}

#[tokio::test]
async fn a_message_older_than_its_queue_keeps_them_is_dropped() {
    let bench = Bench::new();
    let change = SettingsChange { retention: Some(60 * SECOND), ..SettingsChange::default() };
    let queue = bench.queue_with("orders", change).await;
    bench.engine.send(queue, delayed("delayed", 900 * SECOND)).await.unwrap();
    bench.send(queue, &["flying", "waiting"]).await;
    let ask = Receive { max: 1, visibility: Some(600 * SECOND), ..Receive::default() };
    bench.engine.receive(queue, ask).await.unwrap();
    bench.advance(30 * SECOND);
    bench.send(queue, &["young"]).await;
    assert_eq!(bench.counts(queue), (2, 1, 1));
    bench.advance(30 * SECOND);
    assert_eq!(bench.counts(queue), (1, 0, 0));
    assert_eq!(bodies(&bench.take(queue, 10).await), ["young"]);
}

#[tokio::test]
async fn what_grew_too_old_is_dropped_even_if_nobody_looks() {
    let bench = Bench::new();
    let change = SettingsChange { retention: Some(60 * SECOND), ..SettingsChange::default() };
    let queue = bench.queue_with("orders", change).await;
    bench.send(queue, &["alone"]).await;
    bench.advance(61 * SECOND);
    let shard = bench.engine.0.lock();
    assert_eq!(shard.machine.queue(queue.number).unwrap().stock.ages_from_to_be(), None);
}

#[tokio::test]
async fn a_longer_retention_does_not_bring_back_what_was_dropped() {
    let bench = Bench::new();
    let change = SettingsChange { retention: Some(60 * SECOND), ..SettingsChange::default() };
    let queue = bench.queue_with("orders", change).await;
    bench.send(queue, &["old"]).await;
    bench.advance(61 * SECOND);
    assert_eq!(bench.counts(queue), (0, 0, 0));
    let longer = SettingsChange { retention: Some(900 * SECOND), ..SettingsChange::default() };
    bench.engine.configure(queue, longer).await.unwrap();
    let bench = bench.crash();
    assert_eq!(bench.counts(queue), (0, 0, 0));
}

#[tokio::test]
async fn looking_at_messages_changes_nothing() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    bench.send(queue, &["a", "b"]).await;
    bench.engine.send(queue, delayed("c", 10 * SECOND)).await.unwrap();
    bench.take(queue, 1).await;
    let seen = bench.engine.peek(queue, None, 10).unwrap();
    let standings: Vec<_> = seen.iter().map(|one| one.standing).collect();
    let in_flight = Standing::InFlight { until: START + 30 * SECOND };
    let kept_back = Standing::Delayed { until: START + 10 * SECOND };
    assert_eq!(standings, [in_flight, Standing::Visible, kept_back]);
    assert_eq!((seen[0].receive_count, seen[0].first_received), (1, Some(START)));
    assert_eq!((seen[1].receive_count, seen[1].first_received), (0, None));
    let rest = bench.engine.peek(queue, Some(seen[0].sequence), 1).unwrap();
    assert_eq!(rest, seen[1..2]);
    assert_eq!(bench.counts(queue), (1, 1, 1));
}

#[tokio::test]
async fn no_more_than_the_limit_are_in_flight() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    for _ in 0..=IN_FLIGHT_LIMIT.div_ceil(1000) {
        bench.engine.send_batch(queue, vec![message("x"); 1000]).await.unwrap();
    }
    let mut last = Vec::new();
    while bench.counts(queue).1 < IN_FLIGHT_LIMIT {
        last = bench.take(queue, 250).await;
    }
    let refused = bench.engine.receive(queue, waiting(1, Duration::ZERO)).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::InFlightLimit)), "{refused}");
    bench.engine.delete(queue, &[last[0].receipt]).await.unwrap();
    assert_eq!(bench.take(queue, 10).await.len(), 1);
    // One that waits is not refused, but gets the next message that there is room for.
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(10, SECOND)));
    assert!(poll(&mut receive).is_pending());
    bench.engine.delete(queue, &[last[1].receipt]).await.unwrap();
    assert_eq!(receive.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_larger_than_a_record_is_refused() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    let large = "x".repeat(64 << 10);
    let refused = bench.engine.send(queue, message(&large)).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::TooLarge)), "{refused}");
}

#[tokio::test]
async fn what_happened_is_counted() {
    let bench = Bench::new();
    let queue = bench.queue("orders").await;
    bench.send(queue, &["ab", "c"]).await;
    let got = bench.take(queue, 10).await;
    bench.take(queue, 10).await;
    bench.engine.delete(queue, &[got[0].receipt, got[0].receipt]).await.unwrap();
    let metrics = bench.engine.metrics();
    let tally = metrics.queues[0].tally;
    assert_eq!((tally.sent, tally.sent_bytes), (2, 3));
    assert_eq!((tally.received, tally.deleted, tally.empty_receives), (2, 1, 1));
    assert_eq!(metrics.queues[0].counts.in_flight, 1);
}

#[tokio::test]
async fn millions_that_grow_too_old_at_once_do_not_keep_the_lock() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.send(queue, &vec!["old"; 2000]).await;
    bench.advance(100 * SECOND);
    bench.send(queue, &["young"]).await;
    let change = SettingsChange { retention: Some(60 * SECOND), ..SettingsChange::default() };
    bench.engine.configure(queue, change).await.unwrap();
    let left = || bench.engine.0.lock().machine.queue(queue.number).unwrap().stock.counts().visible;
    assert!(left() > 1000, "{} are left", left());
    // Nobody is given what is too old, and whoever waits gets what is not.
    assert_eq!(bench.take(queue, 10).await, []);
    let mut receive = Box::pin(bench.engine.receive(queue, waiting(10, SECOND)));
    assert!(poll(&mut receive).is_pending());
    bench.engine.tick();
    assert_eq!(bodies(&receive.await.unwrap()), ["young"]);
    assert_eq!(bench.counts(queue), (0, 1, 0));
}

#[tokio::test]
async fn nothing_is_sent_after_the_last_sequence() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.send(queue, &["x"]).await;
    let last = crate::key::Sequence::from_u64(u64::MAX);
    assert_eq!(bench.engine.peek(queue, Some(last), 10), Ok(Vec::new()));
}

#[tokio::test]
async fn what_is_done_together_is_done_for_each_by_itself() {
    let bench = Bench::new();
    let (one, other) = (bench.queue("one").await, bench.queue("other").await);
    let gone = bench.queue("gone").await;
    bench.engine.remove(gone).await.unwrap();
    let sends = [(one, "a"), (gone, "b"), (other, "c"), (one, "d")];
    let sends = sends.map(|(queue, body)| (queue, message(body)));
    let sent = bench.engine.send_each(sends.into_iter());
    let told: Vec<bool> = sent.outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(told, [true, false, true, true]);
    assert!(matches!(sent.outcomes[1], Err(Error::Refused(Refusal::NoSuchQueue))));
    bench.engine.durable(sent.upto, 3).await.unwrap();
    let bench = bench.crash();
    let first = bench.take(one, 10).await;
    assert_eq!(bodies(&first), ["a", "d"]);
    let second = bench.take(other, 10).await;
    assert_eq!(bodies(&second), ["c"]);
    let deletes = [(one, first[0].receipt), (one, second[0].receipt), (other, second[0].receipt)];
    let deleted = bench.engine.delete_each(deletes.into_iter());
    assert!(matches!(
        deleted.outcomes.as_slice(),
        [Ok(()), Err(Error::Refused(Refusal::BadReceipt)), Ok(())]
    ));
    bench.engine.durable(deleted.upto, 2).await.unwrap();
    let bench = bench.crash();
    assert_eq!((bench.counts(one), bench.counts(other)), ((0, 1, 0), (0, 0, 0)));
}
