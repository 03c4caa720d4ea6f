"""An instance's life: stopped, started, rebooted, through restarts of the service."""

import base64
import json
import os
import subprocess
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from botocore.exceptions import ClientError

from fleet import Mill, mill, unit  # noqa: F401 (mill is a fixture)
from server import BINARY, until

SLEEPER = "#!/bin/sh\necho ready\nexec sleep 1000\n"


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_stopped_instance_keeps_its_home_and_starts_again(mill):
    mill.start()
    script = "#!/bin/sh\necho was: $(cat kept 2>/dev/null)\necho here > kept\nexec sleep 1000\n"
    instance = mill.run(script)
    mill.until_log(instance, ": was:\n")
    told = mill.ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert told["PreviousState"]["Name"] == "running"
    assert told["CurrentState"] == {"Code": 64, "Name": "stopping"}
    mill.until_state(instance, "stopped")
    assert mill.processes(instance) == []
    reason = mill.describe(instance)["StateReason"]
    assert reason["Code"] == "Client.UserInitiatedShutdown"
    told = mill.ec2.start_instances(InstanceIds=[instance])["StartingInstances"][0]
    assert told["CurrentState"] == {"Code": 0, "Name": "pending"}
    mill.until_state(instance, "running")
    mill.until_log(instance, "was: here\n")
    assert "was: here" not in mill.logged(instance, "--boot", "1")
    assert "was: here" in mill.logged(instance, "--boot", "0")


def test_a_reboot_starts_everything_anew(mill):
    mill.start()
    instance = mill.run(SLEEPER)
    mill.until_log(instance, "ready")
    before = mill.processes(instance)
    mill.ec2.reboot_instances(InstanceIds=[instance])
    until(lambda: mill.logged(instance).count("ready") == 2, "it was started anew")
    assert mill.state(instance) == "running"
    until(lambda: len(mill.processes(instance)) == 1, "it runs once")
    assert mill.processes(instance) != before


def test_a_unit_runs_where_and_with_what_it_says(mill, tmp_path):
    mill.start()
    lines = (
        "WorkingDirectory=/usr/bin",
        'Environment="GREETING=hello world" OTHER=x',
        "ExecStartPre=/bin/echo before",
        "UMask=0077",
    )
    program = "/bin/sh -c 'echo $$PWD; umask; echo ${GREETING} %n; env' "
    instance = mill.run(unit(program, *lines))
    log = mill.until_log(instance, "TIDEMILL_MARK")
    for expected in (": before\n", ": /usr/bin\n", ": 0077\n", ": hello world user-data.service\n"):
        assert expected in log
    assert f"AWS_ENDPOINT_URL=http://127.0.0.1:{mill.port}" in log
    assert "AWS_DEFAULT_REGION=us-east-1" in log
    # Nothing of the service's own environment.
    assert "PYTEST" not in log


def test_a_unit_whose_folder_or_program_is_missing_fails_as_under_systemd(mill):
    mill.start()
    instance = mill.run(unit("/bin/true", "WorkingDirectory=/nowhere"))
    mill.until_log(instance, "it ended with exit code 200")
    instance = mill.run(unit("/bin/nowhere"))
    log = mill.until_log(instance, "it ended with exit code 203")
    assert "cannot run /bin/nowhere" in log


def test_a_timer_runs_its_service_again_and_again(mill):
    mill.start()
    message = MIMEMultipart()
    parts = {
        "tick.service": "[Service]\nType=oneshot\nExecStart=/bin/echo tick\n",
        "tick.timer": "[Timer]\nOnBootSec=0\nOnUnitActiveSec=0.5\n",
        "tock.service": "[Service]\nType=oneshot\nExecStart=/bin/echo tock\n",
        "tock.timer": "[Timer]\nOnCalendar=*-*-* *:*:*\n",
        "once.sh": "#!/bin/sh\necho a script, too\n",
    }
    for name, text in parts.items():
        part = MIMEText(text, "x-shellscript" if name.endswith(".sh") else "plain")
        part.add_header("Content-Disposition", "attachment", filename=name)
        message.attach(part)
    instance = mill.run(message.as_string())
    until(lambda: mill.logged(instance).count(": tick\n") >= 3, "the timer ran three times")
    until(lambda: mill.logged(instance).count(": tock\n") >= 2, "the calendar came twice")
    assert mill.logged(instance).count("a script, too") == 1


