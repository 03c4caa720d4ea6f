"""Instance refresh: every instance of a group is replaced, some at a time."""

import base64

import pytest
from botocore.exceptions import ParamValidationError

from groups import SLEEPER, make_scaled, refusal, scaled  # noqa: F401 (fixtures)
from server import until
from test_autoscaling_fast import fast
from test_autoscaling_groups import said

NAME = {"AutoScalingGroupName": "workers"}
FIRST, SECOND = (
    {"LaunchTemplateName": "worker", "Version": version} for version in ("1", "2")
)
DESIRED = {"DesiredConfiguration": {"LaunchTemplate": SECOND}}


@pytest.fixture
def clocked(make_scaled):  # noqa: F811
    """A service with groups, on a clock that the test moves."""
    return make_scaled("--clock", "manual").start()


def grown(service, count, **more):
    """A group whose instances are made from the first of the two versions of its template."""
    service.template()
    data = {"UserData": base64.b64encode(SLEEPER.replace("ready", "second").encode()).decode()}
    service.ec2.create_launch_template_version(
        LaunchTemplateName="worker", SourceVersion="1", LaunchTemplateData=data
    )
    service.make(LaunchTemplate=FIRST, DesiredCapacity=count, **more)
    return service.until_serving(count)


def start(service, desired=DESIRED, **preferences):
    more = {"Preferences": preferences} if preferences else {}
    return service.groups.start_instance_refresh(**NAME, **desired, **more)["InstanceRefreshId"]


def refresh(service):
    """The newest refresh as it is described."""
    return service.groups.describe_instance_refreshes(**NAME)["InstanceRefreshes"][0]


def until_status(service, status):
    until(lambda: refresh(service)["Status"] == status, f"the refresh is {status}")
    return refresh(service)


def until_reason(service, reason):
    until(lambda: refresh(service).get("StatusReason", "").startswith(reason), reason)
    return refresh(service)


def versions(service):
    """Which versions the instances in service are made from."""
    serving = [i for i in service.group()["Instances"] if i["LifecycleState"] == "InService"]
    return sorted(one["LaunchTemplate"]["Version"] for one in serving)


def test_a_refresh_replaces_every_instance_and_says_why(scaled):  # noqa: F811
    before = grown(scaled, 2)
    template = scaled.group()["LaunchTemplate"]["LaunchTemplateId"]
    told = start(scaled)
    done = until_status(scaled, "Successful")
    started, ended = done.pop("StartTime"), done.pop("EndTime")
    assert started <= ended
    assert done == {
        "InstanceRefreshId": told,
        "AutoScalingGroupName": "workers",
        "Status": "Successful",
        "PercentageComplete": 100,
        "InstancesToUpdate": 0,
        "Strategy": "Rolling",
        "DesiredConfiguration": {"LaunchTemplate": SECOND | {"LaunchTemplateId": template}},
        "Preferences": {
            "MinHealthyPercentage": 90, "InstanceWarmup": 0, "SkipMatching": False,
            "AutoRollback": False, "ScaleInProtectedInstances": "Wait",
            "StandbyInstances": "Wait", "BakeTime": 0,
        },
    }  # fmt: skip
    serving = scaled.until_serving(2)
    assert set(serving).isdisjoint(before) and versions(scaled) == ["2", "2"]
    assert {scaled.logged(one).split()[-1] for one in serving} == {"second"}
    assert scaled.running() == serving
    # What was desired is what the group is from now on.
    assert scaled.group()["LaunchTemplate"]["Version"] == "2"
    activities = scaled.activities()[:4]
    for activity in activities:
        if activity["Description"].startswith("Launching"):
            sentences = ["an instance was launched in response to an instance refresh."]
        else:
            instance = activity["Description"].split()[-1]
            sentences = [
                "an instance was taken out of service in response to an instance refresh.",
                f"instance {instance} was selected for termination.",
            ]
        assert said(activity) == sentences
    assert len([one for one in activities if "Terminating" in one["Description"]]) == 2
    # Who is as it should be is left alone if that is preferred, and replaced otherwise.
    start(scaled, SkipMatching=True)
    until_status(scaled, "Successful")
    assert scaled.until_serving(2) == serving
    start(scaled, {})
    until_status(scaled, "Successful")
    assert set(scaled.until_serving(2)).isdisjoint(serving)
    known = scaled.groups.describe_instance_refreshes(**NAME, MaxRecords=2)
    assert len(known["InstanceRefreshes"]) == 2
    known = scaled.groups.describe_instance_refreshes(**NAME, NextToken=known["NextToken"])
    assert [one["InstanceRefreshId"] for one in known["InstanceRefreshes"]] == [told]
    known = scaled.groups.describe_instance_refreshes(**NAME, InstanceRefreshIds=[told])
    assert [one["InstanceRefreshId"] for one in known["InstanceRefreshes"]] == [told]


