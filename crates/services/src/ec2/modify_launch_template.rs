//! ModifyLaunchTemplate: makes another version the default one.

use tidemill_api::ec2::{ModifyLaunchTemplateRequest, ModifyLaunchTemplateResult};
use tidemill_wire::Fault;

use super::{Call, fault, ids, template};

pub(super) async fn handle(
    call: &Call<'_>,
    it: &ModifyLaunchTemplateRequest,
) -> Result<ModifyLaunchTemplateResult, Fault> {
    let of = ids::template_of(
        it.launch_template_id.as_deref(),
        it.launch_template_name.as_ref().map(AsRef::as_ref),
    )?;
    let version = it.default_version.as_deref().map(ids::version).transpose()?;
    // Done twice it is as good as done once, so that the client's token needs no memory.
    let version = version
        .ok_or_else(|| fault::missing("The request must contain the parameter DefaultVersion"))?;
    let found = call.fleet.look(|state| state.find_template(&call.owner, &of).map(|it| it.id));
    let id = found.map_err(fault::refused)?;
    call.fleet.set_default(&call.owner, id, version).await.map_err(fault::of)?;
    let shown = call.fleet.look(|state| state.template(id).map(template::shown));
    Ok(ModifyLaunchTemplateResult { launch_template: shown })
}
