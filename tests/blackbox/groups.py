"""Groups for the tests: a service with instances whose groups end before they do."""

import base64
import functools
import pathlib
import shutil
import tempfile

import pytest
from botocore.exceptions import ClientError

from fleet import Mill
from server import until

SLEEPER = "#!/bin/sh\necho ready\nexec sleep 1000\n"


@pytest.fixture
def make_scaled(tmp_path):
    """Makes services with groups: `make_scaled("--flag")`, not yet started."""
    made = []

    def make(*flags):
        # Tests may run as root, and instances as nobody, who cannot pass through pytest's folders.
        place = pathlib.Path(tempfile.mkdtemp(prefix="tidemill-", dir="/tmp"))
        place.chmod(0o755)
        folder = tmp_path / f"service-{len(made)}"
        folder.mkdir()
        made.append(Scaled(folder, place, *flags))
        return made[-1]

    yield make
    for service in made:
        try:
            if service.process and service.process.poll() is None:
                service.end_groups()
                service.end_all()
                service.stop()
        finally:
            service.sweep()
            shutil.rmtree(service.place, ignore_errors=True)


@pytest.fixture
def scaled(make_scaled):
    """A service with groups, on the machine's clock, running."""
    return make_scaled().start()


class Scaled(Mill):
    """A service, its instances and their groups."""

    @functools.cached_property
    def ec2(self):
        return self.client("ec2")

    @functools.cached_property
    def groups(self):
        return self.client("autoscaling")

    def template(self, name="worker", user_data=SLEEPER, **more):
        """Makes a launch template; gives its id."""
        data = {"UserData": base64.b64encode(user_data.encode()).decode()} | more
        data = {"ImageId": "process", "InstanceType": "t3.micro"} | data
        made = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        return made["LaunchTemplate"]["LaunchTemplateId"]

    def make(self, name="workers", least=0, most=10, template="worker", **more):
        """Makes a group."""
        more = {"LaunchTemplate": {"LaunchTemplateName": template}} | more
        self.groups.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=least,
            MaxSize=most,
            AvailabilityZones=["us-east-1a"],
            **more,
        )

    def group(self, name="workers"):
        """A group as it is described; None if it is not there."""
        found = self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return next(iter(found["AutoScalingGroups"]), None)

    def serving(self, name="workers"):
        """The ids of a group's instances in service."""
        group = self.group(name)
        every = group["Instances"] if group else []
        return sorted(i["InstanceId"] for i in every if i["LifecycleState"] == "InService")

    def until_serving(self, count, name="workers", patience=30):
        """Waits until a group has so many in service, and nothing else."""

        def settled():
            instances = self.group(name)["Instances"]
            return len(instances) == count and len(self.serving(name)) == count

        until(settled, f"{name} has {count} in service", patience)
        return self.serving(name)

    def look(self, name="witness"):
        """Waits until the service has looked at every group anew: by then, another one changed."""
        if self.group(name) is None:
            self.make(name)
        other = 1 - self.group(name)["DesiredCapacity"]
        self.groups.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=other)
        self.until_serving(other, name)

    def activities(self, name="workers", **more):
        """What a group did, the newest first."""
        if name:
            more["AutoScalingGroupName"] = name
        return self.groups.describe_scaling_activities(**more)["Activities"]

    def running(self):
        """The ids of all instances that are not gone, whoever's."""
        found = self.ec2.describe_instances()["Reservations"]
        every = [one for launch in found for one in launch["Instances"]]
        return sorted(i["InstanceId"] for i in every if i["State"]["Name"] != "terminated")

    def end_groups(self):
        """Deletes every group with its instances."""
        for group in self.groups.describe_auto_scaling_groups()["AutoScalingGroups"]:
            if group.get("Status") != "Delete in progress":
                self.groups.delete_auto_scaling_group(
                    AutoScalingGroupName=group["AutoScalingGroupName"], ForceDelete=True
                )
        until(
            lambda: not self.groups.describe_auto_scaling_groups()["AutoScalingGroups"],
            "every group is gone",
            60,
        )


def refusal(call, **parameters):
    """The code and the message of a call's refusal."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]
