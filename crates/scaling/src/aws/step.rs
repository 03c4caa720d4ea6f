//! Step scaling: the further a metric is beyond the alarm's threshold, the larger the change.

use minicbor::{Decode, Encode};

use super::adjustment::{Adjustment, Change};
use super::capacity::Fleet;
use crate::Workers;

/// AWS takes no more steps than these in one policy.
const MOST: usize = 20;

/// One step: a range of distances from the threshold, and a change.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Step {
    /// From this distance; without it, from anything below.
    #[n(0)]
    pub lower: Option<f64>,
    /// To this distance; without it, to anything above.
    #[n(1)]
    pub upper: Option<f64>,
    /// The change, as the policy's kind of change reads it.
    #[n(2)]
    pub by: i32,
}

/// Why steps are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSteps {
    /// There is none.
    #[error("a policy has at least one step")]
    None,
    /// There are more than twenty.
    #[error("a policy has at most 20 steps")]
    TooMany,
    /// A step ends where it begins, or before.
    #[error("a step's lower bound is below its upper bound")]
    Empty,
    /// A bound is not a number.
    #[error("a step's bound is a number")]
    NotANumber,
    /// Two steps share distances.
    #[error("steps do not overlap")]
    Overlap,
    /// Between two steps there are distances without one.
    #[error("steps leave no gap between them")]
    Gap,
    /// A step has a negative lower bound, and none goes below it without end.
    #[error("with a negative lower bound one step has no lower bound")]
    NoLowest,
    /// A step has a positive upper bound, and none goes above it without end.
    #[error("with a positive upper bound one step has no upper bound")]
    NoHighest,
}

/// The steps of a policy, in order, without gaps.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    change: Change,
    steps: Vec<Step>,
}

impl Steps {
    /// The steps of a policy, in any order.
    ///
    /// # Errors
    /// They overlap, leave gaps, or do not go far enough: see [`BadSteps`].
    pub fn new(change: Change, mut steps: Vec<Step>) -> Result<Self, BadSteps> {
        if steps.is_empty() {
            return Err(BadSteps::None);
        }
        if steps.len() > MOST {
            return Err(BadSteps::TooMany);
        }
        for step in &steps {
            let (lower, upper) = (step.from(), step.to());
            if lower.is_nan() || upper.is_nan() {
                return Err(BadSteps::NotANumber);
            }
            if lower >= upper {
                return Err(BadSteps::Empty);
            }
        }
        steps.sort_by(|a, b| a.from().total_cmp(&b.from()));
        for pair in steps.windows(2) {
            if pair[1].from() < pair[0].to() {
                return Err(BadSteps::Overlap);
            }
            if pair[1].from() > pair[0].to() {
                return Err(BadSteps::Gap);
            }
        }
        let (first, last) = (steps[0], steps[steps.len() - 1]);
        if first.lower.is_some_and(|lower| lower < 0.0) {
            return Err(BadSteps::NoLowest);
        }
        if last.upper.is_some_and(|upper| upper > 0.0) {
            return Err(BadSteps::NoHighest);
        }
        Ok(Self { change, steps })
    }

    /// The change for a metric at `value` where the alarm's threshold is `threshold`; none where
    /// no step says anything.
    pub fn adjustment(&self, threshold: f64, value: f64) -> Option<Adjustment> {
        let distance = value - threshold;
        let step = self.steps.iter().find(|step| step.holds(distance))?;
        Some(Adjustment { change: self.change, by: step.by })
    }

    /// What becomes of a group: growth counts what is warming up and takes nothing back, shrinking
    /// waits until everything is warm.
    pub fn capacity(&self, threshold: f64, value: f64, fleet: Fleet) -> Option<Workers> {
        let adjustment = self.adjustment(threshold, value)?;
        let out = adjustment.of(fleet.base_out());
        if out >= fleet.base_out() {
            return Some(fleet.grown(out));
        }
        Some(fleet.shrunk(adjustment.of(fleet.base_in())))
    }
}

impl Step {
    fn from(self) -> f64 {
        self.lower.unwrap_or(f64::NEG_INFINITY)
    }

    fn to(self) -> f64 {
        self.upper.unwrap_or(f64::INFINITY)
    }

