//! CreateLaunchTemplateVersion: another version, from scratch or from one before.

use tidemill_api::ec2::{CreateLaunchTemplateVersionRequest, CreateLaunchTemplateVersionResult};
use tidemill_fleet::{NewVersion, Which};
use tidemill_wire::Fault;

use super::create_launch_template::token;
use super::{Call, fault, ids, recipe, template};

pub(super) async fn handle(
    call: &Call<'_>,
    it: CreateLaunchTemplateVersionRequest,
) -> Result<CreateLaunchTemplateVersionResult, Fault> {
    let of = ids::template_of(
        it.launch_template_id.as_deref(),
        it.launch_template_name.as_ref().map(AsRef::as_ref),
    )?;
    // An image is what it is called here: there is no alias to be resolved.
    let recipe = recipe::of_template(&it.launch_template_data)?;
    let source = it.source_version.as_deref().map(ids::version).transpose()?;
    let found = call.fleet.look(|state| state.find_template(&call.owner, &of).map(|it| it.id));
    let id = found.map_err(fault::refused)?;
    let what = format!("{id}{source:?}{:?}", it.version_description);
    let new = NewVersion {
        template: id,
        source,
        description: recipe::given("VersionDescription", it.version_description.as_ref())?,
        recipe,
        token: token(it.client_token, &what, &it.launch_template_data)?,
    };
    let number = call.fleet.create_version(&call.owner, new).await.map_err(fault::of)?;
    let shown = call.fleet.look(|state| {
        let found = state.template(id)?;
        Some(template::version(found, found.version(Which::Number(number))?))
    });
    Ok(CreateLaunchTemplateVersionResult { launch_template_version: shown, warning: None })
}
