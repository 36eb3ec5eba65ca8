"""The pilot and its course, once for all tests of running trials."""

import pytest

from attrition import trials
from attrition.running import remaining


@pytest.fixture(scope="session")
def pilot():
    return trials.load("pilot")


@pytest.fixture(scope="session")
def known(pilot):
    return remaining.course(pilot)
