"""The pages that say what there is name tests: here they are held to that."""

import re

import pytest

from server import ROOT


@pytest.mark.parametrize(("name", "fewest"), [
    ("sqs", 50), ("cloudwatch", 20), ("ec2", 20), ("autoscaling", 20), ("sns", 20)
])
def test_every_test_that_the_table_names_is_there(name, fewest):
    page = (ROOT / "docs" / f"{name}.md").read_text()
    files = (ROOT / "tests" / "blackbox").glob("test_*.py")
    texts = "".join(file.read_text() for file in files)
    there = set(re.findall(r"^def (test_\w+)", texts, re.M))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > fewest
    assert named - there == set()


@pytest.mark.parametrize("name", ["sqs", "cloudwatch", "ec2", "autoscaling", "sns"])
def test_the_table_has_every_operation(name):
    model = (ROOT / "models" / f"{name}.model").read_text()
    page = (ROOT / "docs" / f"{name}.md").read_text()
    rows = re.findall(r"^\| (\w+) \|", page, re.M)
    for operation in re.findall(r"^operation (\w+)", model, re.M):
        assert operation in rows
