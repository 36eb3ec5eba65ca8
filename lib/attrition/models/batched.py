"""Many small logistic regressions at once: one Newton solver, and fits and predictions over all replicates of a study.

A simulation study or a bootstrap fits the same small model hundreds of times. Here the replicates are the leading axis
of one array, and Newton steps run for all of them together. The objective is scikit-learn's
`LogisticRegression(C=1.0)`; the tests hold the fits to that.

Axes: ``R`` replicates, ``n`` patients, ``p`` features, ``q`` columns of a design with its constant.
"""

import functools
import warnings
from dataclasses import dataclass

import numpy as np

from attrition.metrics.calibration import inverse_logit
from attrition.metrics.ranks import settled

Array = np.ndarray
Rows = slice | np.ndarray
"""Replicates that are worked on."""
LONGEST = 4.0
"""Largest change of a log odds in a step that is longer than the one before, or in any step of a rough fit: so short a
step cannot run away."""
ENOUGH = 5e-4
"""Change of a coefficient before the last step, which keeps the second derivatives (error: about its third power)."""
MAX_STEPS = 200
KEPT = 2**25
"""Bytes of the products of a table's columns up to which they are made, and kept, for many replicates."""
CACHED = 2**22
"""Bytes of the tables that are worked on together: fewer are dearer by the call, more by the memory."""


class Shared:
    """One table for all replicates, (n, q)."""

    def __init__(self, design: Array):
        self.design, self.q = design, design.shape[1]
        first, second = np.triu_indices(self.q)
        self.n_pairs, self.pair = len(first), np.empty((self.q, self.q), dtype=int)
        self.pair[first, second] = self.pair[second, first] = np.arange(self.n_pairs)

    @functools.cached_property
    def pairs(self) -> Array:
        """Products of columns, (q (q + 1) / 2, n): worth their memory for more than one replicate."""
        columns = np.ascontiguousarray(self.design.T)
        return np.concatenate([columns[first] * columns[first:] for first in range(self.q)])

    def linear(self, beta: Array, of: Rows) -> Array:
        """Log odds of every row under the models of some replicates."""
        return beta @ self.design.T

    def cross(self, rows: Array, of: Rows) -> Array:
        """X' r of some replicates."""
        return rows @ self.design

    def gram(self, v: Array, of: Rows) -> Array:
        """X' diag(v) X of some replicates, v at least 0: for many, a single product of v with products of columns."""
        if len(v) == 1 or 8 * v.shape[1] * self.n_pairs > KEPT:
            roots = (self.design * own[:, None] for own in np.sqrt(v))  # numpy makes half of a product with itself
            return np.stack([root.T @ root for root in roots])
        return (v @ self.pairs.T).take(self.pair, axis=1)


class _Own:
    """A table for each replicate, (R, n, p), and a constant; kept by feature: products run along patients."""

    def __init__(self, X: Array):
        self.q = X.shape[2] + 1
        self.rows = np.ones((len(X), self.q, X.shape[1]))
        self.rows[:, 1:] = X.transpose(0, 2, 1)

    def linear(self, beta: Array, of: Rows) -> Array:
        return (beta[:, None, :] @ self.rows[of])[:, 0]

    def cross(self, rows: Array, of: Rows) -> Array:
        return (self.rows[of] @ rows[:, :, None])[:, :, 0]

    def gram(self, v: Array, of: Rows) -> Array:
        rows = self.rows[of]
        return (rows * v[:, None, :]) @ rows.transpose(0, 2, 1)


class Periods:
    """Person-periods of one replicate: the predictors of a patient are the same in each of them.

    Columns are the periods, then the predictors; rows the periods of the first patient, of the second and so on.
    """

    def __init__(self, X: Array, n_periods: int):
        self.X, self.n_periods, self.q = X, n_periods, n_periods + X.shape[1]

    def linear(self, beta: Array, of: Rows) -> Array:
        """Log odds of every row, (1, n_rows)."""
        return (beta[:, : self.n_periods] + (self.X @ beta[0, self.n_periods :])[:, None]).reshape(1, -1)

    def cross(self, rows: Array, of: Rows) -> Array:
        """Sums of a number a row times the columns, (1, q)."""
        each = rows.reshape(len(self.X), -1)
        return np.concatenate([each.sum(axis=0), each.sum(axis=1) @ self.X])[None]

    def gram(self, v: Array, of: Rows) -> Array:
        """X' diag(v) X, (1, q, q)."""
        each = v.reshape(len(self.X), -1)
        root, mixed = np.sqrt(each.sum(axis=1))[:, None] * self.X, each.T @ self.X
        return np.block([[np.diag(each.sum(axis=0)), mixed], [mixed.T, root.T @ root]])[None]


