//! ListQueueTags.

use tidemill_api::sqs::{ListQueueTagsRequest, ListQueueTagsResult};
use tidemill_wire::{Fault, Map};

use crate::context::Context;

use super::{Sqs, fault};

pub(super) fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: &ListQueueTagsRequest,
) -> Result<ListQueueTagsResult, Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let described = sqs.engine.describe(id);
    let described = described.map_err(|it| fault::of(it.into(), ""))?;
    let tags: Map<_, _> =
        described.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(ListQueueTagsResult { tags: (!tags.is_empty()).then_some(tags) })
}
