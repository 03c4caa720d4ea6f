//! TagResource, UntagResource and ListTagsForResource: what alarms are tagged with.

use tidemill_api::cloudwatch::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, UntagResourceInput,
    errors,
};
use tidemill_metric::{AlarmKey, Tags};
use tidemill_wire::Fault;

use super::{CloudWatch, alarm, fault, names};
use crate::context::Context;

/// Most tags of an alarm.
const MOST: usize = 50;

pub(super) async fn add(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: TagResourceInput,
) -> Result<(), Fault> {
    service.may_change()?;
    let key = read_arn(cx, &it.resource_arn)?;
    find(service, &key)?;
    let tags = read(it.tags).map_err(fault::invalid)?;
    service.to_the_end(|service| put(service, key, tags)).await
}

async fn put(service: CloudWatch, key: AlarmKey, tags: Tags) -> Result<(), Fault> {
    let _alone = service.alone().await;
    let known = find(&service, &key)?;
    let new = tags.keys().filter(|tag| !known.contains_key(*tag)).count();
    check_number(known.len() + new).map_err(fault::invalid)?;
    service.metrics.tag_alarm(key, tags).await.map_err(|error| fault::of_alarms(&error))
}

pub(super) async fn remove(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: UntagResourceInput,
) -> Result<(), Fault> {
    service.may_change()?;
    let key = read_arn(cx, &it.resource_arn)?;
    find(service, &key)?;
    let keys = it.tag_keys.into_iter().map(String::into_boxed_str).collect();
    service.metrics.untag_alarm(key, keys).await.map_err(|_| fault::failed())
}

pub(super) fn list(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: &ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Fault> {
    let tags = find(service, &read_arn(cx, &it.resource_arn)?)?;
    let tags = tags.into_iter().map(|(key, value)| Tag { key: key.into(), value: value.into() });
    Ok(ListTagsForResourceOutput { tags: Some(tags.collect()) })
}

/// The tags that a caller gave, or what is wrong with them.
pub(super) fn read(given: Vec<Tag>) -> Result<Tags, String> {
    let number = given.len();
    check_number(number)?;
    if let Some(tag) = given.iter().find(|tag| tag.key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(format!("The tag key {} begins with aws:, which is reserved.", tag.key));
    }
    for tag in &given {
        names::check(&tag.key, "Tags")?;
        names::check_text(&tag.value, "Tags")?;
    }
    let tags: Tags = given.into_iter().map(|tag| (tag.key.into(), tag.value.into())).collect();
    if tags.len() < number {
        return Err("The same tag key is given more than once.".to_owned());
    }
    Ok(tags)
}

fn check_number(number: usize) -> Result<(), String> {
    if number <= MOST {
        return Ok(());
    }
    Err(format!("An alarm has at most {MOST} tags."))
}

/// The alarm of this ARN, if the caller may have it.
fn read_arn(cx: &Context<'_>, arn: &str) -> Result<AlarmKey, Fault> {
    let key = alarm::key(cx, arn.splitn(7, ':').nth(6).unwrap_or_default());
    // Of another account or region, or not of an alarm.
    if arn == alarm::arn(&key) { Ok(key) } else { Err(absent(arn)) }
}

/// What an alarm is tagged with.
fn find(service: &CloudWatch, key: &AlarmKey) -> Result<Tags, Fault> {
    let tags = service.metrics.look(|state| Some(state.alarms().find(key)?.tags.clone()));
    tags.ok_or_else(|| absent(&alarm::arn(key)))
}

fn absent(arn: &str) -> Fault {
    Fault::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, format!("There is no alarm {arn}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(tags: &[(&str, &str)]) -> Option<String> {
        let tag = |&(key, value): &(&str, &str)| Tag { key: key.into(), value: value.into() };
        read(tags.iter().map(tag).collect()).err()
    }

    #[test]
    fn an_alarm_has_at_most_fifty_tags_each_once_and_none_of_aws() {
        let keys: Vec<String> = (0..51).map(|number| format!("tag-{number}")).collect();
        let tags: Vec<_> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        assert_eq!(refusal(&tags[1..]), None);
        assert_eq!(refusal(&tags).unwrap(), "An alarm has at most 50 tags.");
        assert!(refusal(&[("a", "1"), ("a", "2")]).unwrap().contains("more than once"));
        assert!(refusal(&[("AWS:a", "1")]).unwrap().contains("reserved"));
    }
}
