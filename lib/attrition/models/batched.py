"""Many small logistic regressions at once: fits and predictions over all replicates of a study.

A simulation study or a bootstrap fits the same small model hundreds of times. Here the replicates are the
leading axis of one array, and Newton steps run for all of them together. The objective is scikit-learn's
`LogisticRegression(C=1.0)`; the tests hold the fits to that.

Axes: ``R`` replicates, ``n`` patients, ``p`` features.
"""

import functools
import warnings
from dataclasses import dataclass

import numpy as np

from attrition.metrics.calibration import inverse_logit
from attrition.metrics.ranks import settled

Array = np.ndarray
MAX_HALVINGS = 30
SHORT = 1.0
"""A step of at most one unit of log odds a standard deviation cannot run away at once."""
CACHED = 2**22
"""Bytes of the tables that are worked on together: fewer are dearer by the call, more by the memory."""
PATIENCE = 20
"""Newton steps after which second derivatives are taken in double precision: some columns then lie too close."""


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
        return inverse_logit(decision_function(self, X))

    def first(self, n: int) -> "LogisticFit":
        """The first `n` replicates."""
        return LogisticFit(self.intercept[:n], self.coef[:n], self.n_iter, self.converged[:n])


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


def _cross(X: Array, rows: Array) -> Array:
    return rows @ X if X.ndim == 2 else (rows[:, None, :] @ X)[:, 0, :]


def unpacked(products: Array, upper: tuple[Array, Array]) -> Array:
    """Symmetric matrices (R, q, q) from their upper triangles (R, q (q + 1) / 2).

    Examples
    --------
    >>> unpacked(np.array([[1.0, 2.0, 3.0]]), np.triu_indices(2)).tolist()
    [[[1.0, 2.0], [2.0, 3.0]]]
    """
    q = upper[0][-1] + 1
    found = np.empty((len(products), q, q))
    found[:, upper[0], upper[1]] = found[:, upper[1], upper[0]] = products
    return found


class Shared:
    """One table for all replicates, (n, q), with its products of columns."""

    def __init__(self, design: Array):
        self.design, self.q = design, design.shape[1]
        self.upper = np.triu_indices(self.q)

    @functools.cached_property
    def pairs(self) -> Array:
        """Products of columns, (n, q (q + 1) / 2): worth their memory for more than one replicate."""
        return self.design[:, self.upper[0]] * self.design[:, self.upper[1]]

    def linear(self, beta: Array) -> Array:
        """Log odds of every row."""
        return beta @ self.design.T

    def cross(self, rows: Array) -> Array:
        """X' r of every replicate."""
        return rows @ self.design

    def gram(self, v: Array, exactly: bool = False) -> Array:
        """X' diag(v) X of every replicate: a single product of v with products of columns; always exact."""
        if len(v) == 1:
            return ((self.design * v[0, :, None]).T @ self.design)[None]
        return unpacked(v @ self.pairs, self.upper)


class _Own:
    """A table for each replicate, (R, n, p), and a constant; kept by feature: products run along patients.

    Products of columns are kept, too: a table is small, and BLAS is slow at matrices of few columns.
    """

    def __init__(self, X: Array):
        self.q = X.shape[2] + 1
        self.upper = np.triu_indices(self.q)
        self.rows = np.ones((len(X), self.q, X.shape[1]))
        self.rows[:, 1:] = X.transpose(0, 2, 1)
        single, first = self.rows.astype(np.float32), 0
        self.pairs = np.empty((len(X), len(self.upper[0]), X.shape[1]), np.float32)
        for i in range(self.q):
            np.multiply(single[:, i : i + 1], single[:, i:], out=self.pairs[:, first : first + self.q - i])
            first += self.q - i

    @staticmethod
    def size(n: int, p: int) -> int:
        """Bytes of one replicate's products of columns."""
        return (p + 1) * (p + 2) // 2 * n * np.dtype(np.float32).itemsize

    def linear(self, beta: Array) -> Array:
        return (beta[:, None, :] @ self.rows)[:, 0]

    def cross(self, rows: Array) -> Array:
        return (self.rows @ rows[:, :, None])[:, :, 0]

    def gram(self, v: Array, exactly: bool = False) -> Array:
        """X' diag(v) X of every replicate, unless `exactly` in single precision: the gradient alone ends the steps."""
        if exactly:
            return (self.rows * v[:, None, :]) @ self.rows.transpose(0, 2, 1)
        return unpacked((self.pairs @ v[:, :, None].astype(np.float32))[:, :, 0], self.upper)


