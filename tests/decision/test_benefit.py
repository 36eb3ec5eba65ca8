"""Decisions: net benefit equal to dcurves, costs that lead to their thresholds, and a conclusion that can be no."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attrition import decision
from attrition.metrics import intervals

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def patients():
    return pd.read_csv(GOLDEN / "metrics_input.csv")


@pytest.fixture
def rng():
    return np.random.default_rng(21)


@pytest.mark.parametrize("model", ["a", "b", "all", "none"])
def test_net_benefit_equals_dcurves(patients, model):
    curves = pd.read_csv(GOLDEN / "metrics_dcurves.csv")
    expected = curves[curves["model"] == model]
    t = expected["threshold"].to_numpy()
    ours = {
        "all": lambda: decision.treat_all(patients["y"], t),
        "none": lambda: np.zeros(t.size),
    }.get(model, lambda: decision.net_benefit(patients["y"], patients[model], t))()
    assert len(expected) == 95
    np.testing.assert_allclose(ours, expected["net_benefit"], atol=1e-9)


def test_weights_count_as_rows(patients, rng):
    y, p = patients["y"].to_numpy(), patients["a"].to_numpy()
    weights = rng.multinomial(y.size, np.full(y.size, 1 / y.size), size=3).T
    thresholds = [0.35, 0.55]
    expected = [decision.net_benefit(np.repeat(y, w), np.repeat(p, w), thresholds) for w in weights.T]
    np.testing.assert_allclose(decision.net_benefit(y, p, thresholds, weights).T, expected, atol=1e-12)


def test_the_true_probability_has_the_largest_net_benefit_at_every_threshold(rng):
    true = np.linspace(0.02, 0.98, 97)
    y, weights = np.repeat([1, 0], true.size), np.concatenate([true, 1 - true])
    thresholds = np.linspace(0.05, 0.95, 37)
    best = decision.net_benefit(y, np.tile(true, 2), thresholds, weights)
    assert (best >= decision.treat_all(y, thresholds, weights) - 1e-12).all()
    for _ in range(20):
        other = np.clip(true + rng.normal(0, 0.2, true.size), 0, 1)
        assert (decision.net_benefit(y, np.tile(other, 2), thresholds, weights) <= best + 1e-12).all()


def test_money_is_gains_less_costs(patients):
    y, p, t, cost = patients["y"].to_numpy(), patients["a"].to_numpy(), 0.4, 45.0
    gain = cost * (1 - t) / t
    flagged = p >= t
    expected = 100 * (gain * (flagged & (y == 1)).sum() - cost * (flagged & (y == 0)).sum()) / y.size
    ours = decision.money_per_100(decision.net_benefit(y, p, [t]), [t], cost)
    assert ours[0] == pytest.approx(expected)


def test_bands_hold_every_patient_once_and_their_ends_belong_above(patients):
    table = decision.band_table(patients["y"], patients["a"])
    assert table["n"].sum() == len(patients)
    assert table["events"].sum() == patients["y"].sum()
    assert decision.band_of([0.75, 0.55, 0.35, 0.3499]).tolist() == [0, 1, 2, 3]


def test_implied_gain_makes_each_step_break_even():
    steps = decision.implied_costs()
    np.testing.assert_allclose(steps["implied_gain"] * steps["threshold"], steps["extra_cost"])


def _curve(rng, informative):
    true = rng.uniform(0.1, 0.9, 1500)
    y = (rng.random(1500) < true).astype(int)
    p = true if informative else rng.uniform(0.1, 0.9, 1500)
    weights = intervals.bootstrap_weights(rng, 1500, 400)
    return decision.decision_curve(y, {"lr": p}, np.arange(0.3, 0.8, 0.05), weights)


def test_a_useful_model_is_to_be_used_and_a_random_one_is_not(rng):
    useful = decision.conclude(_curve(rng, informative=True), "lr")
    assert useful["use"]
    useless = decision.conclude(_curve(rng, informative=False), "lr")
    assert not useless["use"]
    assert useless["better_from"] is None


def test_simultaneous_bands_are_wider_than_pointwise_ones(rng):
    curve = _curve(rng, informative=True)
    simultaneous = curve["over_none_high"] - curve["over_none_low"]
    assert (simultaneous > curve["ci_high"] - curve["ci_low"]).all()


@pytest.mark.slow
def test_a_random_model_is_recommended_in_few_trials():
    recommended = []
    for trial in range(200):
        rng = np.random.default_rng(trial)
        y, p = (rng.random(300) < 0.5).astype(int), rng.uniform(0.2, 0.8, 300)
        weights = intervals.bootstrap_weights(rng, 300, 200)
        curve = decision.decision_curve(y, {"lr": p}, np.arange(0.35, 0.7, 0.05), weights)
        recommended.append(decision.conclude(curve, "lr")["use"])
    assert np.mean(recommended) <= 0.05


def test_named_thresholds_give_counts_per_100(patients, rng):
    weights = intervals.bootstrap_weights(rng, len(patients), 200)
    table = decision.at_thresholds(patients["y"], patients["a"], {"seed": 0.35, "even": 0.5}, weights)
    assert (table["found_per_100"] + table["missed_per_100"]).round(9).eq(100 * patients["y"].mean()).all()
    for name in ("recall", "precision", "net_benefit"):
        assert table[name].between(table[f"{name}_low"], table[f"{name}_high"]).all()


def test_counts_per_100_of_two_patients_by_hand():
    table = decision.at_thresholds([1, 0], [0.9, 0.1], {"half": 0.5}, np.array([[1.0, 2.0], [1.0, 0.0]]))
    assert table.loc[0, ["threshold", "found_per_100", "missed_per_100"]].tolist() == [0.5, 50.0, 0.0]
    assert table.loc[0, "net_benefit"] == 0.5


def test_who_is_contacted_and_which_thresholds_are_judged_by_hand():
    assert decision.flagged({"lr": [0.2, 0.6]}, [0.5, 0.6, 0.7]).tolist() == [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    spread = decision.flagged({"lr": np.linspace(0, 1, 21)}, [0.2, 0.5, 0.8])
    assert decision.judged(spread).tolist() == [False, True, False]
