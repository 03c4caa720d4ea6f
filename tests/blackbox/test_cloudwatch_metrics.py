"""CloudWatch's data: what is put is got, in every protocol that its clients speak."""

import gzip
import itertools
import json
import pathlib
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from clients import command_line, user
from test_abuse import MIB, resident

_numbers = itertools.count(1)
OLD = pathlib.Path(sys.prefix) / "old"


@pytest.fixture
def namespace():
    return f"Test/{next(_numbers)}"


def now(service):
    """What the service's clock shows."""
    return datetime.fromtimestamp(service.advance("0s")["now"] / 1000, timezone.utc)


def minute(time):
    return time.replace(second=0, microsecond=0)


def statistics(client, namespace, at, statistics=("SampleCount", "Sum", "Maximum"), **more):
    parameters = {
        "Namespace": namespace,
        "MetricName": "m",
        "StartTime": at - timedelta(minutes=1),
        "EndTime": at + timedelta(minutes=1),
        "Period": 60,
        "Statistics": list(statistics),
    }
    parameters |= more
    if "ExtendedStatistics" in more:
        del parameters["Statistics"]
    return client.get_metric_statistics(**parameters)


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_values_and_counts_are_summed_up_by_the_minute(shared, cloudwatch, namespace):
    at = now(shared)
    datum = {"MetricName": "m", "Timestamp": at, "Values": [1.0, 10.0], "Counts": [2, 4]}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum | {"Unit": "Count"}])
    told = statistics(cloudwatch, namespace, at)
    assert told["Label"] == "m"
    (point,) = told["Datapoints"]
    assert point == {
        "Timestamp": minute(at),
        "SampleCount": 6.0,
        "Sum": 42.0,
        "Maximum": 10.0,
        "Unit": "Count",
    }


@pytest.mark.parametrize(
    "stat, value",
    [("Sum", 66), ("SampleCount", 11), ("Minimum", 1), ("Maximum", 11), ("Average", 6)],
)
def test_a_value_and_statistics_add_up(shared, cloudwatch, namespace, stat, value):
    at = now(shared)
    datum = {"MetricName": "m", "Unit": "Seconds", "Timestamp": at}
    set_of_ten = {"SampleCount": 10, "Sum": 55, "Minimum": 1, "Maximum": 10}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum | {"Value": 11}])
    data = [datum | {"StatisticValues": set_of_ten}]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    told = data_of(cloudwatch, at, stat_of("q", namespace, stat))
    assert told["Messages"] == []
    assert told["MetricDataResults"] == [
        {
            "Id": "q",
            "Label": "m",
            "Timestamps": [minute(at)],
            "Values": [value],
            "StatusCode": "Complete",
        }
    ]


def stat_of(id, namespace, stat="Sum", period=60, name="m", dimensions=(), **more):
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": list(dimensions)}
    stat = {"Metric": metric, "Period": period, "Stat": stat}
    return {"Id": id, "MetricStat": stat | more}


def data_of(client, at, *queries, back=1, **more):
    start, end = minute(at) - timedelta(minutes=back), at + timedelta(minutes=1)
    return client.get_metric_data(
        MetricDataQueries=list(queries), **({"StartTime": start, "EndTime": end} | more)
    )


def test_dimensions_tell_metrics_apart_and_a_wrong_unit_finds_nothing(
    shared, cloudwatch, namespace
):
    at = now(shared)

    def of(value):
        return [{"Name": "InstanceId", "Value": value}]

    for number, dimensions in enumerate([[], of("one"), of("two")]):
        datum = {"MetricName": "m", "Value": number + 1, "Unit": "Bytes", "Timestamp": at}
        datum["Dimensions"] = dimensions
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])
    told = data_of(
        cloudwatch,
        at,
        stat_of("none", namespace),
        stat_of("two", namespace, dimensions=of("two")),
        stat_of("three", namespace, dimensions=of("three")),
        stat_of("bits", namespace, Unit="Bits"),
        stat_of("bytes", namespace, Unit="Bytes"),
    )
    values = {result["Id"]: result["Values"] for result in told["MetricDataResults"]}
    assert values == {"none": [1], "two": [3], "three": [], "bits": [], "bytes": [1]}


