//! What a queue is told: the message as it is, or in an envelope that says where it comes from.
//!
//! Nothing is signed: whoever verifies a signature fetches the certificate from a host of AWS,
//! which has none of ours. The members are there, since programs read them, and are empty.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use tidemill_base::{MessageId, Timestamp};
use tidemill_notice::{SubscriptionId, TopicKey};
use tidemill_queue::{Attribute, AttributeValue};
use time::OffsetDateTime;
use time::macros::format_description;

use super::arn;

/// What is around a message.
pub(super) struct Envelope<'a> {
    pub(super) id: MessageId,
    pub(super) topic: &'a TopicKey,
    pub(super) subject: Option<&'a str>,
    pub(super) text: &'a str,
    pub(super) at: Timestamp,
    pub(super) attributes: &'a [Attribute],
    /// Where the service is found.
    pub(super) base: &'a str,
}

impl Envelope<'_> {
    /// The message in its envelope, as a subscriber is told it.
    pub(super) fn write(&self, subscription: SubscriptionId) -> String {
        let unsubscribe = format!(
            "{}/?Action=Unsubscribe&SubscriptionArn={}",
            self.base,
            arn::of_subscription(self.topic, subscription)
        );
        let mut all = Map::new();
        let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
        put("Type", "Notification".into());
        put("MessageId", self.id.text().into());
        put("TopicArn", arn::of_topic(self.topic).into());
        if let Some(subject) = self.subject {
            put("Subject", subject.into());
        }
        put("Message", self.text.into());
        put("Timestamp", timestamp(self.at).into());
        put("SignatureVersion", "1".into());
        put("Signature", "".into());
        put("SigningCertURL", "".into());
        put("UnsubscribeURL", unsubscribe.into());
        if !self.attributes.is_empty() {
            put("MessageAttributes", self.attributes.iter().map(attribute).collect());
        }
        Value::Object(all).to_string()
    }
}

fn attribute(it: &Attribute) -> (String, Value) {
    let value = match &it.value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Binary(bytes) => BASE64_STANDARD.encode(bytes),
    };
    (it.name.clone(), json!({ "Type": it.data_type, "Value": value }))
}

/// A time as messages have it: `2023-11-14T22:13:20.007Z`.
pub(crate) fn timestamp(at: Timestamp) -> String {
    let nanos = i128::from(at.as_millis()) * 1_000_000;
    let date = OffsetDateTime::from_unix_timestamp_nanos(nanos);
    let date = date.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    date.format(form).expect("a date has what the form asks for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_has_what_it_has_on_aws_in_that_order() {
        let attribute = |name: &str, data_type: &str, value| Attribute {
            name: name.into(),
            data_type: data_type.into(),
            value,
        };
        let attributes = [
            attribute("n", "Number", AttributeValue::Text("1".into())),
            attribute("b", "Binary", AttributeValue::Binary(vec![2, 3, 4].into())),
        ];
        let topic = arn::read("arn:aws:sns:us-east-1:000000000000:t").unwrap();
        let envelope = Envelope {
            id: MessageId::from_bytes([0x0f; 16]),
            topic: &topic,
            subject: Some("S"),
            text: "\"hello\"",
            at: Timestamp::from_millis(1_700_000_000_007),
            attributes: &attributes,
            base: "http://localhost",
        };
        let expected = concat!(
            r#"{"Type":"Notification","MessageId":"0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f","#,
            r#""TopicArn":"arn:aws:sns:us-east-1:000000000000:t","Subject":"S","#,
            r#""Message":"\"hello\"","Timestamp":"2023-11-14T22:13:20.007Z","#,
            r#""SignatureVersion":"1","Signature":"","SigningCertURL":"","#,
            r#""UnsubscribeURL":"http://localhost/?Action=Unsubscribe&SubscriptionArn="#,
            r#"arn:aws:sns:us-east-1:000000000000:t:07070707-0707-0707-0707-070707070707","#,
            r#""MessageAttributes":{"n":{"Type":"Number","Value":"1"},"#,
            r#""b":{"Type":"Binary","Value":"AgME"}}}"#
        );
        assert_eq!(envelope.write(SubscriptionId::from_bytes([7; 16])), expected);
    }
}
