"""Distributions of patients' characteristics, and event rates by group."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attrition.plots.rows import Mark, rows
from attrition.plots.style import WIDTH, axes, colour, legend_below


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
    import seaborn as sns

    ax = axes(ax)
    edges = np.histogram_bin_edges(values, bins) if isinstance(bins, int) else bins
    for name, mask, dash in (("stayed", event == 0, "-"), ("dropout", event == 1, "--")):
        look = {"color": colour(name), "linestyle": dash, "linewidth": 1.5, "label": name}
        sns.histplot(x=values[mask], bins=list(edges), stat="probability", element="step", fill=False, ax=ax, **look)
    ax.set(xlabel=label, ylabel="share of patients", ylim=(0, None))
    return ax


def panels(
    trial: pd.DataFrame, event: np.ndarray, labels: Mapping[str, str], bins: Callable[[pd.Series], int | np.ndarray]
) -> Figure:
    """Histograms of four columns by outcome, under one legend; see `by_outcome`.

    Parameters
    ----------
    trial : pandas.DataFrame, shape (n_patients, n_columns)
    event : numpy.ndarray, shape (n_patients,)
        1 for dropout.
    labels : mapping of str to str
        Four columns and their names with unit.
    bins : callable
        Edges for the values of a column.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib.pyplot as plt

    fig, panels = plt.subplots(2, 2, figsize=(WIDTH, 4.6))
    for ax, (column, label) in zip(panels.flat, labels.items(), strict=True):
        by_outcome(trial[column], event, label, bins(trial[column]), ax)
    legend_below(panels[0, 0])
    return fig


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
    named = [f"{group}  (n = {n})" for group, n in zip(table["group"], table["n"], strict=True)]
    marks = {"": Mark("observed, 95% interval", "dropout", "o", 4.5)}
    also = {"expected": Mark("the law's own", "ink", "|", 12)} if "expected" in table else None
    ax = rows(table.assign(label=named, value=table["rate"], group=""), marks, ax, line=1.6, also=also)
    ax.set_title(label)
    ax.set_xlim(0, 1)
    return ax


def rates_by(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Event rates of several groupings below each other, under one legend; see `rates`.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        What the groups are, to their rates.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib.pyplot as plt

    fig, panels = plt.subplots(len(tables), 1, figsize=(WIDTH, 1.9 * len(tables)), sharex=True)
    for ax, (label, table) in zip(panels, tables.items(), strict=True):
        rates(table, label, ax)
    panels[-1].set_xlabel("share of patients who dropped out")
    legend_below(panels[0])
    return fig


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
    import seaborn as sns

    ax = axes(ax, 3.4)
    marks = {"stayed": {"marker": "o", "edgecolor": colour("stayed")}, "dropout": {"marker": "x"}}
    for value, (name, mark) in enumerate(marks.items()):
        look = {"color": colour(name), "alpha": 0.6, "linewidth": 1, "label": name, **mark}
        sns.scatterplot(x=x[event == value], y=y[event == value], s=14, legend=False, ax=ax, **look)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    return legend_below(ax)
