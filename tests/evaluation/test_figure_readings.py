"""Sentences under chapter 05's figures: they must turn with their numbers."""

import pandas as pd
import pytest

from attrition import report
from attrition.evaluation import figure_readings


def interval(value, half=0.01):
    return {"value": value, "ci_low": value - half, "ci_high": value + half}


def told(reading):
    return report.fill(reading["sentence"], reading)


@pytest.fixture
def found():
    areas = {"lr": 0.69, "xgb": 0.62, "lgbm": 0.63, "oracle": 0.7}
    return {model: {"auroc": interval(area), "auprc": interval(area + 0.05)} for model, area in areas.items()}


@pytest.fixture
def differences():
    below = {"auroc": interval(-0.05), "brier": interval(0.05), "net_benefit": interval(-0.05)}
    return {f"{model}_less_oracle": dict(below) for model in ("lr", "xgb", "lgbm")}


def test_roc_says_whether_the_oracle_can_be_told_apart(found, differences):
    assert "a difference that these patients do show" in told(figure_readings.roc(found, differences))
    differences["lr_less_oracle"]["auroc"] = interval(-0.005)
    text = told(figure_readings.roc(found, differences))
    assert text.startswith("The curve of logistic regression lies nearest")
    assert "cannot tell the two apart" in text
    assert text.index("LightGBM") < text.index("XGBoost")


def test_a_model_above_the_oracle_is_called_luck(differences):
    assert told(figure_readings.against_oracle(differences)).startswith("No fitted model comes out better")
    differences["lr_less_oracle"]["net_benefit"] = interval(0.014)
    differences["xgb_less_oracle"]["brier"] = interval(-0.02)
    reading = figure_readings.against_oracle(differences)
    assert reading["n_lucky"] == 2
    better = "the net benefit of logistic regression and the Brier score of XGBoost are better than the oracle's"
    assert better in told(reading)


def test_decision_curves_are_counted_by_threshold():
    rows = [
        {"model": model, "threshold": t, "over_all": gain, "over_none": gain}
        for model, gain in {"lr": 0.1, "xgb": -0.1, "lgbm": -0.1, "oracle": 0.1}.items()
        for t in (0.3, 0.4)
    ]
    reading = figure_readings.curve_reading(pd.DataFrame(rows))
    assert (reading["lr"], reading["xgb"], reading["oracle"], reading["n"]) == (2, 0, 2, 2)


def test_reach_of_a_threshold_is_the_farthest_unsteady_patient():
    steady = pd.DataFrame({"prediction": [0.5, 0.58, 0.9], "changes_at_0.5": [0.5, 0.2, 0.0]})
    reading = figure_readings.near_threshold(steady, [0.5], 0.1)
    assert reading["reach"] == pytest.approx(0.08)
    none = figure_readings.near_threshold(steady.assign(**{"changes_at_0.5": 0.0}), [0.5], 0.1)
    assert told(none).startswith("No patient")


def test_dependence_names_the_nearest_model():
    level = {"lr": 0.51, "xgb": 0.6, "lgbm": 0.4, "oracle": 0.5}
    table = pd.DataFrame([{"model": m, "value": v, "y_prob": p} for m, p in level.items() for v in (0, 1)])
    reading = figure_readings.dependence({"visits": table})
    assert reading["best"] == "Logistic regression"
    assert "XGBoost strays by up to 0.10 and LightGBM strays by up to 0.10" in told(reading)
