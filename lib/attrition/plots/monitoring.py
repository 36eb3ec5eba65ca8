"""Alarm rates and the running sum of calibration."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from attrition.monitoring import NAMES
from attrition.monitoring.surveillance import ALPHA
from attrition.plots.rows import Mark, rows
from attrition.plots.style import DASHES, MARKERS, WIDTH, axes, colour, legend_below

HUES = dict(zip(NAMES, ("blue", "teal", "green", "vermilion", "purple", "ochre", "red"), strict=True))


def rates(table: pd.DataFrame, level: float | None, title: str, ax: Axes) -> Axes:
    """Alarm rates of each method with intervals, one marker a batch size.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of one scenario from `attrition.monitoring.surveillance.study`, alarms only.
    level : float or None
        Nominal false-alarm rate, drawn as a line.
    title : str
    ax : matplotlib Axes

    Returns
    -------
    matplotlib Axes
    """
    sizes = sorted(table["batch_size"].unique())
    lift = dict(zip(sizes, np.linspace(-0.24, 0.24, len(sizes)), strict=True))
    drawn = table.assign(label=table["name"].map(NAMES), lift=table["batch_size"].map(lift), value=table["rate"])
    drawn["group"] = list(zip(table["batch_size"], table["name"], strict=True))
    markers = dict(zip(sizes, MARKERS, strict=False))
    marks = {(size, name): Mark(None, HUES[name], markers[size], 3.7) for size in sizes for name in NAMES}
    rows(drawn, marks, ax, labels=list(NAMES.values()), line=1, bars="muted")
    for made in ax.collections:
        made.set_zorder(4)  # an interval may be shorter than its mark is wide
    for size in sizes:
        ax.plot([], [], label=f"{size} patients", **Mark(None, "ink", markers[size], 3.7).style())
    if level is not None:
        ax.axvline(level, color=colour("muted"), linestyle=DASHES[1], linewidth=1, label="nominal", zorder=0)
    ax.set_xlim(-0.03, 1.03)
    ax.set_title(title)
    return ax


def worlds(table: pd.DataFrame, titles: Mapping[str, str], level: float | None = ALPHA) -> Figure:
    """Alarm rates in several worlds below each other, under one legend; see `rates`.

    Parameters
    ----------
    table : pandas.DataFrame
        Alarms of `attrition.monitoring.surveillance.study`.
    titles : mapping of str to str
        Scenarios from top to bottom and their names.
    level : float or None
        Nominal false-alarm rate, drawn as a line: what an alarm without a change has.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib.pyplot as plt

    size = (WIDTH, 1.0 + 2.2 * len(titles))
    fig, panels = plt.subplots(len(titles), 1, figsize=size, sharex=True, squeeze=False)
    for ax, (scenario, title) in zip(panels[:, 0], titles.items(), strict=True):
        rates(table[table["scenario"] == scenario], level, title, ax)
    panels[-1, 0].set_xlabel("share of batches with an alarm")
    legend_below(panels[0, 0], 3)
    return fig


def running_sum(path: NDArray, band: NDArray, ax: Axes | None = None) -> Axes:
    """Observed minus predicted dropouts as patients arrive, within what chance allows.

    Parameters
    ----------
    path : numpy.ndarray, shape (n_patients,)
    band : numpy.ndarray, shape (2, n_patients)
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = axes(ax, 3.2)
    arrived = np.arange(1, len(path) + 1)
    ax.fill_between(arrived, *band, color=colour("grid"), label="95% band without a change")
    ax.plot(arrived, path, color=colour("vermilion"), label="this batch")
    ax.axhline(0, color=colour("muted"), linewidth=0.8)
    ax.set(xlabel="patients arrived", ylabel="dropouts, observed minus predicted")
    return legend_below(ax)
