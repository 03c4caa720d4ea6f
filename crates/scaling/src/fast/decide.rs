//! The decision: what the load needs against who is there.

use std::time::Duration;

use tidemill_base::Timestamp;

use super::leave::{self, Stop};
use super::observation::{Observation, Phase};
use super::policy::Policy;
use super::state::State;
use crate::Workers;

/// A worker goes only where the load stays so far below what is left, as a share of the load.
const SLACK_SHARE: f64 = 0.05;
/// And so far below it in workers: near zero a share is nothing.
const SLACK_WORKERS: f64 = 0.25;

/// What is to be done now.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<Id> {
    /// How many workers there should be, those that are to go not counted.
    pub wanted: Workers,
    /// So many are to be launched.
    pub launch: Workers,
    /// These are to be given no more messages: they are to go.
    pub drain: Vec<Id>,
    /// These are to be stopped.
    pub stop: Vec<Stop<Id>>,
    /// What `wanted` follows from.
    pub cause: Cause,
    /// What was thought of the queue.
    pub estimate: Estimate,
}

/// What the number of workers follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There are as many as there should be.
    Enough,
    /// More messages come than they get done.
    Arrivals,
    /// Messages would wait for too long.
    Backlog,
    /// There is work, and nobody knows yet how long it takes: one is started to find out.
    Unknown,
    /// Less has been needed for a while.
    Quiet,
    /// No message has been about for a while.
    Idle,
    /// The limits of the group say so.
    Limits,
}

/// What was thought of the queue: for people, and for activities to tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Messages a second that come.
    pub arrivals: f64,
    /// Messages a second that one worker gets done, if that is known.
    pub per_worker: Option<f64>,
    /// How long a launch takes.
    pub boot: Duration,
    /// How many workers the load needs, in parts of one.
    pub need: f64,
}

/// Decides what is to be done at `now`, and what is known from now on. Meant to be asked each
/// second, or when a message comes to a queue without workers.
pub fn decide<Id: Clone>(
    policy: &Policy,
    mut state: State,
    seen: &Observation<Id>,
    now: Timestamp,
) -> (Decision<Id>, State) {
    state.learn(seen, now);
    let need = Need::of(policy, &state, seen, now);
    let present = seen.present();
    let (wanted, mut cause) = wanted(policy, &mut state, need, present, now);
    let within = policy.limits.clamp(wanted);
    if within != wanted {
        cause = if within == present { Cause::Enough } else { Cause::Limits };
    }
    let mut stop = leave::drained(policy, seen, now);
    let (drain, not_needed) = leave::chosen(seen, present - within);
    stop.extend(not_needed);
    let estimate = Estimate {
        arrivals: state.arrivals.rate(),
        per_worker: state.service.rate(),
        boot: state.boot(policy),
        need: need.workers,
    };
    let launch = within - present;
    (Decision { wanted: within, launch, drain, stop, cause, estimate }, state)
}

/// How many workers there should be before the limits have their say.
fn wanted(
    policy: &Policy,
    state: &mut State,
    need: Need,
    present: Workers,
    now: Timestamp,
) -> (Workers, Cause) {
    if need.cause == Cause::Idle {
        state.forget_needs();
        return (Workers::NONE, if present > Workers::NONE { Cause::Idle } else { Cause::Enough });
    }
    let hold = policy.hold.max(state.boot(policy));
    let most = state.most_needed(need.workers, now, hold);
    // While there is work, there is somebody to do it.
    let least = Workers::at_least(need.workers).max(Workers::new(1));
    if least > present {
        return (least, need.cause);
    }
    let enough = Workers::at_least(most * (1.0 + SLACK_SHARE) + SLACK_WORKERS).max(least);
    let has_looked_for_long = state.since.is_some_and(|since| now.since(since) >= hold);
    if enough < present && has_looked_for_long && need.cause != Cause::Unknown {
        (enough, Cause::Quiet)
    } else {
        (present, Cause::Enough)
    }
}

/// What the load needs, in parts of a worker, and why.
#[derive(Clone, Copy)]
struct Need {
    workers: f64,
    cause: Cause,
}

impl Need {
    fn of<Id>(policy: &Policy, state: &State, seen: &Observation<Id>, now: Timestamp) -> Self {
        if state.active.is_none_or(|active| now.since(active) >= policy.idle) {
            return Self { workers: 0.0, cause: Cause::Idle };
        }
        let Some(pace) = state.service.rate() else {
            return Self { workers: 0.0, cause: Cause::Unknown };
        };
        let rate = state.arrivals.rate_in(state.boot(policy));
        let steady = rate / pace * (1.0 + policy.headroom);
        let catch_up = catch_up(policy, state, seen, now, pace);
        if catch_up > steady {
            Self { workers: catch_up, cause: Cause::Backlog }
        } else {
            Self { workers: steady, cause: Cause::Arrivals }
        }
    }
}

/// How many workers it takes so that nobody waits for too long once those could be there that are
/// asked for now.
///
/// Until then whoever is there or on the way works off what waits and what comes: what is left
/// stands before the new ones. Within half of the goal it is no harm. Where a launch takes long,
/// all of them will be late who come before it ends, however many are launched; to catch up in as
/// long again asks for twice the steady number at most, instead of for as many as there is backlog.
fn catch_up<Id>(
    policy: &Policy,
    state: &State,
    seen: &Observation<Id>,
    now: Timestamp,
    pace: f64,
) -> f64 {
    let boot = state.boot(policy).as_secs_f64();
    let works_for = |phase: Phase, launched: Timestamp| match phase {
        Phase::InService(_) => boot,
        // One that is overdue will not be long, but is not there either.
        Phase::Pending => now.since(launched).as_secs_f64().min(boot * 0.75),
        Phase::Draining(_) => 0.0,
    };
    let work: f64 = seen.instances.iter().map(|one| works_for(one.phase, one.launched)).sum();
    let coming = state.arrivals.rate() * boot;
    let left = (seen.visible.as_f64() + coming - pace * work).max(0.0);
    // A goal of no time at all is read as the shortest that a look each second can keep.
    let soon = (boot + policy.goal.as_secs_f64() / 2.0).max(1.0);
    (left + coming) / (pace * soon)
}
