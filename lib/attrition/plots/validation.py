"""Figures of the modelling chapter: published against found, folds, ways, strategies, validation schemes."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attrition.metrics.intervals import wilson
from attrition.models import FITTED, LABELS, PUBLISHED
from attrition.plots.fitted import MARKER, colour
from attrition.plots.rows import Mark, rows
from attrition.plots.style import MARKERS, WIDTH, legend_below


def _marks(models: Iterable[str], size: float = 5.5, names: Mapping[str, str] = LABELS) -> dict[str, Mark]:
    return {name: Mark(names.get(name, name), colour(name), MARKER.get(name, "o"), size) for name in models}


def published_and_found(table: pd.DataFrame, measures: Mapping[str, str], ax: Axes | None = None) -> Axes:
    """Published figure (open) and recomputed figure (filled) of each model and measure, joined by a line.

    Parameters
    ----------
    table : DataFrame
        Columns key (model), measure, published, found.
    measures : mapping of str to str
        Measures from top to bottom and their names.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    drawn = table.assign(group=table["key"], label=table["measure"].map(measures)).dropna(subset="label")
    form: dict[str, Any] = {"labels": list(measures.values()), "ends": ("published", "found"), "line": 1, "height": 3.4}
    marks = _marks(PUBLISHED)
    ax = rows(drawn.assign(value=drawn["found"]), marks, ax, **form)
    hollow = {name: mark._replace(label=None, face="paper") for name, mark in marks.items()}
    rows(drawn.assign(value=drawn["published"]), hollow, ax, **form)
    ax.set_xlabel("open: published; filled: recomputed")
    return legend_below(ax, len(PUBLISHED))


def fold_distribution(
    folds: pd.DataFrame, labels: Mapping[str, str], references: Mapping[str, float], ax: Axes | None = None
) -> Axes:
    """AUROC of every fold as a point, the mean as a tick, and reference lines.

    Parameters
    ----------
    folds : DataFrame
        Columns model, repeat, fold, value.
    labels : mapping of str to str
        Models from top to bottom and their names.
    references : mapping of str to float
        Vertical lines by colour name.
    ax : matplotlib Axes, optional
    """
    place = folds.groupby("model").cumcount() / folds.groupby("model")["value"].transform("size").sub(1).clip(lower=1)
    drawn = folds.assign(group=folds["model"], label=folds["model"].map(labels), lift=0.5 * place - 0.25)
    ax = rows(drawn, _marks(labels, 4), ax, labels=list(labels.values()), height=3.0)
    mean = folds.groupby("model")["value"].mean().rename(index=labels).rename_axis("label").reset_index()
    rows(mean, {"": Mark(hue="ink", marker="|", size=26)}, ax, labels=list(labels.values()))
    for name, value in references.items():
        ax.axvline(value, color=colour(name), linestyle=":", linewidth=1.2)
    ax.set_xlabel("AUROC in a test fold")
    return ax


def ways(table: pd.DataFrame, labels: Mapping[str, str], ax: Axes | None = None) -> Axes:
    """Cross-validated AUROC of each way (filled) and the population's (tick), by model.

    Parameters
    ----------
    table : DataFrame
        From `attrition.studies.imbalance.inflation`.
    labels : mapping of str to str
        Ways from top to bottom and their names.
    ax : matplotlib Axes, optional
    """
    drawn, marks = table.assign(group=table["model"], label=table["way"].map(labels)), _marks(table["model"].unique())
    form: dict[str, Any] = {
        "labels": list(labels.values()),
        "ends": ("truth", "value"),
        "line": 1,
        "height": 3.0,
        "gap": 0.3,
    }
    ax = rows(drawn, marks, ax, also={"truth": Mark("in the population", "ink", "|", 12)}, **form)
    ax.set_xlabel("AUROC")
    return legend_below(ax, len(marks) + 1)


