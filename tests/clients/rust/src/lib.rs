//! What the tests share: the SDK's client as an application makes it, and queues of a test's own.

use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::BehaviorVersion;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};

/// A client whose endpoint, region and key come from the environment, as a user's do.
pub async fn client() -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http);
    Client::new(&config.load().await)
}

/// A name that no other queue has.
pub fn name() -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    format!("rust-{}-{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

/// Creates a queue that nobody else uses, and returns its URL.
pub async fn queue(sqs: &Client) -> String {
    let made = sqs.create_queue().queue_name(name()).send().await;
    made.expect("a queue is created").queue_url.expect("a queue has a URL")
}

/// Receives what there is within `wait` seconds, with every attribute.
pub async fn receive(sqs: &Client, url: &str, wait: i32) -> Vec<Message> {
    let call = sqs.receive_message().queue_url(url).max_number_of_messages(10);
    let call = call.wait_time_seconds(wait).message_attribute_names("All");
    let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
    call.send().await.expect("a receive is answered").messages.unwrap_or_default()
}

/// How many messages wait, and how many are in flight.
pub async fn counts(sqs: &Client, url: &str) -> (String, String) {
    use QueueAttributeName::{
        ApproximateNumberOfMessages as Waiting, ApproximateNumberOfMessagesNotVisible as InFlight,
    };
    let call = sqs.get_queue_attributes().queue_url(url);
    let call = call.attribute_names(Waiting).attribute_names(InFlight);
    let found = call.send().await.expect("attributes are answered");
    let found = found.attributes.expect("attributes that were asked for are there");
    (found[&Waiting].clone(), found[&InFlight].clone())
}
