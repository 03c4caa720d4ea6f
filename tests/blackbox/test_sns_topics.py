"""Topics and subscriptions: made, found, changed, removed, as with AWS itself."""

import itertools
import json
import subprocess

import pytest

from clients import command_line
from server import BINARY
from topics import ACCOUNT, Listener, listening, refusal

_numbers = itertools.count(1)
MISSING = ("NotFound", "Topic does not exist")


@pytest.fixture
def sns(shared):
    return shared.client("sns")


@pytest.fixture
def name():
    return f"topic-{next(_numbers)}"


def test_a_topic_is_described_as_on_aws(sns, name):
    arn = sns.create_topic(Name=name, Attributes={"DisplayName": "Orders"})["TopicArn"]
    assert arn == f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
    shown = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    policy = json.loads(shown.pop("Policy"))
    assert policy["Id"] == "__default_policy_ID"
    assert policy["Statement"][0]["Resource"] == arn
    assert shown == {
        "DisplayName": "Orders",
        "Owner": ACCOUNT,
        "SubscriptionsConfirmed": "0",
        "SubscriptionsDeleted": "0",
        "SubscriptionsPending": "0",
        "TopicArn": arn,
    }


def test_a_topic_is_made_once_and_deleted_as_often_as_anybody_likes(sns, name):
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    first = sns.create_topic(Name=name, Tags=tags)["TopicArn"]
    for same in ({"Tags": tags}, {"Tags": tags[:1]}, {}):
        assert sns.create_topic(Name=name, **same)["TopicArn"] == first
    other = {"Tags": [{"Key": "a", "Value": "3"}]}
    told = "Invalid parameter: Tags Reason: Topic already exists with different tags"
    assert refusal(sns.create_topic, Name=name, **other) == ("InvalidParameter", told)
    other = {"Attributes": {"DisplayName": "another"}}
    told = "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
    assert refusal(sns.create_topic, Name=name, **other) == ("InvalidParameter", told)
    sns.delete_topic(TopicArn=first)
    sns.delete_topic(TopicArn=first)
    assert refusal(sns.get_topic_attributes, TopicArn=first) == MISSING


def test_what_is_no_topic_is_told_as_on_aws(sns, name):
    for bad in ("a b", "a.b", "t" * 257, "é"):
        told = ("InvalidParameter", "Invalid parameter: Topic Name")
        assert refusal(sns.create_topic, Name=bad) == told, bad
    code, told = refusal(sns.create_topic, Name=f"{name}.fifo", Attributes={"FifoTopic": "true"})
    assert (code, "FIFO topics are not supported" in told) == ("InvalidParameter", True)
    elements = "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1"
    told = refusal(sns.get_topic_attributes, TopicArn="nonsense")
    assert told == ("InvalidParameter", elements)
    elsewhere = f"arn:aws:sns:eu-west-1:{ACCOUNT}:{name}"
    told = ("InvalidParameter", "Invalid parameter: TopicArn")
    assert refusal(sns.get_topic_attributes, TopicArn=elsewhere) == told
    for call in (sns.list_subscriptions_by_topic, sns.get_topic_attributes):
        assert refusal(call, TopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}") == MISSING


def test_a_topic_is_set_to_what_there_is_and_nothing_else(sns, name):
    arn = sns.create_topic(Name=name)["TopicArn"]

    def put(attribute, value):
        sns.set_topic_attributes(TopicArn=arn, AttributeName=attribute, AttributeValue=value)

    def shown(attribute):
        return sns.get_topic_attributes(TopicArn=arn)["Attributes"][attribute]

    put("DisplayName", "Orders")
    assert shown("DisplayName") == "Orders"
    statement = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}}
    statement |= {"Action": "sns:Publish", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    put("Policy", policy)
    assert shown("Policy") == policy
    put("Policy", "")
    assert "__default_policy_ID" in shown("Policy")
    of = {"TopicArn": arn, "AttributeValue": "1"}
    for attribute in ("KmsMasterKeyId", "DeliveryPolicy", "SignatureVersion", "TracingConfig"):
        code, told = refusal(sns.set_topic_attributes, AttributeName=attribute, **of)
        assert (code, f"{attribute} is not supported by Tidemill" in told) == (
            "InvalidParameter",
            True,
        )
    told = ("InvalidParameter", "Invalid parameter: AttributeName")
    assert refusal(sns.set_topic_attributes, AttributeName="Nonsense", **of) == told
    code, _ = refusal(sns.set_topic_attributes, AttributeName="Policy", **of)
    assert code == "InvalidParameter"


def test_topics_and_subscriptions_are_listed_in_pages(fresh):
    service = fresh().start()
    sns = service.client("sns")
    arns = [sns.create_topic(Name=f"t-{number:03}")["TopicArn"] for number in range(101)]
    first = sns.list_topics()
    second = sns.list_topics(NextToken=first["NextToken"])
    assert "NextToken" not in second
    assert [it["TopicArn"] for it in first["Topics"] + second["Topics"]] == arns
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    for number in range(101):
        sns.subscribe(TopicArn=arns[0], Protocol="sqs", Endpoint=f"{queue}-{number}")
    sns.subscribe(TopicArn=arns[1], Protocol="sqs", Endpoint=queue)
    pages = sns.get_paginator("list_subscriptions").paginate()
    found = [it for page in pages for it in page["Subscriptions"]]
    assert len({it["SubscriptionArn"] for it in found}) == len(found) == 102
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arns[0])
    assert [len(page["Subscriptions"]) for page in pages] == [100, 1]
    told = ("InvalidParameter", "Invalid parameter: NextToken")
    for call in (sns.list_topics, sns.list_subscriptions):
        assert refusal(call, NextToken="nonsense") == told


