"""Figures of the front page: who went where, and printed operating points against what their AUROC allows."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from attrition.plots import style

GRID = np.linspace(0, 1, 201)


def binormal_curve(auroc: float, fpr: np.ndarray = GRID) -> np.ndarray:
    """True-positive rates of the equal-variance binormal ROC curve with a given area, a typical concave curve.

    Parameters
    ----------
    auroc : float
        Area, above .5.
    fpr : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> bool(abs(np.trapezoid(binormal_curve(0.643), GRID) - 0.643) < 1e-3)
    True
    """
    separation = np.sqrt(2) * stats.norm.ppf(auroc)
    return stats.norm.cdf(separation + stats.norm.ppf(fpr))


def operating_points(points: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Printed operating points, the least concave curve through each, and a curve with the printed area.

    Parameters
    ----------
    points : DataFrame
        Columns ``claim, fpr, tpr, published, least`` (the last two AUROCs), one row a claim.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.subplots(figsize=(4.6, 4.4))[1]
    ax.plot([0, 1], [0, 1], color=style.colour("chance"), linestyle=":", linewidth=1)
    for area, dash in zip(sorted(points["published"].unique(), reverse=True), style.DASHES, strict=False):
        label = f"a curve with AUROC {area:.3f}"
        ax.plot(GRID, binormal_curve(area), color=style.colour("oracle"), linestyle=dash, label=label)
    for i, row in enumerate(points.itertuples()):
        hue = style.LIGHT[("vermilion", "blue", "purple", "green")[i % 4]]
        ax.plot([0, row.fpr, 1], [0, row.tpr, 1], color=hue, linewidth=1)
        ax.plot(row.fpr, row.tpr, style.MARKERS[i], color=hue, label=f"{row.claim}, at least {row.least:.3f}")
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="false-positive rate", ylabel="true-positive rate (recall)")
    ax.set_aspect("equal", adjustable="box")
    ax.legend(loc="lower right")
    return ax


def flow(columns: Mapping[str, Sequence[tuple[str, int, str, bool]]], ax: Axes | None = None) -> Axes:
    """Participant flow: a column of boxes a study, joined by arrows from top to bottom.

    Parameters
    ----------
    columns : mapping of str to sequence of (label, n, note, beside)
        Study to its steps; `note` is set below and may be empty; a step that is `beside` the one above gets no arrow.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.subplots(figsize=(style.WIDTH, 4.2))[1]
    depth = max(len(steps) for steps in columns.values())
    for x, (study, steps) in enumerate(columns.items()):
        ax.text(x, -0.62, study, ha="center", va="center", weight="bold", color=style.LIGHT["ink"])
        for y, (label, n, note, beside) in enumerate(steps):
            _box(ax, x, y, label, n, note)
            if y and not beside:
                arrow = {"arrowstyle": "->", "color": style.LIGHT["muted"], "shrinkA": 0, "shrinkB": 0}
                ax.annotate("", (x, y - 0.33), (x, y - 0.67), arrowprops=arrow)
    ax.set(xlim=(-0.52, len(columns) - 0.48), ylim=(depth - 0.6, -0.85))
    ax.set_axis_off()
    return ax


def _box(ax: Axes, x: float, y: float, label: str, n: int, note: str) -> None:
    frame = plt.Rectangle((x - 0.47, y - 0.33), 0.94, 0.66, fill=False, edgecolor=style.LIGHT["muted"], linewidth=1)
    ax.add_patch(frame)
    ink, muted = style.LIGHT["ink"], style.LIGHT["muted"]
    ax.text(x, y - 0.13 if note else y, f"{n:,} {label}", ha="center", va="center", color=ink, fontsize=9.5)
    if note:
        ax.text(x, y + 0.15, note, ha="center", va="center", color=muted, fontsize=9)
