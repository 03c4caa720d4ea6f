"""Mode fast: a group follows its queue, and nobody is stopped with a message in its hands."""

import os
import sys
from datetime import datetime, timedelta, timezone

from groups import make_scaled, refusal, scaled  # noqa: F401 (fixtures)
from server import until

NAME = {"AutoScalingGroupName": "workers"}

WORKER = f"""#!{sys.executable}
import boto3, os, time
from botocore.config import Config
sqs = boto3.client("sqs", config=Config(retries={{"total_max_attempts": 1}}))
url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
while True:
    got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, VisibilityTimeout=600)
    for one in got.get("Messages", []):
        time.sleep(float(one["Body"]))
        # Once it holds nothing it may be stopped.
        print("did", one["MessageId"], flush=True)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
"""


def fast(make_scaled, *flags):
    """A service whose instances use the tests' own libraries, wherever these are."""
    if os.geteuid() == 0:
        flags += ("--instances-user", "root", "--instances-as-root")
    service = make_scaled(*flags).start()
    service.template(user_data=WORKER)
    return service


def tags(**ours):
    return [
        {"Key": f"tidemill:{key.replace('_', '-')}", "Value": value, "PropagateAtLaunch": False}
        for key, value in ours.items()
    ]


def left(queue, url):
    told = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    waiting = "ApproximateNumberOfMessages"
    return int(told[waiting]) + int(told[waiting + "NotVisible"])


def test_a_fast_group_goes_from_zero_to_many_and_back_and_nothing_is_done_twice(make_scaled):
    scaled = fast(make_scaled)
    queue = scaled.client("sqs")
    url = queue.create_queue(QueueName="work")["QueueUrl"]
    scaled.make(most=4, Tags=tags(
        scaling_mode="fast", queue="work", goal="5", idle="3", drain="60"
    ))
    assert scaled.group()["Instances"] == []
    entries = [{"Id": str(one), "MessageBody": "0.3"} for one in range(10)]
    queue.send_message_batch(QueueUrl=url, Entries=entries)
    sent = datetime.now(timezone.utc)
    for _ in range(5):
        queue.send_message_batch(QueueUrl=url, Entries=entries)
    until(scaled.activities, "the first message is seen")
    first = min(activity["StartTime"] for activity in scaled.activities())
    assert first - sent < timedelta(seconds=2)
    until(lambda: left(queue, url) == 0, "all of it is done", 90)
    every = {one["InstanceId"] for one in scaled.group()["Instances"]}
    until(lambda: scaled.group()["Instances"] == [], "it goes down to none", 90)
    causes = [activity["Cause"] for activity in scaled.activities()]
    assert any("messages" in cause or "waited" in cause for cause in causes)
    assert any("no message was about for a while" in cause for cause in causes)
    done = [
        line.rsplit("did ", 1)[1]
        for activity in scaled.activities()
        if activity["Description"].startswith("Launching")
        for line in scaled.logged(activity["Description"].rsplit(" ", 1)[1]).splitlines()
        if "did " in line
    ]
    assert len(done) == 60 and len(set(done)) == 60
    assert every


def test_a_fast_group_finds_its_queue_by_its_target(make_scaled):
    scaled = make_scaled("--scaling-mode", "fast").start()
    scaled.template()
    queue = scaled.client("sqs")
    url = queue.create_queue(QueueName="work")["QueueUrl"]
    scaled.make(most=4)

    def measured(name, namespace, metric, of, value):
        dimensions = [{"Name": of, "Value": value}]
        named = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
        return {"Id": name, "MetricStat": {"Metric": named, "Stat": "Sum"}, "ReturnData": False}

    metrics = [
        measured("m1", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "work"),
        measured(
            "m2", "AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", "workers"
        ),
        {"Id": "e1", "Expression": "m1 / m2"},
    ]
    queue.send_message(QueueUrl=url, MessageBody="first")
    assert scaled.group()["DesiredCapacity"] == 0
    target = {"TargetValue": 100, "CustomizedMetricSpecification": {"Metrics": metrics}}
    told = scaled.groups.put_scaling_policy(
        **NAME,
        PolicyName="backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration=target,
    )
    until(lambda: scaled.group()["DesiredCapacity"] > 0, "its queue is found")
    watch = scaled.client("cloudwatch")
    for alarm in told["Alarms"]:
        watch.set_alarm_state(
            AlarmName=alarm["AlarmName"],
            StateValue="ALARM",
            StateReason="to see",
            StateReasonData="{}",
        )
        items = watch.describe_alarm_history(
            AlarmName=alarm["AlarmName"], HistoryItemType="Action"
        )["AlarmHistoryItems"]
        assert "sized by the fast mind" in items[0]["HistorySummary"] + items[0]["HistoryData"]


