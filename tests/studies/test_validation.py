"""Validation study: the truth is the truth, known biases show, the rule follows the table."""

import numpy as np
import pandas as pd
import pytest

from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW
from attrition.studies import validation


@pytest.fixture(scope="module")
def rows():
    return validation.study([250], 40, 20_000, 3, validation.Sizes(n_repeats=2, n_bootstraps=20))


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def table_of(**performance):
    """One size; scheme to (rmse, coverage)."""
    return pd.DataFrame(
        [
            {"n_patients": 250, "scheme": scheme, "rmse": rmse, "coverage": coverage, "bias": 0.0}
            for scheme, (rmse, coverage) in performance.items()
        ]
    )


@pytest.mark.slow
def test_no_model_beats_the_oracle(rows):
    assert rows["truth"].max() < oracle.exact(PUBLISHED_LAW)["auroc"]


@pytest.mark.slow
def test_apparent_is_optimistic_and_validation_is_less_so(rows):
    bias = validation.summary(rows).set_index("scheme")["bias"]
    assert bias["apparent"] > 0.02
    assert (bias[list(validation.VALIDATIONS)].abs() < bias["apparent"]).all()


@pytest.mark.slow
def test_one_split_is_the_noisiest(rows):
    rmse = validation.summary(rows).set_index("scheme")["rmse"]
    assert rmse["split"] > 1.3 * rmse[["cv5", "repeated_cv5", "optimism", "point632plus"]].max()


@pytest.mark.slow
def test_summary_equals_plain_pandas(rows):
    row = validation.summary(rows).set_index("scheme").loc["cv5"]
    part = rows[rows["scheme"] == "cv5"]
    error = part["value"] - part["truth"]
    assert row["bias"] == pytest.approx(error.mean())
    assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert row["coverage"] == part["truth"].between(part["ci_low"], part["ci_high"]).mean()


@pytest.mark.slow
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
        firm = pd.Series({"cv5": 0.6, "split": 0.4})
        return validation.conclude(table_of(apparent=(0.05, 0.7), split=(0.05, 0.9), **performance), firm)

    covers, fails = told(cv5=(0.03, 0.95)), told(cv5=(0.03, 0.80))
    assert (covers["covers"], fails["covers"]) == (True, False)
    assert covers["recommended"] == covers["recommended_row_wise"] == "cv5"
    assert fails["recommended"] == "split"
    assert (covers["share"], covers["second"], covers["second_share"]) == (0.6, "split", 0.4)
    assert (fails["share"], fails["second"]) == (0.4, "cv5")
    assert (validation.COVERAGE_RANGE, validation.NOMINAL) == ((0.93, 0.97), 0.95), "the sentence says so"


@pytest.mark.slow
def test_firmness_is_how_often_the_rule_chooses_when_trials_are_drawn_again(rows, rng):
    found = validation.firmness(rows, 400, rng)
    trials = rows["trial"].unique()
    by_hand = []
    for _ in range(400):
        drawn = rng.choice(trials, len(trials))
        again = [rows[rows["trial"] == trial].assign(trial=number) for number, trial in enumerate(drawn)]
        by_hand.append(validation.recommend(validation.summary(pd.concat(again))))
    expected = pd.Series(by_hand).value_counts(normalize=True)
    assert found.sum() == pytest.approx(1)
    assert (found.reindex(expected.index).fillna(0) - expected).abs().max() < 0.12


def test_a_choice_that_no_trial_could_change_is_firm(rng):
    def trial(number, scheme, error):
        found = {"n_patients": 250, "trial": number, "scheme": scheme, "truth": 0.7, "value": 0.7 + error}
        return found | {"ci_low": 0.6, "ci_high": 0.8}

    rows = pd.DataFrame([trial(n, s, e) for n in range(20) for s, e in (("cv5", 0.01), ("split", 0.05))])
    found = validation.firmness(rows, 50, rng)
    assert found.to_dict() == {"cv5": 1.0}
    table = validation.summary(rows)
    told = validation.conclude(pd.concat([table, table_of(apparent=(0.05, 0.7))]), found)
    assert (told["share"], told["second"]) == (1.0, "")


def test_trials_do_not_depend_on_their_number():
    sizes = validation.Sizes(n_repeats=1, n_bootstraps=3)
    few, many = (validation.study([250], n, 2_000, 3, sizes) for n in (1, 2))
    pd.testing.assert_frame_equal(few, many.head(len(few)))


@pytest.mark.slow
def test_recommended_intervals_cover_between_93_and_97_percent():
    """On trials that no choice was made with."""
    found = validation.summary(validation.study([500], 300, 40_000, 2026, validation.Sizes()))
    coverage = found.set_index("scheme")["coverage"]
    for scheme in ("optimism_refit", "point632plus_refit", "repeated_cv5_corrected"):
        assert 0.93 <= coverage[scheme] <= 0.97
    assert coverage["apparent"] < 0.92
