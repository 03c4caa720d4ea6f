"""A client from before SQS spoke JSON: an unmodified boto3 of 2023, which speaks Query."""

import json
import pathlib
import subprocess
import sys

import pytest

OLD = pathlib.Path(sys.prefix) / "old"

PRELUDE = """
import json, sys
import boto3, botocore
from botocore.config import Config

assert botocore.__version__.startswith("1.29."), botocore.__version__
config = Config(retries={"total_max_attempts": 1})
access = dict(
    endpoint_url=sys.argv[1], region_name="us-east-1", config=config,
    aws_access_key_id="test", aws_secret_access_key="test",
)
sqs = boto3.client("sqs", **access)

def refusal(call, **parameters):
    try:
        call(**parameters)
    except botocore.exceptions.ClientError as error:
        return [error.response["Error"]["Code"], error.response["Error"]["Message"]]

def tell(**found):
    print(json.dumps(found))
"""


@pytest.fixture
def old(shared):
    """Runs a program with the old client; gives what it tells."""

    def run(program):
        environment = shared.environment() | {"PYTHONPATH": str(OLD)}
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + program, shared.url],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_an_old_client_takes_messages_through_their_lives(old):
    told = old(
        r"""
url = sqs.create_queue(
    QueueName="of-old", Attributes={"VisibilityTimeout": "12"}, tags={"made": "by an old one"}
)["QueueUrl"]
attributes = {
    "Colour": {"DataType": "String", "StringValue": "blue\r\n"},
    "Picture": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}
trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
sqs.send_message(
    QueueUrl=url, MessageBody='a\r"b" & <c> é', MessageAttributes=attributes,
    MessageSystemAttributes=trace,
)
entries = [{"Id": f"id{n}", "MessageBody": f"body {n}"} for n in range(3)]
sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
received = sqs.receive_message(
    QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
)["Messages"]
first = received[0]
handles = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(received)]
changes = [handle | {"VisibilityTimeout": 60} for handle in handles]
changed = sqs.change_message_visibility_batch(QueueUrl=url, Entries=changes)
deleted = sqs.delete_message_batch(QueueUrl=url, Entries=handles)
tell(
    ids=[entry["Id"] for entry in sent["Successful"]],
    bodies=[message["Body"] for message in received],
    colour=first["MessageAttributes"]["Colour"]["StringValue"],
    picture=list(first["MessageAttributes"]["Picture"]["BinaryValue"]),
    trace=first["Attributes"]["AWSTraceHeader"],
    changed=len(changed["Successful"]), deleted=len(deleted["Successful"]),
    empty="Messages" in sqs.receive_message(QueueUrl=url),
    left=sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"],
)
sqs.delete_queue(QueueUrl=url)
"""
    )
    assert told["ids"] == ["id0", "id1", "id2"]
    assert told["bodies"] == ['a\r"b" & <c> é', "body 0", "body 1", "body 2"]
    assert told["colour"] == "blue\r\n"
    assert told["picture"] == [0, 255]
    assert told["trace"] == "Root=1"
    assert (told["changed"], told["deleted"], told["empty"]) == (4, 4, False)
    assert told["left"]["VisibilityTimeout"] == "12"
    assert told["left"]["ApproximateNumberOfMessages"] == "0"


def test_an_old_client_tags_and_lists(old):
    told = old(
        """
url = sqs.create_queue(QueueName="tagged-of-old", tags={"a": "1"})["QueueUrl"]
sqs.tag_queue(QueueUrl=url, Tags={"b": "2", "c": "3"})
sqs.untag_queue(QueueUrl=url, TagKeys=["a", "c"])
tell(
    tags=sqs.list_queue_tags(QueueUrl=url)["Tags"],
    same=sqs.get_queue_url(QueueName="tagged-of-old")["QueueUrl"] == url,
    listed=sqs.list_queues(QueueNamePrefix="tagged-of-old")["QueueUrls"] == [url],
    none="QueueUrls" in sqs.list_queues(QueueNamePrefix="no-such-queue"),
)
sqs.delete_queue(QueueUrl=url)
"""
    )
    assert told == {"tags": {"b": "2"}, "same": True, "listed": True, "none": False}


