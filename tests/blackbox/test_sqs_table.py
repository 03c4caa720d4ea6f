"""The page that says what there is names tests: here it is held to that."""

import re

from server import ROOT


def test_every_test_that_the_table_names_is_there():
    page = (ROOT / "docs" / "sqs.md").read_text()
    files = (ROOT / "tests" / "blackbox").glob("test_*.py")
    texts = "".join(file.read_text() for file in files)
    there = set(re.findall(r"^def (test_\w+)", texts, re.M))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 50
    assert named - there == set()


def test_the_table_has_every_operation():
    model = (ROOT / "models" / "sqs.model").read_text()
    page = (ROOT / "docs" / "sqs.md").read_text()
    rows = re.findall(r"^\| (\w+) \|", page, re.M)
    for operation in re.findall(r"^operation (\w+)", model, re.M):
        assert operation in rows
