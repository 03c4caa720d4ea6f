"""Groups: made, described, changed, deleted, and what they do by themselves."""

import json
import re

from clients import command_line
from groups import SLEEPER, make_scaled, refusal, scaled  # noqa: F401 (fixtures)
from server import until

STAMP = r"At \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


def said(activity):
    """The sentences of a cause, without their times."""
    sentences = activity["Cause"].split("  ")
    assert all(re.match(STAMP, sentence) for sentence in sentences), activity["Cause"]
    return [re.sub(STAMP, "", sentence, count=1) for sentence in sentences]


def test_a_group_launches_as_many_as_it_is_told_and_says_why(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=2, Tags=[
        {"Key": "team", "Value": "a", "PropagateAtLaunch": True},
        {"Key": "kept", "Value": "b", "PropagateAtLaunch": False},
    ])
    first = scaled.until_serving(2)
    tags = {tag["Key"]: tag["Value"] for tag in scaled.describe(first[0])["Tags"]}
    assert tags["aws:autoscaling:groupName"] == "workers"
    assert tags["team"] == "a" and "kept" not in tags
    until(lambda: all(len(scaled.processes(one)) == 1 for one in first), "both run")
    for activity in scaled.activities():
        assert activity["StatusCode"] == "Successful"
        assert activity["Progress"] == 100
        assert activity["Description"].removeprefix("Launching a new EC2 instance: ") in first
        assert said(activity) == [
            "a user request created an AutoScalingGroup changing the desired capacity from 0 to 2.",
            "an instance was started in response to a difference between desired and actual "
            "capacity, increasing the capacity from 0 to 2.",
        ]
        assert json.loads(activity["Details"]) == {"Availability Zone": "us-east-1a"}
        assert activity["EndTime"] >= activity["StartTime"]
    scaled.groups.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=1)
    (left,) = scaled.until_serving(1)
    (gone,) = set(first) - {left}
    assert scaled.state(gone) == "terminated" and scaled.processes(gone) == []
    activity = scaled.activities()[0]
    assert activity["Description"] == f"Terminating EC2 instance: {gone}"
    assert said(activity) == [
        "a user request explicitly set group desired capacity changing the desired capacity from 2 "
        "to 1.",
        "an instance was taken out of service in response to a difference between desired and "
        "actual capacity, shrinking the capacity from 2 to 1.",
        f"instance {gone} was selected for termination.",
    ]


