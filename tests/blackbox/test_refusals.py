"""Refusals in AWS's own codes and words, for values that no well-behaved client would send."""

import botocore.exceptions
import pytest

from test_protocols import call
from test_standard_queue import counts, refused

TEXT = {"DataType": "String", "StringValue": "v"}


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({}, "Value for parameter QueueName is invalid. Reason: Must specify a queue name."),
        ({"QueueName": ""}, "Queue name cannot be empty"),
    ],
)
def test_a_queue_without_a_name_is_refused(shared, parameters, message):
    status, headers, body = call(shared, "CreateQueue", **parameters)
    assert (status, headers["x-amzn-query-error"]) == (400, "InvalidParameterValue;Sender")
    assert body["message"] == message


@pytest.mark.parametrize("name", ["a b", "a" * 81, "ä", "a/b"])
def test_a_queues_name_has_80_plain_characters(sqs, name):
    message = refused("InvalidParameterValue", sqs.create_queue, QueueName=name)
    assert message == (
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    )


@pytest.mark.parametrize(
    "operation, kind",
    [
        ("SendMessageBatch", "SendMessageBatchRequestEntry"),
        ("DeleteMessageBatch", "DeleteMessageBatchRequestEntry"),
        ("ChangeMessageVisibilityBatch", "ChangeMessageVisibilityBatch"),
    ],
)
def test_a_batch_of_nothing_is_refused(shared, queue, operation, kind):
    _, headers, body = call(shared, operation, QueueUrl=queue)
    assert headers["x-amzn-query-error"] == "MissingParameter;Sender"
    assert body["message"] == "The request must contain the parameter Entries."
    _, headers, body = call(shared, operation, QueueUrl=queue, Entries=[])
    code = "AWS.SimpleQueueService.EmptyBatchRequest;Sender"
    assert headers["x-amzn-query-error"] == code
    assert body["message"] == f"There should be at least one {kind} in the request."


@pytest.mark.parametrize(
    "given, taken_as", [(5, "5"), (True, "true"), (1.5, "1.5"), (-2, "-2"), (False, "false")]
)
def test_a_number_or_a_boolean_is_taken_for_text(shared, sqs, queue, given, taken_as):
    status, _, _ = call(shared, "SendMessage", QueueUrl=queue, MessageBody=given)
    assert status == 200
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == taken_as


@pytest.mark.parametrize(
    "parameters, message",
    [
        (
            {"MessageBody": {"a": 1}},
            "Start of structure or map found where not expected.",
        ),
        ({"MessageBody": ["a"]}, "Start of list found where not expected"),
        (
            {"MessageBody": "x", "DelaySeconds": {}},
            "Start of structure or map found where not expected.",
        ),
        ({"MessageBody": "x", "DelaySeconds": [1]}, "Start of list found where not expected"),
        ({"MessageBody": "x", "MessageAttributes": "a"}, "Expected null"),
        (
            {"MessageBody": "x", "DelaySeconds": "5"},
            "STRING_VALUE can not be converted to an Integer",
        ),
    ],
)
def test_a_value_of_another_kind_is_refused_in_the_words_of_aws(
    shared, queue, parameters, message
):
    status, _, body = call(shared, "SendMessage", QueueUrl=queue, **parameters)
    assert (status, body["message"]) == (400, message)
    assert body["__type"].endswith("#SerializationException")


def test_a_list_among_a_maps_values_has_words_of_its_own(shared):
    attributes = {"DelaySeconds": []}
    _, _, body = call(shared, "CreateQueue", QueueName="mapped", Attributes=attributes)
    assert body["message"] == "Unrecognized collection type class java.lang.String"
    _, _, body = call(shared, "UntagQueue", QueueUrl="any", TagKeys="a")
    assert body["message"] == "Expected list or null"


@pytest.mark.parametrize("url", ["http://nowhere", "http://x/1/2/3/4/5", "a b", "/12/orders"])
def test_what_is_no_queues_url_is_no_queue(shared, url):
    _, headers, body = call(shared, "GetQueueAttributes", QueueUrl=url)
    code = "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert headers["x-amzn-query-error"] == code
    assert body["message"] == "The specified queue does not exist."


def test_no_queue_can_be_made_by_saying_that_it_is_no_fifo_queue(shared):
    for name in ("plain", "ordered.fifo"):
        attributes = {"FifoQueue": "false"}
        _, _, body = call(shared, "CreateQueue", QueueName=name, Attributes=attributes)
        assert body["message"] == "Unknown Attribute FifoQueue."


def test_a_message_attribute_without_anything_lacks_a_value(shared, queue):
    given = {"QueueUrl": queue, "MessageBody": "x", "MessageAttributes": {"city": {}}}
    _, headers, body = call(shared, "SendMessage", **given)
    assert headers["x-amzn-query-error"] == "InvalidParameterValue;Sender"
    assert body["message"] == (
        "The message (user) attribute 'city' must contain a non-empty message attribute value."
    )


def test_what_only_fifo_queues_take_is_refused_on_a_standard_queue(sqs, queue):
    message = "The request include parameter {} which is not valid for this queue type"
    code = "InvalidParameterValue"
    body = {"QueueUrl": queue, "MessageBody": "x"}
    told = refused(code, sqs.send_message, **body, MessageDeduplicationId="d")
    assert told == message.format("MessageDeduplicationId")
    told = refused(code, sqs.receive_message, QueueUrl=queue, ReceiveRequestAttemptId="d")
    assert told == message.format("ReceiveRequestAttemptId")


