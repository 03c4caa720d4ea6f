//! Target tracking: capacity in proportion to a metric.

use std::time::Duration;

use super::alarms::Side;
use super::capacity::{Fleet, Proposal};
use crate::Workers;

/// AWS's cooldown where nothing is said, and with it the warm-up.
const DEFAULT_COOLDOWN: Duration = Duration::from_mins(5);

/// A policy of target tracking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracking {
    /// What the metric should be. It has to become less the more workers there are.
    pub target: f64,
    /// Whether the group may grow by it and never shrinks.
    pub disable_scale_in: bool,
}

impl Tracking {
    /// What the policy wishes when one of its alarms has the metric at `value`; no value, no wish.
    /// It never lets a group grow below its target, nor shrink above it.
    pub fn propose(&self, side: Side, value: Option<f64>, fleet: Fleet) -> Proposal {
        let Some(value) = value else { return Proposal::Unknown };
        match side {
            Side::High if value > self.target => {
                let calculated = self.capacity(fleet.base_out(), value);
                Proposal::Capacity(fleet.grown(calculated))
            }
            Side::Low if self.disable_scale_in => Proposal::Abstains,
            Side::Low if value < self.target => {
                let calculated = self.capacity(fleet.base_in(), value);
                Proposal::Capacity(fleet.shrunk(calculated))
            }
            Side::High | Side::Low => Proposal::Capacity(fleet.desired),
        }
    }

    /// The capacity at which the metric would be at its target: parts of a worker are one. A group
    /// without workers grows to one if the metric says anything at all.
    pub fn capacity(&self, base: Workers, value: f64) -> Workers {
        if base == Workers::NONE {
            return Workers::new(u32::from(value > 0.0));
        }
        Workers::at_least(base.as_f64() * value / self.target)
    }
}

/// How long an instance warms up: by the policy, the group, the group's cooldown, or AWS's.
pub fn warm_up(
    policy: Option<Duration>,
    group: Option<Duration>,
    cooldown: Option<Duration>,
) -> Duration {
    policy.or(group).or(cooldown).unwrap_or(DEFAULT_COOLDOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(count: u32) -> Fleet {
        Fleet { desired: Workers::new(count), ready: Workers::new(count), ..Fleet::default() }
    }

    fn to(target: f64) -> Tracking {
        Tracking { target, disable_scale_in: false }
    }

    #[test]
    fn capacity_is_in_proportion_to_the_metric() {
        // Target, base, value, capacity. The first is the guide's: 1500 messages, ten instances.
        let cases = [
            (100.0, 10, 150.0, 15),
            // Ten minutes of 250 ms each are 2400 messages.
            (2400.0, 2, 2400.0, 2),
            (2400.0, 2, 2401.0, 3),
            // A growth of one and a half is two, a shrinking of one and a half one.
            (100.0, 10, 115.0, 12),
            (100.0, 10, 85.0, 9),
            (100.0, 10, 0.0, 0),
            (100.0, 0, 7.0, 1),
            (100.0, 0, 0.0, 0),
            // As KEDA and Kubernetes do it, tolerance apart.
            (10.0, 1, 30.0, 3),
            (100.0, 4, 200.0, 8),
            (100.0, 4, 50.0, 2),
        ];
        for (target, base, value, capacity) in cases {
            let calculated = to(target).capacity(Workers::new(base), value);
            assert_eq!(calculated, Workers::new(capacity), "{base} at {value} of {target}");
        }
    }

    #[test]
    fn a_group_never_grows_below_its_target_nor_shrinks_above_it() {
        let same = Proposal::Capacity(Workers::new(10));
        assert_eq!(to(100.0).propose(Side::High, Some(99.0), ready(10)), same);
        assert_eq!(to(100.0).propose(Side::Low, Some(101.0), ready(10)), same);
        assert_eq!(to(100.0).propose(Side::High, None, ready(10)), Proposal::Unknown);
        assert_eq!(to(100.0).propose(Side::Low, None, ready(10)), Proposal::Unknown);
    }

    #[test]
    fn a_policy_that_may_not_shrink_abstains() {
        let tracking = Tracking { target: 100.0, disable_scale_in: true };
        assert_eq!(tracking.propose(Side::Low, Some(10.0), ready(10)), Proposal::Abstains);
    }

    #[test]
    fn what_warms_up_is_no_base_but_counts() {
        let fleet = Fleet { desired: Workers::new(6), warming: Workers::new(2), ..ready(4) };
        // Four at 1.4 times the target are 5.6: the two that warm up are enough.
        assert_eq!(
            to(100.0).propose(Side::High, Some(140.0), fleet),
            Proposal::Capacity(Workers::new(6))
        );
        assert_eq!(
            to(100.0).propose(Side::Low, Some(10.0), fleet),
            Proposal::Capacity(Workers::new(6))
        );
    }

    #[test]
    fn warm_up_is_what_is_said_nearest_to_the_policy() {
        let [a, b, c] = [1, 2, 3].map(Duration::from_secs);
        assert_eq!(warm_up(Some(a), Some(b), Some(c)), a);
        assert_eq!(warm_up(None, Some(b), Some(c)), b);
        assert_eq!(warm_up(None, None, Some(c)), c);
        assert_eq!(warm_up(None, None, None), Duration::from_mins(5));
    }
}
