//! A message as its sender gave it: checked and measured, for the engine to keep.

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tidemill_api::sqs::MessageAttributeValue;
use tidemill_queue::{Content, Digest, Discipline, NewMessage, Settings};
use tidemill_wire::{Fault, Map};

use super::{digest, fault, message_attributes};

/// The largest message, and the largest batch of them, in bytes.
pub(super) const LARGEST: u64 = 1 << 20;
/// The longest delay of a message, in seconds.
const LONGEST_DELAY: i32 = 900;

/// Where a message stands in its request: AWS has words of its own for what is wrong in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the request.
    Alone,
    /// It is this entry of a batch; the first is 1.
    Entry(usize),
}

/// The parts of a send, alike for a single message and for one of a batch.
pub(super) struct Given {
    pub(super) place: Place,
    pub(super) body: Bytes,
    pub(super) delay_seconds: Option<i32>,
    pub(super) attributes: Option<Map<String, MessageAttributeValue>>,
    pub(super) trace_header: Option<String>,
    pub(super) deduplication_id: Option<String>,
    pub(super) group_id: Option<String>,
}

/// A message that passed the checks, but for its body's digest, and what it counts for.
pub(super) struct Checked {
    pub(super) message: NewMessage,
    pub(super) size: u64,
}

impl Given {
    /// Checks everything but the size, for which a batch as a whole has a limit of its own. The
    /// body is digested later, side by side with others.
    pub(super) fn check(self, sender: String, settings: &Settings) -> Result<Checked, Fault> {
        if self.body.is_empty() {
            return Err(self.place.missing_body());
        }
        if !is_text(&self.body) {
            return Err(fault::invalid_contents());
        }
        if let Some(id) = &self.deduplication_id {
            check_token("MessageDeduplicationId", id)?;
        }
        if let Some(group) = &self.group_id {
            check_token("MessageGroupId", group)?;
        }
        let (delay, deduplication) = match settings.discipline {
            Discipline::Standard => (self.standard_delay()?, None),
            Discipline::Fifo => (self.fifo_delay()?, Some(self.fifo_deduplication(settings)?)),
        };
        let attributes =
            self.attributes.map_or_else(|| Ok(Vec::new()), message_attributes::read)?;
        let size = (self.body.len() + message_attributes::size(&attributes)) as u64;
        let content = Content {
            body_md5: Digest::default(),
            attributes_md5: digest::of_attributes(&attributes),
            body: self.body,
            attributes,
            sender,
            trace_header: self.trace_header,
            group: self.group_id,
            deduplication,
        };
        Ok(Checked { message: NewMessage { content, delay }, size })
    }

    /// A standard queue knows no deduplication.
    fn standard_delay(&self) -> Result<Option<Duration>, Fault> {
        if self.deduplication_id.is_some() {
            return Err(self.place.not_of_a_standard_queue("MessageDeduplicationId"));
        }
        self.delay_seconds.map(delay).transpose()
    }

    /// In a FIFO queue only the queue itself can say a delay; naming none is no harm.
    fn fifo_delay(&self) -> Result<Option<Duration>, Fault> {
        match self.delay_seconds {
            None | Some(0) => Ok(None),
            Some(seconds) => Err(fault::invalid_value(
                seconds,
                "DelaySeconds",
                "The request include parameter that is not valid for this queue type.",
            )),
        }
    }

    /// What the message is known by: an id of its own, or what its body says.
    fn fifo_deduplication(&self, settings: &Settings) -> Result<String, Fault> {
        if self.group_id.is_none() {
            return Err(self.place.missing_group());
        }
        match &self.deduplication_id {
            Some(id) => Ok(id.clone()),
            None if settings.content_deduplication => Ok(hex::encode(Sha256::digest(&self.body))),
            None => Err(fault::no_deduplication()),
        }
    }
}

impl Place {
    fn missing_body(self) -> Fault {
        match self {
            Self::Alone => fault::missing_parameter("MessageBody"),
            Self::Entry(number) => fault::missing_parameter(&format!(
                "SendMessageBatchRequestEntry.{number}.MessageBody"
            )),
        }
    }

    /// The same words with another code, as AWS has it.
    fn missing_group(self) -> Fault {
        let missing = fault::missing_parameter("MessageGroupId");
        match self {
            Self::Alone => missing,
            Self::Entry(_) => fault::invalid(missing.message),
        }
    }

    fn not_of_a_standard_queue(self, parameter: &str) -> Fault {
        match self {
            Self::Alone => fault::not_of_this_queue_type(parameter),
            Self::Entry(_) => fault::invalid(
                "The request include parameter that is not valid for this queue type",
            ),
        }
    }
}

impl Checked {
    /// The limit of a queue with these settings that the message is over, if it is.
    pub(super) fn over(&self, settings: &Settings) -> Option<u64> {
        let limit = settings.max_size.as_u64().min(LARGEST);
        (self.size > limit).then_some(limit)
    }
}

