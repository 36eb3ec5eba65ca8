"""Stability of individual predictions: what another sample of patients would have predicted for the same patient.

A model is developed again on bootstrap samples and asked about the original patients. Two models can have
the same AUROC and still disagree about whom to contact.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attrition import decision, metrics
from attrition.metrics.intervals import LEVEL, Interval, percentile_interval
from attrition.models import batched


def bootstrap_logistic(
    X: ArrayLike, y_true: ArrayLike, weights: NDArray, class_weight: str | None = None
) -> tuple[NDArray, NDArray]:
    """Logistic regression developed on all patients, and on every bootstrap sample.

    Parameters
    ----------
    X : array of shape (n_patients, n_features)
        Features on their own scale; standardised inside each sample.
    y_true : array of shape (n_patients,)
    weights : array of shape (n_patients, n_resamples)
        `attrition.metrics.intervals.bootstrap_weights`.
    class_weight : {None, "balanced"}

    Returns
    -------
    original : array of shape (n_patients,)
    resampled : array of shape (n_patients, n_resamples)
        Predictions for the original patients.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = (rng.random(200) < 1 / (1 + np.exp(-X[:, 0]))).astype(int)
    >>> weights = np.column_stack([rng.multinomial(200, np.full(200, 1 / 200)) for _ in range(5)])
    >>> original, resampled = bootstrap_logistic(X, y, weights)
    >>> resampled.shape
    (200, 5)
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y_true)
    counts = np.vstack([np.ones(len(y)), weights.T])
    p = batched.fit_pipeline(X, y, counts, class_weight).predict_proba(X)
    return p[0], p[1:].T


def bootstrap_estimator(fit_predict: Callable[[NDArray], NDArray], weights: NDArray) -> tuple[NDArray, NDArray]:
    """The same for any model, one fit a sample.

    Parameters
    ----------
    fit_predict : callable
        Takes row positions to develop on, returns predictions of all patients, shape (n_patients,).
    weights : array of shape (n_patients, n_resamples)

    Returns
    -------
    original, resampled
        As in `bootstrap_logistic`.

    Examples
    --------
    >>> y = np.array([0, 1, 1, 1])
    >>> weights = np.array([[2.0], [1.0], [1.0], [0.0]])
    >>> original, resampled = bootstrap_estimator(lambda rows: np.full(4, y[rows].mean()), weights)
    >>> original[0].item(), resampled[0].tolist()
    (0.75, [0.5])
    """
    everybody = np.arange(len(weights))
    samples = [np.repeat(everybody, column.astype(int)) for column in weights.T]
    return fit_predict(everybody), np.column_stack([fit_predict(rows) for rows in samples])


def per_patient(
    original: NDArray, resampled: NDArray, thresholds: Sequence[float], level: float = LEVEL
) -> pd.DataFrame:
    """Instability of each patient's prediction, class and band.

    Parameters
    ----------
    original : array of shape (n_patients,)
    resampled : array of shape (n_patients, n_resamples)
    thresholds : sequence of float
    level : float

    Returns
    -------
    pandas.DataFrame
        ``prediction, low, high`` (range of the resampled predictions), ``mean_absolute_error`` (mean
        distance of resampled from original), ``changes_at_<t>`` (share of resampled models that put the
        patient on the other side of a threshold) and ``changes_band``.

    References
    ----------
    Riley and Collins (2023), Biometrical Journal 65, 2200302.

    Examples
    --------
    >>> per_patient(np.array([0.4]), np.array([[0.3, 0.6]]), [0.5])["changes_at_0.5"].tolist()
    [0.5]
    """
    low, high = np.quantile(resampled, [0.5 - level / 2, 0.5 + level / 2], axis=1)
    own = original[:, None]
    table = {"prediction": original, "low": low, "high": high}
    table["mean_absolute_error"] = np.abs(resampled - own).mean(axis=1)
    for t in thresholds:
        table[f"changes_at_{t:g}"] = ((resampled >= t) != (own >= t)).mean(axis=1)
    moved = decision.band_of(resampled) != decision.band_of(own)
    return pd.DataFrame(table | {"changes_band": moved.mean(axis=1)})


def summary(table: pd.DataFrame, often: float = 0.1) -> dict[str, float]:
    """Instability over all patients.

    Parameters
    ----------
    table : pandas.DataFrame
        From `per_patient`.
    often : float
        A patient is called unsteady when more than this share of models changes their class.

    Returns
    -------
    dict
        ``mape`` (mean absolute prediction error over patients and models), ``median_width`` and
        ``largest_width`` of the range of a patient's predictions, ``changes_band`` (share of patient-model
        pairs in another band), ``changes_at_<t>`` likewise and ``unsteady_at_<t>`` (share of patients).

    Examples
    --------
    >>> summary(per_patient(np.array([0.4]), np.array([[0.3, 0.6]]), [0.5]))["unsteady_at_0.5"]
    1.0
    """
    width = table["high"] - table["low"]
    values = {
        "mape": table["mean_absolute_error"].mean(),
        "median_width": width.median(),
        "largest_width": width.max(),
        "changes_band": table["changes_band"].mean(),
    }
    for name in table.columns:
        if name.startswith("changes_at_"):
            values[name] = table[name].mean()
            values[name.replace("changes", "unsteady")] = (table[name] > often).mean()
    return {name: float(value) for name, value in values.items()}


def calibration_instability(
    y_true: ArrayLike, original: NDArray, resampled: NDArray, grid: ArrayLike, n_curves: int | None = None
) -> tuple[NDArray, Interval]:
    """Calibration of the resampled models on the original patients.

    Parameters
    ----------
    y_true, original : array of shape (n_patients,)
    resampled : array of shape (n_patients, n_resamples)
    grid : array of shape (n_grid,)
        Predicted probabilities at which curves are drawn.
    n_curves : int, optional
        Curves of the first so many models; all when left out.

    Returns
    -------
    curves : array of shape (n_grid, n_curves)
        Observed frequency by predicted probability, one curve a model.
    slope : Interval
        Calibration slope of the original model, with the range of the resampled ones.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.2, 0.8, 300)
    >>> y = (rng.random(300) < p).astype(int)
    >>> curves, slope = calibration_instability(y, p, np.column_stack([p, p**2]), [0.4, 0.6])
    >>> curves.shape
    (2, 2)
    """
    curves = [metrics.calibration_curve(y_true, column, grid).observed for column in resampled.T[:n_curves]]
    slopes = [metrics.calibration_slope(y_true, column) for column in resampled.T]
    return np.column_stack(curves), percentile_interval(metrics.calibration_slope(y_true, original), slopes)
