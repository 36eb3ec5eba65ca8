"""What the best possible model would know: the exact probability of dropout given the features.

The law hides one thing from every model, a normal noise in the risk score. Integrating it out gives
P(dropout | features); no model can beat its auroc, log loss or Brier score. Performance is computed with exact
probabilities in place of drawn outcomes ("soft outcomes"): same expectation, a fraction of the variance.

Two routes lead to each number: `monte_carlo` over drawn patients, with its error, and `exact` over `cells`,
the finite table of all distinct risk scores. `attrition.simulate.ceiling` has the oracles that know less.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import xlogy
from scipy.stats import beta, poisson

from attrition import simulate
from attrition.metrics.ranks import soft_auroc, soft_auroc_influence
from attrition.simulate import law as laws
from attrition.simulate.law import PUBLISHED_LAW, Law

NODES = 10
"""Gauss-Hermite nodes: `quadrature_error` is below 1e-11 for the published law."""
BELIEVED_PREVALENCE = 0.24
MOST_EVENTS = 12
"""Adverse events beyond this have a probability below 1e-7 and are counted as this many."""
DAYS = np.arange(laws.DAYS_LOW, laws.DAYS_HIGH)
AGES = np.arange(laws.AGE_LOW, laws.AGE_HIGH)
VISITS = np.arange(laws.DAYS_HIGH // laws.VISIT_INTERVAL + 1)
EVENTS = np.arange(MOST_EVENTS + 1)


def probability(law: Law, score: np.ndarray, prevalence_offset: float = 0.0, nodes: int = NODES) -> np.ndarray:
    r"""P(dropout | features) at a risk score (`laws.risk`): the law's probability with the noise integrated out.

    $\sum_k w_k\, p(s + \sqrt{2} \sigma x_k) / \sqrt{\pi}$ over Gauss-Hermite nodes.
    >>> float(probability(Law(), np.array(0.5)).round(6))
    0.5
    """
    points, weights = np.polynomial.hermite.hermgauss(nodes)
    score = np.asarray(score, dtype=float)
    total = np.zeros_like(score)
    for point, weight in zip(points, weights / np.sqrt(np.pi), strict=True):
        total += weight * laws.probability(law, score + np.sqrt(2) * law.noise_sd * point, prevalence_offset)
    return np.clip(total, 0, 1)


def quadrature_error(law: Law, nodes: int = NODES, prevalence_offset: float = 0.0) -> float:
    """Largest error of `probability` against a dense rule, over risk scores from -1 to 4.

    Examples
    --------
    >>> quadrature_error(Law()) < 1e-11 < quadrature_error(Law(), nodes=4)
    True
    """
    score = np.linspace(-1, 4, 501)
    z = np.linspace(-10, 10, 4001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    dense = laws.probability(law, score[:, None] + law.noise_sd * z, prevalence_offset) @ density
    return float(np.abs(dense - probability(law, score, prevalence_offset, nodes)).max())


def of_patients(law: Law, trial: pd.DataFrame | Mapping[str, np.ndarray], prevalence_offset: float = 0.0) -> np.ndarray:
    """P(dropout | features) of each patient of a trial (a table, or arrays as in `laws.risk`), shape (n,)."""
    return probability(law, laws.risk(law, trial), prevalence_offset)


def expected_log_loss(q: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Expected log loss of each patient when `q` is predicted and `p` is true; least at q = p."""
    return -(xlogy(p, q) + xlogy(1 - np.asarray(p), 1 - np.asarray(q)))