def test_values_come_newest_first_unless_asked_otherwise_and_a_page_at_a_time(
    shared, cloudwatch, namespace
):
    at = minute(now(shared))
    data = [
        {"MetricName": "m", "Value": n, "Timestamp": at - timedelta(minutes=n)} for n in range(5)
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    queries = [stat_of("a", namespace), stat_of("b", namespace, "SampleCount")]
    told = data_of(cloudwatch, at, *queries, back=10)["MetricDataResults"]
    assert told[0]["Values"] == [0, 1, 2, 3, 4]
    told = data_of(cloudwatch, at, queries[0], back=10, ScanBy="TimestampAscending")
    assert told["MetricDataResults"][0]["Values"] == [4, 3, 2, 1, 0]
    pages, token = [], {}
    while True:
        page = data_of(cloudwatch, at, *queries, back=10, MaxDatapoints=4, **token)
        pages.append([(r["Id"], r["StatusCode"], r["Values"]) for r in page["MetricDataResults"]])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert pages == [
        [("a", "PartialData", [0, 1, 2, 3])],
        [("a", "Complete", [4]), ("b", "PartialData", [1, 1, 1])],
        [("b", "Complete", [1, 1])],
    ]


def test_a_page_that_is_full_leaves_what_has_no_values_to_the_next(shared, cloudwatch, namespace):
    at = minute(now(shared))
    data = [
        {"MetricName": "m", "Value": n, "Timestamp": at - timedelta(minutes=n)} for n in range(3)
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    hidden = stat_of("hidden", namespace) | {"ReturnData": False}
    empty = stat_of("empty", namespace + "/none")
    queries = [stat_of("a", namespace), hidden, empty, stat_of("b", namespace)]
    asked = {"back": 10, "MaxDatapoints": 3}
    page = data_of(cloudwatch, at, *queries, **asked)
    shown = lambda page: [(r["Id"], r["Values"]) for r in page["MetricDataResults"]]
    assert shown(page) == [("a", [0, 1, 2])]
    page = data_of(cloudwatch, at, *queries, **asked, NextToken=page["NextToken"])
    assert shown(page) == [("empty", []), ("b", [0, 1, 2])]
    assert "NextToken" not in page
    # What is not returned makes no page.
    assert "NextToken" not in data_of(cloudwatch, at, queries[0], hidden, **asked)
    # Every query is looked at, though the page is full.
    wrong = stat_of("wrong", namespace, "Middle")
    with pytest.raises(ClientError, match="The value Middle for parameter"):
        data_of(cloudwatch, at, *queries, wrong, **asked)


def test_high_resolution_tells_seconds_apart(shared, cloudwatch, namespace):
    at = minute(now(shared)) - timedelta(minutes=1)
    data = [
        {
            "MetricName": "m",
            "Value": 1,
            "Timestamp": at + timedelta(seconds=n),
            "StorageResolution": 1,
        }
        for n in (0, 4, 11)
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    for period, values in [(1, [1, 1, 1]), (5, [2, 1]), (10, [2, 1]), (60, [3])]:
        query = stat_of("q", namespace, period=period)
        told = data_of(cloudwatch, at, query, ScanBy="TimestampAscending")
        assert told["MetricDataResults"][0]["Values"] == values, period


def test_percentiles_are_of_raw_values(shared, cloudwatch, namespace):
    at = now(shared)
    values = [float(n) for n in range(1, 101)]
    datum = {"MetricName": "m", "Timestamp": at, "Values": values}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])
    told = statistics(cloudwatch, namespace, at, ExtendedStatistics=["p50", "p99", "p100"])
    found = told["Datapoints"][0]["ExtendedStatistics"]
    assert found["p50"] == pytest.approx(50, rel=0.05)
    assert found["p99"] == pytest.approx(99, rel=0.05)
    assert found["p100"] == 100
    below = {"MetricName": "m", "Timestamp": at, "Value": -1}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[below])
    told = statistics(cloudwatch, namespace, at, ExtendedStatistics=["p50"])
    assert told["Datapoints"] == []


