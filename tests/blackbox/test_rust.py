"""AWS's Rust SDK: its tests are in `tests/clients/rust`."""

import pytest

from clients import Rust, user

# One process has them all: what they need is built once, in a folder that they share.
pytestmark = pytest.mark.xdist_group("rust")


@pytest.fixture(scope="module")
def rust():
    return Rust()


# The first time compiles the SDK.
@pytest.mark.timeout(1200)
def test_the_rust_sdk_signs_sends_receives_and_is_refused_in_its_own_types(rust, locked):
    service, key, secret = locked
    rust.test("sdk", user(service, key, secret))