def test_a_group_is_described_as_it_was_made(scaled):
    template = scaled.template()
    scaled.make(
        least=0,
        most=4,
        VPCZoneIdentifier="subnet-1,subnet-2",
        DefaultCooldown=60,
        HealthCheckGracePeriod=30,
        HealthCheckType="EC2",
        DefaultInstanceWarmup=20,
        TerminationPolicies=["OldestInstance", "Default"],
        NewInstancesProtectedFromScaleIn=True,
        MaxInstanceLifetime=86400,
        Context="mine",
        DeletionProtection="none",
        Tags=[{"Key": "k", "Value": "v", "PropagateAtLaunch": True}],
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
    )
    group = scaled.group()
    assert re.fullmatch(
        r"arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:[0-9a-f-]{36}:"
        r"autoScalingGroupName/workers",
        group["AutoScalingGroupARN"],
    )
    expected = {
        "MinSize": 0, "MaxSize": 4, "DesiredCapacity": 0, "DefaultCooldown": 60,
        "HealthCheckGracePeriod": 30, "HealthCheckType": "EC2", "DefaultInstanceWarmup": 20,
        "TerminationPolicies": ["OldestInstance", "Default"], "AvailabilityZones": ["us-east-1a"],
        "NewInstancesProtectedFromScaleIn": True, "MaxInstanceLifetime": 86400, "Context": "mine",
        "VPCZoneIdentifier": "subnet-1,subnet-2", "Instances": [], "SuspendedProcesses": [],
        "EnabledMetrics": [], "CapacityRebalance": False, "DeletionProtection": "none",
        "LaunchTemplate": {"LaunchTemplateId": template, "LaunchTemplateName": "worker",
                           "Version": "$Latest"},
        "Tags": [{"ResourceId": "workers", "ResourceType": "auto-scaling-group", "Key": "k",
                  "Value": "v", "PropagateAtLaunch": True}],
    }
    assert {name: group[name] for name in expected} == expected
    update = scaled.groups.update_auto_scaling_group
    update(AutoScalingGroupName="workers", MaxSize=3, MinSize=1, DefaultInstanceWarmup=-1)
    (instance,) = scaled.until_serving(1)
    group = scaled.group()
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (1, 3, 1)
    assert "DefaultInstanceWarmup" not in group and group["DefaultCooldown"] == 60
    (told,) = group["Instances"]
    assert told == {
        "InstanceId": instance, "InstanceType": "t3.micro", "AvailabilityZone": "us-east-1a",
        "LifecycleState": "InService", "HealthStatus": "Healthy", "ImageId": "process",
        "ProtectedFromScaleIn": True,
        "LaunchTemplate": {"LaunchTemplateId": template, "LaunchTemplateName": "worker",
                           "Version": "1"},
    }
    assert said(scaled.activities()[0])[0] == (
        "a user request update of AutoScalingGroup constraints to min: 1, max: 3, desired: 1 "
        "changing the desired capacity from 0 to 1."
    )
    (details,) = scaled.groups.describe_auto_scaling_instances()["AutoScalingInstances"]
    assert details["AutoScalingGroupName"] == "workers"
    assert (details["HealthStatus"], details["LifecycleState"]) == ("HEALTHY", "InService")


def test_who_dies_is_terminated_first_and_then_replaced(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=1)
    (first,) = scaled.until_serving(1)
    scaled.ec2.terminate_instances(InstanceIds=[first])
    until(lambda: scaled.serving() not in ([], [first]), "another serves")
    launched, terminated = scaled.activities()[:2]
    assert said(launched) == [
        "an instance was launched in response to an unhealthy instance needing to be replaced."
    ]
    assert said(terminated) == [
        "an instance was taken out of service in response to an EC2 health check indicating it has "
        "been terminated or stopped."
    ]
    assert launched["StartTime"] >= terminated["EndTime"]
    # One that is only stopped is of no use either.
    (second,) = scaled.serving()
    scaled.ec2.stop_instances(InstanceIds=[second])
    until(lambda: scaled.serving() not in ([], [second]), "a third serves")
    assert scaled.state(second) == "terminated"


