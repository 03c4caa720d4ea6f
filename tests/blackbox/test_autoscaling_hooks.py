"""Lifecycle hooks, standby, and instances that are attached and detached."""

import urllib.request

import pytest

from groups import SLEEPER, make_scaled, refusal, scaled  # noqa: F401 (fixtures)
from server import until
from test_autoscaling_groups import said

NAME = {"AutoScalingGroupName": "workers"}
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


def states(scaled):
    return [one["LifecycleState"] for one in scaled.group()["Instances"]]


def until_state(scaled, state):
    until(lambda: states(scaled) == [state], f"one is {state}")
    return scaled.group()["Instances"][0]["InstanceId"]


def test_hooks_are_kept_as_they_are_put(scaled):
    scaled.template()
    scaled.make(LifecycleHookSpecificationList=[
        {"LifecycleHookName": "up", "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 60,
         "DefaultResult": "CONTINUE", "NotificationMetadata": "word"},
    ])
    groups = scaled.groups
    (told,) = groups.describe_lifecycle_hooks(**NAME)["LifecycleHooks"]
    assert told == {
        "LifecycleHookName": "up", "AutoScalingGroupName": "workers",
        "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 60, "GlobalTimeout": 6000,
        "DefaultResult": "CONTINUE", "NotificationMetadata": "word",
    }
    groups.put_lifecycle_hook(LifecycleHookName="up", HeartbeatTimeout=7200, **NAME)
    groups.put_lifecycle_hook(
        LifecycleHookName="down", LifecycleTransition=TERMINATING, **NAME
    )
    down, up = groups.describe_lifecycle_hooks(**NAME)["LifecycleHooks"]
    assert (up["HeartbeatTimeout"], up["GlobalTimeout"]) == (7200, 172_800)
    assert (down["HeartbeatTimeout"], down["DefaultResult"]) == (3600, "ABANDON")
    groups.delete_lifecycle_hook(LifecycleHookName="up", **NAME)
    found = groups.describe_lifecycle_hooks(LifecycleHookNames=["up"], **NAME)
    assert found["LifecycleHooks"] == []
    types = groups.describe_lifecycle_hook_types()["LifecycleHookTypes"]
    assert types == [LAUNCHING, TERMINATING]
    for more in [{"HeartbeatTimeout": 29}, {"DefaultResult": "MAYBE"},
                 {"NotificationTargetARN": "arn:aws:sqs:us-east-1:000000000000:q"}]:
        code, _ = refusal(groups.put_lifecycle_hook, LifecycleHookName="down", **NAME, **more)
        assert code == "ValidationError", more
    code, _ = refusal(groups.put_lifecycle_hook, LifecycleHookName="new", **NAME)
    assert code == "ValidationError"


def test_an_instance_waits_until_it_may_serve_and_until_it_may_go(scaled):
    scaled.template()
    scaled.make(LifecycleHookSpecificationList=[
        {"LifecycleHookName": "up", "LifecycleTransition": LAUNCHING},
        {"LifecycleHookName": "down", "LifecycleTransition": TERMINATING},
    ])
    groups = scaled.groups
    groups.set_desired_capacity(DesiredCapacity=1, **NAME)
    instance = until_state(scaled, "Pending:Wait")
    # It runs all the while.
    assert scaled.state(instance) == "running"
    assert scaled.activities()[0]["StatusCode"] == "MidLifecycleAction"
    until(lambda: metadata(scaled, instance) == "InService", "it is told where it goes")
    wrong = {"LifecycleHookName": "down", "LifecycleActionResult": "CONTINUE", **NAME}
    assert refusal(groups.complete_lifecycle_action, InstanceId=instance, **wrong) == (
        "ValidationError",
        f"No active Lifecycle Action found with instance ID {instance}",
    )
    groups.complete_lifecycle_action(
        LifecycleHookName="up", LifecycleActionResult="CONTINUE", InstanceId=instance, **NAME
    )
    assert until_state(scaled, "InService") == instance
    groups.set_desired_capacity(DesiredCapacity=0, **NAME)
    until_state(scaled, "Terminating:Wait")
    assert scaled.state(instance) == "running"
    until(lambda: metadata(scaled, instance) == "Terminated", "it is told where it goes")
    # What waits goes on waiting through a restart.
    scaled.kill()
    scaled.start()
    until_state(scaled, "Terminating:Wait")
    groups = scaled.groups
    groups.complete_lifecycle_action(
        LifecycleHookName="down", LifecycleActionResult="ABANDON", InstanceId=instance, **NAME
    )
    until(lambda: states(scaled) == [], "it is gone")
    assert scaled.state(instance) == "terminated"


