"""Risk of leaving by reason, over time: Aalen-Johansen, the mistake that it replaces, and the tables of a trial.

Throughout, ``time`` is the day of leaving or of the end of observation and ``cause`` says why: 0 for a patient who is
still in the trial at that day (censored), 1 to K for the reasons. Reasons compete: who has left for one of them can no
longer leave for another.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtri

from attrition.cdisc.trial import CENSORED as ONGOING
from attrition.cdisc.trial import Trial
from attrition.metrics import evaluator, intervals
from attrition.survival import hazards
from notebook_report.text import Estimate, number

Array = np.ndarray

CENSORED = 0
PRIMARY = "primary"
COMPETING = "competing"
CAUSE = {PRIMARY: 1, COMPETING: 2}
VALUE = ("value", "ci_low", "ci_high")
MEASURES = ("risk", "risk_difference", "days_lost", "days_difference")
ONE_ARM = "one arm only"


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence functions on the days at which somebody left or was censored.

    Attributes
    ----------
    days, at_risk, event_free : ndarray, shape (n_days,)
        Distinct days; patients still in the trial just before each; probability of having left for no reason by it.
    cif, variance, events : ndarray, shape (n_causes, n_days)
        Probability of having left for each reason by each day, its Greenwood-type variance, and who left on that day.
    """

    days: Array
    at_risk: Array
    event_free: Array
    cif: Array
    variance: Array
    events: Array


def _checked(time: ArrayLike, cause: ArrayLike) -> tuple[Array, Array]:
    time, cause = np.asarray(time, dtype=float), np.asarray(cause)
    if time.ndim != 1 or time.shape != cause.shape or not len(time):
        raise ValueError("time and cause must be one-dimensional, of equal length and not empty")
    if not np.isfinite(time).all():
        raise ValueError("time must be finite")
    if not np.equal(np.mod(cause, 1), 0).all() or cause.min() < CENSORED:
        raise ValueError("cause must be whole numbers, 0 for censored")
    return time, cause.astype(int)


def _counts(time: Array, cause: Array, n_causes: int) -> tuple[Array, Array, Array]:
    days, position = np.unique(time, return_inverse=True)
    table = np.stack([np.bincount(position, cause == k, len(days)) for k in range(n_causes + 1)])
    at_risk = np.cumsum(table.sum(axis=0)[::-1])[::-1]
    return days, at_risk, table[1:]


def _variance(at_risk: Array, events: Array, before: Array, cif: Array) -> Array:
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

    The variance is of Greenwood type (multinomial increments): it equals the infinitesimal jackknife and, without
    censoring, the binomial :math:`F(1 - F)/n`. The number of reasons is by default the largest `cause`.

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


def risk_by(time: ArrayLike, cause: ArrayLike, horizon: float, of: int = 1) -> float:
    """Risk of one cause by a day; NaN where patients are still in the trial and none of them was seen through it.

    >>> risk_by([5, 10, 20], [1, 0, 0], 20), risk_by([5, 10, 19], [1, 0, 0], 20)
    (0.3333333333333333, nan)
    """
    fit = aalen_johansen(time, cause, 2)
    open_end = fit.days[-1] < horizon and fit.event_free[-1] > 0
    return float("nan") if open_end else float(_on_days(fit.cif[of - 1], fit.days, [horizon], 0.0)[0])


def followed(trial: Trial) -> int:
    """Last day of what can be estimated: the horizon, or, while nobody was seen through it, the longest follow-up."""
    patients = coded(trial)
    ended = not np.isnan(risk_by(patients["time"], patients["cause"], trial.horizon))
    return trial.horizon if ended else int(patients["time"].max())


def to_come(trial: Trial) -> dict[str, float]:
    r"""Patients still in the trial before the horizon, and how many would leave by it if they go on as others did.

    A patient seen to day c leaves with probability :math:`(F_1(\tau) - F_1(c)) / S(c)`; NaN before anybody was seen
    through the horizon.
    """
    patients, last = coded(trial), followed(trial)
    fit = aalen_johansen(patients["time"], patients["cause"], 2)
    seen = trial.patients["reason_group"].eq(ONGOING).to_numpy() & patients["status"].eq("censored").to_numpy()
    days = patients.loc[seen, "time"]
    ahead = _on_days(fit.cif[0], fit.days, last, 0.0) - _on_days(fit.cif[0], fit.days, days, 0.0)
    there = _on_days(fit.event_free, fit.days, days, 1.0)
    leaving = float(np.divide(ahead, there, out=np.zeros(len(days)), where=there > 0).sum())
    return {"n": int(seen.sum()), "leaving": leaving if last == trial.horizon else float("nan")}


