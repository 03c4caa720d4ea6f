//! ChangeMessageVisibility and ChangeMessageVisibilityBatch.

use std::time::Duration;

use tidemill_api::sqs::{
    ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityBatchResult,
    ChangeMessageVisibilityBatchResultEntry as Changed, ChangeMessageVisibilityRequest,
};
use tidemill_queue::Receipt;
use tidemill_wire::Fault;

use crate::context::Context;

use super::by_receipt::{self, Entries};
use super::receive_message::visibility;
use super::{Sqs, batch, fault};

pub(super) async fn one(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ChangeMessageVisibilityRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let change = change(&request.receipt_handle, Some(request.visibility_timeout))?;
    by_receipt::one(sqs.engine.change_visibility(id, &[change]).await, &request.receipt_handle)
}

pub(super) async fn batch(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, Fault> {
    let (queue, _) = sqs.queue(cx, &request.queue_url)?;
    let given = request.entries.unwrap_or_default();
    let ids = given.iter().map(|entry| entry.id.as_str());
    batch::check("ChangeMessageVisibilityBatchRequestEntry", ids)?;
    let entries = Entries::of(given.into_iter().map(|entry| {
        let change = change(&entry.receipt_handle, entry.visibility_timeout);
        (entry.id, entry.receipt_handle, change)
    }));
    let acted = sqs.engine.change_visibility(queue, &entries.readable).await;
    let (ids, failed) = entries.told(acted)?;
    let successful = ids.into_iter().map(|id| Changed { id }).collect();
    Ok(ChangeMessageVisibilityBatchResult { successful, failed })
}

/// Reads what is to become of a message. An entry of a batch may leave the time out in the model,
/// and is refused for it.
fn change(handle: &str, seconds: Option<i32>) -> Result<(Receipt, Duration), Fault> {
    let receipt = by_receipt::read(handle)?;
    let seconds = seconds.ok_or_else(|| fault::missing_parameter("VisibilityTimeout"))?;
    Ok((receipt, visibility(seconds)?))
}
