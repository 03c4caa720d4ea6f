"""Alarms that tell topics, as AWS's do."""

import itertools
import json

import pytest

from alarms import history, now, on_the_minute, settings
from topics import ACCOUNT, listening

_numbers = itertools.count(1)


@pytest.fixture
def alarms(shared):
    return shared.client("cloudwatch")


@pytest.fixture
def told(shared):
    """A topic of the test's own, and who listens to it."""
    name = f"alarmed-{next(_numbers)}"
    return name, *listening(shared, shared.client("sns"), name)


def test_a_topic_is_told_of_an_alarm_in_awss_words(shared, alarms, told):
    name, topic, listener = told
    on_the_minute(shared)
    more = {"AlarmActions": [topic], "OKActions": [topic], "AlarmDescription": "too many"}
    more |= {"Dimensions": [{"Name": "d", "Value": "v"}], "TreatMissingData": "notBreaching"}
    alarms.put_metric_alarm(**settings(name, **more))
    datum = {"MetricName": name, "Value": 20, "Dimensions": more["Dimensions"]}
    alarms.put_metric_data(Namespace="Alarms", MetricData=[datum | {"Timestamp": now(shared)}])
    shared.advance("1m")
    at = now(shared).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    (note,) = listener.notes()
    assert note["TopicArn"] == topic
    assert note["Subject"] == f'ALARM: "{name}" in US East (N. Virginia)'
    message = json.loads(note["Message"])
    assert message.pop("AlarmConfigurationUpdatedTimestamp") < at
    assert message.pop("StateChangeTime")[:16] == at[:16]
    assert message.pop("NewStateReason").startswith("Threshold Crossed: 1 datapoint [20.0 ")
    assert message == {
        "AlarmName": name,
        "AlarmDescription": "too many",
        "AWSAccountId": ACCOUNT,
        "NewStateValue": "ALARM",
        "Region": "US East (N. Virginia)",
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{name}",
        "OldStateValue": "INSUFFICIENT_DATA",
        "OKActions": [topic],
        "AlarmActions": [topic],
        "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": name,
            "Namespace": "Alarms",
            "StatisticType": "Statistic",
            "Statistic": "AVERAGE",
            "Unit": None,
            "Dimensions": [{"value": "v", "name": "d"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 2.0,
            "TreatMissingData": "notBreaching",
            "EvaluateLowSampleCountPercentile": "",
        },
    }
    acted = history(alarms, name, HistoryItemType="Action")
    assert [it["HistorySummary"] for it in acted] == [f"Successfully executed action {topic}"]
    shared.advance("4m")
    (note,) = listener.notes()
    assert note["Subject"] == f'OK: "{name}" in US East (N. Virginia)'


def test_a_topic_is_told_what_an_expression_was_about(shared, alarms, told):
    name, topic, listener = told
    metric = {"Namespace": "Alarms", "MetricName": name}
    stat = {"Metric": metric, "Period": 60, "Stat": "p99", "Unit": "Count"}
    alarms.put_metric_alarm(
        AlarmName=name,
        AlarmActions=[topic],
        EvaluationPeriods=2,
        DatapointsToAlarm=1,
        ComparisonOperator="LessThanThreshold",
        Threshold=1.5,
        Metrics=[
            {"Id": "m", "MetricStat": stat, "ReturnData": False},
            {"Id": "e", "Expression": "m * 2", "Label": "twice", "ReturnData": True},
        ],
    )
    alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="of a test")
    (message,) = listener.told()
    assert message["NewStateReason"] == "of a test"
    told_of = {"Dimensions": [], "MetricName": name, "Namespace": "Alarms"}
    stat = {"Metric": told_of, "Period": 60, "Stat": "p99", "Unit": "Count"}
    assert message["Trigger"] == {
        "Period": 60,
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 1,
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 1.5,
        "TreatMissingData": "missing",
        "EvaluateLowSampleCountPercentile": "",
        "Metrics": [
            {"Id": "m", "MetricStat": stat, "ReturnData": False},
            {"Id": "e", "Expression": "m * 2", "Label": "twice", "ReturnData": True},
        ],
    }


def test_a_topic_is_told_of_a_composite_alarm_and_what_turned_it(shared, alarms, told):
    name, topic, listener = told
    child = f"{name}-child"
    alarms.put_metric_alarm(**settings(child))
    alarms.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({child})", AlarmActions=[topic])
    alarms.set_alarm_state(AlarmName=child, StateValue="ALARM", StateReason="of a test")
    (message,) = listener.told()
    assert (message["AlarmRule"], message["NewStateValue"]) == (f"ALARM({child})", "ALARM")
    (turned,) = message["TriggeringChildren"]
    assert turned["Arn"].endswith(f":alarm:{child}")
    assert turned["State"]["Value"] == "ALARM"


def test_an_action_on_a_topic_that_is_not_there_fails(shared, alarms, told):
    name, topic, listener = told
    gone = topic + "-x"
    foreign = topic.replace(ACCOUNT, "123456789012")
    alarms.put_metric_alarm(**settings(name, AlarmActions=[gone, foreign, topic]))
    alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="of a test")
    acted = [it["HistorySummary"] for it in history(alarms, name, HistoryItemType="Action")]
    assert acted[0] == f'Failed to execute action {gone}. Received error: "Topic does not exist"'
    assert acted[1].startswith(f"Failed to execute action {foreign}.")
    assert acted[2] == f"Successfully executed action {topic}"
    assert len(listener.notes()) == 1
