"""What acting on a prediction is worth, in patients and in money: net benefit, its bands, costs and risk bands.

A threshold is a statement about costs: whoever contacts every patient at or above .35 says that missing a
patient who leaves is worth 65/35 times a contact in vain. Net benefit counts true positives, less false
positives at that exchange rate, and compares a model with contacting everybody and with contacting nobody.
"""

import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from attrition import metrics, settings
from attrition.metrics.evaluator import Predicted
from attrition.metrics.intervals import LEVEL, Interval, percentile_interval, replicates, wilson

BESIDE = 10  # fewest patients on either side of a threshold that is judged, on average over repeats of cross-validation
ADDED = 2.0  # events, and non-events, added to a group for its standard error: a group without an event has one too
# The seed's risk bands: lower end, dollars a patient, action
BANDS: list[dict[str, Any]] = settings.declared(__file__, "decision.yaml")["bands"]


def net_benefit(y_true: ArrayLike, y_prob: ArrayLike, thresholds: ArrayLike, weights: ArrayLike | None = None):
    r"""Net benefit at each threshold: net true positives a patient.

    .. math:: TP/n - FP/n \cdot t/(1 - t)

    A patient at or above a threshold, which is in [0, 1), is contacted. The result has the shape of `thresholds`, and
    with `weights` (n_patients, n_resamples) a last axis of resamples.

    References
    ----------
    Vickers and Elkin (2006), Medical Decision Making 26, 565-574.

    Examples
    --------
    >>> net_benefit([0, 0, 1, 1], [0.1, 0.6, 0.35, 0.8], [0.25, 0.5]).round(4).tolist()
    [0.4167, 0.0]
    """
    y, t = np.asarray(y_true, dtype=float), np.atleast_1d(np.asarray(thresholds, dtype=float))
    w = np.ones((y.size, 1)) if weights is None else np.asarray(weights, dtype=float).reshape(y.size, -1)
    contacted = (np.asarray(y_prob) >= t[:, None]).astype(float)
    true, false = contacted @ (w * y[:, None]), contacted @ (w * (1 - y[:, None]))
    values = (true - false * (t / (1 - t))[:, None]) / w.sum(axis=0)
    if weights is None or np.ndim(weights) == 1:
        values = values[:, 0]
    return values if np.ndim(thresholds) else (float(values[0]) if values.ndim == 1 else values[0])


def treat_all(y_true: ArrayLike, thresholds: ArrayLike, weights: ArrayLike | None = None):
    """Net benefit of contacting everybody; contacting nobody has net benefit 0."""
    return net_benefit(y_true, np.full(np.size(y_true), np.inf), thresholds, weights)


def threshold_grid(low: float, high: float) -> NDArray:
    """Thresholds from `low` to `high` in steps of a hundredth, both ends included.

    Examples
    --------
    >>> threshold_grid(0.35, 0.38).tolist()
    [0.35, 0.36, 0.37, 0.38]
    """
    return np.round(np.arange(low, high + 0.001, 0.01), 2)


def _repeats(y_prob: ArrayLike) -> NDArray:
    return np.asarray(y_prob, dtype=float).reshape(np.shape(y_prob)[0], -1).T


def net_benefit_interval(y_true: ArrayLike, y_prob: ArrayLike, threshold: float, weights: NDArray) -> Interval:
    """Net benefit at one threshold, averaged over repeats, with a bootstrap interval."""
    return percentile_interval(*replicates(partial(net_benefit, thresholds=threshold), y_true, y_prob, weights))


