//! TagResource, UntagResource and ListTagsForResource: what topics are tagged with.

use tidemill_api::sns::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest,
    TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
};
use tidemill_notice::{NoticeError, Refusal, Tags, TopicKey};
use tidemill_wire::Fault;

use super::{Sns, arn, check_owner, fault};
use crate::context::Context;
use crate::sqs::is_text;

pub(super) async fn add(
    service: &Sns,
    cx: &Context<'_>,
    it: TagResourceRequest,
) -> Result<TagResourceResponse, Fault> {
    service.may_change()?;
    let key = named(cx, &it.resource_arn, "TagResource")?;
    service.topics.tag(&key, read(it.tags)?).await.map_err(of)?;
    Ok(TagResourceResponse::default())
}

pub(super) async fn remove(
    service: &Sns,
    cx: &Context<'_>,
    it: UntagResourceRequest,
) -> Result<UntagResourceResponse, Fault> {
    service.may_change()?;
    let key = named(cx, &it.resource_arn, "UntagResource")?;
    service.topics.untag(&key, it.tag_keys).await.map_err(of)?;
    Ok(UntagResourceResponse::default())
}

pub(super) fn list(
    service: &Sns,
    cx: &Context<'_>,
    it: &ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Fault> {
    let key = named(cx, &it.resource_arn, "ListTagsForResource")?;
    let tags = service.topics.look(|state| state.topic(&key).map(|topic| topic.tags.clone()));
    let tags = tags.ok_or_else(fault::no_resource)?;
    let tags = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(ListTagsForResourceResponse { tags: Some(tags) })
}

/// The tags that a caller gave.
pub(super) fn read(given: Vec<Tag>) -> Result<Tags, Fault> {
    let number = given.len();
    if given.iter().any(|tag| tag.key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(fault::invalid("Tag keys cannot begin with aws:, which is reserved."));
    }
    if !given.iter().all(|tag| is_text(tag.key.as_bytes()) && is_text(tag.value.as_bytes())) {
        return Err(fault::invalid("Tags cannot have control characters."));
    }
    let tags: Tags = given.into_iter().map(|tag| (tag.key, tag.value)).collect();
    if tags.len() < number {
        return Err(fault::invalid("Duplicated keys are not allowed."));
    }
    Ok(tags)
}

/// The topic of this ARN, if the caller may use it.
fn named(cx: &Context<'_>, arn: &str, action: &str) -> Result<TopicKey, Fault> {
    let key = arn::topic(arn, "ResourceArn")?;
    check_owner(cx, &key, arn, action)?;
    if key.region == cx.region { Ok(key) } else { Err(fault::no_resource()) }
}

fn of(error: NoticeError) -> Fault {
    match error {
        NoticeError::Refused(Refusal::NoTopic) => fault::no_resource(),
        error => fault::of(error),
    }
}
