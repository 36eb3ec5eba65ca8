"""How many of the enrolled, and of the planned, will have left by the horizon: draws from what is known on a day.

Hazards have a prior with a trend and a random walk; their posterior is drawn by importance sampling around its mode, on
a grid of the walk's step.
"""

import bisect
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from attrition import seeds
from attrition.cdisc.sources import CdiscError
from attrition.running.remaining import Standing, looks, quantiles

# Hazards of leaving and of competing events, constant in pieces of the time since the first dose

PRIORS = {"leaving": (0.20, 1.5), "competing": (0.02, 2.0)}
"""Share by the horizon at which a prior is centred, and its spread on the log scale."""
TREND, STEP = 0.7, 0.5
SIGMAS = STEP * stats.halfnorm.ppf((np.arange(8) + 0.5) / 8)
DRAWS, PROPOSALS, FREEDOM = 4000, 8000, 8
MOST_PIECES, PIECE = 12, 28
AFTER_VISIT, AT_VISITS, FEWEST_AT_VISITS = 3, 0.8, 10


def pieces(now: Standing, visits: Sequence[int] = (), recorded: str | None = None) -> tuple[np.ndarray, bool]:
    """Ends of the pieces with 0 before them, and whether leaving is recorded at visits: declared, or seen to be so."""
    planned = np.array([v for v in visits if v > 0], float)
    days = now.of("left")["day"].to_numpy()
    near = ((days[:, None] >= planned) & (days[:, None] <= planned + AFTER_VISIT)).any(axis=1)
    seen = recorded is None and len(days) >= FEWEST_AT_VISITS and near.mean() >= AT_VISITS
    if len(planned) and (recorded == "visits" or seen):
        ends = planned + AFTER_VISIT
        return np.unique([0.0, *ends[ends < now.horizon], float(now.horizon)]), True
    return np.linspace(0, now.horizon, min(MOST_PIECES, -(-now.horizon // PIECE)) + 1), False


def days_in(edges: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Days of each span, from `low` to `high`, in each piece, shape (..., K)."""
    return np.maximum(np.minimum(high[..., None], edges[1:]) - np.maximum(low[..., None], edges[:-1]), 0)


def tallied(day: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Events in each piece: one on day d lies in (a, b] if a < d <= b."""
    return np.bincount(np.searchsorted(edges, day, side="left") - 1, minlength=len(edges) - 1).astype(float)


class Observed(NamedTuple):
    """By piece: events (2, K: leaving, competing) and patient-days (K,); each patient's days at risk, and `pieces`."""

    events: np.ndarray
    spans: np.ndarray
    time: np.ndarray
    edges: np.ndarray
    at_visits: bool


def observed(now: Standing, visits: Sequence[int] = (), recorded: str | None = None) -> Observed:
    """What a trial tells so far; where leaving is recorded at visits, who is ongoing was last seen at the last one."""
    edges, at_visits = pieces(now, visits, recorded)
    time = now.patients["time"].to_numpy(float)
    if at_visits:
        back = edges[np.searchsorted(edges, time, side="right") - 1]
        time = np.where(now.patients["state"] == "ongoing", back, time)
    events = np.stack([tallied(now.of(state)["day"].to_numpy(float), edges) for state in ("left", "competing")])
    return Observed(events, days_in(edges, np.zeros(len(time)), time).sum(axis=0), time, edges, at_visits)


@functools.cache
def _prior(edges: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trend, covariance of the trend (K, K) and of the walk with step 1."""
    ends = np.array(edges)
    x = np.log((ends[:-1] + ends[1:]) / 2 / ends[-1])
    x, k = x - x.mean(), np.arange(1, len(ends))
    return x, TREND**2 * np.outer(x, x), np.minimum.outer(k, k).astype(float)


@functools.cache
def _noise(cause: str, n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard normal and chi-squared proposals, alike for every trial, and an order in which draws are taken."""
    rng = seeds.stream(seed, "running", "posterior", cause)
    z = rng.standard_normal((len(SIGMAS), n // len(SIGMAS), k))
    return z, rng.chisquare(FREEDOM, z.shape[:2]), rng.permutation(DRAWS)


def posterior(
    cause: str, events: np.ndarray, exposure: np.ndarray, edges: np.ndarray, seed: int = 42, proposals: int = PROPOSALS
) -> tuple[np.ndarray, np.ndarray]:
    """Hazards by piece and their weights, shapes (B, P, K) and (B, P), of B trials with the same pieces.

    Parameters
    ----------
    cause : str
        A key of `PRIORS`.
    events, exposure : array (B, K)
        Of each piece: events, patient-days.
    edges : array (K + 1,)
    seed, proposals : int
    """
    share, spread = PRIORS[cause]
    _, trend, walk = _prior(tuple(edges))
    k, D, T = len(edges) - 1, events[:, None], exposure[:, None]
    mu = np.log(-np.log1p(-share) / edges[-1])
    Q = np.linalg.inv(spread**2 + trend + SIGMAS[:, None, None] ** 2 * walk)
    theta = np.full((len(events), len(SIGMAS), k), mu)
    for _ in range(50):
        rate = T * np.exp(theta)
        gradient = D - rate - np.einsum("gij,bgj->bgi", Q, theta - mu)
        step = np.linalg.solve(Q + rate[..., None] * np.eye(k), gradient[..., None])[..., 0]
        theta += step * np.minimum(1, 1 / np.abs(step).max(axis=2, keepdims=True).clip(1e-12))
        if np.abs(step).max() < 1e-6:
            break
    z, chi, _ = _noise(cause, proposals, k, seed)
    root = np.linalg.cholesky(Q + (T * np.exp(theta))[..., None] * np.eye(k))
    z = z / np.sqrt(chi / FREEDOM)[..., None]
    drawn = theta[:, :, None] + z @ np.linalg.inv(root)
    from_mu = np.square((drawn - mu) @ np.linalg.cholesky(Q)).sum(axis=3)
    hazard = np.exp(drawn)
    log = (D[:, :, None] * drawn - T[:, :, None] * hazard).sum(axis=3) - from_mu / 2
    log += np.linalg.slogdet(Q)[1][:, None] / 2 + (FREEDOM + k) / 2 * np.log1p(np.square(z).sum(axis=2) / FREEDOM)
    log -= np.log(np.diagonal(root, axis1=2, axis2=3)).sum(axis=2)[..., None]
    log = log.reshape(len(events), -1)
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    return hazard.reshape(len(events), -1, k), weight / weight.sum(axis=1, keepdims=True)


def taken(cause: str, hazard: np.ndarray, weight: np.ndarray, seed: int = 42) -> np.ndarray:
    """Draws of equal weight from one trial's weighted ones (systematic resampling), shape (`DRAWS`, K)."""
    places = np.searchsorted(np.cumsum(weight)[:-1], (np.arange(DRAWS) + 0.5) / DRAWS)
    return hazard[places][_noise(cause, PROPOSALS, hazard.shape[1], seed)[2]]


def ahead(
    leave: np.ndarray, compete: np.ndarray, edges: np.ndarray, entry: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Day of each patient's event (inf: none), and whether it is leaving, for every draw of the hazards, (n, P).

    Parameters
    ----------
    leave, compete : array (n, K)
        Hazards of a draw, shared by all patients.
    edges : array (K + 1,)
    entry : array (P,)
        Days that a patient has been at risk.
    rng : numpy.random.Generator
    """
    total = leave + compete
    base = np.concatenate([np.zeros((len(total), 1)), np.cumsum(total * np.diff(edges), axis=1)], axis=1)
    piece = np.searchsorted(edges, entry, side="right") - 1
    target = rng.standard_exponential((len(total), len(entry)))
    target += base[:, piece] + total[:, piece] * (entry - edges[piece])
    k = np.zeros(target.shape, np.intp)
    for end in base.T[1:-1]:
        k += target > end[:, None]
    at = np.take_along_axis(total, k, 1)
    day = edges[k] + (target - np.take_along_axis(base, k, 1)) / at
    leaves = rng.random(target.shape) * at < np.take_along_axis(leave, k, 1)
    gone = target < base[:, -1:]
    return np.where(gone, np.ceil(day), np.inf), gone & leaves


# Projection

DRIFT = float(np.log(1.25))
FEWEST, FEW_LEAVERS = 10, 5
UNSEEN, MOST_UNSEEN = 0.05, 1 / 3
YEAR, BLOCK = 365.25, 256
MOST_YEARS, MOST_STARTS = 10, 10
"""How far ahead drift goes on, and how many times the planned patients may start in all."""


def word(p: float | None) -> str:
    """What a probability of more dropout than planned is called; no word without a plan.

    >>> [word(p) for p in (0.05, 0.1, 0.5, 0.9, 0.95, None)][3:]
    ['probably exceeds', 'will exceed the plan', '']
    """
    if p is None:
        return ""
    if p <= 0.20:
        return "within the plan" if p <= 0.05 else "probably within"
    return "will exceed the plan" if p >= 0.95 else "probably exceeds" if p >= 0.80 else "cannot tell yet"


class Projection(NamedTuple):
    """Draws of what is to come: leaving, competing, without_drift (2, n: of the enrolled, and of those to be enrolled).

    ``events`` and ``exposure`` (2, K) are those by piece; ``stay`` is the probability that a patient who starts last is
    retained, ``unseen`` the share of the predicted days in pieces with few observed ones, ``fan`` how many are gone by
    a date, ``by_day`` the risk of leaving after a study day, if still there; ``counts`` says what the planned rate
    counts.
    """

    now: Standing
    edges: np.ndarray
    events: np.ndarray
    exposure: np.ndarray
    leaving: np.ndarray
    competing: np.ndarray
    without_drift: np.ndarray
    stay: np.ndarray
    fan: pd.DataFrame
    to_enrol: int
    counts: str
    p0: float | None
    unseen: float
    at_visits: bool
    by_day: pd.DataFrame

    @property
    def planned(self) -> int:
        """Patients in the end."""
        return len(self.now.patients) + self.to_enrol

    @property
    def retained(self) -> np.ndarray:
        """Patients of the planned who are neither lost nor have a competing event at the horizon, in each draw."""
        return self.planned - self.now.gone() - (self.leaving + self.competing).sum(axis=0)

    @property
    def kept_by_plan(self) -> int | None:
        """Fewest of the planned that the plan keeps."""
        return None if self.p0 is None else self.planned - int(self.p0 * self.planned + 1e-9)

    @property
    def p_above(self) -> float | None:
        """Probability that more of the planned patients are lost than planned, in the finished trial."""
        return None if self.p0 is None else float((self.gone / self.planned > self.p0).mean())

    @property
    def gone(self) -> np.ndarray:
        """Patients of the planned who count as gone in the end (`counts`), in each draw."""
        further = self.leaving + self.competing if self.counts == "any" else self.leaving
        return self.now.gone(self.counts) + further.sum(axis=0)

    def to_start(self, completers: int | None, sure: float = 0.8) -> int | None:
        """Fewest further patients, beyond the planned, with whom so many are retained with a probability of `sure`.

        None without such a number, or by no plausible one.
        """
        if completers is None:
            return None
        missing, most = completers - self.retained, 1 << (MOST_STARTS * self.planned).bit_length()
        by = range(most + 1)
        found = bisect.bisect_left(by, sure, key=lambda n: stats.binom.sf(missing - 1, n, self.stay).mean())
        return found if found <= most else None

    def facts(self) -> dict[str, Any]:
        """Numbers of the projection for a table or a sentence; those of draws as median and 90 % interval."""
        found: dict[str, Any] = {}
        for name, parts in (("enrolled", slice(0, 1)), ("planned", slice(0, 2))):
            leaving, competing = self.leaving[parts].sum(axis=0), self.competing[parts].sum(axis=0)
            n = self.planned if name == "planned" else len(self.now.patients)
            each = {"leaving": leaving, "competing": competing, "retained": n - self.now.gone() - leaving - competing}
            each["leaving_without_drift"] = self.without_drift[parts].sum(axis=0)
            each |= {"gone": self.gone} if name == "planned" else {}
            ends = {key: zip(("low", "median", "high"), quantiles(draws), strict=True) for key, draws in each.items()}
            found[name] = {key: dict(three) for key, three in ends.items()} | {"n": n}
        found |= {"p0": self.p0, "counts": self.counts, "p_above": self.p_above, "word": word(self.p_above)}
        found |= {"unseen": self.unseen, "rests_on_unseen": self.unseen > MOST_UNSEEN, "at_visits": self.at_visits}
        return found | {"mostly_prior": self.now.counts["left"] < FEW_LEAVERS}


def project(
    now: Standing, plan: Mapping[str, Any] | None = None, visits: Sequence[int] = (), seed: int = 42
) -> Projection:
    """Project a trial of at least ten enrolled from where it stands to the horizon of its last patient.

    Of the plan: patients (default: the enrolled), dropout (a share or a curve), counts, enrolment_rate (patients a
    month), recorded; ``design_years``: patient-years that the planned rate is worth as a prior (default none);
    ``known``: leavers that are recorded after the cut and are a lower bound.
    >>> from attrition import trials
    >>> from attrition.running import remaining
    >>> now = remaining.at(remaining.course(trials.load("pilot")), "2013-06-01", 168)
    >>> project(now).facts()["enrolled"]["n"]
    124
    """
    plan = plan or {}
    p, H = now.patients, now.horizon
    if len(p) < FEWEST:
        raise CdiscError(f"{len(p)} patients had begun by {now.cut:%Y-%m-%d}; a projection needs {FEWEST}")
    to_enrol = plan.get("patients", len(p)) - len(p)
    if to_enrol < 0:
        raise CdiscError(f"[plan] patients = {plan['patients']}, but {len(p)} had begun by {now.cut:%Y-%m-%d}")
    curve, counts = curve_of(plan, H), plan.get("counts", "any")
    events, spans, time, edges, at_visits = observed(now, visits, plan.get("recorded"))
    ongoing = p["state"].eq("ongoing").to_numpy()
    entry, reached = time[ongoing], p["u"].to_numpy()[ongoing]
    exposure = np.stack([spans, spans])
    if curve is not None and plan.get("design_years"):
        worth = YEAR * plan["design_years"] / len(spans)
        planned = np.diff(np.interp(edges, *curve)) / np.diff(edges)
        events[0], exposure[0] = events[0] + planned * worth, exposure[0] + worth
    rates = []
    for cause, D, T in zip(PRIORS, events, exposure, strict=True):
        hazard, weight = posterior(cause, D[None], T[None], edges, seed)
        rates.append(taken(cause, hazard[0], weight[0], seed))
    leave, compete = rates
    rng = seeds.stream(seed, "running", "predictive")
    slope = np.exp(DRIFT * rng.standard_normal(DRAWS))
    (k, recent), rate = now.recent, plan.get("enrolment_rate")
    daily = np.full(DRAWS, rate * 12 / YEAR) if rate else rng.gamma(k + 0.5, 1 / recent, DRAWS)
    coming = np.cumsum(rng.standard_exponential((DRAWS, to_enrol)), axis=1) / daily[:, None]  # days from the cut
    begun = (now.cut - p["start"]).dt.days.to_numpy()
    middle = np.average(time / 2 - begun, weights=time) if time.sum() else 0.0
    y = (np.average((H - entry) / 2, weights=H - entry) - middle if len(entry) else 0.0) / YEAR
    later = (coming.mean(axis=1) + H / 2 - middle) / YEAR if to_enrol else np.zeros(DRAWS)
    later = np.minimum(later, MOST_YEARS)
    groups = ((entry, 1.0 - reached[None], slope**y), (np.zeros(to_enrol), coming, slope**later))
    last = float(np.median(coming[:, -1]) if to_enrol else 1 - p["u"].min()) + H
    end = now.cut + pd.Timedelta(days=max(last, 0))
    months = looks(now.cut, end).union(pd.DatetimeIndex([end.normalize()]))
    offsets = (months - now.cut).days.to_numpy()
    counted, cumulative = np.zeros((3, 2, DRAWS), int), np.zeros((DRAWS, len(months)), int)
    for i, (at_risk, offset, factor) in enumerate(groups):
        for first in range(0, len(at_risk), BLOCK):
            part = slice(first, first + BLOCK)
            own = seeds.stream(seed, "running", "ahead", i, first)
            day, left = ahead(leave * factor[:, None], compete, edges, at_risk[part], own)
            own = seeds.stream(seed, "running", "ahead", i, first)
            _, plain = ahead(leave, compete, edges, at_risk[part], own)
            for row, drawn in zip(counted[:, i], (left, np.isfinite(day) & ~left, plain), strict=True):
                row += drawn.sum(axis=1)
            date = np.ceil(offset[:, part]) + np.where(left | (counts == "any"), day, np.inf) - 1
            ever = np.isfinite(date).sum(axis=1)  # for the last day, whenever it comes
            cumulative += np.stack([*((date <= far).sum(axis=1) for far in offsets[:-1]), ever], axis=1)
    stay = np.exp(-(leave * (slope**later)[:, None] + compete) @ np.diff(edges))
    keep = np.arange(DRAWS)
    if plan.get("known"):
        enough = np.flatnonzero(counted[0, 0] >= plan["known"])
        keep = enough[np.arange(DRAWS) % len(enough)] if len(enough) else keep
    potential = days_in(edges, entry, np.full(len(entry), float(H))).sum(axis=0) + to_enrol * np.diff(edges)
    few = spans < UNSEEN * max(spans.sum(), 1)
    return Projection(
        now=now, edges=edges, events=events, exposure=exposure, leaving=counted[0][:, keep],
        competing=counted[1][:, keep], without_drift=counted[2][:, keep], stay=stay[keep],
        fan=_fan(now, months, cumulative[keep], counts), to_enrol=to_enrol, counts=counts,
        p0=None if curve is None else float(-np.expm1(-curve[1][-1])),
        unseen=float(potential[few].sum() / potential.sum()) if potential.sum() else 0.0, at_visits=at_visits,
        by_day=_by_day(leave, compete, edges),
    )  # fmt: skip


def curve_of(plan: Mapping[str, Any], horizon: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Days, and the planned cumulative hazard on them, log-linear in survival between; None without a planned rate."""
    if (given := plan.get("dropout")) is None:
        return None
    points = given if isinstance(given, list) else [[horizon, given]]
    days, shares = (np.array([0.0, *column]) for column in zip(*points, strict=True))
    if days[-1] < horizon or days[1] <= 0 or (np.diff(shares) < 0).any():
        raise CdiscError(f"[plan] dropout must rise from day 1 or later to the horizon, day {horizon}, or beyond")
    hazard = -np.log1p(-shares)
    inside = days < horizon
    return np.append(days[inside], horizon), np.append(hazard[inside], np.interp(horizon, days, hazard))


def _fan(now: Standing, months: pd.DatetimeIndex, cumulative: np.ndarray, counts: str) -> pd.DataFrame:
    so_far = now.gone(counts)
    shares = {"low": 0.05, "low_50": 0.25, "median": 0.5, "high_50": 0.75, "high": 0.95}
    found = np.quantile(cumulative, [*shares.values()], axis=0, method="inverted_cdf").astype(int) + so_far
    table = pd.DataFrame(dict(zip(shares, found, strict=True)))
    today = pd.DataFrame({name: [so_far] for name in table}).assign(date=[now.cut])
    return pd.concat([today, table.assign(date=months)], ignore_index=True)[["date", *table]]


def _by_day(leave: np.ndarray, compete: np.ndarray, edges: np.ndarray) -> pd.DataFrame:
    """Probability of leaving in what is left of the time, from the beginning of each piece."""
    total = leave + compete
    stay = np.exp(-total * np.diff(edges))
    risk, found = np.zeros(len(leave)), []
    for k in reversed(range(len(edges) - 1)):
        risk = leave[:, k] / total[:, k] * (1 - stay[:, k]) + stay[:, k] * risk
        found.append({"day": float(edges[k]), "risk": float(risk.mean())})
    return pd.DataFrame(found[::-1])
