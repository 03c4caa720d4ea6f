//! Launch templates as the API shows them.

use tidemill_api::ec2::{LaunchTemplate, LaunchTemplateVersion};
use tidemill_fleet::{Template, Version};

use super::{recipe_shown, tags};

/// A template.
pub(super) fn shown(template: &Template) -> LaunchTemplate {
    LaunchTemplate {
        launch_template_id: Some(template.id.to_string()),
        launch_template_name: Some(template.name.clone()),
        create_time: Some(template.made),
        created_by: Some(format!("arn:aws:iam::{}:root", template.owner.account)),
        default_version_number: i64::try_from(template.default).ok(),
        latest_version_number: i64::try_from(template.latest).ok(),
        tags: (!template.tags.is_empty()).then(|| tags::write(&template.tags)),
    }
}

/// A version of a template.
pub(super) fn version(template: &Template, version: &Version) -> LaunchTemplateVersion {
    LaunchTemplateVersion {
        launch_template_id: Some(template.id.to_string()),
        launch_template_name: Some(template.name.clone()),
        version_number: i64::try_from(version.number).ok(),
        version_description: version.description.clone(),
        create_time: Some(version.made),
        created_by: Some(format!("arn:aws:iam::{}:root", template.owner.account)),
        default_version: Some(version.number == template.default),
        launch_template_data: Some(recipe_shown::shown(&version.recipe)),
    }
}
