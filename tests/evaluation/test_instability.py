"""Instability: equal to refits with scikit-learn, smaller with more patients, and none without cause."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition.evaluation import explain
from attrition.metrics import intervals


@pytest.fixture
def rng():
    return np.random.default_rng(31)


def _patients(rng, n):
    X = rng.normal(size=(n, 4))
    return X, (rng.random(n) < 1 / (1 + np.exp(-X @ [1.0, 0.5, 0.0, 0.0]))).astype(int)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_batched_bootstrap_equals_refits_on_repeated_rows(rng, class_weight):
    X, y = _patients(rng, 150)
    weights = intervals.bootstrap_weights(rng, 150, 4)
    original, resampled = explain.bootstrap_logistic(X, y, weights, class_weight)

    def fit_predict(rows):
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight=class_weight, tol=1e-10, max_iter=1000))
        return model.fit(X[rows], y[rows]).predict_proba(X)[:, 1]

    np.testing.assert_allclose(original, fit_predict(np.arange(150)), atol=1e-6)
    for column, drawn in zip(resampled.T, weights.T, strict=True):
        np.testing.assert_allclose(column, fit_predict(np.repeat(np.arange(150), drawn.astype(int))), atol=1e-6)


def test_models_that_agree_are_stable():
    p = np.array([0.2, 0.4, 0.8])
    numbers = explain.instability_summary(explain.instability(p, np.tile(p[:, None], 7), [0.35]))
    assert set(numbers.values()) == {0.0}


def test_counts_of_changes_by_hand():
    table = explain.instability(np.array([0.40, 0.80]), np.array([[0.30, 0.50, 0.56], [0.70, 0.76, 0.90]]), [0.35])
    assert table["changes_at_0.35"].tolist() == pytest.approx([1 / 3, 0])
    assert table["changes_band"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert table["mean_absolute_error"].tolist() == pytest.approx([0.12, 0.08])


def test_more_patients_give_steadier_predictions(rng):
    errors = []
    for n in (150, 2400):
        X, y = _patients(rng, n)
        pair = explain.bootstrap_logistic(X, y, intervals.bootstrap_weights(rng, n, 60))
        errors.append(explain.instability_summary(explain.instability(*pair, [0.5]))["mape"])
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.3)


def test_original_model_lies_among_the_calibration_curves(rng):
    X, y = _patients(rng, 600)
    original, resampled = explain.bootstrap_logistic(X, y, intervals.bootstrap_weights(rng, 600, 40))
    curves, slope = explain.calibration_instability(y, original, resampled, [0.3, 0.5, 0.7])
    assert curves.shape == (3, 40)
    assert slope["ci_low"] < slope["value"] < slope["ci_high"] * 1.05
    assert slope["value"] == pytest.approx(1.0, abs=0.03)


def test_the_oracle_never_moves_and_the_null_model_moves_with_the_event_rate(rng):
    true, (X, y) = rng.random(150), _patients(rng, 150)
    weights = intervals.bootstrap_weights(rng, 150, 30)
    pair = explain.bootstrap_logistic(X, y, weights)
    found = explain.instability_of_all({"lr": pair}, y, true, weights, [0.5], 0.1)
    assert list(found) == ["lr", "oracle", "null"]
    assert set(found["oracle"].values()) == {0.0}
    assert found["null"]["mape"] == pytest.approx(np.abs(y @ weights / 150 - y.mean()).mean())
    shown = explain.instability_table(found, [0.5], {"n_patients": 150, "models": [30, 30, 30]})
    assert list(shown)[:3] == ["model", "n_patients", "models"]
    assert shown.loc[0, "unsteady at 0.5"] == found["lr"]["unsteady_at_0.5"]


def test_reach_of_a_threshold_is_the_farthest_unsteady_patient():
    steady = pd.DataFrame({"prediction": [0.5, 0.58, 0.9], "changes_at_0.5": [0.5, 0.2, 0.0], "changes_at_0.8": 0.0})
    assert explain.reach_of_thresholds(steady, [0.5, 0.8], 0.1) == {
        "often": 0.1,
        "widest": 0.5,
        "reach": pytest.approx(0.08),
    }
    assert explain.reach_of_thresholds(steady, [0.8], 0.1) == {"often": 0.1}


def test_steadiness_is_read_at_the_threshold_in_question():
    summary = {"changes_band": 0.2, "unsteady_at_0.5": 0.3, "unsteady_at_0.35": 0.1, "mape": 0.03, "median_width": 0.2}
    facts = explain.steadiness(summary, 0.35, 0.1)
    assert facts == {"band": 0.2, "unsteady": 0.1, "threshold": 0.35, "often": 0.1, "mape": 0.03, "width": 0.2}
