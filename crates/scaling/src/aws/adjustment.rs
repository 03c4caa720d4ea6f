//! A change of capacity as a policy says it: by so many, to so many, by a share.

use minicbor::{Decode, Encode};

use crate::Workers;

/// How a policy's number is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// So many more, or fewer.
    #[n(0)]
    ChangeInCapacity,
    /// So many, whatever there were.
    #[n(1)]
    ExactCapacity,
    /// So many in a hundred more, or fewer.
    #[n(2)]
    PercentChangeInCapacity {
        /// But at least so many (`MinAdjustmentMagnitude`).
        #[n(0)]
        at_least: Option<Workers>,
    },
}

/// A change of capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Adjustment {
    /// How the number is meant.
    #[n(0)]
    pub change: Change,
    /// The number.
    #[n(1)]
    pub by: i32,
}

impl Adjustment {
    /// What becomes of `capacity`, limits apart. A share of less than one worker is one, any other
    /// is cut off to whole workers.
    pub fn of(self, capacity: Workers) -> Workers {
        let before = i64::from(capacity.count());
        let after = match self.change {
            Change::ChangeInCapacity => before + i64::from(self.by),
            Change::ExactCapacity => i64::from(self.by),
            Change::PercentChangeInCapacity { at_least } => {
                let hundredths = before * i64::from(self.by);
                let whole = hundredths / 100;
                let whole = if whole == 0 { hundredths.signum() } else { whole };
                let least = i64::from(at_least.unwrap_or(Workers::NONE).count());
                before + hundredths.signum() * whole.abs().max(least)
            }
        };
        let clamped = after.clamp(0, i64::from(u32::MAX));
        Workers::new(u32::try_from(clamped).expect("it was clamped to what fits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(by: i32, at_least: Option<u32>) -> Adjustment {
        let at_least = at_least.map(Workers::new);
        Adjustment { change: Change::PercentChangeInCapacity { at_least }, by }
    }

    #[test]
    fn changes_are_calculated_as_in_the_guide() {
        let by = |by| Adjustment { change: Change::ChangeInCapacity, by };
        let to = |by| Adjustment { change: Change::ExactCapacity, by };
        let cases = [
            (3, by(5), 8),
            (3, by(-5), 0),
            (9, to(5), 5),
            (10, percent(10, None), 11),
            // 25 % of four is one; at least two are asked for.
            (4, percent(25, Some(2)), 6),
            (4, percent(-25, Some(2)), 2),
            // 10 % of nothing is nothing, whatever the least.
            (0, percent(10, Some(2)), 0),
            (10, percent(0, Some(2)), 10),
        ];
        for (before, adjustment, after) in cases {
            assert_eq!(
                adjustment.of(Workers::new(before)),
                Workers::new(after),
                "{before}, {adjustment:?}"
            );
        }
    }

    #[test]
    fn a_share_is_rounded_as_in_the_guide() {
        // 12.7 -> 12, 0.67 -> 1, -0.58 -> -1, -6.67 -> -6
        for (before, by, change) in [(127, 10, 12), (67, 1, 1), (58, -1, -1), (667, -1, -6)] {
            let after = percent(by, None).of(Workers::new(before));
            assert_eq!(i64::from(after.count()) - i64::from(before), change, "{by} % of {before}");
        }
    }
}
