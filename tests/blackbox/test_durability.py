"""What was acknowledged is still there after `kill -9`, and what was deleted stays away."""

import subprocess
import threading

from server import BINARY


def drain(sqs, url):
    """The bodies of all that can be received, each message once."""
    bodies = []
    ten = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 3600}
    while messages := sqs.receive_message(**ten).get("Messages"):
        bodies += [message["Body"] for message in messages]
    return bodies


def test_acknowledged_sends_and_deletes_survive_kill_9(fresh):
    service = fresh().start()
    sqs = service.client()
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    sent = [f"{n}" for n in range(500)]
    for at in range(0, 500, 10):
        entries = [{"Id": body, "MessageBody": body} for body in sent[at : at + 10]]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    deleted = set()
    for _ in range(5):
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        for message in answer["Messages"]:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            deleted.add(message["Body"])
    service.kill()
    service.start()
    bodies = drain(service.client(), url)
    assert sorted(set(bodies)) == sorted(set(sent) - deleted)


def test_kill_9_amid_sending_loses_no_acknowledged_message(fresh):
    service = fresh().start()
    sqs = service.client()
    url = sqs.create_queue(QueueName="storm")["QueueUrl"]
    acknowledged, lock = set(), threading.Lock()
    enough = threading.Event()

    def send(sender):
        client = service.client()
        for n in range(100_000):
            body = f"{sender}-{n}"
            try:
                client.send_message(QueueUrl=url, MessageBody=body)
            except Exception:
                return
            with lock:
                acknowledged.add(body)
                if len(acknowledged) >= 400:
                    enough.set()

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for sender in senders:
        sender.start()
    assert enough.wait(60)
    service.kill()
    for sender in senders:
        sender.join()
    service.start()
    bodies = drain(service.client(), url)
    assert acknowledged <= set(bodies), "an acknowledged message is missing"
    assert len(bodies) == len(set(bodies)), "a message was doubled"


def test_receive_counts_and_settings_survive_kill_9(fresh):
    service = fresh().start()
    sqs = service.client()
    url = sqs.create_queue(QueueName="counted", Attributes={"DelaySeconds": "0"})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    sqs.tag_queue(QueueUrl=url, Tags={"a": "b"})
    sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)
    service.kill()
    sqs = service.start().client()
    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"] == {"VisibilityTimeout": "7"}
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "b"}


def test_a_second_process_on_the_same_folder_is_refused(fresh):
    service = fresh().start()
    other = fresh()
    other.data = service.data
    done = subprocess.run(other.command(), capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert str(service.data) in done.stderr and "another process" in done.stderr


def test_damage_is_located_reported_and_salvaged(fresh):
    service = fresh().start()
    sqs = service.client()
    url = sqs.create_queue(QueueName="rot")["QueueUrl"]
    for n in range(200):
        sqs.send_message(QueueUrl=url, MessageBody=f"message {n:03} " + "x" * 500)
    service.kill()
    segments = service.data.rglob("*.seg")
    segment = next(path for path in segments if b"message 100" in path.read_bytes())
    content = bytearray(segment.read_bytes())
    content[content.index(b"message 100 ") + 20] ^= 0xFF
    segment.write_bytes(content)

    refused = subprocess.run(service.command(), capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0
    assert segment.name in refused.stderr
    assert "tidemill check" in refused.stderr and "--salvage" in refused.stderr
    checked = run("check", service.data)
    assert checked.returncode == 1 and segment.name in checked.stdout + checked.stderr
    salvaged = run("check", service.data, "--salvage")
    assert salvaged.returncode == 0, salvaged.stdout + salvaged.stderr
    assert run("check", service.data).returncode == 0

    bodies = drain(service.start().client(), url)
    expected = {f"{n:03}" for n in range(200)} - {"100"}
    assert sorted(body.split()[1] for body in bodies) == sorted(expected)


def run(*words):
    command = [str(BINARY), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