@pytest.mark.parametrize("group", ["", "g" * 129, "a b", "é"])
def test_a_group_id_has_128_printable_characters_on_a_standard_queue_too(sqs, queue, group):
    message = refused(
        "InvalidParameterValue",
        sqs.send_message,
        QueueUrl=queue,
        MessageBody="x",
        MessageGroupId=group,
    )
    assert message == (
        f"Value {group} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only "
        "include alphanumeric and punctuation characters. 1 to 128 in length."
    )


@pytest.mark.parametrize(
    "parameter, value, reason",
    [
        ("MaxNumberOfMessages", 0, "Must be between 1 and 10, if provided."),
        ("MaxNumberOfMessages", 11, "Must be between 1 and 10, if provided."),
        ("WaitTimeSeconds", -1, "Must be >= 0 and <= 20, if provided."),
        ("WaitTimeSeconds", 21, "Must be >= 0 and <= 20, if provided."),
        ("VisibilityTimeout", 43201, "Must be >= 0 and <= 43200, if provided."),
    ],
)
def test_a_receives_numbers_have_their_ranges(sqs, queue, parameter, value, reason):
    message = refused(
        "InvalidParameterValue", sqs.receive_message, QueueUrl=queue, **{parameter: value}
    )
    assert message == f"Value {value} for parameter {parameter} is invalid. Reason: {reason}"


@pytest.mark.parametrize(
    "name",
    ["aws.x", "AMAZON.x", ".x", "x.", "a..b", "a!", 'a"', "a§", "a(", "a?", "n" * 257],
)
def test_a_message_attributes_name_has_its_rules(sqs, queue, name):
    refused(
        "InvalidParameterValue",
        sqs.send_message,
        QueueUrl=queue,
        MessageBody="x",
        MessageAttributes={name: TEXT},
    )
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes={"attr.1øßä": TEXT})


@pytest.mark.parametrize(
    "value",
    [
        {"DataType": "String", "StringValue": "\x08"},
        {"DataType": "Number", "StringValue": "many"},
        {"DataType": "Stringy", "StringValue": "v"},
        {"DataType": "String." + "x" * 250, "StringValue": "v"},
        {"DataType": "Binary", "BinaryValue": b""},
    ],
)
def test_a_message_attributes_value_has_its_rules(sqs, queue, value):
    refused(
        "InvalidParameterValue",
        sqs.send_message,
        QueueUrl=queue,
        MessageBody="x",
        MessageAttributes={"a": value},
    )


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x13", "\uffff"])
def test_a_body_has_the_characters_of_xml(sqs, queue, character):
    refused(
        "InvalidMessageContents", sqs.send_message, QueueUrl=queue, MessageBody=f"a{character}"
    )


def test_attributes_that_a_standard_queue_cannot_have_are_refused_by_name(sqs, queue):
    code = "InvalidAttributeName"
    for name in ("FifoQueue", "ContentBasedDeduplication"):
        for call_, place in (
            (sqs.create_queue, {"QueueName": "no-fifo"}),
            (sqs.set_queue_attributes, {"QueueUrl": queue}),
        ):
            told = refused(code, call_, **place, Attributes={name: "false"})
            assert told == f"Unknown Attribute {name}."
    for name in ("DeduplicationScope", "FifoThroughputLimit"):
        told = refused(code, sqs.create_queue, QueueName="no-fifo", Attributes={name: "queue"})
        assert told == f"You can specify the {name} only when FifoQueue is set to true."


def test_one_kind_of_encryption_takes_the_place_of_the_other(sqs, queue):
    def encryption():
        names = ["SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"]
        return sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]

    def set_to(**attributes):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=attributes)

    set_to(SqsManagedSseEnabled="True")
    assert encryption() == {"SqsManagedSseEnabled": "true"}
    set_to(KmsMasterKeyId="alias/aws/sqs")
    assert encryption() == {
        "SqsManagedSseEnabled": "false",
        "KmsMasterKeyId": "alias/aws/sqs",
        "KmsDataKeyReusePeriodSeconds": "300",
    }
    set_to(KmsMasterKeyId="", KmsDataKeyReusePeriodSeconds="300")
    assert encryption() == {"SqsManagedSseEnabled": "false"}
    with pytest.raises(botocore.exceptions.ClientError, match="one type of server-side"):
        set_to(KmsMasterKeyId="alias/aws/sqs", SqsManagedSseEnabled="true")


def test_the_same_handle_twice_in_a_batch_is_served_twice(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    handle = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    entries = [{"Id": name, "ReceiptHandle": handle} for name in ("a", "b")]
    answer = sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["a", "b"]
    assert "Failed" not in answer
    assert counts(sqs, queue) == (0, 0, 0)


def test_a_trace_header_is_kept_and_digested_by_itself(sqs, queue):
    sent = sqs.send_message(
        QueueUrl=queue,
        MessageBody="x",
        MessageGroupId="fair",
        MessageSystemAttributes={"AWSTraceHeader": TEXT},
    )
    assert "MD5OfMessageAttributes" not in sent and sent["MD5OfMessageSystemAttributes"]
    (message,) = sqs.receive_message(
        QueueUrl=queue,
        AttributeNames=["AWSTraceHeader"],
        MessageSystemAttributeNames=["MessageGroupId"],
    )["Messages"]
    assert message["Attributes"] == {"AWSTraceHeader": "v", "MessageGroupId": "fair"}
