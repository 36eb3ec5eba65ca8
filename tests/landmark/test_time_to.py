"""Landmark-time models: by definition, by theory, and blind to what is not theirs."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from attrition import seeds
from attrition.landmark import time_to
from attrition.landmark.uncertainty import Developed
from attrition.metrics import evaluator
from attrition.models import batched
from attrition.survival import hazards, incidence
from tests.survival.test_incidence import made

SIZES = SimpleNamespace(fewest_landmark_events=10, period_days=30, n_folds=4, n_repeats=2, n_half_samples=3)


@pytest.fixture(scope="module")
def trial():
    return made(n=300)


def competing(n, draw, beta=0.8):
    rng = seeds.stream(12, "landmark", draw)
    x = rng.standard_normal((n, 2))
    first = np.floor(rng.exponential(120 * np.exp(-beta * x[:, 0]))) + 1
    second = np.floor(rng.exponential(500, n)) + 1
    time = np.minimum(np.minimum(first, second), 90)
    cause = np.where(time == 90, 0, np.where(first <= second, 1, 2))
    return time, cause, x


def test_person_periods_by_hand():
    rows = hazards.person_periods([30, 31, 10, 45], [1, 1, 2, 0], [0, 30, 60])
    assert np.column_stack(rows).tolist() == [[0, 0, 1], [1, 0, 0], [1, 1, 1], [2, 0, 2], [3, 0, 0]]


def test_person_periods_count_every_event_once():
    time, cause, _ = competing(200, 1)
    reason = hazards.person_periods(time, cause, [0, 30, 60, 90])[2]
    assert np.bincount(reason)[1:].tolist() == [(cause == 1).sum(), (cause == 2).sum()]


def test_a_ridge_fit_equals_scikit_learn():
    rng = seeds.stream(12, "logit")
    X, penalty = rng.standard_normal((120, 3)), 2.5
    y = (rng.random(120) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)
    theirs = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-12, max_iter=1000).fit(X, y)
    form, start = penalty * np.eye(3)[None], np.zeros((1, 3))
    ours = batched.newton(batched.Shared(X), y[None], np.ones((1, 120)), form, start)[0]
    np.testing.assert_allclose(ours[0], theirs.coef_[0], atol=1e-6)


def test_without_predictors_the_discrete_risk_is_aalen_johansen_of_periods(monkeypatch):
    monkeypatch.setattr(hazards, "SMOOTH", 1e-9)
    time, cause, _ = competing(400, 2)
    risk = hazards.discrete_risk(time, cause, np.zeros((400, 1)), np.zeros((1, 1)), [0, 30, 60, 90], 1.0)
    grouped = np.ceil(time / 30)
    fit = incidence.aalen_johansen(grouped, cause, 2)
    np.testing.assert_allclose(risk[0], fit.cif[0], atol=1e-6)


def test_models_find_the_true_risks():
    time, cause, x = competing(6000, 3)
    new = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    rate = np.exp(0.8 * new[:, 0]) / 120
    truth = rate / (rate + 1 / 500) * -np.expm1(-(rate + 1 / 500) * 90)
    by_period = hazards.discrete_risk(time, cause, x, new, [0, 30, 60, 90], 0.01)[:, -1]
    by_day = hazards.cox_risk(time, cause, x, new, [89.5], plain=(2,))[:, 0]
    np.testing.assert_allclose(by_day, truth, atol=0.03)
    np.testing.assert_allclose(by_period, truth, atol=0.04)


def test_sample_counts_from_the_landmark(trial):
    of = time_to.sample(trial, 30)
    patients = trial.patients[trial.patients["event_day"] > 30]
    assert of.time.min() > 0
    assert (of.time.sum(), len(of.time)) == ((patients["time"] - 30).sum(), len(patients))
    assert all(name.startswith("arm") for name in of.groups["arm"])
    assert [len(of.groups["arm"]), *of.X] == [3, *of.groups["arm"], *of.groups["baseline"]]


def test_preparation_uses_the_training_part_only():
    rng = seeds.stream(12, "prepare")
    train, test = rng.normal(5, 2, (50, 3)), rng.normal(50, 9, (20, 3))
    train[3, 0], train[:, 2] = np.nan, np.nan
    X, _ = time_to.prepared(train, test)
    Y, _ = time_to.prepared(train, test * 7)
    np.testing.assert_array_equal(X, Y)
    np.testing.assert_allclose(X[:, :2].mean(axis=0), 0, atol=1e-12)
    assert (X[:, 2] == 0).all()


@pytest.mark.slow
def test_folds_are_the_same_for_all_models_and_runs(trial):
    s = time_to.sample(trial, 30)
    first, again = (time_to.out_of_fold(s, time_to.folds_of(s, 5, 2, 42), 30, 1) for _ in range(2))
    assert set(first) == set(time_to.NAMES)
    for name, risks in first.items():
        assert risks.shape == (len(s.y), 2)
        np.testing.assert_array_equal(risks, again[name])
        assert ((risks >= 0) & (risks <= 1)).all()


@pytest.mark.slow
def test_a_patients_own_outcome_does_not_reach_its_prediction(trial):
    of = time_to.sample(trial, 30)
    noise = replace(of, X=of.X.sample(frac=1, random_state=0).set_index(of.X.index))
    folds = time_to.folds_of(noise, 5, 4, 42)
    found = Developed(noise, time_to.out_of_fold(noise, folds, 30, 1), folds, {}, folds)
    assert max(found.measured(name, "auroc")[0].mean() for name in found.predictions) < 0.62


@pytest.mark.slow
def test_scores_are_means_over_the_repeats(trial):
    developed = time_to.develop(time_to.sample(trial, 30), SIZES, 1)
    of, risks, folds = developed.of, developed.predictions, developed.fold
    row = evaluator.nested(time_to.score(developed))["cox"]
    y = (of.cause == 1).astype(int)
    assert row["auroc"]["value"] == pytest.approx(np.mean([roc_auc_score(y, risk) for risk in risks["cox"].T]))
    briers = {name: np.array([np.mean((y - risk) ** 2) for risk in risks[name].T]) for name in risks}
    assert row["brier_score"]["value"] == pytest.approx(briers["cox"].mean())
    assert row["ipa"]["value"] == pytest.approx(np.mean(1 - briers["cox"] / briers["null"]))
    within, of_null = (developed.measured(name, "auroc")[0] for name in ("cox", "null"))
    first, fold = risks["cox"][:, 0], folds[:, 0]
    above = np.sign(first[:, None] - first) / 2 + 0.5
    paired = (y[:, None] > y) & (fold[:, None] == fold)
    assert within[0] == pytest.approx(above[paired].mean())  # nobody is censored here
    assert of_null[0] == pytest.approx(0.5)
    assert developed.measured("cox", "auroc_pooled")[1].shape == (3, 2)
    assert row["auroc_within"]["ci_low"] < row["auroc_within"]["value"] < row["auroc_within"]["ci_high"]
    for measure in ("average_precision", "calibration_slope"):  # nobody is censored, so these are the plain measures
        plain = np.mean([evaluator.MEASURES[measure](y, risk) for risk in risks["cox"].T])
        assert row[measure]["value"] == pytest.approx(plain)


def test_the_arm_is_not_penalised_and_the_rest_is():
    time, cause, x = competing(200, 4)
    free = np.array([True, False])
    ridge, _ = time_to.penalty_of(time, cause, x, free, 1)
    assert ridge[0] < 0.01
    assert ridge[1] >= 1
    assert (time_to.penalty_of(time, cause, x, np.array([True, True]), 1)[0] < 0.01).all()


@pytest.mark.slow
def test_within_a_fold_a_score_without_information_has_auroc_one_half_and_pooled_it_has_less():
    tables = [time_to.accuracy(made(n=150, effect=0.0, draw=draw), [0], SIZES, 42)[0] for draw in range(20)]
    arm = pd.concat(tables).query("model == 'arm_only'").groupby("measure")["value"].mean()
    assert arm["auroc"] < arm["auroc_within"] - 0.01
    assert arm["auroc_within"] == pytest.approx(0.5, abs=0.025)


@pytest.mark.slow
def test_the_arm_is_found_and_blinding_loses_it():
    table, gains = time_to.accuracy(made(n=400, effect=1.2), [0], SIZES, 42)
    auroc = table.query("measure == 'auroc'").set_index("model")["value"]
    assert auroc["arm_only"] > 0.65
    assert auroc["cox_without_arm"] < 0.6
    assert "arm_only" not in set(gains["model"])


def test_too_few_events_leave_the_counts_and_a_sentence(trial):
    sizes = SimpleNamespace(**{**vars(SIZES), "fewest_landmark_events": 10_000})
    table, gains = time_to.accuracy(trial, [0, 30], sizes, 42)
    assert table["value"].isna().all()
    assert table["n_patients"].tolist() == [300, len(time_to.sample(trial, 30).time)]
    assert time_to.predictions(table, gains) == {"day": None, "verdict": "not testable"}
    assert time_to.without_arm(table) == {"n": 0, "verdict": "not testable"}


@pytest.mark.slow
def test_what_is_said_of_predictions_states_numbers_and_leaves_the_verdict_to_chapter_06(trial):
    table, gains = time_to.accuracy(trial, [0, 30], SIZES, 42)
    found = time_to.predictions(table, gains)
    assert found["verdict"] == "exploratory"
    most = table.loc[table["n_events"].idxmax(), "landmark"]
    auroc = evaluator.pick(table, landmark=most, model="cox", measure="auroc_within")
    assert (found["day"], found["cox"], found["reference"]) == (most, auroc, "arm_only")
    assert found["largest"]["value"] == gains[gains["model"].isin(time_to.FULL)]["value"].max()
    blinded = table[table["model"].isin(["cox_without_arm", "discrete_without_arm"])]
    without = time_to.without_arm(table)
    of = {measure: part["value"] for measure, part in blinded.groupby("measure")}
    assert (without["n"], without["best"]["value"]) == (4, of["auroc_within"].max())
    assert without["better"] == (of["ipa"] > 0).sum()


@pytest.mark.slow
def test_one_arm_leaves_nothing_to_blind():
    table, gains = time_to.accuracy(made(arms=("only",), n=200), [0], SIZES, 42)
    assert table["model"].unique().tolist() == ["null", "cox", "discrete"]
    found = time_to.predictions(table, gains)
    assert (found["reference"], found["floor"]["value"]) == ("null", 0.5)
    assert time_to.without_arm(table)["n"] == 0


@pytest.mark.slow
def test_censored_trial_runs():
    trial = made(n=300, censoring=True)
    table, _ = time_to.accuracy(trial, [0, 30], SIZES, 42)
    assert table.query("measure in ('auroc', 'brier_score', 'uno')")["value"].notna().all()
    observed = evaluator.pick(table, measure="observed")["value"]
    assert observed == pytest.approx(incidence.primary(trial, [120])["value"].iloc[0], abs=0.03)
