"""A trial that runs: the fan of what is to come, the alarm, its own past, where everybody is, and who remains."""

import math
from collections.abc import Mapping
from typing import Any

import matplotlib.dates
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.rows import Mark, rows, stacked
from attrition.plots.style import LIGHT, axes, beside, colour, cycle, legend_below, vertical
from notebook_report.text import unless_missing

NARROW = 3.6
"""Inches of a figure that stands in the narrower column of the first page."""
ROOM = 0.055
"""A part of a bar is labelled from this share of the bar on."""
HUES = {"remaining": "teal", "not_yet_due": "grid", "completed_early": "ink"}


def _calendar(ax: Axes, dates: pd.Series) -> Axes:
    """Ticks on the first of a month, at most five."""
    months = (dates.max() - dates.min()).days / 30.4
    ax.xaxis.set_major_locator(matplotlib.dates.MonthLocator(interval=max(1, math.ceil(months / 3.5))))
    ax.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%b %Y"))
    return ax


def fan(
    table: pd.DataFrame | None, past: Any, plan: pd.DataFrame | None, came: pd.DataFrame | None = None
) -> Axes | None:
    """How many are gone by calendar time: so far, as projected (90 % and 50 %), as planned, and what came."""
    if table is None:
        return None
    ax, hue, last = axes(None, 3.3), colour("blue"), table.iloc[-1]
    _calendar(ax, pd.concat([past["date"], table["date"]]))
    ax.fill_between(table["date"], table["low"], table["high"], color=hue, alpha=0.15, linewidth=0, label="90%")
    ax.fill_between(table["date"], table["low_50"], table["high_50"], color=hue, alpha=0.25, linewidth=0, label="50%")
    ax.plot(table["date"], table["median"], color=hue, linestyle="--", label="projected")
    ax.plot(past["date"], past["gone"], color=hue, linewidth=2.4, label="gone so far")
    if plan is not None:
        ax.plot(plan["date"], plan["expected"], color=colour("ink"), linestyle=":", label="plan")
    if came is not None and len(came) > 1:
        ax.plot(came["date"], came["gone"], color=colour("ink"), linewidth=1.1, label="what came")
    ax.plot(table["date"].iloc[0], table["median"].iloc[0], "o", color=hue, markersize=6)
    vertical(ax, table["date"].iloc[0], "this day", "muted", "-")
    beside(ax, f"{last['median']:g}", last["date"], last["median"], color=hue, fontweight="bold")
    if plan is not None:
        allowed = plan.iloc[-1]
        beside(ax, f"{math.floor(allowed['expected'] + 1e-6)}", allowed["date"], allowed["expected"])
    ax.set(ylabel="patients gone", ylim=(0, None))
    return legend_below(ax, 3)


def alarm(
    looks: pd.DataFrame | None, rule: str, rings_at: int | None, later: pd.DataFrame | None = None
) -> Axes | None:
    """Events against those that the plan expects over the days really watched, and where the alarm rings.

    Rule ``"A"`` draws its boundary; ``"B"`` has none on this scale but a number of the last look. `later` are looks
    after the cut, where they are known.
    """
    if looks is None or looks.empty:
        return None
    look: dict[str, Any]
    every = looks if later is None else pd.concat([looks, later])
    ax, last = _calendar(axes(None, 3.1), every["date"]), looks.iloc[-1]
    expected = "expected" if rule == "A" else "expected if evenly spread"
    ax.plot(looks["date"], looks["expected"], color=colour("ink"), linestyle=":", label=expected)
    if rule == "A":
        ax.plot(looks["date"], looks["alarm_at"], color=colour("ochre"), label="rings from here")
    elif rings_at is not None:
        look = {"color": colour("ochre"), "marker": "_", "markersize": 16, "markeredgewidth": 2.5}
        ax.plot(last["date"], rings_at, linestyle="none", label=f"would ring at {rings_at}", **look)
    ax.plot(looks["date"], looks["events"], "o-", color=colour("blue"), markersize=4, label="gone")
    if later is not None and len(later):
        shown = pd.concat([looks.tail(1), later])
        look = {"color": colour("muted"), "marker": "o", "markersize": 4, "markerfacecolor": LIGHT["paper"]}
        ax.plot(shown["date"], shown["events"], linewidth=1, label="later", **look)
    rung = every[every[f"rung_{rule.lower()}"]]
    if len(rung):
        look = {"marker": "o", "markersize": 13, "markerfacecolor": "none", "markeredgecolor": colour("ochre")}
        ax.plot(rung["date"].iloc[0], rung["events"].iloc[0], linestyle="none", label="first rang", **look)
    ax.set(ylabel="patients gone", ylim=(0, None))
    return legend_below(ax, 3)


