//! Any form, with any query string, is read or refused: no panic, no hang.
//! `cargo +nightly fuzz run form`

#![no_main]

use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use tidemill_api::{SERVICES, sqs, sts};
use tidemill_wire::{Head, encode_fault, identify};

fuzz_target!(|input: (&str, &[u8])| {
    let (query, body) = input;
    let mut headers = HeaderMap::new();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert("content-type", form);
    let headers = (&headers).into();
    let head = Head { method: &Method::POST, path: "/1/q", query: Some(query), headers };
    match identify(SERVICES, &head, body, None) {
        Ok(call) if call.service.name == sqs::SERVICE.name => {
            let _ = sqs::Request::decode(&call, &head, body);
        }
        Ok(call) => {
            let _ = sts::Request::decode(&call, &head, body);
        }
        Err(refusal) => {
            encode_fault(refusal.protocol, refusal.service, &refusal.fault, "id");
        }
    }
});
