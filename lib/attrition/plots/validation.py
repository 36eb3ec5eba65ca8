"""Figures of the modelling chapter: published against found, folds, ways, strategies, validation schemes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attrition.metrics.intervals import wilson
from attrition.models import FITTED, LABELS, PUBLISHED
from attrition.plots.fitted import MARKER, colour
from attrition.plots.style import MARKERS, WIDTH


def _axes(ax: Axes | None, height: float = 3.4) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(WIDTH, height))[1]


def _pair(height: float) -> tuple[Figure, np.ndarray]:
    import matplotlib.pyplot as plt

    return plt.subplots(1, 2, figsize=(5.5, height), sharey=True)


def _rows(ax: Axes, labels: list[str]) -> np.ndarray:
    """One labelled row each, the first on top."""
    y = np.arange(len(labels))
    ax.set_yticks(y, labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    return y


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
    ax = _axes(ax)
    y = dict(zip(measures, _rows(ax, list(measures.values())), strict=True))
    for shift, name in zip((-0.22, 0, 0.22), PUBLISHED, strict=True):
        part = table[(table["key"] == name) & table["measure"].isin(measures)]
        at = part["measure"].map(y) + shift
        ax.hlines(at, part["published"], part["found"], color=colour(name), linewidth=1)
        ax.plot(part["found"], at, MARKER[name], color=colour(name), label=part["model"].iloc[0])
        ax.plot(part["published"], at, MARKER[name], color=colour(name), markerfacecolor=colour("paper"))
    ax.set_xlabel("open: published; filled: recomputed")
    ax.figure.legend(loc="outside lower center", ncols=len(PUBLISHED))
    return ax


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
    ax = _axes(ax, 3.0)
    for (name, part), row in zip(_parts(folds, labels), _rows(ax, list(labels.values())), strict=True):
        spread = np.linspace(-0.25, 0.25, len(part)) if len(part) > 1 else np.zeros(1)
        ax.plot(part["value"], row + spread, MARKER.get(name, "o"), color=colour(name), markersize=3.5, alpha=0.7)
        ax.plot(part["value"].mean(), row, "|", color=colour("ink"), markersize=26, markeredgewidth=2)
    for name, value in references.items():
        ax.axvline(value, color=colour(name), linestyle=":", linewidth=1.2)
    ax.set_xlabel("AUROC in a test fold")
    return ax


def _parts(table: pd.DataFrame, names: Mapping[str, str]) -> list[tuple[str, pd.DataFrame]]:
    return [(name, table[table["model"] == name]) for name in names]


def ways(table: pd.DataFrame, labels: Mapping[str, str], ax: Axes | None = None) -> Axes:
    """Cross-validated AUROC of each way (filled) and the population's (tick), by model.

    Parameters
    ----------
    table : DataFrame
        From `attrition.published.before_splitting.summary`.
    labels : mapping of str to str
        Ways from top to bottom and their names.
    ax : matplotlib Axes, optional
    """
    ax = _axes(ax, 3.0)
    rows = dict(zip(labels, _rows(ax, list(labels.values())), strict=True))
    names = list(dict.fromkeys(table["model"]))
    for shift, name in zip(np.linspace(-0.15, 0.15, len(names)), names, strict=True):
        part = table[table["model"] == name]
        at = part["way"].map(rows) + shift
        ax.hlines(at, part["truth"], part["value"], color=colour(name), linewidth=1)
        ax.plot(part["value"], at, MARKER[name], color=colour(name))
        ax.plot(part["truth"], at, "|", color=colour("ink"), markersize=12, markeredgewidth=1.6)
        ax.plot([], [], MARKER[name], color=colour(name), label=LABELS[name])
    ax.plot([], [], "|", color=colour("ink"), markersize=12, markeredgewidth=1.6, label="in the population")
    ax.set_xlabel("AUROC")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=len(names) + 1)
    return ax


def strategies(
    table: pd.DataFrame, measure: str, labels: Mapping[str, str], label: str, ax: Axes | None = None
) -> Axes:
    """Mean of a measure with its Monte-Carlo interval: strategies by row, models by marker.

    Parameters
    ----------
    table : DataFrame
        Rows of one event rate of `attrition.modelling.imbalance.summary`.
    measure : str
    labels : mapping of str to str
        Strategies from top to bottom and their names.
    label : str
        Of the axis.
    ax : matplotlib Axes, optional
    """
    ax = _axes(ax)
    rows = dict(zip(labels, _rows(ax, list(labels.values())), strict=True))
    shown = [name for name in FITTED if name in set(table["model"])]
    for shift, name in zip(np.linspace(-0.22, 0.22, len(shown)), shown, strict=True):
        part = table[(table["model"] == name) & (table["measure"] == measure)]
        at = part["strategy"].map(rows) + shift
        ax.hlines(at, part["ci_low"], part["ci_high"], color=colour(name), linewidth=1.4)
        ax.plot(part["value"], at, MARKER[name], color=colour(name), label=name)
    ax.set_xlabel(label)
    return ax


def schemes(table: pd.DataFrame, measure: str, labels: Mapping[str, str], label: str, ax: Axes | None = None) -> Axes:
    """A performance measure of each scheme with its Monte-Carlo interval, trial sizes by marker.

    A coverage is a share of trials and has Wilson's interval; the others have two Monte-Carlo errors either side.

    Parameters
    ----------
    table : DataFrame
        From `attrition.modelling.validation.summary`.
    measure : {"bias", "rmse", "coverage"}
    labels : mapping of str to str
        Schemes from top to bottom and their names.
    label : str
        Of the axis.
    ax : matplotlib Axes, optional
    """
    ax = _axes(ax)
    rows = dict(zip(labels, _rows(ax, list(labels.values())), strict=True))
    sizes = sorted(table["n_patients"].unique())
    hues = ("ochre", "teal", "purple", "blue")
    for i, (size, shift) in enumerate(zip(sizes, np.linspace(-0.22, 0.22, len(sizes)), strict=True)):
        part = table[table["n_patients"] == size]
        at, hue = part["scheme"].map(rows) + shift, colour(hues[i % len(hues)])
        ax.hlines(at, *_uncertain(part, measure), color=hue, linewidth=1.2)
        ax.plot(part[measure], at, MARKERS[i], color=hue, label=f"n = {size:,}", markersize=4)
    ax.set_xlabel(label)
    return ax


def _uncertain(part: pd.DataFrame, measure: str) -> tuple[list[float], list[float]]:
    """Lower and upper ends of the Monte-Carlo intervals."""
    if measure == "coverage":
        shares = [wilson(share * n, n) for share, n in zip(part["coverage"], part["n_trials"], strict=True)]
        return [found["ci_low"] for found in shares], [found["ci_high"] for found in shares]
    error = 2 * part[f"{measure}_se"]
    return (part[measure] - error).tolist(), (part[measure] + error).tolist()


def legend_below(axes: Sequence[Axes] | np.ndarray, names: Mapping[str, str] | None = None) -> None:
    """One legend for all panels, below them."""
    handles, labels = axes[0].get_legend_handles_labels()
    shown = [names.get(label, label) for label in labels] if names else labels
    axes[0].figure.legend(handles, shown, loc="outside lower center", ncols=len(shown))


def mark(ax: Axes, low: float, high: float | None = None) -> Axes:
    """Mark where a measure should be: a line at one value, or a band between two."""
    if high is None:
        ax.axvline(low, color=colour("muted"), linewidth=1, zorder=0)
    else:
        ax.axvspan(low, high, color=colour("grid"), alpha=0.6, zorder=0)
    return ax


def strategies_pair(table: pd.DataFrame, names: Mapping[str, str], models: Mapping[str, str]) -> Figure:
    """AUROC and calibration-in-the-large of balancing strategies, side by side, 0 marked; see `strategies`."""
    fig, axes = _pair(3.9)
    strategies(table, "auroc", names, "AUROC", axes[0])
    strategies(table, "calibration_in_the_large", names, "calibration-in-the-large\n(log odds)", axes[1])
    mark(axes[1], 0.0)
    legend_below(axes, models)
    return fig


def schemes_pair(table: pd.DataFrame, names: Mapping[str, str], wanted: tuple[float, float]) -> Figure:
    """Bias and interval coverage of validation schemes, the wanted coverage shaded; see `schemes`."""
    fig, axes = _pair(4.8)
    schemes(table, "bias", names, "bias of the AUROC", axes[0])
    schemes(table, "coverage", names, "interval coverage", axes[1])
    mark(axes[0], 0.0)
    mark(axes[1], *wanted)
    legend_below(axes)
    return fig
