"""The participant flow of a trial, drawn from its data (CONSORT)."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.style import colour

MAIN, SIDE = (0.0, 0.36), (0.42, 1.0)
STEP = 0.86
LINE = 0.125


def _box(ax: Axes, sides: tuple[float, float], y: float, lines: Sequence[str], hue: str) -> float:
    """A frame around lines of text, centred on `y`; gives half its height."""
    half = (len(lines) * LINE + 0.09) / 2
    left, right = sides
    frame = plt.Rectangle((left, y - half), right - left, 2 * half, fill=False, edgecolor=colour(hue), linewidth=1)
    ax.add_patch(frame)
    for row, text in enumerate(lines):
        place = y + half - 0.045 - LINE * (row + 0.5)
        weight = "bold" if row == 0 else "normal"
        ax.text(
            (left + right) / 2, place, text, ha="center", va="center", fontsize=9, weight=weight, color=colour("ink")
        )
    return half


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": colour("muted"), "shrinkA": 0, "shrinkB": 0, "linewidth": 1}
    ax.annotate("", end, start, arrowprops=style)


def _reasons(row: pd.Series, groups: Sequence[str]) -> list[str]:
    """Reasons with their counts, two to a line."""
    given = [f"{group} {int(row[group])}" for group in groups if row[group] > 0]
    return [", ".join(given[i : i + 2]) for i in range(0, len(given), 2)]


def consort(table: pd.DataFrame, groups: Sequence[str], ax: Axes | None = None) -> Axes:
    """Boxes of those who are still there, from top to bottom; beside them those who left, by reason.

    Parameters
    ----------
    table : pandas.DataFrame
        From `attrition.landmark.cohort.participant_flow`.
    groups : sequence of str
        Reason groups, in order.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    if ax is None:
        ax = plt.subplots(figsize=(5.5, 0.4 + STEP * len(table)))[1]
    middle = sum(MAIN) / 2
    below = None
    for number, (_, row) in enumerate(table.iterrows()):
        y = -STEP * number
        half = _box(ax, MAIN, y, [f"{int(row['n']):,}", str(row["step"])], "ink")
        if below is not None:
            _arrow(ax, (middle, below), (middle, y + half))
            if row["left"] > 0:
                between = y + STEP / 2
                title = f"not {row['step']}" if row["step"] in ("randomised", "analysed") else "left"
                _box(ax, SIDE, between, [f"{int(row['left']):,} {title}", *_reasons(row, groups)], "muted")
                _arrow(ax, (middle, between), (SIDE[0], between))
        below = y - half
    ax.set(xlim=(-0.005, 1.005), ylim=(-STEP * (len(table) - 1) - 0.3, 0.3))
    ax.set_axis_off()
    return ax