def test_metrics_are_listed_once_by_what_is_asked_for(shared, cloudwatch, namespace):
    for _ in range(2):
        for name, value in [("cpu", "a"), ("cpu", "b"), ("disk", "a")]:
            dimensions = [{"Name": "host", "Value": value}]
            datum = {"MetricName": name, "Value": 1, "Dimensions": dimensions}
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])

    def listed(**asked):
        told = cloudwatch.list_metrics(Namespace=namespace, **asked)["Metrics"]
        return [(m["MetricName"], m["Dimensions"][0]["Value"]) for m in told]

    assert listed() == [("cpu", "a"), ("cpu", "b"), ("disk", "a")]
    assert listed(MetricName="cpu") == [("cpu", "a"), ("cpu", "b")]
    assert listed(Dimensions=[{"Name": "host", "Value": "a"}]) == [("cpu", "a"), ("disk", "a")]
    assert listed(Dimensions=[{"Name": "host"}]) == listed()
    assert listed(Dimensions=[{"Name": "rack"}]) == []
    assert listed(RecentlyActive="PT3H") == listed()
    assert "NextToken" not in cloudwatch.list_metrics(Namespace=namespace)


def test_more_than_five_hundred_metrics_are_listed_in_pages(plain, namespace):
    data = [{"MetricName": f"m{n:04}", "Value": 1} for n in range(1000)]
    plain.put_metric_data(Namespace=namespace, MetricData=data)
    pages = list(plain.get_paginator("list_metrics").paginate(Namespace=namespace))
    assert [len(page["Metrics"]) for page in pages] == [500, 500]
    names = [metric["MetricName"] for page in pages for metric in page["Metrics"]]
    assert names == [datum["MetricName"] for datum in data]
    code, message = refusal(plain.list_metrics, NextToken="nonsense")
    assert (code, message) == ("InvalidParameterValue", "Invalid nextToken")


def test_a_metric_is_listed_for_two_weeks_and_active_for_three_hours(fresh):
    service = fresh("--clock", "manual").start()
    client = service.client("cloudwatch")
    client.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])

    def listed(**asked):
        return len(client.list_metrics(Namespace="n", **asked)["Metrics"])

    service.advance("179m")
    assert (listed(), listed(RecentlyActive="PT3H")) == (1, 1)
    service.advance("2m")
    assert (listed(), listed(RecentlyActive="PT3H")) == (1, 0)
    service.advance("14days")
    assert listed() == 0


def test_what_is_old_grows_coarser(fresh):
    service = fresh("--clock", "manual").start()
    client = service.client("cloudwatch")
    start = now(service).replace(minute=0, second=0, microsecond=0)
    service.advance("1h")
    data = [
        {"MetricName": "m", "Value": 1, "Timestamp": start + timedelta(minutes=n)}
        for n in range(60)
    ]
    data[0]["StorageResolution"] = 1
    client.put_metric_data(Namespace="n", MetricData=data)

    def seen():
        found = {}
        for period in (1, 60, 300, 3600):
            told = client.get_metric_data(
                MetricDataQueries=[stat_of("q", "n", period=period)],
                StartTime=start,
                EndTime=start + timedelta(hours=1),
            )
            values = told["MetricDataResults"][0]["Values"]
            found[period] = (len(values), sum(values))
        return found

    assert seen() == {1: (60, 60), 60: (60, 60), 300: (12, 60), 3600: (1, 60)}
    service.advance("4h")
    assert seen() == {1: (0, 0), 60: (60, 60), 300: (12, 60), 3600: (1, 60)}
    service.advance("15days")
    assert seen() == {1: (0, 0), 60: (0, 0), 300: (12, 60), 3600: (1, 60)}
    service.advance("48days")
    assert seen() == {1: (0, 0), 60: (0, 0), 300: (0, 0), 3600: (1, 60)}
    service.advance("392days")
    assert seen() == {1: (0, 0), 60: (0, 0), 300: (0, 0), 3600: (0, 0)}


