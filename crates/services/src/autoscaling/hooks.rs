//! PutLifecycleHook, DescribeLifecycleHooks, DescribeLifecycleHookTypes, DeleteLifecycleHook,
//! CompleteLifecycleAction and RecordLifecycleActionHeartbeat.

use tidemill_api::autoscaling::{
    CompleteLifecycleActionAnswer, CompleteLifecycleActionType, DeleteLifecycleHookAnswer,
    DeleteLifecycleHookType, DescribeLifecycleHookTypesAnswer, DescribeLifecycleHooksAnswer,
    DescribeLifecycleHooksType, LifecycleHook, LifecycleHookSpecification, PutLifecycleHookAnswer,
    PutLifecycleHookType, RecordLifecycleActionHeartbeatAnswer, RecordLifecycleActionHeartbeatType,
};
use tidemill_scaling::group::{Answer, GroupKey, Hook, Refusal, Transition, Waiter};
use tidemill_wire::Fault;

use super::{AutoScaling, fault, names};
use crate::context::Context;

const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
const CONTINUE: &str = "CONTINUE";
const ABANDON: &str = "ABANDON";

/// Seconds that a hook waits: the fewest, if nobody says how many, and the most.
const HEARTBEAT: (u32, u32, u32) = (30, 3600, 7200);

/// What a request says of a hook.
struct Asked<'a> {
    transition: Option<&'a str>,
    heartbeat: Option<i32>,
    default: Option<&'a str>,
    metadata: Option<&'a String>,
    target: Option<&'a String>,
    role: Option<&'a String>,
}

impl Asked<'_> {
    /// The hook, where there is one before or not.
    fn over(&self, old: Option<&Hook>) -> Result<Hook, &'static str> {
        let transition = match self.transition {
            Some(LAUNCHING) => Some(Transition::Launching),
            Some(TERMINATING) => Some(Transition::Terminating),
            Some(_) => return Err("DescribeLifecycleHookTypes lists the lifecycle transitions."),
            None => old.map(|old| old.transition),
        };
        let transition = transition.ok_or("A new lifecycle hook has a LifecycleTransition.")?;
        let (fewest, usual, most) = HEARTBEAT;
        let heartbeat = match self.heartbeat.map(u32::try_from) {
            None => old.map_or(usual, |old| old.heartbeat),
            Some(Ok(seconds)) if (fewest..=most).contains(&seconds) => seconds,
            Some(_) => return Err("HeartbeatTimeout is 30 to 7200 seconds."),
        };
        let default = match self.default {
            None => old.map_or(Answer::Abandon, |old| old.default),
            Some(word) => answer(word).ok_or("DefaultResult is CONTINUE or ABANDON.")?,
        };
        let metadata = self.metadata.or_else(|| old?.metadata.as_ref()).cloned();
        // An empty text takes away what was there.
        let kept = |given: Option<&String>, old: Option<&String>| {
            given.or(old).filter(|text| !text.is_empty()).cloned()
        };
        let target = kept(self.target, old.and_then(|old| old.target.as_ref()));
        let role = kept(self.role, old.and_then(|old| old.role.as_ref()));
        Ok(Hook { transition, heartbeat, default, metadata, target, role })
    }
}

/// Refuses a hook that would tell somebody who is not there.
fn check_target(service: &AutoScaling, key: &GroupKey, target: Option<&str>) -> Result<(), Fault> {
    match target.filter(|target| !target.is_empty()) {
        Some(target) if !service.can_tell(target, key) => Err(fault::validation(format!(
            "Unable to publish test message to notification target {target}. Please check your \
             target and role configuration and try to put lifecycle hook again."
        ))),
        _ => Ok(()),
    }
}

/// Reads the hooks of a new group.
pub(super) fn of_new(
    service: &AutoScaling,
    key: &GroupKey,
    given: Option<&[LifecycleHookSpecification]>,
) -> Result<Vec<(String, Hook)>, Fault> {
    let read = |it: &LifecycleHookSpecification| {
        check_target(service, key, it.notification_target_arn.as_deref())?;
        let asked = Asked {
            transition: Some(it.lifecycle_transition.as_str()),
            heartbeat: it.heartbeat_timeout,
            default: it.default_result.as_deref(),
            metadata: it.notification_metadata.as_ref(),
            target: it.notification_target_arn.as_ref(),
            role: it.role_arn.as_ref(),
        };
        let hook = asked.over(None).map_err(fault::validation)?;
        Ok((it.lifecycle_hook_name.clone(), hook))
    };
    given.unwrap_or_default().iter().map(read).collect()
}

