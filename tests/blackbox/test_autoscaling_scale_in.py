"""Hundreds of workers are taken away in the middle of their work, and no message is done twice."""

import collections
import pathlib
import tempfile

import pytest

from groups import make_scaled  # noqa: F401
from server import until

FEW, MANY = 3, 18
SWINGS = 14  # of 15 workers each

# A worker that begins in a tenth of a second, which boto3 does not. Whose it is stands in its keys.
# It writes down what it begins with, and SIGTERM ends it at once: what it held is done by another.
WORKER = """#!/usr/bin/env python3
import http.client, json, os, random, time, urllib.parse, urllib.request

keys = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
keys.add_header("Authorization", os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
keys = json.load(urllib.request.urlopen(keys))
scope = keys["AccessKeyId"] + "/20260101/us-east-1/sqs/aws4_request"
headers = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Date": "20260101T000000Z",
    "X-Amz-Security-Token": keys["Token"],
    "Authorization": "AWS4-HMAC-SHA256 Credential=" + scope
    + ", SignedHeaders=host, Signature=" + "0" * 64,
}
service = http.client.HTTPConnection(urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc)
def call(operation, **given):
    target = {"X-Amz-Target": "AmazonSQS." + operation}
    service.request("POST", "/", json.dumps({"QueueUrl": "orders"} | given), headers | target)
    answer = service.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    return json.loads(body or b"{}")
mine = open("DONE/" + os.environ["TIDEMILL_INSTANCE_ID"], "a", buffering=1)
while True:
    for message in call("ReceiveMessage", WaitTimeSeconds=20).get("Messages", []):
        print(message["Body"], file=mine)
        time.sleep(random.uniform(0.01, 0.1))
        call("DeleteMessage", ReceiptHandle=message["ReceiptHandle"])
"""


@pytest.fixture
def done():
    """A folder where the workers, who may be nobody, write down what they begin with."""
    with tempfile.TemporaryDirectory(prefix="tidemill-done-", dir="/tmp") as folder:
        pathlib.Path(folder).chmod(0o777)
        yield pathlib.Path(folder)


@pytest.mark.timeout(600)
def test_hundreds_of_workers_go_under_load_and_no_message_is_done_twice(
    make_scaled,  # noqa: F811
    done,
):
    service = make_scaled("--max-instances", "60").start()
    sqs = service.client("sqs")
    # A worker that was killed at its work would be followed by another one soon.
    queue = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
    sent = 0

    def load(backlog):
        """Sees to it that so many wait."""
        nonlocal sent
        while waiting() < backlog:
            for _ in range(10):
                batch = [{"Id": str(n), "MessageBody": str(n)} for n in range(sent, sent + 10)]
                told = sqs.send_message_batch(QueueUrl=queue, Entries=batch)
                assert len(told["Successful"]) == 10
                sent += 10

    def counts():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return [int(told[name]) for name in names]

    def waiting():
        return counts()[0]

    service.template(user_data=WORKER.replace("DONE", str(done)))
    tags = {"tidemill:scaling-mode": "fast", "tidemill:queue": "orders"}
    tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    service.make(least=MANY, most=MANY, Tags=tags)

    def size(number):
        """Has the group grow or shrink to so many, each of whom has begun to work."""

        def there():
            load(300)
            everybody = {one["InstanceId"] for one in service.group()["Instances"]}
            return len(everybody) == number and everybody <= {it.name for it in done.iterdir()}

        service.groups.update_auto_scaling_group(
            AutoScalingGroupName="workers", MinSize=number, MaxSize=number
        )
        until(there, f"there are {number}", 120)

    size(MANY)
    for _ in range(SWINGS):
        size(FEW)
        size(MANY)
    until(lambda: counts() == [0, 0], "everything is done", 120)
    times = collections.Counter()
    workers = list(done.iterdir())
    for worker in workers:
        times.update(worker.read_text().split())
    assert len(workers) >= SWINGS * (MANY - FEW), "each was another one"
    assert {number for number, count in times.items() if count > 1} == set()
    assert len(times) == sent
