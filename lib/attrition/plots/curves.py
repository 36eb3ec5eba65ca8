"""Lines over a scale: ROC, precision-recall, calibration, decisions, learning and cost."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from attrition import metrics
from attrition.metrics.calibration import CalibrationCurve
from attrition.metrics.intervals import LEVEL
from attrition.models import FITTED, IN_TEXT, LABELS
from attrition.plots.rows import colour
from attrition.plots.style import (
    CYCLE,
    DASHES,
    MARKERS,
    WIDTH,
    axes,
    from_0_to_1,
    legend_below,
    line_and_band,
    vertical,
)
from notebook_report.text import unless_missing

FALSE_POSITIVES = np.linspace(0, 1, 51)
RECALLS = np.linspace(0.02, 1, 50)
HUES = {"all": "blue", "arm_only": "ochre"}
"""Colours of what a real trial's models know."""
Look = dict[str, Any]


def line(name: str, place: int = 0, labels: Mapping[str, str] = IN_TEXT) -> Look:
    """Colour, dash and label of a curve: a model has those it has everywhere, others go by their place."""
    order = ["oracle", *FITTED, "null"]
    place = order.index(name) if name in order else place
    hue = name if name in order else HUES.get(name, CYCLE[place])
    return {"color": colour(hue), "linestyle": DASHES[place % len(DASHES)], "label": labels.get(name, name)}


def lines(
    table: pd.DataFrame,
    x: str,
    y: str,
    ax: Axes,
    by: str = "model",
    look: Callable[[Any], Look] = line,
    banded: Collection[str] = (),
    scale: float = 1.0,
    alpha: float = 0.15,
) -> Axes:
    """Draw a tidy table of curves, with a band between ``ci_low`` and ``ci_high`` for the names in `banded`.

    Parameters
    ----------
    table : pandas.DataFrame
    x, y, by : str
        Columns of the axes, and of what tells the curves apart.
    ax : matplotlib Axes
    look : callable
        Name of a curve to its colour, dash and label.
    banded : collection of str
    scale : float
        Factor on `y` and its band.
    alpha : float
        Of the bands.
    """
    for name, part in table.groupby(by, sort=False):
        band = (scale * part["ci_low"], scale * part["ci_high"]) if name in banded else None
        line_and_band(ax, part[x], scale * part[y], band, alpha, **look(name))
    return ax


def _resampled(
    curve: Any, y_true: ArrayLike, predictions: Mapping[str, ArrayLike], grid: NDArray, weights: NDArray, x: str, y: str
) -> pd.DataFrame:
    """Curves on a grid, the mean over repeats, with pointwise bootstrap bands."""
    frames = []
    for model, y_prob in predictions.items():
        repeats = np.asarray(y_prob, dtype=float).reshape(len(np.asarray(y_prob)), -1).T
        value = np.mean([curve(y_true, p, grid) for p in repeats], axis=0)
        drawn = np.mean([curve(y_true, p, grid, weights) for p in repeats], axis=0)
        low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=1)
        frames.append(pd.DataFrame({"model": model, x: grid, y: value, "ci_low": low, "ci_high": high}))
    return pd.concat(frames, ignore_index=True)


def roc_data(y_true: ArrayLike, predictions: Mapping[str, ArrayLike], weights: NDArray) -> pd.DataFrame:
    """ROC curves (the mean over repeats) with pointwise bootstrap bands from weights (n_patients, n_resamples)."""
    return _resampled(metrics.roc_curve, y_true, predictions, FALSE_POSITIVES, weights, "false_positive_rate", "recall")


def precision_recall_data(y_true: ArrayLike, predictions: Mapping[str, ArrayLike], weights: NDArray) -> pd.DataFrame:
    """Precision-recall curves with pointwise bootstrap bands; see `roc_data`."""
    return _resampled(metrics.precision_recall_curve, y_true, predictions, RECALLS, weights, "recall", "precision")


def roc(data: pd.DataFrame, banded: tuple[str, ...] = ("lr",)) -> Axes:
    """ROC curves from `roc_data`; bands for the models named."""
    ax = lines(data, "false_positive_rate", "recall", axes(None), banded=banded, alpha=0.18)
    from_0_to_1(ax, "false-positive rate", "recall").set_ylim(0, 1.01)
    ax.legend(loc="lower right")
    return ax


def precision_recall(data: pd.DataFrame, event_rate: float, banded: tuple[str, ...] = ("lr",)) -> Axes:
    """Precision-recall curves from `precision_recall_data` over the event rate, which is their chance level."""
    ax = lines(data[data["model"] != "null"], "recall", "precision", axes(None), banded=banded, alpha=0.18)
    ax.axhline(event_rate, color=colour("chance"), linewidth=0.8)
    ax.annotate("event rate", (0.98, event_rate), va="top", ha="right", xytext=(0, -3), textcoords="offset points")
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(min(0.3, event_rate), 1.01))
    ax.legend(loc="upper right")
    return ax


