"""The example that the README begins with."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from server import BINARY

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
def test_a_burst_has_workers_appear_and_they_go_when_it_is_done():
    environment = dict(os.environ)
    environment |= {
        "TIDEMILL_BINARY": str(BINARY),
        "EXAMPLE_CLIENTS": str(pathlib.Path(sys.executable).parent.parent),
        "MESSAGES": "300",
    }
    done = subprocess.run(
        [ROOT / "examples" / "scaling" / "run"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    end = r"# 300 messages: .*, (\d+) at most, all done after .* nobody left"
    told = re.search(end, done.stdout)
    assert told and int(told[1]) > 1, done.stdout
    # Each command is shown as it was run.
    shown = re.findall(r"^\$ (.*)", done.stdout, re.MULTILINE)
    place = next(line for line in shown if line.startswith("cd "))
    endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", done.stdout)[1]
    assert f"aws --endpoint-url {endpoint} sqs create-queue --queue-name orders" in shown
    assert "tidemill send orders --lines orders.txt" in shown and "scaling." in place
    # What `tidemill top` shows meanwhile.
    assert re.search(r"^orders +\d+", done.stdout, re.MULTILINE), done.stdout
