"""Operating it: settings, logs, health, metrics, shutdown, tools, TLS and the test controls."""

import datetime
import http.server
import ipaddress
import json
import signal
import subprocess
import threading

import boto3
import pytest
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server import BINARY, until
from test_main_job import waiting_receivers


def tool(service, *words, stdin=None):
    """Runs a subcommand of the binary against a service."""
    command = [str(BINARY), *words, "--endpoint-url", service.url]
    return subprocess.run(
        command, input=stdin, env=service.environment(), capture_output=True, text=True, timeout=60
    )


def test_settings_come_from_flags_over_environment_over_file(fresh, tmp_path, monkeypatch):
    file = tmp_path / "tidemill.toml"
    file.write_text("public-url = 'http://file.example'\nlog = 'warn'\n")
    from_file = fresh("--config", str(file)).start()
    url = from_file.client().create_queue(QueueName="a")["QueueUrl"]
    assert url.startswith("http://file.example/")

    over = fresh("--config", str(file))
    environment = over.environment() | {"TIDEMILL_PUBLIC_URL": "http://environment.example"}
    monkeypatch.setattr(over, "environment", lambda: environment)
    url = over.start().client().create_queue(QueueName="a")["QueueUrl"]
    assert url.startswith("http://environment.example/")
    over.stop()
    over.flags += ["--public-url", "http://flag.example"]
    url = over.start().client().create_queue(QueueName="a")["QueueUrl"]
    assert url.startswith("http://flag.example/")


def test_a_key_that_names_no_account_is_of_the_one_that_was_set(fresh, tmp_path):
    file = tmp_path / "tidemill.toml"
    file.write_text("account = '123456789012'\n")
    for flags in (["--account", "123456789012"], ["--config", str(file)]):
        service = fresh(*flags).start()
        sqs = service.client()
        url = sqs.create_queue(QueueName="a")["QueueUrl"]
        assert url == f"{service.url}/123456789012/a"
        wanted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        assert wanted["Attributes"]["QueueArn"] == "arn:aws:sqs:us-east-1:123456789012:a"
        assert service.client("sts").get_caller_identity()["Account"] == "123456789012"
        other = service.client(key="000000000000").create_queue(QueueName="a")["QueueUrl"]
        assert other == f"{service.url}/000000000000/a"


def test_an_unknown_key_in_the_file_is_named(fresh, tmp_path):
    file = tmp_path / "tidemill.toml"
    file.write_text("lisen = '127.0.0.1:1'\n")
    service = fresh("--config", str(file))
    done = subprocess.run(service.command(), capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "lisen" in done.stderr and str(file) in done.stderr


def test_logs_are_json_where_no_terminal_is(fresh):
    service = fresh().start()
    service.stop()
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert any(line.get("message", "").startswith("serving") for line in lines), lines
    assert all({"timestamp", "level"} <= line.keys() for line in lines)


def test_health_is_json(shared):
    status, headers, body = shared.get("/health")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body)["status"] == "ok"


def metrics(service):
    """The metrics: {name{labels}: value}."""
    return numbers(service.get("/metrics")[2])


def numbers(told):
    """What metrics say: {name{labels}: value}."""
    lines = [line for line in told.decode().splitlines() if line and not line.startswith("#")]
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


