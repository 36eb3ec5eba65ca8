"""Quality tolerance limits of dropout: when does a trial leave its plan, by a rule whose false alarms are known."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.typing import ArrayLike
from scipy import stats

from attrition.running import projection
from attrition.running.projection import FEWEST, YEAR, curve_of, days_in, observed, pieces, posterior, tallied
from attrition.running.remaining import Standing, at, looks

LEVEL, FEWEST_EVENTS, SURE = 0.05, 3, 0.997
SCREEN, CLEARLY_NOT, FURTHER = 800, 0.95, 60


def llr(events: ArrayLike, expected: ArrayLike) -> np.ndarray:
    """Log likelihood ratio of more events than expected.

    >>> llr(np.array([2.0, 8.0]), np.array([4.0, 4.0])).round(3).tolist()
    [0.0, 1.545]
    """
    D, E = np.asarray(events, float), np.maximum(np.asarray(expected, float), 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(D > E, D * np.log(D / E) - (D - E), 0.0)


def fewest_alarming(expected: np.ndarray, c: float) -> np.ndarray:
    """Fewest events that ring at these expected numbers.

    >>> fewest_alarming(np.array([0.1, 4.0, 40.0]), 2.85).tolist()
    [3, 10, 57]
    """
    grid = np.arange(FEWEST_EVENTS, int(np.max(expected) + 12 * np.sqrt(np.max(expected) + 1)) + 20)
    return grid[(llr(grid[:, None], np.atleast_1d(expected)) < c).sum(axis=0)]


def false_alarm(expected: np.ndarray, c: float) -> float:
    """Probability that a unit Poisson process ever rings at looks at which these numbers are expected (recursion)."""
    limits = fewest_alarming(expected, c)
    alive, before, rung = np.ones(1), 0.0, 0.0
    for mean, limit in zip(expected, limits, strict=True):
        step = stats.poisson.pmf(np.arange(limit), max(mean - before, 0.0))
        total = alive.sum()
        alive, before = np.convolve(alive, step)[:limit], mean
        rung += total - alive.sum()
    return float(rung)


def critical(expected: np.ndarray, level: float = LEVEL) -> float:
    """Smallest limit of the log likelihood ratio whose any-look false alarm is at most `level`."""
    expected = np.maximum.accumulate(np.asarray(expected, float))
    low, high = 0.5, 12.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if false_alarm(expected, middle) <= level else (middle, high)
    return high


def counted(now: Standing, curve: tuple[np.ndarray, np.ndarray], counts: str = "any") -> tuple[int, float]:
    """Events so far and events expected of the planned hazard over the days at risk."""
    return now.gone(counts), float(np.interp(now.patients["time"], *curve).sum())


def above(
    events: np.ndarray, exposure: np.ndarray, edges: np.ndarray, p0: float, counts: str = "any", seed: int = 42
) -> np.ndarray:
    """Probability that more than `p0` leave by the horizon, of B trials: events (2, B, K), exposure (B, K)."""
    found, due, limit = np.zeros(events.shape[1]), np.arange(events.shape[1]), -np.log1p(-p0)
    for proposals in (SCREEN, projection.PROPOSALS):  # few draws tell most trials that are nowhere near the limit
        if len(due):
            sums = []
            for i, cause in enumerate(projection.PRIORS if counts == "any" else list(projection.PRIORS)[:1]):
                hazard, weight = posterior(cause, events[i, due], exposure[due], edges, seed, proposals)
                sums.append((hazard @ np.diff(edges), weight))
            found[due] = [_exceeds(*(part[b] for pair in sums for part in pair), limit=limit) for b in range(len(due))]
        due = due[found[due] > CLEARLY_NOT]
    return found


def _exceeds(first: np.ndarray, weight: np.ndarray, *second: np.ndarray, limit: float) -> float:
    """Probability that the sum of independent weighted draws exceeds a limit."""
    if not second:
        return float(weight[first > limit].sum())
    order = np.argsort(second[0])
    below = np.concatenate([[0.0], np.cumsum(second[1][order])])
    return float(weight @ (1 - below[np.searchsorted(second[0][order], limit - first, side="right")]))


def simple(events: np.ndarray, enrolled: np.ndarray, p0: float, width: float = 3.0) -> np.ndarray:
    """Whether the rule of gsm.qtl rings: `width` standard deviations of a share among all who have begun.

    >>> simple(np.array([30, 40]), np.array([100, 100]), 0.2).tolist()
    [False, True]
    """
    return events / enrolled >= p0 + width * np.sqrt(p0 * (1 - p0) / enrolled)


def expectation(now: Standing, plan: Mapping[str, Any], curve: tuple) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Looks from the first start to the end, and events that the plan expects by each of them.

    Starts are those so far, and those to come at the declared rate, else at that of the last 90 days.
    """
    start, n = now.patients["start"], max(plan.get("patients", 0) - len(now.patients), 0)
    k, recent = now.recent
    daily = plan["enrolment_rate"] * 12 / YEAR if "enrolment_rate" in plan else (k + 0.5) / recent
    coming = now.cut + pd.to_timedelta(np.arange(1, n + 1) / daily, unit="D")
    starts = np.concatenate([start.to_numpy("datetime64[D]"), coming.to_numpy("datetime64[D]")])
    dates = looks(start.min(), pd.Timestamp(starts.max()) + pd.Timedelta(days=now.horizon + 31))
    u = (dates.to_numpy("datetime64[D]")[:, None] - starts).astype(int) + 1
    share, enough = -np.expm1(-np.interp(u, *curve)) * (u > 0), (u > 0).sum(axis=1) >= FEWEST
    return dates[enough], share.sum(axis=1)[enough]


