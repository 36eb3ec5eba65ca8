"""Forest plots: paired differences and levels with intervals, and what one split could have shown."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from attrition.models import LABELS
from attrition.plots.fitted import colour
from attrition.plots.rows import Mark, rows
from attrition.plots.style import DASHES, LIGHT, MARKERS, axes, legend_below
from notebook_report import text

SETTING_LABELS = {"default": "law's own prevalence", "p24": "24 % drop out"}
SETTINGS = {
    name: Mark(text.percent(label), hue, marker, 6)
    for (name, label), hue, marker in zip(SETTING_LABELS.items(), ("blue", "ochre"), MARKERS, strict=False)
}
CROSS = Mark("published", "red", "x", 7)


def differences(
    table: pd.DataFrame, smallest_difference: float, ax: Axes | None = None, xlabel: str = "Gain in AUROC"
) -> Axes:
    """Paired differences in both settings of prevalence with the smallest difference of interest.

    Parameters
    ----------
    table : DataFrame
        Columns label, setting, value, ci_low, ci_high; optionally spread_low, spread_high (thin line) and published
        (cross).
    smallest_difference : float
        Shaded to both sides of zero.
    ax : Axes, optional
    xlabel : str

    Returns
    -------
    Axes
    """
    marks = {name: SETTINGS[name] for name in dict.fromkeys(table["setting"])}
    ax = rows(table.assign(group=table["setting"]), marks, ax, gap=0.32, line=3.2)
    shade = f"below the smallest difference of interest, {smallest_difference:g}"
    ax.axvspan(
        -smallest_difference, smallest_difference, color=LIGHT["grid"], alpha=0.6, linewidth=0, label=shade, zorder=0
    )
    ax.axvline(0, color=LIGHT["ink"], linewidth=0.8, zorder=1)
    if "published" in table:
        known = table[["label", "published"]].dropna().drop_duplicates("label").rename(columns={"published": "value"})
        rows(known, {"": CROSS}, ax, labels=list(table["label"]))
    ax.set_xlabel(xlabel)
    return legend_below(ax)


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
    models = dict(zip(dict.fromkeys(table["model"]), MARKERS, strict=False))
    marks = {name: Mark(LABELS.get(name, name), colour(name), marker, 6) for name, marker in models.items()}
    ax = rows(table.assign(group=table["model"]), marks, ax, line=3.2)
    ax.axvline(0.5, color=colour("chance"), linestyle=DASHES[3], label="Chance")
    ax.axvline(oracle, color=colour("oracle"), linestyle=DASHES[1], label="Oracle")
    ax.set_xlabel("AUROC")
    return legend_below(ax, 3)


def one_split(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """What one test split could have shown: spread of the test AUROC over trials, the truth, and what was published.

    Parameters
    ----------
    table : DataFrame
        Columns label, model, q025, q250, q750, q975 (of the test AUROC), truth, published.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    drawn = table.rename(columns={"q025": "spread_low", "q975": "spread_high", "model": "group"})
    marks = {name: Mark(hue=colour(name)) for name in dict.fromkeys(drawn["group"])}
    also = {"truth": Mark("population AUROC", "ink", "o", 5), "published": CROSS}
    ax = rows(drawn, marks, ax, ends=("q250", "q750"), gap=0, line=7, also=also)
    thin, thick = ax.collections[:2]
    thin.set_label("95% of trials")
    thick.set_label("half of trials")
    ax.set_xlabel("AUROC on the test patients of one split")
    return legend_below(ax)


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
    ax = axes(ax, 2.7)
    wide = table.pivot_table(index="split_seed", columns="model", values="auroc").loc[table["split_seed"].unique()]
    for k, model in enumerate(table["model"].unique()):
        style: dict[str, Any] = {"marker": MARKERS[k], "linestyle": DASHES[k], "linewidth": 1.0, "color": colour(model)}
        ax.plot(range(len(wide)), wide[model], label=LABELS.get(model, model), markersize=6, **style)
    ax.set_xticks(range(len(wide)), [str(seed) for seed in wide.index])
    ax.set(xlabel="Seed of the split", ylabel="Test AUROC")
    return legend_below(ax, 3)