def test_instances_go_on_when_the_service_stops_unless_it_is_told_otherwise(mill):
    mill.start()
    instance = mill.run(SLEEPER)
    mill.until_log(instance, "ready")
    (before,) = mill.processes(instance)
    assert mill.stop() == 0
    assert mill.processes(instance) == [before]
    mill.flags.append("--stop-instances")
    mill.start()
    mill.until_state(instance, "running")
    assert mill.processes(instance) == [before]
    assert mill.stop() == 0
    assert mill.processes(instance) == []
    # It was not stopped by anybody: it starts with the service.
    mill.start()
    until(lambda: mill.logged(instance).count("ready") == 2, "it was started again")
    mill.until_state(instance, "running")


def test_a_worker_that_stops_with_the_service_still_deletes_what_it_has_done(mill):
    mill.flags.append("--stop-instances")
    mill.start()
    sqs = mill.client()
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    body = json.dumps({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]})
    request = (
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.DeleteMessage\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    request = base64.b64encode(request.encode()).decode()
    instance = mill.run(
        "#!/bin/bash\n"
        f"end() {{ exec 3<>/dev/tcp/127.0.0.1/{mill.port}; echo {request} | base64 -d >&3\n"
        "  read -r answer <&3; echo \"it answered $answer\"; exit 0; }\n"
        "trap end TERM\necho ready\nwhile :; do sleep 0.1; done\n"
    )
    mill.until_log(instance, "ready")
    assert mill.stop() == 0
    assert mill.processes(instance) == []
    mill.start()
    mill.until_log(instance, "it answered HTTP/1.1 200")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert set(counts.values()) == {"0"}


def test_instances_stop_with_a_service_whose_disk_has_failed(mill):
    mill.flags += ["--stop-instances", "--allow-faults"]
    mill.start()
    instance = mill.run(SLEEPER)
    mill.until_log(instance, "ready")
    assert mill.request("POST", "/_tidemill/faults", b'"fail-write"')[0] == 200
    with pytest.raises(ClientError):
        mill.client().create_queue(QueueName="orders")
    assert mill.stop() == 1
    assert mill.processes(instance) == []


def test_an_instance_that_was_to_stop_while_the_service_was_dead_is_stopped(mill):
    mill.start()
    instance = mill.run(unit("/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'",
                             "TimeoutStopSec=2"))
    mill.ec2.terminate_instances(InstanceIds=[instance])
    mill.kill()
    mill.start()
    mill.until_state(instance, "terminated")
    assert mill.processes(instance) == []


def test_a_launch_that_is_repeated_is_made_once(mill):
    mill.start()
    request = {"MinCount": 2, "MaxCount": 2, "UserData": SLEEPER, "ClientToken": "token"}
    first = mill.ec2.run_instances(**request)
    again = mill.ec2.run_instances(**request)
    ids = [one["InstanceId"] for one in first["Instances"]]
    assert [one["InstanceId"] for one in again["Instances"]] == ids
    assert first["ReservationId"] == again["ReservationId"]
    other = refusal(mill.ec2.run_instances, **request | {"MaxCount": 3})
    assert other[0] == "IdempotentParameterMismatch"


def test_protected_instances_are_neither_stopped_nor_terminated(mill):
    mill.start()
    kept = mill.run(SLEEPER, DisableApiTermination=True)
    running = mill.run(SLEEPER, DisableApiStop=True)
    code, _ = refusal(mill.ec2.terminate_instances, InstanceIds=[kept])
    assert code == "OperationNotPermitted"
    code, _ = refusal(mill.ec2.stop_instances, InstanceIds=[running])
    assert code == "OperationNotPermitted"
    # One that may not keeps all others, too.
    code, _ = refusal(mill.ec2.terminate_instances, InstanceIds=[running, kept])
    assert code == "OperationNotPermitted"
    assert mill.state(running) == "running"
    sweep(mill)


def sweep(mill):
    """Ends instances that no request may end: with the service, for good."""
    mill.stop()
    mill.flags.append("--stop-instances")
    mill.start().stop()


def test_instances_that_are_not_there_or_not_fit_are_told_as_on_aws(mill):
    mill.start()
    instance = mill.run(SLEEPER)
    missing = "i-00000000000000001"
    code, message = refusal(mill.ec2.terminate_instances, InstanceIds=[instance, missing])
    assert code == "InvalidInstanceID.NotFound" and missing in message
    assert refusal(mill.ec2.describe_instances, InstanceIds=["x"])[0] == (
        "InvalidInstanceID.Malformed"
    )
    mill.ec2.terminate_instances(InstanceIds=[instance])
    mill.until_state(instance, "terminated")
    assert refusal(mill.ec2.start_instances, InstanceIds=[instance])[0] == "IncorrectInstanceState"
    code, message = refusal(
        mill.ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}]
    )
    assert code == "InvalidParameterValue" and "colour" in message


