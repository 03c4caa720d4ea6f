"""Alarms: how they stand by what was measured, why, and what is remembered of it."""

import itertools
import json
from datetime import datetime

import pytest

from alarms import TOPIC, described, history, measure, now, on_the_minute, refusal, settings
from clients import command_line

_numbers = itertools.count(1)


@pytest.fixture
def name():
    return f"alarm-{next(_numbers)}"


def test_a_new_alarm_is_described_as_on_aws(cloudwatch, name):
    dimensions = [{"Name": "InstanceId", "Value": "abc"}]
    more = {"Dimensions": dimensions, "Unit": "Seconds", "TreatMissingData": "ignore"}
    more |= {"AlarmDescription": "of a test", "AlarmActions": [TOPIC], "OKActions": [TOPIC]}
    cloudwatch.put_metric_alarm(**settings(name, **more))
    alarm = described(cloudwatch, name)
    times = [
        "AlarmConfigurationUpdatedTimestamp",
        "StateUpdatedTimestamp",
        "StateTransitionedTimestamp",
    ]
    for time in times:
        assert isinstance(alarm.pop(time), datetime)
    assert alarm == {
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{name}",
        "AlarmDescription": "of a test",
        "AlarmName": name,
        "ComparisonOperator": "GreaterThanThreshold",
        "Dimensions": dimensions,
        "EvaluationPeriods": 1,
        "InsufficientDataActions": [],
        "MetricName": name,
        "Namespace": "Alarms",
        "OKActions": [TOPIC],
        "Period": 60,
        "StateReason": "Unchecked: Initial alarm creation",
        "StateValue": "INSUFFICIENT_DATA",
        "Statistic": "Average",
        "Threshold": 2.0,
        "TreatMissingData": "ignore",
        "Unit": "Seconds",
    }


def test_an_alarm_goes_off_and_comes_to_rest(shared, cloudwatch, name):
    more = {"TreatMissingData": "notBreaching", "AlarmActions": [TOPIC]}
    cloudwatch.put_metric_alarm(**settings(name, **more))
    measure(cloudwatch, shared, name, 20, 23)
    minute = now(shared).replace(second=0, microsecond=0)
    shared.advance("1m")
    alarm = described(cloudwatch, name)
    assert alarm["StateValue"] == "ALARM"
    at = minute.strftime("%d/%m/%y %H:%M:%S")
    reason = f"Threshold Crossed: 1 datapoint [21.5 ({at})] was greater than the threshold (2.0)."
    assert alarm["StateReason"] == reason
    data = json.loads(alarm["StateReasonData"])
    stamp = minute.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    evaluated = [{"timestamp": stamp, "sampleCount": 2.0, "value": 21.5}]
    assert data.pop("queryDate") > stamp
    assert data == {
        "version": "1.0",
        "startDate": stamp,
        "statistic": "Average",
        "period": 60,
        "recentDatapoints": [21.5],
        "threshold": 2.0,
        "evaluatedDatapoints": evaluated,
    }
    shared.advance("3m")
    alarm = described(cloudwatch, name)
    assert alarm["StateValue"] == "OK"
    assert alarm["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was "
        "treated as [NonBreaching]."
    )
    told = history(cloudwatch, name)
    why = "Topic does not exist"
    assert [item["HistorySummary"] for item in told] == [
        f'Alarm "{name}" created',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        f'Failed to execute action {TOPIC}. Received error: "{why}"',
        "Alarm updated from ALARM to OK",
    ]
    (acted,) = [item for item in told if item["HistoryItemType"] == "Action"]
    failed = json.loads(acted["HistoryData"])
    assert failed["stateUpdateTimestamp"] == acted["Timestamp"].timestamp() * 1000
    del failed["stateUpdateTimestamp"]
    assert failed == {"actionState": "Failed", "notificationResource": TOPIC, "error": why}
    turned = json.loads(told[-1]["HistoryData"])
    assert turned["oldState"]["stateReason"] == reason
    assert turned["newState"]["stateValue"] == "OK"


