"""The simulated trial in pictures: its law, its contradictions, its true probabilities, its oracles."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.style import WIDTH, colour

NODES = {
    "age": (0.0, 4.0, "age"),
    "arm": (0.0, 2.0, "arm"),
    "phase": (0.0, 3.0, "phase"),
    "gender": (0.0, 1.0, "gender"),
    "days": (0.0, 5.0, "days of follow-up"),
    "events": (1.2, 4.5, "adverse events"),
    "visits": (1.75, 5.7, "visits"),
    "last": (3.05, 5.7, "last visit day"),
    "noise": (1.2, 1.3, "noise"),
    "risk": (2.0, 3.0, "risk score"),
    "dropout": (3.05, 3.0, "dropout"),
    "day": (3.05, 1.1, "dropout day"),
}
EDGES = (
    ("age", "events"),
    ("age", "risk"),
    ("days", "events"),
    ("days", "visits"),
    ("days", "last"),
    ("days", "risk"),
    ("days", "day"),
    ("visits", "last"),
    ("visits", "risk"),
    ("events", "risk"),
    ("phase", "risk"),
    ("arm", "risk"),
    ("noise", "risk"),
    ("risk", "dropout"),
    ("risk", "day"),
    ("dropout", "day"),
)
GROUPS = {
    "enrolment": ("age", "arm", "phase", "gender"),
    "follow-up": ("days", "events", "visits", "last"),
    "hidden": ("noise", "risk"),
    "outcome": ("dropout", "day"),
}
GROUP_COLOUR = {"enrolment": "blue", "follow-up": "ochre", "hidden": "muted", "outcome": "vermilion"}
SETTING = {"default": ("the law's own prevalence", "blue", "-"), "p24": ("prevalence 24%", "vermilion", "--")}


def _axes(ax: Axes | None, height: float = 3.4) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(WIDTH, height))[1]


def dag(ax: Axes | None = None) -> Axes:
    """Draw the law as a graph: what is drawn from what, by the time at which it is known.

    Parameters
    ----------
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax, 3.9)
    group = {name: key for key, names in GROUPS.items() for name in names}
    boxes = {name: _box(ax, place, GROUP_COLOUR[group[name]]) for name, place in NODES.items()}
    arrow = {"arrowstyle": "-|>", "color": colour("muted"), "linewidth": 0.9, "shrinkA": 1, "shrinkB": 1}
    for start, end in EDGES:
        ends = {"patchA": boxes[start].get_bbox_patch(), "patchB": boxes[end].get_bbox_patch()}
        ax.annotate("", NODES[end][:2], NODES[start][:2], arrowprops={**arrow, **ends}, zorder=4)
    for i, (key, hue) in enumerate(GROUP_COLOUR.items()):
        ax.text(-0.35 + i * 1.05, 0.35, f"▪ {key}", color=colour(hue), fontsize=9)
    ax.set(xlim=(-0.55, 3.6), ylim=(0.2, 6.1))
    ax.axis("off")
    return ax


def _box(ax: Axes, place: tuple[float, float, str], hue: str):
    x, y, label = place
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
    ax = _axes(ax, 3.6)
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
    ax = _axes(ax)
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
    ax = _axes(ax, 3.2)
    edges = np.append(shares["low"], shares["high"].iloc[-1])
    for setting, (label, hue, dash) in SETTING.items():
        ax.stairs(shares[setting], edges, color=colour(hue), linestyle=dash, linewidth=1.6, label=label)
        ax.axvline(means[setting], color=colour(hue), linestyle=":", linewidth=1.2)
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
    ax = _axes(ax)
    rungs = list(dict.fromkeys(table["known"]))
    for shift, (setting, (label, hue, _)) in zip((0.12, -0.12), SETTING.items(), strict=True):
        part = table.loc[table["prevalence"] == setting]
        y = np.array([rungs.index(known) for known in part["known"]]) + shift
        marker = "o" if setting == "default" else "s"
        ax.hlines(y, 0.5, part["auroc"], color=colour(hue), linewidth=1.2)
        ax.plot(part["auroc"], y, marker, color=colour(hue), label=label)
    ax.axvline(0.5, color=colour("chance"), linewidth=1, linestyle=":")
    ax.set_yticks(range(len(rungs)), rungs)
    ax.set(xlabel="AUROC of the best possible model", xlim=(0.48, 0.82))
    ax.legend(loc="lower right")
    return ax
