"""Explanations recover a known law, agree with scikit-learn and add up."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from attrition import features, metrics, simulate
from attrition.evaluation import explain
from attrition.metrics import intervals
from tests.notebooks import cells


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    Z = pd.DataFrame(rng.normal(size=(300, 2)), columns=["adverse_events", "b"])
    y = Z["adverse_events"] + rng.normal(size=300) > 0
    model = LogisticRegression().fit(Z, y)
    grid = [-1.0, 0.0, 1.0]
    given = {"FITTED": ["lr"], "pipeline": lambda _: model, "probability": lambda own, X: own.predict_proba(X)[:, 1]}
    law = SimpleNamespace(of_patients=lambda law, X: X["b"])
    source = cells.sources("05", "78")["78"].replace("range(7)", "grid").replace('"visits_completed": range(11)', "")
    space = {"models": SimpleNamespace(**given), "oracle": law, "simulate": simulate, "partial": partial, "pd": pd}
    space |= {"trial": Z, "y": y, "grid": grid}
    exec(source, space)
    ours = space["dependence"].query("model == 'lr'")
    theirs = partial_dependence(
        model, Z, ["adverse_events"], custom_values={"adverse_events": np.array(grid)}, method="brute"
    )["average"][0]
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


def _coefficients():
    rows = {"burden": (0.1, -0.1, 0.3, 0.0), "visit_rate": (-0.3, -0.5, -0.1, -0.2), "age": (0.4, 0.1, 0.6, 0.7)}
    columns = ["coefficient", "ci_low", "ci_high", "law"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("feature").reset_index()


def test_intervals_that_hold_the_law_are_counted_and_those_on_its_side_of_zero():
    assert explain.law_held(_coefficients()) == {"held": 2, "n": 3, "known": 2, "found": 2}


@pytest.mark.parametrize(
    ("importance", "low", "rank", "verdict"),
    [(0.05, 0.01, 1, "supported"), (0.05, -0.01, 1, "not supported"), (0.02, 0.01, 2, "not supported")],
)
def test_burden_earns_its_place_by_the_largest_loss_that_is_above_zero(importance, low, rank, verdict):
    losses = pd.DataFrame(
        {"column": ["burden", "age"], "importance": [importance, 0.03], "ci_low": low, "ci_high": 0.1}
    )
    facts = explain.burden(_coefficients(), losses)
    assert (facts["rank"], facts["verdict"], facts["features"]) == (rank, verdict, 2)
    assert facts["compatible"]
    assert facts["coefficient"] == {"value": 0.1, "ci_low": -0.1, "ci_high": 0.3}
    assert not explain.burden(_coefficients().assign(ci_low=0.05), losses)["compatible"]


def test_the_model_nearest_to_the_law_and_how_far_others_stray():
    level = {"lr": 0.51, "xgb": 0.6, "lgbm": 0.4, "oracle": 0.5}
    rows = [{"column": "visits", "model": m, "value": v, "y_prob": p} for m, p in level.items() for v in (0, 1)]
    table = pd.DataFrame(rows)
    facts = explain.distance_from_law(pd.concat([table, table.assign(column="events", y_prob=0.5)]))
    assert facts["best"] == "Logistic regression"
    assert facts["gap"] == pytest.approx(0.01)
    assert facts["others"] == {"XGBoost": pytest.approx(0.1), "LightGBM": pytest.approx(0.1)}


def test_importance_of_raw_columns_is_a_row_a_column_and_a_cell_a_model():
    rows = [("lr", "a", 0.1), ("lr", "b", 0.0), ("oracle", "a", 0.1), ("oracle", "b", 0.2)]
    table = pd.DataFrame(rows, columns=["model", "column", "importance"]).assign(ci_low=0.0, ci_high=0.3)
    shown = explain.importance_table(table)
    assert shown["column"].tolist() == ["b", "a"]
    assert shown.loc[1, "lr"] == "0.100 (0.000 to 0.300)"