def test_two_of_three_are_enough_if_that_is_asked(fresh):
    service = fresh("--clock", "manual").start()
    client = service.client("cloudwatch")
    on_the_minute(service)
    more = {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}
    client.put_metric_alarm(**settings("m-of-n", **more))
    states = []
    for value in (1, 1, 3, 3, 1, 1, 1):
        measure(client, service, "m-of-n", value)
        service.advance("1m")
        states.append(described(client, "m-of-n")["StateValue"])
    assert states == ["OK", "OK", "OK", "ALARM", "ALARM", "OK", "OK"]
    reasons = [
        json.loads(item["HistoryData"])["newState"]["stateReason"]
        for item in history(client, "m-of-n", HistoryItemType="StateUpdate")
    ]
    assert "2 out of the last 3 datapoints [3.0 (" in reasons[1]
    assert reasons[1].endswith(
        "were greater than the threshold (2.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert reasons[2].endswith(
        "were not greater than the threshold (2.0) (minimum 2 datapoints for ALARM -> OK "
        "transition)."
    )


@pytest.mark.parametrize(
    "treated, state, reason",
    [
        (
            "breaching",
            "ALARM",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing "
            "datapoints were treated as [Breaching].",
        ),
        (
            "notBreaching",
            "OK",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing "
            "datapoints were treated as [NonBreaching].",
        ),
        ("missing", "INSUFFICIENT_DATA", "Insufficient Data: 2 datapoints were unknown."),
        ("ignore", "OK", "by hand"),
    ],
)
def test_what_is_missing_counts_as_it_is_told(shared, plain, name, treated, state, reason):
    more = {"EvaluationPeriods": 2, "TreatMissingData": treated}
    plain.put_metric_alarm(**settings(name, **more))
    by_hand = "ALARM" if treated == "notBreaching" else "OK"
    plain.set_alarm_state(AlarmName=name, StateValue=by_hand, StateReason="by hand")
    shared.advance("1m")
    alarm = described(plain, name)
    assert (alarm["StateValue"], alarm["StateReason"]) == (state, reason)


def test_an_alarm_of_ten_seconds_is_looked_at_each_ten(fresh):
    service = fresh("--clock", "manual").start()
    client = service.client("cloudwatch")
    on_the_minute(service)
    client.put_metric_alarm(**settings("quick", Period=10))
    data = [{"MetricName": "quick", "Value": 3, "StorageResolution": 1, "Timestamp": now(service)}]
    client.put_metric_data(Namespace="Alarms", MetricData=data)
    service.advance("10s")
    assert described(client, "quick")["StateValue"] == "ALARM"


def test_a_leap_of_hours_looks_at_short_periods_as_they_were(fresh):
    service = fresh("--clock", "manual").start()
    client = service.client("cloudwatch")
    on_the_minute(service)
    client.put_metric_alarm(**settings("quick", Period=10, TreatMissingData="notBreaching"))
    data = [{"MetricName": "quick", "Value": 3, "StorageResolution": 1, "Timestamp": now(service)}]
    client.put_metric_data(Namespace="Alarms", MetricData=data)
    service.advance("4h")
    turned = history(client, "quick", HistoryItemType="StateUpdate")
    assert [item["HistorySummary"] for item in turned] == [
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        "Alarm updated from ALARM to OK",
    ]


@pytest.mark.parametrize(
    "call, parameters, where",
    [
        ("put_metric_alarm", {"AlarmName": "a\0"}, "AlarmName"),
        ("put_metric_alarm", {"AlarmDescription": "d\x01"}, "AlarmDescription"),
        ("put_metric_alarm", {"Namespace": "n\x1f"}, "Namespace"),
        ("put_metric_alarm", {"MetricName": "m\n"}, "MetricName"),
        ("put_metric_alarm", {"Dimensions": [{"Name": "d", "Value": "\x02"}]}, "Dimensions"),
        ("put_metric_alarm", {"AlarmActions": [TOPIC + "\x03"]}, "Actions"),
        ("put_metric_alarm", {"Tags": [{"Key": "k\x04", "Value": "v"}]}, "Tags"),
        ("put_composite_alarm", {"AlarmDescription": "\ufffe"}, "AlarmDescription"),
        ("put_composite_alarm", {"Tags": [{"Key": "k", "Value": "v\x05"}]}, "Tags"),
        ("set_alarm_state", {"StateReason": "by\0hand"}, "StateReason"),
    ],
)
def test_what_xml_cannot_say_is_no_text_of_an_alarm(plain, name, call, parameters, where):
    plain.put_metric_alarm(**settings(name, AlarmDescription="two\n\tlines"))
    assert described(plain, name)["AlarmDescription"] == "two\n\tlines"
    whole = {
        "put_metric_alarm": settings(name),
        "put_composite_alarm": {"AlarmName": f"{name}-both", "AlarmRule": f"ALARM({name})"},
        "set_alarm_state": {"AlarmName": name, "StateValue": "OK", "StateReason": "by hand"},
    }[call]
    code, message = refusal(getattr(plain, call), **whole | parameters)
    assert code == "ValidationError"
    assert message.startswith(f"The parameter {where} must not contain control characters")