def test_somebody_may_say_that_an_instance_is_not_healthy(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=1, HealthCheckGracePeriod=600)
    (first,) = scaled.until_serving(1)
    set_health = scaled.groups.set_instance_health
    # It is young, and that is respected unless it is said not to be.
    set_health(InstanceId=first, HealthStatus="Unhealthy")
    assert scaled.group()["Instances"][0]["HealthStatus"] == "Healthy"
    set_health(InstanceId=first, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    until(lambda: scaled.serving() not in ([], [first]), "another serves")
    assert said(scaled.activities()[1]) == [
        "an instance was taken out of service in response to a user health-check."
    ]
    assert refusal(set_health, InstanceId=first, HealthStatus="Unhealthy") == (
        "ValidationError",
        f"Instance Id not found - No managed instance found for instance ID: {first}",
    )


def test_an_instance_is_terminated_by_its_id_and_followed_or_not(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=2, least=1)
    first, second = scaled.until_serving(2)
    terminate = scaled.groups.terminate_instance_in_auto_scaling_group
    told = terminate(InstanceId=first, ShouldDecrementDesiredCapacity=True)["Activity"]
    assert told["StatusCode"] == "InProgress"
    assert said(told) == [
        f"instance {first} was taken out of service in response to a user request, shrinking the "
        "capacity from 2 to 1."
    ]
    assert scaled.until_serving(1) == [second]
    code, message = refusal(terminate, InstanceId=second, ShouldDecrementDesiredCapacity=True)
    assert code == "ValidationError" and message.startswith(
        "Currently, desiredSize equals minSize (1). Terminating instance without replacement will "
        "violate group's min size constraint."
    )
    terminate(InstanceId=second, ShouldDecrementDesiredCapacity=False)
    until(lambda: scaled.serving() not in ([], [second]), "another follows")


def test_protected_instances_are_spared_and_that_is_told(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=2)
    one, other = scaled.until_serving(2)
    protect = scaled.groups.set_instance_protection
    names = {"AutoScalingGroupName": "workers"}
    protect(InstanceIds=[one, other], ProtectedFromScaleIn=True, **names)
    scaled.groups.set_desired_capacity(DesiredCapacity=0, **names)
    until(lambda: scaled.activities()[0]["StatusCode"] == "Cancelled", "it is told")
    activity = scaled.activities()[0]
    assert activity["Description"] == (
        "Could not scale to desired capacity because all remaining instances are protected from "
        "scale-in."
    )
    assert said(activity)[-1] == "group reached equilibrium."
    assert scaled.group()["DesiredCapacity"] == 0
    protect(InstanceIds=[one], ProtectedFromScaleIn=False, **names)
    assert scaled.until_serving(1) == [other]
    strange = "i-00000000000000001"
    assert refusal(protect, InstanceIds=[strange], ProtectedFromScaleIn=True, **names) == (
        "ValidationError",
        f"The instance {strange} is not part of Auto Scaling group workers.",
    )


def test_a_launch_that_fails_is_told_and_tried_again_later(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=0)
    scaled.ec2.delete_launch_template(LaunchTemplateName="worker")
    scaled.groups.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=1)
    until(lambda: len(scaled.activities()) >= 2, "it was tried twice")
    for activity in scaled.activities():
        assert activity["StatusCode"] == "Failed"
        assert activity["Description"].startswith(
            "Launching a new EC2 instance.  Status Reason: The specified launch template, with "
        )
        assert activity["StatusMessage"].endswith("Launching EC2 instance failed.")
    times = [activity["StartTime"] for activity in scaled.activities()]
    assert (times[0] - times[1]).total_seconds() >= 2
    scaled.template(name="other")
    scaled.groups.update_auto_scaling_group(
        AutoScalingGroupName="workers", LaunchTemplate={"LaunchTemplateName": "other"}
    )
    scaled.until_serving(1)


def test_suspended_processes_rest_until_they_are_resumed(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=1)
    (first,) = scaled.until_serving(1)
    names = {"AutoScalingGroupName": "workers"}

    def suspend(*processes):
        others = [one["ProcessName"] for one in scaled.group()["SuspendedProcesses"]]
        scaled.groups.suspend_processes(ScalingProcesses=[*processes], **names)
        if others:
            scaled.groups.resume_processes(ScalingProcesses=others, **names)
        suspended = [one["ProcessName"] for one in scaled.group()["SuspendedProcesses"]]
        assert suspended == sorted(processes)

    def want(count):
        scaled.groups.set_desired_capacity(DesiredCapacity=count, **names)
        scaled.look()

    suspend("Launch")
    want(2)
    assert len(scaled.group()["Instances"]) == 1
    suspend("Terminate")
    scaled.until_serving(2)
    want(1)
    assert len(scaled.serving()) == 2
    suspend("HealthCheck")
    (first,) = scaled.until_serving(1)
    scaled.ec2.stop_instances(InstanceIds=[first])
    until(lambda: scaled.state(first) == "stopped", "it is stopped")
    scaled.look()
    (told,) = scaled.group()["Instances"]
    assert (told["LifecycleState"], told["HealthStatus"]) == ("InService", "Healthy")
    suspend("ReplaceUnhealthy")
    until(
        lambda: scaled.group()["Instances"][0]["HealthStatus"] == "Unhealthy", "it is judged"
    )
    scaled.look()
    assert scaled.serving() == [first]
    scaled.groups.resume_processes(**names)
    until(lambda: scaled.serving() not in ([], [first]), "it is replaced")
    assert scaled.group()["SuspendedProcesses"] == []
    code, _ = refusal(scaled.groups.suspend_processes, ScalingProcesses=["Sleep"], **names)
    assert code == "ValidationError"


