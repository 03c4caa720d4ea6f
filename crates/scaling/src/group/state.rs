//! Everything that is known of groups: the fold of the records.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use minicbor::{Decode, Encode};
use tidemill_base::{AccountId, Region, Timestamp};
use tidemill_journal::cbor::Fold;

use super::Group;
use super::activity::Activity;
use super::configuration::Configuration;
use super::ids::{GroupKey, InstanceId};
use super::notice::Debts;
use super::record::{Event, What};

/// Most activities that are remembered of a name; the oldest go first.
pub const ACTIVITIES: usize = 500;
/// How long an activity is remembered: six weeks.
const REMEMBERED: Duration = Duration::from_hours(6 * 7 * 24);
/// How often what is older is looked for.
const SWEEP: Duration = Duration::from_hours(24);
/// Most names of an account in a region whose groups are gone and whose activities are remembered;
/// those that did something last are.
pub const GONE: usize = 500;

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct State {
    #[n(0)]
    groups: BTreeMap<GroupKey, Group>,
    /// The newest last.
    #[n(1)]
    activities: BTreeMap<GroupKey, VecDeque<Activity>>,
    #[n(2)]
    configurations: BTreeMap<GroupKey, Configuration>,
    /// When activities were last looked for that are too old.
    #[n(3)]
    swept: Option<Timestamp>,
    /// What is still to be told.
    #[cbor(n(10), default)]
    pub(super) debts: Debts,
}

impl State {
    /// The group of this name.
    pub fn group(&self, key: &GroupKey) -> Option<&Group> {
        self.groups.get(key)
    }

    /// Every group, whoever's it is.
    pub fn groups(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        self.groups.iter()
    }

    /// The groups of an account in a region, by name.
    pub fn groups_of(
        &self,
        account: AccountId,
        region: &Region,
    ) -> impl Iterator<Item = (&GroupKey, &Group)> {
        let mine = move |key: &GroupKey| key.account == account && key.region == *region;
        self.groups.iter().filter(move |(key, _)| mine(key))
    }

    /// The group that an instance is of.
    pub fn group_of(
        &self,
        account: AccountId,
        region: &Region,
        instance: InstanceId,
    ) -> Option<(&GroupKey, &Group)> {
        self.groups_of(account, region).find(|(_, group)| group.member(instance).is_some())
    }

    /// What groups of this name did, the newest first.
    pub fn activities(&self, key: &GroupKey) -> impl Iterator<Item = &Activity> {
        self.activities.get(key).into_iter().flatten().rev()
    }

    /// The names of an account's groups in a region that did something.
    pub fn active(&self, account: AccountId, region: &Region) -> impl Iterator<Item = &GroupKey> {
        let mine = move |key: &&GroupKey| key.account == account && key.region == *region;
        self.activities.keys().filter(mine)
    }

    /// The launch configuration of this name.
    pub fn configuration(&self, key: &GroupKey) -> Option<&Configuration> {
        self.configurations.get(key)
    }

    /// An account's launch configurations in a region, by name.
    pub fn configurations_of(
        &self,
        account: AccountId,
        region: &Region,
    ) -> impl Iterator<Item = (&GroupKey, &Configuration)> {
        let mine = move |key: &GroupKey| key.account == account && key.region == *region;
        self.configurations.iter().filter(move |(key, _)| mine(key))
    }

    /// Keeps the list of activities, which outlives their group.
    fn remember(&mut self, key: &GroupKey, what: &What) {
        match what {
            What::Begun(activity) => {
                let known = self.activities.entry(key.clone()).or_default();
                known.push_back(activity.clone());
                let now = activity.began;
                if known.len() > ACTIVITIES {
                    known.pop_front();
                }
                self.forget(now);
            }
            What::Joined(joined) => {
                self.find(
                    key,
                    |it| it.id == joined.activity,
                    |it| {
                        it.instance = Some(joined.member.id);
                    },
                );
            }
            What::Ended(ended) => {
                self.find(
                    key,
                    |it| it.id == ended.activity,
                    |it| {
                        it.end = Some(ended.end.clone());
                    },
                );
            }
            _ => {}
        }
    }

    fn find(
        &mut self,
        key: &GroupKey,
        which: impl Fn(&Activity) -> bool,
        change: impl FnOnce(&mut Activity),
    ) {
        let known = self.activities.get_mut(key);
        // The newest are asked for most. One that was forgotten has nothing to be changed.
        if let Some(found) = known.and_then(|known| known.iter_mut().rev().find(|it| which(it))) {
            change(found);
        }
    }

    /// Forgets what is older than anybody may ask for, once in a while: it takes a look at all.
    fn forget(&mut self, now: Timestamp) {
        if self.swept.is_some_and(|swept| now >= swept && now.since(swept) < SWEEP) {
            return;
        }
        self.swept = Some(now);
        let groups = &self.groups;
        self.activities.retain(|key, known| {
            while known.front().is_some_and(|first| now.since(first.began) > REMEMBERED) {
                known.pop_front();
            }
            !known.is_empty() || groups.contains_key(key)
        });
    }

    /// A group is gone: if too many names of its place are remembered whose groups are, forgets the
    /// one that has done nothing for longest.
    fn forget_gone(&mut self, key: &GroupKey) {
        let gone = |other: &GroupKey| {
            (other.account, &other.region) == (key.account, &key.region)
                && !self.groups.contains_key(other)
        };
        let gone: Vec<_> = self.activities.iter().filter(|(other, _)| gone(other)).collect();
        if gone.len() <= GONE {
            return;
        }
        let last = |known: &VecDeque<Activity>| known.back().map(|last| last.began);
        let oldest = gone.into_iter().min_by_key(|(_, known)| last(known));
        if let Some(oldest) = oldest.map(|(other, _)| other.clone()) {
            self.activities.remove(&oldest);
        }
    }
}

impl Fold for State {
    type Event = Event;

    fn happened(&mut self, event: Event) -> Option<()> {
        let (key, what) = match event {
            Event::Cleared => {
                *self = Self::default();
                return Some(());
            }
            Event::Told(numbers) => {
                self.debts.told(&numbers);
                return Some(());
            }
            Event::Of(key, what) => (key, what),
        };
        match what {
            What::Made(made) => {
                self.groups.insert(key, Group::made(made));
            }
            What::Gone(()) => {
                self.groups.remove(&key)?;
                self.forget_gone(&key);
            }
            What::Configured(configuration) => {
                self.configurations.insert(key, configuration);
            }
            What::Unconfigured(()) => {
                self.configurations.remove(&key)?;
            }
            what => {
                self.remember(&key, &what);
                let group = self.groups.get_mut(&key)?;
                group.happened(&what)?;
                let ended = match &what {
                    What::Ended(ended) => {
                        let mut known = self.activities.get(&key).into_iter().flatten().rev();
                        known.find(|it| it.id == ended.activity)
                    }
                    _ => None,
                };
                self.debts.happened(&key, group, &what, ended);
            }
        }
        Some(())
    }
}
