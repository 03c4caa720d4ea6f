"""What user data may do with the rights of the service that runs it: nothing.

Where the tests run as root, so does the service, and that is the case that matters; otherwise what
a unit asks for is beyond the service itself."""

import os
import stat
import subprocess
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from fleet import mill, unit  # noqa: F401 (mill is a fixture)
from server import until

IS_ROOT = os.geteuid() == 0


def units(**parts):
    """Several units, as MIME: `units(a="...")` has one called a.service."""
    message = MIMEMultipart()
    for name, text in parts.items():
        part = MIMEText(text, "plain")
        part.add_header("Content-Disposition", "attachment", filename=f"{name}.service")
        message.attach(part)
    return message.as_string()


def test_variables_of_user_data_move_nothing_that_runs_as_the_service(mill):
    mill.start()
    # The loader obeys this one at once: it prints whom the program that it loads runs as.
    instance = mill.run(unit("/usr/bin/id", "Environment=LD_SHOW_AUXV=1"))
    log = mill.until_log(instance, "it ended with exit code 0")
    told = [line.split()[-1] for line in log.splitlines() if "AT_UID" in line]
    assert told == ["65534" if IS_ROOT else str(os.geteuid())]


def test_user_data_cannot_take_off_what_its_processes_are_found_by(mill):
    mill.start()
    orphan = "/bin/sh -c '(setsid sleep 1001 &); echo left; sleep 0.2'"
    lines = ["Environment=INVOCATION_ID=x TIDEMILL_MARK=x", "UnsetEnvironment=TIDEMILL_MARK"]
    other = unit("/bin/sh -c 'echo other; exec sleep 1002'")
    instance = mill.run(units(a=unit(orphan, *lines), b=other))
    mill.until_log(instance, ": left\n")
    mill.until_log(instance, "it ended with exit code 0")

    def left():
        return sorted(line for _, line in mill.processes(instance))

    until(lambda: left() == ["sleep 1002"], "what the first unit left behind is gone")


def test_a_file_of_variables_is_read_by_whom_the_unit_runs_as(mill):
    mill.start()
    shared, secret, pipe = (mill.place / name for name in ("shared", "secret", "pipe"))
    shared.write_text("WHO='the file'\nINVOCATION_ID=x\n")
    shared.chmod(0o644)
    lines = ["Environment=WHO=unit", f"EnvironmentFile={shared}", "EnvironmentFile=-/nowhere"]
    instance = mill.run(unit("/bin/echo hello from ${WHO}", *lines))
    mill.until_log(instance, ": hello from the file\n")

    secret.write_text("WHO=secret\n")
    secret.chmod(0o600 if IS_ROOT else 0)
    os.mkfifo(pipe, 0o666)
    pipe.chmod(0o666)
    for file, why in [
        (secret, "Permission denied"),
        ("/nowhere", "No such file"),
        (pipe, "it is no file"),
        ("/dev/zero", "it is no file"),
    ]:
        program = "/bin/echo hello from ${WHO}"
        instance = mill.run(unit(program, f"EnvironmentFile={file}"))
        log = mill.until_log(instance, "it ended with exit code 209")
        assert f"EnvironmentFile {file}: {why}" in log and "hello" not in log
        # Whoever listens to it still listens.
        mill.ec2.terminate_instances(InstanceIds=[instance])
        mill.until_state(instance, "terminated")


GROUPS = "/bin/sh -c 'echo groups: $(id -G); exec sleep 1000'"


@pytest.mark.skipif(not IS_ROOT, reason="only root runs programs as others")
def test_a_unit_has_the_groups_of_its_user_and_no_others(mill):
    mill.start()
    for group, why in {
        "root": "no program runs in root's group",
        "0": "no program runs in root's group",
        "daemon": "nobody is not in the group daemon",
        "nosuchgroup": "there is no group nosuchgroup",
    }.items():
        instance = mill.run(unit(GROUPS, f"Group={group}"))
        log = mill.until_log(instance, "it ended with exit code 216")
        assert why in log and "groups:" not in log, (group, log)
    instance = mill.run(unit(GROUPS, "User=daemon"))
    log = mill.until_log(instance, "groups: ")
    groups = log.split("groups: ")[1].splitlines()[0].split()
    told = subprocess.run(["id", "-G", "daemon"], capture_output=True, text=True, check=True)
    # No user is more by its groups than by its name.
    assert set(groups) == set(told.stdout.split()) - {"0"}


@pytest.mark.skipif(IS_ROOT, reason="root runs programs as others")
def test_without_root_a_unit_runs_as_whoever_runs_the_service(mill):
    mill.start()
    instance = mill.run(unit(GROUPS, "Group=root"))
    log = mill.until_log(instance, "groups: ")
    assert "not as root: only root can run it as another" in log
    groups = log.split("groups: ")[1].splitlines()[0].split()
    assert set(groups) == {str(group) for group in {*os.getgroups(), os.getegid()}}


def test_a_unit_is_as_nice_as_its_user_must_be(mill):
    mill.start()
    instance = mill.run(unit("/bin/echo ran", "Nice=-20"))
    log = mill.until_log(instance, "it ended with exit code")
    assert "it ended with exit code 201" in log and ": ran\n" not in log
    instance = mill.run(unit("/bin/sh -c 'echo nice: $(nice)'", "Nice=19"))
    mill.until_log(instance, ": nice: 19\n")


def test_nobody_else_can_keep_the_service_from_its_instances(mill):
    mill.start()
    lock = mill.place / "LOCK"
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    # An older version left it open to all.
    mill.stop()
    lock.chmod(0o644)
    mill.start()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
