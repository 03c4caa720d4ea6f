"""AWS's JavaScript SDK and sqs-consumer: their tests are in `tests/clients/javascript`."""

import pytest

from clients import JavaScript, user
from fleet import mill  # noqa: F401 (a fixture)
from test_ec2_roles import ROLE, as_whom

# One process has them all: what they need is built once, in a folder that they share.
pytestmark = pytest.mark.xdist_group("javascript")


@pytest.fixture(scope="module")
def javascript():
    return JavaScript()


# Installing the packages may take longer than any test.
@pytest.mark.timeout(600)
def test_the_javascript_sdk_signs_sends_receives_and_is_refused_in_its_own_types(
    javascript, locked
):
    service, key, secret = locked
    javascript.test("sdk.test.js", user(service, key, secret))


@pytest.mark.timeout(600)
def test_a_javascript_sqs_consumer_handles_extends_gives_back_and_stops(javascript, shared):
    javascript.test("consumer.test.js", user(shared))


@pytest.mark.timeout(600)
def test_the_javascript_sdk_has_its_keys_from_its_instance(javascript, mill):  # noqa: F811
    as_whom(mill)
    key, secret = mill.init()
    mill.start()
    sqs, ec2 = (mill.client(one, key=key, secret=secret) for one in ("sqs", "ec2"))
    url = sqs.create_queue(QueueName="work")["QueueUrl"]
    work = f"{javascript.node} {javascript.folder / 'role.js'}"
    script = (
        f"#!/bin/sh\n{work} container\n"
        "unset AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN\n"
        f"{work} metadata\n"
    )
    more = {"ImageId": "process", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    launched = ec2.run_instances(UserData=script, **more, **ROLE)
    instance = launched["Instances"][0]["InstanceId"]
    seen = {}
    while len(seen) < 2:
        got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, AttributeNames=["SenderId"])
        printed = ec2.get_console_output(InstanceId=instance)["Output"]
        assert "Messages" in got, printed
        seen |= {one["Body"]: one["Attributes"]["SenderId"] for one in got["Messages"]}
    assert set(seen) == {"container", "metadata"}
    assert all(sender.endswith(f":{instance}") for sender in seen.values()), seen
    ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
    assert mill.stop() == 0
