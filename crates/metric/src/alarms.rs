//! Every alarm, and what happened to them. Pure: the time is in what happens.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use tidemill_base::{AccountId, ByteSize, Region, Timestamp};

use crate::alarm::{
    Alarm, AlarmKey, AlarmSettings, Due, Happening, HistoryItem, Reason, Standing, Tags,
};

/// Every alarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alarms {
    pub(crate) by_key: BTreeMap<AlarmKey, Alarm>,
    /// The oldest first.
    pub(crate) history: VecDeque<HistoryItem>,
    /// Actions that are to be taken, the oldest first.
    pub(crate) due: VecDeque<Due>,
    /// How many items there ever were, and actions that were due.
    pub(crate) items: u64,
    /// About how many bytes of memory the alarms take,
    pub(crate) weight: usize,
    /// and their history.
    pub(crate) past: usize,
}

/// Something that was done about alarms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// One was made with these tags, or set to something else.
    Put(AlarmKey, Box<AlarmSettings>, Tags),
    /// Its actions are taken from now on, or not any more.
    Enabled(AlarmKey, bool),
    /// One was deleted.
    Deleted(AlarmKey),
    /// One was found to stand like this.
    Judged(AlarmKey, Reason),
    /// What was due was done, or could not be, for this reason.
    Acted(u64, Option<Box<str>>),
    /// One is tagged with these, too.
    Tagged(AlarmKey, Tags),
    /// One is not tagged with these any more.
    Untagged(AlarmKey, Vec<Box<str>>),
}

/// How long history is kept.
const HISTORY: Duration = Duration::from_hours(14 * 24);
/// More is not kept, however young,
const ITEMS: usize = 20_000;
/// and neither is what would take more memory than this, in bytes.
const PAST: usize = 16 << 20;

impl Change {
    /// The alarm that it is about.
    fn key(&self) -> Option<&AlarmKey> {
        match self {
            Self::Put(key, ..)
            | Self::Enabled(key, _)
            | Self::Deleted(key)
            | Self::Judged(key, _)
            | Self::Tagged(key, _)
            | Self::Untagged(key, _) => Some(key),
            Self::Acted(..) => None,
        }
    }
}

impl Alarms {
    /// The alarm of this name.
    pub fn find(&self, key: &AlarmKey) -> Option<&Alarm> {
        self.by_key.get(key)
    }

    /// The same, with its key.
    pub fn find_entry(&self, key: &AlarmKey) -> Option<(&AlarmKey, &Alarm)> {
        self.by_key.get_key_value(key)
    }

    /// The alarms of an account and region, by name, from the one behind `after` on.
    pub fn list(
        &self,
        account: AccountId,
        region: &Region,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&AlarmKey, &Alarm)> {
        let named = |name: &str| AlarmKey { account, region: region.clone(), name: name.into() };
        let from = match after {
            Some(after) => Bound::Excluded(named(after)),
            None => Bound::Included(named("")),
        };
        let region = region.clone();
        let alarms = self.by_key.range((from, Bound::Unbounded));
        alarms.take_while(move |(key, _)| key.account == account && key.region == region)
    }

    /// Every alarm, whosever it is.
    pub fn all(&self) -> impl Iterator<Item = (&AlarmKey, &Alarm)> {
        self.by_key.iter()
    }

