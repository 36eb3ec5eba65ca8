"""How good is a predicted risk of leaving by a horizon, when reasons compete and some patients are censored?

The event is cause 1 by the horizon. Censoring is undone by inverse-probability weights; without censoring before the
horizon all weights are one and the scores are the ordinary Brier score and AUROC. On one day, leaving comes before
censoring: who is censored on the day of the horizon has been seen through it.
"""

import numpy as np
from numpy.typing import ArrayLike

from attrition.metrics import measures
from attrition.survival.incidence import CENSORED

EVENT = 1


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

    Examples
    --------
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


def outcome_by(time: ArrayLike, cause: ArrayLike, horizon: float) -> np.ndarray:
    """1 for patients with the event by the horizon, else 0 (competing events and event-free alike).

    Examples
    --------
    >>> outcome_by([5, 10, 30], [1, 2, 1], horizon=25).tolist()
    [1, 0, 0]
    """
    return ((np.asarray(cause) == EVENT) & (np.asarray(time) <= horizon)).astype(int)


def brier_score(risk: ArrayLike, time: ArrayLike, cause: ArrayLike, horizon: float) -> float:
    r"""Brier score of a predicted cumulative incidence at a horizon, with competing risks; 0 is perfect.

    .. math:: \frac1n \sum_i w_i \bigl(1\{T_i \le \tau, D_i = 1\} - \hat F_1(\tau \mid x_i)\bigr)^2

    References
    ----------
    Schoop R et al. (2011), Biom J 53:88-112.

    Examples
    --------
    >>> round(brier_score([0.8, 0.2], [5, 30], [1, 0], horizon=20), 3)
    0.04
    """
    error = outcome_by(time, cause, horizon) - np.asarray(risk, dtype=float)
    return float(np.mean(censoring_weights(time, cause, horizon) * error**2))


def roles(time: ArrayLike, cause: ArrayLike, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the patients as cases and as controls of the cumulative/dynamic AUROC.

    Cases had the event by the horizon. Controls are all other patients whose state at the horizon is known: still in
    the trial, or gone for a competing reason.
    """
    weights = censoring_weights(time, cause, horizon)
    event = outcome_by(time, cause, horizon)
    return weights * event, weights * (1 - event)


def auroc(risk: ArrayLike, time: ArrayLike, cause: ArrayLike, horizon: float) -> float:
    r"""Cumulative/dynamic time-dependent AUROC, competing events as controls; NaN without a case or a control.

    .. math:: \frac{\sum_i \sum_j a_i b_j
              \bigl(1\{r_i > r_j\} + \tfrac12 1\{r_i = r_j\}\bigr)}{\sum_i \sum_j a_i b_j}

    with :math:`a_i` and :math:`b_j` the weights as case and as control, see `roles`.

    References
    ----------
    Blanche P, Dartigues JF, Jacqmin-Gadda H (2013), Stat Med 32:5381-5397 (their definition 2).

    Examples
    --------
    >>> auroc([0.9, 0.5, 0.5, 0.1], [5, 8, 9, 30], [1, 1, 2, 0], horizon=20)
    0.875
    """
    return measures.auroc(outcome_by(time, cause, horizon), risk, censoring_weights(time, cause, horizon))


def pair_wins(
    scores: ArrayLike, cases: ArrayLike, controls: ArrayLike, folds: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """How often each case ranks above each control (a tie counts one half), over repeats of cross-validation.

    The AUROC is a ratio of two weighted sums over these tables. With `folds`, of the shape of the scores (n_repeats,
    n_patients), only patients of one test fold are compared, whose scores come from one fit: across folds, a score of
    few values such as the arm breaks its ties against itself, because a patient's own event is missing from the fit.

    Returns
    -------
    wins, pairs : ndarray, shape (n_cases, n_controls)
        Of the patients whose weight is positive: wins, and comparisons made.

    References
    ----------
    Parker BJ, Gunter S, Bedo J (2007), BMC Bioinformatics 8:326.
    """
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    folds = np.zeros(scores.shape, dtype=int) if folds is None else np.atleast_2d(np.asarray(folds))
    case, control = np.flatnonzero(np.asarray(cases) > 0), np.flatnonzero(np.asarray(controls) > 0)
    wins, pairs = np.zeros((2, len(case), len(control)))
    for score, fold in zip(scores, folds, strict=True):
        together = fold[case][:, None] == fold[control]
        difference = score[case][:, None] - score[control]
        wins += together * ((difference > 0) + 0.5 * (difference == 0))
        pairs += together
    return wins, pairs


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
    day, own = time[cases][:, None], risk[cases][:, None]
    later = (time > day) | ((time == day) & ~event)
    won = np.count_nonzero(later & (risk < own), axis=1) + 0.5 * np.count_nonzero(later & (risk == own), axis=1)
    pairs = weight[cases] @ np.count_nonzero(later, axis=1)
    return float(weight[cases] @ won / pairs) if pairs else float("nan")
