//! DeleteMessage and DeleteMessageBatch.

use tidemill_api::sqs::{
    DeleteMessageBatchRequest, DeleteMessageBatchResult, DeleteMessageBatchResultEntry,
    DeleteMessageRequest,
};
use tidemill_queue::Receipt;
use tidemill_wire::Fault;

use crate::context::Context;

use super::{Sqs, batch, fault};

pub(super) async fn one(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: DeleteMessageRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let handle = &request.receipt_handle;
    let receipt = Receipt::parse(handle).map_err(|_| fault::bad_receipt(handle))?;
    let results = sqs.engine.delete(id, &[receipt]).await;
    let results = results.map_err(|it| fault::of(it, handle))?;
    match results.into_iter().next() {
        Some(Err(refusal)) => Err(fault::of(refusal.into(), handle)),
        Some(Ok(())) | None => Ok(()),
    }
}

pub(super) async fn batch(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, Fault> {
    let (queue, _) = sqs.queue(cx, &request.queue_url)?;
    let ids = request.entries.iter().map(|entry| entry.id.as_str());
    batch::check("DeleteMessageBatchRequestEntry", ids)?;
    let mut failed = Vec::new();
    let mut read = Vec::new();
    for entry in request.entries {
        match Receipt::parse(&entry.receipt_handle) {
            Ok(receipt) => read.push((entry, receipt)),
            Err(_) => {
                failed.push(batch::failed(entry.id, &fault::bad_receipt(&entry.receipt_handle)));
            }
        }
    }
    let (entries, receipts): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let results = sqs.engine.delete(queue, &receipts).await;
    let results = results.map_err(|it| fault::of(it, ""))?;
    let mut successful = Vec::new();
    for (entry, result) in entries.into_iter().zip(results) {
        match result {
            Ok(()) => successful.push(DeleteMessageBatchResultEntry { id: entry.id }),
            Err(refusal) => {
                let fault = fault::of(refusal.into(), &entry.receipt_handle);
                failed.push(batch::failed(entry.id, &fault));
            }
        }
    }
    Ok(DeleteMessageBatchResult { successful, failed })
}
