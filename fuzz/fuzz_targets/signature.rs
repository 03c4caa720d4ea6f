//! Any Authorization header and any presigned query is read or refused, and nobody's guess at a
//! signature is right.
//! `cargo fuzz run signature`

#![no_main]

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use tidemill_base::{Clock, Timestamp};
use tidemill_sign::{Credential, KeyCache, Payload, Presented, Request, Secret, Window, verify};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Which beginnings are given, so that they need not be guessed.
    form: u8,
    path: &'a str,
    query: &'a str,
    authorization: &'a [u8],
    date: &'a [u8],
    hash: Option<&'a [u8]>,
    body: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let mut headers = HeaderMap::new();
    let mut query = input.query.to_owned();
    let mut authorization = input.authorization.to_owned();
    match input.form % 4 {
        0 => {}
        1 => authorization.splice(..0, *b"AWS4-HMAC-SHA256 ").for_each(drop),
        2 => {
            let credential =
                *b"AWS4-HMAC-SHA256 Credential=AK/20231114/us-east-1/sqs/aws4_request, ";
            authorization.splice(..0, credential).for_each(drop);
        }
        _ => {
            authorization.clear();
            query.insert_str(
                0,
                "X-Amz-Algorithm=AWS4-HMAC-SHA256\
                 &X-Amz-Credential=AK%2F20231114%2Fus-east-1%2Fsqs%2Faws4_request\
                 &X-Amz-Date=20231114T221320Z&X-Amz-Expires=60&",
            );
        }
    }
    if !authorization.is_empty() {
        let Ok(value) = HeaderValue::from_bytes(&authorization) else { return };
        headers.insert("authorization", value);
    }
    for (name, value) in [("x-amz-date", Some(input.date)), ("x-amz-content-sha256", input.hash)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value).ok()) {
            headers.append(name, value);
        }
    }
    headers.insert("host", HeaderValue::from_static("localhost"));
    let request = Request {
        method: &Method::POST,
        path: input.path,
        query: &query,
        headers: (&headers).into(),
        payload: Payload::Body(input.body),
    };
    let _ = Credential::claimed(&request);
    let Ok(Some(presented)) = Presented::of(&request) else { return };
    let now = Clock::manual(Timestamp::from_millis(1_700_000_000_000)).now();
    let window = Window { now, skew: Duration::from_mins(5) };
    let secret = Secret::new("nobody knows".into());
    let verified = verify(&presented, &request, &secret, window, &KeyCache::new(4));
    assert!(verified.is_err(), "a guess was right");
});
