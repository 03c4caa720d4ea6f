"""Messages and batches: sizes, digests, what is asked for and told, and what is refused how."""

import pytest

from test_protocols import call, query, text
from test_standard_queue import counts, refused

TEXT = {"DataType": "String", "StringValue": "v"}


def take(sqs, url, **more):
    ask = {"QueueUrl": url, "MaxNumberOfMessages": 10} | more
    return sqs.receive_message(**ask).get("Messages", [])


# Batches.

BATCHES = {
    "send_message_batch": {"MessageBody": "x"},
    "delete_message_batch": {"ReceiptHandle": "handle"},
    "change_message_visibility_batch": {"ReceiptHandle": "handle", "VisibilityTimeout": 1},
}


@pytest.mark.parametrize("operation", BATCHES)
@pytest.mark.parametrize("name", ["", " ", "i" * 100, "invalid:id", "é"])
def test_an_entrys_id_has_80_plain_characters(sqs, queue, operation, name):
    told = refused(
        "AWS.SimpleQueueService.InvalidBatchEntryId",
        getattr(sqs, operation),
        QueueUrl=queue,
        Entries=[BATCHES[operation] | {"Id": name}],
    )
    assert told == (
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It "
        "can be at most 80 letters long."
    )


@pytest.mark.parametrize("operation", BATCHES)
def test_a_batch_has_ten_different_entries(sqs, queue, operation):
    batch, entry = getattr(sqs, operation), BATCHES[operation]
    told = refused(
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        batch,
        QueueUrl=queue,
        Entries=[entry | {"Id": str(number)} for number in range(20)],
    )
    assert told == "Maximum number of entries per request are 10. You have sent 20."
    told = refused(
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        batch,
        QueueUrl=queue,
        Entries=[entry | {"Id": name} for name in ("id_1", "id_2", "id_2")],
    )
    assert told == "Id id_2 repeated."


@pytest.mark.parametrize(
    "operation, kind",
    [
        ("SendMessageBatch", "SendMessageBatchRequestEntry"),
        ("DeleteMessageBatch", "DeleteMessageBatchRequestEntry"),
        ("ChangeMessageVisibilityBatch", "ChangeMessageVisibilityBatch"),
    ],
)
def test_an_entry_without_an_id_fails_the_batch(shared, queue, operation, kind):
    entries = [{"Id": "1", "MessageBody": "x", "ReceiptHandle": "x"}, {"MessageBody": "x"}]
    _, headers, body = call(shared, operation, QueueUrl=queue, Entries=entries)
    assert headers["x-amzn-query-error"] == "MissingParameter;Sender"
    assert body["message"] == f"The request must contain the parameter {kind}.2.Id."


def failures(shared, operation, queue, *entries):
    """Code and message of what fails of a batch: each entry's, by its place."""
    entries = [{"Id": str(place)} | entry for place, entry in enumerate(entries)]
    status, _, body = call(shared, operation, QueueUrl=queue, Entries=entries)
    assert status == 200, body
    assert all(failed["SenderFault"] is True for failed in body["Failed"])
    return {int(f["Id"]): (f["Code"], f["Message"]) for f in body["Failed"]}


def test_what_an_entry_lacks_fails_it_alone(shared, sqs, queue):
    missing = "MissingParameter"
    lacks = "The request must contain the parameter"
    bodies = failures(
        shared, "SendMessageBatch", queue, {"MessageBody": "x"}, {}, {"MessageBody": ""}
    )
    assert bodies == {
        place: (missing, f"{lacks} SendMessageBatchRequestEntry.{place + 1}.MessageBody.")
        for place in (1, 2)
    }
    assert counts(sqs, queue) == (1, 0, 0)
    handles = failures(shared, "DeleteMessageBatch", queue, {}, {"ReceiptHandle": " "})
    assert handles == {place: (missing, f"{lacks} ReceiptHandle.") for place in (0, 1)}
    changes = failures(
        shared,
        "ChangeMessageVisibilityBatch",
        queue,
        {"VisibilityTimeout": 1},
        {"ReceiptHandle": "dummy"},
        {"ReceiptHandle": "dummy", "VisibilityTimeout": -85},
        {"ReceiptHandle": "dummy", "VisibilityTimeout": 1},
    )
    entry = "ChangeMessageVisibilityBatchRequestEntry"
    assert changes == {
        0: (missing, f"{lacks} ReceiptHandle."),
        1: (missing, f"{lacks} {entry}.2.VisibilityTimeout."),
        2: (
            "InvalidParameterValue",
            "Value -85 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must "
            "be an integer between 0 and 43200.",
        ),
        3: (
            "ReceiptHandleIsInvalid",
            'The input receipt handle "dummy" is not a valid receipt handle.',
        ),
    }


