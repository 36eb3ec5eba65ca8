"""What the best possible model would know: the exact probability of dropout given the features.

The law hides one thing from every model, a normal noise in the risk score. Integrating it out gives
P(dropout | features); no model can beat its auroc, log loss or Brier score. Performance is computed with exact
probabilities in place of drawn outcomes ("soft outcomes"): same expectation, a fraction of the variance.

Two routes lead to each number: `monte_carlo` over drawn patients, with its error, and `exact` over `cells`,
the finite table of all distinct risk scores. `performance_by` is about oracles that know less.

Timing assumption. The law draws only totals over a follow-up of D days. We assume that visits and adverse
events fall independently and uniformly over the D days, whether or not the patient has dropped out meanwhile,
and that D itself is not known in advance. So by day d a total of V visits has shown Binomial(V, d/D) of them,
and likewise for adverse events. A patient is at risk at d when follow-up lasts longer than d and no dropout
has happened by d; the target is dropout after d. What is known: age, arm, phase, and both counts so far.

Under this law leaving does not stop the clock, hence the counts by day d are the same kind of quantity for
every patient at risk and nothing of the future leaks into them.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import xlogy
from scipy.stats import beta, binom, norm, poisson

from attrition import seeds, simulate
from attrition.metrics import share_of_attainable_lift
from attrition.metrics.ranks import soft_auroc, soft_auroc_influence
from attrition.params import Section
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


# How well the best possible model predicts by what it knows: at enrolment, by a day of follow-up, or everything

PREVALENCE = {"default": "the law's own", "p24": "24 %"}
"""Settings of the prevalence, in words for tables."""
GRID = np.linspace(-1.0, 16.0, 34_001)
"""Risk scores at which the noise is integrated; between them the curves are smooth and interpolated."""


def _noise_integrals(law: Law, prevalence_offset: float) -> tuple[np.ndarray, np.ndarray]:
    """E[p] and E[p * P(early)] over the noise on `GRID`; dense rule, since P(early) has kinks."""
    z = np.linspace(-6, 6, 241)
    total, early = np.zeros_like(GRID), np.zeros_like(GRID)
    for point, weight in zip(z, norm.pdf(z) * (z[1] - z[0]), strict=True):
        score = GRID + law.noise_sd * point
        p = weight * laws.probability(law, score, prevalence_offset)
        total += p
        early += p * laws.early_probability(law, score)
    return total, early


def _still_in_trial(day: int) -> tuple[np.ndarray, np.ndarray]:
    """P(dropout day > `day` | dropout, branch), early and late branch, for each length of follow-up, (days,)."""
    last_early = np.minimum(laws.EARLY_DAY, DAYS + 1) - 1
    early = np.clip(last_early - day, 0, None) / last_early
    first_late = np.where(laws.EARLY_DAY <= DAYS, laws.EARLY_DAY, 1)
    late = np.clip(DAYS - np.maximum(day, first_late - 1), 0, None) / (DAYS - first_late + 1)
    return early, late


@lru_cache(maxsize=2)
def _dropout_grids(law: Law, prevalence_offset: float) -> tuple[np.ndarray, np.ndarray]:
    """P(dropout) and P(dropout on the early branch) for every combination of `score_grid`."""
    score = score_grid(law)
    return tuple(np.interp(score, GRID, curve) for curve in _noise_integrals(law, prevalence_offset))


def _outcome_grids(law: Law, day: int, prevalence_offset: float) -> tuple[np.ndarray, np.ndarray]:
    """P(dropout after `day`) and P(at risk at `day`) for every combination of `score_grid`."""
    drops, drops_early = _dropout_grids(law, prevalence_offset)
    shape = (-1, 1, 1, 1, 1, 1)
    stays_early, stays_late = (part.reshape(shape) for part in _still_in_trial(day))
    after = drops_early * stays_early + (drops - drops_early) * stays_late
    return after, after + 1 - drops


def _share_seen(day: int) -> np.ndarray:
    """Share of the follow-up that has passed by `day`, (days,); 0 where it has ended, which is not at risk."""
    return np.where(day < DAYS, day / DAYS, 0.0)


def _seen_visits(law: Law, day: int) -> np.ndarray:
    """P(days, visits in all, visits seen by `day`), shape (days, seen, visits)."""
    share = _share_seen(day)
    joint = visits_given_days(law) / len(DAYS) * (day < DAYS)[:, None]
    seen = binom.pmf(VISITS[None, :, None], VISITS[None, None, :], share[:, None, None])
    return joint[:, None, :] * seen


@lru_cache(maxsize=1)
def _seen_events(day: int) -> np.ndarray:
    """P(events seen by `day`, events in all | age, days), shape (ages, seen, days, events): a thinned Poisson."""
    share, mean = _share_seen(day), laws.adverse_event_mean(AGES[:, None], DAYS)
    seen = poisson.pmf(EVENTS, (mean * share)[..., None])
    later = poisson.pmf(EVENTS, (mean * (1 - share))[..., None])
    joint = np.zeros((len(AGES), len(EVENTS), len(DAYS), len(EVENTS)))
    for k in EVENTS:
        joint[:, k, :, k:] = seen[..., k, None] * later[..., : len(EVENTS) - k]
    return joint


def at_day(law: Law, day: int, prevalence_offset: float = 0.0) -> pd.DataFrame:
    """Exact P(dropout after `day` | what is known at `day`) for every state a patient at risk can be in.

    Day 0 is enrolment, where only age, arm and phase are known (gender says nothing). Visits and adverse events are
    those by `day`; weight is the share of all patients who are at risk in this state.
    """
    visits, events = _seen_visits(law, day), _seen_events(day)
    young = is_young(law).astype(int)
    sums = []
    for outcome in _outcome_grids(law, day, prevalence_offset):
        states = np.empty((len(AGES), len(EVENTS), len(VISITS), 9))
        for y in (0, 1):
            grid = outcome[:, :, :, y].reshape(len(DAYS), len(VISITS), -1)
            known = (visits @ grid).reshape(len(DAYS), len(VISITS), len(EVENTS), 9)
            flat = known.transpose(0, 2, 1, 3).reshape(len(DAYS) * len(EVENTS), -1)
            mine = events[young == y].reshape(-1, len(DAYS) * len(EVENTS))
            states[young == y] = (mine @ flat).reshape(-1, *states.shape[1:])
        sums.append(states / len(AGES) / 9)
    return _as_table(*sums)


def _as_table(after: np.ndarray, at_risk: np.ndarray) -> pd.DataFrame:
    age, events, visits, arm = states = np.nonzero(at_risk > 1e-13)
    columns = {"age": AGES[age], "trial_phase": np.array(laws.PHASES)[arm // 3]}
    columns |= {"treatment_group": np.array(laws.ARMS)[arm % 3], "visits": visits, "adverse_events": events}
    weight = at_risk[states]
    return pd.DataFrame(columns | {"weight": weight, "probability": after[states] / weight})


def performance_by(law: Law, day: int, prevalence_offset: float = 0.0) -> dict[str, float]:
    """Best attainable auroc, log_loss and brier with what is known at `day`, summed over all states.

    Beside them ``prevalence`` (of dropout after `day` among those at risk) and ``at_risk`` (share of all patients).
    """
    states = at_day(law, day, prevalence_offset)
    found = weighted(states["probability"].to_numpy(), states["weight"].to_numpy())
    return found | {"at_risk": float(states["weight"].sum())}


def oracle_results(law: Law, p: Section, seed: int) -> dict[str, Any]:
    """Oracles by what they know and by prevalence: the ``oracle`` part of the chapter's results.

    ``scores``: risk scores of the drawn patients, for figures.
    """
    offsets = prevalence_offsets(law)
    scores = monte_carlo_scores(law, p.oracle_patients, seeds.stream(seed, "01", "oracle"), p.oracle_chunk)
    found: dict[str, Any] = {"offset_p24": offsets["p24"], "n_patients": p.oracle_patients, "scores": scores}
    for setting, offset in offsets.items():
        found[setting] = monte_carlo(law, scores, offset) | {"exact": exact(law, offset)}
    for name, day in {"enrolment": 0, **{f"day{day}": day for day in p.landmark_days}}.items():
        found[name] = {setting: performance_by(law, day, offset) for setting, offset in offsets.items()}
    return found


def oracle_table(found: Mapping[str, Any], days: list[int]) -> pd.DataFrame:
    """`oracle_results` as a table, a row for each knowledge and prevalence, from nothing to the whole follow-up."""
    known, rows = {"enrolment": "enrolment", **{f"day{day}": f"by day {day}" for day in days}}, []
    for setting in ("default", "p24"):
        whole = found[setting]
        rate = whole["exact"]["prevalence"]
        everybody = {"at_risk": 1.0, "prevalence": rate}
        chance = {"auroc": 0.5, "log_loss": float(expected_log_loss(rate, rate)), "brier": rate * (1 - rate)}
        full = {name: whole[name]["value"] for name in chance} | {"auroc_mc_se": whole["auroc"]["mc_se"]}
        rungs = {words: found[name][setting] for name, words in known.items()}
        rungs = {"nothing (chance)": everybody | chance} | rungs | {"whole follow-up": everybody | full}
        rows += [{"known": words, "setting": setting} | rung for words, rung in rungs.items()]
    table = pd.DataFrame(rows).rename(columns={"prevalence": "dropout", "setting": "prevalence"})
    return table[["known", "prevalence", "at_risk", "dropout", "auroc", "auroc_mc_se", "log_loss", "brier"]]


def early_lift(found: Mapping[str, Any], setting: str = "default") -> dict[str, float]:
    """How much of the ceiling is there in time: AUROCs, and their shares of the lift over one half."""
    of = {name: part[setting]["auroc"] for name, part in found.items() if name.startswith(("day", "enrolment"))}
    full, best = found[setting]["auroc"], max((name for name in of if name != "enrolment"), key=of.__getitem__)
    reached = {"enrolment": of["enrolment"], "best": of[best]}
    shares = {f"share_{name}": float(share_of_attainable_lift(at, full["value"])) for name, at in reached.items()}
    days = {"enrolment": of["enrolment"], "best_day": int(best.removeprefix("day")), "best_auroc": of[best]}
    return {"full": full["value"], "full_mc_se": full["mc_se"], **days, **shares}
