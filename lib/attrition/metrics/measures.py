"""Measures of prediction, one pure function of arrays each, and the patients that a model needs (Riley's criteria).

Every function takes the outcome `y_true` (0 or 1), the predicted probability `y_prob` and, where it makes
sense, `weights`: one column of weights a resample. Integer weights count how often a patient was drawn, so
a bootstrap of any measure is one call (`attrition.metrics.intervals`). Without weights the result is a float, with
a matrix of weights one value a column. Calibration has a module of its own and is offered here too.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from attrition.metrics import ranks

# What `riley` asks for: uniform shrinkage, half width of the 95 % interval of the overall risk, mean absolute error
# of a predicted probability, and difference of apparent and adjusted Nagelkerke R-squared
SHRINKAGE, MARGIN, ERROR, OPTIMISM = 0.9, 0.05, 0.05, 0.05


def _outcome_and_weights(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None) -> tuple:
    y, p = np.asarray(y_true, dtype=float), np.asarray(y_prob, dtype=float)
    if y.ndim != 1 or y.shape != p.shape:
        raise ValueError(f"y_true and y_prob must be vectors of one length, not {y.shape} and {p.shape}")
    if not np.isin(y, (0.0, 1.0)).all() or not np.isfinite(p).all():
        raise ValueError("y_true must hold 0 and 1 only, and y_prob must be finite")
    return y, p, columns(weights, y.size)


def columns(weights: ArrayLike | None, n: int) -> NDArray:
    """Weights of `n` patients, a column a resample; one column of ones without."""
    return np.ones((n, 1)) if weights is None else np.asarray(weights, dtype=float).reshape(n, -1)


def plain(values: NDArray, weights: ArrayLike | None) -> float | NDArray:
    """One value a column of a matrix of weights, else a float."""
    return values if weights is not None and np.ndim(weights) == 2 else float(values[0])


def _by_score(y: NDArray, p: NDArray, w: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Distinct scores, ascending, with the weight of events and of non-events at each (scores x columns)."""
    order = np.argsort(p, kind="stable")
    scores, start = np.unique(p[order], return_index=True)
    w, y = w[order], y[order, None]
    if scores.size == p.size:
        return scores, w * y, w * (1 - y)
    return scores, np.add.reduceat(w * y, start, axis=0), np.add.reduceat(w * (1 - y), start, axis=0)


def _from_above(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None) -> tuple[NDArray, NDArray, NDArray]:
    """Events at each score, the highest first, and events and non-events at or above it (scores x columns)."""
    _, events, others = _by_score(*_outcome_and_weights(y_true, y_prob, weights))
    return events[::-1], np.cumsum(events[::-1], axis=0), np.cumsum(others[::-1], axis=0)


def auroc(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None = None) -> Any:
    r"""Area under the ROC curve: the chance that an event is ranked above a non-event, ties counted half.

    .. math:: P(s_1 > s_0) + P(s_1 = s_0) / 2

    `y_prob` may be any score, since only its order matters; `weights` are (n_patients,) or (n_patients, n_resamples).
    NaN where a column has no event or no non-event.

    References
    ----------
    Hanley and McNeil (1982), Radiology 143, 29-36.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    >>> auroc([0, 1], [0.5, 0.5], weights=[[1, 2], [1, 0]])
    array([0.5, nan])
    """
    y, p, w = _outcome_and_weights(y_true, y_prob, weights)
    return plain(ranks.auroc(y, p, w.T), weights)


def average_precision(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None = None):
    r"""Area under the precision-recall curve as a sum of steps, :math:`\sum_k (R_k - R_{k-1}) P_k`.

    Its chance level is the share of events, not one half.

    References
    ----------
    Davis and Goadrich (2006), ICML, 233-240.
    """
    events, found, alarms = _from_above(y_true, y_prob, weights)
    flagged, total = found + alarms, found[-1]
    precision = np.divide(found, flagged, out=np.zeros_like(found), where=flagged > 0)
    area = np.einsum("gb,gb->b", events, precision)
    return plain(np.divide(area, total, out=np.full(total.shape, np.nan), where=total > 0), weights)