def test_what_is_wrong_with_a_message_fails_its_entry_alone(shared, make_queue):
    url = make_queue(MaximumMessageSize="1024")
    code = "InvalidParameterValue"
    found = failures(
        shared,
        "SendMessageBatch",
        url,
        {"MessageBody": "x" * 1024},
        {"MessageBody": "x" * 1018, "MessageAttributes": {"a": TEXT}},
        {"MessageBody": "a\x08"},
        {"MessageBody": "x", "MessageDeduplicationId": "d"},
        {"MessageBody": "x", "DelaySeconds": 901},
        {"MessageBody": "x", "MessageGroupId": "a b"},
    )
    assert found.pop(1) == (
        code,
        "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 "
        "bytes.",
    )
    assert found.pop(2)[0] == "InvalidMessageContents"
    assert found.pop(3) == (
        code,
        "The request include parameter that is not valid for this queue type",
    )
    assert found.pop(4) == (
        code,
        "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and "
        "<= 900.",
    )
    assert found.pop(5)[0] == code and found == {}


# Receipt handles.


@pytest.mark.parametrize("operation", ["DeleteMessage", "ChangeMessageVisibility"])
@pytest.mark.parametrize("given", [{}, {"ReceiptHandle": ""}])
def test_a_handle_is_needed(shared, queue, operation, given):
    _, headers, body = call(shared, operation, QueueUrl=queue, VisibilityTimeout=1, **given)
    assert headers["x-amzn-query-error"] == "MissingParameter;Sender"
    assert body["message"] == "The request must contain the parameter ReceiptHandle."


@pytest.mark.parametrize("seconds", [-10, 43201])
def test_a_message_is_hidden_for_at_most_twelve_hours(sqs, queue, seconds):
    told = refused(
        "InvalidParameterValue",
        sqs.change_message_visibility,
        QueueUrl=queue,
        ReceiptHandle="dummy",
        VisibilityTimeout=seconds,
    )
    assert told == (
        f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 "
        "and 43200."
    )


def test_a_message_is_hidden_for_twelve_hours_in_all_since_it_was_received(shared, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = take(sqs, queue)
    change = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.change_message_visibility(**change, VisibilityTimeout=43200)
    shared.advance("10s")
    told = refused(
        "InvalidParameterValue",
        sqs.change_message_visibility,
        **change,
        VisibilityTimeout=43191,
    )
    assert told == (
        "Value 43191 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout "
        "for the message is beyond the limit [43200 seconds]"
    )
    entry = {"Id": "0", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 43191}
    answer = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=[entry])
    assert [failed["Message"] for failed in answer["Failed"]] == [told]
    sqs.change_message_visibility(**change, VisibilityTimeout=43190)
    sqs.change_message_visibility(**change, VisibilityTimeout=0)
    assert len(take(sqs, queue)) == 1


def test_a_handle_outlives_its_visibility_and_a_later_receive(shared, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (old,) = take(sqs, queue, VisibilityTimeout=1)
    shared.advance("2s")
    change = {"QueueUrl": queue, "ReceiptHandle": old["ReceiptHandle"], "VisibilityTimeout": 2}
    sqs.change_message_visibility(**change)
    assert take(sqs, queue) == []
    shared.advance("3s")
    (new,) = take(sqs, queue)
    assert new["ReceiptHandle"] != old["ReceiptHandle"]
    sqs.change_message_visibility(**(change | {"VisibilityTimeout": 0}))
    assert counts(sqs, queue) == (1, 0, 0)
    for _ in range(3):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=old["ReceiptHandle"])
    assert counts(sqs, queue) == (0, 0, 0)


