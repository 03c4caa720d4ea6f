"""`tidemill bench`: it measures an endpoint from the outside, and leaves nothing behind."""

import json
import signal
import subprocess

import pytest

from server import BINARY, Tidemill, until
from test_operating import metrics, tool


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """A service by the real clock: a load waits for messages that have not come yet."""
    service = Tidemill(tmp_path_factory.mktemp("timed")).start()
    yield service
    assert service.stop() == 0


def test_a_standard_queue_is_measured_phase_by_phase(timed):
    done = tool(timed, "bench", "--messages", "150", "--clients", "4", "--batch", "3", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    phases = {phase["phase"]: phase["operations"] for phase in told["phases"]}
    assert list(phases) == ["send", "receive", "delete", "mixed"]
    sent = phases["send"]["SendMessageBatch"]
    assert (sent["messages"], sent["requests"], sent["errors"]) == (150, 50, {})
    latency = sent["latency_ms"]
    assert 0 < latency["p50"] <= latency["p99"] <= latency["max"] < 60_000
    assert phases["receive"]["ReceiveMessage"]["messages"] == 150
    assert phases["delete"]["DeleteMessageBatch"]["messages"] == 150
    assert {meter["messages"] for meter in phases["mixed"].values()} == {150}
    assert "QueueUrls" not in timed.client().list_queues(QueueNamePrefix="tidemill-bench")


def test_a_fifo_queue_is_measured_at_a_rate_and_told_as_a_table(timed):
    words = ["bench", "--fifo", "--groups", "5", "--messages", "60", "--clients", "3"]
    done = tool(timed, *words, "--size", "64KiB", "--rate", "400")
    assert done.returncode == 0, done.stderr
    head, titles, *rows = done.stdout.splitlines()
    assert "FIFO queue; 3 clients, 60 messages of 64 KiB" in head and "p99.9 ms" in titles
    operations = [row.split()[:3] for row in rows]
    assert ["send", "SendMessage", "60"] in operations
    assert ["consume", "DeleteMessage", "60"] in operations
    assert ["mixed", "(delivery)", "60"] in operations


def test_it_signs_for_whom_the_environment_names(locked):
    service, key, secret = locked
    environment = service.environment() | {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": service.url,
    }
    command = [str(BINARY), "bench", "-n", "20", "-c", "2", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["region"] == "eu-central-1"
    environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "signature you provided" in done.stderr, done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_it_finds_no_queue_left(timed, how):
    command = [str(BINARY), "bench", "--messages", "10000000", "--endpoint-url", timed.url]
    running = subprocess.Popen(
        command, env=timed.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )

    def queues():
        return timed.client().list_queues(QueueNamePrefix="tidemill-bench").get("QueueUrls", [])

    (queue,) = until(queues, "it has made its queue")
    count = "ApproximateNumberOfMessages"

    def sent():
        answer = timed.client().get_queue_attributes(QueueUrl=queue, AttributeNames=[count])
        return int(answer["Attributes"][count]) > 0

    until(sent, "it sends")
    running.send_signal(how)
    told, why = running.communicate(timeout=60)
    assert running.returncode == 1 and "interrupted" in why, why
    assert "SendMessage" in told, "what was measured so far is told"
    assert queues() == []


@pytest.mark.parametrize(
    "words, told",
    [
        (["--size", "8"], "--size is from 16 B to 1 MiB"),
        (["--size", "200KiB", "--batch", "10"], "more than the 1 MiB"),
        (["--batch", "11"], "10"),
        (["--clients", "0"], "2048"),
        (["--groups", "2"], "--fifo"),
        (["--rate", "0"], "rate"),
    ],
)
def test_a_load_that_cannot_be_is_refused(timed, words, told):
    done = tool(timed, "bench", *words)
    assert done.returncode != 0 and told in done.stderr, done.stderr


def test_an_endpoint_that_dies_meanwhile_is_given_up(fresh):
    service = fresh().start()
    command = [str(BINARY), "bench", "-n", "10000000", "--endpoint-url", service.url]
    pipe, environment = subprocess.PIPE, service.environment()
    running = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)
    sent = 'operation="SendMessage"'
    until(lambda: any(sent in key for key in metrics(service)), "it sends")
    service.kill()
    told, why = running.communicate(timeout=60)
    assert running.returncode == 1 and "given up" in why, why
    assert "onnect" in told, told
