"""Programs that misbehave: they are contained and told of, and nobody else is harmed."""

import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from botocore.exceptions import ClientError

from fleet import mill, unit  # noqa: F401 (mill is a fixture)
from server import BINARY, until


@pytest.fixture
def bystander():
    """A process that is not ours: it must never be signalled."""
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    yield process
    assert process.poll() is None, "a stranger was signalled"
    process.kill()
    process.wait()


def test_a_program_that_ignores_sigterm_is_killed_after_its_time(mill, bystander):
    mill.start()
    program = "/bin/sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.1; done'"
    instance = mill.run(unit(program, "TimeoutStopSec=1"))
    mill.until_log(instance, "ready")
    mill.ec2.stop_instances(InstanceIds=[instance])
    mill.until_state(instance, "stopped")
    assert mill.processes(instance) == []
    assert "it did not end within 1s: killed" in mill.logged(instance)


def test_a_stop_without_a_shutdown_asks_nobody(mill):
    mill.start()
    program = "/bin/sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.1; done'"
    instance = mill.run(unit(program, "TimeoutStopSec=1h"))
    mill.until_log(instance, "ready")
    mill.ec2.stop_instances(InstanceIds=[instance])
    assert mill.state(instance) == "stopping"
    mill.ec2.stop_instances(InstanceIds=[instance], Force=True)
    mill.until_state(instance, "stopped")
    assert mill.processes(instance) == []


def test_a_program_that_floods_its_log_fills_no_disk(mill):
    mill.start()
    instance = mill.run("#!/bin/sh\necho first\nexec yes 'all work and no play'\n")

    def size():
        # A file may go while it is looked at.
        total = 0
        for file in (mill.place / instance / "log").glob("*"):
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                continue
        return total

    until(lambda: "first" not in mill.logged(instance, "-n", "1"), "it prints")
    until(lambda: size() > 12 << 20, "the log is full", patience=60)
    assert size() <= 17 << 20
    # The first lines have gone, the last are there.
    assert mill.logged(instance, "--raw", "-n", "3") == "all work and no play\n" * 3


def test_a_program_that_eats_memory_is_killed(mill, bystander):
    mill.start()
    (kind,) = mill.ec2.describe_instance_types(InstanceTypes=["t3.nano"])["InstanceTypes"]
    # More than it may hold, and less than one process may write to.
    parts = kind["MemoryInfo"]["SizeInMiB"] * 3 // 2 // 16
    eater = (
        f"import signal\nheld = [bytearray(b'x' * (16 << 20)) for _ in range({parts})]\n"
        "print('held it', flush=True)\nsignal.pause()\n"
    )
    script = f"#!{sys.executable}\n{eater}" if os.geteuid() else None
    # What tests run with may be out of reach of nobody; the system's own is not.
    script = script or f"#!/usr/bin/env python3\n{eater}"
    instance = mill.run(script, InstanceType="t3.nano")
    log = mill.until_log(instance, "was killed")
    assert re.search(r"out of memory: \d+ MiB are held where there are 512; python3\S* \(pid", log)
    assert "MemoryError" not in log
    until(lambda: mill.processes(instance) == [], "it is gone")
    assert mill.state(instance) == "running"


def test_processes_beyond_the_limit_are_killed_all(mill, bystander):
    mill.start()
    # One processor: 512 processes.
    script = "#!/bin/sh\ni=0; while [ $i -lt 600 ]; do sleep 1000 & i=$((i+1)); done\nwait\n"
    instance = mill.run(script, InstanceType="t2.nano")
    mill.until_log(instance, "where there may be 512: all were killed")
    until(lambda: mill.processes(instance) == [], "all are gone")
    assert mill.state(instance) == "running"


