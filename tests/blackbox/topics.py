"""What tests of topics share."""

import itertools
import json

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count(1)
ACCOUNT = "000000000000"


def refusal(call, **parameters):
    """The code and the message of a call's refusal."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


class Listener:
    """A queue that is told what is published to topics."""

    def __init__(self, service, region="us-east-1"):
        self.sqs = service.client(region=region)
        self.url = self.sqs.create_queue(QueueName=f"listener-{next(_numbers)}")["QueueUrl"]
        asked = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = asked["Attributes"]["QueueArn"]

    def messages(self):
        """All that there is, as it is received; taken out."""
        ten = {"QueueUrl": self.url, "MaxNumberOfMessages": 10}
        names = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        found = []
        while some := self.sqs.receive_message(**ten, **names).get("Messages"):
            found += some
            for message in some:
                handle = message["ReceiptHandle"]
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=handle)
        return found

    def notes(self):
        """The envelopes of all that there is."""
        return [json.loads(message["Body"]) for message in self.messages()]

    def told(self):
        """What was said in all that there is, read as JSON."""
        return [json.loads(note["Message"]) for note in self.notes()]


def listening(service, topics, name, **more):
    """A topic, and a queue that subscribed to it: (ARN, listener)."""
    topic = topics.create_topic(Name=name)["TopicArn"]
    listener = Listener(service)
    subscribe = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": listener.arn}
    topics.subscribe(**subscribe, **more)
    return topic, listener
