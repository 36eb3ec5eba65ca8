"""One figure style and one colour per thing, in every chapter.

Every colour of a figure comes from `LIGHT`. The report swaps each for its partner in `DARK` when the reader's screen
is dark; a colour that is not listed here would not follow. The hues are told apart with the common colour-vision
deficiencies, and lines also differ by dash or marker wherever two meet.
"""

from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes

from attrition import settings

MPLSTYLE = Path(__file__).with_name("attrition.mplstyle")
WIDTH = 5.5
"""Widest figure, in inches: on a phone its text is still legible."""

COLOURS = settings.declared(__file__, "colours.yaml")
LIGHT, DARK = ({name: pair[k] for name, pair in COLOURS["palette"].items()} for k in (0, 1))
MEANING: dict[str, str] = COLOURS["meaning"]
CYCLE = ("blue", "vermilion", "green", "purple", "ochre", "teal", "red", "muted")
FOR_DATA = ("teal", "purple", "ochre", "red", "blue", "vermilion", "green", "muted")
"""Order of the hues for names that only the data know: first those that no reason group has."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)), (0, (3, 1)), (0, (7, 2)))


def colour(name: str) -> str:
    """Colour of an arm, reason or hue by its name, as a hex string of the light theme; see `cycle` for other names."""
    return LIGHT[MEANING.get(name, name)]


def cycle(names: list[str]) -> dict[str, str]:
    """Colours for names that only the data know (arms of a reader's own trial): known names keep theirs.

    Examples
    --------
    >>> sorted(cycle(["Placebo", "Dose A"]))
    ['Dose A', 'Placebo']
    """
    taken = {MEANING[name] for name in names if name in MEANING}
    free = [hue for hue in FOR_DATA if hue not in taken] or list(FOR_DATA)
    unknown = [name for name in names if name not in MEANING]
    given = {name: LIGHT[free[i % len(free)]] for i, name in enumerate(unknown)}
    return {name: given.get(name) or colour(name) for name in names}


def axes(ax: Axes | None, height: float = 3.4) -> Axes:
    """The given axes, or new ones of full width and so many inches high."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(WIDTH, height))[1]


def legend_below(ax: Axes, columns: int = 2) -> Axes:
    """One legend for the whole figure, below it."""
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=columns)
    return ax


def vertical(ax: Axes, x: float, label: str | None = None, hue: str = "muted", dash: str = ":") -> None:
    """A reference line behind everything: chance, zero, a cut-off, the truth.

    Parameters
    ----------
    ax : matplotlib Axes
    x : float
    label : str, optional
        Words of the legend.
    hue, dash : str
        Name of a colour, and a line style.
    """
    ax.axvline(x, color=colour(hue), linestyle=dash, linewidth=1, label=label, zorder=0)


def line_and_band(ax: Axes, x: Any, y: Any, band: tuple[Any, Any] | None, alpha: float = 0.15, **look: Any) -> None:
    """A line of that look, and its band between two others in the same colour."""
    (line,) = ax.plot(x, y, **look)
    if band is not None:
        ax.fill_between(x, *band, color=line.get_color(), alpha=alpha, linewidth=0)


def beside(ax: Axes, words: str, x: Any, y: Any, points: float = 5, **look: Any) -> None:
    """Words so many points to the right of a place, or to the left of it."""
    side = "left" if points > 0 else "right"
    ax.annotate(words, (x, y), (points, 0), textcoords="offset points", va="center", ha=side, **look)


def from_0_to_1(ax: Axes, x: str, y: str, **diagonal: Any) -> Axes:
    """Both axes from 0 to 1, with the line where they are equal."""
    look: dict[str, Any] = {"color": colour("muted"), "linewidth": 0.8}
    ax.plot([0, 1], [0, 1], **look | diagonal)
    ax.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1))
    return ax


def nothing(ax: Axes, why: str) -> Axes:
    """Words in place of a figure that has nothing to show."""
    ax.text(0.5, 0.5, why, ha="center", va="center", color=LIGHT["muted"], transform=ax.transAxes)
    ax.set_axis_off()
    return ax


def use() -> None:
    """Apply the study's style to matplotlib; `notebook_report` does it on import."""
    matplotlib.style.use(MPLSTYLE)
