//! Composite alarms: those that watch how other alarms stand.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use tidemill_base::Timestamp;
use tidemill_metric::{Alarm, AlarmKey, Alarms, Reason, Standing};

use super::alarm_rule::Rule;
use super::{CloudWatch, alarm, reason};

/// The composite alarms of an account in a region: the children of each, by its name.
pub(super) struct Family(BTreeMap<Arc<str>, Vec<String>>);

impl Family {
    /// Those of the account and region of `of`.
    pub(super) fn of(alarms: &Alarms, of: &AlarmKey) -> Self {
        let all = alarms.list(of.account, &of.region, None);
        let children = |(key, alarm): (&AlarmKey, &Alarm)| {
            let rule = read(key, alarm)?;
            let children = rule.children().into_iter().map(str::to_owned).collect();
            Some((key.name.clone(), children))
        };
        Self(all.filter_map(children).collect())
    }

    /// The composite alarms that name this one.
    pub(super) fn parents<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let names = move |children: &[String]| children.iter().any(|child| child == name);
        self.0.iter().filter(move |(_, children)| names(children)).map(|(parent, _)| &**parent)
    }

    /// The alarms that this one names.
    pub(super) fn children(&self, name: &str) -> &[String] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether an alarm would watch itself, through others, with these children.
    pub(super) fn is_cycle(&self, name: &str, children: &[&str]) -> bool {
        let (mut seen, mut next) = (Vec::new(), children.to_vec());
        while let Some(child) = next.pop() {
            if child == name {
                return true;
            }
            if !seen.contains(&child) {
                seen.push(child);
                next.extend(self.children(child).iter().map(String::as_str));
            }
        }
        false
    }
}

/// The rule of an alarm, if it is a composite one.
fn read(key: &AlarmKey, alarm: &Alarm) -> Option<Rule> {
    // What was understood when it was set is understood now.
    Rule::read(alarm.settings.rule()?, key).ok()
}

impl CloudWatch {
    /// Looks at a composite alarm that was just made, or set to something else.
    pub(super) async fn look_at_new(&self, key: AlarmKey, is_new: bool) {
        let found = self.metrics.look(|state| {
            let alarms = state.alarms();
            let alarm = alarms.find(&key)?;
            let (standing, children) = standing(alarms, &key, &read(&key, alarm)?);
            let done = if is_new { "created and its alarm" } else { "updated and its new alarm" };
            let value = alarm::state_value(standing);
            let text = format!("{} was {done} rule evaluates to {value}", alarm::arn(&key));
            Some(because(standing, text, &children))
        });
        if let Some(reason) = found {
            // A journal that accepts nothing more says so to whoever asks for anything.
            drop(self.metrics.judge(vec![(key.clone(), reason)], self.metrics.now()).await);
            self.ripple(vec![key], self.metrics.now()).await;
        }
    }

    /// Looks at the composite alarms that name one of these, which have turned at `at`, and at
    /// those that name those that turn by that. No alarm watches itself, so that this ends.
    pub(super) async fn ripple(&self, mut turned: Vec<AlarmKey>, at: Timestamp) {
        while !turned.is_empty() {
            let found = self.metrics.look(|state| {
                turning(state.alarms(), |key, child| {
                    let same = |one: &AlarmKey| {
                        *one.name == *child
                            && (one.account, &one.region) == (key.account, &key.region)
                    };
                    turned.iter().any(same)
                })
            });
            turned = found.iter().map(|(key, _)| key.clone()).collect();
            if !found.is_empty() {
                drop(self.metrics.judge(found, at).await);
            }
        }
    }

    /// Looks at the composite alarms one of whose children turned after they were looked at: the
    /// service may have ended in between.
    pub(super) async fn catch_up(&self, at: Timestamp) {
        let found = self.metrics.look(|state| {
            let alarms = state.alarms();
            turning(alarms, |key, child| {
                let child = AlarmKey { name: child.into(), ..key.clone() };
                let updated = alarms.find(key).map(|alarm| alarm.updated);
                alarms.find(&child).map(|child| child.turned) > updated
            })
        });
        if !found.is_empty() {
            let turned = found.iter().map(|(key, _)| key.clone()).collect();
            drop(self.metrics.judge(found, at).await);
            self.ripple(turned, at).await;
        }
    }
}

/// The composite alarms one of whose children `concerns` and that stand otherwise by now, and why.
fn turning(alarms: &Alarms, concerns: impl Fn(&AlarmKey, &str) -> bool) -> Vec<(AlarmKey, Reason)> {
    let turning = |(key, alarm): (&AlarmKey, &Alarm)| {
        let rule = read(key, alarm)?;
        let concerned = rule.children().into_iter().filter(|child| concerns(key, child));
        let child = |name: &str| AlarmKey { name: name.into(), ..key.clone() };
        let concerned = concerned.filter_map(|name| alarms.find_entry(&child(name)));
        let (trigger, last) = concerned.max_by_key(|(_, alarm)| alarm.turned)?;
        let (standing, _) = standing(alarms, key, &rule);
        if standing == alarm.reason.standing {
            return None;
        }
        let value = alarm::state_value(last.reason.standing);
        let at = reason::weekday(last.turned);
        let text = format!("{} transitioned to {value} at {at}", alarm::arn(trigger));
        Some((key.clone(), because(standing, text, &[(trigger, last)])))
    };
    alarms.all().filter(|(_, alarm)| alarm.settings.rule().is_some()).filter_map(turning).collect()
}

/// How a composite alarm stands, and its children.
fn standing<'a>(
    alarms: &'a Alarms,
    key: &AlarmKey,
    rule: &Rule,
) -> (Standing, Vec<(&'a AlarmKey, &'a Alarm)>) {
    let find = |name: &str| alarms.find_entry(&AlarmKey { name: name.into(), ..key.clone() });
    let holds = rule.holds(&|name| find(name).map(|(_, alarm)| alarm.reason.standing));
    let children = rule.children().into_iter().filter_map(find).collect();
    (if holds { Standing::Alarming } else { Standing::Fine }, children)
}

fn because(standing: Standing, text: String, triggers: &[(&AlarmKey, &Alarm)]) -> Reason {
    let trigger = |(key, alarm): &(&AlarmKey, &Alarm)| {
        let value = alarm::state_value(alarm.reason.standing);
        let timestamp = reason::instant(alarm.turned);
        json!({
            "arn": alarm::arn(key),
            "state": { "value": value.as_str(), "timestamp": timestamp },
        })
    };
    let triggers: Vec<_> = triggers.iter().map(trigger).collect();
    let data = json!({ "triggeringAlarms": triggers }).to_string();
    Reason { standing, text: text.into(), data: Some(data.into()) }
}