def test_one_that_goes_and_is_to_be_followed_makes_the_group_no_smaller(make_scaled):
    scaled = make_scaled("--clock", "manual").start()
    scaled.template()
    queue = scaled.client("sqs")
    url = queue.create_queue(QueueName="work")["QueueUrl"]
    # Somebody else has it: the group is not idle, and nobody knows how long its own would take.
    queue.send_message(QueueUrl=url, MessageBody="0")
    queue.receive_message(QueueUrl=url, VisibilityTimeout=600)
    hook = {"LifecycleHookName": "down",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}
    scaled.make(
        LifecycleHookSpecificationList=[hook], Tags=tags(scaling_mode="fast", queue="work")
    )
    scaled.groups.set_desired_capacity(DesiredCapacity=2, **NAME)
    one, _ = scaled.until_serving(2)
    scaled.groups.set_instance_health(InstanceId=one, HealthStatus="Unhealthy")
    until(lambda: len(scaled.serving()) == 1, "it is to go")
    for _ in range(3):
        scaled.advance("2s")
        scaled.look()
    assert scaled.group()["DesiredCapacity"] == 2
    scaled.groups.complete_lifecycle_action(
        LifecycleHookName="down", LifecycleActionResult="CONTINUE", InstanceId=one, **NAME
    )
    assert one not in scaled.until_serving(2)


def test_an_instance_that_is_to_go_finishes_what_it_holds(make_scaled):
    scaled = fast(make_scaled)
    queue = scaled.client("sqs")
    url = queue.create_queue(QueueName="work")["QueueUrl"]
    # Any group drains, whichever mind scales it.
    scaled.make(DesiredCapacity=1)
    (one,) = scaled.until_serving(1)
    queue.send_message(QueueUrl=url, MessageBody="4")
    counts = ["ApproximateNumberOfMessagesNotVisible"]

    def in_flight():
        told = queue.get_queue_attributes(QueueUrl=url, AttributeNames=counts)
        return told["Attributes"][counts[0]] == "1"

    until(in_flight, "it is at work")
    scaled.groups.set_desired_capacity(DesiredCapacity=0, **NAME)
    until(lambda: scaled.group()["Instances"][0]["LifecycleState"] == "Terminating", "it is to go")
    queue.send_message(QueueUrl=url, MessageBody="0")
    until(lambda: scaled.group()["Instances"] == [], "it is gone", 60)
    assert scaled.logged(one).count("did ") == 1
    # The second message was given to nobody.
    assert left(queue, url) == 1


def test_one_that_does_not_finish_in_time_is_stopped_all_the_same(make_scaled):
    scaled = fast(make_scaled)
    queue = scaled.client("sqs")
    url = queue.create_queue(QueueName="work")["QueueUrl"]
    scaled.make(DesiredCapacity=1, Tags=tags(drain="1"))
    scaled.until_serving(1)
    queue.send_message(QueueUrl=url, MessageBody="1000")
    counts = ["ApproximateNumberOfMessagesNotVisible"]

    def in_flight():
        told = queue.get_queue_attributes(QueueUrl=url, AttributeNames=counts)
        return told["Attributes"][counts[0]] == "1"

    until(in_flight, "it is at work")
    scaled.groups.set_desired_capacity(DesiredCapacity=0, **NAME)
    until(lambda: scaled.group()["Instances"] == [], "it is gone", 60)


def test_what_a_tag_of_ours_may_say_is_looked_at_at_once(scaled):
    scaled.template()
    theirs = "arn:aws:sqs:us-east-1:111122223333:work"
    wrong = [("scaling_mode", "slow"), ("goal", "soon"), ("idle", "-1"), ("nothing", "x"),
             ("queue", theirs)]
    for key, value in wrong:
        code, message = refusal(
            scaled.groups.create_auto_scaling_group,
            MinSize=0,
            MaxSize=1,
            LaunchTemplate={"LaunchTemplateName": "worker"},
            Tags=tags(**{key: value}),
            **NAME,
        )
        assert code == "ValidationError" and f"tidemill:{key.replace('_', '-')}" in message
    scaled.make(Tags=tags(goal="2.5"))


def test_a_group_that_is_not_to_listen_to_alarms_is_left_alone_by_the_fast_mind(make_scaled):
    scaled = make_scaled("--scaling-mode", "fast").start()
    scaled.template()
    queue = scaled.client("sqs")
    url = queue.create_queue(QueueName="work")["QueueUrl"]
    scaled.make(Tags=tags(queue=url))
    scaled.groups.suspend_processes(ScalingProcesses=["AlarmNotification"], **NAME)
    # One that listens shows that the mind has seen the message.
    scaled.make("workers-too", Tags=tags(queue=url))
    queue.send_message(QueueUrl=url, MessageBody="0")
    until(lambda: scaled.serving("workers-too"), "the other one follows the queue")
    assert (scaled.group()["DesiredCapacity"], scaled.activities()) == (0, [])
    scaled.groups.resume_processes(**NAME)
    until(lambda: scaled.serving(), "it follows the queue again")
