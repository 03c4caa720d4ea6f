//! DeleteMessage and DeleteMessageBatch.

use tidemill_api::sqs::{
    DeleteMessageBatchRequest, DeleteMessageBatchResult, DeleteMessageBatchResultEntry as Deleted,
    DeleteMessageRequest,
};
use tidemill_wire::Fault;

use crate::context::Context;

use super::by_receipt::{self, Entries};
use super::{Sqs, batch};

pub(super) async fn one(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: DeleteMessageRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let receipt = by_receipt::read(&request.receipt_handle)?;
    by_receipt::one(sqs.engine.delete(id, &[receipt]).await, &request.receipt_handle)
}

pub(super) async fn batch(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, Fault> {
    let (queue, _) = sqs.queue(cx, &request.queue_url)?;
    let given = batch::entries(cx, request.entries)?;
    batch::check("DeleteMessageBatchRequestEntry", given.iter().map(|entry| entry.id.as_str()))?;
    let entries = Entries::of(given.into_iter().map(|entry| {
        let handle = entry.receipt_handle.unwrap_or_default();
        let receipt = by_receipt::read(&handle);
        (entry.id, handle, receipt)
    }));
    let acted = sqs.engine.delete(queue, &entries.readable).await;
    let (ids, failed) = entries.told(acted)?;
    let successful = ids.into_iter().map(|id| Deleted { id }).collect();
    Ok(DeleteMessageBatchResult { successful, failed })
}
