"""FIFO queues: order, groups, deduplication, attempts, and what they refuse."""

import hashlib

import pytest

from server import until
from test_protocols import query, text
from test_standard_queue import counts, refused


@pytest.fixture
def fifo(make_queue):
    """A FIFO queue that knows messages by their bodies."""
    return make_queue(".fifo", FifoQueue="true", ContentBasedDeduplication="true")


@pytest.fixture
def strict(make_queue):
    """A FIFO queue that wants an id for each message."""
    return make_queue(".fifo", FifoQueue="true")


def send(sqs, url, *bodies, **more):
    """Sends messages like "g1-m2", each to the group that its body begins with."""
    for body in bodies:
        group = {"MessageGroupId": body.split("-")[0]}
        sent = sqs.send_message(QueueUrl=url, MessageBody=body, **(group | more))
    return sent


def take(sqs, url, number=10, **more):
    ask = {"QueueUrl": url, "MaxNumberOfMessages": number} | more
    return sqs.receive_message(**ask).get("Messages", [])


def bodies(messages):
    return [message["Body"] for message in messages]


def attributes(sqs, url, *names):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names)).get("Attributes", {})


# What a queue is made with.


def test_a_fifo_queue_shows_its_own_attributes(sqs, strict):
    shown = attributes(sqs, strict, "All")
    assert len(shown) == 16
    names = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]
    assert [shown[name] for name in names] == ["true", "false", "queue", "perQueue"]
    assert shown["QueueArn"].endswith(".fifo")


def test_a_fifo_queues_name_and_attributes_go_together(sqs):
    code = "InvalidParameterValue"
    told = refused(code, sqs.create_queue, QueueName="never-made.fifo")
    assert told == (
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    )
    told = refused(
        code, sqs.create_queue, QueueName="never-made", Attributes={"FifoQueue": "true"}
    )
    assert told == (
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
        "underscores, must end with .fifo suffix and be 1 to 80 in length."
    )


def test_creating_again_compares_what_makes_a_fifo_queue(sqs, fifo):
    name = fifo.rsplit("/", 1)[1]
    same = {"FifoQueue": "True", "ContentBasedDeduplication": "True"}
    assert sqs.create_queue(QueueName=name, Attributes=same)["QueueUrl"] == fifo
    told = refused(
        "QueueAlreadyExists",
        sqs.create_queue,
        QueueName=name,
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "false"},
    )
    assert told.endswith("a different value for attribute ContentBasedDeduplication")


def test_a_queues_kind_stays_and_the_rest_can_be_set(sqs, strict):
    sqs.set_queue_attributes(QueueUrl=strict, Attributes={"FifoQueue": "true"})
    told = refused(
        "InvalidAttributeValue",
        sqs.set_queue_attributes,
        QueueUrl=strict,
        Attributes={"FifoQueue": "false"},
    )
    assert told == (
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
    )
    sqs.set_queue_attributes(QueueUrl=strict, Attributes={"ContentBasedDeduplication": "True"})
    name = "ContentBasedDeduplication"
    assert attributes(sqs, strict, name) == {name: "true"}


def test_a_limit_for_each_group_asks_for_deduplication_within_groups(sqs, strict):
    limit = {"FifoThroughputLimit": "perMessageGroupId"}
    scope = {"DeduplicationScope": "messageGroup"}
    told = refused(
        "InvalidAttributeValue", sqs.set_queue_attributes, QueueUrl=strict, Attributes=limit
    )
    assert told == (
        "The perMessageGroupId value is allowed only when the value for DeduplicationScope is "
        "messageGroup"
    )
    sqs.set_queue_attributes(QueueUrl=strict, Attributes=limit | scope)
    assert attributes(sqs, strict, *limit, *scope) == limit | scope
    back = {"FifoThroughputLimit": "perQueue", "DeduplicationScope": "queue"}
    sqs.set_queue_attributes(QueueUrl=strict, Attributes=back)
    for name in back:
        told = refused(
            "InvalidAttributeValue",
            sqs.set_queue_attributes,
            QueueUrl=strict,
            Attributes={name: "nonsense"},
        )
        assert told == f"Invalid value for the parameter {name}."


