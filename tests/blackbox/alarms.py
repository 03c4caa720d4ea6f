"""What tests of alarms share."""

from datetime import datetime, timezone

import pytest
from botocore.exceptions import ClientError

TOPIC = "arn:aws:sns:us-east-1:000000000000:topic"


def now(service):
    return datetime.fromtimestamp(service.advance("0s")["now"] / 1000, timezone.utc)


def on_the_minute(service):
    """Moves the clock to where a minute begins."""
    past = service.advance("0s")["now"] % 60_000
    service.advance(f"{60_000 - past}ms")


def settings(name, **more):
    """Of an alarm that goes off when a value of its own metric is above two."""
    return {
        "AlarmName": name,
        "Namespace": "Alarms",
        "MetricName": name,
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 2,
        "ComparisonOperator": "GreaterThanThreshold",
    } | more


def measure(client, service, name, *values):
    data = [{"MetricName": name, "Value": value, "Timestamp": now(service)} for value in values]
    client.put_metric_data(Namespace="Alarms", MetricData=data)


def described(client, name):
    (alarm,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarm


def history(client, name, **more):
    """What happened to an alarm, the oldest first."""
    told = client.describe_alarm_history(AlarmName=name, ScanBy="TimestampAscending", **more)
    return told["AlarmHistoryItems"]


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]
