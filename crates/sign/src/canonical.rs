//! The canonical request: the one text that both sides make of a request before they sign it.

use http::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};
use sha2::{Digest, Sha256};
use tidemill_base::Headers;

use crate::request::Request;

/// The first line of what is signed, and the scheme of the `Authorization` header.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The query parameter that holds the signature, which cannot cover itself.
const SIGNATURE: &[u8] = b"X-Amz-Signature";

/// The canonical request. `signed` is sorted; `payload_hash` is what stands for the body.
pub(crate) fn canonical_request(
    request: &Request<'_>,
    signed: &[HeaderName],
    payload_hash: &str,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b'\n');
    push_path(&mut out, request.path);
    out.push(b'\n');
    push_query(&mut out, request.query);
    out.push(b'\n');
    for name in signed {
        push_header(&mut out, request.headers, name);
    }
    out.push(b'\n');
    out.extend_from_slice(joined(signed).as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload_hash.as_bytes());
    out
}

/// The text that is signed: the algorithm, the time, the scope, and the canonical request's hash.
pub(crate) fn string_to_sign(basic_time: &str, scope: &str, canonical_request: &[u8]) -> String {
    let hash = to_hex(&Sha256::digest(canonical_request).into());
    format!("{ALGORITHM}\n{basic_time}\n{scope}\n{hash}")
}

/// A hash as text.
pub(crate) fn to_hex(hash: &[u8; 32]) -> String {
    // `hex::encode` goes through an iterator of characters, and every request waits for two.
    let mut text = vec![0; 64];
    hex::encode_to_slice(hash, &mut text).expect("64 digits make 32 bytes");
    String::from_utf8(text).expect("hexadecimal digits are ASCII")
}

/// The names of headers as a signature lists them.
pub(crate) fn joined(names: &[HeaderName]) -> String {
    let mut list = String::with_capacity(64);
    for name in names {
        if !list.is_empty() {
            list.push(';');
        }
        list.push_str(name.as_str());
    }
    list
}

/// A path without empty and relative segments, each percent sign of it encoded again.
fn push_path(out: &mut Vec<u8>, path: &str) {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    for segment in &kept {
        out.push(b'/');
        push_encoded(out, segment.as_bytes());
    }
    if kept.is_empty() || path.ends_with('/') {
        out.push(b'/');
    }
}

/// The query's pairs, each decoded and encoded anew, in the order of their encoded names and then
/// values. Clients differ in what they leave unencoded on the wire, not in what they sign.
fn push_query(out: &mut Vec<u8>, query: &str) {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = parameters(query)
        .filter(|(name, _)| name != SIGNATURE)
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// The decoded names and values of a query string.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// `name:value,value\n`, each value trimmed and its runs of blanks folded into one.
fn push_header(out: &mut Vec<u8>, headers: Headers<'_>, name: &HeaderName) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.push(b':');
    for (at, value) in headers.all(name).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        for (at, word) in words.enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(word);
        }
    }
    out.push(b'\n');
}

fn decoded(text: &str) -> Vec<u8> {
    // A plus is a space, as in a form; one that is meant is %2B.
    let spaced: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).collect()
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    push_encoded(&mut out, bytes);
    out
}

fn push_encoded(out: &mut Vec<u8>, bytes: &[u8]) {
    for part in percent_encode(bytes, RESERVED) {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> String {
        let mut out = Vec::new();
        push_path(&mut out, path);
        String::from_utf8(out).unwrap()
    }

    fn query(query: &str) -> String {
        let mut out = Vec::new();
        push_query(&mut out, query);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_path_loses_its_empty_and_relative_segments() {
        for (given, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/a/..", "/"),
            ("/../../a", "/a"),
            ("//a//b//", "/a/b/"),
            ("/a/./b", "/a/b"),
        ] {
            assert_eq!(path(given), canonical, "{given:?}");
        }
    }

    #[test]
    fn a_path_is_encoded_once_more_than_on_the_wire() {
        assert_eq!(path("/a%20b/~x"), "/a%2520b/~x");
    }

    #[test]
    fn a_query_is_sorted_by_name_and_then_by_value() {
        assert_eq!(query("b=2&a=2&a=1&a-b=0&c"), "a=1&a=2&a-b=0&b=2&c=");
    }

    #[test]
    fn a_query_is_encoded_the_one_way() {
        assert_eq!(query("x=%7e%2f+*&&y=a%20b/:"), "x=~%2F%20%2A&y=a%20b%2F%3A");
    }

    #[test]
    fn a_query_does_not_sign_its_signature() {
        assert_eq!(query("X-Amz-Signature=abc&X-Amz-Date=d"), "X-Amz-Date=d");
    }
}