    /// Above the threshold the lower bound is part of a step, below it the upper one.
    fn holds(self, distance: f64) -> bool {
        if distance >= 0.0 && self.to() > 0.0 {
            self.from() <= distance && distance < self.to()
        } else {
            self.from() < distance && distance <= self.to()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERCENT: Change = Change::PercentChangeInCapacity { at_least: None };

    fn step(lower: Option<f64>, upper: Option<f64>, by: i32) -> Step {
        Step { lower, upper, by }
    }

    fn out() -> Steps {
        let steps = vec![
            step(Some(0.0), Some(10.0), 0),
            step(Some(10.0), Some(20.0), 10),
            step(Some(20.0), None, 30),
        ];
        Steps::new(PERCENT, steps).unwrap()
    }

    fn inwards() -> Steps {
        let steps = vec![
            step(Some(-10.0), Some(0.0), 0),
            step(Some(-20.0), Some(-10.0), -10),
            step(None, Some(-20.0), -30),
        ];
        Steps::new(PERCENT, steps).unwrap()
    }

    #[test]
    fn the_guides_example_goes_to_11_14_13_and_10() {
        let mut capacity = Workers::new(10);
        let mut seen = Vec::new();
        for (policy, value) in [(out(), 60.0), (out(), 70.0), (inwards(), 40.0), (inwards(), 30.0)]
        {
            let fleet = Fleet { desired: capacity, ready: capacity, ..Fleet::default() };
            capacity = policy.capacity(50.0, value, fleet).unwrap();
            seen.push(capacity.count());
        }
        assert_eq!(seen, [11, 14, 13, 10]);
    }

    #[test]
    fn a_bound_belongs_to_the_step_that_is_further_from_the_threshold() {
        let by = |steps: &Steps, value| steps.adjustment(50.0, value).map(|it| it.by);
        // The sample of ExecutePolicy: threshold 50, metric 59.
        for (value, change) in [(50.0, 0), (59.0, 0), (59.9, 0), (60.0, 10), (70.0, 30), (1e9, 30)]
        {
            assert_eq!(by(&out(), value), Some(change), "{value}");
        }
        for (value, change) in [(50.0, 0), (40.1, 0), (40.0, -10), (30.0, -30), (-1e9, -30)] {
            assert_eq!(by(&inwards(), value), Some(change), "{value}");
        }
        assert_eq!(by(&out(), 49.0), None);
        assert_eq!(by(&inwards(), 51.0), None);
    }

    #[test]
    fn growth_by_steps_counts_what_is_warming_up() {
        let desired = Workers::new(11);
        let warming = Workers::new(1);
        let fleet = Fleet { desired, ready: Workers::new(10), warming, ..Fleet::default() };
        assert_eq!(out().capacity(50.0, 60.0, fleet), Some(Workers::new(11)));
        assert_eq!(out().capacity(50.0, 70.0, fleet), Some(Workers::new(13)));
        assert_eq!(inwards().capacity(50.0, 30.0, fleet), Some(Workers::new(11)));
    }

    #[test]
    fn steps_with_gaps_overlaps_or_loose_ends_are_refused() {
        let cases = [
            (vec![], BadSteps::None),
            (vec![step(Some(0.0), None, 1); 21], BadSteps::TooMany),
            (vec![step(Some(5.0), Some(5.0), 1)], BadSteps::Empty),
            (vec![step(Some(f64::NAN), None, 1)], BadSteps::NotANumber),
            (vec![step(Some(0.0), Some(10.0), 1), step(Some(5.0), None, 2)], BadSteps::Overlap),
            (vec![step(Some(0.0), None, 1), step(Some(5.0), None, 2)], BadSteps::Overlap),
            (vec![step(Some(0.0), Some(5.0), 1), step(Some(6.0), None, 2)], BadSteps::Gap),
            (vec![step(Some(-5.0), Some(0.0), -1)], BadSteps::NoLowest),
            (vec![step(Some(0.0), Some(5.0), 1)], BadSteps::NoHighest),
        ];
        for (steps, refusal) in cases {
            assert_eq!(Steps::new(PERCENT, steps.clone()), Err(refusal), "{steps:?}");
        }
        assert!(Steps::new(PERCENT, vec![step(None, None, 1)]).is_ok());
    }
}
