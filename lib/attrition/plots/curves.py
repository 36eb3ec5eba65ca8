"""ROC, precision-recall and calibration curves, the spread of scores, and instability of predictions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from attrition import metrics
from attrition.metrics.calibration import CalibrationCurve
from attrition.metrics.intervals import LEVEL
from attrition.plots.fitted import LABELS, ORDER, colour, line
from attrition.plots.style import DASHES, WIDTH, axes, from_0_to_1, legend_below, line_and_band


def _columns(y_prob: ArrayLike) -> NDArray:
    p = np.asarray(y_prob, dtype=float)
    return p[:, None] if p.ndim == 1 else p


def _curves(
    curve, y_true: ArrayLike, predictions: Mapping[str, ArrayLike], grid: NDArray, weights: NDArray, x: str, y: str
) -> pd.DataFrame:
    frames = []
    for model, y_prob in predictions.items():
        columns = _columns(y_prob).T
        value = np.mean([curve(y_true, p, grid) for p in columns], axis=0)
        drawn = np.mean([curve(y_true, p, grid, weights) for p in columns], axis=0)
        low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=1)
        frames.append(pd.DataFrame({"model": model, x: grid, y: value, "ci_low": low, "ci_high": high}))
    return pd.concat(frames, ignore_index=True)


def roc_data(y_true: ArrayLike, predictions: Mapping[str, ArrayLike], weights: NDArray) -> pd.DataFrame:
    """ROC curves with pointwise bootstrap bands.

    Parameters
    ----------
    y_true : array of shape (n_patients,)
    predictions : mapping of str to array of shape (n_patients,) or (n_patients, n_repeats)
        The curve of each repeat, averaged over repeats.
    weights : array of shape (n_patients, n_resamples)

    Returns
    -------
    pandas.DataFrame
        ``model, false_positive_rate, recall, ci_low, ci_high``.
    """
    grid = np.linspace(0, 1, 51)
    return _curves(metrics.roc_curve, y_true, predictions, grid, weights, "false_positive_rate", "recall")


def precision_recall_data(y_true: ArrayLike, predictions: Mapping[str, ArrayLike], weights: NDArray) -> pd.DataFrame:
    """Precision-recall curves with pointwise bootstrap bands; see `roc_data`."""
    grid = np.linspace(0.02, 1, 50)
    return _curves(metrics.precision_recall_curve, y_true, predictions, grid, weights, "recall", "precision")


def _draw(data: pd.DataFrame, x: str, y: str, banded: tuple[str, ...], ax: Axes) -> Axes:
    for model, part in data.groupby("model", sort=False):
        band = (part["ci_low"], part["ci_high"]) if model in banded else None
        line_and_band(ax, part[x], part[y], band, 0.18, label=LABELS.get(model, model), **line(model))
    return ax


def roc(data: pd.DataFrame, banded: tuple[str, ...] = ("lr",), ax: Axes | None = None) -> Axes:
    """ROC curves; bands for the models named.

    Parameters
    ----------
    data : pandas.DataFrame
        From `roc_data`.
    banded : tuple of str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = from_0_to_1(_draw(data, "false_positive_rate", "recall", banded, axes(ax)), "false-positive rate", "recall")
    ax.set_ylim(0, 1.01)
    ax.legend(loc="lower right")
    return ax


def precision_recall(
    data: pd.DataFrame, event_rate: float, banded: tuple[str, ...] = ("lr",), ax: Axes | None = None
) -> Axes:
    """Precision-recall curves over the event rate, which is their chance level.

    Parameters
    ----------
    data : pandas.DataFrame
        From `precision_recall_data`.
    event_rate : float
    banded : tuple of str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _draw(data[data["model"] != "null"], "recall", "precision", banded, axes(ax))
    ax.axhline(event_rate, color=colour("chance"), linewidth=0.8)
    ax.annotate("event rate", (0.98, event_rate), va="top", ha="right", xytext=(0, -3), textcoords="offset points")
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(min(0.3, event_rate), 1.01))
    ax.legend(loc="upper right")
    return ax


def calibration(curves: Mapping[str, CalibrationCurve], scores: Mapping[str, ArrayLike]) -> Figure:
    """Calibration curves with bands above the distribution of the predictions.

    Parameters
    ----------
    curves : mapping of str to attrition.metrics.calibration.CalibrationCurve
    scores : mapping of str to array of shape (n_patients,)
        Predictions of the same models.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib.pyplot as plt

    size, share = (WIDTH, 5.2), {"height_ratios": [4, 1]}
    fig, (top, bottom) = plt.subplots(2, 1, figsize=size, sharex=True, gridspec_kw=share, layout="constrained")
    from_0_to_1(top, "", "observed event rate")
    for model, curve in curves.items():
        style = line(model) if model in ORDER else {"color": colour(model), "linestyle": "-"}
        band, label = (curve.ci_low, curve.ci_high), LABELS.get(model, model)
        line_and_band(top, curve.predicted, curve.observed, band, label=label, **style)
        counts, edges = np.histogram(scores[model], np.linspace(0, 1, 41))
        bottom.stairs(counts / counts.sum(), edges, **style)
    top.legend(loc="upper left")
    bottom.set(xlabel="predicted probability", ylabel="share")
    return fig


