"""Resampling: every patient once a repeat, and no step ever sees a test fold."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler
from lightgbm import LGBMClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from xgboost import XGBClassifier

from attrition import models, resampling

SPIED = {
    StandardScaler: ("partial_fit",),
    FunctionTransformer: ("fit",),
    SelectKBest: ("fit",),
    SMOTE: ("fit_resample",),
    RandomUnderSampler: ("fit_resample",),
    LogisticRegression: ("fit",),
    XGBClassifier: ("fit",),
    LGBMClassifier: ("fit",),
}


@pytest.fixture
def outcome():
    return np.random.default_rng(3).binomial(1, 0.4, 90)


@pytest.fixture
def spy(monkeypatch):
    """Record (step, columns that are not constant) at every fit of every kind of step.

    Patients are given as rows of an identity matrix: whatever scaling or interpolation comes before, a column
    that varies belongs to a patient who took part in that fit. A recalibration map has one column, made of
    those.
    """
    seen = []

    def watch(kind, method):
        original = getattr(kind, method)

        def recorded(self, X, *args, **kwargs):
            values = np.asarray(X)
            if values.shape[1] > 1:
                seen.append((kind.__name__, frozenset(np.flatnonzero(np.ptp(values, axis=0) > 0))))
            return original(self, X, *args, **kwargs)

        monkeypatch.setattr(kind, method, recorded)

    for kind, methods in SPIED.items():
        for method in methods:
            watch(kind, method)
    return seen


def settings(name):
    return {} if name == "lr" else {"n_estimators": 3}


@pytest.mark.parametrize("strategy", models.STRATEGIES)
@pytest.mark.parametrize("name", ["lr", "xgb", "lgbm"])
def test_no_step_sees_a_test_fold(name, strategy, spy, outcome):
    pipe = models.pipeline(name, FunctionTransformer(), strategy, **settings(name))
    for fold in resampling.repeated_folds(outcome, n_folds=3, n_repeats=2):
        spy.clear()
        resampling.out_of_fold({name: pipe}, np.eye(len(outcome)), outcome, [fold])
        steps = {step for step, _ in spy}
        assert len(steps) >= 2
        assert all(patients <= set(fold.train) for _, patients in spy)
        assert max(len(patients) for _, patients in spy) == len(fold.train)


def test_no_selection_or_search_sees_an_outer_test_fold(spy, outcome):
    pipe = Pipeline([("scale", StandardScaler()), ("select", SelectKBest(k="all")), ("fit", LogisticRegression())])
    search = GridSearchCV(pipe, {"fit__C": [0.1, 1.0]}, cv=3)
    for fold in resampling.repeated_folds(outcome, n_folds=3):
        spy.clear()
        resampling.out_of_fold({"nested": search}, np.eye(len(outcome)), outcome, [fold])
        assert len(spy) == 3 * (2 * 3 + 1)
        assert all(patients <= set(fold.train) for _, patients in spy)


@pytest.mark.parametrize("name", ["lr", "xgb", "lgbm"])
def test_no_tuning_sees_an_outer_test_fold(name, spy, outcome):
    budget = resampling.Budget(n_candidates=2, n_folds=2, min_trees=2, max_trees=6)
    for fold in resampling.repeated_folds(outcome, n_folds=3):
        spy.clear()
        search = resampling.search(name, budget=budget)
        resampling.out_of_fold({"tuned": search}, np.eye(len(outcome)), outcome, [fold])
        assert len(spy) > budget.n_candidates * budget.n_folds
        assert all(patients <= set(fold.train) for _, patients in spy)
        assert min(len(patients) for _, patients in spy) < len(fold.train)


def test_the_spy_catches_a_scaler_fitted_before_splitting(spy, outcome):
    scaled = StandardScaler().fit_transform(np.eye(len(outcome)))
    fold = resampling.repeated_folds(outcome, n_folds=3)[0]
    resampling.out_of_fold({"lr": models.classifier("lr")}, scaled, outcome, [fold])
    assert not all(patients <= set(fold.train) for _, patients in spy)


def test_folds_partition_and_stratify(outcome):
    folds = resampling.repeated_folds(outcome, n_folds=5, n_repeats=3)
    assert [(f.repeat, f.fold) for f in folds] == [(r, k) for r in range(3) for k in range(5)]
    for repeat in range(3):
        tests = np.concatenate([f.test for f in folds if f.repeat == repeat])
        assert np.array_equal(np.sort(tests), np.arange(len(outcome)))
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        assert abs(outcome[fold.test].mean() - outcome.mean()) < 1 / len(fold.test)
    assert not np.array_equal(folds[0].test, folds[5].test)


def test_repeats_do_not_depend_on_their_number(outcome):
    few, many = (resampling.repeated_folds(outcome, n_repeats=n) for n in (1, 4))
    assert all(np.array_equal(a.test, b.test) for a, b in zip(few, many, strict=False))


def test_too_few_events_is_an_error():
    with pytest.raises(ValueError, match="at least 5 patients of each outcome, found 3"):
        resampling.repeated_folds(np.array([1, 1, 1] + [0] * 30))


def test_out_of_fold_rows_are_tidy_and_shared_by_all_models(outcome):
    X = np.random.default_rng(1).normal(size=(len(outcome), 4))
    ids = np.array([f"P-{i:04d}" for i in range(len(outcome))])
    folds = resampling.repeated_folds(outcome, n_folds=3, n_repeats=2)
    estimators = {"null": models.classifier("null"), "lr": models.classifier("lr")}
    oof = resampling.out_of_fold(estimators, pd.DataFrame(X), outcome, folds, ids)
    assert list(oof) == resampling.OOF_COLUMNS
    assert list(oof["model"].unique()) == ["null", "lr"]
    assert not oof.duplicated(["model", "repeat", "patient_id"]).any()
    assert len(oof) == 2 * 2 * len(outcome)
    lr, null = (
        oof[oof["model"] == name].drop(columns=["model", "y_prob"]).reset_index(drop=True) for name in estimators
    )
    pd.testing.assert_frame_equal(lr, null)
    by_id = dict(zip(ids, outcome, strict=True))
    assert (oof["y"] == oof["patient_id"].map(by_id)).all()


def test_out_of_fold_equals_a_plain_loop(outcome):
    X = np.random.default_rng(2).normal(size=(len(outcome), 3))
    fold = resampling.repeated_folds(outcome, n_folds=3)[1]
    oof = resampling.out_of_fold({"lr": models.classifier("lr", "none")}, X, outcome, [fold])
    scaler = StandardScaler().fit(X[fold.train])
    expected = LogisticRegression(max_iter=1000).fit(scaler.transform(X[fold.train]), outcome[fold.train])
    assert np.allclose(oof["y_prob"], expected.predict_proba(scaler.transform(X[fold.test]))[:, 1], atol=1e-12)


def test_metrics_are_taken_per_repeat_and_fold(outcome):
    X = np.random.default_rng(2).normal(size=(len(outcome), 3))
    folds = resampling.repeated_folds(outcome, n_folds=3, n_repeats=2)
    oof = resampling.out_of_fold({"lr": models.classifier("lr")}, X, outcome, folds)
    repeats, parts = resampling.per_repeat(oof, roc_auc_score), resampling.per_fold(oof, roc_auc_score)
    assert len(repeats) == 2
    assert len(parts) == 6
    second = oof[oof["repeat"] == 1]
    assert repeats["value"][1] == roc_auc_score(second["y"], second["y_prob"])
