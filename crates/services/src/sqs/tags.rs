//! TagQueue and UntagQueue, and what a tag may be.

use tidemill_api::sqs::{TagQueueRequest, UntagQueueRequest};
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
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let tags = read(request.tags)?;
    let described = sqs.engine.describe(id);
    let described = described.map_err(|it| fault::of(it.into(), ""))?;
    let new = tags.keys().filter(|key| !described.tags.contains_key(*key)).count();
    check_number(described.tags.len() + new)?;
    sqs.engine.tag(id, tags).await.map_err(|it| fault::of(it, ""))
}

pub(super) async fn remove(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: UntagQueueRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let keys = request.tag_keys;
    sqs.engine.untag(id, keys).await.map_err(|it| fault::of(it, ""))
}

/// Reads the tags that a caller gave.
pub(super) fn read(given: Map<String, String>) -> Result<Tags, Fault> {
    check_number(given.len())?;
    for (key, value) in &given {
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(fault::invalid_value(
                key,
                "TagKey",
                format_args!("A tag's key has 1 to {LONGEST_KEY} characters."),
            ));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(fault::invalid_value(
                key,
                "TagKey",
                "Keys that begin with aws: are reserved.",
            ));
        }
        if value.chars().count() > LONGEST_VALUE {
            return Err(fault::invalid_value(
                value,
                "TagValue",
                format_args!("A tag's value has at most {LONGEST_VALUE} characters."),
            ));
        }
    }
    Ok(given.into_iter().collect())
}

fn check_number(number: usize) -> Result<(), Fault> {
    if number <= MOST {
        return Ok(());
    }
    Err(fault::invalid(format!("Too many tags added for queue: a queue has at most {MOST}.")))
}