@pytest.mark.parametrize(
    "wrong, code, message",
    [
        (
            {"Value": 1.5, "Values": [1.0, 10.0]},
            "InvalidParameterCombination",
            "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually "
            "exclusive and you have specified both.",
        ),
        (
            {"Values": [1.0, 10.0], "Counts": [2, 4, 5]},
            "InvalidParameterValue",
            "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of "
            "the same size.",
        ),
        (
            {
                "Value": 1.5,
                "StatisticValues": {"SampleCount": 10, "Sum": 55, "Minimum": 1, "Maximum": 10},
            },
            "InvalidParameterCombination",
            "The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are "
            "mutually exclusive and you have specified both.",
        ),
        (
            {"Value": 1, "Timestamp": datetime(2001, 1, 1, tzinfo=timezone.utc)},
            "InvalidParameterValue",
            "The parameter MetricData.member.1.Timestamp must specify a time within the past two "
            "weeks.",
        ),
        (
            {"Value": 1, "Timestamp": datetime(2101, 1, 1, tzinfo=timezone.utc)},
            "InvalidParameterValue",
            "The parameter MetricData.member.1.Timestamp must specify a time no more than two "
            "hours in the future.",
        ),
        (
            {},
            "MissingParameter",
            "At least one of the parameters MetricData.member.1.Value, MetricData.member.1.Values "
            "or MetricData.member.1.StatisticValues must be specified.",
        ),
        (
            {"Value": 1, "Dimensions": [{"Name": "a", "Value": v} for v in "12"]},
            "InvalidParameterValue",
            "No Metric may specify the same dimension twice.",
        ),
        (
            {"Value": 1, "StorageResolution": 2},
            "InvalidParameterValue",
            "The parameter MetricData.member.1.StorageResolution must be a value in the set "
            "[ 1, 60 ].",
        ),
        (
            {"Values": [1.0] * 151},
            "InvalidParameterValue",
            "The collection MetricData.member.1.Values must not have a size greater than 150.",
        ),
        (
            {"Values": [1.0], "Counts": [0]},
            "InvalidParameterValue",
            "The parameter MetricData.member.1.Counts.member.1 must be greater than 0.",
        ),
        (
            {"Value": float("nan")},
            "InvalidParameterValue",
            "The value NaN for parameter MetricData.member.1.Value is invalid.",
        ),
        (
            {"StatisticValues": {"SampleCount": 1, "Sum": 5, "Minimum": 9, "Maximum": 1}},
            "InvalidParameterValue",
            "The parameter MetricData.member.1.StatisticValues.Maximum must be greater than "
            "MetricData.member.1.StatisticValues.Minimum.",
        ),
    ],
)
def test_a_wrong_datum_is_refused_in_aws_words(cloudwatch, namespace, wrong, code, message):
    data = [{"MetricName": "m"} | wrong]
    assert refusal(cloudwatch.put_metric_data, Namespace=namespace, MetricData=data) == (
        code,
        message,
    )
    # Nothing of the request was taken.
    assert cloudwatch.list_metrics(Namespace=namespace)["Metrics"] == []


def test_no_name_has_control_characters(plain, namespace):
    metric = {"MetricName": "m", "Value": 1}
    member = "MetricData.member.1"
    dimension = f"{member}.Dimensions.member.1"
    for space, wrong, where in [
        (namespace + "\0", {}, "Namespace"),
        (namespace, {"MetricName": "a\0b"}, f"{member}.MetricName"),
        (namespace, {"Dimensions": [{"Name": "d\n", "Value": "v"}]}, f"{dimension}.Name"),
        (namespace, {"Dimensions": [{"Name": "d", "Value": "\x7f"}]}, f"{dimension}.Value"),
    ]:
        assert refusal(plain.put_metric_data, Namespace=space, MetricData=[metric | wrong]) == (
            "InvalidParameterValue",
            f"The parameter {where} must not contain control characters.",
        )


def test_values_with_statistics_are_taken_as_on_aws(shared, plain, namespace):
    at = now(shared)
    set_of_ten = {"SampleCount": 10, "Sum": 55, "Minimum": 1, "Maximum": 10}
    datum = {"MetricName": "m", "Timestamp": at, "Values": [1.0], "StatisticValues": set_of_ten}
    plain.put_metric_data(Namespace=namespace, MetricData=[datum])
    assert statistics(plain, namespace, at)["Datapoints"][0]["Sum"] == 1


def test_a_wrong_unit_and_a_reserved_namespace_are_refused(plain):
    data = [{"MetricName": "m", "Value": 1, "Unit": "Furlongs"}]
    code, message = refusal(plain.put_metric_data, Namespace="n", MetricData=data)
    assert code == "InvalidParameterValue"
    start = "The parameter MetricData.member.1.Unit must be a value in the set [ Seconds, "
    assert message.startswith(start)
    data = [{"MetricName": "m", "Value": 1}]
    assert refusal(plain.put_metric_data, Namespace="AWS/SQS", MetricData=data) == (
        "InvalidParameterValue",
        "The value AWS/ for parameter Namespace is invalid.",
    )
    assert refusal(plain.put_metric_data, Namespace="n") == (
        "MissingParameter",
        "The parameter MetricData is required.",
    )
    many = data * 1001
    assert refusal(plain.put_metric_data, Namespace="n", MetricData=many)[0] == (
        "InvalidParameterValue"
    )


