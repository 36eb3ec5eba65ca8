"""Decisions: what acting on a prediction is worth, in patients and in money.

A threshold is a statement about costs: whoever contacts every patient at or above .35 says that missing a
patient who leaves is worth 65/35 times a contact in vain. Net benefit counts true positives, less false
positives at that exchange rate, and compares a model with contacting everybody and with contacting nobody.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attrition import metrics
from attrition.decision import bands
from attrition.metrics.intervals import LEVEL, Interval, percentile_interval


def net_benefit(y_true: ArrayLike, y_prob: ArrayLike, thresholds: ArrayLike, weights: ArrayLike | None = None):
    r"""Net benefit at each threshold: net true positives a patient.

    Parameters
    ----------
    y_true, y_prob : array of shape (n_patients,)
    thresholds : float or array of shape (n_thresholds,)
        In [0, 1); a patient at or above one is contacted.
    weights : array of shape (n_patients,) or (n_patients, n_resamples), optional

    Returns
    -------
    float, array of shape (n_thresholds,) or (n_thresholds, n_resamples)

    Notes
    -----
    .. math:: TP/n - FP/n \cdot t/(1 - t)

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
    flagged = (np.asarray(y_prob) >= t[:, None]).astype(float)
    true, false = flagged @ (w * y[:, None]), flagged @ (w * (1 - y[:, None]))
    values = (true - false * (t / (1 - t))[:, None]) / w.sum(axis=0)
    if weights is None or np.ndim(weights) == 1:
        values = values[:, 0]
    return values if np.ndim(thresholds) else (float(values[0]) if values.ndim == 1 else values[0])


def threshold_grid(low: float, high: float) -> NDArray:
    """Thresholds from `low` to `high` in steps of a hundredth, both ends included.

    Examples
    --------
    >>> threshold_grid(0.35, 0.38).tolist()
    [0.35, 0.36, 0.37, 0.38]
    """
    return np.round(np.arange(low, high + 0.001, 0.01), 2)


def treat_all(y_true: ArrayLike, thresholds: ArrayLike, weights: ArrayLike | None = None):
    """Net benefit of contacting everybody; contacting nobody has net benefit 0.

    Examples
    --------
    >>> treat_all([0, 0, 1, 1], [0.5]).tolist()
    [0.0]
    """
    return net_benefit(y_true, np.full(np.size(y_true), np.inf), thresholds, weights)


def money_per_100(net_benefit: ArrayLike, thresholds: ArrayLike, cost: float) -> NDArray:
    """Net benefit in money a hundred patients, for a contact of given cost.

    Parameters
    ----------
    net_benefit, thresholds : array of shape (n_thresholds,)
    cost : float
        Of one contact. The threshold then fixes the gain on a leaver, `cost` (1 - t) / t.

    Returns
    -------
    array of shape (n_thresholds,)

    Examples
    --------
    >>> money_per_100([0.1], [0.5], cost=45).tolist()
    [450.0]
    """
    t = np.asarray(thresholds, dtype=float)
    return 100 * np.asarray(net_benefit) * cost * (1 - t) / t


def _repeats(y_prob: ArrayLike) -> NDArray:
    p = np.asarray(y_prob, dtype=float)
    return p[:, None] if p.ndim == 1 else p


def _mean_net_benefit(y: ArrayLike, y_prob: ArrayLike, thresholds: NDArray, weights: NDArray | None) -> NDArray:
    return np.mean([net_benefit(y, column, thresholds, weights) for column in _repeats(y_prob).T], axis=0)


