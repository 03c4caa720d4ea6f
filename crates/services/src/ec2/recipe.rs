//! What an instance is made from, read from a launch and from a launch template's data. What no
//! process can be given is refused; what does no harm is kept and shown.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tidemill_api::ec2::{
    RequestLaunchTemplateData, RunInstancesRequest, ShutdownBehavior, Tag, errors,
};
use tidemill_fleet::unit::{Host, Program};
use tidemill_fleet::{Kind, MetadataOptions, Profile, Recipe, Tags};
use tidemill_wire::Fault;

use super::{fault, tags};

/// Most bytes of user data.
const USER_DATA: usize = 16_384;
/// Most characters of any other text, and most entries of a list of them.
const TEXT: usize = 255;
const LIST: usize = 200;
/// Most characters of an ARN, which has a path.
const ARN: usize = 2048;
/// The driver, as images name it.
pub(super) const PROCESS: &str = "process";

/// Reads a recipe: a launch and a template's data say it in members of the same names, of other
/// types.
macro_rules! recipe {
    ($it:ident, $monitoring:expr, $subnet:expr) => {{
        let zone = match &$it.placement {
            None => None,
            Some(place) => {
                fault::refuse(&[
                    ("Placement.AvailabilityZoneId", place.availability_zone_id.is_some()),
                    ("Placement.Affinity", place.affinity.is_some()),
                    ("Placement.GroupName", place.group_name.is_some()),
                    ("Placement.PartitionNumber", place.partition_number.is_some()),
                    ("Placement.HostId", place.host_id.is_some()),
                    ("Placement.Tenancy", is_not(place.tenancy.as_ref(), "default")),
                    ("Placement.SpreadDomain", place.spread_domain.is_some()),
                    ("Placement.HostResourceGroupArn", place.host_resource_group_arn.is_some()),
                    ("Placement.GroupId", place.group_id.is_some()),
                ])?;
                given("Placement.AvailabilityZone", place.availability_zone.as_ref())?
            }
        };
        let categories = $it.monitoring.as_ref().and_then(|it| it.metric_category_ids.as_ref());
        fault::refuse(&[("Monitoring.MetricCategoryIds", is_list(categories))])?;
        let profile = $it.iam_instance_profile.as_ref();
        let profile = profile.map(|it| profile_of(it.arn.as_deref(), it.name.as_deref()));
        let metadata = match &$it.metadata_options {
            None => None,
            Some(options) => {
                let ipv6 = is_not(options.http_protocol_ipv6.as_ref(), "disabled");
                fault::refuse(&[("MetadataOptions.HttpProtocolIpv6", ipv6)])?;
                Some(metadata_of(
                    options.http_tokens.as_ref(),
                    options.http_endpoint.as_ref(),
                    options.instance_metadata_tags.as_ref(),
                    options.http_put_response_hop_limit,
                )?)
            }
        };
        let specifications = $it
            .tag_specifications
            .as_ref()
            .map(|all| all.iter().map(|one| (one.resource_type.as_ref(), one.tags.as_deref())));
        Ok(Recipe {
            image: given("ImageId", $it.image_id.as_ref())?,
            kind: given("InstanceType", $it.instance_type.as_ref())?,
            user_data: $it.user_data.as_ref().map(|data| user_data(data.expose())).transpose()?,
            profile: profile.transpose()?,
            key_name: given("KeyName", $it.key_name.as_ref())?,
            group_ids: list("SecurityGroupId", $it.security_group_ids.as_ref())?,
            group_names: list("SecurityGroup", $it.security_groups.as_ref())?,
            monitoring: $monitoring,
            ebs_optimized: $it.ebs_optimized,
            keeps_living: $it.disable_api_termination,
            keeps_running: $it.disable_api_stop,
            on_shutdown: shutdown($it.instance_initiated_shutdown_behavior.as_ref())?,
            tags: specifications.map(tags_of).transpose()?,
            metadata,
            zone,
            subnet: $subnet,
        })
    }};
}

