"""Half-samples, permutations and the stack of landmarks: by theory, by plain recomputation, and blind to the future."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from attrition import metrics, params
from attrition.landmark import prediction, uncertainty
from attrition.models import ridge
from tests.landmark.test_prediction import made_problem


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def problem(rng, n=120, effect=0.0):
    of = made_problem(rng, n, effect)
    return dataclasses.replace(of, groups={"baseline": tuple(of.X), "arm": ()})


def test_a_half_is_half_of_the_patients_with_two_cross_validations(rng):
    y = rng.integers(0, 2, 101)
    labels = uncertainty.fold_labels(uncertainty.halves(y, 4, 5, rng), 101)
    assert labels.shape == (101, 8)
    for first, second in zip(labels.T[::2], labels.T[1::2], strict=True):
        np.testing.assert_array_equal(first < 0, second < 0)
        assert (first >= 0).sum() == 50
        assert (first != second).any()
        assert set(np.unique(first)) == set(range(-1, 5))
    assert len({tuple(label < 0) for label in labels.T}) == 4


def test_a_half_is_predicted_by_its_own_patients_only(rng):
    of = problem(rng, effect=1.0)
    drawn, model = uncertainty.halves(of.y, 1, 4, rng), prediction.ridge(of, "baseline", 1)
    found = prediction.out_of_fold(of, "baseline", model, drawn)
    rest = np.isnan(found[:, 0])
    changed = np.where(rest, 1 - of.y, of.y)
    again = prediction.out_of_fold(dataclasses.replace(of, y=changed), "baseline", model, drawn)
    np.testing.assert_array_equal(found, again)
    assert np.isfinite(found).sum(axis=0).tolist() == [60, 60]


def test_the_standard_error_is_that_of_a_mean(rng):
    """For a mean of n patients the variance between halves, drawn without replacement, is its own variance."""
    found = []
    for _ in range(60):
        values = rng.standard_normal(200)
        halves = np.array([values[rng.permutation(200)[:100]].mean() for _ in range(60)])
        found.append(uncertainty.standard_error(np.full(3, values.mean()), np.column_stack([halves, halves])) ** 2)
    assert np.mean(found) == pytest.approx(1 / 200, rel=0.08)


def test_the_noise_of_the_split_is_taken_off_and_averaged(rng):
    centre, split = rng.normal(0, 1, 4000), rng.normal(0, 2, (4000, 2))
    full = rng.normal(0, 2, 50)
    found = uncertainty.standard_error(full, centre[:, None] + split) ** 2
    assert found == pytest.approx(1 + full.var(ddof=1) / 50, rel=0.15)


def test_the_noise_of_a_single_split_stays_in(rng):
    half = rng.normal(0, 1, (4000, 1))
    assert uncertainty.standard_error(np.zeros(1), half) == pytest.approx(1, rel=0.05)


def test_a_half_has_one_cross_validation_where_the_sample_has_one(rng):
    labels = uncertainty.fold_labels(uncertainty.halves(rng.integers(0, 2, 101), 4, 5, rng, n_splits=1), 101)
    assert len({tuple(label < 0) for label in labels.T}) == labels.shape[1] == 4


def test_an_interval_for_all_of_several_is_wider():
    half = np.random.default_rng(1).normal(0.6, 0.05, (30, 2))
    one, three = (uncertainty.interval(np.array([0.6]), half, k) for k in (1, 3))
    assert three["ci_low"] < one["ci_low"] < 0.6 < one["ci_high"] < three["ci_high"]
    assert np.isnan(uncertainty.interval(np.array([0.6]), np.empty((0, 2)))["ci_low"])


@pytest.mark.slow
@pytest.mark.parametrize("n_splits", [1, 2])
def test_intervals_of_four_half_samples_cover(n_splits):
    """Of large trials no more are taken: Student's quantile makes up for so few, at the price of wide intervals."""
    found = []
    for number in range(200):
        rng = np.random.default_rng(number)
        of = problem(rng, 400, 0.5)
        chosen = {"ridge": ("baseline", ridge.RidgeLogistic(grid=(0.1,)))}
        folds = prediction.folds_of(of, 5, 1, number)
        drawn = uncertainty.halves(of.y, 4, 5, rng, n_splits=n_splits)
        found.append(uncertainty.develop(of, chosen, folds, drawn, n_splits=n_splits).interval("ridge", "auroc"))
    value, low, high = (np.array([one[key] for one in found]) for key in ("value", "ci_low", "ci_high"))
    assert 0.92 <= np.mean((low <= value.mean()) & (value.mean() <= high)) <= 0.99


def test_pairs_of_one_fold_are_what_the_auroc_counts(rng):
    y, p, fold = rng.integers(0, 2, 90), rng.random(90).round(1), rng.integers(0, 3, 90)
    each = [(y[fold == k], p[fold == k]) for k in range(3)]
    pairs = [own.sum() * (1 - own).sum() for own, _ in each]
    expected = np.average([roc_auc_score(*pair) for pair in each], weights=pairs)
    assert metrics.auroc_within(y, p, fold) == pytest.approx(expected)
    assert metrics.auroc_within(y, p, np.zeros(90)) == pytest.approx(roc_auc_score(y, p))


def test_a_difference_of_a_model_to_itself_is_zero(rng):
    of = problem(rng)
    folds = prediction.folds_of(of, 4, 2, 1)
    drawn, model = uncertainty.halves(of.y, 4, 4, rng), prediction.ridge(of, "baseline", 1)
    developed = uncertainty.develop(of, {"baseline": ("baseline", model)}, folds, drawn)
    assert developed.difference("baseline", "baseline") == {"value": 0, "ci_low": 0, "ci_high": 0}
    full, half = developed.measured("baseline", "auroc")
    np.testing.assert_allclose(full, [
        metrics.auroc_within(of.y, developed.predictions["baseline"][:, r], developed.fold[:, r]) for r in range(2)
    ])  # fmt: skip
    assert half.shape == (4, 2)