def test_too_many_datapoints_and_ill_chosen_periods_are_refused(shared, cloudwatch, namespace):
    at = now(shared)
    day = {"StartTime": at - timedelta(days=1), "EndTime": at}
    call = {"Namespace": namespace, "MetricName": "m", "Statistics": ["Sum"]} | day
    assert refusal(cloudwatch.get_metric_statistics, **call, Period=1) == (
        "InvalidParameterCombination",
        "You have requested up to 86400 datapoints, which exceeds the limit of 1440. You may "
        "reduce the datapoints requested by increasing Period, or decreasing the time range.",
    )
    assert refusal(cloudwatch.get_metric_statistics, **call, Period=61)[0] == (
        "InvalidParameterValue"
    )
    backwards = call | {"StartTime": at, "EndTime": at - timedelta(days=1), "Period": 60}
    assert refusal(cloudwatch.get_metric_statistics, **backwards) == (
        "InvalidParameterCombination",
        "The parameter StartTime must be less than the parameter EndTime.",
    )
    both = call | {"ExtendedStatistics": ["p50"], "Period": 60}
    assert refusal(cloudwatch.get_metric_statistics, **both)[0] == "InvalidParameterCombination"
    del both["Statistics"]
    assert refusal(cloudwatch.get_metric_statistics, **both | {"ExtendedStatistics": ["x"]}) == (
        "InvalidParameterValue",
        "The value x for parameter ExtendedStatistics.member.1 is invalid.",
    )


def test_queries_that_cannot_be_answered_say_why(shared, cloudwatch, namespace):
    at = now(shared)
    query = stat_of("q", namespace)

    def refused(*queries):
        with pytest.raises(ClientError) as refused:
            data_of(cloudwatch, at, *queries)
        error = refused.value.response["Error"]
        assert error["Code"] == "ValidationError"
        return error["Message"]

    assert refused(query, query) == (
        "The values for parameter id in MetricDataQueries are not unique."
    )
    assert refused(query | {"Period": 60}) == (
        "The parameters MetricDataQueries.member.1.Period and MetricDataQueries.member.1.MetricStat"
        " are mutually exclusive and you have specified both."
    )
    assert refused(query | {"Id": "Q"}) == (
        "The value Q for parameter MetricDataQueries.member.1.Id is not matching the expected "
        "pattern ^[a-z][a-zA-Z0-9_]*$."
    )
    wrong = lambda text: refused(query, {"Id": "e", "Expression": text})
    assert wrong("1 + 1") == "Error in expression 'e': it gives a number, and no series."
    assert wrong("q +") == "Error in expression 'e': it ends too soon."
    assert wrong("e + q") == "Error in expression 'e': it speaks of itself."
    assert wrong("nobody") == "Error in expression 'e': there is no nobody."
    assert "SEARCH is not understood yet" in wrong("SEARCH('{AWS/SQS}', 'Sum', 60)")
    assert "over one period only" in refused(query, {"Id": "e", "Expression": "q", "Period": 300})
    assert "is not supported" in refused(stat_of("q", namespace, "tm90"))
    other = data_of(cloudwatch, at, query | {"AccountId": "123456789012"})
    assert other["MetricDataResults"][0]["StatusCode"] == "Forbidden"


