//! StartInstanceRefresh, DescribeInstanceRefreshes, CancelInstanceRefresh and
//! RollbackInstanceRefresh, and the alarms that have a refresh fail.

use tidemill_api::autoscaling::{
    AlarmSpecification, CancelInstanceRefreshAnswer, CancelInstanceRefreshType,
    DescribeInstanceRefreshesAnswer, DescribeInstanceRefreshesType, DesiredConfiguration,
    InstanceRefresh, RefreshPreferences, RollbackDetails, RollbackInstanceRefreshAnswer,
    RollbackInstanceRefreshType, StartInstanceRefreshAnswer, StartInstanceRefreshType,
};
use tidemill_base::Timestamp;
use tidemill_metric::Standing;
use tidemill_scaling::group::{
    Group, GroupError, GroupKey, NewRefresh, Preferences, REMEMBERED, Refresh, Refusal, Settings,
    Source, Stage, Treatment,
};
use tidemill_wire::Fault;

use super::page::{Page, page};
use super::{AutoScaling, fault, group, launch, names, refresh_words, settings, target_tracking};
use crate::context::Context;

/// Refreshes of a page, and most of them.
const PAGE: (usize, usize) = (50, 100);
/// The percentage that is to be ready at least, if nobody says one.
const LEAST: u8 = 90;
/// Seconds that a refresh rests after a checkpoint, if nobody says how many.
const DELAY: u32 = 3600;
/// Most alarms of a refresh.
const ALARMS: usize = 10;

pub(super) async fn start(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &StartInstanceRefreshType,
) -> Result<StartInstanceRefreshAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    match it.strategy.as_ref().map(AsRef::as_ref) {
        None | Some("Rolling") => {}
        Some(other) => {
            let message = format!(
                "Strategy {other} is not supported by the groups of Tidemill, whose instances have \
                 no volumes: Rolling is."
            );
            return Err(fault::validation(message));
        }
    }
    let preferences = read(service, &key, it.preferences.as_ref())?;
    let desired = it.desired_configuration.as_ref();
    let desired = desired.map(|it| configuration(service, &key, it)).transpose()?;
    let own = || service.groups.look(|state| Some(state.group(&key)?.settings.source.clone()));
    let source = desired.clone().or_else(own).ok_or_else(|| fault::no_group(&key.name))?;
    let target = launch::pinned(service.fleet()?, &key, &source);
    let new = NewRefresh { desired, target };
    let prefer = |settings: &Settings| {
        let warm_up = settings.warm_up.unwrap_or(settings.grace);
        Preferences { warm_up: preferences.0.unwrap_or(warm_up), ..preferences.1 }
    };
    let started = service.groups.start_refresh(&key, new, prefer).await;
    let id = started.map_err(|error| match error {
        GroupError::Refused(Refusal::Irreversible) => fault::validation(
            "AutoRollback requires a DesiredConfiguration, and an AutoScalingGroup whose launch \
             template has a version other than $Latest and $Default.",
        ),
        error => fault::of(error),
    })?;
    Ok(StartInstanceRefreshAnswer { instance_refresh_id: Some(id.to_string()) })
}

pub(super) async fn cancel(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &CancelInstanceRefreshType,
) -> Result<CancelInstanceRefreshAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let patient = it.wait_for_transitioning_instances != Some(false);
    let id = service.groups.cancel_refresh(&key, patient).await.map_err(fault::of)?;
    Ok(CancelInstanceRefreshAnswer { instance_refresh_id: Some(id.to_string()) })
}

pub(super) async fn roll_back(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &RollbackInstanceRefreshType,
) -> Result<RollbackInstanceRefreshAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let id = service.groups.roll_back(&key).await.map_err(fault::of)?;
    Ok(RollbackInstanceRefreshAnswer { instance_refresh_id: Some(id.to_string()) })
}

pub(super) fn describe(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &DescribeInstanceRefreshesType,
) -> Result<DescribeInstanceRefreshesAnswer, Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let (now, wanted) = (service.groups.now(), it.instance_refresh_ids.as_deref());
    let found = service.groups.look(|state| {
        let group = state.group(&key).ok_or_else(|| fault::no_group(&key.name))?;
        let is_wanted = |it: &Refresh| {
            wanted.is_none_or(|ids| ids.is_empty() || ids.contains(&it.id.to_string()))
        };
        let known = group.refreshes().filter(|it| now.since(it.asked) <= REMEMBERED);
        let known = known.filter(|it| is_wanted(it));
        // The newest comes first.
        let order = |it: &Refresh| format!("{:020}", u64::MAX - it.number);
        Ok(known.map(|it| (order(it), shown(&key, group, it, now))).collect::<Vec<_>>())
    })?;
    let Page { items, next } = page(found, it.next_token.as_deref(), it.max_records, PAGE)?;
    Ok(DescribeInstanceRefreshesAnswer { instance_refreshes: Some(items), next_token: next })
}

