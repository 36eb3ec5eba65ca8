"""Hazards of leaving and of competing events, constant in pieces of the time since the first dose.

Their prior has a trend and a random walk; the posterior is drawn by importance sampling around its mode, on a grid of
the walk's step.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from attrition import seeds
from attrition.running.remaining import Standing

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
