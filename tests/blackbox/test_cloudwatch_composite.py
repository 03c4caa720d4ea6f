"""Composite alarms: those that watch how other alarms stand."""

import itertools
import json

import pytest

from alarms import TOPIC, history, now, refusal, settings
from clients import command_line

_numbers = itertools.count(1)


@pytest.fixture
def name():
    return f"composite-{next(_numbers)}"


@pytest.fixture
def pair(plain, name):
    """The names of two alarms on metrics."""
    names = (f"{name}-a", f"{name}-b")
    for one in names:
        plain.put_metric_alarm(**settings(one))
    return names


def arn(name):
    return f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{name}"


def described(client, name):
    found = client.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
    (alarm,) = found["CompositeAlarms"]
    return alarm


def turn(client, name, state):
    client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="of a test")


def test_a_new_one_is_judged_at_once_and_described_as_on_aws(cloudwatch, name, pair):
    rule = f"ALARM({pair[0]}) OR NOT OK(\"{arn(pair[1])}\")"
    cloudwatch.put_composite_alarm(
        AlarmName=name, AlarmRule=rule, AlarmActions=[TOPIC], AlarmDescription="of a test"
    )
    alarm = described(cloudwatch, name)
    data = json.loads(alarm.pop("StateReasonData"))
    stamps = [trigger["state"].pop("timestamp") for trigger in data["triggeringAlarms"]]
    assert all(stamp.endswith("+0000") for stamp in stamps)
    unknown = {"value": "INSUFFICIENT_DATA"}
    assert data == {"triggeringAlarms": [{"arn": arn(it), "state": unknown} for it in pair]}
    for time in ("AlarmConfigurationUpdated", "StateUpdated", "StateTransitioned"):
        alarm.pop(f"{time}Timestamp")
    assert alarm == {
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "AlarmArn": arn(name),
        "AlarmDescription": "of a test",
        "AlarmName": name,
        "AlarmRule": rule,
        "InsufficientDataActions": [],
        "OKActions": [],
        "StateReason": f"{arn(name)} was created and its alarm rule evaluates to ALARM",
        "StateValue": "ALARM",
    }
    items = history(cloudwatch, name, AlarmTypes=["CompositeAlarm"])
    told = [item["HistorySummary"] for item in items]
    assert told[:2] == [
        f'Alarm "{name}" created',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
    ]
    assert told[2].startswith(f"Failed to execute action {TOPIC}.")
    assert history(cloudwatch, name) == []


def test_it_turns_with_the_alarms_that_it_names_and_others_with_it(shared, plain, name, pair):
    plain.put_composite_alarm(
        AlarmName=f"{name}-both", AlarmRule=f"ALARM({pair[0]}) AND ALARM({pair[1]})"
    )
    plain.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({name}-both)")
    turn(plain, pair[0], "ALARM")
    assert described(plain, name)["StateValue"] == "OK"
    turn(plain, pair[1], "ALARM")
    at = now(shared).strftime("%A %-d %B, %Y %H:%M:%S UTC")
    alarm = described(plain, f"{name}-both")
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateReason"] == f"{arn(pair[1])} transitioned to ALARM at {at}"
    (trigger,) = json.loads(alarm["StateReasonData"])["triggeringAlarms"]
    assert (trigger["arn"], trigger["state"]["value"]) == (arn(pair[1]), "ALARM")
    alarm = described(plain, name)
    assert alarm["StateReason"] == f"{arn(name + '-both')} transitioned to ALARM at {at}"
    turn(plain, pair[0], "OK")
    assert described(plain, name)["StateValue"] == "OK"


def test_it_turns_when_a_metric_does(shared, plain, name, pair):
    plain.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({pair[0]})")
    data = {"MetricName": pair[0], "Value": 3, "Timestamp": now(shared)}
    plain.put_metric_data(Namespace="Alarms", MetricData=[data])
    shared.advance("1m")
    assert described(plain, name)["StateValue"] == "ALARM"


def test_one_that_is_set_to_another_rule_is_judged_anew(plain, name, pair):
    plain.put_composite_alarm(AlarmName=name, AlarmRule="FALSE")
    plain.put_composite_alarm(AlarmName=name, AlarmRule="TRUE")
    alarm = described(plain, name)
    reason = f"{arn(name)} was updated and its new alarm rule evaluates to ALARM"
    assert (alarm["StateValue"], alarm["StateReason"]) == ("ALARM", reason)


def test_a_state_that_was_set_holds_until_a_child_turns(shared, plain, name, pair):
    plain.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({pair[0]})")
    turn(plain, name, "ALARM")
    shared.advance("2m")
    assert described(plain, name)["StateValue"] == "ALARM"
    turn(plain, pair[0], "OK")
    assert described(plain, name)["StateValue"] == "OK"


def test_children_and_parents_are_found(plain, name, pair):
    plain.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({pair[0]}) OR OK({pair[1]})")
    plain.put_composite_alarm(AlarmName=f"{name}-top", AlarmRule=f"ALARM({name})")
    children = plain.describe_alarms(ChildrenOfAlarmName=name)
    names = [alarm["AlarmName"] for alarm in children["MetricAlarms"]]
    assert (names, children["CompositeAlarms"]) == (list(pair), [])
    fields = {"AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp"}
    assert set(children["MetricAlarms"][0]) == fields
    (parent,) = plain.describe_alarms(ParentsOfAlarmName=name)["CompositeAlarms"]
    assert parent == {"AlarmName": f"{name}-top", "AlarmArn": arn(f"{name}-top")}
    page = plain.describe_alarms(ChildrenOfAlarmName=name, MaxRecords=1)
    rest = plain.describe_alarms(ChildrenOfAlarmName=name, NextToken=page["NextToken"])
    assert [it["AlarmName"] for it in rest["MetricAlarms"]] == [pair[1]]
    for beside in ({"AlarmNames": ["x"]}, {"StateValue": "OK"}, {"ParentsOfAlarmName": "x"}):
        code, _ = refusal(plain.describe_alarms, ChildrenOfAlarmName=name, **beside)
        assert code == "ValidationError"


