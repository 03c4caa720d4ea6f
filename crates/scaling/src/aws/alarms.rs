//! The pair of alarms that target tracking makes for itself.

use std::time::Duration;

use crate::Workers;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Alarms above the target; the group is to grow.
    High,
    /// Alarms well below it; the group is to shrink.
    Low,
}

/// How one of them is set. It looks at the policy's metric; missing values are missing, and each
/// of the values has to be breaching.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmRule {
    /// Which of the two.
    pub side: Side,
    /// What a value is compared with: above it for [`Side::High`], below it for [`Side::Low`], and
    /// neither at it.
    pub threshold: f64,
    /// How long each value is gathered.
    pub period: Duration,
    /// How many values in a row have to be breaching.
    pub evaluations: u32,
}

impl AlarmRule {
    /// The alarm of a target on one side; a minute's values three times above, or fifteen times
    /// below.
    pub fn of(side: Side, target: f64, low_factor: f64) -> Self {
        let (threshold, evaluations) = match side {
            Side::High => (target, 3),
            Side::Low => (target * low_factor, 15),
        };
        Self { side, threshold, period: Duration::from_mins(1), evaluations }
    }

    /// With values gathered for so long: metrics of high resolution have 10 or 30 seconds.
    #[must_use]
    pub fn every(self, period: Duration) -> Self {
        Self { period, ..self }
    }

    /// What AWS calls it. `unique` is an id that belongs to this alarm alone.
    pub fn name(&self, group: &str, unique: &str) -> String {
        let side = match self.side {
            Side::High => "AlarmHigh",
            Side::Low => "AlarmLow",
        };
        format!("TargetTracking-{group}-{side}-{unique}")
    }

    /// Whether a value is breaching.
    pub fn is_breached_by(&self, value: f64) -> bool {
        match self.side {
            Side::High => value > self.threshold,
            Side::Low => value < self.threshold,
        }
    }
}

/// How far below the target the low alarm of a group of so many is, as a share of the target.
///
/// AWS publishes none. This is fitted to alarms that people have shown (0.70 at two instances, 0.85
/// at seven), and contradicts none of them. Application Auto Scaling has 0.9 throughout, which is a
/// good choice where it does not matter.
pub fn low_factor(capacity: Workers) -> f64 {
    let count = capacity.as_f64();
    if count <= 1.0 {
        return 0.9;
    }
    let steps = ((count - 1.0) / count * 20.0 + 1e-9).floor();
    (steps / 20.0).clamp(0.7, 0.9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_is_set_as_aws_sets_it() {
        let high = AlarmRule::of(Side::High, 100.0, 0.9);
        assert_eq!((high.threshold, high.evaluations), (100.0, 3));
        assert_eq!(high.period, Duration::from_mins(1));
        assert!(high.is_breached_by(100.1) && !high.is_breached_by(100.0));
        let low = AlarmRule::of(Side::Low, 100.0, 0.9);
        assert_eq!((low.threshold, low.evaluations), (90.0, 15));
        assert!(low.is_breached_by(89.9) && !low.is_breached_by(90.0));
        assert_eq!(high.name("g", "u"), "TargetTracking-g-AlarmHigh-u");
        assert_eq!(low.name("g", "u"), "TargetTracking-g-AlarmLow-u");
        assert_eq!(low.every(Duration::from_secs(10)).period, Duration::from_secs(10));
    }

    #[test]
    fn low_thresholds_are_those_that_people_have_shown() {
        // Instances, target, threshold.
        let cases = [(2, 30.0, 21.0), (7, 50.0, 42.5), (1, 60.0, 54.0), (40, 40.0, 36.0)];
        for (count, target, threshold) in cases {
            let low = AlarmRule::of(Side::Low, target, low_factor(Workers::new(count)));
            assert!((low.threshold - threshold).abs() < 1e-9, "{count}: {}", low.threshold);
        }
    }
}
