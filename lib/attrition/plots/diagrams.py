"""Diagrams: the law as a graph, and who went where in a trial (CONSORT)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from attrition import settings
from attrition.plots.style import axes, colour

LAW = settings.declared(__file__, "law.yaml")
NODES = LAW["nodes"]
EDGES = tuple((cause, effect) for cause, effects in LAW["effects"].items() for effect in effects)
GROUP_COLOUR = {"enrolment": "blue", "follow-up": "ochre", "hidden": "muted", "outcome": "vermilion"}
STILL_THERE, LEFT = (0.0, 0.47), (0.53, 1.0)
"""Left and right side of the two columns of boxes of `consort`."""
STEP, LINE = 0.86, 0.125


def dag() -> Axes:
    """Draw the law as a graph: what is drawn from what, by the time at which it is known."""
    ax = axes(None, 3.9)
    boxes = {name: _rounded(ax, *node) for name, node in NODES.items()}
    arrow = {"arrowstyle": "-|>", "color": colour("muted"), "linewidth": 0.9, "shrinkA": 1, "shrinkB": 1}
    for start, end in EDGES:
        ends = {"patchA": boxes[start].get_bbox_patch(), "patchB": boxes[end].get_bbox_patch()}
        ax.annotate("", NODES[end][:2], NODES[start][:2], arrowprops={**arrow, **ends}, zorder=4)
    for i, (key, hue) in enumerate(GROUP_COLOUR.items()):
        ax.text(-0.35 + i * 1.05, 0.35, f"▪ {key}", color=colour(hue), fontsize=9)
    ax.set(xlim=(-0.55, 3.6), ylim=(0.2, 6.1))
    ax.set_axis_off()
    return ax


def _rounded(ax: Axes, x: float, y: float, label: str, group: str) -> Text:
    hue = colour(GROUP_COLOUR[group])
    box = {"boxstyle": "round,pad=0.35", "facecolor": colour("paper"), "edgecolor": hue, "linewidth": 1.3}
    return ax.text(x, y, label, ha="center", va="center", fontsize=9, bbox=box, zorder=3)


def edges_table() -> pd.DataFrame:
    """Edges of `dag` as a table: cause, effect."""
    return pd.DataFrame([(NODES[a][2], NODES[b][2]) for a, b in EDGES], columns=["cause", "effect"])


def _frame(ax: Axes, sides: tuple[float, float], bottom: float, height: float, hue: str) -> None:
    corner, width = (sides[0], bottom), sides[1] - sides[0]
    ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=colour(hue), linewidth=1))


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    look = {"arrowstyle": "-|>", "color": colour("muted"), "shrinkA": 0, "shrinkB": 0, "linewidth": 1}
    ax.annotate("", end, start, arrowprops=look)


def _centred(ax: Axes, x: float, y: float, words: str, hue: str = "ink", **look: Any) -> None:
    ax.text(x, y, words, ha="center", va="center", color=colour(hue), fontsize=9, **look)


def _box(ax: Axes, sides: tuple[float, float], y: float, words: Sequence[str], hue: str) -> float:
    """A frame around lines of text, the first bold, centred on `y`; gives half its height."""
    half = (len(words) * LINE + 0.09) / 2
    _frame(ax, sides, y - half, 2 * half, hue)
    for row, told in enumerate(words):
        _centred(ax, sum(sides) / 2, y + half - 0.045 - LINE * (row + 0.5), told, weight="normal" if row else "bold")
    return half


def consort(table: pd.DataFrame, groups: Sequence[str]) -> Axes:
    """Boxes of those who are still there, from top to bottom (`participant_flow`); beside them who left, by reason."""
    ax, middle, below = axes(None, 0.4 + STEP * len(table)), sum(STILL_THERE) / 2, None
    for number, (_, row) in enumerate(table.iterrows()):
        y = -STEP * number
        half = _box(ax, STILL_THERE, y, [f"{int(row['n']):,}", str(row["step"])], "ink")
        if below is not None:
            _arrow(ax, (middle, below), (middle, y + half))
        if below is not None and row["left"] + row["censored"] > 0:
            between = y + STEP / 2
            title = f"not {row['step']}" if row["step"] in ("randomised", "analysed") else "left"
            reasons = [f"{group} {int(row[group])}" for group in groups if row[group] > 0]
            reasons += [f"not followed further {int(row['censored'])}"] if row["censored"] > 0 else []
            _box(ax, LEFT, between, [f"{int(row['left']):,} {title}", *reasons], "muted")
            _arrow(ax, (middle, between), (LEFT[0], between))
        below = y - half
    ax.set(xlim=(-0.005, 1.005), ylim=(-STEP * (len(table) - 1) - 0.3, 0.3))
    ax.set_axis_off()
    return ax


def flow(columns: Mapping[str, Sequence[tuple[str, int, str, bool]]]) -> Axes:
    """Participant flow: a column of boxes a study, joined by arrows from top to bottom.

    A step has a label, a number, a note below, and whether it stands beside the one above and gets no arrow.
    """
    ax, depth = axes(None, 4.2), max(len(steps) for steps in columns.values())
    for x, (study, steps) in enumerate(columns.items()):
        _centred(ax, x, 0.62, study, weight="bold")
        for row, (label, n, note, beside) in enumerate(steps):
            _frame(ax, (x - 0.47, x + 0.47), -row - 0.33, 0.66, "muted")
            _centred(ax, x, 0.13 - row if note else -row, f"{n:,} {label}")
            _centred(ax, x, -0.15 - row, note, "muted")
            if row and not beside:
                _arrow(ax, (x, 0.67 - row), (x, 0.33 - row))
    ax.set(xlim=(-0.52, len(columns) - 0.48), ylim=(0.6 - depth, 0.85))
    ax.set_axis_off()
    return ax
