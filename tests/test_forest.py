"""Forest plots and learning curves draw the numbers that they are given."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
from matplotlib import pyplot as plt

from attrition.plots import curves, rows
from attrition.plots.style import LIGHT


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def differences():
    table = pd.DataFrame({"label": ["a", "b"] * 2, "setting": ["default"] * 2 + ["p24"] * 2})
    table["value"] = [0.01, -0.002, 0.02, 0.0]
    table["ci_low"], table["ci_high"] = table["value"] - 0.001, table["value"] + 0.001
    table["spread_low"], table["spread_high"] = table["value"] - 0.01, table["value"] + 0.01
    return table.assign(published=0.05)


def points(ax, marker):
    return sorted(x for line in ax.lines if line.get_marker() == marker for x in np.atleast_1d(line.get_xdata()))


def test_differences_are_drawn_where_they_are(differences):
    ax = rows.differences(differences, 0.01)
    assert points(ax, "o") == pytest.approx([-0.002, 0.01])
    assert points(ax, "s") == pytest.approx([0.0, 0.02])
    assert points(ax, "x") == pytest.approx([0.05, 0.05])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.figure.get_size_inches()[0] <= 5.5


def test_the_smallest_difference_is_shaded_to_both_sides(differences):
    ax = rows.differences(differences, 0.01)
    box = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (box.x0, box.x1) == pytest.approx((-0.01, 0.01))


def test_levels_show_chance_and_oracle(differences):
    table = differences.assign(model=["lr", "lr", "xgb", "xgb"], value=0.6)
    ax = rows.levels(table, 0.71)
    assert {line.get_label() for line in ax.lines} >= {"Chance", "Oracle", "Logistic regression", "XGBoost"}
    assert [line.get_xdata()[0] for line in ax.lines if line.get_label() == "Oracle"] == [0.71]


def test_colours_come_from_the_study(differences):
    ax = rows.differences(differences, 0.01)
    assert {mpl.colors.to_hex(line.get_color()) for line in ax.lines} <= set(LIGHT.values())


def test_one_split_has_a_row_a_model():
    quantiles = {"q025": 0.6, "q250": 0.65, "q500": 0.7, "q750": 0.72, "q975": 0.78}
    table = [{"label": m, "model": m, "truth": 0.7, "published": 0.64, **quantiles} for m in ("lr", "xgb")]
    ax = rows.one_split(pd.DataFrame(table))
    assert len(ax.get_yticks()) == 2
    assert points(ax, "x") == [0.64, 0.64]


def test_learning_curve_has_a_line_a_model():
    table = pd.DataFrame(
        {"model": ["lr", "lr", "xgb", "xgb"], "n_train": [200, 1000] * 2, "value": [0.69, 0.7, 0.63, 0.65]}
    )
    table["ci_low"], table["ci_high"] = table["value"] - 0.01, table["value"] + 0.01
    ax = curves.learning_curve(table, 0.71)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Logistic regression", "XGBoost"]
    assert ax.get_xscale() == "log"
