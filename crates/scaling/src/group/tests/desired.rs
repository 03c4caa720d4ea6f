//! The number of instances that a group is to have, and who may change it when.

use super::*;

#[tokio::test]
async fn a_group_has_as_many_as_it_is_told_and_says_why() {
    let mut bench = Bench::with_group(2).await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 2);
    assert_eq!(bench.group().counts().in_service, Workers::new(2));
    for activity in bench.activities() {
        assert_eq!(activity.end.as_ref().unwrap().outcome, Outcome::Successful);
        let created = Cause::Created(step(0, 2));
        assert_eq!(steps(&activity), [&created, &Cause::Short(step(0, 2))]);
    }
    bench.want(1).await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 1);
    let last = &bench.activities()[0];
    let gone = last.instance.unwrap();
    let causes = [&Cause::Set(step(2, 1)), &Cause::Many(step(2, 1)), &Cause::Selected(gone)];
    assert_eq!((last.deed, steps(last)), (Deed::Terminate, causes.to_vec()));
    assert_eq!(bench.sight(gone), Sight::Gone(None));
}

#[tokio::test]
async fn a_group_that_is_asked_to_honour_its_cooldown_waits() {
    let mut bench = Bench::with_group(1).await;
    let honoured = async |bench: &Bench| {
        bench.groups.set_desired(&key(), Workers::new(2), true, Cause::Set).await
    };
    bench.pass().await;
    let refused = honoured(&bench).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::UnderWay(_)))));
    bench.settle().await;
    bench.clock.advance(Duration::from_secs(299));
    let refused = honoured(&bench).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::CoolingDown))));
    bench.clock.advance(Duration::from_secs(1));
    honoured(&bench).await.unwrap();
}

#[tokio::test]
async fn launches_that_fail_keep_nobody_waiting_who_honours_the_cooldown() {
    let mut bench = Bench::new();
    bench.broken = Some("There is no room.");
    bench.make(settings(0, 10), 1).await;
    bench.settle().await;
    bench.groups.set_desired(&key(), Workers::new(2), true, Cause::Set).await.unwrap();
}

#[tokio::test]
async fn who_asks_in_vain_has_nobody_look_again() {
    let bench = Bench::with_group(0).await;
    bench.groups.changed().await;
    let looks = || {
        let mut changed = std::pin::pin!(bench.groups.changed());
        let waker = std::task::Waker::noop();
        changed.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready()
    };
    assert!(bench.groups.set_desired(&key(), Workers::new(11), false, Cause::Set).await.is_err());
    bench.want(0).await;
    assert!(!looks());
    bench.want(1).await;
    assert!(looks());
}
