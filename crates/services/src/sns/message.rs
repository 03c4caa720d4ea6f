//! A message as its publisher gave it: checked and measured.

use serde_json::Value;
use tidemill_api::sns::MessageAttributeValue;
use tidemill_queue::Attribute;
use tidemill_wire::{Fault, Map};

use super::{fault, message_attributes};
use crate::sqs::{check_token, is_text};

/// The largest message, and the largest batch of them, in bytes: 256 KiB.
pub(super) const LARGEST: usize = 256 << 10;
/// Most characters of a subject.
const LONGEST_SUBJECT: usize = 100;

/// The parts of what is published, alike for a single message and for one of a batch.
pub(super) struct Given {
    pub(super) message: String,
    pub(super) subject: Option<String>,
    pub(super) structure: Option<String>,
    pub(super) attributes: Option<Map<String, MessageAttributeValue>>,
    pub(super) group_id: Option<String>,
    pub(super) deduplication_id: Option<String>,
}

/// A message that passed the checks.
pub(super) struct Message {
    pub(super) subject: Option<String>,
    /// What queues are told.
    pub(super) text: String,
    pub(super) attributes: Vec<Attribute>,
    pub(super) group: Option<String>,
}

impl Given {
    /// What it counts for against [`LARGEST`], with all that may be told to others.
    pub(super) fn check(self) -> Result<(Message, usize), Fault> {
        self.subject.as_deref().map_or(Ok(()), check_subject)?;
        if self.message.trim().is_empty() {
            return Err(fault::invalid("Empty message"));
        }
        if !is_text(self.message.as_bytes()) {
            return Err(fault::invalid(
                "Message Reason: it contains characters that XML 1.0 does not allow",
            ));
        }
        if self.deduplication_id.is_some() {
            return Err(fault::invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId \
                 parameter that is not valid for this topic type",
            ));
        }
        if let Some(group) = &self.group_id {
            let told = |_| fault::invalid("MessageGroupId");
            check_token("MessageGroupId", group).map_err(told)?;
        }
        let attributes = message_attributes::read(self.attributes)?;
        let size = self.message.len() + message_attributes::size(&attributes);
        let text = match self.structure.as_deref() {
            None => self.message,
            Some("json") => for_queues(&self.message)?,
            Some(_) => return Err(fault::invalid("MessageStructure")),
        };
        if size > LARGEST {
            return Err(fault::invalid("Message too long"));
        }
        let (subject, group) = (self.subject, self.group_id);
        Ok((Message { subject, text, attributes, group }, size))
    }
}

fn check_subject(subject: &str) -> Result<(), Fault> {
    let characters = subject.chars().count();
    let plain = subject.chars().all(|it| !it.is_control()) && is_text(subject.as_bytes());
    if (1..=LONGEST_SUBJECT).contains(&characters) && plain {
        return Ok(());
    }
    Err(fault::invalid("Subject"))
}

/// What a message that says something of its own to each protocol says to queues.
fn for_queues(message: &str) -> Result<String, Fault> {
    let failed = "Message Structure - JSON message body failed to parse";
    let mut all: Value = serde_json::from_str(message).map_err(|_| fault::invalid(failed))?;
    let Value::Object(entries) = &mut all else { return Err(fault::invalid(failed)) };
    let mut text = |name: &str| match entries.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let missing = "Message Structure - No default entry in JSON message body";
    let default = text("default").ok_or_else(|| fault::invalid(missing))?;
    let text = text("sqs").unwrap_or(default);
    // Escaped in JSON, anything can be said.
    if text.is_empty() || !is_text(text.as_bytes()) {
        return Err(fault::invalid("Message Structure - an entry is empty or is no text"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(message: &str) -> Given {
        Given {
            message: message.to_owned(),
            subject: None,
            structure: None,
            attributes: None,
            group_id: None,
            deduplication_id: None,
        }
    }

    fn told(given: Given) -> Option<String> {
        given.check().err().map(|fault| fault.message.into_owned())
    }

    #[test]
    fn a_message_says_something_and_is_no_longer_than_it_may_be() {
        assert_eq!(told(given("x")), None);
        assert_eq!(told(given(" ")).unwrap(), "Invalid parameter: Empty message");
        assert_eq!(told(given(&"x".repeat(LARGEST))), None);
        let long = told(given(&"x".repeat(LARGEST + 1))).unwrap();
        assert_eq!(long, "Invalid parameter: Message too long");
        assert!(told(given("a\u{1}")).is_some());
    }

    #[test]
    fn a_subject_is_one_line_of_a_hundred_characters() {
        let subject =
            |subject: &str| told(Given { subject: Some(subject.to_owned()), ..given("x") });
        assert_eq!(subject("é".repeat(100).as_str()), None);
        for bad in ["", "a\nb", &"s".repeat(101)] {
            assert_eq!(subject(bad).unwrap(), "Invalid parameter: Subject", "{bad}");
        }
    }

    #[test]
    fn each_protocol_may_be_told_something_of_its_own() {
        let structured = |message: &str| {
            let given = Given { structure: Some("json".into()), ..given(message) };
            given.check().map(|(message, _)| message.text)
        };
        assert_eq!(structured(r#"{"default":"d","sqs":"s"}"#).unwrap(), "s");
        assert_eq!(structured(r#"{"default":"d","http":"h"}"#).unwrap(), "d");
        assert_eq!(structured(r#"{"default":"d","sqs":1}"#).unwrap(), "d");
        for (bad, words) in [
            ("x", "failed to parse"),
            (r#"{"sqs":"s"}"#, "No default entry"),
            (r#"{"default":{}}"#, "No default entry"),
        ] {
            let message = structured(bad).unwrap_err().message.into_owned();
            assert!(message.contains(words), "{bad}: {message}");
        }
    }
}
