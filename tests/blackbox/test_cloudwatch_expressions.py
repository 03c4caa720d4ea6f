"""Alarms on expressions: metric math."""

import itertools
import json

import pytest

from alarms import described, now, on_the_minute, refusal
from clients import command_line

_numbers = itertools.count(1)


@pytest.fixture
def name():
    return f"expression-{next(_numbers)}"


def metric(id, name, **more):
    stat = {"Metric": {"Namespace": "Math", "MetricName": name}, "Period": 60, "Stat": "Sum"}
    stat |= {key: more.pop(key) for key in ("Period", "Stat", "Unit") if key in more}
    return {"Id": id, "MetricStat": stat, "ReturnData": False} | more


def ratio(name):
    """Messages by workers."""
    return [
        metric("m1", f"{name}-messages"),
        metric("m2", f"{name}-workers", Stat="Average"),
        {"Id": "e1", "Expression": "m1 / m2", "Label": "backlog", "ReturnData": True},
    ]


def settings(name, metrics, **more):
    return {
        "AlarmName": name,
        "Metrics": metrics,
        "EvaluationPeriods": 1,
        "Threshold": 100,
        "ComparisonOperator": "GreaterThanThreshold",
    } | more


def measure(client, service, **values):
    at = now(service)
    data = [{"MetricName": name, "Value": value, "Timestamp": at} for name, value in values.items()]
    client.put_metric_data(Namespace="Math", MetricData=data)


def test_an_alarm_on_an_expression_is_described_as_it_was_put(cloudwatch, name):
    cloudwatch.put_metric_alarm(**settings(name, ratio(name)))
    alarm = described(cloudwatch, name)
    for query in ratio(name):
        if "MetricStat" in query:
            query["MetricStat"]["Metric"].setdefault("Dimensions", [])
    for query in alarm["Metrics"]:
        # Query has no empty lists.
        query.get("MetricStat", {}).get("Metric", {}).pop("Dimensions", None)
    assert alarm["Metrics"] == ratio(name)
    for absent in ("MetricName", "Namespace", "Period", "Statistic", "Dimensions"):
        assert absent not in alarm
    assert (alarm["StateValue"], alarm["Threshold"]) == ("INSUFFICIENT_DATA", 100.0)


def test_an_alarm_goes_off_by_what_an_expression_gives(shared, cloudwatch, name):
    cloudwatch.put_metric_alarm(**settings(name, ratio(name)))
    measure(cloudwatch, shared, **{f"{name}-messages": 1500, f"{name}-workers": 10})
    minute = now(shared).replace(second=0, microsecond=0)
    shared.advance("1m")
    alarm = described(cloudwatch, name)
    at = minute.strftime("%d/%m/%y %H:%M:%S")
    assert alarm["StateReason"] == (
        f"Threshold Crossed: 1 datapoint [150.0 ({at})] was greater than the threshold (100.0)."
    )
    data = json.loads(alarm["StateReasonData"])
    stamp = minute.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    assert data.pop("queryDate") > stamp
    assert data == {
        "version": "1.0",
        "startDate": stamp,
        "period": 60,
        "recentDatapoints": [150.0],
        "threshold": 100.0,
        "evaluatedDatapoints": [{"timestamp": stamp, "value": 150.0}],
    }
    measure(cloudwatch, shared, **{f"{name}-messages": 1000, f"{name}-workers": 10})
    shared.advance("1m")
    assert described(cloudwatch, name)["StateValue"] == "OK"


def test_what_an_expression_lacks_counts_as_nothing_and_what_it_divides_by_nothing_is_missing(
    shared, plain, name
):
    plain.put_metric_alarm(**settings(name, ratio(name), Threshold=1))
    # Messages, and nobody who tells of workers.
    measure(plain, shared, **{f"{name}-messages": 1500})
    shared.advance("1m")
    assert described(plain, name)["StateValue"] == "INSUFFICIENT_DATA"
    # Nothing of messages: none.
    measure(plain, shared, **{f"{name}-workers": 10})
    shared.advance("1m")
    assert described(plain, name)["StateValue"] == "OK"


def test_what_cannot_be_worked_out_any_more_counts_as_missing(shared, plain, name):
    first = {"Id": "e1", "Expression": "FIRST(REMOVE_EMPTY(METRICS()))", "ReturnData": True}
    metrics = [metric("m1", name), first]
    plain.put_metric_alarm(**settings(name, metrics, TreatMissingData="breaching"))
    measure(plain, shared, **{name: 1})
    shared.advance("1m")
    assert described(plain, name)["StateValue"] == "OK"
    # Where all are empty there is no first.
    shared.advance("5m")
    assert described(plain, name)["StateValue"] == "ALARM"


def test_an_expression_of_ten_seconds_fills_in_what_is_told_by_the_minute(fresh):
    service = fresh("--clock", "manual").start()
    client = service.client("cloudwatch")
    on_the_minute(service)
    metrics = [
        metric("m1", "messages", Period=10),
        metric("m2", "workers", Period=10, Stat="Average"),
        {"Id": "e1", "Expression": "m1 / FILL(m2, REPEAT)", "ReturnData": True},
    ]
    client.put_metric_alarm(**settings("fast", metrics))
    measure(client, service, workers=10)
    service.advance("1m")
    service.advance("30s")
    data = {"MetricName": "messages", "Timestamp": now(service), "StorageResolution": 1}
    client.put_metric_data(Namespace="Math", MetricData=[data | {"Value": 1500}])
    # Ten workers, and nothing of messages.
    assert described(client, "fast")["StateValue"] == "OK"
    service.advance("10s")
    alarm = described(client, "fast")
    assert alarm["StateValue"] == "ALARM"
    assert "[150.0 (" in alarm["StateReason"]


