"""The metadata service: what an instance may ask about itself."""

import contextlib
import json
import re
import socket
import urllib.error
import urllib.request

from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from fleet import mill  # noqa: F401 (a fixture)
from server import until

SCRIPT = "#!/bin/sh\necho at $AWS_EC2_METADATA_SERVICE_ENDPOINT.\nexec sleep 1000\n"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


class Metadata:
    """An instance's metadata service, as its programs reach it."""

    def __init__(self, mill, instance):
        log = mill.until_log(instance, "at http")
        self.url = re.search(r"at (http://127\.0\.0\.1:\d+)\.", log)[1]

    def ask(self, path, method="GET", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def get(self, path, **headers):
        status, _, text = self.ask(path, **headers)
        assert status == 200, (status, text)
        return text

    def token(self, seconds=60):
        status, headers, token = self.ask("/latest/api/token", "PUT", **{TTL: str(seconds)})
        assert status == 200, token
        # The SDK for Rust cannot do without.
        assert headers[TTL] == str(seconds)
        return {TOKEN: token}


def test_an_instance_asks_who_it_is_in_both_versions(mill):
    mill.start()
    instance = mill.run(SCRIPT, InstanceType="t3.nano", ImageId="ami-0123456789abcdef0")
    metadata = Metadata(mill, instance)
    for headers in ({}, metadata.token()):
        assert metadata.get("/latest/meta-data/instance-id", **headers) == instance
        assert metadata.get("/latest/meta-data/placement/region", **headers) == "us-east-1"
        assert metadata.get("/latest/meta-data/ami-id", **headers) == "ami-0123456789abcdef0"
        assert metadata.get("/2021-01-03/meta-data/instance-type", **headers) == "t3.nano"
        assert metadata.get("/latest/user-data", **headers) == SCRIPT
        below = metadata.get("/latest/meta-data/", **headers).split("\n")
        assert {"instance-id", "placement/", "services/"} <= set(below)
    document = json.loads(metadata.get("/latest/dynamic/instance-identity/document"))
    assert document["instanceId"] == instance
    assert document["accountId"] == "000000000000"


def test_metadata_is_refused_as_on_aws(mill):
    mill.start()
    metadata = Metadata(mill, mill.run(SCRIPT))
    assert metadata.ask("/latest/meta-data/nothing")[0] == 404
    # No group has an instance yet, and this one has no profile.
    assert metadata.ask("/latest/meta-data/autoscaling/target-lifecycle-state")[0] == 404
    assert metadata.ask("/latest/meta-data/iam/security-credentials/")[0] == 404
    assert metadata.ask("/latest/meta-data/instance-id", **{TOKEN: "made up"})[0] == 401
    assert metadata.ask("/latest/api/token", "PUT")[0] == 400
    assert metadata.ask("/latest/api/token", "PUT", **{TTL: "21601"})[0] == 400
    assert metadata.ask("/latest/api/token", "PUT", X_Forwarded_For="a", **{TTL: "60"})[0] == 403
    assert metadata.ask("/latest/meta-data/", "PUT", **{TTL: "60"})[0] == 403
    assert metadata.ask("/latest/meta-data/", "POST")[0] == 405


def test_metadata_is_given_as_the_launch_says(mill):
    mill.start()
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "a b"}]}]
    strict = {"HttpTokens": "required", "InstanceMetadataTags": "enabled"}
    metadata = Metadata(mill, mill.run(SCRIPT, MetadataOptions=strict, TagSpecifications=tags))
    assert metadata.ask("/latest/meta-data/instance-id")[0] == 401
    token = metadata.token()
    assert metadata.get("/latest/meta-data/tags/instance/", **token) == "Name"
    assert metadata.get("/latest/meta-data/tags/instance/Name", **token) == "a b"
    off = {"HttpEndpoint": "disabled"}
    metadata = Metadata(mill, mill.run(SCRIPT, MetadataOptions=off, TagSpecifications=tags))
    assert metadata.ask("/latest/meta-data/instance-id")[0] == 403
    metadata = Metadata(mill, mill.run(SCRIPT, TagSpecifications=tags))
    assert metadata.ask("/latest/meta-data/tags/instance/Name")[0] == 404


