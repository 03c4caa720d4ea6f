//! DeleteLaunchTemplateVersions: versions go one by one; the default one stays.

use tidemill_api::ec2::{
    DeleteLaunchTemplateVersionsRequest, DeleteLaunchTemplateVersionsResponseErrorItem,
    DeleteLaunchTemplateVersionsResponseSuccessItem, DeleteLaunchTemplateVersionsResult,
    ResponseError,
};
use tidemill_fleet::Refusal;
use tidemill_wire::Fault;

use super::{Call, fault, ids};

/// Most versions of one request.
const VERSIONS: usize = 200;

pub(super) async fn handle(
    call: &Call<'_>,
    it: &DeleteLaunchTemplateVersionsRequest,
) -> Result<DeleteLaunchTemplateVersionsResult, Fault> {
    let of = ids::template_of(
        it.launch_template_id.as_deref(),
        it.launch_template_name.as_ref().map(AsRef::as_ref),
    )?;
    let number = |text: &String| {
        text.parse().map_err(|_| fault::invalid(format!("'{text}' is no number of a version.")))
    };
    if it.versions.len() > VERSIONS {
        return Err(fault::invalid(format!(
            "LaunchTemplateVersion is limited to {VERSIONS} entries: DeleteLaunchTemplate deletes \
             all versions."
        )));
    }
    let versions: Vec<u64> = it.versions.iter().map(number).collect::<Result<_, _>>()?;
    let found = call
        .fleet
        .look(|state| state.find_template(&call.owner, &of).map(|it| (it.id, it.name.clone())));
    let (id, name) = found.map_err(fault::refused)?;
    let results = call.fleet.delete_versions(&call.owner, id, &versions).await;
    let (mut gone, mut left) = (Vec::new(), Vec::new());
    for (number, result) in results.map_err(fault::of)? {
        let (id, name) = (Some(id.to_string()), Some(name.clone()));
        let version_number = i64::try_from(number).ok();
        match result {
            Ok(()) => gone.push(DeleteLaunchTemplateVersionsResponseSuccessItem {
                launch_template_id: id,
                launch_template_name: name,
                version_number,
            }),
            Err(refusal) => left.push(DeleteLaunchTemplateVersionsResponseErrorItem {
                launch_template_id: id,
                launch_template_name: name,
                version_number,
                response_error: Some(why(refusal)),
            }),
        }
    }
    Ok(DeleteLaunchTemplateVersionsResult {
        successfully_deleted_launch_template_versions: Some(gone),
        unsuccessfully_deleted_launch_template_versions: Some(left),
    })
}

fn why(refusal: Refusal) -> ResponseError {
    let code = match refusal {
        Refusal::NoVersion { .. } => "launchTemplateVersionDoesNotExist",
        _ => "unexpectedError",
    };
    let message = fault::refused(refusal).message.into_owned();
    ResponseError { code: Some(code.into()), message: Some(message) }
}