# What a message needs.


def test_a_message_needs_a_group_and_something_to_be_known_by(sqs, strict):
    told = refused(
        "InvalidParameterValue",
        sqs.send_message,
        QueueUrl=strict,
        MessageBody="x",
        MessageGroupId="g",
    )
    lacks_id = (
        "The queue should either have ContentBasedDeduplication enabled or "
        "MessageDeduplicationId provided explicitly"
    )
    assert told == lacks_id
    told = refused(
        "MissingParameter",
        sqs.send_message,
        QueueUrl=strict,
        MessageBody="x",
        MessageDeduplicationId="d",
    )
    lacks_group = "The request must contain the parameter MessageGroupId."
    assert told == lacks_group
    good = {"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    for lacking, message in (
        ("MessageDeduplicationId", lacks_id),
        ("MessageGroupId", lacks_group),
    ):
        bad = {key: value for key, value in good.items() if key != lacking}
        entries = [{"Id": "good", **good}, {"Id": "bad", **bad}]
        call = sqs.send_message_batch
        assert refused("InvalidParameterValue", call, QueueUrl=strict, Entries=entries) == message
    assert counts(sqs, strict) == (0, 0, 0)


@pytest.mark.parametrize("name", ["MessageGroupId", "MessageDeduplicationId"])
@pytest.mark.parametrize("value", ["", "g" * 129, "a b", "é", "a\x08"])
def test_an_id_has_128_printable_characters(sqs, strict, name, value):
    good = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    told = refused(
        "InvalidParameterValue",
        sqs.send_message,
        QueueUrl=strict,
        MessageBody="x",
        **(good | {name: value}),
    )
    assert told == (
        f"Value {value} for parameter {name} is invalid. Reason: {name} can only include "
        "alphanumeric and punctuation characters. 1 to 128 in length."
    )


def test_only_the_queue_can_have_a_delay(shared, sqs, make_queue):
    url = make_queue(
        ".fifo", FifoQueue="true", ContentBasedDeduplication="true", DelaySeconds="2"
    )
    for seconds in (2, 1000):
        told = refused(
            "InvalidParameterValue",
            sqs.send_message,
            QueueUrl=url,
            MessageBody="x",
            MessageGroupId="g",
            DelaySeconds=seconds,
        )
        assert told == (
            f"Value {seconds} for parameter DelaySeconds is invalid. Reason: The request include "
            "parameter that is not valid for this queue type."
        )
    send(sqs, url, "g-m1")
    send(sqs, url, "g-m2", DelaySeconds=0)
    assert counts(sqs, url) == (0, 0, 2)
    assert take(sqs, url) == []
    shared.advance("2s")
    assert bodies(take(sqs, url)) == ["g-m1", "g-m2"]


@pytest.mark.parametrize(
    "bad, message",
    [
        (
            {"MessageBody": ""},
            "The request must contain the parameter SendMessageBatchRequestEntry.2.MessageBody.",
        ),
        (
            {"DelaySeconds": 3},
            "Value 3 for parameter DelaySeconds is invalid. Reason: The request include parameter "
            "that is not valid for this queue type.",
        ),
        (
            {"MessageBody": "x" * 1025},
            "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
        ),
    ],
)
def test_a_batch_goes_as_a_whole_or_not_at_all(sqs, make_queue, bad, message):
    url = make_queue(
        ".fifo",
        FifoQueue="true",
        ContentBasedDeduplication="true",
        MaximumMessageSize="1024",
    )
    good = {"Id": "good", "MessageBody": "x", "MessageGroupId": "g"}
    entries = [good, good | {"Id": "bad", "MessageBody": "y"} | bad]
    code = "MissingParameter" if message.startswith("The request") else "InvalidParameterValue"
    assert refused(code, sqs.send_message_batch, QueueUrl=url, Entries=entries) == message
    assert counts(sqs, url) == (0, 0, 0)


# What a message is known by.


