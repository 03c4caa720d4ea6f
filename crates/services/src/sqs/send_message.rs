//! SendMessage and SendMessageBatch.

use tidemill_api::sqs::{
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue, SendMessageBatchRequest,
    SendMessageBatchRequestEntry, SendMessageBatchResult, SendMessageBatchResultEntry,
    SendMessageRequest, SendMessageResult, errors,
};
use tidemill_queue::{
    Attribute, AttributeValue, Digest, Discipline, Each, Engine, Error, NewMessage, Position,
    QueueId, Sent, Settings,
};
use tidemill_wire::{Fault, Map};

use crate::context::Context;

use super::digest;
use super::message::{self, Given, Place};
use super::together::{Desk, Errands, together};
use super::{Sqs, batch, fault, sequence_number};

/// The one system attribute that a sender may give.
const TRACE_HEADER: &str = "AWSTraceHeader";

thread_local! {
    static SENDS: Desk<Sends> = const { Desk::new(None) };
}

/// Single sends: digested side by side, and decided at one go.
struct Sends;

impl Errands for Sends {
    type By = Engine;
    type Wanted = (QueueId, NewMessage);
    type Outcome = (Digest, Result<Sent, Error>);
    type Failure = Error;
    type Upto = Position;

    fn weight((_, message): &Self::Wanted) -> usize {
        message.content.body.len()
    }

    fn run(by: &Engine, mut wanted: Vec<Self::Wanted>) -> (Vec<Self::Outcome>, Position) {
        let digests = digest_bodies(wanted.iter_mut().map(|(_, message)| message).collect());
        let Each { outcomes, upto } = by.send_each(wanted.into_iter());
        (digests.into_iter().zip(outcomes).collect(), upto)
    }

    async fn durable(by: &Engine, upto: Position, many: usize) -> Result<(), Error> {
        by.durable(upto, many).await
    }
}

pub(super) async fn one(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: SendMessageRequest,
) -> Result<SendMessageResult, Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let settings = sqs.settings(id)?;
    let system = system_attributes(cx, request.message_system_attributes)?;
    let given = Given {
        place: Place::Alone,
        body: request.message_body.into(),
        delay_seconds: request.delay_seconds,
        attributes: request.message_attributes,
        trace_header: system.trace_header,
        deduplication_id: request.message_deduplication_id,
        group_id: request.message_group_id,
    };
    let checked = given.check(cx.principal.user_id(), &settings)?;
    if let Some(limit) = checked.over(&settings) {
        return Err(fault::too_long(limit));
    }
    let attributes = checked.message.content.attributes_md5;
    let sent = together::<Sends>(&SENDS, &sqs.engine, (id, checked.message)).await;
    let (md5, sent) =
        sent.and_then(|(md5, sent)| Ok((md5, sent?))).map_err(|it| fault::of(it, ""))?;
    Ok(SendMessageResult {
        message_id: Some(sent.id.text()),
        md5_of_message_body: Some(digest::hexadecimal(&md5)),
        md5_of_message_attributes: attributes.as_ref().map(digest::hexadecimal),
        md5_of_message_system_attributes: system.digest.as_ref().map(digest::hexadecimal),
        sequence_number: sequence_number(&settings, sent),
    })
}

pub(super) async fn batch(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: SendMessageBatchRequest,
) -> Result<SendMessageBatchResult, Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let entries = batch::entries(cx, request.entries)?;
    batch::check("SendMessageBatchRequestEntry", entries.iter().map(|it| it.id.as_str()))?;
    let settings = sqs.settings(id)?;
    let sender = cx.principal.user_id();
    let mut total = 0;
    let mut refused = Vec::new();
    let mut accepted = Vec::new();
    let mut messages = Vec::new();
    for (number, entry) in (1..).zip(entries) {
        let name = entry.id.clone();
        match check_entry(cx, &sender, &settings, number, entry, &mut total) {
            Ok((entry, message)) => {
                accepted.push(entry);
                messages.push(message);
            }
            Err(fault) => refused.push((name, fault)),
        }
    }
    check_total(total)?;
    if settings.discipline == Discipline::Fifo && !refused.is_empty() {
        // What comes behind a message that is missing would be out of order.
        return Err(refused.swap_remove(0).1);
    }
    let digests = digest_bodies(messages.iter_mut().collect());
    let sent = if messages.is_empty() {
        Vec::new()
    } else {
        let sent = sqs.engine.send_batch(id, messages).await;
        sent.map_err(|it| fault::of(it, ""))?
    };
    let told = |((entry, md5), sent): ((Entry, Digest), Sent)| {
        entry.sent(&md5, sent, sequence_number(&settings, sent))
    };
    Ok(SendMessageBatchResult {
        successful: accepted.into_iter().zip(digests).zip(sent).map(told).collect(),
        failed: refused.into_iter().map(|(id, fault)| batch::failed(id, &fault)).collect(),
    })
}

