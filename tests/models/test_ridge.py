"""Ridge regressions with their penalty chosen inside: scikit-learn's, fit by fit and choice by choice."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from attrition.models import ridge
from attrition.survival import hazards
from attrition.survival.hazards import RidgeCox


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def made(rng, n=160, p=6, effect=1.0):
    X = rng.standard_normal((n, p)) * np.arange(1, p + 1) + 3
    y = (rng.random(n) < 1 / (1 + np.exp(-effect * (X[:, 0] - 3)))).astype(int)
    return X, y


def theirs(X, y, X_new, C):
    scaler = StandardScaler().fit(X)
    model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12).fit(scaler.transform(X), y)
    return model.predict_proba(scaler.transform(X_new))[:, 1]


@pytest.mark.parametrize("C", [1e-4, 0.1, 1.0])
def test_parts_fitted_together_are_scikit_learns_one_by_one(rng, C):
    X, y = made(rng)
    parts = [np.arange(120), rng.integers(0, 160, 160), np.arange(40, 160)]
    for part, found in zip(parts, ridge.RidgeLogistic(grid=(C,)).probabilities(X, y, parts), strict=True):
        np.testing.assert_allclose(found, theirs(X[part], y[part], X, C), atol=1e-8)


def test_gaps_become_the_training_median_and_a_mark_for_each_pattern(rng):
    X, y = made(rng)
    X[rng.random(160) < 0.3, 0] = np.nan
    together = rng.random(160) < 0.2
    X[together, 2] = X[together, 3] = np.nan
    part = np.arange(110)
    gaps = np.isnan(X)
    full = np.column_stack([np.where(gaps, np.nanmedian(X[part], axis=0), X), gaps[:, [0, 2]]])
    expected = theirs(full[part], y[part], full, 0.1)
    model = ridge.RidgeLogistic(grid=(0.1,))
    np.testing.assert_allclose(model.probabilities(X, y, [part])[0], expected, atol=1e-8)
    np.testing.assert_allclose(model.fit(X[part], y[part]).predict_proba(X)[:, 1], expected, atol=1e-8)


def test_a_gap_that_training_never_saw_becomes_the_median(rng):
    X, y = made(rng)
    new = X[:2].copy()
    new[0, 4] = np.nan
    filled = np.where(np.isnan(new), np.median(X, axis=0), new)
    model = ridge.RidgeLogistic().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(new), model.predict_proba(filled), atol=1e-12)


def test_the_penalty_is_the_one_with_the_least_inner_log_loss(rng):
    X, y = made(rng, effect=0.7)
    counts = np.ones((1, 160))
    labels = ridge.inner_labels(np.random.default_rng(3), counts)
    lost = []
    for C in ridge.GRID:
        p = np.empty(160)
        for k in range(ridge.INNER_FOLDS):
            held = labels[0] == k
            p[held] = theirs(X[~held], y[~held], X[held], C)
        lost.append(log_loss(y, p))
    _, (chosen,) = ridge.developed(ridge.Design.of(X), y, counts, labels)
    assert chosen == ridge.GRID[int(np.argmin(lost))]
    assert 0 < int(np.argmin(lost)) < len(ridge.GRID) - 1


def test_noise_gets_the_strongest_penalty_and_a_signal_does_not(rng):
    chosen = [ridge.RidgeLogistic().fit(*made(rng, effect=effect)).C_[0] for effect in [0.0] * 9 + [2.0] * 9]
    assert np.median(chosen[:9]) <= 1e-3
    assert np.median(chosen[9:]) >= 1e-2


def test_what_is_free_is_not_penalised(rng):
    X, y = made(rng)
    arm = rng.integers(0, 2, 160)
    y = (rng.random(160) < 0.25 + 0.5 * arm).astype(int)
    table, free = np.column_stack([arm, X]), [True] + [False] * 6
    strongest = ridge.RidgeLogistic(grid=(1e-8,), free=free).fit(table, y).predict_proba(table)[:, 1]
    for group in (0, 1):
        np.testing.assert_allclose(strongest[arm == group], y[arm == group].mean(), atol=1e-4)
    held = ridge.RidgeLogistic(grid=(1e-8,)).fit(table, y).predict_proba(table)[:, 1]
    np.testing.assert_allclose(held, y.mean(), atol=1e-4)


@pytest.mark.parametrize("grid", [ridge.GRID, (0.1,)])
def test_no_outcome_outside_a_training_part_changes_a_bit_of_its_model(rng, grid):
    """Not even where an arm is not in the training part, and nothing but rounding holds its effect."""
    arm = np.array([0] * 29 + [1] * 29 + [2] * 2)
    X, trainings = np.column_stack([arm == 1, arm == 2]).astype(float), [np.arange(58), np.arange(10, 60)]
    y, found = rng.integers(0, 2, 60), []
    for last in (0, 1):
        y[58:] = last
        for free in ([True, True], [False, False]):
            found.append(ridge.RidgeLogistic(grid=grid, free=free).probabilities(X, y, trainings)[0])
    np.testing.assert_array_equal(found[:2], found[2:])


def test_an_arm_without_events_does_not_run_away(rng):
    X, _ = made(rng)
    arm = rng.integers(0, 2, 160)
    y = np.where(arm == 1, 0, rng.integers(0, 2, 160))
    table = np.column_stack([arm, X])
    p = ridge.RidgeLogistic(free=[True] + [False] * 6).fit(table, y).predict_proba(table)[:, 1]
    assert np.isfinite(p).all()
    assert p[arm == 1].max() < 1e-3


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_where_rows_are_plenty_an_arm_without_events_ends_where_newton_does(rng, monkeypatch, share):
    X, _ = made(rng, 2000)
    arm = (rng.random(2000) < share).astype(int)
    y = np.where(arm == 1, 0, rng.integers(0, 2, 2000))
    model = ridge.RidgeLogistic(free=[True] + [False] * 6)
    found = model.fit(np.column_stack([arm, X]), y)
    p, C = found.predict_proba(np.column_stack([arm, X]))[:, 1], found.C_[0]
    monkeypatch.setattr(ridge, "PLENTY", np.inf)
    exact = ridge.RidgeLogistic(grid=(C,), free=[True] + [False] * 6).fit(np.column_stack([arm, X]), y)
    np.testing.assert_allclose(p, exact.predict_proba(np.column_stack([arm, X]))[:, 1], atol=1e-6)
    assert p[arm == 1].max() < 1e-3


def test_inner_folds_are_balanced_and_never_part_a_group(rng):
    group = np.repeat(np.arange(40), 3)
    counts = rng.integers(0, 3, (5, 40))[:, group].astype(float)
    labels = ridge.inner_labels(rng, counts, group)
    assert ((labels == -1) == (counts == 0)).all()
    for row, count in zip(labels, counts, strict=True):
        of = [set(row[(group == g) & (count > 0)]) for g in np.unique(group[count > 0])]
        assert all(len(each) == 1 for each in of)
        sizes = np.bincount([each.pop() for each in of], minlength=ridge.INNER_FOLDS)
        assert np.ptp(sizes) <= 1


def by_least_squares(design, y, w, train, C):
    """One Newton step from the rate, as a weighted ridge regression of the working response."""
    rate = np.average(y[train], weights=w[train])
    v = rate * (1 - rate)
    form = design.penalty((w * train)[None])[0] / (C * v)
    X, z = design.table[train], (y[train] - rate) / v
    return np.linalg.solve(X.T @ (w[train, None] * X) + form, X.T @ (w[train] * z))


@pytest.mark.parametrize(("C", "named", "inner_folds"), [(1e-3, 1, ridge.INNER_FOLDS), (1.0, -7, 2)])
def test_many_outcomes_at_once_take_one_step_each(rng, C, named, inner_folds):
    X, y = made(rng, effect=0.8)
    X[rng.random(160) < 0.2, 2] = np.nan
    fold, design = np.arange(160) % 4, ridge.Design.of(X, np.arange(6) == 1)
    within = [rng.permutation(np.flatnonzero(fold == k)) for k in range(4)]
    shuffled = y.copy()
    for k in range(4):
        shuffled[fold == k] = y[within[k]]
    Y, w = np.stack([y, shuffled]).astype(float), np.ones(160)
    found = ridge.OneStep(design, named * fold + 3, rng.integers(0, inner_folds, 160), grid=(C,))(Y)
    for outcome, log_odds in zip(Y, found, strict=True):
        for k in range(4):
            beta = by_least_squares(design, outcome, w, fold != k, C)
            np.testing.assert_allclose(log_odds[fold == k], design.table[fold == k] @ beta, atol=1e-9)


def test_one_step_with_weights_has_the_derivatives_of_the_mean_weight_in_a_fold(rng):
    """By hand: a fold's patients all weigh what they do on average in the second derivatives, and in the penalty."""
    X, y = made(rng)
    fold, design, w = np.arange(160) % 4, ridge.Design.of(X), rng.choice([0.0, 1.0, 1.7], 160)
    usual = np.array([w[fold == k].mean() for k in range(4)])[fold]
    found = ridge.OneStep(design, fold, rng.integers(0, ridge.INNER_FOLDS, 160), grid=(0.3,), weight=w)(
        y[None].astype(float), w[None]
    )[0]
    for k in range(4):
        train, T = fold != k, design.table[fold != k]
        rate = np.average(y[train], weights=w[train])
        bend = 0.3 * rate * (1 - rate) * T.T @ (usual[train, None] * T) + design.penalty((usual * train)[None])[0]
        beta = np.linalg.solve(bend, 0.3 * T.T @ (w[train] * (y[train] - rate)))
        np.testing.assert_allclose(found[fold == k], design.table[fold == k] @ beta, atol=1e-9)