/// Reads a launch's parameters.
pub(super) fn of_launch(it: &RunInstancesRequest) -> Result<Recipe, Fault> {
    refuse_of_launch(it)?;
    let monitoring = it.monitoring.as_ref().map(|it| it.enabled);
    recipe!(it, monitoring, given("SubnetId", it.subnet_id.as_ref())?)
}

/// Reads a launch template's data.
pub(super) fn of_template(it: &RequestLaunchTemplateData) -> Result<Recipe, Fault> {
    refuse_of_template(it)?;
    let monitoring = it.monitoring.as_ref().and_then(|it| it.enabled);
    recipe!(it, monitoring, None)
}

fn refuse_of_launch(it: &RunInstancesRequest) -> Result<(), Fault> {
    fault::refuse(&[
        ("BlockDeviceMappings", is_list(it.block_device_mappings.as_ref())),
        ("Ipv6AddressCount", it.ipv6_address_count.is_some()),
        ("Ipv6Addresses", is_list(it.ipv6_addresses.as_ref())),
        ("KernelId", it.kernel_id.is_some()),
        ("RamdiskId", it.ramdisk_id.is_some()),
        ("ElasticGpuSpecification", is_list(it.elastic_gpu_specification.as_ref())),
        ("ElasticInferenceAccelerators", is_list(it.elastic_inference_accelerators.as_ref())),
        ("InstanceMarketOptions", it.instance_market_options.is_some()),
        ("CreditSpecification", it.credit_specification.is_some()),
        ("CpuOptions", it.cpu_options.is_some()),
        ("CapacityReservationSpecification", it.capacity_reservation_specification.is_some()),
        ("HibernationOptions", it.hibernation_options.is_some()),
        ("LicenseSpecifications", is_list(it.license_specifications.as_ref())),
        ("EnclaveOptions", it.enclave_options.is_some()),
        ("PrivateDnsNameOptions", it.private_dns_name_options.is_some()),
        ("MaintenanceOptions", it.maintenance_options.is_some()),
        ("EnablePrimaryIpv6", it.enable_primary_ipv6.is_some()),
        ("NetworkPerformanceOptions", it.network_performance_options.is_some()),
        ("Operator", it.operator.is_some()),
        ("SecondaryInterfaces", is_list(it.secondary_interfaces.as_ref())),
        ("PrivateIpAddress", it.private_ip_address.is_some()),
        ("AdditionalInfo", it.additional_info.is_some()),
        ("NetworkInterfaces", is_list(it.network_interfaces.as_ref())),
    ])
}

fn refuse_of_template(it: &RequestLaunchTemplateData) -> Result<(), Fault> {
    fault::refuse(&[
        ("KernelId", it.kernel_id.is_some()),
        ("RamDiskId", it.ram_disk_id.is_some()),
        ("BlockDeviceMappings", is_list(it.block_device_mappings.as_ref())),
        ("NetworkInterfaces", is_list(it.network_interfaces.as_ref())),
        ("ElasticGpuSpecifications", is_list(it.elastic_gpu_specifications.as_ref())),
        ("ElasticInferenceAccelerators", is_list(it.elastic_inference_accelerators.as_ref())),
        ("InstanceMarketOptions", it.instance_market_options.is_some()),
        ("CreditSpecification", it.credit_specification.is_some()),
        ("CpuOptions", it.cpu_options.is_some()),
        ("CapacityReservationSpecification", it.capacity_reservation_specification.is_some()),
        ("LicenseSpecifications", is_list(it.license_specifications.as_ref())),
        ("HibernationOptions", it.hibernation_options.is_some()),
        ("EnclaveOptions", it.enclave_options.is_some()),
        ("InstanceRequirements", it.instance_requirements.is_some()),
        ("PrivateDnsNameOptions", it.private_dns_name_options.is_some()),
        ("MaintenanceOptions", it.maintenance_options.is_some()),
        ("Operator", it.operator.is_some()),
        ("NetworkPerformanceOptions", it.network_performance_options.is_some()),
        ("SecondaryInterfaces", is_list(it.secondary_interfaces.as_ref())),
    ])
}

