//! What a group is told to be, read from CreateAutoScalingGroup and UpdateAutoScalingGroup. What we
//! have nothing for is refused by name; what does no harm is kept and shown.

use tidemill_api::autoscaling::{
    CreateAutoScalingGroupType, LaunchTemplateSpecification, UpdateAutoScalingGroupType,
};
use tidemill_scaling::Workers;
use tidemill_scaling::group::{
    GroupKey, HealthCheck, Protection, Settings, Source, TemplateSource, Termination,
};
use tidemill_wire::Fault;

use super::{AutoScaling, fault, launch};
use crate::context::Context;

/// Seconds that a simple change waits, if nobody says how many.
const COOLDOWN: u32 = 300;

/// What a request says of a group.
pub(super) struct Asked {
    pub(super) min: Option<Workers>,
    pub(super) max: Option<Workers>,
    pub(super) desired: Option<Workers>,
    source: Option<Source>,
    cooldown: Option<u32>,
    grace: Option<u32>,
    warm_up: Option<Seconds>,
    zones: Option<Vec<String>>,
    subnets: Option<String>,
    termination: Option<Vec<Termination>>,
    protects_new: Option<bool>,
    protection: Option<Protection>,
    lifetime: Option<Seconds>,
    context: Option<String>,
    role: Option<String>,
}

/// A number of seconds, or that there is to be none.
#[derive(Clone, Copy)]
struct Seconds(Option<u32>);

/// Reads a request: both say the same in members of the same names.
macro_rules! asked {
    ($service:ident, $key:ident, $it:ident) => {{
        let capacity_type = $it.desired_capacity_type.as_deref();
        fault::refuse(&[
            ("MixedInstancesPolicy", $it.mixed_instances_policy.is_some()),
            ("AvailabilityZoneIds", is_list($it.availability_zone_ids.as_ref())),
            ("PlacementGroup", $it.placement_group.as_deref().is_some_and(|it| !it.is_empty())),
            ("CapacityRebalance", $it.capacity_rebalance == Some(true)),
            ("DesiredCapacityType", capacity_type.is_some_and(|it| it != "units")),
            ("InstanceMaintenancePolicy", $it.instance_maintenance_policy.is_some()),
            ("AvailabilityZoneDistribution", $it.availability_zone_distribution.is_some()),
            ("AvailabilityZoneImpairmentPolicy", $it.availability_zone_impairment_policy.is_some()),
            ("CapacityReservationSpecification", $it.capacity_reservation_specification.is_some()),
            ("InstanceLifecyclePolicy", $it.instance_lifecycle_policy.is_some()),
        ])?;
        health_check($it.health_check_type.as_deref())?;
        let template = $it.launch_template.as_ref();
        let configuration = $it.launch_configuration_name.as_deref();
        let source = match (template, configuration) {
            (None, None) => None,
            (Some(template), None) => Some(template_of($service, $key, template)?),
            (None, Some(name)) => Some(Source::Configuration(name.to_owned())),
            (Some(_), Some(_)) => return Err(fault::validation(ONE_SOURCE)),
        };
        Ok(Asked {
            min: $it.min_size().map(|it| size("MinSize", it)).transpose()?,
            max: $it.max_size().map(|it| size("MaxSize", it)).transpose()?,
            desired: $it.desired_capacity.map(|it| size("DesiredCapacity", it)).transpose()?,
            source,
            cooldown: seconds("DefaultCooldown", $it.default_cooldown)?,
            grace: seconds("HealthCheckGracePeriod", $it.health_check_grace_period)?,
            warm_up: warm_up($it.default_instance_warmup)?,
            zones: $it.availability_zones.clone().filter(|zones| !zones.is_empty()),
            subnets: $it.vpc_zone_identifier.clone(),
            termination: termination($it.termination_policies.as_deref())?,
            protects_new: $it.new_instances_protected_from_scale_in,
            protection: protection($it.deletion_protection.as_ref().map(AsRef::as_ref))?,
            lifetime: lifetime($it.max_instance_lifetime)?,
            context: $it.context.clone(),
            role: $it.service_linked_role_arn.clone(),
        })
    }};
}

