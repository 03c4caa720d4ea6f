"""The door: what HTTP itself allows, clients that are slow, rude or many, and an orderly end."""

import concurrent.futures
import http.client
import json
import signal
import socket

import pytest
from botocore.exceptions import ClientError

from server import until
from test_main_job import waiting_receivers
from test_protocols import call, target
from test_standard_queue import counts

EXPECT = "Expect: 100-continue\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


def connect(service):
    return socket.create_connection(("127.0.0.1", service.port), timeout=60)


def rest(connection):
    """What still comes until the other side closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def answer(connection):
    """One answer: (status, headers, body)."""
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    return reply.status, reply.headers, reply.read()


def post(operation, extra="", **parameters):
    """A JSON request as it stands on the wire."""
    body = json.dumps(parameters).encode()
    headers = {"Host": "localhost", "Content-Length": len(body), **target(operation)}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{head}{extra}\r\n".encode() + body


def poll(queue):
    return post("ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=20)


def name_of(queue):
    return queue.rsplit("/", 1)[1]


def test_who_hangs_up_while_it_polls_takes_no_message_along(shared, sqs, queue):
    polls = [connect(shared) for _ in range(20)]
    for connection in polls:
        connection.sendall(poll(queue))
    until(lambda: waiting_receivers(shared, name_of(queue)) == 20, "all polls wait")
    for connection in polls[:-1]:
        connection.close()
    until(lambda: waiting_receivers(shared, name_of(queue)) == 1, "the gone are forgotten")
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    status, _, body = answer(polls[-1])
    assert (status, json.loads(body)["Messages"][0]["Body"]) == (200, "x")
    polls[-1].close()


def test_a_message_that_meets_a_hang_up_is_not_lost(shared, sqs, queue):
    """Whichever was first, the message is there again when its visibility timeout is over."""
    for _ in range(30):
        connection = connect(shared)
        connection.sendall(poll(queue))
        until(lambda: waiting_receivers(shared, name_of(queue)) == 1, "the poll waits")
        with connect(shared) as sender:
            sender.sendall(post("SendMessage", QueueUrl=queue, MessageBody="x"))
            connection.close()
            assert answer(sender)[0] == 200
        until(lambda: waiting_receivers(shared, name_of(queue)) == 0, "the poll has ended")
        assert sum(counts(sqs, queue)) == 1
        shared.advance("30s")
        (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_two_hundred_polls_and_fifty_senders_share_each_message_once(fresh):
    service = fresh().start()
    queue = service.client().create_queue(QueueName="crowd")["QueueUrl"]
    polls = [connect(service) for _ in range(200)]
    for connection in polls:
        connection.sendall(poll(queue))
    until(lambda: waiting_receivers(service, "crowd") == 200, "all polls wait")

    def send(sender):
        with connect(service) as connection:
            for n in range(4):
                connection.sendall(post("SendMessage", QueueUrl=queue, MessageBody=f"{sender}-{n}"))
                assert answer(connection)[0] == 200

    with concurrent.futures.ThreadPoolExecutor(50) as senders:
        list(senders.map(send, range(50)))
    bodies = []
    for connection in polls:
        status, _, body = answer(connection)
        assert status == 200
        bodies += [message["Body"] for message in json.loads(body)["Messages"]]
        connection.close()
    assert sorted(bodies) == sorted(f"{sender}-{n}" for sender in range(50) for n in range(4))
    assert counts(service.client(), queue) == (0, 200, 0)


def test_who_breaks_off_amid_a_body_leaves_nothing_behind(fresh):
    service = fresh().start()
    sqs = service.client()
    queue = sqs.create_queue(QueueName="broken-off")["QueueUrl"]
    whole = post("SendMessage", QueueUrl=queue, MessageBody="x" * 10_000)
    for cut in (1, 20, len(whole) // 2, len(whole) - 1):
        with connect(service) as connection:
            connection.sendall(whole[:cut])
    sqs.send_message(QueueUrl=queue, MessageBody="whole")
    assert counts(sqs, queue) == (1, 0, 0)
    assert service.stop() == 0
    levels = {json.loads(line)["level"] for line in service.log.read_text().splitlines()}
    assert levels <= {"INFO"}, "a client's bad manners are no news"


@pytest.fixture
def impatient(fresh):
    return fresh("--header-timeout", "200ms", "--body-timeout", "200ms").start()


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHost: lo", b"GET / HTTP/1.1\r\n"])
def test_who_dawdles_over_the_headers_is_cut_off(impatient, sent):
    with connect(impatient) as connection:
        connection.sendall(sent)
        said = rest(connection)
    assert said == b"" or said.startswith(b"HTTP/1.1 408 "), said
    assert impatient.get("/health")[0] == 200


def test_who_dawdles_over_the_body_is_told_so_and_cut_off(impatient):
    with connect(impatient) as connection:
        connection.sendall(post("CreateQueue", QueueName="slow")[:-3])
        said = rest(connection)
    assert said.startswith(b"HTTP/1.1 408 ") and b"RequestTimeout" in said, said


def test_a_connection_that_rests_too_long_is_closed(impatient):
    with connect(impatient) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer(connection)[0] == 200
        assert rest(connection) == b""


def test_headers_without_end_are_refused(shared):
    with connect(shared) as connection:
        line = b"X-Filler: " + b"x" * 8000 + b"\r\n"
        try:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + line * 90)
            said = rest(connection)
        except ConnectionError:
            said = b"HTTP/1.1 431 "
    assert said.startswith(b"HTTP/1.1 431 "), said[:200]
    many = b"".join(b"X-%d: x\r\n" % n for n in range(200))
    with connect(shared) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 431 ")


def test_http_1_0_is_answered_and_closed(shared):
    with connect(shared) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        said = rest(connection)
    assert said.startswith(b"HTTP/1.0 200 ") and b'"status":"ok"' in said, said


def test_what_is_no_http_is_a_bad_request(shared):
    with connect(shared) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00 hello, is this TLS?\r\n\r\n")
        said = rest(connection)
    assert said == b"" or said.startswith(b"HTTP/1.1 400 "), said


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_a_method_that_nobody_has_is_refused(shared, method):
    status, _, body = shared.request(method, "/")
    assert status == 404
    assert body.strip() == (b"" if method == "HEAD" else b"<UnknownOperationException/>")


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_health_and_metrics_are_looked_at_and_not_posted_to(shared, path):
    status, headers, body = shared.request("HEAD", path)
    assert (status, body) == (200, b"")
    assert headers["Content-Type"] == shared.get(path)[1]["Content-Type"]
    status, headers, _ = shared.request("POST", path, b"")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_pipelined_requests_are_answered_in_order(shared, queue):
    requests = [post("SendMessage", QueueUrl=queue, MessageBody=f"{n}") for n in range(5)]
    receive = post("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10)
    with connect(shared) as connection:
        last = receive.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        connection.sendall(b"".join(requests) + last)
        said = rest(connection)
    assert said.count(b"HTTP/1.1 200 OK") == 6
    received = json.loads(said.rsplit(b"\r\n\r\n", 1)[1])["Messages"]
    assert [message["Body"] for message in received] == list("01234")


def test_a_body_comes_in_chunks_too(shared, queue):
    body = json.dumps({"QueueUrl": queue, "MessageBody": "in chunks"}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:]))
    head = "".join(f"{k}: {v}\r\n" for k, v in target("SendMessage").items()).encode()
    with connect(shared) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            + head + b"\r\n" + chunks + b"0\r\n\r\n"
        )
        assert answer(connection)[0] == 200


def test_who_waits_to_be_told_to_go_on_is_told(shared, queue):
    request = post("SendMessage", EXPECT, QueueUrl=queue, MessageBody="expected")
    head, body = request.split(b"\r\n\r\n", 1)
    with connect(shared) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(65536) == GO_ON
        connection.sendall(body)
        assert answer(connection)[0] == 200


def test_who_waits_with_too_much_is_refused_without_being_told_to_go_on(shared):
    head = "".join(f"{k}: {v}\r\n" for k, v in target("SendMessage").items())
    with connect(shared) as connection:
        connection.sendall(
            f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n{head}"
            f"{EXPECT}\r\n".encode()
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_who_sends_too_much_without_asking_is_told_so(sqs, queue):
    with pytest.raises(ClientError) as refusal:
        sqs.send_message(QueueUrl=queue, MessageBody="x" * (20 << 20))
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /health HTTP/1.1\nHost: a\n\n",
        b"GET /health HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: b\0\r\n\r\n",
        b"GET a?b=c://d/health HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_a_proxy_may_read_otherwise_is_refused_with_all_that_follows(shared, request_):
    with connect(shared) as connection:
        connection.sendall(request_ + b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        said = rest(connection)
    assert said.startswith(b"HTTP/1.1 400 ") and said.count(b"\r\ndate: ") == 1, said


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_kept_connection_does_not_hold_up_the_end(fresh, how):
    service = fresh("--shutdown-grace", "1h").start()
    kept = [connect(service) for _ in range(3)]
    for connection in kept[:2]:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer(connection)[0] == 200
    assert service.stop(how) == 0
    assert [rest(connection) for connection in kept] == [b"", b"", b""]


def test_what_was_being_sent_at_the_end_is_still_answered(fresh):
    service = fresh().start()
    queue = service.client().create_queue(QueueName="last")["QueueUrl"]
    request = post("SendMessage", EXPECT, QueueUrl=queue, MessageBody="the last")
    head, body = request.split(b"\r\n\r\n", 1)
    with connect(service) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(65536) == GO_ON, "the body is being read"
        service.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in service.log.read_text(), "the service is stopping")
        connection.sendall(body)
        status, headers, _ = answer(connection)
    assert (status, headers["Connection"]) == (200, "close")
    assert service.process.wait(timeout=60) == 0
    assert counts(service.start().client(), queue) == (1, 0, 0)


def test_a_browser_is_told_what_this_is(shared):
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Host": "<b>:1"}
    status, headers, body = shared.get("/", accept)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"AWS_ENDPOINT_URL=http://b:1" in body
    status, _, body = shared.get("/?Action=ListQueues&Version=2012-11-05", accept)
    assert (status, b"ListQueuesResponse" in body) == (200, True)
    assert shared.get("/")[0] == 404
    assert call(shared, "ListQueues")[0] == 200


def test_an_open_service_is_not_reached_under_a_name_that_may_be_a_pages_own(shared, fresh):
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/ec2/aws4_request"}
    launch = "/?Action=DescribeInstances&Version=2016-11-15"

    def under(service, host):
        headers = {"Host": host, "Content-Type": "application/json"}
        asked = [
            service.get(launch, signed | headers),
            service.request("POST", "/", b"{}", headers | target("ListQueues")),
            service.request("POST", "/_tidemill/top", b"{}", headers),
        ]
        return [(status, body) for status, _, body in asked]

    for host in ("localhost", f"127.0.0.1:{shared.port}", "[::1]", "tidemill:4566", "a.localhost"):
        assert [status for status, _ in under(shared, host)] == [200] * 3, host
    for host in ("evil.example", f"evil.example:{shared.port}", "127.0.0.1.evil.example"):
        for status, body in under(shared, host):
            assert status == 403 and b"--allow-host" in body, (host, body)
    told = fresh("--allow-host", "mill.example", "--trust-forwarded").start()
    assert [status for status, _ in under(told, "a.mill.example:80")] == [200] * 3
    assert [status for status, _ in under(told, "amill.example")] == [403] * 3
    headers = {"Host": "localhost", "X-Forwarded-Host": "evil.example"}
    status, _, _ = told.request("POST", "/", b"{}", headers | target("ListQueues"))
    assert status == 403