def test_an_alarm_may_watch_one_metric_by_a_query(shared, plain, name):
    query = metric("m1", name, ReturnData=True, AccountId="000000000000")
    plain.put_metric_alarm(**settings(name, [query]))
    assert described(plain, name)["Metrics"][0]["AccountId"] == "000000000000"
    measure(plain, shared, **{name: 101})
    shared.advance("1m")
    assert described(plain, name)["StateValue"] == "ALARM"
    # It is of no one metric.
    found = plain.describe_alarms_for_metric(Namespace="Math", MetricName=name)
    assert found["MetricAlarms"] == []


def wrong(change):
    queries = ratio("w")
    change(queries)
    return queries


def chain(length):
    """Each expression speaks of the one before."""
    queries = [{"Id": "e0", "Expression": "m", "ReturnData": False}]
    for n in range(1, length):
        queries.append({"Id": f"e{n}", "Expression": f"e{n - 1} + 1", "ReturnData": False})
    queries[-1]["ReturnData"] = True
    return [metric("m", "x"), *queries]


def test_ten_expressions_may_speak_of_one_another(plain, name):
    plain.put_metric_alarm(**settings(name, chain(10)))


returned = metric("m", "x", ReturnData=True)


@pytest.mark.parametrize(
    "metrics, message",
    [
        (wrong(lambda it: it[2].update(ReturnData=False)), "Exactly one element"),
        (wrong(lambda it: it[0].update(ReturnData=True)), "Exactly one element"),
        (wrong(lambda it: it[0].update(Id="m2")), "are not unique"),
        (wrong(lambda it: it[0].update(Id="M1")), "is not matching the expected pattern"),
        (wrong(lambda it: it[2].update(Expression="m1 / m3")), "there is no m3"),
        (wrong(lambda it: it[2].update(Expression="m1 /")), "it ends too soon"),
        (wrong(lambda it: it[2].update(Expression="[m1, m2]")), "several series"),
        (wrong(lambda it: it[2].update(Expression="AVG(m1)")), "it gives a number"),
        (wrong(lambda it: it[2].update(Expression="e1 + m1")), "it speaks of itself"),
        (wrong(lambda it: it[2].update(Expression="SEARCH('x', 'Sum', 60)")), "SEARCH"),
        (wrong(lambda it: it[0]["MetricStat"].update(Period=120)), "one period only"),
        (wrong(lambda it: it[0]["MetricStat"].update(Period=5)), "Period must be 10, 20, 30"),
        (wrong(lambda it: it[0].update(AccountId="111111111111")), "watches its own account"),
        (wrong(lambda it: it[2].update(Period=5)), "Period must be 10, 20, 30"),
        ([metric(f"m{n}", "x", ReturnData=n == 0) for n in range(11)], "at most 10 metrics"),
        (chain(11), "at most 10 expressions"),
        # What stands beside a metric that is returned is looked at, too.
        ([returned, {"Id": "e", "Expression": "m / x", "ReturnData": False}], "there is no x"),
        ([returned, metric("m2", "x", Period=300)], "one period only"),
    ],
)
def test_an_expression_that_no_alarm_can_watch_is_refused(plain, name, metrics, message):
    code, told = refusal(plain.put_metric_alarm, **settings(name, metrics))
    assert (code, message in told) == ("ValidationError", True), told


@pytest.mark.parametrize(
    "beside",
    [
        {"MetricName": "m"},
        {"Namespace": "n"},
        {"Period": 60},
        {"Statistic": "Sum"},
        {"ExtendedStatistic": "p99"},
        {"Unit": "Count"},
        {"Dimensions": [{"Name": "a", "Value": "b"}]},
    ],
)
def test_nothing_of_a_single_metric_stands_beside_metrics(plain, name, beside):
    (given,) = beside
    assert refusal(plain.put_metric_alarm, **settings(name, ratio(name), **beside)) == (
        "ValidationError",
        f"{given} should not be set if list of Metrics is set.",
    )


def test_an_alarm_on_an_expression_survives_a_kill(fresh):
    service = fresh().start()
    client = service.client("cloudwatch")
    client.put_metric_alarm(**settings("kept", ratio("kept")))
    before = described(client, "kept")
    service.kill()
    service.start()
    assert described(service.client("cloudwatch"), "kept") == before


def test_the_command_line_makes_an_alarm_on_an_expression(shared, name):
    command_line(
        shared, "cloudwatch", "put-metric-alarm", "--alarm-name", name,
        "--metrics", json.dumps(ratio(name)), "--evaluation-periods", "3",
        "--threshold", "100", "--comparison-operator", "GreaterThanThreshold",
    )  # fmt: skip
    found = command_line(shared, "cloudwatch", "describe-alarms", "--alarm-names", name)
    assert found["MetricAlarms"][0]["Metrics"][2]["Expression"] == "m1 / m2"
