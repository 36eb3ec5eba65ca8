"""Figures of chapter 07 draw the numbers of their tables."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from attrition.plots import incidence as draw
from attrition.plots import rows
from attrition.survival import incidence
from tests.survival.test_incidence import made

mpl.use("agg")


@pytest.fixture(scope="module")
def trial():
    return made()


@pytest.fixture(autouse=True)
def closed():
    yield
    mpl.pyplot.close("all")


def drawn(ax, label):
    line = next(line for line in ax.lines if line.get_label() == label)
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def test_curves_are_the_table(trial):
    table = incidence.by_reason(trial, incidence.steps(trial))
    ax = draw.curves(table, "reason", [30, 60])
    for reason, part in table.groupby("reason"):
        x, y = drawn(ax, reason)
        np.testing.assert_array_equal(x, part["day"])
        np.testing.assert_array_equal(y, part["value"])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "30", "60", "120"]


def test_numbers_at_risk_stand_below_their_days(trial):
    days = [0, 30, 120]
    ax = draw.curves(incidence.primary(trial, incidence.steps(trial), by="arm"), "group", days)
    counts = incidence.at_risk_rows(trial, days, by_arm=True)
    draw.at_risk_below(ax, counts, days)
    texts = {(text.get_position()[0], text.get_text()) for text in ax.texts}
    for numbers in counts.values():
        assert {(day, str(number)) for day, number in zip(days, numbers, strict=True)} <= texts
    assert all(text.get_position()[1] < 0 for text in ax.texts)


def test_stacked_areas_reach_one(trial):
    ax = draw.stacked(incidence.by_reason(trial, incidence.steps(trial)), [30])
    tops = [area.get_paths()[0].vertices[:, 1].max() for area in ax.collections]
    assert len(tops) == len(trial.groups) + 1
    assert tops[-1] == 1
    left = (trial.patients["event_group"] != "none").mean()
    assert tops[-2] == pytest.approx(left)


def test_mistake_is_dashed_and_right_is_solid(trial):
    steps = incidence.steps(trial)
    ax = draw.mistake(incidence.by_the_mistake(trial, steps), incidence.by_reason(trial, steps), [30])
    styles = [line.get_linestyle() for line in ax.lines if len(line.get_xdata())]
    assert styles == ["-"] * len(trial.groups) + ["--"] * len(trial.groups)


def test_hazard_ratios_without_an_estimate_say_so(trial):
    ratios, _ = incidence.arm_hazards(trial, fewest=10_000)
    assert "enough events" in rows.hazard_ratios(ratios, trial.arms).texts[0].get_text()
    ratios, _ = incidence.arm_hazards(trial, fewest=10)
    marks = np.concatenate(
        [line.get_xdata() for line in rows.hazard_ratios(ratios, trial.arms).lines if line.get_marker() != "None"]
    )
    assert set(ratios["hazard_ratio"].dropna()) <= set(marks)


def test_residuals_of_a_constant_effect_smooth_to_it(trial):
    residuals = pd.DataFrame({"day": np.arange(50.0), "arm": np.full(50, 0.7)})
    ax = draw.drift_of_effect(residuals, {"arm": 0.7}, ["first", "arm"])
    np.testing.assert_allclose(drawn(ax, "arm")[1], 0.7, atol=1e-12)


def test_accuracy_leaves_out_what_has_no_estimate():
    row = {"landmark": 0, "model": "cox", "measure": "auroc"} | dict.fromkeys(("value", "ci_low", "ci_high"), 0.6)
    table = pd.DataFrame([row, row | {"measure": "ipa", "value": 0.1}])
    ax = draw.accuracy(table, "auroc", 0.5, "AUROC", {"cox": "Cox"})
    assert drawn(ax, "Cox")[1].tolist() == [0.6]
    empty = table.assign(value=np.nan)
    assert "enough events" in draw.accuracy(empty, "auroc", 0.5, "AUROC", {"cox": "Cox"}).texts[0].get_text()


def test_an_arm_keeps_its_colour_in_every_figure(trial):
    ratios, _ = incidence.arm_hazards(trial, fewest=10)
    curves = draw.curves(incidence.primary(trial, incidence.steps(trial), by="arm"), "group", [30])
    forest = rows.hazard_ratios(ratios, trial.arms)
    for arm in trial.arms[1:]:
        lines = [line for ax in (curves, forest) for line in ax.lines if line.get_label() == arm]
        assert len({line.get_color() for line in lines}) == 1
        assert len(lines) == 2
