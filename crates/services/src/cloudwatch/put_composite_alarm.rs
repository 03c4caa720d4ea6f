//! PutCompositeAlarm: makes an alarm on how other alarms stand, or sets it to something else.

use tidemill_api::cloudwatch::PutCompositeAlarmInput;
use tidemill_metric::{AlarmKey, AlarmSettings, Alarms, Watched};
use tidemill_wire::Fault;

use super::action::Action;
use super::alarm_rule::Rule;
use super::composite::Family;
use super::put_metric_alarm::{actions, check_room};
use super::{CloudWatch, alarm, fault, names, tags};
use crate::context::Context;

/// So many composite alarms may name an alarm.
const PARENTS: usize = 150;

pub(super) async fn handle(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: PutCompositeAlarmInput,
) -> Result<(), Fault> {
    service.may_change()?;
    refuse_unknown(&it)?;
    alarm::check_texts(&it.alarm_name, it.alarm_description.as_deref())?;
    names::check_text(&it.alarm_rule, "AlarmRule").map_err(fault::validation)?;
    let key = alarm::key(cx, &it.alarm_name);
    let rule = Rule::read(&it.alarm_rule, &key).map_err(fault::validation)?;
    let tags = tags::read(it.tags.unwrap_or_default()).map_err(fault::validation)?;
    let actions = actions(cx, [it.ok_actions, it.alarm_actions, it.insufficient_data_actions])?;
    if let Some(policy) = actions.iter().flatten().find(|action| {
        Action::read(action, &cx.region).is_ok_and(|action| action == Action::ScalingPolicy)
    }) {
        return Err(fault::validation(format!(
            "The action {policy} is not for a composite alarm: those act on topics of SNS."
        )));
    }
    let settings = AlarmSettings {
        description: it.alarm_description.map(String::into_boxed_str),
        actions_enabled: it.actions_enabled.unwrap_or(true),
        actions,
        watched: Watched::Alarms(it.alarm_rule.into()),
    };
    let _alone = service.editing.lock().await;
    let is_new = service.metrics.look(|state| {
        let alarms = state.alarms();
        check_room(alarms, &key)?;
        check_children(alarms, &key, &rule)?;
        match alarms.find(&key) {
            None => Ok(true),
            Some(alarm) if alarm.settings.rule().is_some() => Ok(false),
            Some(_) => Err(fault::validation(format!(
                "{} is the name of a metric alarm: it cannot become a composite one.",
                key.name
            ))),
        }
    })?;
    let put = service.metrics.put_alarm(key.clone(), settings, tags).await;
    put.map_err(|error| fault::of(&error))?;
    service.look_at_new(key, is_new).await;
    service.act(None).await;
    Ok(())
}

/// What we cannot do is refused by its name, rather than left undone.
fn refuse_unknown(it: &PutCompositeAlarmInput) -> Result<(), Fault> {
    let given = [
        ("ActionsSuppressor", it.actions_suppressor.is_some()),
        ("ActionsSuppressorWaitPeriod", it.actions_suppressor_wait_period.is_some()),
        ("ActionsSuppressorExtensionPeriod", it.actions_suppressor_extension_period.is_some()),
        ("ActionConfiguration", it.action_configuration.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(fault::validation(format!(
            "The parameter {name} is not understood yet: actions of Tidemill's composite alarms \
             are not suppressed."
        ))),
        None => Ok(()),
    }
}

/// The alarms that a rule names have to be there, and none of them may watch this one.
fn check_children(alarms: &Alarms, key: &AlarmKey, rule: &Rule) -> Result<(), Fault> {
    let children = rule.children();
    let there = |name: &str| alarms.find(&AlarmKey { name: name.into(), ..key.clone() }).is_some();
    let family = Family::of(alarms, key);
    if family.is_cycle(&key.name, &children) {
        return Err(fault::validation(format!(
            "Could not save the composite alarm as it would depend on itself: {}",
            key.name
        )));
    }
    let absent: Vec<&str> = children.iter().copied().filter(|name| !there(name)).collect();
    if !absent.is_empty() {
        return Err(fault::validation(format!(
            "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
            absent.join(", ")
        )));
    }
    let others = |name: &str| family.parents(name).filter(|parent| **parent != *key.name).count();
    match children.iter().find(|name| others(name) >= PARENTS) {
        None => Ok(()),
        Some(name) => Err(fault::validation(format!(
            "The alarm {name} is named by {PARENTS} composite alarms already, which is the limit."
        ))),
    }
}
