"""Draws against the laws they are said to follow."""

import numpy as np
import pytest
from scipy import stats

from attrition import seeds
from attrition.simulate import draws


@pytest.mark.parametrize(("a", "b"), [(5, 2), (5.0, 1.0), (0.4, 6), (5, 2.5)])
def test_beta_draws_follow_the_beta_law(a, b):
    drawn = draws.beta(a, b, 200_000, seeds.stream(42, "beta", str((a, b))))
    assert stats.kstest(drawn, stats.beta(a, b).cdf).pvalue > 0.001


@pytest.mark.slow
def test_the_test_of_the_beta_law_can_fail():
    drawn = draws.beta(5, 2, 200_000, seeds.stream(42, "beta", "other"))
    assert stats.kstest(drawn, stats.beta(5.05, 2).cdf).pvalue < 0.001


@pytest.mark.parametrize("shapes", [(5, 0), (-1, 2), (float("nan"), 1)])
def test_a_shape_that_is_not_positive_is_refused(shapes):
    with pytest.raises(ValueError, match="two positive shapes"):
        draws.beta(*shapes, 3, seeds.stream(42, "beta"))


def test_every_day_between_the_bounds_is_equally_likely():
    low, width = np.repeat([1, 30, 90], 100_000), np.repeat([7, 60, 275], 100_000)
    drawn = draws.day(low, low + width, seeds.stream(42, "day"))
    for first, days in ((1, 7), (30, 60), (90, 275)):
        counts = np.bincount(drawn[low == first] - first, minlength=days)
        assert len(counts) == days
        assert stats.chisquare(counts).pvalue > 0.001


def test_the_largest_uniform_still_gives_the_last_day():
    class Largest:
        @staticmethod
        def random(n):
            return np.full(n, 1 - 2.0**-53)

    width = np.arange(1, 2000)
    assert (draws.day(np.ones_like(width), 1 + width, Largest()) == width).all()