def expected_brier(q: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Expected Brier score of each patient when `q` is predicted and `p` is true: $(q - p)^2 + p (1 - p)$."""
    p = np.asarray(p)
    return (q - p) ** 2 + p * (1 - p)


def performance(q: np.ndarray, p: np.ndarray) -> dict[str, dict[str, float]]:
    """Expected auroc, log loss and Brier score of predictions `q` where `p` is true, each with ``value`` and ``mc_se``.

    The patients are drawn at random; the error is that of the draw.
    """
    auroc, influence = soft_auroc_influence(p, q)
    found = {"auroc": {"value": auroc, "mc_se": float(np.sqrt((influence**2).sum()))}}
    for name, loss in {"log_loss": expected_log_loss(q, p), "brier": expected_brier(q, p)}.items():
        found[name] = {"value": float(loss.mean()), "mc_se": float(loss.std(ddof=1) / np.sqrt(len(p)))}
    return found


def monte_carlo_scores(law: Law, n: int, rng: np.random.Generator, chunk: int = 250_000) -> np.ndarray:
    """Risk scores without noise of `n` patients drawn from the law, in bounded memory, shape (n,)."""
    sizes = [min(chunk, n - first) for first in range(0, n, chunk)]
    return np.concatenate([laws.risk(law, simulate.draw_patients(law, size, rng)) for size in sizes])


def monte_carlo(law: Law, scores: np.ndarray, prevalence_offset: float = 0.0) -> dict[str, dict[str, float]]:
    """The oracle's performance over drawn patients; `scores` from `monte_carlo_scores`."""
    p = probability(law, scores, prevalence_offset)
    return performance(p, p)


def visits_given_days(law: Law) -> np.ndarray:
    """P(visits | days of follow-up), shape (days, visits): floor(days / 30 * Beta)."""
    planned = DAYS[:, None] / laws.VISIT_INTERVAL
    edges = beta.cdf(np.append(VISITS, VISITS[-1] + 1) / planned, *law.compliance)
    return np.diff(edges, axis=1)


def is_young(law: Law) -> np.ndarray:
    """Which of `AGES` the law calls young."""
    return laws.age_share(AGES) < law.young_below


def score_grid(law: Law) -> np.ndarray:
    """Risk score of every combination, shape (days, visits, events, young, phase, arm) = (335, 13, 13, 2, 3, 3)."""
    names = ("days_in_trial", "visits_completed", "adverse_events", "age", "trial_phase", "treatment_group")
    two, three = np.array([laws.AGE_HIGH, laws.AGE_LOW]), np.arange(3)
    every = np.ix_(DAYS, VISITS, EVENTS, two, three, three)
    return laws.risk(law, dict(zip(names, np.broadcast_arrays(*every), strict=True)))


def weight_grid(law: Law) -> np.ndarray:
    """Share of patients in every combination of `score_grid`, same shape, sums to 1."""
    mean = laws.adverse_event_mean(AGES[:, None], DAYS)
    events = poisson.pmf(EVENTS, mean[..., None])
    events[..., -1] += poisson.sf(EVENTS[-1], mean)
    young = is_young(law)
    by_young = np.stack([events[young == y].sum(axis=0) for y in (False, True)], axis=-1) / len(AGES)
    weight = visits_given_days(law)[:, :, None, None] * by_young[:, None] / len(DAYS) / 9
    return np.broadcast_to(weight[..., None, None], (*weight.shape, 3, 3))


@lru_cache(maxsize=4)
def cells(law: Law) -> tuple[np.ndarray, np.ndarray]:
    """All distinct risk scores of the law (without noise) and the share of patients at each, where above 1e-13."""
    weight = weight_grid(law)
    kept = weight > 1e-13
    return score_grid(law)[kept], weight[kept]


def exact(law: Law, prevalence_offset: float = 0.0) -> dict[str, float]:
    """The oracle's prevalence, auroc, log_loss and brier summed over `cells`, without Monte-Carlo error."""
    score, weight = cells(law)
    return weighted(probability(law, score, prevalence_offset), weight)


def weighted(p: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """Performance of the true probabilities `p` in a population of cells with shares `weight`."""
    means = {"prevalence": p, "log_loss": expected_log_loss(p, p), "brier": expected_brier(p, p)}
    found = {name: float(np.average(values, weights=weight)) for name, values in means.items()}
    return found | {"auroc": float(soft_auroc(p, p, weight)[0])}


@lru_cache(maxsize=16)
def offset_for_prevalence(law: Law = PUBLISHED_LAW, target: float = BELIEVED_PREVALENCE) -> float:
    """Offset on the logit at which a share `target` of patients drops out, solved over `cells` to 1e-10.

    >>> round(exact(Law(), offset_for_prevalence(Law(), 0.24))["prevalence"], 8)
    0.24
    """
    fine = cells(law)
    coarse = _coarse(*fine)

    def excess(offset: float, wanted: float, table: tuple[np.ndarray, np.ndarray] = coarse) -> float:
        return float(np.average(probability(law, table[0], offset), weights=table[1])) - wanted

    # the coarse table is off by about 1e-7 and by nearly the same at neighbouring offsets: solve, correct, solve again
    error = excess(brentq(excess, -20, 20, (target,), xtol=1e-13), target, fine)
    return float(brentq(excess, -20, 20, (target - error,), xtol=1e-13))


def _coarse(score: np.ndarray, weight: np.ndarray, n_bins: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """A short table in place of `cells`: mean score and weight of those that lie in narrow bins."""
    low, high = score.min(), score.max()
    bins = np.minimum(((score - low) / (high - low) * n_bins).astype(int), n_bins - 1)
    total = np.bincount(bins, weight, n_bins)
    filled = total > 0
    return np.bincount(bins, weight * score, n_bins)[filled] / total[filled], total[filled]


def prevalence_offsets(law: Law = PUBLISHED_LAW) -> Mapping[str, float]:
    """Offset of each prevalence setting: ``default`` (the law's own, 0) and ``p24``."""
    return {"default": 0.0, "p24": offset_for_prevalence(law, BELIEVED_PREVALENCE)}
