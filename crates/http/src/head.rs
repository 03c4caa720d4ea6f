//! A request's head, read: what it asks for, and how the body behind it is told from what follows.

use http::{Method, StatusCode};
use tidemill_base::{ByteSize, Header};

/// As many headers as a request may have.
const MOST_HEADERS: usize = 100;

/// Which HTTP a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Answered, and closed unless the client asks for more.
    Http10,
    /// Kept unless the client says that it is done.
    Http11,
}

/// How a body's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none, or it has so many bytes.
    Length(u64),
    /// It comes in chunks, the last of which is empty.
    Chunked,
}

/// A request's head.
#[derive(Debug)]
pub struct Head<'a> {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: &'a str,
    /// What follows the question mark, still percent-encoded.
    pub query: Option<&'a str>,
    /// Which HTTP the client speaks.
    pub version: Version,
    /// The headers, in order.
    pub headers: Vec<Header<'a>>,
    /// How the body's end is told.
    pub framing: Framing,
    /// Whether the client goes on with the connection.
    pub keeps: bool,
    /// Whether the client waits to be told to send the body.
    pub expects: bool,
    /// How many bytes the head has.
    pub length: usize,
}

/// Why what came is no request. What could be read in two ways is none either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is not HTTP/1.
    #[error("this is no HTTP/1.1 request")]
    NotHttp,
    /// A line of it ends in a line feed alone.
    #[error("the request's lines do not end in carriage return and line feed")]
    Lines,
    /// It names two hosts, or one twice.
    #[error("the request names its host twice")]
    Hosts,
    /// It asks for no path.
    #[error("the request names no path")]
    Target,
    /// It has more headers than a server reads.
    #[error("the request has more than {MOST_HEADERS} headers")]
    TooManyHeaders,
    /// Request line and headers are larger than allowed.
    #[error("the request's head is larger than {0}")]
    TooLarge(ByteSize),
    /// It says in two ways, or in none that we know, where its body ends.
    #[error("the request does not say clearly where its body ends")]
    Framing,
    /// The head did not come whole in time.
    #[error("the request's head did not arrive in time")]
    TooSlow,
}

impl Malformed {
    /// What it is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotHttp | Self::Lines | Self::Hosts | Self::Target | Self::Framing => {
                StatusCode::BAD_REQUEST
            }
            Self::TooManyHeaders | Self::TooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

impl<'a> Head<'a> {
    /// Reads the head at the beginning of `bytes`; nothing if it is not whole yet.
    ///
    /// # Errors
    /// If what is there can be no head, or one that says two things.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut lines = [const { std::mem::MaybeUninit::uninit() }; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let length = match request.parse_with_uninit_headers(bytes, &mut lines) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Malformed::TooManyHeaders),
            Err(_) => return Err(Malformed::NotHttp),
        };
        let method = request.method.unwrap_or_default().as_bytes();
        let method = Method::from_bytes(method).map_err(|_| Malformed::NotHttp)?;
        let (path, query) = parts(request.path.unwrap_or_default()).ok_or(Malformed::Target)?;
        let version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
        let mut read = Self {
            method,
            path,
            query,
            version,
            headers: Vec::with_capacity(request.headers.len()),
            framing: Framing::Length(0),
            keeps: false,
            expects: false,
            length,
        };
        let mut announced = Announced::default();
        let mut ends = bytes[..length].ends_with(b"\r\n\r\n");
        for httparse::Header { name, value } in &*request.headers {
            // The parser takes a line feed alone as an end, and others do not.
            let before = name.as_ptr().addr() - bytes.as_ptr().addr();
            ends &= bytes[..before].ends_with(b"\r\n");
            read.headers.push(Header { name, value });
            announced.heed(name, value)?;
        }
        if !ends {
            return Err(Malformed::Lines);
        }
        read.framing = announced.framing(version)?;
        read.keeps = !announced.closes && (version == Version::Http11 || announced.stays);
        // Who speaks HTTP/1.0 does not know that answer.
        read.expects = announced.expects && version == Version::Http11;
        Ok(Some(read))
    }
}

/// What headers say of the request as a message.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a header that is there or not")]
struct Announced {
    length: Option<u64>,
    chunked: bool,
    host: bool,
    expects: bool,
    closes: bool,
    stays: bool,
}

