//! Any JSON body of any operation is read or refused: no panic, no hang.
//! `cargo +nightly fuzz run json`

#![no_main]

use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use tidemill_api::{SERVICES, sqs};
use tidemill_wire::{Head, identify};

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, body) = input;
    let operations = sqs::SERVICE.operations;
    let operation = &operations[usize::from(choice) % operations.len()];
    let target = format!("{}.{}", sqs::SERVICE.target, operation.name);
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-target", HeaderValue::from_str(&target).expect("names are ASCII"));
    let head = Head { method: &Method::POST, path: "/", query: None, headers: (&headers).into() };
    let call = identify(SERVICES, &head, body, None).expect("the target is known");
    let _ = sqs::Request::decode(&call, &head, body);
});
