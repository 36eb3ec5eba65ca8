"""Distributions of patients' characteristics, and event rates by group."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.style import colour


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def by_outcome(
    values: pd.Series, event: np.ndarray, label: str, bins: int | np.ndarray = 24, ax: Axes | None = None
) -> Axes:
    """Two histograms of shares, patients who stayed and patients who dropped out.

    Parameters
    ----------
    values : pandas.Series, shape (n_patients,)
    event : numpy.ndarray, shape (n_patients,)
        1 for dropout.
    label : str
        Name and unit for the axis.
    bins : int or array of edges
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    edges = np.histogram_bin_edges(values, bins) if isinstance(bins, int) else bins
    for name, mask, dash in (("stayed", event == 0, "-"), ("dropout", event == 1, "--")):
        share, _ = np.histogram(values[mask], edges)
        ax.stairs(share / mask.sum(), edges, color=colour(name), linestyle=dash, linewidth=1.5, label=name)
    ax.set_xlabel(label)
    ax.set_ylabel("share of patients")
    ax.set_ylim(bottom=0)
    return ax


def rates(table: pd.DataFrame, label: str, ax: Axes | None = None) -> Axes:
    """Observed event rates with intervals, and the known probability beside them.

    Parameters
    ----------
    table : pandas.DataFrame
        From `attrition.tables.event_rates`.
    label : str
        What the groups are.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    place = np.arange(len(table))
    spread = np.abs(table[["ci_low", "ci_high"]].to_numpy().T - table["rate"].to_numpy())
    ax.errorbar(table["rate"], place, xerr=spread, fmt="o", color=colour("dropout"), label="observed, 95 % interval")
    if "expected" in table:
        ax.plot(table["expected"], place, "|", color=colour("ink"), markersize=12, label="the law's own")
    ax.set_yticks(place, [f"{g}  (n = {n})" for g, n in zip(table["group"], table["n"], strict=True)])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_title(label)
    ax.set_xlim(0, 1)
    ax.grid(axis="y", visible=False)
    return ax


def against(x: pd.Series, y: pd.Series, event: np.ndarray, labels: tuple[str, str], ax: Axes | None = None) -> Axes:
    """Scatter of two characteristics, marked by outcome.

    Parameters
    ----------
    x, y : pandas.Series, shape (n_patients,)
    event : numpy.ndarray, shape (n_patients,)
    labels : tuple of str
        Names and units of the axes.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    for name, mask, marker in (("stayed", event == 0, "o"), ("dropout", event == 1, "x")):
        ax.scatter(x[mask], y[mask], s=14, marker=marker, color=colour(name), alpha=0.6, linewidth=1, label=name)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    return ax
