//! PutCompositeAlarm: makes an alarm on how other alarms stand, or sets it to something else.

use tidemill_api::cloudwatch::PutCompositeAlarmInput;
use tidemill_metric::{AlarmKey, AlarmSettings, Alarms, Reason, Tags, Watched};
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
    service.to_the_end(|service| put(service, key, settings, tags)).await
}

async fn put(
    service: CloudWatch,
    key: AlarmKey,
    settings: AlarmSettings,
    tags: Tags,
) -> Result<(), Fault> {
    let alone = service.alone().await;
    let rule = settings.rule().unwrap_or_default();
    let rule = Rule::read(rule, &key).map_err(fault::validation)?;
    let reason = service.metrics.look(|state| judged(state.alarms(), &key, &rule))?;
    let put = service.metrics.put_judged_alarm(key.clone(), settings, tags, reason).await;
    put.map_err(|error| fault::of_alarms(&error))?;
    service.ripple(&alone, &[key], service.metrics.now()).await;
    drop(alone);
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
    match names::first_given(&given) {
        Some(name) => Err(fault::validation(format!(
            "The parameter {name} is not understood yet: actions of Tidemill's composite alarms \
             are not suppressed."
        ))),
        None => Ok(()),
    }
}

/// How the alarm stands by this rule, if it can have it.
fn judged(alarms: &Alarms, key: &AlarmKey, rule: &Rule<'_>) -> Result<Reason, Fault> {
    check_room(alarms, key)?;
    let family = Family::of(alarms, key);
    check_children(&family, key, rule)?;
    let known = alarms.find(key);
    if known.is_some_and(|alarm| alarm.settings.rule().is_none()) {
        return Err(fault::validation(format!(
            "{} is the name of a metric alarm: it cannot become a composite one.",
            key.name
        )));
    }
    Ok(family.judged(key, rule, known.is_none()))
}

/// The alarms that a rule names have to be there, and none of them may watch this one.
fn check_children(family: &Family<'_>, key: &AlarmKey, rule: &Rule<'_>) -> Result<(), Fault> {
    let children = rule.children();
    if family.is_cycle(&key.name, &children) {
        return Err(fault::validation(format!(
            "Could not save the composite alarm as it would depend on itself: {}",
            key.name
        )));
    }
    let absent: Vec<&str> = children.iter().copied().filter(|name| !family.has(name)).collect();
    if !absent.is_empty() {
        return Err(fault::validation(format!(
            "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
            absent.join(", ")
        )));
    }
    let other = |parent: &&&str| **parent != &*key.name;
    let others = |name: &str| family.parents(name).iter().filter(other).count();
    match children.iter().find(|name| others(name) >= PARENTS) {
        None => Ok(()),
        Some(name) => Err(fault::validation(format!(
            "The alarm {name} is named by {PARENTS} composite alarms already, which is the limit."
        ))),
    }
}