def brier_score(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None = None):
    """Mean squared distance between probability and outcome; proper, smaller is better.

    References
    ----------
    Brier (1950), Monthly Weather Review 78, 1-3.

    Examples
    --------
    >>> brier_score([0, 1], [0.5, 1.0])
    0.125
    """
    y, p, w = _outcome_and_weights(y_true, y_prob, weights)
    return plain((y - p) ** 2 @ w / w.sum(axis=0), weights)


def scaled_brier(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None = None):
    r"""Brier score against a constant at the event rate: 0 is no better than that, 1 is perfect.

    .. math:: 1 - B / (\bar y (1 - \bar y))

    References
    ----------
    Steyerberg et al. (2010), Epidemiology 21, 128-138.

    Examples
    --------
    >>> scaled_brier([0, 1], [0.5, 1.0])
    0.5
    """
    y, p, w = _outcome_and_weights(y_true, y_prob, weights)
    rate = y @ w / w.sum(axis=0)
    error = (y - p) ** 2 @ w / w.sum(axis=0)
    spread = rate * (1 - rate)
    return plain(1 - np.divide(error, spread, out=np.full(rate.shape, np.nan), where=spread > 0), weights)


def log_loss(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None = None):
    """Mean negative log likelihood of the outcome; probabilities are kept 1e-15 away from 0 and 1."""
    y, p, w = _outcome_and_weights(y_true, y_prob, weights)
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return plain(-(y * np.log(p) + (1 - y) * np.log1p(-p)) @ w / w.sum(axis=0), weights)


def classification(
    y_true: ArrayLike, y_prob: ArrayLike, threshold: float, weights: ArrayLike | None = None
) -> dict[str, float | NDArray]:
    """What a threshold does: counts, rates, and patients flagged per 100; who is at or above it is flagged.

    Gives ``tp, fp, fn, tn`` (summed weights), ``recall, precision, specificity, f1`` (NaN where nobody is concerned),
    ``flagged_per_100, found_per_100, missed_per_100``.

    >>> at_half = classification([0, 0, 1, 1], [0.1, 0.6, 0.35, 0.8], 0.5)
    >>> at_half["recall"], at_half["precision"], at_half["flagged_per_100"]
    (0.5, 0.5, 50.0)
    """
    y, p, w = _outcome_and_weights(y_true, y_prob, weights)
    flagged = p >= threshold
    tp, fp, fn, tn = ((mask * part) @ w for mask in (flagged, ~flagged) for part in (y, 1 - y))
    n = w.sum(axis=0)

    def ratio(above: NDArray, below: NDArray) -> NDArray:
        return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)

    values = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    values |= {"recall": ratio(tp, tp + fn), "precision": ratio(tp, tp + fp), "specificity": ratio(tn, tn + fp)}
    values |= {"f1": ratio(2 * tp, 2 * tp + fp + fn), "flagged_per_100": 100 * (tp + fp) / n}
    values |= {"found_per_100": 100 * tp / n, "missed_per_100": 100 * fn / n}
    return {name: plain(value, weights) for name, value in values.items()}


def share_of_attainable_lift(value: ArrayLike, oracle: ArrayLike) -> float | NDArray:
    """AUROC above chance as a share of what the oracle attains: :math:`(A - 1/2) / (A_{oracle} - 1/2)`.

    Examples
    --------
    >>> share_of_attainable_lift(0.65, 0.75)
    0.6
    """
    share = np.round((np.asarray(value, float) - 0.5) / (np.asarray(oracle, float) - 0.5), 12)
    return float(share) if share.ndim == 0 else share