def calibration(curves: Mapping[str, CalibrationCurve], scores: Mapping[str, ArrayLike]) -> Figure:
    """Calibration curves with bands above the distribution of the predictions of the same models."""
    size, share = (WIDTH, 5.2), {"height_ratios": [4, 1]}
    fig, (top, bottom) = plt.subplots(2, 1, figsize=size, sharex=True, gridspec_kw=share)
    calibration_curves(curves, ax=top).set_xlabel("")
    for model in curves:
        look = line(model)
        counts, edges = np.histogram(scores[model], np.linspace(0, 1, 41))
        bottom.stairs(counts / counts.sum(), edges, color=look["color"], linestyle=look["linestyle"])
    bottom.set(xlabel="predicted probability", ylabel="share")
    return fig


@unless_missing
def calibration_curves(
    curves: Mapping[str, CalibrationCurve],
    labels: Mapping[str, str] = IN_TEXT,
    n_banded: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Calibration curves over the diagonal; the first `n_banded`, by default all, have a band."""
    ax = from_0_to_1(axes(ax, 3.8), "predicted probability", "observed event rate")
    for k, (name, curve) in enumerate(curves.items()):
        band = (curve.ci_low, curve.ci_high) if n_banded is None or k < n_banded else None
        line_and_band(ax, curve.predicted, curve.observed, band, **line(name, k, labels))
    ax.legend(loc="upper left")
    return ax


@unless_missing
def calibration_table(curves: Mapping[str, CalibrationCurve]) -> pd.DataFrame:
    """The numbers behind `calibration_curves`: model, predicted, observed, ci_low, ci_high."""
    frames = [pd.DataFrame(curve._asdict()).assign(model=name) for name, curve in curves.items()]
    return pd.concat(frames, ignore_index=True)[["model", "predicted", "observed", "ci_low", "ci_high"]]


def learning_curve(table: pd.DataFrame, oracle: float) -> Axes:
    """Mean population AUROC by the number of training patients, with Monte-Carlo intervals, below the oracle."""
    ax, sizes = axes(None), sorted(table["n_train"].unique())
    ax.axhline(oracle, color=colour("oracle"), linestyle=DASHES[1], linewidth=1.2)
    for k, model in enumerate(model for model in FITTED if model in set(table["model"])):
        part = table[table["model"] == model].sort_values("n_train")
        reach = [part["value"] - part["ci_low"], part["ci_high"] - part["value"]]
        look: Look = {"color": colour(model), "marker": MARKERS[k], "linestyle": DASHES[k], "label": LABELS[model]}
        ax.errorbar(part["n_train"] * (1 + 0.04 * (k - 1)), part["value"], reach, elinewidth=1, capsize=2, **look)
    ax.set(xscale="log", xlabel="Training patients", ylabel="AUROC in the population")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.text(sizes[0], oracle, "Oracle", va="bottom", fontsize=9)
    ax.legend(loc="lower right")
    return ax


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

    `curve` is from `attrition.decision.decision_curve`, `everybody` the net benefit of contacting everybody at the same
    thresholds, `marks` are thresholds with their names.
    """
    ax, top = axes(None, 3.9), 100 * curve["net_benefit"].max()
    for name, t in marks.items():
        vertical(ax, t, dash=DASHES[1])
        ax.annotate(name, (t, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=colour("muted"))
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
    """Net benefit of a model over contacting everybody and over contacting nobody, with simultaneous bands."""
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


def frontier(table: pd.DataFrame, families: Mapping[str, Any]) -> Axes:
    """Completers gained against contacts: strategies with intervals, chance, ceiling, and the oracle in its corner.

    `table` is from `attrition.worth.analysis.frontier`, `families` is `attrition.worth.strategies.SAID`.
    """
    ax, by, muted = axes(None, 3.9), table.set_index("strategy"), colour("muted")
    most, oracle = by.loc["everybody"], by.loc["oracle"]
    ax.plot([0, most["contacts"]], [0, most["completers"]], color=muted, linewidth=1, label="anybody, by lot")
    ax.axhline(most["completers"], color=muted, linewidth=1, linestyle=":")
    for family, said in families.items():
        own = table[table["family"] == family].sort_values("contacts")
        if "figure" in said and len(own):
            name, hue, marker = said["figure"]
            look: Look = {"color": colour(hue), "marker": marker, "markersize": 5, "linestyle": "--"}
            ax.plot(own["contacts"], own["completers"], linewidth=1, label=name, **look)
            ax.vlines(own["contacts"], own["ci_low"], own["ci_high"], color=colour(hue), linewidth=1, alpha=0.5)
    ax.plot(most["contacts"], most["completers"], color=muted, marker="o", markersize=7, linestyle="")
    ax.vlines(most["contacts"], most["ci_low"], most["ci_high"], color=muted, linewidth=1)
    look = {"color": colour("red"), "marker": "*", "markersize": 11, "linestyle": ""}
    ax.plot(oracle["contacts"], oracle["completers"], label="oracle", **look)
    high = max(table["ci_high"].max(), most["completers"] * 1.15, 0.1)
    ax.annotate("everybody", (100, most["completers"]), (-9, 4), textcoords="offset points", ha="right")
    ax.set(xlabel="contacts per 100 at risk", ylabel="completers gained per 100", xlim=(-2, 103))
    ax.set_ylim(min(0.0, table["ci_low"].min()) - 0.03 * high, high * 1.05)
    return legend_below(ax)
