//! Policies over groups that are made of records alone: AWS's examples, and what keeps them still.

use std::collections::BTreeSet;

use super::*;
use crate::group::record::{Joined, Moved};
use crate::group::{Lifecycle, samples};

const START: Timestamp = Timestamp::from_millis(1_000_000);
/// Everybody who has served since the start is warm by then.
const LATER: Timestamp = Timestamp::from_millis(2_000_000);

/// A group with so many in service since the start.
fn group(serving: u32, min: u32, max: u32) -> Group {
    let mut group = samples::group(samples::settings(min, max), START);
    group.happened(&What::Wanted(Wanted { desired: Workers::new(serving), said: None }));
    for number in 0..serving {
        join(&mut group, number, START);
    }
    group
}

/// One more comes into service.
fn join(group: &mut Group, number: u32, at: Timestamp) {
    let member = samples::member(number.into(), at);
    let (activity, instance) = (samples::id(number.into()), member.id);
    group.happened(&What::Joined(Joined { activity, member }));
    let state = Lifecycle::InService;
    let moved = Moved { instance, state, at, activity: None, replaced: false };
    group.happened(&What::Moved(moved));
}

fn put(group: &mut Group, name: &str, way: Way) {
    let policy = Policy { id: samples::id(7), enabled: true, way };
    group.happened(&What::PolicyPut(PolicyPut { name: name.to_owned(), policy }));
}

fn steps(change: aws::Change, by: i32) -> Way {
    let step = if by < 0 {
        aws::Step { lower: None, upper: Some(0.0), by }
    } else {
        aws::Step { lower: Some(0.0), upper: None, by }
    };
    Way::Stepwise(Stepwise { change, steps: vec![step], warm_up: None, aggregation: None })
}

fn simple(by: i32) -> Way {
    let adjustment = Adjustment { change: aws::Change::ChangeInCapacity, by };
    Way::Simple(Simple { adjustment, cooldown: None })
}

fn target(target: f64, disable_scale_in: bool) -> Way {
    let low = (!disable_scale_in).then(|| "low".to_owned());
    let (warm_up, metric, high) = (None, Vec::new(), "high".to_owned());
    Way::Tracking(Target { target, disable_scale_in, warm_up, metric, high, low })
}

fn by(policy: &str, side: Side, value: f64) -> Invocation {
    Invocation {
        policy: policy.to_owned(),
        alarm: Some("alarm".to_owned()),
        side,
        threshold: 100.0,
        value: Some(value),
    }
}

/// What the group is told by these, and the policy that is named for it.
fn decided(group: &Group, invocations: &[Invocation], now: Timestamp) -> Option<(u32, String)> {
    match decide_by_policies(group, invocations, |_| Some(false), now)? {
        What::Wanted(Wanted { desired, said: Some(Said { cause, .. }) }) => match cause {
            Cause::Alarm { policy, .. } | Cause::Policy { policy, .. } => {
                Some((desired.count(), policy))
            }
            other => unreachable!("{other:?}"),
        },
        other => unreachable!("{other:?}"),
    }
}

fn told(count: u32, policy: &str) -> (u32, String) {
    (count, policy.to_owned())
}

const BY: aws::Change = aws::Change::ChangeInCapacity;
const PERCENT: aws::Change = aws::Change::PercentChangeInCapacity { at_least: None };

#[test]
fn the_guides_backlog_of_fifteen_hundred_makes_fifteen_of_ten() {
    let mut group = group(10, 0, 100);
    put(&mut group, "p", target(100.0, false));
    assert_eq!(decided(&group, &[by("p", Side::High, 150.0)], LATER), Some(told(15, "p")));
}

#[test]
fn what_warms_up_is_not_asked_for_again() {
    let mut group = group(4, 0, 100);
    put(&mut group, "one", steps(BY, 1));
    put(&mut group, "two", steps(BY, 2));
    let one = [by("one", Side::High, 101.0)];
    assert_eq!(decided(&group, &one, LATER), Some(told(5, "one")));
    group.happened(&What::Wanted(Wanted { desired: Workers::new(5), said: None }));
    join(&mut group, 4, LATER);
    assert_eq!(decided(&group, &one, LATER), None);
    assert_eq!(decided(&group, &[by("two", Side::High, 101.0)], LATER), Some(told(6, "two")));
}

#[test]
fn of_several_that_want_growth_the_largest_wish_counts() {
    let mut group = group(4, 0, 100);
    put(&mut group, "processor", steps(BY, 1));
    put(&mut group, "queue", steps(BY, 2));
    let both = [by("processor", Side::High, 101.0), by("queue", Side::High, 101.0)];
    assert_eq!(decided(&group, &both, LATER), Some(told(6, "queue")));
}

#[test]
fn of_several_that_want_less_the_one_counts_that_takes_least() {
    let mut group = group(8, 0, 100);
    put(&mut group, "three", steps(BY, -3));
    put(&mut group, "quarter", steps(PERCENT, -25));
    let both = [by("three", Side::Low, 99.0), by("quarter", Side::Low, 99.0)];
    assert_eq!(decided(&group, &both, LATER), Some(told(6, "quarter")));
}

#[test]
fn the_limits_have_the_last_word() {
    let mut at_most_three = group(2, 0, 3);
    put(&mut at_most_three, "p", simple(3));
    assert_eq!(decided(&at_most_three, &[by("p", Side::High, 101.0)], LATER), Some(told(3, "p")));
    let mut at_least_two = group(3, 2, 100);
    put(&mut at_least_two, "p", simple(-2));
    assert_eq!(decided(&at_least_two, &[by("p", Side::Low, 99.0)], LATER), Some(told(2, "p")));
}

#[test]
fn targets_shrink_a_group_only_where_all_agree() {
    let mut group = group(8, 0, 100);
    put(&mut group, "p", target(100.0, false));
    put(&mut group, "other", target(50.0, false));
    put(&mut group, "grower", target(50.0, true));
    let low = [by("p", Side::Low, 50.0)];
    let wish = |is_content: Option<bool>| {
        decide_by_policies(&group, &low, |_| is_content, LATER).is_some()
    };
    assert!(!wish(Some(true)));
    // It alarms, too, or nobody knows.
    assert!(wish(Some(false)) && wish(None));
    let both = [by("p", Side::Low, 50.0), by("other", Side::Low, 40.0)];
    assert_eq!(decided(&group, &both, LATER), Some(told(7, "other")));
}

#[test]
fn nothing_is_decided_by_what_is_off_or_gone_or_has_no_value() {
    let mut group = group(1, 0, 100);
    put(&mut group, "p", target(100.0, false));
    let high = by("p", Side::High, 500.0);
    assert_eq!(decided(&group, &[by("nobody", Side::High, 500.0)], LATER), None);
    assert_eq!(decided(&group, &[Invocation { value: None, ..high.clone() }], LATER), None);
    let mut disabled = group.clone();
    disabled.policies.get_mut("p").unwrap().enabled = false;
    assert_eq!(decided(&disabled, std::slice::from_ref(&high), LATER), None);
    let suspended = BTreeSet::from([Process::AlarmNotification]);
    group.happened(&What::Suspended(suspended));
    assert_eq!(decided(&group, std::slice::from_ref(&high), LATER), None);
    // Somebody who asks is no alarm.
    let asked = Invocation { alarm: None, ..high };
    assert_eq!(decided(&group, &[asked], LATER), Some(told(5, "p")));
}
