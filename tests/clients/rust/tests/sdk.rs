//! AWS's Rust SDK against the service that `AWS_ENDPOINT_URL` names: what it sends it gets back,
//! and what it is refused is one of its own typed errors. The SDK checks the MD5 of nothing, so the
//! tests compare those of the two sides.

use std::error::Error;
use std::fmt::Debug;

use aws_sdk_sqs::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sqs::operation::create_queue::CreateQueueError;
use aws_sdk_sqs::operation::delete_message::DeleteMessageError;
use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchError;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use tidemill_client_rust::{client, counts, name, queue, receive};

fn text(kind: &str, value: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder().data_type(kind).string_value(value);
    value.build().expect("a value has a type")
}

fn bytes(kind: &str, value: &[u8]) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder().data_type(kind).binary_value(Blob::new(value));
    value.build().expect("a value has a type")
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body);
    entry.build().expect("an entry has an id and a body")
}

#[tokio::test]
async fn a_message_keeps_its_body_its_attributes_and_their_bytes() {
    let sqs = client().await;
    let url = queue(&sqs).await;
    let body = "one \"mug\" & <two>\r\n\tétoile 🌊";
    let attributes = [
        ("Title", text("String", "The Whistler — é ☕")),
        ("WeeksOn", text("Number.int", "6")),
        ("Cover", bytes("Binary.png", &[0, 1, 128, 255])),
    ];
    let mut call = sqs.send_message().queue_url(&url).message_body(body);
    for (name, value) in &attributes {
        call = call.message_attributes(*name, value.clone());
    }
    let sent = call.send().await.unwrap();
    let messages = receive(&sqs, &url, 0).await;
    let [message] = &messages[..] else { panic!("one message, not {messages:?}") };
    assert_eq!(message.body(), Some(body));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    assert!(sent.md5_of_message_attributes().is_some());
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
    let found = message.message_attributes().unwrap();
    assert_eq!(found.len(), attributes.len());
    for (name, value) in &attributes {
        assert_eq!(&found[*name], value);
    }
    let count = &MessageSystemAttributeName::ApproximateReceiveCount;
    assert_eq!(message.attributes().unwrap()[count], "1");
    let handle = message.receipt_handle().unwrap();
    sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    assert_eq!(counts(&sqs, &url).await, ("0".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn batches_of_ten_are_sent_extended_and_deleted() {
    let sqs = client().await;
    let url = queue(&sqs).await;
    let entries = (0..10).map(|n| entry(&n.to_string(), &format!("body {n}"))).collect();
    let sent = sqs.send_message_batch().queue_url(&url).set_entries(Some(entries));
    let sent = sent.send().await.unwrap();
    assert_eq!((sent.successful().len(), sent.failed().len()), (10, 0));
    let messages = receive(&sqs, &url, 0).await;
    let bodies: Vec<_> = messages.iter().filter_map(|message| message.body()).collect();
    assert_eq!(bodies, (0..10).map(|n| format!("body {n}")).collect::<Vec<_>>());

    let mut change = sqs.change_message_visibility_batch().queue_url(&url);
    let mut delete = sqs.delete_message_batch().queue_url(&url);
    for (n, message) in messages.iter().enumerate() {
        let handle = message.receipt_handle().unwrap();
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(n.to_string());
        let entry = entry.receipt_handle(handle).visibility_timeout(600).build().unwrap();
        change = change.entries(entry);
        let handle = if n == 3 { "garbage" } else { handle };
        let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
        delete = delete.entries(entry.receipt_handle(handle).build().unwrap());
    }
    assert_eq!(change.send().await.unwrap().successful().len(), 10);
    assert_eq!(counts(&sqs, &url).await, ("0".to_owned(), "10".to_owned()));
    let deleted = delete.send().await.unwrap();
    assert_eq!(deleted.successful().len(), 9);
    let [failed] = deleted.failed() else { panic!("one fails: {deleted:?}") };
    assert_eq!((failed.id(), failed.sender_fault()), ("3", true));
    assert_eq!(failed.code(), "ReceiptHandleIsInvalid");
}

#[tokio::test]
async fn a_long_poll_ends_when_a_delayed_message_is_due() {
    let sqs = client().await;
    let url = queue(&sqs).await;
    let send = sqs.send_message().queue_url(&url).message_body("at last").delay_seconds(1);
    send.send().await.unwrap();
    assert!(receive(&sqs, &url, 0).await.is_empty());
    let messages = receive(&sqs, &url, 20).await;
    assert_eq!(messages[0].body(), Some("at last"));
}

#[tokio::test]
async fn a_message_that_is_let_go_comes_back_at_once_counted_twice() {
    let sqs = client().await;
    let url = queue(&sqs).await;
    sqs.send_message().queue_url(&url).message_body("again").send().await.unwrap();
    let first = receive(&sqs, &url, 0).await;
    let handle = first[0].receipt_handle().unwrap();
    let change = sqs.change_message_visibility().queue_url(&url).receipt_handle(handle);
    change.visibility_timeout(0).send().await.unwrap();
    let again = receive(&sqs, &url, 0).await;
    let count = &MessageSystemAttributeName::ApproximateReceiveCount;
    assert_eq!(again[0].attributes().unwrap()[count], "2");
}

#[tokio::test]
async fn a_fifo_queue_keeps_each_groups_order_and_sends_nothing_twice() {
    let sqs = client().await;
    let made = sqs.create_queue().queue_name(format!("{}.fifo", name()));
    let made = made.attributes(QueueAttributeName::FifoQueue, "true").send().await.unwrap();
    let url = made.queue_url().unwrap();
    let send = |body: &str| {
        let call = sqs.send_message().queue_url(url).message_body(body);
        call.message_group_id(&body[..1]).message_deduplication_id(body).send()
    };
    let first = send("a1").await.unwrap();
    send("b1").await.unwrap();
    let last = send("a2").await.unwrap();
    let number = |text: Option<&str>| text.unwrap().parse::<u128>().unwrap();
    assert!(number(first.sequence_number()) < number(last.sequence_number()));
    assert_eq!(send("a1").await.unwrap().message_id(), first.message_id());

    let messages = receive(&sqs, url, 0).await;
    let bodies: Vec<_> = messages.iter().filter_map(|message| message.body()).collect();
    assert_eq!(bodies, ["a1", "a2", "b1"]);
    let attributes = messages[0].attributes().unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::MessageGroupId], "a");
    assert_eq!(attributes[&MessageSystemAttributeName::MessageDeduplicationId], "a1");
    let numbered = attributes[&MessageSystemAttributeName::SequenceNumber].as_str();
    assert_eq!(Some(numbered), first.sequence_number());

    let no_id = sqs.send_message().queue_url(url).message_body("x").message_group_id("a");
    let refused = refusal(no_id.send().await);
    assert_eq!(refused.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn dead_letters_go_back_by_a_move_task() {
    let sqs = client().await;
    let (source, dead) = (name(), name());
    let dead_url = sqs.create_queue().queue_name(&dead).send().await.unwrap().queue_url.unwrap();
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{dead}");
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"1"}}"#);
    let made = sqs.create_queue().queue_name(&source);
    let made = made.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
    let url = made.queue_url().unwrap();
    sqs.send_message().queue_url(url).message_body("back and forth").send().await.unwrap();
    for found in [1, 0] {
        let call = sqs.receive_message().queue_url(url).visibility_timeout(0);
        assert_eq!(call.send().await.unwrap().messages().len(), found);
    }
    let lettered = sqs.list_dead_letter_source_queues().queue_url(&dead_url).send().await.unwrap();
    assert_eq!(lettered.queue_urls(), [url]);

    // It is there when a poll finds it, and lets go of at once, for the task to move.
    let poll = sqs.receive_message().queue_url(&dead_url).wait_time_seconds(20);
    assert_eq!(poll.visibility_timeout(0).send().await.unwrap().messages().len(), 1);
    sqs.start_message_move_task().source_arn(&arn).send().await.unwrap();
    let back = receive(&sqs, url, 20).await;
    assert_eq!(back[0].body(), Some("back and forth"));
    let tasks = sqs.list_message_move_tasks().source_arn(&arn).send().await.unwrap();
    assert_eq!(tasks.results()[0].approximate_number_of_messages_moved(), 1);
    let wrong = sqs.start_message_move_task().source_arn(format!("{arn}-none")).send().await;
    assert!(refusal(wrong).is_resource_not_found_exception());
}

#[tokio::test]
async fn queues_are_listed_page_by_page_found_tagged_emptied_and_deleted() {
    let sqs = client().await;
    let stem = name();
    for n in 0..3 {
        sqs.create_queue().queue_name(format!("{stem}-{n}")).send().await.unwrap();
    }
    let pages = sqs.list_queues().queue_name_prefix(&stem).into_paginator().page_size(2);
    let mut pages = pages.send();
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await {
        listed.push(page.unwrap().queue_urls().len());
    }
    assert_eq!(listed, [2, 1]);

    let found = sqs.get_queue_url().queue_name(format!("{stem}-1")).send().await.unwrap();
    let url = found.queue_url().unwrap();
    sqs.tag_queue().queue_url(url).tags("colour", "blue").send().await.unwrap();
    let tags = sqs.list_queue_tags().queue_url(url).send().await.unwrap();
    assert_eq!(tags.tags().unwrap()["colour"], "blue");
    sqs.send_message().queue_url(url).message_body("gone").send().await.unwrap();
    sqs.purge_queue().queue_url(url).send().await.unwrap();
    assert_eq!(counts(&sqs, url).await.0, "0");
    sqs.delete_queue().queue_url(url).send().await.unwrap();
    let left = sqs.list_queues().queue_name_prefix(&stem).send().await.unwrap();
    assert_eq!(left.queue_urls().len(), 2);
}

/// What the service refused, as the operation's own error.
fn refusal<T: Debug, E: Error + 'static>(answer: Result<T, SdkError<E>>) -> E {
    match answer {
        Err(SdkError::ServiceError(error)) => error.into_err(),
        Err(other) => panic!("the call got no proper answer: {other}"),
        Ok(answer) => panic!("the call was answered: {answer:?}"),
    }
}

