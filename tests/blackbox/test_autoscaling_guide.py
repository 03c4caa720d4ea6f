"""AWS's guide "Scaling based on Amazon SQS" with consumers as users write them, from end to end."""

import collections
import re
import sys

import pytest

from groups import make_scaled  # noqa: F401 (a fixture)
from server import ROOT, until
from test_autoscaling_policies import desired, publish, track
from test_ec2_roles import as_whom

MESSAGES, MOST = 1000, 8
CONSUMER = f"#!{sys.executable}\n{(ROOT / 'examples/scaling/worker.py').read_text()}"


@pytest.mark.timeout(300)
def test_python_consumers_appear_for_a_thousand_messages_and_are_taken_away_afterwards(
    make_scaled,  # noqa: F811
):
    service = make_scaled("--clock", "manual")
    as_whom(service)
    service.start()
    sqs = service.client("sqs")
    # For longer than the leaps of the clock: nobody works for as long as those seem to take.
    queue = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "7200"})
    queue = queue["QueueUrl"]

    def counts():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return [int(told[name]) for name in names]

    def minutes(count):
        """So many pass, in each of which the user's own publisher tells the backlog."""
        for _ in range(count):
            publish(service, counts()[0] / len(service.serving()))
            service.advance("1m")

    service.template(user_data=CONSUMER)
    service.make(least=1, most=MOST)
    service.until_serving(1, patience=120)
    service.advance("6m")
    track(service)
    for first in range(0, MESSAGES, 10):
        batch = [{"Id": str(n), "MessageBody": str(n)} for n in range(first, first + 10)]
        assert len(sqs.send_message_batch(QueueUrl=queue, Entries=batch)["Successful"]) == 10
    minutes(3)
    assert desired(service) == MOST
    consumers = service.until_serving(MOST, patience=120)
    until(lambda: counts() == [0, 0], "everything is done", 120)

    def done():
        """What each consumer says that it has done."""
        logs = [service.logged(consumer) for consumer in consumers]
        return [re.findall(r"done with (\d+)", log) for log in logs]

    until(lambda: sum(map(len, done())) >= MESSAGES, "all of it is logged")
    assert all(done()), "each consumer did something"
    times = collections.Counter(number for its in done() for number in its)
    assert times == collections.Counter(str(number) for number in range(MESSAGES))
    minutes(15)
    assert desired(service) == 1

    def are(count):
        # Those who are told to end wait for messages until their long polls are over.
        service.advance("20s")
        return len(service.running()) == count

    until(lambda: are(1), "one is left", 120)
    assert service.serving() == service.running()
    service.groups.delete_auto_scaling_group(AutoScalingGroupName="workers", ForceDelete=True)
    until(lambda: are(0), "that one goes with its group", 60)