def test_medians_are_those_of_the_repeated_rows(rng):
    X, _ = made(rng)
    X[rng.random(160) < 0.3, 1] = np.nan
    X[:, 4] = np.nan
    counts, design = rng.integers(0, 3, (7, 160)).astype(float), ridge.Design.of(X)
    for _ in range(2):  # the second time from the rows that are in order
        for own, middle in zip(counts, design.medians(counts, [1, 4]), strict=True):
            rows = np.repeat(np.arange(160), own.astype(int))
            expected = (np.nanmedian(X[rows, 1]) - design.centre[1]) / design.scale[1]
            np.testing.assert_allclose(middle, [0, expected, 0, 0, 0, 0], atol=1e-12)


def test_the_penalty_of_one_step_is_that_of_the_fit(rng):
    """Of outcomes with a signal and without: nearly always the penalty that inner folds of whole fits choose."""
    for effect in (0.0, 0.6):
        X, y = made(rng, 800, effect=effect)
        fold, design = rng.permutation(800) % 4, ridge.Design.of(X)
        counts, inner = np.stack([fold != k for k in range(4)]).astype(float), rng.permutation(800) % ridge.INNER_FOLDS
        stepped = ridge.OneStep(design, fold, inner)(y[None].astype(float))[0]
        labels = np.where(counts > 0, inner, -1)
        coef, _ = ridge.developed(design, y, counts, labels)
        for k in range(4):
            fitted = design.table[fold == k] @ coef[k]
            assert np.corrcoef(stepped[fold == k], fitted)[0, 1] > 0.98


