"""Signs requests with botocore at one fixed moment and prints them as JSON, a request a line.

Run as `python vectors.py > botocore.json`; botocore 1.43.11 was used. The answers do not depend
on when or where it runs.
"""

import datetime
import json
from unittest import mock
from urllib.parse import urlsplit

import botocore.auth
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 2, 28, 23, 59, 58, tzinfo=datetime.timezone.utc)
KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = Credentials("ASIAEXAMPLE", KEY.secret_key, "Fwo/+token==")
JSON = {"Content-Type": "application/x-amz-json-1.0"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
HOST = "http://127.0.0.1:4566"


def request(url, method="POST", headers=None, data=b""):
    return AWSRequest(method=method, url=HOST + url, headers=headers or {}, data=data)


def in_header(name, key, region, service, request):
    return name, key, SigV4Auth(key, service, region), request


def in_query(name, key, region, service, expires, request):
    return name, key, SigV4QueryAuth(key, service, region, expires=expires), request


SEND = b'{"QueueUrl": "http://127.0.0.1:4566/000000000000/q", "MessageBody": "gr\xc3\xbc\xc3\x9fe"}'

CASES = [
    in_header("a JSON request", KEY, "us-east-1", "sqs", request(
        "/", headers=JSON | {"X-Amz-Target": "AmazonSQS.SendMessage"}, data=SEND)),
    in_header("a form", KEY, "eu-west-1", "sqs", request(
        "/000000000000/orders.fifo", headers=FORM, data=b"Action=SendMessage&MessageBody=a+b%2B")),
    in_header("a temporary key", TEMPORARY, "us-east-1", "sns", request(
        "/", headers=FORM, data=b"Action=ListTopics")),
    in_header("an escaped path", KEY, "us-east-1", "execute-api", request(
        "/a%20b/%C3%BC/../c//d%2Fe/*(~)", method="GET")),
    in_header("a query that is not sorted", KEY, "us-east-1", "sqs", request(
        "/?b=2&a-b=1&a=2&a=1&c=", method="GET")),
    in_header("an unsigned body", KEY, "us-east-1", "sqs", request(
        "/", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, data=b"anything")),
    in_header("blanks in a header", KEY, "us-east-1", "sqs", request(
        "/", headers={"X-Amz-Meta": "  a   b  ", "X-Amz-Empty": ""}, data=b"x")),
    in_header("a Date header", KEY, "us-east-1", "sqs", request(
        "/", headers={"Date": "whatever"}, data=b"x")),
    in_query("a presigned URL", KEY, "us-east-1", "sqs", 900, request(
        "/000000000000/q?Action=ReceiveMessage&Note=a%20b%2Bc", method="GET")),
    in_query("a presigned URL of a temporary key", TEMPORARY, "ap-south-1", "sts", 604800, request(
        "/?Action=GetCallerIdentity&Version=2011-06-15", method="GET",
        headers={"X-K8s-Aws-Id": "cluster"})),
]


def sign(name, key, signer, request):
    signer.add_auth(request)
    url = urlsplit(request.url)
    headers = {k.lower(): v for k, v in request.headers.items()}
    headers.setdefault("host", url.netloc)
    body = request.body or b""
    return {
        "name": name,
        "method": request.method,
        "path": url.path,
        "query": url.query,
        "headers": sorted(headers.items()),
        "body": body.decode() if isinstance(body, bytes) else body,
    }


with mock.patch.object(botocore.auth, "get_current_datetime", lambda: NOW):
    lines = [json.dumps(sign(*case), ensure_ascii=False) for case in CASES]
print("[\n" + ",\n".join(lines) + "\n]")
