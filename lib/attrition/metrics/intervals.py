"""Intervals: how far a measure on this many patients can be from its true value.

An interval is a mapping ``{"value", "ci_low", "ci_high"}``. All hold the predictions fixed: they say what
other patients of the same kind would have given, not what another training set would have.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from attrition.metrics import measures, ranks
from attrition.metrics.calibration import MIN_SPREAD, expit, logit, recalibration_covariance

LEVEL = 0.95
CHANCE = 0.05  # level of the tests of chapter 06 against chance, over all landmarks together


NO_SPREAD = 10.0 ** (1 - ranks.DECIMALS)  # a standard deviation over trials below it is that of settling the scores


class Interval(TypedDict):
    """An estimate and its interval; ``mc_se`` is the Monte-Carlo error of a simulation."""

    value: float
    ci_low: float
    ci_high: float
    mc_se: NotRequired[float]


def of_row(row: Mapping[str, Any], value: str = "value", low: str = "ci_low", high: str = "ci_high") -> Interval:
    """The interval that a row of a table holds, by the names of its columns.

    Examples
    --------
    >>> of_row({"rate": 0.5, "ci_low": 0.4, "ci_high": 0.6}, "rate")
    {'value': 0.5, 'ci_low': 0.4, 'ci_high': 0.6}
    """
    return Interval(value=float(row[value]), ci_low=float(row[low]), ci_high=float(row[high]))


class Grade(StrEnum):
    """Where an interval lies to zero and to the smallest difference of interest; a template can compare the words."""

    LARGE = "large"
    CLEAR = "clear"
    SMALL = "small"
    OPEN = "open"
    REVERSED = "reversed"

    @property
    def verdict(self) -> str:
        """The estimate decides about size: *supported* for large and clear, *direction only* for small."""
        words = {Grade.LARGE: "supported", Grade.CLEAR: "supported", Grade.SMALL: "direction only"}
        return words.get(self, "not supported")

    @property
    def strict_verdict(self) -> str:
        """The lower end decides about size: *supported* for large, *direction only* for clear and small."""
        return "direction only" if self is Grade.CLEAR else self.verdict


def grade(interval: Mapping[str, Any], smallest: float = 0.0) -> Grade:
    """Where an interval lies to zero and to the smallest difference of interest; positive is better.

    The `interval` is a mapping or a row of a table, with ``value, ci_low, ci_high``; `smallest` is in its unit. It is
    ``large``: above zero, and even its lower end is at least `smallest`; ``clear``: above zero, and the estimate is
    at least `smallest`; ``small``: above zero, the estimate is less; ``reversed``: below zero; ``open``: holds zero,
    or has no ends. A grade's ``verdict`` and ``strict_verdict`` are words of a finding.

    >>> found = {"value": 0.06, "ci_low": 0.01, "ci_high": 0.1}
    >>> str(grade(found, 0.05)), grade(found, 0.05).verdict, grade(found, 0.05).strict_verdict
    ('clear', 'supported', 'direction only')
    """
    value, low, high = (float(interval[key]) for key in ("value", "ci_low", "ci_high"))
    if high < 0:
        return Grade.REVERSED
    if not low > 0:
        return Grade.OPEN
    if low >= smallest:
        return Grade.LARGE
    return Grade.CLEAR if value >= smallest else Grade.SMALL


def _z(level: float) -> float:
    return float(ndtri(0.5 + level / 2))


def wald(value: float, se: float, level: float = LEVEL) -> Interval:
    """Normal interval around an estimate."""
    half = _z(level) * float(se)
    return Interval(value=float(value), ci_low=float(value) - half, ci_high=float(value) + half)


def delong(y_true: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> tuple[NDArray, NDArray]:
    """AUROCs of several scores of the same patients, (n_patients,) or (n_patients, n_models), and their covariance.

    With `weights`, patients stand for others too; the covariance takes them for known. DeLong et al. (1988), Biometrics
    44, 837-845; Sun and Xu (2014), IEEE Signal Process Lett 21, 1389-1393.
    """
    event, w = np.asarray(y_true) == 1, measures.columns(weights, np.size(y_true))[:, 0]
    up, down = event & (w > 0), ~event & (w > 0)
    m, n = int(up.sum()), int(down.sum())
    if min(m, n) < 2:
        raise ValueError(f"DeLong's variance needs two events and two non-events, found {m} and {n}")
    s, covariance = np.asarray(scores, dtype=float).reshape(len(w), -1), 0.0
    placed = _placements(s[up], s[down], w[down]), 1 - _placements(s[down], s[up], w[up])
    values = w[up] @ placed[0] / w[up].sum()
    for own, part in zip((w[up], w[down]), placed, strict=True):
        away = (own / own.sum())[:, None] * (part - values)
        covariance = covariance + away.T @ away * len(own) / (len(own) - 1)
    return values, np.atleast_2d(covariance)


def _placements(scores: NDArray, others: NDArray, weights: NDArray) -> NDArray:
    """Which share of the others each score exceeds, ties one half, column by column; NaN in a column with a NaN."""
    found = np.empty(scores.shape)
    for column, score, other in zip(found.T, scores.T, others.T, strict=True):
        order = np.argsort(other)
        below = np.append(0.0, np.cumsum(weights[order]))
        sides = (np.searchsorted(other, score, side, sorter=order) for side in ("left", "right"))
        column[:] = sum(below[side] for side in sides) / 2 / below[-1]
    return np.where(np.isnan(scores).any(axis=0) | np.isnan(others).any(axis=0), np.nan, found)


def auroc_interval(
    y_true: ArrayLike, y_prob: ArrayLike, level: float = LEVEL, weights: ArrayLike | None = None
) -> Interval:
    """AUROC with DeLong's variance; built on the logit scale, the interval stays inside (0, 1).

    NaN ends for an AUROC of 0 or 1, whose variance is not estimable, and for fewer than two of a class. Pepe (2003),
    The Statistical Evaluation of Medical Tests, section 5.2.4.

    Examples
    --------
    >>> interval = auroc_interval([0, 0, 0, 1, 1, 1], [0.1, 0.4, 0.3, 0.35, 0.8, 0.7])
    >>> 0 < interval["ci_low"] < interval["value"] < interval["ci_high"] < 1
    True
    """
    y = np.asarray(y_true)
    known = y if weights is None else y[np.asarray(weights) > 0]
    if min((known == 1).sum(), (known == 0).sum()) < 2:
        return Interval(value=measures.auroc(y, y_prob, weights), ci_low=np.nan, ci_high=np.nan)
    (value,), covariance = delong(y, y_prob, weights)
    return logit_interval(value, float(np.sqrt(covariance[0, 0])), level)


def logit_interval(value: float, se: float, level: float = LEVEL) -> Interval:
    """Interval of a share in (0, 1) with standard error `se`, normal on the logit scale."""
    if not 0 < value < 1:
        return Interval(value=float(value), ci_low=np.nan, ci_high=np.nan)
    half = _z(level) * se / (value * (1 - value))
    low, high = expit(logit(value) - half), expit(logit(value) + half)
    return Interval(value=float(value), ci_low=float(low), ci_high=float(high))


def auroc_difference(y_true: ArrayLike, a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
    """AUROC of `a` less that of `b` on the same patients, and its variance, by `delong`."""
    (first, second), covariance = delong(y_true, np.column_stack([a, b]))
    return float(first - second), max(float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]), 0.0)


def bootstrap_weights(rng: np.random.Generator, n_patients: int, n_resamples: int) -> NDArray:
    """How often each patient is drawn in each bootstrap resample: whole numbers as floats, (n_patients, n_resamples).

    Examples
    --------
    >>> bootstrap_weights(np.random.default_rng(0), 5, 3).sum(axis=0).tolist()
    [5.0, 5.0, 5.0]
    """
    drawn = rng.integers(n_patients, size=(n_patients, n_resamples)) * n_resamples + np.arange(n_resamples)
    counts = np.bincount(drawn.ravel(), minlength=n_patients * n_resamples)
    return counts.reshape(n_patients, n_resamples).astype(float)


def level_for_all(comparisons: int, level: float = LEVEL) -> float:
    """Level of each of several intervals that makes all of them hold at once (Bonferroni)."""
    return 1 - (1 - level) / max(comparisons, 1)


def percentile_interval(value: float, replicates: ArrayLike, level: float = LEVEL) -> Interval:
    """Percentile interval from bootstrap replicates; undefined replicates are left out.

    An estimate at the end of its range (the scaled Brier score of the event rate itself is 0 and every resample
    is below) would lie outside; the interval is then extended to it.

    >>> percentile_interval(40.0, np.arange(101.0), level=0.5)
    {'value': 40.0, 'ci_low': 25.0, 'ci_high': 75.0}
    """
    low, _, high = _quantiles(value, replicates, level)
    return Interval(value=float(value), ci_low=float(np.minimum(low, value)), ci_high=float(np.maximum(high, value)))


def _quantiles(value: float, replicates: ArrayLike, level: float) -> NDArray:
    """Lower end, median and upper end of the replicates that are defined; NaN where there is no interval."""
    usable = np.asarray(replicates, dtype=float)
    usable = usable[np.isfinite(usable)]
    if not np.isfinite(value) or usable.size < 2:
        return np.full(3, np.nan)
    return np.quantile(usable, [0.5 - level / 2, 0.5, 0.5 + level / 2])


def centred_interval(value: float, replicates: ArrayLike, level: float = LEVEL, floor: float = 0.0) -> Interval:
    """Percentile interval moved so that the replicates' median is the estimate, cut off at a floor.

    For measures such as the ICI that cannot be negative: resampling adds noise to a curve that is noisy already,
    so the plain percentiles lie above the estimate.

    >>> centred_interval(1.0, np.arange(101.0), level=0.5)
    {'value': 1.0, 'ci_low': 0.0, 'ci_high': 26.0}
    """
    low, middle, high = _quantiles(value, replicates, level)
    low, high = np.maximum(value + (low - middle), floor), value + (high - middle)
    return Interval(value=float(value), ci_low=float(low), ci_high=float(high))


def replicates(
    metric: Callable, y_true: ArrayLike, y_prob: ArrayLike, weights: NDArray, base: NDArray | None = None
) -> tuple[float, NDArray]:
    """Estimate and bootstrap replicates of a measure, taken a repeat of cross-validation and then averaged.

    `y_prob` has a column a repeat, `weights` (of `bootstrap_weights`) one a resample: the same ones make measures and
    models paired. `base` weighs the estimate itself.

    >>> value, drawn = replicates(measures.brier_score, [0, 1], [0.5, 1.0], np.array([[1.0, 2], [1, 0]]))
    >>> value, drawn.tolist()
    (0.125, [0.125, 0.25])
    """
    p = np.asarray(y_prob, dtype=float)
    columns = p[:, None] if p.ndim == 1 else p
    values = [metric(y_true, column, weights=base) for column in columns.T]
    drawn = [metric(y_true, column, weights=weights) for column in columns.T]
    return float(np.mean(values)), np.mean(drawn, axis=0)


def wilson(successes: float, n: float, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a proportion.

    Examples
    --------
    >>> {key: round(number, 4) for key, number in wilson(81, 263).items()}
    {'value': 0.308, 'ci_low': 0.2553, 'ci_high': 0.3662}
    """
    if n <= 0:
        return Interval(value=np.nan, ci_low=np.nan, ci_high=np.nan)
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, n, 1 - level, "wilson")
    return Interval(value=float(successes / n), ci_low=max(float(low), 0.0), ci_high=min(float(high), 1.0))