def test_a_handle_is_of_its_own_queue(sqs, make_queue):
    one, other = make_queue(), make_queue()
    sqs.send_message(QueueUrl=one, MessageBody="x")
    (message,) = take(sqs, one)
    handle = message["ReceiptHandle"]
    refused(
        "ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=other, ReceiptHandle=handle
    )


# Attributes.


def test_the_digests_are_those_of_aws(sqs, queue):
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    number = {"timestamp": {"DataType": "Number", "StringValue": "1493147359900"}}
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
    plain = sqs.send_message(QueueUrl=queue, MessageBody="message", MessageAttributes=number)
    assert plain["MD5OfMessageBody"] == "78e731027d8fd50ed642340b7c9a63b3"
    assert "MD5OfMessageSystemAttributes" not in plain
    traced = sqs.send_message(
        QueueUrl=queue,
        MessageBody="message",
        MessageAttributes=number,
        MessageSystemAttributes=header,
    )
    assert traced["MD5OfMessageAttributes"] == plain["MD5OfMessageAttributes"]
    assert traced["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88"
    binary = {
        "attr1": {
            "DataType": "Binary",
            "BinaryValue": b"traceparent\x1e"
            b"00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01",
        }
    }
    sent = sqs.send_message(QueueUrl=queue, MessageBody="test", MessageAttributes=binary)
    assert sent["MD5OfMessageAttributes"] == "8cbe4db156db8a94db8b801b7addb984"


def test_a_trace_beside_a_message_goes_with_it(sqs, queue):
    def trace(request, **_):
        request.headers["X-Amzn-Trace-Id"] = "Root=1-beside"

    sqs.meta.events.register("before-send.sqs", trace)
    try:
        assert "MD5OfMessageSystemAttributes" not in sqs.send_message(
            QueueUrl=queue, MessageBody="one"
        )
        within = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-within"}}
        entries = [
            {"Id": "0", "MessageBody": "two"},
            {"Id": "1", "MessageBody": "three", "MessageSystemAttributes": within},
        ]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    finally:
        sqs.meta.events.unregister("before-send.sqs", trace)
    got = take(sqs, queue, MessageSystemAttributeNames=["AWSTraceHeader"])
    found = {message["Body"]: message["Attributes"]["AWSTraceHeader"] for message in got}
    assert found == {"one": "Root=1-beside", "two": "Root=1-beside", "three": "Root=1-within"}


def test_a_receiver_chooses_attributes_and_gets_their_digest(sqs, queue):
    given = {"Help.Me": "Me", "Hello": "There", "General": "Kenobi"}
    given = {name: {"DataType": "String", "StringValue": value} for name, value in given.items()}
    sqs.send_message(QueueUrl=queue, MessageBody="msg", MessageAttributes=given)
    whole = "4c360f3fdafd970e05fae2f149d997f5"
    for wanted, names, digest in (
        ([], [], None),
        (["All"], list(given), whole),
        (["*"], list(given), whole),
        ([".*"], list(given), whole),
        (["Foo", "Help"], [], None),
        (["Hello", "General"], ["Hello", "General"], "fca026605781cb4126a1e9044df24232"),
        (["Foo", "Hello"], ["Hello"], "a311262e065454b75da111d535b8dacd"),
        (["Hel.*"], ["Help.Me", "Hello"], "83fee93c1bcd8b9a5a923ffacdc636c7"),
        (["AWS."], [], None),
        (["..foo"], [], None),
    ):
        (message,) = take(
            sqs, queue, MessageAttributeNames=wanted, VisibilityTimeout=0, MaxNumberOfMessages=1
        )
        assert message.get("MD5OfMessageAttributes") == digest, wanted
        assert message.get("MessageAttributes", {}) == {name: given[name] for name in names}


@pytest.mark.parametrize(
    "attribute, message",
    [
        (
            {"Hello": {"DataType": "Number", "StringValue": "world"}},
            "Can't cast the value of message (user) attribute 'Hello' to a number.",
        ),
        ({"": TEXT}, "The request must contain non-empty message (user) attribute names."),
        (
            {"Hello": {"DataType": "", "StringValue": "v"}},
            "The message (user) attribute 'Hello' must contain a non-empty message attribute "
            "value.",
        ),
        (
            {"Hello": {"DataType": "Other", "StringValue": "v"}},
            "The type of message (user) attribute 'Hello' is invalid. You must use only the "
            "following supported type prefixes: Binary, Number, String.",
        ),
        (
            {"AWS.Hello": TEXT},
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These "
            "strings are reserved for internal use.",
        ),
        ({"a" * 257: TEXT}, "Message (user) attribute name must be shorter than 256 bytes."),
        (
            {"a": TEXT | {"DataType": "String." + "a" * 250}},
            "Message (user) attribute type must be shorter than 256 bytes.",
        ),
        (
            {f"attribute-{number}": TEXT for number in range(11)},
            "Number of message attributes [11] exceeds the allowed maximum [10].",
        ),
    ],
)
def test_an_attribute_is_refused_in_the_words_of_aws(sqs, queue, attribute, message):
    told = refused(
        "InvalidParameterValue",
        sqs.send_message,
        QueueUrl=queue,
        MessageBody="x",
        MessageAttributes=attribute,
    )
    assert told == message


def test_lists_are_not_supported_and_no_other_system_attribute_is_known(shared, queue):
    lists = {"Hello": {"DataType": "StringList", "StringListValues": ["World"]}}
    _, headers, body = call(
        shared, "SendMessage", QueueUrl=queue, MessageBody="x", MessageAttributes=lists
    )
    assert body["message"] == (
        "Message attribute list values in SendMessage operation are not supported."
    )
    code = "AWS.SimpleQueueService.UnsupportedOperation;Sender"
    assert headers["x-amzn-query-error"] == code
    system = {"MessageSystemAttributes": {"Hello": TEXT}}
    _, _, body = call(shared, "SendMessage", QueueUrl=queue, MessageBody="x", **system)
    assert body["message"] == "Message system attribute name 'Hello' is invalid."


# What is there and what is not.


def test_nothing_is_left_out_instead_of_being_empty(shared, queue):
    for operation, parameters in (
        ("ReceiveMessage", {"QueueUrl": queue}),
        ("ListQueueTags", {"QueueUrl": queue}),
        ("GetQueueAttributes", {"QueueUrl": queue, "AttributeNames": ["Policy"]}),
        ("ListQueues", {"QueueNamePrefix": "never-made"}),
        ("ListDeadLetterSourceQueues", {"QueueUrl": queue}),
    ):
        status, _, body = call(shared, operation, **parameters)
        assert (status, body) == (200, {}), operation
    one = {"Id": "a", "MessageBody": "x"}
    _, _, body = call(shared, "SendMessageBatch", QueueUrl=queue, Entries=[one])
    assert list(body) == ["Successful"]
    one = {"Id": "a", "ReceiptHandle": "garbage"}
    _, _, body = call(shared, "DeleteMessageBatch", QueueUrl=queue, Entries=[one])
    assert list(body) == ["Failed"]
    status, _, body = shared.get(f"/?Action=ReceiveMessage&QueueUrl={queue}&VisibilityTimeout=0")
    assert status == 200
    status, tree = query(shared, Action="PurgeQueue", QueueUrl=queue)
    status, _, body = shared.get(f"/?Action=ReceiveMessage&QueueUrl={queue}")
    assert b"<ReceiveMessageResult/>" in body, body


def test_a_queue_may_be_called_by_its_name_everywhere(shared, sqs):
    sqs.create_queue(QueueName="by-name")
    sqs.set_queue_attributes(QueueUrl="by-name", Attributes={"VisibilityTimeout": "5"})
    sqs.tag_queue(QueueUrl="by-name", Tags={"a": "1"})
    sqs.send_message_batch(QueueUrl="by-name", Entries=[{"Id": "a", "MessageBody": "x"}])
    (message,) = take(sqs, "by-name")
    sqs.delete_message(QueueUrl="by-name", ReceiptHandle=message["ReceiptHandle"])
    sqs.delete_queue(QueueUrl="by-name")
    told = refused(
        "AWS.SimpleQueueService.NonExistentQueue",
        sqs.get_queue_attributes,
        QueueUrl="by-name",
    )
    assert told == "The specified queue does not exist."
    _, tree = query(shared, Action="SendMessage", QueueUrl="by-name", MessageBody="x")
    told = "The specified queue does not exist for this wsdl version."
    assert text(tree, "Error", "Message") == told


def test_refusals_have_the_status_of_aws(shared, queue):
    for operation, parameters, status in (
        ("GetQueueUrl", {"QueueName": "never-made"}, 400),
        ("DeleteMessage", {"QueueUrl": queue, "ReceiptHandle": "garbage"}, 404),
        ("SetQueueAttributes", {"QueueUrl": queue, "Attributes": {"Foobar": "1"}}, 400),
        ("PurgeQueue", {"QueueUrl": queue}, 200),
        ("PurgeQueue", {"QueueUrl": queue}, 403),
    ):
        answered, _, _ = call(shared, operation, **parameters)
        assert answered == status, operation


# Fairness.


def test_what_was_received_three_times_goes_to_the_back(shared, sqs, queue):
    for body in ("poison", "fine"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    order = []
    for _ in range(4):
        (message,) = take(sqs, queue, VisibilityTimeout=1, MaxNumberOfMessages=1)
        order.append(message["Body"])
        shared.advance("1s")
    assert order == ["poison"] * 3 + ["fine"]


def test_a_noisy_group_waits_for_a_quiet_one(sqs, queue):
    def send(group, number):
        for start in range(0, number, 10):
            entries = [
                {"Id": str(n), "MessageBody": group, "MessageGroupId": group}
                for n in range(min(10, number - start))
            ]
            sqs.send_message_batch(QueueUrl=queue, Entries=entries)

    send("noisy", 60)
    for _ in range(4):
        assert len(take(sqs, queue)) == 10
    send("quiet", 5)
    bodies = [message["Body"] for message in take(sqs, queue)]
    assert bodies[:5] == ["quiet"] * 5


def fast_and_slow(shared, sqs, queue):
    """Five slow messages are with a consumer for half a minute, and three more wait."""
    for _ in range(8):
        sqs.send_message(QueueUrl=queue, MessageBody="slow", MessageGroupId="slow")
    slow = take(sqs, queue, MaxNumberOfMessages=5, VisibilityTimeout=3600)
    shared.advance("30s")
    return slow


def test_a_group_of_few_slow_messages_waits_for_a_quiet_one(shared, sqs, queue):
    fast_and_slow(shared, sqs, queue)
    for tenant in range(4):
        group = f"quick-{tenant}"
        sqs.send_message(QueueUrl=queue, MessageBody=group, MessageGroupId=group)
    sqs.send_message(QueueUrl=queue, MessageBody="none")
    bodies = [message["Body"] for message in take(sqs, queue)]
    assert bodies == [f"quick-{tenant}" for tenant in range(4)] + ["none"] + ["slow"] * 3


def test_a_slow_group_is_quiet_once_others_have_worked_for_longer(shared, sqs, queue):
    slow = fast_and_slow(shared, sqs, queue)
    for message in slow:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    entries = [{"Id": str(n), "MessageBody": "x"} for n in range(10)]
    for _ in range(2):
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    # They are more recent, and come first while the others are noisy.
    others = take(sqs, queue, VisibilityTimeout=3600) + take(sqs, queue, VisibilityTimeout=3600)
    assert {message["Body"] for message in others} == {"x"}
    shared.advance("3m")
    sqs.send_message(QueueUrl=queue, MessageBody="late")
    bodies = [message["Body"] for message in take(sqs, queue)]
    assert bodies == ["slow"] * 3 + ["late"]
