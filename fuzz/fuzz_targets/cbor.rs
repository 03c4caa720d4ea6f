//! Any CBOR body of any operation is read or refused: no panic, no hang.
//! `cargo +nightly fuzz run cbor`

#![no_main]

use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;
use tidemill_api::sqs;
use tidemill_wire::{Call, Head, Protocol};

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, body) = input;
    let service = &sqs::SERVICE;
    let operation = &service.operations[usize::from(choice) % service.operations.len()];
    // No service of ours need speak it: the format is read by schema, whosever it is.
    let call = Call { service, operation, protocol: Protocol::RpcV2Cbor };
    let headers = HeaderMap::new();
    let head = Head { method: &Method::POST, path: "/", query: None, headers: (&headers).into() };
    let _ = sqs::Request::decode(&call, &head, body);
});
