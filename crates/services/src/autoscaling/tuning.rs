//! What tags of a group say to us: which mind scales it, for which queue, and how.

use std::time::Duration;

use tidemill_scaling::group::{GroupKey, Tags};

/// What our own tags begin with.
const OURS: &str = "tidemill:";
const QUEUE: &str = "tidemill:queue";
/// The most seconds of any of them: a day.
const DAY: f64 = 86_400.0;

/// Which mind scales a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// AWS's: policies and alarms alone.
    #[default]
    Aws,
    /// Ours, where the group's queue is known.
    Fast,
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "aws" => Ok(Self::Aws),
            "fast" => Ok(Self::Fast),
            other => Err(format!("{other} is no mode: aws and fast are")),
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Aws => "aws",
            Self::Fast => "fast",
        })
    }
}

/// What tags say. Each may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tuning {
    pub(super) mode: Option<Mode>,
    /// A queue, by its name, ARN or URL.
    pub(super) queue: Option<String>,
    /// How long a message may take.
    pub(super) goal: Option<Duration>,
    /// How long nothing is about until the group goes down to its smallest size.
    pub(super) idle: Option<Duration>,
    /// How long an instance that is to go may finish what it holds.
    pub(super) drain: Option<Duration>,
}

impl Tuning {
    /// What tags say that were checked when they were set.
    pub(super) fn of(tags: &Tags) -> Self {
        let mut tuning = Self::default();
        for (name, tag) in tags {
            // One that we did not know when it was set says nothing.
            drop(tuning.take(name, &tag.value));
        }
        tuning
    }

    /// Takes one tag in; an error is a sentence for a person.
    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let seconds = |least: f64| {
            let seconds = value.parse::<f64>().ok().filter(|it| (least..=DAY).contains(it));
            let seconds = seconds.map(Duration::from_secs_f64);
            seconds.ok_or_else(|| {
                format!(
                    "The tag {name} is a number of seconds, {least} to {DAY}, and not '{value}'."
                )
            })
        };
        match name {
            "tidemill:scaling-mode" => {
                let mode = value.parse().map_err(|why| format!("The tag {name}: {why}."))?;
                self.mode = Some(mode);
            }
            QUEUE if value.is_empty() => {
                return Err(format!("The tag {name} is a queue's name, ARN or URL."));
            }
            QUEUE => self.queue = Some(value.to_owned()),
            "tidemill:goal" => self.goal = Some(seconds(0.1)?),
            "tidemill:idle" => self.idle = Some(seconds(1.0)?),
            "tidemill:drain" => self.drain = Some(seconds(0.0)?),
            _ if name.starts_with(OURS) => {
                return Err(format!(
                    "There is no tag {name}: tidemill:scaling-mode, queue, goal, idle and drain \
                     say how a group is scaled."
                ));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Checks a tag of a group.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    Tuning::default().take(name, value)
}

/// Checks whose queue a tag of a group names: another account's is not for it.
pub(super) fn check_queue(key: &GroupKey, name: &str, value: &str) -> Result<(), String> {
    let queue = (name == QUEUE).then(|| crate::sqs::named(value, key.account, &key.region));
    match queue.flatten() {
        Some(queue) if queue.account != key.account => {
            Err(format!("The tag {name} names a queue of another account: {value}."))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_ours_is_checked_and_any_other_is_not() {
        for (name, value) in [
            ("tidemill:scaling-mode", "fast"),
            ("tidemill:queue", "orders"),
            ("tidemill:goal", "2.5"),
            ("tidemill:idle", "60"),
            ("tidemill:drain", "0"),
            ("team", ""),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}");
        }
        for (name, value) in [
            ("tidemill:scaling-mode", "slow"),
            ("tidemill:queue", ""),
            ("tidemill:goal", "0"),
            ("tidemill:goal", "soon"),
            ("tidemill:idle", "-1"),
            ("tidemill:drain", "NaN"),
            ("tidemill:drain", "86401"),
            ("tidemill:goals", "1"),
        ] {
            assert!(check(name, value).unwrap_err().contains(name), "{name} {value}");
        }
    }
}
