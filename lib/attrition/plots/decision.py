"""Decision curves, differences in net benefit, and forests of estimates."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from attrition.plots.fitted import LABELS, colour, line
from attrition.plots.rows import Mark, rows
from attrition.plots.style import DASHES, axes, legend_below, line_and_band

STATED = (0.35, 0.75)
"""First and last threshold that the published risk bands state."""
ROW_SPACE, ROW_HEIGHT = 0.8, 0.27
"""Inches of a forest beside its rows, and of one row."""


def _marks(ax: Axes, thresholds: Mapping[str, float]) -> None:
    for name, t in thresholds.items():
        ax.axvline(t, color=colour("muted"), linestyle=DASHES[1], linewidth=1, zorder=0)
        ax.annotate(name, (t, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=colour("muted"))


def benefit_lines(
    ax: Axes,
    curve: pd.DataFrame,
    everybody: np.ndarray,
    looks: Mapping[str, dict[str, Any]],
    labels: Mapping[str, str],
    banded: Collection[str],
    hue: str = "ink",
) -> Axes:
    """Net benefit per 100 patients by threshold, beside contacting nobody and everybody.

    Parameters
    ----------
    ax : matplotlib Axes
    curve : pandas.DataFrame
        From `attrition.decision.decision_curve`.
    everybody : array of shape (n_thresholds,)
        Net benefit of contacting everybody.
    looks : mapping of str to dict
        Models to the colour and dash of their lines.
    labels : mapping of str to str
        Models to their names.
    banded : collection of str
        Models with a band.
    hue : str
        Of the line for everybody.

    Returns
    -------
    matplotlib Axes
    """
    thresholds = curve["threshold"].unique()
    ax.axhline(0, color=colour("muted"), linewidth=0.8, label="contact nobody")
    ax.plot(thresholds, 100 * everybody, color=colour(hue), linestyle=":", label="contact everybody")
    for model, part in curve.groupby("model", sort=False):
        net = 100 * part[["net_benefit", "ci_low", "ci_high"]]
        band = (net["ci_low"], net["ci_high"]) if model in banded else None
        look = {"label": labels.get(model, model)} | looks[model]
        line_and_band(ax, part["threshold"], net["net_benefit"], band, **look)
    ax.set(ylabel="net leavers found per 100", xlim=(thresholds.min(), thresholds.max()))
    return ax


def decision_curves(
    curve: pd.DataFrame, everybody: np.ndarray, marks: Mapping[str, float], ax: Axes | None = None
) -> Axes:
    """Net benefit by threshold, in net patients found a hundred; logistic regression with its band.

    Parameters
    ----------
    curve : pandas.DataFrame
        From `attrition.decision.decision_curve`.
    everybody : array of shape (n_thresholds,)
        Net benefit of contacting everybody at the same thresholds.
    marks : mapping of str to float
        Thresholds to be marked.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = axes(ax, 3.9)
    _marks(ax, marks)
    looks = {model: line(model) for model in curve["model"].unique()}
    benefit_lines(ax, curve, everybody, looks, LABELS, ("lr",), "ochre")
    top = 100 * curve["net_benefit"].max()
    ax.set(xlabel="threshold", ylim=(-0.12 * top, 1.05 * top))
    return legend_below(ax, 3)


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
    ax = axes(ax)
    _marks(ax, marks)
    own = curve[curve["model"] == model]
    for name, hue, dash in (("all", "ochre", "--"), ("none", "blue", "-")):
        label = "over contacting everybody" if name == "all" else "over contacting nobody"
        band = (100 * own[f"over_{name}_low"], 100 * own[f"over_{name}_high"])
        look = {"color": colour(hue), "linestyle": dash, "label": label}
        line_and_band(ax, own["threshold"], 100 * own[f"over_{name}"], band, 0.18, **look)
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
    ax = axes(ax)
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

    Returns
    -------
    matplotlib Axes
    """
    names = [str(name).replace("_", " ") for name in table[label]]
    drawn = table.assign(label=names, value=table[value], group=table[faint].astype(bool) if faint else False)
    marks = {False: Mark(), True: Mark(hue="muted", marker="s")}
    also = {truth: Mark("law", "vermilion", "D", 5, "none")} if truth else None
    height = ROW_SPACE + ROW_HEIGHT * len(table)
    ax = rows(drawn, marks, ends=(low, high), gap=0, line=1.3, also=also, height=height)
    ax.axvline(reference, color=colour("muted"), linewidth=0.8, zorder=1)
    ax.set_xlabel(axis_label)
    return legend_below(ax) if truth else ax
