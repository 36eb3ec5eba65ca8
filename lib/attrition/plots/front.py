"""The three figures of the report's first page: the answer, who left, and whether acting pays."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attrition import settings
from attrition.plots.rows import Mark, rows, stacked
from attrition.plots.style import LIGHT, WIDTH, axes, beside, colour, cycle, legend_below, vertical
from notebook_report.text import unless_missing

PER = 100
ROOM = 8
"""A part of a bar is labelled from so many per cent on."""
WORDS = settings.declared(__file__, "front.yaml")


def strategies(arms: Sequence[str]) -> dict[str, str]:
    """Ways of choosing whom to contact in a trial with these arms, with their titles."""
    return WORDS["strategies"] if len(arms) > 1 else {name: title for name, (title, _) in WORDS["alone"].items()}


def answers(auroc: Mapping[str, Mapping[str, float]], leak: Mapping[str, Any] | None) -> pd.DataFrame:
    """Table of `answer`: AUROC by strategy at a landmark (those that were fitted), and the dearest leak."""
    words = WORDS["rows"] if "arm_only" in auroc else {name: label for name, (_, label) in WORDS["alone"].items()}
    rows = [{"label": label, **auroc[name], "later": None} for name, label in words.items() if auroc.get(name)]
    if leak:
        rows.append({"label": WORDS["mistake"].format(leak["name"]), "value": leak["honest"], "later": leak["leaky"]})
    numbers = ["value", "ci_low", "ci_high", "later"]
    return pd.DataFrame(rows, columns=["label", *numbers], dtype=object).astype(dict.fromkeys(numbers, float))


@unless_missing
def answer(table: pd.DataFrame) -> Axes:
    """How often a model points at the leaver, of a leaver and a stayer, by what it was given.

    A row a model: its AUROC with what was known in time (limits may be missing) and ``later``, that when it also saw
    what came after, where that was looked at.
    """
    numbers = table.select_dtypes("number") * PER
    shown = table.assign(**numbers, late=table["later"].notna())
    marks = {late: Mark(None, "honest", "o", 6, "paper" if late else None) for late in (False, True)}
    ax = rows(shown, marks, axes(None, 0.9 + 0.46 * len(table)), by="late", gap=0)
    for y, row in enumerate(shown.to_dict("records")):
        right = [row["later"]] if row["late"] else [row["value"], row["ci_high"]]
        if row["late"]:
            ax.hlines(y, row["value"], row["later"], color=colour("leaky"), linewidth=1, linestyle=":")
            ax.plot(row["later"], y, marker="D", color=colour("leaky"), markersize=6)
            beside(ax, f"{row['value']:.0f}", row["value"], y, -7)
        beside(ax, f"{right[0]:.0f}", np.nanmax(right), y, 7, fontweight="bold")
    lowest = min(35, numbers["ci_low"].min() - 2)
    ax.set(ylim=(len(table) - 0.5, -0.6), xlim=(lowest, 106), xlabel="times out of 100 that it points at the leaver")
    ax.set_xticks(range(10 * math.ceil(lowest / 10), 101, 10 if lowest > 20 else 20))
    vertical(ax, PER / 2)
    return ax


def who_left(flow: pd.DataFrame, reasons: list[str]) -> Axes:
    """Where the patients of each arm are on the day of the horizon: a bar an arm, a part a reason."""
    ax, hues = axes(None, 1.2 + 0.42 * len(flow)), cycle(reasons)
    parts = [*reasons, "censored", "still in"] if flow["censored"].any() else [*reasons, "still in"]
    light = {"still in": LIGHT["grid"], "censored": LIGHT["paper"]}
    shares = [(part, (hues | light)[part], PER * flow[part] / flow["patients"]) for part in parts]
    stacked(ax, flow["arm"], shares, room=ROOM, form=".0f", height=0.68)
    ax.set_xlim(0, PER)
    ax.xaxis.set_major_formatter("{x:.0f}%")
    return legend_below(ax, 3)


@unless_missing
def gains(curve: pd.DataFrame, labels: dict[str, str], shown: tuple[float, float] = (0.2, 0.7)) -> Figure:
    """Net benefit beyond the better of contacting everybody and nobody, per 100 patients, with simultaneous bands.

    Of `attrition.landmark.evaluation.decisions`, strategies with their titles; shaded is where the band lies above
    zero.
    """
    figure, panels = plt.subplots(1, len(labels), figsize=(WIDTH, 2.5), sharey=True, squeeze=False)
    part = curve[curve["threshold"].between(*shown)]
    for ax, (name, title) in zip(panels[0], labels.items(), strict=True):
        own = part[part["model"] == name].set_index("threshold").filter(like="over_") * PER
        mean, low, high = (own[[f"over_all{end}", f"over_none{end}"]].min(axis=1) for end in ("", "_low", "_high"))
        hue: Any = colour("honest")
        ax.fill_between(own.index, low, high, color=hue, alpha=0.2, linewidth=0)
        ax.plot(own.index, mean, color=hue)
        if (low > 0).any():
            paying = low[low > 0].index
            ax.axvspan(paying.min(), paying.max(), color=colour("green"), alpha=0.25, linewidth=0)
        ax.axhline(0, color=colour("muted"), linewidth=0.9, linestyle="--")
        ax.set(title=title, xlim=shown)
        ax.set_xticks([0.3, 0.4, 0.5, 0.6], ["30", "", "50", ""])
    bound = max(15.0, float(part.filter(regex="over_(all|none)$").min(axis=1).max() * PER) + 15)
    panels[0][0].set(ylim=(-25, bound), ylabel="leavers per 100")
    figure.supxlabel("contact from a risk of, in %", fontsize=9.5)
    return figure
