//! What an alarm holds values against, and how it stands by them.

use std::time::Duration;

use crate::alarm::Standing;
use crate::key::MetricKey;
use crate::unit::Unit;

/// The period of what is looked at together, if nothing of it says one.
const DEFAULT_PERIOD: Duration = Duration::from_mins(1);

/// How values are compared with the threshold to be breaching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// At it or above.
    AtLeast,
    /// Above it.
    Above,
    /// Below it.
    Below,
    /// At it or below.
    AtMost,
}

/// What a period without a value counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing; where all are missing, nobody can tell.
    Missing,
    /// Nothing; where all are missing, the alarm stays as it is.
    Ignored,
    /// Breaching.
    Breaching,
    /// Not breaching.
    NotBreaching,
}

/// What an alarm watches of what is measured, and when it goes off.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Where the values come from.
    pub source: Source,
    /// How many values are looked at.
    pub periods: u32,
    /// How many of them must be breaching; all, if it is not said.
    pub breaching: Option<u32>,
    /// What they are compared with.
    pub threshold: f64,
    /// How they are compared.
    pub comparison: Comparison,
    /// What it means that there is none, if it was said.
    pub missing: Option<Missing>,
    /// Whether a percentile of too few values changes anything, if it was said.
    pub few_values_count: Option<bool>,
}

/// Where values come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A metric.
    Metric(Measure),
    /// The one of these that is returned. Expressions may speak of the others.
    Queries(Vec<Query>),
}

/// Bytes that are no source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a source cannot be read: {0}")]
pub struct BadSource(pub(crate) &'static str);

/// A statistic of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Which metric.
    pub metric: MetricKey,
    /// Which statistic of it, by a name that means something to the floor above.
    pub statistic: Box<str>,
    /// Only values in this unit.
    pub unit: Option<Unit>,
    /// How long a value is gathered: whole seconds.
    pub period: Duration,
}

/// A metric or an expression, and how others speak of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// How others speak of it.
    pub id: Box<str>,
    /// What people call it, if it was said.
    pub label: Option<Box<str>>,
    /// Whether its values are those that are looked at.
    pub returned: bool,
    /// Whether it was said that it is of the account's own.
    pub own_account: bool,
    /// What it is.
    pub gives: Gives,
}

/// What gives values.
#[derive(Clone, Debug, PartialEq)]
pub enum Gives {
    /// A metric.
    Measure(Measure),
    /// An expression over the others.
    Expression {
        /// The expression.
        text: Box<str>,
        /// How long its values are gathered, if it was said: whole seconds.
        period: Option<Duration>,
    },
}

impl Query {
    fn period(&self) -> Option<Duration> {
        match &self.gives {
            Gives::Measure(measure) => Some(measure.period),
            Gives::Expression { period, .. } => *period,
        }
    }
}

/// The period of what is looked at together, of which some says how long: those agree on one. A
/// minute where nothing is said; `None` where they do not agree.
pub fn one_period(said: impl IntoIterator<Item = Duration>) -> Option<Duration> {
    let mut said = said.into_iter();
    let period = said.next().unwrap_or(DEFAULT_PERIOD);
    said.all(|other| other == period).then_some(period)
}

impl Check {
    /// One that looks at so many values, all of which must be breaching; nothing else is said.
    pub fn new(source: Source, periods: u32, comparison: Comparison, threshold: f64) -> Self {
        let (breaching, missing, few_values_count) = (None, None, None);
        Self { source, periods, breaching, threshold, comparison, missing, few_values_count }
    }

    /// How long each value is gathered.
    pub fn period(&self) -> Duration {
        match &self.source {
            Source::Metric(measure) => measure.period,
            // Whoever has them watched looks that they agree.
            Source::Queries(queries) => {
                one_period(queries.iter().filter_map(Query::period)).unwrap_or(DEFAULT_PERIOD)
            }
        }
    }

    /// How many values must be breaching.
    pub fn needed(&self) -> u32 {
        self.breaching.unwrap_or(self.periods)
    }

    /// What it means that there is no value.
    pub fn missing(&self) -> Missing {
        self.missing.unwrap_or(Missing::Missing)
    }

