"""Policies: alarms have groups grow and shrink, by AWS's rules."""

import json
import re
from datetime import datetime, timedelta, timezone

import pytest

from alarms import settings
from clients import command_line
from groups import Scaled, make_scaled, refusal  # noqa: F401 (fixtures)
from server import until

DIMENSIONS = [{"Name": "MyOptionalMetricDimensionName", "Value": "MyOptionalMetricDimensionValue"}]
#: The guide's policy on a metric that its user publishes.
CUSTOM = {
    "MetricName": "MyBacklogPerInstance",
    "Namespace": "MyNamespace",
    "Dimensions": DIMENSIONS,
    "Statistic": "Average",
    "Unit": "None",
}
#: The guide's policy on metric math.
MATH = [
    {
        "Id": "m1",
        "Label": "Get the queue size (the number of messages waiting to be processed)",
        "MetricStat": {
            "Metric": {
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Namespace": "AWS/SQS",
                "Dimensions": [{"Name": "QueueName", "Value": "orders"}],
            },
            "Stat": "Sum",
        },
        "ReturnData": False,
    },
    {
        "Id": "m2",
        "Label": "Get the group size (the number of InService instances)",
        "MetricStat": {
            "Metric": {
                "MetricName": "GroupInServiceInstances",
                "Namespace": "AWS/AutoScaling",
                "Dimensions": [{"Name": "AutoScalingGroupName", "Value": "workers"}],
            },
            "Stat": "Average",
        },
        "ReturnData": False,
    },
    {
        "Id": "e1",
        "Label": "Calculate the backlog per instance",
        "Expression": "m1 / m2",
        "ReturnData": True,
    },
]


@pytest.fixture
def clocked(make_scaled):  # noqa: F811
    """A service with groups whose clock is moved by hand, on the minute."""
    service = make_scaled("--clock", "manual").start()
    past = service.advance("0s")["now"] % 60_000
    service.advance(f"{60_000 - past}ms")
    return service


def now(service):
    return datetime.fromtimestamp(service.advance("0s")["now"] / 1000, timezone.utc)


def track(service, spec=None, name="sqs-backlog-target-tracking-scaling-policy", **more):
    """Puts a policy of target tracking; what is answered."""
    config = {"TargetValue": 100, "CustomizedMetricSpecification": spec or CUSTOM}
    config |= {key: more.pop(key) for key in ("TargetValue", "DisableScaleIn") if key in more}
    return service.groups.put_scaling_policy(
        AutoScalingGroupName="workers",
        PolicyName=name,
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration=config,
        **more,
    )


def publish(service, value, name="MyBacklogPerInstance"):
    service.client("cloudwatch").put_metric_data(
        Namespace="MyNamespace",
        MetricData=[
            {
                "MetricName": name,
                "Value": value,
                "Unit": "None",
                "Dimensions": DIMENSIONS,
                "Timestamp": now(service),
            }
        ],
    )


def minutes(service, count, value=None):
    """So many minutes pass, in each of which the value is published."""
    for _ in range(count):
        if value is not None:
            publish(service, value)
        service.advance("1m")


def desired(service):
    return service.group()["DesiredCapacity"]


def alarm(service, name):
    (found,) = service.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return found


def alarm_names(service):
    found = service.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return [it["AlarmName"] for it in found]


def policies(service, **more):
    found = service.groups.describe_policies(AutoScalingGroupName="workers", **more)
    return found["ScalingPolicies"]


def warmed(service, count, **more):
    """A group of so many that have been in service for longer than they warm up."""
    service.template()
    limits = {"least": more.pop("least", 0), "most": more.pop("most", 20)}
    service.make(**limits, DesiredCapacity=count, **more)
    service.until_serving(count, patience=120)
    service.advance("6m")


def causes(activity):
    return [part.split("Z ", 1)[1] for part in activity["Cause"].split("  ")]