def test_a_refresh_waits_for_warm_ups_and_at_checkpoints(clocked):
    grown(clocked, 2)
    clocked.advance("1m")  # They are warm themselves.
    start(clocked, InstanceWarmup=60, CheckpointPercentages=[50, 100], CheckpointDelay=600)
    warming = "Waiting for instances to warm up before continuing. For example: i-"
    told = until_reason(clocked, warming)
    assert (told["Status"], told["PercentageComplete"]) == ("InProgress", 0)
    assert versions(clocked) == ["1", "2"]
    clocked.advance("60s")
    told = until_reason(clocked, "Waiting for checkpoint delay")
    assert told["StatusReason"].endswith("There are 600 seconds left.")
    assert (told["PercentageComplete"], told["InstancesToUpdate"]) == (50, 1)
    # One goes on, and what it changes is not changed by anybody else.
    code, message = refusal(clocked.groups.start_instance_refresh, **NAME)
    assert (code, message) == (
        "InstanceRefreshInProgress",
        "An Instance Refresh is already in progress and blocks the execution of this Instance "
        "Refresh.",
    )
    update = clocked.groups.update_auto_scaling_group
    code, message = refusal(update, LaunchTemplate=SECOND, **NAME)
    assert code == "ValidationError"
    assert message.startswith("An active instance refresh with a desired configuration exists.")
    update(MaxSize=5, **NAME)
    # Who comes meanwhile is made from what is desired.
    clocked.groups.set_desired_capacity(DesiredCapacity=3, **NAME)
    clocked.until_serving(3)
    assert versions(clocked) == ["1", "2", "2"]
    clocked.groups.set_desired_capacity(DesiredCapacity=2, **NAME)
    until(lambda: len(clocked.group()["Instances"]) == 2, "it shrinks")
    clocked.advance("60s")
    clocked.advance("540s")
    until(lambda: versions(clocked) == ["2", "2"], "all are new")
    clocked.advance("60s")
    until_status(clocked, "Successful")


def test_new_ones_serve_first_where_there_may_be_more(clocked):
    before = grown(clocked, 2)
    clocked.advance("1m")
    start(clocked, MinHealthyPercentage=100, MaxHealthyPercentage=150, InstanceWarmup=60)
    until_reason(clocked, "Waiting for instances to warm up")
    serving = clocked.until_serving(3)
    assert set(before) < set(serving)
    assert clocked.group()["DesiredCapacity"] == 2
    clocked.advance("60s")
    until(lambda: len(set(before) & set(clocked.serving())) == 1, "one goes")
    clocked.until_serving(3)
    clocked.advance("60s")
    until_status(clocked, "Successful")
    assert versions(clocked) == ["2", "2"] and len(clocked.group()["Instances"]) == 2