    /// Whether a value is breaching.
    pub fn is_breached_by(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::AtLeast => value >= self.threshold,
            Comparison::Above => value > self.threshold,
            Comparison::Below => value < self.threshold,
            Comparison::AtMost => value <= self.threshold,
        }
    }

    /// More periods are looked at than count, so that a value that is missing can be made up for
    /// by an older one.
    pub fn range(&self) -> u32 {
        self.periods + 2
    }

    /// How the alarm stands by these periods, the oldest first, each breaching, not, or without a
    /// value; `None` if it stays as it is.
    pub fn judge(&self, periods: &[Option<bool>]) -> Option<Standing> {
        let (wanted, needed) = (self.periods as usize, self.needed() as usize);
        let values: Vec<bool> = periods.iter().flatten().copied().collect();
        let newest = &values[values.len().saturating_sub(wanted)..];
        let breaching = newest.iter().filter(|breaching| **breaching).count();
        let absent = wanted - newest.len();
        let alarming_if =
            |alarming: bool| Some(if alarming { Standing::Alarming } else { Standing::Fine });
        match self.missing() {
            _ if absent == 0 => alarming_if(breaching >= needed),
            Missing::Breaching => alarming_if(breaching + absent >= needed),
            Missing::NotBreaching => alarming_if(breaching >= needed),
            Missing::Missing if newest.is_empty() => Some(Standing::Unknown),
            Missing::Ignored if newest.is_empty() => None,
            _ if breaching >= needed => Some(Standing::Alarming),
            _ if breaching < newest.len() => Some(Standing::Fine),
            Missing::Ignored => None,
            Missing::Missing => {
                // All that there is breaches, but it is not enough: it is, once the oldest of it
                // is so old that the periods since could have made it up.
                let oldest = periods.iter().position(|period| *period == Some(true));
                let old = oldest.is_some_and(|oldest| periods.len() - oldest >= needed);
                old.then_some(Standing::Alarming)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill_base::{AccountId, Region};

    use super::*;

    fn check(needed: u32, missing: Missing) -> Check {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let source = Source::Metric(Measure {
            metric: MetricKey::new(account, region, "n", "m", Vec::new()),
            statistic: "Sum".into(),
            unit: None,
            period: Duration::from_mins(1),
        });
        let check = Check::new(source, 3, Comparison::Above, 1.0);
        Check { breaching: Some(needed), missing: Some(missing), ..check }
    }

    const ALL: [Missing; 4] =
        [Missing::Missing, Missing::Ignored, Missing::Breaching, Missing::NotBreaching];

    /// A row of AWS's tables: what there is, the oldest first (0 fine, X breaching, - missing),
    /// and how the alarm stands by each of [`ALL`] (O fine, A alarming, I unknown, . as it was).
    fn row(needed: u32, data: &str, expected: &str) {
        let periods: Vec<Option<bool>> = data
            .chars()
            .map(|period| match period {
                '0' => Some(false),
                'X' => Some(true),
                _ => None,
            })
            .collect();
        for (missing, expected) in ALL.into_iter().zip(expected.chars()) {
            let expected = match expected {
                'O' => Some(Standing::Fine),
                'A' => Some(Standing::Alarming),
                'I' => Some(Standing::Unknown),
                _ => None,
            };
            let judged = check(needed, missing).judge(&periods);
            assert_eq!(judged, expected, "{needed} of 3, {data}, {missing:?}");
        }
    }

    #[test]
    fn alarms_stand_as_in_the_documented_tables() {
        for (needed, data, expected) in [
            (3, "0-X-X", "OOOO"),
            (3, "0----", "OOOO"),
            (3, "-----", "I.AO"),
            (3, "0XX-X", "AAAA"),
            (3, "--X--", "A.AO"),
            (2, "0-X-X", "AAAA"),
            (2, "00X0X", "AAAA"),
            (2, "0-X--", "OOAO"),
            (2, "----0", "OOAO"),
            (2, "---X-", "A.AO"),
            // What has just begun to breach does not alarm before its time.
            (3, "----X", "..AO"),
            (3, "---X-", "..AO"),
        ] {
            row(needed, data, expected);
        }
    }

    #[test]
    fn what_is_looked_at_together_agrees_on_a_period() {
        let [ten, minute] = [10, 60].map(Duration::from_secs);
        for (said, agreed) in [
            (&[][..], Some(minute)),
            (&[ten], Some(ten)),
            (&[ten, ten], Some(ten)),
            (&[ten, minute], None),
        ] {
            assert_eq!(one_period(said.iter().copied()), agreed, "{said:?}");
        }
    }

    #[test]
    fn values_are_compared_as_is_asked() {
        let cases = [
            (Comparison::AtLeast, [false, true, true]),
            (Comparison::Above, [false, false, true]),
            (Comparison::Below, [true, false, false]),
            (Comparison::AtMost, [true, true, false]),
        ];
        for (comparison, expected) in cases {
            let check = Check { comparison, ..check(1, Missing::Missing) };
            assert_eq!([0.0, 1.0, 2.0].map(|value| check.is_breached_by(value)), expected);
        }
    }
}