def test_an_alarm_that_looks_back_for_days_is_looked_at_each_hour(fresh):
    service = fresh("--clock", "manual").start()
    client = service.client("cloudwatch")
    past = service.advance("0s")["now"] % 3_600_000
    service.advance(f"{3_600_000 - past}ms")
    more = {"Period": 3600, "EvaluationPeriods": 48, "TreatMissingData": "breaching"}
    client.put_metric_alarm(**settings("days", **more))
    client.put_metric_alarm(**settings("hour", MetricName="days", Period=3600))
    measure(client, service, "days", 3)
    service.advance("59m")
    assert described(client, "hour")["StateValue"] == "ALARM"
    service.advance("30s")
    assert described(client, "days")["StateValue"] == "INSUFFICIENT_DATA"
    service.advance("30s")
    assert described(client, "days")["StateValue"] == "ALARM"


def test_a_percentile_of_too_few_values_changes_nothing_if_that_is_asked(shared, plain, name):
    names = {name: "ignore", name + "-e": "evaluate"}
    for one, few in names.items():
        more = {"AlarmName": one, "EvaluateLowSampleCountPercentile": few}
        asked = settings(name, ExtendedStatistic="p90", **more)
        del asked["Statistic"]
        plain.put_metric_alarm(**asked)
    states = lambda: [described(plain, one)["StateValue"] for one in names]
    # Ten values in the tenth part beyond p90 would take a hundred.
    on_the_minute(shared)
    measure(plain, shared, name, *[5] * 99)
    shared.advance("1m")
    assert states() == ["INSUFFICIENT_DATA", "ALARM"]
    measure(plain, shared, name, *[5] * 100)
    shared.advance("1m")
    assert described(plain, name + "-e")["ExtendedStatistic"] == "p90"
    shared.advance("2m")
    assert states() == ["ALARM", "ALARM"]


def test_a_quarter_of_an_hour_passes_at_once(fresh):
    service = fresh("--clock", "manual").start()
    client, sqs = service.client("cloudwatch"), service.client()
    url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    client.put_metric_alarm(
        AlarmName="backlog",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "jobs"}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=15,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    service.advance("14m")
    assert described(client, "backlog")["StateValue"] == "INSUFFICIENT_DATA"
    service.advance("2m")
    assert described(client, "backlog")["StateValue"] == "ALARM"


def test_the_state_can_be_set_and_its_actions_enabled(cloudwatch, name):
    cloudwatch.put_metric_alarm(**settings(name, AlarmActions=[TOPIC], OKActions=[TOPIC]))
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    assert described(cloudwatch, name)["ActionsEnabled"] is False
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="testing")
    assert history(cloudwatch, name, HistoryItemType="Action") == []
    cloudwatch.enable_alarm_actions(AlarmNames=[name])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="again")
    alarm = described(cloudwatch, name)
    assert (alarm["StateValue"], alarm["StateReason"]) == ("OK", "again")
    assert len(history(cloudwatch, name, HistoryItemType="Action")) == 1
    unknown = dict(AlarmName="nobody", StateValue="OK", StateReason="x")
    assert refusal(cloudwatch.set_alarm_state, **unknown)[0] == "ResourceNotFound"
    code, message = refusal(
        cloudwatch.set_alarm_state, AlarmName=name, StateValue="INVALID", StateReason="x"
    )
    assert code == "ValidationError"
    assert "Value 'INVALID' at 'stateValue' failed to satisfy constraint" in message
    no_json = unknown | {"AlarmName": name, "StateReasonData": "{"}
    assert refusal(cloudwatch.set_alarm_state, **no_json)[0] == "InvalidFormat"