impl Announced {
    /// Takes in what a header says.
    fn heed(&mut self, name: &str, value: &[u8]) -> Result<(), Malformed> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // Few names are as long as one of these.
        match name.len() {
            4 if is("host") && self.host => return Err(Malformed::Hosts),
            4 if is("host") => self.host = true,
            6 if is("expect") => self.expects = value.eq_ignore_ascii_case(b"100-continue"),
            10 if is("connection") => {
                for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    self.closes |= word.eq_ignore_ascii_case(b"close");
                    self.stays |= word.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if is("content-length") => {
                let length = digits(value).ok_or(Malformed::Framing)?;
                if self.length.replace(length).is_some_and(|before| before != length) {
                    return Err(Malformed::Framing);
                }
            }
            17 if is("transfer-encoding") => {
                // Chunks of something else we could not undo.
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed::Framing);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn framing(&self, version: Version) -> Result<Framing, Malformed> {
        match (self.length, self.chunked, version) {
            (length, false, _) => Ok(Framing::Length(length.unwrap_or(0))),
            (None, true, Version::Http11) => Ok(Framing::Chunked),
            _ => Err(Malformed::Framing),
        }
    }
}

/// A number in decimal digits and nothing else.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

/// Path and query of a request's target: in whichever form it stands.
fn parts(target: &str) -> Option<(&str, Option<&str>)> {
    let target = target.split_once('#').map_or(target, |(before, _)| before);
    let origin = if target.starts_with('/') {
        target
    } else if let Some((scheme, rest)) = target.split_once("://") {
        // To a proxy; the host stands in its header too.
        if !is_scheme(scheme) {
            return None;
        }
        let slash = rest.find(['/', '?']).unwrap_or(rest.len());
        &rest[slash..]
    } else if target == "*" {
        return Some(("*", None));
    } else {
        return None;
    };
    let (path, query) = match origin.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (origin, None),
    };
    Some((if path.is_empty() { "/" } else { path }, query))
}

/// Whether an address can begin so.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Head<'_>>, Malformed> {
        Head::read(text.as_bytes())
    }

    fn framing(headers: &str) -> Result<Framing, Malformed> {
        read(&format!("POST / HTTP/1.1\r\n{headers}\r\n")).map(|head| head.unwrap().framing)
    }

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = "POST /1/q?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
        for end in 0..text.len() - 3 {
            assert!(read(&text[..end]).unwrap().is_none(), "{end}");
        }
        let head = read(text).unwrap().unwrap();
        assert_eq!((head.method, head.path, head.query), (Method::POST, "/1/q", Some("a=b")));
        assert_eq!((head.framing, head.length), (Framing::Length(3), text.len() - 3));
        assert_eq!(head.headers[0], Header { name: "Host", value: b"h" });
        assert!(head.keeps && !head.expects);
    }

    #[test]
    fn a_target_has_four_forms_of_which_one_names_no_path() {
        for (target, read) in [
            ("/", Some(("/", None))),
            ("/a?b?c#d", Some(("/a", Some("b?c")))),
            ("http://host:1/a?b", Some(("/a", Some("b")))),
            ("http://host", Some(("/", None))),
            ("http://host?b", Some(("/", Some("b")))),
            ("*", Some(("*", None))),
            ("host:443", None),
            ("a?b=http://host/c", None),
            ("a/b://host/c", None),
            ("://host/c", None),
            ("", None),
        ] {
            assert_eq!(parts(target), read, "{target:?}");
        }
    }

    #[test]
    fn where_a_body_ends_is_said_once() {
        assert_eq!(framing(""), Ok(Framing::Length(0)));
        assert_eq!(framing("content-length: 7\r\nContent-Length: 7\r\n"), Ok(Framing::Length(7)));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        for bad in [
            "content-length: 7\r\ncontent-length: 8\r\n",
            "content-length: 7, 7\r\n",
            "content-length: +7\r\n",
            "content-length: \r\n",
            "content-length: 99999999999999999999\r\n",
            "content-length: 7\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: identity\r\n",
        ] {
            assert_eq!(framing(bad), Err(Malformed::Framing), "{bad:?}");
        }
        let old = "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(read(old).unwrap_err(), Malformed::Framing);
    }

    #[test]
    fn a_client_says_whether_it_goes_on() {
        for (version, connection, keeps) in [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: te, Close\r\n", false),
            ("1.1", "Connection: close, keep-alive\r\n", false),
            ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: keep-alive, close\r\n", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
        ] {
            let text = format!("GET / HTTP/{version}\r\n{connection}\r\n");
            assert_eq!(read(&text).unwrap().unwrap().keeps, keeps, "{text:?}");
        }
    }

    #[test]
    fn only_who_knows_the_answer_waits_for_it() {
        for (version, expects) in [("1.1", true), ("1.0", false)] {
            let text = format!("POST / HTTP/{version}\r\nExpect: 100-Continue\r\n\r\n");
            assert_eq!(read(&text).unwrap().unwrap().expects, expects, "{text:?}");
        }
    }

    #[test]
    fn what_others_may_read_otherwise_is_refused() {
        for bad in [
            "GET / HTTP/1.1\na: b\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\nc: d\r\n\r\n",
            "GET / HTTP/1.1\r\na:\nc: d\r\n\r\n",
            "GET / HTTP/1.1\r\na: b \nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\r\n\n",
            "GET / HTTP/1.1\r\na: b\n\r\n",
            "GET / HTTP/1.1\n\n",
        ] {
            assert_eq!(read(bad).unwrap_err(), Malformed::Lines, "{bad:?}");
        }
        let hosts = "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n";
        assert_eq!(read(hosts).unwrap_err(), Malformed::Hosts);
        for bad in [
            "GET / HTTP/1.1\r\na : b\r\n\r\n",
            "GET / HTTP/1.1\r\n a: b\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\0c\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nab\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding:\x0bchunked\r\n\r\n",
            "GET /\ta HTTP/1.1\r\n\r\n",
            "GET / a HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1 \r\n\r\n",
        ] {
            assert_eq!(read(bad).unwrap_err(), Malformed::NotHttp, "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bad in
            ["\x16\x03\x01\x02", "GET / HTTP/2.0\r\n\r\n", "GET\r\n\r\n", "G@T / HTTP/1.1\r\n\r\n"]
        {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
        assert_eq!(read(&many).unwrap_err(), Malformed::TooManyHeaders);
        assert_eq!(read("CONNECT host:443 HTTP/1.1\r\n\r\n").unwrap_err(), Malformed::Target);
    }
}
