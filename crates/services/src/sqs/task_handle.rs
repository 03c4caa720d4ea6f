//! TaskHandle: what a message move task goes by.
//!
//! On AWS it is Base64 of JSON that names a UUID and the source queue. Clients were seen to take
//! it apart, so ours is made the same way; the UUID holds the engine's own name of the move.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tidemill_queue::{MoveId, QueueKey};

use super::queue_arn::{self, QueueArn};

/// Bytes of a UUID, the first of which says how many of the others are used.
const UUID: usize = 16;
/// A longer handle is none; do not decode a megabyte to find out.
const LONGEST: usize = 1024;

/// What a handle names.
pub(super) struct TaskHandle {
    /// The queue that messages are moved from.
    pub(super) source: QueueKey,
    /// The move; none if it cannot be one of ours.
    pub(super) id: Option<MoveId>,
}

/// The handle of the move `id` from `source`.
pub(super) fn write(id: MoveId, source: &QueueKey) -> String {
    let task = uuid(&id.to_string());
    // The members are in the order of AWS's.
    let handle = json!({ "taskId": task, "sourceArn": QueueArn(source).to_string() });
    BASE64_STANDARD.encode(handle.to_string())
}

/// Reads a handle; none if it has not the form of one.
pub(super) fn read(handle: &str) -> Option<TaskHandle> {
    if handle.len() > LONGEST {
        return None;
    }
    let handle = BASE64_STANDARD.decode(handle).ok()?;
    let handle: Value = serde_json::from_slice(&handle).ok()?;
    let member = |name: &str| handle.get(name)?.as_str();
    let source = queue_arn::read(member("sourceArn")?).ok()?;
    let id = text(member("taskId")?).and_then(|id| MoveId::parse(&id).ok());
    Some(TaskHandle { source, id })
}

/// A short text in the form of a UUID.
fn uuid(text: &str) -> String {
    let mut bytes = [0; UUID];
    let room = &mut bytes[1..];
    assert!(text.len() <= room.len(), "the engine's names of moves are short");
    room[..text.len()].copy_from_slice(text.as_bytes());
    bytes[0] = u8::try_from(text.len()).expect("a UUID is short");
    let digits = hex::encode(bytes);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

/// The text that [`uuid`] was given; none of a UUID that is another's.
fn text(uuid: &str) -> Option<String> {
    let bytes = hex::decode(uuid.replace('-', "")).ok()?;
    let (length, text) = bytes.split_first()?;
    let text = text.get(..usize::from(*length))?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_survives_being_a_uuid() {
        for short in ["", "a", "AQAAAAAABwAAAAM"] {
            let uuid = uuid(short);
            assert_eq!(uuid.len(), 36);
            assert_eq!(text(&uuid).as_deref(), Some(short));
        }
    }

    #[test]
    fn a_handle_of_somebody_elses_move_names_its_source_all_the_same() {
        let handle = |text: &str| BASE64_STANDARD.encode(text);
        let foreign = json!({
            "taskId": "10f57157-fc38-4da9-a113-4de7e12d05dd",
            "sourceArn": "arn:aws:sqs:us-east-1:878966065785:q",
        });
        let read_foreign = read(&handle(&foreign.to_string())).unwrap();
        assert_eq!((read_foreign.source.name.as_str(), read_foreign.id), ("q", None));
        for bad in ["", "foobared", &handle("{}"), &handle("[]"), &"A".repeat(4096)] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
