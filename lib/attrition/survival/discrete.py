"""Discrete-time model of leaving: one logistic regression on person-periods, and the risk that follows from it."""

import numpy as np
from numpy.typing import ArrayLike

from attrition.models.batched import Shared
from attrition.models.ridge import fitted


def person_periods(time: ArrayLike, cause: ArrayLike, edges: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One row a patient and period that the patient began and was seen through, or left in.

    Parameters
    ----------
    time, cause : array_like, shape (n_patients,)
        Days from the landmark; 0 censored, 1 primary, 2 competing.
    edges : array_like, shape (n_periods + 1,)
        Ends of the periods, from 0 to the horizon; a period holds its last day and not its first.

    Returns
    -------
    tuple of ndarray, shape (n_rows,)
        Patient (position), period (from 0), cause in that period. A period in which a patient is censored is left out.

    Examples
    --------
    >>> [column.tolist() for column in person_periods([40, 20, 56], [1, 0, 0], [0, 28, 56])]
    [[0, 0, 2, 2], [0, 1, 0, 1], [0, 1, 0, 0]]
    """
    time, cause, edges = np.asarray(time, dtype=float), np.asarray(cause), np.asarray(edges, dtype=float)
    day, reason, begin, end = time[:, None], cause[:, None], edges[:-1], edges[1:]
    left = (reason > 0) & (day > begin) & (day <= end)
    patient, period = np.nonzero(left | (day > end) | ((day == end) & (reason == 0)))
    return patient, period, np.where(left, reason, 0)[patient, period]


def discrete_risk(
    time: ArrayLike,
    cause: ArrayLike,
    X: np.ndarray,
    X_new: np.ndarray,
    edges: ArrayLike,
    ridge: float | np.ndarray,
    smooth: float = 0.01,
) -> np.ndarray:
    r"""Cumulative incidence of cause 1 from a discrete-time model at a landmark.

    A logistic regression on person-periods gives the hazard of the primary event in each period,
    :math:`\operatorname{logit} h_1(j \mid x) = \alpha_j + x^\top \beta`; competing events, usually few, have one hazard
    a period for everybody. Then

    .. math:: F_1(m \mid x) = \sum_{j \le m} h_1(j \mid x) \prod_{l < j} \{1 - h_1(l \mid x) - h_2(l)\}

    Parameters
    ----------
    time, cause : array_like, shape (n_patients,)
        Days from the landmark; 0 censored, 1 primary, 2 competing.
    X, X_new : ndarray, shape (n_patients or n_new, n_features)
        Standardised.
    edges : array_like, shape (n_periods + 1,)
    ridge : float or ndarray, shape (n_features,)
        Penalty of the features, on the scale of the log-likelihood.
    smooth : float
        Penalty of the period effects, so that a period without an event has an estimate.

    Returns
    -------
    ndarray, shape (n_new, n_periods)
        Risk by the end of each period.

    References
    ----------
    Allison PD (1982), Sociol Methodol 13:61-98. Tutz G, Schmid M (2016), Modeling Discrete Time-to-Event Data, ch. 8.
    """
    (patient, period, reason), n_periods = person_periods(time, cause, edges), np.size(edges) - 1
    design = np.hstack([np.eye(n_periods)[period], X[patient]])
    penalty = np.concatenate([np.full(n_periods, smooth), np.broadcast_to(ridge, X.shape[1])])
    tables, one = Shared(design), np.ones((1, len(design)))
    (beta,) = fitted(tables, (reason == 1) * one, one, np.diag(penalty)[None], 1.0, np.zeros((1, tables.q)))
    logit = beta[:n_periods] + (X_new @ beta[n_periods:])[:, None]
    own = 1 / (1 + np.exp(-logit))
    begun = np.bincount(period, minlength=n_periods)
    other = np.bincount(period, weights=reason == 2, minlength=n_periods) / np.maximum(begun, 1)
    staying = np.cumprod(np.clip(1 - own - other, 0.0, 1.0), axis=1)
    return np.cumsum(np.hstack([np.ones((len(X_new), 1)), staying[:, :-1]]) * own, axis=1)


def period_edges(ahead: float, length: float) -> np.ndarray:
    """Ends of the periods from a landmark to the horizon; a short rest joins the last full period.

    Examples
    --------
    >>> period_edges(84, 28).tolist(), period_edges(60, 28).tolist()
    ([0.0, 28.0, 56.0, 84.0], [0.0, 28.0, 60.0])
    """
    return np.append(np.arange(max(int(ahead // length), 1)) * float(length), float(ahead))
