"""A backup of a service that goes on meanwhile: a folder that opens, with all there was before."""

import shutil
import signal
import subprocess
import threading

import pytest
from botocore.exceptions import ClientError

from server import BINARY, until
from test_durability import drain, run

LARGE = "x" * 200_000

pytestmark = pytest.mark.timeout(300)


def back_up(service, to):
    return run("backup", service.data, to)


def restored(fresh, folder):
    """A service on a copy of a backup; the backup stays as it is."""
    service = fresh()
    shutil.copytree(folder, service.data)
    return service.start()


class Traffic:
    """Clients that send, receive and delete until they are told to stop."""

    def __init__(self, service, url):
        self.service, self.url = service, url
        self.asked, self.sent = set(), set()
        self.deleting, self.deleted = set(), set()
        self.lock, self.over, self.failed = threading.Lock(), threading.Event(), []
        jobs = [lambda n=n: self.send(n) for n in range(3)] + [self.receive] * 2
        self.threads = [threading.Thread(target=self.guarded, args=(job,)) for job in jobs]
        for thread in self.threads:
            thread.start()

    def guarded(self, job):
        try:
            job()
        except Exception as error:
            self.failed.append(error)

    def note(self, *changes):
        with self.lock:
            for noted, name in changes:
                noted.add(name)

    def send(self, sender):
        client, n = self.service.client(), 0
        while not self.over.is_set():
            name, n = f"{sender}-{n}", n + 1
            self.note((self.asked, name))
            client.send_message(QueueUrl=self.url, MessageBody=f"{name} {LARGE}")
            self.note((self.sent, name))

    def receive(self):
        client = self.service.client()
        while not self.over.is_set():
            ten = {"QueueUrl": self.url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
            # One in ten is left to come again.
            for message in client.receive_message(**ten).get("Messages", [])[:9]:
                name = message["Body"].split()[0]
                self.note((self.deleting, name))
                handle = message["ReceiptHandle"]
                client.delete_message(QueueUrl=self.url, ReceiptHandle=handle)
                self.note((self.deleted, name))

    def now(self):
        with self.lock:
            return set(self.sent), set(self.deleted)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.failed, self.failed


def busy(service):
    """A service of some segments that is used: its traffic."""
    sqs = service.start().client()
    attributes = {"VisibilityTimeout": "2"}
    url = sqs.create_queue(QueueName="busy", Attributes=attributes)["QueueUrl"]
    traffic = Traffic(service, url)
    until(lambda: len(traffic.sent) > 300 or traffic.failed, "there are some segments", 120)
    return traffic


def all_of(service, name):
    """The names of all the messages of a queue, when none is in flight any more."""
    sqs = service.client()
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    hidden = "ApproximateNumberOfMessagesNotVisible"

    def in_flight():
        asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[hidden])
        return int(asked["Attributes"][hidden])

    until(lambda: in_flight() == 0, "nothing is in flight")
    return [body.split()[0] for body in drain(sqs, url)]


def test_a_backup_of_a_busy_service_holds_all_that_was_acknowledged_before_it(fresh, tmp_path):
    service = fresh()
    traffic = busy(service)
    backups = []
    for number in range(3):
        sent, deleted = traffic.now()
        done = back_up(service, tmp_path / f"backup-{number}")
        assert done.returncode == 0 and "is whole" in done.stdout, done.stdout + done.stderr
        backups.append((sent, deleted))
    traffic.stop()
    assert service.get("/health")[0] == 200
    for number, (sent, deleted) in enumerate(backups):
        folder = tmp_path / f"backup-{number}"
        assert not list(tmp_path.glob("*.unfinished"))
        checked = run("check", folder)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        found = all_of(restored(fresh, folder), "busy")
        assert len(found) == len(set(found)), "a message was doubled"
        assert sent - traffic.deleting <= set(found), "what was acknowledged before is missing"
        assert not deleted & set(found), "what was deleted before is back"
        assert set(found) <= traffic.asked, "nobody sent that"
    found = all_of(service, "busy")
    assert set(found) == traffic.sent - traffic.deleted, "the service itself lost nothing"


def test_a_backup_that_is_killed_leaves_what_nobody_takes_for_one(fresh, tmp_path):
    service, to = fresh(), tmp_path / "backup"
    traffic = busy(service)
    unfinished = tmp_path / "backup.unfinished"
    copying = subprocess.Popen([BINARY, "backup", service.data, to], stdout=subprocess.DEVNULL)
    until(lambda: list(unfinished.glob("shard-0000/segments/*")), "it copies")
    copying.send_signal(signal.SIGKILL)
    assert copying.wait(30) == -signal.SIGKILL and not to.exists()
    checked = run("check", unfinished)
    assert checked.returncode != 0, checked.stdout
    opened = [BINARY, "serve", "--data-dir", unfinished, "--listen", "127.0.0.1:0"]
    refused = subprocess.run(opened, capture_output=True, text=True, timeout=30)
    assert refused.returncode == 1 and "root" in refused.stderr, refused.stderr

    again = back_up(service, to)
    assert again.returncode == 1 and "backup.unfinished exists" in again.stderr, again.stderr
    shutil.rmtree(unfinished)
    sent, _ = traffic.now()
    assert back_up(service, to).returncode == 0
    assert not (service.data / "shard-0000" / "backup").exists(), "the first one's links are gone"
    traffic.stop()
    found = all_of(restored(fresh, to), "busy")
    assert sent - traffic.deleting <= set(found)


def test_a_service_that_is_killed_during_its_backup_leaves_one_that_opens(fresh, tmp_path):
    service, to = fresh(), tmp_path / "backup"
    traffic = busy(service)
    sent, _ = traffic.now()
    copying = subprocess.Popen([BINARY, "backup", service.data, to], stdout=subprocess.DEVNULL)
    until(lambda: list(tmp_path.glob("backup*/shard-0000/segments/*")), "it copies")
    service.kill()
    assert copying.wait(60) == 0
    traffic.over.set()
    for thread in traffic.threads:
        thread.join(60)
    assert run("check", to).returncode == 0
    assert sent - traffic.deleting <= set(all_of(restored(fresh, to), "busy"))


def test_a_backup_of_a_stopped_service_has_its_keys(fresh, tmp_path):
    service = fresh()
    key, secret = service.init()
    service.start().client(key=key, secret=secret).create_queue(QueueName="mine")
    service.stop()
    assert back_up(service, tmp_path / "backup").returncode == 0
    copy = restored(fresh, tmp_path / "backup")
    urls = copy.client(key=key, secret=secret).list_queues()["QueueUrls"]
    assert [url.rsplit("/", 1)[1] for url in urls] == ["mine"]
    with pytest.raises(ClientError):
        copy.client().list_queues()


def test_a_backup_goes_nowhere_where_something_is_and_comes_from_nowhere_else(fresh, tmp_path):
    service = fresh().start()
    there = tmp_path / "there"
    there.mkdir()
    done = back_up(service, there)
    assert done.returncode == 1 and "there exists" in done.stderr
    assert list(there.iterdir()) == []
    done = run("backup", there, tmp_path / "copy")
    assert done.returncode == 1 and "not a data folder" in done.stderr
    assert not list(tmp_path.glob("copy*"))
