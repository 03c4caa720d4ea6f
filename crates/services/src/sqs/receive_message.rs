//! ReceiveMessage.

use std::time::Duration;

use tidemill_api::sqs::{Message, ReceiveMessageRequest, ReceiveMessageResult};
use tidemill_queue::{Delivery, Receive};
use tidemill_wire::{Fault, Map};

use crate::context::Context;

use super::message_attributes::{self, Wanted};
use super::queue_arn::QueueArn;
use super::{Sqs, digest, fault, message, sequence_number};

/// The longest visibility timeout, in seconds.
pub(super) const LONGEST_VISIBILITY: i32 = 43_200;
/// The longest wait for a message, in seconds.
const LONGEST_WAIT: i32 = 20;

pub(super) async fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ReceiveMessageRequest,
) -> Result<ReceiveMessageResult, Fault> {
    let (id, key) = sqs.queue(cx, &request.queue_url)?;
    let fifo = key.name.is_fifo();
    let max = request.max_number_of_messages.map_or(Ok(1), most)?;
    let visibility = request.visibility_timeout.map(visibility).transpose()?;
    let wait = request.wait_time_seconds.map(wait).transpose()?;
    if let Some(attempt) = &request.receive_request_attempt_id {
        message::check_token("ReceiveRequestAttemptId", attempt)?;
        if !fifo {
            return Err(fault::not_of_this_queue_type("ReceiveRequestAttemptId"));
        }
    }
    // The older parameter has the newer one's meaning, and whoever gives both wants both; but in
    // Query, which had the older one first, that one alone counts.
    let older = request.attribute_names.unwrap_or_default();
    let mut newer = request.message_system_attribute_names.unwrap_or_default();
    if cx.speaks_query() && !older.is_empty() {
        newer.clear();
    }
    let names = older.iter().map(AsRef::as_ref).chain(newer.iter().map(AsRef::as_ref));
    let system = SystemWanted { fifo, ..SystemWanted::read(names)? };
    let attempt = request.receive_request_attempt_id;
    let holder = cx.principal.holder();
    let receive = Receive { max, visibility, wait, attempt, holder };
    let deliveries = sqs.engine.receive(id, receive).await;
    let deliveries = deliveries.map_err(|it| fault::of(it, ""))?;
    let wanted = request.message_attribute_names.unwrap_or_default();
    let wanted = Wanted::new(&wanted);
    let messages: Vec<_> =
        deliveries.into_iter().map(|delivery| told(delivery, system, &wanted)).collect();
    Ok(ReceiveMessageResult { messages: (!messages.is_empty()).then_some(messages) })
}

fn most(number: i32) -> Result<u8, Fault> {
    match u8::try_from(number) {
        Ok(most @ 1..=10) => Ok(most),
        _ => Err(fault::invalid_value(
            number,
            "MaxNumberOfMessages",
            "Must be between 1 and 10, if provided.",
        )),
    }
}

fn visibility(seconds: i32) -> Result<Duration, Fault> {
    within(seconds, "VisibilityTimeout", LONGEST_VISIBILITY)
}

fn wait(seconds: i32) -> Result<Duration, Fault> {
    within(seconds, "WaitTimeSeconds", LONGEST_WAIT)
}

fn within(seconds: i32, parameter: &str, most: i32) -> Result<Duration, Fault> {
    match u64::try_from(seconds) {
        Ok(whole) if seconds <= most => Ok(Duration::from_secs(whole)),
        _ => Err(fault::invalid_value(
            seconds,
            parameter,
            format_args!("Must be >= 0 and <= {most}, if provided."),
        )),
    }
}

/// A message as the receiver is told it.
fn told(delivery: Delivery, system: SystemWanted, wanted: &Wanted<'_>) -> Message {
    let attributes = system.of(&delivery);
    let content = delivery.content;
    let (mut chosen, mut md5_of_attributes) = (Map::default(), None);
    if !wanted.nothing() && !content.attributes.is_empty() {
        let all = content.attributes.len();
        let picked: Vec<_> =
            content.attributes.into_iter().filter(|it| wanted.includes(&it.name)).collect();
        md5_of_attributes = if picked.len() == all {
            content.attributes_md5
        } else {
            digest::of_attributes(&picked)
        };
        chosen = picked.into_iter().map(message_attributes::write).collect();
    }
    Message {
        message_id: Some(delivery.id.text()),
        receipt_handle: Some(delivery.receipt.text()),
        md5_of_body: Some(digest::hexadecimal(&content.body_md5)),
        body: Some(text(&content.body)),
        attributes: (!attributes.is_empty()).then_some(attributes),
        md5_of_message_attributes: md5_of_attributes.as_ref().map(digest::hexadecimal),
        message_attributes: (!chosen.is_empty()).then_some(chosen),
    }
}

