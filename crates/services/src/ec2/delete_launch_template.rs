//! DeleteLaunchTemplate: a template and all of its versions go. Instances of it stay.

use tidemill_api::ec2::{DeleteLaunchTemplateRequest, DeleteLaunchTemplateResult};
use tidemill_wire::Fault;

use super::{Call, fault, ids, template};

pub(super) async fn handle(
    call: &Call<'_>,
    it: &DeleteLaunchTemplateRequest,
) -> Result<DeleteLaunchTemplateResult, Fault> {
    let of = ids::template_of(
        it.launch_template_id.as_deref(),
        it.launch_template_name.as_ref().map(AsRef::as_ref),
    )?;
    let found = call.fleet.look(|state| state.find_template(&call.owner, &of).map(|it| it.id));
    let id = found.map_err(fault::refused)?;
    let gone = call.fleet.delete_template(&call.owner, id).await.map_err(fault::of)?;
    Ok(DeleteLaunchTemplateResult { launch_template: Some(template::shown(&gone)) })
}
