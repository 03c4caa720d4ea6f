"""Services for the tests: one that all share, and fresh ones for those that need their own."""

import itertools

import botocore.model
import pytest

from server import Tidemill

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A service on a manual clock that every test may use, each with queues of its own."""
    service = Tidemill(tmp_path_factory.mktemp("shared"), "--clock", "manual").start()
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="session")
def locked(tmp_path_factory):
    """A guarded service that every test may use: (service, key id, secret)."""
    service = Tidemill(tmp_path_factory.mktemp("locked"))
    key, secret = service.init()
    service.start()
    yield service, key, secret
    assert service.stop() == 0


@pytest.fixture
def fresh(tmp_path):
    """Makes services of a test's own: `fresh("--flag")`, not yet started."""
    made = []

    def make(*flags):
        folder = tmp_path / f"service-{len(made)}"
        folder.mkdir()
        made.append(Tidemill(folder, *flags))
        return made[-1]

    yield make
    for service in made:
        if service.process and service.process.poll() is None:
            service.kill()


@pytest.fixture
def sqs(shared):
    return shared.client()


@pytest.fixture
def queue(sqs):
    """A queue of the test's own."""
    name = f"queue-{next(_numbers)}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def make_queue(sqs):
    """Makes queues of the test's own: `make_queue(".fifo", FifoQueue="true")`."""
    made = []

    def make(suffix="", **attributes):
        name = f"queue-{next(_numbers)}{suffix}"
        made.append(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        return made[-1]

    yield make
    for url in made:
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture(params=["json", "smithy-rpc-v2-cbor", "query"])
def cloudwatch(shared, request, monkeypatch):
    """A client that speaks each of the protocols that the service has."""
    others = [p for p in botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS if p != request.param]
    name = "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS"
    monkeypatch.setattr(botocore.model, name, (request.param, *others))
    client = shared.client("cloudwatch")
    assert client.meta.service_model.resolved_protocol == request.param
    return client


@pytest.fixture
def plain(shared):
    return shared.client("cloudwatch")