def test_a_shim_that_is_killed_takes_its_programs_along_and_the_instance_starts_again(
    mill, bystander
):
    mill.start()
    instance = mill.run("#!/bin/sh\necho ready\nsetsid sleep 1001 &\nexec sleep 1000\n")
    mill.until_log(instance, "ready")
    until(lambda: len(mill.processes(instance)) == 2, "both run")
    before = {pid for pid, _ in mill.processes(instance)}
    os.kill(mill.shim(instance), signal.SIGKILL)
    until(lambda: mill.logged(instance).count("ready") == 2, "it was started again")
    until(lambda: len(mill.processes(instance)) == 2, "both run again")
    assert not before & {pid for pid, _ in mill.processes(instance)}
    assert "which an earlier start left behind" in mill.logged(instance)
    assert mill.state(instance) == "running"


STUBBORN = (
    "#!/bin/sh\ntrap '' TERM\n"
    "setsid sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' &\n"
    "echo ready\nwhile :; do sleep 0.1; done\n"
)


def test_an_instance_whose_shim_is_killed_while_it_ends_leaves_no_process_behind(mill, bystander):
    mill.start()
    terminated, stopped = mill.run(STUBBORN), mill.run(STUBBORN)
    for instance in (terminated, stopped):
        mill.until_log(instance, "ready")
    mill.ec2.terminate_instances(InstanceIds=[terminated])
    mill.ec2.stop_instances(InstanceIds=[stopped])
    for instance, state in ((terminated, "terminated"), (stopped, "stopped")):
        mill.until_log(instance, "stopping")
        os.kill(mill.shim(instance), signal.SIGKILL)
        mill.until_state(instance, state)
        assert mill.processes(instance) == []


@pytest.mark.parametrize("end", ["terminated", "with the service"])
def test_a_shim_that_has_yet_to_begin_ends_with_its_instance(mill, bystander, end):
    mill.flags.append("--stop-instances")
    mill.start()
    instance = mill.run("#!/bin/sh\necho ready\nexec sleep 1000\n")
    mill.until_log(instance, "ready")
    mill.ec2.stop_instances(InstanceIds=[instance])
    mill.until_state(instance, "stopped")
    with open(mill.place / instance / "LOCK") as lock:
        # No shim can take it meanwhile; to the service it looks as if none had.
        fcntl.flock(lock, fcntl.LOCK_SH)
        mill.ec2.start_instances(InstanceIds=[instance])
        until(lambda: mill.shims(instance), "its shim was made")
        if end == "terminated":
            mill.ec2.terminate_instances(InstanceIds=[instance])
            mill.until_state(instance, "terminated")
        else:
            assert mill.stop() == 0
        assert mill.shims(instance) == []
    if end == "terminated":
        assert mill.logged(instance).count("ready") == 1
    else:
        mill.start()
        until(lambda: mill.logged(instance).count("ready") == 2, "it starts with the service")


def test_of_two_shims_for_one_start_the_second_does_nothing(mill):
    mill.start()
    instance = mill.run("#!/bin/sh\necho ready\n")
    mill.until_log(instance, "ready")
    mill.ec2.stop_instances(InstanceIds=[instance])
    mill.until_state(instance, "stopped")
    command = [str(BINARY), "shim", str(mill.place / instance)]
    assert subprocess.run(command, timeout=30).returncode == 0
    assert mill.logged(instance).count("ready") == 1


def test_who_never_stays_one_process_for_long_is_ended_before_its_instance_is(mill, bystander):
    mill.start()
    # Each process makes the next and ends: whoever looks finds another, or none. They end by
    # themselves after a while.
    hop = "[ $1 -gt 20000 ] || { hop $(($1+1)) & }"
    script = f"#!/bin/sh\ntrap '' TERM\nhop() {{ {hop}; }}\necho ready\nhop 0\n"
    instance = mill.run(script)
    mill.until_log(instance, "it ended with exit code 0")
    mill.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
    mill.until_state(instance, "terminated")
    assert mill.processes(instance) == []


def test_instances_run_whatever_mask_their_service_was_started_with(mill):
    before = os.umask(0o077)
    try:
        mill.flags[mill.flags.index(str(mill.place))] = str(mill.place / "deep" / "instances")
        mill.start()
    finally:
        os.umask(before)
    mill.place = mill.place / "deep" / "instances"
    instance = mill.run("#!/bin/sh\ntouch mine && echo wrote\n")
    mill.until_log(instance, ": wrote\n")