def test_the_same_message_is_taken_in_once_in_five_minutes(shared, sqs, strict):
    first = send(sqs, strict, "g1-m1", MessageDeduplicationId="d")
    again = send(sqs, strict, "g1-other", MessageDeduplicationId="d")
    same = ["MessageId", "SequenceNumber"]
    assert [again[key] for key in same] == [first[key] for key in same]
    assert again["MD5OfMessageBody"] == hashlib.md5(b"g1-other").hexdigest()
    # Another group, and the message itself being gone, make no difference.
    send(sqs, strict, "g2-m1", MessageDeduplicationId="d")
    (message,) = take(sqs, strict)
    sqs.delete_message(QueueUrl=strict, ReceiptHandle=message["ReceiptHandle"])
    send(sqs, strict, "g1-m1", MessageDeduplicationId="d")
    assert counts(sqs, strict) == (0, 0, 0)
    shared.advance("5m")
    later = send(sqs, strict, "g1-m1", MessageDeduplicationId="d")
    assert int(later["SequenceNumber"]) > int(first["SequenceNumber"])
    assert bodies(take(sqs, strict)) == ["g1-m1"]


def test_a_message_may_be_known_by_its_body(sqs, fifo):
    send(sqs, fifo, "g1-m1")
    send(sqs, fifo, "g1-m1", MessageGroupId="g2")
    digest = hashlib.sha256(b"g1-m1").hexdigest()
    send(sqs, fifo, "g1-another", MessageDeduplicationId=digest)
    (message,) = take(sqs, fifo, AttributeNames=["MessageDeduplicationId"])
    assert message["Attributes"] == {"MessageDeduplicationId": digest}


def test_deduplication_may_be_within_groups(sqs, make_queue):
    url = make_queue(
        ".fifo",
        FifoQueue="true",
        DeduplicationScope="messageGroup",
        FifoThroughputLimit="perMessageGroupId",
    )
    for _ in range(2):
        send(sqs, url, "g1-m1", "g2-m1", MessageDeduplicationId="d")
    assert sorted(bodies(take(sqs, url))) == ["g1-m1", "g2-m1"]


def test_changing_the_scope_of_a_queue_changes_nothing(sqs, strict):
    scope = {"DeduplicationScope": "messageGroup"}
    sqs.set_queue_attributes(QueueUrl=strict, Attributes=scope)
    send(sqs, strict, "g1-m1", "g2-m1", MessageDeduplicationId="d")
    assert bodies(take(sqs, strict)) == ["g1-m1"]


def test_a_purge_forgets_what_was_sent(sqs, strict):
    send(sqs, strict, "g1-m1", MessageDeduplicationId="d")
    sqs.purge_queue(QueueUrl=strict)
    send(sqs, strict, "g1-m2", MessageDeduplicationId="d")
    assert bodies(take(sqs, strict)) == ["g1-m2"]