impl AutoScaling {
    /// Has a group's refresh fail if one of its alarms was raised.
    pub(super) async fn watch_alarms(&self, key: &GroupKey) {
        let alarms = self.groups.look(|state| {
            let refresh = state.group(key)?.refreshing().filter(|it| it.stage.heeds_alarms())?;
            Some(refresh.preferences.alarms.clone()).filter(|alarms| !alarms.is_empty())
        });
        let Some(alarms) = alarms else { return };
        let raised =
            alarms.iter().find(|name| self.standing(key, name) == Some(Standing::Alarming));
        if let Some(alarm) = raised {
            // It may have ended meanwhile.
            drop(self.groups.alarm_refresh(key, alarm).await);
        }
    }

    /// How the alarm of this name stands, if there is one.
    fn standing(&self, key: &GroupKey, name: &str) -> Option<Standing> {
        let alarm = target_tracking::alarm_key(key, name);
        self.metrics.look(|state| state.alarms().find(&alarm).map(|it| it.reason.standing))
    }
}

/// What new instances are to be made from.
fn configuration(
    service: &AutoScaling,
    key: &GroupKey,
    it: &DesiredConfiguration,
) -> Result<Source, Fault> {
    fault::refuse(&[("MixedInstancesPolicy", it.mixed_instances_policy.is_some())])?;
    let missing = "DesiredConfiguration must contain a LaunchTemplate.";
    let template = it.launch_template.as_ref().ok_or_else(|| fault::validation(missing))?;
    settings::template_of(service, key, template)
}

/// What a request prefers, and the warm-up if it says one.
fn read(
    service: &AutoScaling,
    key: &GroupKey,
    it: Option<&RefreshPreferences>,
) -> Result<(Option<u32>, Preferences), Fault> {
    let usual = RefreshPreferences::default();
    let it = it.unwrap_or(&usual);
    let (least, most) = (it.min_healthy_percentage, it.max_healthy_percentage);
    match (least, most) {
        (None, Some(_)) => {
            return Err(fault::validation(
                "MaxHealthyPercentage requires that MinHealthyPercentage is specified, too.",
            ));
        }
        (Some(least), Some(most)) if most - least > 100 => {
            return Err(fault::validation(
                "The difference between MaxHealthyPercentage and MinHealthyPercentage cannot be \
                 greater than 100.",
            ));
        }
        _ => {}
    }
    let percent = |name: &str, it: i32| {
        let wrong = || fault::validation(format!("{name} cannot be {it}."));
        u8::try_from(it).map_err(|_| wrong())
    };
    let checkpoints = it.checkpoint_percentages.iter().flatten();
    let checkpoints = checkpoints.map(|it| percent("CheckpointPercentages", *it));
    let checkpoints: Vec<u8> = checkpoints.collect::<Result<_, _>>()?;
    if !checkpoints.is_sorted_by(|one, next| one < next) {
        return Err(fault::validation(
            "CheckpointPercentages must be unique, and in ascending order.",
        ));
    }
    if checkpoints.is_empty() && it.checkpoint_delay.is_some() {
        return Err(fault::validation(
            "CheckpointDelay requires that CheckpointPercentages is specified, too.",
        ));
    }
    let seconds = |name: &str, it: Option<i32>| settings::seconds(name, it);
    let preferences = Preferences {
        least: least.map_or(Ok(LEAST), |it| percent("MinHealthyPercentage", it))?,
        most: most.map(|it| percent("MaxHealthyPercentage", it)).transpose()?,
        warm_up: 0,
        checkpoints,
        delay: seconds("CheckpointDelay", it.checkpoint_delay)?.unwrap_or(DELAY),
        skips: it.skip_matching == Some(true),
        rolls_back: it.auto_rollback == Some(true),
        protected: treatment(
            &PROTECTED,
            it.scale_in_protected_instances.as_ref().map(AsRef::as_ref),
        )?,
        standby: treatment(&STANDBY, it.standby_instances.as_ref().map(AsRef::as_ref))?,
        alarms: alarms(service, key, it.alarm_specification.as_ref())?,
        bake: seconds("BakeTime", it.bake_time)?.unwrap_or(0),
    };
    Ok((seconds("InstanceWarmup", it.instance_warmup)?, preferences))
}