def monitor(known: pd.DataFrame, cut: Any, horizon: int, plan: Mapping[str, Any], visits: Sequence[int] = ()) -> dict:
    """Every look so far by rule A (against the planned curve), rule B (no shape assumed) and that of gsm.qtl.

    Nothing is looked at that is dated after the cut. ``path``: what is expected of all patients, to the end; ``rule``:
    ``"A"`` with a planned curve, else ``"B"``; ``rang``, and of each rule: date of the first alarm, or None;
    ``rings_at``: events at which it would have rung at the last look (None: at no plausible number).

    Parameters
    ----------
    known : DataFrame
        See `attrition.running.remaining.course`.
    cut : date
    horizon : int
    plan : mapping
        dropout, counts, patients, enrolment_rate, recorded.
    visits : sequence of int
    """
    now = at(known, cut, horizon)
    curve = curve_of(plan, horizon)
    if curve is None or len(now.patients) < FEWEST:
        return {}
    p0, counts = float(-np.expm1(-curve[1][-1])), plan.get("counts", "any")
    dates, expected = expectation(now, plan, curve)
    c, rows = critical(expected), []
    for date in dates[dates <= now.cut]:
        then = at(known, date, horizon)
        (D, E), seen = counted(then, curve, counts), observed(then, visits, plan.get("recorded"))
        row = {"date": date, "enrolled": len(seen.time), "events": D, "expected": E, "llr": float(llr(D, E))}
        row["alarm_at"] = int(fewest_alarming(np.array([E]), c)[0])
        sure = above(seen.events[:, None], seen.spans[None], seen.edges, p0, counts)
        rows.append(row | {"p_above": float(sure[0])})
    table = pd.DataFrame(rows, columns=["date", "enrolled", "events", "expected", "llr", "alarm_at", "p_above"])
    enough = table["events"] >= FEWEST_EVENTS
    table["rung_a"], table["rung_b"] = enough & (table["llr"] >= c), enough & (table["p_above"] >= SURE)
    table["rung_simple"] = simple(table["events"], table["enrolled"], p0)
    rang = {f"rang_{rule}": next(iter(table.loc[table[f"rung_{rule}"], "date"]), None) for rule in ("a", "b", "simple")}
    rule = "A" if isinstance(plan["dropout"], list) and len(plan["dropout"]) > 1 else "B"
    found = {"looks": table, "rule": rule, "c": c, "p0": p0, "rang": rang[f"rang_{rule.lower()}"], **rang}
    found["path"] = pd.DataFrame({"date": dates, "expected": expected})
    if table.empty:
        return found | {"rings_at": None}
    return found | {"rings_at": int(table["alarm_at"].iloc[-1]) if rule == "A" else _would_ring(seen, p0, counts)}


def _would_ring(seen: projection.Observed, p0: float, counts: str) -> int | None:
    """Fewest events that would ring rule B, were they spread over the pieces as those that happened."""
    events, spans, edges = seen.events[:, None], seen.spans, seen.edges
    so_far = events.sum() if counts == "any" else events[0].sum()
    totals = np.arange(max(so_far, FEWEST_EVENTS), so_far + FURTHER)
    scaled = events * (totals / max(so_far, 1))[:, None] if so_far else events + totals[:, None] * spans / spans.sum()
    sure = above(scaled, np.broadcast_to(spans, scaled.shape[1:]), edges, p0, counts) >= SURE
    return int(totals[np.argmax(sure)]) if sure.any() else None


def drift(now: Standing) -> dict[str, float] | None:
    """Ratio of the hazard of leaving a calendar year later, with the piece of time in the trial as a factor.

    None with too few events, or one month only.
    """
    edges, p = pieces(now)[0], now.patients
    begun = p["start"].to_numpy("datetime64[D]")
    months = looks(p["start"].min(), now.cut).to_numpy("datetime64[D]")
    ends = np.array([begun.min(), *months, now.cut.to_numpy().astype("datetime64[D]") + 1])
    time, rows = p["time"].to_numpy(float), []
    leaving = (p["state"] == "left").to_numpy()
    for low, high in itertools.pairwise(ends):
        a, b = (np.clip((end - begun).astype(int), 0, time) for end in (low, high))
        exposure = days_in(edges, a, b).sum(axis=0)
        events = tallied(time[leaving & (time > a) & (time <= b)], edges)
        year = np.full(len(events), (low - begun.min()).astype(int) / YEAR)
        rows.append([np.arange(len(events)), exposure, events, year])
    piece, exposure, events, year = np.concatenate(rows, axis=1)
    there = np.isin(piece, piece[events > 0]) & (exposure > 0)
    if events.sum() < FEWEST_EVENTS or len(set(year[there])) < 2:
        return None
    X = np.column_stack([piece[there, None] == np.unique(piece[there]), year[there]]).astype(float)
    fit = sm.GLM(events[there], X, family=sm.families.Poisson(), offset=np.log(exposure[there])).fit()
    low, high = np.exp(fit.conf_int()[-1])
    found = {"rate_ratio": float(np.exp(fit.params[-1])), "ci_low": float(low), "ci_high": float(high)}
    return found | {"changes": bool(low > 1 or high < 1)}
