//! What an instance is made from, as a launch template's data is shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidemill_api::ec2::{
    LaunchTemplateIamInstanceProfileSpecification, LaunchTemplateInstanceMetadataOptions,
    LaunchTemplatePlacement, LaunchTemplateTagSpecification, LaunchTemplatesMonitoring,
    ResponseLaunchTemplateData,
};
use tidemill_fleet::{MetadataOptions, Profile, Recipe};

use super::tags;

pub(super) fn shown(recipe: &Recipe) -> ResponseLaunchTemplateData {
    let profile = recipe.profile.as_ref().map(|profile| {
        let (arn, name) = match profile {
            Profile::Arn(arn) => (Some(arn.clone()), None),
            Profile::Name(name) => (None, Some(name.clone())),
        };
        LaunchTemplateIamInstanceProfileSpecification { arn, name }
    });
    let tag_specifications = recipe.tags.as_ref().map(|all| {
        let one = |(kind, given): &(String, _)| LaunchTemplateTagSpecification {
            resource_type: Some(kind.as_str().into()),
            tags: Some(tags::write(given)),
        };
        all.iter().map(one).collect()
    });
    ResponseLaunchTemplateData {
        ebs_optimized: recipe.ebs_optimized,
        iam_instance_profile: profile,
        image_id: recipe.image.clone(),
        instance_type: recipe.kind.clone(),
        key_name: recipe.key_name.clone(),
        monitoring: recipe.monitoring.map(|enabled| LaunchTemplatesMonitoring {
            enabled: Some(enabled),
            metric_category_ids: None,
        }),
        placement: recipe.zone.clone().map(|zone| LaunchTemplatePlacement {
            availability_zone: Some(zone),
            ..LaunchTemplatePlacement::default()
        }),
        disable_api_termination: recipe.keeps_living,
        disable_api_stop: recipe.keeps_running,
        instance_initiated_shutdown_behavior: recipe.on_shutdown.as_deref().map(Into::into),
        user_data: recipe.user_data.as_ref().map(|data| STANDARD.encode(data).into()),
        tag_specifications,
        security_group_ids: recipe.group_ids.clone(),
        security_groups: recipe.group_names.clone(),
        metadata_options: recipe.metadata.as_ref().map(metadata),
    }
}

fn metadata(options: &MetadataOptions) -> LaunchTemplateInstanceMetadataOptions {
    LaunchTemplateInstanceMetadataOptions {
        state: None,
        http_tokens: options.tokens.as_deref().map(Into::into),
        http_put_response_hop_limit: options.hops,
        http_endpoint: options.endpoint.as_deref().map(Into::into),
        http_protocol_ipv6: None,
        instance_metadata_tags: options.tags.as_deref().map(Into::into),
    }
}
