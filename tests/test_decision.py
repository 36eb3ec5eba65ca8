"""Decisions: net benefit equal to dcurves, bands that hold jointly, and a conclusion that can be no.

Costs lead to their thresholds, noise is no reason to act, and what too few patients would decide is not judged.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attrition import decision
from attrition.metrics import intervals

GOLDEN = Path(__file__).parent / "golden"
GRID = np.round(np.arange(0.05, 0.901, 0.025), 3)


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
    assert table["n_patients"].sum() == len(patients)
    assert table["n_events"].sum() == patients["y"].sum()
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


@pytest.fixture(scope="module")
def theirs():
    """Net benefit by threshold (rows) and strategy, from dcurves."""
    curves = pd.read_csv(GOLDEN / "metrics_dcurves.csv").assign(threshold=lambda c: c["threshold"].round(2))
    return curves.pivot_table(index="threshold", columns="model", values="net_benefit")


@pytest.mark.parametrize("model", ["a", "b"])
def test_differences_from_both_defaults_equal_dcurves(theirs, model):
    patients = pd.read_csv(GOLDEN / "metrics_input.csv")
    weights = intervals.bootstrap_weights(np.random.default_rng(3), len(patients), 50)
    ours = decision.decision_curve(patients["y"], {model: patients[model]}, theirs.index, weights)
    ours = ours.assign(threshold=ours["threshold"].round(2)).set_index("threshold")
    assert len(ours) > 50
    for name in ("all", "none"):
        expected = (theirs[model] - theirs[name]).loc[ours.index]
        assert expected.abs().max() > 0.1
        np.testing.assert_allclose(ours[f"over_{name}"], expected, atol=1e-9)
        judged = ours.dropna(subset=f"over_{name}_low")
        assert len(judged) > 50
        assert judged[f"over_{name}"].between(judged[f"over_{name}_low"], judged[f"over_{name}_high"]).all()


@pytest.mark.parametrize("event_rate", [0.2, 0.5])
@pytest.mark.parametrize("scores", ["the event rate", "noise"])
def test_a_model_that_knows_nothing_is_never_recommended(event_rate, scores):
    thresholds = decision.threshold_grid(0.1, 0.3)
    for trial in range(20):
        rng = np.random.default_rng(trial)
        y = (rng.random(400) < event_rate).astype(int)
        p = np.full(400, y.mean()) if scores == "the event rate" else rng.uniform(0, 0.5, 400)
        curve = decision.decision_curve(y, {"lr": p}, thresholds, intervals.bootstrap_weights(rng, 400, 200))
        assert not decision.conclude(curve, "lr")["use"]


def strategies(rng, n=229, repeats=3):
    """A trial's patients: true risks, and predictions by a model that exaggerates, by noise, and by three arms."""
    arm, z = rng.integers(3, size=n), rng.normal(size=n)
    effect = np.array([-0.8, 0.2, 0.4])[arm]

    def repeated(lp, spread):
        return 1 / (1 + np.exp(-(lp[:, None] + rng.normal(0, spread, (n, repeats)))))

    predictions = {
        "all": repeated(1.3 * (effect + 0.7 * z), 0.2),
        "all_without_arm": repeated(0.9 * z, 0.3),
        "arm_only": repeated(effect, 0.02),
    }
    return predictions, {"informative": 1 / (1 + np.exp(-effect - 0.5 * z)), "none": np.full(n, 0.45)}


@pytest.mark.slow
@pytest.mark.parametrize("law", ["informative", "none"])
def test_bands_hold_all_differences_together_about_as_often_as_they_say(law):
    rng = np.random.default_rng(4)
    predictions, risks = strategies(rng)
    weights = intervals.bootstrap_weights(rng, 229, 200)
    assert 0.93 <= decision.coverage(predictions, risks[law], GRID, weights, 1000, rng)["value"] <= 0.97


@pytest.mark.slow
def test_the_simulation_sees_bands_that_are_too_narrow(monkeypatch):
    whole = decision.half_widths
    monkeypatch.setattr(decision, "half_widths", lambda *args: 0.75 * whole(*args))
    rng = np.random.default_rng(4)
    predictions, risks = strategies(rng)
    weights = intervals.bootstrap_weights(rng, 229, 200)
    assert decision.coverage(predictions, risks["informative"], GRID, weights, 200, rng)["ci_high"] < 0.9


