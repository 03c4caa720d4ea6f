"""What is published, as those are told who subscribed."""

import itertools
import json
import threading
from datetime import datetime, timezone

import pytest

from server import until
from topics import ACCOUNT, Listener, listening, refusal

_numbers = itertools.count(1)
RAW = {"Attributes": {"RawMessageDelivery": "true"}}


@pytest.fixture
def sns(shared):
    return shared.client("sns")


@pytest.fixture
def name():
    return f"published-{next(_numbers)}"


def test_an_envelope_is_as_on_aws(shared, sns, name):
    topic, listener = listening(shared, sns, name)
    attributes = {
        "n": {"DataType": "Number", "StringValue": "99.12"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"},
    }
    sent = sns.publish(
        TopicArn=topic, Message='"öä"\n', Subject="A subject", MessageAttributes=attributes
    )
    (message,) = listener.messages()
    assert "MessageAttributes" not in message
    note = json.loads(message["Body"])
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    at = datetime.strptime(note.pop("Timestamp"), "%Y-%m-%dT%H:%M:%S.%fZ")
    clock = shared.advance("0s")["now"]
    assert at.replace(tzinfo=timezone.utc).timestamp() * 1000 == pytest.approx(clock, abs=1)
    action = f"/?Action=Unsubscribe&SubscriptionArn={subscription['SubscriptionArn']}"
    assert note == {
        "Type": "Notification",
        "MessageId": sent["MessageId"],
        "TopicArn": topic,
        "Subject": "A subject",
        "Message": '"öä"\n',
        "SignatureVersion": "1",
        "Signature": "",
        "SigningCertURL": "",
        "UnsubscribeURL": shared.url + action,
        "MessageAttributes": {
            "n": {"Type": "Number", "Value": "99.12"},
            "b": {"Type": "Binary", "Value": "AgME"},
        },
    }


def test_a_raw_message_is_as_it_was_published(shared, sns, name):
    topic, listener = listening(shared, sns, name, **RAW)
    attributes = {
        "s": {"DataType": "String", "StringValue": "text"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"},
    }
    sns.publish(
        TopicArn=topic,
        Message="plain",
        Subject="S",
        MessageAttributes=attributes,
        MessageGroupId="tenant",
    )
    # boto3 checks the digests of both.
    (message,) = listener.messages()
    assert (message["Body"], message["MessageAttributes"]) == ("plain", attributes)
    assert message["Attributes"]["MessageGroupId"] == "tenant"
    assert message["Attributes"]["SenderId"] == ACCOUNT
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.set_subscription_attributes(
        SubscriptionArn=subscription["SubscriptionArn"],
        AttributeName="RawMessageDelivery",
        AttributeValue="false",
    )
    sns.publish(TopicArn=topic, Message="plain")
    (note,) = listener.notes()
    assert note["Message"] == "plain"


def test_all_are_told_of_all_in_every_region_and_who_left_is_not(shared, sns, name):
    topic = sns.create_topic(Name=name)["TopicArn"]
    listeners = [Listener(shared) for _ in range(39)]
    listeners.append(Listener(shared, region="eu-west-1"))
    subscriptions = [
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=it.arn)["SubscriptionArn"]
        for it in listeners
    ]
    sns.unsubscribe(SubscriptionArn=subscriptions[0])
    sent = sns.publish(TopicArn=topic, Message="x")["MessageId"]
    assert listeners[0].notes() == []
    for listener in listeners[1:]:
        assert [note["MessageId"] for note in listener.notes()] == [sent]


def test_whoever_follows_the_unsubscribe_url_is_told_no_more(shared, sns, name):
    topic, listener = listening(shared, sns, name)
    sns.publish(TopicArn=topic, Message="x")
    (note,) = listener.notes()
    path = note["UnsubscribeURL"].removeprefix(shared.url)
    assert shared.get(path, headers={"Accept": "text/html"})[0] == 200
    sns.publish(TopicArn=topic, Message="x")
    assert listener.notes() == []


def test_each_protocol_may_be_told_something_of_its_own(shared, sns, name):
    topic, listener = listening(shared, sns, name)
    structured = {"TopicArn": topic, "MessageStructure": "json"}
    sns.publish(Message=json.dumps({"default": "d", "sqs": "s"}), **structured)
    sns.publish(Message=json.dumps({"default": "d", "email": "e"}), **structured)
    assert sorted(note["Message"] for note in listener.notes()) == ["d", "s"]
    wrong = "Invalid parameter: Message Structure - "
    told = refusal(sns.publish, Message="x", **structured)
    assert told == ("InvalidParameter", wrong + "JSON message body failed to parse")
    told = refusal(sns.publish, Message='{"sqs": "s"}', **structured)
    assert told == ("InvalidParameter", wrong + "No default entry in JSON message body")


def test_a_batch_is_published_in_order(shared, sns, name):
    topic, listener = listening(shared, sns, name, **RAW)
    number = {"n": {"DataType": "Number", "StringValue": "1"}}
    entries = [{"Id": str(at), "Message": f"m-{at}"} for at in range(10)]
    entries[3] |= {"MessageAttributes": number, "Subject": "S"}
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [it["Id"] for it in answer["Successful"]] == [str(at) for at in range(10)]
    assert answer["Failed"] == []
    found = listener.messages()
    assert [message["Body"] for message in found] == [f"m-{at}" for at in range(10)]
    assert found[3]["MessageAttributes"] == number


def test_a_batch_that_is_none_is_refused_in_aws_words(sns, name):
    topic = sns.create_topic(Name=name)["TopicArn"]

    def told(*entries, of=topic):
        entries = [{"Id": key, "Message": text} for key, text in entries]
        return refusal(sns.publish_batch, TopicArn=of, PublishBatchRequestEntries=entries)

    assert told()[0] == "EmptyBatchRequest"
    assert told(*((str(n), "x") for n in range(11)))[0] == "TooManyEntriesInBatchRequest"
    assert told(("a", "x"), ("a", "x"))[0] == "BatchEntryIdsNotDistinct"
    assert told(("a b", "x"))[0] == "InvalidBatchEntryId"
    assert told(("a", "x" * 140_000), ("b", "x" * 140_000))[0] == "BatchRequestTooLong"
    assert told(("a", "x"), ("b", " ")) == ("InvalidParameter", "Invalid parameter: Empty message")
    assert told(("a", "x"), of=topic + "-x") == ("NotFound", "Topic does not exist")


def test_what_cannot_be_published_is_refused_in_aws_words(sns, name):
    topic = sns.create_topic(Name=name)["TopicArn"]

    def told(message="x", **more):
        return refusal(sns.publish, Message=message, **({"TopicArn": topic} | more))

    def invalid(what):
        return "InvalidParameter", f"Invalid parameter: {what}"

    assert told("") == told(" ") == invalid("Empty message")
    assert told("x" * (256 * 1024 + 1)) == invalid("Message too long")
    attribute = {"a": {"DataType": "String", "StringValue": "v"}}
    long = "x" * (256 * 1024)
    assert told(long, MessageAttributes=attribute) == invalid("Message too long")
    sns.publish(TopicArn=topic, Message=long)
    assert told(Subject="") == told(Subject="a\nb") == told(Subject="s" * 101)
    assert told(Subject="") == invalid("Subject")
    assert told(TopicArn=topic + "-x") == ("NotFound", "Topic does not exist")
    elements = "An ARN must have at least 6 elements, not 1"
    assert told(TopicArn="x") == invalid(f"TopicArn Reason: {elements}")
    both = "TopicArn or TargetArn Reason: no value for required parameter"
    assert refusal(sns.publish, Message="x") == invalid(both)
    endpoint = f"arn:aws:sns:us-east-1:{ACCOUNT}:endpoint/APNS/app/0f0f"
    none = "TargetArn Reason: No endpoint found for the target arn specified"
    assert refusal(sns.publish, TargetArn=endpoint, Message="x") == invalid(none)
    code, message = refusal(sns.publish, PhoneNumber="+15555550100", Message="x")
    assert (code, "not supported by Tidemill" in message) == ("InvalidParameter", True)
    code, message = told(MessageDeduplicationId="d")
    assert message.endswith("parameter that is not valid for this topic type")
    wrong = {"a": {"DataType": "Text", "StringValue": "v"}}
    code, message = told(MessageAttributes=wrong)
    assert (code, "supported type prefixes" in message) == ("ParameterValueInvalid", True)
    empty = {"a": {"DataType": "String", "StringValue": ""}}
    assert told(MessageAttributes=empty)[0] == "ParameterValueInvalid"


def test_a_topic_may_be_named_as_a_target(shared, sns, name):
    topic, listener = listening(shared, sns, name)
    sns.publish(TargetArn=topic, Message="x")
    assert [note["Message"] for note in listener.notes()] == ["x"]


def dropped(service):
    lines = service.get("/metrics")[2].decode().splitlines()
    name = "tidemill_topic_deliveries_dropped_total"
    (count,) = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return int(count)


def test_a_queue_that_cannot_take_a_message_goes_without_and_the_others_do_not(fresh):
    service = fresh().start()
    sns = service.client("sns")
    topic, good = listening(service, sns, "topic", **RAW)
    gone, small, picky = (Listener(service) for _ in range(3))
    for one in (gone, small, picky):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=one.arn, **RAW)
    gone.sqs.delete_queue(QueueUrl=gone.url)
    limit = {"MaximumMessageSize": "1024"}
    small.sqs.set_queue_attributes(QueueUrl=small.url, Attributes=limit)
    many = {f"a-{n}": {"DataType": "String", "StringValue": "v"} for n in range(11)}
    sns.publish(TopicArn=topic, Message="x" * 2000)
    assert dropped(service) == 2
    assert [len(it.messages()) for it in (good, small, picky)] == [1, 0, 1]
    sns.publish(TopicArn=topic, Message="x", MessageAttributes=many)
    assert dropped(service) == 6
    sns.publish(TopicArn=topic, Message="x")
    assert dropped(service) == 7
    assert [len(it.messages()) for it in (good, small, picky)] == [1, 1, 1]
    assert "a notification was dropped" in service.log.read_text()