pub(super) async fn put(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &PutLifecycleHookType,
) -> Result<PutLifecycleHookAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    check_target(service, &key, it.notification_target_arn.as_deref())?;
    let asked = Asked {
        transition: it.lifecycle_transition.as_deref(),
        heartbeat: it.heartbeat_timeout,
        default: it.default_result.as_deref(),
        metadata: it.notification_metadata.as_ref(),
        target: it.notification_target_arn.as_ref(),
        role: it.role_arn.as_ref(),
    };
    let name = it.lifecycle_hook_name.clone();
    let put = service.groups.put_hook(&key, name, |old| asked.over(old).map_err(Refusal::BadHook));
    put.await.map_err(fault::of)?;
    Ok(PutLifecycleHookAnswer::default())
}

pub(super) async fn delete(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DeleteLifecycleHookType,
) -> Result<DeleteLifecycleHookAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    service.groups.delete_hook(&key, &it.lifecycle_hook_name).await.map_err(fault::of)?;
    Ok(DeleteLifecycleHookAnswer::default())
}

pub(super) fn describe(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DescribeLifecycleHooksType,
) -> Result<DescribeLifecycleHooksAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let wanted = it.lifecycle_hook_names.as_deref().unwrap_or_default();
    let hooks = service.groups.look(|state| {
        let group = state.group(&key)?;
        let hooks = group.hooks.iter();
        let hooks = hooks.filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
        Some(hooks.map(|(name, hook)| shown(&key.name, name, hook)).collect())
    });
    let hooks: Vec<LifecycleHook> = hooks.ok_or_else(|| fault::no_group(&key.name))?;
    Ok(DescribeLifecycleHooksAnswer { lifecycle_hooks: Some(hooks) })
}

/// What a transition is called.
pub(super) fn name_of(transition: Transition) -> &'static str {
    match transition {
        Transition::Launching => LAUNCHING,
        Transition::Terminating => TERMINATING,
    }
}

fn shown(group: &str, name: &str, hook: &Hook) -> LifecycleHook {
    let seconds = |seconds: u32| i32::try_from(seconds).ok();
    LifecycleHook {
        lifecycle_hook_name: Some(name.to_owned()),
        auto_scaling_group_name: Some(group.to_owned()),
        lifecycle_transition: Some(name_of(hook.transition).to_owned()),
        notification_target_arn: hook.target.clone(),
        role_arn: hook.role.clone(),
        notification_metadata: hook.metadata.clone(),
        heartbeat_timeout: seconds(hook.heartbeat),
        global_timeout: seconds(hook.longest()),
        default_result: Some(
            match hook.default {
                Answer::Continue => CONTINUE,
                Answer::Abandon => ABANDON,
            }
            .to_owned(),
        ),
    }
}

pub(super) fn types() -> DescribeLifecycleHookTypesAnswer {
    let types = vec![LAUNCHING.to_owned(), TERMINATING.to_owned()];
    DescribeLifecycleHookTypesAnswer { lifecycle_hook_types: Some(types) }
}

pub(super) async fn complete(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &CompleteLifecycleActionType,
) -> Result<CompleteLifecycleActionAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let result = answer(&it.lifecycle_action_result);
    let result =
        result.ok_or_else(|| fault::validation("LifecycleActionResult is CONTINUE or ABANDON."))?;
    let who = waiter(it.lifecycle_action_token.as_deref(), it.instance_id.as_deref())?;
    let done = service.groups.answer(&key, &it.lifecycle_hook_name, who, result).await;
    done.map_err(fault::of)?;
    Ok(CompleteLifecycleActionAnswer::default())
}

pub(super) async fn renew(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &RecordLifecycleActionHeartbeatType,
) -> Result<RecordLifecycleActionHeartbeatAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let who = waiter(it.lifecycle_action_token.as_deref(), it.instance_id.as_deref())?;
    service.groups.renew(&key, &it.lifecycle_hook_name, who).await.map_err(fault::of)?;
    Ok(RecordLifecycleActionHeartbeatAnswer::default())
}

fn waiter(token: Option<&str>, instance: Option<&str>) -> Result<Waiter, Fault> {
    match (token, instance) {
        (Some(token), _) => token.parse().map(Waiter::Token).map_err(|_| {
            fault::validation(format!("No active Lifecycle Action found with token {token}"))
        }),
        (None, Some(id)) => names::instance(id).map(Waiter::Instance).map_err(|_| {
            fault::validation(format!("No active Lifecycle Action found with instance ID {id}"))
        }),
        (None, None) => Err(fault::validation(
            "The request must contain the parameter LifecycleActionToken or InstanceId.",
        )),
    }
}

fn answer(word: &str) -> Option<Answer> {
    match word {
        CONTINUE => Some(Answer::Continue),
        ABANDON => Some(Answer::Abandon),
        _ => None,
    }
}