def test_a_refresh_is_undone_or_given_up(clocked):
    grown(clocked, 2)
    groups = clocked.groups
    none = (
        "ActiveInstanceRefreshNotFound",
        "No in progress or pending Instance Refresh found for Auto Scaling group workers",
    )
    assert refusal(groups.cancel_instance_refresh, **NAME) == none
    assert refusal(groups.rollback_instance_refresh, **NAME) == none
    prefer = {"CheckpointPercentages": [50, 100], "CheckpointDelay": 600}
    told = start(clocked, **prefer)
    until_reason(clocked, "Waiting for checkpoint delay")
    assert groups.rollback_instance_refresh(**NAME)["InstanceRefreshId"] == told
    done = until_status(clocked, "RollbackSuccessful")
    assert (done["PercentageComplete"], done["InstancesToUpdate"]) == (0, 2)
    details = done["RollbackDetails"]
    assert details.pop("RollbackStartTime") <= done["EndTime"]
    assert details == {
        "RollbackReason": "Rollback was started due to user request.",
        "PercentageCompleteOnRollback": 50,
        "InstancesToUpdateOnRollback": 1,
    }
    clocked.until_serving(2)
    assert versions(clocked) == ["1", "1"] and clocked.group()["LaunchTemplate"]["Version"] == "1"
    told = start(clocked, **prefer)
    until_reason(clocked, "Waiting for checkpoint delay")
    assert groups.cancel_instance_refresh(**NAME)["InstanceRefreshId"] == told
    done = until_status(clocked, "Cancelled")
    assert done["StatusReason"] == "Cancelled due to user request." and "EndTime" in done
    assert versions(clocked) == ["1", "2"]
    # Where nothing is desired, there is nothing to go back from.
    start(clocked, {}, **prefer)
    code, _ = refusal(groups.rollback_instance_refresh, **NAME)
    assert code == "IrreversibleInstanceRefresh"
    groups.cancel_instance_refresh(WaitForTransitioningInstances=False, **NAME)
    assert refresh(clocked)["Status"] == "Cancelled"


def test_a_refresh_waits_an_hour_for_who_is_protected_or_stands_by(clocked):
    one, other = grown(clocked, 2)
    groups = clocked.groups
    groups.set_instance_protection(InstanceIds=[one], ProtectedFromScaleIn=True, **NAME)
    groups.enter_standby(InstanceIds=[other], ShouldDecrementDesiredCapacity=True, **NAME)
    start(clocked, ScaleInProtectedInstances="Ignore", StandbyInstances="Ignore")
    until_status(clocked, "Successful")
    assert clocked.running() == sorted([one, other])
    start(clocked, StandbyInstances="Terminate")
    until_reason(
        clocked,
        f"Waiting for remaining instances to be available. For example: {one} is protected. "
        "Remove instance scale-in protection to continue.",
    )
    assert clocked.state(other) == "terminated"
    clocked.advance("1h")
    failed = until_status(clocked, "Failed")
    assert failed["StatusReason"].startswith("The instance refresh could not continue within one")
    assert f"{one} is protected." in failed["StatusReason"]
    start(clocked, ScaleInProtectedInstances="Refresh")
    until_status(clocked, "Successful")
    assert one not in clocked.serving()


def test_an_alarm_has_a_refresh_fail_and_be_undone(clocked):
    grown(clocked, 2)
    watch = clocked.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="bad", Namespace="n", MetricName="m", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    alarms = {"Alarms": ["bad"]}
    start(clocked, AlarmSpecification=alarms, AutoRollback=True, BakeTime=600)
    told = until_reason(clocked, "Waiting for bake time")
    assert told["Status"] == "Baking" and told["Preferences"]["AlarmSpecification"] == alarms
    assert versions(clocked) == ["2", "2"]
    watch.set_alarm_state(AlarmName="bad", StateValue="ALARM", StateReason="of a test")
    done = until_status(clocked, "RollbackSuccessful")
    assert "alarm bad" in done["RollbackDetails"]["RollbackReason"]
    clocked.until_serving(2)
    assert versions(clocked) == ["1", "1"]


