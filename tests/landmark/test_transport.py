"""Carrying a model from trial to trial: the meta-analysis against metafor, the study on trials that share a law."""

import numpy as np
import pandas as pd
import pytest

from attrition import params, paths
from attrition.cdisc.trial import Definitions, assemble
from attrition.landmark import transport

SETS = {
    "a": ([0.2, 0.4, 0.9, 0.5], [0.1, 0.2, 0.15, 0.3]),
    "b": ([0.10, 0.12, 0.09], [0.2, 0.25, 0.3]),
    "c": ([-1.2, 0.7], [0.3, 0.4]),
    "d": ([0.3, -0.2, 0.8, 1.4, 0.1, 0.6, -0.5], [0.12, 0.2, 0.31, 0.15, 0.22, 0.4, 0.18]),
    "e": ([0.6, 0.603, 0.598], [0.05, 0.05, 0.05]),
}


@pytest.fixture(scope="module")
def p():
    return params.load("06_real_trial", "quick")


@pytest.mark.parametrize("name", SETS)
def test_random_effects_agree_with_metafor(name):
    golden = pd.read_csv(paths.ROOT / "tests" / "golden" / "transport_metafor.csv").set_index("set").loc[name]
    found = transport.random_effects(*SETS[name])
    assert found["tau"] ** 2 == pytest.approx(golden["tau2"], abs=2e-6)
    for key in ("value", "ci_low", "ci_high"):
        assert found[key] == pytest.approx(golden[key], abs=2e-5)


@pytest.mark.parametrize("name", SETS)
def test_the_interval_is_at_least_as_wide_as_the_common_effect_one(name):
    found = transport.random_effects(*SETS[name])
    common = 1.96 / np.sqrt((1 / np.square(SETS[name][1])).sum())
    assert (found["ci_high"] - found["ci_low"]) / 2 > common


def test_a_prediction_interval_needs_three_trials_and_is_wider_than_the_mean():
    two, three = transport.random_effects(*SETS["c"]), transport.random_effects(*SETS["b"])
    assert np.isnan(two["pi_low"])
    assert three["pi_low"] < three["ci_low"] < three["ci_high"] < three["pi_high"]


@pytest.mark.slow
def test_the_prediction_interval_covers_the_next_trial_about_as_often_as_it_says():
    # known to fall short by some percent with ten trials, see Partlett and Riley (2017)
    rng = np.random.default_rng(7)
    hits, n = 0, 2000
    for _ in range(n):
        errors = rng.uniform(0.1, 0.2, 10)
        truth = rng.normal(0.5, 0.3, 11)
        found = transport.random_effects(rng.normal(truth[:10], errors), errors)
        hits += found["pi_low"] <= truth[10] <= found["pi_high"]
    assert hits / n == pytest.approx(0.95, abs=0.03)


def risky_trial(name, seed, shift=0.0, n=250, horizon=168, **extra):
    """A trial in which the older leave; `shift` moves the risk of everybody."""
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, n)
    left = rng.random(n) < 1 / (1 + np.exp(1.0 - shift - 0.12 * (age - 60)))
    table = pd.DataFrame({"id": [f"{i:03d}" for i in range(n)], "arm": rng.choice(["A", name], n), "site": "1"})
    table = table.assign(age=age, event_day=np.where(left, rng.integers(30, 150, n), 190).astype(float), **extra)
    table["reason"] = np.where(left, "ADVERSE EVENT", "COMPLETED")
    events = pd.DataFrame({c: pd.Series(dtype="str") for c in ("id", "kind", "name", "detail")})
    events = events.assign(**{c: pd.Series(dtype="float") for c in ("value", "day", "known_day")})
    definitions = Definitions(name=name, horizon=horizon, landmarks=(28, 56))
    return assemble(name, "table", definitions, table, events, {"screened": None, "screen_failures": None})


@pytest.mark.slow
def test_a_law_that_the_trials_share_carries_over(p):
    trials = {name: risky_trial(name, seed) for seed, name in enumerate("XYZ")}
    found = transport.study(trials, 1)
    assert found.table["auroc"].min() > 0.65
    assert found.summary.set_index("measure").loc["auroc", "ci_low"] > 0.5
    concluded = transport.conclusions(found)
    assert concluded["judged"] == 3
    assert concluded["auroc"]["pi_low"] < concluded["auroc"]["value"] < concluded["auroc"]["pi_high"]


@pytest.mark.slow
def test_another_event_rate_shows_in_the_large_and_recalibration_mends_it(p):
    trials = {"X": risky_trial("X", 1), "Y": risky_trial("Y", 2), "Z": risky_trial("Z", 3, shift=2.0)}
    row = transport.study(trials, 1).table.set_index("trial").loc["Z"]
    assert row["calibration_in_the_large"] > 1
    assert row["auroc"] > 0.65
    assert row["scaled_brier_recalibrated"] > row["scaled_brier"] + 0.05


def test_only_shared_features_and_never_the_arm(p):
    trials = {"X": risky_trial("X", 1, weight=70.0), "Y": risky_trial("Y", 2, sex="F")}
    X, *_ = transport.pooled(trials, 28, 168)
    assert list(X) == ["age"]


@pytest.mark.slow
def test_the_shortest_horizon_is_everybodys(p):
    trials = {"X": risky_trial("X", 1), "Y": risky_trial("Y", 2, horizon=100)}
    found = transport.study(trials, 1)
    assert found.horizon == 100
    patients = trials["X"].patients
    later = (patients["event_day"] > found.day) & (patients["event_day"] <= 100)
    assert found.table.set_index("trial").loc["X", "n_events"] == later.sum()


@pytest.mark.slow
def test_two_trials_make_no_prediction_interval_and_one_makes_nothing(p):
    trials = {"X": risky_trial("X", 1), "Y": risky_trial("Y", 2)}
    concluded = transport.conclusions(transport.study(trials, 1))
    assert concluded["judged"] == 2
    assert np.isnan(concluded["auroc"]["pi_low"])
    assert transport.study({"X": trials["X"]}, 1) is None
    assert transport.conclusions(None) == {"given": False, "judged": 0}


@pytest.mark.slow
def test_a_trial_with_too_few_events_has_its_counts_only(p):
    few = risky_trial("Z", 3, shift=-9.0)
    found = transport.study({"X": risky_trial("X", 1), "Y": risky_trial("Y", 2), "Z": few}, 1)
    row = found.table.set_index("trial").loc["Z"]
    assert row["n_patients"] > 0
    assert np.isnan(row["auroc"])
    assert found.summary["n_trials"].tolist() == [2, 2, 2]


def test_recalibration_of_calibrated_predictions_changes_little():
    rng = np.random.default_rng(0)
    p_hat = rng.uniform(0.1, 0.9, 4000)
    y = (rng.random(4000) < p_hat).astype(int)
    assert np.abs(transport.recalibrated(y, p_hat, rng) - p_hat).max() < 0.05