def decision_curve(
    y_true: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    thresholds: ArrayLike,
    weights: NDArray,
    level: float = LEVEL,
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
    level : float
        Of the pointwise band of each curve, and of the bands of the differences all together.

    Returns
    -------
    pandas.DataFrame
        Rows ``model, threshold`` with ``net_benefit, ci_low, ci_high`` and, against contacting everybody and
        nobody, ``over_all, over_all_low, over_all_high, over_none, over_none_low, over_none_high``.

    Notes
    -----
    Pointwise bands would find some winning threshold of some model by chance; those of the differences hold for all
    models, thresholds and both defaults together (`attrition.decision.bands`). Bands are missing where fewer than ten
    patients lie on one side of the threshold. All of them hold the predictions fixed.

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
    everybody = treat_all(y_true, t)
    shares, odds = bands.flagged(predictions, t), np.tile(t / (1 - t), len(predictions))
    ok, halves = bands.judged(shares), np.full((2, odds.size), np.nan)
    halves[:, ok] = bands.half_widths(np.asarray(y_true), shares[:, ok], odds[ok], weights, level)
    frames = []
    for k, (model, y_prob) in enumerate(predictions.items()):
        half = halves[:, k * t.size : (k + 1) * t.size]
        value, drawn = (_mean_net_benefit(y_true, y_prob, t, w) for w in (None, weights))
        low, high = np.where(np.isnan(half[0]), np.nan, np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2], axis=1))
        frame = {"model": model, "threshold": t, "net_benefit": value, "ci_low": low, "ci_high": high}
        for name, reference, width in (("all", everybody, half[0]), ("none", 0.0, half[1])):
            difference = value - reference
            frame |= {f"over_{name}": difference}
            frame |= {f"over_{name}_low": difference - width, f"over_{name}_high": difference + width}
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def net_benefit_interval(
    y_true: ArrayLike, y_prob: ArrayLike, threshold: float, weights: NDArray, level: float = LEVEL
) -> Interval:
    """Net benefit at one threshold, averaged over repeats, with a bootstrap interval.

    Parameters
    ----------
    y_true : array of shape (n_patients,)
    y_prob : array of shape (n_patients,) or (n_patients, n_repeats)
    threshold : float
    weights : array of shape (n_patients, n_resamples)
    level : float
        Coverage of the interval.

    Examples
    --------
    >>> weights = np.array([[1.0, 2.0], [1.0, 0.0]])
    >>> net_benefit_interval([1, 0], [0.9, 0.1], 0.5, weights)["value"]
    0.5
    """
    t = np.array([threshold])
    value, drawn = (_mean_net_benefit(y_true, y_prob, t, w) for w in (None, weights))
    return percentile_interval(float(value[0]), drawn[0], level)


def at_thresholds(
    y_true: ArrayLike, y_prob: ArrayLike, thresholds: Mapping[str, float], weights: NDArray
) -> pd.DataFrame:
    """Flagged, found and missed per 100 patients, recall, precision, F1 and net benefit at named thresholds.

    Parameters
    ----------
    y_true : array of shape (n_patients,)
    y_prob : array of shape (n_patients,) or (n_patients, n_repeats)
    thresholds : mapping of reason to threshold
    weights : array of shape (n_patients, n_resamples)

    Returns
    -------
    pandas.DataFrame
        A row a threshold; averages over repeats; intervals of recall, precision and net benefit as ``*_low``
        and ``*_high``.

    Examples
    --------
    >>> table = at_thresholds([1, 0], [0.9, 0.1], {"half": 0.5}, np.array([[1.0, 2.0], [1.0, 0.0]]))
    >>> table.loc[0, ["threshold", "found_per_100", "missed_per_100"]].tolist()
    [0.5, 50.0, 0.0]
    """
    rows = []
    for reason, threshold in thresholds.items():
        per_repeat = [metrics.classification(y_true, column, threshold) for column in _repeats(y_prob).T]
        row: dict[str, Any] = {
            "reason": reason,
            "threshold": threshold,
            "n": np.size(y_true),
            "events": int(np.sum(y_true)),
        }
        row |= {name: float(np.mean([values[name] for values in per_repeat])) for name in per_repeat[0]}
        drawn = [metrics.classification(y_true, p, threshold, weights) for p in _repeats(y_prob).T]
        for name in ("recall", "precision"):
            interval = percentile_interval(row[name], np.mean(np.stack([values[name] for values in drawn]), axis=0))
            row |= {f"{name}_low": interval["ci_low"], f"{name}_high": interval["ci_high"]}
        benefit = net_benefit_interval(y_true, y_prob, threshold, weights)
        row |= {"net_benefit": benefit["value"], "net_benefit_low": benefit["ci_low"]}
        rows.append(row | {"net_benefit_high": benefit["ci_high"]})
    return pd.DataFrame(rows)