/// The names of a treatment, and of what they are values.
type Treatments = (&'static str, [(&'static str, Treatment); 3]);

const PROTECTED: Treatments = (
    "ScaleInProtectedInstances",
    [("Refresh", Treatment::Replace), ("Ignore", Treatment::Ignore), ("Wait", Treatment::Wait)],
);
const STANDBY: Treatments = (
    "StandbyInstances",
    [("Terminate", Treatment::Replace), ("Ignore", Treatment::Ignore), ("Wait", Treatment::Wait)],
);

fn treatment((name, all): &Treatments, given: Option<&str>) -> Result<Treatment, Fault> {
    let Some(given) = given else { return Ok(Treatment::Wait) };
    let found = all.iter().find(|(known, _)| *known == given);
    let wrong = || fault::validation(format!("{name} cannot be {given}."));
    found.map(|(_, treatment)| *treatment).ok_or_else(wrong)
}

fn name_of((_, all): &Treatments, treatment: Treatment) -> &'static str {
    let found = all.iter().find(|(_, known)| *known == treatment);
    found.map(|(name, _)| *name).expect("each treatment has a name")
}

fn alarms(
    service: &AutoScaling,
    key: &GroupKey,
    it: Option<&AlarmSpecification>,
) -> Result<Vec<String>, Fault> {
    let alarms = it.and_then(|it| it.alarms.clone()).unwrap_or_default();
    if alarms.len() > ALARMS {
        let message = format!("AlarmSpecification may name {ALARMS} alarms.");
        return Err(fault::validation(message));
    }
    match alarms.iter().find(|name| service.standing(key, name).is_none()) {
        Some(name) => {
            Err(fault::validation(format!("The CloudWatch alarm {name} does not exist.")))
        }
        None => Ok(alarms),
    }
}

/// A refresh as it is shown.
fn shown(key: &GroupKey, group: &Group, it: &Refresh, now: Timestamp) -> InstanceRefresh {
    // Before it begins nobody knows how much there is to do.
    let progress = it.began.map(|_| it.progress);
    InstanceRefresh {
        instance_refresh_id: Some(it.id.to_string()),
        auto_scaling_group_name: Some(key.name.clone()),
        status: Some(refresh_words::status(it.stage).into()),
        status_reason: refresh_words::reason(group, it, now),
        start_time: it.began,
        end_time: it.ended,
        percentage_complete: progress.map(|it| it.percent.into()),
        instances_to_update: progress.map(|it| group::number(it.left)),
        // It is told of groups with warm pools alone.
        progress_details: None,
        preferences: Some(preferred(&it.preferences)),
        desired_configuration: it.desired.as_ref().map(|source| DesiredConfiguration {
            launch_template: match source {
                Source::Template(template) => Some(group::template(template)),
                Source::Configuration(_) => None,
            },
            mixed_instances_policy: None,
        }),
        rollback_details: it.rollback.as_ref().map(|rollback| RollbackDetails {
            rollback_reason: Some(refresh_words::turned(&rollback.why)),
            rollback_start_time: Some(rollback.at),
            percentage_complete_on_rollback: Some(rollback.progress.percent.into()),
            instances_to_update_on_rollback: Some(group::number(rollback.progress.left)),
            progress_details_on_rollback: None,
        }),
        strategy: Some("Rolling".into()),
    }
}

fn preferred(it: &Preferences) -> RefreshPreferences {
    let has_checkpoints = !it.checkpoints.is_empty();
    let checkpoints = it.checkpoints.iter().map(|it| i32::from(*it)).collect();
    let alarms = Some(it.alarms.clone()).filter(|alarms| !alarms.is_empty());
    RefreshPreferences {
        min_healthy_percentage: Some(it.least.into()),
        instance_warmup: Some(group::seconds(it.warm_up)),
        checkpoint_percentages: has_checkpoints.then_some(checkpoints),
        checkpoint_delay: has_checkpoints.then(|| group::seconds(it.delay)),
        skip_matching: Some(it.skips),
        auto_rollback: Some(it.rolls_back),
        scale_in_protected_instances: Some(name_of(&PROTECTED, it.protected).into()),
        standby_instances: Some(name_of(&STANDBY, it.standby).into()),
        alarm_specification: alarms.map(|alarms| AlarmSpecification { alarms: Some(alarms) }),
        max_healthy_percentage: it.most.map(Into::into),
        bake_time: Some(group::seconds(it.bake)),
    }
}

/// Whether a refresh of a group is to be looked at soon. What launches or goes is so anyway.
pub(super) fn is_busy(group: &Group) -> bool {
    group.refreshing().is_some_and(|it| it.stage == Stage::Pending)
}
