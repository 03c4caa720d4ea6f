"""A worker as one writes it for AWS: takes messages from a queue and works a while on each.

Nothing in it knows of Tidemill, of other workers, or of how many there should be.
"""

import signal
import time

import boto3

WORK = 0.1  # seconds a message

sqs = boto3.client("sqs")
queue = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
going = True


def stop(*_):
    """Once the message at hand is done, there are no more."""
    global going
    going = False


signal.signal(signal.SIGTERM, stop)
while going:
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1, WaitTimeSeconds=20)
    for message in answer.get("Messages", []):
        time.sleep(WORK)
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        print("done with", message["Body"], flush=True)
