"""What chapter 05 does by hand, and the sentences that stand in its cells, against the library."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import notebook_report as report
from attrition import decision, metrics, models, params, paths
from attrition.evaluation import performance
from attrition.metrics import evaluator, intervals
from notebook_report import results
from tests.notebooks import cells


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    """The cells on made predictions in two repeats, too extreme ones; and the library's measures of the same."""
    rng, n = np.random.default_rng(3), 300
    true = expit(rng.normal(size=n))
    y = (rng.random(n) < true).astype(int)
    rows = [
        pd.DataFrame({"patient_id": np.arange(n), "y": y, "true_probability": true}).assign(
            model=model, repeat=repeat, fold=0, y_prob=expit(1.5 * np.log(true / (1 - true)) + rng.normal(size=n) / 2)
        )
        for model in (*models.FITTED, "null")
        for repeat in (0, 1)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        pd.concat(rows).to_parquet(paths.processed() / "oof_predictions.parquet")
        p = params.load("05_evaluation", "quick")
        given = {"np": np, "pd": pd, "p": p, "seed": 1, "paths": paths, "report": report, "results": results}
        found = cells.run("05", "hand", "try", **given)
        held_out = performance.read_predictions()
    weights = intervals.bootstrap_weights(np.random.default_rng(1), n, 500)
    useful = {"net_benefit": partial(decision.net_benefit, thresholds=p.decision_threshold)}
    table = evaluator.evaluate(held_out.y, held_out.y_prob, weights, evaluator.MEASURES | useful)
    return found, held_out, evaluator.nested(table)["lr"], weights


def test_four_measures_by_hand_are_the_librarys(by_hand):
    found, _, library, _ = by_hand
    assert found["auroc"] == pytest.approx(library["auroc"]["value"], abs=1e-12)
    assert found["brier"] == pytest.approx(library["brier_score"]["value"], abs=1e-12)
    assert np.mean(found["slopes"]) == pytest.approx(library["calibration_slope"]["value"], abs=1e-4)
    assert found["by_score"] == pytest.approx(library["net_benefit"]["value"], abs=1e-12)
    assert f"The calibration slope is {library['calibration_slope']['value']:.2f}" in found["said"]


def test_the_gain_over_calling_everybody_has_the_librarys_value_and_interval(by_hand):
    found, held_out, _, weights = by_hand
    p = found["p"]
    curve = decision.decision_curve(held_out.y, {"lr": held_out.y_prob["lr"][:, :1]}, [p.decision_threshold], weights)
    model, everybody = (
        decision.net_benefit_interval(held_out.y, scores, p.decision_threshold, weights)
        for scores in (held_out.y_prob["lr"][:, 0], np.ones(len(held_out.y)))
    )
    assert found["gained"]["value"] == pytest.approx(curve["over_all"].iloc[0], abs=1e-12)
    assert found["gained"]["value"] == pytest.approx(model["value"] - everybody["value"], abs=1e-12)
    odds = p.decision_threshold / (1 - p.decision_threshold)
    spared = held_out.y_prob["lr"][:, 0] < p.decision_threshold
    each = np.where(spared, np.where(held_out.y == 1, -1, odds), 0)
    drawn = weights.T @ each / len(each)
    assert found["gained"]["ci_low"] == pytest.approx(np.quantile(drawn, 0.025), abs=0.01)
    assert found["gained"]["ci_high"] == pytest.approx(np.quantile(drawn, 0.975), abs=0.01)


def test_ten_groups_follow_the_librarys_curve(by_hand):
    found, held_out, _, _ = by_hand
    curve = metrics.calibration_curve(held_out.y, held_out.y_prob["lr"][:, 0], found["predicted"])
    assert np.abs(curve.observed - found["observed"]).mean() < 0.08
    assert np.abs(curve.observed - found["predicted"]).mean() > 0.05  # too extreme, and both see it


@pytest.mark.parametrize(("rate", "high"), [(0.53, True), (0.24, False)])
def test_precision_recall_is_read_against_the_event_rate(rate, high):
    areas = {model: {"average_precision": {"value": rate + 0.1 * k}} for k, model in enumerate(models.FITTED)}
    patients = type("Patients", (), {"y": np.array([rate])})
    said = cells.run("05", "17", found=areas, held_out=patients, models=models, report=report)["said"]
    first, last = models.IN_TEXT[models.FITTED[0]], models.IN_TEXT[models.FITTED[-1]]
    assert f"event rate, {rate:.3f}" in said
    assert f"from {rate:.3f} ({first}) to {rate + 0.2:.3f} ({last})" in said
    assert ("even chance looks good" in said) == high


@pytest.mark.parametrize(("flagged", "leave", "crowded"), [(79, 53, True), (79, 24, False), (40, 53, False)])
def test_a_low_threshold_flags_most_only_where_it_does(flagged, leave, crowded):
    p = params.load("05_evaluation", "quick")
    row = {"model": "lr", "threshold": p.decision_threshold, "precision": 0.5, "precision_low": 0.4}
    row |= {"flagged_per_100": flagged, "found_per_100": leave - 5.0, "missed_per_100": 5.0, "precision_high": 0.6}
    at = pd.DataFrame([row, row | {"model": "xgb", "flagged_per_100": 1}, row | {"threshold": 0.9, "precision": 1.0}])
    said = cells.run("05", "37", at=at, p=p, report=report, intervals=intervals)["said"]
    assert f"flags {flagged} of 100 patients, finds {leave - 5} leavers and misses 5, with precision 0.50" in said
    assert ("flags most patients" in said) == crowded
