//! How long the wire takes for one SendMessage of 1 KiB: identify, read, write. Run it with
//! `cargo run --release -p tidemill-api --example hot_path`.

use std::hint::black_box;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use tidemill_api::sqs::{Request, Response, SendMessageResult};
use tidemill_api::{SERVICES, sqs};
use tidemill_base::Clock;
use tidemill_wire::{Head, identify};

const ROUNDS: u32 = 200_000;

fn main() {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-target", HeaderValue::from_static("AmazonSQS.SendMessage"));
    headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
    let body = format!(
        r#"{{"QueueUrl": "http://127.0.0.1:4566/000000000000/orders", "MessageBody": "{}"}}"#,
        "{\\\"order\\\": 1234}".repeat(64)
    );
    report("JSON, many escapes", &headers, &body);
    let body = format!(
        r#"{{"QueueUrl": "http://127.0.0.1:4566/000000000000/orders", "MessageBody": "{}"}}"#,
        "x".repeat(1024)
    );
    report("JSON, no escapes", &headers, &body);
    headers.remove("x-amz-target");
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    let body = format!(
        "Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2F127.0.0.1%3A4566%2F0%2Fq\
         &MessageBody={}",
        "x%22y+z".repeat(200)
    );
    report("Query", &headers, &body);
}

fn report(name: &str, headers: &HeaderMap, body: &str) {
    let head = Head { method: &Method::POST, path: "/", query: None, headers: headers.into() };
    let response = Response::SendMessage(SendMessageResult {
        md5_of_message_body: Some("0123456789abcdef0123456789abcdef".to_owned()),
        message_id: Some("5fea7756-0ea4-451a-a703-a558b933e274".to_owned()),
        ..SendMessageResult::default()
    });
    let clock = Clock::system();
    let start = clock.monotonic();
    for _ in 0..ROUNDS {
        let body = black_box(body).as_bytes();
        let call = identify(SERVICES, &head, body, Some("sqs")).expect("it is SendMessage");
        let request = Request::decode(&call, &head, body).expect("it is complete");
        assert!(matches!(request, sqs::Request::SendMessage(_)));
        black_box(request);
        black_box(response.encode(&call, "5fea7756-0ea4-451a-a703-a558b933e274"));
    }
    let each: Duration = clock.monotonic().saturating_sub(start) / ROUNDS;
    println!("{name}: {each:?} a message");
}
