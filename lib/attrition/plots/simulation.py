"""The simulated trial in pictures: its law, its contradictions, its true probabilities, its oracles."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.rows import Mark, rows
from attrition.plots.style import DASHES, axes, colour

NODES = {
    "age": (0.0, 4.0, "age", "enrolment"),
    "arm": (0.0, 2.0, "arm", "enrolment"),
    "phase": (0.0, 3.0, "phase", "enrolment"),
    "gender": (0.0, 1.0, "gender", "enrolment"),
    "days": (0.0, 5.0, "days of follow-up", "follow-up"),
    "events": (1.2, 4.5, "adverse events", "follow-up"),
    "visits": (1.75, 5.7, "visits", "follow-up"),
    "last": (3.05, 5.7, "last visit day", "follow-up"),
    "noise": (1.2, 1.3, "noise", "hidden"),
    "risk": (2.0, 3.0, "risk score", "hidden"),
    "dropout": (3.05, 3.0, "dropout", "outcome"),
    "day": (3.05, 1.1, "dropout day", "outcome"),
}
EFFECTS = {
    "age": "events risk",
    "days": "events visits last risk day",
    "visits": "last risk",
    "events": "risk",
    "phase": "risk",
    "arm": "risk",
    "noise": "risk",
    "risk": "dropout day",
    "dropout": "day",
}
EDGES = tuple((cause, effect) for cause, effects in EFFECTS.items() for effect in effects.split())
GROUP_COLOUR = {"enrolment": "blue", "follow-up": "ochre", "hidden": "muted", "outcome": "vermilion"}
SETTINGS = {"default": Mark("the law's own prevalence", "blue", "o"), "p24": Mark("prevalence 24%", "vermilion", "s")}


def dag(ax: Axes | None = None) -> Axes:
    """Draw the law as a graph: what is drawn from what, by the time at which it is known.

    Parameters
    ----------
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = axes(ax, 3.9)
    boxes = {name: _box(ax, *node) for name, node in NODES.items()}
    arrow = {"arrowstyle": "-|>", "color": colour("muted"), "linewidth": 0.9, "shrinkA": 1, "shrinkB": 1}
    for start, end in EDGES:
        ends = {"patchA": boxes[start].get_bbox_patch(), "patchB": boxes[end].get_bbox_patch()}
        ax.annotate("", NODES[end][:2], NODES[start][:2], arrowprops={**arrow, **ends}, zorder=4)
    for i, (key, hue) in enumerate(GROUP_COLOUR.items()):
        ax.text(-0.35 + i * 1.05, 0.35, f"▪ {key}", color=colour(hue), fontsize=9)
    ax.set(xlim=(-0.55, 3.6), ylim=(0.2, 6.1))
    ax.axis("off")
    return ax


def _box(ax: Axes, x: float, y: float, label: str, group: str):
    hue = GROUP_COLOUR[group]
    box = {"boxstyle": "round,pad=0.35", "facecolor": colour("paper"), "edgecolor": colour(hue), "linewidth": 1.3}
    return ax.text(x, y, label, ha="center", va="center", fontsize=9, bbox=box, zorder=3)


def edges_table() -> pd.DataFrame:
    """Edges of `dag` as a table: cause, effect."""
    return pd.DataFrame([(NODES[a][2], NODES[b][2]) for a, b in EDGES], columns=["cause", "effect"])


def after_dropout(trial: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw last visit against dropout of the patients who left; above the diagonal is impossible.

    Parameters
    ----------
    trial : DataFrame (n, 14)
        Days since enrolment.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = axes(ax, 3.6)
    gone = trial.loc[trial["dropout"] == 1]
    late = gone["last_visit_day"] > gone["dropout_day"]
    for chosen, name, hue, marker in ((~late, "possible", "blue", "o"), (late, "after dropout", "red", "x")):
        part = gone.loc[chosen]
        label = f"{name} ({chosen.sum()})"
        edge = {"linewidths": 0.9} if marker == "x" else {"linewidths": 0}
        ax.scatter(
            part["dropout_day"], part["last_visit_day"], s=14, marker=marker, color=colour(hue), label=label, **edge
        )
    ax.plot([0, 370], [0, 370], color=colour("ink"), linewidth=1)
    ax.set(xlabel="day of dropout", ylabel="day of last visit", xlim=(0, 366), ylim=(-4, 370))
    ax.legend(loc="lower right", frameon=True, framealpha=0.9)
    return ax


def formula_against_law(by_formula: np.ndarray, truth: np.ndarray, ax: Axes | None = None) -> Axes:
    """Draw the probability by the published formula against the law's, a point a patient.

    Parameters
    ----------
    by_formula, truth : array (n,)
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = axes(ax)
    ax.scatter(truth, by_formula, s=7, color=colour("blue"), alpha=0.45, linewidths=0)
    ax.plot([0, 1], [0, 1], color=colour("ink"), linewidth=1, label="equal")
    ax.set(xlabel="probability of dropout by the law", ylabel="by the published formula", xlim=(0, 1.01), ylim=(0, 1))
    ax.legend(loc="upper left")
    return ax


def true_probability(shares: pd.DataFrame, means: Mapping[str, float], ax: Axes | None = None) -> Axes:
    """Draw how the true probability of dropout is distributed over patients, by prevalence setting.

    Parameters
    ----------
    shares : DataFrame
        low, high, default, p24: edges of each bin and shares of patients; see `probability_shares`.
    means : mapping
        Setting to prevalence.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = axes(ax, 3.2)
    edges = np.append(shares["low"], shares["high"].iloc[-1])
    for (setting, mark), dash in zip(SETTINGS.items(), DASHES, strict=False):
        hue = colour(mark.hue)
        ax.stairs(shares[setting], edges, color=hue, linestyle=dash, linewidth=1.6, label=mark.label)
        ax.axvline(means[setting], color=hue, linestyle=":", linewidth=1.2)
    ax.set(xlabel="true probability of dropout", ylabel="share of patients", xlim=(0, 1))
    ax.set_ylim(bottom=0)
    ax.legend(loc="upper right")
    return ax


def probability_shares(probabilities: Mapping[str, np.ndarray], bins: int = 40) -> pd.DataFrame:
    """Shares of patients by bin of their true probability, for `true_probability`.

    Examples
    --------
    >>> probability_shares({"default": np.array([0.1, 0.9]), "p24": np.array([0.1, 0.2])}, bins=2)
       low  high  default  p24
    0  0.0   0.5      0.5  1.0
    1  0.5   1.0      0.5  0.0
    """
    edges = np.linspace(0, 1, bins + 1)
    shares = {name: np.histogram(p, edges)[0] / len(p) for name, p in probabilities.items()}
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], **shares})


def oracle_ladder(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the best attainable AUROC by what is known, for both prevalence settings.

    Parameters
    ----------
    table : DataFrame
        From `attrition.simulate.ceiling.oracle_table`.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    drawn = table.assign(label=table["known"], group=table["prevalence"], value=table["auroc"], chance=0.5)
    rungs = list(dict.fromkeys(table["known"]))[::-1]
    ax = rows(drawn, SETTINGS, ax, labels=rungs, ends=("chance", "value"), gap=0.24, line=1.2, height=3.4)
    ax.axvline(0.5, color=colour("chance"), linewidth=1, linestyle=":")
    ax.set(xlabel="AUROC of the best possible model", xlim=(0.48, 0.82))
    ax.legend(loc="lower right")
    return ax
