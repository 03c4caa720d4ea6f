"""AWS's JavaScript SDK and sqs-consumer: their tests are in `tests/clients/javascript`."""

import pytest

from clients import JavaScript, user

# One process has them all: what they need is built once, in a folder that they share.
pytestmark = pytest.mark.xdist_group("javascript")


@pytest.fixture(scope="module")
def javascript():
    return JavaScript()


# Installing the packages may take longer than any test.
@pytest.mark.timeout(600)
def test_the_javascript_sdk_signs_sends_receives_and_is_refused_in_its_own_types(
    javascript, locked
):
    service, key, secret = locked
    javascript.test("sdk.test.js", user(service, key, secret))


@pytest.mark.timeout(600)
def test_a_javascript_sqs_consumer_handles_extends_gives_back_and_stops(javascript, shared):
    javascript.test("consumer.test.js", user(shared))