def test_the_guides_sequence_grows_after_three_minutes_and_shrinks_after_fifteen(clocked):
    warmed(clocked, 1, least=1, most=5)
    name = "sqs-backlog-target-tracking-scaling-policy"
    high, low = (it["AlarmName"] for it in track(clocked)["Alarms"])
    minutes(clocked, 2, 250)
    assert desired(clocked) == 1
    minutes(clocked, 1, 250)
    assert desired(clocked) == 3
    clocked.until_serving(3)
    activity = clocked.activities()[0]
    assert causes(activity)[0] == (
        f"a monitor alarm {high} in state ALARM triggered policy {name} changing the desired "
        "capacity from 1 to 3."
    )
    assert json.loads(activity["Details"])["InvokingAlarms"]
    # It goes on alarming, and the policy on deciding: what warms up counts.
    minutes(clocked, 3, 250)
    assert desired(clocked) == 3
    minutes(clocked, 14, 10)
    assert (alarm(clocked, low)["StateValue"], desired(clocked)) == ("OK", 3)
    minutes(clocked, 1, 10)
    assert (alarm(clocked, low)["StateValue"], desired(clocked)) == ("ALARM", 1)
    clocked.until_serving(1)
    activity = next(it for it in clocked.activities() if it["Description"].startswith("Term"))
    assert causes(activity)[0] == (
        f"a monitor alarm {low} in state ALARM triggered policy {name} changing the desired "
        "capacity from 3 to 1."
    )
    told = clocked.client("cloudwatch").describe_alarm_history(
        AlarmName=low, HistoryItemType="Action"
    )["AlarmHistoryItems"]
    arn = policies(clocked)[0]["PolicyARN"]
    assert [it["HistorySummary"] for it in told] == [f"Successfully executed action {arn}"]


def test_the_guides_metric_math_follows_the_queue_and_the_group_themselves(clocked):
    queue = clocked.client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    warmed(clocked, 1, least=1, most=5)
    clocked.groups.enable_metrics_collection(
        AutoScalingGroupName="workers", Granularity="1Minute"
    )
    track(clocked, {"Metrics": MATH})
    (policy,) = policies(clocked)
    assert policy["TargetTrackingConfiguration"]["CustomizedMetricSpecification"]["Metrics"] == MATH
    for _ in range(29):
        entries = [{"Id": str(n), "MessageBody": "x"} for n in range(10)]
        clocked.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)
    clocked.advance("3m")
    assert desired(clocked) == 3
    clocked.until_serving(3)
    clocked.advance("6m")
    clocked.client("sqs").purge_queue(QueueUrl=queue)
    clocked.advance("14m")
    assert desired(clocked) == 3
    clocked.advance("1m")
    assert desired(clocked) == 1
    clocked.until_serving(1)


def test_a_target_has_a_pair_of_alarms_as_on_aws(clocked):
    warmed(clocked, 0)
    answer = track(clocked)
    arn = answer["PolicyARN"]
    assert re.fullmatch(
        r"arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:[0-9a-f-]{36}:"
        r"autoScalingGroupName/workers:policyName/sqs-backlog-target-tracking-scaling-policy",
        arn,
    )
    names = [it["AlarmName"] for it in answer["Alarms"]]
    assert re.fullmatch(r"TargetTracking-workers-AlarmHigh-[0-9a-f-]{36}", names[0])
    assert re.fullmatch(r"TargetTracking-workers-AlarmLow-[0-9a-f-]{36}", names[1])
    for name, comparison, threshold, evaluations in (
        (names[0], "GreaterThanThreshold", 100, 3),
        (names[1], "LessThanThreshold", 90, 15),
    ):
        found = alarm(clocked, name)
        expected = {
            "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {arn}.",
            "AlarmActions": [arn],
            "ComparisonOperator": comparison,
            "Threshold": threshold,
            "EvaluationPeriods": evaluations,
            "Period": 60,
            "Statistic": "Average",
            "Unit": "None",
            "MetricName": "MyBacklogPerInstance",
            "Dimensions": DIMENSIONS,
        }
        assert {key: found[key] for key in expected} == expected
        assert "DatapointsToAlarm" not in found and "TreatMissingData" not in found
    (policy,) = policies(clocked)
    assert {it["AlarmName"] for it in policy["Alarms"]} == set(names)
    assert policy["TargetTrackingConfiguration"] == {
        "TargetValue": 100.0,
        "DisableScaleIn": False,
        "CustomizedMetricSpecification": CUSTOM,
    }


def test_alarms_follow_their_policy_and_end_with_it_or_its_group(clocked):
    warmed(clocked, 0)
    before = track(clocked)
    after = track(clocked, TargetValue=50, DisableScaleIn=True)
    assert after["PolicyARN"] == before["PolicyARN"]
    (high,) = (it["AlarmName"] for it in after["Alarms"])
    assert alarm_names(clocked) == [high]
    assert alarm(clocked, high)["Threshold"] == 50
    # Somebody deletes what is not to be deleted: it is back by the minute.
    clocked.client("cloudwatch").delete_alarms(AlarmNames=[high])
    clocked.advance("1m")
    assert alarm_names(clocked) == [high]
    clocked.groups.delete_policy(AutoScalingGroupName="workers", PolicyName=after["PolicyARN"])
    assert (alarm_names(clocked), policies(clocked)) == ([], [])
    track(clocked)
    clocked.groups.delete_auto_scaling_group(AutoScalingGroupName="workers")
    assert alarm_names(clocked) == []