def test_only_the_kinds_that_are_asked_for_are_listed(plain, name, pair):
    plain.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({pair[0]})")

    def kinds(*types):
        asked = {"AlarmTypes": list(types)} if types else {}
        found = plain.describe_alarms(AlarmNamePrefix=name, **asked)
        return len(found["MetricAlarms"]), len(found["CompositeAlarms"])

    assert kinds() == (2, 0)
    assert kinds("CompositeAlarm") == (0, 1)
    assert kinds("CompositeAlarm", "MetricAlarm") == (2, 1)


def test_what_is_watched_is_not_deleted(plain, name, pair):
    plain.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({pair[0]}) OR ALARM({pair[1]})")
    assert refusal(plain.delete_alarms, AlarmNames=[pair[0]]) == (
        "ValidationError",
        f"Cannot delete {pair[0]} as there are composite alarm(s) depending on it.",
    )
    assert refusal(plain.delete_alarms, AlarmNames=list(pair)) == (
        "ValidationError",
        f"Cannot delete {','.join(pair)} as there are composite alarm(s) depending on them.",
    )
    plain.put_composite_alarm(AlarmName=f"{name}-other", AlarmRule="TRUE")
    code, _ = refusal(plain.delete_alarms, AlarmNames=[name, f"{name}-other"])
    assert code == "ValidationError"
    # The same one twice is one.
    plain.delete_alarms(AlarmNames=[name, name, *pair])
    types = ["CompositeAlarm", "MetricAlarm"]
    found = plain.describe_alarms(AlarmNames=[name, *pair], AlarmTypes=types)
    assert (found["MetricAlarms"], found["CompositeAlarms"]) == ([], [])


def test_rules_that_cannot_be_are_refused(plain, name, pair):
    def told(rule, **more):
        code, message = refusal(
            plain.put_composite_alarm, AlarmName=name, AlarmRule=rule, **more
        )
        assert code == "ValidationError"
        return message

    assert told("()") == "Error in AlarmRule [Unsupported token ')' at char 1]"
    assert told(f"ALARM({name}-x) OR OK({pair[0]})") == (
        f"Could not save the composite alarm as alarms [{name}-x] in the alarm rule do not exist"
    )
    assert "depend on itself" in told(f"ALARM({name})")
    plain.put_composite_alarm(AlarmName=name, AlarmRule="FALSE")
    plain.put_composite_alarm(AlarmName=f"{name}-2", AlarmRule=f"ALARM({name})")
    assert "depend on itself" in told(f"TRUE OR ALARM({name}-2)")
    assert "The parameter ActionsSuppressor" in told("TRUE", ActionsSuppressor=pair[0])
    policy = "arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:c:x"
    assert "is not for a composite alarm" in told("TRUE", AlarmActions=[policy])


def test_a_name_is_of_one_kind(plain, name, pair):
    plain.put_composite_alarm(AlarmName=name, AlarmRule="FALSE")
    assert "composite alarm" in refusal(plain.put_metric_alarm, **settings(name))[1]
    told = refusal(plain.put_composite_alarm, AlarmName=pair[0], AlarmRule="FALSE")[1]
    assert "metric alarm" in told


def test_its_actions_are_enabled_and_its_tags_kept(plain, name):
    tags = [{"Key": "team", "Value": "blue"}]
    plain.put_composite_alarm(AlarmName=name, AlarmRule="FALSE", Tags=tags)
    # It has those that it was made with, whatever it is set to later.
    other = [{"Key": "team", "Value": "red"}, {"Key": "tier", "Value": "1"}]
    plain.put_composite_alarm(AlarmName=name, AlarmRule="TRUE", Tags=other)
    assert plain.list_tags_for_resource(ResourceARN=arn(name))["Tags"] == tags
    plain.disable_alarm_actions(AlarmNames=[name])
    assert described(plain, name)["ActionsEnabled"] is False
    plain.enable_alarm_actions(AlarmNames=[name])
    assert described(plain, name)["ActionsEnabled"] is True


def test_composite_alarms_and_how_they_stand_survive_a_kill(fresh):
    service = fresh().start()
    client = service.client("cloudwatch")
    client.put_metric_alarm(**settings("child"))
    client.put_composite_alarm(AlarmName="top", AlarmRule="ALARM(child)")
    turn(client, "child", "ALARM")
    before = described(client, "top")
    assert before["StateValue"] == "ALARM"
    service.kill()
    service.start()
    client = service.client("cloudwatch")
    assert described(client, "top") == before
    turn(client, "child", "OK")
    assert described(client, "top")["StateValue"] == "OK"


def test_the_command_line_makes_a_composite_alarm(shared, name, pair):
    command_line(
        shared, "cloudwatch", "put-composite-alarm", "--alarm-name", name,
        "--alarm-rule", f"ALARM({pair[0]}) AND NOT ALARM({pair[1]})",
    )  # fmt: skip
    found = command_line(
        shared, "cloudwatch", "describe-alarms",
        "--alarm-names", name, "--alarm-types", "CompositeAlarm",
    )  # fmt: skip
    assert found["CompositeAlarms"][0]["StateValue"] == "OK"
