"""Load and abuse: clients that are slow, lie, do not listen or are too many; memory is watched."""

import contextlib
import json
import os
import resource
import select
import socket
import time

import pytest

from server import until
from test_door import answer, connect, post, rest
from test_operating import metrics, numbers
from test_protocols import target

MIB = 1 << 20


def resident(service):
    """Memory of the service, in bytes."""
    with open(f"/proc/{service.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def processor(service):
    """Processor time of the service, in seconds."""
    with open(f"/proc/{service.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def head(operation, *lines):
    lines = ["Host: localhost", *(f"{k}: {v}" for k, v in target(operation).items()), *lines]
    return ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()


def alone(service):
    """Nobody but who asks is connected."""
    return metrics(service)["tidemill_connections"] == 1


def admitted(service):
    """A connection that is served: one that was closed a moment ago may still be counted."""

    def served():
        connection = connect(service)
        connection.sendall(post("ListQueues"))
        if answer(connection)[0] == 200:
            return connection
        connection.close()
        return None

    return until(served, "there is room")


@contextlib.contextmanager
def connections(service, count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(service)) for _ in range(count)]


def test_thousands_of_connections_take_little_and_are_all_served(fresh):
    """As many as the limit of open files gives, should it give fewer. Ten thousand, by
    TIDEMILL_TEST_CONNECTIONS, took no more for each."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(int(os.environ.get("TIDEMILL_TEST_CONNECTIONS", 3000)), soft - 200)
    service = fresh("--max-connections", str(count + 10)).start()
    before = resident(service)
    with connections(service, count) as crowd:
        request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for connection in crowd[::20]:
            connection.sendall(request)
        assert all(answer(connection)[0] == 200 for connection in crowd[::20])
        each = (resident(service) - before) / count
        assert each < 16 << 10, f"{each} bytes a connection, of {count}"
        assert metrics(service)["tidemill_connections"] == count + 1
    until(lambda: alone(service), "they are gone")


def test_a_connection_too_many_is_told_so_and_the_others_go_on(fresh):
    service = fresh("--max-connections", "20").start()
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(admitted(service)) for _ in range(20)]
        with connect(service) as late:
            late.sendall(post("ListQueues"))
            status, headers, body = answer(late)
            assert (status, body) == (503, b"too many connections\n")
            assert headers["Retry-After"] == "1" and rest(late) == b""
        crowd[0].sendall(post("ListQueues"))
        assert answer(crowd[0])[0] == 200
        crowd[1].close()

        def told():
            status, _, text = service.get("/metrics")
            return text if status == 200 else None

        text = until(told, "there is room again")
        assert numbers(text)["tidemill_connections_refused_total"] >= 1
    assert service.log.read_text().count("there are too many") == 1


def test_the_limit_of_open_files_leaves_room_for_the_log(fresh, monkeypatch):
    service = fresh()
    command = service.command()
    limited = ["sh", "-c", 'ulimit -n 320 && exec "$0" "$@"', *command]
    monkeypatch.setattr(service, "command", lambda: limited)
    service.start()
    queue = service.client().create_queue(QueueName="tight")["QueueUrl"]
    until(lambda: metrics(service)["tidemill_connections"] <= 2, "the rest have gone")
    with connections(service, 140) as crowd:
        crowd[0].sendall(post("SendMessage", QueueUrl=queue, MessageBody="x" * MIB))
        assert answer(crowd[0])[0] == 200
        until(lambda: len(readable(crowd)) > 100, "those that are too many are told so")
        assert all(b"503" in connection.recv(12) for connection in readable(crowd))
        spent, started = processor(service), time.monotonic()
        crowd[0].sendall(post("ReceiveMessage", QueueUrl="none"))
        poll = post("ReceiveMessage", QueueUrl=queue, VisibilityTimeout=60)
        assert answer(crowd[0])[0] == 400
        crowd[0].sendall(poll + post("ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=1))
        assert (answer(crowd[0])[0], answer(crowd[0])[0]) == (200, 200)
        share = (processor(service) - spent) / (time.monotonic() - started)
        assert share < 0.5, "nothing spins"
    assert '"level":"ERROR"' not in service.log.read_text()


def readable(crowd):
    """Those who were told something."""
    return select.select(crowd, [], [], 0)[0]


@pytest.mark.parametrize(
    "start", [b"POST / HTTP/1.1\r\nX-Slow: ", head("ListQueues", "Content-Length: 100000")]
)
def test_who_sends_byte_by_byte_is_cut_off_all_the_same(fresh, start):
    service = fresh("--header-timeout", "500ms", "--body-timeout", "500ms").start()
    with connect(service) as connection:
        connection.sendall(start)
        connection.settimeout(0.05)
        said = None
        while said is None:
            with contextlib.suppress(TimeoutError):
                try:
                    connection.sendall(b"x")
                    said = connection.recv(100)
                except ConnectionError:
                    said = b""
        assert said == b"" or said.startswith(b"HTTP/1.1 408 "), said
    until(lambda: alone(service), "the connection is gone")


def test_an_announced_length_costs_nothing(fresh):
    service = fresh().start()
    service.get("/health")
    before = resident(service)
    announced = head("SendMessage", f"Content-Length: {8 * MIB}") + b"x" * 1000
    with connections(service, 300) as liars:
        for connection in liars:
            connection.sendall(announced)
        held = "tidemill_request_memory_bytes"
        until(lambda: metrics(service)[held] >= 300_000, "all are being read")
        assert resident(service) - before < 24 * MIB
    until(lambda: metrics(service)[held] == 0, "it is given back")


def test_a_connection_that_rests_holds_nothing_of_what_it_asked_before(fresh):
    service = fresh().start()
    service.get("/health")
    before = resident(service)
    # With its head it takes all of the room that was made for it.
    large = head("ListQueues", f"Content-Length: {4 * MIB}")
    large = head("ListQueues", f"Content-Length: {4 * MIB - len(large)}")
    large += b"x" * (4 * MIB - len(large))
    with connections(service, 50) as resting:
        for connection in resting:
            connection.sendall(large)
            assert answer(connection)[0] == 400
        assert resident(service) - before < 64 * MIB


@pytest.mark.parametrize("length", ["99999999999999999999999", "-1", "1, 2", "0x10", "+5"])
def test_a_length_that_is_none_is_a_bad_request(shared, length):
    with connect(shared) as connection:
        connection.sendall(head("ListQueues", f"Content-Length: {length}") + b"{}")
        assert rest(connection).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 "))


def test_bodies_in_a_hundred_thousand_chunks_take_no_more_than_its_size(fresh):
    service = fresh().start()
    queue = service.client().create_queue(QueueName="crumbs")["QueueUrl"]
    body = json.dumps({"QueueUrl": queue, "MessageBody": "x" * 25_000}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    before = resident(service)
    with connections(service, 4) as crumblers:
        for connection in crumblers:
            connection.sendall(head("SendMessage", "Transfer-Encoding: chunked") + chunks)
        held = "tidemill_request_memory_bytes"
        until(lambda: metrics(service)[held] >= 4 * len(body), "all are held")
        assert resident(service) - before < 16 * MIB
        for connection in crumblers:
            connection.sendall(b"0\r\n\r\n")
        assert [answer(connection)[0] for connection in crumblers] == [200] * 4


def test_bodies_take_together_no_more_than_they_may(fresh):
    service = fresh("--request-memory", "8MiB").start()
    begun = head("SendMessage", f"Content-Length: {4 * MIB}") + b"x" * (3 * MIB)
    held = "tidemill_request_memory_bytes"
    with connections(service, 2) as first:
        for connection in first:
            connection.sendall(begun)
        until(lambda: metrics(service)[held] == 6 * MIB, "two are held")
        with connect(service) as third:
            with contextlib.suppress(ConnectionError):
                third.sendall(begun)
            status, _, body = answer(third)
            assert status == 503 and b"ServiceUnavailable" in body, body
        large = b"x" * (3 * MIB)
        for _ in range(3):
            assert service.request("POST", "/_tidemill/peek", large)[0] == 503
        with connect(service) as small:
            small.sendall(post("ListQueues"))
            assert answer(small)[0] == 200
    until(lambda: metrics(service)[held] == 0, "it is given back")
    assert service.request("POST", "/_tidemill/peek", b"x" * (9 * MIB))[0] == 413
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert "ERROR" not in {line["level"] for line in lines}, lines
    told = [line for line in lines if "--request-memory" in line["message"]]
    assert [line["level"] for line in told] == ["WARN"], "once for all, not once for each"


def test_who_never_reads_its_answers_is_cut_off(fresh):
    service = fresh("--write-timeout", "500ms").start()
    sqs = service.client()
    queue = sqs.create_queue(QueueName="unread")["QueueUrl"]
    for _ in range(4):
        sqs.send_message(QueueUrl=queue, MessageBody="x" * 900_000)
    before = resident(service)
    receive = post("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
    deaf = []
    for _ in range(20):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(receive * 20)
        deaf.append(connection)
    until(lambda: metrics(service)["tidemill_request_memory_bytes"] > MIB, "answers pile up")
    until(lambda: metrics(service)["tidemill_connections"] <= 2, "the deaf are cut off")
    until(lambda: metrics(service)["tidemill_request_memory_bytes"] == 0, "it is given back")
    assert resident(service) - before < 160 * MIB
    for connection in deaf:
        connection.close()


def test_a_head_has_its_limit(fresh):
    service = fresh("--max-headers", "16KiB").start()
    for size, status in ((12_000, 200), (40_000, 431)):
        with connect(service) as connection:
            filler = b"X-Filler: " + b"x" * size
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n" + filler + b"\r\n\r\n")
            assert answer(connection)[0] == status


@pytest.mark.timeout(300)
def test_a_thousand_busy_queues_are_kept_house_for_and_found_again(fresh):
    service = fresh("--sync", "written").start()
    names = [f"busy-{n:04}" for n in range(1000)]
    body = "x" * 16_000
    with connect(service) as connection:
        for name in names:
            connection.sendall(post("CreateQueue", QueueName=name))
            assert answer(connection)[0] == 200
        entries = [{"Id": str(n), "MessageBody": body} for n in range(6)]
        for name in names:
            connection.sendall(post("SendMessageBatch", QueueUrl=name, Entries=entries))
            assert answer(connection)[0] == 200
    sections = service.data / "shard-0000" / "checkpoint"
    until(lambda: sum(1 for _ in sections.iterdir()) > 500, "the queues have sections")
    service.kill()
    started = time.monotonic()
    sqs = service.start().client()
    assert time.monotonic() - started < 10
    pages = sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 300})
    found = [url.rsplit("/", 1)[1] for page in pages for url in page["QueueUrls"]]
    assert found == names
    count = "ApproximateNumberOfMessages"
    for name in (names[0], names[500], names[-1]):
        answered = sqs.get_queue_attributes(QueueUrl=name, AttributeNames=[count])
        assert answered["Attributes"][count] == "6"