def test_a_target_of_ten_seconds_has_alarms_of_ten_seconds(clocked):
    warmed(clocked, 1, least=1)
    answer = track(clocked, CUSTOM | {"Period": 10})
    assert alarm(clocked, answer["Alarms"][0]["AlarmName"])["Period"] == 10
    for _ in range(3):
        clocked.client("cloudwatch").put_metric_data(
            Namespace="MyNamespace",
            MetricData=[
                {
                    "MetricName": "MyBacklogPerInstance", "Value": 400, "Unit": "None",
                    "Dimensions": DIMENSIONS, "Timestamp": now(clocked), "StorageResolution": 1,
                }
            ],
        )  # fmt: skip
        clocked.advance("10s")
    assert desired(clocked) == 4


def test_a_group_shrinks_by_targets_only_where_all_agree(clocked):
    warmed(clocked, 4)
    other = CUSTOM | {"MetricName": "Other"}
    track(clocked)
    track(clocked, other, "other")
    for _ in range(15):
        publish(clocked, 95, "Other")
        minutes(clocked, 1, 10)
    assert desired(clocked) == 4
    for _ in range(15):
        publish(clocked, 50, "Other")
        minutes(clocked, 1, 10)
    # The one that takes least.
    assert desired(clocked) == 2


def test_what_is_disabled_or_suspended_does_nothing(clocked):
    warmed(clocked, 1)
    track(clocked, Enabled=False)
    minutes(clocked, 3, 500)
    assert desired(clocked) == 1
    track(clocked)
    clocked.groups.suspend_processes(
        AutoScalingGroupName="workers", ScalingProcesses=["AlarmNotification"]
    )
    minutes(clocked, 3, 500)
    assert desired(clocked) == 1
    clocked.groups.resume_processes(AutoScalingGroupName="workers")
    # It is alarming still: the policy decides again each minute.
    minutes(clocked, 1, 500)
    assert desired(clocked) == 5


OUT = [(0, 10, 0), (10, 20, 10), (20, None, 30)]
IN = [(-10, 0, 0), (-20, -10, -10), (None, -20, -30)]


def steps(levels):
    keys = ("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment")
    every = [dict(zip(keys, level)) for level in levels]
    return [{key: value for key, value in it.items() if value is not None} for it in every]


def put_steps(service, name, levels, **more):
    more = {"AdjustmentType": "PercentChangeInCapacity", "EstimatedInstanceWarmup": 0} | more
    return service.groups.put_scaling_policy(
        AutoScalingGroupName="workers",
        PolicyName=name,
        PolicyType="StepScaling",
        StepAdjustments=steps(levels),
        **more,
    )


def test_steps_go_as_in_the_guide(clocked):
    warmed(clocked, 10)
    put_steps(clocked, "out", OUT)
    put_steps(clocked, "in", IN)
    for policy, metric, size in (("out", 60, 11), ("out", 70, 14), ("in", 40, 13), ("in", 30, 10)):
        clocked.groups.execute_policy(
            AutoScalingGroupName="workers",
            PolicyName=policy,
            MetricValue=metric,
            BreachThreshold=50,
        )
        assert desired(clocked) == size, (policy, metric)
        clocked.until_serving(size, patience=120)
    assert causes(clocked.activities()[0])[0] == (
        "a user request executed policy in changing the desired capacity from 13 to 10."
    )
    (shown,) = policies(clocked, PolicyNames=["out"])
    assert shown["StepAdjustments"] == [
        {key: float(value) if "Bound" in key else value for key, value in it.items()}
        for it in steps(OUT)
    ]
    assert (shown["MetricAggregationType"], shown["EstimatedInstanceWarmup"]) == ("Average", 0)


