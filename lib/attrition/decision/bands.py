"""Bands of decision curves that hold for all strategies, thresholds and defaults together, and their coverage.

A strategy differs from contacting everybody by the patients below its threshold, from contacting nobody by those at or
above it. Where one of these groups is next to empty nothing can be judged, so only thresholds with `BESIDE` patients on
either side are.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attrition.metrics.intervals import LEVEL, Interval, wilson

BESIDE = 10
"""Fewest patients on either side of a threshold that is judged, on average over repeats of cross-validation."""
ADDED = 2.0
"""Events, and non-events, added to a group for its standard error: a group without an event has one too."""


def flagged(predictions: Mapping[str, ArrayLike], thresholds: ArrayLike) -> NDArray:
    """In which share of repeats each strategy contacts each patient at each threshold.

    Parameters
    ----------
    predictions : mapping of str to array of shape (n_patients,) or (n_patients, n_repeats)
    thresholds : array of shape (n_thresholds,)

    Returns
    -------
    array of shape (n_patients, n_strategies * n_thresholds)

    Examples
    --------
    >>> flagged({"lr": [0.2, 0.6]}, [0.5, 0.6, 0.7]).tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    tables = [np.asarray(y_prob, dtype=float) for y_prob in predictions.values()]
    repeats = [table.reshape(len(table), -1, 1) for table in tables]
    return np.hstack([(p >= np.asarray(thresholds)).mean(axis=1) for p in repeats])


def judged(shares: NDArray) -> NDArray:
    """Which strategies and thresholds have at least `BESIDE` patients on either side.

    Examples
    --------
    >>> judged(flagged({"lr": np.linspace(0, 1, 21)}, [0.2, 0.5, 0.8])).tolist()
    [False, True, False]
    """
    contacted = shares.sum(axis=0)
    return np.minimum(contacted, len(shares) - contacted) > BESIDE - 1e-9


def _differences(y: NDArray, shares: NDArray, odds: NDArray, weights: NDArray) -> tuple[NDArray, NDArray]:
    """Net benefit over contacting everybody, then nobody, and its standard error, a row a column of weights."""
    n, total = weights.sum(axis=0)[:, None], (weights * y[:, None]).sum(axis=0)[:, None]
    contacted, found = weights.T @ shares, (weights * y[:, None]).T @ shares
    squared = weights.T @ shares**2
    sides = (-1, n - contacted, total - found, n - 2 * contacted + squared), (1, contacted, found, squared)
    values, errors = [], []
    for sign, size, events, squares in sides:
        values.append(sign * (events * (1 + odds) - size * odds) / n)
        share = (events + ADDED) / (size + 2 * ADDED)
        mean = size / n * (share * (1 + odds) - odds)
        variance = squares / n * (odds**2 + share * (1 - odds**2)) - mean**2
        errors.append(np.sqrt(np.clip(variance, 0, None) / n))
    return np.hstack(values), np.hstack(errors)


def half_widths(y: NDArray, shares: NDArray, odds: NDArray, weights: NDArray, level: float = LEVEL) -> NDArray:
    """Half widths of bands around differences in net benefit that hold for all comparisons together.

    Parameters
    ----------
    y : array of shape (n_patients,)
    shares : array of shape (n_patients, n_judged)
        From `flagged`, of the strategies and thresholds that are judged.
    odds : array of shape (n_judged,)
        Of their thresholds.
    weights : array of shape (n_patients, n_resamples)
        `attrition.metrics.intervals.bootstrap_weights`.
    level : float

    Returns
    -------
    array of shape (2, n_judged)
        Over contacting everybody, and over contacting nobody.

    Notes
    -----
    A difference in net benefit is a mean over patients. Its standard error takes the event share of the patients who
    are treated otherwise as if `ADDED` events and non-events had been seen besides, as Agresti and Coull do. It is
    widened by the quantile of the largest studentised deviation over all comparisons in the bootstrap.
    """
    if not shares.shape[1]:
        return np.empty((2, 0))
    value, error = _differences(y, shares, odds, np.ones((len(y), 1)))
    drawn, errors = _differences(y, shares, odds, weights)
    away = np.abs(drawn - value)
    largest = np.divide(away, errors, out=np.zeros_like(away), where=errors > 0).max(axis=1)
    return (np.quantile(largest, level) * error).reshape(2, -1)


def coverage(
    predictions: Mapping[str, ArrayLike],
    risk: ArrayLike,
    thresholds: ArrayLike,
    weights: NDArray,
    n_trials: int,
    rng: np.random.Generator,
) -> Interval:
    """Share of simulated trials in which the bands hold every true difference in net benefit, with Wilson's interval.

    Patients are drawn with replacement, with their predictions, and have the event with a known risk.

    Parameters
    ----------
    predictions : mapping of str to array of shape (n_patients,) or (n_patients, n_repeats)
    risk : array of shape (n_patients,)
        True probability of the event.
    thresholds : array of shape (n_thresholds,)
    weights : array of shape (n_drawn, n_resamples)
        Of the bands; as many patients are drawn a trial.
    n_trials : int
    rng : numpy.random.Generator
    """
    risk, t = np.asarray(risk, dtype=float), np.asarray(thresholds, dtype=float)
    everyone, odds = flagged(predictions, t), np.tile(t / (1 - t), len(predictions))
    law = np.concatenate([risk, 1 - risk])[:, None]
    truth = _differences(np.repeat([1.0, 0.0], len(risk)), np.tile(everyone, (2, 1)), odds, law)[0].reshape(2, -1)
    held = 0
    for _ in range(n_trials):
        rows = rng.integers(len(risk), size=len(weights))
        y, shares = (rng.random(len(rows)) < risk[rows]).astype(float), everyone[rows]
        ok = judged(shares)
        shares, rate = shares[:, ok], odds[ok]
        found = _differences(y, shares, rate, np.ones((len(y), 1)))[0].reshape(2, -1)
        held += bool((np.abs(found - truth[:, ok]) <= half_widths(y, shares, rate, weights)).all())
    return wilson(held, n_trials)


def coverage_words(held: Mapping[str, float], n_trials: int, n_patients: int, risk: str) -> tuple[str, dict[str, Any]]:
    """Whether the bands cover as they should, as a template and its values.

    Parameters
    ----------
    held : mapping
        From `coverage`.
    n_trials, n_patients : int
    risk : str
        What the true risk of a simulated patient is.

    Examples
    --------
    >>> coverage_words({"value": 0.8, "ci_low": 0.7, "ci_high": 0.9}, 60, 200, "known")[0].split(":")[0]
    'The bands cover less than they should'
    """
    said = "less than they should" if held["ci_high"] < LEVEL else "more than they should"
    if held["ci_low"] <= LEVEL <= held["ci_high"]:
        said = "as they should, as far as {trials} trials can tell"
    return (
        f"The bands cover {said}: in simulated trials of {{n}} patients with these predictions, the true risk being "
        "{risk}, they held all true differences at once in a share of {held:.3f}. The models are held fixed in this: "
        "bands and coverage speak of other patients, not of models developed again.",
        {"trials": n_trials, "n": n_patients, "held": dict(held), "risk": risk},
    )