def test_a_batch_is_deduplicated_within_itself(sqs, fifo):
    entries = [
        {"Id": str(n), "MessageBody": "same", "MessageGroupId": "g"} for n in range(3)
    ]
    answer = sqs.send_message_batch(QueueUrl=fifo, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["0", "1", "2"]
    assert len({entry["SequenceNumber"] for entry in answer["Successful"]}) == 1
    assert counts(sqs, fifo) == (1, 0, 0)


# What a receiver is told.


def test_a_message_tells_its_place_its_group_and_its_id(sqs, strict):
    sent = send(sqs, strict, "g1-m1", MessageDeduplicationId="d1")
    assert len(sent["SequenceNumber"]) == 20
    later = send(sqs, strict, "g1-m2", MessageDeduplicationId="d2")
    assert int(later["SequenceNumber"]) > int(sent["SequenceNumber"])
    for count in ("1", "2"):
        first, _ = take(sqs, strict, AttributeNames=["All"], VisibilityTimeout=0)
        told = first["Attributes"]
        assert told["SequenceNumber"] == sent["SequenceNumber"]
        assert (told["MessageGroupId"], told["MessageDeduplicationId"]) == ("g1", "d1")
        assert told["ApproximateReceiveCount"] == count


def test_a_standard_queue_numbers_nothing(sqs, queue):
    sent = sqs.send_message(QueueUrl=queue, MessageBody="x", MessageGroupId="fair")
    assert "SequenceNumber" not in sent
    (message,) = take(sqs, queue, AttributeNames=["All"])
    assert message["Attributes"]["MessageGroupId"] == "fair"
    assert not {"SequenceNumber", "MessageDeduplicationId"} & set(message["Attributes"])


# The order.


def test_a_receive_takes_a_whole_group_first(sqs, fifo):
    send(sqs, fifo, "g1-m1", "g2-m1", "g1-m2", "g1-m3")
    assert bodies(take(sqs, fifo)) == ["g1-m1", "g1-m2", "g1-m3", "g2-m1"]


def test_a_group_of_which_something_is_in_flight_waits(shared, sqs, fifo):
    send(sqs, fifo, "g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1", "g3-m1")
    assert bodies(take(sqs, fifo, 2, VisibilityTimeout=1)) == ["g1-m1", "g1-m2"]
    assert bodies(take(sqs, fifo, 1, VisibilityTimeout=1)) == ["g2-m1"]
    shared.advance("2s")
    order = bodies(take(sqs, fifo, VisibilityTimeout=0))
    assert order[0] == "g3-m1"
    group = ["g1-m1", "g1-m2", "g1-m3", "g1-m4"]
    assert order[1:] in (group + ["g2-m1"], ["g2-m1"] + group)


def test_a_group_that_was_served_goes_to_the_back(sqs, fifo):
    send(sqs, fifo, "g1-m1", "g2-m1", "g2-m2", "g3-m1", "g1-m2")
    first = take(sqs, fifo, 3, VisibilityTimeout=0)
    assert bodies(first) == ["g1-m1", "g1-m2", "g2-m1"]
    rest = take(sqs, fifo, VisibilityTimeout=0)
    assert bodies(rest) == ["g3-m1", "g1-m1", "g1-m2", "g2-m1", "g2-m2"]


def test_a_message_that_is_given_up_is_visible_alone(sqs, fifo):
    send(sqs, fifo, "g1-m1", "g1-m2", "g2-m1")
    first, _ = take(sqs, fifo, 2)
    sqs.change_message_visibility(
        QueueUrl=fifo, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0
    )
    assert bodies(take(sqs, fifo, 3)) == ["g2-m1", "g1-m1"]


def test_a_group_is_free_once_everything_in_flight_is_deleted(sqs, fifo):
    send(sqs, fifo, "g1-m1", "g2-m1", "g1-m2", "g2-m2", "g1-m3", "g3-m1")
    first, second = take(sqs, fifo, 2)
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=first["ReceiptHandle"])
    assert bodies(take(sqs, fifo, 2, VisibilityTimeout=0)) == ["g2-m1", "g2-m2"]
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=second["ReceiptHandle"])
    order = bodies(take(sqs, fifo))
    assert sorted(order) == ["g1-m3", "g2-m1", "g2-m2", "g3-m1"]
    assert order.index("g2-m1") + 1 == order.index("g2-m2")


def test_the_order_is_restored_when_visibility_ends(shared, sqs, fifo):
    send(sqs, fifo, "g-m1", "g-m2", "g-m3")
    for _ in range(2):
        assert bodies(take(sqs, fifo, VisibilityTimeout=5)) == ["g-m1", "g-m2", "g-m3"]
        shared.advance("6s")


def test_only_what_is_out_can_be_deleted(shared, sqs, fifo):
    send(sqs, fifo, "g-m1")
    (message,) = take(sqs, fifo, VisibilityTimeout=1)
    handle = message["ReceiptHandle"]
    shared.advance("2s")
    told = refused(
        "InvalidParameterValue", sqs.delete_message, QueueUrl=fifo, ReceiptHandle=handle
    )
    expired = (
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has "
        "expired."
    )
    assert told == expired
    entries = [{"Id": "a", "ReceiptHandle": handle}]
    (failed,) = sqs.delete_message_batch(QueueUrl=fifo, Entries=entries)["Failed"]
    assert (failed["Code"], failed["Message"]) == ("InvalidParameterValue", expired)
    (message,) = take(sqs, fifo)
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])
    assert counts(sqs, fifo) == (0, 0, 0)


# Dead letters.