/// A body as text, which it was when it was sent.
fn text(body: &[u8]) -> String {
    match simdutf8::basic::from_utf8(body) {
        Ok(text) => text.to_owned(),
        // From an older or another program's journal.
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

/// Which of a message's system attributes a receiver wants.
#[derive(Clone, Copy, Default)]
struct SystemWanted {
    /// A set, one bit each.
    bits: u16,
    /// Whether the queue is one whose messages are numbered.
    fifo: bool,
}

/// The system attributes, in the order of their bits. Any may be asked for; a message need not
/// have them all.
const SYSTEM: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "AWSTraceHeader",
    "MessageGroupId",
    "SequenceNumber",
    "MessageDeduplicationId",
    "DeadLetterQueueSourceArn",
];

impl SystemWanted {
    fn read<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, Fault> {
        let mut wanted = Self::default();
        for name in names {
            if name == "All" {
                wanted.bits = u16::MAX;
                continue;
            }
            let bit = SYSTEM.iter().position(|known| *known == name);
            wanted.bits |= 1 << bit.ok_or_else(|| fault::unknown_attribute(name))?;
        }
        Ok(wanted)
    }

    fn of<K: From<String> + std::hash::Hash + Eq>(self, delivery: &Delivery) -> Map<K, String> {
        let content = &delivery.content;
        let value = |name: &str| match name {
            "SenderId" => Some(content.sender.clone()),
            "SentTimestamp" => Some(delivery.sent.as_millis().to_string()),
            "ApproximateReceiveCount" => Some(delivery.receive_count.to_string()),
            "ApproximateFirstReceiveTimestamp" => {
                Some(delivery.first_received.as_millis().to_string())
            }
            "AWSTraceHeader" => content.trace_header.clone(),
            "MessageGroupId" => content.group.clone(),
            // A dead letter goes by its own id: two that were known by the same one are two.
            "MessageDeduplicationId" if delivery.source.is_some() && self.fifo => {
                Some(delivery.id.text())
            }
            "MessageDeduplicationId" => content.deduplication.clone(),
            "DeadLetterQueueSourceArn" => {
                delivery.source.as_ref().map(|source| QueueArn(source).to_string())
            }
            "SequenceNumber" if self.fifo => Some(sequence_number::write(delivery.sequence)),
            _ => None,
        };
        if self.bits == 0 {
            return Map::default();
        }
        let wanted = SYSTEM.iter().enumerate().filter(|(bit, _)| self.bits & (1 << bit) != 0);
        wanted.filter_map(|(_, name)| Some((K::from((*name).to_owned()), value(name)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(result: Result<T, Fault>) -> String {
        result.err().map(|fault| fault.message.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_receive_asks_for_one_to_ten_messages_and_waits_at_most_twenty_seconds() {
        assert_eq!(most(10).unwrap(), 10);
        for bad in [0, 11, -1, 256] {
            assert_eq!(
                message(most(bad)),
                format!(
                    "Value {bad} for parameter MaxNumberOfMessages is invalid. Reason: Must be \
                 between 1 and 10, if provided."
                )
            );
        }
        assert_eq!(wait(20).unwrap(), Duration::from_secs(20));
        assert_eq!(
            message(wait(21)),
            "Value 21 for parameter WaitTimeSeconds is invalid. \
             Reason: Must be >= 0 and <= 20, if provided."
        );
    }

    #[test]
    fn an_unknown_system_attribute_is_refused_by_its_name() {
        assert_eq!(
            message(SystemWanted::read(["Foobar"].into_iter())),
            "Unknown Attribute Foobar."
        );
        assert_eq!(SystemWanted::read(SYSTEM.into_iter()).unwrap().bits, 0x1ff);
    }
}
