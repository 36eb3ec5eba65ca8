"""What chapter 07 does by hand against the library's estimators, and the sentences that stand in its cells."""

import types

import numpy as np
import pandas as pd
import pytest

import notebook_report as report
from attrition.survival import incidence
from tests.notebooks import cells
from tests.survival.test_incidence import made


@pytest.fixture(params=["pilot", "censored"])
def by_hand(request, pilot, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    study = pilot if request.param == "pilot" else made(censoring=True, n=120)
    return cells.run("07", "hand", "try", study=study, days=incidence.days_shown(study), report=report)


def at_horizon(table, study):
    return table[table["day"] == study.horizon].set_index("reason")["value"]


@pytest.mark.slow
def test_both_curves_by_hand_are_the_librarys(by_hand):
    study, days = by_hand["study"], [by_hand["study"].horizon]
    right, wrong = (at_horizon(of(study, days), study) for of in (incidence.by_reason, incidence.by_the_mistake))
    pd.testing.assert_series_equal(by_hand["cif"].iloc[-1], right, check_names=False, check_index_type=False)
    pd.testing.assert_series_equal(by_hand["naive"].iloc[-1], wrong, check_names=False, check_index_type=False)
    total = by_hand["cif"].sum(axis=1) + by_hand["still_there"]
    np.testing.assert_allclose(total, 1, atol=1e-12)
    assert "add up to 1.000" in by_hand["said"]


@pytest.mark.parametrize(("censored", "words"), [(0, "simply a share"), (3, "rather than a plain share")])
def test_sentence_on_leavers_follows_the_censoring(censored, words):
    total = {"patients": 50, "still in": 20, "censored": censored, "competing": 2}
    said = cells.run("07", "09", total=total, study=types.SimpleNamespace(horizon=120), end=120, report=report)["said"]
    assert words in said
    assert said.startswith(f"Of 50 patients {30 - censored} left by day 120, 2 of them")


@pytest.mark.parametrize(("extra", "words"), [(0.2, "Each curve looks plausible"), (0.0, "On day 120 the curves add")])
def test_the_sum_of_the_wrong_curves_is_read_from_the_numbers(extra, words):
    right = pd.DataFrame({"reason": ["a"], "day": [120], "events": [3], "value": [0.5]})
    tables = {"by_reason": lambda *_: right, "by_the_mistake": lambda *_: right.assign(value=0.5 + extra)}
    stub, study = types.SimpleNamespace(**tables), types.SimpleNamespace(horizon=120)
    said = cells.run(
        "07", "12", incidence=stub, study=study, days=[120], end=120, total={"censored": 0}, report=report
    )["said"]
    assert said.startswith(words)
    assert f"add up to {50 + 100 * extra:.1f}%" in said


def test_the_mistake_is_told_by_its_largest_gap():
    study = made()
    given = {"days": [60, study.horizon], "end": study.horizon, "total": {"censored": 0}}
    told = cells.run("07", "12", "17a", incidence=incidence, study=study, report=report, **given)
    over, found = told["over"], told["mistake"]
    assert over.index.tolist() == [*study.groups, "sum"]
    assert (over["difference"] >= -1e-12).all()
    left = (study.patients["event_group"] != "none").mean()
    assert over.loc["sum", "incidence"] == pytest.approx(left, abs=1e-12)
    assert (found["overstated"], found["verdict"], found["day"]) == (True, "supported", 120)
    assert found["gap"] == pytest.approx(100 * over.drop("sum")["difference"].max())
    assert found["gap"] == pytest.approx(100 * (found["wrong"] - found["right"]))
    assert found["wrong_sum"] == over.loc["sum", "one_minus_km"] > found["right_sum"]
    same = over.assign(one_minus_km=over["incidence"], difference=0.0)
    found = cells.run("07", "17a", over=same, study=study, **given)["mistake"]
    assert (found["overstated"], found["verdict"]) == (False, "exploratory")


@pytest.mark.slow
def test_the_most_frequent_reason_and_both_days_are_those_of_the_table(by_hand):
    study, days = by_hand["study"], by_hand["days"]
    right = incidence.by_reason(study, days)
    said = cells.run("07", "22", incidence=incidence, study=study, days=days, right_days=right, report=report)["said"]
    risk = incidence.primary(study, days)["value"]
    events = study.patients.loc[study.patients["time"] <= study.horizon, "event_group"].value_counts()
    top = events[[reason for reason in study.groups if reason in events]].idxmax()
    assert f"had a risk of {risk.iloc[0]:.1%}" in said
    assert f"of {risk.iloc[-1]:.1%}" in said
    assert f"*{top}*" in said.replace("\\", "")
    assert f", {events[top]} patients" in said


def test_between_arms_the_widest_gap_is_named():
    rows = pd.DataFrame({"group": ["A", "A", "B", "B"], "reason": ["x", "y", "x", "y"], "value": [0.1, 0.2, 0.15, 0.6]})
    found = cells.run("07", "29b", arm_reason=rows, report=report)
    assert found["ends"] == {"high": 0.6, "high_arm": "B", "low": 0.2, "low_arm": "A"}
    assert "furthest apart in the reason y: 60.0%" in found["said"]
    single = cells.run("07", "29b", arm_reason=rows[rows["group"] == "A"], report=report)
    assert len(single["widest"]) == 1


def test_drift_is_that_of_an_arms_own_test():
    row = {"reason": "x", "arm": "B", "correlation": -0.3, "p": 0.01}
    joint = {"reason": "x", "arm": "all", "correlation": float("nan"), "p": 0.001}
    checks = pd.DataFrame([row | {"arm": "C", "p": 0.2}, row, joint])
    told = cells.run("07", "37b", checks=checks, reason="x", report=report)["said"]
    assert "the arm B drifts most" in told
    assert "drifts" not in cells.run("07", "37b", checks=checks, reason=None, report=report)["said"]
