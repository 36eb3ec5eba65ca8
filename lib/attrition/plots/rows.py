"""Labelled rows, each with marks and intervals: the one form of every forest and dot plot."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.style import LIGHT, axes, colour


class Mark(NamedTuple):
    """How a group looks: words of its legend, colour (a name, or a hex string), marker, size in points, filling.

    Examples
    --------
    >>> Mark("published", "red", "x").style()["color"] == colour("red")
    True
    """

    label: str | None = None
    hue: str = "blue"
    marker: str = "o"
    size: float = 5.5
    face: str | None = None

    def style(self) -> dict[str, Any]:
        """What `Axes.plot` needs to draw it."""
        hue = self.hue if self.hue.startswith("#") else colour(self.hue)
        look = {"color": hue, "marker": self.marker, "markersize": self.size, "linestyle": "none"}
        face = LIGHT.get(self.face, self.face) if self.face else hue
        return look | {"markerfacecolor": face, "markeredgewidth": 1.8 if self.marker in "x|" else 1.0}


def rows(
    table: pd.DataFrame,
    marks: Mapping[Any, Mark] | None = None,
    ax: Axes | None = None,
    *,
    labels: Sequence[str] | None = None,
    ends: tuple[str, str] = ("ci_low", "ci_high"),
    gap: float = 0.22,
    line: float = 2.0,
    also: Mapping[str, Mark] | None = None,
    bars: str | None = None,
    height: float | None = None,
) -> Axes:
    """Draw a table of estimates, one labelled row a label from top to bottom, groups beside each other.

    Parameters
    ----------
    table : pandas.DataFrame
        ``label`` and ``value``; optionally ``group``, the two columns of `ends` (a line), ``spread_low`` and
        ``spread_high`` (a thin line), and ``lift`` (how far below its row a mark stands, instead of by group).
    marks : mapping of group to Mark, optional
        The groups to draw, in order.
    ax : matplotlib Axes, optional
    labels : sequence of str, optional
        Rows from top to bottom; by default as they come in the table.
    ends : tuple of str
        Columns between which a line is drawn.
    gap : float
        Between two groups of a row, in rows.
    line : float
        Width of the line in points.
    also : mapping of str to Mark, optional
        Further columns to mark at the height of the estimate.
    bars : str, optional
        Colour of the lines, where it is not that of the marks.
    height : float, optional
        Inches, where no axes are given.

    Returns
    -------
    matplotlib Axes
    """
    marks, names = marks or {"": Mark()}, list(dict.fromkeys(table["label"] if labels is None else labels))
    ax = axes(ax, height or 0.9 + len(names) * (0.36 + 0.1 * (len(marks) - 1)))
    group = table["group"] if "group" in table else pd.Series("", table.index)
    for k, (name, mark) in enumerate(marks.items()):
        part, style = table[group == name], mark.style()
        y = part["label"].map(names.index).astype(float) + part.get("lift", gap * (k - (len(marks) - 1) / 2))
        if "spread_low" in part:
            ax.hlines(y, part["spread_low"], part["spread_high"], color=style["color"], linewidth=0.9, alpha=0.55)
        if ends[0] in part:
            ax.hlines(y, part[ends[0]], part[ends[1]], linewidth=line, color=colour(bars) if bars else style["color"])
        if "value" in part:
            ax.plot(part["value"], y, label=mark.label, **style)
        for column, extra in (also or {}).items():
            ax.plot(part[column], y, label=None if k else extra.label, **extra.style())
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    return ax
