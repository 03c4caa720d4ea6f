"""Permissions and policies: kept as AWS writes them, and refused in its words."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from test_protocols import call
from test_standard_queue import refused


def policy(sqs, url):
    """The queue's policy, None if it has none."""
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    text = answer.get("Attributes", {}).get("Policy")
    return text and json.loads(text)


def arn(sqs, url):
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def permit(sqs, url, label="read", accounts=("123456789012",), actions=("ReceiveMessage",)):
    sqs.add_permission(
        QueueUrl=url, Label=label, AWSAccountIds=list(accounts), Actions=list(actions)
    )


def test_a_permission_is_a_statement_of_the_queues_policy(sqs, queue):
    permit(sqs, queue)
    resource = arn(sqs, queue)
    assert policy(sqs, queue) == {
        "Version": "2008-10-17",
        "Id": f"{resource}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "read",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                "Action": "SQS:ReceiveMessage",
                "Resource": resource,
            }
        ],
    }
    permit(sqs, queue, "both", ["123456789012", "000000000007"], ["SendMessage", "GetQueueUrl"])
    (_, both) = policy(sqs, queue)["Statement"]
    accounts = ["arn:aws:iam::123456789012:root", "arn:aws:iam::000000000007:root"]
    assert both["Principal"] == {"AWS": accounts}
    assert both["Action"] == ["SQS:SendMessage", "SQS:GetQueueUrl"]


def test_the_last_permission_takes_the_policy_with_it(sqs, queue):
    permit(sqs, queue, "one")
    permit(sqs, queue, "two")
    sqs.remove_permission(QueueUrl=queue, Label="one")
    assert [statement["Sid"] for statement in policy(sqs, queue)["Statement"]] == ["two"]
    sqs.remove_permission(QueueUrl=queue, Label="two")
    assert policy(sqs, queue) is None
    answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
    assert "Attributes" not in answer
    told = refused("InvalidParameterValue", sqs.remove_permission, QueueUrl=queue, Label="two")
    assert told == "Value two for parameter Label is invalid. Reason: can't find label."


def test_a_label_is_used_once(sqs, queue):
    permit(sqs, queue)
    told = refused("InvalidParameterValue", permit, sqs=sqs, url=queue, accounts=["0" * 12])
    assert told == "Value read for parameter Label is invalid. Reason: Already exists."
    before = policy(sqs, queue)
    permit(sqs, queue)
    assert policy(sqs, queue) == before, "the very same permission is granted already"


@pytest.mark.parametrize(
    "actions, message",
    [
        (
            ["SendMessageBatch"],
            "Value SQS:SendMessageBatch for parameter ActionName is invalid. Reason: Please refer "
            "to the appropriate WSDL for a list of valid actions.",
        ),
        (
            ["ReceiveMessage", "CreateQueue"],
            "Value SQS:CreateQueue for parameter ActionName is invalid. Reason: Only the queue "
            "owner is allowed to invoke this action.",
        ),
    ],
)
def test_only_some_actions_can_be_granted(sqs, queue, actions, message):
    told = refused("InvalidParameterValue", permit, sqs=sqs, url=queue, actions=actions)
    assert told == message


@pytest.mark.parametrize("label", ["a b", "é", "l" * 81])
def test_a_label_has_80_plain_characters(sqs, queue, label):
    told = refused("InvalidParameterValue", permit, sqs=sqs, url=queue, label=label)
    assert told.startswith(f"Value {label} for parameter Label is invalid.")


@pytest.mark.parametrize(
    "lacking, name",
    [("Label", "Label"), ("Actions", "ActionName"), ("AWSAccountIds", "AWSAccountIds")],
)
@pytest.mark.parametrize("empty", [False, True])
def test_what_a_permission_lacks_is_named(shared, queue, lacking, name, empty):
    whole = {"Label": "l", "Actions": ["SendMessage"], "AWSAccountIds": ["1" * 12]}
    given = {key: value for key, value in whole.items() if key != lacking}
    if empty:
        given[lacking] = "" if lacking == "Label" else []
    _, headers, body = call(shared, "AddPermission", QueueUrl=queue, **given)
    assert headers["x-amzn-query-error"] == "MissingParameter;Sender"
    assert body["message"] == f"The request must contain the parameter {name}."


def test_a_policy_has_at_most_twenty_statements_and_a_permission_seven_actions(sqs, queue):
    for number in range(20):
        permit(sqs, queue, f"label-{number}")
    told = refused("OverLimit", permit, sqs=sqs, url=queue)
    assert told == "21 Statements were found, maximum allowed is 20."
    actions = ["SendMessage"] * 8
    told = refused("OverLimit", permit, sqs=sqs, url=queue, actions=actions)
    assert told == "8 Actions were found, maximum allowed is 7."


STATEMENT = {
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": "sqs:SendMessage",
    "Resource": "arn:aws:sqs:us-east-1:000000000000:orders",
    "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:000000000000:topic"}},
}


def test_a_policy_comes_back_as_it_was_set_and_goes_when_set_empty(sqs, queue):
    text = json.dumps({"Version": "2012-10-17", "Statement": STATEMENT})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": text})
    for wanted in ("All", "Policy"):
        answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[wanted])
        assert answer["Attributes"]["Policy"] == text
    permit(sqs, queue)
    joined = policy(sqs, queue)
    assert joined["Version"] == "2012-10-17" and joined["Statement"][0] == STATEMENT
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    assert policy(sqs, queue) is None
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})


@pytest.mark.parametrize(
    "text",
    [
        "badjson",
        "[]",
        '"text"',
        "533",
        "null",
        "{}",
        json.dumps({"Version": "2012-10-17", "Statement": []}),
        json.dumps({"Version": "4532-10-17", "Statement": STATEMENT}),
        json.dumps({"More": 1, "Statement": STATEMENT}),
        json.dumps({"Statement": [STATEMENT | {"More": 1}]}),
    ],
)
def test_what_is_no_policy_is_refused(sqs, queue, text):
    attributes = {"Policy": text}
    told = refused(
        "InvalidAttributeValue", sqs.set_queue_attributes, QueueUrl=queue, Attributes=attributes
    )
    assert told == "Invalid value for the parameter Policy."


def test_a_policy_of_too_many_statements_is_refused(sqs):
    statements = [STATEMENT | {"Sid": f"label-{number}"} for number in range(22)]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    told = refused(
        "OverLimit", sqs.create_queue, QueueName="too-many", Attributes={"Policy": text}
    )
    assert told == "22 statements were found in the submitted policy, max allowed is 20"


def test_permissions_that_are_added_at_once_are_all_there(sqs, queue):
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda number: permit(sqs, queue, f"label-{number}"), range(20)))
    assert len(policy(sqs, queue)["Statement"]) == 20