def metadata(scaled, instance):
    """What an instance is told about where it goes."""
    address = next(
        variable.split(b"=", 1)[1].decode()
        for pid, _ in scaled.processes(instance)
        for variable in open(f"/proc/{pid}/environ", "rb").read().split(b"\0")
        if variable.startswith(b"AWS_EC2_METADATA_SERVICE_ENDPOINT=")
    )
    path = "/latest/meta-data/autoscaling/target-lifecycle-state"
    with urllib.request.urlopen(address + path, timeout=10) as answer:
        return answer.read().decode()


def test_who_is_given_up_is_terminated_and_tried_again_later(scaled):
    scaled.template()
    scaled.make(LifecycleHookSpecificationList=[
        {"LifecycleHookName": "up", "LifecycleTransition": LAUNCHING},
    ])
    scaled.groups.set_desired_capacity(DesiredCapacity=1, **NAME)
    instance = until_state(scaled, "Pending:Wait")
    scaled.groups.complete_lifecycle_action(
        LifecycleHookName="up", LifecycleActionResult="ABANDON", InstanceId=instance, **NAME
    )
    until(lambda: scaled.state(instance) == "terminated", "it is terminated")
    activity = next(one for one in scaled.activities() if instance in one["Description"]
                    and one["Description"].startswith("Launching"))
    assert activity["StatusCode"] == "Cancelled"
    assert activity["StatusMessage"].startswith(
        "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token "
    )
    assert activity["StatusMessage"].endswith(
        " was abandoned: Lifecycle Action Completed with ABANDON Result"
    )
    until(lambda: states(scaled) == ["Pending:Wait"], "another is tried")


def test_a_wait_that_nobody_ends_ends_by_itself(make_scaled):
    scaled = make_scaled("--clock", "manual").start()
    scaled.template()
    hook = {"LifecycleHookName": "up", "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 60,
            "DefaultResult": "CONTINUE"}
    scaled.make(LifecycleHookSpecificationList=[hook])
    scaled.groups.set_desired_capacity(DesiredCapacity=1, **NAME)
    instance = until_state(scaled, "Pending:Wait")
    scaled.advance("59s")
    scaled.groups.record_lifecycle_action_heartbeat(
        LifecycleHookName="up", InstanceId=instance, **NAME
    )
    scaled.advance("59s")
    scaled.look()
    assert states(scaled) == ["Pending:Wait"]
    scaled.advance("1s")
    assert until_state(scaled, "InService") == instance


@pytest.mark.parametrize(("heartbeat", "renewals"), [(60, 101), (7200, 24)])
def test_a_wait_is_renewed_for_a_hundred_heartbeats_or_two_days_at_most(
    make_scaled, heartbeat, renewals
):
    scaled = make_scaled("--clock", "manual").start()
    scaled.template()
    hook = {"LifecycleHookName": "up", "LifecycleTransition": LAUNCHING,
            "HeartbeatTimeout": heartbeat, "DefaultResult": "CONTINUE"}
    scaled.make(LifecycleHookSpecificationList=[hook])
    scaled.groups.set_desired_capacity(DesiredCapacity=1, **NAME)
    instance = until_state(scaled, "Pending:Wait")
    for _ in range(renewals):
        scaled.advance(f"{heartbeat - 1}s")
        scaled.groups.record_lifecycle_action_heartbeat(
            LifecycleHookName="up", InstanceId=instance, **NAME
        )
    scaled.look()
    assert states(scaled) == ["Pending:Wait"]
    # Its last heartbeat is not over yet.
    scaled.advance(f"{heartbeat - 1}s")
    assert until_state(scaled, "InService") == instance