const ONE_SOURCE: &str = "Valid requests must contain either LaunchTemplate, \
                          LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.";

/// The sizes, which one request has to say, and the other may.
trait Sizes {
    fn min_size(&self) -> Option<i32>;
    fn max_size(&self) -> Option<i32>;
}

impl Sizes for CreateAutoScalingGroupType {
    fn min_size(&self) -> Option<i32> {
        Some(self.min_size)
    }

    fn max_size(&self) -> Option<i32> {
        Some(self.max_size)
    }
}

impl Sizes for UpdateAutoScalingGroupType {
    fn min_size(&self) -> Option<i32> {
        self.min_size
    }

    fn max_size(&self) -> Option<i32> {
        self.max_size
    }
}

/// Reads what a new group is told to be.
pub(super) fn of_new(
    service: &AutoScaling,
    key: &GroupKey,
    it: &CreateAutoScalingGroupType,
) -> Result<Asked, Fault> {
    fault::refuse(&[
        ("InstanceId", it.instance_id.is_some()),
        ("LoadBalancerNames", is_list(it.load_balancer_names.as_ref())),
        ("TargetGroupARNs", is_list(it.target_group_arns.as_ref())),
        ("TrafficSources", is_list(it.traffic_sources.as_ref())),
        ("Operator", it.operator.is_some()),
    ])?;
    asked!(service, key, it)
}

/// Reads what a group is to be from now on.
pub(super) fn of_change(
    service: &AutoScaling,
    key: &GroupKey,
    it: &UpdateAutoScalingGroupType,
) -> Result<Asked, Fault> {
    asked!(service, key, it)
}

impl Asked {
    /// The settings of a new group.
    pub(super) fn settings(self, cx: &Context<'_>) -> Result<Settings, Fault> {
        let source = self.source.ok_or_else(|| fault::validation(ONE_SOURCE))?;
        Ok(Settings {
            min: self.min.unwrap_or_default(),
            max: self.max.unwrap_or_default(),
            source,
            cooldown: self.cooldown.unwrap_or(COOLDOWN),
            grace: self.grace.unwrap_or(0),
            warm_up: self.warm_up.and_then(|it| it.0),
            zones: self.zones.unwrap_or_else(|| vec![format!("{}a", cx.region)]),
            subnets: self.subnets,
            termination: self.termination.unwrap_or_else(|| vec![Termination::Default]),
            protects_new: self.protects_new.unwrap_or(false),
            protection: self.protection.unwrap_or_default(),
            lifetime: self.lifetime.and_then(|it| it.0),
            context: self.context,
            role: self.role,
            health: HealthCheck::Machine,
        })
    }

    /// The settings of a group that had others.
    pub(super) fn over(self, old: Settings) -> Settings {
        Settings {
            min: self.min.unwrap_or(old.min),
            max: self.max.unwrap_or(old.max),
            source: self.source.unwrap_or(old.source),
            cooldown: self.cooldown.unwrap_or(old.cooldown),
            grace: self.grace.unwrap_or(old.grace),
            warm_up: self.warm_up.map_or(old.warm_up, |it| it.0),
            zones: self.zones.unwrap_or(old.zones),
            subnets: self.subnets.or(old.subnets),
            termination: self.termination.unwrap_or(old.termination),
            protects_new: self.protects_new.unwrap_or(old.protects_new),
            protection: self.protection.unwrap_or(old.protection),
            lifetime: self.lifetime.map_or(old.lifetime, |it| it.0),
            context: self.context.or(old.context),
            role: self.role.or(old.role),
            health: old.health,
        }
    }
}

