"""Roles: the keys that an instance is given, and what is known of whoever signs with them."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from fleet import mill  # noqa: F401 (a fixture)
from server import BINARY, until
from test_ec2_metadata import SCRIPT, Metadata

ROLE = {"IamInstanceProfile": {"Name": "worker"}}

# What users write: nothing in it says where the keys come from.
WORKER = f"""#!{sys.executable}
import boto3, os
from botocore.config import Config
sqs = boto3.client("sqs", config=Config(retries={{"total_max_attempts": 1}}))
url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
print("at work", flush=True)
while True:
    got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10, VisibilityTimeout=600)
    for one in got.get("Messages", []):
        print("took", one["Body"], flush=True)
        if one["Body"] != "keep":
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
            print("did", one["Body"], flush=True)
"""


def as_whom(mill):
    """Programs of an instance that use the tests' own libraries, wherever these are."""
    if os.geteuid() == 0:
        mill.flags += ["--instances-user", "root", "--instances-as-root"]


def signed_by(mill, keys, service="sqs"):
    return mill.client(
        service,
        key=keys["AccessKeyId"],
        secret=keys["SecretAccessKey"],
        aws_session_token=keys["Token"],
    )


class Locked:
    """A guarded service with an instance that acts in a role."""

    def __init__(self, mill, **more):
        self.mill, (self.key, self.secret) = mill, mill.init()
        mill.start()
        self.ec2 = mill.client("ec2", key=self.key, secret=self.secret)
        launched = self.ec2.run_instances(
            MinCount=1, MaxCount=1, UserData="#!/bin/sh\nenv\nexec sleep 1000\n", **more
        )
        self.instance = launched["Instances"][0]["InstanceId"]
        until(lambda: "USER=" in self.printed(), "it has printed what it was given")

    def printed(self):
        return self.ec2.get_console_output(InstanceId=self.instance)["Output"]

    def told(self, name):
        found = re.search(rf"^(?:.*: )?{name}=(.*?)\r?$", self.printed(), re.M)
        return found and found[1]

    def keys(self):
        """As a container asks."""
        headers = {"Authorization": self.told("AWS_CONTAINER_AUTHORIZATION_TOKEN")}
        request = urllib.request.Request(
            self.told("AWS_CONTAINER_CREDENTIALS_FULL_URI"), headers=headers
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def metadata(self):
        metadata = Metadata.__new__(Metadata)
        metadata.url = self.told("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        return metadata

    def end(self):
        self.ec2.terminate_instances(InstanceIds=[self.instance], SkipOsShutdown=True)
        until(lambda: self.mill.processes(self.instance) == [], "nothing of it runs")
        self.mill.stop()


def code(call, *given, **more):
    with pytest.raises(ClientError) as refused:
        call(*given, **more)
    return refused.value.response["Error"]["Code"]


def test_an_instance_is_given_keys_of_its_role_and_signs_with_them(mill):
    locked = Locked(mill, **ROLE)
    assert locked.told("AWS_ACCESS_KEY_ID") is None
    keys = locked.keys()
    assert keys["AccessKeyId"].startswith("ASIA")
    assert keys["RoleArn"] == "arn:aws:iam::000000000000:role/worker"
    sts = signed_by(mill, keys, "sts").get_caller_identity()
    arn = f"arn:aws:sts::000000000000:assumed-role/worker/{locked.instance}"
    assert (sts["Arn"], sts["Account"]) == (arn, "000000000000")
    assert re.fullmatch(rf"AROA[A-Z2-7]{{16}}:{locked.instance}", sts["UserId"])
    sqs = signed_by(mill, keys)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="a")
    got = sqs.receive_message(QueueUrl=url, AttributeNames=["SenderId"])["Messages"]
    assert got[0]["Attributes"]["SenderId"] == sts["UserId"]
    # There are no policies yet; but what drives the service itself is not for roles.
    secrets = {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["Token"],
    }
    command = [str(BINARY), "ps", "--endpoint-url", mill.url]
    done = subprocess.run(
        command, env=mill.environment() | secrets, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and "not for roles" in done.stderr
    locked.end()


def test_the_metadata_service_tells_the_same_keys_and_the_profile(mill):
    locked = Locked(mill, **ROLE)
    metadata = locked.metadata()
    for headers in ({}, metadata.token()):
        info = json.loads(metadata.get("/latest/meta-data/iam/info", **headers))
        assert info["Code"] == "Success"
        arn = "arn:aws:iam::000000000000:instance-profile/worker"
        assert info["InstanceProfileArn"] == arn
        assert info["InstanceProfileId"].startswith("AIPA")
        role = metadata.get("/latest/meta-data/iam/security-credentials/", **headers)
        assert role == "worker"
        path = "/latest/meta-data/iam/security-credentials/worker"
        keys = json.loads(metadata.get(path, **headers))
        assert (keys["Code"], keys["Type"]) == ("Success", "AWS-HMAC")
        assert keys["AccessKeyId"] == locked.keys()["AccessKeyId"]
        assert signed_by(mill, keys).list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    path = "/latest/meta-data/iam/security-credentials/other"
    assert metadata.ask(path)[0] == 404
    locked.end()


def test_keys_are_good_after_a_kill_and_not_when_their_time_is_over(mill):
    locked = Locked(mill, **ROLE)
    keys = locked.keys()
    mill.kill()
    mill.start()
    signed_by(mill, keys).list_queues()
    mill.stop()
    mill.flags += ["--role-session", "2s"]
    mill.start()
    # What an instance was told once is good still.
    short = locked.keys()
    until(
        lambda: expired(signed_by(mill, short, "sts").get_caller_identity) == "ExpiredToken",
        "a key ends",
    )
    ended = expired(signed_by(mill, short).list_queues)
    assert ended in ("ExpiredToken", "ExpiredTokenException")
    # A new one is there long before.
    signed_by(mill, locked.keys()).list_queues()
    locked.end()


def expired(call):
    try:
        call()
    except ClientError as refused:
        return refused.response["Error"]["Code"]
    return None


def test_a_token_that_is_missing_wrong_or_another_keys_is_refused_as_on_aws(mill):
    locked = Locked(mill, **ROLE)
    keys = locked.keys()
    unknown = ("InvalidClientTokenId", "UnrecognizedClientException")
    token = keys["Token"]
    forged = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for changed in (
        keys | {"Token": None},
        keys | {"Token": "made up"},
        keys | {"Token": forged},
        keys | {"AccessKeyId": "ASIAIOSFODNN7EXAMPLE"},
        keys | {"AccessKeyId": locked.key, "SecretAccessKey": locked.secret},
    ):
        assert code(signed_by(mill, changed, "sts").get_caller_identity) in unknown
        assert code(signed_by(mill, changed).list_queues) in unknown
    changed = keys | {"SecretAccessKey": "x" * 40}
    assert code(signed_by(mill, changed, "sts").get_caller_identity) == "SignatureDoesNotMatch"
    uri = locked.told("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    for headers in ({}, {"Authorization": "made up"}):
        request = urllib.request.Request(uri, headers=headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert refused.value.code == 401
    locked.end()
    # Nothing that is secret is logged.
    log = mill.log.read_text()
    assert keys["SecretAccessKey"] not in log and token not in log


def test_a_guarded_service_gives_no_keys_without_a_profile(mill):
    locked = Locked(mill)
    assert locked.told("AWS_CONTAINER_CREDENTIALS_FULL_URI") is None
    metadata = locked.metadata()
    assert metadata.ask("/latest/meta-data/iam/security-credentials/")[0] == 404
    assert metadata.ask("/tidemill/credentials")[0] == 401
    locked.end()


def test_a_profile_that_cannot_be_one_is_refused(mill):
    mill.start()
    for profile in (
        {"Name": "a b"},
        {"Name": "x" * 129},
        {"Arn": "arn:aws:iam::000000000000:instance-profile/"},
        {"Arn": "worker"},
    ):
        refused = code(
            mill.ec2.run_instances, MinCount=1, MaxCount=1, IamInstanceProfile=profile
        )
        assert refused == "InvalidParameterValue", profile


def test_at_an_open_service_programs_need_no_keys_and_are_known(mill):
    as_whom(mill)
    mill.start()
    script = f"""#!{sys.executable}
import boto3, os
print("keys" if "AWS_ACCESS_KEY_ID" in os.environ else "no keys", flush=True)
print("I am", boto3.client("sts").get_caller_identity()["Arn"], flush=True)
"""
    instance = mill.run(script)
    log = mill.until_log(instance, "I am arn:")
    assert "no keys" in log
    assert f"arn:aws:sts::000000000000:assumed-role/instance/{instance}" in log
    named = mill.run(script, **ROLE)
    log = mill.until_log(named, "I am arn:")
    assert f"arn:aws:sts::000000000000:assumed-role/worker/{named}" in log


def test_boto3_has_a_new_key_before_the_old_one_ends(mill):
    as_whom(mill)
    mill.flags += ["--role-session", "6s"]
    key, secret = mill.init()
    mill.start()
    ec2 = mill.client("ec2", key=key, secret=secret)
    script = f"""#!{sys.executable}
import boto3, time
session = boto3.Session()
sqs = session.client("sqs")
seen = []
while len(seen) < 9:
    sqs.list_queues()
    key = session.get_credentials().get_frozen_credentials().access_key
    if key not in seen:
        seen.append(key)
        print("key", len(seen), flush=True)
    time.sleep(0.2)
print("never refused", flush=True)
"""
    launched = ec2.run_instances(MinCount=1, MaxCount=1, UserData=script, **ROLE)
    instance = launched["Instances"][0]["InstanceId"]

    def printed():
        output = ec2.get_console_output(InstanceId=instance)["Output"]
        assert "Traceback" not in output, output
        return "never refused" in output

    until(printed, "nine keys in a row were good, over more than the life of one", 60)
    ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
    until(lambda: mill.processes(instance) == [], "nothing of it runs")
    mill.stop()


def held(mill, instance):
    done = mill.tool("ps", "--json")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["InstanceId"]: one["Held"] for one in told}[instance]


def test_a_drained_worker_is_given_nothing_more_and_another_goes_on(mill):
    as_whom(mill)
    mill.start()
    sqs = mill.client("sqs")
    url = sqs.create_queue(QueueName="work")["QueueUrl"]
    one = mill.run(WORKER)
    mill.until_log(one, "at work")
    sqs.send_message(QueueUrl=url, MessageBody="keep")
    mill.until_log(one, "took keep")
    assert held(mill, one) == 1
    # It waits for a message just now, and is sent away.
    done = mill.tool("drain", one, "--no-wait")
    assert f"{one} is given no more messages; it has 1" in done.stdout, done.stderr
    for number in range(5):
        sqs.send_message(QueueUrl=url, MessageBody=f"later {number}")
    other = mill.run(WORKER)
    for number in range(5):
        mill.until_log(other, f"did later {number}")
    assert "later" not in mill.logged(one)
    assert (held(mill, one), held(mill, other)) == (1, 0)
    # Who has what outlives the service; who drains does not.
    mill.kill()
    mill.start()
    assert held(mill, one) == 1
    mill.tool("drain", one, "--no-wait")
    sqs = mill.client("sqs")
    sqs.purge_queue(QueueUrl=url)
    done = mill.tool("drain", one)
    assert done.returncode == 0 and "it has 0" in done.stdout
    done = mill.tool("drain", one, "--off")
    assert "is given messages again" in done.stdout


def test_top_shows_queues_groups_and_workers(mill):
    mill.start()
    sqs = mill.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    sqs.receive_message(QueueUrl=url)
    instance = mill.run("#!/bin/sh\necho ready to work\nexec sleep 1000\n")
    mill.until_log(instance, "ready to work")
    mill.ec2.create_launch_template(
        LaunchTemplateName="crew", LaunchTemplateData={"ImageId": "process"}
    )
    mill.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="crew",
        LaunchTemplate={"LaunchTemplateName": "crew"},
        MinSize=0,
        MaxSize=4,
        DesiredCapacity=0,
        AvailabilityZones=["us-east-1a"],
    )
    done = mill.tool("top", "--once", "--interval", "100ms")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^orders +2 +1 +0 ", done.stdout, re.M), done.stdout
    assert re.search(r"^crew +0 +0 +4 +0 +0 +0 +0$", done.stdout, re.M), done.stdout
    assert re.search(rf"^{instance} +- +running +\w+ +0  ready to work$", done.stdout, re.M)
    assert "\x1b" not in done.stdout
    done = mill.tool("top", "--once", "--json", "--interval", "100ms")
    told = json.loads(done.stdout)
    (queue,) = told["Queues"]
    assert (queue["Name"], queue["Visible"], queue["InFlight"]) == ("orders", 2, 1)
    assert told["Instances"][0]["LastLine"] == "ready to work"