def test_an_alarm_has_its_policy_decide_each_minute_while_it_alarms(clocked):
    warmed(clocked, 1)
    arn = put_steps(clocked, "more", [(0, None, 1)], AdjustmentType="ChangeInCapacity")["PolicyARN"]
    clocked.client("cloudwatch").put_metric_alarm(
        AlarmName="busy", Namespace="MyNamespace", MetricName="MyBacklogPerInstance",
        Dimensions=DIMENSIONS, Statistic="Average", Period=60, EvaluationPeriods=1, Threshold=100,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn],
    )  # fmt: skip
    assert policies(clocked)[0]["Alarms"] == [
        {
            "AlarmName": "busy",
            "AlarmARN": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:busy",
        }
    ]
    for size in (2, 3, 4):
        minutes(clocked, 1, 200)
        assert desired(clocked) == size
        clocked.until_serving(size)
    minutes(clocked, 1, 50)
    assert desired(clocked) == 4
    told = clocked.client("cloudwatch").describe_alarm_history(
        AlarmName="busy", HistoryItemType="Action"
    )["AlarmHistoryItems"]
    assert [it["HistorySummary"] for it in told] == [f"Successfully executed action {arn}"]


def test_an_action_of_a_policy_that_is_not_there_fails(clocked):
    warmed(clocked, 0)
    arn = track(clocked)["PolicyARN"].replace("policyName/", "policyName/not-")
    client = clocked.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName="lost", Namespace="n", MetricName="m", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[arn],
    )  # fmt: skip
    client.set_alarm_state(AlarmName="lost", StateValue="ALARM", StateReason="of a test")
    (told,) = client.describe_alarm_history(AlarmName="lost", HistoryItemType="Action")[
        "AlarmHistoryItems"
    ]
    assert told["HistorySummary"].startswith(f"Failed to execute action {arn}.")
    assert json.loads(told["HistoryData"])["error"] == f"Policy {arn} not found"


def test_an_alarm_has_no_policy_of_another_account_decide(clocked):
    warmed(clocked, 0)
    arn = clocked.groups.put_scaling_policy(
        AutoScalingGroupName="workers", PolicyName="one-more",
        AdjustmentType="ChangeInCapacity", ScalingAdjustment=1,
    )["PolicyARN"]  # fmt: skip

    def alarmed(client):
        client.put_metric_alarm(
            AlarmName="near", Namespace="n", MetricName="m", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[arn],
        )  # fmt: skip
        client.set_alarm_state(AlarmName="near", StateValue="ALARM", StateReason="of a test")
        (told,) = client.describe_alarm_history(AlarmName="near", HistoryItemType="Action")[
            "AlarmHistoryItems"
        ]
        return json.loads(told["HistoryData"]).get("error")

    stranger = clocked.client("cloudwatch", key="111122223333")
    assert alarmed(stranger) == f"Policy {arn} not found"
    assert desired(clocked) == 0
    assert alarmed(clocked.client("cloudwatch")) is None
    assert desired(clocked) == 1


def test_a_simple_policy_waits_for_its_cooldown(clocked):
    warmed(clocked, 1)
    clocked.groups.put_scaling_policy(
        AutoScalingGroupName="workers", PolicyName="one-more",
        AdjustmentType="ChangeInCapacity", ScalingAdjustment=1, Cooldown=120,
    )  # fmt: skip
    (shown,) = policies(clocked)
    assert shown["PolicyType"] == "SimpleScaling"
    assert (shown["ScalingAdjustment"], shown["Cooldown"]) == (1, 120)
    execute = {"AutoScalingGroupName": "workers", "PolicyName": "one-more"}
    clocked.groups.execute_policy(**execute, HonorCooldown=True)
    clocked.until_serving(2)
    until(
        lambda: all(it["StatusCode"] == "Successful" for it in clocked.activities()),
        "what it did has ended",
    )
    code, _ = refusal(clocked.groups.execute_policy, **execute, HonorCooldown=True)
    assert code == "ScalingActivityInProgress"
    # Who does not ask for it does not wait.
    clocked.groups.execute_policy(**execute)
    assert desired(clocked) == 3


def test_sizes_stay_within_the_groups_limits(clocked):
    warmed(clocked, 2, least=2, most=3)
    put = {"AutoScalingGroupName": "workers", "AdjustmentType": "ChangeInCapacity"}
    clocked.groups.put_scaling_policy(**put, PolicyName="more", ScalingAdjustment=3)
    clocked.groups.put_scaling_policy(**put, PolicyName="fewer", ScalingAdjustment=-2)
    clocked.groups.execute_policy(AutoScalingGroupName="workers", PolicyName="more")
    assert desired(clocked) == 3
    clocked.groups.execute_policy(AutoScalingGroupName="workers", PolicyName="fewer")
    assert desired(clocked) == 2