Table = Shared | _Own | Periods


def newton(
    tables: Table, y: Array, weight: Array, form: Array, start: Array, near: float = 0.0, inverse: Array | None = None
) -> tuple[Array, Array]:
    r"""Coefficients that minimise :math:`\sum_i w_i \ell(y_i, x_i'b) + \tfrac12 b'Pb` in every replicate.

    A replicate that has settled stays as it is while others go on: its result does not depend on its companions.

    Parameters
    ----------
    tables : Shared, _Own or Periods
        The design.
    y, weight : ndarray, shape (R, n)
    form : ndarray, shape (R, q, q)
        The penalty P.
    start : ndarray, shape (R, q)
    near : float
        Largest change of a log odds in a last step, where a rough fit will do; 0 for a fit to the end, see `ENOUGH`.
    inverse : ndarray, shape (R, q, q), optional
        Inverse second derivatives that are near enough to the replicates' own, in place of these.

    References
    ----------
    le Cessie S, van Houwelingen JC (1992), J R Stat Soc C 41:191-201.
    """
    found, going = start.copy(), np.arange(len(start))
    eta, curve = tables.linear(start, slice(None)), form
    beta, last, before = start, np.zeros(len(start), dtype=bool), np.full(len(start), np.inf)
    for _ in range(MAX_STEPS):
        of = slice(None) if len(going) == len(start) else going
        risk = inverse_logit(eta)
        gradient = tables.cross(weight * (risk - y), of) + (form @ beta[:, :, None])[:, :, 0]
        if inverse is not None:
            step = (gradient[:, None, :] @ inverse)[:, 0]
        else:
            if not last.all():
                bent = tables.gram(weight * (risk * (1 - risk)), of) + form
                curve = np.where(last[:, None, None], curve, bent) if last.any() else bent
            step = np.linalg.solve(curve, gradient[:, :, None])[:, :, 0]
        if not near and last.all():
            found[going] = beta - step
            return found, np.ones(len(start), dtype=bool)
        ahead, length = tables.linear(beta - step, of), np.abs(step).max(axis=1)
        change = np.abs(ahead - eta).max(axis=1)
        wild = change > LONGEST if near else (change > LONGEST) & (length > before)
        if wild.any():
            share = np.where(wild, LONGEST / change, 1.0)[:, None]
            step, ahead = share * step, eta + share * (ahead - eta)
        beta, eta, before = beta - step, ahead, length
        stays = change > near if near else ~last
        last = last | (length < ENOUGH)
        if not stays.all():
            found[going] = beta
            parts = (going, y, weight, form, beta, eta, curve, last, before)
            going, y, weight, form, beta, eta, curve, last, before = (part[stays] for part in parts)
            inverse = None if inverse is None else inverse[stays]
            if not len(going):
                break
    found[going] = beta
    converged = np.ones(len(start), dtype=bool)
    converged[going] = False
    return found, converged


@dataclass(frozen=True)
class LogisticFit:
    """Fitted logistic regressions on the scale of the features that went in: (R,), (R, p), and which converged (R,)."""

    intercept: Array
    coef: Array
    converged: Array

    def decision_function(self, X: Array) -> Array:
        """Log odds (R, n) of patients (n, p) or (R, n, p) under every replicate's model, settled (`ranks.settled`).

        One matrix-vector product a replicate: the last bits do not depend on how many replicates share the call.
        """
        tables = np.broadcast_to(X, (len(self.coef), *X.shape[-2:]))
        products = [table @ beta for table, beta in zip(tables, self.coef, strict=True)]
        return settled(np.stack(products) + self.intercept[:, None])

    def predict_proba(self, X: Array) -> Array:
        """Probability of the event, shape (R, n); one column, not two."""
        return inverse_logit(self.decision_function(X))

    def first(self, n: int) -> "LogisticFit":
        """The first `n` replicates."""
        return LogisticFit(self.intercept[:n], self.coef[:n], self.converged[:n])


