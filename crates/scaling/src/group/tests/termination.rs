//! Which instance goes, and which does not.

use super::*;

#[tokio::test]
async fn protected_instances_stay_and_that_is_told_once() {
    let mut bench = Bench::with_group(2).await;
    bench.settle().await;
    bench.groups.spare(&key(), bench.running(), true).await.unwrap();
    bench.want(0).await;
    bench.settle().await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 2);
    let spared = |activity: &&Activity| activity.deed == Deed::Spare;
    assert_eq!(bench.activities().iter().filter(spared).count(), 1);
    let one = bench.running()[0];
    bench.groups.spare(&key(), vec![one], false).await.unwrap();
    bench.settle().await;
    assert!(bench.running().len() == 1 && bench.sight(one) == Sight::Gone(None));
    // Somebody who names one means it.
    let other = bench.running()[0];
    bench.groups.terminate(&key(), other, false).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.running(), []);
}

#[tokio::test]
async fn who_goes_is_chosen_by_the_policies_in_their_order() {
    for (policy, chosen) in [
        (Termination::OldestInstance, 1),
        (Termination::NewestInstance, 3),
        // At 65 minutes the third is 25 minutes into its hour, the second 45, and the first 5.
        (Termination::ClosestToNextHour, 2),
        (Termination::Default, 2),
    ] {
        let mut bench = Bench::new();
        bench.make(Settings { termination: vec![policy], ..settings(0, 10) }, 0).await;
        for (number, wait) in [(1, 20), (2, 20), (3, 25)] {
            bench.want(number).await;
            bench.settle().await;
            bench.clock.advance(Duration::from_mins(wait));
        }
        bench.want(2).await;
        bench.settle().await;
        let gone = InstanceId::from_u64(chosen);
        let mut others: Vec<_> = (1..=3).map(InstanceId::from_u64).collect();
        others.retain(|id| *id != gone);
        assert_eq!(bench.running(), others, "{policy:?}");
    }
}

#[test]
fn what_a_group_does_not_launch_from_any_more_goes_before_what_it_does() {
    let at = Timestamp::from_millis;
    let from = |id: &str, version: &str| Origin::Template(template(id, Some(version)));
    let named = |name: &str, made| Origin::Configuration(name.to_owned(), Some(at(made)));
    let source = |name: &str| Source::Configuration(name.to_owned());
    let of_template = Source::Template(template("lt-1", None));
    for (source, policy, origins, order) in [
        (
            of_template.clone(),
            Termination::OldestTemplate,
            [from("lt-1", "2"), from("lt-1", "10"), from("lt-2", "70"), from("lt-1", "1")],
            [3, 4, 1, 2],
        ),
        (
            source("now"),
            Termination::OldestConfiguration,
            [named("now", 1), named("newer", 3), named("older", 2), Origin::Elsewhere],
            [3, 2, 1, 4],
        ),
        (
            of_template,
            Termination::Default,
            [from("lt-1", "1"), Origin::Elsewhere, named("b", 2), named("a", 1)],
            [4, 3, 1, 2],
        ),
    ] {
        let mut group =
            samples::group(Settings { source, termination: vec![policy], ..settings(0, 9) }, at(0));
        for (number, origin) in (1..).zip(origins) {
            let state = Lifecycle::InService;
            let member = Member { state, origin, ..member(number, at(0)) };
            group.happened(&What::Joined(Joined { activity: id(number), member })).unwrap();
        }
        let chosen = choose::choose(&group, 9, at(0));
        assert_eq!(chosen, order.map(InstanceId::from_u64), "{policy:?}");
    }
}
