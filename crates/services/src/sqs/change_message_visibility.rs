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
use super::receive_message::LONGEST_VISIBILITY;
use super::{Sqs, batch, fault};

pub(super) async fn one(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ChangeMessageVisibilityRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let visibility = visibility(request.visibility_timeout, "Must be")?;
    let change = (by_receipt::read(&request.receipt_handle)?, visibility);
    by_receipt::one(sqs.engine.change_visibility(id, &[change]).await, &request.receipt_handle)
}

pub(super) async fn batch(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, Fault> {
    let (queue, _) = sqs.queue(cx, &request.queue_url)?;
    let given = batch::entries(cx, request.entries)?;
    let ids = given.iter().map(|entry| entry.id.as_str());
    batch::check("ChangeMessageVisibilityBatch", ids)?;
    let entries = Entries::of((1..).zip(given).map(|(number, entry)| {
        let handle = entry.receipt_handle.unwrap_or_default();
        let change = change_entry(number, &handle, entry.visibility_timeout);
        (entry.id, handle, change)
    }));
    let acted = sqs.engine.change_visibility(queue, &entries.readable).await;
    let (ids, failed) = entries.told(acted)?;
    let successful = ids.into_iter().map(|id| Changed { id }).collect();
    Ok(ChangeMessageVisibilityBatchResult { successful, failed })
}

/// Reads what is to become of an entry's message. The model lets the time be left out; the entry
/// is refused for it.
fn change_entry(
    number: usize,
    handle: &str,
    seconds: Option<i32>,
) -> Result<(Receipt, Duration), Fault> {
    let seconds = seconds.ok_or_else(|| {
        fault::missing_parameter(&format!(
            "ChangeMessageVisibilityBatchRequestEntry.{number}.VisibilityTimeout"
        ))
    })?;
    let visibility = visibility(seconds, "VisibilityTimeout must be an integer")?;
    Ok((by_receipt::read(handle)?, visibility))
}

/// Reads for how long a message is to stay hidden; `must` begins the sentence that says how long
/// that can be.
fn visibility(seconds: i32, must: &str) -> Result<Duration, Fault> {
    match u64::try_from(seconds) {
        Ok(whole) if seconds <= LONGEST_VISIBILITY => Ok(Duration::from_secs(whole)),
        _ => Err(fault::invalid_value(
            seconds,
            "VisibilityTimeout",
            format_args!("{must} between 0 and {LONGEST_VISIBILITY}."),
        )),
    }
}
