//! An answer, and how it stands on the wire.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use tidemill_base::{Clock, Fields};

use crate::head::Version;

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, but for those that tell its length, its time, and what becomes of the
    /// connection.
    pub headers: Fields,
    /// Its body.
    pub body: Bytes,
}

/// What an answer goes back to.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) version: Version,
    /// Whether the connection goes on.
    pub(crate) keeps: bool,
}

impl Answer {
    /// One with a body of this type.
    pub fn new(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = Fields::new();
        headers.insert(CONTENT_TYPE, kind);
        Self { status, headers, body: body.into() }
    }

    /// Adds the head to `out`, and returns the body that follows it, if one does.
    pub(crate) fn write(self, asked: Asked<'_>, clock: &Clock, out: &mut BytesMut) -> Bytes {
        let Self { status, headers, body } = self;
        out.extend_from_slice(match asked.version {
            Version::Http10 => b"HTTP/1.0 ",
            Version::Http11 => b"HTTP/1.1 ",
        });
        out.extend_from_slice(status.as_str().as_bytes());
        out.extend_from_slice(b" ");
        out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
        for (name, value) in headers.iter() {
            push(out, name.as_str(), value.as_bytes());
        }
        let bare = status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if !bare {
            push(out, "content-length", itoa::Buffer::new().format(body.len()).as_bytes());
        }
        match (asked.keeps, asked.version) {
            (false, _) => push(out, "connection", b"close"),
            (true, Version::Http10) => push(out, "connection", b"keep-alive"),
            (true, Version::Http11) => {}
        }
        push(out, "date", &date(clock));
        out.extend_from_slice(b"\r\n");
        if bare || asked.method == Method::HEAD { Bytes::new() } else { body }
    }
}

fn push(out: &mut BytesMut, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A date as headers have it.
type Date = [u8; 29];

/// The last second that a date has room for.
const END_OF_9999: u64 = 253_402_300_799;

/// What time it is. To write it out takes longer than all the rest of a head, so it is kept for
/// the second that it is true.
fn date(clock: &Clock) -> Date {
    thread_local! {
        static LAST: Cell<(u64, Date)> = const { Cell::new((u64::MAX, [b' '; 29])) };
    }
    let second = (clock.now().as_millis() / 1000).min(END_OF_9999);
    let (last, mut date) = LAST.get();
    if last != second {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let text = httpdate::fmt_http_date(time);
        date.copy_from_slice(text.as_bytes().first_chunk().unwrap_or(&[b' '; 29]));
        LAST.set((second, date));
    }
    date
}
