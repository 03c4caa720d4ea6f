//! ChangeMessageVisibility and ChangeMessageVisibilityBatch.

use std::time::Duration;

use tidemill_api::sqs::{
    ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityBatchRequestEntry as Entry,
    ChangeMessageVisibilityBatchResult, ChangeMessageVisibilityBatchResultEntry as Changed,
    ChangeMessageVisibilityRequest,
};
use tidemill_queue::Receipt;
use tidemill_wire::Fault;

use crate::context::Context;

use super::by_receipt::{self, Entries};
use super::receive_message::LONGEST_VISIBILITY;
use super::{Sqs, batch, fault};

/// What AWS calls the entries to clients of JSON.
const KIND: &str = "ChangeMessageVisibilityBatch";
/// What it calls them to clients of Query, and to all where one lacks its timeout.
const QUERY_KIND: &str = "ChangeMessageVisibilityBatchRequestEntry";

pub(super) async fn one(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ChangeMessageVisibilityRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let visibility = visibility(request.visibility_timeout, "Must be")?;
    let handle = &request.receipt_handle;
    let change = (by_receipt::read(handle)?, visibility);
    let changed = sqs.engine.change_visibility(id, &[change]).await;
    let changed = changed.map_err(|it| fault::of(it, handle))?.pop();
    let changed = changed.expect("a receipt has an answer");
    changed.map_err(|refusal| fault::of(refusal.into(), handle))
}

pub(super) async fn batch(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, Fault> {
    let (queue, _) = sqs.queue(cx, &request.queue_url)?;
    let given = batch::entries(cx, request.entries)?;
    let ids = ids(cx, &given)?;
    batch::check(KIND, ids.iter().map(String::as_str))?;
    let entries = (1..).zip(ids.into_iter().zip(given));
    let entries = Entries::of(entries.map(|(number, (id, entry))| {
        let handle = entry.receipt_handle.unwrap_or_default();
        let change = change_entry(number, &handle, entry.visibility_timeout);
        (id, handle, change)
    }));
    let acted = sqs.engine.change_visibility(queue, &entries.readable).await;
    let (ids, failed) = entries.told(acted)?;
    let successful = ids.into_iter().map(|id| Changed { id }).collect();
    Ok(ChangeMessageVisibilityBatchResult { successful, failed })
}

/// The entries' ids. One that is missed goes by another name in each protocol; and a form without
/// entries misses the first one's, where the other batches miss any entry at all.
fn ids(cx: &Context<'_>, given: &[Entry]) -> Result<Vec<String>, Fault> {
    let kind = if cx.speaks_query() { QUERY_KIND } else { KIND };
    let missing = |number: usize| fault::missing_parameter(&format!("{kind}.{number}.Id"));
    if given.is_empty() && cx.speaks_query() {
        return Err(missing(1));
    }
    let ids = (1..).zip(given);
    ids.map(|(number, entry)| entry.id.clone().ok_or_else(|| missing(number))).collect()
}

/// Reads what is to become of an entry's message. The model lets the time be left out; the entry
/// is refused for it.
fn change_entry(
    number: usize,
    handle: &str,
    seconds: Option<i32>,
) -> Result<(Receipt, Duration), Fault> {
    let seconds = seconds.ok_or_else(|| {
        fault::missing_parameter(&format!("{QUERY_KIND}.{number}.VisibilityTimeout"))
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
