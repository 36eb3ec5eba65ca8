"""Forest plots: paired differences and levels with intervals, and what one split could have shown."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from attrition import text
from attrition.models import LABELS
from attrition.plots.fitted import colour
from attrition.plots.style import DASHES, LIGHT, MARKERS

SETTING_LABELS = {"default": "law's own prevalence", "p24": "24 % drop out"}
SETTING_HUES = {"default": "blue", "p24": "ochre"}
ROW_HEIGHT = 0.36
"""Inches for a row; see `height`."""


def height(n_rows: int, n_groups: int = 1) -> float:
    """Inches for a forest plot of `n_rows` rows with `n_groups` estimates each.

    Examples
    --------
    >>> height(5, 2) > height(5)
    True
    """
    return 0.9 + n_rows * (ROW_HEIGHT + 0.1 * (n_groups - 1))


def _axes(ax: Axes | None, n_rows: int, n_groups: int) -> Axes:
    return plt.subplots(figsize=(5.5, height(n_rows, n_groups)))[1] if ax is None else ax


def _rows(ax: Axes, labels: Sequence[str]) -> dict[str, float]:
    places = {label: -float(k) for k, label in enumerate(labels)}
    ax.set_yticks(list(places.values()), list(places))
    ax.set_ylim(-len(labels) + 0.4, 0.6)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    return places


def _estimate(ax: Axes, row: pd.Series, y: float, hue: str, marker: str, label: str | None) -> None:
    if "spread_low" in row and np.isfinite(row["spread_low"]):
        ax.plot([row["spread_low"], row["spread_high"]], [y, y], color=hue, linewidth=0.9, alpha=0.55)
    ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=hue, linewidth=3.2, solid_capstyle="butt")
    edge: dict[str, Any] = {"markeredgecolor": LIGHT["paper"], "markeredgewidth": 0.6}
    ax.plot(row["value"], y, marker, color=hue, markersize=6, linestyle="none", label=label, **edge)


def differences(
    table: pd.DataFrame,
    smallest_difference: float,
    ax: Axes | None = None,
    group: str = "setting",
    hues: Mapping[str, str] = SETTING_HUES,
    labels: Mapping[str, str] = SETTING_LABELS,
    xlabel: str = "Gain in AUROC",
) -> Axes:
    """Paired differences with the smallest difference of interest.

    Parameters
    ----------
    table : DataFrame
        Columns label, value, ci_low, ci_high, `group`; optionally spread_low, spread_high (thin line) and published
        (cross).
    smallest_difference : float
        Shaded to both sides of zero.
    ax : Axes, optional
    group : str
        Column of the estimates that share a row.
    hues, labels : mapping
        Value of `group` to the name of a colour, and to its words in the legend.
    xlabel : str

    Returns
    -------
    Axes
    """
    groups = list(dict.fromkeys(table[group]))
    names = list(dict.fromkeys(table["label"]))
    ax = _axes(ax, len(names), len(groups))
    places = _rows(ax, names)
    shade = f"below the smallest difference of interest, {smallest_difference:g}"
    ax.axvspan(-smallest_difference, smallest_difference, color=LIGHT["grid"], alpha=0.6, linewidth=0, label=shade)
    ax.axvline(0, color=LIGHT["ink"], linewidth=0.8)
    for k, name in enumerate(groups):
        lift = 0.16 * (len(groups) - 1 - 2 * k)
        for position, (_, row) in enumerate(table[table[group] == name].iterrows()):
            word = text.percent(labels.get(name, name)) if position == 0 else None
            _estimate(ax, row, places[row["label"]] + lift, colour(hues.get(name, name)), MARKERS[k], word)
    _published(ax, table, places)
    ax.set_xlabel(xlabel)
    _legend_below(ax)
    return ax


def _published(ax: Axes, table: pd.DataFrame, places: Mapping[str, float]) -> None:
    if "published" not in table:
        return
    known = table.dropna(subset="published").drop_duplicates("label")
    y = [places[label] for label in known["label"]]
    ax.plot(known["published"], y, "x", color=LIGHT["red"], markersize=7, markeredgewidth=1.8, label="published")


def _legend_below(ax: Axes, columns: int = 2) -> None:
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=columns, fontsize=9)


def levels(table: pd.DataFrame, oracle: float, ax: Axes | None = None) -> Axes:
    """AUROC of models on feature versions, between chance and the oracle.

    Parameters
    ----------
    table : DataFrame
        Columns label (row), model, value, ci_low, ci_high, spread_low, spread_high.
    oracle : float
        The oracle's AUROC.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    names = list(dict.fromkeys(table["label"]))
    models = list(dict.fromkeys(table["model"]))
    ax = _axes(ax, len(names), len(models))
    places = _rows(ax, names)
    ax.axvline(0.5, color=colour("chance"), linestyle=DASHES[3], label="Chance")
    ax.axvline(oracle, color=colour("oracle"), linestyle=DASHES[1], label="Oracle")
    for k, model in enumerate(models):
        lift = 0.22 * ((len(models) - 1) / 2 - k)
        for position, (_, row) in enumerate(table[table["model"] == model].iterrows()):
            word = LABELS.get(model, model) if position == 0 else None
            _estimate(ax, row, places[row["label"]] + lift, colour(model), MARKERS[k], word)
    ax.set_xlabel("AUROC")
    _legend_below(ax, 3)
    return ax


def one_split(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """What one test split could have shown: spread of the test AUROC over trials, the truth, and what was published.

    Parameters
    ----------
    table : DataFrame
        Columns label, model, q025, q250, q500, q750, q975 (of the test AUROC), truth, published.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = _axes(ax, len(table), 1)
    places = _rows(ax, list(table["label"]))
    for position, (_, row) in enumerate(table.iterrows()):
        y, hue, first = places[row["label"]], colour(row["model"]), position == 0
        words = ["95% of trials", "half of trials", "population AUROC", "published"] if first else [None] * 4
        ax.plot([row["q025"], row["q975"]], [y, y], color=hue, linewidth=1.4, alpha=0.6, label=words[0])
        ax.plot([row["q250"], row["q750"]], [y, y], color=hue, linewidth=7, alpha=0.6, label=words[1])
        ax.plot(row["truth"], y, "o", color=LIGHT["ink"], markersize=5, label=words[2], linestyle="none")
        mark: dict[str, Any] = {"color": LIGHT["red"], "markersize": 7, "markeredgewidth": 1.8, "linestyle": "none"}
        ax.plot(row["published"], y, "x", label=words[3], **mark)
    ax.set_xlabel("AUROC on the test patients of one split")
    _legend_below(ax, 2)
    return ax


def seeds(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """AUROC of each model on the same data under several split seeds, one line a model.

    Parameters
    ----------
    table : DataFrame
        Columns split_seed, model, auroc.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = plt.subplots(figsize=(5.5, 2.7))[1] if ax is None else ax
    wide = table.pivot_table(index="split_seed", columns="model", values="auroc").loc[table["split_seed"].unique()]
    for k, model in enumerate(table["model"].unique()):
        style: dict[str, Any] = {"marker": MARKERS[k], "linestyle": DASHES[k], "linewidth": 1.0, "color": colour(model)}
        ax.plot(range(len(wide)), wide[model], label=LABELS.get(model, model), markersize=6, **style)
    ax.set_xticks(range(len(wide)), [str(seed) for seed in wide.index])
    ax.set_xlabel("Seed of the split")
    ax.set_ylabel("Test AUROC")
    _legend_below(ax, 3)
    return ax