def test_expressions_are_worked_out_over_metrics_and_other_expressions(
    shared, cloudwatch, namespace
):
    """As in the guide on scaling by a queue: the backlog of an instance."""
    at = now(shared).replace(second=0, microsecond=0)
    backlog, instances = (1500, 1200, 80), (10, 0, None)
    for name, values in (("m1", backlog), ("m2", instances)):
        data = [
            {"MetricName": name, "Value": value, "Timestamp": at - timedelta(minutes=minutes)}
            for minutes, value in enumerate(values)
            if value is not None
        ]
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    stat = lambda name: {
        "Metric": {"Namespace": namespace, "MetricName": name},
        "Period": 60,
        "Stat": "Average",
    }
    # In whatever order they are asked for.
    queries = [
        {"Id": "e2", "Expression": "IF(e1 > 100, 1, 0)", "Label": "Too many"},
        {"Id": "e1", "Expression": "m1 / m2"},
        {"Id": "m1", "MetricStat": stat("m1"), "ReturnData": False, "Label": "Backlog"},
        {"Id": "m2", "MetricStat": stat("m2"), "ReturnData": False},
        {"Id": "each", "Expression": "FILL(METRICS(), 0)", "Label": "filled"},
        {"Id": "s", "Expression": "MAX(m1)", "ReturnData": False},
        {"Id": "top", "Expression": "TIME_SERIES(s)"},
    ]
    told = cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        StartTime=at - timedelta(minutes=2),
        EndTime=at + timedelta(minutes=1),
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    found = [(one["Id"], one["Label"], one["Values"]) for one in told]
    assert found == [
        ("e2", "Too many", [1]),
        ("e1", "e1", [150]),
        ("each", "filled Backlog", [80, 1200, 1500]),
        ("each", "filled m2", [0, 0, 10]),
        ("top", "top", [1500] * 3),
    ]
    assert told[1]["Timestamps"] == [at]
    assert {one["StatusCode"] for one in told} == {"Complete"}


def test_expressions_do_not_speak_of_more_than_may_be_held_for_them(shared, plain, namespace):
    at = now(shared)
    for first in range(0, 4500, 900):
        data = [
            {"MetricName": "m", "Value": 1, "Timestamp": at - timedelta(minutes=minutes)}
            for minutes in range(first, first + 900)
        ]
        plain.put_metric_data(Namespace=namespace, MetricData=data)
    query = stat_of("q", namespace, "Sum") | {"ReturnData": False}
    queries = [query | {"Id": f"q{number}"} for number in range(499)]
    queries.append({"Id": "e", "Expression": "SUM(METRICS())"})
    code, message = refusal(
        plain.get_metric_data,
        MetricDataQueries=queries,
        StartTime=at - timedelta(days=4),
        EndTime=at + timedelta(minutes=1),
    )
    assert code == "ValidationError" and "2000000 datapoints" in message
    # Nor do they make more of little.
    span = {"StartTime": datetime(1970, 1, 1, tzinfo=timezone.utc), "EndTime": at}
    for expression in ("TIME_SERIES(1)", "FILL(q, 0)"):
        queries = [query, {"Id": "e", "Expression": expression}]
        code, message = refusal(plain.get_metric_data, MetricDataQueries=queries, **span)
        assert code == "ValidationError" and "too many datapoints" in message


def test_accounts_and_regions_have_metrics_of_their_own(shared, namespace):
    clients = [
        shared.client("cloudwatch", key="111122223333"),
        shared.client("cloudwatch", key="444455556666"),
        shared.client("cloudwatch", key="111122223333", region="eu-west-1"),
    ]
    data = [{"MetricName": "m", "Value": 1}]
    clients[0].put_metric_data(Namespace=namespace, MetricData=data)
    listed = [len(c.list_metrics(Namespace=namespace)["Metrics"]) for c in clients]
    assert listed == [1, 0, 0]


def test_a_large_request_may_be_compressed(shared, plain, namespace):
    compressed = []

    def sent(request, **_):
        compressed.append(request.headers.get("Content-Encoding"))

    plain.meta.events.register("before-send.cloudwatch.PutMetricData", sent)
    data = [{"MetricName": f"metric-{n}", "Value": n} for n in range(900)]
    plain.put_metric_data(Namespace=namespace, MetricData=data)
    assert compressed == [b"gzip"] or compressed == ["gzip"]
    # A form, as old clients compress it.
    form = (
        "Action=PutMetricData&Version=2010-08-01&Namespace=zipped"
        "&MetricData.member.1.MetricName=m&MetricData.member.1.Value=1"
    )
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Content-Encoding": "GZIP",
    }
    status, _, body = shared.request("POST", "/", gzip.compress(form.encode()), headers)
    assert status == 200, body
    assert len(plain.list_metrics(Namespace="zipped")["Metrics"]) == 1


