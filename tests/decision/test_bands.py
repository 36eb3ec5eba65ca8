"""Bands of decision curves: joint coverage over strategies, thresholds and defaults, and what is judged at all."""

import numpy as np
import pandas as pd
import pytest

from attrition import decision
from attrition.metrics import intervals

GRID = np.round(np.arange(0.05, 0.901, 0.025), 3)


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


@pytest.mark.parametrize("law", ["informative", "none"])
def test_bands_hold_all_differences_together_about_as_often_as_they_say(law):
    rng = np.random.default_rng(4)
    predictions, risks = strategies(rng)
    weights = intervals.bootstrap_weights(rng, 229, 200)
    assert 0.93 <= decision.coverage(predictions, risks[law], GRID, weights, 1000, rng)["value"] <= 0.97


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
