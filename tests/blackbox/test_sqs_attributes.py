"""Queue attributes: their ranges, what they ask of each other, tags, and creating again."""

import pytest

from test_protocols import call, query, text
from test_standard_queue import refused

RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1048576),
    "MessageRetentionPeriod": (60, 1209600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43200),
    "KmsDataKeyReusePeriodSeconds": (60, 86400),
}


def attributes(sqs, url, *names):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names)).get("Attributes", {})


@pytest.mark.parametrize("name", RANGES)
def test_a_number_is_within_its_range(sqs, queue, name):
    least, most = RANGES[name]
    for value in (least, most):
        sqs.set_queue_attributes(
            QueueUrl=queue, Attributes={name: str(value), "KmsMasterKeyId": "alias/x"}
        )
        assert attributes(sqs, queue, name) == {name: str(value)}
    for value in (str(least - 1), str(most + 1), "", " 6", "5.5", "true", "x"):
        told = refused(
            "InvalidAttributeValue",
            sqs.create_queue,
            QueueName="never-made",
            Attributes={name: value},
        )
        assert told == f"Invalid value for the parameter {name}."


@pytest.mark.parametrize("given, kept", [(400, "400"), ("500", "500"), (None, "0")])
def test_a_value_may_be_a_number_on_the_wire_and_null_is_none(shared, sqs, given, kept):
    name = f"coerced-{kept}"
    status, _, body = call(
        shared, "CreateQueue", QueueName=name, Attributes={"DelaySeconds": given}
    )
    assert status == 200
    assert attributes(sqs, body["QueueUrl"], "DelaySeconds") == {"DelaySeconds": kept}
    sqs.delete_queue(QueueUrl=body["QueueUrl"])


@pytest.mark.parametrize("given", [{}, {"Attributes": {}}])
def test_setting_nothing_is_refused(shared, queue, given):
    _, headers, body = call(shared, "SetQueueAttributes", QueueUrl=queue, **given)
    assert headers["x-amzn-query-error"] == "MissingParameter;Sender"
    assert body["message"] == "The request must contain the parameter Attribute.Name."


@pytest.mark.parametrize("name", ["Foobar", "QueueArn", "CreatedTimestamp", "All"])
def test_what_cannot_be_set_is_unknown(sqs, queue, name):
    told = refused(
        "InvalidAttributeName",
        sqs.set_queue_attributes,
        QueueUrl=queue,
        Attributes={name: "1"},
    )
    assert told == f"Unknown Attribute {name}."


def test_creating_again_with_what_is_there_anyway_is_harmless(sqs, queue):
    name = queue.rsplit("/", 1)[1]
    usual = {
        "DelaySeconds": "0",
        "VisibilityTimeout": "30",
        "MaximumMessageSize": "1048576",
        "SqsManagedSseEnabled": "True",
    }
    assert sqs.create_queue(QueueName=name, Attributes=usual)["QueueUrl"] == queue
    changed = {"VisibilityTimeout": "2", "KmsMasterKeyId": "alias/x"}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=changed)
    assert sqs.create_queue(QueueName=name, Attributes=changed)["QueueUrl"] == queue
    assert sqs.create_queue(QueueName=name)["QueueUrl"] == queue
    for attribute, value in (
        ("VisibilityTimeout", "1"),
        ("KmsMasterKeyId", "alias/y"),
        ("SqsManagedSseEnabled", "true"),
        ("Policy", '{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:*"}}'),
    ):
        told = refused(
            "QueueAlreadyExists",
            sqs.create_queue,
            QueueName=name,
            Attributes={attribute: value},
        )
        said = "A queue already exists with the same name and a different value for attribute "
        # A key and encryption by SQS itself exclude each other: either may be named.
        assert told.startswith(said) and told[len(said) :] in (attribute, "KmsMasterKeyId")


