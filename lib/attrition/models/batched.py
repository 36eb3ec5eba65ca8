"""Many small models at once: logistic regressions, predictions and AUROCs over all replicates of a study.

A simulation study or a bootstrap fits the same small model hundreds of times. Here the replicates are the
leading axis of one array: Newton steps run for all of them together, and ranks are taken over all rows at
once. The objective is scikit-learn's `LogisticRegression(C=1.0)`, the AUROC is `roc_auc_score`; the tests
hold them to that.

Axes: ``R`` replicates, ``n`` patients, ``p`` features.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from attrition.metrics.ranks import auroc, binned_soft_auroc, settled, soft_auroc, soft_auroc_influence

__all__ = [
    "LogisticFit",
    "auroc",
    "balanced_weight",
    "binned_soft_auroc",
    "decision_function",
    "fit_logistic",
    "fit_pipeline",
    "soft_auroc",
    "soft_auroc_influence",
    "standardiser",
]

Array = np.ndarray
CACHED = 8
"""Replicates with tables of their own that are fitted together: more would not fit the processor's cache."""


@dataclass(frozen=True)
class LogisticFit:
    """Fitted logistic regressions on the scale of the features that went in.

    Attributes
    ----------
    intercept : ndarray of shape (R,)
    coef : ndarray of shape (R, p)
    n_iter : int
        Newton steps until the slowest replicate had converged.
    converged : ndarray of shape (R,), bool
    """

    intercept: Array
    coef: Array
    n_iter: int
    converged: Array

    def decision_function(self, X: Array) -> Array:
        """Log odds, shape (R, n); see `decision_function`."""
        return decision_function(self, X)

    def predict_proba(self, X: Array) -> Array:
        """Probability of the event, shape (R, n); one column, not two."""
        return expit(decision_function(self, X))


def decision_function(fit: LogisticFit, X: Array) -> Array:
    """Log odds of every patient under every replicate's model, settled (see `ranks.settled`).

    Parameters
    ----------
    fit : LogisticFit
    X : ndarray of shape (n, p) or (R, n, p)
        One table for all replicates, or one for each.

    Returns
    -------
    ndarray of shape (R, n)

    Notes
    -----
    One matrix-vector product a replicate: the last bits do not depend on how many replicates share the call.
    """
    tables = np.broadcast_to(X, (len(fit.coef), *X.shape[-2:]))
    products = [table @ beta for table, beta in zip(tables, fit.coef, strict=True)]
    return settled(np.stack(products) + fit.intercept[:, None])


def balanced_weight(y: Array, counts: Array | None = None) -> Array:
    r"""Row weights of ``class_weight="balanced"``: :math:`n / (2 n_k)` for class k, times the row counts.

    Parameters
    ----------
    y : ndarray of shape (..., n), values 0 and 1
    counts : ndarray of shape (..., n), optional
        Bootstrap counts or a 0/1 mask of the rows that take part; n and n_k count these.

    Examples
    --------
    >>> balanced_weight(np.array([1, 0, 0, 0]))
    array([2.        , 0.66666667, 0.66666667, 0.66666667])
    """
    counts = np.ones(y.shape[-1]) if counts is None else np.asarray(counts, dtype=float)
    y, counts = np.broadcast_arrays(y, counts)
    total = counts.sum(axis=-1, keepdims=True)
    events = (counts * y).sum(axis=-1, keepdims=True)
    if np.any(events <= 0) or np.any(events >= total):
        raise ValueError("every replicate needs patients with and without the event")
    return counts * np.where(y == 1, total / (2 * events), total / (2 * (total - events)))


def standardiser(X: Array, counts: Array | None = None) -> tuple[Array, Array]:
    """Mean and standard deviation (``ddof=0``) of every feature, as scikit-learn's `StandardScaler`.

    Parameters
    ----------
    X : ndarray of shape (n, p) or (R, n, p)
    counts : ndarray of shape (R, n), optional
        Bootstrap counts or fold masks.

    Returns
    -------
    mean, scale : ndarray of shape (R, p) or (p,)
        Scale is 1 for a constant feature.
    """
    if counts is None:
        mean, variance = X.mean(axis=-2), X.var(axis=-2)
    else:
        share = counts / counts.sum(axis=-1, keepdims=True)
        mean = _cross(X, share)
        centred = X - mean[:, None, :] if X.ndim == 3 else X - X.mean(axis=0)
        variance = _cross(centred**2, share) - (0 if X.ndim == 3 else _cross(centred, share) ** 2)
    constant = variance <= 10 * X.shape[-2] * np.finfo(float).eps * (variance + mean**2)
    return mean, np.where(constant, 1.0, np.sqrt(np.maximum(variance, 0)))


def _linear(X: Array, beta: Array) -> Array:
    return beta @ X.T if X.ndim == 2 else (X @ beta[:, :, None])[:, :, 0]


def _cross(X: Array, rows: Array) -> Array:
    return rows @ X if X.ndim == 2 else (rows[:, None, :] @ X)[:, 0, :]


class _Gram:
    """X' diag(v) X for every replicate; with one shared X a single product of v with products of columns."""

    def __init__(self, X: Array):
        self.X, self.q = X, X.shape[-1]
        if X.ndim == 2:
            self.upper = np.triu_indices(self.q)
            self.pairs = X[:, self.upper[0]] * X[:, self.upper[1]]

    def __call__(self, v: Array) -> Array:
        if self.X.ndim == 3:
            return (self.X * v[:, :, None]).transpose(0, 2, 1) @ self.X
        gram = np.empty((len(v), self.q, self.q))
        gram[:, self.upper[0], self.upper[1]] = gram[:, self.upper[1], self.upper[0]] = v @ self.pairs
        return gram