def test_a_refresh_goes_on_after_a_kill(scaled):  # noqa: F811
    grown(scaled, 3)
    told = start(scaled, MinHealthyPercentage=50, SkipMatching=True)
    until(lambda: "2" in versions(scaled) or len(versions(scaled)) < 3, "it is under way")
    scaled.kill()
    scaled.start()
    done = until_status(scaled, "Successful")
    assert done["InstanceRefreshId"] == told
    serving = scaled.until_serving(3)
    assert versions(scaled) == ["2"] * 3 and scaled.running() == serving
    launched = [one for one in scaled.activities() if one["Description"].startswith("Launching")]
    assert len(launched) == 6


def test_a_refresh_rests_while_it_is_suspended(scaled):  # noqa: F811
    grown(scaled, 1)
    groups = scaled.groups
    groups.suspend_processes(ScalingProcesses=["InstanceRefresh"], **NAME)
    start(scaled)
    until_reason(scaled, "The InstanceRefresh process is suspended.")
    assert versions(scaled) == ["1"]
    groups.resume_processes(ScalingProcesses=["InstanceRefresh"], **NAME)
    until_status(scaled, "Successful")
    assert versions(scaled) == ["2"]


def test_what_a_refresh_cannot_be_is_refused(scaled):  # noqa: F811
    grown(scaled, 0)
    begin = scaled.groups.start_instance_refresh
    mixed = {"LaunchTemplate": {"LaunchTemplateSpecification": SECOND}}
    for more, word in [
        ({"Strategy": "ReplaceRootVolume"}, "Strategy"),
        ({"DesiredConfiguration": {"MixedInstancesPolicy": mixed}}, "MixedInstancesPolicy"),
        ({"DesiredConfiguration": {"LaunchTemplate": SECOND | {"Version": "9"}}}, "version"),
    ]:
        code, message = refusal(begin, **NAME, **more)
        assert code == "ValidationError" and word in message
    for preferences, word in [
        ({"MaxHealthyPercentage": 110}, "MinHealthyPercentage"),
        ({"MinHealthyPercentage": 10, "MaxHealthyPercentage": 150}, "difference"),
        ({"CheckpointPercentages": [50, 20]}, "ascending"),
        ({"CheckpointDelay": 60}, "CheckpointPercentages"),
        ({"AutoRollback": True}, "DesiredConfiguration"),
        ({"AlarmSpecification": {"Alarms": ["none"]}}, "none"),
        ({"StandbyInstances": "Refresh"}, "StandbyInstances"),
        ({"ScaleInProtectedInstances": "Terminate"}, "ScaleInProtectedInstances"),
        ({"MinHealthyPercentage": 101, "MaxHealthyPercentage": 101}, "minHealthyPercentage"),
    ]:
        try:
            code, message = refusal(begin, Preferences=preferences, **NAME)
        except ParamValidationError:
            continue  # The client knows as well.
        assert code == "ValidationError" and word.lower() in message.lower(), preferences
    for call in (begin, scaled.groups.describe_instance_refreshes,
                 scaled.groups.cancel_instance_refresh):  # fmt: skip
        code, message = refusal(call, AutoScalingGroupName="none")
        assert (code, message) == (
            "ValidationError",
            "AutoScalingGroup name not found - AutoScalingGroup none not found",
        )


def test_who_is_replaced_finishes_what_it_holds(make_scaled):  # noqa: F811
    scaled = fast(make_scaled)
    queue = scaled.client("sqs")
    url = queue.create_queue(QueueName="work")["QueueUrl"]
    scaled.make(DesiredCapacity=1)
    (one,) = scaled.until_serving(1)
    queue.send_message(QueueUrl=url, MessageBody="2")
    counts = ["ApproximateNumberOfMessagesNotVisible"]

    def in_flight():
        told = queue.get_queue_attributes(QueueUrl=url, AttributeNames=counts)
        return told["Attributes"][counts[0]] == "1"

    until(in_flight, "it is at work")
    start(scaled, {})
    until(lambda: len(scaled.serving()) == 1 and one not in scaled.serving(), "another serves")
    assert scaled.state(one) == "running"
    assert refresh(scaled)["Status"] == "InProgress"
    until_status(scaled, "Successful")
    assert scaled.state(one) == "terminated" and scaled.logged(one).count("did ") == 1
