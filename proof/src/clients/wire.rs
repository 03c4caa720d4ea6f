//! What the clients read in answers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::body::{self, Number};
use crate::clients::Shared;
use crate::queues::Queue;
use crate::story::{Receipt, Sight};

/// A message that a receive gave.
pub(crate) struct Message {
    pub(crate) number: Number,
    pub(crate) sight: Sight,
    /// The receipt handle.
    pub(crate) handle: String,
}

/// The messages of an answer to ReceiveMessage, those left out whose body nobody sent: that is
/// a violation. They are in flight `until` then at least.
pub(crate) fn messages(
    answer: &Value,
    from: Queue,
    until: Duration,
    shared: &Shared,
    reckoned: bool,
) -> Vec<Message> {
    let given = answer["Messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let read = |(place, given): (usize, &Value)| {
        let message = message(given, from, until, place, reckoned);
        if message.is_none() {
            let detail = format!("from {from}: {given:.300}");
            shared.ledger.violation("A message is what was sent", detail);
        }
        message
    };
    given.iter().enumerate().filter_map(read).collect()
}

fn message(
    given: &Value,
    from: Queue,
    until: Duration,
    place: usize,
    reckoned: bool,
) -> Option<Message> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let attributes = &given["Attributes"];
    let sight = Sight {
        from,
        id: given["MessageId"].as_str()?.into(),
        count: attributes["ApproximateReceiveCount"].as_str()?.parse().ok()?,
        sequence: sequence(&attributes["SequenceNumber"]),
        group: text(&attributes["MessageGroupId"]),
        until,
        place,
        reckoned,
    };
    let number = body::read(given["Body"].as_str()?)?;
    Some(Message { number, sight, handle: text(&given["ReceiptHandle"])? })
}

/// What a sender was told of a message.
pub(crate) fn receipt(given: &Value) -> Option<Receipt> {
    let id = given["MessageId"].as_str()?.into();
    Some(Receipt { id, sequence: sequence(&given["SequenceNumber"]) })
}

fn sequence(given: &Value) -> Option<u128> {
    given.as_str()?.parse().ok()
}

/// The parameters of a batch that shows these handles, with more for each from `with`. An entry's
/// id is its place.
pub(crate) fn handles<'a>(
    queue: Queue,
    handles: impl IntoIterator<Item = &'a str>,
    with: &Value,
) -> Value {
    let entry = |(place, handle): (usize, &str)| {
        let mut entry = with.clone();
        entry["Id"] = place.to_string().into();
        entry["ReceiptHandle"] = handle.into();
        entry
    };
    let entries: Vec<_> = handles.into_iter().enumerate().map(entry).collect();
    json!({ "QueueUrl": queue.url(), "Entries": entries })
}

/// The places of those entries that are in this part of a batch's answer.
pub(crate) fn places(answer: &Value, part: &str) -> Vec<usize> {
    let entries = answer[part].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter_map(|entry| entry["Id"].as_str()?.parse().ok()).collect()
}