def test_metrics_tell_depths_ages_requests_and_syncs(fresh):
    service = fresh("--clock", "manual").start()
    sqs = service.client()
    url = sqs.create_queue(QueueName="measured")["QueueUrl"]
    for delay in (0, 0, 0, 60):
        sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=delay)
    sqs.receive_message(QueueUrl=url)
    service.advance("7s")
    with pytest.raises(sqs.exceptions.ClientError):
        sqs.get_queue_url(QueueName="none")
    found = metrics(service)

    def value(name, *labels):
        (one,) = [
            value
            for key, value in found.items()
            if key.split("{")[0] == name and all(label in key for label in labels)
        ]
        return one

    measured = 'queue="measured"'
    assert value("tidemill_queue_messages", measured, 'state="visible"') == 2
    assert value("tidemill_queue_messages", measured, 'state="in_flight"') == 1
    assert value("tidemill_queue_messages", measured, 'state="delayed"') == 1
    assert value("tidemill_queue_oldest_message_age_seconds", measured) == 7
    send = 'operation="SendMessage"'
    assert value("tidemill_requests_total", send, 'result="ok"') == 4
    missing = 'operation="GetQueueUrl"'
    assert value("tidemill_requests_total", missing, 'result="QueueDoesNotExist"') == 1
    assert value("tidemill_request_duration_seconds_count", send) == 4
    assert value("tidemill_journal_sync_duration_seconds_count") >= 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_shutdown_answers_what_is_in_flight(fresh, how):
    service = fresh().start()
    sqs = service.client()
    url = sqs.create_queue(QueueName="waiting")["QueueUrl"]
    answers = []
    polling = threading.Thread(
        target=lambda: answers.append(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
    )
    polling.start()
    until(lambda: waiting_receivers(service, "waiting") == 1, "the long poll waits")
    assert service.stop(how) == 0
    polling.join(timeout=10)
    assert answers[0]["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_the_tools_serve_a_queue_at_hand(fresh):
    service = fresh().start()
    sqs = service.client()
    url = sqs.create_queue(QueueName="tools")["QueueUrl"]
    sent = tool(service, "send", "tools", "hello", "--attribute", "colour=blue")
    assert sent.returncode == 0, sent.stderr
    lines = "".join(f"line {n}\n" for n in range(2500))
    sent = tool(service, "send", "tools", "--lines", "-", stdin=lines)
    assert sent.returncode == 0 and "2500" in sent.stderr, sent.stderr

    peeked = tool(service, "peek", "tools", "--max", "3")
    assert peeked.returncode == 0 and "hello" in peeked.stdout, peeked.stderr
    peeked = tool(service, "peek", "tools", "--max", "1", "--json")
    assert json.loads(peeked.stdout)["Body"] == "hello"
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert counts == dict(zip(names, ["2501", "0"])), "a peek receives nothing"

    received = tool(service, "receive", "tools", "--max", "2501", "--delete")
    assert received.stdout == "hello\n" + lines
    tool(service, "send", url, "again")
    assert tool(service, "purge", "tools", "--yes").returncode == 0
    assert tool(service, "receive", "tools").stdout == ""


def test_the_tools_serve_a_fifo_queue(shared):
    sqs = shared.client()
    attributes = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName="tools.fifo", Attributes=attributes)["QueueUrl"]

    def send(*words):
        return tool(shared, "send", "tools.fifo", *words)

    known = ["--group", "blue", "--deduplication-id", "1"]
    assert send("one", *known).returncode == 0
    assert send("again", *known).returncode == 0, "what is known is not taken in, and no mistake"
    peeked = tool(shared, "peek", "tools.fifo").stdout
    assert "group blue  one" in peeked and "again" not in peeked
    whole = json.loads(tool(shared, "peek", "tools.fifo", "--json").stdout)
    assert (whole["MessageGroupId"], whole["MessageDeduplicationId"]) == ("blue", "1")
    assert "--group" in send("one").stderr
    assert "only the first" in send("one", "two", *known).stderr
    assert "MessageDeduplicationId" in send("one", "--group", "blue").stderr
    assert tool(shared, "receive", "tools.fifo", "--delete").stdout == "one\n"
    assert tool(shared, "purge", "tools.fifo", "--yes").returncode == 0
    sqs.delete_queue(QueueUrl=url)


def dead_letter(sqs, name):
    """A queue, its dead-letter queue, and a message that went from one to the other."""
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    target = f"arn:aws:sqs:us-east-1:000000000000:{name}-dead"
    redrive = {"deadLetterTargetArn": target, "maxReceiveCount": 1}
    attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "0"}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="failed once")
    for _ in range(2):
        sqs.receive_message(QueueUrl=url)
    return url, dead


