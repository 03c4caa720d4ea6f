"""Instances for the tests: a service that keeps them where whoever runs them can get at them."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from server import BINARY, Tidemill, until

MARK = b"TIDEMILL_INSTANCE_ID="


@pytest.fixture
def mill(tmp_path):
    """A service with instances; all that they ran is gone at the end."""
    # Tests may run as root, and instances as nobody, who cannot pass through pytest's folders.
    place = pathlib.Path(tempfile.mkdtemp(prefix="tidemill-", dir="/tmp"))
    place.chmod(0o755)
    service = Mill(tmp_path, place)
    yield service
    try:
        if service.process and service.process.poll() is None:
            service.end_all()
            service.stop()
    finally:
        service.sweep()
        shutil.rmtree(place, ignore_errors=True)


class Mill(Tidemill):
    """A service and its instances."""

    def __init__(self, folder, place, *flags):
        self.place = place
        super().__init__(folder, "--instances-dir", str(place), *flags)

    @property
    def ec2(self):
        return self.client("ec2")

    def run(self, user_data, **more):
        """Launches an instance, and waits until it runs."""
        instance = self.launch(user_data, **more)
        self.until_state(instance, "running")
        return instance

    def launch(self, user_data, **more):
        more = {"ImageId": "process", "InstanceType": "t3.micro"} | more
        launched = self.ec2.run_instances(MinCount=1, MaxCount=1, UserData=user_data, **more)
        (instance,) = launched["Instances"]
        return instance["InstanceId"]

    def describe(self, instance):
        told = self.ec2.describe_instances(InstanceIds=[instance])
        return told["Reservations"][0]["Instances"][0]

    def state(self, instance):
        return self.describe(instance)["State"]["Name"]

    def until_state(self, instance, state):
        until(lambda: self.state(instance) == state, f"{instance} is {state}")

    def tool(self, *words):
        command = [str(BINARY), *words, "--endpoint-url", self.url]
        return subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=60
        )

    def logged(self, instance, *flags):
        """What an instance printed, and said of itself."""
        done = self.tool("logs", instance, *flags)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until_log(self, instance, text):
        return until(
            lambda: (log := self.logged(instance)) and text in log and log,
            f"{instance} has logged {text!r}",
        )

    def processes(self, instance):
        """The processes of an instance, by their environment: (pid, command line)."""
        wanted = MARK + instance.encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    state = (entry / "stat").read_text().rsplit(") ", 1)[1][0]
                    if state not in "ZX":
                        found.append((int(entry.name), line.strip()))
            except OSError:
                continue
        return found

    def shim(self, instance):
        """The pid of an instance's shim, if it runs."""
        lock = self.place / instance / "LOCK"
        return int(lock.read_text().split()[0])

    def shims(self, instance):
        """The pids of an instance's shims, also of one that has not begun."""
        wanted = [b"tidemill", b"shim", str(self.place / instance).encode()]
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cmdline").read_bytes().split(b"\0")[:3] == wanted:
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def end_all(self):
        """Terminates every instance, without asking it."""
        found = self.ec2.describe_instances()["Reservations"]
        every = [one["InstanceId"] for launch in found for one in launch["Instances"]]
        if every:
            self.ec2.terminate_instances(InstanceIds=every, SkipOsShutdown=True)
            until(
                lambda: all(self.state(one) == "terminated" for one in every),
                "every instance is terminated",
            )

    def sweep(self):
        """Ends what is left of this service's own instances, after a test that failed."""
        for folder in self.place.glob("i-*"):
            # Its shim first, which would go on without them and takes some of them along.
            for pid in self.shims(folder.name):
                end(pid)
            for pid, _ in self.processes(folder.name):
                end(pid)


def end(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def unit(command, *lines, restart="no"):
    """A unit as it stands in a file."""
    service = "\n".join(lines)
    return (
        f"[Unit]\nDescription=Test\nAfter=network.target\n\n[Service]\nType=simple\n"
        f"ExecStart={command}\nRestart={restart}\nRestartSec=0.1\n{service}\n\n"
        f"[Install]\nWantedBy=multi-user.target\n"
    )
