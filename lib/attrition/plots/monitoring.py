"""Alarm rates and the running sum of calibration."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from attrition.monitoring import NAMES
from attrition.monitoring.surveillance import ALPHA
from attrition.plots.style import DASHES, LIGHT, MARKERS, WIDTH, colour

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
    shift = np.linspace(-0.24, 0.24, len(sizes))
    for size, offset, marker in zip(sizes, shift, MARKERS, strict=False):
        part = table[table["batch_size"] == size].set_index("name").loc[list(NAMES)]
        place = np.arange(len(part)) + offset
        spread = np.abs(part[["ci_low", "ci_high"]].to_numpy().T - part["rate"].to_numpy())
        hues = [LIGHT[HUES[name]] for name in part.index]
        ax.scatter(part["rate"], place, color=hues, marker=marker, s=14, zorder=3)
        ax.errorbar(part["rate"], place, xerr=spread, fmt="none", ecolor=colour("muted"), linewidth=1, zorder=4)
        ax.scatter([], [], color=colour("ink"), marker=marker, s=14, label=f"{size} patients")
    if level is not None:
        ax.axvline(level, color=colour("muted"), linestyle=DASHES[1], linewidth=1, label="nominal", zorder=0)
    ax.set_yticks(range(len(NAMES)), NAMES.values())
    ax.set_ylim(len(NAMES) - 0.5, -0.5)
    ax.set_xlim(-0.03, 1.03)
    ax.set_title(title)
    ax.grid(axis="y", visible=False)
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
    fig, axes = plt.subplots(len(titles), 1, figsize=size, sharex=True, squeeze=False)
    for ax, (scenario, title) in zip(axes[:, 0], titles.items(), strict=True):
        rates(table[table["scenario"] == scenario], level, title, ax)
    axes[-1, 0].set_xlabel("share of batches with an alarm")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
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
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(WIDTH, 3.2))[1]
    arrived = np.arange(1, len(path) + 1)
    ax.fill_between(arrived, *band, color=colour("grid"), label="95% band without a change")
    ax.plot(arrived, path, color=colour("vermilion"), label="this batch")
    ax.axhline(0, color=colour("muted"), linewidth=0.8)
    ax.set_xlabel("patients arrived")
    ax.set_ylabel("dropouts, observed minus predicted")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return ax