def test_where_rows_are_plenty_inner_folds_are_left_out_by_one_step(rng, monkeypatch):
    """The same penalties and coefficients as by fits without each inner fold, and no row that counts for nothing."""
    X, y = made(rng, 1500, effect=0.4)
    X[rng.random(1500) < 0.1, 0] = np.nan
    counts = np.stack([rng.permutation(1500) % 3 != 0 for _ in range(13)]).astype(float)
    counts[:, :200] = 0.0  # nobody's
    design, labels = ridge.Design.of(X, np.arange(6) == 1), ridge.inner_labels(rng, counts)
    steps, C = ridge.developed(design, y, counts, labels)
    y[:200] = 1 - y[:200]
    again, _ = ridge.developed(design, y, counts, labels)
    np.testing.assert_array_equal(steps, again)
    monkeypatch.setattr(ridge, "PLENTY", np.inf)
    fits, chosen = ridge.developed(design, y, counts, labels)
    same = chosen == C
    assert same.mean() > 0.8
    np.testing.assert_allclose(steps[same], fits[same], atol=1e-6)


def test_the_loss_of_an_inner_fold_left_out_by_one_step_is_near_that_of_a_fit(rng, monkeypatch):
    X, y = made(rng, 3000, effect=0.5)
    design, counts = ridge.Design.of(X), np.ones((1, 3000))
    labels, seen = ridge.inner_labels(rng, counts), []

    def spied(grid, n, losses):
        seen.append(np.array([losses(C, np.ones(n, dtype=bool)) for C in grid]).ravel())
        return np.zeros(n, dtype=int)

    monkeypatch.setattr(ridge, "best_of_grid", spied)
    ridge.developed(design, y, counts, labels)
    monkeypatch.setattr(ridge, "NEAR", 1e-6)
    monkeypatch.setattr(ridge, "PLENTY", np.inf)
    ridge.developed(design, y, counts, labels)
    steps, fits = seen
    np.testing.assert_allclose(steps, fits, rtol=0, atol=0.15)
    assert np.ptp(fits) > 10