/// Checks that a recipe can be launched as it is.
pub(crate) fn check(recipe: &Recipe) -> Result<(), Fault> {
    if let Some(image) = &recipe.image
        && !is_image(image)
    {
        return Err(Fault::new(
            &errors::INVALID_AMIID_NOT_FOUND,
            format!("The image id '[{image}]' does not exist"),
        ));
    }
    if let Some(kind) = recipe.kind.as_deref()
        && Kind::find(kind).is_none()
    {
        return Err(fault::invalid(format!(
            "Invalid value '{kind}' for InstanceType. Tidemill has other types: \
             DescribeInstanceTypes lists them."
        )));
    }
    let data = recipe.user_data.as_deref().unwrap_or_default();
    match Program::read(data, &Host::default()) {
        Ok(_) => Ok(()),
        Err(why) => Err(Fault::new(
            &errors::INVALID_USER_DATA_MALFORMED,
            format!("The user data cannot be run: {why}."),
        )),
    }
}

/// Whether an image may be launched: a driver by its name, and for the sake of commands that are
/// used as they are on AWS, any id of an AMI, which stands for the driver that is usual.
pub(super) fn is_image(id: &str) -> bool {
    let hexadecimal = |digit: u8| digit.is_ascii_hexdigit();
    id == PROCESS
        || id.strip_prefix("ami-").is_some_and(|rest| {
            rest == PROCESS || matches!(rest.len(), 8 | 17) && rest.bytes().all(hexadecimal)
        })
}

/// User data as the API carries it.
pub(crate) fn user_data(text: &str) -> Result<Vec<u8>, Fault> {
    let packed: String = text.split_ascii_whitespace().collect();
    let data = STANDARD.decode(packed).map_err(|_| {
        Fault::new(&errors::INVALID_USER_DATA_MALFORMED, "Invalid BASE64 encoding of user data.")
    })?;
    if data.len() > USER_DATA {
        return Err(fault::invalid(format!(
            "User data is limited to {USER_DATA} bytes, and this is {}",
            data.len()
        )));
    }
    Ok(data)
}

fn profile_of(arn: Option<&str>, name: Option<&str>) -> Result<Profile, Fault> {
    for (text, most) in [(arn, ARN), (name, TEXT)] {
        text.map_or(Ok(()), |text| short("IamInstanceProfile", text, most))?;
    }
    match (arn, name) {
        (Some(arn), None) if is_profile_arn(arn) => Ok(Profile::Arn(arn.to_owned())),
        (Some(arn), None) => Err(fault::invalid(format!(
            "Value ({arn}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance \
             Profile ARN"
        ))),
        (None, Some(name)) if is_profile_name(name) => Ok(Profile::Name(name.to_owned())),
        (None, Some(name)) if !name.is_empty() => Err(fault::invalid(format!(
            "Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance \
             Profile name"
        ))),
        (None, _) => Err(fault::missing(
            "The request must contain the parameter iamInstanceProfile.arn or \
             iamInstanceProfile.name",
        )),
        (Some(_), Some(_)) => Err(fault::combination(
            "The parameter 'iamInstanceProfile.name' may not be used in combination with \
             'iamInstanceProfile.arn'",
        )),
    }
}

/// What IAM takes for a name: it is the role's, too, which keys are made for.
fn is_profile_name(name: &str) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"_+=,.@-".contains(&it);
    (1..=128).contains(&name.len()) && name.bytes().all(plain)
}

fn is_profile_arn(arn: &str) -> bool {
    let path = arn.split_once(":instance-profile/").map(|(_, path)| path);
    path.and_then(|path| path.rsplit('/').next()).is_some_and(is_profile_name)
}

