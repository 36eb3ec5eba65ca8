"""How good is a predicted risk of leaving by a horizon, when reasons compete and some patients are censored?

The event is cause 1 by the horizon. Censoring is undone by inverse-probability weights, with which the measures of
`attrition.metrics` are the Brier score of Schoop et al. and the cumulative/dynamic AUROC of Blanche, Dartigues and
Jacqmin-Gadda (2013), Stat Med 32:5381-5397; without censoring before the horizon all weights are one. On one day,
leaving comes before censoring: who is censored on the day of the horizon has been seen through it.
"""

import numpy as np
from numpy.typing import ArrayLike

from attrition.survival.incidence import CENSORED


def _censoring(time: np.ndarray, cause: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    days, position = np.unique(time, return_inverse=True)
    lost = np.bincount(position, weights=counts * (cause == CENSORED))
    gone = np.bincount(position, weights=counts * (cause != CENSORED))
    at_risk = counts.sum() - np.concatenate([[0], np.cumsum(lost + gone)[:-1]]) - gone
    factors = np.divide(at_risk - lost, at_risk, out=np.ones(len(days)), where=at_risk > 0)
    return days, np.cumprod(factors)


def _just_before(days: np.ndarray, steps: np.ndarray, asked: np.ndarray) -> np.ndarray:
    return np.concatenate([[1.0], steps])[np.searchsorted(days, asked, side="left")]


def censoring_weights(time: ArrayLike, cause: ArrayLike, horizon: float, counts: ArrayLike | None = None) -> np.ndarray:
    r"""Inverse-probability-of-censoring weights at a horizon; who is censored before it weighs nothing.

    .. math:: w_i = \frac{1\{T_i \le \tau,\ D_i \ne 0\}}{\hat G(T_i-)}
              + \frac{1\{\text{seen through } \tau\}}{\hat G(\tau-)}

    with :math:`\hat G` the Kaplan-Meier estimate of staying uncensored, which must not depend on predictors or outcome.
    In a resample, whose patients stand there `counts` times each, it is estimated anew.
    Graf E et al. (1999), Stat Med 18:2529-2545. Schoop R et al. (2011), Biom J 53:88-112.

    >>> censoring_weights([5, 10, 20, 30], [1, 0, 2, 0], horizon=25).tolist()
    [1.0, 0.0, 1.5, 1.5]
    """
    time, cause = np.asarray(time, dtype=float), np.asarray(cause)
    counted = np.ones(len(time)) if counts is None else np.asarray(counts, dtype=float)
    days, uncensored = _censoring(time, cause, counted)
    left = (cause != CENSORED) & (time <= horizon)
    seen = ~left & (time >= horizon)
    probability = _just_before(days, uncensored, np.where(left, time, horizon))
    known = (left | seen) & (probability > 0)
    return np.where(known, 1 / np.where(known, probability, 1.0), 0.0)


def concordance(
    risk: ArrayLike, time: ArrayLike, event: ArrayLike, horizon: float | None = None, weighted: bool = False
) -> float:
    r"""Concordance of a risk with the order of leaving: Harrell's, or Uno's with censoring weights.

    Of two patients of whom the first has the event before the other's last day, the first should have the higher
    risk. Uno's estimate weighs each pair by :math:`\hat G(T_i-)^{-2}` and counts events before the horizon only.
    Competing events are censored when passed as such (a cause-specific concordance); to count a patient who left for
    another reason as one who never has the event, pass an infinite time (Wolbers).

    References
    ----------
    Harrell FE et al. (1982), JAMA 247:2543-2546. Uno H et al. (2011), Stat Med 30:1105-1117. Wolbers M et al.
    (2009), Epidemiology 20:555-561.

    Examples
    --------
    >>> concordance([0.9, 0.4, 0.6, 0.1], [5, 10, 15, 20], [True, True, False, False])
    0.8
    """
    risk, time = np.asarray(risk, dtype=float), np.asarray(time, dtype=float)
    event = np.asarray(event, dtype=bool)
    weight = np.ones(len(time))
    if weighted:
        days, uncensored = _censoring(time, event.astype(int), np.ones(len(time)))
        weight = 1 / _just_before(days, uncensored, time) ** 2
    cases = np.flatnonzero(event & (time <= (np.inf if horizon is None else horizon)))
    cases = cases[np.argsort(time[cases], kind="stable")]
    (levels, level), won, pairs = np.unique(risk, return_inverse=True), 0.0, 0.0
    for own in np.split(cases, np.unique(time[cases], return_index=True)[1][1:]) if len(cases) else ():
        later = (time > time[own[0]]) | ((time == time[own[0]]) & ~event)
        mass = np.bincount(level[later], minlength=len(levels))
        won += weight[own[0]] * (np.cumsum(mass) - mass / 2)[level[own]].sum()
        pairs += weight[own[0]] * len(own) * mass.sum()
    return float(won / pairs) if pairs else float("nan")
