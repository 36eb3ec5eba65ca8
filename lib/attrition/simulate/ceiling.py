"""How well the best possible model predicts, by what it knows: at enrolment, by a day of follow-up, or everything.

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
from scipy.stats import binom, norm, poisson

from attrition import seeds
from attrition.metrics import share_of_attainable_lift
from attrition.params import Section
from attrition.simulate import law as laws
from attrition.simulate import oracle
from attrition.simulate.law import Law
from attrition.simulate.oracle import AGES, DAYS, EVENTS, VISITS

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
    """P(dropout) and P(dropout on the early branch) for every combination of `oracle.score_grid`."""
    score = oracle.score_grid(law)
    return tuple(np.interp(score, GRID, curve) for curve in _noise_integrals(law, prevalence_offset))


def _outcome_grids(law: Law, day: int, prevalence_offset: float) -> tuple[np.ndarray, np.ndarray]:
    """P(dropout after `day`) and P(at risk at `day`) for every combination of `oracle.score_grid`."""
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
    joint = oracle.visits_given_days(law) / len(DAYS) * (day < DAYS)[:, None]
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
    young = oracle.is_young(law).astype(int)
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


def performance(law: Law, day: int, prevalence_offset: float = 0.0) -> dict[str, float]:
    """Best attainable auroc, log_loss and brier with what is known at `day`, summed over all states.

    Beside them ``prevalence`` (of dropout after `day` among those at risk) and ``at_risk`` (share of all patients).
    """
    states = at_day(law, day, prevalence_offset)
    found = oracle.weighted(states["probability"].to_numpy(), states["weight"].to_numpy())
    return found | {"at_risk": float(states["weight"].sum())}


def oracle_results(law: Law, p: Section, seed: int) -> dict[str, Any]:
    """Oracles by what they know and by prevalence: the ``oracle`` part of the chapter's results.

    ``scores``: risk scores of the drawn patients, for figures.
    """
    offsets = oracle.prevalence_offsets(law)
    scores = oracle.monte_carlo_scores(law, p.oracle_patients, seeds.stream(seed, "01", "oracle"), p.oracle_chunk)
    found: dict[str, Any] = {"offset_p24": offsets["p24"], "n_patients": p.oracle_patients, "scores": scores}
    for setting, offset in offsets.items():
        found[setting] = oracle.monte_carlo(law, scores, offset) | {"exact": oracle.exact(law, offset)}
    for name, day in {"enrolment": 0, **{f"day{day}": day for day in p.landmark_days}}.items():
        found[name] = {setting: performance(law, day, offset) for setting, offset in offsets.items()}
    return found


def oracle_table(found: Mapping[str, Any], days: list[int]) -> pd.DataFrame:
    """`oracle_results` as a table, a row for each knowledge and prevalence, from nothing to the whole follow-up."""
    known, rows = {"enrolment": "enrolment", **{f"day{day}": f"by day {day}" for day in days}}, []
    for setting in ("default", "p24"):
        whole = found[setting]
        rate = whole["exact"]["prevalence"]
        everybody = {"at_risk": 1.0, "prevalence": rate}
        chance = {"auroc": 0.5, "log_loss": float(oracle.expected_log_loss(rate, rate)), "brier": rate * (1 - rate)}
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