def test_a_group_is_deleted_when_it_is_empty_or_by_force(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=1)
    (first,) = scaled.until_serving(1)
    delete = scaled.groups.delete_auto_scaling_group
    assert refusal(delete, AutoScalingGroupName="workers") == (
        "ResourceInUse",
        "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance "
        "request(s) still in the group.",
    )
    delete(AutoScalingGroupName="workers", ForceDelete=True)
    until(lambda: scaled.group() is None, "it is gone")
    assert scaled.state(first) == "terminated"
    assert refusal(scaled.activities) == (
        "ValidationError",
        "AutoScalingGroup name not found - AutoScalingGroup workers not found",
    )
    remembered = scaled.activities(IncludeDeletedGroups=True)
    assert [one["AutoScalingGroupState"] for one in remembered] == ["Deleted"] * 2
    scaled.make()
    assert scaled.activities() == []
    delete(AutoScalingGroupName="workers")
    assert scaled.group() is None


def test_deletion_protection_is_obeyed(scaled):
    scaled.template()
    scaled.make(DeletionProtection="prevent-all-deletion")
    names = {"AutoScalingGroupName": "workers"}
    code, _ = refusal(scaled.groups.delete_auto_scaling_group, **names)
    assert code == "ValidationError"
    update = scaled.groups.update_auto_scaling_group
    update(DeletionProtection="prevent-force-deletion", **names)
    code, _ = refusal(scaled.groups.delete_auto_scaling_group, ForceDelete=True, **names)
    assert code == "ValidationError"
    scaled.groups.delete_auto_scaling_group(**names)


def test_sizes_outside_of_the_limits_are_refused_as_on_aws(scaled):
    scaled.template()
    name = {"AutoScalingGroupName": "workers"}
    make = scaled.groups.create_auto_scaling_group
    template = {"LaunchTemplate": {"LaunchTemplateName": "worker"}}
    assert refusal(make, MinSize=2, MaxSize=1, **name, **template) == (
        "ValidationError",
        "Max bound, 1, must be greater than or equal to min bound, 2",
    )
    assert refusal(make, MinSize=0, MaxSize=1, DesiredCapacity=2, **name, **template) == (
        "ValidationError",
        "Desired capacity:2 must be between the specified min size:0 and max size:1",
    )
    assert refusal(make, MinSize=0, MaxSize=1, **name) == (
        "ValidationError",
        "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
        "MixedInstancesPolicy parameter.",
    )
    missing = {"LaunchTemplateName": "none"}
    assert refusal(make, MinSize=0, MaxSize=1, LaunchTemplate=missing, **name) == (
        "ValidationError",
        "You must use a valid fully-formed launch template. The specified launch template, with "
        "template name none, does not exist.",
    )
    scaled.make(most=1)
    assert refusal(make, MinSize=0, MaxSize=1, **name, **template) == (
        "AlreadyExists",
        "AutoScalingGroup by this name already exists - A group with the name workers already "
        "exists",
    )
    resize = scaled.groups.set_desired_capacity
    assert refusal(resize, DesiredCapacity=2, **name) == (
        "ValidationError",
        "New SetDesiredCapacity value 2 is above max value 1 for the AutoScalingGroup.",
    )
    assert refusal(resize, DesiredCapacity=0, AutoScalingGroupName="none")[0] == "ValidationError"


def test_a_cooldown_is_honoured_where_that_is_asked_for(make_scaled):
    scaled = make_scaled("--clock", "manual").start()
    scaled.template()
    scaled.make(DesiredCapacity=1, DefaultCooldown=60)
    scaled.until_serving(1)
    name = {"AutoScalingGroupName": "workers"}
    resize = scaled.groups.set_desired_capacity
    code, _ = refusal(resize, DesiredCapacity=2, HonorCooldown=True, **name)
    assert code == "ScalingActivityInProgress"
    scaled.advance("60s")
    resize(DesiredCapacity=2, HonorCooldown=True, **name)
    scaled.until_serving(2)