def roc_curve(y_true: ArrayLike, y_prob: ArrayLike, grid: ArrayLike, weights: ArrayLike | None = None):
    """Recall at given false-positive rates (`grid`), linear between the points of the ROC curve.

    >>> roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.0, 0.5, 1.0])
    array([0.5, 1. , 1. ])
    """
    parts = _from_above(y_true, y_prob, weights)[1:]
    found, alarms = (np.vstack([np.zeros((1, part.shape[1])), part]) for part in parts)
    points = zip((alarms / alarms[-1]).T, (found / found[-1]).T, strict=True)
    curves = np.column_stack([np.interp(np.asarray(grid), *point) for point in points])
    return curves if weights is not None and np.ndim(weights) == 2 else curves[:, 0]


def precision_recall_curve(y_true: ArrayLike, y_prob: ArrayLike, grid: ArrayLike, weights: ArrayLike | None = None):
    """Precision at given recalls in (0, 1]: of the highest threshold whose recall is at least that.

    >>> precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.5, 1.0]).round(3)
    array([1.   , 0.667])
    """
    _, found, alarms = _from_above(y_true, y_prob, weights)
    flagged, recall = found + alarms, found / found[-1]
    precision = np.divide(found, flagged, out=np.ones_like(found), where=flagged > 0)
    reached = [np.minimum(np.searchsorted(column, np.asarray(grid) - 1e-12), len(recall) - 1) for column in recall.T]
    curves = np.column_stack([values[at] for values, at in zip(precision.T, reached, strict=True)])
    return curves if weights is not None and np.ndim(weights) == 2 else curves[:, 0]


def auroc_within(y_true: ArrayLike, y_prob: ArrayLike, fold: ArrayLike, weights: ArrayLike | None = None) -> float:
    """AUROC over the pairs of patients of one test fold, whose scores come from one fit; NaN without a pair.

    Parker, Gunter and Bedo (2007), BMC Bioinformatics 8:326.

    >>> auroc_within([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    1.0
    """
    y, score = np.asarray(y_true, dtype=float), np.asarray(y_prob)
    of = None if weights is None else np.asarray(weights, dtype=float)[None]
    return float(aurocs_within(y[None], score[None], np.asarray(fold), of)[0])


def aurocs_within(y_true: NDArray, y_prob: NDArray, fold: NDArray, weights: NDArray | None = None) -> NDArray:
    """`auroc_within` of many outcomes and scores of the same folds, by ranks; arrays of shape (n_sets, n_patients).

    >>> aurocs_within(np.array([[0, 1, 1], [1, 0, 0]]), np.array([[0.1, 0.2, 0.3]] * 2), np.zeros(3)).tolist()
    [1.0, 0.0]
    """
    won, pairs = np.zeros((2, len(y_true)))
    events, others = (part if weights is None else weights * part for part in (y_true, 1 - y_true))
    for k in np.unique(fold):
        up, down, score = (part.take(np.flatnonzero(fold == k), axis=1) for part in (events, others, y_prob))
        score = ranks.settled(score)
        won += ranks.won(up == 1, score) if weights is None else ranks.concordance(up, down, score)
        pairs += up.sum(axis=1) * down.sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)


def max_cox_snell(prevalence: float) -> float:
    r"""Largest Cox-Snell R-squared that an event rate allows: :math:`1 - (\phi^\phi (1 - \phi)^{1 - \phi})^2`."""
    return 1 - math.exp(2 * (prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)))


def cox_snell_r2(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None = None) -> float:
    r"""Cox-Snell R-squared of predictions that were not fitted to these patients; may be negative.

    :math:`1 - \exp\{2 (\ell(p) - \ell(\bar y))\}` with :math:`\ell` the mean negative log likelihood. `y_true` is the
    outcome, or the true probability of it (then the expected value).

    Examples
    --------
    >>> cox_snell_r2([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5])
    0.0
    """
    true, p = np.asarray(y_true, dtype=float), np.asarray(y_prob, dtype=float)
    w = None if weights is None else np.asarray(weights, dtype=float)
    both = (np.clip(q, 1e-15, 1 - 1e-15) for q in (np.average(true, weights=w), p))
    null, own = (np.average(true * np.log(q) + (1 - true) * np.log1p(-q), weights=w) for q in both)
    return float(1 - math.exp(2 * (null - own)))