    /// What happened to the alarms, the oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &HistoryItem> {
        self.history.iter()
    }

    /// Actions that are to be taken, the oldest first.
    pub fn due(&self) -> impl Iterator<Item = &Due> {
        self.due.iter()
    }

    /// About how much memory the alarms take.
    pub fn weight(&self) -> ByteSize {
        ByteSize::bytes(self.weight as u64)
    }

    /// About how much memory their history takes.
    pub fn past(&self) -> ByteSize {
        ByteSize::bytes(self.past as u64)
    }

    /// Takes in what was done at `now`. What is said of an alarm that is not there is nothing.
    pub(crate) fn changed(&mut self, change: Change, now: Timestamp) {
        let key = change.key().cloned();
        let weight = |alarms: &Self| {
            let entry = key.as_ref().and_then(|key| alarms.by_key.get_key_value(key));
            entry.map_or(0, |(key, alarm)| alarm.weight(key))
        };
        let before = weight(self);
        self.take(change, now);
        self.weight = self.weight + weight(self) - before;
    }

    fn take(&mut self, change: Change, now: Timestamp) {
        match change {
            Change::Put(key, settings, tags) => self.put(&key, *settings, tags, now),
            Change::Enabled(key, enabled) => {
                if let Some(alarm) = self.by_key.get_mut(&key)
                    && alarm.settings.actions_enabled != enabled
                {
                    alarm.settings.actions_enabled = enabled;
                    alarm.configured = now;
                    let composite = alarm.settings.rule().is_some();
                    self.remember(&key, composite, now, Happening::Updated);
                }
            }
            Change::Deleted(key) => {
                if let Some(alarm) = self.by_key.remove(&key) {
                    let composite = alarm.settings.rule().is_some();
                    self.remember(&key, composite, now, Happening::Deleted);
                }
            }
            Change::Judged(key, reason) => self.judged(&key, reason, now),
            Change::Acted(number, failure) => self.acted(number, failure, now),
            Change::Tagged(key, tags) => {
                if let Some(alarm) = self.by_key.get_mut(&key) {
                    alarm.tags.extend(tags);
                }
            }
            Change::Untagged(key, names) => {
                if let Some(alarm) = self.by_key.get_mut(&key) {
                    alarm.tags.retain(|name, _| !names.contains(name));
                }
            }
        }
    }

    fn put(&mut self, key: &AlarmKey, settings: AlarmSettings, tags: Tags, now: Timestamp) {
        let composite = settings.rule().is_some();
        let what = if let Some(alarm) = self.by_key.get_mut(key) {
            alarm.settings = settings;
            alarm.configured = now;
            Happening::Updated
        } else {
            let text = "Unchecked: Initial alarm creation".into();
            let reason = Reason { standing: Standing::Unknown, text, data: None };
            let (configured, updated, turned) = (now, now, now);
            let alarm = Alarm { settings, configured, reason, updated, turned, tags };
            self.by_key.insert(key.clone(), alarm);
            Happening::Created
        };
        self.remember(key, composite, now, what);
    }

    fn judged(&mut self, key: &AlarmKey, to: Reason, now: Timestamp) {
        let Some(alarm) = self.by_key.get_mut(key) else { return };
        alarm.updated = now;
        let standing = to.standing;
        let from = std::mem::replace(&mut alarm.reason, to.clone());
        if from.standing == standing {
            return;
        }
        alarm.turned = now;
        let composite = alarm.settings.rule().is_some();
        let actions = &alarm.settings.actions[standing as usize];
        let due = if alarm.settings.actions_enabled { actions.clone() } else { Vec::new() };
        for action in due {
            self.items += 1;
            let (number, from) = (self.items, from.standing);
            let (key, at, to) = (key.clone(), now, to.clone());
            self.due.push_back(Due { number, key, composite, at, action, from, to });
        }
        self.remember(key, composite, now, Happening::Turned { from, to });
    }

    fn acted(&mut self, number: u64, failure: Option<Box<str>>, now: Timestamp) {
        let Some(at) = self.due.iter().position(|due| due.number == number) else { return };
        if let Some(Due { key, composite, at: turned, action, .. }) = self.due.remove(at) {
            self.remember(&key, composite, now, Happening::Acted { action, turned, failure });
        }
    }

    fn remember(&mut self, key: &AlarmKey, composite: bool, at: Timestamp, what: Happening) {
        self.items += 1;
        let (number, key) = (self.items, key.clone());
        let item = HistoryItem { number, key, composite, at, what };
        self.past += item.weight();
        self.history.push_back(item);
        self.forget(at);
    }

    /// Whether there is history that is too old at `now`.
    pub(crate) fn is_stale(&self, now: Timestamp) -> bool {
        self.history.front().is_some_and(|item| item.at + HISTORY < now)
    }

    /// Forgets history that is too old at `now`, or too much.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        while self.history.len() > ITEMS || self.past > PAST || self.is_stale(now) {
            let Some(item) = self.history.pop_front() else { return };
            self.past -= item.weight();
        }
    }
}