def test_dead_letters_are_redriven_by_a_command(fresh):
    service = fresh().start()
    sqs = service.client()
    url, dead = dead_letter(sqs, "work")
    done = tool(service, "redrive", "work-dead")
    assert (done.returncode, done.stderr) == (0, "moved 1 message from work-dead\n")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "failed once"

    sqs.send_message(QueueUrl=dead, MessageBody="from nowhere")
    done = tool(service, "redrive", "work-dead")
    assert done.returncode == 1 and "came from no queue" in done.stderr, done.stderr
    sqs.create_queue(QueueName="spare")
    done = tool(service, "redrive", "work-dead", "--to", "spare", "--per-second", "500")
    assert done.returncode == 0, done.stderr
    assert tool(service, "receive", "spare").stdout == "from nowhere\n"


@pytest.mark.parametrize(
    "words, told",
    [
        (["redrive", "mishaps"], "must be configured as a Dead Letter Queue"),
        (["redrive", "nothing"], "there is no queue nothing in us-east-1"),
        (["redrive", "mishaps", "--per-second", "501"], "1..=500"),
        (["receive", "nothing"], "there is no queue nothing in us-east-1"),
        (["peek", "nothing"], "there is no queue nothing in us-east-1"),
        (["send", "mishaps", ""], "no empty messages"),
        (["send", "mishaps", "x", "--delay", "16m"], "at most 15m, in whole seconds"),
        (["send", "mishaps", "x", "--delay", "1500ms"], "at most 15m, in whole seconds"),
        (["send", "mishaps", "x", "--attribute", "colour"], "NAME=VALUE"),
        (["receive", "mishaps", "--wait", "21s"], "at most 20s, in whole seconds"),
        (["receive", "mishaps", "--max", "0"], "zero"),
        (["peek", "mishaps", "--max", "0"], "zero"),
        (["purge", "mishaps"], "--yes"),
    ],
)
def test_a_tool_that_cannot_do_it_says_why(shared, words, told):
    shared.client().create_queue(QueueName="mishaps")
    done = tool(shared, *words)
    assert done.returncode != 0 and told in done.stderr, done.stderr


def test_lines_that_cannot_be_sent_are_told_by_their_numbers(shared):
    sqs = shared.client()
    url = sqs.create_queue(QueueName="lines")["QueueUrl"]
    lines = "".join(f"{n}\n" for n in range(15)) + "\n" + "x" * (1 << 20) + "x\n"
    done = tool(shared, "send", "lines", "--lines", "-", stdin=lines)
    assert done.returncode != 0
    assert "10 messages sent, then: -, line 17: a message has at most 1048576" in done.stderr
    assert "1 message to lines; empty lines: 2" in tool(
        shared, "send", "lines", "--lines", "-", stdin="\n\nx\n"
    ).stderr
    sqs.delete_queue(QueueUrl=url)


def test_the_tools_speak_for_the_account_and_the_region_of_the_environment(shared, monkeypatch):
    away = shared.client(key="123456789012", region="eu-west-1")
    url = away.create_queue(QueueName="far-away")["QueueUrl"]
    away.send_message(QueueUrl=url, MessageBody="from afar")
    environment = shared.environment() | {
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    monkeypatch.setattr(shared, "environment", lambda: environment)
    for words in (["peek", "far-away"], ["receive", "far-away", "--delete"]):
        assert "from afar" in tool(shared, *words).stdout
    assert "no queue far-away" in tool(shared, "peek", "far-away", "--region", "us-east-1").stderr


def test_a_tool_that_meets_no_service_or_another_says_so(shared, fresh):
    absent = tool(fresh(), "peek", "orders")
    assert "is the service running?" in absent.stderr and "tidemill serve" in absent.stderr
    other = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=other.handle_request)
    thread.start()
    command = [str(BINARY), "peek", "orders"]
    command += ["--endpoint-url", f"http://127.0.0.1:{other.server_port}"]
    met = subprocess.run(
        command, env=shared.environment(), capture_output=True, text=True, timeout=60
    )
    thread.join()
    other.server_close()
    assert met.returncode == 1 and "not as Tidemill does" in met.stderr, met.stderr


