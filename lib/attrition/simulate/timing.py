"""When a simulated dropout happens: the last step of the law, drawn after dropout itself."""

import numpy as np

from attrition.simulate import draws
from attrition.simulate.law import Law

EARLY_DAY = 90
FIRST_MONTH = 30


def early_probability(law: Law, score: np.ndarray) -> np.ndarray:
    """Probability that a dropout takes the early branch, given the risk score with its noise."""
    return np.clip(score, 0, law.early_cap)


def _columns(dropout: np.ndarray, early: np.ndarray, flagged: np.ndarray, day: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "dropout": dropout.astype(int),
        "dropout_day": dropout * day,
        "early_dropout": (dropout & early).astype(int),
        "late_dropout": (dropout & ~early).astype(int),
        "dropout_30_days": (dropout & flagged).astype(int),
    }


def draw(
    law: Law, days: np.ndarray, dropout: np.ndarray, score: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw day and kind of each dropout.

    With probability min(.8, score) a dropout takes the early branch, a day in [1, min(90, days + 1));
    otherwise a day in [90, days], or in [1, days] when follow-up is shorter than 90 days. The last case
    counts as early too, but never as a dropout within 30 days, as in the published data.

    Parameters
    ----------
    law : Law
    days : array (n,)
        Length of follow-up in days.
    dropout : bool array (n,)
    score : array (n,)
        Risk score including the noise.
    rng : numpy.random.Generator

    Returns
    -------
    dict of arrays (n,)
        dropout, dropout_day, early_dropout, late_dropout, dropout_30_days; 0 without dropout.
    """
    branch = rng.random(len(days)) < early_probability(law, score)
    late = ~branch & (days >= EARLY_DAY)
    # sums and products instead of choices: a processor cannot guess which way a random patient goes
    low = 1 + (EARLY_DAY - 1) * late
    high = days + 1 - branch * np.maximum(days + 1 - EARLY_DAY, 0)
    day = draws.day(low, high, rng)
    return _columns(dropout, ~late, branch & (day <= FIRST_MONTH), day)


def draw_published(
    law: Law, days: np.ndarray, dropout: np.ndarray, score: np.ndarray, legacy: np.random.RandomState
) -> dict[str, np.ndarray]:
    """Same as `draw` from the legacy stream, patient by patient, as the published trial was made.

    Parameters
    ----------
    law : Law
    days, dropout, score : ndarray of shape (n,)
        Follow-up, outcome and risk score of each patient.
    legacy : numpy.random.RandomState
        In the state in which the published code had it.
    """
    n = len(days)
    day, branch = np.zeros(n, dtype=int), np.zeros(n, dtype=bool)
    for i in np.flatnonzero(dropout):
        branch[i] = legacy.random_sample() < min(law.early_cap, score[i])
        if branch[i]:
            day[i] = legacy.randint(1, min(EARLY_DAY, days[i] + 1))
        else:
            day[i] = legacy.randint(EARLY_DAY if days[i] >= EARLY_DAY else 1, days[i] + 1)
    late = ~branch & (days >= EARLY_DAY)
    return _columns(dropout, ~late, branch & (day <= FIRST_MONTH), day)
