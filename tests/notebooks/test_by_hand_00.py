"""What chapter 00 calculates in its cells: how cost grows, and from which measurements."""

import numpy as np
import pandas as pd
import pytest

import notebook_report as report
from attrition import paths
from tests.notebooks import cells

MEASURED = pd.read_csv(paths.COST, comment="#")


def costs(**seconds):
    """A measured table with three numbers of patients a step."""
    return pd.DataFrame(
        {"step": step, "patients": n, "seconds": taken, "peak_mib": 100 + n / 100}
        for step, values in seconds.items()
        for n, taken in zip((10, 100, 1000), values, strict=True)
    )


def test_growth_is_the_slope_between_the_two_largest_numbers():
    measured = costs(scores=(5.0, 1.0, 10.0), bootstrap=(1.0, 2.0, 200.0), generation=(1.0, 1.0, 1.0))
    power = cells.run("00", "39", costs=measured, np=np)["power"]
    assert power.to_dict() == pytest.approx({"scores": 1.0, "bootstrap": 2.0, "generation": 0.0})


def test_the_largest_trial_and_the_steepest_step_are_told():
    measured = costs(scores=(1, 2, 3), generation=(1, 1, 4), bootstrap=(1, 2, 200))
    made = cells.run("00", "39", "40", costs=measured, np=np, paths=paths, report=report)
    assert made["most"]["seconds"].tolist() == [3, 4]
    assert made["whole"]["step"].unique().tolist() == ["bootstrap"]
    assert "takes 7 seconds of one processor and 110 MiB" in made["said"]
    assert "and 2.00 (bootstrap); 1 is in proportion" in made["said"]


def test_the_committed_measurements_reach_as_far_as_the_scale_that_is_promised():
    largest = MEASURED.groupby("step")["patients"].max()
    assert (largest[["generation", "features", "scores"]] == 10_000_000).all()
    assert (largest == 1_000_000).sum() == 3
    assert MEASURED["peak_mib"].max() < 2048
    assert (MEASURED[["seconds", "peak_mib"]] > 0).all(axis=None)
    assert all(own["patients"].is_monotonic_increasing for _, own in MEASURED.groupby("step"))
