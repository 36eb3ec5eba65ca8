"""Instability: equal to refits with scikit-learn, smaller with more patients, and none without cause."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition.evaluation import stability
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
    original, resampled = stability.bootstrap_logistic(X, y, weights, class_weight)

    def fit_predict(rows):
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight=class_weight, tol=1e-10, max_iter=1000))
        return model.fit(X[rows], y[rows]).predict_proba(X)[:, 1]

    expected, expected_resampled = stability.bootstrap_estimator(fit_predict, weights)
    np.testing.assert_allclose(original, expected, atol=1e-6)
    np.testing.assert_allclose(resampled, expected_resampled, atol=1e-6)


def test_models_that_agree_are_stable():
    p = np.array([0.2, 0.4, 0.8])
    numbers = stability.summary(stability.per_patient(p, np.tile(p[:, None], 7), [0.35]))
    assert set(numbers.values()) == {0.0}


def test_counts_of_changes_by_hand():
    table = stability.per_patient(np.array([0.40, 0.80]), np.array([[0.30, 0.50, 0.56], [0.70, 0.76, 0.90]]), [0.35])
    assert table["changes_at_0.35"].tolist() == pytest.approx([1 / 3, 0])
    assert table["changes_band"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert table["mean_absolute_error"].tolist() == pytest.approx([0.12, 0.08])


def test_more_patients_give_steadier_predictions(rng):
    errors = []
    for n in (150, 2400):
        X, y = _patients(rng, n)
        pair = stability.bootstrap_logistic(X, y, intervals.bootstrap_weights(rng, n, 60))
        errors.append(stability.summary(stability.per_patient(*pair, [0.5]))["mape"])
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.3)


def test_original_model_lies_among_the_calibration_curves(rng):
    X, y = _patients(rng, 600)
    original, resampled = stability.bootstrap_logistic(X, y, intervals.bootstrap_weights(rng, 600, 40))
    curves, slope = stability.calibration_instability(y, original, resampled, [0.3, 0.5, 0.7])
    assert curves.shape == (3, 40)
    assert slope["ci_low"] < slope["value"] < slope["ci_high"] * 1.05
    assert slope["value"] == pytest.approx(1.0, abs=0.03)
