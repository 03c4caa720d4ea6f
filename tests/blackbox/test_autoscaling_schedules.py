"""Scheduled actions: at a time, or again and again, a group is told its size."""

from datetime import datetime, timedelta, timezone

import pytest

from groups import make_scaled, refusal  # noqa: F401 (fixtures)


@pytest.fixture
def clocked(make_scaled):  # noqa: F811
    """A service with a group of none, whose clock is moved by hand, on the hour."""
    service = make_scaled("--clock", "manual").start()
    past = service.advance("0s")["now"] % 3_600_000
    service.advance(f"{3_600_000 - past}ms")
    service.template()
    service.make(most=5)
    return service


def now(service):
    return datetime.fromtimestamp(service.advance("0s")["now"] / 1000, timezone.utc)


def schedule(service, name="action", **more):
    service.groups.put_scheduled_update_group_action(
        AutoScalingGroupName="workers", ScheduledActionName=name, **more
    )


def scheduled(service, **more):
    found = service.groups.describe_scheduled_actions(AutoScalingGroupName="workers", **more)
    return found["ScheduledUpdateGroupActions"]


def test_an_action_is_carried_out_once_at_its_time(clocked):
    at = now(clocked) + timedelta(minutes=30)
    schedule(clocked, StartTime=at, MinSize=1, DesiredCapacity=2)
    (action,) = scheduled(clocked)
    assert (action["StartTime"], action["MinSize"], action["DesiredCapacity"]) == (at, 1, 2)
    assert action["ScheduledActionARN"].endswith(
        ":autoScalingGroupName/workers:scheduledActionName/action"
    )
    clocked.advance("29m")
    assert clocked.group()["DesiredCapacity"] == 0
    clocked.advance("1m")
    group = clocked.group()
    assert (group["MinSize"], group["DesiredCapacity"]) == (1, 2)
    clocked.until_serving(2)
    assert scheduled(clocked) == []
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert clocked.activities()[0]["Cause"].startswith(
        f"At {stamp} a scheduled action update of AutoScalingGroup constraints to min: 1, "
        "desired: 2 changing the desired capacity from 0 to 2."
    )


def test_an_action_comes_again_by_its_recurrence_until_its_end(clocked):
    start = now(clocked)
    schedule(clocked, "up", Recurrence="10 * * * *", DesiredCapacity=1)
    schedule(
        clocked, "down", Recurrence="40 * * * *", DesiredCapacity=0,
        EndTime=start + timedelta(hours=1), TimeZone="Etc/UTC",
    )  # fmt: skip
    found = {it["ScheduledActionName"]: it for it in scheduled(clocked)}
    assert found["up"]["StartTime"] == start + timedelta(minutes=10)
    assert (found["down"]["TimeZone"], found["up"]["Recurrence"]) == ("Etc/UTC", "10 * * * *")
    clocked.advance("10m")
    assert clocked.group()["DesiredCapacity"] == 1
    assert scheduled(clocked)[1]["StartTime"] == start + timedelta(minutes=70)
    clocked.advance("30m")
    assert clocked.group()["DesiredCapacity"] == 0
    assert [it["ScheduledActionName"] for it in scheduled(clocked)] == ["up"]


def test_a_leap_of_the_clock_brings_each_action_that_it_passed(clocked):
    at = now(clocked)
    schedule(clocked, "first", StartTime=at + timedelta(minutes=5), MaxSize=9)
    schedule(clocked, "second", StartTime=at + timedelta(minutes=10), MaxSize=3)
    clocked.advance("1h")
    assert clocked.group()["MaxSize"] == 3


def test_what_is_suspended_is_left_out(clocked):
    clocked.groups.suspend_processes(
        AutoScalingGroupName="workers", ScalingProcesses=["ScheduledActions"]
    )
    schedule(clocked, StartTime=now(clocked) + timedelta(minutes=5), MaxSize=9)
    clocked.advance("10m")
    assert (clocked.group()["MaxSize"], scheduled(clocked)) == (5, [])


def test_actions_are_changed_and_deleted_one_by_one_and_many_at_once(clocked):
    at = now(clocked) + timedelta(hours=1)
    group = {"AutoScalingGroupName": "workers"}
    batch = [
        {"ScheduledActionName": "a", "StartTime": at, "MaxSize": 6},
        {"ScheduledActionName": "b", "Recurrence": "0 9 29 FEB *", "MaxSize": 7},
        {"ScheduledActionName": "c", "Recurrence": "0 9 * *", "MaxSize": 7},
    ]
    answer = clocked.groups.batch_put_scheduled_update_group_action(
        **group, ScheduledUpdateGroupActions=batch
    )
    (failed,) = answer["FailedScheduledUpdateGroupActions"]
    assert (failed["ScheduledActionName"], failed["ErrorCode"]) == ("c", "ValidationError")
    before = {it["ScheduledActionName"]: it["ScheduledActionARN"] for it in scheduled(clocked)}
    schedule(clocked, "a", StartTime=at, MaxSize=8)
    (action,) = scheduled(clocked, ScheduledActionNames=["a"])
    assert (action["MaxSize"], action["ScheduledActionARN"]) == (8, before["a"])
    assert [it["ScheduledActionName"] for it in scheduled(clocked, EndTime=at)] == ["a"]
    page = clocked.groups.describe_scheduled_actions(MaxRecords=1)
    rest = clocked.groups.describe_scheduled_actions(NextToken=page["NextToken"])
    names = [it["ScheduledActionName"] for it in rest["ScheduledUpdateGroupActions"]]
    assert names == ["b"]
    answer = clocked.groups.batch_delete_scheduled_action(**group, ScheduledActionNames=["b", "x"])
    assert [it["ScheduledActionName"] for it in answer["FailedScheduledActions"]] == ["x"]
    clocked.groups.delete_scheduled_action(**group, ScheduledActionName="a")
    assert scheduled(clocked) == []
    code, _ = refusal(clocked.groups.delete_scheduled_action, **group, ScheduledActionName="a")
    assert code == "ValidationError"


def test_an_action_that_cannot_be_is_refused(clocked):
    at = now(clocked)
    later = at + timedelta(hours=1)
    for given, message in (
        ({"MaxSize": 1}, "StartTime and Recurrence"),
        ({"StartTime": at - timedelta(hours=1), "MaxSize": 1}, "start time is in the past"),
        ({"StartTime": later, "EndTime": at + timedelta(minutes=1), "MaxSize": 1}, "before the"),
        ({"Recurrence": "0 0 30 2 *", "MaxSize": 1}, "0 0 30 2 * is invalid"),
        ({"Recurrence": "0 9 * * *", "MaxSize": 1, "TimeZone": "Europe/Berlin"}, "Europe/Berlin"),
        ({"StartTime": later}, "MinSize, MaxSize and DesiredCapacity"),
        ({"StartTime": later, "MinSize": 2, "MaxSize": 1}, "greater than MaxSize"),
    ):
        code, told = refusal(
            clocked.groups.put_scheduled_update_group_action,
            AutoScalingGroupName="workers",
            ScheduledActionName="wrong",
            **given,
        )
        assert (code, message in told) == ("ValidationError", True), told


def test_actions_survive_a_kill(clocked):
    schedule(clocked, Recurrence="10 * * * *", DesiredCapacity=1)
    before = scheduled(clocked)
    clocked.kill()
    clocked.start()
    assert scheduled(clocked) == before