def test_an_instance_stands_by_and_comes_back(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=1)
    (one,) = scaled.until_serving(1)
    groups = scaled.groups
    enter = groups.enter_standby
    (told,) = enter(InstanceIds=[one], ShouldDecrementDesiredCapacity=True, **NAME)["Activities"]
    assert told["Description"] == f"Moving EC2 instance to Standby: {one}"
    assert said(told) == [
        f"instance {one} was moved to standby in response to a user request, shrinking the "
        "capacity from 1 to 0."
    ]
    assert states(scaled) == ["Standby"] and scaled.group()["DesiredCapacity"] == 0
    assert scaled.state(one) == "running"
    (told,) = groups.exit_standby(InstanceIds=[one], **NAME)["Activities"]
    assert told["Description"] == f"Moving EC2 instance out of Standby: {one}"
    assert states(scaled) == ["InService"] and scaled.group()["DesiredCapacity"] == 1
    # Where the group is not to shrink, another follows.
    enter(InstanceIds=[one], ShouldDecrementDesiredCapacity=False, **NAME)
    until(lambda: sorted(states(scaled)) == ["InService", "Standby"], "another serves")
    groups.update_auto_scaling_group(MinSize=1, **NAME)
    (other,) = scaled.serving()
    code, message = refusal(
        enter, InstanceIds=[other], ShouldDecrementDesiredCapacity=True, **NAME
    )
    assert code == "ValidationError" and "min-size=1" in message


def test_an_instance_is_taken_in_and_let_go(scaled):
    scaled.template()
    scaled.make()
    one = scaled.run(SLEEPER)
    attach, detach = scaled.groups.attach_instances, scaled.groups.detach_instances

    def tags():
        return {tag["Key"]: tag["Value"] for tag in scaled.describe(one).get("Tags", [])}

    scaled.ec2.create_tags(
        Resources=[one], Tags=[{"Key": "team", "Value": "red"}, {"Key": "own", "Value": "x"}]
    )
    given = {"ResourceId": "workers", "ResourceType": "auto-scaling-group", "Value": "blue"}
    scaled.groups.create_or_update_tags(Tags=[
        given | {"Key": "team", "PropagateAtLaunch": True},
        given | {"Key": "kept", "PropagateAtLaunch": False},
    ])
    attach(InstanceIds=[one], **NAME)
    assert tags() == {"team": "blue", "own": "x", "aws:autoscaling:groupName": "workers"}
    assert scaled.until_serving(1) == [one]
    assert scaled.group()["DesiredCapacity"] == 1
    assert scaled.activities()[0]["Description"] == f"Attaching an existing EC2 instance: {one}"
    assert refusal(attach, InstanceIds=[one], **NAME)[0] == "ValidationError"
    (told,) = detach(InstanceIds=[one], ShouldDecrementDesiredCapacity=True, **NAME)["Activities"]
    assert said(told) == [
        f"instance {one} was detached in response to a user request, shrinking the capacity from 1 "
        "to 0."
    ]
    assert states(scaled) == [] and scaled.state(one) == "running"
    assert tags() == {"team": "blue", "own": "x"}
    stranger = "i-00000000000000001"
    assert refusal(attach, InstanceIds=[stranger], **NAME)[0] == "ValidationError"
    # Who is let go without the group shrinking is followed by another.
    attach(InstanceIds=[one], **NAME)
    detach(InstanceIds=[one], ShouldDecrementDesiredCapacity=False, **NAME)
    until(lambda: len(scaled.serving()) == 1 and scaled.serving() != [one], "another serves")
