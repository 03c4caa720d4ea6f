//! DescribeLaunchTemplates: an owner's templates.

use tidemill_api::ec2::{DescribeLaunchTemplatesRequest, DescribeLaunchTemplatesResult};
use tidemill_fleet::{Template, TemplateOf};
use tidemill_wire::Fault;

use super::page::page;
use super::{Call, fault, filter, ids, template};

pub(super) fn handle(
    call: &Call<'_>,
    it: &DescribeLaunchTemplatesRequest,
) -> Result<DescribeLaunchTemplatesResult, Fault> {
    let by_id = it.launch_template_ids.iter().flatten().map(|id| ids::template(id));
    let mut named: Vec<TemplateOf> =
        by_id.map(|id| id.map(TemplateOf::Id)).collect::<Result<_, _>>()?;
    let names = it.launch_template_names.iter().flatten();
    named.extend(names.map(|name| TemplateOf::Name(name.clone())));
    // Nobody but their owner manages what is here.
    // What a version says is not looked at, and may be much.
    let mut passed = call.fleet.look(|state| {
        let found: Vec<&Template> = if named.is_empty() {
            state.templates_of(&call.owner).collect()
        } else {
            let find = |one| state.find_template(&call.owner, one).map_err(fault::refused);
            named.iter().map(find).collect::<Result<_, _>>()?
        };
        let mut passed = Vec::new();
        for found in found {
            let values = |name: &str| match name {
                "launch-template-name" => filter::one(&found.name),
                "launch-template-id" => filter::one(found.id),
                _ => filter::tags(&found.tags, name),
            };
            if filter::passes(it.filters.as_deref(), values)? {
                passed.push((found.id.to_string(), template::shown(found)));
            }
        }
        Ok::<_, Fault>(passed)
    })?;
    passed.sort_by(|one, other| one.0.cmp(&other.0));
    passed.dedup_by(|one, other| one.0 == other.0);
    let (templates, next_token) = page(passed, it.next_token.as_deref(), (it.max_results, 1, 200))?;
    Ok(DescribeLaunchTemplatesResult { launch_templates: Some(templates), next_token })
}
