"""Roles: the keys that an instance is given, and what is known of whoever signs with them."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from fleet import mill  # noqa: F401 (a fixture)
from server import BINARY, until
from test_ec2_metadata import SCRIPT, Metadata

ROLE = {"IamInstanceProfile": {"Name": "worker"}}

# What an instance was told.
SHOW = "#!/bin/sh\nenv\necho that is all\nexec sleep 1000\n"

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
        self.launch(SHOW, **more)
        until(lambda: "that is all" in self.printed(), "it has printed what it was given")

    def launch(self, user_data, **more):
        launched = self.ec2.run_instances(MinCount=1, MaxCount=1, UserData=user_data, **more)
        self.instance = launched["Instances"][0]["InstanceId"]

    def advance(self, span):
        """Moves a manual clock: a guarded service wants that signed."""
        body = json.dumps({"advance": span}).encode()
        request = AWSRequest("POST", f"{self.mill.url}/_tidemill/clock", data=body)
        SigV4Auth(Credentials(self.key, self.secret), "sqs", "us-east-1").add_auth(request)
        headers = dict(request.headers) | {"Content-Type": "application/json"}
        status, _, answer = self.mill.request("POST", "/_tidemill/clock", body, headers)
        assert status == 200, answer

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

    def end_instance(self):
        self.ec2.terminate_instances(InstanceIds=[self.instance], SkipOsShutdown=True)
        until(lambda: self.mill.processes(self.instance) == [], "nothing of it runs")

    def end(self):
        self.end_instance()
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


def test_keys_are_good_after_a_kill(mill):
    locked = Locked(mill, **ROLE)
    keys = locked.keys()
    mill.kill()
    mill.start()
    signed_by(mill, keys).list_queues()
    # What an instance was told once is good still.
    signed_by(mill, locked.keys()).list_queues()
    locked.end()


def test_a_token_that_is_missing_wrong_or_another_keys_is_refused_as_on_aws(mill):
    mill.flags += ["--log", "trace"]
    locked = Locked(mill, **ROLE)
    keys = locked.keys()
    secrets = [keys["SecretAccessKey"], keys["Token"], locked.secret]
    secrets.append(locked.told("AWS_CONTAINER_AUTHORIZATION_TOKEN"))
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
    assert '"level":"DEBUG"' in log
    assert [secret for secret in secrets if secret in log] == []


def test_a_guarded_service_gives_no_keys_without_a_profile(mill):
    locked = Locked(mill)
    assert locked.told("AWS_CONTAINER_CREDENTIALS_FULL_URI") is None
    metadata = locked.metadata()
    assert metadata.ask("/latest/meta-data/iam/security-credentials/")[0] == 404
    locked.end()


def test_what_an_open_service_told_gives_no_keys_once_it_is_guarded(mill):
    mill.start()
    instance = mill.run(SHOW)
    log = mill.until_log(instance, "that is all")
    told = {
        name: re.search(rf"AWS_CONTAINER_{name}=(\S+)", log)[1]
        for name in ("CREDENTIALS_FULL_URI", "AUTHORIZATION_TOKEN")
    }
    uri = urllib.parse.urlsplit(told["CREDENTIALS_FULL_URI"])
    metadata = Metadata.__new__(Metadata)
    metadata.url = f"{uri.scheme}://{uri.netloc}"

    def ask(shown):
        return metadata.ask(uri.path, Authorization=shown)[0]

    assert ask(told["AUTHORIZATION_TOKEN"]) == 200
    mill.stop()
    key, secret = mill.init()
    mill.start()
    # It shows the right thing, and has no role any more.
    assert ask(told["AUTHORIZATION_TOKEN"]) == 404
    assert ask("made up") == 401
    mill.client("ec2", key=key, secret=secret).terminate_instances(
        InstanceIds=[instance], SkipOsShutdown=True
    )
    until(lambda: mill.processes(instance) == [], "nothing of it runs")
    mill.stop()


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


def test_a_key_ends_when_its_time_is_over_and_the_next_is_there_long_before(mill):
    as_whom(mill)
    mill.flags += ["--clock", "manual", "--role-session", "3m"]
    locked = Locked(mill, **ROLE)
    first = locked.keys()
    # A sixth of its life.
    locked.advance("30s")
    second = locked.keys()
    assert second["AccessKeyId"] != first["AccessKeyId"]
    for keys in (first, second):
        signed_by(mill, keys).list_queues()
    locked.advance("151s")
    assert code(signed_by(mill, first, "sts").get_caller_identity) == "ExpiredToken"
    ended = code(signed_by(mill, first).list_queues)
    assert ended in ("ExpiredToken", "ExpiredTokenException")
    signed_by(mill, locked.keys()).list_queues()
    locked.end()


def test_boto3_finds_the_keys_of_its_instance(mill):
    as_whom(mill)
    locked = Locked(mill, **ROLE)
    script = f"""#!{sys.executable}
import boto3
print("I am", boto3.client("sts").get_caller_identity()["Arn"], flush=True)
"""
    locked.end_instance()
    locked.launch(script, **ROLE)
    arn = f"arn:aws:sts::000000000000:assumed-role/worker/{locked.instance}"
    until(lambda: f"I am {arn}" in locked.printed(), "it says who it is")
    locked.end()


def shown(mill, instance):
    done = mill.tool("ps", "--all", "--json")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["InstanceId"]: one for one in told}[instance]


def held(mill, instance):
    return shown(mill, instance)["Held"]


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
    assert shown(mill, one)["Draining"] is True
    assert re.search(rf"^{one} +- +draining ", mill.tool("ps").stdout, re.M)
    done = mill.tool("drain", one, "--off")
    assert "is given messages again" in done.stdout
    assert shown(mill, one)["Draining"] is False


def test_a_worker_that_was_drained_and_stopped_is_given_messages_when_it_starts_again(mill):
    as_whom(mill)
    mill.start()
    sqs = mill.client("sqs")
    url = sqs.create_queue(QueueName="work")["QueueUrl"]
    one = mill.run(WORKER)
    mill.until_log(one, "at work")
    mill.tool("drain", one)
    mill.ec2.stop_instances(InstanceIds=[one])
    mill.until_state(one, "stopped")
    assert shown(mill, one)["Draining"] is True
    mill.ec2.start_instances(InstanceIds=[one])
    sqs.send_message(QueueUrl=url, MessageBody="later")
    mill.until_log(one, "did later")
    assert shown(mill, one)["Draining"] is False
    # Who is gone drains no more.
    mill.tool("drain", one)
    mill.ec2.terminate_instances(InstanceIds=[one])
    mill.until_state(one, "terminated")
    until(lambda: shown(mill, one)["Draining"] is False, "it is forgotten")


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
