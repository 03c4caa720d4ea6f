"""A disk that is really full: a small one of the test's own, in memory, that only it can see."""

import os
import subprocess

import pytest
from botocore.exceptions import ClientError

from server import BINARY, until
from test_faults import Ledger, health, refused, refusing

MIB = 1 << 20


class Disk:
    """A file system of its own for a service. It needs no rights where users may have name
    spaces of their own."""

    def __init__(self, service, size):
        self.service, self.place = service, service.data.parent / "disk"
        self.place.mkdir()
        mount = 'mount -t tmpfs -o size=$1 disk "$0" && echo there && exec cat'
        self.holder = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, self.place, size],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self.holder.stdout.readline() != "there\n":
            pytest.skip("this system lets nobody but its administrator mount anything")
        service.data = self.place / "data"
        command = service.command
        service.command = lambda: self.inside(command())

    def inside(self, command):
        """The command, run where the disk can be seen."""
        space = ["--target", str(self.holder.pid), "--user", "--mount", "--preserve-credentials"]
        return ["nsenter", *space, *map(str, command)]

    def free(self):
        found = os.statvfs(f"/proc/{self.holder.pid}/root{self.place}")
        return found.f_bavail * found.f_frsize

    def grow(self, size):
        remount = ["mount", "-o", f"remount,size={size}", self.place]
        subprocess.run(self.inside(remount), check=True, timeout=30)

    def check(self):
        command = self.inside([BINARY, "check", self.service.data])
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def gone(self):
        if self.service.process and self.service.process.poll() is None:
            self.service.kill()
        self.holder.communicate()


@pytest.fixture
def disk(fresh):
    made = []

    def make(size, *flags):
        made.append(Disk(fresh(*flags), size))
        return made[-1].service, made[-1]

    yield make
    for each in made:
        each.gone()


def fill(ledger, sqs, url):
    """Sends large messages until one is refused, and returns how."""
    n = 0
    while True:
        body = f"{n:05} " + "x" * 200_000
        try:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]
        ledger.sent.add(body)
        n += 1


def empty(ledger, sqs, url):
    ten = {"QueueUrl": url, "MaxNumberOfMessages": 10}
    while messages := sqs.receive_message(**ten).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            ledger.deleted.add(message["Body"])


def test_deletions_make_room_on_a_disk_that_is_nearly_full(disk):
    service, there = disk("160m", "--disk-reserve", "48MiB")
    sqs = service.start().client()
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    ledger = Ledger(service, url)
    assert fill(ledger, sqs, url) == 503
    assert health(service)[:2] == (503, "full") and refusing(service) == ["full"]
    assert 24 * MIB < there.free() < 48 * MIB, "the reserve is kept"
    empty(ledger, sqs, url)
    assert ledger.deleted == ledger.sent, "what was taken in comes out"
    until(lambda: health(service)[0] == 200, "there is room again")
    ledger.send(["after"])
    assert ledger.codes == []
    service.kill()
    service.start()
    ledger.judge()
    assert service.stop() == 0
    checked = there.check()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_disk_without_any_room_ends_it_until_there_is_some(disk):
    service, there = disk("40m", "--disk-reserve", "0")
    sqs = service.start().client()
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    ledger = Ledger(service, url)
    assert fill(ledger, sqs, url) == 500
    assert there.free() < MIB
    status, word, reason = health(service)
    assert (status, word) == (503, "failed") and "No space left" in reason
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x") == (500, "InternalFailure")
    assert "QueueUrls" in sqs.list_queues()
    service.kill()
    refusal = subprocess.run(service.command(), capture_output=True, text=True, timeout=60)
    assert refusal.returncode == 1 and "No space left" in refusal.stderr, refusal.stderr
    there.grow("100m")
    service.start()
    ledger.judge()
    assert service.stop() == 0
    checked = there.check()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_log_of_metrics_that_fails_alone_is_told_and_the_queues_go_on(disk):
    service, there = disk("6m")
    # Only what is measured lies on the small disk.
    small = there.place / "metrics"
    subprocess.run(there.inside(["mkdir", small]), check=True, timeout=30)
    service.data = there.place.parent / "data"
    service.data.mkdir()
    (service.data / "metrics").symlink_to(small)
    service.start()
    cloudwatch, sqs = service.client("cloudwatch"), service.client()
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    data = [{"MetricName": f"{n:04}" + "x" * 240, "Value": n} for n in range(1000)]

    def put():
        try:
            cloudwatch.put_metric_data(Namespace="N", MetricData=data)
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]

    assert until(put, "the disk is full") == 500
    status, word, reason = health(service)
    assert (status, word) == (503, "failed") and "metrics" in reason, reason
    assert refusing(service) == ["failed"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "x"
