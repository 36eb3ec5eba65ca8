"""Explanations recover a known law, agree with scikit-learn and add up."""

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from attrition import features, metrics, simulate
from attrition.evaluation import explain
from attrition.metrics import intervals


@pytest.fixture
def rng():
    return np.random.default_rng(51)


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial()


@pytest.fixture(scope="module")
def X(trial):
    return features.matrix(trial, "v3_causal")


def test_coefficients_equal_scikit_learn_on_standardised_features(trial, X, rng):
    y = trial["dropout"].to_numpy()
    table = explain.coefficients(X, y, intervals.bootstrap_weights(rng, len(X), 20), "balanced")
    model = LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=2000)
    expected = model.fit(StandardScaler().fit_transform(X), y).coef_[0]
    np.testing.assert_allclose(table["coefficient"], expected, atol=1e-5)


def test_intervals_of_coefficients_cover_the_law(rng):
    names = ["adverse_event_rate", "visit_rate", "trial_phase_risk", "treatment_risk"]
    law = simulate.Law(noise_sd=1e-6)
    trial = simulate.draw_trial(law, 20_000, rng)
    X = features.columns(trial, names)
    table = explain.coefficients(X, trial["dropout"], intervals.bootstrap_weights(rng, len(X), 100))
    truth = explain.law_coefficients(X, law).to_numpy()
    wide = 1.5 * (table["ci_high"] - table["ci_low"])
    assert (np.abs(table["coefficient"] - truth) < wide).all()
    assert (np.sign(table["coefficient"]) == np.sign(truth)).all()


def test_law_contributions_sum_to_the_laws_log_odds(trial, X):
    sums = explain.law_contributions(X).sum(axis=1).to_numpy()
    expected = 3 * (simulate.risk(simulate.PUBLISHED_LAW, trial) - 0.5)
    np.testing.assert_allclose(sums, expected - expected.mean(), atol=1e-9)


def test_importance_agrees_with_scikit_learn(rng):
    Z = pd.DataFrame(rng.normal(size=(1500, 3)), columns=["a", "b", "c"])
    y = (rng.random(1500) < 1 / (1 + np.exp(-1.5 * Z["a"] - 0.5 * Z["b"]))).astype(int)
    model = LogisticRegression().fit(Z, y)
    held_out = [(np.arange(1500), lambda part: model.predict_proba(part)[:, 1])]
    weights = intervals.bootstrap_weights(rng, 1500, 100)
    ours = explain.permutation_importance(held_out, Z, y, weights, rng, ["a", "b", "c"], 20)
    theirs = permutation_importance(model, Z, y, scoring="roc_auc", n_repeats=20, random_state=1).importances_mean
    np.testing.assert_allclose(ours["importance"], theirs, atol=0.006)
    assert (ours["ci_low"][:2] > 0).all()
    assert ours["importance"].is_monotonic_decreasing


def test_partial_dependence_equals_scikit_learn(rng):
    Z = pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"])
    model = LogisticRegression().fit(Z, Z["a"] + rng.normal(size=300) > 0)
    grid = [-1.0, 0.0, 1.0]
    ours = explain.partial_dependence({"lr": lambda part: model.predict_proba(part)[:, 1]}, Z, "a", grid)
    theirs = partial_dependence(model, Z, ["a"], custom_values={"a": np.array(grid)}, method="brute")["average"][0]
    np.testing.assert_allclose(ours["y_prob"], theirs, atol=1e-12)


@pytest.mark.parametrize("name", ["xgb", "lgbm"])
def test_contributions_of_trees_add_up_to_the_log_odds(trial, X, name):
    from attrition import models

    fitted = models.classifier(name, n_estimators=20).fit(X, trial["dropout"])
    classifier = fitted.named_steps["classify"]
    p = models.probability(fitted, X)
    parts = explain.contributions(classifier, X)
    np.testing.assert_allclose(parts.sum(axis=1), np.log(p / (1 - p)), atol=1e-4)
    assert explain.contribution_shares(parts).sum() == pytest.approx(1)


def test_a_column_that_the_model_ignores_has_no_importance(rng):
    Z = pd.DataFrame({"used": rng.random(200), "ignored": rng.random(200)})
    y = (rng.random(200) < Z["used"]).astype(int)
    held_out = [(np.arange(200), lambda part: part["used"].to_numpy())]
    table = explain.permutation_importance(
        held_out, Z, y, intervals.bootstrap_weights(rng, 200, 20), rng, ["ignored"], 3
    )
    assert table.loc[0, ["importance", "ci_low", "ci_high"]].abs().max() < 1e-12
    assert metrics.auroc(y, Z["used"]) > 0.7
