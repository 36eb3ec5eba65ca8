"""The replicate engine: independent of workers and batching, honest about its Monte-Carlo error."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition import features
from attrition.metrics import ranks
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW
from attrition.studies import ablation, contrasts
from attrition.studies.ablation import SETTINGS, Candidate, Sizes
from attrition.studies.population import exact

SMALL = Sizes(n_patients=400, n_test=100, n_population=4000)
PAIR = [
    Candidate("v3_causal", features.VERSIONS["v3_causal"], n_replicates=7),
    Candidate("v1_counts", features.VERSIONS["v1_counts"], n_replicates=7),
]
TREES = Candidate("v3_causal", features.VERSIONS["v3_causal"], "xgb", n_replicates=2)


@pytest.fixture(scope="module")
def small():
    return ablation.run(5, {setting: [*PAIR, TREES] for setting in SETTINGS}, SMALL)


def test_one_row_a_trial_candidate_and_setting(small):
    assert small.trials.groupby(["setting", "key"]).size().to_dict() == {
        (setting, key): n
        for setting in ("default", "p24")
        for key, n in (
            ("lr/class_weight/v1_counts", 7),
            ("lr/class_weight/v3_causal", 7),
            ("xgb/class_weight/v3_causal", 2),
        )
    }
    assert small.trials[["auroc", "test_auroc"]].notna().all(axis=None)


def test_trial_does_not_depend_on_other_trials():
    first, again = ablation.draw(5, "p24", 3, SMALL), ablation.draw(5, "p24", 3, SMALL)
    other = ablation.draw(5, "p24", 4, SMALL)
    assert np.array_equal(first.X_train, again.X_train)
    assert not np.array_equal(first.X_train, other.X_train)


def test_split_keeps_the_share_of_dropouts():
    trial = ablation.draw(5, "default", 0, Sizes())
    assert (len(trial.y_train), len(trial.y_test)) == (800, 200)
    assert abs(trial.y_train.mean() - trial.y_test.mean()) < 0.005


def test_results_do_not_depend_on_batching(small, monkeypatch):
    monkeypatch.setattr(ablation, "BLOCK", 3)
    again = ablation.run(5, dict.fromkeys(SETTINGS, PAIR), SMALL)
    ours = small.trials[small.trials["model"] == "lr"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again.trials, ours[again.trials.columns], check_exact=True)


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_results_do_not_depend_on_workers(small, monkeypatch, backend):
    monkeypatch.setattr(ablation, "BLOCK", 4)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        again = ablation.run(5, {setting: [*PAIR, TREES] for setting in SETTINGS}, SMALL)
    pd.testing.assert_frame_equal(again.trials, small.trials, check_exact=True)
    for setting, covariance in small.covariance.items():
        pd.testing.assert_frame_equal(again.covariance[setting], covariance, check_exact=True)


def test_logistic_regression_equals_scikit_learn(small):
    trial = ablation.draw(5, "default", 2, SMALL)
    people = ablation.population(5, "default", SMALL.n_population)
    columns = ablation.positions(features.VERSIONS["v3_causal"])
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=5000))
    cv = cross_val_score(model, trial.X_train[:, columns], trial.y_train, cv=5, scoring="roc_auc").mean()
    model.fit(trial.X_train[:, columns], trial.y_train)
    y_prob = model.predict_proba(people.X[:, columns])[:, 1]
    row = small.trials.query("setting == 'default' and key == 'lr/class_weight/v3_causal' and replicate == 2").iloc[0]
    expected = ranks.soft_auroc(people.probability, y_prob)[0] + people.shift["auroc"]
    assert row["auroc"] == pytest.approx(expected, abs=1e-5)  # the study counts in bins
    assert row["cv_auroc"] == pytest.approx(cv, abs=1e-9)
    assert row["test_auroc"] == pytest.approx(
        roc_auc_score(trial.y_test, model.predict_proba(trial.X_test[:, columns])[:, 1]), abs=1e-12
    )
    flagged = y_prob >= 0.35
    assert row["recall_35"] == pytest.approx(people.probability[flagged].sum() / people.probability.sum(), abs=1e-9)
    assert row["precision_35"] == pytest.approx(people.probability[flagged].mean(), abs=1e-9)


def test_anchor_puts_the_oracle_at_its_exact_auroc():
    people = ablation.population(5, "p24", 4000)
    exact = oracle.exact(PUBLISHED_LAW, ablation.offset("p24"))["auroc"]
    found = ranks.soft_auroc(people.probability, people.probability)[0] + people.shift["auroc"]
    assert found == pytest.approx(exact, abs=1e-12)


@pytest.mark.slow
def test_monte_carlo_error_is_the_spread_over_seeds():
    """Twenty-five whole studies, each with its own trials and population: their spread is what each says of itself."""
    sizes, n_seeds = Sizes(300, 60, 2000), 25
    shorter = [Candidate(c.name, c.features, n_replicates=12) for c in PAIR]
    found = {"level": [], "contrast": []}
    for seed in range(n_seeds):
        whole = ablation.run(1000 + seed, {"default": shorter}, sizes)
        better, worse = (ablation.key(name) for name in ("v3_causal", "v1_counts"))
        found["level"].append(contrasts.level(whole, "default", better))
        found["contrast"].append(contrasts.contrast(whole, "default", better, worse))
    for parts in found.values():
        spread = np.std([part["value"] for part in parts], ddof=1)
        told = np.sqrt(np.mean([part["mc_se"] ** 2 for part in parts]))
        assert 0.6 < spread / told < 1.5


def test_learning_curve_is_paired_and_below_the_oracle():
    curve = ablation.learning_curve(5, "default", [100, 400], {"lr": [3, 2], "xgb": [1, 1]}, 3000)
    assert curve.groupby(["n_train", "model"]).size().tolist() == [3, 1, 2, 1]
    best = exact(ablation.offset("default"))["auroc"]
    assert (curve["auroc"] < best + 3 * curve["population_se"]).all()
    assert (curve["population_se"] > 0).all()


def test_random_labels_are_worth_one_half():
    found = ablation.random_baseline(5, 100, Sizes())
    for _, part in found.groupby("strategy"):
        error = part["test_auroc"].std() / 10
        assert abs(part["test_auroc"].mean() - 0.5) < 4 * error
