//! SetAlarmState, EnableAlarmActions, DisableAlarmActions: what is done to alarms by
//! their names.

use tidemill_api::cloudwatch::{SetAlarmStateInput, StateValue, errors};
use tidemill_metric::{AlarmKey, Reason, Standing};
use tidemill_wire::Fault;

use super::{CloudWatch, alarm, fault, names};
use crate::context::Context;

/// Has an alarm stand as the caller says, until it is looked at the next time.
pub(super) async fn set(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: SetAlarmStateInput,
) -> Result<(), Fault> {
    service.may_change()?;
    let key = alarm::key(cx, &it.alarm_name);
    let is_json = |data: &String| serde_json::from_str::<serde_json::Value>(data).is_ok();
    if it.state_reason_data.as_ref().is_some_and(|data| !is_json(data)) {
        return Err(Fault::new(
            &errors::INVALID_FORMAT_FAULT,
            "StateReasonData is not valid JSON.",
        ));
    }
    let told = it.state_reason_data.as_deref().unwrap_or_default();
    names::check_text(&it.state_reason, "StateReason")
        .and_then(|()| names::check_text(told, "StateReasonData"))
        .map_err(fault::validation)?;
    let standing = match it.state_value {
        StateValue::Ok => Standing::Fine,
        StateValue::Alarm => Standing::Alarming,
        StateValue::InsufficientData | StateValue::Unknown(_) => Standing::Unknown,
    };
    let (text, data) = (it.state_reason.into(), it.state_reason_data.map(String::into_boxed_str));
    let reason = Reason { standing, text, data };
    service.to_the_end(|service| turn(service, key, reason)).await
}

async fn turn(service: CloudWatch, key: AlarmKey, reason: Reason) -> Result<(), Fault> {
    let alone = service.alone().await;
    let before =
        service.metrics.look(|state| state.alarms().find(&key).map(|alarm| alarm.reason.standing));
    let Some(before) = before else { return Err(Fault::new(&errors::RESOURCE_NOT_FOUND, "")) };
    let has_turned = reason.standing != before;
    let now = service.metrics.now();
    let judged = service.metrics.judge(vec![(key.clone(), reason)], now).await;
    judged.map_err(|_| fault::failed())?;
    if has_turned {
        service.ripple(&alone, &[key], now).await;
    }
    drop(alone);
    service.act(None).await;
    Ok(())
}

/// Has the actions of alarms taken from now on, or not any more.
pub(super) async fn enable(
    service: &CloudWatch,
    cx: &Context<'_>,
    names: &[String],
    enabled: bool,
) -> Result<(), Fault> {
    service.may_change()?;
    let keys = names.iter().map(|name| alarm::key(cx, name)).collect();
    service.metrics.enable_actions(keys, enabled).await.map_err(|_| fault::failed())
}