def _on_days(steps: Array, days: Array, asked: ArrayLike, start: float) -> Array:
    padded = np.concatenate([np.full((*steps.shape[:-1], 1), start), steps], axis=-1)
    return padded[..., np.searchsorted(days, np.asarray(asked, dtype=float), side="right")]


def numbers_at_risk(time: ArrayLike, days: ArrayLike) -> Array:
    """Patients still in the trial just before each day.

    >>> numbers_at_risk([10, 20, 20, 40], [0, 20, 21]).tolist()
    [4, 3, 1]
    """
    ordered = np.sort(np.asarray(time, dtype=float))
    return len(ordered) - np.searchsorted(ordered, np.asarray(days, dtype=float), side="left")


def loglog_band(value: ArrayLike, variance: ArrayLike, at_risk: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    r"""Pointwise log-log interval of a cumulative incidence: its limits hold day by day, not for the curve at once.

    .. math:: F^{\exp(\pm z\, \sigma / (F \log F))}

    Where nobody has left yet for the reason, the upper limit is the exact binomial one of 0 out of the patients at
    risk, :math:`1 - (\alpha/2)^{1/n}`, instead of a band of width zero; likewise below a risk of one.

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
    shift = ndtri(0.5 + level / 2) * np.sqrt(np.where(inside, variance, 0.0)) / (safe * np.log(safe))
    exact = ((1 - level) / 2) ** (1 / np.maximum(at_risk, 1))
    low = np.where(inside, safe ** np.exp(-shift), np.where(value >= 1, exact, 0.0))
    high = np.where(inside, safe ** np.exp(shift), np.where(value <= 0, 1 - exact, 1.0))
    return low, high


def risk_on(fit: Incidence, days: ArrayLike) -> Array:
    """Cumulative incidence on given days, without its band; shape (n_causes, n_days)."""
    return _on_days(fit.cif, fit.days, days, 0.0)


def at_days(fit: Incidence, days: ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """Cumulative incidence with its pointwise band on given days, one row a reason and day.

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
    low, high = loglog_band(value, variance, np.maximum(at_risk, 1), level)
    whole = {"at_risk": np.broadcast_to(at_risk, value.shape), "events": events}
    columns = {"day": np.broadcast_to(days, value.shape), **whole, "value": value, "ci_low": low, "ci_high": high}
    table = pd.DataFrame({name: part.ravel() for name, part in columns.items()}).astype(dict.fromkeys(whole, int))
    table.insert(0, "cause", np.repeat(np.arange(1, len(value) + 1), len(days)))
    return table


def tabulate(
    patients: pd.DataFrame, reasons: Sequence[str], days: ArrayLike, by: str | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Cumulative incidence by reason (and by group) on given days, as one tidy table.

    A row has ``time`` and ``reason``; whose reason is none of `reasons` counts as censored. Columns: ``group``,
    ``reason``, ``day``, ``at_risk``, ``events``, ``value``, ``ci_low``, ``ci_high``.
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
    value, se = area[0] if len(area) else 0.0, np.sqrt(max(variance, 0.0))
    half = ndtri(0.5 + level / 2) * se
    return {"value": value, "se": se, "ci_low": max(value - half, 0.0), "ci_high": value + half}


def coded(trial: Trial) -> pd.DataFrame:
    """Patients as the estimators take them.

    Columns ``id``, ``arm``, ``time`` (day, at most the horizon), ``reason`` (a reason group, or ``"none"``), ``status``
    (``"primary"``, ``"competing"``, ``"none"`` or ``"censored"``) and ``cause`` (0, 1 primary, 2 competing).
    """
    patients = trial.patients
    table = patients[["id", "arm", "time", "status"]].assign(
        reason=patients["event_group"], cause=patients["status"].map(CAUSE).fillna(0).astype(int)
    )
    return table.assign(arm=pd.Categorical(table["arm"].astype(str), [str(arm) for arm in trial.arms]))


def days_shown(trial: Trial) -> list[int]:
    """Landmarks and horizon, or as far as anybody was `followed`."""
    last = followed(trial)
    return [*(day for day in trial.landmarks if 0 < day < last), last]


def by_reason(trial: Trial, days: Sequence[float], by: str | None = None) -> pd.DataFrame:
    """Aalen-Johansen by reason (and arm, with ``by="arm"``); see `tabulate`."""
    return tabulate(coded(trial).sort_values("arm", kind="stable"), trial.groups, days, by)


def primary(trial: Trial, days: Sequence[float], by: str | None = None, level: float = 0.95) -> pd.DataFrame:
    """Aalen-Johansen of the primary event, all its reasons together, against the competing events."""
    patients = coded(trial).sort_values("arm", kind="stable")
    patients["reason"] = patients["status"]
    table = tabulate(patients, list(CAUSE), days, by, level)
    return table[table["reason"] == PRIMARY].reset_index(drop=True)


def steps(trial: Trial) -> Array:
    """Day 0, every day on which somebody left, and the last day `followed`: where the curves can step."""
    time, last = trial.patients["time"].to_numpy(dtype=float), followed(trial)
    return np.unique(np.concatenate([[0.0], time[(time > 0) & (time <= last)], [last]]))


def by_the_mistake(trial: Trial, days: Sequence[float]) -> pd.DataFrame:
    """1 - Kaplan-Meier by reason, the other reasons counted as censored: what not to do; columns as in `by_reason`.

    It answers a question about a world in which nobody can leave for another reason (and in which the reasons do not
    depend on each other), and is at least as large as the cumulative incidence on every day.

    References
    ----------
    Gooley TA et al. (1999), Stat Med 18:695-706. Putter H, Fiocco M, Geskus RB (2007), Stat Med 26:2389-2430.
    """
    return pd.concat([tabulate(coded(trial), [reason], days) for reason in trial.groups], ignore_index=True)


def nested(table: pd.DataFrame, key: str) -> dict[str, dict[str, dict[str, float]]]:
    """A tidy table as ``{key: {day: interval and counts}}``, for the results.

    Examples
    --------
    >>> row = {"group": "A", "day": 28.0, "at_risk": 9, "events": 1, "value": 0.1, "ci_low": 0.0, "ci_high": 0.3}
    >>> nested(pd.DataFrame([row]), "group")["A"]["28"]["value"]
    0.1
    """
    columns, table = [*VALUE, "at_risk", "events"], table.assign(day=table["day"].map("{:g}".format))
    return evaluator.nested(table, key, "day", leaf=lambda row: {column: row[column] for column in columns})


def arm_flow(trial: Trial) -> pd.DataFrame:
    """Patients, leavers by reason, and patient-days up to the horizon, by arm and in total."""
    patients = coded(trial)
    stayed = patients["status"].map({"none": "still in", "censored": "censored"})
    table = pd.crosstab(patients["arm"], stayed.fillna(patients["reason"]), dropna=False)
    table = table.reindex(columns=[*trial.groups, "still in", "censored"], fill_value=0)
    table.insert(0, "patients", table.sum(axis=1))
    table["patient_days"] = patients.groupby("arm", observed=False)["time"].sum().round().astype(int)
    table.loc["all"] = table.sum()
    return table.set_axis(table.index.astype(str).rename("arm")).rename_axis(columns=None).reset_index()


def arm_differences(trial: Trial, level: float = 0.95) -> pd.DataFrame:
    """Each arm's risk by the horizon (or the last day `followed`), days lost, and both differences from the first arm.

    Returns
    -------
    pandas.DataFrame
        ``arm``, ``n``, ``events``, ``risk``, ``days_lost``, each with ``_low`` and ``_high``, and the same for
        ``risk_difference`` and ``days_difference`` (missing for the reference). Intervals of differences are made from
        those of the two arms by square-and-add, see `risk_difference`.
    """
    patients, last, rows, first = coded(trial), followed(trial), [], None
    for arm in [arm for arm in patients["arm"].cat.categories if (patients["arm"] == arm).any()]:
        part = patients[patients["arm"] == arm]
        fit = aalen_johansen(part["time"], part["cause"], 2)
        risk = at_days(fit, [last], level).iloc[0]
        risk, lost = {key: float(risk[key]) for key in VALUE}, time_lost(fit, 1, last, level)
        row = {"arm": str(arm), "n": len(part), "events": int(part["cause"].eq(1).sum())}
        named = {"risk": risk, "days_lost": lost}
        if first is not None:
            named["risk_difference"] = risk_difference(risk, first[0])
            named["days_difference"] = risk_difference(lost, first[1])
        first = first or (risk, lost)
        rows.append(row | {k: v for name, part in named.items() for k, v in _flat(name, part).items()})
    columns = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    return pd.DataFrame(rows).reindex(columns=["arm", "n", "events", *columns])


def level_for_all(trial: Trial, level: float = 0.95) -> float:
    """Level of each interval that makes the comparisons of all arms with the first one hold at once (Bonferroni)."""
    return intervals.level_for_all(coded(trial)["arm"].nunique() - 1, level)


def _flat(name: str, part: Mapping[str, float]) -> dict[str, float]:
    return {name: part["value"], f"{name}_low": part["ci_low"], f"{name}_high": part["ci_high"]}


def interval(row: pd.Series, name: str) -> intervals.Interval:
    """The interval `name` of a row of `arm_differences`, as results and sentences take it."""
    return intervals.of_row(row, name, f"{name}_low", f"{name}_high")


def written(differences: pd.DataFrame) -> pd.DataFrame:
    """The table of `arm_differences` for readers: each interval in one column."""
    table = differences[["arm", "n", "events"]].copy()
    for name in MEASURES:
        scale, unit = (100, " %") if name.startswith("risk") else (1, "")
        rows = differences[[name, f"{name}_low", f"{name}_high"]].to_numpy()
        told = [f"{v:.1f}{unit} ({low:.1f} to {high:.1f})" for v, low, high in rows * scale]
        table[name] = [Estimate(number(t), r) if r[0] == r[0] else None for t, r in zip(told, rows, strict=True)]
    return table


def arm_columns(trial: Trial) -> pd.DataFrame:
    """Indicator columns of the arms against the first one; no columns with a single arm."""
    arm = coded(trial)["arm"].cat.remove_unused_categories()
    return pd.get_dummies(arm, drop_first=True, dtype=float)


def arm_hazards(trial: Trial, fewest: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cause-specific hazard ratios of the arms, and the proportional-hazards check of each model.

    A reason with fewer than `fewest` events, or with none in an arm, gets no model: its rows hold the counts only.

    Returns
    -------
    ratios : pandas.DataFrame
        ``reason``, ``arm``, ``events``, ``hazard_ratio``, ``ci_low``, ``ci_high``. ``primary`` is all primary reasons.
    checks : pandas.DataFrame
        ``reason``, ``arm`` (``all`` is the joint test), ``statistic``, ``df``, ``p``, ``correlation``; one row a test.
    """
    patients, X = coded(trial), arm_columns(trial)
    ratios, checks = [], []
    for reason in (PRIMARY, *trial.groups):
        event = patients["cause"].eq(1) if reason == PRIMARY else patients["reason"].eq(reason)
        table = pd.DataFrame({"reason": reason, "arm": list(X.columns) or [ONE_ARM], "events": int(event.sum())})
        enough = event.sum() >= fewest and (event.groupby(patients["arm"], observed=True).sum() > 0).all()
        if X.shape[1] and enough:
            fit = hazards.cause_specific_cox(patients["time"], event, X)
            table = table.assign(**{name: fit[name] for name in ("hazard_ratio", "ci_low", "ci_high")})
            check = hazards.proportional_hazards(patients["time"], event, X).rename(columns={"term": "arm"})
            checks.append(check.replace({"arm": {"GLOBAL": "all"}}).assign(reason=reason))
        ratios.append(table)
    columns = ["reason", "arm", "events", "hazard_ratio", "ci_low", "ci_high"]
    found = pd.concat(checks, ignore_index=True) if checks else pd.DataFrame(columns=["arm", "p", "reason"])
    order = ["reason", "arm", "statistic", "df", "p", "correlation"]
    return pd.concat(ratios, ignore_index=True).reindex(columns=columns), found.reindex(columns=order)


def effect_over_time(trial: Trial, checks: pd.DataFrame) -> tuple:
    """Scaled Schoenfeld residuals of the reason with the most events among those with a model; Nones without one.

    Gives the reason, its residuals (``day`` and a column an arm), and each arm's log hazard ratio, constant over time.
    """
    if checks.empty:
        return None, None, None
    patients, X = coded(trial), arm_columns(trial)
    counts = patients.loc[patients["reason"].isin(checks["reason"]), "reason"].value_counts()
    reason = PRIMARY if counts.empty else str(counts.index[0])
    event = patients["cause"].eq(1) if reason == PRIMARY else patients["reason"].eq(reason)
    beta = hazards.fit_cox(patients["time"], event, X)
    residuals = hazards.scaled_schoenfeld(patients["time"], event, X)
    return reason, residuals, dict(zip(X.columns, beta, strict=True))


def at_risk_rows(trial: Trial, days: Sequence[float], by_arm: bool = False) -> dict[str, list[int]]:
    """Numbers at risk below a figure: one row for all patients, or one an arm."""
    patients = coded(trial)
    parts = dict(tuple(patients.groupby("arm", observed=True))) if by_arm else {"all": patients}
    return {str(name): numbers_at_risk(part["time"], days).tolist() for name, part in parts.items()}


def risk_of_arms(differences: pd.DataFrame, margin: float, day: float) -> dict[str, Any]:
    """The arm whose risk differs most from the first arm's, and the verdict on a difference in either direction.

    From `arm_differences` at `level_for_all`; ``gap`` and ``margin`` are percentage points, and ``comparisons`` is 0
    with a single arm.
    """
    if len(differences) < 2:
        return {"comparisons": 0, "verdict": "not testable"}
    first, row = differences.iloc[0], differences.loc[differences["risk_difference"].abs().idxmax()]
    gap = interval(row, "risk_difference")
    mirrored = {"value": -gap["value"], "ci_low": -gap["ci_high"], "ci_high": -gap["ci_low"]}
    verdict = intervals.grade(mirrored if gap["value"] < 0 else gap, margin).verdict
    facts = {"day": day, "arm": row["arm"], "risk": row["risk"], "first": first["arm"], "base": first["risk"]}
    facts |= {"gap": interval(100 * row.filter(like="risk_difference"), "risk_difference"), "margin": 100 * margin}
    facts |= {"days": interval(row, "days_difference"), "comparisons": len(differences) - 1}
    return facts | {"verdict": verdict}


def _for_all(ratios: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Ends of the ratios' intervals, widened so that all hold at once."""
    wider = ndtri(0.5 + intervals.level_for_all(len(ratios)) / 2) / ndtri(0.975)
    centre = np.log(ratios["hazard_ratio"])
    return tuple(np.exp(centre + wider * (np.log(ratios[end]) - centre)) for end in ("ci_low", "ci_high"))


def hazards_of_arms(ratios: pd.DataFrame, checks: pd.DataFrame) -> dict[str, Any]:
    """Which reason's hazard differs most between arms (`arm_hazards`), and whether the ratios may be read as constant.

    Gives ``n`` ratios (0: no reason has a model); ``tests`` joint checks, the smallest ``p``, its reason ``least`` and
    the ``bound`` for all of them; ``reasons`` that differ clearly, and the largest ratio, with an interval for all.
    """
    own = ratios[ratios["reason"] != PRIMARY].dropna(subset=["hazard_ratio"])
    if own.empty:
        return {"n": 0, "verdict": "not testable"}
    lower, upper = _for_all(own)
    clear, joint = own[(lower > 1) | (upper < 1)], checks[checks["arm"] == "all"]
    low, reasons = joint.loc[joint["p"].idxmin()], list(dict.fromkeys(clear["reason"]))
    facts = {"n": len(own), "tests": len(joint), "p": low["p"], "least": low["reason"], "bound": 0.05 / len(joint)}
    if clear.empty:
        return facts | {"reasons": [], "verdict": "not supported"}
    top = clear.loc[np.log(clear["hazard_ratio"]).abs().idxmax()]
    ratio = {"value": top["hazard_ratio"], "ci_low": lower[top.name], "ci_high": upper[top.name]}
    facts |= {"reasons": reasons, "others": len(reasons) < own["reason"].nunique(), "ratio": ratio}
    return facts | {**top[["arm", "reason", "events"]], "verdict": "supported"}
