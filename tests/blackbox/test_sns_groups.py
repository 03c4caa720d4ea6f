"""Groups of EC2 Auto Scaling that tell topics what they do, and queues who waits."""

import json

import pytest

from groups import make_scaled, scaled  # noqa: F401
from server import until
from topics import ACCOUNT, Listener, listening, refusal

LAUNCH = "autoscaling:EC2_INSTANCE_LAUNCH"
LAUNCH_ERROR = "autoscaling:EC2_INSTANCE_LAUNCH_ERROR"
TERMINATE = "autoscaling:EC2_INSTANCE_TERMINATE"
TERMINATE_ERROR = "autoscaling:EC2_INSTANCE_TERMINATE_ERROR"
TEST = "autoscaling:TEST_NOTIFICATION"


def notify(service, topic, *kinds, group="workers"):
    service.groups.put_notification_configuration(
        AutoScalingGroupName=group, TopicARN=topic, NotificationTypes=kinds
    )


class Told:
    """All that a listener was told, gathered as it comes."""

    def __init__(self, listener):
        self.listener = listener
        self.notes = []

    def until(self, count):
        """Waits until there were so many; what they said."""

        def enough():
            self.notes += self.listener.notes()
            return len(self.notes) >= count

        until(enough, f"{count} notifications have come")
        return [json.loads(note["Message"]) for note in self.notes]


def test_a_topic_is_told_of_who_comes_and_goes_in_awss_words(scaled):
    scaled.template()
    scaled.make()
    topic, listener = listening(scaled, scaled.client("sns"), "told")
    notify(scaled, topic, LAUNCH, TERMINATE)
    told = Told(listener)
    (trial,) = told.until(1)
    arn = scaled.group()["AutoScalingGroupARN"]
    assert told.notes[0]["Subject"] == 'Auto Scaling: test notification for group "workers"'
    del trial["RequestId"], trial["Time"]
    assert trial == {
        "AccountId": ACCOUNT,
        "AutoScalingGroupARN": arn,
        "AutoScalingGroupName": "workers",
        "Service": "AWS Auto Scaling",
        "Event": TEST,
    }
    scaled.groups.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=1)
    (instance,) = scaled.until_serving(1)
    _, launch = told.until(2)
    (activity,) = scaled.activities()
    assert told.notes[1]["Subject"] == 'Auto Scaling: launch for group "workers"'
    for time in ("StartTime", "EndTime", "Time"):
        assert launch.pop(time).endswith("Z")
    assert launch == {
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
        "Progress": 50,
        "AccountId": ACCOUNT,
        "Description": f"Launching a new EC2 instance: {instance}",
        "RequestId": activity["ActivityId"],
        "AutoScalingGroupARN": arn,
        "ActivityId": activity["ActivityId"],
        "Service": "AWS Auto Scaling",
        "EC2InstanceId": instance,
        "StatusCode": "InProgress",
        "StatusMessage": "",
        "Details": {"Availability Zone": "us-east-1a"},
        "AutoScalingGroupName": "workers",
        "Cause": activity["Cause"],
        "Event": LAUNCH,
    }
    scaled.groups.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=0)
    gone = told.until(3)[2]
    assert told.notes[2]["Subject"] == 'Auto Scaling: termination for group "workers"'
    assert (gone["Event"], gone["EC2InstanceId"]) == (TERMINATE, instance)
    assert (gone["Origin"], gone["Destination"]) == ("AutoScalingGroup", "EC2")


def test_a_launch_that_fails_is_told_to_those_who_asked(scaled):
    template = scaled.template()
    scaled.make()
    sns = scaled.client("sns")
    topic, listener = listening(scaled, sns, "errors")
    notify(scaled, topic, LAUNCH_ERROR)
    scaled.ec2.delete_launch_template(LaunchTemplateId=template)
    scaled.groups.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=1)
    failed = Told(listener).until(2)[1]
    assert (failed["Event"], failed["StatusCode"]) == (LAUNCH_ERROR, "Failed")
    assert failed["EC2InstanceId"] == "" and failed["StatusMessage"]


def test_whom_groups_tell_is_put_described_and_deleted(scaled):
    scaled.template()
    for name in ("one", "two"):
        scaled.make(name)
    sns, groups = scaled.client("sns"), scaled.groups
    topics = [sns.create_topic(Name=f"t-{number:02}")["TopicArn"] for number in range(11)]
    notify(scaled, topics[0], LAUNCH, TERMINATE, group="one")
    notify(scaled, topics[0], LAUNCH_ERROR, group="one")
    notify(scaled, topics[1], LAUNCH, TEST, group="two")

    def described(**asked):
        found = groups.describe_notification_configurations(**asked)
        told = found["NotificationConfigurations"]
        names = ("AutoScalingGroupName", "TopicARN", "NotificationType")
        return [tuple(it[name] for name in names) for it in told], found.get("NextToken")

    every = [
        ("one", topics[0], LAUNCH_ERROR),
        ("two", topics[1], LAUNCH),
        ("two", topics[1], TEST),
    ]
    assert described() == (every, None)
    assert described(AutoScalingGroupNames=["two"]) == (every[1:], None)
    first, token = described(MaxRecords=2)
    assert (first, described(MaxRecords=2, NextToken=token)) == (every[:2], (every[2:], None))
    of_one = {"AutoScalingGroupName": "one", "TopicARN": topics[0]}
    groups.delete_notification_configuration(**of_one)
    groups.delete_notification_configuration(**of_one)
    assert described(AutoScalingGroupNames=["one"]) == ([], None)
    for topic in topics[:10]:
        notify(scaled, topic, LAUNCH, group="one")
    more = {"AutoScalingGroupName": "one", "TopicARN": topics[10], "NotificationTypes": [LAUNCH]}
    assert refusal(groups.put_notification_configuration, **more)[0] == "LimitExceeded"
    types = groups.describe_auto_scaling_notification_types()["AutoScalingNotificationTypes"]
    assert types == [LAUNCH, LAUNCH_ERROR, TERMINATE, TERMINATE_ERROR, TEST]

    def told(**more):
        asked = {"AutoScalingGroupName": "two", "TopicARN": topics[0]}
        asked["NotificationTypes"] = [LAUNCH]
        code, message = refusal(groups.put_notification_configuration, **(asked | more))
        assert code == "ValidationError"
        return message

    assert "is not a valid Notification Type" in told(NotificationTypes=["x"])
    assert "not found" in told(AutoScalingGroupName="three")
    elsewhere = topics[0].replace("us-east-1", "eu-west-1")
    for nobody in (topics[0] + "-x", elsewhere, "x", Listener(scaled).arn):
        assert f"notification target {nobody}." in told(TopicARN=nobody)
    missing = {"AutoScalingGroupNames": ["three"]}
    assert refusal(groups.describe_notification_configurations, **missing)[0] == "ValidationError"


