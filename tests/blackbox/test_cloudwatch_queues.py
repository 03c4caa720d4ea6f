"""The queues tell CloudWatch each minute how they stand and what happened at them."""

from datetime import datetime, timedelta, timezone

import pytest


@pytest.fixture
def service(fresh):
    service = fresh("--clock", "manual").start()
    # At a minute's beginning, so that a test knows which minutes end.
    past = shown(service).timestamp() % 60
    service.advance(f"{60_000 - round(past * 1000)}ms")
    return service


def shown(service):
    return datetime.fromtimestamp(service.advance("0s")["now"] / 1000, timezone.utc)


def told(service, queue, name, stat="Sum", hours=24, **more):
    """The values of a queue's metric, by minute, oldest first."""
    at = shown(service)
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": name,
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
    }
    query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
    result = service.client("cloudwatch", **more).get_metric_data(
        MetricDataQueries=[query],
        StartTime=at - timedelta(hours=hours),
        EndTime=at + timedelta(minutes=1),
        ScanBy="TimestampAscending",
    )
    return result["MetricDataResults"][0]["Values"]


def test_what_happens_at_a_queue_is_told_by_the_minute(service):
    sqs = service.client()
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="12345")
    sqs.send_message(QueueUrl=url, MessageBody="1234567")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
    service.advance("1m")
    assert told(service, "orders", "NumberOfMessagesSent") == [3]
    assert told(service, "orders", "SentMessageSize") == [17]
    assert told(service, "orders", "SentMessageSize", "SampleCount") == [3]
    assert told(service, "orders", "ApproximateNumberOfMessagesVisible") == [2]
    assert told(service, "orders", "ApproximateNumberOfMessagesDelayed") == [1]
    (age,) = told(service, "orders", "ApproximateAgeOfOldestMessage", "Maximum")
    assert age == 60
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    service.advance("10s")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)
    sqs.receive_message(QueueUrl=url)
    service.advance("1m")
    assert told(service, "orders", "NumberOfMessagesSent") == [3, 0]
    assert told(service, "orders", "NumberOfMessagesReceived") == [0, 2]
    assert told(service, "orders", "NumberOfMessagesDeleted") == [0, 1]
    assert told(service, "orders", "NumberOfEmptyReceives") == [0, 1]
    assert told(service, "orders", "ApproximateNumberOfMessagesVisible") == [2, 0]
    assert told(service, "orders", "ApproximateNumberOfMessagesNotVisible") == [0, 1]
    # Nobody sent: there is no size to tell.
    assert told(service, "orders", "SentMessageSize") == [17]


def test_a_leap_of_the_clock_brings_every_minute_that_it_passed(service):
    sqs = service.client()
    url = sqs.create_queue(QueueName="leap")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    service.advance("15m")
    assert told(service, "leap", "ApproximateNumberOfMessagesVisible") == [1] * 15
    assert told(service, "leap", "NumberOfMessagesSent") == [1] + [0] * 14


def test_a_queue_that_nobody_uses_is_told_of_for_six_hours(service):
    sqs = service.client()
    url = sqs.create_queue(QueueName="idle")["QueueUrl"]
    for _ in range(8):
        service.advance("1h")
    count = len(told(service, "idle", "NumberOfMessagesSent"))
    assert count == 6 * 60
    sqs.send_message(QueueUrl=url, MessageBody="x")
    service.advance("1m")
    assert told(service, "idle", "NumberOfMessagesSent")[-1] == 1


def test_fifo_queues_tell_of_groups_and_repetitions(service):
    sqs = service.client()
    url = sqs.create_queue(QueueName="one.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for _ in range(3):
        sqs.send_message(
            QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="same"
        )
    sqs.receive_message(QueueUrl=url)
    service.advance("1m")
    assert told(service, "one.fifo", "NumberOfDeduplicatedSentMessages") == [2]
    assert told(service, "one.fifo", "ApproximateNumberOfGroupsWithInflightMessages") == [0]
    sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)
    service.advance("1m")
    assert told(service, "one.fifo", "ApproximateNumberOfGroupsWithInflightMessages")[-1] == 1


def test_a_queue_tells_in_its_own_account_and_region(service):
    where = {"key": "111122223333", "region": "eu-west-1"}
    service.client(**where).create_queue(QueueName="elsewhere")
    service.advance("1m")
    assert told(service, "elsewhere", "NumberOfMessagesSent", **where) == [0]
    assert told(service, "elsewhere", "NumberOfMessagesSent") == []
    listed = service.client("cloudwatch", **where).list_metrics(Namespace="AWS/SQS")["Metrics"]
    assert {m["MetricName"] for m in listed} >= {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfNoisyGroups",
        "ApproximateNumberOfMessagesVisibleInQuietGroups",
    }
