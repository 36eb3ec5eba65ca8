"""Batched fits and ranks against scikit-learn, and soft labels against outcomes actually drawn."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition.metrics import ranks
from attrition.models import batched


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def trials(rng):
    """Twelve trials of 400 with correlated, badly scaled features and a rare outcome."""
    X = rng.normal(size=(12, 400, 6)) @ rng.normal(size=(6, 6)) * [1, 100, 0.01, 5, 1, 1] + [
        50,
        200,
        0,
        0,
        1,
        0,
    ]
    eta = X[..., 0] - X[..., 0].mean() + 0.01 * (X[..., 1] - 200) - 1.5
    return X, (rng.random(eta.shape) < expit(0.5 * eta)).astype(int)


def reference(X, y, class_weight=None, sample_weight=None):
    model = LogisticRegression(C=1.0, class_weight=class_weight, tol=1e-12, max_iter=10_000)
    return model.fit(X, y, sample_weight=sample_weight)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_coefficients_equal_scikit_learn(trials, class_weight):
    X, y = trials
    fit = batched.fit_pipeline(X, y, class_weight=class_weight)
    assert fit.converged.all()
    for r in range(len(X)):
        scaler = StandardScaler().fit(X[r])
        expected = reference(scaler.transform(X[r]), y[r], class_weight)
        np.testing.assert_allclose(fit.coef[r] * scaler.scale_, expected.coef_[0], atol=1e-6)
        probability = expected.predict_proba(scaler.transform(X[r]))[:, 1]
        np.testing.assert_allclose(fit.predict_proba(X)[r], probability, atol=1e-6)


def test_bootstrap_counts_equal_repeated_rows(trials, rng):
    X, y = trials[0][0], trials[1][0]
    draws = rng.integers(0, 400, size=(8, 400))
    counts = np.stack([np.bincount(d, minlength=400) for d in draws])
    fit = batched.fit_pipeline(X, y, counts, class_weight="balanced")
    for r, rows in enumerate(draws):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(class_weight="balanced", tol=1e-12, max_iter=10_000)
        ).fit(X[rows], y[rows])
        np.testing.assert_allclose(fit.coef[r] * model[0].scale_, model[1].coef_[0], atol=1e-6)


def test_fold_masks_equal_cross_validation(trials):
    X, y = trials[0][1], trials[1][1]
    folds = list(StratifiedKFold(5).split(X, y))
    masks = np.stack([np.isin(np.arange(400), train) for train, _ in folds]).astype(float)
    score = batched.fit_pipeline(X, y, masks).decision_function(X)
    ours = ranks.auroc(y, score, 1 - masks)
    for r, (train, test) in enumerate(folds):
        model = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-12, max_iter=10_000)).fit(X[train], y[train])
        assert ours[r] == pytest.approx(roc_auc_score(y[test], model.decision_function(X[test])), abs=1e-12)


def test_one_table_for_all_equals_one_table_each(trials, rng):
    X = StandardScaler().fit_transform(trials[0][2])
    weight = rng.integers(0, 3, size=(5, 400)).astype(float)
    shared = batched.fit_logistic(X, trials[1][2], weight)
    each = batched.fit_logistic(np.repeat(X[None], 5, axis=0), trials[1][2], weight)
    np.testing.assert_allclose(shared.coef, each.coef, atol=1e-11)


def test_result_does_not_depend_on_companions(trials):
    X, y = trials
    together = batched.fit_pipeline(X, y)
    alone = batched.fit_pipeline(X[3:4], y[3:4])
    assert np.array_equal(together.coef[3], alone.coef[0])
    assert np.array_equal(together.decision_function(X[5])[3], alone.decision_function(X[5])[0])


def test_gradient_vanishes_even_with_separated_classes():
    x = np.linspace(-3, 3, 60)[None, :, None]
    y = (x[..., 0] > 0).astype(float)
    fit = batched.fit_logistic(x, y, C=1e4)
    residual = fit.predict_proba(x) - y
    gradient = 1e4 * (x[..., 0] * residual).sum() + fit.coef[0, 0]
    assert fit.converged.all()
    assert abs(gradient) < 1e-6


def test_constant_feature_gets_no_weight(trials):
    X = trials[0].copy()
    X[..., 2] = 7.3
    fit = batched.fit_pipeline(X, trials[1])
    assert np.abs(fit.coef[:, 2]).max() < 1e-20


def test_balanced_weight_refuses_a_single_class():
    with pytest.raises(ValueError, match="with and without"):
        batched.balanced_weight(np.zeros((2, 5)))


@pytest.mark.parametrize("decimals", [1, 15])
def test_auroc_equals_roc_auc_score(rng, decimals):
    y = (rng.random((50, 200)) < 0.3).astype(int)
    score = rng.normal(size=(50, 200)).round(decimals) + 0.2 * y
    expected = [roc_auc_score(*pair) for pair in zip(y, score, strict=True)]
    np.testing.assert_allclose(ranks.auroc(y, score), expected, rtol=0, atol=4e-16)


def test_weighted_auroc_equals_roc_auc_score(rng):
    y = (rng.random(300) < 0.3).astype(int)
    score = rng.normal(size=300).round(1) + 0.5 * y
    weight = rng.integers(0, 4, size=(20, 300))
    expected = [roc_auc_score(y, score, sample_weight=w) for w in weight]
    np.testing.assert_allclose(ranks.auroc(y, score, weight), expected, rtol=0, atol=1e-14)


def test_missing_scores_tie_above_all_others():
    y, missing = np.array([0, 1, 0, 0, 1, 1]), np.nan
    score = np.array([[missing] * 6, [0.1, missing, 0.4, missing, 0.2, 0.9]])
    np.testing.assert_allclose(ranks.auroc(y, score), ranks.auroc(y, np.nan_to_num(score, nan=2.0)), rtol=1e-15)


def test_auroc_of_one_class_is_not_a_number():
    assert np.isnan(ranks.auroc(np.ones(5), np.arange(5.0))[0])


def brute_soft_auroc(p, score):
    concordant = (score[:, None] > score) + 0.5 * (score[:, None] == score)
    pairs = np.outer(p, 1 - p)
    np.fill_diagonal(pairs, 0)
    return (pairs * concordant).sum() / pairs.sum()


@pytest.mark.parametrize("decimals", [1, 15])
def test_soft_auroc_counts_pairs(rng, decimals):
    p, score = rng.random(80), rng.normal(size=(3, 80)).round(decimals)
    expected = [brute_soft_auroc(p, row) for row in score]
    np.testing.assert_allclose(ranks.soft_auroc(p, score), expected, rtol=0, atol=1e-14)


def test_soft_auroc_is_the_mean_over_drawn_outcomes(rng):
    p = expit(rng.normal(size=500))
    score = p + 0.2 * rng.normal(size=500)
    drawn = ranks.auroc(rng.random((8000, 500)) < p, score)
    error = drawn.std(ddof=1) / np.sqrt(len(drawn))
    assert abs(drawn.mean() - ranks.soft_auroc(p, score)[0]) < 4 * error
    assert error < 3e-4


def test_true_probability_beats_every_perturbed_one(rng):
    p = expit(rng.normal(size=3000))
    best = ranks.soft_auroc(p, p)[0]
    for scale in (0.01, 0.1, 1.0):
        assert (ranks.soft_auroc(p, p + scale * rng.normal(size=(20, 3000))) < best).all()


@pytest.mark.parametrize("heavy_tail", [False, True])
def test_binned_soft_auroc_is_within_its_bound_and_far_below_1e_5(rng, heavy_tail):
    z = rng.normal(size=(20, 50_000))
    score = z + 0.05 * rng.standard_exponential(z.shape) ** 3 if heavy_tail else z
    p = expit(z[0] - 1)
    exact = ranks.soft_auroc(p, score)
    binned, bound = ranks.binned_soft_auroc(p, score)
    error = np.abs(binned - exact)
    assert (error <= bound).all()
    assert error.max() < 1e-5


def test_binned_soft_auroc_of_a_constant_is_one_half(rng):
    assert ranks.binned_soft_auroc(rng.random(100), np.ones(100))[0][0] == pytest.approx(0.5, abs=1e-12)


def test_influence_gives_the_spread_over_populations(rng):
    def population():
        x = rng.normal(size=(2000, 2))
        return expit(x.sum(axis=1) - 1), x[:, 0] + 0.3 * x[:, 1]

    values, errors = [], []
    for _ in range(300):
        p, score = population()
        value, influence = ranks.soft_auroc_influence(p, score)
        assert value == pytest.approx(ranks.soft_auroc(p, score)[0], abs=1e-12)
        values.append(value)
        errors.append(np.sqrt((influence**2).sum()))
        assert abs(influence.sum()) < 1e-10
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.15)


def test_columns_that_lie_close_together_are_told_apart():
    """Second derivatives in single precision cannot; after some steps they are taken in double."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 300))
    X = np.stack([x, x + 1e-4 * rng.normal(size=x.shape), rng.normal(size=x.shape)], axis=-1)
    y = (rng.random(x.shape) < 1 / (1 + np.exp(-x))).astype(float)
    found = batched.fit_logistic(X, y, C=1e6)
    expected = LogisticRegression(C=1e6, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X[0], y[0])
    assert found.converged.all()
    np.testing.assert_allclose(found.coef[0], expected.coef_[0], rtol=1e-5)


