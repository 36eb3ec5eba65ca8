"""Risk of leaving by reason, over time: Aalen-Johansen, its band, and the mistake that it replaces.

Throughout, ``time`` is the day of leaving or of the end of observation and ``cause`` says why: 0 for a
patient who is still in the trial at that day (censored), 1 to K for the reasons. Reasons compete: who has
left for one of them can no longer leave for another.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

CENSORED = 0


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence functions on the days at which somebody left or was censored.

    Attributes
    ----------
    days : ndarray, shape (n_days,)
        Distinct days, ascending.
    at_risk : ndarray, shape (n_days,)
        Patients still in the trial just before each day.
    event_free : ndarray, shape (n_days,)
        Probability of having left for no reason by each day (Kaplan-Meier for any reason).
    cif : ndarray, shape (n_causes, n_days)
        Probability of having left for each reason by each day.
    variance : ndarray, shape (n_causes, n_days)
        Greenwood-type variance of `cif`.
    events : ndarray, shape (n_causes, n_days)
        Patients who left for each reason on each day.
    """

    days: np.ndarray
    at_risk: np.ndarray
    event_free: np.ndarray
    cif: np.ndarray
    variance: np.ndarray
    events: np.ndarray


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


def _checked(time: ArrayLike, cause: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    time, cause = np.asarray(time, dtype=float), np.asarray(cause)
    if time.ndim != 1 or time.shape != cause.shape or not len(time):
        raise ValueError("time and cause must be one-dimensional, of equal length and not empty")
    if not np.isfinite(time).all():
        raise ValueError("time must be finite")
    if not np.equal(np.mod(cause, 1), 0).all() or cause.min() < CENSORED:
        raise ValueError("cause must be whole numbers, 0 for censored")
    return time, cause.astype(int)


def _counts(time: np.ndarray, cause: np.ndarray, n_causes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    days, position = np.unique(time, return_inverse=True)
    table = np.zeros((n_causes + 1, len(days)))
    np.add.at(table, (cause, position), 1)
    leaving = table.sum(axis=0)
    at_risk = leaving.sum() - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    return days, at_risk, table[1:]


def _variance(at_risk: np.ndarray, events: np.ndarray, before: np.ndarray, cif: np.ndarray) -> np.ndarray:
    n, d = at_risk, events.sum(axis=0)
    left = n - d
    total = np.divide(d, n * left, out=np.zeros_like(n), where=left > 0)
    own = before**2 * events * (n - events) / n**3
    cross = before * events / n**2
    sums = [np.cumsum(part, axis=-1) for part in (own, total, cif * total, cif**2 * total, cross, cif * cross)]
    own_sum, g0, g1, g2, c0, c1 = sums
    variance = own_sum + cif**2 * g0 - 2 * cif * g1 + g2 - 2 * (cif * c0 - c1)
    return np.maximum(variance, 0.0)


def aalen_johansen(time: ArrayLike, cause: ArrayLike, n_causes: int | None = None) -> Incidence:
    r"""Aalen-Johansen estimate of the cumulative incidence of every reason.

    .. math:: \hat F_k(t) = \sum_{s \le t} \hat S(s-) \frac{d_k(s)}{n(s)}, \qquad
              \hat S(t) = \prod_{s \le t} \Bigl(1 - \frac{d(s)}{n(s)}\Bigr)

    The variance is of Greenwood type (multinomial increments): it equals the infinitesimal jackknife and,
    without censoring, the binomial :math:`F(1 - F)/n`.

    Parameters
    ----------
    time : array_like, shape (n_patients,)
        Day of leaving, or of the end of observation.
    cause : array_like of int, shape (n_patients,)
        0 censored, 1 to `n_causes` the reasons.
    n_causes : int, optional
        Number of reasons; the largest `cause` by default.

    Returns
    -------
    Incidence

    Raises
    ------
    ValueError
        For unequal lengths, days that are not finite, or reasons outside 0 to `n_causes`.

    References
    ----------
    Aalen O, Johansen S (1978), Scand J Stat 5:141-150. Gaynor JJ et al. (1993), J Am Stat Assoc 88:400-409.
    Allignol A, Schumacher M, Beyersmann J (2010), Biom J 52:126-137 (variance).

    Examples
    --------
    >>> fit = aalen_johansen([10, 20, 30, 40], [1, 2, 1, 0])
    >>> fit.cif[:, -1].tolist(), fit.event_free[-1]
    ([0.5, 0.25], np.float64(0.25))
    """
    time, cause = _checked(time, cause)
    n_causes = int(max(cause.max(), 1)) if n_causes is None else n_causes
    if cause.max() > n_causes:
        raise ValueError(f"cause must lie between 0 and {n_causes}")
    days, at_risk, events = _counts(time, cause, n_causes)
    event_free = np.cumprod(1 - events.sum(axis=0) / at_risk)
    before = np.concatenate([[1.0], event_free[:-1]])
    cif = np.cumsum(before * events / at_risk, axis=1)
    return Incidence(days, at_risk, event_free, cif, _variance(at_risk, events, before, cif), events)


def one_minus_km(time: ArrayLike, cause: ArrayLike, of: int) -> Incidence:
    r"""The common mistake: 1 - Kaplan-Meier for one reason, the other reasons counted as censored.

    It answers a question about a world in which nobody can leave for another reason (and in which the reasons
    do not depend on each other), and is at least as large as the cumulative incidence on every day.

    Parameters
    ----------
    time, cause : array_like, shape (n_patients,)
        As for `aalen_johansen`.
    of : int
        The reason of interest.

    Returns
    -------
    Incidence
        With one row in `cif`.

    References
    ----------
    Gooley TA et al. (1999), Stat Med 18:695-706. Putter H, Fiocco M, Geskus RB (2007), Stat Med 26:2389-2430.

    Examples
    --------
    >>> one_minus_km([10, 20, 30, 40], [1, 2, 1, 0], of=1).cif[0, -1]
    np.float64(0.625)
    """
    time, cause = _checked(time, cause)
    return aalen_johansen(time, (cause == of).astype(int), n_causes=1)


def _on_days(steps: np.ndarray, days: np.ndarray, asked: ArrayLike, start: float) -> np.ndarray:
    padded = np.concatenate([np.full((*steps.shape[:-1], 1), start), steps], axis=-1)
    return padded[..., np.searchsorted(days, np.asarray(asked, dtype=float), side="right")]


def numbers_at_risk(time: ArrayLike, days: ArrayLike) -> np.ndarray:
    """Patients still in the trial just before each day.

    Parameters
    ----------
    time : array_like, shape (n_patients,)
    days : array_like, shape (n_days,)

    Returns
    -------
    ndarray of int, shape (n_days,)

    Examples
    --------
    >>> numbers_at_risk([10, 20, 20, 40], [0, 20, 21]).tolist()
    [4, 3, 1]
    """
    ordered = np.sort(np.asarray(time, dtype=float))
    return len(ordered) - np.searchsorted(ordered, np.asarray(days, dtype=float), side="left")


def loglog_band(
    value: ArrayLike, variance: ArrayLike, at_risk: ArrayLike, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    r"""Pointwise log-log interval of a cumulative incidence.

    .. math:: F^{\exp(\pm z\, \sigma / (F \log F))}

    Where nobody has left yet for the reason, the upper limit is the exact binomial one of 0 out of the
    patients at risk, :math:`1 - (\alpha/2)^{1/n}`, instead of a band of width zero; likewise below a risk
    of one.

    Parameters
    ----------
    value, variance : array_like, shape (n_days,)
        Estimate and variance, see `aalen_johansen`.
    at_risk : array_like, shape (n_days,)
        Patients at risk, for the exact limits.
    level : float
        Confidence level of each single day (the band is not simultaneous).

    Returns
    -------
    ci_low, ci_high : ndarray, shape (n_days,)

    References
    ----------
    Choudhury JB (2002), Stat Med 21:1129-1144.

    Examples
    --------
    >>> low, high = loglog_band([0.0, 0.5], [0.0, 0.0025], [100, 50])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.399], [0.036, 0.593])
    """
    value, variance, at_risk = (np.asarray(part, dtype=float) for part in (value, variance, at_risk))
    inside = (value > 0) & (value < 1) & (variance > 0)
    safe = np.where(inside, value, 0.5)
    shift = _z(level) * np.sqrt(np.where(inside, variance, 0.0)) / (safe * np.log(safe))
    exact = ((1 - level) / 2) ** (1 / np.maximum(at_risk, 1))
    low = np.where(inside, safe ** np.exp(-shift), np.where(value >= 1, exact, 0.0))
    high = np.where(inside, safe ** np.exp(shift), np.where(value <= 0, 1 - exact, 1.0))
    return low, high


def risk_on(fit: Incidence, days: ArrayLike) -> np.ndarray:
    """Cumulative incidence on given days, without its band.

    Returns
    -------
    ndarray, shape (n_causes, n_days)

    Examples
    --------
    >>> risk_on(aalen_johansen([10, 20, 30, 40], [1, 2, 1, 0]), [25, 30]).tolist()
    [[0.25, 0.5], [0.25, 0.25]]
    """
    return _on_days(fit.cif, fit.days, days, 0.0)


def at_days(fit: Incidence, days: ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """Cumulative incidence with its band on given days.

    Parameters
    ----------
    fit : Incidence
    days : array_like, shape (n_days,)
        Days from the start.
    level : float
        Confidence level, pointwise.

    Returns
    -------
    pandas.DataFrame
        One row a reason and day: ``cause`` (1 to K), ``day``, ``at_risk``, ``events`` (so far), ``value``,
        ``ci_low``, ``ci_high``.

    Examples
    --------
    >>> table = at_days(aalen_johansen([10, 20, 30, 40], [1, 2, 1, 0]), [25])
    >>> table[["cause", "at_risk", "value"]].to_numpy().tolist()
    [[1.0, 2.0, 0.25], [2.0, 2.0, 0.25]]
    """
    days = np.asarray(days, dtype=float)
    position = np.searchsorted(fit.days, days, side="left")
    at_risk = np.append(fit.at_risk, 0.0)[position]
    value = risk_on(fit, days)
    variance = _on_days(fit.variance, fit.days, days, 0.0)
    events = _on_days(np.cumsum(fit.events, axis=1), fit.days, days, 0.0)
    rows = []
    for k in range(len(value)):
        low, high = loglog_band(value[k], variance[k], np.maximum(at_risk, 1), level)
        columns = {"day": days, "at_risk": at_risk, "events": events[k], "value": value[k]}
        rows.append(pd.DataFrame({"cause": k + 1, **columns, "ci_low": low, "ci_high": high}))
    return pd.concat(rows, ignore_index=True).astype({"at_risk": int, "events": int})


def curve(fit: Incidence, horizon: float, level: float = 0.95) -> pd.DataFrame:
    """Steps of every reason from day 0 to the horizon, ready to draw; columns as in `at_days`."""
    inside = fit.days[(fit.days > 0) & (fit.days < horizon)]
    return at_days(fit, np.concatenate([[0.0], inside, [horizon]]), level)


def tabulate(
    patients: pd.DataFrame,
    reasons: Sequence[str],
    days: ArrayLike,
    by: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Cumulative incidence by reason (and by group) on given days, as one tidy table.

    Parameters
    ----------
    patients : pandas.DataFrame
        One row a patient with ``time`` (day) and ``reason`` (one of `reasons`; else the patient counts as
        censored).
    reasons : sequence of str
        Competing reasons, in the order of the table.
    days : array_like
        Days of the table.
    by : str, optional
        Column of groups, such as the treatment arm.
    level : float
        Confidence level, pointwise.

    Returns
    -------
    pandas.DataFrame
        Columns ``group``, ``reason``, ``day``, ``at_risk``, ``events``, ``value``, ``ci_low``, ``ci_high``.
    """
    code = {reason: k + 1 for k, reason in enumerate(reasons)}
    groups = {"all": patients} if by is None else dict(tuple(patients.groupby(by, sort=False, observed=True)))
    parts = []
    for name, part in groups.items():
        cause = part["reason"].map(code).fillna(CENSORED).astype(int)
        table = at_days(aalen_johansen(part["time"], cause, len(code)), days, level)
        table.insert(0, "reason", table.pop("cause").map(dict(enumerate(reasons, start=1))))
        table.insert(0, "group", name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def risk_difference(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    r"""Difference of two independent risks, its interval from the two intervals (square-and-add).

    .. math:: L = d - \sqrt{(F_1 - l_1)^2 + (u_2 - F_2)^2}, \quad U = d + \sqrt{(u_1 - F_1)^2 + (F_2 - l_2)^2}

    Parameters
    ----------
    first, second : mapping
        ``value``, ``ci_low``, ``ci_high`` of each arm, at the same level.

    Returns
    -------
    dict
        ``value`` (first minus second), ``ci_low``, ``ci_high``.

    References
    ----------
    Newcombe RG (1998), Stat Med 17:873-890. Zou GY, Donner A (2008), Stat Med 27:1693-1702.

    Examples
    --------
    >>> a = {"value": 0.6, "ci_low": 0.5, "ci_high": 0.7}
    >>> b = {"value": 0.3, "ci_low": 0.2, "ci_high": 0.4}
    >>> {key: round(part, 3) for key, part in risk_difference(a, b).items()}
    {'value': 0.3, 'ci_low': 0.159, 'ci_high': 0.441}
    """
    difference = first["value"] - second["value"]
    down = math.hypot(first["value"] - first["ci_low"], second["ci_high"] - second["value"])
    up = math.hypot(first["ci_high"] - first["value"], second["value"] - second["ci_low"])
    return {"value": difference, "ci_low": difference - down, "ci_high": difference + up}


def time_lost(fit: Incidence, cause: int, horizon: float, level: float = 0.95) -> dict[str, float]:
    r"""Mean number of days lost to one reason before the horizon, :math:`\int_0^\tau \hat F_k(t)\,dt`.

    Parameters
    ----------
    fit : Incidence
    cause : int
        The reason, 1 to K.
    horizon : float
        Restriction, in days.
    level : float
        Confidence level of the normal interval.

    Returns
    -------
    dict
        ``value``, ``se``, ``ci_low``, ``ci_high``, in days per patient.

    References
    ----------
    Andersen PK (2013), Stat Med 32:5278-5285.

    Examples
    --------
    >>> time_lost(aalen_johansen([10, 20, 30, 40], [1, 2, 1, 0]), 1, 40)["value"]
    np.float64(10.0)
    """
    keep = fit.days <= horizon
    days, n, events = fit.days[keep], fit.at_risk[keep], fit.events[:, keep]
    cif, d, own = fit.cif[cause - 1][keep], events.sum(axis=0), events[cause - 1]
    before = np.concatenate([[1.0], fit.event_free[keep][:-1]])
    widths = np.diff(np.append(days, horizon))
    area = np.cumsum((cif * widths)[::-1])[::-1]
    a, b = before * (horizon - days), area - cif * (horizon - days)
    total = np.divide(b**2 * d, n * (n - d), out=np.zeros_like(n), where=n > d)
    variance = np.sum(a**2 * own * (n - own) / n**3 + total - 2 * a * b * own / n**2)
    value, half = area[0] if len(area) else 0.0, _z(level) * np.sqrt(max(variance, 0.0))
    return {"value": value, "se": half / _z(level), "ci_low": max(value - half, 0.0), "ci_high": value + half}