def test_policies_are_described_by_what_is_asked_and_in_pages(clocked):
    warmed(clocked, 0)
    arn = track(clocked, name="b")["PolicyARN"]
    put_steps(clocked, "a", OUT)
    names = lambda **more: [it["PolicyName"] for it in policies(clocked, **more)]
    assert names() == ["a", "b"]
    assert names(PolicyNames=[arn]) == ["b"]
    assert names(PolicyTypes=["StepScaling"]) == ["a"]
    page = clocked.groups.describe_policies(MaxRecords=1)
    rest = clocked.groups.describe_policies(NextToken=page["NextToken"])
    assert [it["PolicyName"] for it in rest["ScalingPolicies"]] == ["b"]
    kinds = clocked.groups.describe_adjustment_types()["AdjustmentTypes"]
    assert [it["AdjustmentType"] for it in kinds] == [
        "ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"
    ]  # fmt: skip


def config(**more):
    return {
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": {
            "TargetValue": 100,
            "CustomizedMetricSpecification": CUSTOM,
        }
        | more,
    }


def levels(*given):
    return {
        "PolicyType": "StepScaling",
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": steps(given),
    }


PREDEFINED = {"PredefinedMetricType": "ASGAverageCPUUtilization"}


@pytest.mark.parametrize(
    "given, message",
    [
        (config(TargetValue=0), "TargetValue must be greater than 0."),
        (config(PredefinedMetricSpecification=PREDEFINED), "Exactly one of"),
        (
            {
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingConfiguration": {
                    "TargetValue": 1, "PredefinedMetricSpecification": PREDEFINED,
                },
            },
            "ASGAverageCPUUtilization is not supported",
        ),
        (config(CustomizedMetricSpecification={"Metrics": MATH[:2]}), "Exactly one element"),
        (config(CustomizedMetricSpecification={"Metrics": MATH, "Statistic": "Sum"}), "Statistic"),
        (config(CustomizedMetricSpecification=CUSTOM | {"Period": 20}), "10, 30 or 60"),
        (config(CustomizedMetricSpecification=CUSTOM | {"Unit": "Apples"}), "is not a unit"),
        (config() | {"Cooldown": 1}, "Cooldown cannot be specified"),
        ({"PolicyType": "TargetTrackingScaling"}, "TargetTrackingConfiguration must be specified"),
        ({"PolicyType": "PredictiveScaling"}, "PredictiveScaling is not supported"),
        ({"PolicyType": "Other"}, "Other is invalid"),
        ({"ScalingAdjustment": 1}, "AdjustmentType must be specified"),
        ({"AdjustmentType": "Twice", "ScalingAdjustment": 1}, "Twice is invalid"),
        (
            {"AdjustmentType": "ChangeInCapacity"},
            "Scaling increment must be specified for a SimpleScaling policy",
        ),
        (
            {"AdjustmentType": "ExactCapacity", "ScalingAdjustment": 1, "MinAdjustmentStep": 1},
            "MinAdjustmentStep is not supported",
        ),
        (levels(), "At least one StepAdjustment"),
        (levels((0, 10, 1), (5, None, 2)), "cannot overlap"),
        (levels((0, 10, 1), (20, None, 2)), "cannot have gaps"),
        (levels((0, 10, 1)), "(i.e., upper bound is null)"),
        (levels((-10, 0, 1)), "(i.e., lower bound is null)"),
        (levels((0, None, 1)) | {"MetricAggregationType": "Sum"}, "Sum is invalid"),
        (levels((0, None, 1)) | {"MinAdjustmentMagnitude": 2}, "PercentChangeInCapacity alone"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(policed, given, message):
    put = policed.groups.put_scaling_policy
    code, told = refusal(put, AutoScalingGroupName="workers", PolicyName="wrong", **given)
    assert (code, message in told) == ("ValidationError", True), told


@pytest.fixture(scope="module")
def policed(tmp_path_factory):
    """A service with a group, shared by those that only ask."""
    service = Scaled(tmp_path_factory.mktemp("policed"), tmp_path_factory.mktemp("place")).start()
    service.template()
    service.make()
    yield service
    service.stop()


def test_a_target_is_refused_while_there_is_no_memory_for_its_alarms(make_scaled):  # noqa: F811
    service = make_scaled("--metrics-memory", "1MiB").start()
    service.template()
    service.make()
    client = service.client("cloudwatch")

    def fill():
        for number in range(1000):
            client.put_metric_alarm(**settings(f"a{number}", AlarmDescription="x" * 1024))

    code, told = refusal(fill)
    assert (code.startswith("Throttling"), "no memory for more alarms" in told) == (True, True)
    code, told = refusal(track, service=service)
    assert (code.startswith("Throttling"), "no memory for the alarms" in told) == (True, True)
    assert service.groups.describe_policies(AutoScalingGroupName="workers")["ScalingPolicies"] == []
    client.delete_alarms(AlarmNames=[f"a{number}" for number in range(10)])
    assert len(track(service)["Alarms"]) == 2


def test_what_is_asked_of_no_policy_is_refused(clocked):
    warmed(clocked, 0)
    track(clocked)
    told = refusal(clocked.groups.delete_policy, AutoScalingGroupName="workers", PolicyName="x")
    assert told == ("ValidationError", "Policy name not found - Policy x not found")
    same = refusal(track, service=clocked, name="another")
    assert same == (
        "ValidationError",
        "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
    )
    put_steps(clocked, "steps", OUT)
    execute = {"AutoScalingGroupName": "workers", "PolicyName": "steps"}
    for more, message in (
        ({}, "must be specified for a StepScaling policy"),
        ({"MetricValue": 40, "BreachThreshold": 50}, "does not correspond to a step"),
        ({"PolicyName": "sqs-backlog-target-tracking-scaling-policy"}, "cannot be executed"),
    ):
        code, told = refusal(clocked.groups.execute_policy, **execute | more)
        assert (code, message in told) == ("ValidationError", True), told


def test_groups_tell_of_themselves_each_minute_if_that_is_asked(clocked):
    warmed(clocked, 2, most=5)
    enabled = ["GroupInServiceInstances", "GroupMaxSize"]
    clocked.groups.enable_metrics_collection(
        AutoScalingGroupName="workers", Granularity="1Minute", Metrics=enabled
    )
    clocked.advance("2m")
    client = clocked.client("cloudwatch")
    listed = client.list_metrics(Namespace="AWS/AutoScaling")["Metrics"]
    assert sorted(it["MetricName"] for it in listed) == enabled
    assert {it["Value"] for metric in listed for it in metric["Dimensions"]} == {"workers"}
    for name, value in (("GroupInServiceInstances", 2.0), ("GroupMaxSize", 5.0)):
        told = client.get_metric_statistics(
            Namespace="AWS/AutoScaling", MetricName=name, Period=60, Statistics=["Average"],
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": "workers"}],
            StartTime=now(clocked) - timedelta(minutes=10), EndTime=now(clocked),
        )  # fmt: skip
        assert [it["Average"] for it in told["Datapoints"]] == [value, value]


def test_policies_and_what_is_due_survive_a_kill(clocked):
    warmed(clocked, 1, least=1, most=5)
    track(clocked)
    minutes(clocked, 2, 250)
    before = policies(clocked)
    then = clocked.advance("0s")["now"]
    clocked.kill()
    clocked.start()
    # A clock that is moved by hand begins at the machine's time.
    clocked.advance(f"{then - clocked.advance('0s')['now']}ms")
    assert policies(clocked) == before
    minutes(clocked, 1, 250)
    assert desired(clocked) == 3


def test_the_command_line_goes_as_in_the_guide(clocked, tmp_path):
    warmed(clocked, 1)
    file = tmp_path / "config.json"
    spec = {"TargetValue": 100, "CustomizedMetricSpecification": CUSTOM}
    file.write_text(json.dumps(spec))
    answer = command_line(
        clocked, "autoscaling", "put-scaling-policy",
        "--policy-name", "sqs-backlog-target-tracking-scaling-policy",
        "--auto-scaling-group-name", "workers", "--policy-type", "TargetTrackingScaling",
        "--target-tracking-configuration", f"file://{file}",
    )  # fmt: skip
    command_line(
        clocked, "cloudwatch", "put-metric-data", "--metric-name", "MyBacklogPerInstance",
        "--namespace", "MyNamespace", "--unit", "None", "--value", "20", "--dimensions",
        "MyOptionalMetricDimensionName=MyOptionalMetricDimensionValue",
    )  # fmt: skip
    found = command_line(clocked, "autoscaling", "describe-policies")["ScalingPolicies"]
    assert found[0]["PolicyARN"] == answer["PolicyARN"]
    found = command_line(
        clocked, "cloudwatch", "describe-alarms", "--alarm-names",
        *(it["AlarmName"] for it in answer["Alarms"]),
    )  # fmt: skip
    assert len(found["MetricAlarms"]) == 2