def test_dead_letters_keep_their_id_and_their_group(sqs, make_queue):
    dead = make_queue(".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    arn = attributes(sqs, dead, "QueueArn")["QueueArn"]
    url = make_queue(
        ".fifo",
        FifoQueue="true",
        ContentBasedDeduplication="true",
        VisibilityTimeout="0",
        RedrivePolicy='{"deadLetterTargetArn":"%s","maxReceiveCount":2}' % arn,
    )
    sent = send(sqs, url, "g-m1")
    assert [len(take(sqs, url)) for _ in range(3)] == [1, 1, 0]
    wanted = {"AttributeNames": ["All"]}
    (letter,) = until(lambda: take(sqs, dead, **wanted), "there is a dead letter")
    assert (letter["MessageId"], letter["Body"]) == (sent["MessageId"], "g-m1")
    assert letter["Attributes"]["MessageGroupId"] == "g"
    source = attributes(sqs, url, "QueueArn")["QueueArn"]
    assert letter["Attributes"]["DeadLetterQueueSourceArn"] == source


# Attempts.


def test_an_attempt_that_is_repeated_gets_the_same_messages(sqs, fifo):
    send(sqs, fifo, "g-m1", "g-m2", "h-m1")
    first = take(sqs, fifo, 2, ReceiveRequestAttemptId="attempt")
    again = take(sqs, fifo, 2, ReceiveRequestAttemptId="attempt")
    handles = [[message["ReceiptHandle"] for message in taken] for taken in (first, again)]
    assert bodies(first) == ["g-m1", "g-m2"] and handles[0] == handles[1]
    assert bodies(take(sqs, fifo, 2, ReceiveRequestAttemptId="other")) == ["h-m1"]


@pytest.mark.parametrize("attempt", ["", "a" * 129, "a b"])
def test_an_attempts_id_has_128_printable_characters(sqs, fifo, attempt):
    told = refused(
        "InvalidParameterValue",
        sqs.receive_message,
        QueueUrl=fifo,
        ReceiveRequestAttemptId=attempt,
    )
    assert told.startswith(f"Value {attempt} for parameter ReceiveRequestAttemptId is invalid.")


def test_a_fifo_queue_works_by_query_too(shared):
    made = {
        "Attribute.1.Name": "FifoQueue",
        "Attribute.1.Value": "true",
        "Attribute.2.Name": "ContentBasedDeduplication",
        "Attribute.2.Value": "true",
    }
    _, tree = query(shared, Action="CreateQueue", QueueName="by-query.fifo", **made)
    url = text(tree, "CreateQueueResult", "QueueUrl")
    status, tree = query(shared, Action="SendMessage", QueueUrl=url, MessageBody="x")
    assert (status, text(tree, "Error", "Code")) == (400, "MissingParameter")
    sent = {"MessageBody": "x", "MessageGroupId": "g"}
    _, tree = query(shared, Action="SendMessage", QueueUrl=url, **sent)
    number = text(tree, "SendMessageResult", "SequenceNumber")
    wanted = {"AttributeName.1": "SequenceNumber", "ReceiveRequestAttemptId": "a"}
    _, tree = query(shared, Action="ReceiveMessage", QueueUrl=url, **wanted)
    message = "ReceiveMessageResult", "Message", "Attribute"
    assert text(tree, *message, "Name") == "SequenceNumber"
    assert text(tree, *message, "Value") == number
    query(shared, Action="DeleteQueue", QueueUrl=url)


# Metrics.


def test_metrics_tell_of_groups_and_of_what_came_again(shared, sqs, fifo):
    send(sqs, fifo, "g1-m1", "g1-m2", "g2-m1", "g2-m1")
    take(sqs, fifo, 2)
    _, _, page = shared.get("/metrics")
    name = fifo.rsplit("/", 1)[1]
    lines = [line for line in page.decode().splitlines() if f'queue="{name}"' in line]
    found = {line.split("{")[0]: line.rsplit(" ", 1)[1] for line in lines}
    assert float(found["tidemill_queue_groups_in_flight"]) == 1
    assert float(found["tidemill_queue_deduplicated_total"]) == 1
    assert float(found["tidemill_queue_noisy_groups"]) == 0