def at_thresholds(
    y_true: ArrayLike, y_prob: ArrayLike, thresholds: Mapping[str, float], weights: NDArray
) -> pd.DataFrame:
    """Flagged, found and missed per 100 patients, recall, precision, F1 and net benefit at named thresholds.

    Averages over repeats of `y_prob` (n_patients, n_repeats); recall, precision and net benefit have bootstrap
    intervals (``*_low, *_high``) from `weights` (n_patients, n_resamples).
    """
    rows, size = [], {"n_patients": np.size(y_true), "n_events": int(np.sum(y_true))}
    for reason, threshold in thresholds.items():
        each = pd.DataFrame([metrics.classification(y_true, repeat, threshold) for repeat in _repeats(y_prob)])
        drawn = [metrics.classification(y_true, repeat, threshold, weights) for repeat in _repeats(y_prob)]
        mean = each.mean(skipna=False).to_dict()
        found = {
            name: percentile_interval(mean[name], np.stack([values[name] for values in drawn]).mean(axis=0))
            for name in ("recall", "precision")
        } | {"net_benefit": net_benefit_interval(y_true, y_prob, threshold, weights)}
        row: dict[str, Any] = {"reason": reason, "threshold": threshold} | size | mean
        for name, one in found.items():
            row |= {name: one["value"], f"{name}_low": one["ci_low"], f"{name}_high": one["ci_high"]}
        rows.append(row)
    return pd.DataFrame(rows)


def flagged(predictions: Predicted, thresholds: ArrayLike) -> NDArray:
    """In which share of repeats each strategy contacts each patient: (n_patients, n_strategies * n_thresholds)."""
    repeats = [_repeats(y_prob).T[:, :, None] for y_prob in predictions.values()]
    return np.hstack([(p >= np.asarray(thresholds)).mean(axis=1) for p in repeats])


def judged(shares: NDArray) -> NDArray:
    """Which strategies and thresholds have at least `BESIDE` patients on either side."""
    contacted = shares.sum(axis=0)
    return np.minimum(contacted, len(shares) - contacted) > BESIDE - 1e-9


def _differences(y: NDArray, shares: NDArray, odds: NDArray, weights: NDArray) -> tuple[NDArray, NDArray]:
    """Net benefit over contacting everybody, then nobody, and its standard error, a row a column of weights."""
    n, total = weights.sum(axis=0)[:, None], (weights * y[:, None]).sum(axis=0)[:, None]
    contacted, found = weights.T @ shares, (weights * y[:, None]).T @ shares
    squared = contacted if np.array_equal(shares, shares**2) else weights.T @ shares**2  # of one repeat: 0 or 1
    sides = (-1, n - contacted, total - found, n - 2 * contacted + squared), (1, contacted, found, squared)
    values, errors = [], []
    for sign, size, events, squares in sides:
        values.append(sign * (events * (1 + odds) - size * odds) / n)
        share = (events + ADDED) / (size + 2 * ADDED)
        mean = size / n * (share * (1 + odds) - odds)
        variance = squares / n * (odds**2 + share * (1 - odds**2)) - mean**2
        errors.append(np.sqrt(np.clip(variance, 0, None) / n))
    return np.hstack(values), np.hstack(errors)


def half_widths(y: NDArray, shares: NDArray, odds: NDArray, weights: NDArray, base: NDArray | None = None) -> NDArray:
    """Half widths of bands around differences in net benefit that hold for all comparisons together: (2, n_judged).

    A difference in net benefit is a mean over patients. Its standard error takes the event share of the patients who
    are treated otherwise as if `ADDED` events and non-events had been seen besides, as Agresti and Coull do. It is
    widened by the quantile of the largest studentised deviation over all comparisons in the bootstrap.
    """
    if not shares.shape[1]:
        return np.empty((2, 0))
    value, error = _differences(y, shares, odds, np.ones((len(y), 1)) if base is None else base[:, None])
    drawn, errors = _differences(y, shares, odds, weights)
    away = np.abs(drawn - value)
    largest = np.divide(away, errors, out=np.zeros_like(away), where=errors > 0).max(axis=1)
    return (np.quantile(largest, LEVEL) * error).reshape(2, -1)