@pytest.mark.parametrize(
    "flags, told",
    [
        (["--listen", ":4566"], "such as 127.0.0.1:4566"),
        (["--listen", "4566"], "such as 127.0.0.1:4566"),
        (["--threads", "0"], "threads must be at least 1"),
        (["--max-body", "1KB"], "64MiB"),
        (["--header-timeout", "5"], "5sec"),
        (["--sync", "sometimes"], "durable"),
        (["--account", "12345"], "an account id is twelve decimal digits"),
        (["--account", "test"], "an account id is twelve decimal digits"),
        (["--tls-cert", "cert.pem"], "give both, or neither"),
        (["--tls-cert", "none.pem", "--tls-key", "none.pem"], "none.pem"),
        (["--config", "none.toml"], "cannot read the configuration file none.toml"),
        (["--public-url", "queues.example"], "https://queues.example.org"),
        (["--port", "80"], "unexpected argument"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_one_that_can(fresh, tmp_path, flags, told):
    service = fresh()
    command = [str(BINARY), "serve", "--data-dir", str(service.data), *flags]
    done = subprocess.run(
        command, env=service.environment(), cwd=tmp_path, capture_output=True, text=True, timeout=30
    )
    assert done.returncode != 0 and told in done.stderr, done.stderr
    assert not service.data.exists(), "nothing is made before the settings are right"


def test_a_port_that_is_taken_is_named(shared, fresh):
    service = fresh()
    service.port = shared.port
    done = subprocess.run(
        service.command(), env=service.environment(), capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{shared.port}" in done.stderr and "--listen" in done.stderr


def test_a_reset_empties_the_service_only_where_allowed(fresh, shared):
    assert shared.request("POST", "/_tidemill/reset", b"")[0] == 403
    service = fresh("--allow-reset").start()
    service.client().create_queue(QueueName="a")
    assert service.request("POST", "/_tidemill/reset", b"")[0] == 200
    assert "QueueUrls" not in service.client().list_queues()
    service.client().create_queue(QueueName="a")


def test_the_system_clock_cannot_be_moved(fresh):
    service = fresh().start()
    body = b'{"advance": "1s"}'
    assert service.request("POST", "/_tidemill/clock", body)[0] in (403, 409)


def test_a_clock_is_moved_no_further_than_dates_are_written(fresh):
    service = fresh("--clock", "manual").start()
    for span in ("584542100years", "8000years"):
        body = json.dumps({"advance": span}).encode()
        status, _, answer = service.request("POST", "/_tidemill/clock", body)
        assert status == 400 and b"9999" in answer
    service.advance("7900years")
    assert service.request("POST", "/_tidemill/clock", b'{"advance": "100years"}')[0] == 400
    service.advance("1h")


def certificate(folder):
    """A certificate for 127.0.0.1 and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tidemill test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, private


def test_tls_is_served_with_a_given_certificate(fresh, tmp_path, monkeypatch):
    cert, key = certificate(tmp_path)
    service = fresh("--tls-cert", str(cert), "--tls-key", str(key))

    def healthy():
        try:
            sqs = client()
            return sqs.list_queues() is not None
        except Exception:
            assert service.process.poll() is None, service.log.read_text()
            return False

    def client():
        config = Config(retries={"total_max_attempts": 1})
        return boto3.client(
            "sqs",
            endpoint_url=service.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            verify=str(cert),
            config=config,
        )

    monkeypatch.setattr(service, "healthy", healthy)
    service.start()
    url = client().create_queue(QueueName="safe")["QueueUrl"]
    assert url.startswith("https://127.0.0.1:")
    client().send_message(QueueUrl=url, MessageBody="x")
    assert client().receive_message(QueueUrl=url)["Messages"][0]["Body"] == "x"
