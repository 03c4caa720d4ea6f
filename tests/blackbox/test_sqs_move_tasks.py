"""Message move tasks: dead letters taken back, at a pace, and what AWS says of tasks that fail."""

import base64
import json
import uuid

import pytest

from server import until
from test_protocols import call, query, text
from test_sqs_dead_letters import arn, policy, take
from test_standard_queue import counts, refused


@pytest.fixture
def pair(make_queue):
    """A queue and its dead-letter queue."""
    dead = make_queue()
    return make_queue(**policy(arn(dead)), VisibilityTimeout="0"), dead


def dead_letters(sqs, queue, dead, number):
    """Makes dead letters of `number` messages that are sent to `queue`."""
    for n in range(number):
        sqs.send_message(QueueUrl=queue, MessageBody=f"body {n}")
    for _ in range(2):
        take(sqs, queue)
    until(lambda: counts(sqs, dead) == (number, 0, 0), "all are dead letters")


def tasks(sqs, dead, number=1):
    answer = sqs.list_message_move_tasks(SourceArn=arn(dead), MaxResults=number)
    return answer.get("Results", [])


def finished(sqs, dead):
    """The last task from `dead`, once it is over."""

    def over():
        (task,) = tasks(sqs, dead)
        return task["Status"] != "RUNNING" and task

    return until(over, "the task is over")


def test_dead_letters_go_back_to_where_they_came_from(sqs, make_queue, pair):
    queue, dead = pair
    other = make_queue(**policy(arn(dead)), VisibilityTimeout="0")
    dead_letters(sqs, queue, dead, 2)
    sqs.send_message(QueueUrl=other, MessageBody="other")
    assert [len(take(sqs, other)) for _ in range(2)] == [1, 0]
    until(lambda: counts(sqs, dead) == (3, 0, 0), "all are dead letters")
    handle = sqs.start_message_move_task(SourceArn=arn(dead))["TaskHandle"]
    decoded = json.loads(base64.b64decode(handle))
    assert decoded["sourceArn"] == arn(dead) and uuid.UUID(decoded["taskId"])
    task = finished(sqs, dead)
    assert task.pop("StartedTimestamp") > 1_000_000_000_000
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": arn(dead),
        "ApproximateNumberOfMessagesMoved": 3,
        "ApproximateNumberOfMessagesToMove": 3,
    }
    assert counts(sqs, dead) == (0, 0, 0)
    back = take(sqs, queue, AttributeNames=["All"])
    assert sorted(message["Body"] for message in back) == ["body 0", "body 1"]
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in back} == {"1"}
    assert [message["Body"] for message in take(sqs, other)] == ["other"]


def test_dead_letters_go_to_a_queue_of_the_callers_choice(sqs, make_queue, pair):
    queue, dead = pair
    destination = make_queue()
    dead_letters(sqs, queue, dead, 3)
    sqs.start_message_move_task(SourceArn=arn(dead), DestinationArn=arn(destination))
    task = finished(sqs, dead)
    assert task["DestinationArn"] == arn(destination)
    assert "TaskHandle" not in task and "MaxNumberOfMessagesPerSecond" not in task
    assert counts(sqs, destination) == (3, 0, 0)


def test_a_task_keeps_its_pace_and_can_be_cancelled(shared, sqs, make_queue, pair):
    queue, dead = pair
    destination = make_queue()
    dead_letters(sqs, queue, dead, 10)
    start = {"SourceArn": arn(dead), "DestinationArn": arn(destination)}
    start["MaxNumberOfMessagesPerSecond"] = 1
    handle = sqs.start_message_move_task(**start)["TaskHandle"]
    until(lambda: counts(sqs, destination)[0] >= 1, "the first message was moved")
    told = refused("InvalidParameterValue", sqs.start_message_move_task, **start)
    assert told == (
        "There is already a task running. Only one active task is allowed for a source queue arn "
        "at a given time."
    )
    shared.advance("1s")
    until(lambda: counts(sqs, destination)[0] >= 2, "another one was moved a second later")
    (running,) = tasks(sqs, dead)
    assert (running["Status"], running["TaskHandle"]) == ("RUNNING", handle)
    assert running["MaxNumberOfMessagesPerSecond"] == 1
    assert running["ApproximateNumberOfMessagesToMove"] == 10
    cancelled = sqs.cancel_message_move_task(TaskHandle=handle)
    moved = counts(sqs, destination)[0]
    assert cancelled["ApproximateNumberOfMessagesMoved"] == moved < 10
    (task,) = tasks(sqs, dead)
    assert task["Status"] == "CANCELLED" and "TaskHandle" not in task
    shared.advance("10s")
    assert counts(sqs, dead)[0] == 10 - moved
    told = refused("InvalidParameterValue", sqs.cancel_message_move_task, TaskHandle=handle)
    assert told == "Only active tasks can be cancelled."


def test_the_newest_tasks_come_first(sqs, make_queue, pair):
    queue, dead = pair
    assert tasks(sqs, dead) == []
    destination = make_queue()
    for number in (2, 1):
        dead_letters(sqs, queue, dead, number)
        sqs.start_message_move_task(SourceArn=arn(dead), DestinationArn=arn(destination))
        finished(sqs, dead)
    moved = [task["ApproximateNumberOfMessagesMoved"] for task in tasks(sqs, dead, 10)]
    assert moved == [1, 2]
    assert len(sqs.list_message_move_tasks(SourceArn=arn(dead))["Results"]) == 1
    for number in (0, 11):
        told = refused(
            "InvalidParameterValue",
            sqs.list_message_move_tasks,
            SourceArn=arn(dead),
            MaxResults=number,
        )
        assert told.startswith("Value for parameter MaxResults is invalid.")