def test_a_launch_configuration_is_launched_from(scaled):
    make = scaled.groups.create_launch_configuration
    names = {"LaunchConfigurationName": "old"}
    make(ImageId="process", InstanceType="t3.micro", UserData=SLEEPER, KeyName="k",
         SecurityGroups=["sg-1"], IamInstanceProfile="role", **names)
    code, _ = refusal(make, ImageId="process", InstanceType="t3.micro", **names)
    assert code == "AlreadyExists"
    (told,) = scaled.groups.describe_launch_configurations()["LaunchConfigurations"]
    assert (told["ImageId"], told["InstanceType"], told["KeyName"]) == ("process", "t3.micro", "k")
    assert (told["SecurityGroups"], told["IamInstanceProfile"]) == (["sg-1"], "role")
    scaled.groups.create_auto_scaling_group(
        AutoScalingGroupName="workers", MinSize=1, MaxSize=1, **names
    )
    (one,) = scaled.until_serving(1)
    assert scaled.group()["Instances"][0]["LaunchConfigurationName"] == "old"
    assert scaled.describe(one)["IamInstanceProfile"]["Arn"].endswith("instance-profile/role")
    delete = scaled.groups.delete_launch_configuration
    assert refusal(delete, **names) == (
        "ResourceInUse",
        "Cannot delete launch configuration old because it is attached to AutoScalingGroup workers",
    )
    scaled.end_groups()
    delete(**names)
    assert scaled.groups.describe_launch_configurations()["LaunchConfigurations"] == []


def test_tags_are_set_and_taken_and_found(scaled):
    scaled.template()
    scaled.make(name="a")
    scaled.make(name="b")

    def tag(group, key, value, at_launch=False):
        return {"ResourceId": group, "ResourceType": "auto-scaling-group", "Key": key,
                "Value": value, "PropagateAtLaunch": at_launch}

    every = [tag("a", "x", "1"), tag("a", "y", "2", True), tag("b", "x", "3")]
    scaled.groups.create_or_update_tags(Tags=every)
    describe = scaled.groups.describe_tags
    assert describe()["Tags"] == every
    assert describe(Filters=[{"Name": "key", "Values": ["x"]}])["Tags"] == [every[0], every[2]]
    first = describe(MaxRecords=2)
    assert first["Tags"] == every[:2]
    # The next page begins where this one ended, though what it ended with is gone.
    scaled.groups.delete_tags(Tags=[every[1]])
    assert describe(NextToken=first["NextToken"])["Tags"] == every[2:]
    scaled.groups.create_or_update_tags(Tags=[every[1]])
    found = scaled.groups.describe_auto_scaling_groups(Filters=[{"Name": "tag:x", "Values": ["3"]}])
    assert [one["AutoScalingGroupName"] for one in found["AutoScalingGroups"]] == ["b"]
    scaled.groups.delete_tags(Tags=[tag("a", "x", "1")])
    assert describe(Filters=[{"Name": "auto-scaling-group", "Values": ["a"]}])["Tags"] == [every[1]]
    # Of a request for several groups all is done or nothing.
    left = describe()["Tags"]
    wrong = [tag("a", "z", "1"), tag("none", "x", "1")]
    assert refusal(scaled.groups.create_or_update_tags, Tags=wrong)[0] == "ValidationError"
    wrong = [tag("b", "x", "3"), tag("none", "x", "1")]
    assert refusal(scaled.groups.delete_tags, Tags=wrong)[0] == "ValidationError"
    assert describe()["Tags"] == left


