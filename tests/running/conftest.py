"""The course of the pilot, once for all tests of running trials."""

import pytest

from attrition.running import remaining


@pytest.fixture(scope="session")
def known(pilot):
    return remaining.course(pilot)