def _risk_and_loss(eta: Array, sign: Array) -> tuple[Array, Array]:
    """Probability of the event and log loss of each patient, from one exponential."""
    tail = np.exp(-np.abs(eta))
    risk = np.where(eta >= 0, 1.0, tail) / (1 + tail)
    return risk, np.log(1 + tail) + np.maximum(-sign * eta, 0.0)


def fit_logistic(
    X: Array,
    y: Array,
    sample_weight: Array | None = None,
    C: float | Array = 1.0,
    tol: float = 1e-6,
    max_iter: int = 100,
) -> LogisticFit:
    r"""L2-penalised logistic regressions of all replicates by Newton's method.

    Minimises, for each replicate, scikit-learn's objective with an unpenalised intercept,

    .. math:: C \sum_i w_i \log(1 + e^{-s_i (a + x_i'b)}) + \tfrac12 b'b, \qquad s_i = 2 y_i - 1.

    Parameters
    ----------
    X : ndarray of shape (n, p) or (R, n, p)
        One table shared by all replicates (bootstrap, folds) or one for each. Standardise first.
    y : ndarray of shape (n,) or (R, n), values 0 and 1
    sample_weight : ndarray of shape (n,) or (R, n), optional
        Class weights, bootstrap counts, fold masks, or their product; 0 leaves a patient out.
    C : float or ndarray of shape (R, 1)
        Inverse penalty.
    tol : float
        A replicate has converged when its largest step is below; the error then is about ``tol**2``.
    max_iter : int

    Returns
    -------
    LogisticFit

    Notes
    -----
    A converged replicate stays as it is while others go on, so that its result does not depend on its
    companions. A step that would raise the objective is halved.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(3, 200, 2)); y = (rng.random((3, 200)) < expit(X[..., 0])).astype(int)
    >>> fit_logistic(X, y).coef.shape
    (3, 2)
    """
    n = X.shape[-2]
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    n_replicates = max(a.shape[0] if a.ndim > k else 1 for a, k in ((X, 2), (np.asarray(y), 1), (weight, 1)))
    y = np.broadcast_to(np.asarray(y, dtype=float), (n_replicates, n))
    weight = np.broadcast_to(C * weight, (n_replicates, n))
    chunk = CACHED if X.ndim == 3 else n_replicates
    parts = [slice(first, first + chunk) for first in range(0, n_replicates, chunk)]
    fits = [_newton(_design(X[part] if X.ndim == 3 else X), y[part], weight[part], tol, max_iter) for part in parts]
    beta, steps, converged = zip(*fits, strict=True)
    beta = np.concatenate(beta)
    return LogisticFit(beta[:, 0], beta[:, 1:], max(steps), np.concatenate(converged))


def _design(X: Array) -> Array:
    return np.concatenate([np.ones((*X.shape[:-1], 1)), X], axis=-1)


def _newton(design: Array, y: Array, weight: Array, tol: float, max_iter: int) -> tuple[Array, int, Array]:
    q = design.shape[-1]
    penalty = np.ones(q)
    penalty[0] = 0.0
    gram, sign = _Gram(design), 2 * y - 1
    beta, converged = np.zeros((len(y), q)), np.zeros(len(y), dtype=bool)
    risk, loss = _risk_and_loss(np.zeros(y.shape), sign)
    objective = (weight * loss).sum(axis=1)
    n_iter = 0
    while n_iter < max_iter and not converged.all():
        n_iter += 1
        gradient = _cross(design, weight * (risk - y)) + penalty * beta
        hessian = gram(weight * risk * (1 - risk)) + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        step[converged] = 0.0
        beta, risk, objective = _descend(design, beta, step, objective, sign, weight, penalty)
        converged |= np.abs(step).max(axis=1) < tol
    return beta, n_iter, converged


def _descend(design, beta, step, objective, sign, weight, penalty, max_halvings: int = 30):
    slack = 1e-12 * (1 + np.abs(objective))
    for _ in range(max_halvings):
        new = beta - step
        risk, loss = _risk_and_loss(_linear(design, new), sign)
        value = (weight * loss).sum(axis=1) + 0.5 * (penalty * new**2).sum(axis=1)
        worse = value > objective + slack
        if not worse.any():
            break
        step = np.where(worse[:, None], step / 2, step)
    return new, risk, value


def fit_pipeline(
    X: Array, y: Array, counts: Array | None = None, class_weight: str | None = None, C: float | Array = 1.0
) -> LogisticFit:
    """Standardise, then fit: scikit-learn's ``make_pipeline(StandardScaler(), LogisticRegression())``.

    Parameters
    ----------
    X : ndarray of shape (n, p) or (R, n, p)
        Features on their own scale.
    y : ndarray of shape (n,) or (R, n), values 0 and 1
    counts : ndarray of shape (R, n), optional
        Bootstrap counts or masks of the training rows. Mean, scale and class weights are those of the counted
        rows, so that nothing of a left-out fold enters.
    class_weight : {None, "balanced"}
    C : float or ndarray of shape (R, 1)

    Returns
    -------
    LogisticFit
        On the features' own scale: no scaler is needed to predict.
    """
    if class_weight not in (None, "balanced"):
        raise ValueError(f"class_weight must be None or 'balanced', not {class_weight!r}")
    mean, scale = standardiser(X, counts)
    weight = balanced_weight(np.asarray(y), counts) if class_weight else counts
    if X.ndim == 2 and counts is not None:
        X = np.broadcast_to(X, (len(counts), *X.shape))
    standardised = (X - mean[..., None, :]) / scale[..., None, :]
    fit = fit_logistic(standardised, y, weight, C)
    coef = fit.coef / scale
    return LogisticFit(fit.intercept - (mean * coef).sum(axis=-1), coef, fit.n_iter, fit.converged)