def test_fits_that_have_not_settled_are_told(monkeypatch):
    monkeypatch.setattr(batched, "MAX_STEPS", 1)
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(2, 100, 2)), rng.integers(0, 2, (2, 100))
    with pytest.warns(UserWarning, match="2 of 2 logistic regressions had not settled after 1 steps"):
        fit = batched.fit_logistic(X, y)
    assert not fit.converged.any()


def test_products_of_columns_that_are_kept_give_the_sums_of_those_that_are_not(rng, monkeypatch):
    tables, v = batched.Shared(rng.standard_normal((500, 4))), rng.random((3, 500))
    whole = np.einsum("ri,ij,ik->rjk", v, tables.design, tables.design)
    np.testing.assert_allclose(tables.gram(v, slice(None)), whole, rtol=1e-12)
    monkeypatch.setattr(batched, "KEPT", 0)
    np.testing.assert_allclose(batched.Shared(tables.design).gram(v, slice(None)), whole, rtol=1e-12)


def test_person_periods_are_a_table_of_rows_that_is_never_made():
    rng = np.random.default_rng(3)
    X, beta, rows = rng.standard_normal((40, 3)), rng.standard_normal((1, 7)), rng.random((1, 160))
    table = np.hstack([np.tile(np.eye(4), (40, 1)), np.repeat(X, 4, axis=0)])
    ours, theirs = batched.Periods(X, 4), batched.Shared(table)
    assert ours.q == theirs.q
    np.testing.assert_allclose(ours.linear(beta, slice(None)), theirs.linear(beta, slice(None)), atol=1e-12)
    np.testing.assert_allclose(ours.cross(rows, slice(None)), theirs.cross(rows, slice(None)), atol=1e-12)
    np.testing.assert_allclose(ours.gram(rows, slice(None)), theirs.gram(rows, slice(None)), atol=1e-12)