def test_an_instance_whose_shim_does_not_listen_is_ended_all_the_same(mill, bystander):
    mill.start()
    instance = mill.run(STUBBORN)
    mill.until_log(instance, "ready")
    shim = mill.shim(instance)
    os.kill(shim, signal.SIGSTOP)
    mill.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
    mill.until_state(instance, "terminated")
    assert mill.processes(instance) == []
    until(lambda: not os.path.exists(f"/proc/{shim}"), "its shim is gone")


def test_instances_go_on_while_no_file_can_be_opened(mill):
    mill.start()
    ec2 = mill.ec2

    def states():
        found = ec2.describe_instances()["Reservations"]
        every = [one for launch in found for one in launch["Instances"]]
        return {one["InstanceId"]: one["State"]["Name"] for one in every}

    first = mill.run("#!/bin/sh\necho ready\nexec sleep 1000\n")
    mill.until_log(first, "ready")
    # From here on, the connection that is there is the only one.
    assert states() == {first: "running"}
    pid = mill.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        launched = ec2.run_instances(MinCount=1, MaxCount=1, UserData="#!/bin/sh\necho second\n")
        second = launched["Instances"][0]["InstanceId"]
        hidden = "an instance cannot be looked at"
        until(lambda: mill.log.read_text().count(hidden) == 2, "the keeper sees neither of them")
        assert states() == {first: "running", second: "pending"}
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    mill.until_log(second, ": second\n")
    mill.until_state(second, "running")
    assert mill.state(first) == "running"
    assert mill.logged(first).count(": ready\n") == 1


def test_the_last_words_of_a_program_are_in_the_log(mill):
    mill.start()
    script = (
        "#!/bin/sh\ntrap 'seq 1 2000; echo bye; exit 0' TERM\necho ready\n"
        "while :; do sleep 0.05; done\n"
    )
    for _ in range(3):
        instance = mill.run(script)
        mill.until_log(instance, "ready")
        mill.ec2.stop_instances(InstanceIds=[instance])
        mill.until_state(instance, "stopped")
        printed = mill.logged(instance, "--raw").splitlines()
        assert printed[-2001:] == [*map(str, range(1, 2001)), "bye"]


