//! What clients ask for, as bytes made beforehand: a client that shares the machine with what it
//! measures must cost as little as it can.

use anyhow::Context as _;
use base64::Engine as _;
use memchr::{memchr, memmem};
use serde_json::{Value, json};

use crate::client::request;

/// The most messages in a request.
pub const BATCH: usize = 10;
/// Nothing that was received comes back while a benchmark runs, in seconds.
const VISIBILITY: u32 = 36_000;
/// What stands before a receipt handle in an answer; no body that is sent here holds it.
const HANDLE: &str = "\"ReceiptHandle\":\"";

/// The requests to one queue, each with so many messages.
#[derive(Clone, Debug)]
pub struct Work {
    url: String,
    batch: usize,
    /// Sends messages, all of them alike.
    pub send: Vec<u8>,
    /// Receives.
    pub receive: Vec<u8>,
}

impl Work {
    /// For the queue at `url`, with messages of `size` bytes, `batch` at a time.
    pub fn new(url: &str, size: usize, batch: usize) -> Self {
        let body = body(size);
        let (operation, parameters) = if batch == 1 {
            ("SendMessage", json!({ "QueueUrl": url, "MessageBody": body }))
        } else {
            let entry = |id: usize| json!({ "Id": id.to_string(), "MessageBody": body });
            let entries: Vec<Value> = (0..batch).map(entry).collect();
            ("SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries }))
        };
        let send = request("/", operation, &parameters.to_string());
        let parameters = json!({
            "QueueUrl": url, "MaxNumberOfMessages": batch, "VisibilityTimeout": VISIBILITY,
        });
        let receive = request("/", "ReceiveMessage", &parameters.to_string());
        Self { url: url.to_owned(), batch, send, receive }
    }

    /// Deletes what was received by these handles.
    pub fn delete(&self, handles: &[String]) -> Vec<u8> {
        if self.batch == 1 {
            let parameters = json!({ "QueueUrl": self.url, "ReceiptHandle": handles[0] });
            return request("/", "DeleteMessage", &parameters.to_string());
        }
        // Neither a handle nor a URL has anything to escape.
        let entry = |(id, handle)| format!("{{\"Id\":\"{id}\",{HANDLE}{handle}\"}}");
        let entries: Vec<String> = handles.iter().enumerate().map(entry).collect();
        let body = format!("{{\"QueueUrl\":\"{}\",\"Entries\":[{}]}}", self.url, entries.join(","));
        request("/", "DeleteMessageBatch", &body)
    }
}

/// The receipt handles in what a receive answered. They are looked for, and not parsed: that
/// would cost the client more than the answer costs the server.
pub fn handles(answer: &[u8]) -> anyhow::Result<Vec<String>> {
    let handle = |at| {
        let rest = &answer[at + HANDLE.len()..];
        let end = memchr(b'"', rest).context("a receipt handle without an end")?;
        Ok(str::from_utf8(&rest[..end])?.to_owned())
    };
    memmem::find_iter(answer, HANDLE).map(handle).collect()
}

/// The same request, to another path.
pub fn to_path(work: &[u8], path: &str) -> Vec<u8> {
    let mut moved = format!("POST {path} ").into_bytes();
    moved.extend_from_slice(work.strip_prefix(b"POST / ").unwrap_or(work));
    moved
}

/// Random-looking bytes, so that nothing on the way profits from a run of one of them.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    (0..size as u64).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

/// Random-looking text.
fn body(size: usize) -> String {
    let mut body = base64::engine::general_purpose::STANDARD.encode(noise(size));
    body.truncate(size);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_found_in_an_answer() {
        let answer = json!({ "Messages": [
            { "Body": "a\"b", "ReceiptHandle": "one", "MD5OfBody": "x" },
            { "ReceiptHandle": "two" },
        ]});
        assert_eq!(handles(answer.to_string().as_bytes()).unwrap(), ["one", "two"]);
        assert_eq!(handles(b"{}").unwrap(), [""; 0]);
        assert!(handles(b"{\"ReceiptHandle\":\"on").is_err());
    }

    #[test]
    fn what_was_received_is_deleted_in_one_request() {
        let request = Work::new("http://q", 8, 10).delete(&["one".into(), "two".into()]);
        let body = request.split(|byte| *byte == b'\n').next_back().unwrap();
        let whole = json!({ "QueueUrl": "http://q", "Entries": [
            { "Id": "0", "ReceiptHandle": "one" }, { "Id": "1", "ReceiptHandle": "two" },
        ]});
        assert_eq!(serde_json::from_slice::<Value>(body).unwrap(), whole);
    }

    #[test]
    fn a_request_is_moved_to_another_path() {
        let work = Work::new("http://q", 8, 1);
        assert!(to_path(&work.send, "/12").starts_with(b"POST /12 HTTP/1.1\r\n"));
    }
}
