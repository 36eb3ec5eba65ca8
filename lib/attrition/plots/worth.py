"""What contacts gain, against how many there are."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.style import axes, colour, legend_below

FAMILIES = {
    "all_cause": ("risk of leaving", "blue", "o"),
    "addressable": ("risk of an addressable reason", "green", "s"),
    "missed_visit": ("first missed visit", "purple", "^"),
    "silent": ("not heard of for 14 or 28 days", "ochre", "v"),
    "arm": ("the active arms", "vermilion", "P"),
}
"""Families of strategies: name in the legend, hue, marker."""


def gains(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Completers gained against contacts: strategies with intervals, chance, ceiling, and the oracle in its corner.

    Parameters
    ----------
    table : pandas.DataFrame
        From `attrition.worth.analysis.frontier`.
    ax : matplotlib Axes, optional
    """
    ax = axes(ax, 3.9)
    by = table.set_index("strategy")
    most, oracle = by.loc["everybody"], by.loc["oracle"]
    ax.plot([0, most["contacts"]], [0, most["completers"]], color=colour("muted"), linewidth=1, label="anybody, by lot")
    ax.axhline(most["completers"], color=colour("muted"), linewidth=1, linestyle=":")
    for family, (name, hue, marker) in FAMILIES.items():
        own = table[table["family"] == family].sort_values("contacts")
        if own.empty:
            continue
        look: dict[str, Any] = {
            "color": colour(hue),
            "marker": marker,
            "markersize": 5,
            "linewidth": 1,
            "linestyle": "--",
        }
        ax.plot(own["contacts"], own["completers"], label=name, **look)
        ax.vlines(own["contacts"], own["ci_low"], own["ci_high"], color=colour(hue), linewidth=1, alpha=0.5)
    ax.plot(most["contacts"], most["completers"], color=colour("muted"), marker="o", markersize=7, linestyle="")
    ax.vlines(most["contacts"], most["ci_low"], most["ci_high"], color=colour("muted"), linewidth=1)
    ax.plot(
        oracle["contacts"],
        oracle["completers"],
        color=colour("red"),
        marker="*",
        markersize=11,
        linestyle="",
        label="oracle",
    )
    high = max(table["ci_high"].max(), most["completers"] * 1.15, 0.1)
    ax.annotate("everybody", (100, most["completers"]), (-9, 4), textcoords="offset points", ha="right")
    ax.set(xlabel="contacts per 100 at risk", ylabel="completers gained per 100", xlim=(-2, 103))
    ax.set_ylim(min(0.0, table["ci_low"].min()) - 0.03 * high, high * 1.05)
    return legend_below(ax)
