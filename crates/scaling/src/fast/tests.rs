//! One decision at a time, and short plays of several.

use std::time::Duration;

use tidemill_base::Timestamp;

use super::*;
use crate::{Limits, Messages, Workers};

type Seen = Observation<u32>;

fn policy(max: u32) -> Policy {
    Policy::new(Limits::new(Workers::NONE, Workers::new(max)).unwrap())
}

/// One whose workers are known to take a tenth of a second.
fn knowing(max: u32) -> Policy {
    let guess = Guess { service: Some(Duration::from_millis(100)), ..policy(max).guess };
    Policy { guess, ..policy(max) }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH + Duration::from_secs(seconds)
}

fn nothing() -> Seen {
    let none = Messages::NONE;
    Seen { arrived: none, deleted: none, visible: none, in_flight: none, instances: Vec::new() }
}

fn instance(id: u32, phase: Phase, holds: u64) -> Instance<u32> {
    let (launched, holds) = (at(u64::from(id)), Messages::new(holds));
    Instance { id, launched, phase, holds, protected: false }
}

fn waiting(messages: u64) -> Seen {
    let messages = Messages::new(messages);
    Seen { arrived: messages, visible: messages, ..nothing() }
}

/// Workers that were started long ago.
fn workers(count: u32) -> Vec<Instance<u32>> {
    (1..=count).map(|id| instance(id, Phase::InService(at(u64::from(id) + 2)), 1)).collect()
}

#[test]
fn a_first_message_starts_one_worker_to_find_out() {
    let policy = policy(10);
    let (decision, state) = decide(&policy, State::new(&policy), &waiting(1000), at(0));
    assert_eq!((decision.launch, decision.cause), (Workers::new(1), Cause::Unknown));
    // That one is under way: no other is started.
    let mut seen = waiting(1000);
    seen.instances.push(instance(0, Phase::Pending, 0));
    let (decision, _) = decide(&policy, state, &seen, at(1));
    assert_eq!((decision.launch, decision.cause), (Workers::NONE, Cause::Enough));
}

#[test]
fn a_burst_is_met_by_as_many_as_get_it_done_within_the_goal() {
    let policy = knowing(60);
    let (decision, _) = decide(&policy, State::new(&policy), &waiting(1000), at(0));
    // A thousand of a tenth of a second within two seconds of boot and half of ten seconds.
    assert_eq!((decision.wanted, decision.cause), (Workers::new(15), Cause::Backlog));
}

#[test]
fn launches_under_way_are_planned_for() {
    let policy = knowing(60);
    let mut seen = waiting(1000);
    seen.instances = (0..15).map(|_| instance(0, Phase::Pending, 0)).collect();
    for second in 0..3 {
        let (decision, _) = decide(&policy, State::new(&policy), &seen, at(second));
        assert_eq!(decision.launch, Workers::NONE, "after {second} s");
    }
}

#[test]
fn limits_have_the_last_word() {
    let few = knowing(4);
    let (decision, _) = decide(&few, State::new(&few), &waiting(1000), at(0));
    assert_eq!((decision.wanted, decision.cause), (Workers::new(4), Cause::Limits));
    let limits = Limits::new(Workers::new(2), Workers::new(4)).unwrap();
    let some = Policy { limits, ..few };
    let (decision, _) = decide(&some, State::new(&some), &nothing(), at(0));
    assert_eq!((decision.launch, decision.cause), (Workers::new(2), Cause::Limits));
}

/// What is thought of a boot by one who knew this, and then saw launches of half a minute.
fn boot_learnt(policy: &Policy, mut state: State) -> Duration {
    for second in 1..40 {
        let mut seen = waiting(1);
        let ready = Phase::InService(at(second));
        seen.instances.push(Instance {
            launched: at(second) - Duration::from_secs(30),
            ..instance(1, ready, 0)
        });
        state = decide(policy, state, &seen, at(second)).1;
    }
    decide(policy, state, &waiting(1), at(50)).0.estimate.boot
}

#[test]
fn a_boot_is_learnt_from_those_seen_also_after_the_clock_was_set_back() {
    let policy = knowing(60);
    for before in [0, 100_000] {
        let (_, state) = decide(&policy, State::new(&policy), &waiting(1), at(before));
        let boot = boot_learnt(&policy, state);
        assert!(boot > Duration::from_secs(28), "{before}: {boot:?}");
    }
}