def calibration_pair(curves: Mapping[str, CalibrationCurve], ax: Axes | None = None) -> Axes:
    """Calibration curves of two ways to fit one model, by name.

    Parameters
    ----------
    curves : mapping of str to attrition.metrics.calibration.CalibrationCurve
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = from_0_to_1(axes(ax), "predicted probability", "observed event rate")
    for (name, curve), hue, dash in zip(curves.items(), ("blue", "vermilion"), DASHES, strict=False):
        look: dict[str, Any] = {"color": colour(hue), "linestyle": dash, "label": name}
        line_and_band(ax, curve.predicted, curve.observed, (curve.ci_low, curve.ci_high), **look)
    ax.legend(loc="upper left")
    return ax


def instability(table: pd.DataFrame, every: int = 1, ax: Axes | None = None) -> Axes:
    """Range of the predictions of each patient over resampled models, by the original prediction.

    Parameters
    ----------
    table : pandas.DataFrame
        From `attrition.evaluation.stability.per_patient`.
    every : int
        Draw one of so many patients, in the order of their predictions.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    equal = {"color": colour("ink"), "linewidth": 0.9, "zorder": 2.1}
    ax = from_0_to_1(axes(ax), "prediction of the model", "95% range over resampled models", **equal)
    ordered = table.sort_values("prediction", kind="stable").iloc[::every]
    ax.vlines(ordered["prediction"], ordered["low"], ordered["high"], color=colour("lr"), linewidth=0.9, alpha=0.6)
    return ax


def classification_instability(table: pd.DataFrame, thresholds: list[float], ax: Axes | None = None) -> Axes:
    """Share of resampled models that class a patient otherwise, by the original prediction.

    Parameters
    ----------
    table : pandas.DataFrame
        From `attrition.evaluation.stability.per_patient`.
    thresholds : list of float
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = axes(ax)
    ordered = table.sort_values("prediction")
    hues = ("blue", "vermilion", "green", "purple")
    for t, hue, dash in zip(thresholds, hues, DASHES, strict=False):
        binned = ordered.groupby((ordered["prediction"] * 50).round() / 50)[f"changes_at_{t:g}"].mean()
        ax.plot(binned.index, 100 * binned, color=colour(hue), linestyle=dash, label=f"threshold {t:.2f}")
    ax.set(xlabel="prediction of the model", ylabel="models that disagree (%)", xlim=(0, 1), ylim=(0, None))
    ax.legend(loc="upper left")
    return ax


def calibration_instability(grid: ArrayLike, curves: NDArray, original: ArrayLike, ax: Axes | None = None) -> Axes:
    """Calibration curves of resampled models on the original patients.

    Parameters
    ----------
    grid : array of shape (n_grid,)
    curves : array of shape (n_grid, n_resamples)
    original : array of shape (n_grid,)
        Curve of the model itself.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = from_0_to_1(axes(ax), "predicted probability", "observed event rate", zorder=2.1)
    ax.plot(grid, curves, color=colour("lr"), linewidth=0.5, alpha=0.25)
    ax.plot(grid, original, color=colour("ink"), linewidth=1.6, label="model on all patients")
    ax.legend(loc="upper left")
    return ax


def partial_dependence(data: pd.DataFrame, label: str, ax: Axes | None = None) -> Axes:
    """Partial dependence of several models and of the law.

    Parameters
    ----------
    data : pandas.DataFrame
        From `attrition.evaluation.explain.partial_dependence`.
    label : str
        Name and unit of the column.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = axes(ax)
    for model, part in data.groupby("model", sort=False):
        ax.plot(part["value"], part["y_prob"], label=LABELS.get(model, model), **line(model))
    ax.set(xlabel=label, ylabel="mean prediction", ylim=(0, 1))
    return ax


def partial_dependences(data: Mapping[str, pd.DataFrame], labels: Mapping[str, str]) -> Figure:
    """Partial dependence on several columns side by side, under one legend; see `partial_dependence`.

    Parameters
    ----------
    data : mapping of str to pandas.DataFrame
        By column.
    labels : mapping of str to str
        Columns from left to right and their names.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib.pyplot as plt

    fig, panels = plt.subplots(1, len(labels), figsize=(WIDTH, 3.1), sharey=True, squeeze=False)
    for ax, (column, label) in zip(panels[0], labels.items(), strict=True):
        partial_dependence(data[column], label, ax)
        ax.label_outer()
    legend_below(panels[0, 0], 4)
    return fig