def test_metrics_are_asked_for_by_name(scaled):
    scaled.template()
    scaled.make()
    name = {"AutoScalingGroupName": "workers"}
    enable = scaled.groups.enable_metrics_collection
    enable(Granularity="1Minute", Metrics=["GroupInServiceInstances"], **name)
    expected = [{"Metric": "GroupInServiceInstances", "Granularity": "1Minute"}]
    assert scaled.group()["EnabledMetrics"] == expected
    enable(Granularity="1Minute", **name)
    assert len(scaled.group()["EnabledMetrics"]) == 8
    scaled.groups.disable_metrics_collection(**name)
    assert scaled.group()["EnabledMetrics"] == []
    assert refusal(enable, Granularity="5Minute", **name)[0] == "ValidationError"
    types = scaled.groups.describe_metric_collection_types()
    assert len(types["Metrics"]) == 8


def test_what_there_is_to_choose_from_is_listed(scaled):
    groups = scaled.groups
    assert len(groups.describe_scaling_process_types()["Processes"]) == 9
    policies = groups.describe_termination_policy_types()["TerminationPolicyTypes"]
    assert "OldestLaunchTemplate" in policies
    limits = groups.describe_account_limits()
    assert (limits["MaxNumberOfAutoScalingGroups"], limits["NumberOfAutoScalingGroups"]) == (500, 0)


def test_what_a_group_here_cannot_be_is_refused_by_name(scaled):
    scaled.template()
    make = scaled.groups.create_auto_scaling_group
    names = {"AutoScalingGroupName": "workers", "MinSize": 0, "MaxSize": 1,
             "LaunchTemplate": {"LaunchTemplateName": "worker"}}
    for name, value in [
        ("TargetGroupARNs", ["arn:aws:elasticloadbalancing:x"]),
        ("LoadBalancerNames", ["lb"]),
        ("CapacityRebalance", True),
        ("HealthCheckType", "ELB"),
        ("PlacementGroup", "p"),
        ("TerminationPolicies", ["arn:aws:lambda:us-east-1:000000000000:function:f"]),
    ]:
        code, message = refusal(make, **names, **{name: value})
        assert code == "ValidationError", name
        assert name in message or "termination policy" in message
    assert scaled.group() is None


def test_the_command_line_drives_a_group(scaled):
    scaled.template()
    command_line(scaled, "autoscaling", "create-auto-scaling-group",
                 "--auto-scaling-group-name", "workers", "--min-size", "1", "--max-size", "2",
                 "--launch-template", "LaunchTemplateName=worker,Version=$Latest",
                 "--vpc-zone-identifier", "subnet-5ea0c127",
                 "--tags", "Key=env,Value=test,PropagateAtLaunch=true")
    (one,) = scaled.until_serving(1)
    told = command_line(scaled, "autoscaling", "describe-auto-scaling-groups")
    assert told["AutoScalingGroups"][0]["Instances"][0]["InstanceId"] == one
    command_line(scaled, "autoscaling", "delete-auto-scaling-group",
                 "--auto-scaling-group-name", "workers", "--force-delete")
    until(lambda: scaled.group() is None, "it is gone")


def test_groups_of_accounts_and_regions_are_apart(scaled):
    scaled.template()
    scaled.make()
    other = scaled.client("autoscaling", region="eu-west-1")
    assert other.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    stranger = scaled.client("autoscaling", key="111122223333")
    assert stranger.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert refusal(
        stranger.delete_auto_scaling_group, AutoScalingGroupName="workers"
    )[0] == "ValidationError"


def test_groups_and_their_instances_survive_a_kill(scaled):
    scaled.template()
    scaled.make(DesiredCapacity=2)
    before = scaled.until_serving(2)
    activities = scaled.activities()
    scaled.kill()
    scaled.start()
    assert scaled.until_serving(2) == before
    assert scaled.activities() == activities


def test_instances_turned_off_mean_no_groups(fresh):
    service = fresh("--instances", "false").start()
    call = service.client("autoscaling").describe_auto_scaling_groups
    assert refusal(call) == ("ValidationError", "instances are turned off (--instances)")