def test_a_changed_alarm_keeps_its_state_and_a_deleted_one_its_history(cloudwatch, name):
    cloudwatch.put_metric_alarm(**settings(name))
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="testing")
    cloudwatch.put_metric_alarm(**settings(name, Threshold=5))
    alarm = described(cloudwatch, name)
    assert (alarm["Threshold"], alarm["StateValue"]) == (5, "ALARM")
    cloudwatch.delete_alarms(AlarmNames=[name, "nobody"])
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
    told = history(cloudwatch, name, HistoryItemType="ConfigurationUpdate")
    kinds = [json.loads(item["HistoryData"])["type"] for item in told]
    assert kinds == ["Create", "Update", "Delete"]


def test_alarms_and_history_are_listed_in_pages_and_by_what_is_asked(plain, name):
    names = [f"{name}-{letter}" for letter in "abcde"]
    for one in names:
        plain.put_metric_alarm(**settings(one, AlarmActions=[TOPIC + one]))
    paginator = plain.get_paginator("describe_alarms")
    pages = paginator.paginate(AlarmNamePrefix=name + "-", PaginationConfig={"PageSize": 2})
    found = [[alarm["AlarmName"] for alarm in page["MetricAlarms"]] for page in pages]
    assert found == [names[:2], names[2:4], names[4:]]
    plain.set_alarm_state(AlarmName=names[0], StateValue="ALARM", StateReason="x")

    def listed(**asked):
        told = plain.describe_alarms(**asked)
        assert told["CompositeAlarms"] == []
        return [alarm["AlarmName"] for alarm in told["MetricAlarms"]]

    assert listed(AlarmNamePrefix=name + "-", StateValue="ALARM") == names[:1]
    assert listed(ActionPrefix=TOPIC + names[3]) == names[3:4]
    assert listed(AlarmNames=names[:2], AlarmTypes=["CompositeAlarm"]) == []
    both = {"AlarmNames": names, "AlarmNamePrefix": "x"}
    assert refusal(plain.describe_alarms, **both)[0] == "ValidationError"
    of_metric = plain.describe_alarms_for_metric(Namespace="Alarms", MetricName=names[2])
    assert [alarm["AlarmName"] for alarm in of_metric["MetricAlarms"]] == names[2:3]
    for scan in ("TimestampAscending", "TimestampDescending"):
        paginator = plain.get_paginator("describe_alarm_history")
        pages = paginator.paginate(
            AlarmName=names[0], ScanBy=scan, PaginationConfig={"PageSize": 1}
        )
        found = [item["HistoryItemType"] for page in pages for item in page["AlarmHistoryItems"]]
        expected = ["ConfigurationUpdate", "StateUpdate", "Action"]
        assert found == (expected if scan == "TimestampAscending" else expected[::-1])


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"Period": 45}, "Period must be 10, 20, 30 or a multiple of 60"),
        (
            {"TreatMissingData": "maybe"},
            "The value maybe is not supported for TreatMissingData parameter. Supported values "
            "are [breaching, notBreaching, ignore, missing].",
        ),
        (
            {"EvaluateLowSampleCountPercentile": "maybe"},
            "Option maybe is not supported. Supported options for parameter "
            "EvaluateLowSampleCountPercentile are evaluate and ignore.",
        ),
        (
            {"EvaluationPeriods": 1441},
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must "
            "be <= 86400).",
        ),
        ({"AlarmActions": ["nowhere"]}, "Invalid arn syntax: nowhere"),
        (
            {"DatapointsToAlarm": 2},
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
        ),
        (
            {"ExtendedStatistic": "p50"},
            "The parameters Statistic and ExtendedStatistic are mutually exclusive and you have "
            "specified both.",
        ),
    ],
)
def test_a_wrong_alarm_is_refused(plain, name, wrong, message):
    refused = refusal(plain.put_metric_alarm, **settings(name, **wrong))
    assert refused == ("ValidationError", message)
    assert plain.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_what_alarms_cannot_do_yet_is_refused_by_its_name(plain, name):
    code, message = refusal(plain.put_metric_alarm, **settings(name, ThresholdMetricId="t1"))
    assert (code, "The parameter ThresholdMetricId" in message) == ("ValidationError", True)


