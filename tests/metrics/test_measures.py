"""Measures against independent implementations, against theory, and weights against repeated rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from attrition import metrics
from attrition.metrics import calibration, ranks
from attrition.metrics.calibration import recalibration_covariance, spline_basis

GOLDEN = Path(__file__).parents[1] / "golden"
WEIGHTED = (
    metrics.auroc,
    metrics.average_precision,
    metrics.brier_score,
    metrics.scaled_brier,
    metrics.log_loss,
    metrics.calibration_slope,
    metrics.calibration_in_the_large,
)


@pytest.fixture(scope="module")
def patients():
    return pd.read_csv(GOLDEN / "metrics_input.csv")


@pytest.fixture(scope="module")
def in_r():
    return pd.read_csv(GOLDEN / "metrics_r.csv", index_col="name")["value"]


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("model", ["a", "b"])
def test_slope_and_intercepts_equal_those_of_rms_and_glm(patients, in_r, model):
    y, p = patients["y"], patients[model]
    assert metrics.calibration_slope(y, p) == pytest.approx(in_r[f"slope_lrm_{model}"], abs=1e-9)
    assert metrics.calibration_slope(y, p) == pytest.approx(in_r[f"slope_valprob_{model}"], abs=1e-6)
    assert metrics.calibration_in_the_large(y, p) == pytest.approx(in_r[f"in_the_large_glm_{model}"], abs=1e-9)


@pytest.mark.parametrize("model", ["a", "b"])
def test_flexible_curve_and_its_band_equal_those_of_rms(patients, in_r, model, monkeypatch):
    monkeypatch.setattr(calibration, "BAND", 1.0)
    curve = metrics.calibration_curve(patients["y"], patients[model], grid=[0.2, 0.5, 0.8])
    expected = [in_r[f"curve_{model}_{at}"] for at in (2, 5, 8)]
    np.testing.assert_allclose(curve.observed, expected, atol=1e-7)
    half = (np.log(curve.ci_high / (1 - curve.ci_high)) - np.log(curve.ci_low / (1 - curve.ci_low))) / 2
    np.testing.assert_allclose(half, [in_r[f"curve_se_logit_{model}_{at}"] for at in (2, 5, 8)], rtol=1e-5)
    assert metrics.ici(patients["y"], patients[model]) == pytest.approx(in_r[f"ici_rcs4_{model}"], abs=1e-7)


@pytest.mark.parametrize("model", ["a", "b"])
def test_discrimination_and_overall_measures_equal_scikit_learn(patients, model):
    y, p = patients["y"], patients[model]
    assert metrics.auroc(y, p) == pytest.approx(sk.roc_auc_score(y, p), abs=1e-14)
    assert metrics.average_precision(y, p) == pytest.approx(sk.average_precision_score(y, p), abs=1e-14)
    assert metrics.brier_score(y, p) == pytest.approx(sk.brier_score_loss(y, p), abs=1e-14)
    assert metrics.log_loss(y, p) == pytest.approx(sk.log_loss(y, p), abs=1e-13)
    assert metrics.scaled_brier(y, p) == pytest.approx(sk.d2_brier_score(y, p), abs=1e-13)


@pytest.mark.parametrize("metric", WEIGHTED, ids=lambda metric: metric.__name__)
def test_an_integer_weight_counts_as_that_many_rows(patients, rng, metric):
    y, p = patients["y"].to_numpy(), patients["b"].to_numpy()
    weights = rng.multinomial(y.size, np.full(y.size, 1 / y.size), size=5).T
    expected = [metric(np.repeat(y, w), np.repeat(p, w)) for w in weights.T]
    np.testing.assert_allclose(metric(y, p, weights=weights), expected, rtol=1e-8)


def test_ici_with_weights_keeps_the_knots_of_all_patients(patients, rng):
    y, p = patients["y"].to_numpy(), patients["a"].to_numpy()
    ones = np.ones((y.size, 3))
    np.testing.assert_allclose(metrics.ici(y, p, weights=ones), metrics.ici(y, p), rtol=1e-9)


@pytest.mark.parametrize("metric", [metrics.brier_score, metrics.log_loss], ids=lambda metric: metric.__name__)
def test_the_true_probability_beats_every_distortion_of_it(metric):
    true = np.linspace(0.02, 0.98, 97)
    y, weights = np.repeat([1, 0], true.size), np.concatenate([true, 1 - true])
    best = metric(y, np.tile(true, 2), weights=weights)
    for slope in (0.5, 0.8, 1.25, 2.0):
        for shift in (-0.5, 0.0, 0.5):
            lp = shift + slope * np.log(true / (1 - true))
            assert metric(y, np.tile(1 / (1 + np.exp(-lp)), 2), weights=weights) > best


def test_auroc_of_the_true_probability_is_the_largest(rng):
    true = np.linspace(0.02, 0.98, 97)
    y, weights = np.repeat([1, 0], true.size), np.concatenate([true, 1 - true])
    best = metrics.auroc(y, np.tile(true, 2), weights=weights)
    for _ in range(20):
        score = true + rng.normal(0, 0.2, true.size)
        assert metrics.auroc(y, np.tile(score, 2), weights=weights) < best


@pytest.mark.parametrize(("shift", "slope"), [(0.4, 1.6), (-0.3, 0.5)])
def test_recalibration_undoes_a_known_distortion(shift, slope):
    true = np.linspace(0.05, 0.95, 181)
    lp = (np.log(true / (1 - true)) - shift) / slope
    y, weights = np.repeat([1, 0], true.size), np.concatenate([true, 1 - true])
    p = np.tile(1 / (1 + np.exp(-lp)), 2)
    assert metrics.calibration_slope(y, p, weights=weights) == pytest.approx(slope, abs=1e-9)
    exact = np.tile(true, 2)
    assert metrics.calibration_in_the_large(y, exact, weights=weights) == pytest.approx(0, abs=1e-12)
    assert metrics.ici(y, exact, weights=weights) == pytest.approx(0, abs=1e-10)


def test_constant_predictions_have_no_slope_and_chance_auroc(patients):
    half = np.full(len(patients), 0.5)
    assert metrics.auroc(patients["y"], half) == 0.5
    assert np.isnan(metrics.calibration_slope(patients["y"], half))
    assert np.isnan(metrics.calibration_curve(patients["y"], half).observed).all()
    assert metrics.ici(patients["y"], half) == pytest.approx(abs(patients["y"].mean() - 0.5))


def test_separated_outcomes_have_no_slope():
    assert np.isnan(metrics.calibration_slope([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]))


def test_classification_adds_up(patients):
    at = metrics.classification(patients["y"], patients["a"], 0.35)
    assert at["tp"] + at["fp"] + at["fn"] + at["tn"] == len(patients)
    assert at["recall"] == pytest.approx(sk.recall_score(patients["y"], patients["a"] >= 0.35))
    assert at["precision"] == pytest.approx(sk.precision_score(patients["y"], patients["a"] >= 0.35))
    assert at["f1"] == pytest.approx(sk.f1_score(patients["y"], patients["a"] >= 0.35))
    assert at["found_per_100"] + at["missed_per_100"] == pytest.approx(100 * patients["y"].mean())


def test_nobody_flagged_has_recall_zero_and_no_precision(patients):
    at = metrics.classification(patients["y"], patients["a"], 1.1)
    assert at["recall"] == 0
    assert np.isnan(at["precision"])


def test_curves_pass_through_the_points_of_scikit_learn(patients):
    false, true, _ = sk.roc_curve(patients["y"], patients["b"], drop_intermediate=False)
    drawn = metrics.roc_curve(patients["y"], patients["b"], false)
    upper = pd.Series(true).groupby(false).transform("max").to_numpy()
    np.testing.assert_allclose(drawn, upper, atol=1e-12)
    precision, recall, _ = sk.precision_recall_curve(patients["y"], patients["b"])
    first = pd.Series(precision[:-1]).groupby(recall[:-1]).last()
    np.testing.assert_allclose(
        metrics.precision_recall_curve(patients["y"], patients["b"], first.index), first, atol=1e-12
    )


def test_spline_is_linear_beyond_the_outer_knots():
    x = np.array([5.0, 6.0, 7.0, 8.0])
    basis = spline_basis(x, [0, 1, 2, 4])
    np.testing.assert_allclose(np.diff(basis, n=2, axis=0), 0, atol=1e-12)


def test_robust_covariance_equals_that_of_statsmodels(patients):
    import statsmodels.api as sm

    lp = np.log(patients["a"] / (1 - patients["a"]))
    fit = sm.GLM(patients["y"], sm.add_constant(lp), family=sm.families.Binomial()).fit(cov_type="HC0", tol=1e-12)
    _, covariance = recalibration_covariance(patients["y"], patients["a"])
    np.testing.assert_allclose(covariance, fit.cov_params(), rtol=1e-6)


@pytest.mark.parametrize("y", [[0, 2], [0.5, 1]])
def test_an_outcome_that_is_not_binary_is_refused(y):
    with pytest.raises(ValueError, match="0 and 1"):
        metrics.auroc(y, [0.1, 0.2])


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="one length"):
        metrics.brier_score([0, 1, 1], [0.1, 0.2])


@pytest.mark.parametrize("long", [0, 2_000])
def test_pairs_won_by_rows_long_and_short(monkeypatch, long):
    """Against scikit-learn, with ties; scores that are missing tie with each other, above all others."""
    monkeypatch.setattr(ranks, "LONG", long)
    rng = np.random.default_rng(3)
    event, score = rng.random((4, 60)) < 0.4, rng.integers(0, 9, (4, 60)).astype(float)
    pairs = event.sum(axis=1) * (~event).sum(axis=1)
    expected = [sk.roc_auc_score(e, s) for e, s in zip(event, score, strict=True)]
    np.testing.assert_allclose(ranks.won(event, score) / pairs, expected, atol=1e-12)
    missing = np.where(score == 8, np.nan, score)
    np.testing.assert_allclose(ranks.won(event, missing), ranks.won(event, score), atol=1e-12)


def test_one_score_under_many_weights_is_each_of_them():
    rng = np.random.default_rng(4)
    y, score, weights = rng.random(80) < 0.4, rng.integers(0, 7, 80) / 7.0, rng.random((80, 5))
    expected = [sk.roc_auc_score(y, score, sample_weight=w) for w in weights.T]
    np.testing.assert_allclose(metrics.auroc(y, score, weights), expected, atol=1e-12)
    missing = np.where(score > 0.8, np.nan, score)
    np.testing.assert_allclose(ranks.auroc(y, missing, weights.T), expected, atol=1e-12)
    assert np.isnan(metrics.auroc(y, score, weights * y[:, None])).all()