def test_instances_are_described_in_pages(mill):
    mill.start()
    mill.ec2.run_instances(MinCount=7, MaxCount=7)
    pages = mill.ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    found = [
        [one["InstanceId"] for launch in page["Reservations"] for one in launch["Instances"]]
        for page in pages
    ]
    assert [len(page) for page in found] == [5, 2]
    assert len({one for page in found for one in page}) == 7


def test_there_are_no_more_instances_than_may_be(mill):
    mill.flags += ["--max-instances", "3"]
    mill.start()
    code, message = refusal(mill.ec2.run_instances, MinCount=4, MaxCount=5)
    assert code == "InstanceLimitExceeded" and "3" in message
    launched = mill.ec2.run_instances(MinCount=1, MaxCount=5)
    assert len(launched["Instances"]) == 3


def test_an_account_and_a_region_have_instances_of_their_own(mill):
    mill.start()
    mill.run(SLEEPER)
    other = mill.client("ec2", region="eu-west-1")
    assert other.describe_instances()["Reservations"] == []
    other = mill.client("ec2", key="123456789012")
    assert other.describe_instances()["Reservations"] == []


def test_a_reset_ends_all_that_runs(mill):
    mill.flags.append("--allow-reset")
    mill.start()
    instance = mill.run(SLEEPER)
    mill.until_log(instance, "ready")
    status, _, _ = mill.request("POST", "/_tidemill/reset", b"")
    assert status == 200
    # By then, not soon after: what a program still does would be in an empty service.
    assert mill.processes(instance) == []
    assert mill.ec2.describe_instances()["Reservations"] == []
    assert not (mill.place / instance).exists()


def test_instances_may_be_turned_off(mill):
    mill.flags += ["--instances", "false"]
    mill.start()
    code, message = refusal(mill.ec2.describe_instances)
    assert code == "UnsupportedOperation" and "--instances" in message
    mill.process.terminate()
    mill.process.wait(timeout=60)


def test_two_services_do_not_look_after_the_same_instances(mill, tmp_path):
    mill.start()
    other = tmp_path / "other"
    other.mkdir()
    second = Mill(other, mill.place)
    done = subprocess.run(second.command(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "another service keeps its instances" in done.stderr


def test_the_log_is_followed_and_chosen_by_time(mill):
    mill.start()
    script = "#!/bin/sh\necho one\nwhile [ ! -e go ]; do sleep 0.05; done\necho two\n"
    instance = mill.run(script)
    mill.until_log(instance, ": one\n")
    command = [str(BINARY), "logs", instance, "-f", "--endpoint-url", mill.url]
    follower = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=mill.environment()
    )
    try:
        home = mill.place / instance / "home"
        (home / "go").touch()
        for line in follower.stdout:
            if line.endswith(": two\n"):
                break
    finally:
        follower.terminate()
        follower.wait(timeout=30)
    assert ": one\n" in mill.logged(instance, "--since", "1h")
    assert mill.logged(instance, "--raw") == "one\ntwo\n"
    assert mill.logged(instance, "--raw", "-n", "1") == "two\n"
    missing = mill.tool("logs", "nobody")
    assert missing.returncode == 1 and "there is no instance nobody" in missing.stderr
    assert os.path.isdir(home)
