"""The wire: JSON and Query, at the root and at the queue URL, faults, limits and compression."""

import gzip
import hashlib
import json
import socket
import urllib.parse
import xml.etree.ElementTree as ElementTree

import pytest

NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def query(service, path="/", method="POST", **parameters):
    """A request in the Query protocol: (status, XML tree)."""
    form = urllib.parse.urlencode({"Version": "2012-11-05", **parameters})
    if method == "GET":
        status, _, body = service.request("GET", f"{path}?{form}")
    else:
        status, _, body = service.request("POST", path, form.encode(), FORM)
    return status, ElementTree.fromstring(body)


def target(operation):
    return {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}


def call(service, operation, path="/", headers=None, **parameters):
    """A request in the JSON protocol: (status, headers, JSON)."""
    body = json.dumps(parameters).encode()
    status, answered, body = service.request(
        "POST", path, body, target(operation) | (headers or {})
    )
    return status, answered, json.loads(body) if body else None


def text(tree, *path):
    return tree.findtext("/".join(NAMESPACE + name for name in path))


def test_a_form_misses_an_id_by_the_name_that_forms_have(shared, queue):
    action, kind = "ChangeMessageVisibilityBatch", "ChangeMessageVisibilityBatchRequestEntry"
    one = {f"{kind}.1.Id": "a", f"{kind}.1.ReceiptHandle": "x", f"{kind}.2.ReceiptHandle": "x"}
    for entries, number in ((one, 2), ({}, 1)):
        status, tree = query(shared, Action=action, QueueUrl=queue, **entries)
        assert (status, text(tree, "Error", "Code")) == (400, "MissingParameter")
        told = f"The request must contain the parameter {kind}.{number}.Id."
        assert text(tree, "Error", "Message") == told


