//! ChangeMessageVisibility and ChangeMessageVisibilityBatch.

use std::time::Duration;

use tidemill_api::sqs::{
    ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityBatchRequestEntry,
    ChangeMessageVisibilityBatchResult, ChangeMessageVisibilityBatchResultEntry,
    ChangeMessageVisibilityRequest,
};
use tidemill_queue::Receipt;
use tidemill_wire::Fault;

use crate::context::Context;

use super::receive_message::visibility;
use super::{Sqs, batch, fault};

pub(super) async fn one(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ChangeMessageVisibilityRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let handle = &request.receipt_handle;
    let change = change(handle, Some(request.visibility_timeout))?;
    let results = sqs.engine.change_visibility(id, &[change]).await;
    let results = results.map_err(|it| fault::of(it, handle))?;
    match results.into_iter().next() {
        Some(Err(refusal)) => Err(fault::of(refusal.into(), handle)),
        Some(Ok(())) | None => Ok(()),
    }
}

pub(super) async fn batch(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, Fault> {
    let (queue, _) = sqs.queue(cx, &request.queue_url)?;
    let ids = request.entries.iter().map(|entry| entry.id.as_str());
    batch::check("ChangeMessageVisibilityBatchRequestEntry", ids)?;
    let mut failed = Vec::new();
    let mut read: Vec<(ChangeMessageVisibilityBatchRequestEntry, _)> = Vec::new();
    for entry in request.entries {
        match change(&entry.receipt_handle, entry.visibility_timeout) {
            Ok(change) => read.push((entry, change)),
            Err(fault) => failed.push(batch::failed(entry.id, &fault)),
        }
    }
    let (entries, changes): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let results = sqs.engine.change_visibility(queue, &changes).await;
    let results = results.map_err(|it| fault::of(it, ""))?;
    let mut successful = Vec::new();
    for (entry, result) in entries.into_iter().zip(results) {
        match result {
            Ok(()) => successful.push(ChangeMessageVisibilityBatchResultEntry { id: entry.id }),
            Err(refusal) => {
                let fault = fault::of(refusal.into(), &entry.receipt_handle);
                failed.push(batch::failed(entry.id, &fault));
            }
        }
    }
    Ok(ChangeMessageVisibilityBatchResult { successful, failed })
}

fn change(handle: &str, seconds: Option<i32>) -> Result<(Receipt, Duration), Fault> {
    let receipt = Receipt::parse(handle).map_err(|_| fault::bad_receipt(handle))?;
    let seconds = seconds.ok_or_else(|| fault::missing_parameter("VisibilityTimeout"))?;
    Ok((receipt, visibility(seconds)?))
}
