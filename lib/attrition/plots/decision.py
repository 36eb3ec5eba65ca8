"""Decision curves, differences in net benefit, and forests of estimates."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.curves import _axes
from attrition.plots.fitted import LABELS, colour, line
from attrition.plots.style import DASHES, MARKERS

STATED = (0.35, 0.75)
"""First and last threshold that the published risk bands state."""
ROW_SPACE, ROW_HEIGHT = 0.8, 0.27
"""Inches of a forest beside its rows, and of one row."""


def _marks(ax: Axes, thresholds: Mapping[str, float]) -> None:
    for name, t in thresholds.items():
        ax.axvline(t, color=colour("muted"), linestyle=DASHES[1], linewidth=1, zorder=0)
        ax.annotate(name, (t, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=colour("muted"))


def decision_curves(
    curve: pd.DataFrame,
    everybody: np.ndarray,
    marks: Mapping[str, float],
    banded: tuple[str, ...] = ("lr",),
    ax: Axes | None = None,
) -> Axes:
    """Net benefit by threshold, in net patients found a hundred.

    Parameters
    ----------
    curve : pandas.DataFrame
        From `attrition.decision.decision_curve`.
    everybody : array of shape (n_thresholds,)
        Net benefit of contacting everybody at the same thresholds.
    marks : mapping of str to float
        Thresholds to be marked.
    banded : tuple of str
        Models with a band.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax, 3.9)
    _marks(ax, marks)
    thresholds = curve["threshold"].unique()
    ax.plot(thresholds, 100 * everybody, color=colour("ochre"), linestyle=":", label="contact everybody")
    ax.axhline(0, color=colour("muted"), linewidth=0.8, label="contact nobody")
    for model, part in curve.groupby("model", sort=False):
        ax.plot(part["threshold"], 100 * part["net_benefit"], label=LABELS.get(model, model), **line(model))
        if model in banded:
            low, high = 100 * part["ci_low"], 100 * part["ci_high"]
            ax.fill_between(part["threshold"], low, high, color=colour(model), alpha=0.18, linewidth=0)
    top = 100 * curve["net_benefit"].max()
    ax.set(xlabel="threshold", ylabel="net leavers found per 100", ylim=(-0.12 * top, 1.05 * top))
    ax.set_xlim(thresholds.min(), thresholds.max())
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return ax


def gains(curve: pd.DataFrame, model: str, marks: Mapping[str, float], ax: Axes | None = None) -> Axes:
    """Net benefit of a model over contacting everybody and over contacting nobody, with simultaneous bands.

    Parameters
    ----------
    curve : pandas.DataFrame
        From `attrition.decision.decision_curve`.
    model : str
    marks : mapping of str to float
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    _marks(ax, marks)
    own = curve[curve["model"] == model]
    for name, hue, dash in (("all", "ochre", "--"), ("none", "blue", "-")):
        label = "over contacting everybody" if name == "all" else "over contacting nobody"
        ax.plot(own["threshold"], 100 * own[f"over_{name}"], color=colour(hue), linestyle=dash, label=label)
        low, high = 100 * own[f"over_{name}_low"], 100 * own[f"over_{name}_high"]
        ax.fill_between(own["threshold"], low, high, color=colour(hue), alpha=0.18, linewidth=0)
    ax.axhline(0, color=colour("muted"), linewidth=0.8)
    limit = 120 * own[["over_all", "over_none"]].min(axis=1).max() + 12
    ax.set(xlabel="threshold", ylabel="difference in net benefit per 100", ylim=(-8, limit))
    ax.legend(loc="lower right")
    return ax


def money(
    table: pd.DataFrame, marks: Mapping[str, float], shown: tuple[float, float] = STATED, ax: Axes | None = None
) -> Axes:
    """Net benefit in dollars a hundred patients by threshold.

    At low thresholds the dollars are many and alike; axes that held them would show no difference where thresholds
    have a stated reason.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model, threshold, money``, the model ``all`` being contacting everybody.
    marks : mapping of str to float
    shown : tuple of float
        First and last threshold of the axis; dollars reach as high as the curves do between them.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    _marks(ax, marks)
    for model, part in table.groupby("model", sort=False):
        style = {"color": colour("ochre"), "linestyle": ":"} if model == "all" else line(model)
        label = "contact everybody" if model == "all" else LABELS.get(model, model)
        ax.plot(part["threshold"], part["money"], label=label, **style)
    ax.axhline(0, color=colour("muted"), linewidth=0.8)
    top = table.loc[table["threshold"].between(shown[0] - 1e-9, shown[1] + 1e-9), "money"].max()
    ax.set(xlabel="threshold", ylabel="dollars per 100 patients", xlim=shown, ylim=(-0.25 * top, 1.05 * top))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.legend(loc="upper right")
    return ax


def forest(
    table: pd.DataFrame,
    label: str,
    value: str,
    low: str,
    high: str,
    reference: float,
    truth: str | None = None,
    faint: str | None = None,
    axis_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Estimates with intervals, one row each, from top to bottom.

    Parameters
    ----------
    table : pandas.DataFrame
    label, value, low, high : str
        Columns of the row names, estimates and interval ends.
    reference : float
        Where the vertical line stands.
    truth : str, optional
        Column of known values, marked by a diamond.
    faint : str, optional
        Boolean column: rows to be drawn muted.
    axis_label : str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax, ROW_SPACE + ROW_HEIGHT * len(table))
    rows = np.arange(len(table))[::-1]
    ax.axvline(reference, color=colour("muted"), linewidth=0.8)
    muted = table[faint].to_numpy(bool) if faint else np.zeros(len(table), dtype=bool)
    for mask, hue, marker in ((~muted, "blue", MARKERS[0]), (muted, "muted", MARKERS[1])):
        part = table[mask]
        ax.hlines(rows[mask], part[low], part[high], color=colour(hue), linewidth=1.3)
        ax.plot(part[value], rows[mask], marker, color=colour(hue))
    if truth is not None:
        ax.plot(table[truth], rows, "D", color=colour("vermilion"), markersize=5, fillstyle="none", label="law")
        ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center")
    ax.set_yticks(rows, [str(name).replace("_", " ") for name in table[label]])
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.set_xlabel(axis_label)
    ax.grid(axis="y", visible=False)
    return ax
