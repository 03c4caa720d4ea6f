//! DescribeLaunchTemplateVersions: versions of one template, or the newest or default of all.

use tidemill_api::ec2::{
    DescribeLaunchTemplateVersionsRequest, DescribeLaunchTemplateVersionsResult,
};
use tidemill_fleet::{Profile, Template, TemplateId, Version, Which};
use tidemill_wire::Fault;

use super::filter::{self, Values};
use super::page::page;
use super::{Call, fault, ids, template};

/// How many versions a page has if nobody says, and the most that it may have.
const PAGE: i32 = 200;

pub(super) fn handle(
    call: &Call<'_>,
    it: &DescribeLaunchTemplateVersionsRequest,
) -> Result<DescribeLaunchTemplateVersionsResult, Fault> {
    let name = it.launch_template_name.as_ref().map(AsRef::as_ref);
    let id = it.launch_template_id.as_deref();
    let versions = it.versions.iter().flatten().map(|text| ids::version(text));
    let versions: Vec<Which> = versions.collect::<Result<_, _>>()?;
    let of = if id.is_none() && name.is_none() {
        let special = |which: &Which| !matches!(which, Which::Number(_));
        if versions.is_empty() || !versions.iter().all(special) {
            return Err(fault::missing(
                "Without a launch template, only the versions $Latest and $Default can be \
                 described.",
            ));
        }
        None
    } else {
        Some(ids::template_of(id, name)?)
    };
    let bound = |text: Option<&str>, usual: u64| match text {
        None => Ok(usual),
        Some(text) => {
            text.parse().map_err(|_| fault::invalid(format!("'{text}' is no number of a version.")))
        }
    };
    let least = bound(it.min_version.as_deref(), 0)?;
    let most = bound(it.max_version.as_deref(), u64::MAX)?;
    let passes = |found: &Template, version: &Version| {
        let within = (least..=most).contains(&version.number);
        Ok(within && filter::passes(it.filters.as_deref(), |name| values(found, version, name))?)
    };
    // What is not shown is not copied either: it may be much, and others wait meanwhile.
    let (versions, next_token) = call.fleet.look(|state| {
        let templates: Vec<&Template> = match &of {
            None => state.templates_of(&call.owner).collect(),
            Some(of) => vec![state.find_template(&call.owner, of).map_err(fault::refused)?],
        };
        let mut passed: Vec<(String, (TemplateId, u64))> = Vec::new();
        for found in templates {
            for version in chosen(found, &versions)? {
                if passes(found, version)? {
                    // The newest first, as on AWS.
                    let key = format!("{}{:020}", found.id, u64::MAX - version.number);
                    passed.push((key, (found.id, version.number)));
                }
            }
        }
        passed.sort_unstable();
        passed.dedup();
        let limit = (it.max_results.or(Some(PAGE)), 1, PAGE.unsigned_abs() as usize);
        let (versions, next_token) = page(passed, it.next_token.as_deref(), limit)?;
        let shown = |(id, number)| {
            let found = state.template(id)?;
            Some(template::version(found, found.version(Which::Number(number))?))
        };
        Ok::<_, Fault>((versions.into_iter().filter_map(shown).collect(), next_token))
    })?;
    Ok(DescribeLaunchTemplateVersionsResult {
        launch_template_versions: Some(versions),
        next_token,
    })
}

fn chosen<'a>(template: &'a Template, versions: &[Which]) -> Result<Vec<&'a Version>, Fault> {
    if versions.is_empty() {
        return Ok(template.versions.values().collect());
    }
    let find = |version: &Which| {
        let missing =
            tidemill_fleet::Refusal::NoVersion { template: template.id, version: *version };
        template.version(*version).ok_or_else(|| fault::refused(missing))
    };
    versions.iter().map(find).collect()
}

fn values(template: &Template, version: &Version, name: &str) -> Values {
    let recipe = &version.recipe;
    match name {
        "image-id" => filter::maybe(recipe.image.as_ref()),
        "instance-type" => filter::maybe(recipe.kind.as_ref()),
        "is-default-version" => filter::one(version.number == template.default),
        "ebs-optimized" => filter::maybe(recipe.ebs_optimized),
        "iam-instance-profile" => filter::maybe(recipe.profile.as_ref().map(Profile::name)),
        "http-tokens" => filter::maybe(recipe.metadata.as_ref().and_then(|it| it.tokens.as_ref())),
        _ => None,
    }
}
