"""The service is killed in the middle of launches and terminations, again and again."""

import random

import pytest

from groups import make_scaled, scaled  # noqa: F401 (fixtures)
from server import until


@pytest.mark.timeout(600)
def test_a_service_that_is_killed_in_the_middle_neither_doubles_nor_loses_an_instance(scaled):
    chance = random.Random(20_261_122)
    scaled.template()
    scaled.make(most=8)
    for _ in range(8):
        desired = chance.randrange(9)
        scaled.groups.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=desired)
        # Some of it has been done, and some not: looking takes a while.
        for _ in range(chance.randrange(6)):
            scaled.group()
        scaled.kill()
        scaled.start()
        if chance.random() < 0.5:
            continue
        serving = scaled.until_serving(desired, patience=60)
        until(lambda: scaled.running() == serving, "nobody else runs")
    scaled.groups.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=3)
    serving = scaled.until_serving(3, patience=60)
    until(lambda: scaled.running() == serving, "nobody else runs")
    # An activity for each that came or went, and none twice.
    activities = scaled.activities()
    told = [one["Description"] for one in activities if one["StatusCode"] == "Successful"]
    assert len(told) == len(set(told))
    assert {one["StatusCode"] for one in activities} <= {"Successful", "Cancelled"}
