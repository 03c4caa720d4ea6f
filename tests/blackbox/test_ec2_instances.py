"""Instances: what is launched really runs, is contained, and is gone when it is terminated."""

import os
import signal

import pytest
from botocore.exceptions import ClientError

from fleet import mill, unit  # noqa: F401 (mill is a fixture)
from server import until


def test_a_script_runs_and_prints_into_the_console(mill):
    mill.start()
    instance = mill.run("#!/bin/sh\necho hello from $TIDEMILL_INSTANCE_ID in $AWS_REGION\n")
    mill.until_log(instance, f"hello from {instance} in us-east-1")
    mill.until_log(instance, "it ended with exit code 0")
    output = mill.ec2.get_console_output(InstanceId=instance)
    assert output["InstanceId"] == instance
    assert f"hello from {instance}" in output["Output"]
    # A machine goes on when its script has ended.
    assert mill.state(instance) == "running"


def test_an_instance_is_described_as_it_was_launched(mill):
    mill.start()
    tags = [{"Key": "Name", "Value": "worker"}, {"Key": "team", "Value": "a"}]
    launched = mill.ec2.run_instances(
        ImageId="ami-0123456789abcdef0",
        InstanceType="t3.nano",
        MinCount=2,
        MaxCount=2,
        UserData="#!/bin/sh\nexec sleep 1000\n",
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        IamInstanceProfile={"Name": "consumer"},
        KeyName="key",
        Placement={"AvailabilityZone": "us-east-1b"},
    )
    assert launched["OwnerId"] == "000000000000"
    first, second = launched["Instances"]
    assert (first["AmiLaunchIndex"], second["AmiLaunchIndex"]) == (0, 1)
    assert first["State"] == {"Code": 0, "Name": "pending"}
    mill.until_state(first["InstanceId"], "running")
    found = mill.ec2.describe_instances(
        Filters=[
            {"Name": "tag:Name", "Values": ["work*"]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
    )["Reservations"]
    (reservation,) = found
    assert reservation["ReservationId"] == launched["ReservationId"]
    told = {one["InstanceId"]: one for one in reservation["Instances"]}[first["InstanceId"]]
    assert told["ImageId"] == "ami-0123456789abcdef0"
    assert told["InstanceType"] == "t3.nano"
    assert told["Tags"] == tags
    assert told["KeyName"] == "key"
    assert told["Placement"]["AvailabilityZone"] == "us-east-1b"
    profile = "arn:aws:iam::000000000000:instance-profile/consumer"
    assert told["IamInstanceProfile"]["Arn"] == profile


def test_a_terminated_instance_leaves_no_process_behind(mill):
    mill.start()
    # A child, a grandchild that left the session, and one that nobody waits for.
    script = (
        "#!/bin/sh\nsleep 1000 &\nsetsid sh -c 'sleep 1001 & sleep 1002' &\n"
        "(setsid sleep 1003 &)\necho ready\nexec sleep 1004\n"
    )
    instance = mill.run(script)
    mill.until_log(instance, "ready")
    until(lambda: len(mill.processes(instance)) >= 6, "all of them run")
    shim = mill.shim(instance)
    told = mill.ec2.terminate_instances(InstanceIds=[instance])
    (change,) = told["TerminatingInstances"]
    assert change["PreviousState"]["Name"] == "running"
    assert change["CurrentState"] == {"Code": 32, "Name": "shutting-down"}
    mill.until_state(instance, "terminated")
    assert mill.processes(instance) == []
    until(lambda: not os.path.exists(f"/proc/{shim}"), "its shim is gone")
    # Again does no harm.
    mill.ec2.terminate_instances(InstanceIds=[instance])


def test_a_unit_is_started_again_when_it_is_killed_and_not_when_it_ends_well(mill):
    mill.start()
    command = "/bin/sh -c 'echo started; while [ ! -e done ]; do sleep 0.05; done'"
    instance = mill.run(unit(command, restart="on-failure"))
    mill.until_log(instance, "started")
    (first,) = [pid for pid, line in mill.processes(instance) if line.startswith("/bin/sh")]
    os.kill(first, signal.SIGKILL)
    until(lambda: mill.logged(instance).count("started\n") == 2, "it was started again")
    assert "it ended with SIGKILL" in mill.logged(instance)
    (mill.place / instance / "home" / "done").touch()
    mill.until_log(instance, "it ended with exit code 0")
    until(lambda: mill.processes(instance) == [], "nothing of it runs")
    assert mill.logged(instance).count("started\n") == 2
    told = "user-data.service inactive (exit code 0) restarted 1x"
    until(lambda: told in mill.tool("ps").stdout, "it is told how the unit is")


def test_what_fails_at_once_is_left_alone_and_the_instance_is_impaired(mill):
    mill.start()
    instance = mill.run(unit("/bin/false", restart="always"))
    mill.until_log(instance, "it was started 5 times")
    assert mill.logged(instance).count("it ended with exit code 1") == 5

    def impaired():
        told = mill.ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]
        return told[0]["InstanceStatus"]["Status"] == "impaired"

    until(impaired, "it is told that the instance is impaired")


def test_instances_go_on_while_the_service_is_killed_and_are_found_again(mill):
    mill.start()
    instance = mill.run("#!/bin/sh\necho ready\nexec sleep 1000\n")
    mill.until_log(instance, "ready")
    (before,) = [pid for pid, line in mill.processes(instance) if line == "sleep 1000"]
    mill.kill()
    assert [pid for pid, line in mill.processes(instance) if line == "sleep 1000"] == [before]
    mill.start()
    mill.until_state(instance, "running")
    assert [pid for pid, line in mill.processes(instance) if line == "sleep 1000"] == [before]
    assert mill.logged(instance).count("ready") == 1
    mill.ec2.terminate_instances(InstanceIds=[instance])
    mill.until_state(instance, "terminated")
    assert mill.processes(instance) == []


def test_user_data_that_cannot_be_run_is_refused_with_its_line(mill):
    mill.start()
    with pytest.raises(ClientError) as refused:
        mill.launch("[Service]\nExecStart=/bin/true\nType=notify\n")
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidUserData.Malformed"
    assert "line 3: Type=notify" in error["Message"]
    assert mill.ec2.describe_instances()["Reservations"] == []
