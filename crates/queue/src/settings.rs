//! How a queue behaves, and a change of that.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidemill_base::ByteSize;

/// The labels of a queue.
pub type Tags = BTreeMap<String, String>;

/// In which order, and how often, a queue hands out what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discipline {
    /// At least once, and roughly in the order in which messages became available.
    #[default]
    Standard,
}

/// How a queue behaves. The caller checks the ranges; the engine obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its order. Fixed when the queue is made.
    pub discipline: Discipline,
    /// How long a message is kept back that does not say so itself. Whole seconds count.
    pub delay: Duration,
    /// The largest message. Kept for the caller, who alone can refuse one message of a batch.
    pub max_size: ByteSize,
    /// How long after it was sent a message is dropped.
    pub retention: Duration,
    /// How long a receive waits that does not say so itself.
    pub receive_wait: Duration,
    /// How long a received message stays hidden if the receive does not say so itself.
    pub visibility: Duration,
    /// Who may use it. Kept for the caller.
    pub policy: Option<Arc<str>>,
    /// What the caller wants to keep besides; the engine does not look into it.
    pub extras: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            discipline: Discipline::Standard,
            delay: Duration::ZERO,
            max_size: ByteSize::mib(1),
            retention: Duration::from_hours(4 * 24),
            receive_wait: Duration::ZERO,
            visibility: Duration::from_secs(30),
            policy: None,
            extras: BTreeMap::new(),
        }
    }
}

/// A change of settings: only what is named changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// Sets [`Settings::delay`].
    pub delay: Option<Duration>,
    /// Sets [`Settings::max_size`].
    pub max_size: Option<ByteSize>,
    /// Sets [`Settings::retention`].
    pub retention: Option<Duration>,
    /// Sets [`Settings::receive_wait`].
    pub receive_wait: Option<Duration>,
    /// Sets [`Settings::visibility`].
    pub visibility: Option<Duration>,
    /// Sets, or with `Some(None)` clears, [`Settings::policy`].
    pub policy: Option<Option<Arc<str>>>,
    /// Sets, or with `None` clears, entries of [`Settings::extras`].
    pub extras: BTreeMap<String, Option<String>>,
}

/// Names one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingName {
    /// [`Settings::delay`]
    Delay,
    /// [`Settings::max_size`]
    MaxSize,
    /// [`Settings::retention`]
    Retention,
    /// [`Settings::receive_wait`]
    ReceiveWait,
    /// [`Settings::visibility`]
    Visibility,
    /// [`Settings::policy`]
    Policy,
    /// The entry of [`Settings::extras`] with this name.
    Extra(String),
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delay => "delay",
            Self::MaxSize => "max_size",
            Self::Retention => "retention",
            Self::ReceiveWait => "receive_wait",
            Self::Visibility => "visibility",
            Self::Policy => "policy",
            Self::Extra(name) => name,
        })
    }
}

impl SettingsChange {
    /// `settings` after this change.
    pub fn applied_to(&self, settings: &Settings) -> Settings {
        let mut extras = settings.extras.clone();
        for (name, value) in &self.extras {
            match value {
                Some(value) => extras.insert(name.clone(), value.clone()),
                None => extras.remove(name),
            };
        }
        Settings {
            discipline: settings.discipline,
            delay: self.delay.unwrap_or(settings.delay),
            max_size: self.max_size.unwrap_or(settings.max_size),
            retention: self.retention.unwrap_or(settings.retention),
            receive_wait: self.receive_wait.unwrap_or(settings.receive_wait),
            visibility: self.visibility.unwrap_or(settings.visibility),
            policy: self.policy.clone().unwrap_or_else(|| settings.policy.clone()),
            extras,
        }
    }

    /// The first setting that this change names and that `settings` has differently.
    pub fn first_difference(&self, settings: &Settings) -> Option<SettingName> {
        fn differs<T: PartialEq>(wanted: Option<&T>, actual: &T) -> bool {
            wanted.is_some_and(|wanted| wanted != actual)
        }
        let fixed = [
            (differs(self.delay.as_ref(), &settings.delay), SettingName::Delay),
            (differs(self.max_size.as_ref(), &settings.max_size), SettingName::MaxSize),
            (differs(self.retention.as_ref(), &settings.retention), SettingName::Retention),
            (differs(self.receive_wait.as_ref(), &settings.receive_wait), SettingName::ReceiveWait),
            (differs(self.visibility.as_ref(), &settings.visibility), SettingName::Visibility),
            (differs(self.policy.as_ref(), &settings.policy), SettingName::Policy),
        ];
        let extra = || {
            self.extras
                .iter()
                .find(|(name, value)| settings.extras.get(*name) != value.as_ref())
                .map(|(name, _)| SettingName::Extra(name.clone()))
        };
        fixed.into_iter().find(|(differs, _)| *differs).map(|(_, name)| name).or_else(extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_only_what_it_names() {
        let mut change =
            SettingsChange { delay: Some(Duration::from_secs(5)), ..Default::default() };
        change.extras.insert("kms".into(), Some("key".into()));
        let changed = change.applied_to(&Settings::default());
        assert_eq!(changed.delay, Duration::from_secs(5));
        assert_eq!(changed.retention, Settings::default().retention);
        assert_eq!(changed.extras["kms"], "key");
        change.extras.insert("kms".into(), None);
        assert_eq!(change.applied_to(&changed).extras.len(), 0);
    }

    #[test]
    fn a_difference_is_one_that_the_change_names() {
        let settings = Settings { delay: Duration::from_secs(5), ..Default::default() };
        assert_eq!(SettingsChange::default().first_difference(&settings), None);
        let change = SettingsChange { delay: Some(Duration::ZERO), ..Default::default() };
        assert_eq!(change.first_difference(&settings), Some(SettingName::Delay));
        let mut change = SettingsChange::default();
        change.extras.insert("kms".into(), Some("key".into()));
        assert_eq!(change.first_difference(&settings), Some(SettingName::Extra("kms".into())));
    }
}
