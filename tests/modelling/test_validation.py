"""Validation study: the truth is the truth, known biases show, the rule follows the table."""

import numpy as np
import pandas as pd
import pytest

from attrition.modelling import validation
from attrition.resampling import schemes
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW


@pytest.fixture(scope="module")
def rows():
    return validation.study([250], 40, 20_000, 3, schemes.Sizes(n_repeats=2, n_bootstraps=20))


def table_of(**performance):
    """One size; scheme to (rmse, coverage)."""
    return pd.DataFrame(
        [
            {"n_patients": 250, "scheme": scheme, "rmse": rmse, "coverage": coverage, "bias": 0.0}
            for scheme, (rmse, coverage) in performance.items()
        ]
    )


def test_population_gives_the_oracle_its_exact_auroc():
    everyone = validation.population(20_000, 1)
    assert abs(everyone.shift) < 0.01
    assert everyone.p.mean() == pytest.approx(oracle.exact(PUBLISHED_LAW)["prevalence"], abs=0.006)


def test_no_model_beats_the_oracle(rows):
    assert rows["truth"].max() < oracle.exact(PUBLISHED_LAW)["auroc"]


def test_apparent_is_optimistic_and_validation_is_less_so(rows):
    bias = validation.summary(rows).set_index("scheme")["bias"]
    assert bias["apparent"] > 0.02
    assert (bias[list(validation.VALIDATIONS)].abs() < bias["apparent"]).all()


def test_one_split_is_the_noisiest(rows):
    rmse = validation.summary(rows).set_index("scheme")["rmse"]
    assert rmse["split"] > 1.3 * rmse[["cv5", "repeated_cv5", "optimism", "point632plus"]].max()


def test_summary_equals_plain_pandas(rows):
    row = validation.summary(rows).set_index("scheme").loc["cv5"]
    part = rows[rows["scheme"] == "cv5"]
    error = part["value"] - part["truth"]
    assert row["bias"] == pytest.approx(error.mean())
    assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert row["coverage"] == part["truth"].between(part["ci_low"], part["ci_high"]).mean()


def test_tuned_schemes_are_judged_by_the_tuned_model(rows):
    truth = rows.pivot_table(index="trial", columns="scheme", values="truth")
    assert (truth["nested"] == truth["tuned_cv"]).all()
    assert (truth["cv5"] == truth["split"]).all()
    assert (truth["nested"] != truth["cv5"]).any()


def test_rule_takes_the_smallest_error_among_those_that_cover():
    table = table_of(split=(0.05, 0.95), cv5=(0.03, 0.94), optimism=(0.02, 0.90))
    assert validation.recommend(table) == "cv5"
    assert validation.recommend(table, ("split", "optimism")) == "split"


def test_rule_takes_the_nearest_coverage_when_none_covers():
    assert validation.recommend(table_of(split=(0.05, 0.90), cv5=(0.03, 0.85), optimism=(0.01, 0.99))) == "optimism"


def test_conclusion_turns_with_the_numbers():
    def told(**performance):
        return validation.conclude(table_of(apparent=(0.05, 0.7), split=(0.05, 0.9), **performance))

    covers, fails = told(cv5=(0.03, 0.95)), told(cv5=(0.03, 0.80))
    assert "smallest error" in covers["sentence"]
    assert covers["recommended"] == covers["recommended_row_wise"] == "cv5"
    assert "no scheme covers" in fails["sentence"]
    assert fails["recommended"] == "split"


def test_trials_do_not_depend_on_their_number():
    sizes = schemes.Sizes(n_repeats=1, n_bootstraps=3)
    few, many = (validation.study([250], n, 2_000, 3, sizes) for n in (1, 2))
    pd.testing.assert_frame_equal(few, many.head(len(few)))


@pytest.mark.slow
def test_recommended_intervals_cover_between_93_and_97_percent():
    """On trials that no choice was made with."""
    found = validation.summary(validation.study([500], 300, 40_000, 2026, schemes.Sizes()))
    coverage = found.set_index("scheme")["coverage"]
    for scheme in ("optimism_refit", "point632plus_refit", "repeated_cv5_corrected"):
        assert 0.93 <= coverage[scheme] <= 0.97
    assert coverage["apparent"] < 0.92
