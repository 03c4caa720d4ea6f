//! Policies: how an alarm, or somebody who asks, has a group change its size.

use std::time::Duration;

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

use super::Group;
use super::activity::{Cause, Said, Step as Change};
use super::ids::ActivityId;
use super::record::{Wanted, What};
use super::settings::Process;
use crate::aws::{self, Adjustment, Proposal, Side, Steps, Tracking};
use crate::{Limits, Workers};

/// Most policies of a group.
pub const POLICIES: usize = 50;

/// A policy.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Policy {
    /// What sets it apart from another of the same name.
    #[n(0)]
    pub id: ActivityId,
    /// Whether it does anything.
    #[n(1)]
    pub enabled: bool,
    /// What it does.
    #[n(2)]
    pub way: Way,
}

/// How a policy decides.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Way {
    /// One change, and then nothing for a while.
    #[n(0)]
    Simple(#[n(0)] Simple),
    /// A change by how far the metric is beyond the alarm's threshold.
    #[n(1)]
    Stepwise(#[n(0)] Stepwise),
    /// In proportion to how far the metric is from its target.
    #[n(2)]
    Tracking(#[n(0)] Target),
}

/// Simple scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Simple {
    /// The change.
    #[n(0)]
    pub adjustment: Adjustment,
    /// Seconds that it waits after the one before; the group's, if it is not said.
    #[n(1)]
    pub cooldown: Option<u32>,
}

/// Step scaling.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Stepwise {
    /// How the steps' numbers are meant.
    #[n(0)]
    pub change: aws::Change,
    /// The steps, which fit together.
    #[n(1)]
    pub steps: Vec<aws::Step>,
    /// Seconds that an instance takes to pull its weight, if it is said.
    #[n(2)]
    pub warm_up: Option<u32>,
    /// A word of the owner's on how values are to be taken together, kept and shown.
    #[n(3)]
    pub aggregation: Option<String>,
}

/// Target tracking.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Target {
    /// What the metric should be.
    #[n(0)]
    pub target: f64,
    /// Whether the group grows by it and never shrinks.
    #[n(1)]
    pub disable_scale_in: bool,
    /// Seconds that an instance takes to pull its weight, if it is said.
    #[n(2)]
    pub warm_up: Option<u32>,
    /// The metric, as those write it down who keep metrics.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub metric: Vec<u8>,
    /// The name of the alarm that has the group grow.
    #[n(4)]
    pub high: String,
    /// The name of the one that has it shrink, if it may.
    #[n(5)]
    pub low: Option<String>,
}

/// A policy was made, or set to something else.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct PolicyPut {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// What it is from now on.
    #[n(1)]
    pub policy: Policy,
}

/// A policy is to decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// Which.
    pub policy: String,
    /// The alarm that has it decide; nobody's, if somebody asked.
    pub alarm: Option<String>,
    /// Which side of its threshold is the bad one.
    pub side: Side,
    /// What the alarm holds the metric against.
    pub threshold: f64,
    /// The metric's newest value, if there is one.
    pub value: Option<f64>,
}

impl Target {
    /// The rule of the mind that decides.
    pub fn tracking(&self) -> Tracking {
        Tracking { target: self.target, disable_scale_in: self.disable_scale_in }
    }

    /// The names of its alarms.
    pub fn alarms(&self) -> impl Iterator<Item = (Side, &str)> {
        let low = self.low.as_deref().map(|name| (Side::Low, name));
        [(Side::High, &*self.high)].into_iter().chain(low)
    }
}

/// What becomes of a group whose policies are to decide, all at once, at `now`; nothing if that is
/// what it has. `is_content` says of another policy whether it is where it should be, so that the
/// group does not shrink by a target: `None` where nobody knows.
pub fn decide_by_policies(
    group: &Group,
    invocations: &[Invocation],
    is_content: impl Fn(&str) -> Option<bool>,
    now: Timestamp,
) -> Option<What> {
    let limits = Limits::new(group.settings.min, group.settings.max).ok()?;
    if group.closing {
        return None;
    }
    let asked = |it: &&Invocation| it.alarm.is_none() || group.does(Process::AlarmNotification);
    let mut wishes: Vec<(Workers, &Invocation)> = Vec::new();
    let mut by_target = Vec::new();
    for it in invocations.iter().filter(asked) {
        let Some(policy) = group.policies.get(&it.policy).filter(|policy| policy.enabled) else {
            continue;
        };
        if let Some(wish) = wish(group, policy, it, limits, now) {
            if matches!(policy.way, Way::Tracking(_)) && wish < group.desired {
                by_target.push((wish, it));
            } else {
                wishes.push((wish, it));
            }
        }
    }
    let decides = |name: &str| invocations.iter().any(|it| it.policy == name);
    let holds = |(name, policy): (&String, &Policy)| match &policy.way {
        Way::Tracking(target) if policy.enabled && !target.disable_scale_in => {
            !decides(name) && is_content(name) == Some(true)
        }
        _ => false,
    };
    if !group.policies.iter().any(holds) {
        wishes.append(&mut by_target);
    }
    // Where one wants growth, the largest wish; where all want less, the one that takes least.
    let most = wishes.iter().map(|(wish, _)| *wish).max()?;
    let (_, it) = wishes.iter().find(|(wish, _)| *wish == most)?;
    let desired = limits.clamp(most);
    if desired == group.desired {
        return None;
    }
    let step = Change { from: group.desired, to: desired };
    let policy = it.policy.clone();
    let cause = match it.alarm.clone() {
        Some(alarm) => Cause::Alarm { alarm, policy, step },
        None => Cause::Policy { policy, step },
    };
    Some(What::Wanted(Wanted { desired, said: Some(Said { at: now, cause }) }))
}

/// What a policy wishes, if anything.
fn wish(
    group: &Group,
    policy: &Policy,
    it: &Invocation,
    limits: Limits,
    now: Timestamp,
) -> Option<Workers> {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let cooldown = seconds(group.settings.cooldown);
    let warm_up = |own: Option<u32>| {
        aws::warm_up(own.map(seconds), group.settings.warm_up.map(seconds), Some(cooldown))
    };
    match &policy.way {
        Way::Simple(simple) => {
            let cooldown = simple.cooldown.map_or(cooldown, seconds);
            let waits = group.cooldown();
            // Whoever asks decides for himself whether to wait.
            let waits = if it.alarm.is_some() { waits } else { aws::Cooldown::default() };
            aws::scale_simply(simple.adjustment, group.desired, limits, waits, cooldown, now)
        }
        Way::Stepwise(stepwise) => {
            let steps = Steps::new(stepwise.change, stepwise.steps.clone()).ok()?;
            let fleet = group.fleet(warm_up(stepwise.warm_up), now);
            steps.capacity(it.threshold, it.value?, fleet)
        }
        Way::Tracking(target) => {
            let fleet = group.fleet(warm_up(target.warm_up), now);
            match target.tracking().propose(it.side, it.value, fleet) {
                Proposal::Capacity(wish) => Some(wish),
                Proposal::Unknown | Proposal::Abstains => None,
            }
        }
    }
}

#[cfg(test)]
mod tests;