def decision_curve(
    y_true: ArrayLike, predictions: Predicted, thresholds: ArrayLike, weights: NDArray, base: NDArray | None = None
) -> pd.DataFrame:
    """Decision curves with pointwise bands, and paired differences with bands that hold for all of them together.

    Parameters
    ----------
    y_true : array of shape (n_patients,)
    predictions : mapping of str to array of shape (n_patients,) or (n_patients, n_repeats)
        Net benefit is taken a repeat and then averaged.
    thresholds : array of shape (n_thresholds,)
    weights : array of shape (n_patients, n_resamples)
        `attrition.metrics.intervals.bootstrap_weights`.
    base : array of shape (n_patients,), optional
        Weights of the estimates themselves, 0 for a patient whose outcome is not known.

    Returns
    -------
    pandas.DataFrame
        Rows ``model, threshold`` with ``net_benefit, ci_low, ci_high`` and, against contacting everybody and
        nobody, ``over_all, over_all_low, over_all_high, over_none, over_none_low, over_none_high``.

    Notes
    -----
    Pointwise bands would find some winning threshold of some model by chance; those of the differences hold for all
    models, thresholds and both defaults together (`half_widths`). A strategy differs from contacting everybody by the
    patients below its threshold, from contacting nobody by those at or above it: bands are missing where one of these
    groups has fewer than `BESIDE` patients. All of them hold the predictions fixed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.05, 0.95, 400)
    >>> y = rng.random(400) < p
    >>> weights = np.column_stack([rng.multinomial(400, np.full(400, 1 / 400)) for _ in range(50)])
    >>> curve = decision_curve(y, {"lr": p}, [0.4, 0.6], weights)
    >>> (curve["over_none"] > 0).tolist()
    [True, True]
    """
    t = np.asarray(thresholds, dtype=float)
    shares, odds = flagged(predictions, t), np.tile(t / (1 - t), len(predictions))
    ok, halves = judged(shares if base is None else shares[base > 0]), np.full((2, odds.size), np.nan)
    halves[:, ok] = half_widths(np.asarray(y_true), shares[:, ok], odds[ok], weights, base)
    references = {"all": treat_all(y_true, t, base), "none": 0.0}
    frames = []
    for (model, y_prob), half in zip(predictions.items(), np.split(halves, len(predictions), axis=1), strict=True):
        repeats = _repeats(y_prob)
        value, drawn = (np.mean([net_benefit(y_true, p, t, w) for p in repeats], axis=0) for w in (base, weights))
        low, high = np.where(np.isnan(half[0]), np.nan, np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=1))
        frame = {"model": model, "threshold": t, "net_benefit": value, "ci_low": low, "ci_high": high}
        for (name, reference), width in zip(references.items(), half, strict=True):
            over = value - reference
            frame |= {f"over_{name}": over, f"over_{name}_low": over - width, f"over_{name}_high": over + width}
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def conclude(curve: pd.DataFrame, model: str) -> dict[str, Any]:
    """Whether to use a model, chosen from its decision curve: where both simultaneous bands lie above zero.

    The `curve` is that of `decision_curve`, over the thresholds that are under consideration.

    Returns
    -------
    dict
        ``use`` (bool), ``judged_from, judged_to, n_thresholds`` (those with enough patients on either side),
        ``better_from, better_to, n_better`` (the longest run of neighbouring thresholds at which the model beats both
        defaults) and the best threshold by the smaller of its two differences: ``best_threshold, best_over_default``,
        with the smaller of the two lower ends there as ``best_over_default_low``. None where there is none.

    Examples
    --------
    >>> row = {"model": "lr", "threshold": 0.5, "over_all": 0.01, "over_none": 0.01}
    >>> curve = pd.DataFrame([{**row, "over_all_low": -0.01, "over_none_low": 0.005}])
    >>> conclude(curve, "lr")["use"]
    False
    """
    own = curve[(curve["model"] == model) & curve["over_all_low"].notna()]
    wins = (own["over_all_low"] > 0) & (own["over_none_low"] > 0)
    runs = own.loc[wins, "threshold"].groupby((~wins).cumsum()[wins])
    better = max((run for _, run in runs), key=len, default=own["threshold"].head(0))
    found: dict[str, Any] = {"use": not better.empty, "n_thresholds": len(own), "n_better": len(better)}
    for name, run in (("judged", own["threshold"]), ("better", better)):
        low, high = (None, None) if run.empty else (float(run.min()), float(run.max()))
        found |= {f"{name}_from": low, f"{name}_to": high}
    best = dict.fromkeys(("best_threshold", "best_over_default", "best_over_default_low"), np.nan)
    if not own.empty:
        gain = own[["over_all", "over_none"]].min(axis=1)
        top = own.loc[gain.idxmax()]
        ends = top["threshold"], gain.max(), min(top["over_all_low"], top["over_none_low"])
        best = dict(zip(best, map(float, ends), strict=True))
    return found | best


