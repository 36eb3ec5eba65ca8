"""The appendix on cost: what it says follows from what was measured."""

import pandas as pd
import pytest

from attrition import text
from attrition.findings import cost


def table(**seconds):
    """A measured table with three numbers of patients a step."""
    rows = [
        {"step": step, "patients": n, "seconds": taken, "patients_a_second": n / taken, "peak_mib": 100 + n / 100}
        for step, values in seconds.items()
        for n, taken in zip((10, 100, 1000), values, strict=True)
    ]
    return pd.DataFrame(rows)


def test_growth_is_the_slope_between_the_two_largest_whatever_the_order():
    costs = table(scores=(5.0, 1.0, 10.0), bootstrap=(1.0, 2.0, 200.0), generation=(1.0, 1.0, 1.0))
    for order in (costs, costs[::-1], costs.sample(frac=1, random_state=1)):
        assert cost.growth(order).to_dict() == pytest.approx({"scores": 1.0, "bootstrap": 2.0, "generation": 0.0})


def test_the_reading_tells_the_largest_trial_and_the_steepest_step():
    template, values = cost.reading(table(scores=(1, 2, 3), generation=(1, 1, 4), bootstrap=(1, 2, 200)))
    assert (values["most"], values["seconds"], values["memory"], values["steepest"]) == (1000, 7.0, 110.0, "bootstrap")
    assert "takes 7 seconds of one processor and 110 MiB" in text.fill(template, values)


def test_the_committed_measurements_reach_as_far_as_the_scale_that_is_promised():
    costs = cost.measured()
    largest = costs.groupby("step")["patients"].max()
    assert (largest[list(cost.IN_PIECES)] == 10_000_000).all()
    assert (largest == 1_000_000).sum() == 3
    assert costs["peak_mib"].max() < 2048
    assert (costs[["seconds", "peak_mib"]] > 0).all(axis=None)
    assert cost.where_and_when().startswith("20")