fn delay(seconds: i32) -> Result<Duration, Fault> {
    match u64::try_from(seconds) {
        Ok(whole) if seconds <= LONGEST_DELAY => Ok(Duration::from_secs(whole)),
        _ => Err(fault::invalid_value(
            seconds,
            "DelaySeconds",
            format_args!("DelaySeconds must be >= 0 and <= {LONGEST_DELAY}."),
        )),
    }
}

/// Checks a group id or a deduplication id.
pub(crate) fn check_token(parameter: &str, token: &str) -> Result<(), Fault> {
    let plain = token.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && (1..=128).contains(&token.len()) {
        return Ok(());
    }
    Err(fault::invalid_value(
        token,
        parameter,
        format_args!(
            "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in \
             length."
        ),
    ))
}

/// Whether a text, in UTF-8, has only the characters that XML 1.0 allows.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: u8| (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
    // Looking at all of it, without a way out half-way, is what the compiler makes fast.
    // Inlined it is compiled for vectors as wide as the processor has.
    let found = pulp::Arch::new().dispatch(
        #[inline(always)]
        || bytes.iter().fold(false, |found, byte| found | control(*byte)),
    );
    if found {
        return false;
    }
    // U+FFFE and U+FFFF are EF BF BE and EF BF BF in UTF-8; nothing else ends so.
    let odd = |at| matches!(bytes.get(at..at + 3), Some([_, 0xbf, 0xbe | 0xbf]));
    !memchr::memchr_iter(0xef, bytes).any(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_characters_of_xml() {
        for good in ["\t\n\r", "é", "\u{fffd}", "\u{10ffff}", "plain", "\u{ffbe}"] {
            assert!(is_text(good.as_bytes()), "{good:?}");
        }
        for bad in ["\u{0}", "\u{8}", "a\u{13}b", "\u{fffe}", "\u{ffff}"] {
            assert!(!is_text(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn a_group_id_is_1_to_128_printable_characters() {
        assert!(check_token("MessageGroupId", "a!~").is_ok());
        for bad in ["", "a b", "é", &"g".repeat(129)] {
            assert!(check_token("MessageGroupId", bad).is_err(), "{bad:?}");
        }
    }

    fn given(place: Place) -> Given {
        Given {
            place,
            body: "body".into(),
            delay_seconds: None,
            attributes: None,
            trace_header: None,
            deduplication_id: None,
            group_id: Some("group".into()),
        }
    }

    fn checked(given: Given, settings: &Settings) -> Result<NewMessage, Fault> {
        given.check("000000000000".into(), settings).map(|checked| checked.message)
    }

    fn fifo(content_deduplication: bool) -> Settings {
        Settings { discipline: Discipline::Fifo, content_deduplication, ..Settings::default() }
    }

    #[test]
    fn a_fifo_message_is_known_by_its_own_id_or_by_its_body() {
        let by_body = checked(given(Place::Alone), &fifo(true)).unwrap();
        let digest = "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5";
        assert_eq!(by_body.content.deduplication.as_deref(), Some(digest));
        let own = Given { deduplication_id: Some("own".into()), ..given(Place::Alone) };
        let by_id = checked(own, &fifo(true)).unwrap();
        assert_eq!(by_id.content.deduplication.as_deref(), Some("own"));
        assert!(checked(given(Place::Alone), &fifo(false)).is_err());
        let standard = checked(given(Place::Alone), &Settings::default()).unwrap();
        assert_eq!(standard.content.deduplication, None);
    }

    #[test]
    fn what_is_missing_has_another_name_or_code_in_a_batch() {
        let lacking = |place| Given { group_id: None, ..given(place) };
        let alone = checked(lacking(Place::Alone), &fifo(true)).unwrap_err();
        let entry = checked(lacking(Place::Entry(1)), &fifo(true)).unwrap_err();
        assert_eq!(alone.message, entry.message);
        assert_eq!(
            (alone.error.code, entry.error.code),
            ("MissingParameter", "InvalidParameterValue")
        );
        let empty = |place| Given { body: Bytes::new(), ..given(place) };
        let entry = checked(empty(Place::Entry(3)), &Settings::default()).unwrap_err();
        assert!(entry.message.ends_with(" SendMessageBatchRequestEntry.3.MessageBody."));
    }

    #[test]
    fn a_delay_is_at_most_fifteen_minutes() {
        assert_eq!(delay(900).unwrap(), Duration::from_mins(15));
        for bad in [-1, 901, i32::MIN] {
            let message = delay(bad).unwrap_err().message.to_string();
            let reason = "DelaySeconds must be >= 0 and <= 900.";
            let told =
                format!("Value {bad} for parameter DelaySeconds is invalid. Reason: {reason}");
            assert_eq!(message, told);
        }
    }
}
