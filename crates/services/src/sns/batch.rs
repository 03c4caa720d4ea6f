//! PublishBatch: what is wrong with one message is wrong with all, as on AWS.

use std::collections::HashSet;

use tidemill_api::sns::{
    PublishBatchInput, PublishBatchRequestEntry, PublishBatchResponse, PublishBatchResultEntry,
    errors,
};
use tidemill_wire::Fault;

use super::deliver::Published;
use super::message::{Given, LARGEST};
use super::{Sns, fault, named};
use crate::context::Context;

/// Most entries of a batch.
const MOST: usize = 10;
/// Most characters of an entry's id.
const LONGEST_ID: usize = 80;

pub(super) async fn handle(
    service: &Sns,
    cx: &Context<'_>,
    it: PublishBatchInput,
) -> Result<PublishBatchResponse, Fault> {
    let entries = it.publish_batch_request_entries;
    check_ids(&entries)?;
    let topic = named(cx, &it.topic_arn, "Publish")?;
    let (mut names, mut messages, mut total) = (Vec::new(), Vec::new(), 0);
    for entry in entries {
        let (message, size) = given(&mut names, entry).check()?;
        total += size;
        messages.push(message);
    }
    if total > LARGEST {
        return Err(Fault::new(
            &errors::BATCH_REQUEST_TOO_LONG_EXCEPTION,
            "The length of all the messages put together is more than the limit.",
        ));
    }
    let base = cx.base_url.to_string();
    let published = Published { topic: &topic, base: &base, trace: cx.trace_header };
    let ids = service.publish(&published, &messages).await.map_err(|it| fault::of_disk(&it))?;
    let ids = ids.ok_or_else(fault::no_topic)?;
    let told = names.into_iter().zip(ids).map(|(name, id)| PublishBatchResultEntry {
        id: Some(name),
        message_id: Some(id.text()),
        sequence_number: None,
    });
    Ok(PublishBatchResponse { successful: Some(told.collect()), failed: Some(Vec::new()) })
}

fn given(names: &mut Vec<String>, entry: PublishBatchRequestEntry) -> Given {
    names.push(entry.id);
    Given {
        message: entry.message,
        subject: entry.subject,
        structure: entry.message_structure,
        attributes: entry.message_attributes,
        group_id: entry.message_group_id,
        deduplication_id: entry.message_deduplication_id,
    }
}

fn check_ids(entries: &[PublishBatchRequestEntry]) -> Result<(), Fault> {
    if entries.is_empty() {
        let message = "The batch request doesn't contain any entries.";
        return Err(Fault::new(&errors::EMPTY_BATCH_REQUEST_EXCEPTION, message));
    }
    if entries.len() > MOST {
        let message = "The batch request contains more entries than permissible.";
        return Err(Fault::new(&errors::TOO_MANY_ENTRIES_IN_BATCH_REQUEST_EXCEPTION, message));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let well_formed = |id: &str| !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(plain);
    if !entries.iter().all(|entry| well_formed(&entry.id)) {
        let message =
            "The Id of a batch entry in the batch request doesn't abide by the specification.";
        return Err(Fault::new(&errors::INVALID_BATCH_ENTRY_ID_EXCEPTION, message));
    }
    let mut seen = HashSet::with_capacity(MOST);
    if !entries.iter().all(|entry| seen.insert(entry.id.as_str())) {
        let message = "Two or more batch entries in the request have the same Id.";
        return Err(Fault::new(&errors::BATCH_ENTRY_IDS_NOT_DISTINCT_EXCEPTION, message));
    }
    Ok(())
}