def test_an_old_client_is_refused_in_its_own_words(old):
    told = old(
        """
url = sqs.create_queue(QueueName="strict-of-old")["QueueUrl"]
one = {"Id": "a", "MessageBody": "x"}
tell(
    missing=refusal(sqs.get_queue_url, QueueName="no-such-queue"),
    nothing=refusal(sqs.send_message_batch, QueueUrl=url, Entries=[]),
    twice=refusal(sqs.send_message_batch, QueueUrl=url, Entries=[one, one]),
    garbage=refusal(sqs.delete_message, QueueUrl=url, ReceiptHandle="garbage"),
    body=refusal(sqs.send_message, QueueUrl=url, MessageBody=""),
)
sqs.delete_queue(QueueUrl=url)
"""
    )
    service = "AWS.SimpleQueueService"
    assert told == {
        "missing": [
            f"{service}.NonExistentQueue",
            "The specified queue does not exist for this wsdl version.",
        ],
        "nothing": [
            f"{service}.EmptyBatchRequest",
            "There should be at least one SendMessageBatchRequestEntry in the request.",
        ],
        "twice": [f"{service}.BatchEntryIdsNotDistinct", "Id a repeated."],
        "garbage": [
            "ReceiptHandleIsInvalid",
            'The input receipt handle "garbage" is not a valid receipt handle.',
        ],
        "body": ["MissingParameter", "The request must contain the parameter MessageBody."],
    }


def test_an_old_client_keeps_an_order_and_repeats_nothing(old):
    told = old(
        """
attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
url = sqs.create_queue(QueueName="of-old.fifo", Attributes=attributes)["QueueUrl"]
def send(group, body):
    return sqs.send_message(QueueUrl=url, MessageGroupId=group, MessageBody=body)
sent = [send(group, body) for group, body in (("a", "1"), ("b", "2"), ("a", "3"), ("a", "1"))]
asked = dict(QueueUrl=url, MaxNumberOfMessages=10, ReceiveRequestAttemptId="once")
received = sqs.receive_message(AttributeNames=["All"], **asked)["Messages"]
again = sqs.receive_message(**asked)["Messages"]
tell(
    bodies=[message["Body"] for message in received],
    numbered=received[0]["Attributes"]["SequenceNumber"] == sent[0]["SequenceNumber"],
    repeated=sent[3]["SequenceNumber"] == sent[0]["SequenceNumber"],
    same=[m["ReceiptHandle"] for m in again] == [m["ReceiptHandle"] for m in received],
    lacking=refusal(sqs.send_message, QueueUrl=url, MessageBody="x"),
)
sqs.delete_queue(QueueUrl=url)
"""
    )
    assert told == {
        "bodies": ["1", "3", "2"],
        "numbered": True,
        "repeated": True,
        "same": True,
        "lacking": [
            "MissingParameter",
            "The request must contain the parameter MessageGroupId.",
        ],
    }


def test_an_old_client_grants_permissions_and_finds_dead_letters(old):
    told = old(
        """
dead = sqs.create_queue(QueueName="dead-of-old")["QueueUrl"]
target = "arn:aws:sqs:us-east-1:000000000000:dead-of-old"
policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": "1"})
attributes = {"RedrivePolicy": policy, "VisibilityTimeout": "0"}
url = sqs.create_queue(QueueName="source-of-old", Attributes=attributes)["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="x")
received = ["Messages" in sqs.receive_message(QueueUrl=url) for _ in range(2)]
asked = dict(QueueUrl=dead, WaitTimeSeconds=20, AttributeNames=["All"])
(letter,) = sqs.receive_message(**asked)["Messages"]
sources = sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]
allowed = dict(AWSAccountIds=["000000000001", "000000000002"], Actions=["SendMessage"])
sqs.add_permission(QueueUrl=url, Label="a", **allowed)
shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
more = allowed | {"Actions": ["*"]}
twice = refusal(sqs.add_permission, QueueUrl=url, Label="a", **more)
sqs.remove_permission(QueueUrl=url, Label="a")
tell(
    received=received,
    source=letter["Attributes"]["DeadLetterQueueSourceArn"],
    listed=sources == [url],
    principals=len(json.loads(shown["Policy"])["Statement"][0]["Principal"]["AWS"]),
    twice=twice,
)
sqs.delete_queue(QueueUrl=url)
sqs.delete_queue(QueueUrl=dead)
"""
    )
    assert told == {
        "received": [True, False],
        "source": "arn:aws:sqs:us-east-1:000000000000:source-of-old",
        "listed": True,
        "principals": 2,
        "twice": [
            "InvalidParameterValue",
            "Value a for parameter Label is invalid. Reason: Already exists.",
        ],
    }


def test_an_old_resource_drives_a_queue(old):
    told = old(
        """
resource = boto3.resource("sqs", **access)
queue = resource.create_queue(QueueName="resource-of-old")
queue.send_message(MessageBody="x")
(message,) = queue.receive_messages(WaitTimeSeconds=1)
message.change_visibility(VisibilityTimeout=5)
message.delete()
found = resource.get_queue_by_name(QueueName="resource-of-old")
tell(body=message.body, arn=found.attributes["QueueArn"])
queue.delete()
"""
    )
    assert told == {"body": "x", "arn": "arn:aws:sqs:us-east-1:000000000000:resource-of-old"}
