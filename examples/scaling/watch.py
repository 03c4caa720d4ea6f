"""Waits until a burst is done and its workers are gone again, and says how it went."""

import sys
import time

import boto3

PATIENCE = 1800  # seconds

group, queue, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
sqs = boto3.client("sqs")
scaling = boto3.client("autoscaling")
url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
waiting = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


def workers():
    """How many the group has, on their way in and out too."""
    named = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    return len(named["AutoScalingGroups"][0]["Instances"])


def left():
    """How many messages wait or are being worked on."""
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=waiting)["Attributes"]
    return sum(int(value) for value in attributes.values())


began = time.monotonic()
first = done = None
most = 0
while time.monotonic() < began + PATIENCE:
    now, there, backlog = time.monotonic() - began, workers(), left()
    most = max(most, there)
    if first is None and there:
        first = now
    if done is None and backlog == 0:
        done = now
    if done is not None and there == 0:
        came = "no worker" if first is None else f"the first worker after {first:.0f} s"
        print(f"{number} messages: {came}, {most} at most, "
              f"all done after {done:.0f} s, nobody left after {now:.0f} s")
        break
    time.sleep(0.5)
else:
    sys.exit(f"after {PATIENCE} s there are {left()} messages and {workers()} workers")
