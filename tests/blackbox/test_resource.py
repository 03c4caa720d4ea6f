"""boto3's resource, the object-oriented face that much Python code uses."""

import itertools

import boto3
import pytest

_numbers = itertools.count(1)


@pytest.fixture
def resource(shared):
    return boto3.resource(
        "sqs",
        endpoint_url=shared.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def mill(resource):
    queue = resource.create_queue(QueueName=f"resource-{next(_numbers)}")
    yield queue
    queue.delete()


def test_a_resource_sends_receives_and_deletes(mill):
    mill.send_message(
        MessageBody="one",
        MessageAttributes={"Cover": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}},
    )
    (message,) = mill.receive_messages(
        MessageAttributeNames=["All"], AttributeNames=["All"], WaitTimeSeconds=1
    )
    assert message.body == "one"
    assert message.queue_url == mill.url
    assert message.message_attributes["Cover"]["BinaryValue"] == b"\x00\xff"
    assert message.attributes["ApproximateReceiveCount"] == "1"
    message.change_visibility(VisibilityTimeout=0)
    (again,) = mill.receive_messages()
    assert again.message_id == message.message_id
    again.delete()
    mill.reload()
    assert mill.attributes["ApproximateNumberOfMessages"] == "0"
    assert mill.attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_resource_sends_and_deletes_in_batches(mill):
    entries = [{"Id": f"n{n}", "MessageBody": f"body {n}"} for n in range(10)]
    assert len(mill.send_messages(Entries=entries)["Successful"]) == 10
    messages = mill.receive_messages(MaxNumberOfMessages=10)
    handles = [{"Id": f"n{n}", "ReceiptHandle": m.receipt_handle} for n, m in enumerate(messages)]
    changes = [handle | {"VisibilityTimeout": 60} for handle in handles]
    assert len(mill.change_message_visibility_batch(Entries=changes)["Successful"]) == 10
    assert len(mill.delete_messages(Entries=handles)["Successful"]) == 10


def test_a_resource_finds_lists_sets_and_empties_queues(resource, mill):
    name = mill.url.rsplit("/", 1)[1]
    assert resource.get_queue_by_name(QueueName=name).url == mill.url
    # A queue is not listed by half its name.
    listed = [queue.url for queue in resource.queues.filter(QueueNamePrefix=name)]
    assert mill.url in listed
    mill.set_attributes(Attributes={"VisibilityTimeout": "7"})
    mill.send_message(MessageBody="gone")
    mill.purge()
    mill.load()
    assert mill.attributes["VisibilityTimeout"] == "7"
    assert mill.attributes["ApproximateNumberOfMessages"] == "0"
    assert mill.attributes["QueueArn"].endswith(f":{name}")


def test_a_resource_raises_the_clients_exceptions(resource):
    with pytest.raises(resource.meta.client.exceptions.QueueDoesNotExist) as refusal:
        resource.get_queue_by_name(QueueName="no-such-queue")
    code = refusal.value.response["Error"]["Code"]
    assert code == "AWS.SimpleQueueService.NonExistentQueue"
