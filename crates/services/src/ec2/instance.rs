//! An instance as the API shows it.

use tidemill_api::ec2::{
    GroupIdentifier, IamInstanceProfile, Instance as Shown, InstanceMetadataOptionsResponse,
    InstanceState, InstanceStateName, Monitoring, Placement, Reservation, StateReason,
};
use tidemill_fleet::{Instance, Owner, Phase, Profile, Reason, ReservationId, USUAL};

use super::recipe::PROCESS;
use super::tags;

/// Where every instance is found: on this machine.
pub(super) const ADDRESS: &str = "127.0.0.1";

/// What this machine's processors are called.
pub(super) fn architecture() -> String {
    std::env::consts::ARCH.replace("aarch64", "arm64")
}

/// A state's name.
pub(super) fn state_name(phase: Phase) -> InstanceStateName {
    phase.word().into()
}

/// A state's number.
pub(super) fn state_code(phase: Phase) -> i32 {
    match phase {
        Phase::Pending => 0,
        Phase::Running => 16,
        Phase::ShuttingDown => 32,
        Phase::Terminated => 48,
        Phase::Stopping => 64,
        Phase::Stopped => 80,
    }
}

/// A state.
pub(super) fn state(phase: Phase) -> InstanceState {
    InstanceState { code: Some(state_code(phase)), name: Some(state_name(phase)) }
}

/// Instances of one launch.
pub(super) fn reservation(owner: &Owner, id: ReservationId, instances: Vec<Shown>) -> Reservation {
    Reservation {
        reservation_id: Some(id.to_string()),
        owner_id: Some(owner.account.to_string()),
        groups: Some(Vec::new()),
        instances: Some(instances),
    }
}

/// The availability zone of an instance.
pub(super) fn zone(instance: &Instance) -> String {
    let zone = instance.recipe.zone.clone();
    zone.unwrap_or_else(|| format!("{}a", instance.owner.region))
}

/// The image of an instance.
pub(super) fn image(instance: &Instance) -> &str {
    instance.recipe.image.as_deref().unwrap_or(PROCESS)
}

/// The type of an instance.
pub(super) fn kind(instance: &Instance) -> &str {
    instance.recipe.kind.as_deref().unwrap_or(USUAL)
}

/// The ARN of an instance's profile.
pub(super) fn profile(instance: &Instance) -> Option<String> {
    Some(match instance.recipe.profile.as_ref()? {
        Profile::Arn(arn) => arn.clone(),
        Profile::Name(name) => {
            format!("arn:aws:iam::{}:instance-profile/{name}", instance.owner.account)
        }
    })
}

/// What others tell of an instance, too.
pub(crate) struct Facts {
    pub(crate) kind: String,
    pub(crate) zone: String,
    pub(crate) image: String,
}

/// What others tell of an instance, too.
pub(crate) fn facts(instance: &Instance) -> Facts {
    let (kind, image) = (kind(instance).to_owned(), image(instance).to_owned());
    Facts { kind, zone: zone(instance), image }
}

/// An instance as it is shown.
pub(super) fn shown(instance: &Instance) -> Shown {
    let recipe = &instance.recipe;
    let gone = instance.phase == Phase::Terminated;
    let address = || (!gone).then(|| ADDRESS.to_owned());
    let monitoring = if recipe.monitoring == Some(true) { "enabled" } else { "disabled" };
    let (reason, transition) = why(instance);
    Shown {
        ami_launch_index: i32::try_from(instance.index).ok(),
        architecture: Some(architecture().as_str().into()),
        client_token: instance.token.as_ref().map(|(token, _)| token.clone()),
        ebs_optimized: Some(recipe.ebs_optimized == Some(true)),
        hypervisor: Some("xen".into()),
        iam_instance_profile: profile(instance)
            .map(|arn| IamInstanceProfile { arn: Some(arn), id: None }),
        image_id: Some(image(instance).to_owned()),
        instance_id: Some(instance.id.to_string()),
        instance_type: Some(kind(instance).to_owned()),
        key_name: recipe.key_name.clone(),
        launch_time: Some(instance.launched),
        metadata_options: Some(metadata(instance)),
        monitoring: Some(Monitoring { state: Some(monitoring.into()), metric_category_ids: None }),
        placement: Some(Placement {
            availability_zone: Some(zone(instance)),
            tenancy: Some("default".into()),
            group_name: Some(String::new()),
            ..Placement::default()
        }),
        platform_details: Some("Linux/UNIX".to_owned()),
        private_dns_name: Some(if gone { String::new() } else { "localhost".to_owned() }),
        private_ip_address: address(),
        public_dns_name: Some(String::new()),
        root_device_type: Some("instance-store".into()),
        security_groups: Some(groups(instance)),
        state: Some(state(instance.phase)),
        state_reason: reason,
        state_transition_reason: Some(transition),
        subnet_id: recipe.subnet.clone(),
        tags: (!instance.tags.is_empty()).then(|| tags::write(&instance.tags)),
        virtualization_type: Some("hvm".into()),
    }
}

fn groups(instance: &Instance) -> Vec<GroupIdentifier> {
    let ids = instance.recipe.group_ids.iter().flatten();
    let names = instance.recipe.group_names.iter().flatten();
    let by_id = ids.map(|id| GroupIdentifier { group_id: Some(id.clone()), group_name: None });
    let by_name =
        names.map(|name| GroupIdentifier { group_id: None, group_name: Some(name.clone()) });
    by_id.chain(by_name).collect()
}

/// Why an instance is in its state, in the words of AWS where it has them.
fn why(instance: &Instance) -> (Option<StateReason>, String) {
    let reason = |code: &str, message: String| {
        Some(StateReason { code: Some(code.to_owned()), message: Some(message) })
    };
    match (&instance.reason, instance.phase) {
        (Some(Reason::Failed(why)), _) => {
            (reason("Server.InternalError", why.clone()), why.clone())
        }
        (Some(Reason::Asked), Phase::Pending | Phase::Running) | (None, _) => (None, String::new()),
        (Some(Reason::Asked), _) => {
            let message = "Client.UserInitiatedShutdown: User initiated shutdown".to_owned();
            (reason("Client.UserInitiatedShutdown", message), "User initiated".to_owned())
        }
    }
}

fn metadata(instance: &Instance) -> InstanceMetadataOptionsResponse {
    let options = instance.recipe.metadata.clone().unwrap_or_default();
    InstanceMetadataOptionsResponse {
        state: Some("applied".into()),
        http_tokens: Some(options.tokens.as_deref().unwrap_or("optional").into()),
        http_put_response_hop_limit: Some(options.hops.unwrap_or(1)),
        http_endpoint: Some(options.endpoint.as_deref().unwrap_or("enabled").into()),
        http_protocol_ipv6: Some("disabled".into()),
        instance_metadata_tags: Some(options.tags.as_deref().unwrap_or("disabled").into()),
    }
}