def test_kill_9_amid_publishing_loses_nothing_acknowledged(fresh):
    service = fresh().start()
    sns = service.client("sns")
    topic, first = listening(service, sns, "storm", **RAW)
    second = Listener(service)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=second.arn, **RAW)
    acknowledged, lock, enough = set(), threading.Lock(), threading.Event()

    def publish(publisher):
        client = service.client("sns")
        for number in range(100_000):
            text = f"{publisher}-{number}"
            try:
                client.publish(TopicArn=topic, Message=text)
            except Exception:
                return
            with lock:
                acknowledged.add(text)
                if len(acknowledged) >= 200:
                    enough.set()

    publishers = [threading.Thread(target=publish, args=(at,)) for at in range(4)]
    for publisher in publishers:
        publisher.start()
    assert enough.wait(60)
    service.kill()
    for publisher in publishers:
        publisher.join()
    service.start()
    for listener in (first, second):
        assert acknowledged <= {message["Body"] for message in listener.messages()}


def test_on_a_disk_that_failed_nothing_is_published(fresh):
    service = fresh("--allow-faults").start()
    sns = service.client("sns")
    topic, _ = listening(service, sns, "topic")
    body = json.dumps("fail-sync").encode()
    assert service.request("POST", "/_tidemill/faults?log=topics", body)[0] == 200
    assert refusal(sns.create_topic, Name="another")[0] == "InternalError"
    assert until(lambda: service.get("/health")[0] == 503, "the failure is told")
    # The queues have a log of their own.
    sns.publish(TopicArn=topic, Message="x")
    assert service.request("POST", "/_tidemill/faults", body)[0] == 200
    assert refusal(sns.publish, TopicArn=topic, Message="x")[0] == "InternalError"
