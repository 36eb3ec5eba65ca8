"""Cost in pictures: time and memory by number of patients."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from attrition.plots import style

LIMIT = 2048
"""Largest peak memory that the study allows itself, in MiB."""


def curves(costs: pd.DataFrame) -> np.ndarray:
    """Seconds and peak memory by number of patients, one line a step.

    Parameters
    ----------
    costs : DataFrame
        Columns step, patients, seconds, peak_mib.

    Returns
    -------
    ndarray of Axes, shape (2,)
    """
    figure, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 3.6))
    for number, (step, rows) in enumerate(costs.groupby("step", sort=False)):
        look = {
            "color": style.colour(style.CYCLE[number]),
            "marker": style.MARKERS[number],
            "linestyle": style.DASHES[number],
            "markersize": 4,
        }
        axes[0].plot(rows["patients"], rows["seconds"], label=step, **look)
        axes[1].plot(rows["patients"], rows["peak_mib"], **look)
    _logarithmic(axes[0], "processor seconds")
    _logarithmic(axes[1], "peak memory, MiB")
    axes[1].set_ylim(100, LIMIT * 1.2)
    axes[1].axhline(LIMIT, color=style.colour("muted"), linestyle=":", linewidth=1)
    axes[1].annotate("2 GiB", (1e3, LIMIT), xytext=(0, -4), textcoords="offset points", va="top", fontsize=9)
    figure.legend(loc="outside lower center", ncols=2)
    return axes


def _logarithmic(ax: Axes, label: str) -> None:
    ax.set(xscale="log", yscale="log", xlabel="patients", ylabel=label)
    ax.set_xticks([1e3, 1e5, 1e7])
    ax.minorticks_off()