def test_a_shim_rests_while_the_service_of_its_timer_runs(mill):
    mill.start()
    message = MIMEMultipart()
    # Its first run ends at once, its second does not.
    program = "[ -e mine ] && while :; do echo beat; sleep 0.1; done; touch mine"
    parts = {
        "a.service": f"[Service]\nExecStart=/bin/sh -c '{program}'\n",
        "a.timer": "[Timer]\nOnBootSec=0\nOnUnitInactiveSec=0.1\n",
    }
    for name, text in parts.items():
        part = MIMEText(text, "plain")
        part.add_header("Content-Disposition", "attachment", filename=name)
        message.attach(part)
    instance = mill.run(message.as_string())
    until(lambda: mill.logged(instance).count(": beat\n") >= 1, "it runs for the second time")

    def used():
        """Seconds of processor time of the shim."""
        stat = open(f"/proc/{mill.shim(instance)}/stat").read().rsplit(") ", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    until(lambda: mill.logged(instance).count(": beat\n") >= 25, "it ran for a while")
    # A hundredth is usual; who does not rest takes all that there is.
    assert used() - before < 0.1


def test_what_a_service_leaves_behind_goes_with_it(mill):
    mill.start()
    program = "/bin/sh -c 'setsid sleep 1001 & echo ready; sleep 0.3'"
    instance = mill.run(unit(program))
    mill.until_log(instance, "it ended with exit code 0")
    until(lambda: mill.processes(instance) == [], "nothing is left")
    assert mill.state(instance) == "running"


def test_what_a_script_leaves_behind_stays_until_the_instance_stops(mill):
    mill.start()
    instance = mill.run("#!/bin/sh\nsetsid sleep 1001 &\n")
    mill.until_log(instance, "it ended with exit code 0")
    until(
        lambda: [line for _, line in mill.processes(instance)] == ["sleep 1001"],
        "what it left behind runs on",
    )
    mill.ec2.stop_instances(InstanceIds=[instance])
    mill.until_state(instance, "stopped")
    assert mill.processes(instance) == []


def test_instances_do_not_run_as_root(mill):
    mill.start()
    instance = mill.run("#!/bin/sh\nid -u; id -un; touch mine && echo wrote\n")
    log = mill.until_log(instance, "wrote")
    ours = os.geteuid()
    expected = "nobody" if ours == 0 else None
    if expected:
        assert f": {expected}\n" in log
        instance = mill.run(unit("/usr/bin/id", "User=root"))
        mill.until_log(instance, "no program runs as root")
        instance = mill.run(unit("/usr/bin/id -un", "User=daemon"))
        mill.until_log(instance, ": daemon\n")
        instance = mill.run(unit("/usr/bin/id -un", "User=nobodyatall"))
        mill.until_log(instance, "there is no user nobodyatall")
    else:
        assert f": {ours}\n" in log


def test_an_instance_that_its_user_cannot_reach_says_so(fresh, tmp_path):
    # Where pytest keeps its folders, nobody gets.
    service = fresh().start()
    ec2 = service.client("ec2")
    (launched,) = ec2.run_instances(MinCount=1, MaxCount=1)["Instances"]
    ids = [launched["InstanceId"]]

    def described():
        return ec2.describe_instances(InstanceIds=ids)["Reservations"][0]["Instances"][0]

    if os.geteuid() == 0:
        until(lambda: described()["State"]["Name"] == "terminated", "it has ended")
        reason = described()["StateReason"]
        assert reason["Code"] == "Server.InternalError"
        assert "--instances-dir" in reason["Message"]
    ec2.terminate_instances(InstanceIds=ids)
    until(lambda: described()["State"]["Name"] == "terminated", "it has ended")


def test_a_guarded_service_launches_for_its_keys_alone_and_hands_none_out(mill):
    key, secret = mill.init()
    mill.start()
    stranger = mill.client("ec2", key="AKIAIOSFODNN7EXAMPLE")
    with pytest.raises(ClientError) as refused:
        stranger.run_instances(MinCount=1, MaxCount=1)
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"
    ec2 = mill.client("ec2", key=key, secret=secret)
    script = "#!/bin/sh\nenv | sort\nexec sleep 1000\n"
    (launched,) = ec2.run_instances(MinCount=1, MaxCount=1, UserData=script)["Instances"]
    instance = launched["InstanceId"]

    def printed():
        output = ec2.get_console_output(InstanceId=instance)["Output"]
        return "USER=" in output and output

    output = until(printed, "it has printed what it was given")
    assert "AWS_ENDPOINT_URL=" in output and "AWS_ACCESS_KEY_ID" not in output
    ec2.terminate_instances(InstanceIds=[instance])
    until(lambda: mill.processes(instance) == [], "nothing of it runs")
    mill.stop()


def test_a_page_in_a_browser_cannot_launch_anything(mill):
    mill.start()
    form = b"Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, answer = mill.request("POST", "/", form, kind)
    assert status == 403 and b"MissingAuthenticationToken" in answer
    status, _, _ = mill.request("GET", "/?" + form.decode())
    assert status == 403
    # A picture whose URL has a name and a password in it.
    basic = {"Authorization": "Basic YTpi"}
    status, _, answer = mill.request("GET", "/?" + form.decode(), headers=basic)
    assert status == 403 and b"MissingAuthenticationToken" in answer
    signed = kind | {
        "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/ec2/aws4_request, "
        "SignedHeaders=host, Signature=0"
    }
    status, _, _ = mill.request("POST", "/", form, signed | {"Origin": "http://evil.example"})
    assert status == 403
    status, _, _ = mill.request("POST", "/", form, signed)
    assert status == 200
