"""Bounds are tested by brute force: enumeration, random curves, numerical maximisation."""

import doctest
import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_score, recall_score, roc_auc_score

from attrition.claims import arithmetic


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("module", [arithmetic])
def test_doctests(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(("printed", "decimals"), [(0.72, 3), (0.5, 0), (0.12, 2), (1.0, 3), (0.0, 2)])
@pytest.mark.parametrize("n", [1, 7, 48, 200])
def test_attainable_equals_enumeration(printed, decimals, n):
    half = 0.5 * 10.0**-decimals
    expected = [k for k in range(n + 1) if abs(k / n - printed) <= half + 1e-12]
    assert arithmetic.attainable(printed, n, decimals) == expected


def test_published_recalls_are_no_counts_of_48_dropouts():
    assert [arithmetic.attainable(r, 48) for r in (0.720, 0.680, 0.700)] == [[], [], []]
    assert arithmetic.attainable(0.85, 48, decimals=2) == [41]


def test_matrices_equal_enumeration_and_scikit_learn():
    found = arithmetic.matrices(0.7, 0.6, 10, 20, decimals=1)
    expected = [
        (tp, fp)
        for tp, fp in itertools.product(range(11), range(21))
        if tp + fp and abs(tp / 10 - 0.7) <= 0.05 + 1e-12 and abs(tp / (tp + fp) - 0.6) <= 0.05 + 1e-12
    ]
    assert [(m.tp, m.fp) for m in found] == expected
    m = found[0]
    y_true = np.repeat([0, 0, 1, 1], [m.tn, m.fp, m.fn, m.tp])
    y_pred = np.repeat([0, 1, 0, 1], [m.tn, m.fp, m.fn, m.tp])
    assert confusion_matrix(y_true, y_pred).ravel().tolist() == [m.tn, m.fp, m.fn, m.tp]
    assert recall_score(y_true, y_pred) == pytest.approx(m.point[0])
    recall, fpr = m.point
    assert arithmetic.fpr_from(recall, precision_score(y_true, y_pred), m.positives / 30) == pytest.approx(fpr)


def test_bayes_rule_inverts(rng):
    for recall, fpr, prevalence in rng.uniform(0.05, 0.95, (50, 3)):
        true, false = recall * prevalence, fpr * (1 - prevalence)
        precision = true / (true + false)
        assert arithmetic.fpr_from(recall, precision, prevalence) == pytest.approx(fpr)


def test_sd_range_holds_every_unrounded_sample(rng):
    printed = np.array([0.721, 0.695, 0.682, 0.708, 0.685])
    unrounded = printed + rng.uniform(-0.0005, 0.0005, (20_000, 5))
    for ddof in (0, 1):
        low, high = arithmetic.sd_range(printed, 3, ddof)
        sd = unrounded.std(axis=1, ddof=ddof)
        assert low <= sd.min()
        assert sd.max() <= high


def test_folds_agree_accepts_what_rounding_made(rng):
    for ddof in (0, 1):
        exact = rng.normal(0.7, 0.02, (200, 5))
        for folds in exact:
            shown = arithmetic.folds_agree(folds.round(3), round(folds.mean(), 3), round(folds.std(ddof=ddof), 3))
            assert shown == {"mean": True, "sd": True}


def test_relative_change_holds_every_unrounded_pair(rng):
    low, high = arithmetic.relative_change(0.52, 0.70, 2)
    before, after = 0.52 + rng.uniform(-0.005, 0.005, 5000), 0.70 + rng.uniform(-0.005, 0.005, 5000)
    change = after / before - 1
    assert low <= change.min() <= change.max() <= high
    assert high < 0.375


def random_curve(rng, concave):
    slopes, widths = rng.exponential(size=30) ** 2, rng.exponential(size=30) ** 2
    if concave:
        slopes = -np.sort(-slopes)
    y = np.concatenate([[0], np.cumsum(slopes * widths)])
    x = np.concatenate([[0], np.cumsum(widths)])
    return x / x[-1], y / y[-1]


@pytest.mark.parametrize("concave", [False, True])
def test_every_curve_lies_within_its_bounds(rng, concave):
    bound = arithmetic.concave_auc_bounds if concave else arithmetic.auc_bounds
    for _ in range(300):
        x, y = random_curve(rng, concave)
        area = np.trapezoid(y, x)
        for at in range(1, 30):
            low, high = bound(y[at], x[at])
            assert low - 1e-12 <= area <= high + 1e-12


def test_step_curves_attain_the_general_bounds():
    positives, negatives, tp, fp = 40, 60, 30, 12
    y_true = np.repeat([1, 0], [positives, negatives])
    low, high = arithmetic.auc_bounds(tp / positives, fp / negatives)
    worst = np.r_[np.full(tp, 3), np.full(positives - tp, 1), np.full(fp, 4), np.full(negatives - fp, 2)]
    best = np.r_[np.full(tp, 4), np.full(positives - tp, 2), np.full(fp, 3), np.full(negatives - fp, 1)]
    assert roc_auc_score(y_true, worst) == pytest.approx(low)
    assert roc_auc_score(y_true, best) == pytest.approx(high)


def test_concave_bounds_equal_a_search_over_supporting_lines(rng):
    grid = np.linspace(0, 1, 4001)
    for fpr, tpr in np.sort(rng.uniform(0.02, 0.98, (25, 2)), axis=1):
        slopes = np.linspace((1 - tpr) / (1 - fpr), tpr / fpr, 400)
        areas = [np.trapezoid(np.minimum(1, tpr + m * (grid - fpr)), grid) for m in slopes]
        low, high = arithmetic.concave_auc_bounds(tpr, fpr)
        assert high == pytest.approx(max(areas), abs=2e-4)
        assert low == pytest.approx(np.trapezoid([0, tpr, 1], [0, fpr, 1]))


def test_concave_bounds_at_the_corners():
    assert arithmetic.concave_auc_bounds(0.4, 0.0) == (0.7, 1.0)
    assert arithmetic.concave_auc_bounds(1.0, 0.4) == (0.8, 1.0)
    with pytest.raises(ValueError, match="above the diagonal"):
        arithmetic.concave_auc_bounds(0.2, 0.3)


def test_smallest_auc_is_the_minimum_over_the_rounding_box():
    ends = [np.linspace(*arithmetic.interval(value, 2), 41) for value in (0.85, 0.55)]
    for concave, curve in ((False, arithmetic.auc_bounds), (True, arithmetic.concave_auc_bounds)):
        box = [curve(t, arithmetic.fpr_from(t, p, 0.24))[0] for t, p in itertools.product(*ends)]
        assert arithmetic.smallest_auc(0.85, 0.55, 0.24, 2, concave) == pytest.approx(min(box), abs=1e-12)


def test_joint_claim_of_a_real_model_is_always_possible(rng):
    for _ in range(40):
        y = (rng.random(120) < 0.4).astype(int)
        score = y + rng.normal(0, 1.2, 120)
        flagged = score > np.median(score)
        tp, fp = int((flagged & (y == 1)).sum()), int((flagged & (y == 0)).sum())
        recall, precision = round(tp / y.sum(), 3), round(tp / (tp + fp), 3)
        claim = arithmetic.joint(recall, precision, round(roc_auc_score(y, score), 3), int(y.sum()), int((1 - y).sum()))
        assert claim.possible
        assert any((m.tp, m.fp) == (tp, fp) for m in claim.fits)


def test_published_operating_points_are_impossible_at_24_per_cent():
    published = [(0.720, 0.680, 0.643, 2), (0.85, 0.55, 0.643, 2), (0.700, 0.660, 0.618, 2)]
    claims = [arithmetic.joint(r, p, a, 48, 152, d) for r, p, a, d in published]
    assert [claim.possible for claim in claims] == [False] * 3
    assert [len(claim.fits) for claim in claims] == [0, 2, 0]
    assert min(claim.least_concave_auc for claim in claims) > 0.789
    assert all(math.isfinite(claim.fpr) for claim in claims)


def test_examples_of_the_published_document():
    assert arithmetic.rounds_to(0.6434, 0.643, 3)
    assert not arithmetic.rounds_to(0.6436, 0.643, 3)
    assert [(m.tn, m.fp, m.fn, m.tp) for m in arithmetic.matrices(0.85, 0.55, 48, 152, decimals=2)] == [
        (119, 33, 7, 41),
        (118, 34, 7, 41),
    ]
    assert not arithmetic.matrices(0.720, 0.680, 48, 152)
    assert not arithmetic.sums_to([17, 143], 60)
    assert arithmetic.sums_to([0.333, 0.333, 0.333], 1.0, decimals=3)
    folds = [0.721, 0.695, 0.682, 0.708, 0.685]
    assert arithmetic.sd_range(folds, 3, ddof=1) == pytest.approx((0.0157, 0.0169), abs=5e-5)
    assert arithmetic.folds_agree(folds, 0.698, 0.023) == {"mean": True, "sd": False}
    assert arithmetic.relative_change(0.52, 0.70, 2) == pytest.approx((0.324, 0.369), abs=5e-4)
    assert arithmetic.fpr_from(0.72, 0.68, 0.24) == pytest.approx(0.107, abs=5e-4)
    assert arithmetic.auc_bounds(0.5, 0.25) == (0.375, 0.875)
    assert arithmetic.concave_auc_bounds(0.72, 0.107) == pytest.approx((0.8065, 0.9401), abs=5e-5)
    assert arithmetic.concave_auc_bounds(0.5, 0.5) == (0.5, 0.5)
    assert arithmetic.smallest_auc(0.85, 0.55, 0.24, decimals=2) == pytest.approx(0.657, abs=5e-4)
    assert arithmetic.smallest_auc(0.85, 0.55, 0.24, decimals=2, concave=True) == pytest.approx(0.811, abs=5e-4)
