//! CreateLaunchTemplate: a template and its first version.

use tidemill_api::ec2::{
    CreateLaunchTemplateRequest, CreateLaunchTemplateResult, RequestLaunchTemplateData, errors,
};
use tidemill_fleet::NewTemplate;
use tidemill_wire::Fault;

use super::{Call, fault, recipe, template};

/// Most characters of a client token.
const TOKEN: usize = 128;

pub(super) async fn handle(
    call: &Call<'_>,
    it: CreateLaunchTemplateRequest,
) -> Result<CreateLaunchTemplateResult, Fault> {
    fault::refuse(&[("Operator", it.operator.is_some())])?;
    check_name(&it.launch_template_name)?;
    let recipe = recipe::of_template(&it.launch_template_data)?;
    let specifications = it.tag_specifications.iter().flatten();
    let tags = recipe::tags_of(
        specifications.map(|one| (one.resource_type.as_ref(), one.tags.as_deref())),
    )?;
    let of_templates = |(kind, tags)| (kind == "launch-template").then_some(tags);
    let tags = tags.into_iter().filter_map(of_templates).flatten().collect();
    let what = format!("{}{:?}", it.launch_template_name, it.version_description);
    let new = NewTemplate {
        token: token(it.client_token, &what, &it.launch_template_data)?,
        name: it.launch_template_name,
        description: recipe::given("VersionDescription", it.version_description.as_ref())?,
        recipe,
        tags,
    };
    let id = call.fleet.create_template(&call.owner, new).await.map_err(fault::of)?;
    let shown = call.fleet.look(|state| state.template(id).map(template::shown));
    Ok(CreateLaunchTemplateResult { launch_template: shown, warning: None })
}

/// What a request is known by, with a checksum of what it says.
pub(super) fn token(
    token: Option<String>,
    what: &str,
    data: &RequestLaunchTemplateData,
) -> Result<Option<(String, u32)>, Fault> {
    let user_data = data.user_data.as_ref().map_or("", |data| data.expose());
    let sum = || recipe::checksum(&format!("{what}{data:?}"), user_data);
    Ok(recipe::token(token, TOKEN)?.map(|token| (token, sum())))
}

fn check_name(name: &str) -> Result<(), Fault> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"()./_-".contains(&byte);
    if (3..=128).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Fault::new(
        &errors::TEMPLATE_NAME_MALFORMED,
        "Launch template names must be between 3 and 128 characters long, and may contain \
         letters, numbers, and the following characters: - ( ) . / _.",
    ))
}