def fit_logistic(
    X: Array,
    y: Array,
    sample_weight: Array | None = None,
    C: float | Array = 1.0,
    tol: float = 5e-4,
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
        After a step whose largest change is below, a replicate takes one more, with the second derivatives at hand; the
        error then is about ``tol**3``.
    max_iter : int

    Returns
    -------
    LogisticFit

    Warns
    -----
    UserWarning
        Some replicates had not converged after `max_iter` steps; `LogisticFit.converged` tells which.

    Notes
    -----
    A converged replicate stays as it is while others go on, so that its result does not depend on its
    companions. A step that would raise the objective is halved.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(3, 200, 2)); y = (rng.random((3, 200)) < inverse_logit(X[..., 0])).astype(int)
    >>> fit_logistic(X, y).coef.shape
    (3, 2)
    """
    n = X.shape[-2]
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    n_replicates = max(a.shape[0] if a.ndim > k else 1 for a, k in ((X, 2), (np.asarray(y), 1), (weight, 1)))
    y = np.broadcast_to(np.asarray(y, dtype=float), (n_replicates, n))
    weight = np.broadcast_to(C * weight, (n_replicates, n))
    chunk = max(1, CACHED // _Own.size(*X.shape[1:])) if X.ndim == 3 else n_replicates
    fits = []
    for part in (slice(first, first + chunk) for first in range(0, n_replicates, chunk)):
        tables = _Own(X[part]) if X.ndim == 3 else Shared(np.column_stack([np.ones(n), X]))
        fits.append(_newton(tables, y[part], weight[part], tol, max_iter))
    betas, steps, ended = zip(*fits, strict=True)
    beta, converged = np.concatenate(betas), np.concatenate(ended)
    if not converged.all():
        lost = np.count_nonzero(~converged)
        warnings.warn(
            f"{lost} of {n_replicates} logistic regressions had not settled after {max_iter} steps", stacklevel=2
        )
    return LogisticFit(beta[:, 0], beta[:, 1:], max(steps), converged)


def _objective(beta: Array, eta: Array, y: Array, weight: Array, penalty: Array) -> Array:
    loss = np.log1p(np.exp(-np.abs(eta))) + np.maximum(eta, 0.0) - y * eta
    return (weight * loss).sum(axis=1) + 0.5 * (penalty * beta**2).sum(axis=1)


def _newton(tables: Shared | _Own, y: Array, weight: Array, tol: float, max_iter: int) -> tuple[Array, int, Array]:
    penalty = np.ones(tables.q)
    penalty[0] = 0.0
    ridge = np.diag(penalty)
    beta, eta = np.zeros((len(y), tables.q)), np.zeros(y.shape)
    near, converged = np.zeros((2, len(y)), dtype=bool)
    before = np.full(len(y), np.inf)
    hessian, n_iter = np.empty((len(y), tables.q, tables.q)), 0
    while n_iter < max_iter:
        n_iter += 1
        risk = inverse_logit(eta)
        residual = risk - y
        residual *= weight
        gradient = tables.cross(residual) + penalty * beta
        if not near.all():
            curvature = 1 - risk
            curvature *= risk
            curvature *= weight
            hessian[~near] = (tables.gram(curvature, exactly=n_iter > PATIENCE) + ridge)[~near]
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        step[converged] = 0.0
        length = np.abs(step).max(axis=1)
        if (length > np.maximum(before, SHORT)).any():  # steps that are short, or shrink, need not be watched
            step = _shortened(tables, beta, eta, step, y, weight, penalty)
        beta, before = beta - step, length
        converged |= near
        if converged.all():
            break
        near |= length < tol
        eta = tables.linear(beta)
    return beta, n_iter, converged


def _shortened(
    tables: Shared | _Own, beta: Array, eta: Array, step: Array, y: Array, weight: Array, penalty: Array
) -> Array:
    """Steps halved until none raises its objective."""
    objective = _objective(beta, eta, y, weight, penalty)
    slack = 1e-12 * (1 + np.abs(objective))
    for _ in range(MAX_HALVINGS):
        new = beta - step
        worse = _objective(new, tables.linear(new), y, weight, penalty) > objective + slack
        if not worse.any():
            break
        step = np.where(worse[:, None], step / 2, step)
    return step


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