/// The template that is meant, which has to be there and to be fit for launching.
pub(super) fn template_of(
    service: &AutoScaling,
    key: &GroupKey,
    it: &LaunchTemplateSpecification,
) -> Result<Source, Fault> {
    let (id, name) = (it.launch_template_id.as_deref(), it.launch_template_name.as_deref());
    let found = launch::find_template(service.fleet()?, key, id, name, it.version.as_deref());
    let unfit = |why: String| {
        fault::validation(format!("You must use a valid fully-formed launch template. {why}"))
    };
    let (id, name) = found.map_err(unfit)?;
    Ok(Source::Template(TemplateSource { id, name, version: it.version.clone() }))
}

fn health_check(kinds: Option<&str>) -> Result<(), Fault> {
    for kind in kinds.unwrap_or("EC2").split(',').map(str::trim) {
        if kind != "EC2" {
            return Err(fault::validation(format!(
                "HealthCheckType {kind} is not supported by the groups of Tidemill, whose \
                 instances have no load balancers and no volumes: EC2 is."
            )));
        }
    }
    Ok(())
}

fn size(name: &str, given: i32) -> Result<Workers, Fault> {
    number(name, given).map(Workers::new)
}

/// A number of seconds.
pub(super) fn seconds(name: &str, given: Option<i32>) -> Result<Option<u32>, Fault> {
    given.map(|given| number(name, given)).transpose()
}

/// A number that is not negative.
pub(super) fn number(name: &str, given: i32) -> Result<u32, Fault> {
    u32::try_from(given)
        .map_err(|_| fault::validation(format!("{name} must not be negative, and is {given}.")))
}

/// Minus one takes it away again.
fn warm_up(given: Option<i32>) -> Result<Option<Seconds>, Fault> {
    match given {
        Some(-1) => Ok(Some(Seconds(None))),
        given => Ok(seconds("DefaultInstanceWarmup", given)?.map(|it| Seconds(Some(it)))),
    }
}

/// A day at least; zero takes it away again.
fn lifetime(given: Option<i32>) -> Result<Option<Seconds>, Fault> {
    match seconds("MaxInstanceLifetime", given)? {
        None => Ok(None),
        Some(0) => Ok(Some(Seconds(None))),
        Some(seconds) if (86_400..=31_536_000).contains(&seconds) => {
            Ok(Some(Seconds(Some(seconds))))
        }
        Some(seconds) => Err(fault::validation(format!(
            "MaxInstanceLifetime is 0 or 86400 to 31536000 seconds, and not {seconds}."
        ))),
    }
}

/// The names of termination policies.
pub(super) const TERMINATION: [(&str, Termination); 7] = [
    ("AllocationStrategy", Termination::Allocation),
    ("ClosestToNextInstanceHour", Termination::ClosestToNextHour),
    ("Default", Termination::Default),
    ("NewestInstance", Termination::NewestInstance),
    ("OldestInstance", Termination::OldestInstance),
    ("OldestLaunchConfiguration", Termination::OldestConfiguration),
    ("OldestLaunchTemplate", Termination::OldestTemplate),
];

fn termination(given: Option<&[String]>) -> Result<Option<Vec<Termination>>, Fault> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(None) };
    let read = |name: &String| {
        let known = TERMINATION.iter().find(|(known, _)| known == name);
        known.map(|(_, policy)| *policy).ok_or_else(|| {
            fault::validation(format!(
                "The termination policy {name} is not supported: DescribeTerminationPolicyTypes \
                 lists those that are."
            ))
        })
    };
    given.iter().map(read).collect::<Result<Vec<_>, _>>().map(Some)
}

fn protection(given: Option<&str>) -> Result<Option<Protection>, Fault> {
    match given {
        None => Ok(None),
        Some("none") => Ok(Some(Protection::None)),
        Some("prevent-force-deletion") => Ok(Some(Protection::NotByForce)),
        Some("prevent-all-deletion") => Ok(Some(Protection::NotAtAll)),
        Some(other) => Err(fault::validation(format!("{other} is no DeletionProtection."))),
    }
}

fn is_list<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}