def test_a_task_fails_when_its_destination_goes(shared, sqs, pair):
    queue, dead = pair
    destination = sqs.create_queue(QueueName="going")["QueueUrl"]
    dead_letters(sqs, queue, dead, 3)
    sqs.start_message_move_task(
        SourceArn=arn(dead), DestinationArn=arn(destination), MaxNumberOfMessagesPerSecond=1
    )
    sqs.delete_queue(QueueUrl=destination)
    shared.advance("2s")
    task = finished(sqs, dead)
    assert task["Status"] == "FAILED"
    assert task["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert counts(sqs, dead)[0] > 0


def test_what_was_sent_to_a_dead_letter_queue_has_nowhere_to_go_back_to(sqs, pair):
    _, dead = pair
    sqs.send_message(QueueUrl=dead, MessageBody="sent here")
    sqs.start_message_move_task(SourceArn=arn(dead))
    task = finished(sqs, dead)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert task["ApproximateNumberOfMessagesMoved"] == 0
    assert counts(sqs, dead) == (1, 0, 0)


def test_only_a_dead_letter_queue_can_be_a_source(sqs, queue, pair):
    told = refused(
        "InvalidParameterValue",
        sqs.start_message_move_task,
        SourceArn=arn(queue),
        DestinationArn=arn(pair[0]),
    )
    assert told == "Source queue must be configured as a Dead Letter Queue."


@pytest.mark.parametrize("parameter", ["SourceArn", "DestinationArn"])
def test_what_an_arn_names_must_be_there(sqs, pair, parameter):
    whole = {"SourceArn": arn(pair[1]), "DestinationArn": arn(pair[0])}
    missing = "arn:aws:sqs:us-east-1:000000000000:never-made"
    told = refused(
        "ResourceNotFoundException",
        sqs.start_message_move_task,
        **(whole | {parameter: missing}),
    )
    assert told == f"The resource that you specified for the {parameter} parameter doesn't exist."
    for bad in ("", "invalid"):
        told = refused(
            "InvalidParameterValue", sqs.start_message_move_task, **(whole | {parameter: bad})
        )
        assert told == (
            f"You must use this format to specify the {parameter}: "
            "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        )


def test_a_task_has_its_rules(sqs, make_queue, pair):
    source = {"SourceArn": arn(pair[1])}
    code = "InvalidParameterValue"
    told = refused(code, sqs.start_message_move_task, **source, DestinationArn=arn(pair[1]))
    assert told == "Source queue arn and destination queue arn cannot be the same."
    fifo = make_queue(".fifo", FifoQueue="true")
    told = refused(code, sqs.start_message_move_task, **source, DestinationArn=arn(fifo))
    assert told == "The source queue and destination queue must be of the same queue type."
    for number in (0, 501):
        told = refused(
            code, sqs.start_message_move_task, **source, MaxNumberOfMessagesPerSecond=number
        )
        assert told == (
            "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter "
            "a number that's between 1 and 500."
        )


def handle_of(source, task="10f57157-fc38-4da9-a113-4de7e12d05dd"):
    text = json.dumps({"taskId": task, "sourceArn": source})
    return base64.b64encode(text.encode()).decode()


def test_a_task_that_is_none_cannot_be_cancelled(shared, sqs, queue):
    cancel = sqs.cancel_message_move_task
    told = refused("InvalidParameterValue", cancel, TaskHandle="foobared")
    assert told == "Value for parameter TaskHandle is invalid."
    missing = "arn:aws:sqs:us-east-1:000000000000:never-made"
    told = refused("ResourceNotFoundException", cancel, TaskHandle=handle_of(missing))
    assert told == "The resource that you specified for the SourceArn parameter doesn't exist."
    told = refused("ResourceNotFoundException", cancel, TaskHandle=handle_of(arn(queue)))
    assert told == "Task does not exist."
    status, headers, _ = call(shared, "CancelMessageMoveTask", TaskHandle=handle_of(arn(queue)))
    assert (status, headers["x-amzn-query-error"]) == (404, "ResourceNotFoundException;Sender")


def test_tasks_are_started_listed_and_cancelled_by_query_too(shared, sqs, pair):
    queue, dead = pair
    dead_letters(sqs, queue, dead, 3)
    source = {"SourceArn": arn(dead)}
    pace = {"MaxNumberOfMessagesPerSecond": 1}
    _, tree = query(shared, Action="StartMessageMoveTask", **source, **pace)
    handle = text(tree, "StartMessageMoveTaskResult", "TaskHandle")
    _, tree = query(shared, Action="ListMessageMoveTasks", **source)
    entry = "ListMessageMoveTasksResult", "ListMessageMoveTasksResultEntry"
    assert text(tree, *entry, "TaskHandle") == handle
    assert text(tree, *entry, "Status") == "RUNNING"
    _, tree = query(shared, Action="CancelMessageMoveTask", TaskHandle=handle)
    moved = text(tree, "CancelMessageMoveTaskResult", "ApproximateNumberOfMessagesMoved")
    assert int(moved) == 3 - counts(sqs, dead)[0]
    status, tree = query(shared, Action="CancelMessageMoveTask", TaskHandle=handle_of(arn(dead)))
    assert (status, text(tree, "Error", "Code")) == (404, "ResourceNotFoundException")