def strategies(
    table: pd.DataFrame, measure: str, labels: Mapping[str, str], models: Mapping[str, str], label: str, ax: Axes
) -> Axes:
    """Mean of a measure with its Monte-Carlo interval: strategies by row, models by marker.

    Parameters
    ----------
    table : DataFrame
        Rows of one event rate of `attrition.studies.imbalance.summary`.
    measure : str
    labels : mapping of str to str
        Strategies from top to bottom and their names.
    models : mapping of str to str
        Models and their names.
    label : str
        Of the axis.
    ax : matplotlib Axes
    """
    shown = table[(table["measure"] == measure) & table["model"].isin(FITTED)]
    drawn, names = shown.assign(group=shown["model"], label=shown["strategy"].map(labels)), set(shown["model"])
    marks = _marks((name for name in FITTED if name in names), names=models)
    ax = rows(drawn, marks, ax, labels=list(labels.values()), gap=0.44 / max(len(marks) - 1, 1))
    ax.set_xlabel(label)
    return ax


def schemes(table: pd.DataFrame, measure: str, labels: Mapping[str, str], label: str, ax: Axes) -> Axes:
    """A performance measure of each scheme with its Monte-Carlo interval, trial sizes by marker.

    A coverage is a share of trials and has Wilson's interval; the others have two Monte-Carlo errors either side.

    Parameters
    ----------
    table : DataFrame
        From `attrition.studies.validation.summary`.
    measure : {"bias", "rmse", "coverage"}
    labels : mapping of str to str
        Schemes from top to bottom and their names.
    label : str
        Of the axis.
    ax : matplotlib Axes
    """
    hues, sizes = ("ochre", "teal", "purple", "blue"), sorted(table["n_patients"].unique())
    marks = {size: Mark(f"n = {size:,}", hues[i % 4], MARKERS[i], 4.5) for i, size in enumerate(sizes)}
    drawn = table.assign(group=table["n_patients"], label=table["scheme"].map(labels), value=table[measure])
    drawn["ci_low"], drawn["ci_high"] = _uncertain(table, measure)
    gap = 0.44 / max(len(sizes) - 1, 1)
    ax = rows(drawn, marks, ax, labels=list(labels.values()), gap=gap, line=1.2)
    ax.set_xlabel(label)
    return ax


def _uncertain(table: pd.DataFrame, measure: str) -> tuple[list[float], list[float]]:
    """Lower and upper ends of the Monte-Carlo intervals."""
    if measure == "coverage":
        shares = [wilson(share * n, n) for share, n in zip(table["coverage"], table["n_trials"], strict=True)]
        return [found["ci_low"] for found in shares], [found["ci_high"] for found in shares]
    error = 2 * table[f"{measure}_se"]
    return (table[measure] - error).tolist(), (table[measure] + error).tolist()


def _pair(height: float) -> tuple[Figure, np.ndarray]:
    import matplotlib.pyplot as plt

    return plt.subplots(1, 2, figsize=(WIDTH, height), sharey=True)


def strategies_pair(table: pd.DataFrame, names: Mapping[str, str], models: Mapping[str, str]) -> Figure:
    """AUROC and calibration-in-the-large of balancing strategies, side by side, 0 marked; see `strategies`."""
    fig, (left, right) = _pair(3.9)
    strategies(table, "auroc", names, models, "AUROC", left)
    strategies(table, "calibration_in_the_large", names, models, "calibration-in-the-large\n(log odds)", right)
    right.axvline(0.0, color=colour("muted"), linewidth=1, zorder=0)
    legend_below(left, len(left.get_legend_handles_labels()[1]))
    return fig


def schemes_pair(table: pd.DataFrame, names: Mapping[str, str], wanted: tuple[float, float]) -> Figure:
    """Bias and interval coverage of validation schemes, the wanted coverage shaded; see `schemes`."""
    fig, (left, right) = _pair(4.8)
    schemes(table, "bias", names, "bias of the AUROC", left)
    schemes(table, "coverage", names, "interval coverage", right)
    left.axvline(0.0, color=colour("muted"), linewidth=1, zorder=0)
    right.axvspan(*wanted, color=colour("grid"), alpha=0.6, zorder=0)
    legend_below(left, len(left.get_legend_handles_labels()[1]))
    return fig
