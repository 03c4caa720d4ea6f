//! An alarm: what it watches, and how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_base::{AccountId, Region, Timestamp};

use crate::check::Check;

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
    pub watched: Watched,
}

/// What an alarm watches.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// What is measured.
    Values(Check),
    /// How other alarms stand: a rule, which means something to the floor above.
    Alarms(Box<str>),
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
    /// Its place among all that happens: the same for as long as it is due. By it is said what
    /// became of the action.
    pub number: u64,
    /// Whose action. The alarm may be gone by now.
    pub key: AlarmKey,
    /// Whether that one watches other alarms.
    pub composite: bool,
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
    /// Whether that one watches other alarms.
    pub composite: bool,
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
    /// What it holds values against, if it watches values.
    pub fn check(&self) -> Option<&Check> {
        match &self.watched {
            Watched::Values(check) => Some(check),
            Watched::Alarms(_) => None,
        }
    }

    /// Its rule, if it watches other alarms.
    pub fn rule(&self) -> Option<&str> {
        match &self.watched {
            Watched::Values(_) => None,
            Watched::Alarms(rule) => Some(rule),
        }
    }
}
