//! Composite alarms: those that watch how other alarms stand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tidemill_base::{AccountId, Region, Timestamp};
use tidemill_metric::{Alarm, AlarmKey, Alarms, Reason, Standing};

use super::alarm_rule::Rule;
use super::order::ordered;
use super::{Alone, CloudWatch, alarm, reason};

/// What StateReasonData may have.
const DATA: usize = 4000;

/// The alarms of an account in a region, and which of them watch which, by their names.
pub(super) struct Family<'a> {
    alarms: BTreeMap<&'a str, (&'a AlarmKey, &'a Alarm)>,
    composites: BTreeMap<&'a str, Composite<'a>>,
    /// Of each alarm that is named, by whom.
    parents: BTreeMap<&'a str, Vec<&'a str>>,
}

struct Composite<'a> {
    rule: Rule<'a>,
    children: Vec<&'a str>,
}

/// How an alarm stands that others watch, and since when.
struct Child<'a> {
    key: &'a AlarmKey,
    standing: Standing,
    since: Timestamp,
}

/// Composite alarms that come to stand otherwise, by their names.
type Turned<'a> = BTreeMap<&'a str, Standing>;

impl<'a> Family<'a> {
    /// Those of the account and region of `of`.
    pub(super) fn of(alarms: &'a Alarms, of: &AlarmKey) -> Self {
        Self::at(alarms, of.account, &of.region)
    }

