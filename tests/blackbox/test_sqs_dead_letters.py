"""Dead letters: where messages go that nobody deletes, who may send them, what they keep."""

import json

import pytest

from server import until
from test_protocols import call, query, text
from test_standard_queue import counts, refused

def arn(url):
    """A queue's ARN, from its URL; all these tests are in one region."""
    account, name = url.rsplit("/", 2)[1:]
    return f"arn:aws:sqs:us-east-1:{account}:{name}"


def policy(target, count=1):
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": count})}


@pytest.fixture
def pair(make_queue):
    """A queue and its dead-letter queue."""
    dead = make_queue()
    return make_queue(**policy(arn(dead)), VisibilityTimeout="0"), dead


def take(sqs, url, **more):
    return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **more).get("Messages", [])


def letters(sqs, url, **more):
    """The dead letters of a queue, which are there a moment after the receive that found them."""
    return until(lambda: take(sqs, url, **more), "there are dead letters")


def attributes(sqs, url, *names):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names)).get("Attributes", {})


def test_what_is_received_too_often_becomes_a_dead_letter(sqs, pair):
    queue, dead = pair
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
    colour = {"Colour": {"DataType": "String", "StringValue": "blue"}}
    sent = sqs.send_message(
        QueueUrl=queue,
        MessageBody="body",
        MessageAttributes=colour,
        MessageSystemAttributes=trace,
    )
    wanted = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    (alive,) = take(sqs, queue, **wanted)
    assert "DeadLetterQueueSourceArn" not in alive["Attributes"]
    assert take(sqs, queue) == []
    (letter,) = letters(sqs, dead, **wanted)
    assert (letter["MessageId"], letter["Body"]) == (sent["MessageId"], "body")
    assert letter["MessageAttributes"] == colour
    assert letter["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    kept = ("SentTimestamp", "SenderId", "AWSTraceHeader")
    assert [letter["Attributes"][k] for k in kept] == [alive["Attributes"][k] for k in kept]
    assert letter["Attributes"]["DeadLetterQueueSourceArn"] == arn(queue)
    assert letter["Attributes"]["ApproximateReceiveCount"] == "2"
    assert counts(sqs, queue) == (0, 0, 0)


def test_a_message_is_handed_out_as_often_as_its_queue_says(shared, sqs, make_queue):
    dead = make_queue()
    queue = make_queue(**policy(arn(dead), "3"), VisibilityTimeout="10")
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    for _ in range(3):
        assert len(take(sqs, queue)) == 1
        assert counts(sqs, dead) == (0, 0, 0)
        shared.advance("10s")
    assert take(sqs, queue) == []
    assert len(letters(sqs, dead)) == 1


def test_dead_letters_go_from_queue_to_queue(sqs, make_queue):
    last = make_queue()
    middle = make_queue(**policy(arn(last), 2), VisibilityTimeout="0")
    first = make_queue(**policy(arn(middle)), VisibilityTimeout="0")
    sent = sqs.send_message(QueueUrl=first, MessageBody="x")
    assert len(take(sqs, first)) == 1 and take(sqs, first) == []
    # Each queue counts what it handed out itself.
    for _ in range(2):
        (letter,) = take(sqs, middle)
        assert letter["MessageId"] == sent["MessageId"]
    assert take(sqs, middle) == []
    wanted = {"AttributeNames": ["DeadLetterQueueSourceArn", "ApproximateReceiveCount"]}
    (letter,) = take(sqs, last, VisibilityTimeout=0, **wanted)
    assert letter["Attributes"] == {
        "DeadLetterQueueSourceArn": arn(middle),
        "ApproximateReceiveCount": "4",
    }


def test_a_policy_comes_back_as_aws_writes_it_and_goes_when_set_empty(sqs, make_queue):
    dead = make_queue()
    queue = make_queue(**policy(arn(dead), "7"))
    shown = attributes(sqs, queue, "RedrivePolicy")["RedrivePolicy"]
    assert shown == json.dumps(
        {"deadLetterTargetArn": arn(dead), "maxReceiveCount": 7}, separators=(",", ":")
    )
    assert attributes(sqs, queue, "All")["RedrivePolicy"] == shown
    name = queue.rsplit("/", 1)[1]
    assert sqs.create_queue(QueueName=name, Attributes=policy(arn(dead), 7))["QueueUrl"] == queue
    told = refused(
        "QueueAlreadyExists",
        sqs.create_queue,
        QueueName=name,
        Attributes=policy(arn(dead), 8),
    )
    assert told.endswith("a different value for attribute RedrivePolicy")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": ""})
    assert attributes(sqs, queue, "RedrivePolicy") == {}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": ""})


@pytest.mark.parametrize("given", ["{}", " ", "[]", "4"])
def test_what_is_no_policy_is_refused(sqs, queue, given):
    code = "InvalidParameterValue" if given == "{}" else "InvalidAttributeValue"
    told = refused(
        code, sqs.set_queue_attributes, QueueUrl=queue, Attributes={"RedrivePolicy": given}
    )
    assert told == (
        "Value {} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain "
        "mandatory attribute: maxReceiveCount."
        if given == "{}"
        else "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid "
        "JSON map."
    )


@pytest.mark.parametrize(
    "target, count, reason",
    [
        ("dummy", 5, "Invalid value for deadLetterTargetArn."),
        (
            "arn:aws:sns:us-east-1:000000000000:topic",
            5,
            "Only SQS queues are valid resources for deadLetterTargetArn.",
        ),
        ("arn:aws:sqs:us-east-1:000000000000:never-made", 5, "Dead letter target does not exist."),
        (
            "arn:aws:sqs:us-east-1:000000000000:never-made.fifo",
            5,
            "Dead-letter queue must be same type of queue as the source..",
        ),
        (
            "arn:aws:sqs:us-east-1:000000000007:never-made",
            5,
            "Dead-letter target owner should be same as the source.",
        ),
        (
            "arn:aws:sqs:eu-west-1:000000000000:never-made",
            5,
            "Dead-letter target must be in same region as the source.",
        ),
        (
            "arn:aws:sqs:us-east-1:000000000000:never-made",
            1001,
            "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both "
            "inclusive.",
        ),
    ],
)
def test_a_target_and_a_count_have_their_rules(sqs, queue, target, count, reason):
    given = policy(target, count)
    told = refused(
        "InvalidParameterValue", sqs.set_queue_attributes, QueueUrl=queue, Attributes=given
    )
    value = given["RedrivePolicy"]
    assert told == f"Value {value} for parameter RedrivePolicy is invalid. Reason: {reason}"


def allow(permission, *sources):
    given = {"redrivePermission": permission}
    return given | {"sourceQueueArns": list(sources)} if sources else given


def test_a_queue_may_say_whose_dead_letters_it_takes(sqs, make_queue):
    dead, welcome, stranger = make_queue(), make_queue(), make_queue()
    for given in (allow("byQueue", arn(welcome)), allow("denyAll"), allow("allowAll")):
        written = json.dumps(given, separators=(",", ":"))
        sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": written})
        assert attributes(sqs, dead, "All")["RedriveAllowPolicy"] == written
        permission = given["redrivePermission"]
        for source, may in (
            (welcome, permission != "denyAll"),
            (stranger, permission == "allowAll"),
        ):
            call_ = {"QueueUrl": source, "Attributes": policy(arn(dead))}
            if may:
                sqs.set_queue_attributes(**call_)
            else:
                refused("InvalidParameterValue", sqs.set_queue_attributes, **call_)
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": ""})
    assert attributes(sqs, dead, "RedriveAllowPolicy") == {}


@pytest.mark.parametrize(
    "given, code, end",
    [
        ("badjson", "InvalidAttributeValue", "as it’s in an unsupported format."),
        (json.dumps(allow("dummy")), "InvalidAttributeValue", "in an unsupported format."),
        (
            json.dumps(allow("byQueue")),
            "InvalidParameterValue",
            "you must also specify one or more sourceQueueArns values.",
        ),
        (
            json.dumps(allow("denyAll", "arn:aws:sqs:us-east-1:000000000000:a")),
            "InvalidParameterValue",
            "you must set redrivePermission to byQueue.",
        ),
    ],
)
def test_what_is_no_allow_policy_is_refused(sqs, queue, given, code, end):
    told = refused(
        code, sqs.set_queue_attributes, QueueUrl=queue, Attributes={"RedriveAllowPolicy": given}
    )
    assert told.endswith(end) and "Amazon SQS can't create the redrive allow policy" in told


def test_the_sources_of_a_dead_letter_queue_are_listed_by_page(shared, sqs, make_queue):
    dead = make_queue()
    assert "queueUrls" not in sqs.list_dead_letter_source_queues(QueueUrl=dead)
    sources = sorted(make_queue(**policy(arn(dead))) for _ in range(3))
    whole = sqs.list_dead_letter_source_queues(QueueUrl=dead)
    assert whole["queueUrls"] == sources and "NextToken" not in whole
    pages = sqs.get_paginator("list_dead_letter_source_queues").paginate(
        QueueUrl=dead, PaginationConfig={"PageSize": 2}
    )
    assert [page["queueUrls"] for page in pages] == [sources[:2], sources[2:]]
    code = "InvalidParameterValue"
    told = refused(code, sqs.list_dead_letter_source_queues, QueueUrl=dead, MaxResults=1020)
    assert told.endswith("MaxResults must be an integer between 1 and 1000.")
    told = refused(code, sqs.list_dead_letter_source_queues, QueueUrl=dead, NextToken="invalid")
    assert told == "Invalid or expired next token."
    _, _, body = call(shared, "ListDeadLetterSourceQueues", QueueUrl=dead)
    assert body == {"queueUrls": sources}
    _, tree = query(shared, Action="ListDeadLetterSourceQueues", QueueUrl=dead)
    assert text(tree, "ListDeadLetterSourceQueuesResult", "QueueUrl") == sources[0]
    sqs.set_queue_attributes(QueueUrl=sources[0], Attributes={"RedrivePolicy": ""})
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == sources[1:]


def test_a_waiting_receiver_is_not_woken_by_a_dead_letter(sqs, pair):
    queue, dead = pair
    sqs.send_message(QueueUrl=queue, MessageBody="dies")
    take(sqs, queue)
    sqs.send_message(QueueUrl=queue, MessageBody="lives")
    assert [message["Body"] for message in take(sqs, queue, WaitTimeSeconds=20)] == ["lives"]
    assert [message["Body"] for message in letters(sqs, dead)] == ["dies"]


def test_what_expires_becomes_a_dead_letter_if_a_tag_says_so(shared, sqs, make_queue):
    dead = make_queue()
    kept = policy(arn(dead)) | {"MessageRetentionPeriod": "60"}
    dropped, rescued = make_queue(**kept), make_queue(**kept)
    sqs.tag_queue(QueueUrl=rescued, Tags={"tidemill:dead-letter-expired": "true"})
    for url in (dropped, rescued):
        sqs.send_message(QueueUrl=url, MessageBody=url)
    shared.advance("61s")
    assert [letter["Body"] for letter in letters(sqs, dead)] == [rescued]
    assert counts(sqs, dropped) == counts(sqs, rescued) == (0, 0, 0)


def test_a_dead_letter_of_a_fifo_queue_is_known_by_its_own_id(sqs, make_queue):
    fifo = {"FifoQueue": "true", "VisibilityTimeout": "0"}
    dead = make_queue(".fifo", **fifo)
    url = make_queue(".fifo", **policy(arn(dead)), **fifo)
    same = {"MessageGroupId": "g", "MessageDeduplicationId": "same"}
    first = sqs.send_message(QueueUrl=url, MessageBody="dead", **same)["MessageId"]
    assert take(sqs, url) and not take(sqs, url)
    # For five minutes it is still what was sent, wherever it is by now.
    assert sqs.send_message(QueueUrl=url, MessageBody="again", **same)["MessageId"] == first
    assert not take(sqs, url)
    until(lambda: counts(sqs, dead) == (1, 0, 0), "it is a dead letter")
    sqs.send_message(QueueUrl=dead, MessageBody="direct", **same)
    found = take(sqs, dead, AttributeNames=["MessageDeduplicationId"])
    ids = {m["Body"]: m["Attributes"]["MessageDeduplicationId"] for m in found}
    assert ids == {"dead": first, "direct": "same"}