fn metadata_of(
    tokens: Option<&impl AsRef<str>>,
    endpoint: Option<&impl AsRef<str>>,
    tags: Option<&impl AsRef<str>>,
    hops: Option<i32>,
) -> Result<MetadataOptions, Fault> {
    let one_of = |value: Option<&str>, name: &str, values: [&str; 2]| match value {
        None => Ok(None),
        Some(value) if values.contains(&value) => Ok(Some(value.to_owned())),
        Some(value) => Err(fault::invalid(format!("Invalid value '{value}' for {name}."))),
    };
    if hops.is_some_and(|hops| !(1..=64).contains(&hops)) {
        return Err(fault::invalid("HttpPutResponseHopLimit is 1 to 64."));
    }
    let onoff = ["enabled", "disabled"];
    let (tokens, endpoint) = (tokens.map(AsRef::as_ref), endpoint.map(AsRef::as_ref));
    Ok(MetadataOptions {
        tokens: one_of(tokens, "HttpTokens", ["optional", "required"])?,
        endpoint: one_of(endpoint, "HttpEndpoint", onoff)?,
        hops,
        tags: one_of(tags.map(AsRef::as_ref), "InstanceMetadataTags", onoff)?,
    })
}

fn shutdown(behaviour: Option<&ShutdownBehavior>) -> Result<Option<String>, Fault> {
    match behaviour.map(ShutdownBehavior::as_str) {
        None => Ok(None),
        Some(word @ ("stop" | "terminate")) => Ok(Some(word.to_owned())),
        Some(word) => {
            let name = "InstanceInitiatedShutdownBehavior";
            Err(fault::invalid(format!("Invalid value '{word}' for {name}.")))
        }
    }
}

/// Reads what resources of a launch are tagged with.
pub(super) fn tags_of<'a, T: AsRef<str> + 'a>(
    specifications: impl Iterator<Item = (Option<&'a T>, Option<&'a [Tag]>)>,
) -> Result<Vec<(String, Tags)>, Fault> {
    let read = |(kind, given): (Option<&T>, Option<&[Tag]>)| {
        let kind = kind.map(AsRef::as_ref).unwrap_or_default();
        // There are no volumes to be tagged, which does no harm to what there is.
        let known = ["instance", "volume", "network-interface", "launch-template"];
        if !known.contains(&kind) {
            let message = format!("'{kind}' is not a valid taggable resource type.");
            return Err(fault::invalid(message));
        }
        Ok((kind.to_owned(), tags::read(given.unwrap_or_default())?))
    };
    let read = specifications.map(read).collect::<Result<Vec<_>, _>>()?;
    let kinds: BTreeSet<&str> = read.iter().map(|(kind, _)| kind.as_str()).collect();
    if kinds.len() < read.len() {
        return Err(fault::invalid(
            "The same resource type may not be specified more than once in tag specifications",
        ));
    }
    Ok(read)
}

/// A text that is kept, under the name of its parameter.
pub(super) fn given(name: &str, text: Option<&String>) -> Result<Option<String>, Fault> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| short(name, text, TEXT).map(|()| text.clone())).transpose()
}

fn list(name: &str, texts: Option<&Vec<String>>) -> Result<Option<Vec<String>>, Fault> {
    let Some(texts) = texts.filter(|texts| !texts.is_empty()) else { return Ok(None) };
    if texts.len() > LIST {
        return Err(fault::invalid(format!("{name} is limited to {LIST} entries.")));
    }
    texts.iter().try_for_each(|text| short(name, text, TEXT))?;
    Ok(Some(texts.clone()))
}

/// Refuses a text that is too long to be kept for nothing.
fn short(name: &str, text: &str, most: usize) -> Result<(), Fault> {
    if text.chars().count() <= most {
        return Ok(());
    }
    Err(fault::invalid(format!("{name} is limited to {most} characters.")))
}

/// The token that a caller may know a request by.
pub(super) fn token(text: Option<String>, most: usize) -> Result<Option<String>, Fault> {
    let text = text.filter(|text| !text.is_empty());
    text.as_ref().map_or(Ok(()), |text| short("ClientToken", text, most))?;
    Ok(text)
}

/// Tells whether a request with a token is the same as one before: it does not have to tell much.
/// What a request says of itself does not show its user data.
pub(super) fn checksum(request: &str, user_data: &str) -> u32 {
    let hash = Sha256::new().chain_update(request).chain_update(user_data).finalize();
    let first = hash.first_chunk().expect("a digest has 32 bytes");
    u32::from_le_bytes(*first)
}

fn is_list<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

fn is_not(value: Option<&impl AsRef<str>>, usual: &str) -> bool {
    value.is_some_and(|value| value.as_ref() != usual)
}