    fn at(alarms: &'a Alarms, account: AccountId, region: &Region) -> Self {
        let (mut named, mut composites) = (BTreeMap::new(), BTreeMap::new());
        let mut parents: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, alarm) in alarms.list(account, region, None) {
            let name = &*key.name;
            named.insert(name, (key, alarm));
            // What was understood when it was set is understood now.
            let rule = alarm.settings.rule().and_then(|rule| Rule::read(rule, key).ok());
            let Some(rule) = rule else { continue };
            let children = rule.children();
            for child in &children {
                parents.entry(*child).or_default().push(name);
            }
            composites.insert(name, Composite { rule, children });
        }
        Self { alarms: named, composites, parents }
    }

    /// The composite alarms that name this one.
    pub(super) fn parents(&self, name: &str) -> &[&'a str] {
        self.parents.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The alarms that this one names.
    pub(super) fn children(&self, name: &str) -> &[&'a str] {
        self.composites.get(name).map(|it| it.children.as_slice()).unwrap_or_default()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.alarms.contains_key(name)
    }

    /// Whether an alarm would watch itself, through others, with these children.
    pub(super) fn is_cycle(&self, name: &str, children: &[&str]) -> bool {
        let (mut seen, mut next) = (BTreeSet::new(), children.to_vec());
        while let Some(child) = next.pop() {
            if child == name {
                return true;
            }
            if seen.insert(child) {
                next.extend(self.children(child));
            }
        }
        false
    }

    /// How an alarm stands that is put with this rule, and why.
    pub(super) fn judged(&self, key: &AlarmKey, rule: &Rule<'_>, is_new: bool) -> Reason {
        let nothing = Turned::new();
        let child = |name: &str| self.child(name, &nothing, Timestamp::EPOCH);
        let standing = stands(rule, child);
        let children: Vec<Child<'_>> = rule.children().into_iter().filter_map(child).collect();
        let done = if is_new { "created and its alarm" } else { "updated and its new alarm" };
        let value = alarm::state_value(standing);
        let text = format!("{} was {done} rule evaluates to {value}", alarm::arn(key));
        because(standing, text, &children)
    }

    /// The composite alarms above these.
    fn above(&self, names: &[&str]) -> BTreeSet<&'a str> {
        let mut above = BTreeSet::new();
        let mut next: Vec<&str> =
            names.iter().flat_map(|name| self.parents(name)).copied().collect();
        while let Some(name) = next.pop() {
            if above.insert(name) {
                next.extend(self.parents(name));
            }
        }
        above
    }

    /// Those of some composite alarms that come to stand otherwise at `at`, since a child did that
    /// `concerns` them, or another of them; and why. Each is looked at once, behind those that it
    /// watches. What watches itself stays as it is.
    fn turning(
        &self,
        some: BTreeSet<&'a str>,
        at: Timestamp,
        concerns: impl Fn(&Alarm, &Child<'_>) -> bool,
    ) -> Vec<(AlarmKey, Reason)> {
        let some: Vec<&str> = some.into_iter().collect();
        let places: BTreeMap<&str, usize> = some.iter().copied().zip(0..).collect();
        let place = |child: &&str| places.get(child).copied();
        let waits_for =
            some.iter().map(|name| self.children(name).iter().filter_map(place).collect());
        let (mut turned, mut found) = (Turned::new(), Vec::new());
        for place in ordered(&waits_for.collect::<Vec<_>>()) {
            let name = some[place];
            if let Some((key, reason)) = self.turn(name, &turned, at, &concerns) {
                turned.insert(name, reason.standing);
                found.push((key, reason));
            }
        }
        found
    }

    fn turn(
        &self,
        name: &str,
        turned: &Turned<'_>,
        at: Timestamp,
        concerns: impl Fn(&Alarm, &Child<'_>) -> bool,
    ) -> Option<(AlarmKey, Reason)> {
        let (key, alarm) = *self.alarms.get(name)?;
        let Composite { rule, children } = self.composites.get(name)?;
        let child = |name: &str| self.child(name, turned, at);
        let concerned = children.iter().filter_map(|name| {
            let child = child(name)?;
            (turned.contains_key(name) || concerns(alarm, &child)).then_some(child)
        });
        let last = concerned.max_by_key(|child| child.since)?;
        let standing = stands(rule, child);
        if standing == alarm.reason.standing {
            return None;
        }
        let value = alarm::state_value(last.standing);
        let since = reason::weekday(last.since);
        let text = format!("{} transitioned to {value} at {since}", alarm::arn(last.key));
        Some((key.clone(), because(standing, text, &[last])))
    }

    /// How an alarm stands where these have turned at `at`.
    fn child(&self, name: &str, turned: &Turned<'_>, at: Timestamp) -> Option<Child<'a>> {
        let (key, alarm) = *self.alarms.get(name)?;
        let now = turned.get(name).map(|standing| (*standing, at));
        let (standing, since) = now.unwrap_or((alarm.reason.standing, alarm.turned));
        Some(Child { key, standing, since })
    }
}

impl CloudWatch {
    /// Looks at the composite alarms that watch one of these, which have turned at `at`, and at
    /// those that watch those that turn by that.
    pub(super) async fn ripple(&self, alone: &Alone<'_>, turned: &[AlarmKey], at: Timestamp) {
        let mut homes: BTreeMap<(AccountId, &Region), Vec<&str>> = BTreeMap::new();
        for key in turned {
            homes.entry((key.account, &key.region)).or_default().push(&key.name);
        }
        for ((account, region), names) in homes {
            let found = self.metrics.look(|state| {
                let family = Family::at(state.alarms(), account, region);
                let turned: BTreeSet<&str> = names.iter().copied().collect();
                let concerns = |_: &Alarm, child: &Child<'_>| turned.contains(&*child.key.name);
                family.turning(family.above(&names), at, concerns)
            });
            self.turn(alone, found, at).await;
        }
    }

    /// Looks at the composite alarms one of whose children turned after they were looked at: the
    /// service may have ended in between.
    pub(super) async fn catch_up(&self, alone: &Alone<'_>, at: Timestamp) {
        let homes: BTreeSet<(AccountId, Region)> = self.metrics.look(|state| {
            let composites =
                state.alarms().all().filter(|(_, alarm)| alarm.settings.rule().is_some());
            composites.map(|(key, _)| (key.account, key.region.clone())).collect()
        });
        for (account, region) in homes {
            let found = self.metrics.look(|state| {
                let family = Family::at(state.alarms(), account, &region);
                let all = family.composites.keys().copied().collect();
                family.turning(all, at, |alarm, child| child.since > alarm.updated)
            });
            self.turn(alone, found, at).await;
        }
    }

    async fn turn(&self, _: &Alone<'_>, found: Vec<(AlarmKey, Reason)>, at: Timestamp) {
        // A journal that accepts nothing more says so to whoever asks for anything.
        drop(self.metrics.judge(found, at).await);
    }
}

/// How a composite alarm stands by its rule.
fn stands<'a>(rule: &Rule<'_>, child: impl Fn(&str) -> Option<Child<'a>>) -> Standing {
    let holds = rule.holds(&|name| child(name).map(|child| child.standing));
    if holds { Standing::Alarming } else { Standing::Fine }
}

/// Of many triggers a program is told of as many as there is room for.
fn because(standing: Standing, text: String, triggers: &[Child<'_>]) -> Reason {
    let data = |triggers: &[serde_json::Value]| json!({ "triggeringAlarms": triggers }).to_string();
    let trigger = |child: &Child<'_>| {
        let value = alarm::state_value(child.standing);
        let timestamp = reason::instant(child.since);
        json!({
            "arn": alarm::arn(child.key),
            "state": { "value": value.as_str(), "timestamp": timestamp },
        })
    };
    let mut length = data(&[]).len();
    let fits = |trigger: &serde_json::Value| {
        // A comma stands between two.
        length += trigger.to_string().len() + 1;
        length <= DATA
    };
    let told: Vec<_> = triggers.iter().map(trigger).take_while(fits).collect();
    Reason { standing, text: text.into(), data: Some(data(&told).into()) }
}