def test_differences_and_errors_equal_those_of_the_drawn_patients():
    rng = np.random.default_rng(8)
    y, p = (rng.random(60) < 0.4).astype(float), rng.random((60, 2))
    weights, t = intervals.bootstrap_weights(rng, 60, 5), np.array([0.3, 0.6])
    value, error = decision._differences(y, decision.flagged({"lr": p}, t), t / (1 - t), weights)
    for b, k in np.ndindex(5, 2):
        drawn = np.repeat(np.arange(60), weights[:, b].astype(int))
        own = np.mean([decision.net_benefit(y[drawn], repeat[drawn], t[k]) for repeat in p.T])
        everybody = decision.net_benefit(y[drawn], np.ones(60), t[k])
        assert value[b, [k, 2 + k]] == pytest.approx([own - everybody, own])
        flagged = (p[drawn] >= t[k]).mean(axis=1)
        for place, treated in ((k, 1 - flagged), (2 + k, flagged)):
            share = (treated @ y[drawn] + 2) / (treated.sum() + 4)
            gains = np.array([1.0, -t[k] / (1 - t[k])])  # of contacting an event, and a non-event
            chances = np.array([share, 1 - share])
            variance = (treated**2).mean() * (chances @ gains**2) - (treated.mean() * (chances @ gains)) ** 2
            assert error[b, place] == pytest.approx(np.sqrt(variance / 60))


def test_one_more_strategy_never_narrows_the_bands():
    rng = np.random.default_rng(3)
    predictions, risks = strategies(rng)
    y, weights = (rng.random(229) < risks["informative"]).astype(int), intervals.bootstrap_weights(rng, 229, 400)
    alone = decision.decision_curve(y, {"all": predictions["all"]}, GRID, weights)
    together = decision.decision_curve(y, predictions, GRID, weights).query("model == 'all'")
    ok = alone["over_all_low"].notna()
    assert ok.sum() > 10
    for name in ("over_all", "over_none"):
        width = (together[f"{name}_high"] - together[f"{name}_low"])[ok].to_numpy()
        assert (width > (alone[f"{name}_high"] - alone[f"{name}_low"])[ok].to_numpy()).all()
        assert (width > 0).all()


def test_only_thresholds_with_ten_patients_on_either_side_are_judged():
    y, p = np.tile([0, 1], 30), np.repeat([0.2, 0.6, 0.8], [9, 41, 10])
    weights = intervals.bootstrap_weights(np.random.default_rng(0), 60, 50)
    curve = decision.decision_curve(y, {"lr": p, "same": np.full(60, 0.5)}, [0.1, 0.4, 0.7, 0.9], weights)
    judged = curve.set_index(["model", "threshold"])[["over_all_low", "over_none_high", "ci_low"]].notna()
    assert (judged.sum(axis=1) == judged.loc[("lr", 0.7)].sum()).sum() == 1
    assert judged.loc[("lr", 0.7)].all()
    assert curve[["net_benefit", "over_all", "over_none"]].notna().all().all()
    lr, same = decision.conclude(curve, "lr"), decision.conclude(curve, "same")
    assert (lr["judged_from"], lr["judged_to"], lr["n_thresholds"]) == (0.7, 0.7, 1)
    assert not same["use"]
    assert same["judged_from"] is None


def test_patients_are_counted_on_average_over_repeats():
    repeats = np.column_stack([np.repeat([0.2, 0.6], [8, 42]), np.repeat([0.2, 0.6], [12, 38])])
    assert decision.judged(decision.flagged({"lr": repeats}, [0.5])).tolist() == [True]
    assert decision.judged(decision.flagged({"lr": repeats[:, 0]}, [0.5])).tolist() == [False]


def test_a_model_wins_in_a_run_of_neighbouring_thresholds():
    lows = [0.1, -0.1, 0.1, 0.1, -0.1]
    curve = pd.DataFrame({"model": "lr", "threshold": [0.2, 0.3, 0.4, 0.5, 0.6], "over_all": 0.2, "over_none": 0.2})
    found = decision.conclude(curve.assign(over_all_low=lows, over_none_low=0.1), "lr")
    assert (found["better_from"], found["better_to"], found["n_better"]) == (0.4, 0.5, 2)