def test_a_queue_that_subscribed_is_described_as_on_aws(shared, sns, name):
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = Listener(shared).arn
    asked = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue}
    arn = sns.subscribe(**asked, Attributes={"RawMessageDelivery": "true"})["SubscriptionArn"]
    assert arn.startswith(topic + ":")
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"] == {
        "ConfirmationWasAuthenticated": "true",
        "Endpoint": queue,
        "Owner": ACCOUNT,
        "PendingConfirmation": "false",
        "Protocol": "sqs",
        "RawMessageDelivery": "true",
        "SubscriptionArn": arn,
        "TopicArn": topic,
    }
    listed = {key: value for key, value in asked.items()}
    listed |= {"Owner": ACCOUNT, "SubscriptionArn": arn}
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == [listed]
    assert sns.subscribe(**asked)["SubscriptionArn"] == arn
    other = {"Attributes": {"RawMessageDelivery": "false"}}
    told = "Invalid parameter: Attributes Reason: Subscription already exists with different "
    assert refusal(sns.subscribe, **asked, **other) == ("InvalidParameter", told + "attributes")
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert counts["SubscriptionsConfirmed"] == "1"
    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)
    told = ("NotFound", "Subscription does not exist")
    assert refusal(sns.get_subscription_attributes, SubscriptionArn=arn) == told
    raw = {"AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
    assert refusal(sns.set_subscription_attributes, SubscriptionArn=arn, **raw) == told
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsConfirmed"], counts["SubscriptionsDeleted"]) == ("0", "1")


def test_who_cannot_subscribe_is_told_why(shared, sns, name):
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"

    def told(protocol="sqs", endpoint=queue, of=topic, **more):
        return refusal(
            sns.subscribe, TopicArn=of, Protocol=protocol, Endpoint=endpoint, **more
        )

    unknown = "Invalid parameter: Amazon SNS does not support this protocol string: pigeon"
    assert told("pigeon") == ("InvalidParameter", unknown)
    for protocol in ("http", "https", "email", "email-json", "sms", "lambda", "application"):
        code, message = told(protocol)
        assert code == "InvalidParameter"
        assert f"{protocol} is not supported by Tidemill, whose topics deliver to sqs" in message
    for endpoint in (f"{shared.url}/{ACCOUNT}/q", "q", topic):
        wrong = ("InvalidParameter", "Invalid parameter: SQS endpoint ARN")
        assert told(endpoint=endpoint) == wrong
    code, message = told(endpoint="arn:aws:sqs:us-east-1:123456789012:q")
    assert (code, "own account" in message) == ("InvalidParameter", True)
    code, message = told(endpoint=queue + ".fifo")
    assert message.endswith("FIFO SQS Queues can not be subscribed to standard SNS topics")
    wrong = "Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [x]. Must be "
    raw = {"Attributes": {"RawMessageDelivery": "x"}}
    assert told(**raw) == ("InvalidParameter", wrong + "true or false.")
    for lacking in ("FilterPolicy", "FilterPolicyScope", "RedrivePolicy", "DeliveryPolicy"):
        code, message = told(Attributes={lacking: "{}"})
        assert (code, f"{lacking} is not supported" in message) == ("InvalidParameter", True)
    assert told(of=topic + "-x") == MISSING
    wrong = ("InvalidParameter", "Invalid parameter: Token")
    assert refusal(sns.confirm_subscription, TopicArn=topic, Token="t") == wrong


def test_a_topic_is_tagged(sns, name):
    arn = sns.create_topic(Name=name, Tags=[{"Key": "a", "Value": "1"}])["TopicArn"]
    sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": ""}])
    sns.untag_resource(ResourceArn=arn, TagKeys=["b", "nobody"])
    listed = sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
    assert listed == [{"Key": "a", "Value": ""}]
    twice = [{"Key": "c", "Value": "1"}, {"Key": "c", "Value": "2"}]
    told = ("InvalidParameter", "Invalid parameter: Duplicated keys are not allowed.")
    assert refusal(sns.tag_resource, ResourceArn=arn, Tags=twice) == told
    many = [{"Key": f"k-{number}", "Value": "v"} for number in range(50)]
    assert refusal(sns.tag_resource, ResourceArn=arn, Tags=many)[0] == "TagLimitExceeded"
    told = ("ResourceNotFound", "Resource does not exist")
    assert refusal(sns.list_tags_for_resource, ResourceArn=arn + "-x") == told


def test_accounts_and_regions_have_topics_of_their_own(locked, shared, name):
    here, there = shared.client("sns"), shared.client("sns", region="eu-west-1")
    arn = there.create_topic(Name=name)["TopicArn"]
    assert arn == f"arn:aws:sns:eu-west-1:{ACCOUNT}:{name}"
    assert arn not in [it["TopicArn"] for it in here.list_topics()["Topics"]]
    other = shared.client("sns", key="123456789012")
    assert other.create_topic(Name=name)["TopicArn"] == f"arn:aws:sns:us-east-1:123456789012:{name}"
    service, key, secret = locked
    guarded = service.client("sns", key, secret)
    foreign = f"arn:aws:sns:us-east-1:123456789012:{name}"
    code, told = refusal(guarded.publish, TopicArn=foreign, Message="x")
    assert code == "AuthorizationError"
    assert f"is not authorized to perform: SNS:Publish on resource: {foreign}" in told


def test_the_command_line_makes_a_topic_and_publishes(shared, name):
    def run(*words):
        return command_line(shared, *words)

    arn = run("sns", "create-topic", "--name", name)["TopicArn"]
    listener = Listener(shared)
    to = ["--topic-arn", arn]
    run("sns", "subscribe", *to, "--protocol", "sqs", "--notification-endpoint", listener.arn)
    sent = run("sns", "publish", *to, "--subject", "S", "--message", "hello")
    (note,) = listener.notes()
    assert (note["MessageId"], note["Subject"]) == (sent["MessageId"], "S")


def test_topics_and_subscriptions_survive_a_kill(fresh):
    service = fresh().start()
    sns = service.client("sns")
    arn, listener = listening(service, sns, "kept", Attributes={"RawMessageDelivery": "true"})
    gone = sns.create_topic(Name="gone")["TopicArn"]
    sns.delete_topic(TopicArn=gone)
    service.kill()
    service.start()
    assert [it["TopicArn"] for it in sns.list_topics()["Topics"]] == [arn]
    sns.publish(TopicArn=arn, Message="hello")
    assert [message["Body"] for message in listener.messages()] == ["hello"]


def test_a_reset_leaves_no_topic(fresh):
    service = fresh("--allow-reset").start()
    sns = service.client("sns")
    topic, _ = listening(service, sns, "gone")
    assert service.request("POST", "/_tidemill/reset", b"")[0] == 200
    assert (sns.list_topics()["Topics"], sns.list_subscriptions()["Subscriptions"]) == ([], [])
    assert refusal(sns.publish, TopicArn=topic, Message="x") == MISSING


def test_topics_are_checked_and_copied_with_all_else(fresh, tmp_path):
    service = fresh().start()
    sns = service.client("sns")
    topic, listener = listening(service, sns, "copied")
    copy = tmp_path / "copy"
    for command in (["backup", service.data, copy], ["check", copy]):
        words = [str(word) for word in (BINARY, *command)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert f"{copy}/topics: whole" in done.stdout
    again = fresh()
    copy.rename(again.data)
    again.start()
    (subscription,) = again.client("sns").list_subscriptions()["Subscriptions"]
    assert (subscription["TopicArn"], subscription["Endpoint"]) == (topic, listener.arn)