#[tokio::test]
async fn refusals_are_the_sdks_typed_errors() {
    let sqs = client().await;
    let missing = refusal(sqs.get_queue_url().queue_name("no-such-queue").send().await);
    assert!(matches!(missing, GetQueueUrlError::QueueDoesNotExist(_)), "{missing:?}");
    // The old code, which programs of the Query protocol's days look for.
    assert_eq!(missing.code(), Some("AWS.SimpleQueueService.NonExistentQueue"));
    assert_eq!(missing.message(), Some("The specified queue does not exist."));

    let queue = name();
    let url = sqs.create_queue().queue_name(&queue).send().await.unwrap().queue_url.unwrap();
    let other = sqs.create_queue().queue_name(&queue);
    let other = other.attributes(QueueAttributeName::VisibilityTimeout, "31").send().await;
    let other = refusal(other);
    assert!(matches!(other, CreateQueueError::QueueNameExists(_)), "{other:?}");

    let garbage = sqs.delete_message().queue_url(&url).receipt_handle("garbage").send().await;
    let garbage = refusal(garbage);
    assert!(matches!(garbage, DeleteMessageError::ReceiptHandleIsInvalid(_)), "{garbage:?}");

    let twins = vec![entry("same", "x"), entry("same", "y")];
    let twins = sqs.send_message_batch().queue_url(&url).set_entries(Some(twins)).send().await;
    let twins = refusal(twins);
    let kind = matches!(twins, SendMessageBatchError::BatchEntryIdsNotDistinct(_));
    assert!(kind, "{twins:?}");
}
