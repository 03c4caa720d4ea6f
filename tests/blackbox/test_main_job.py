"""The main job, as a new user does it: create, send, receive, extend, delete, and lose nothing."""

import collections
import json
import subprocess
import sys
import textwrap
import threading

from server import until


def environment(service):
    """What a user sets: the endpoint, and the credentials that every SDK insists on."""
    return service.environment() | {
        "AWS_ENDPOINT_URL": service.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


class AwsCli:
    """The AWS CLI of this Python, pointed at a service.

    Version 1 of the CLI sends SQS to AWS, whatever AWS_ENDPOINT_URL says, in each region that had
    a legacy endpoint (its `overridesslcommonname`); there it is told by `--endpoint-url`.
    """

    def __init__(self, service, region, *flags):
        self.environment = environment(service) | {"AWS_DEFAULT_REGION": region}
        self.command = [sys.executable, "-m", "awscli", "--output", "json", *flags]

    def __call__(self, *words):
        """Runs a command and returns its JSON, if it printed any."""
        done = subprocess.run(
            [*self.command, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


def test_the_aws_cli_needs_nothing_but_the_endpoints_variable(fresh):
    service = fresh().start()
    aws = AwsCli(service, "mill-1")
    url = aws("sqs", "create-queue", "--queue-name", "orders")["QueueUrl"]
    assert url == f"{service.url}/queue/mill-1/000000000000/orders"
    assert aws("sts", "get-caller-identity")["Account"] == "000000000000"


def test_the_aws_cli_takes_a_message_through_its_whole_life(fresh):
    service = fresh().start()
    aws = AwsCli(service, "us-east-1", "--endpoint-url", service.url)
    url = aws("sqs", "create-queue", "--queue-name", "orders")["QueueUrl"]
    assert url == f"{service.url}/000000000000/orders"
    sent = aws("sqs", "send-message", "--queue-url", url, "--message-body", "one")
    (message,) = aws(
        "sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "5"
    )["Messages"]
    assert (message["Body"], message["MessageId"]) == ("one", sent["MessageId"])
    handle = ("--queue-url", url, "--receipt-handle", message["ReceiptHandle"])
    aws("sqs", "change-message-visibility", *handle, "--visibility-timeout", "0")
    (again,) = aws("sqs", "receive-message", "--queue-url", url)["Messages"]
    assert again["MessageId"] == sent["MessageId"]
    aws("sqs", "delete-message", *handle[:3], again["ReceiptHandle"])
    counts = aws(
        "sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "All"
    )["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"
    assert aws("sqs", "list-queues")["QueueUrls"] == [url]


CONSUMER = """
    import boto3
    sqs = boto3.client('sqs')
    url = sqs.get_queue_url(QueueName='jobs')['QueueUrl']
    while True:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=20)
        for message in answer.get('Messages', []):
            print(message['Body'], flush=True)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message['ReceiptHandle'])
"""

SENDER = """
    import boto3, sys
    sqs = boto3.client('sqs')
    url = sqs.create_queue(QueueName='jobs')['QueueUrl']
    for line in sys.stdin:
        sqs.send_message(QueueUrl=url, MessageBody=line.rstrip('\\n'))
"""


def test_each_line_of_a_file_arrives_once_at_a_classic_consumer(fresh):
    service = fresh().start()
    env = environment(service)
    lines = [f"case {n}: {'é' * (n % 7)} \"quoted\" <tag> & {n * n}" for n in range(1000)]
    sender = [sys.executable, "-c", textwrap.dedent(SENDER)]
    subprocess.run(sender, input="\n".join(lines), env=env, text=True, check=True, timeout=100)
    consumer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CONSUMER)],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        arrived = [consumer.stdout.readline().rstrip("\n") for _ in lines]
    finally:
        consumer.kill()
    assert collections.Counter(arrived) == collections.Counter(lines)


def test_a_delayed_message_with_attributes_arrives_after_its_delay(shared, sqs, queue):
    attributes = {
        "Title": {"DataType": "String", "StringValue": "The Whistler"},
        "WeeksOn": {"DataType": "Number", "StringValue": "6"},
        "Cover": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sqs.send_message(
        QueueUrl=queue, DelaySeconds=10, MessageAttributes=attributes, MessageBody="Fiction."
    )

    def receive():
        return sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])

    assert "Messages" not in receive()
    shared.advance("9s")
    assert "Messages" not in receive()
    shared.advance("1s")
    (message,) = receive()["Messages"]
    assert message["Body"] == "Fiction."
    assert message["MessageAttributes"] == attributes


def test_a_long_poll_ends_the_moment_a_message_comes(fresh):
    service = fresh().start()
    sqs = service.client()
    url = sqs.create_queue(QueueName="poll")["QueueUrl"]
    answers = []

    def poll():
        answers.append(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))

    polling = threading.Thread(target=poll)
    polling.start()
    until(lambda: waiting_receivers(service, "poll") == 1, "the long poll waits")
    service.client().send_message(QueueUrl=url, MessageBody="now")
    polling.join(timeout=5)
    assert answers[0]["Messages"][0]["Body"] == "now"


def waiting_receivers(service, queue):
    """How many long polls wait at a queue, as /metrics tells."""
    for line in service.get("/metrics")[2].decode().splitlines():
        if line.startswith("tidemill_queue_waiting_receivers{") and f'queue="{queue}"' in line:
            return float(line.split()[-1])
    return 0


def test_long_polls_are_answered_in_the_order_they_came(fresh):
    service = fresh().start()
    url = service.client().create_queue(QueueName="line")["QueueUrl"]
    got = {}

    def poll(number):
        answer = service.client().receive_message(QueueUrl=url, WaitTimeSeconds=20)
        got[number] = answer["Messages"][0]["Body"]

    polls = [threading.Thread(target=poll, args=(number,)) for number in range(3)]
    for number, thread in enumerate(polls):
        thread.start()
        until(lambda: waiting_receivers(service, "line") == number + 1, "the next poll waits")
    for body in "abc":
        service.client().send_message(QueueUrl=url, MessageBody=body)
    for thread in polls:
        thread.join(timeout=10)
    assert got == {0: "a", 1: "b", 2: "c"}


def test_an_unanswered_long_poll_ends_empty_when_its_time_is_over(shared, sqs, queue):
    answers = []
    name = queue.rsplit("/", 1)[1]

    def poll():
        answers.append(sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20))

    polling = threading.Thread(target=poll)
    polling.start()
    until(lambda: waiting_receivers(shared, name) == 1, "the long poll waits")
    shared.advance("20s")
    polling.join(timeout=5)
    assert "Messages" not in answers[0]