def test_the_cox_penalty_of_one_step_is_that_of_the_fits(rng, monkeypatch):
    X, seen = rng.standard_normal((900, 6)), []
    time = np.ceil(rng.exponential(60 * np.exp(-X @ [0.6, -0.3, 0.0, 0.0, 0.0, 0.1])))
    event, search = time < 120, hazards.best_of_grid

    def spied(grid, n, losses):
        seen.append(np.array([losses(C, np.ones(n, dtype=bool)) for C in grid]).ravel())
        return search(grid, n, losses)

    monkeypatch.setattr(hazards, "best_of_grid", spied)
    outcome, chosen = np.column_stack([event, np.minimum(time, 120)]), []
    for plenty in (1, np.inf):
        monkeypatch.setattr(hazards, "PLENTY", plenty)
        chosen.append(RidgeCox(seed=1).fit(X, outcome))
    steps, fits = seen
    np.testing.assert_allclose(steps, fits, rtol=0, atol=0.15)
    assert np.ptp(fits) > 50
    assert chosen[0].C_ == chosen[1].C_
    np.testing.assert_allclose(chosen[0].coef_, chosen[1].coef_, atol=1e-9)


def test_the_cox_penalty_is_chosen_and_the_arm_is_free(rng):
    X = rng.standard_normal((200, 5))
    arm = rng.integers(0, 2, 200)
    table = np.column_stack([(arm - 0.5) * 2, X])
    weak, strong = (rng.exponential(np.exp(-1.0 * arm - signal * X[:, 0])) for signal in (0.0, 1.2))
    none = RidgeCox([True] + [False] * 5).fit(table, np.column_stack([np.ones(200), weak]))
    some = RidgeCox([True] + [False] * 5).fit(table, np.column_stack([np.ones(200), strong]))
    assert none.C_ < some.C_
    assert np.abs(none.coef_[1:]).max() < 0.2
    assert none.coef_[0] == pytest.approx(0.5, abs=0.15)  # half of the log hazard ratio of the arms, not shrunk
    assert some.coef_[1] == pytest.approx(1.2, abs=0.35)
