//! TagQueue and UntagQueue, and what a tag may be.

use tidemill_api::sqs::{TagQueueRequest, UntagQueueRequest};
use tidemill_base::QueueName;
use tidemill_queue::Tags;
use tidemill_wire::{Fault, Map};

use crate::context::Context;

use super::{Sqs, fault};

/// Most tags of a queue.
const MOST: usize = 50;
/// Most characters of a tag's key, and of its value.
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

pub(super) async fn add(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: TagQueueRequest,
) -> Result<(), Fault> {
    let (id, key) = sqs.queue(cx, &request.queue_url)?;
    if request.tags.is_empty() {
        return Err(fault::missing_parameter("Tags"));
    }
    let tags = read(&key.name, request.tags)?;
    let _alone = sqs.editing.lock().await;
    let described = sqs.engine.describe(id);
    let described = described.map_err(|it| fault::of(it.into(), ""))?;
    let new = tags.keys().filter(|tag| !described.tags.contains_key(*tag)).count();
    check_number(&key.name, described.tags.len() + new)?;
    sqs.engine.tag(id, tags).await.map_err(|it| fault::of(it, ""))
}

pub(super) async fn remove(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: UntagQueueRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let keys = request.tag_keys;
    if keys.is_empty() || !keys.iter().all(|key| is_key(key)) {
        return Err(bad_key());
    }
    sqs.engine.untag(id, keys).await.map_err(|it| fault::of(it, ""))
}

/// Reads the tags that a caller gave for the queue of this name.
pub(super) fn read(queue: &QueueName, given: Map<String, String>) -> Result<Tags, Fault> {
    check_number(queue, given.len())?;
    for (key, value) in &given {
        if !is_key(key) {
            return Err(bad_key());
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(fault::invalid("System tags cannot be added/updated by requester."));
        }
        if value.chars().count() > LONGEST_VALUE {
            return Err(fault::invalid(format!(
                "Tag values must be between 0 and {LONGEST_VALUE} characters in length."
            )));
        }
    }
    Ok(given.into_iter().collect())
}

fn is_key(key: &str) -> bool {
    (1..=LONGEST_KEY).contains(&key.chars().count())
}

fn bad_key() -> Fault {
    fault::invalid(format!("Tag keys must be between 1 and {LONGEST_KEY} characters in length."))
}

fn check_number(queue: &QueueName, number: usize) -> Result<(), Fault> {
    if number <= MOST {
        return Ok(());
    }
    Err(fault::invalid(format!("Too many tags added for queue {queue}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(tags: &[(&str, &str)]) -> Option<String> {
        let given = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let read = read(&"orders".parse().unwrap(), given.collect());
        read.err().map(|fault| fault.message.to_string())
    }

    #[test]
    fn a_tag_has_a_key_and_may_have_a_value() {
        assert_eq!(refusal(&[("team", "blue"), ("stage", ""), (&"k".repeat(128), "é")]), None);
        for bad in ["", &"k".repeat(129)] {
            let told = "Tag keys must be between 1 and 128 characters in length.";
            assert_eq!(refusal(&[(bad, "v")]).unwrap(), told);
        }
        assert!(refusal(&[("AWS:mine", "v")]).is_some());
        assert!(refusal(&[("a", &"v".repeat(257))]).is_some());
    }

    #[test]
    fn a_queue_has_at_most_fifty_tags() {
        let keys: Vec<_> = (0..51).map(|number| format!("tag-{number}")).collect();
        let tags: Vec<_> = keys.iter().map(|key| (key.as_str(), "")).collect();
        assert_eq!(refusal(&tags[1..]), None);
        assert_eq!(refusal(&tags).unwrap(), "Too many tags added for queue orders.");
    }
}
