"""Launch templates: versions that never change, and what is launched from them."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from fleet import mill  # noqa: F401 (a fixture)

SCRIPT = "#!/bin/sh\necho from the template\nexec sleep 1000\n"


def packed(text):
    """User data as a template takes it: boto3 leaves the encoding to its caller there."""
    return base64.b64encode(text.encode()).decode()


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def ec2(mill):
    return mill.start().ec2


def test_a_template_has_versions_and_one_of_them_is_the_default(ec2):
    data = {"ImageId": "process", "InstanceType": "t3.micro", "UserData": packed(SCRIPT)}
    tags = [{"Key": "team", "Value": "a"}]
    made = ec2.create_launch_template(
        LaunchTemplateName="worker",
        VersionDescription="first",
        LaunchTemplateData=data,
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )["LaunchTemplate"]
    assert (made["DefaultVersionNumber"], made["LatestVersionNumber"]) == (1, 1)
    assert made["Tags"] == tags

    version = ec2.create_launch_template_version(
        LaunchTemplateName="worker",
        SourceVersion="1",
        LaunchTemplateData={"InstanceType": "t3.small"},
    )["LaunchTemplateVersion"]
    assert version["VersionNumber"] == 2
    assert version["LaunchTemplateData"] == data | {"InstanceType": "t3.small"}

    told = ec2.describe_launch_templates(LaunchTemplateNames=["worker"])["LaunchTemplates"]
    assert [(one["DefaultVersionNumber"], one["LatestVersionNumber"]) for one in told] == [(1, 2)]
    ec2.modify_launch_template(LaunchTemplateName="worker", DefaultVersion="2")
    versions = ec2.describe_launch_template_versions(
        LaunchTemplateId=made["LaunchTemplateId"], Versions=["$Default", "1"]
    )["LaunchTemplateVersions"]
    told = [(one["VersionNumber"], one["DefaultVersion"]) for one in versions]
    assert told == [(2, True), (1, False)]
    assert versions[1]["VersionDescription"] == "first"

    deleted = ec2.delete_launch_template_versions(
        LaunchTemplateName="worker", Versions=["1", "2", "7"]
    )
    gone = deleted["SuccessfullyDeletedLaunchTemplateVersions"]
    assert [one["VersionNumber"] for one in gone] == [1]
    left = deleted["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [one["VersionNumber"] for one in left] == [2, 7]
    ec2.delete_launch_template(LaunchTemplateName="worker")
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []


def test_versions_come_two_hundred_at_a_time_where_nobody_says(ec2):
    ec2.create_launch_template(LaunchTemplateName="worker", LaunchTemplateData={"KeyName": "k"})

    def make(number):
        data = {"UserData": packed(f"#!/bin/sh\necho {number}\n")}
        ec2.create_launch_template_version(LaunchTemplateName="worker", LaunchTemplateData=data)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(make, range(201)))
    page = ec2.describe_launch_template_versions(LaunchTemplateName="worker")
    rest = ec2.describe_launch_template_versions(
        LaunchTemplateName="worker", NextToken=page["NextToken"]
    )
    assert "NextToken" not in rest
    found = [one["LaunchTemplateVersions"] for one in (page, rest)]
    numbers = [[one["VersionNumber"] for one in versions] for versions in found]
    assert numbers == [list(range(202, 2, -1)), [2, 1]]
    assert all("UserData" in one["LaunchTemplateData"] for one in found[0])


def test_instances_are_launched_from_a_template_and_may_say_otherwise(mill):
    ec2 = mill.start().ec2
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "w"}]}]
    data = {"InstanceType": "t3.nano", "UserData": packed(SCRIPT), "TagSpecifications": tags}
    ec2.create_launch_template(LaunchTemplateName="worker", LaunchTemplateData=data)
    launched = ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.small",
        LaunchTemplate={"LaunchTemplateName": "worker", "Version": "$Latest"},
    )
    (instance,) = launched["Instances"]
    assert instance["InstanceType"] == "t3.small"
    assert instance["Tags"] == [{"Key": "Name", "Value": "w"}]
    mill.until_log(instance["InstanceId"], "from the template")
    # By its name, too.
    assert "from the template" in mill.logged("w")


def test_a_template_that_is_not_there_is_told_as_on_aws(ec2):
    data = {"UserData": packed(SCRIPT)}
    ec2.create_launch_template(LaunchTemplateName="worker", LaunchTemplateData=data)
    code, _ = refusal(
        ec2.create_launch_template, LaunchTemplateName="worker", LaunchTemplateData=data
    )
    assert code == "InvalidLaunchTemplateName.AlreadyExistsException"
    code, _ = refusal(ec2.delete_launch_template, LaunchTemplateName="other")
    assert code == "InvalidLaunchTemplateName.NotFoundException"
    code, _ = refusal(ec2.delete_launch_template, LaunchTemplateId="lt-00000000000000001")
    assert code == "InvalidLaunchTemplateId.NotFound"
    code, _ = refusal(ec2.delete_launch_template, LaunchTemplateId="worker")
    assert code == "InvalidLaunchTemplateId.Malformed"
    code, _ = refusal(
        ec2.run_instances,
        MinCount=1,
        MaxCount=1,
        LaunchTemplate={"LaunchTemplateName": "worker", "Version": "9"},
    )
    assert code == "InvalidLaunchTemplateId.VersionNotFound"


def test_what_no_process_can_be_given_is_refused(ec2):
    def template(**data):
        return refusal(
            ec2.create_launch_template, LaunchTemplateName="worker", LaunchTemplateData=data
        )

    code, message = template(UserData="#!/bin/sh\n")
    assert (code, message) == (
        "InvalidUserData.Malformed",
        "Invalid BASE64 encoding of user data.",
    )
    code, message = template(BlockDeviceMappings=[{"DeviceName": "/dev/sda1"}])
    assert code == "UnsupportedOperation" and "BlockDeviceMappings" in message
    code, message = template(InstanceMarketOptions={"MarketType": "spot"})
    assert code == "UnsupportedOperation" and "InstanceMarketOptions" in message

    def launch(**more):
        return refusal(ec2.run_instances, MinCount=1, MaxCount=1, **more)

    code, message = launch(InstanceType="p5.48xlarge")
    assert code == "InvalidParameterValue" and "p5.48xlarge" in message
    code, _ = launch(ImageId="ami-nothing")
    assert code == "InvalidAMIID.NotFound"
    code, message = launch(UserData="#cloud-config\npackages: [x]\n")
    assert code == "InvalidUserData.Malformed" and "cloud-init" in message
    code, message = launch(UserData="#!" + "x" * 16384)
    assert code == "InvalidParameterValue" and "16384" in message
    code, _ = launch(DryRun=True)
    assert code == "DryRunOperation"
    assert ec2.describe_instances()["Reservations"] == []


def test_what_is_only_kept_and_shown_is_not_long(ec2):
    longest = "k" * 255
    ec2.create_launch_template(LaunchTemplateName="longest", LaunchTemplateData={
        "KeyName": longest, "SecurityGroupIds": [longest] * 200,
    })
    for what, name in [
        ({"KeyName": "k" * 256}, "KeyName"),
        ({"KeyName": "k" * 200_000}, "KeyName"),
        ({"SecurityGroupIds": ["sg"] * 201}, "SecurityGroupId"),
        ({"SecurityGroups": ["s" * 256]}, "SecurityGroup"),
        ({"IamInstanceProfile": {"Name": "p" * 256}}, "IamInstanceProfile"),
        ({"IamInstanceProfile": {"Arn": "a" * 2049}}, "IamInstanceProfile"),
        ({"Placement": {"AvailabilityZone": "z" * 256}}, "Placement.AvailabilityZone"),
        ({"ImageId": "ami-" + "0" * 256}, "ImageId"),
        ({"InstanceType": "t" * 256}, "InstanceType"),
    ]:
        code, message = refusal(ec2.run_instances, MinCount=1, MaxCount=100, **what)
        assert code == "InvalidParameterValue" and name + " is limited to" in message
        code, message = refusal(
            ec2.create_launch_template, LaunchTemplateName="worker", LaunchTemplateData=what
        )
        assert code == "InvalidParameterValue" and name + " is limited to" in message
    code, message = refusal(ec2.run_instances, MinCount=1, MaxCount=1, ClientToken="t" * 65)
    assert code == "InvalidParameterValue" and "64" in message
    request = {"LaunchTemplateName": "worker", "LaunchTemplateData": {"KeyName": "k"}}
    code, message = refusal(ec2.create_launch_template, **request, ClientToken="t" * 129)
    assert code == "InvalidParameterValue" and "128" in message
    code, _ = refusal(ec2.create_launch_template, **request, VersionDescription="d" * 256)
    assert code == "InvalidParameterValue"
    code, message = refusal(
        ec2.delete_launch_template_versions, LaunchTemplateName="longest", Versions=["7"] * 201
    )
    assert code == "InvalidParameterValue" and "200" in message
    assert ec2.describe_instances()["Reservations"] == []
    assert len(ec2.describe_launch_templates()["LaunchTemplates"]) == 1


def test_tags_are_given_once_for_each_kind_of_resource(ec2):
    def tagged(*kinds):
        tags = [{"Key": f"key-{number}", "Value": "v"} for number in range(50)]
        return [{"ResourceType": kind, "Tags": tags} for kind in kinds]

    said = "The same resource type may not be specified more than once in tag specifications"
    twice = {"TagSpecifications": tagged("instance", "instance")}
    refused = refusal(ec2.run_instances, MinCount=1, MaxCount=1, **twice)
    assert refused == ("InvalidParameterValue", said)
    refused = refusal(
        ec2.create_launch_template, LaunchTemplateName="worker", LaunchTemplateData=twice
    )
    assert refused == ("InvalidParameterValue", said)
    once = {"TagSpecifications": tagged("instance", "volume")}
    assert ec2.run_instances(MinCount=1, MaxCount=1, **once)["Instances"]


def test_a_template_made_twice_by_the_same_request_is_made_once(ec2):
    data = {"UserData": packed(SCRIPT)}
    request = {"LaunchTemplateName": "worker", "LaunchTemplateData": data, "ClientToken": "t"}
    first = ec2.create_launch_template(**request)["LaunchTemplate"]
    again = ec2.create_launch_template(**request)["LaunchTemplate"]
    assert again["LaunchTemplateId"] == first["LaunchTemplateId"]
    other = request | {"LaunchTemplateData": {"InstanceType": "t3.small"}}
    assert refusal(ec2.create_launch_template, **other)[0] == "IdempotentParameterMismatch"


def test_templates_and_tags_survive_a_kill(mill):
    ec2 = mill.start().ec2
    data = {"InstanceType": "t3.small", "UserData": packed(SCRIPT)}
    made = ec2.create_launch_template(LaunchTemplateName="worker", LaunchTemplateData=data)
    id = made["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_tags(Resources=[id], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ec2.delete_tags(Resources=[id], Tags=[{"Key": "a"}, {"Key": "b", "Value": "other"}])
    mill.kill()
    ec2 = mill.start().ec2
    (told,) = ec2.describe_launch_templates()["LaunchTemplates"]
    assert told["Tags"] == [{"Key": "b", "Value": "2"}]
    (tag,) = ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": ["launch-*"]}])["Tags"]
    expected = {"Key": "b", "Value": "2", "ResourceId": id, "ResourceType": "launch-template"}
    assert tag == expected
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateId=id)[
        "LaunchTemplateVersions"
    ]
    assert version["LaunchTemplateData"] == data


def test_images_and_types_are_what_there_is(ec2):
    (image,) = ec2.describe_images()["Images"]
    assert (image["ImageId"], image["State"]) == ("process", "available")
    several = ec2.describe_images(ImageIds=["process", "ami-process", "process"])["Images"]
    assert [image["ImageId"] for image in several] == ["ami-process", "process"]
    assert refusal(ec2.describe_images, ImageIds=["ami-none"])[0] == "InvalidAMIID.NotFound"
    (kind,) = ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"]
    assert kind["MemoryInfo"]["SizeInMiB"] == 1024
    assert kind["VCpuInfo"]["DefaultVCpus"] == 2
    assert refusal(ec2.describe_instance_types, InstanceTypes=["x"])[0] == "InvalidParameterValue"
    pages = ec2.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 5})
    names = [kind["InstanceType"] for page in pages for kind in page["InstanceTypes"]]
    assert len(names) == len(set(names)) > 20
