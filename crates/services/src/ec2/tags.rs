//! CreateTags and DeleteTags, and tags as the API carries them.

use tidemill_api::ec2::{CreateTagsRequest, DeleteTagsRequest, Tag, errors};
use tidemill_fleet::{Resource, Tags};
use tidemill_wire::Fault;

use super::{Call, fault};

/// The longest name and value of a tag, in characters.
const LONGEST: (usize, usize) = (127, 256);
/// Most resources of a request.
const RESOURCES: usize = 1000;

pub(super) async fn create(call: &Call<'_>, it: CreateTagsRequest) -> Result<(), Fault> {
    let tags = read(&it.tags)?;
    if tags.is_empty() {
        return Err(fault::missing("The request must contain the parameter tagSet"));
    }
    let resources = resources(&it.resources)?;
    call.fleet.tag(&call.owner, resources, tags).await.map_err(fault::of)
}

pub(super) async fn delete(call: &Call<'_>, it: &DeleteTagsRequest) -> Result<(), Fault> {
    let resources = resources(&it.resources)?;
    let given = it.tags.as_deref().unwrap_or_default();
    let which = |name: &str, value: &str| {
        // Without a list all go; without a value, whatever it is.
        given.is_empty()
            || given.iter().any(|tag| {
                tag.key.as_deref() == Some(name)
                    && tag.value.as_deref().is_none_or(|wanted| wanted == value)
            })
    };
    call.fleet.untag(&call.owner, resources, which).await.map_err(fault::of)
}

/// Reads tags.
pub(super) fn read(given: &[Tag]) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for tag in given {
        let name = tag.key.clone().unwrap_or_default();
        let value = tag.value.clone().unwrap_or_default();
        if name.is_empty() {
            return Err(fault::missing("The request must contain the parameter tag key"));
        }
        let (longest_name, longest_value) = LONGEST;
        if name.chars().count() > longest_name {
            return Err(fault::invalid(format!(
                "Tag key exceeds the maximum length of {longest_name} characters"
            )));
        }
        if value.chars().count() > longest_value {
            return Err(fault::invalid(format!(
                "Tag value exceeds the maximum length of {longest_value} characters"
            )));
        }
        if name.to_ascii_lowercase().starts_with("aws:") {
            return Err(fault::invalid(
                "Value ( aws: ) for parameter key is invalid. Tag keys starting with 'aws:' are \
                 reserved for internal use",
            ));
        }
        if tags.insert(name.clone(), value).is_some() {
            return Err(fault::invalid(format!("Duplicate tag key '{name}' specified.")));
        }
    }
    if tags.len() > tidemill_fleet::TAGS {
        return Err(Fault::new(
            &errors::TAG_LIMIT_EXCEEDED,
            format!("A resource may have {} tags.", tidemill_fleet::TAGS),
        ));
    }
    Ok(tags)
}

/// Tags as they are shown.
pub(super) fn write(tags: &Tags) -> Vec<Tag> {
    let one = |(name, value): (&String, &String)| Tag {
        key: Some(name.clone()),
        value: Some(value.clone()),
    };
    tags.iter().map(one).collect()
}

fn resources(ids: &[String]) -> Result<Vec<Resource>, Fault> {
    if ids.is_empty() || ids.len() > RESOURCES {
        return Err(fault::invalid(format!("A request names 1 to {RESOURCES} resources.")));
    }
    let read = |id: &String| {
        let instance = id.parse().map(Resource::Instance);
        instance
            .or_else(|_| id.parse().map(Resource::Template))
            .map_err(|_| Fault::new(&errors::INVALID_ID, format!("The ID '{id}' is not valid")))
    };
    ids.iter().map(read).collect()
}