def coverage(
    predictions: Predicted, risk: ArrayLike, thresholds: ArrayLike, weights: NDArray, n_trials: int, rng: Generator
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


def money_per_100(net_benefit: ArrayLike, thresholds: ArrayLike, cost: float) -> NDArray:
    """Net benefit in money a hundred patients: the threshold t fixes the gain on a leaver, `cost` (1 - t) / t."""
    t = np.asarray(thresholds, dtype=float)
    return 100 * np.asarray(net_benefit) * cost * (1 - t) / t


def implied_costs() -> pd.DataFrame:
    """What the ends of the risk bands say about the worth of an action, if the bands are right.

    Returns
    -------
    pandas.DataFrame
        A row a step up: ``band, threshold, extra_cost`` over the band below, ``implied_gain`` (expected
        saving on one leaver that makes the step break even), ``harm_to_benefit`` (odds of the threshold).

    Examples
    --------
    >>> implied_costs()["implied_gain"].round(1).tolist()
    [466.7, 190.9, 127.1]
    """
    steps = pd.DataFrame(
        {"band": upper["band"], "threshold": upper["low"], "extra_cost": upper["cost"] - lower["cost"]}
        for upper, lower in itertools.pairwise(BANDS)
    )
    t = steps["threshold"]
    return steps.assign(implied_gain=steps["extra_cost"] / t, harm_to_benefit=t / (1 - t))


def band_of(y_prob: ArrayLike) -> NDArray:
    """Number of the band of each prediction: 0 is the highest."""
    lows = np.array([band["low"] for band in BANDS])
    return (np.asarray(y_prob)[..., None] < lows).sum(axis=-1)


def band_table(y_true: ArrayLike, y_prob: ArrayLike) -> pd.DataFrame:
    """Patients, events and cost of each band, with the observed event rate and Wilson's interval.

    Returns
    -------
    pandas.DataFrame
        ``band, n_patients, n_events, event_rate, ci_low, ci_high, patients_per_100, cost_per_100``.

    Examples
    --------
    >>> band_table([1, 0, 1, 0], [0.9, 0.6, 0.5, 0.1])["cost_per_100"].tolist()
    [12500.0, 3750.0, 1125.0, 12.5]
    """
    y, member = np.asarray(y_true), band_of(y_prob)
    rows = []
    for number, band in enumerate(BANDS):
        own = y[member == number]
        n, events, share = own.size, int(own.sum()), 100 * own.size / y.size
        row = {"band": band["band"], "n_patients": n, "n_events": events, **wilson(events, n)}
        rows.append(row | {"patients_per_100": share, "cost_per_100": share * band["cost"]})
    return pd.DataFrame(rows).rename(columns={"value": "event_rate"})


def spent(table: pd.DataFrame) -> dict[str, float]:
    """Dollars per 100 patients over all bands of `band_table`, and the share of the highest band."""
    total = float(table["cost_per_100"].sum())
    return {"total": total, "highest": float(table["cost_per_100"].iloc[0]) / total}