#[test]
fn nobody_goes_before_less_was_needed_for_a_while_and_all_go_when_nothing_comes() {
    let policy = knowing(60);
    let mut state = State::new(&policy);
    let idle = |one| Instance { holds: Messages::NONE, ..one };
    let idle = workers(5).into_iter().map(idle).collect();
    let mut seen = Seen { instances: idle, in_flight: Messages::new(1), ..nothing() };
    let mut sizes = Vec::new();
    for second in 0..200 {
        // Five messages a second for a minute, then none.
        if second < 60 {
            // One of the five is found at work every fourth time.
            seen.arrived = Messages::new(second * 5);
            seen.instances[0].holds = Messages::new(u64::from(second % 4 == 0));
        } else {
            seen.in_flight = Messages::NONE;
            if let Some(last) = seen.instances.first_mut() {
                last.holds = Messages::NONE;
            }
        }
        seen.deleted = seen.arrived;
        let (decision, next) = decide(&policy, state, &seen, at(second));
        state = next;
        if sizes.last() != Some(&(second, decision.wanted.count())) {
            sizes.push((second, decision.wanted.count()));
        }
        seen.instances.retain(|instance| !decision.drain.contains(&instance.id));
    }
    sizes.dedup_by_key(|size| size.1);
    let sizes: Vec<_> = sizes.iter().map(|size| size.1).collect();
    assert_eq!(sizes, [5, 1, 0]);
}

#[test]
fn the_idle_go_first_and_nobody_is_stopped_while_it_holds_a_message() {
    let policy =
        Policy { limits: Limits::new(Workers::NONE, Workers::new(2)).unwrap(), ..knowing(60) };
    let mut seen = waiting(1000);
    seen.instances = vec![
        instance(1, Phase::InService(at(3)), 1),
        instance(2, Phase::InService(at(4)), 0),
        instance(3, Phase::InService(at(5)), 0),
        instance(4, Phase::Pending, 0),
        instance(5, Phase::InService(at(7)), 2),
        Instance { protected: true, ..instance(6, Phase::InService(at(8)), 0) },
        instance(7, Phase::Draining(at(9)), 1),
        instance(8, Phase::Draining(at(9)), 0),
    ];
    let (decision, state) = decide(&policy, State::new(&policy), &seen, at(10));
    // Six are there, two may stay: the one that is not there yet, the idle, then who holds least.
    assert_eq!(decision.drain, [3, 2, 1]);
    let stops = [Stop { id: 8, why: Why::Drained }, Stop { id: 4, why: Why::NotNeeded }];
    assert_eq!(decision.stop, stops);
    // One that does not end is stopped when its time is over.
    let (decision, _) = decide(&policy, state, &seen, at(9) + policy.drain);
    assert!(decision.stop.contains(&Stop { id: 7, why: Why::DrainEnded }), "{decision:?}");
}

#[test]
fn a_group_does_not_go_to_zero_while_a_message_is_held() {
    let policy = knowing(60);
    let mut seen = Seen { instances: workers(1), in_flight: Messages::new(1), ..nothing() };
    let mut state = State::new(&policy);
    for second in 0..600 {
        let (decision, next) = decide(&policy, state, &seen, at(second));
        assert_eq!(decision.wanted, Workers::new(1));
        state = next;
    }
    seen.in_flight = Messages::NONE;
    let (decision, _) = decide(&policy, state, &seen, at(700));
    assert_eq!((decision.wanted, decision.cause), (Workers::NONE, Cause::Idle));
}

#[test]
fn the_same_that_is_seen_gives_the_same_decision() {
    let policy = policy(10);
    let play = || {
        let mut state = State::new(&policy);
        let mut decisions = Vec::new();
        for second in 0..50 {
            let mut seen = waiting(second * 10);
            seen.instances = workers(2);
            seen.deleted = Messages::new(second * 4);
            let (decision, next) = decide(&policy, state, &seen, at(second));
            decisions.push(decision);
            state = next;
        }
        (decisions, state)
    };
    assert_eq!(play(), play());
}

#[test]
fn a_counter_that_begins_anew_and_a_clock_that_stands_say_nothing() {
    let policy = knowing(60);
    let seen = waiting(100);
    let (_, state) = decide(&policy, State::new(&policy), &seen, at(10));
    let (_, again) = decide(&policy, state.clone(), &seen, at(10));
    assert_eq!(state.arrivals, again.arrivals);
    let (decision, _) = decide(&policy, state, &waiting(1), at(11));
    assert_eq!(decision.estimate.arrivals, 0.0);
}
