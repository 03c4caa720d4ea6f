//! `POST /_tidemill/peek`: a queue's messages, looked at without receiving them.
//!
//! SQS has no such operation, which is why this one has a path of its own. Asked with
//! `{"QueueUrl": …, "MaxNumberOfMessages": …, "After": …, "Region": …}`, it answers with
//! `{"Messages": […]}`, oldest first, under SQS's own names, and with `Next`, the `After` of
//! the next page, if there is one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_base::Region;
use tidemill_queue::{Attribute, AttributeValue, Peeked, Sequence, Standing};
use tidemill_services::Principal;

use crate::app::App;

/// Most messages of one answer: with the largest bodies, 100 MiB would be a lot to hold.
const MOST: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Asked {
    queue_url: String,
    #[serde(default = "ten")]
    max_number_of_messages: usize,
    after: Option<u64>,
    region: Option<String>,
}

const fn ten() -> usize {
    10
}

/// Looks; an error is a sentence for a person.
pub(crate) fn peek(app: &App, principal: &Principal, asked: &Asked) -> Result<Value, String> {
    let region = asked.region.as_deref().unwrap_or(Region::DEFAULT);
    let region = region.parse::<Region>().map_err(|error| error.to_string())?;
    let id = app.sqs.find(&asked.queue_url, principal, &region).ok_or_else(|| {
        let account = principal.account();
        format!("there is no queue {} in {region} for account {account}", asked.queue_url)
    })?;
    let limit = asked.max_number_of_messages.clamp(1, MOST);
    let after = asked.after.map(Sequence::from_u64);
    let found = app.engine.peek(id, after, limit).map_err(|refusal| refusal.to_string())?;
    let next = found.last().filter(|_| found.len() == limit);
    let next = next.map(|message| message.sequence.as_u64());
    let messages: Vec<Value> = found.into_iter().map(told).collect();
    Ok(json!({ "Messages": messages, "Next": next }))
}

fn told(peeked: Peeked) -> Value {
    let (state, until) = match peeked.standing {
        Standing::Visible => ("visible", None),
        Standing::InFlight { until } => ("in flight", Some(until)),
        Standing::Delayed { until } => ("delayed", Some(until)),
    };
    let attributes: serde_json::Map<_, _> =
        peeked.content.attributes.into_iter().map(attribute).collect();
    json!({
        "MessageId": peeked.id.to_string(),
        "State": state,
        "VisibleAt": until.map(tidemill_base::Timestamp::as_millis),
        "SentTimestamp": peeked.sent.as_millis(),
        "ApproximateReceiveCount": peeked.receive_count,
        "ApproximateFirstReceiveTimestamp":
            peeked.first_received.map(tidemill_base::Timestamp::as_millis),
        "MessageGroupId": peeked.content.group,
        "MessageDeduplicationId": peeked.content.deduplication,
        "MessageAttributes": attributes,
        "Body": String::from_utf8_lossy(&peeked.content.body),
    })
}

fn attribute(attribute: Attribute) -> (String, Value) {
    let value = match attribute.value {
        AttributeValue::Text(text) => json!({
            "DataType": attribute.data_type, "StringValue": text,
        }),
        AttributeValue::Binary(bytes) => json!({
            "DataType": attribute.data_type, "BinaryValue": BASE64.encode(bytes),
        }),
    };
    (attribute.name, value)
}
