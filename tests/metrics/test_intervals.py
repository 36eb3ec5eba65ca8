"""Intervals: equal to independent implementations, invariant where they must be, and covering."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attrition import metrics
from attrition.evaluation import coverage
from attrition.metrics import intervals

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name):
    return pd.read_csv(GOLDEN / name, index_col="name")["value"]


@pytest.fixture(scope="module")
def patients():
    return pd.read_csv(GOLDEN / "metrics_input.csv")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_delong_equals_mlstatkit(patients):
    expected = golden("metrics_mlstatkit.csv")
    aurocs, covariance = intervals.delong(patients["y"], patients[["a", "b"]])
    assert aurocs[0] == pytest.approx(expected["auroc_a"], abs=1e-10)
    assert aurocs[1] == pytest.approx(expected["auroc_b"], abs=1e-10)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert variance == pytest.approx(expected["variance_of_difference"], abs=1e-10)
    difference, variance = intervals.auroc_difference(patients["y"], patients["a"], patients["b"])
    z = difference / variance**0.5
    assert z == pytest.approx(-expected["z_b_less_a"], abs=1e-10)
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(expected["p_value"], abs=1e-10)


def test_delong_equals_proc(patients):
    expected = golden("metrics_r.csv")
    _, covariance = intervals.delong(patients["y"], patients[["a", "b"]])
    assert covariance[0, 0] == pytest.approx(expected["auroc_variance_a"], abs=1e-14)
    assert covariance[1, 1] == pytest.approx(expected["auroc_variance_b"], abs=1e-14)
    difference, variance = intervals.auroc_difference(patients["y"], patients["a"], patients["b"])
    assert difference / variance**0.5 == pytest.approx(expected["delong_z"], abs=1e-10)


def test_standard_errors_equal_riskregression(patients):
    expected = golden("metrics_riskregression.csv")
    y = patients["y"]
    difference, variance = intervals.auroc_difference(y, patients["b"], patients["a"])
    test = intervals.wald(difference, variance**0.5)
    assert test["ci_low"] == pytest.approx(expected["auroc_b_less_a_low"], abs=1e-10)
    assert test["ci_high"] == pytest.approx(expected["auroc_b_less_a_high"], abs=1e-10)
    for model in ("a", "b"):
        interval = intervals.mean_interval((y - patients[model]) ** 2)
        assert interval["value"] == pytest.approx(expected[f"brier_{model}"], abs=1e-12)
        half = (interval["ci_high"] - interval["ci_low"]) / 2
        assert half / 1.959963984540054 == pytest.approx(expected[f"brier_se_{model}"], abs=1e-10)


def test_delong_depends_on_the_order_of_scores_only(patients):
    plain = intervals.auroc_interval(patients["y"], patients["a"])
    moved = intervals.auroc_interval(patients["y"], 3 * patients["a"] ** 3 - 1)
    assert plain == pytest.approx(moved)


def test_swapping_outcome_or_score_mirrors_the_interval(patients):
    plain = intervals.auroc_interval(patients["y"], patients["a"])
    mirrored = intervals.auroc_interval(1 - patients["y"], patients["a"])
    assert mirrored["ci_low"] == pytest.approx(1 - plain["ci_high"])


def test_perfect_ranking_has_no_estimable_interval():
    interval = intervals.auroc_interval([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
    assert interval["value"] == 1
    assert np.isnan(interval["ci_low"])


def test_too_few_events_are_refused_or_marked():
    with pytest.raises(ValueError, match="two events"):
        intervals.delong([0, 0, 1], [0.1, 0.2, 0.3])
    assert np.isnan(intervals.auroc_interval([0, 0, 1], [0.1, 0.2, 0.3])["ci_high"])


def test_wilson_equals_scipy_and_stays_a_share():
    for successes, n in itertools.product((0, 1, 7, 20), (20, 50)):
        interval = intervals.wilson(successes, n)
        expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
        assert (interval["ci_low"], interval["ci_high"]) == pytest.approx(tuple(expected), abs=1e-12)
        assert 0 <= interval["ci_low"] < interval["ci_high"] <= 1


def test_bootstrap_weights_follow_the_multinomial_law(rng):
    weights = intervals.bootstrap_weights(rng, 50, 4000)
    assert weights.sum(axis=0).tolist() == [50] * 4000
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.02)
    never = (weights == 0).mean()
    assert never == pytest.approx((1 - 1 / 50) ** 50, abs=0.005)


def test_bootstrap_agrees_with_scipy_and_with_delong(patients, rng):
    y, p = patients["y"].to_numpy(), patients["a"].to_numpy()
    weights = intervals.bootstrap_weights(rng, y.size, 2000)
    ours = intervals.percentile_interval(*intervals.replicates(metrics.auroc, y, p, weights))
    theirs = stats.bootstrap(
        (y, p), metrics.auroc, paired=True, vectorized=False, n_resamples=500, method="percentile", rng=rng
    ).confidence_interval
    formula = intervals.auroc_interval(y, p)
    for end, other in (("ci_low", theirs.low), ("ci_high", theirs.high)):
        assert ours[end] == pytest.approx(other, abs=0.008)
        assert ours[end] == pytest.approx(formula[end], abs=0.006)


def test_repeats_are_measured_one_by_one_and_then_averaged(patients, rng):
    y, p = patients["y"].to_numpy(), patients[["a", "b"]].to_numpy()
    weights = intervals.bootstrap_weights(rng, y.size, 50)
    value, drawn = intervals.replicates(metrics.auroc, y, p, weights)
    assert value == pytest.approx((metrics.auroc(y, p[:, 0]) + metrics.auroc(y, p[:, 1])) / 2)
    assert drawn.shape == (50,)
    assert value != pytest.approx(metrics.auroc(y, p.mean(axis=1)), abs=1e-3)


def test_monte_carlo_error_shrinks_with_the_root_of_trials(rng):
    values = rng.normal(2, 1, 40_000)
    few, many = intervals.monte_carlo(values[:400])["mc_se"], intervals.monte_carlo(values)["mc_se"]
    assert few / many == pytest.approx(10, rel=0.1)
    assert many == pytest.approx(1 / 200, rel=0.05)


def test_monte_carlo_interval_is_students(rng):
    values = rng.normal(size=5)
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    found = intervals.monte_carlo([*values, np.nan])
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((low, high))


def test_monte_carlo_interval_covers_with_three_trials(rng):
    found = [intervals.monte_carlo(values) for values in rng.normal(size=(2000, 3))]
    coverage = np.mean([f["ci_low"] <= 0 <= f["ci_high"] for f in found])
    assert 0.93 <= coverage <= 0.97


def test_one_trial_has_a_value_and_no_interval():
    found = intervals.monte_carlo([0.7])
    assert found["value"] == 0.7
    assert np.isnan([found["ci_low"], found["ci_high"], found["mc_se"]]).all()


def test_an_undefined_measure_has_an_undefined_interval():
    assert np.isnan(intervals.percentile_interval(np.nan, [1.0, 2.0])["ci_low"])
    assert np.isnan(intervals.percentile_interval(1.0, [np.nan, np.nan])["ci_low"])
    assert np.isnan(intervals.wilson(0, 0)["value"])
    assert np.isnan(intervals.calibration_slope_interval([0, 1], [0.5, 0.5])["value"])


@pytest.mark.slow
def test_true_values_are_those_of_a_large_sample(rng):
    members = coverage.population()
    true, a, _ = members.to_numpy()[rng.integers(len(members), size=400_000)].T
    y = (rng.random(true.size) < true).astype(int)
    for name in ("AUROC", "Brier score", "calibration slope", "net benefit"):
        metric = coverage.BOOTSTRAPPED[name]
        exact = coverage.truth(metric, members, "a")
        assert metric(y, a) == pytest.approx(exact, abs=0.012)


@pytest.mark.slow
def test_formula_intervals_cover_in_93_to_97_of_100_trials():
    table = coverage.coverage_table(7, n_simulations=3000, n_patients=300, n_bootstraps=2, n_bootstrapped=0)
    outside = table.loc[~table["coverage"].between(0.93, 0.97), ["measure", "method", "coverage"]]
    assert outside.empty, outside.to_string()


@pytest.mark.slow
def test_bootstrap_intervals_cover_in_93_to_97_of_100_trials():
    table = coverage.coverage_table(8, n_simulations=800, n_patients=300, n_bootstraps=400)
    table = table[table["method"].str.startswith("bootstrap")]
    assert len(table) == 10
    outside = table.loc[~table["coverage"].between(0.93, 0.97), ["measure", "method", "coverage"]]
    assert outside.empty, outside.to_string()


@pytest.mark.parametrize(
    ("value", "low", "high", "grade", "verdict", "strict"),
    [
        (0.08, 0.05, 0.1, "large", "supported", "supported"),
        (0.06, 0.01, 0.1, "clear", "supported", "direction only"),
        (0.05, 0.01, 0.1, "clear", "supported", "direction only"),
        (0.04, 0.01, 0.07, "small", "direction only", "direction only"),
        (0.06, 0.0, 0.1, "open", "not supported", "not supported"),
        (0.06, -0.01, 0.1, "open", "not supported", "not supported"),
        (-0.06, -0.1, 0.0, "open", "not supported", "not supported"),
        (-0.06, -0.1, -0.01, "reversed", "not supported", "not supported"),
        (0.06, np.nan, np.nan, "open", "not supported", "not supported"),
    ],
)
def test_a_grade_says_where_an_interval_lies(value, low, high, grade, verdict, strict):
    found = intervals.grade({"value": value, "ci_low": low, "ci_high": high}, 0.05)
    assert (found, found.verdict, found.strict_verdict) == (grade, verdict, strict)


def test_without_a_smallest_difference_any_difference_matters():
    assert intervals.grade({"value": 0.01, "ci_low": 0.001, "ci_high": 0.02}) == "large"
    assert intervals.grade(pd.Series({"value": 0.0, "ci_low": 0.0, "ci_high": 0.02})) == "open"
