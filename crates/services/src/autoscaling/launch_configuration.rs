//! CreateLaunchConfiguration, DescribeLaunchConfigurations and DeleteLaunchConfiguration.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidemill_api::autoscaling::{
    CreateLaunchConfigurationType, InstanceMetadataOptions, InstanceMonitoring,
    LaunchConfiguration, LaunchConfigurationNameType, LaunchConfigurationNamesType,
    LaunchConfigurationsType,
};
use tidemill_fleet::{MetadataOptions, Profile, Recipe};
use tidemill_scaling::group::{Configuration, GroupKey};
use tidemill_wire::Fault;

use super::page::{Page, page};
use super::{AutoScaling, fault, launch, names};
use crate::context::Context;
use crate::ec2;

/// Configurations of a page, and most of them.
const PAGE: (usize, usize) = (50, 100);

pub(super) async fn create(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &CreateLaunchConfigurationType,
) -> Result<(), Fault> {
    let recipe = read(it)?;
    let unfit = |fault: Fault| fault::validation(fault.message);
    ec2::check(&recipe).map_err(unfit)?;
    let key = names::key(cx, &it.launch_configuration_name);
    service.groups.configure(&key, launch::write(&recipe)).await.map_err(fault::of)
}

pub(super) async fn delete(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &LaunchConfigurationNameType,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.launch_configuration_name);
    service.groups.unconfigure(&key).await.map_err(fault::of)
}

pub(super) fn describe(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &LaunchConfigurationNamesType,
) -> Result<LaunchConfigurationsType, Fault> {
    let names = it.launch_configuration_names.as_deref().unwrap_or_default();
    let found = service.groups.look(|state| {
        let mine = state.configurations_of(cx.account(), &cx.region);
        let wanted = mine.filter(|(key, _)| names.is_empty() || names.contains(&key.name));
        wanted.map(|(key, it)| (key.name.clone(), shown(key, it))).collect::<Vec<_>>()
    });
    let Page { items, next } = page(found, it.next_token.as_deref(), it.max_records, PAGE)?;
    Ok(LaunchConfigurationsType { launch_configurations: items, next_token: next })
}

/// What instances are made from, as a request says it.
fn read(it: &CreateLaunchConfigurationType) -> Result<Recipe, Fault> {
    let is_list = |list: Option<usize>| list.is_some_and(|length| length > 0);
    fault::refuse(&[
        ("InstanceId", it.instance_id.is_some()),
        ("ClassicLinkVPCId", it.classic_link_vpc_id.is_some()),
        (
            "ClassicLinkVPCSecurityGroups",
            is_list(it.classic_link_vpc_security_groups.as_ref().map(Vec::len)),
        ),
        ("KernelId", it.kernel_id.is_some()),
        ("RamdiskId", it.ramdisk_id.is_some()),
        ("BlockDeviceMappings", is_list(it.block_device_mappings.as_ref().map(Vec::len))),
        ("SpotPrice", it.spot_price.is_some()),
        ("AssociatePublicIpAddress", it.associate_public_ip_address.is_some()),
        ("PlacementTenancy", it.placement_tenancy.as_deref().is_some_and(|it| it != "default")),
    ])?;
    if it.image_id.is_none() || it.instance_type.is_none() {
        return Err(fault::validation(
            "Valid requests must contain either the InstanceID parameter or both the ImageId and \
             InstanceType parameters.",
        ));
    }
    let unfit = |fault: Fault| fault::validation(fault.message);
    let user_data = it.user_data.as_deref().map(ec2::user_data).transpose().map_err(unfit)?;
    let profile = it.iam_instance_profile.clone().map(|profile| {
        let is_arn = profile.starts_with("arn:");
        if is_arn { Profile::Arn(profile) } else { Profile::Name(profile) }
    });
    let groups = it.security_groups.clone().unwrap_or_default();
    let (ids, others): (Vec<String>, Vec<String>) =
        groups.into_iter().partition(|group| group.starts_with("sg-"));
    let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    Ok(Recipe {
        image: it.image_id.clone(),
        kind: it.instance_type.clone(),
        user_data,
        profile,
        key_name: it.key_name.clone(),
        group_ids: some(ids),
        group_names: some(others),
        monitoring: it.instance_monitoring.as_ref().and_then(|it| it.enabled),
        ebs_optimized: it.ebs_optimized,
        metadata: it.metadata_options.as_ref().map(|options| MetadataOptions {
            tokens: options.http_tokens.as_ref().map(|it| it.as_str().to_owned()),
            endpoint: options.http_endpoint.as_ref().map(|it| it.as_str().to_owned()),
            hops: options.http_put_response_hop_limit,
            tags: None,
        }),
        ..Recipe::default()
    })
}

fn shown(key: &GroupKey, it: &Configuration) -> LaunchConfiguration {
    // What we wrote, we read.
    let recipe = launch::read(&it.recipe).unwrap_or_default();
    let groups = recipe.group_ids.iter().chain(&recipe.group_names).flatten();
    LaunchConfiguration {
        launch_configuration_name: key.name.clone(),
        launch_configuration_arn: Some(names::configuration_arn(key, it)),
        image_id: recipe.image.clone().unwrap_or_default(),
        key_name: Some(recipe.key_name.clone().unwrap_or_default()),
        security_groups: Some(groups.cloned().collect()),
        classic_link_vpc_id: None,
        classic_link_vpc_security_groups: Some(Vec::new()),
        user_data: Some(STANDARD.encode(recipe.user_data.as_deref().unwrap_or_default())),
        instance_type: recipe.kind.clone().unwrap_or_default(),
        kernel_id: Some(String::new()),
        ramdisk_id: Some(String::new()),
        block_device_mappings: Some(Vec::new()),
        instance_monitoring: Some(InstanceMonitoring {
            enabled: Some(recipe.monitoring.unwrap_or(true)),
        }),
        spot_price: None,
        iam_instance_profile: recipe.profile.as_ref().map(|profile| match profile {
            Profile::Arn(text) | Profile::Name(text) => text.clone(),
        }),
        created_time: it.made,
        ebs_optimized: Some(recipe.ebs_optimized == Some(true)),
        associate_public_ip_address: None,
        placement_tenancy: None,
        metadata_options: recipe.metadata.as_ref().map(|options| InstanceMetadataOptions {
            http_tokens: options.tokens.as_deref().map(Into::into),
            http_put_response_hop_limit: options.hops,
            http_endpoint: options.endpoint.as_deref().map(Into::into),
        }),
    }
}
