"""The law of the simulated trial: how covariates turn into a probability of dropout."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attrition.metrics.calibration import inverse_logit

GENDERS = ("Male", "Female", "Non-binary")
ARMS = ("Active", "Control", "Placebo")
PHASES = ("Phase I", "Phase II", "Phase III")
AGE_LOW, AGE_HIGH = 18, 85
DAYS_LOW, DAYS_HIGH = 30, 365
VISIT_INTERVAL = 30
EARLY_DAY, FIRST_MONTH = 90, 30
"""A dropout before the one is early; up to the other it is within the first month."""


@dataclass(frozen=True)
class Law:
    r"""Parameters of the data-generating mechanism; the defaults are the published trial's.

    Given the covariates of a patient, with visit rate $v$, adverse-event rate $e$ (events a day), phase risk
    $f$, arm risk $g$ and young $y$, the risk score is

    $$r = w_e \cdot 100 e + w_v (1 - v) + w_f f + w_g g + w_y y + \varepsilon,\quad
    \varepsilon \sim N(0, \sigma^2)$$

    and the probability of dropout is $1 / (1 + \exp(-(k (r - c) + \delta)))$, with slope $k$, offset $c$
    and a prevalence offset $\delta$ (0 in the published trial).

    Attributes
    ----------
    slope, offset, noise_sd : float
        $k$, $c$ and $\sigma$, the part of the risk that nobody can observe.
    weight_adverse_events, adverse_event_scale, weight_missed_visits, weight_phase, weight_arm, weight_young : float
        Weights of the five terms; the first is multiplied by the scale.
    phase_risk, arm_risk : tuple of float
        In the order of `PHASES` and `ARMS`.
    young_below : float
        Young is (age - 18) / 67 below this.
    compliance : tuple of float
        Both shape parameters of the Beta distribution of the share of planned visits kept.
    early_cap : float
        Largest probability that a dropout is early.
    """

    slope: float = 3.0
    offset: float = 0.5
    noise_sd: float = 0.15
    weight_adverse_events: float = 0.35
    adverse_event_scale: float = 100.0
    weight_missed_visits: float = 0.30
    weight_phase: float = 0.20
    weight_arm: float = 0.10
    weight_young: float = 0.05
    phase_risk: tuple[float, float, float] = (0.2, 0.5, 0.8)
    arm_risk: tuple[float, float, float] = (0.1, 0.3, 0.4)
    young_below: float = 0.3
    compliance: tuple[float, float] = (5.0, 2.0)
    early_cap: float = 0.8


PUBLISHED_LAW = Law()


def age_share(age: np.ndarray) -> np.ndarray:
    """Age on the law's scale: 0 at 18 years, 1 at 85."""
    return (age - AGE_LOW) / (AGE_HIGH - AGE_LOW)


def adverse_event_mean(age: np.ndarray, days: np.ndarray) -> np.ndarray:
    r"""Expected adverse events over the whole follow-up: $0.9 (1 + 0.5 a + 0.3\,days/365)$, with `age_share` $a$.

    The order of operations gives the published bits.
    """
    return 0.3 * (1 + age_share(age) * 0.5 + days / 365 * 0.3) * 3


def visit_rate(visits: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Visits kept over visits planned, one every 30 days and one at the start."""
    return visits / (days / VISIT_INTERVAL + 1)


def adverse_event_rate(adverse_events: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Adverse events a day."""
    return adverse_events / (days + 1)


def phase_risk(law: Law, phase: pd.Series | np.ndarray) -> np.ndarray:
    """The law's risk of each patient's trial phase (a name, or a place in `PHASES`), shape (n,)."""
    return _looked_up(phase, PHASES, law.phase_risk)


def arm_risk(law: Law, arm: pd.Series | np.ndarray) -> np.ndarray:
    """The law's risk of each patient's treatment arm (a name, or a place in `ARMS`), shape (n,)."""
    return _looked_up(arm, ARMS, law.arm_risk)


def _looked_up(column: pd.Series | np.ndarray, names: tuple[str, ...], values: tuple[float, ...]) -> np.ndarray:
    if isinstance(column, np.ndarray):
        return np.array(values)[column]
    codes = pd.Index(names, dtype="str").get_indexer(pd.Index(column.array))
    return np.append(values, np.nan)[codes]


def risk(law: Law, trial: pd.DataFrame | Mapping[str, np.ndarray]) -> np.ndarray:
    r"""Risk score of each patient, without the unobserved noise: $r - \varepsilon$ of `Law`, shape (n,).

    >>> patient = pd.DataFrame({"age": [60], "treatment_group": ["Placebo"], "trial_phase": ["Phase III"],
    ...                         "days_in_trial": [99], "visits_completed": [0], "adverse_events": [1]})
    >>> float(risk(Law(), patient).round(3)[0])
    0.85
    """
    age, days, visits, events = (
        np.asarray(trial[name]) for name in ("age", "days_in_trial", "visits_completed", "adverse_events")
    )
    young = age_share(age) < law.young_below
    score = law.weight_adverse_events * adverse_event_rate(events, days)
    score *= law.adverse_event_scale  # term by term, in place: fewer arrays of a large trial go through memory
    score += law.weight_missed_visits * (1 - visit_rate(visits, days))
    score += law.weight_phase * phase_risk(law, trial["trial_phase"])
    score += law.weight_arm * arm_risk(law, trial["treatment_group"])
    score += law.weight_young * young
    return score


def probability(law: Law, score: np.ndarray, prevalence_offset: float = 0.0) -> np.ndarray:
    """Probability of dropout at a risk score that includes the noise; the offset is added to the logit."""
    return inverse_logit(law.slope * (score - law.offset) + prevalence_offset)


def early_probability(law: Law, score: np.ndarray) -> np.ndarray:
    """Probability that a dropout takes the early branch, given the risk score with its noise."""
    return np.clip(score, 0, law.early_cap)
