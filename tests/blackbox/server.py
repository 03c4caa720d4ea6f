"""A Tidemill under test: the real binary, on a port and a folder of its own."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("TIDEMILL_BINARY", ROOT / "target" / "debug" / "tidemill"))


# Below the ports that systems give to whoever connects: one that was found free may otherwise be
# the near end of another test's connection before the service listens on it.
PORTS = range(10_000, 32_000)


def free_port():
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Tidemill:
    """One service; `start` and `stop` may alternate on the same folder."""

    def __init__(self, folder, *flags):
        self.data = pathlib.Path(folder) / "data"
        self.log = pathlib.Path(folder) / "log"
        self.flags = list(flags)
        self.port = free_port()
        self.process = None
        self.scheme = "https" if "--tls-cert" in flags else "http"

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def command(self):
        listen = f"127.0.0.1:{self.port}"
        return [str(BINARY), "serve", "--listen", listen, "--data-dir", str(self.data), *self.flags]

    def environment(self):
        """The caller's environment, without settings meant for another service."""
        return {k: v for k, v in os.environ.items() if not k.startswith(("TIDEMILL_", "AWS_"))}

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, env=self.environment()
            )
        until(self.healthy, "the service answers on /health")
        return self

    def init(self, *flags):
        """Makes a root key, after which every request must be signed: (id, secret)."""
        command = [str(BINARY), "init", "--data-dir", str(self.data), "--export", *flags]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        pairs = dict(
            line.removeprefix("export ").split("=", 1) for line in done.stdout.splitlines()
        )
        return pairs["AWS_ACCESS_KEY_ID"], pairs["AWS_SECRET_ACCESS_KEY"]

    def healthy(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the service ended: {self.log.read_text()}")
        try:
            return self.get("/health")[0] == 200
        except OSError:
            return False

    def stop(self, how=signal.SIGTERM):
        """Stops the service and returns its exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout=60)

    def kill(self):
        """Dies as by `kill -9`: nothing of the process gets to say goodbye."""
        self.stop(signal.SIGKILL)

    def request(self, method, path, body=None, headers=None):
        """A plain HTTP request: (status, headers, body)."""
        request = urllib.request.Request(
            self.url + path, method=method, data=body, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def advance(self, span):
        """Moves a manual clock, as in `advance("15m")`."""
        body = json.dumps({"advance": span}).encode()
        status, _, answer = self.request("POST", "/_tidemill/clock", body)
        assert status == 200, answer
        return json.loads(answer)

    def client(self, service="sqs", key="test", secret="test", region="us-east-1", **more):
        # More connections than any test has threads: none waits for another's long poll.
        config = Config(
            retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=64
        )
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=config,
            **more,
        )


def until(condition, what, patience=30):
    """Waits until a condition holds; how long a wait may take is not what a test is about."""
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s in vain until {what}")
        time.sleep(0.01)