def test_what_was_acknowledged_survives_a_kill(fresh):
    service = fresh().start()
    client = service.client("cloudwatch")
    at = datetime.now(timezone.utc)
    for number in range(10):
        data = [{"MetricName": "m", "Value": number, "Timestamp": at}]
        client.put_metric_data(Namespace="n", MetricData=data)
    service.kill()
    service.start()
    told = statistics(service.client("cloudwatch"), "n", at)
    assert told["Datapoints"][0]["Sum"] == sum(range(10))
    assert service.stop() == 0
    service.start()
    told = statistics(service.client("cloudwatch"), "n", at)
    assert told["Datapoints"][0]["SampleCount"] == 10


def test_memory_is_bounded(fresh):
    service = fresh("--metrics-memory", "1MiB").start()
    client = service.client("cloudwatch")
    client.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
    before, refused = resident(service), None
    for batch in range(40):
        data = [{"MetricName": f"m-{batch}-{n}", "Value": 1} for n in range(1000)]
        try:
            client.put_metric_data(Namespace="n", MetricData=data)
        except ClientError as error:
            refused = error.response["Error"]
            break
    assert refused is not None and refused["Code"].startswith("Throttling"), refused
    # What it takes for requests and for the log is in this too.
    assert resident(service) - before < 24 * MIB
    # Nothing is old enough for room to be made: nothing is kept for less.
    assert "tidemill_metrics_halvings 0" in service.get("/metrics")[2].decode()


def test_an_old_client_puts_and_gets(shared):
    program = """
import json, sys, datetime
import boto3, botocore
assert botocore.__version__.startswith("1.29."), botocore.__version__
client = boto3.client(
    "cloudwatch", endpoint_url=sys.argv[1], region_name="us-east-1",
    aws_access_key_id="test", aws_secret_access_key="test",
)
at = datetime.datetime.fromtimestamp(float(sys.argv[2]), datetime.timezone.utc)
datum = {"MetricName": "m", "Timestamp": at, "Values": [1.0, 10.0], "Counts": [2, 4],
         "Dimensions": [{"Name": "d", "Value": "v"}]}
client.put_metric_data(Namespace="Old", MetricData=[datum])
told = client.get_metric_statistics(
    Namespace="Old", MetricName="m", Dimensions=datum["Dimensions"], Period=60,
    StartTime=at - datetime.timedelta(minutes=1), EndTime=at + datetime.timedelta(minutes=1),
    Statistics=["Sum", "Average"],
)["Datapoints"]
try:
    client.put_metric_data(Namespace="Old", MetricData=[datum | {"Value": 1.0}])
except client.exceptions.InvalidParameterCombinationException as error:
    refused = error.response["Error"]["Code"]
listed = client.list_metrics(Namespace="Old")["Metrics"]
print(json.dumps([told[0]["Sum"], told[0]["Average"], told[0]["Unit"], refused, listed]))
"""
    environment = shared.environment() | {"PYTHONPATH": str(OLD)}
    done = subprocess.run(
        [sys.executable, "-c", program, shared.url, str(now(shared).timestamp())],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    listed = {
        "Namespace": "Old",
        "MetricName": "m",
        "Dimensions": [{"Name": "d", "Value": "v"}],
    }
    expected = [42.0, 7.0, "None", "InvalidParameterCombination", [listed]]
    assert json.loads(done.stdout) == expected


def test_the_command_line_puts_and_gets(shared):
    aws = lambda *words: command_line(shared, "cloudwatch", *words)
    at = now(shared)
    aws(
        *("put-metric-data", "--namespace", "MyNamespace"),
        *("--metric-name", "MyBacklogPerInstance", "--unit", "None", "--value", "20"),
        *("--dimensions", "MyOptionalMetricDimensionName=It", "--timestamp", at.isoformat()),
    )
    told = aws(
        *("get-metric-statistics", "--namespace", "MyNamespace"),
        *("--metric-name", "MyBacklogPerInstance", "--statistics", "Average"),
        *("--dimensions", "Name=MyOptionalMetricDimensionName,Value=It", "--period", "60"),
        *("--start-time", (at - timedelta(minutes=1)).isoformat()),
        *("--end-time", (at + timedelta(minutes=1)).isoformat()),
    )
    assert [point["Average"] for point in told["Datapoints"]] == [20.0]
