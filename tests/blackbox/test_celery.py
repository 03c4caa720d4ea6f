"""Celery, as Python services run it: real workers whose broker is `sqs://`, and nothing else said.

A worker asks with pycurl and sends with boto3; `celery[sqs]` brings both.
"""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys

import pytest

from clients import SOURCES, user
from server import until

_numbers = itertools.count(1)


class Jobs:
    """The application of `tests/clients/celery`, with queues and a file of its own."""

    def __init__(self, service, folder, broker="sqs://"):
        self.folder = folder
        self.file = folder / "lines"
        self.file.touch()
        self.prefix = f"celery-{next(_numbers)}-"
        self.environment = user(service) | {
            "PYTHONPATH": str(SOURCES / "celery"),
            # Keeps this application's bytecode out of the sources.
            "PYTHONDONTWRITEBYTECODE": "1",
            "JOBS_BROKER": broker,
            "JOBS_PREFIX": self.prefix,
            "JOBS_FILE": str(self.file),
        }

    def options(self, **options):
        """Sets further options of the broker's transport."""
        # Not as JSON, whose keys are strings.
        self.environment["JOBS_OPTIONS"] = repr(options)

    def call(self, program):
        """Runs a program that calls tasks, as a web application would."""
        subprocess.run(
            [sys.executable, "-c", "from jobs import *\n" + program],
            env=self.environment,
            check=True,
            timeout=60,
        )

    @contextlib.contextmanager
    def worker(self, *queues, concurrency=2):
        """A worker, in a process group of its own: ready when the block begins, killed at its end.
        """
        command = [sys.executable, "-m", "celery", "--app", "jobs", "worker"]
        command += ["--queues", ",".join(queues or ["default"])]
        command += ["--concurrency", str(concurrency)]
        command += ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        log = self.folder / f"worker-{next(_numbers)}.log"
        with open(log, "wb") as out:
            worker = subprocess.Popen(
                command, env=self.environment, stdout=out, stderr=out, start_new_session=True
            )
        try:
            until(lambda: "ready." in log.read_text() or ended(worker, log), "the worker is ready")
            yield worker
        finally:
            # What ends here has nothing in hand; a worker that is asked to end waits for its pool,
            # now and then in vain.
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait(timeout=30)

    def lines(self):
        return self.file.read_text().splitlines()

    def wait(self, *lines):
        """Waits until the tasks wrote these lines, in any order, and no others."""
        until(lambda: len(self.lines()) >= len(lines), f"there are {len(lines)} lines", 60)
        assert sorted(self.lines()) == sorted(lines)


def ended(worker, log):
    assert worker.poll() is None, log.read_text()


def left(sqs, jobs, queue="default"):
    """How many messages a queue holds, visible or in flight."""
    url = sqs.get_queue_url(QueueName=jobs.prefix + queue)["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(count) for count in found.values())


def hidden_for(service, url):
    """The seconds, by a manual clock, until a queue's only message is visible."""
    body = json.dumps({"QueueUrl": url}).encode()
    (message,) = json.loads(service.request("POST", "/_tidemill/peek", body)[2])["Messages"]
    return ((message["VisibleAt"] or 0) - service.advance("0s")["now"]) / 1000


@pytest.fixture
def jobs(shared, tmp_path):
    return Jobs(shared, tmp_path)


def test_celery_runs_tasks_retries_and_countdowns_from_several_queues(sqs, jobs):
    with jobs.worker("default", "press"):
        jobs.call("for n in range(20): note.delay(f'é {n}')")
        jobs.call("press.delay('apples'); stubborn.delay('try')")
        jobs.call("note.apply_async(['later'], countdown=1)")
        notes = [f"é {n}" for n in range(20)]
        jobs.wait(*notes, "pressed apples", "try 0", "try 1", "try 2", "later")
        until(lambda: left(sqs, jobs) + left(sqs, jobs, "press") == 0, "all is acknowledged")


def test_celery_keeps_tasks_until_a_worker_comes(sqs, jobs):
    jobs.call("note.delay('early'); note.delay('bird')")
    assert left(sqs, jobs) == 2
    with jobs.worker():
        jobs.wait("early", "bird")


def test_celery_runs_a_fifo_queues_tasks_in_order_and_none_twice(sqs, jobs):
    jobs.call("for n in range(8): note.apply_async([f'task {n}'], queue='line.fifo')")
    twice = "note.apply_async(['once'], queue='line.fifo', MessageDeduplicationId='same')"
    jobs.call(f"for _ in range(2): {twice}")
    with jobs.worker("line.fifo", concurrency=1):
        tasks = [f"task {n}" for n in range(8)]
        jobs.wait(*tasks, "once")
        until(lambda: left(sqs, jobs, "line.fifo") == 0, "all is acknowledged")
    assert jobs.lines() == [*tasks, "once"]


def test_celery_takes_an_endpoint_in_the_brokers_url(shared, tmp_path):
    host = shared.url.removeprefix("http://")
    jobs = Jobs(shared, tmp_path, broker=f"sqs://test:test@{host}")
    del jobs.environment["AWS_ENDPOINT_URL"]
    del jobs.environment["AWS_ACCESS_KEY_ID"]
    jobs.call("note.delay('by url')")
    with jobs.worker():
        jobs.wait("by url")


def test_celery_lets_the_broker_repeat_what_fails_in_a_queue_that_is_there_already(
    shared, sqs, jobs
):
    twelve_hours = {"VisibilityTimeout": "43200"}
    url = sqs.create_queue(QueueName="default", Attributes=twelve_hours)["QueueUrl"]
    policy = {"backoff_tasks": ["jobs.third_time_lucky"], "backoff_policy": {1: 10, 2: 20}}
    # Celery finds no policy of a queue whose name has a prefix.
    jobs.prefix = jobs.environment["JOBS_PREFIX"] = ""
    jobs.options(predefined_queues={"default": {"url": url} | policy})
    with jobs.worker():
        jobs.call("third_time_lucky.delay('again')")
        for times, seconds in ((1, 10), (2, 20)):
            until(lambda: hidden_for(shared, url) == seconds, f"it is put off for {seconds} s")
            jobs.wait(*["again"] * times)
            shared.advance(f"{seconds}s")
        jobs.wait("again", "again", "again")
        until(lambda: left(sqs, jobs) == 0, "the task is acknowledged")


def test_a_task_whose_celery_worker_was_killed_comes_back_after_its_timeout(shared, sqs, jobs):
    marker = jobs.folder / "was-here"
    with jobs.worker() as doomed:
        jobs.call(f"fatal_once.delay('task', {str(marker)!r})")
        assert doomed.wait(timeout=30) == -signal.SIGKILL
    assert jobs.lines() == ["task begun"]
    assert left(sqs, jobs) == 1
    with jobs.worker():
        shared.advance("60s")
        jobs.wait("task begun", "task begun", "task done")
        until(lambda: left(sqs, jobs) == 0, "the task is acknowledged")