def test_an_old_client_takes_a_message_through_its_life_by_query(shared):
    parameters = {"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "12"}
    status, tree = query(shared, Action="CreateQueue", QueueName="old", **parameters)
    assert status == 200 and tree.tag == f"{NAMESPACE}CreateQueueResponse"
    url = text(tree, "CreateQueueResult", "QueueUrl")
    path = urllib.parse.urlsplit(url).path
    body = 'a & b\r\n<c> "d" é'
    attribute = {
        "MessageAttribute.1.Name": "city",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "Any City",
    }
    status, tree = query(shared, path, Action="SendMessage", MessageBody=body, **attribute)
    digest = hashlib.md5(body.encode()).hexdigest()
    assert text(tree, "SendMessageResult", "MD5OfMessageBody") == digest
    wanted = {"AttributeName.1": "All", "MessageAttributeName.1": "city"}
    _, tree = query(shared, path, "GET", Action="ReceiveMessage", **wanted)
    message = "ReceiveMessageResult", "Message"
    assert text(tree, *message, "Body") == body
    assert text(tree, *message, "MessageAttribute", "Value", "StringValue") == "Any City"
    assert text(tree, *message, "Attribute", "Name") is not None
    assert text(tree, "ResponseMetadata", "RequestId")
    handle = text(tree, *message, "ReceiptHandle")
    status, tree = query(shared, path, Action="DeleteMessage", ReceiptHandle=handle)
    assert (status, tree.tag) == (200, f"{NAMESPACE}DeleteMessageResponse")
    wanted = {"AttributeName.1": "VisibilityTimeout"}
    status, tree = query(shared, Action="GetQueueAttributes", QueueUrl=url, **wanted)
    assert text(tree, "GetQueueAttributesResult", "Attribute", "Value") == "12"
    query(shared, path, Action="DeleteQueue")


def test_a_query_batch_is_read_in_the_order_of_its_numbers(shared, queue):
    path = urllib.parse.urlsplit(queue).path
    entries = {}
    for n in range(10, 0, -1):
        entries[f"SendMessageBatchRequestEntry.{n}.Id"] = f"id{n}"
        entries[f"SendMessageBatchRequestEntry.{n}.MessageBody"] = f"body {n}"
    status, tree = query(shared, path, Action="SendMessageBatch", **entries)
    ids = [
        entry.findtext(f"{NAMESPACE}Id")
        for entry in tree.iter(f"{NAMESPACE}SendMessageBatchResultEntry")
    ]
    assert (status, ids) == (200, [f"id{n}" for n in range(1, 11)])


def test_a_query_fault_has_the_form_that_aws_gives_it(shared):
    status, tree = query(shared, Action="GetQueueUrl", QueueName="no-such-queue")
    assert (status, tree.tag) == (400, f"{NAMESPACE}ErrorResponse")
    assert text(tree, "Error", "Type") == "Sender"
    assert text(tree, "Error", "Code") == "AWS.SimpleQueueService.NonExistentQueue"
    assert text(tree, "Error", "Message") == (
        "The specified queue does not exist for this wsdl version."
    )
    assert [child.tag for child in tree.find(f"{NAMESPACE}Error")][-1] == f"{NAMESPACE}Detail"
    assert text(tree, "RequestId")


def test_a_json_fault_carries_both_codes_and_a_request_id(shared):
    status, headers, body = call(shared, "GetQueueUrl", QueueName="no-such-queue")
    assert status == 400
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert headers["x-amzn-RequestId"]
    assert body["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"
    assert body["message"] == "The specified queue does not exist."


def test_json_works_at_the_queue_url_too(shared, queue):
    path = urllib.parse.urlsplit(queue).path
    status, headers, body = call(shared, "SendMessage", path, QueueUrl=queue, MessageBody="x")
    assert (status, headers["Content-Type"]) == (200, "application/x-amz-json-1.0")
    assert body["MD5OfMessageBody"] == hashlib.md5(b"x").hexdigest()


def test_list_queues_by_get_answers_json_to_who_accepts_json(shared, queue):
    status, headers, body = shared.get(
        "/?Action=ListQueues&Version=2012-11-05", {"Accept": "application/json"}
    )
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert queue in json.loads(body)["ListQueuesResponse"]["ListQueuesResult"]["queueUrls"]


def test_a_query_for_json_is_answered_with_maps_as_lists_of_names_and_values(shared, queue):
    path = urllib.parse.urlsplit(queue).path
    accept = {"Accept": "application/json"}
    _, _, body = shared.get(path + "?Action=GetQueueAttributes&AttributeName.1=All", accept)
    found = json.loads(body)["GetQueueAttributesResponse"]["GetQueueAttributesResult"]
    assert {"Name": "DelaySeconds", "Value": "0"} in found["Attributes"]
    shared.get(
        path + "?Action=SendMessage&MessageBody=x&MessageAttribute.1.Name=a"
        "&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v"
        "&MessageAttribute.2.Name=b"
        "&MessageAttribute.2.Value.DataType=String&MessageAttribute.2.Value.StringValue=w"
    )
    _, _, body = shared.get(
        path + "?Action=ReceiveMessage&MessageAttributeName.1=All&AttributeName.1=SenderId", accept
    )
    (message,) = json.loads(body)["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"]
    assert message["Body"] == "x"
    assert message["MessageAttributes"] == [
        {"Name": "a", "Value": {"StringValue": "v", "DataType": "String"}},
        {"Name": "b", "Value": {"StringValue": "w", "DataType": "String"}},
    ]
    assert [attribute["Name"] for attribute in message["Attributes"]] == ["SenderId"]


def test_a_queue_url_tells_the_url_of_any_queue(shared, sqs, queue):
    path = urllib.parse.urlsplit(queue).path
    other = sqs.create_queue(QueueName="looked-up")["QueueUrl"]
    for url in (queue, other):
        name = url.rsplit("/", 1)[1]
        status, tree = query(shared, path, "GET", Action="GetQueueUrl", QueueName=name)
        assert (status, text(tree, "GetQueueUrlResult", "QueueUrl")) == (200, url)
    sqs.delete_queue(QueueUrl=other)


def test_in_query_the_older_names_of_system_attributes_count_alone(shared, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    path = urllib.parse.urlsplit(queue).path
    newer = {"Action": "ReceiveMessage", "MessageSystemAttributeName.1": "All"}

    def shown(**more):
        _, tree = query(shared, path, VisibilityTimeout="0", **newer, **more)
        return {name.text for name in tree.findall(f".//{NAMESPACE}Attribute/{NAMESPACE}Name")}

    assert len(shown()) == 4
    assert shown(**{"AttributeName.1": "SenderId"}) == {"SenderId"}


@pytest.mark.parametrize("action", ["NoSuchAction", "CreateQueue", "ListQueues"])
def test_what_a_queue_url_cannot_do_is_an_invalid_action(shared, queue, action):
    path = urllib.parse.urlsplit(queue).path
    status, tree = query(shared, path, "GET", Action=action)
    assert (status, text(tree, "Error", "Code")) == (400, "InvalidAction")
    assert text(tree, "Error", "Message") == (
        f"The action {action} is not valid for this endpoint."
    )


def test_no_action_at_all_is_an_unknown_operation(shared, queue):
    path = urllib.parse.urlsplit(queue).path
    status, _, body = shared.get(path, {"Accept": "application/json"})
    assert status == 404 and b"<UnknownOperationException/>" in body


def test_an_operation_that_nobody_has_is_refused_in_the_callers_protocol(shared):
    status, headers, body = call(shared, "MakeTea")
    assert status in (400, 404)
    assert body["__type"].endswith("UnknownOperationException")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"QueueName": 1', b"\xff", b'{"QueueName": {}}'])
def test_malformed_json_is_a_serialization_exception(shared, body):
    status, _, answer = shared.request("POST", "/", body, target("CreateQueue"))
    assert status == 400
    assert json.loads(answer)["__type"].endswith("SerializationException")


def test_a_missing_parameter_is_named(shared):
    status, headers, body = call(shared, "GetQueueUrl")
    assert status == 400
    assert headers["x-amzn-query-error"] == "MissingParameter;Sender"
    assert body["message"] == "The request must contain the parameter QueueName."


def test_a_gzip_body_is_unpacked(shared, queue):
    body = gzip.compress(json.dumps({"QueueUrl": queue, "MessageBody": "packed"}).encode())
    headers = target("SendMessage") | {"Content-Encoding": "gzip"}
    status, _, answer = shared.request("POST", "/", body, headers)
    assert status == 200
    assert json.loads(answer)["MD5OfMessageBody"] == hashlib.md5(b"packed").hexdigest()


def test_a_body_over_the_limit_is_refused_before_it_is_sent(shared):
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n"
            b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: 99999999999\r\n\r\n"
        )
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 "), answer


def test_a_small_gzip_body_that_unpacks_beyond_the_limit_is_refused(shared):
    bomb = gzip.compress(b"x" * (64 << 20))
    assert len(bomb) < 100_000
    headers = target("SendMessage") | {"Content-Encoding": "gzip"}
    status, _, _ = shared.request("POST", "/", bomb, headers)
    assert status == 413


def test_the_host_that_the_client_used_is_in_the_queue_url(shared):
    status, _, body = call(
        shared, "CreateQueue", headers={"Host": "queues.localhost:99"}, QueueName="hosted"
    )
    assert body["QueueUrl"] == "http://queues.localhost:99/000000000000/hosted"
    status, _, body = call(
        shared, "CreateQueue", headers={"X-Forwarded-Host": "evil.example"}, QueueName="hosted"
    )
    assert "evil" not in body["QueueUrl"]


def test_forwarded_headers_and_a_public_url_shape_the_queue_url(fresh):
    behind = fresh("--trust-forwarded", "--allow-host", "q.example").start()
    forwarded = {"X-Forwarded-Host": "q.example", "X-Forwarded-Proto": "https"}
    _, _, body = call(behind, "CreateQueue", headers=forwarded, QueueName="a")
    assert body["QueueUrl"] == "https://q.example/000000000000/a"
    public = fresh("--public-url", "https://public.example").start()
    _, _, body = call(public, "CreateQueue", QueueName="a")
    assert body["QueueUrl"] == "https://public.example/000000000000/a"
