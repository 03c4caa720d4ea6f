//! An alarm: which metric it watches, when it goes off, and how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_base::{AccountId, Region, Timestamp};

use crate::key::MetricKey;
use crate::unit::Unit;

/// What people call an alarm. Alarms are listed in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmKey {
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// Its name.
    pub name: Arc<str>,
}

/// How an alarm stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The metric is within its bounds.
    Fine,
    /// It is not.
    Alarming,
    /// Nobody can tell.
    Unknown,
}

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

/// What an alarm is set to.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmSettings {
    /// What people say of it.
    pub description: Option<Box<str>>,
    /// Whether its actions are taken.
    pub actions_enabled: bool,
    /// What is done when it becomes fine, alarming, unknown.
    pub actions: [Vec<Box<str>>; 3],
    /// What it watches.
    pub metric: MetricKey,
    /// Which statistic of that, by a name that means something to the floor above.
    pub statistic: Box<str>,
    /// Only values in this unit.
    pub unit: Option<Unit>,
    /// How long a value is gathered: whole seconds.
    pub period: Duration,
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

/// A standing and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// How it stands.
    pub standing: Standing,
    /// Why, for a person.
    pub text: Box<str>,
    /// Why, for a program.
    pub data: Option<Box<str>>,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// What it is set to.
    pub settings: AlarmSettings,
    /// When that was last set.
    pub configured: Timestamp,
    /// How it stands.
    pub reason: Reason,
    /// When that was last found out anew.
    pub updated: Timestamp,
    /// When it last came to stand otherwise than before.
    pub turned: Timestamp,
    /// What it is tagged with.
    pub tags: Tags,
}

/// Keys and values that mean something to people alone.
pub type Tags = BTreeMap<Box<str>, Box<str>>;

/// An action that is to be taken, until it is said what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Its place among all that happens: the same for as long as it is due, so that whoever takes
    /// the action can tell when he took it before.
    pub number: u64,
    /// Whose action. The alarm may be gone by now.
    pub key: AlarmKey,
    /// When the alarm turned.
    pub at: Timestamp,
    /// Which: an address that means something to the floor above.
    pub action: Box<str>,
    /// How the alarm stood before.
    pub from: Standing,
    /// How it stands since.
    pub to: Reason,
}

/// Something that happened to an alarm, as it is remembered afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryItem {
    /// Its place among all.
    pub number: u64,
    /// To which alarm. It may be gone by now.
    pub key: AlarmKey,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// What can happen to an alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// It was made.
    Created,
    /// It was set to something else.
    Updated,
    /// It was deleted.
    Deleted,
    /// It came to stand otherwise.
    Turned {
        /// How it stood before.
        from: Reason,
        /// How it stands since.
        to: Reason,
    },
    /// One of its actions was taken, or was not.
    Acted {
        /// Which.
        action: Box<str>,
        /// When the alarm had turned.
        turned: Timestamp,
        /// Why it could not be taken.
        failure: Option<Box<str>>,
    },
}

impl AlarmSettings {
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
    use super::*;

    fn settings(needed: u32, missing: Missing) -> AlarmSettings {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        AlarmSettings {
            description: None,
            actions_enabled: true,
            actions: Default::default(),
            metric: MetricKey::new(account, region, "n", "m", Vec::new()),
            statistic: "Sum".into(),
            unit: None,
            period: Duration::from_mins(1),
            periods: 3,
            breaching: Some(needed),
            threshold: 1.0,
            comparison: Comparison::Above,
            missing: Some(missing),
            few_values_count: None,
        }
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
            let judged = settings(needed, missing).judge(&periods);
            assert_eq!(judged, expected, "{needed} of 3, {data}, {missing:?}");
        }
    }

    #[test]
    fn three_of_three_stand_as_in_the_documented_table() {
        row(3, "0-X-X", "OOOO");
        row(3, "0----", "OOOO");
        row(3, "-----", "I.AO");
        row(3, "0XX-X", "AAAA");
        row(3, "--X--", "A.AO");
    }

    #[test]
    fn two_of_three_stand_as_in_the_documented_table() {
        row(2, "0-X-X", "AAAA");
        row(2, "00X0X", "AAAA");
        row(2, "0-X--", "OOAO");
        row(2, "----0", "OOAO");
        row(2, "---X-", "A.AO");
    }

    #[test]
    fn what_has_just_begun_to_breach_does_not_alarm_before_its_time() {
        row(3, "----X", "..AO");
        row(3, "---X-", "..AO");
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
            let settings = AlarmSettings { comparison, ..settings(1, Missing::Missing) };
            assert_eq!([0.0, 1.0, 2.0].map(|value| settings.is_breached_by(value)), expected);
        }
    }
}
