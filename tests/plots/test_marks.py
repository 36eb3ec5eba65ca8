"""Marks, intervals and lines of figures stand where the numbers are, and nothing hides them."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
from matplotlib import pyplot as plt

import notebook_report as report
from attrition import models
from attrition.metrics.intervals import wilson
from attrition.monitoring import NAMES
from attrition.plots import curves, diagrams, rows, style
from attrition.plots.style import colour
from attrition.studies import validation
from tests.notebooks import cells


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def segments(ax):
    """Ends of the horizontal lines of an axes, by height."""
    drawn = [line for made in ax.collections if hasattr(made, "get_segments") for line in made.get_segments()]
    return sorted((y, low, high) for (low, y), (high, _) in (line for line in drawn if len(line) == 2))


def vertical(ax):
    """Places of vertical lines with their styles."""
    return {
        line.get_xdata()[0]: line for line in ax.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2
    }


@pytest.fixture
def drawn_in(tmp_path, monkeypatch):
    """The figure that a cell of chapter 04 draws with these names."""
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    known = {"plt": plt, "pd": pd, "report": report, "models": models, "rows": rows, "style": style}
    known |= {"validation": validation, "wilson": wilson}
    return lambda cell, **names: cells.run("04", cell, **known | names)["fig"]


@pytest.mark.slow
def test_a_coverage_has_wilsons_interval_and_stays_a_share(drawn_in):
    row = {"n_patients": 250, "n_trials": 90, "bias": 0.01, "bias_se": 0.002, "coverage_se": 0.0}
    table = pd.DataFrame([row | {"scheme": name, "coverage": share} for name, share in (("a", 1.0), ("b", 0.9))])
    fig = drawn_in("44", by_scheme=table.replace({"scheme": {"a": "cv5", "b": "repeated_cv5"}}))
    expected = [wilson(90, 90), wilson(81, 90)]
    for (_, low, high), interval in zip(segments(fig.axes[1]), expected, strict=True):
        assert (low, high) == pytest.approx((interval["ci_low"], interval["ci_high"]))
        assert low < high <= 1
    assert [end for line in segments(fig.axes[0]) for end in line[1:]] == pytest.approx([0.006, 0.014] * 2)


@pytest.mark.slow
def test_calibration_of_strategies_is_marked_at_zero_with_its_unit(drawn_in):
    row = {"model": "lr", "strategy": "none", "value": -0.4, "ci_low": -0.5, "ci_high": -0.3}
    table = pd.DataFrame([row | {"measure": name} for name in ("auroc", "calibration_in_the_large")])
    left, right = drawn_in("36", at_24=table).axes
    assert 0.0 in vertical(right)
    assert 0.0 not in vertical(left)
    assert right.get_xlabel().endswith("(log odds)")


def alarms(*scenarios):
    found = [
        {"scenario": scenario, "batch_size": size, "name": name, "rate": 0.5, "ci_low": 0.45, "ci_high": 0.55}
        for scenario in scenarios
        for size in (50, 200)
        for name in NAMES
    ]
    return pd.DataFrame(found)


def test_alarm_intervals_lie_above_marks_that_do_not_touch_and_the_nominal_rate_is_drawn():
    fig = rows.alarm_rates(alarms("older", "rarer"), {"older": "Older", "rarer": "Rarer"}, NAMES, 0.05)
    fig.draw_without_rendering()
    for ax in fig.axes:
        assert 0.05 in vertical(ax)
        dots = [line for line in ax.lines if line.get_marker() in ("o", "s") and len(line.get_xdata())]
        bars = [made for made in ax.collections if hasattr(made, "get_segments")]
        assert min(bar.get_zorder() for bar in bars) > max(dot.get_zorder() for dot in dots)
        heights = np.sort(np.concatenate([ax.transData.transform(dot.get_xydata())[:, 1] for dot in dots]))
        size = (dots[0].get_markersize() + dots[0].get_markeredgewidth()) * fig.dpi / 72
        assert len(heights) == 2 * len(NAMES)
        assert np.diff(heights).min() > 1.2 * size


def test_arrow_heads_of_the_law_lie_above_its_boxes():
    ax = diagrams.dag()
    boxes = [text for text in ax.texts if text.get_bbox_patch() is not None]
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == len(diagrams.EDGES)
    assert min(arrow.get_zorder() for arrow in arrows) > max(box.get_zorder() for box in boxes)


def curve():
    thresholds = np.round(np.arange(0.2, 0.91, 0.05), 2)
    table = pd.DataFrame({"threshold": thresholds, "net_benefit": 0.6 - thresholds * 0.6, "model": "lr"})
    return table.assign(ci_low=table["net_benefit"] - 0.1, ci_high=table["net_benefit"] + 0.1)


def test_thresholds_are_dashed_and_do_not_cross_the_legend():
    table = curve()
    ax = curves.decision_curves(table, table["net_benefit"].to_numpy(), {"call": 0.35, "team": 0.75})
    for place in (0.35, 0.75):
        line = vertical(ax)[place]
        assert line.get_color() == colour("muted")
        assert line.get_linestyle() == "--"
    assert ax.get_legend() is None
    (legend,) = ax.figure.legends
    ax.figure.draw_without_rendering()
    assert legend.get_window_extent().y1 <= ax.get_window_extent().y0


@pytest.mark.slow
def test_money_is_drawn_for_the_stated_thresholds_with_commas(tmp_path, monkeypatch):
    table = curve().assign(money=lambda t: 4500 * t["net_benefit"] / t["threshold"])
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    given = {"p": SimpleNamespace(contact_cost=45), "reasons": (0.35, 0.5, 0.75), "curve": table, "everybody": None}
    given |= {"performance": SimpleNamespace(money_table=lambda table, *_, **__: table), "report": report}
    ax = cells.run("05", "52", **given, curves=curves, style=style, colour=colour)["ax"]
    stated = table[table["threshold"].between(0.35, 0.75)]
    assert ax.get_xlim() == (0.35, 0.75)
    assert stated["money"].max() < ax.get_ylim()[1] < 1.1 * stated["money"].max()
    ax.figure.draw_without_rendering()
    assert "2,000" in [label.get_text() for label in ax.get_yticklabels()]


def test_rows_stand_from_top_to_bottom_with_groups_and_further_marks_beside_their_label():
    table = pd.DataFrame({"label": ["a", "b", "a"], "group": [1, 1, 2], "value": [0.2, 0.4, 0.6], "law": 0.5})
    table = table.assign(ci_low=table["value"] - 0.1, ci_high=table["value"] + 0.2)
    marks = {1: rows.Mark("one"), 2: rows.Mark("two", "red", "s", face="paper")}
    ax = rows.rows(table, marks, by="group", gap=0.2, also={"law": rows.Mark("law", "ink", "|")})
    low, high = ax.get_ylim()
    assert low > high
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]
    np.testing.assert_allclose(segments(ax), [(-0.1, 0.1, 0.4), (0.1, 0.5, 0.8), (0.9, 0.3, 0.6)])
    drawn = {line.get_marker(): line.get_xydata() for line in ax.lines[:3]}
    np.testing.assert_allclose(drawn["o"], [(0.2, -0.1), (0.4, 0.9)])
    np.testing.assert_allclose(drawn["|"], [(0.5, -0.1), (0.5, 0.9)])
    np.testing.assert_allclose(drawn["s"], [(0.6, 0.1)])
    assert ax.get_legend_handles_labels()[1] == ["one", "law", "two"]
