//! DescribeTags: the tags of all resources, one by one.

use tidemill_api::ec2::{DescribeTagsRequest, DescribeTagsResult, TagDescription};
use tidemill_fleet::Tags;
use tidemill_wire::Fault;

use super::page::page;
use super::{Call, filter};

pub(super) fn handle(
    call: &Call<'_>,
    it: &DescribeTagsRequest,
) -> Result<DescribeTagsResult, Fault> {
    let owner = &call.owner;
    let all: Vec<(&str, String, Tags)> = call.fleet.look(|state| {
        let instances = state.instances_of(owner);
        let instances = instances.map(|it| ("instance", it.id.to_string(), it.tags.clone()));
        let templates = state.templates_of(owner);
        let templates = templates.map(|it| ("launch-template", it.id.to_string(), it.tags.clone()));
        instances.chain(templates).collect()
    });
    let mut passed = Vec::new();
    for (kind, id, tags) in all {
        for (key, value) in tags {
            let values = |name: &str| match name {
                "key" => filter::one(&key),
                "value" => filter::one(&value),
                "resource-id" => filter::one(&id),
                "resource-type" => filter::one(kind),
                _ => name
                    .strip_prefix("tag:")
                    .map(|wanted| if wanted == key { vec![value.clone()] } else { Vec::new() }),
            };
            if filter::passes(it.filters.as_deref(), values)? {
                let shown = TagDescription {
                    key: Some(key.clone()),
                    value: Some(value.clone()),
                    resource_id: Some(id.clone()),
                    resource_type: Some(kind.into()),
                };
                passed.push((format!("{id}\0{key}"), shown));
            }
        }
    }
    passed.sort_by(|one, other| one.0.cmp(&other.0));
    let (tags, next_token) = page(passed, it.next_token.as_deref(), (it.max_results, 5, 1000))?;
    Ok(DescribeTagsResult { tags: Some(tags), next_token })
}