def _soft(ax: Axes) -> None:
    """Wide intervals let what stands on them through."""
    for line in ax.collections:
        line.set_alpha(0.45)


@unless_missing
def past(table: pd.DataFrame) -> Axes:
    """What was projected on the first of each month, and what is known of it: filled where it is settled."""
    shown = table.assign(label=[f"{date:%-d %b %Y}" for date in table["cut"]])
    kinds = (("settled", ~table["open"], None), ("so far", table["open"], "paper"))
    form: dict[str, Any] = {"value": "median", "ends": ("low", "high"), "bars": "blue", "height": 1 + 0.21 * len(shown)}
    ax = rows(shown, {"": Mark("median and 90%", "blue", "|", 8)}, line=5, **form)
    _soft(ax)
    form = {"value": "actual", "labels": list(shown["label"]), "ends": ("", "")}
    for words, here, face in kinds:
        if here.any():
            rows(shown[here], {"": Mark(f"came, {words}", "ink", "o", 5, face)}, ax, **form)
    ax.set(xlabel="further leavers of those enrolled on that day", xlim=(-0.5, None))
    return legend_below(ax, 3)


@unless_missing
def remaining(table: pd.DataFrame) -> Axes:
    """Subjects remaining by planned visit, and why the others are not, see `attrition.running.remaining.subjects`."""
    shown = table[table["arm"] == "all"].assign(row=lambda rows: [f"day {day}" for day in rows["visit"]])
    lost = [name for name in shown if str(name).startswith("left: ")]
    every = ("remaining", "not_yet_due", *lost, "competing", "completed_early")
    columns = [name for name in every if shown[name].any()]
    hues = {f"left: {name}": hue for name, hue in cycle([n[len("left: ") :] for n in columns if n in lost]).items()}
    parts = [
        (name.removeprefix("left: ").replace("_", " "), hues.get(name) or colour(HUES.get(name, "muted")), shown[name])
        for name in columns
    ]
    ax, total = axes(None, 0.9 + 0.3 * len(shown)), shown[columns].sum(axis=1)
    stacked(ax, shown["row"], parts, room=ROOM * total, fontsize=9)
    ax.set_xlim(0, total.max())
    return legend_below(ax, 3)


@unless_missing
def three(table: pd.DataFrame) -> Axes:
    """Dropout, completers and power that are to be expected, in per cent, each beside what the plan has.

    Columns label, value, low, high (90 %) and planned, which may be missing.
    """
    also = {"planned": Mark("plan", "ink", "|", 14)} if table["planned"].notna().any() else None
    ax = plt.subplots(figsize=(NARROW, 0.9 + 0.42 * len(table)))[1]
    rows(table, {"": Mark("expected, 90%", "blue", "o", 7)}, ax, also=also, ends=("low", "high"), line=5)
    _soft(ax)
    ax.set(xlim=(0, 100), xlabel="per cent")
    return legend_below(ax)


@unless_missing
def coverage(table: pd.DataFrame, worlds: Mapping[str, str], gate: tuple[float, float]) -> Axes:
    """Share of simulated trials inside the 90 % interval (randomised PIT), by world and information; the gate shaded.

    Columns world, fraction, pit, pit_low and pit_high.
    """
    hues = dict(zip(sorted(table["fraction"].unique()), ("ochre", "teal", "blue"), strict=False))
    marks = {f: Mark(f"{100 * f:g}% of patient-days", hue, "osD"[k], 5) for k, (f, hue) in enumerate(hues.items())}
    form: dict[str, Any] = {"label": "world", "value": "pit", "by": "fraction", "ends": ("pit_low", "pit_high")}
    ax = rows(table, marks, labels=worlds, line=1.4, xlabel="share of trials inside the interval", **form)
    ax.axvspan(*gate, color=colour("grid"), alpha=0.6, zorder=0)
    vertical(ax, 0.9)
    return legend_below(ax, 3)