def test_botocore_finds_the_region_and_no_credentials(mill):
    mill.start()
    url = Metadata(mill, mill.run(SCRIPT)).url + "/"
    fetcher = InstanceMetadataFetcher(base_url=url, timeout=10)
    assert fetcher.retrieve_iam_role_credentials() == {}
    region = InstanceMetadataRegionFetcher(base_url=url, timeout=10)
    assert region.retrieve_region() == "us-east-1"


def test_each_instance_has_a_port_that_outlives_the_service(mill):
    mill.start()
    one, other = mill.run(SCRIPT), mill.run(SCRIPT)
    ports = {one: Metadata(mill, one), other: Metadata(mill, other)}
    assert ports[one].url != ports[other].url
    mill.kill()
    mill.start()
    for instance, metadata in ports.items():
        assert metadata.get("/latest/meta-data/instance-id") == instance
    mill.ec2.terminate_instances(InstanceIds=[one])
    mill.until_state(one, "terminated")

    def closed():
        try:
            ports[one].ask("/")
        except OSError:
            return True
        return False

    until(closed, "nobody answers for an instance that is gone")
    assert ports[other].get("/latest/meta-data/instance-id") == other


def test_an_old_token_is_good_no_more(mill):
    mill.flags += ["--clock", "manual"]
    mill.start()
    metadata = Metadata(mill, mill.run(SCRIPT))
    token = metadata.token(60)
    assert metadata.get("/latest/meta-data/profile", **token) == "default-hvm"
    mill.advance("61s")
    assert metadata.ask("/latest/meta-data/profile", **token)[0] == 401


def test_what_is_below_a_path_is_listed(mill):
    mill.start()
    metadata = Metadata(mill, mill.run(SCRIPT))
    for path in ("/", "/latest", "/latest/meta-data", "/latest/dynamic/"):
        assert metadata.get(path)


def test_connections_for_metadata_are_few_and_one_instance_leaves_some_for_others(mill):
    """Each takes a file of the service: 16 of an instance, 64 of all."""
    mill.start()
    instances = [mill.run(SCRIPT) for _ in range(5)]
    *hogs, last = [Metadata(mill, instance) for instance in instances]
    with contextlib.ExitStack() as stack:
        open_ = [
            stack.enter_context(connection(hog.url)) for hog in hogs for _ in range(16)
        ]
        # Each is answered, and rests.
        assert all(answered(one) for one in open_)
        with connection(last.url) as late:
            assert not answered(late)
        for one in open_[:30]:
            one.close()
        until(lambda: crowd(last, 17) == 16, "there is room again, and not for one alone")


def connection(url):
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def answered(connection):
    """Whether a question over a connection is answered; it is closed where it is one too many."""
    try:
        connection.sendall(b"GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.recv(100).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def crowd(metadata, count):
    """How many of so many connections at once are answered."""
    with contextlib.ExitStack() as stack:
        every = [stack.enter_context(connection(metadata.url)) for _ in range(count)]
        return sum(answered(one) for one in every)


def test_files_are_kept_for_instances_and_their_metadata(mill):
    command = mill.command()
    mill.command = lambda: ["sh", "-c", 'ulimit -n 1024; exec "$0" "$@"', *command]
    mill.start()
    # 64 for each of six logs, and 32; 64 connections, and a port for each of 100 instances.
    assert re.search(r"most\S*[=:]\S*444", mill.log.read_text())


def test_metadata_is_not_read_by_a_page_under_a_name_of_its_own(mill):
    mill.start()
    metadata = Metadata(mill, mill.run(SCRIPT))
    assert metadata.ask("/latest/meta-data/", Host="evil.example")[0] == 403
    assert metadata.ask("/latest/meta-data/", Host="localhost")[0] == 200