def balanced_weight(y: Array, counts: Array | None = None) -> Array:
    r"""Row weights of ``class_weight="balanced"``: :math:`n / (2 n_k)` for class k, times the row counts.

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
    """Mean and standard deviation of every feature (1 for a constant one), as scikit-learn's `StandardScaler`."""
    counts = np.ones(X.shape[-2]) if counts is None else counts
    share = (counts / counts.sum(axis=-1, keepdims=True))[..., None, :]
    mean = (share @ X)[..., 0, :]
    variance = (share @ (X - mean[..., None, :]) ** 2)[..., 0, :]
    constant = variance <= 10 * X.shape[-2] * np.finfo(float).eps * (variance + mean**2)
    return mean, np.where(constant, 1.0, np.sqrt(np.maximum(variance, 0)))


def fit_logistic(
    X: Array, y: Array, sample_weight: Array | None = None, C: float | Array = 1.0, scale: float | Array = 1.0
) -> LogisticFit:
    r"""L2-penalised logistic regressions of all replicates, their intercept free.

    X is one table (n, p) for all replicates (bootstrap, folds) or (R, n, p), standardised; y and weights are (n,) or
    (R, n), 0 leaves a patient out; C is a number or (R, 1). The penalty is that of features in units of `scale`, (p,)
    or (R, p). Warns when some have not settled.

    .. math:: C \sum_i w_i \log(1 + e^{-s_i (a + x_i'b)}) + \tfrac12 b'b, \qquad s_i = 2 y_i - 1.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(3, 200, 2)); y = (rng.random((3, 200)) < inverse_logit(X[..., 0])).astype(int)
    >>> fit_logistic(X, y).coef.shape
    (3, 2)
    """
    n, q = X.shape[-2], X.shape[-1] + 1
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    n_replicates = max(a.shape[0] if a.ndim > k else 1 for a, k in ((X, 2), (np.asarray(y), 1), (weight, 1)))
    y = np.broadcast_to(np.asarray(y, dtype=float), (n_replicates, n))
    weight = np.broadcast_to(C * weight, (n_replicates, n))
    form, inside = np.zeros((n_replicates, q, q)), np.arange(1, q)
    form[:, inside, inside] = np.square(scale)
    chunk = max(1, CACHED // (8 * q * n)) if X.ndim == 3 else n_replicates
    fits = []
    for part in (slice(first, first + chunk) for first in range(0, n_replicates, chunk)):
        tables = _Own(X[part]) if X.ndim == 3 else Shared(np.column_stack([np.ones(n), X]))
        start = np.zeros((len(y[part]), q))
        fits.append(newton(tables, y[part], weight[part], form[part], start))
    beta, converged = (np.concatenate(each) for each in zip(*fits, strict=True))
    if not converged.all():
        lost = np.count_nonzero(~converged)
        told = f"{lost} of {n_replicates} logistic regressions had not settled after {MAX_STEPS} steps"
        warnings.warn(told, stacklevel=2)
    return LogisticFit(beta[:, 0], beta[:, 1:], converged)


def fit_pipeline(
    X: Array, y: Array, counts: Array | None = None, class_weight: str | None = None, C: float | Array = 1.0
) -> LogisticFit:
    """Standardise, then fit: scikit-learn's ``make_pipeline(StandardScaler(), LogisticRegression())``.

    X is (n, p) or (R, n, p), y (n,) or (R, n); `counts` (R, n) are bootstrap counts or masks of the training rows.
    Mean, scale and class weights are those of the counted rows, so that nothing of a left-out fold enters. The fit is
    on the features' own scale: no scaler is needed to predict.
    """
    if class_weight not in (None, "balanced"):
        raise ValueError(f"class_weight must be None or 'balanced', not {class_weight!r}")
    weight = balanced_weight(np.asarray(y), counts) if class_weight else counts
    mean, scale = standardiser(X, counts)
    centre, spread = standardiser(X) if X.ndim == 2 else (mean, scale)  # one table serves all, in units of its own
    fit = fit_logistic((X - centre[..., None, :]) / spread[..., None, :], y, weight, C, scale=scale / spread)
    coef = fit.coef / spread
    return LogisticFit(fit.intercept - (centre * coef).sum(axis=-1), coef, fit.converged)
