"""Signatures: open until a credential exists, then every request is verified."""

import datetime
import json
import subprocess
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest

from server import BINARY


def code(refusal):
    return refusal.value.response["Error"]["Code"]


def test_a_root_key_opens_the_door_and_nothing_else_does(locked):
    service, key, secret = locked
    assert key.startswith("AKIA") and len(key) == 20 and len(secret) == 40
    sqs = service.client(key=key, secret=secret)
    sqs.create_queue(QueueName="locked")
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        service.client(key=key, secret="x" * 40).list_queues()
    assert code(refusal) in ("SignatureDoesNotMatch", "InvalidSignatureException")
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        service.client(key="AKIAAAAAAAAAAAAAAAAA", secret=secret).list_queues()
    assert code(refusal) in ("InvalidClientTokenId", "UnrecognizedClientException")


def test_the_secret_is_nowhere_in_the_log(locked):
    service, key, secret = locked
    service.client(key=key, secret=secret).list_queues()
    assert secret not in service.log.read_text()


def test_get_caller_identity_tells_who_signed(locked):
    service, key, secret = locked
    identity = service.client("sts", key=key, secret=secret).get_caller_identity()
    assert identity["Account"] == "000000000000"
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"
    assert identity["UserId"] == "000000000000"


def test_an_open_service_takes_the_account_from_a_twelve_digit_key(shared):
    identity = shared.client("sts", key="210987654321").get_caller_identity()
    assert identity["Account"] == "210987654321"
    assert shared.client("sts").get_caller_identity()["Account"] == "000000000000"


def query_error(body):
    return body.split(b"<Code>")[1].split(b"</Code>")[0].decode()


def message(body):
    return body.split(b"<Message>")[1].split(b"</Message>")[0].decode()


def test_an_unsigned_request_is_missing_its_token(locked):
    service, _, _ = locked
    status, _, body = service.get("/?Action=ListQueues&Version=2012-11-05")
    assert (status, query_error(body)) == (403, "MissingAuthenticationToken")
    status, _, body = service.request(
        "POST",
        "/",
        b"{}",
        {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"},
    )
    assert status in (400, 403)
    assert json.loads(body)["__type"].split("#")[-1].startswith("MissingAuthenticationToken")


def test_a_malformed_authorization_is_incomplete(locked):
    service, _, _ = locked
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/sqs"}
    status, _, body = service.get("/?Action=ListQueues&Version=2012-11-05", headers)
    assert (status, query_error(body)) == (400, "IncompleteSignature")


def presigned(locked, expires, at=None, monkeypatch=None):
    service, key, secret = locked
    url = f"{service.url}/?Action=ListQueues&Version=2012-11-05"
    request = botocore.awsrequest.AWSRequest("GET", url)
    credentials = botocore.credentials.Credentials(key, secret)
    if at is not None:
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: at, raising=False)
    botocore.auth.SigV4QueryAuth(credentials, "sqs", "us-east-1", expires).add_auth(request)
    return request.url.removeprefix(service.url)


def ago(**span):
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    return now - datetime.timedelta(**span)


def test_a_query_string_may_carry_the_signature(locked):
    service, _, _ = locked
    path = presigned(locked, expires=60)
    assert service.get(path)[0] == 200
    status, _, body = service.get(path.replace("ListQueues", "GetQueueUrl"))
    assert (status, query_error(body)) == (403, "SignatureDoesNotMatch")


def test_an_expired_query_string_is_refused(locked, monkeypatch):
    service, _, _ = locked
    path = presigned(locked, expires=60, at=ago(minutes=2), monkeypatch=monkeypatch)
    assert "X-Amz-Signature" in urllib.parse.unquote(path)
    status, _, body = service.get(path)
    assert (status, query_error(body)) == (403, "SignatureDoesNotMatch")
    assert message(body).startswith("Signature expired: ")


@pytest.mark.parametrize(
    "skew, words",
    [
        ({"minutes": 20}, "Signature expired: "),
        ({"minutes": -20}, "Signature not yet current: "),
    ],
)
def test_a_clock_that_is_wrong_is_told_so(locked, monkeypatch, skew, words):
    service, key, secret = locked
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: ago(**skew), raising=False)
    body = b"Action=ListQueues&Version=2012-11-05"
    request = botocore.awsrequest.AWSRequest(
        "POST", service.url + "/", {"Content-Type": "application/x-www-form-urlencoded"}, body
    )
    credentials = botocore.credentials.Credentials(key, secret)
    botocore.auth.SigV4Auth(credentials, "sqs", "us-east-1").add_auth(request)
    status, _, answer = service.request("POST", "/", body, dict(request.headers.items()))
    assert (status, query_error(answer)) == (403, "SignatureDoesNotMatch")
    assert message(answer).startswith(words)


def test_listening_elsewhere_without_credentials_is_refused(fresh):
    service = fresh()
    command = [word.replace("127.0.0.1", "0.0.0.0") for word in service.command()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "tidemill init" in done.stderr


def test_init_refuses_a_folder_that_a_service_uses(shared):
    command = [str(BINARY), "init", "--data-dir", str(shared.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "another process" in done.stderr