@pytest.mark.parametrize(
    "action, message",
    [
        ("arn:aws:lambda:us-east-1:000000000000:function:f", "is not understood yet"),
        ("arn:aws:automate:us-east-1:ec2:stop", "is not understood yet"),
        (TOPIC.replace("us-east-1", "eu-west-1"), "Only us-east-1 is supported."),
    ],
)
def test_an_action_that_cannot_be_is_refused(plain, name, action, message):
    code, told = refusal(plain.put_metric_alarm, **settings(name, OKActions=[action]))
    assert (code, message in told) == ("ValidationError", True), told


def test_an_alarm_is_tagged(cloudwatch, name):
    given = {"team": "blue", "stage": "test"}
    as_tags = lambda tags: [{"Key": key, "Value": value} for key, value in tags.items()]
    cloudwatch.put_metric_alarm(**settings(name, Tags=as_tags(given)))
    # Only a new alarm is tagged by this.
    cloudwatch.put_metric_alarm(**settings(name, Tags=as_tags({"other": "x"})))
    arn = described(cloudwatch, name)["AlarmArn"]
    tags = lambda: {
        tag["Key"]: tag["Value"]
        for tag in cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
    }
    assert tags() == given
    cloudwatch.tag_resource(ResourceARN=arn, Tags=as_tags({"stage": "live", "more": ""}))
    assert tags() == {"team": "blue", "stage": "live", "more": ""}
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["team", "nothing"])
    assert tags() == {"stage": "live", "more": ""}
    many = as_tags({f"k{number}": "v" for number in range(49)})
    assert refusal(cloudwatch.tag_resource, ResourceARN=arn, Tags=many) == (
        "InvalidParameterValue",
        "An alarm has at most 50 tags.",
    )
    for nobody in (arn + "x", arn.replace("us-east-1", "eu-west-1"), "x"):
        code, _ = refusal(cloudwatch.list_tags_for_resource, ResourceARN=nobody)
        assert code == "ResourceNotFoundException"


def test_alarms_and_how_they_stand_survive_a_kill(fresh):
    service = fresh("--clock", "manual").start()
    client = service.client("cloudwatch")
    on_the_minute(service)
    tags = [{"Key": "team", "Value": "blue"}]
    client.put_metric_alarm(**settings("kept", AlarmActions=[TOPIC], Tags=tags))
    client.put_metric_alarm(**settings("gone"))
    client.delete_alarms(AlarmNames=["gone"])
    measure(client, service, "kept", 3)
    service.advance("1m")
    before = described(client, "kept"), history(client, "kept"), history(client, "gone")
    assert before[0]["StateValue"] == "ALARM"
    service.kill()
    service.start()
    client = service.client("cloudwatch")
    after = described(client, "kept"), history(client, "kept"), history(client, "gone")
    assert after == before
    arn = after[0]["AlarmArn"]
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags
    assert client.describe_alarms(AlarmNames=["gone"])["MetricAlarms"] == []


def test_accounts_and_regions_have_alarms_of_their_own(shared, plain, name):
    plain.put_metric_alarm(**settings(name))
    for other in (
        shared.client("cloudwatch", region="eu-west-1"),
        shared.client("cloudwatch", key="111122223333"),
    ):
        assert other.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
        other.delete_alarms(AlarmNames=[name])
    assert described(plain, name)["AlarmName"] == name


def test_the_command_line_makes_and_describes_alarms(shared, name):
    aws = lambda *words: command_line(shared, "cloudwatch", *words)
    aws(
        *("put-metric-alarm", "--alarm-name", name, "--namespace", "Alarms"),
        *("--metric-name", name, "--statistic", "Sum", "--period", "300", "--threshold", "100"),
        *("--comparison-operator", "GreaterThanThreshold", "--evaluation-periods", "2"),
        *("--alarm-actions", TOPIC, "--unit", "None"),
    )
    (alarm,) = aws("describe-alarms", "--alarm-names", name)["MetricAlarms"]
    assert (alarm["Period"], alarm["Threshold"], alarm["Unit"]) == (300, 100, "None")
