//! A group as the API shows it, and its instances.

use tidemill_api::autoscaling::{
    AutoScalingGroup, DeletionProtection, EnabledMetric, Instance, LaunchTemplateSpecification,
    SuspendedProcess,
};
use tidemill_scaling::Workers;
use tidemill_scaling::group::{
    Group, GroupKey, Groups, Health, Lifecycle, Member, Origin, Protection, Source, TemplateSource,
};

use super::{metrics, names, processes, settings, tags};

/// A group as it is shown.
pub(super) fn shown(key: &GroupKey, group: &Group, with_instances: bool) -> AutoScalingGroup {
    let settings = &group.settings;
    let (template, configuration) = match &settings.source {
        Source::Template(it) => (Some(template(it)), None),
        Source::Configuration(name) => (None, Some(name.clone())),
    };
    let termination = settings.termination.iter().map(|policy| {
        let known = settings::TERMINATION.iter().find(|(_, known)| known == policy);
        known.map_or_else(String::new, |(name, _)| (*name).to_owned())
    });
    let metric = |name: &String| EnabledMetric {
        metric: Some(name.clone()),
        granularity: Some(metrics::GRANULARITY.to_owned()),
    };
    let suspended = |process: &tidemill_scaling::group::Process| SuspendedProcess {
        process_name: Some(processes::name(*process).to_owned()),
        suspension_reason: Some("User suspended".to_owned()),
    };
    AutoScalingGroup {
        auto_scaling_group_name: key.name.clone(),
        auto_scaling_group_arn: Some(names::group_arn(key, group)),
        launch_configuration_name: configuration,
        launch_template: template,
        min_size: number(settings.min),
        max_size: number(settings.max),
        desired_capacity: number(group.desired),
        default_cooldown: seconds(settings.cooldown),
        availability_zones: settings.zones.clone(),
        load_balancer_names: Some(Vec::new()),
        target_group_arns: Some(Vec::new()),
        traffic_sources: Some(Vec::new()),
        health_check_type: "EC2".to_owned(),
        health_check_grace_period: Some(seconds(settings.grace)),
        instances: Some(if with_instances {
            group.members().map(instance).collect()
        } else {
            Vec::new()
        }),
        created_time: group.made,
        suspended_processes: Some(group.suspended.iter().map(suspended).collect()),
        vpc_zone_identifier: Some(settings.subnets.clone().unwrap_or_default()),
        enabled_metrics: Some(group.metrics.iter().map(metric).collect()),
        status: group.closing.then(|| "Delete in progress".to_owned()),
        tags: Some(tags::shown(key, group)),
        termination_policies: Some(termination.collect()),
        new_instances_protected_from_scale_in: Some(settings.protects_new),
        service_linked_role_arn: settings.role.clone().or_else(|| Some(role(key))),
        max_instance_lifetime: settings.lifetime.map(seconds),
        capacity_rebalance: Some(false),
        context: settings.context.clone(),
        default_instance_warmup: settings.warm_up.map(seconds),
        deletion_protection: Some(protection(settings.protection)),
    }
}

fn protection(protection: Protection) -> DeletionProtection {
    match protection {
        Protection::None => "none",
        Protection::NotByForce => "prevent-force-deletion",
        Protection::NotAtAll => "prevent-all-deletion",
    }
    .into()
}

/// The role that AWS makes for every account's groups.
fn role(key: &GroupKey) -> String {
    format!(
        "arn:aws:iam::{}:role/aws-service-role/autoscaling.amazonaws.com/\
         AWSServiceRoleForAutoScaling",
        key.account
    )
}

/// An instance of a group as it is shown.
pub(super) fn instance(member: &Member) -> Instance {
    let (template, configuration) = origin(&member.origin);
    Instance {
        instance_id: names::instance_text(member.id),
        instance_type: Some(member.kind.clone()),
        availability_zone: member.zone.clone(),
        availability_zone_id: None,
        lifecycle_state: lifecycle(member.state).into(),
        health_status: health(member.health).to_owned(),
        launch_configuration_name: configuration,
        launch_template: template,
        image_id: Some(member.image.clone()),
        protected_from_scale_in: member.protected,
        weighted_capacity: None,
    }
}

/// What an instance comes from: a template, or a configuration.
pub(super) fn origin(origin: &Origin) -> (Option<LaunchTemplateSpecification>, Option<String>) {
    match origin {
        Origin::Template(it) => (Some(template(it)), None),
        Origin::Configuration(name, _) => (None, Some(name.clone())),
        Origin::Elsewhere => (None, None),
    }
}

pub(super) fn template(it: &TemplateSource) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification {
        launch_template_id: Some(it.id.clone()),
        launch_template_name: Some(it.name.clone()),
        version: it.version.clone(),
    }
}

/// A state's name.
pub(super) fn lifecycle(state: Lifecycle) -> &'static str {
    match state {
        Lifecycle::Pending => "Pending",
        Lifecycle::PendingWait => "Pending:Wait",
        Lifecycle::PendingProceed => "Pending:Proceed",
        Lifecycle::InService => "InService",
        Lifecycle::Terminating => "Terminating",
        Lifecycle::TerminatingWait => "Terminating:Wait",
        Lifecycle::TerminatingProceed => "Terminating:Proceed",
        Lifecycle::Standby => "Standby",
    }
}

/// The state that an instance's group has it go to, in the word that the instance is told; none if
/// it is of no group.
pub fn target_of(groups: &Groups, id: tidemill_fleet::InstanceId) -> Option<&'static str> {
    let id = names::of_fleet(id);
    let state = groups.look(|state| {
        state.groups().find_map(|(_, group)| group.member(id)).map(|member| member.state)
    })?;
    Some(match state {
        Lifecycle::Standby => "Standby",
        state if state.is_going() => "Terminated",
        _ => "InService",
    })
}

/// What is thought of an instance's health, in a word.
pub(super) fn health(health: Health) -> &'static str {
    match health {
        Health::Healthy => "Healthy",
        Health::NotRunning | Health::Told => "Unhealthy",
    }
}

pub(super) fn number(workers: Workers) -> i32 {
    i32::try_from(workers.count()).unwrap_or(i32::MAX)
}

pub(super) fn seconds(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