def _for_shrinkage(n_parameters: int, r2: float, shrinkage: float) -> float:
    return n_parameters / ((shrinkage - 1) * math.log(1 - r2 / shrinkage))


def expected_shrinkage(n_patients: int, n_parameters: int, r2: float) -> float:
    """Expected uniform shrinkage of a model developed on `n_patients`: the calibration slope to look forward to.

    `r2` is the anticipated Cox-Snell R-squared; NaN when no shrinkage between it and 1 fits.
    """

    def excess(shrinkage: float) -> float:
        return _for_shrinkage(n_parameters, r2, shrinkage) - n_patients

    low = r2 + (1 - r2) * 1e-9
    # n is smallest inside the interval: the larger root is the one that grows with n
    grid = np.linspace(low, 1 - 1e-9, 2001)
    start = grid[int(np.argmin([excess(s) for s in grid]))]
    return float(brentq(excess, start, 1 - 1e-12)) if excess(start) < 0 else float("nan")


def riley(n_parameters: int, prevalence: float, r2: float) -> pd.DataFrame:
    r"""Smallest sample size by each criterion.

    Returns
    -------
    pandas.DataFrame
        Rows ``overall risk, prediction error, shrinkage, optimism`` with ``criterion, target, n_patients,
        n_events, events_per_parameter``. The study needs the largest.

    Raises
    ------
    ValueError
        When `r2` is not between 0 and what the event rate allows.

    Notes
    -----
    With P candidate predictor parameters, :math:`\phi` the anticipated event rate, R² of Cox and Snell, anticipated
    too, and S the shrinkage:

    .. math::
        n_1 = (1.96/\delta)^2 \phi (1 - \phi), \quad
        \ln n_2 = \{-0.508 + 0.259 \ln\phi + 0.504 \ln P - \ln MAPE\} / 0.544, \quad
        n_3 = P / \{(S - 1) \ln(1 - R^2/S)\}

    The prediction error was simulated for event rates up to one half; above, the rarer outcome counts.
    And :math:`n_4` as :math:`n_3` with :math:`S = R^2 / (R^2 + \delta R^2_{max})`.

    References
    ----------
    Riley et al. (2020), BMJ 368, m441; Riley et al. (2019), Statistics in Medicine 38, 1276-1296;
    van Smeden et al. (2019), Stat Methods Med Res 28, 2455-2474 (the prediction error).

    Examples
    --------
    >>> riley(24, prevalence=0.174, r2=0.288)["n_patients"].tolist()
    [221, 801, 623, 662]
    """
    if not 0 < r2 < max_cox_snell(prevalence):
        raise ValueError(f"an R-squared of {r2:.3f} is not possible at an event rate of {prevalence:.3f}")
    rarer = min(prevalence, 1 - prevalence)
    log_n = -0.508 + 0.259 * math.log(rarer) + 0.504 * math.log(n_parameters) - math.log(ERROR)
    small_optimism = r2 / (r2 + OPTIMISM * max_cox_snell(prevalence))
    rows = {
        "overall risk": (MARGIN, (1.96 / MARGIN) ** 2 * prevalence * (1 - prevalence)),
        "prediction error": (ERROR, math.exp(log_n / 0.544)),
        "shrinkage": (SHRINKAGE, _for_shrinkage(n_parameters, r2, SHRINKAGE)),
        "optimism": (OPTIMISM, _for_shrinkage(n_parameters, r2, small_optimism)),
    }
    columns = ["criterion", "target", "n_patients"]
    table = pd.DataFrame([(name, target, math.ceil(n)) for name, (target, n) in rows.items()], columns=columns)
    events = table["n_patients"] * prevalence
    return table.assign(n_events=np.ceil(events).astype(int), events_per_parameter=events / n_parameters)
