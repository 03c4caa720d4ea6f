"""The clients that are not Python: each is installed into `target/` when a test first needs it."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from server import ROOT

SOURCES = ROOT / "tests" / "clients"


def run(command, folder, environment=None, patience=900):
    """Runs a command that has to succeed; what it printed is shown where it did not."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=patience,
    )
    if done.returncode != 0:
        pytest.fail(f"{command[0]} failed in {folder}:\n{done.stdout}", pytrace=False)
    return done.stdout


def need(program, what):
    """The program's path. Without it the tests fail: what is skipped proves nothing."""
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"these tests need {what}: there is no `{program}` on the path", pytrace=False)
    return found


class JavaScript:
    """The tests of `tests/clients/javascript`, beside the packages that its lock file names."""

    def __init__(self):
        what = "Node.js 20 or later, with npm"
        self.node, npm = need("node", what), need("npm", what)
        version = run([self.node, "--version"], ROOT).strip()
        if int(version.lstrip("v").split(".")[0]) < 20:
            pytest.fail(f"these tests need {what}, and this is {version}", pytrace=False)
        self.folder = ROOT / "target" / "clients-javascript"
        # A module looks for packages where its file lies, so the tests go beside them.
        shutil.copytree(SOURCES / "javascript", self.folder, dirs_exist_ok=True)
        wanted = (self.folder / "package-lock.json").read_text()
        installed = self.folder / "installed.json"
        if not (installed.exists() and installed.read_text() == wanted):
            run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], self.folder)
            installed.write_text(wanted)

    def test(self, file, environment):
        """Runs one file of tests."""
        command = [self.node, "--test", "--test-reporter", "spec", file]
        run(command, self.folder, environment, patience=110)


class Rust:
    """The tests of `tests/clients/rust`, compiled once, apart from the product."""

    def __init__(self):
        cargo = os.environ.get("CARGO") or need("cargo", "Rust")
        self.folder = SOURCES / "rust"
        self.cargo = [cargo, "test", "--quiet", "--locked"]
        self.cargo += ["--target-dir", ROOT / "target" / "clients-rust"]
        run([*self.cargo, "--no-run"], self.folder)

    def test(self, file, environment):
        """Runs one file of tests."""
        run([*self.cargo, "--test", file], self.folder, environment, patience=110)


def user(service, key="test", secret="test"):
    """What a user sets: the endpoint, and the credentials that every SDK insists on."""
    return service.environment() | {
        "AWS_ENDPOINT_URL": service.url,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        # Nothing of the machine's own settings, and nobody to ask for others.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def command_line(service, *words):
    """Runs AWS's own command, which has to succeed; what it answers."""
    command = [str(pathlib.Path(sys.prefix) / "bin" / "aws"), *words]
    done = subprocess.run(command, env=user(service), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None