@pytest.mark.parametrize("kind", ["topic", "queue"])
def test_whom_a_hook_names_is_told_who_waits_and_may_answer(scaled, kind):
    scaled.template()
    scaled.make()
    topic, listener = listening(scaled, scaled.client("sns"), "hooked")
    target = topic if kind == "topic" else listener.arn
    hook = {"AutoScalingGroupName": "workers", "LifecycleHookName": "in"}
    scaled.groups.put_lifecycle_hook(
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        NotificationTargetARN=target,
        RoleARN="arn:aws:iam::000000000000:role/hooks",
        NotificationMetadata="a word",
        **hook,
    )
    (shown,) = scaled.groups.describe_lifecycle_hooks(AutoScalingGroupName="workers")[
        "LifecycleHooks"
    ]
    assert shown["NotificationTargetARN"] == target
    assert shown["RoleARN"].endswith("role/hooks")
    scaled.groups.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=1)
    found = []

    def enough():
        found.extend(listener.notes())
        return len(found) == 2

    until(enough, "the hook's target was told")
    if kind == "topic":
        (instance,) = (it["InstanceId"] for it in scaled.group()["Instances"])
        subject = f"Lifecycle action 'LAUNCHING' for instance {instance} in progress."
        assert found[1]["Subject"] == f"Auto Scaling:  {subject}"
        found = [json.loads(note["Message"]) for note in found]
    trial, waits = found
    assert trial["Event"] == TEST
    (instance,) = (it["InstanceId"] for it in scaled.group()["Instances"])
    token = waits["LifecycleActionToken"]
    assert waits.pop("Time").endswith("Z")
    assert waits == {
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
        "LifecycleHookName": "in",
        "AccountId": ACCOUNT,
        "RequestId": token,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "AutoScalingGroupName": "workers",
        "Service": "AWS Auto Scaling",
        "EC2InstanceId": instance,
        "LifecycleActionToken": token,
        "NotificationMetadata": "a word",
    }
    answer = {"LifecycleActionToken": token, "LifecycleActionResult": "CONTINUE"}
    scaled.groups.complete_lifecycle_action(**hook, **answer)
    assert scaled.until_serving(1) == [instance]


def test_a_hook_that_would_tell_nobody_is_refused(scaled):
    scaled.template()
    nobody = f"arn:aws:sqs:us-east-1:{ACCOUNT}:nobody"
    hook = {
        "LifecycleHookName": "in",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "NotificationTargetARN": nobody,
    }
    told = f"Unable to publish test message to notification target {nobody}."
    with pytest.raises(scaled.groups.exceptions.ClientError, match=told):
        scaled.make(LifecycleHookSpecificationList=[hook])
    scaled.make()
    put = scaled.groups.put_lifecycle_hook
    assert refusal(put, AutoScalingGroupName="workers", **hook)[1].startswith(told)
    listener = Listener(scaled)
    hook["NotificationTargetARN"] = listener.arn
    put(AutoScalingGroupName="workers", **hook)
    (trial,) = until(listener.notes, "the hook's target was told")
    assert trial["Event"] == TEST
    hook["NotificationTargetARN"] = ""
    put(AutoScalingGroupName="workers", **hook)
    (shown,) = scaled.groups.describe_lifecycle_hooks(AutoScalingGroupName="workers")[
        "LifecycleHooks"
    ]
    assert "NotificationTargetARN" not in shown


def test_what_a_group_has_to_say_is_said_though_the_service_is_killed_in_the_middle(scaled):
    scaled.template()
    scaled.make()
    topic, listener = listening(scaled, scaled.client("sns"), "owed")
    notify(scaled, topic, LAUNCH, TERMINATE)
    told = Told(listener)
    for desired in (4, 0, 3):
        scaled.groups.set_desired_capacity(
            AutoScalingGroupName="workers", DesiredCapacity=desired
        )
        until(lambda: len(scaled.activities()) > 0, "something is done")
        scaled.kill()
        scaled.start()
    scaled.until_serving(3)

    def all_told():
        told.notes += listener.notes()
        said = [json.loads(note["Message"]) for note in told.notes]
        known = {it["ActivityId"] for it in said if "ActivityId" in it}
        done = {it["ActivityId"] for it in scaled.activities() if it["StatusCode"] == "Successful"}
        return len(done) >= 3 and done <= known

    until(all_told, "all that was done is told")
