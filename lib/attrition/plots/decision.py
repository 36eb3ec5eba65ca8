"""Decision curves: net benefit by threshold, in patients found and in dollars."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.curves import Look, line, lines
from attrition.plots.rows import colour
from attrition.plots.style import DASHES, axes, legend_below, line_and_band
from notebook_report.text import unless_missing

STATED = (0.35, 0.75)
"""First and last threshold that the published risk bands state."""


def _mark_thresholds(ax: Axes, thresholds: Mapping[str, float]) -> None:
    for name, t in thresholds.items():
        ax.axvline(t, color=colour("muted"), linestyle=DASHES[1], linewidth=1, zorder=0)
        ax.annotate(name, (t, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=colour("muted"))


def _benefit(
    ax: Axes, curve: pd.DataFrame, everybody: np.ndarray, hue: str, look: Callable[[Any], Look], banded: Collection[str]
) -> None:
    """Net benefit per 100 patients by threshold, beside contacting nobody and everybody (in that colour)."""
    thresholds = curve["threshold"].unique()
    ax.axhline(0, color=colour("muted"), linewidth=0.8, label="contact nobody")
    ax.plot(thresholds, 100 * everybody, color=colour(hue), linestyle=":", label="contact everybody")
    lines(curve, "threshold", "net_benefit", ax, look=look, banded=banded, scale=100)
    ax.set(ylabel="net leavers found per 100", xlim=(thresholds.min(), thresholds.max()))


def decision_curves(curve: pd.DataFrame, everybody: np.ndarray, marks: Mapping[str, float]) -> Axes:
    """Net benefit by threshold, in net patients found a hundred; logistic regression with its band.

    Parameters
    ----------
    curve : pandas.DataFrame
        From `attrition.decision.decision_curve`.
    everybody : array of shape (n_thresholds,)
        Net benefit of contacting everybody at the same thresholds.
    marks : mapping of str to float
        Thresholds to be marked.
    """
    ax, top = axes(None, 3.9), 100 * curve["net_benefit"].max()
    _mark_thresholds(ax, marks)
    _benefit(ax, curve, everybody, "ochre", line, ("lr",))
    ax.set(xlabel="threshold", ylim=(-0.12 * top, 1.05 * top))
    return legend_below(ax, 3)


@unless_missing
def net_benefit(curve: pd.DataFrame, labels: Mapping[str, str]) -> Axes:
    """Decision curves of a real trial from `attrition.landmark.evaluation.decisions`, every model with its band."""
    names = list(curve["model"].unique())
    everybody = (curve["net_benefit"] - curve["over_all"]).to_numpy()[: curve["threshold"].nunique()]
    ax, top = axes(None, 3.6), 100 * max(curve["net_benefit"].max(), everybody.max())
    _benefit(ax, curve, everybody, "ink", lambda name: line(name, names.index(name), labels), names)
    ax.set(xlabel="threshold: risk from which a patient is contacted", ylim=(-0.25 * top, 1.1 * top))
    ax.legend(loc="upper right")
    return ax


def gains(curve: pd.DataFrame, model: str) -> Axes:
    """Net benefit of a model over contacting everybody and over contacting nobody, with simultaneous bands.

    Parameters
    ----------
    curve : pandas.DataFrame
        From `attrition.decision.decision_curve`.
    model : str
    """
    ax, own = axes(None), 100 * curve[curve["model"] == model].set_index("threshold").filter(like="over_")
    for name, words, hue, dash in (("all", "everybody", "ochre", "--"), ("none", "nobody", "blue", "-")):
        look: Look = {"color": colour(hue), "linestyle": dash, "label": f"over contacting {words}"}
        band = (own[f"over_{name}_low"], own[f"over_{name}_high"])
        line_and_band(ax, own.index, own[f"over_{name}"], band, 0.18, **look)
    ax.axhline(0, color=colour("muted"), linewidth=0.8)
    limit = 1.2 * own[["over_all", "over_none"]].min(axis=1).max() + 12
    ax.set(xlabel="threshold", ylabel="difference in net benefit per 100", ylim=(-8, limit))
    ax.legend(loc="lower right")
    return ax


def money(table: pd.DataFrame, shown: tuple[float, float] = STATED) -> Axes:
    """Net benefit in dollars a hundred patients by threshold.

    At low thresholds the dollars are many and alike; axes that held them would show no difference where thresholds
    have a stated reason.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model, threshold, money``, the model ``all`` being contacting everybody.
    shown : tuple of float
        First and last threshold of the axis; dollars reach as high as the curves do between them.
    """
    everybody = {"color": colour("ochre"), "linestyle": ":", "label": "contact everybody"}
    ax = lines(table, "threshold", "money", axes(None), look=lambda name: everybody if name == "all" else line(name))
    ax.axhline(0, color=colour("muted"), linewidth=0.8)
    top = table.loc[table["threshold"].between(shown[0] - 1e-9, shown[1] + 1e-9), "money"].max()
    ax.set(xlabel="threshold", ylabel="dollars per 100 patients", xlim=shown, ylim=(-0.25 * top, 1.05 * top))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.legend(loc="upper right")
    return ax
