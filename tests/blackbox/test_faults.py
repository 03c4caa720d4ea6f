"""A disk that fails, tears, hangs or is full: what is refused, what goes on, what is kept."""

import json
import resource
import subprocess
import threading
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from server import BINARY, until
from test_durability import drain, run
from test_operating import metrics, tool


def fault(service, what, value=None):
    """Makes the disk fail: `fault(service, "tear-write", "100")`."""
    body = json.dumps(what if value is None else {what: value}).encode()
    status, _, answer = service.request("POST", "/_tidemill/faults", body)
    assert status == 200, answer


def health(service):
    status, _, body = service.get("/health")
    return status, json.loads(body)["status"], json.loads(body)["reason"]


def refused(call, **parameters):
    """How a call is refused: (status, code)."""
    with pytest.raises(ClientError) as told:
        call(**parameters)
    response = told.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def refusing(service):
    """The reasons for which /metrics says that changes are refused."""
    name = "tidemill_disk_refusing"
    found = metrics(service).items()
    return [key.split('"')[1] for key, value in found if key.startswith(name) and value == 1]


CHANGES = {
    "topics": ("sns", "create_topic", lambda number: {"Name": f"topic-{number}"}),
    "metrics": (
        "cloudwatch",
        "put_metric_data",
        lambda number: {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": number}]},
    ),
    "fleet": (
        "ec2",
        "create_launch_template",
        lambda number: {
            "LaunchTemplateName": f"worker-{number}",
            "LaunchTemplateData": {"ImageId": "process"},
        },
    ),
}


@pytest.mark.parametrize("log", CHANGES)
def test_a_log_that_fails_is_told_once_and_the_queues_go_on(fresh, log):
    service = fresh("--allow-faults").start()
    name, change, parameters = CHANGES[log]
    status, _, _ = service.request("POST", f"/_tidemill/faults?log={log}", b'"fail-write"')
    assert status == 200
    change = getattr(service.client(name), change)
    for number in range(5):
        assert refused(change, **parameters(number))[0] == 500
    status, word, reason = health(service)
    assert (status, word) == (503, "failed") and "a write failed" in reason
    assert refusing(service) == ["failed"]
    service.client().create_queue(QueueName="orders")

    def errors():
        return [line for line in service.log.read_text().splitlines() if "ERROR" in line]

    (error,) = until(errors, "it is told")
    assert log in error and "a write failed" in error


def test_a_sync_of_the_metrics_log_that_hangs_is_seen_and_others_do_not_wait_for_it(fresh):
    service = fresh("--allow-faults", "--disk-patience", "200ms").start()
    name, change, parameters = CHANGES["metrics"]
    put = lambda: getattr(service.client(name), change)(**parameters(1))
    break_disk = lambda how: service.request("POST", "/_tidemill/faults?log=metrics", how)[0]
    assert break_disk(b'"stall-sync"') == 200
    waiting = threading.Thread(target=put)
    waiting.start()
    until(lambda: health(service)[:2] == (503, "stalled"), "it is seen that the disk hangs")
    assert refusing(service) == ["stalled"]
    assert refused(put) == (503, "ServiceUnavailable")
    assert break_disk(b'"resume"') == 200
    waiting.join(60)
    assert not waiting.is_alive()
    until(lambda: health(service)[:2] == (200, "ok"), "all is well again")
    put()


def test_a_fault_is_for_a_log_that_there_is(fresh):
    service = fresh("--allow-faults").start()
    for query in ("log=other", "other"):
        assert service.request("POST", f"/_tidemill/faults?{query}", b'"fail-write"')[0] == 400


class Ledger:
    """What was acknowledged, by clients that go on until they are refused."""

    def __init__(self, service, url):
        self.service, self.url = service, url
        self.sent, self.deleted, self.codes = set(), set(), []
        self.lock = threading.Lock()

    def send(self, bodies):
        client = self.service.client()
        for body in bodies:
            try:
                client.send_message(QueueUrl=self.url, MessageBody=body)
            except ClientError as error:
                self.codes.append(error.response["Error"]["Code"])
                return
            with self.lock:
                self.sent.add(body)

    def delete(self, number):
        client = self.service.client()
        for _ in range(number):
            for message in client.receive_message(QueueUrl=self.url).get("Messages", []):
                client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                self.deleted.add(message["Body"])

    def storm(self):
        """Four clients send until each of them is refused."""
        def bodies(sender):
            return (f"{sender}-{n} " + "x" * 900 for n in range(100_000))

        threads = [threading.Thread(target=self.send, args=(bodies(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        return threads

    def judge(self):
        """What was acknowledged is there, once, and what was deleted is not."""
        bodies = drain(self.service.client(), self.url)
        assert self.sent - self.deleted <= set(bodies), "an acknowledged message is missing"
        assert not self.deleted & set(bodies), "a deleted message is back"
        assert len(bodies) == len(set(bodies)), "a message was doubled"


def begun(service):
    """A queue with a few messages, some of them deleted: (client, URL, ledger)."""
    sqs = service.client()
    url = sqs.create_queue(QueueName="kept", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    ledger = Ledger(service, url)
    ledger.send(f"early {n}" for n in range(20))
    ledger.delete(5)
    return sqs, url, ledger


def looks_still_work(service, sqs, url):
    assert sqs.get_queue_url(QueueName="kept")["QueueUrl"] == url
    assert sqs.list_queues()["QueueUrls"] == [url]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert int(attributes["ApproximateNumberOfMessages"]) > 0
    assert "early" in tool(service, "peek", "kept").stdout


def restarted_and_judged(service, ledger):
    """The service starts again with all that it acknowledged, and its data is whole."""
    service.kill()
    service.start()
    assert health(service)[:2] == (200, "ok")
    ledger.judge()
    assert service.stop() == 0
    checked = run("check", service.data)
    assert checked.returncode == 0 and "damaged" not in checked.stdout, checked.stdout


def tries(service, url):
    """How often boto3 tries a send that is refused, if it may try three times."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 3})
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    sqs = boto3.client(
        "sqs", endpoint_url=service.url, region_name="us-east-1", config=config, **keys
    )
    with pytest.raises(ClientError) as error:
        sqs.send_message(QueueUrl=url, MessageBody="x")
    return error.value.response["ResponseMetadata"]["RetryAttempts"] + 1


def everything_is_refused(service, sqs, url):
    """As after a failure for good: in either protocol, as something to try again."""
    failed = (500, "InternalFailure")
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x") == failed
    assert refused(sqs.receive_message, QueueUrl=url) == failed
    assert refused(sqs.create_queue, QueueName="other") == failed
    assert refused(sqs.purge_queue, QueueUrl=url) == failed
    form = f"Action=SendMessage&QueueUrl={url}&MessageBody=x".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, body = service.request("POST", "/", form, kind)
    assert status == 500 and b"<Code>InternalFailure</Code>" in body, body

    assert tries(service, url) == 3, "boto3 takes it for something to try again"
    assert health(service)[:2] == (503, "failed")
    assert refusing(service) == ["failed"]


@pytest.mark.parametrize(
    "what, value, reason",
    [
        ("fail-write", None, "a write failed"),
        ("tear-write", "700", "a write failed"),
        ("fill-write", None, "no storage space"),
        ("fail-sync", None, "a sync failed"),
    ],
)
def test_after_a_fault_of_the_disk_nothing_is_promised_that_is_not_kept(
    fresh, what, value, reason
):
    service = fresh("--allow-faults").start()
    sqs, url, ledger = begun(service)
    storm = ledger.storm()
    until(lambda: len(ledger.sent) > 100, "the storm blows")
    fault(service, what, value)
    for thread in storm:
        thread.join(60)
    assert ledger.codes == ["InternalFailure"] * 4
    assert reason in health(service)[2]
    everything_is_refused(service, sqs, url)
    looks_still_work(service, sqs, url)
    until(lambda: "start" in told(service, "the disk failed"), "the log says what to do")
    restarted_and_judged(service, ledger)


def told(service, beginning):
    """The first line of the log that begins so, or nothing."""
    lines = [json.loads(line)["message"] for line in service.log.read_text().splitlines()]
    return next((line for line in lines if line.startswith(beginning)), "")


def test_a_file_that_may_not_grow_is_a_write_that_tears_and_fails(fresh, monkeypatch):
    """No simulation: the system itself stores a part of a write and refuses the rest."""
    service = fresh()
    command = service.command()
    # What would end the process becomes an error of the write.
    monkeypatch.setattr(
        service, "command", lambda: ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\"", *command]
    )
    sqs, url, ledger = begun(service.start())
    storm = ledger.storm()
    until(lambda: len(ledger.sent) > 100, "the storm blows")
    limit = (1_000_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, limit)
    for thread in storm:
        thread.join(60)
    assert "too large" in health(service)[2]
    everything_is_refused(service, sqs, url)
    looks_still_work(service, sqs, url)
    restarted_and_judged(service, ledger)


@pytest.mark.parametrize("what", ["stall-sync", "stall-write"])
def test_a_disk_that_hangs_is_noticed_while_it_does_and_forgiven_when_it_is_back(fresh, what):
    service = fresh("--allow-faults", "--disk-patience", "300ms").start()
    sqs, url, ledger = begun(service)
    fault(service, what)
    hanging = threading.Thread(target=ledger.send, args=(["hangs"],))
    hanging.start()
    until(lambda: health(service)[:2] == (503, "stalled"), "the stall is noticed")
    assert what.removeprefix("stall-") in health(service)[2]
    unavailable = (503, "ServiceUnavailable")
    begin = time.monotonic()
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x") == unavailable
    assert refused(sqs.tag_queue, QueueUrl=url, Tags={"a": "b"}) == unavailable
    if what == "stall-sync":
        # A receive has only to be written.
        (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
        handle = message["ReceiptHandle"]
        assert refused(sqs.delete_message, QueueUrl=url, ReceiptHandle=handle) == unavailable
    else:
        assert refused(sqs.receive_message, QueueUrl=url) == unavailable
    assert time.monotonic() - begin < 30, "who is refused does not wait"
    looks_still_work(service, sqs, url)
    assert refusing(service) == ["stalled"]
    assert metrics(service)["tidemill_disk_operation_under_way_seconds"] > 0.3
    until(lambda: told(service, "the disk hangs"), "the log says so")
    assert hanging.is_alive(), "what may still be kept is not refused"
    fault(service, "resume")
    hanging.join(30)
    assert "hangs" in ledger.sent and ledger.codes == []
    until(lambda: health(service)[0] == 200, "the disk is forgiven")
    ledger.send(["after"])
    assert ledger.codes == []
    until(lambda: told(service, "the disk is fit again"), "the log says that it is over")
    assert "no restart is needed" in told(service, "the disk hangs")
    restarted_and_judged(service, ledger)


def test_a_disk_that_is_nearly_full_takes_nothing_in_and_lets_everything_out(fresh):
    service = fresh("--allow-faults").start()
    sqs, url, ledger = begun(service)
    fault(service, "free", "100MiB")
    until(lambda: health(service)[:2] == (503, "full"), "the want of space is noticed")
    unavailable = (503, "ServiceUnavailable")
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x") == unavailable
    entries = [{"Id": "a", "MessageBody": "x"}]
    assert refused(sqs.send_message_batch, QueueUrl=url, Entries=entries) == unavailable
    assert refused(sqs.create_queue, QueueName="other") == unavailable
    assert refusing(service) == ["full"]
    assert metrics(service)["tidemill_disk_free_bytes"] == 100 << 20
    ledger.delete(5)
    assert len(ledger.deleted) == 10
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "3600"})
    looks_still_work(service, sqs, url)
    fault(service, "free", "260MiB")
    until(lambda: metrics(service)["tidemill_disk_free_bytes"] == 260 << 20, "it is looked at")
    assert health(service)[1] == "full", "a little room is not enough"
    fault(service, "free-as-it-is")
    until(lambda: health(service)[0] == 200, "there is room again")
    ledger.send(["after"])
    assert ledger.codes == []
    restarted_and_judged(service, ledger)


def test_the_disk_is_made_to_fail_only_where_that_is_allowed(shared, fresh):
    body = b'"fail-sync"'
    assert shared.request("POST", "/_tidemill/faults", body)[0] == 403
    service = fresh("--allow-faults")
    command = [str(BINARY), "serve", "--listen", "0.0.0.0:0", "--allow-faults"]
    done = subprocess.run(
        command, env=service.environment(), capture_output=True, text=True, timeout=30
    )
    assert done.returncode != 0 and "only on loopback" in done.stderr
    service.start()
    assert service.request("POST", "/_tidemill/faults", b'"melt"')[0] == 400
