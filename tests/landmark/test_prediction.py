"""Landmark prediction: nothing crosses the folds, measures agree with plain recomputation, theory holds."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import roc_auc_score

from attrition import params
from attrition.landmark import prediction
from attrition.models.ridge import RidgeLogistic


@pytest.fixture(scope="module")
def p():
    return dataclasses.replace(params.load("06_real_trial", "quick"), n_repeats=2, trees=10)


@pytest.fixture(scope="module")
def day28(pilot):
    return prediction.problem(pilot, 28)


@pytest.fixture(scope="module")
def folds(day28):
    return prediction.folds_of(day28, 5, 2, seed=1)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def made_problem(rng, n=300, effect=2.0, sites=3):
    """A problem with one feature of known worth, and noise."""
    X = pd.DataFrame(rng.standard_normal((n, 4)), columns=["signal", "a", "b", "c"])
    y = (rng.random(n) < 1 / (1 + np.exp(-effect * X["signal"]))).astype(int)
    time = np.where(y == 1, rng.integers(1, 100, n), 100).astype(float)
    groups = {"baseline": tuple(X), "arm": ()}
    site = np.array([f"s{i % sites}" for i in range(n)], dtype=object)
    return prediction.Problem(28, X, groups, y, time, site, site)


class Spy(ClassifierMixin, BaseEstimator):
    """Notes the rows that it is fitted on and asked about."""

    seen: list = []  # noqa: RUF012

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        self.rows_ = set(X[:, 0])
        return self

    def predict_proba(self, X):
        Spy.seen.append((self.rows_, set(X[:, 0])))
        return np.full((len(X), 2), 0.5)


def test_problem_of_the_pilot(day28):
    assert len(day28.y) == 229
    assert day28.n_events == 107
    assert day28.time.max() == 140
    assert (day28.time > 0).all()


def test_levels_that_differ_in_case_or_blanks_only_keep_columns_of_their_own():
    table = pd.DataFrame({"sex": ["f", "M", "m", " m", None], "sex_m": [1.0, 2.0, 3.0, 4.0, 5.0]})
    columns, origins = prediction.encoded(table, taken=["sex_f"])
    assert list(columns) == list(origins) == ["sex_m", "sex_m_2", "sex_f_2", "sex_m_3"]
    assert origins == {"sex_m": "sex_m", "sex_m_2": "sex", "sex_f_2": "sex", "sex_m_3": "sex"}
    assert columns.drop(columns="sex_m").sum().tolist() == [1.0, 1.0, 1.0]


def test_feature_sets_grow_and_the_arm_can_be_left_out(day28):
    sizes = [len(day28.columns(name)) for name in ("arm_only", "baseline_arm", "adverse_events", "visits", "all")]
    assert sizes == sorted(set(sizes))
    arm = set(day28.columns("arm_only"))
    assert set(day28.columns("all")) - set(day28.columns("all_without_arm")) == arm
    assert all(name.startswith("arm_") for name in arm)


def test_no_patient_helps_to_predict_itself(rng):
    of = made_problem(rng)
    of = dataclasses.replace(of, X=of.X.assign(signal=np.arange(300.0)))
    Spy.seen = []
    prediction.out_of_fold(of, "baseline", Spy(), prediction.folds_of(of, 5, 2, 1))
    assert len(Spy.seen) == 10
    assert all(not trained & tested for trained, tested in Spy.seen)


@pytest.mark.slow
def test_every_patient_is_predicted_once_a_repeat(day28, folds, p):
    chosen = {
        name: model
        for name, model in prediction.estimators(p, 1, day28).items()
        if name in ("all", *prediction.LEARNERS)
    }
    found = [prediction.event_rates(day28, folds)]
    found += [prediction.out_of_fold(day28, *model, folds) for model in chosen.values()]
    for y_prob in found:
        assert y_prob.shape == (229, 2)
        assert np.isfinite(y_prob).all()
        assert ((y_prob >= 0) & (y_prob <= 1)).all()


@pytest.mark.slow
def test_a_real_signal_is_found_by_every_learner(rng, p):
    of = made_problem(rng)
    of = dataclasses.replace(of, groups={"baseline": tuple(of.X)})
    chosen = {
        name: model
        for name, model in prediction.estimators(p, 1, of).items()
        if name in ("baseline", *prediction.LEARNERS)
    }
    folds = prediction.folds_of(of, 5, 1, 1)
    for model in chosen.values():
        assert roc_auc_score(of.y, prediction.out_of_fold(of, *model, folds)[:, 0]) > 0.75


@pytest.mark.slow
def test_features_without_signal_give_chance(p):
    values = []
    for number in range(20):
        of = made_problem(np.random.default_rng(number), effect=0.0)
        folds = prediction.folds_of(of, 5, 1, 1)
        found = prediction.out_of_fold(of, "baseline", prediction.ridge(of, "baseline", 1), folds)
        values.append(roc_auc_score(of.y, found[:, 0]))
    assert abs(np.mean(values) - 0.5) < 4 * np.std(values) / np.sqrt(20) + 0.01


def test_cox_score_ranks_by_time_and_ignores_its_scale(rng):
    of = made_problem(rng)
    outcome = np.column_stack([of.y, of.time])
    first = prediction.cox([], 1).fit(of.X, outcome).predict_proba(of.X)[:, 1]
    second = prediction.cox([], 1).fit(of.X * 1000, outcome).predict_proba(of.X * 1000)[:, 1]
    np.testing.assert_allclose(first, second, atol=1e-8)
    assert roc_auc_score(of.y, first) > 0.75


def test_optimism_is_the_apparent_excess(rng):
    of = made_problem(rng, n=120, effect=0.0)
    found = prediction.corrected_auroc(of, "baseline", RidgeLogistic(grid=(1.0,)), 30, 1)
    assert found["optimism"] > 0.02
    assert found["corrected"] == pytest.approx(found["apparent"] - found["optimism"])
    assert abs(found["corrected"] - 0.5) < 0.12


def test_leave_one_site_group_out_trains_on_the_others(rng):
    of = made_problem(rng)
    of = dataclasses.replace(of, X=of.X.assign(signal=np.arange(300.0)))
    Spy.seen = []
    table = prediction.leave_one_site_group_out(of, "baseline", Spy())
    assert len(Spy.seen) == 3
    for (trained, tested), group in zip(Spy.seen, ("s0", "s1", "s2"), strict=True):
        assert tested == set(np.arange(300.0)[of.site_group == group])
        assert trained == set(np.arange(300.0)) - tested
    assert table["n_patients"].tolist() == [100, 100, 100, 300]
    assert table["auroc"].iloc[-1] == pytest.approx(0.5)


def test_pairs_within_site_groups_are_what_the_last_row_counts(rng):
    of = made_problem(rng)
    table = prediction.leave_one_site_group_out(of, "baseline", prediction.ridge(of, "baseline", 1))
    groups = table.iloc[:-1]
    pairs = groups["n_events"] * (groups["n_patients"] - groups["n_events"])
    assert table["auroc"].iloc[-1] == pytest.approx(np.average(groups["auroc"], weights=pairs))


def test_too_few_events_are_not_enough(rng):
    of = made_problem(rng)
    rare = dataclasses.replace(of, y=(np.arange(300) < 9).astype(int))
    assert prediction.enough(of)
    assert not prediction.enough(rare)
    assert not prediction.enough(dataclasses.replace(of, y=1 - rare.y))


@pytest.mark.slow
def test_before_the_first_dose_only_baseline_and_arm_exist(p, pilot):
    of = prediction.problem(pilot, 0)
    assert set(of.groups) == {"baseline", "arm"}
    chosen = prediction.estimators(p, 1, of)
    assert {"arm_only", "baseline", "all", "cox"} <= set(chosen)
    assert "visits" not in chosen


@pytest.mark.slow
def test_no_honest_auroc_of_the_pilot_is_suspicious(p, pilot):
    for day in pilot.landmarks:
        of = prediction.problem(pilot, day)
        folds = prediction.folds_of(of, 5, 2, 1)
        for model in prediction.estimators(p, 1, of).values():
            y_prob = prediction.out_of_fold(of, *model, folds)
            assert np.mean([roc_auc_score(of.y, y_prob[:, r]) for r in range(2)]) < 0.75
