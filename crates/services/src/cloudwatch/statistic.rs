//! What can be asked of what was measured: `Sum`, `p99.9`.

use tidemill_metric::Summary;

/// A statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// 0 to 100.
    Percentile(f64),
}

impl Statistic {
    /// Reads one of the five plain ones, or a percentile. Those that trim are not there yet.
    pub(super) fn read(text: &str) -> Option<Self> {
        Some(match text {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => return Self::read_percentile(text),
        })
    }

    /// Reads `p50`, `p99.99`.
    pub(super) fn read_percentile(text: &str) -> Option<Self> {
        let number = text.strip_prefix('p')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let well_formed = digits(whole) && digits(fraction) && fraction.len() <= 10;
        let percent: f64 = number.parse().ok().filter(|_| well_formed)?;
        (percent <= 100.0).then_some(Self::Percentile(percent))
    }

    /// The statistic of these values; `None` where it cannot be told.
    pub(super) fn of(self, summary: &Summary) -> Option<f64> {
        Some(match self {
            Self::SampleCount => summary.samples,
            Self::Average => summary.average(),
            Self::Sum => summary.sum,
            Self::Minimum => summary.minimum,
            Self::Maximum => summary.maximum,
            Self::Percentile(percent) => return summary.percentile(percent),
        })
    }
}

/// Whether there is a statistic of this name.
pub(crate) fn is_statistic(name: &str) -> bool {
    Statistic::read(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_p_and_a_number_up_to_a_hundred() {
        for (text, percent) in [("p0", 0.0), ("p50", 50.0), ("p99.99", 99.99), ("p100", 100.0)] {
            assert_eq!(Statistic::read(text), Some(Statistic::Percentile(percent)), "{text}");
        }
        for bad in ["", "p", "p-1", "p101", "p1e1", "p.5", "p5.", "pNaN", "tm90", "sum", "P50"] {
            assert_eq!(Statistic::read(bad), None, "{bad:?}");
        }
    }
}