def test_a_permutation_test_finds_a_signal_and_says_what_noise_gives(rng):
    of = problem(rng, effect=1.5)
    fold = uncertainty.fold_labels(prediction.folds_of(of, 5, 1, 1), 120)[:, 0]
    found = uncertainty.against_chance(of, "baseline", fold, 99, 1)
    assert found["p"] == pytest.approx(0.01)
    assert found["low"] < found["mean"] < found["high"]
    assert found["mean"] == pytest.approx(0.5, abs=0.03)


@pytest.mark.slow
def test_the_permutation_test_holds_its_level():
    """Among trials without any relation, p at most .2 comes in a fifth of them."""
    low = 0
    for number in range(60):
        of = problem(np.random.default_rng(number), 80)
        fold = uncertainty.fold_labels(prediction.folds_of(of, 4, 1, number), 80)[:, 0]
        low += uncertainty.against_chance(of, "baseline", fold, 19, number)["p"] <= 0.2
    assert 4 <= low <= 21  # 12 expected; the ends leave out less than one in 500


def test_holm_by_hand():
    assert uncertainty.holm({1: 0.01, 2: 0.02, 3: 0.5}) == pytest.approx({1: 0.03, 2: 0.04, 3: 0.5})
    assert uncertainty.holm({}) == {}


@pytest.fixture(scope="module")
def problems(pilot):
    return {day: prediction.problem(pilot, day) for day in (28, 56, 84)}


def test_the_stack_has_a_row_for_each_landmark_of_a_patient(problems):
    stack = uncertainty.stacked(problems)
    assert len(stack.y) == sum(len(of.y) for of in problems.values())
    assert stack.y.sum() == sum(of.n_events for of in problems.values())
    for day, of in problems.items():
        rows = stack.landmark == day
        assert list(stack.ids[stack.patient[rows]]) == list(of.X.index)
    half = (stack.X.shape[1] - 1) // 2
    moved = stack.X[:, half]
    first, age = stack.X[:, 0], stack.X[:, half + 1]
    np.testing.assert_allclose(age, (first - first.mean()) * moved)
    assert stack.free.sum() == 3


def test_no_row_of_a_test_patient_trains_the_model_of_all_landmarks(problems, monkeypatch):
    stack, of = uncertainty.stacked(problems), problems[56]
    folds = prediction.folds_of(of, 4, 1, 1)
    drawn = uncertainty.halves(of.y, 1, 4, np.random.default_rng(0))
    seen = []

    def spied(self, X, y, trainings, group=None, weights=None):
        seen.extend(trainings)
        return np.full((len(trainings), len(y)), 0.5)

    monkeypatch.setattr(ridge.RidgeLogistic, "probabilities", spied)
    predictions, halves = uncertainty.developed_together(stack, of, folds, drawn, 1)
    tests = [of.X.index[fold.test] for fold in folds]
    tests += [of.X.index[fold.test] for fold in drawn]
    for rows, test in zip(seen, tests, strict=True):
        assert not set(stack.ids[stack.patient[rows]]) & set(test)
        assert set(stack.landmark[rows]) == {28, 56, 84}
    for rows in seen[len(folds) :]:
        trained = set(stack.ids[stack.patient[rows]]) & set(of.X.index)
        assert trained < set(of.X.index[np.isfinite(halves[:, 0])])
    assert np.isfinite(predictions).all()
    assert np.isfinite(halves).sum(axis=0).tolist() == [96, 96]


def test_halves_too_small_for_the_folds_take_fewer(rng):
    y = np.zeros(60, dtype=int)
    y[:7] = 1
    drawn = uncertainty.halves(y, 3, 5, rng)
    assert {fold.repeat for fold in drawn} == set(range(6))
    assert min(y[fold.test].sum() for fold in drawn) >= 1


def test_sizes_follow_the_error_that_is_stated(rng):
    """A small trial takes what the parameters say at most; of a large one the error of an AUROC is within bounds."""
    p = params.load("06_real_trial")
    assert uncertainty.sized(p, problem(rng, 200)) is p
    of = problem(rng, 3000)
    s = np.sqrt((len(of.y) + 1) / (12 * of.n_events * of.n_stayed))
    found = uncertainty.sized(p, of)
    assert s / np.sqrt(found.n_repeats) <= 0.01 < s / np.sqrt(found.n_repeats - 1)
    assert 2.4 * s / np.sqrt(2 * found.n_half_samples) <= 0.0101
    assert (found.n_repeats_slow, found.n_permutations) == (2, p.n_permutations)
    most = uncertainty.sized(p, problem(rng, 100_000))
    assert (most.n_repeats, most.n_half_samples, most.n_bootstraps, most.optimism_bootstraps) == (1, 4, 200, 10)


def test_permutations_by_the_part_are_a_test_as_well(rng, monkeypatch):
    of = problem(rng, effect=1.5)
    fold = uncertainty.fold_labels(prediction.folds_of(of, 5, 1, 1), 120)[:, 0]
    whole = uncertainty.against_chance(of, "baseline", fold, 99, 1)
    monkeypatch.setattr(uncertainty, "AT_ONCE", 120 * 30)
    parts = uncertainty.against_chance(of, "baseline", fold, 99, 1)
    assert parts["p"] == whole["p"] == pytest.approx(0.01)
    assert parts["mean"] == pytest.approx(whole["mean"], abs=0.02)