fn check_total(bytes: u64) -> Result<(), Fault> {
    if bytes <= message::LARGEST {
        return Ok(());
    }
    Err(Fault::new(
        &errors::BATCH_REQUEST_TOO_LONG,
        format!(
            "Batch requests cannot be longer than {} bytes. You have sent {bytes} bytes.",
            message::LARGEST
        ),
    ))
}

/// A message's place in the order, which only FIFO queues tell.
fn sequence_number(settings: &Settings, sent: Sent) -> Option<String> {
    let fifo = settings.discipline == Discipline::Fifo;
    fifo.then(|| sequence_number::write(sent.sequence))
}

/// Gives each message the digest of its body, and returns them.
fn digest_bodies(messages: Vec<&mut NewMessage>) -> Vec<Digest> {
    let digests = digest::of_bodies(messages.iter().map(|it| it.content.body.as_ref()));
    for (message, md5) in messages.into_iter().zip(&digests) {
        message.content.body_md5 = *md5;
    }
    digests
}

/// What the answer tells of an entry besides its body's digest and what the engine adds.
struct Entry {
    id: String,
    attributes_md5: Option<Digest>,
    system_md5: Option<Digest>,
}

impl Entry {
    fn sent(
        self,
        body_md5: &Digest,
        sent: Sent,
        sequence_number: Option<String>,
    ) -> SendMessageBatchResultEntry {
        SendMessageBatchResultEntry {
            id: self.id,
            message_id: sent.id.text(),
            md5_of_message_body: digest::hexadecimal(body_md5),
            md5_of_message_attributes: self.attributes_md5.as_ref().map(digest::hexadecimal),
            md5_of_message_system_attributes: self.system_md5.as_ref().map(digest::hexadecimal),
            sequence_number,
        }
    }
}

/// Checks one entry; adds its size to `total` even if it is too large for its queue.
fn check_entry(
    cx: &Context<'_>,
    sender: &str,
    settings: &Settings,
    number: usize,
    entry: SendMessageBatchRequestEntry,
    total: &mut u64,
) -> Result<(Entry, NewMessage), Fault> {
    let system = system_attributes(cx, entry.message_system_attributes)?;
    let given = Given {
        place: Place::Entry(number),
        body: entry.message_body.unwrap_or_default().into(),
        delay_seconds: entry.delay_seconds,
        attributes: entry.message_attributes,
        trace_header: system.trace_header,
        deduplication_id: entry.message_deduplication_id,
        group_id: entry.message_group_id,
    };
    let checked = given.check(sender.to_owned(), settings)?;
    *total += checked.size;
    match (checked.over(settings), settings.discipline) {
        (None, _) => {
            let attributes_md5 = checked.message.content.attributes_md5;
            let entry = Entry { id: entry.id, attributes_md5, system_md5: system.digest };
            Ok((entry, checked.message))
        }
        (Some(limit), Discipline::Standard) => Err(fault::entry_too_long(limit)),
        (Some(limit), Discipline::Fifo) => Err(fault::too_long(limit)),
    }
}

struct SystemAttributes {
    trace_header: Option<String>,
    digest: Option<Digest>,
}

/// The attributes that were given. A trace may come beside the message instead; then it has no
/// digest.
fn system_attributes(
    cx: &Context<'_>,
    given: Option<Map<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>>,
) -> Result<SystemAttributes, Fault> {
    let trace_header = cx.trace_header.map(str::to_owned);
    let mut found = SystemAttributes { trace_header, digest: None };
    let Some(given) = given else { return Ok(found) };
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
