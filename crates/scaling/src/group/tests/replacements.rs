//! Instances that go because another is to take their place.

use super::*;

#[tokio::test]
async fn an_instance_that_does_not_run_is_terminated_first_and_then_replaced() {
    let mut bench = Bench::with_group(1).await;
    bench.settle().await;
    let first = bench.running()[0];
    bench.machines.insert(first, Sight::Stopped);
    bench.pass().await;
    // It is on its way out, and nothing is launched before it is gone.
    assert_eq!((bench.sight(first), bench.launched.len()), (Sight::Ending, 1));
    assert_eq!(bench.group().member(first).unwrap().health, Health::NotRunning);
    bench.settle().await;
    assert_eq!(bench.running().len(), 1);
    let activities = bench.activities();
    assert_eq!(steps(&activities[0]), [&Cause::Replacement]);
    assert_eq!(steps(&activities[1]), [&Cause::NotRunning]);
}

#[tokio::test]
async fn who_has_lived_long_enough_is_replaced_a_few_at_a_time() {
    let mut bench = Bench::new();
    bench.make(Settings { lifetime: Some(86_400), ..settings(0, 10) }, 3).await;
    bench.settle().await;
    bench.clock.advance(Duration::from_hours(24));
    for _ in 0..20 {
        bench.pass().await;
        bench.machines_go_on();
        assert!(bench.group().counts().in_service >= Workers::new(2), "{:?}", bench.group());
    }
    assert_eq!(bench.running(), [4, 5, 6].map(InstanceId::from_u64));
}

#[tokio::test]
async fn one_that_was_to_be_followed_is_not_where_fewer_are_wanted_by_then() {
    let mut bench = Bench::with_group(2).await;
    bench.settle().await;
    bench.groups.judge(&key(), bench.running()[0], false, false).await.unwrap();
    bench.pass().await;
    bench.want(1).await;
    bench.settle().await;
    bench.want(2).await;
    bench.settle().await;
    let activities = bench.activities();
    assert_eq!(activities[0].deed, Deed::Launch);
    assert_eq!(steps(&activities[0]), [&Cause::Set(step(1, 2)), &Cause::Short(step(1, 2))]);
}