def monte_carlo(values: ArrayLike, level: float = LEVEL, variance: float = 0.0) -> Interval:
    """Mean over simulated trials with its Monte-Carlo error ``mc_se`` and Student's interval.

    Values that are not finite are left out; one trial has a value and neither error nor interval (NaN). A `variance`
    that all trials share is added to that of the mean; a spread of rounding (`ranks.settled`) is none. Morris, White
    and Crowther (2019), Statistics in Medicine 38, 2074-2102.

    >>> found = monte_carlo([1.0, 2.0, 3.0])
    >>> found["value"], round(found["ci_high"], 3), round(found["mc_se"], 3)
    (2.0, 4.484, 0.577)
    """
    v = np.asarray(values, dtype=float)
    v = v[np.isfinite(v)]
    mean = float(v.mean()) if v.size else np.nan
    if v.size < 2:
        return Interval(value=mean, ci_low=np.nan, ci_high=np.nan, mc_se=np.nan)
    sd = float(v.std(ddof=1))
    se = float(np.sqrt((sd if sd >= NO_SPREAD else 0.0) ** 2 / v.size + max(variance, 0.0)))
    half = float(stdtrit(v.size - 1, 0.5 + level / 2)) * se
    return Interval(value=mean, ci_low=mean - half, ci_high=mean + half, mc_se=se)


def calibration_slope_interval(y_true: ArrayLike, y_prob: ArrayLike, level: float = LEVEL) -> Interval:
    """Calibration slope with a robust (sandwich) standard error; NaN when predictions hardly differ."""
    if logit(y_prob).std() < MIN_SPREAD:
        return Interval(value=np.nan, ci_low=np.nan, ci_high=np.nan)
    coefficients, covariance = recalibration_covariance(y_true, y_prob)
    return wald(coefficients[1], np.sqrt(covariance[1, 1]), level)


def calibration_in_the_large_interval(y_true: ArrayLike, y_prob: ArrayLike, level: float = LEVEL) -> Interval:
    """Calibration-in-the-large with a robust standard error; NaN when all or none have the event."""
    if np.unique(np.asarray(y_true)).size < 2:
        return Interval(value=np.nan, ci_low=np.nan, ci_high=np.nan)
    coefficients, covariance = recalibration_covariance(y_true, y_prob, slope=False)
    return wald(coefficients[0], np.sqrt(covariance[0, 0]), level)


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Normal interval of a mean over patients, such as the Brier score."""
    v = np.asarray(values, dtype=float)
    return wald(v.mean(), v.std(ddof=1) / np.sqrt(v.size), level)
