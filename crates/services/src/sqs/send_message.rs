//! SendMessage and SendMessageBatch.

use std::sync::Arc;

use tidemill_api::sqs::{
    BatchResultErrorEntry, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequest, SendMessageBatchRequestEntry, SendMessageBatchResult,
    SendMessageBatchResultEntry, SendMessageRequest, SendMessageResult, errors,
};
use tidemill_queue::{Attribute, AttributeValue, Digest, NewMessage, Sent, Settings};
use tidemill_wire::{Fault, Map};

use crate::context::Context;

use super::message::{self, Checked, Given};
use super::{Sqs, batch, digest, fault};

/// The one system attribute that a sender may give.
const TRACE_HEADER: &str = "AWSTraceHeader";

pub(super) async fn one(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: SendMessageRequest,
) -> Result<SendMessageResult, Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let settings = settings(sqs, id)?;
    let system = system_attributes(request.message_system_attributes)?;
    let given = Given {
        body: request.message_body,
        delay_seconds: request.delay_seconds,
        attributes: request.message_attributes,
        trace_header: system.trace_header,
        deduplication_id: request.message_deduplication_id,
        group_id: request.message_group_id,
    };
    let checked = given.check(cx)?;
    if let Some(limit) = checked.over(&settings) {
        return Err(fault::too_long(limit));
    }
    let message = checked.message;
    let digests = Digests::of(&message, system.digest);
    let sent = sqs.engine.send(id, message).await.map_err(|it| fault::of(it, ""))?;
    Ok(SendMessageResult {
        message_id: Some(sent.id.to_string()),
        md5_of_message_body: Some(digests.body),
        md5_of_message_attributes: digests.attributes,
        md5_of_message_system_attributes: digests.system,
        sequence_number: None,
    })
}

pub(super) async fn batch(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: SendMessageBatchRequest,
) -> Result<SendMessageBatchResult, Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let entries = request.entries.unwrap_or_default();
    batch::check("SendMessageBatchRequestEntry", entries.iter().map(|it| it.id.as_str()))?;
    let settings = settings(sqs, id)?;
    let mut total = 0;
    let mut failed = Vec::new();
    let mut accepted = Vec::new();
    let mut messages = Vec::new();
    for entry in entries {
        match check_entry(cx, &settings, entry, &mut total) {
            Ok((entry, message)) => {
                accepted.push(entry);
                messages.push(message);
            }
            Err(entry) => failed.push(entry),
        }
    }
    if total > message::LARGEST {
        return Err(Fault::new(
            &errors::BATCH_REQUEST_TOO_LONG,
            format!(
                "Batch requests cannot be longer than {} bytes. You have sent {total} bytes.",
                message::LARGEST
            ),
        ));
    }
    let sent = if messages.is_empty() {
        Vec::new()
    } else {
        let sent = sqs.engine.send_batch(id, messages).await;
        sent.map_err(|it| fault::of(it, ""))?
    };
    let successful = accepted.into_iter().zip(sent).map(|(entry, sent)| entry.sent(sent)).collect();
    Ok(SendMessageBatchResult { successful, failed })
}

fn settings(sqs: &Sqs, id: tidemill_queue::QueueId) -> Result<Arc<Settings>, Fault> {
    sqs.engine.settings(id).map_err(|refusal| fault::of(refusal.into(), ""))
}

/// What the answer tells of an entry besides what the engine adds.
struct Entry {
    id: String,
    digests: Digests,
}

impl Entry {
    fn sent(self, sent: Sent) -> SendMessageBatchResultEntry {
        SendMessageBatchResultEntry {
            id: self.id,
            message_id: sent.id.to_string(),
            md5_of_message_body: self.digests.body,
            md5_of_message_attributes: self.digests.attributes,
            md5_of_message_system_attributes: self.digests.system,
            sequence_number: None,
        }
    }
}

/// Checks one entry; adds its size to `total` even if it is too large for its queue.
fn check_entry(
    cx: &Context<'_>,
    settings: &Settings,
    entry: SendMessageBatchRequestEntry,
    total: &mut u64,
) -> Result<(Entry, NewMessage), BatchResultErrorEntry> {
    let id = entry.id;
    let checked = system_attributes(entry.message_system_attributes).and_then(|system| {
        let given = Given {
            body: entry.message_body,
            delay_seconds: entry.delay_seconds,
            attributes: entry.message_attributes,
            trace_header: system.trace_header,
            deduplication_id: entry.message_deduplication_id,
            group_id: entry.message_group_id,
        };
        let checked = given.check(cx)?;
        *total += checked.size;
        match checked.over(settings) {
            Some(limit) => Err(fault::entry_too_long(limit)),
            None => Ok((checked, system.digest)),
        }
    });
    match checked {
        Ok((Checked { message, .. }, system)) => {
            Ok((Entry { id, digests: Digests::of(&message, system) }, message))
        }
        Err(fault) => Err(batch::failed(id, &fault)),
    }
}

/// The digests that an answer carries.
struct Digests {
    body: String,
    attributes: Option<String>,
    system: Option<String>,
}

impl Digests {
    fn of(message: &NewMessage, system: Option<Digest>) -> Self {
        Self {
            body: digest::hexadecimal(&message.content.body_md5),
            attributes: message.content.attributes_md5.as_ref().map(digest::hexadecimal),
            system: system.as_ref().map(digest::hexadecimal),
        }
    }
}

#[derive(Default)]
struct SystemAttributes {
    trace_header: Option<String>,
    digest: Option<Digest>,
}

fn system_attributes(
    given: Option<Map<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>>,
) -> Result<SystemAttributes, Fault> {
    let Some(given) = given else { return Ok(SystemAttributes::default()) };
    let mut found = SystemAttributes::default();
    for (name, value) in given {
        let name = name.as_ref();
        if name != TRACE_HEADER {
            return Err(fault::invalid(format!(
                "Message system attribute name '{name}' is invalid."
            )));
        }
        let text = value.string_value.filter(|text| !text.is_empty());
        let Some(text) = text.filter(|_| value.data_type == "String") else {
            return Err(fault::invalid(format!(
                "Message (system) attribute '{name}' must contain a non-empty value of type \
                 'String'."
            )));
        };
        let attribute = Attribute {
            name: name.to_owned(),
            data_type: value.data_type,
            value: AttributeValue::Text(text.clone()),
        };
        found = SystemAttributes {
            digest: digest::of_attributes([&attribute]),
            trace_header: Some(text),
        };
    }
    Ok(found)
}
