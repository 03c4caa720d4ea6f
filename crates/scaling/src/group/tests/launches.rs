//! Launches: those that fail, those that are tried again, and those that are to come.

use super::*;

#[tokio::test]
async fn a_launch_that_fails_is_tried_again_after_longer_and_longer() {
    let mut bench = Bench::new();
    bench.broken = Some("There is no room.");
    bench.make(settings(0, 10), 1).await;
    let mut waited = Vec::new();
    for _ in 0..12 {
        bench.settle().await;
        let from = bench.group().launches_from().unwrap();
        waited.push(from.since(bench.clock.now()).as_secs());
        bench.clock.advance(from.since(bench.clock.now()));
    }
    assert_eq!(waited, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    let failed = &bench.activities()[0];
    let end = failed.end.as_ref().unwrap();
    assert_eq!((end.outcome, end.message.as_deref()), (Outcome::Failed, bench.broken));
    bench.broken = None;
    bench.settle().await;
    assert_eq!((bench.running().len(), bench.group().launches_from()), (1, None));
}

#[tokio::test]
async fn one_that_ends_before_it_serves_counts_as_a_failed_launch() {
    let mut bench = Bench::with_group(1).await;
    bench.pass().await;
    let id = *bench.launched.values().next().unwrap();
    bench.machines.insert(id, Sight::Gone(Some("no such program".to_owned())));
    bench.pass().await;
    let end = bench.activities()[0].end.clone().unwrap();
    assert_eq!((end.outcome, end.message.as_deref()), (Outcome::Failed, Some("no such program")));
    assert!(bench.group().launches_from().is_some() && bench.group().member(id).is_none());
}

#[tokio::test]
async fn launches_that_are_given_up_are_tried_again_after_longer_and_longer() {
    let mut bench = Bench::new();
    let hooks = [("wait", Transition::Launching)];
    bench.make_with(settings(0, 10), 1, &hooks).await.unwrap();
    let mut waited = Vec::new();
    for _ in 0..4 {
        bench.settle().await;
        let who = Waiter::Instance(bench.only().id);
        bench.groups.answer(&key(), "wait", who, Answer::Abandon).await.unwrap();
        bench.settle().await;
        let pause = bench.group().launches_from().unwrap().since(bench.clock.now());
        waited.push(pause.as_secs());
        bench.clock.advance(pause);
    }
    assert_eq!(waited, [2, 4, 8, 16]);
}

#[tokio::test]
async fn one_that_is_stopped_before_it_serves_is_terminated_and_has_failed() {
    let mut bench = Bench::with_group(1).await;
    bench.pass().await;
    let id = bench.only().id;
    bench.machines.insert(id, Sight::Stopped);
    bench.pass().await;
    assert_eq!(bench.sight(id), Sight::Ending);
    let end = bench.activities()[1].end.clone().unwrap();
    let why = "The instance was stopped before it served.";
    assert_eq!((end.outcome, end.message.as_deref()), (Outcome::Failed, Some(why)));
    bench.settle().await;
    // The next is launched after a pause.
    assert!(bench.group().is_empty() && bench.group().launches_from().is_some());
}

#[tokio::test]
async fn who_is_to_come_is_known_before_its_launch_begins() {
    let mut bench = Bench::with_group(3).await;
    assert_eq!(bench.group().to_come(), Workers::new(3));
    bench.settle().await;
    assert_eq!(bench.group().to_come(), Workers::NONE);
    bench.groups.judge(&key(), bench.running()[0], false, false).await.unwrap();
    bench.pass().await;
    // Two serve; who goes is followed by another, unless fewer are wanted by then.
    assert_eq!((bench.group().capacity().count(), bench.group().to_come().count()), (3, 1));
    bench.want(2).await;
    assert_eq!(bench.group().to_come(), Workers::NONE);
}
