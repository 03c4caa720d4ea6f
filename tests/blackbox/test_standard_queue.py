"""Standard queues: visibility, delay, retention, counts, batches, purge, attributes, tags."""

import hashlib

import botocore.exceptions
import pytest


def counts(sqs, url):
    names = ["", "NotVisible", "Delayed"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return tuple(int(attributes[f"ApproximateNumberOfMessages{name}"]) for name in names)


def refused(code, call, **parameters):
    """The message of the error that a call must answer with."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call(**parameters)
    error = refusal.value.response["Error"]
    assert error["Code"] == code, error
    return error["Message"]


def test_a_received_message_comes_back_when_its_visibility_ends(shared, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="work")
    first = sqs.receive_message(QueueUrl=queue, AttributeNames=["All"])["Messages"][0]
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    shared.advance("29s")
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    shared.advance("1s")
    second = sqs.receive_message(QueueUrl=queue, AttributeNames=["All"])["Messages"][0]
    assert second["MessageId"] == first["MessageId"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    kept = ["SentTimestamp", "ApproximateFirstReceiveTimestamp"]
    assert [second["Attributes"][k] for k in kept] == [first["Attributes"][k] for k in kept]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]


def test_visibility_can_be_extended_and_given_up(shared, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="work")
    handle = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=100)
    shared.advance("99s")
    assert counts(sqs, queue) == (0, 1, 0)
    shared.advance("1s")
    assert counts(sqs, queue) == (1, 0, 0)
    handle = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    assert counts(sqs, queue) == (1, 0, 0)


def test_an_older_handle_still_deletes(shared, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="work")
    old = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"][0]
    sqs.receive_message(QueueUrl=queue)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=old["ReceiptHandle"])
    assert counts(sqs, queue) == (0, 0, 0)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=old["ReceiptHandle"])


def test_visibility_of_a_deleted_message_cannot_be_changed(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="work")
    handle = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
    message = refused(
        "InvalidParameterValue",
        sqs.change_message_visibility,
        QueueUrl=queue,
        ReceiptHandle=handle,
        VisibilityTimeout=1,
    )
    assert message == (
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist "
        "or is not available for visibility timeout change."
    )


def test_a_handle_that_is_none_is_refused(sqs, queue):
    message = refused(
        "ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=queue, ReceiptHandle="garbage"
    )
    assert message == 'The input receipt handle "garbage" is not a valid receipt handle.'


def test_a_batch_is_answered_entry_by_entry(sqs, queue):
    entries = [{"Id": f"id_{n}", "MessageBody": f"body {n}"} for n in range(9)]
    entries.append({"Id": "bad", "MessageBody": "\x08"})
    answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == [f"id_{n}" for n in range(9)]
    digest = hashlib.md5(b"body 0").hexdigest()
    assert answer["Successful"][0]["MD5OfMessageBody"] == digest
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["Code"]) == ("bad", "InvalidMessageContents")
    assert failed["SenderFault"] is True

    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in messages] == [f"body {n}" for n in range(9)]
    changes = [
        {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
        for n, message in enumerate(messages[:2])
    ]
    changed = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=changes)
    assert len(changed["Successful"]) == 2 and "Failed" not in changed
    deletes = [
        {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
        for n, message in enumerate(messages)
    ]
    deletes.append({"Id": "none", "ReceiptHandle": "garbage"})
    deleted = sqs.delete_message_batch(QueueUrl=queue, Entries=deletes)
    assert len(deleted["Successful"]) == 9
    assert [(f["Id"], f["Code"]) for f in deleted["Failed"]] == [("none", "ReceiptHandleIsInvalid")]
    assert counts(sqs, queue) == (0, 0, 0)


@pytest.mark.parametrize(
    "code, entries, message",
    [
        (
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            [{"Id": str(n), "MessageBody": "x"} for n in range(20)],
            "Maximum number of entries per request are 10. You have sent 20.",
        ),
        (
            "AWS.SimpleQueueService.EmptyBatchRequest",
            [],
            "There should be at least one SendMessageBatchRequestEntry in the request.",
        ),
        (
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            [{"Id": f"id_{n}", "MessageBody": "x"} for n in (1, 2, 2)],
            "Id id_2 repeated.",
        ),
        (
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            [{"Id": "invalid:id", "MessageBody": "x"}],
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            "It can be at most 80 letters long.",
        ),
        (
            "AWS.SimpleQueueService.BatchRequestTooLong",
            [{"Id": "1", "MessageBody": "x" * 524288}, {"Id": "2", "MessageBody": "x" * 524289}],
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
        ),
    ],
)
def test_a_batch_as_a_whole_is_refused_as_aws_refuses_it(sqs, queue, code, entries, message):
    refusal = refused(code, sqs.send_message_batch, QueueUrl=queue, Entries=entries)
    assert refusal == message
    assert counts(sqs, queue) == (0, 0, 0)


@pytest.mark.parametrize(
    "parameters, code, message",
    [
        (
            {"MessageBody": ""},
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        ),
        (
            {"MessageBody": "x" * 1048577},
            "InvalidParameterValue",
            "One or more parameters are invalid. Reason: Message must be shorter than "
            "1048576 bytes.",
        ),
        (
            {
                "MessageBody": "x",
                "MessageAttributes": {"Empty": {"DataType": "String", "StringValue": ""}},
            },
            "InvalidParameterValue",
            "Message (user) attribute 'Empty' must contain a non-empty value of type 'String'.",
        ),
    ],
)
def test_a_message_is_refused_as_aws_refuses_it(sqs, queue, parameters, code, message):
    assert refused(code, sqs.send_message, QueueUrl=queue, **parameters) == message


@pytest.mark.parametrize(
    "parameters, message",
    [
        (
            {"MaxNumberOfMessages": 11},
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 "
            "and 10, if provided.",
        ),
        (
            {"WaitTimeSeconds": 21},
            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, "
            "if provided.",
        ),
    ],
)
def test_a_receive_is_refused_as_aws_refuses_it(sqs, queue, parameters, message):
    refusal = refused("InvalidParameterValue", sqs.receive_message, QueueUrl=queue, **parameters)
    assert refusal == message


def test_the_largest_message_goes_through(sqs, queue):
    body = "y" * 1048576
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == body


def test_messages_are_gone_after_their_retention(shared, sqs):
    url = sqs.create_queue(
        QueueName="short", Attributes={"MessageRetentionPeriod": "60", "VisibilityTimeout": "10"}
    )["QueueUrl"]
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(3)]
    )
    sqs.receive_message(QueueUrl=url)
    shared.advance("59s")
    assert counts(sqs, url) == (3, 0, 0)
    shared.advance("1s")
    assert counts(sqs, url) == (0, 0, 0)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)


@pytest.mark.parametrize(
    "suffix, kind, group",
    [
        ("", {}, {}),
        (
            ".fifo",
            {"FifoQueue": "true", "ContentBasedDeduplication": "true"},
            {"MessageGroupId": "g"},
        ),
    ],
)
def test_what_is_out_when_it_grows_too_old_does_not_come_back(
    shared, sqs, make_queue, suffix, kind, group
):
    url = make_queue(suffix, MessageRetentionPeriod="60", **kind)
    sqs.send_message(QueueUrl=url, MessageBody="old", **group)
    shared.advance("40s")
    (old,) = sqs.receive_message(QueueUrl=url)["Messages"]
    shared.advance("20s")
    assert counts(sqs, url) == (0, 0, 0)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=old["ReceiptHandle"])
    shared.advance("20s")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    # Nor does it keep its group locked.
    sqs.send_message(QueueUrl=url, MessageBody="new", **group)
    (new,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert new["Body"] == "new"


def test_a_purge_empties_the_queue_and_the_next_must_wait(shared, sqs, queue):
    for delay in (0, 0, 30):
        sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=delay)
    sqs.receive_message(QueueUrl=queue)
    sqs.purge_queue(QueueUrl=queue)
    assert counts(sqs, queue) == (0, 0, 0)
    name = queue.rsplit("/", 1)[1]
    message = refused(
        "AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=queue
    )
    assert message == f"Only one PurgeQueue operation on {name} is allowed every 60 seconds."
    shared.advance("61s")
    sqs.purge_queue(QueueUrl=queue)


def test_a_new_queue_shows_the_documented_attributes(sqs, queue):
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    times = {attributes.pop("CreatedTimestamp"), attributes.pop("LastModifiedTimestamp")}
    assert len(times) == 1 and times.pop().isdigit()
    assert attributes == {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "QueueArn": f"arn:aws:sqs:us-east-1:000000000000:{queue.rsplit('/', 1)[1]}",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    }
    message = refused(
        "InvalidAttributeName",
        sqs.get_queue_attributes,
        QueueUrl=queue,
        AttributeNames=["Foobar"],
    )
    assert message == "Unknown Attribute Foobar."


def test_attributes_can_be_set_and_take_effect(shared, sqs, queue):
    sqs.set_queue_attributes(
        QueueUrl=queue,
        Attributes={"VisibilityTimeout": "5", "DelaySeconds": "3", "MaximumMessageSize": "1024"},
    )
    sqs.send_message(QueueUrl=queue, MessageBody="x" * 1024)
    assert counts(sqs, queue) == (0, 0, 1)
    shared.advance("3s")
    sqs.receive_message(QueueUrl=queue)
    shared.advance("5s")
    assert counts(sqs, queue) == (1, 0, 0)
    message = refused(
        "InvalidParameterValue", sqs.send_message, QueueUrl=queue, MessageBody="x" * 1025
    )
    assert message.endswith("Message must be shorter than 1024 bytes.")
    bad = [("VisibilityTimeout", "43201"), ("DelaySeconds", "901"), ("DelaySeconds", "x")]
    for name, value in bad:
        refused(
            "InvalidAttributeValue",
            sqs.set_queue_attributes,
            QueueUrl=queue,
            Attributes={name: value},
        )


def test_creating_again_is_harmless_unless_attributes_differ(sqs, queue):
    name = queue.rsplit("/", 1)[1]
    assert sqs.create_queue(QueueName=name)["QueueUrl"] == queue
    message = refused(
        "QueueAlreadyExists", sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "1"}
    )
    assert message == (
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    )


def test_a_deleted_queue_is_gone_and_its_name_rests(shared, sqs):
    url = sqs.create_queue(QueueName="mortal")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    message = refused(
        "AWS.SimpleQueueService.NonExistentQueue", sqs.send_message, QueueUrl=url, MessageBody="x"
    )
    assert message == "The specified queue does not exist."
    message = refused(
        "AWS.SimpleQueueService.QueueDeletedRecently", sqs.create_queue, QueueName="mortal"
    )
    assert message == (
        "You must wait 60 seconds after deleting a queue before you can create another with the "
        "same name."
    )
    shared.advance("61s")
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName="mortal")["QueueUrl"])


def test_tags_are_kept(sqs, queue):
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=queue)
    sqs.tag_queue(QueueUrl=queue, Tags={"team": "blue", "stage": "test"})
    sqs.untag_queue(QueueUrl=queue, TagKeys=["stage"])
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"team": "blue"}


def test_queues_are_listed_by_prefix_and_by_page(shared, sqs):
    urls = [sqs.create_queue(QueueName=f"listed-{n:02}")["QueueUrl"] for n in range(7)]
    pages = sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix="listed-", PaginationConfig={"PageSize": 3}
    )
    assert [page["QueueUrls"] for page in pages] == [urls[:3], urls[3:6], urls[6:]]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="no-such-queue")
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def test_the_queue_url_may_be_the_name_and_its_host_is_ignored(sqs, queue):
    name = queue.rsplit("/", 1)[1]
    sqs.send_message(QueueUrl=name, MessageBody="by name")
    sqs.send_message(QueueUrl=f"https://elsewhere.example/000000000000/{name}", MessageBody="host")
    assert counts(sqs, queue)[0] == 2
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == queue


def test_regions_and_accounts_are_apart(shared, sqs):
    home = sqs.create_queue(QueueName="apart")["QueueUrl"]
    abroad = shared.client(region="eu-west-1").create_queue(QueueName="apart")["QueueUrl"]
    other = shared.client(key="123456789012").create_queue(QueueName="apart")["QueueUrl"]
    assert home == f"{shared.url}/000000000000/apart"
    assert abroad == f"{shared.url}/queue/eu-west-1/000000000000/apart"
    assert other == f"{shared.url}/123456789012/apart"
    sqs.send_message(QueueUrl=home, MessageBody="x")
    assert counts(shared.client(region="eu-west-1"), abroad) == (0, 0, 0)
    assert counts(shared.client(key="123456789012"), other) == (0, 0, 0)


def test_attribute_names_choose_what_a_receive_returns(sqs, queue):
    text = {"DataType": "String", "StringValue": "v"}
    sqs.send_message(
        QueueUrl=queue,
        MessageBody="x",
        MessageAttributes={"Hello.one": text, "Hello.two": text, "Other": text},
    )

    def names(*wanted):
        (message,) = sqs.receive_message(
            QueueUrl=queue, MessageAttributeNames=list(wanted), VisibilityTimeout=0
        )["Messages"]
        assert ("MD5OfMessageAttributes" in message) == ("MessageAttributes" in message)
        return sorted(message.get("MessageAttributes", {}))

    assert names("Hello.*") == ["Hello.one", "Hello.two"]
    assert names("Other", "AWS.", "..foo") == ["Other"]
    assert names("All") == ["Hello.one", "Hello.two", "Other"]
    assert names(".*") == ["Hello.one", "Hello.two", "Other"]
    assert names() == []
