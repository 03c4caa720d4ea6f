//! How a queue behaves, and a change of that.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidemill_base::ByteSize;

use crate::redrive::{Redrive, RedriveAllow};

/// The labels of a queue.
pub type Tags = BTreeMap<String, String>;

/// In which order, and how often, a queue hands out what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discipline {
    /// At least once, and roughly in the order in which messages became available.
    #[default]
    Standard,
    /// Exactly once, and in each group in the order in which they were sent.
    Fifo,
}

/// How much of a queue a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The queue as a whole.
    #[default]
    Queue,
    /// Each group of messages by itself.
    Group,
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
    /// Whether a message that has no deduplication id of its own is known by its body. Kept for
    /// the caller, who gives each message its id.
    pub content_deduplication: bool,
    /// Within what two messages of one deduplication id are the same. What a queue was made with
    /// counts; a later change is only shown.
    pub deduplication_scope: Scope,
    /// What the limit of calls a second is about. Kept for the caller; the engine knows none.
    pub throughput_scope: Scope,
    /// What becomes of messages that are received again and again.
    pub redrive: Option<Redrive>,
    /// Whose dead letters it takes. Kept for the caller.
    pub redrive_allow: Option<RedriveAllow>,
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
            content_deduplication: false,
            deduplication_scope: Scope::Queue,
            throughput_scope: Scope::Queue,
            redrive: None,
            redrive_allow: None,
            policy: None,
            extras: BTreeMap::new(),
        }
    }
}

/// A change of settings: only what is named changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// Sets [`Settings::discipline`] of a queue that is made; an existing one keeps its own.
    pub discipline: Option<Discipline>,
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
    /// Sets [`Settings::content_deduplication`].
    pub content_deduplication: Option<bool>,
    /// Sets [`Settings::deduplication_scope`].
    pub deduplication_scope: Option<Scope>,
    /// Sets [`Settings::throughput_scope`].
    pub throughput_scope: Option<Scope>,
    /// Sets, or with `Some(None)` clears, [`Settings::redrive`].
    pub redrive: Option<Option<Redrive>>,
    /// Sets, or with `Some(None)` clears, [`Settings::redrive_allow`].
    pub redrive_allow: Option<Option<RedriveAllow>>,
    /// Sets, or with `Some(None)` clears, [`Settings::policy`].
    pub policy: Option<Option<Arc<str>>>,
    /// Sets, or with `None` clears, entries of [`Settings::extras`].
    pub extras: BTreeMap<String, Option<String>>,
}

/// Names one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingName {
    /// [`Settings::discipline`]
    Discipline,
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
    /// [`Settings::content_deduplication`]
    ContentDeduplication,
    /// [`Settings::deduplication_scope`]
    DeduplicationScope,
    /// [`Settings::throughput_scope`]
    ThroughputScope,
    /// [`Settings::redrive`]
    Redrive,
    /// [`Settings::redrive_allow`]
    RedriveAllow,
    /// [`Settings::policy`]
    Policy,
    /// The entry of [`Settings::extras`] with this name.
    Extra(String),
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discipline => "discipline",
            Self::Delay => "delay",
            Self::MaxSize => "max_size",
            Self::Retention => "retention",
            Self::ReceiveWait => "receive_wait",
            Self::Visibility => "visibility",
            Self::ContentDeduplication => "content_deduplication",
            Self::DeduplicationScope => "deduplication_scope",
            Self::ThroughputScope => "throughput_scope",
            Self::Redrive => "redrive",
            Self::RedriveAllow => "redrive_allow",
            Self::Policy => "policy",
            Self::Extra(name) => name,
        })
    }
}

impl SettingsChange {
    /// What a queue is made with.
    pub fn from_defaults(&self) -> Settings {
        let discipline = self.discipline.unwrap_or_default();
        Settings { discipline, ..self.applied_to(&Settings::default()) }
    }

    /// The settings of an existing queue after this change.
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
            content_deduplication: self
                .content_deduplication
                .unwrap_or(settings.content_deduplication),
            deduplication_scope: self.deduplication_scope.unwrap_or(settings.deduplication_scope),
            throughput_scope: self.throughput_scope.unwrap_or(settings.throughput_scope),
            redrive: self.redrive.clone().unwrap_or_else(|| settings.redrive.clone()),
            redrive_allow: self
                .redrive_allow
                .clone()
                .unwrap_or_else(|| settings.redrive_allow.clone()),
            policy: self.policy.clone().unwrap_or_else(|| settings.policy.clone()),
            extras,
        }
    }

    /// The first setting that this change names and that `settings` has differently.
    pub fn first_difference(&self, settings: &Settings) -> Option<SettingName> {
        fn differs<T: PartialEq>(wanted: Option<&T>, actual: &T) -> bool {
            wanted.is_some_and(|wanted| wanted != actual)
        }
        use SettingName as Name;
        let (ours, theirs) = (self, settings);
        let fixed = [
            (differs(ours.discipline.as_ref(), &theirs.discipline), Name::Discipline),
            (differs(ours.delay.as_ref(), &theirs.delay), Name::Delay),
            (differs(ours.max_size.as_ref(), &theirs.max_size), Name::MaxSize),
            (differs(ours.retention.as_ref(), &theirs.retention), Name::Retention),
            (differs(ours.receive_wait.as_ref(), &theirs.receive_wait), Name::ReceiveWait),
            (differs(ours.visibility.as_ref(), &theirs.visibility), Name::Visibility),
            (
                differs(ours.content_deduplication.as_ref(), &theirs.content_deduplication),
                Name::ContentDeduplication,
            ),
            (
                differs(ours.deduplication_scope.as_ref(), &theirs.deduplication_scope),
                Name::DeduplicationScope,
            ),
            (
                differs(ours.throughput_scope.as_ref(), &theirs.throughput_scope),
                Name::ThroughputScope,
            ),
            (differs(ours.redrive.as_ref(), &theirs.redrive), Name::Redrive),
            (differs(ours.redrive_allow.as_ref(), &theirs.redrive_allow), Name::RedriveAllow),
            (differs(ours.policy.as_ref(), &theirs.policy), Name::Policy),
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
    fn only_a_new_queue_gets_its_discipline_from_a_change() {
        let change = SettingsChange {
            discipline: Some(Discipline::Fifo),
            deduplication_scope: Some(Scope::Group),
            ..Default::default()
        };
        let made = change.from_defaults();
        assert_eq!((made.discipline, made.deduplication_scope), (Discipline::Fifo, Scope::Group));
        let changed = change.applied_to(&Settings::default());
        assert_eq!(changed.discipline, Discipline::Standard);
        assert_eq!(change.first_difference(&changed), Some(SettingName::Discipline));
        assert_eq!(change.first_difference(&made), None);
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