def where(first: float | None, last: float | None) -> str:
    """Thresholds of a sentence, from the first to the last that count; None where there is none.

    Examples
    --------
    >>> where(0.4, 0.475), where(0.5, 0.5), where(None, None)
    ('at thresholds from 0.4 to 0.475', 'at 0.5', 'at no threshold')
    """
    if first is None:
        return "at no threshold"
    return f"at {first:g}" if first == last else f"at thresholds from {first:g} to {last:g}"


def conclude(curve: pd.DataFrame, model: str) -> dict[str, Any]:
    """Whether to use a model, chosen from its decision curve.

    Parameters
    ----------
    curve : pandas.DataFrame
        From `decision_curve`, over the thresholds that are under consideration.
    model : str

    Returns
    -------
    dict
        ``use`` (bool), ``conclusion`` (a sentence), ``judged_from, judged_to, n_thresholds`` (those with enough
        patients on either side), ``better_from, better_to, n_better`` (the longest run of neighbouring thresholds
        at which the model beats both defaults) and the best threshold by the smaller of its two differences:
        ``best_threshold, best_over_default``, with the smaller of the two lower ends there as
        ``best_over_default_low``. None where there is none.

    Notes
    -----
    A model is to be used where the lower ends of both simultaneous bands are above zero.

    Examples
    --------
    >>> row = {"model": "lr", "threshold": 0.5, "over_all": 0.01, "over_none": 0.01}
    >>> curve = pd.DataFrame([{**row, "over_all_low": -0.01, "over_none_low": 0.005}])
    >>> conclude(curve, "lr")["conclusion"]
    'Do not use: at no threshold from 0.50 to 0.50 is it better than contacting everybody and nobody.'
    """
    own = curve[(curve["model"] == model) & curve["over_all_low"].notna()]
    if own.empty:
        said = f"Do not use: no threshold has {bands.BESIDE} patients on either side, so none is judged."
        ends = dict.fromkeys(("judged_from", "judged_to", "better_from", "better_to"))
        best = dict.fromkeys(("best_threshold", "best_over_default", "best_over_default_low"), np.nan)
        return {"use": False, "conclusion": said, "n_thresholds": 0, "n_better": 0} | ends | best
    wins = (own["over_all_low"] > 0) & (own["over_none_low"] > 0)
    runs = own.loc[wins, "threshold"].groupby((~wins).cumsum()[wins])
    better = max((run for _, run in runs), key=len, default=own["threshold"].head(0))
    gain = own[["over_all", "over_none"]].min(axis=1)
    first, last = own["threshold"].min(), own["threshold"].max()
    if better.empty:
        sentence = f"Do not use: at no threshold from {first:.2f} to {last:.2f} is it better than "
    else:
        sentence = f"Use at thresholds from {better.min():.2f} to {better.max():.2f}: better than both "
    sentence += "contacting everybody and nobody."
    return {
        "use": not better.empty,
        "conclusion": sentence,
        "judged_from": float(first),
        "judged_to": float(last),
        "better_from": None if better.empty else float(better.min()),
        "better_to": None if better.empty else float(better.max()),
        "n_thresholds": len(own),
        "n_better": len(better),
        "best_threshold": float(own.loc[gain.idxmax(), "threshold"]),
        "best_over_default": float(gain.max()),
        "best_over_default_low": float(own.loc[gain.idxmax(), ["over_all_low", "over_none_low"]].min()),
    }
