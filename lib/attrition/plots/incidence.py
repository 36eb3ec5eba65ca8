"""Risk of leaving over time: curves with bands and numbers at risk, stacked reasons, drift, accuracy at a horizon."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, PercentFormatter, StrMethodFormatter

from attrition.plots.style import DASHES, LIGHT, MARKERS, axes, cycle, legend_below, nothing
from notebook_report.text import unless_missing

STAYED = "still in the trial"
DAYS = "Days since the start of treatment"
PLACES = 200
"""At most so many places at which residuals are smoothed."""


def _risk_by_day(ax: Axes, horizon: float, marks: Sequence[float], top: float | None, label: str) -> None:
    ax.set(xlim=(0, horizon), xlabel=DAYS, ylim=(0, top), ylabel=label)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.xaxis.set_major_locator(FixedLocator(sorted({0.0, *map(float, marks), float(horizon)})))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def curves(table: pd.DataFrame, key: str, marks: Sequence[float], top: float | None = None) -> Axes:
    """Cumulative incidence as steps with pointwise bands, told apart by the column `key`; see `survival.tabulate`.

    `marks` are days with a tick (the last day of the table always has one).
    """
    ax, parts = axes(None), dict(list(table.groupby(table[key].astype(str), sort=False)))
    for (name, hue), dash in zip(cycle(list(parts)).items(), itertools.cycle(DASHES), strict=False):
        part = parts[name]
        ax.step(part["day"], part["value"], where="post", color=hue, linestyle=dash, label=name)
        band = part["ci_low"], part["ci_high"]
        ax.fill_between(part["day"], *band, step="post", color=hue, alpha=0.15, linewidth=0)
    _risk_by_day(ax, table["day"].max(), marks, top, "Cumulative incidence")
    ax.legend(loc="best")
    return ax


def at_risk_below(ax: Axes, counts: Mapping[str, Sequence[int]], days: Sequence[float]) -> Axes:
    """Write the numbers at risk on some days below the day axis, a row a curve."""
    colours = cycle(list(counts)) if len(counts) > 1 else dict.fromkeys(counts, LIGHT["ink"])
    line = 13 / (cast(Figure, ax.figure).get_figheight() * 72 * 0.62)
    row = -0.28 - line * 0.2
    look: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "fontsize": 9, "va": "top", "clip_on": False}
    ax.text(0, row, "Patients at risk", color=LIGHT["muted"], ha="left", **look)
    for name, numbers in counts.items():
        row -= line
        if len(counts) > 1:
            ax.text(0, row, name, color=colours[name], ha="left", **look)
            row -= line
        for day, number in zip(days, numbers, strict=True):
            ax.text(day, row, f"{number:,}", color=colours[name], ha="center" if day else "left", **look)
    return ax


def stacked(table: pd.DataFrame, marks: Sequence[float]) -> Axes:
    """Where everybody is on every day: gone, by reason, or still in the trial. The heights sum to one."""
    ax, names = axes(None), list(table["reason"].unique())
    wide = table.pivot_table(index="day", columns="reason", values="value")[names]
    edges = np.column_stack([np.zeros(len(wide)), wide.cumsum(axis=1), np.ones(len(wide))])
    hues = cycle(names) | {STAYED: LIGHT["grid"]}
    for k, name in enumerate([*names, STAYED]):
        look: dict[str, Any] = {"color": hues[name], "alpha": 0.6 if name == STAYED else 0.75, "label": name}
        ax.fill_between(wide.index, edges[:, k], edges[:, k + 1], step="post", lw=0, **look)
    _risk_by_day(ax, wide.index.max(), marks, 1, "Share of patients")
    return legend_below(ax)


def mistake(wrong: pd.DataFrame, right: pd.DataFrame | None, marks: Sequence[float]) -> Axes:
    """1 - Kaplan-Meier by reason (dashed) and, when given, the cumulative incidence it misstates (solid)."""
    ax, names = axes(None), list(wrong["reason"].unique())
    colours = cycle(names)
    for table, dash in [(wrong, "--")] if right is None else [(right, "-"), (wrong, "--")]:
        for name in names:
            part, label = table[table["reason"] == name], name if right is None or dash == "-" else None
            ax.step(part["day"], part["value"], where="post", color=colours[name], linestyle=dash, label=label)
    if right is not None:
        ax.plot([], [], color=LIGHT["ink"], linestyle="--", label="1 − Kaplan-Meier")
    _risk_by_day(ax, wrong["day"].max(), marks, None, "Stated risk of the reason")
    ax.legend(loc="best")
    return ax


@unless_missing
def drift_of_effect(residuals: pd.DataFrame, coefficients: Mapping[str, float], arms: Sequence[str]) -> Axes:
    """Scaled Schoenfeld residuals over time, smoothed, beside constant log hazard ratios: flat where those hold.

    Of all arms of the trial, so that each keeps its colour; see `hazards.scaled_schoenfeld`.
    """
    ax, colours, day = axes(None), cycle([str(arm) for arm in arms]), residuals["day"]
    for name, marker, dash in zip(residuals.columns.drop("day"), MARKERS, DASHES, strict=False):
        hue = colours[str(name)]
        ax.plot(day, residuals[name], marker, color=hue, alpha=0.35, markersize=3.2, mew=0)
        ax.plot(day, _smooth(residuals[name]), dash, color=hue, label=str(name))
        ax.axhline(coefficients[name], color=hue, linewidth=0.8, linestyle=":")
    ax.set(xlabel=DAYS, ylabel="Log hazard ratio")
    return legend_below(ax)


def _smooth(value: pd.Series) -> np.ndarray:
    """Local lines over the ranks of the events, under a normal kernel a fifth of them wide; straight in between."""
    rank, width = np.arange(len(value)), max(0.2 * len(value), 1.0)
    places = np.unique(np.linspace(0, rank[-1], min(len(rank), PLACES)).round())
    kernels = (np.exp(-(((rank - at) / width) ** 2) / 4) for at in places)  # polyfit takes the root of a weight
    lines = [np.polyfit(rank - at, value, 1, w=kernel)[1] for at, kernel in zip(places, kernels, strict=True)]
    return np.interp(rank, places, lines)


def accuracy(table: pd.DataFrame, measure: str, reference: float, label: str, names: Mapping[str, str]) -> Axes:
    """A measure of each model at each landmark with its interval.

    Parameters
    ----------
    table : pandas.DataFrame
        As of `attrition.landmark.time_to.accuracy`; rows without a value are left out.
    measure : str
    reference : float
        Value of a model without predictors.
    label : str
        Of the axis.
    names : mapping of str to str
        Models to draw, in order, and what to call them.
    """
    ax, days = axes(None), sorted(table["landmark"].unique())
    table = table[table["measure"] == measure].dropna(subset=["value"])
    if table.empty:
        return nothing(ax, "No landmark has enough events for a prediction")
    hues = [LIGHT[hue] for hue in ("muted", "purple", "blue", "ochre", "teal", "green")]
    for k, (model, name) in enumerate(names.items()):
        part = table[table["model"] == model]
        x = part["landmark"].map(days.index) + 0.14 * (k - (len(names) - 1) / 2)
        ax.vlines(x, part["ci_low"], part["ci_high"], color=hues[k % 6])
        ax.plot(x, part["value"], MARKERS[k % len(MARKERS)], color=hues[k % 6], label=name)
    ax.axhline(reference, color=LIGHT["muted"], linewidth=0.8, linestyle=":")
    ax.set(xlabel="Landmark (day of the prediction)", ylabel=label, xlim=(-0.5, len(days) - 0.5))
    ax.set_xticks(range(len(days)), [f"{day:g}" for day in days])
    return legend_below(ax)