def test_an_attribute_that_a_queue_has_not_is_left_out(sqs, queue):
    names = ["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "FifoQueue"]
    assert attributes(sqs, queue, *names) == {}
    assert attributes(sqs, queue) == {}
    call = sqs.get_queue_attributes
    told = refused("InvalidAttributeName", call, QueueUrl=queue, AttributeNames=["All", "Foobar"])
    assert told == "Unknown Attribute Foobar."


def test_tags_have_their_limits(shared, sqs, queue):
    name = queue.rsplit("/", 1)[1]
    sqs.tag_queue(QueueUrl=queue, Tags={f"tag-{number}": "" for number in range(50)})
    sqs.tag_queue(QueueUrl=queue, Tags={"tag-1": "another"})
    code = "InvalidParameterValue"
    told = refused(code, sqs.tag_queue, QueueUrl=queue, Tags={"one-more": ""})
    assert told == f"Too many tags added for queue {name}."
    for tags in ({"": "v"}, {"k" * 129: "v"}, {"aws:k": "v"}, {"k": "v" * 257}):
        refused(code, sqs.tag_queue, QueueUrl=queue, Tags=tags)
        refused(code, sqs.create_queue, QueueName="never-made", tags=tags)
    told = refused(code, sqs.untag_queue, QueueUrl=queue, TagKeys=[])
    assert told == "Tag keys must be between 1 and 128 characters in length."
    sqs.untag_queue(QueueUrl=queue, TagKeys=["tag-1", "never-there"])
    tags = sqs.list_queue_tags(QueueUrl=queue)["Tags"]
    assert len(tags) == 49 and "tag-1" not in tags
    _, _, body = call(shared, "TagQueue", QueueUrl=queue, Tags={})
    assert body["message"] == "The request must contain the parameter Tags."


def test_tags_tell_upper_from_lower_case(sqs):
    tags = {"MyTag": "one", "mytag": "two"}
    url = sqs.create_queue(QueueName="tagged", tags=tags)["QueueUrl"]
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == tags
    sqs.delete_queue(QueueUrl=url)


@pytest.mark.parametrize("number", [-1, 1001])
def test_a_page_has_1_to_1000_queues(sqs, number):
    told = refused("InvalidParameterValue", sqs.list_queues, MaxResults=number)
    assert told == (
        "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between "
        "1 and 1000."
    )


def test_a_token_that_is_none_is_refused(sqs):
    told = refused("InvalidParameterValue", sqs.list_queues, NextToken="invalid", MaxResults=1)
    assert told == "Invalid or expired next token."


def test_a_list_that_is_not_paged_has_no_token(sqs):
    urls = [sqs.create_queue(QueueName=f"unpaged-{number}")["QueueUrl"] for number in range(3)]
    answer = sqs.list_queues(QueueNamePrefix="unpaged-")
    assert answer["QueueUrls"] == urls and "NextToken" not in answer
    first = sqs.list_queues(QueueNamePrefix="unpaged-", MaxResults=2)
    rest = sqs.list_queues(
        QueueNamePrefix="unpaged-", MaxResults=2, NextToken=first["NextToken"]
    )
    assert rest["QueueUrls"] == urls[2:] and "NextToken" not in rest
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def test_attributes_come_and_go_by_query_too(shared):
    names = {
        "Attribute.1.Name": "DelaySeconds",
        "Attribute.1.Value": "7",
        "Attribute.2.Name": "KmsMasterKeyId",
        "Attribute.2.Value": "alias/x",
    }
    _, tree = query(shared, Action="CreateQueue", QueueName="by-query", **names)
    url = text(tree, "CreateQueueResult", "QueueUrl")
    status, tree = query(shared, Action="SetQueueAttributes", QueueUrl=url)
    assert (status, text(tree, "Error", "Code")) == (400, "MissingParameter")
    one = {"Attribute.Name": "Foobar", "Attribute.Value": "1"}
    status, tree = query(shared, Action="SetQueueAttributes", QueueUrl=url, **one)
    assert (status, text(tree, "Error", "Message")) == (400, "Unknown Attribute Foobar.")
    wanted = {"AttributeName.1": "KmsDataKeyReusePeriodSeconds"}
    _, tree = query(shared, Action="GetQueueAttributes", QueueUrl=url, **wanted)
    assert text(tree, "GetQueueAttributesResult", "Attribute", "Value") == "300"
    query(shared, Action="DeleteQueue", QueueUrl=url)
