"""Schemes: refits equal scikit-learn, each scheme equals a plain loop, intervals grow with what they allow for."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition.models import batched
from attrition.resampling import corrected_interval
from attrition.studies import validation as schemes


@pytest.fixture(scope="module")
def trial():
    """300 patients, 6 features of unlike scales, one constant within some folds' reach."""
    rng = np.random.default_rng(11)
    X = rng.normal(size=(300, 6)) * np.array([1, 10, 0.1, 3, 1, 1]) + np.array([0, 50, 0, 0, 1, -2])
    y = (rng.random(300) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)
    return X, y


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def plain_fit(X, y, C=1.0):
    return make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=5000, tol=1e-10)).fit(X, y)


@pytest.mark.parametrize("C", [0.001, 0.1, 1.0])
def test_masked_refit_equals_scikit_learn_on_those_rows(C, trial, rng):
    X, y = trial
    masks = schemes.fold_masks(y, 5, rng)
    got = batched.fit_pipeline(X, y, 1 - masks, C=C).decision_function(X)
    for mask, score in zip(masks, got, strict=True):
        train = mask == 0
        expected = plain_fit(X[train], y[train], C).decision_function(X)
        assert np.allclose(score, expected, atol=2e-4)


def test_refits_of_one_table_equal_those_of_a_table_each(trial, rng):
    X, y = trial
    counts = rng.multinomial(300, np.full(300, 1 / 300), size=12).astype(float)
    one = batched.fit_pipeline(X, y, counts)
    each = batched.fit_pipeline(np.repeat(X[None], 12, axis=0), y, counts)
    assert np.allclose(one.coef, each.coef, atol=1e-9)
    assert np.allclose(one.intercept, each.intercept, atol=1e-9)


def test_fold_masks_partition_and_stratify(trial, rng):
    _, y = trial
    masks = schemes.fold_masks(y, 5, rng)
    assert (masks.sum(axis=0) == 1).all()
    assert np.ptp(masks.sum(axis=1)) <= 1
    assert np.ptp(masks @ y) <= 1


def test_cross_validation_and_split_equal_a_plain_loop(trial):
    X, y = trial
    sizes = schemes.Sizes(n_repeats=2, n_bootstraps=5)
    _, found = schemes.estimate(X, y, np.random.default_rng(1), sizes)
    rng = np.random.default_rng(1)
    by_fold, by_repeat = [], []
    for _ in range(2):
        score = np.empty(len(y))
        for mask in schemes.fold_masks(y, 5, rng):
            test = mask == 1
            score[test] = plain_fit(X[~test], y[~test]).decision_function(X[test])
            by_fold.append(roc_auc_score(y[test], score[test]))
        by_repeat.append(roc_auc_score(y, score))
    assert found["split"]["value"] == pytest.approx(by_fold[0], abs=1e-3)
    assert found["cv5"]["value"] == pytest.approx(by_repeat[0], abs=1e-3)
    assert found["repeated_cv5"]["value"] == pytest.approx(np.mean(by_repeat), abs=1e-3)
    low, high = list(corrected_interval(np.array(by_fold), np.mean(by_repeat), 5).values())[1:]
    assert list(found["repeated_cv5_corrected"].values())[1:] == pytest.approx([low, high], abs=2e-3)


def test_optimism_equals_harrells_loop(trial):
    X, y = trial
    rng = np.random.default_rng(2)
    counts = rng.multinomial(300, np.full(300, 1 / 300), size=6).astype(float)
    fitted, *drawn = batched.fit_pipeline(X, y, np.vstack([np.ones(300), counts])).decision_function(X)
    apparent = roc_auc_score(y, fitted)
    harrell, plus, spread = schemes.bootstrapped(y, np.array(drawn), counts, apparent)
    optimism, left_out, on_all = [], [], []
    for count in counts.astype(int):
        rows = np.repeat(np.arange(300), count)
        score = plain_fit(X[rows], y[rows]).decision_function(X)
        on_all.append(roc_auc_score(y, score))
        optimism.append(roc_auc_score(y[rows], score[rows]) - on_all[-1])
        left_out.append(roc_auc_score(y[count == 0], score[count == 0]))
    assert harrell == pytest.approx(apparent - np.mean(optimism), abs=1e-4)
    assert plus == pytest.approx(schemes.point632plus(apparent, np.mean(left_out)), abs=1e-4)
    assert spread == pytest.approx(np.std(on_all, ddof=1), abs=1e-4)


@pytest.mark.parametrize("apparent", [0.55, 0.7, 0.9])
def test_point632plus_lies_between_left_out_and_apparent(apparent):
    for left_out in np.linspace(0.4, 0.95, 12):
        value = schemes.point632plus(apparent, left_out)
        low, high = sorted((apparent, max(left_out, 0.5)))
        assert low - 1e-12 <= value <= high + 1e-12
    assert schemes.point632plus(apparent, apparent) == pytest.approx(apparent)


def test_intervals_contain_their_value_and_refits_widen_them(trial):
    X, y = trial
    _, found = schemes.estimate(X, y, np.random.default_rng(3))
    assert set(found) == set(schemes.SCHEMES)
    for numbers in found.values():
        assert 0 < numbers["ci_low"] < numbers["value"] < numbers["ci_high"] < 1
    width = {name: numbers["ci_high"] - numbers["ci_low"] for name, numbers in found.items()}
    assert width["optimism"] < width["optimism_refit"]
    assert width["repeated_cv5"] < width["split"]


def test_same_stream_same_estimates(trial):
    X, y = trial
    (_, first), (_, second) = (schemes.estimate(X, y, np.random.default_rng(9)) for _ in range(2))
    assert first == second


def test_tuned_penalty_is_the_best_of_a_plain_grid(trial, rng):
    X, y = trial
    masks = schemes.fold_masks(y, 3, rng)
    best, _ = schemes.tuned_penalty(X, y, masks[None], np.ones((1, len(y))))
    aurocs = {}
    for C in schemes.PENALTIES:
        score = np.empty(len(y))
        for mask in masks:
            test = mask == 1
            score[test] = plain_fit(X[~test], y[~test], C).decision_function(X[test])
        aurocs[C] = roc_auc_score(y, score)
    assert aurocs[best[0]] == pytest.approx(max(aurocs.values()), abs=1e-4)
