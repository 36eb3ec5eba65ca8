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

Array = np.ndarray


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
    """Log odds of every patient under every replicate's model.

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
    return np.stack(products) + fit.intercept[:, None]


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


def _objective(eta: Array, sign: Array, weight: Array, beta: Array, penalty: Array) -> Array:
    loss = np.logaddexp(0.0, -sign * eta)
    return (weight * loss).sum(axis=1) + 0.5 * (penalty * beta**2).sum(axis=1)


def fit_logistic(
    X: Array,
    y: Array,
    sample_weight: Array | None = None,
    C: float = 1.0,
    tol: float = 1e-8,
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
    C : float
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
    design = np.concatenate([np.ones((*X.shape[:-1], 1)), X], axis=-1)
    return _newton(design, y, weight, tol, max_iter)


def _newton(design: Array, y: Array, weight: Array, tol: float, max_iter: int) -> LogisticFit:
    q = design.shape[-1]
    penalty = np.ones(q)
    penalty[0] = 0.0
    gram, sign = _Gram(design), 2 * y - 1
    beta, converged = np.zeros((len(y), q)), np.zeros(len(y), dtype=bool)
    eta = np.zeros(y.shape)
    objective = _objective(eta, sign, weight, beta, penalty)
    n_iter = 0
    while n_iter < max_iter and not converged.all():
        n_iter += 1
        risk = expit(eta)
        gradient = _cross(design, weight * (risk - y)) + penalty * beta
        hessian = gram(weight * risk * (1 - risk)) + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        step[converged] = 0.0
        beta, eta, objective = _descend(design, beta, step, objective, sign, weight, penalty)
        converged |= np.abs(step).max(axis=1) < tol
    return LogisticFit(beta[:, 0], beta[:, 1:], n_iter, converged)


def _descend(design, beta, step, objective, sign, weight, penalty, max_halvings: int = 30):
    slack = 1e-12 * (1 + np.abs(objective))
    for _ in range(max_halvings):
        new = beta - step
        eta = _linear(design, new)
        value = _objective(eta, sign, weight, new, penalty)
        worse = value > objective + slack
        if not worse.any():
            break
        step = np.where(worse[:, None], step / 2, step)
    return new, eta, value


def fit_pipeline(
    X: Array, y: Array, counts: Array | None = None, class_weight: str | None = None, C: float = 1.0
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
    C : float

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


def _tie_bounds(ordered: Array) -> tuple[Array, Array]:
    n = ordered.shape[1]
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.maximum.accumulate(np.where(new, np.arange(n), 0), axis=1)
    last = np.ones(ordered.shape, dtype=bool)
    last[:, :-1] = new[:, 1:]
    end = np.minimum.accumulate(np.where(last, np.arange(n), n)[:, ::-1], axis=1)[:, ::-1]
    return start, end


def _mass_below(score: Array, mass: Array) -> tuple[Array, Array]:
    """Order of each row; for each ordered patient the mass scored lower plus half the mass scored equal."""
    order = np.argsort(score, axis=1)
    ordered = np.take_along_axis(score, order, axis=1)
    mass = np.take_along_axis(mass, order, axis=1)
    through = np.cumsum(mass, axis=1)
    if not (ordered[:, 1:] == ordered[:, :-1]).any():
        return order, through - 0.5 * mass
    start, end = _tie_bounds(ordered)
    before = np.take_along_axis(through - mass, start, axis=1)
    return order, 0.5 * (before + np.take_along_axis(through, end, axis=1))


def _concordance(up: Array, down: Array, score: Array) -> Array:
    order, below = _mass_below(score, down)
    return (np.take_along_axis(up, order, axis=1) * below).sum(axis=1)


def _rows(first: Array, score: Array) -> tuple[Array, Array]:
    score = np.atleast_2d(np.asarray(score, dtype=float))
    first = np.atleast_2d(np.asarray(first, dtype=float))
    shape = np.broadcast_shapes(first.shape, score.shape)
    return np.broadcast_to(first, shape), np.broadcast_to(score, shape)


def auroc(y_true: Array, y_score: Array, sample_weight: Array | None = None) -> Array:
    r"""AUROC of every replicate by ranks, ties counted one half.

    .. math:: \frac{\sum_{i: y_i=1} \sum_{j: y_j=0} w_i w_j (1[s_i > s_j] + \tfrac12 1[s_i = s_j])}{W_1 W_0}

    Parameters
    ----------
    y_true : ndarray of shape (n,) or (R, n), values 0 and 1
    y_score : ndarray of shape (n,) or (R, n)
    sample_weight : ndarray of shape (n,) or (R, n), optional
        Bootstrap counts or fold masks.

    Returns
    -------
    ndarray of shape (R,)
        NaN where a replicate has one class only.

    Examples
    --------
    >>> auroc(np.array([0, 0, 1, 1]), np.array([[.1, .4, .35, .8], [.5, .5, .5, .5]]))
    array([0.75, 0.5 ])
    """
    y, score = _rows(y_true, y_score)
    if sample_weight is not None:
        weight, score = _rows(sample_weight, score)
        y = np.broadcast_to(y, weight.shape)
        up, down = weight * y, weight * (1 - y)
    else:
        up, down = y, 1 - y
    pairs = up.sum(axis=1) * down.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, _concordance(up, down, score) / pairs, np.nan)


def soft_auroc(probability: Array, y_score: Array) -> Array:
    r"""AUROC over all outcomes that could have been: the outcome is replaced by its exact probability.

    With independent outcomes :math:`y_i \sim` Bernoulli(:math:`p_i`) it is the ratio of expected concordant
    pairs to expected pairs. A patient is never paired with itself.

    .. math:: \frac{\sum_{i \ne j} p_i (1-p_j) (1[s_i > s_j] + \tfrac12 1[s_i = s_j])}
              {\sum_{i \ne j} p_i (1-p_j)}

    Parameters
    ----------
    probability : ndarray of shape (n,) or (R, n)
        P(event | features).
    y_score : ndarray of shape (n,) or (R, n)

    Returns
    -------
    ndarray of shape (R,)

    Examples
    --------
    >>> soft_auroc(np.array([0., 0., 1., 1.]), np.array([.1, .4, .35, .8]))
    array([0.75])
    """
    p, score = _rows(probability, y_score)
    own = (p * (1 - p)).sum(axis=1)
    pairs = p.sum(axis=1) * (1 - p).sum(axis=1) - own
    return (_concordance(p, 1 - p, score) - 0.5 * own) / pairs


def binned_soft_auroc(probability: Array, y_score: Array, n_bins: int = 2**13) -> tuple[Array, Array]:
    r"""`soft_auroc` from counts in equal-width bins of the score: no sort, for large populations.

    Patients in one bin count as tied. Only pairs inside a bin can be miscounted, each by at most one half,
    hence

    .. math:: |\text{binned} - \text{exact}| \le \tfrac12 \sum_b P_b Q_b / (P Q)

    with :math:`P_b, Q_b` the expected events and non-events of bin b. That is the worst case; order inside a
    narrow bin is close to random, and the error met in the tests is a hundred times smaller.

    Parameters
    ----------
    probability : ndarray of shape (n,)
    y_score : ndarray of shape (n,) or (R, n)
    n_bins : int

    Returns
    -------
    auroc, bound : ndarray of shape (R,)
    """
    p = np.asarray(probability, dtype=float)
    own = (p * (1 - p)).sum()
    pairs = p.sum() * (1 - p).sum() - own
    values = [_binned_concordance(p, row, n_bins) for row in np.atleast_2d(y_score)]
    concordant, within = np.array(values).T
    return (concordant - 0.5 * own) / pairs, 0.5 * np.maximum(within - own, 0) / pairs


def _binned_concordance(p: Array, score: Array, n_bins: int) -> tuple[float, float]:
    low, high = score.min(), score.max()
    width = (high - low) / n_bins or 1.0
    bins = np.minimum(((score - low) / width).astype(np.int32), n_bins - 1)
    events = np.bincount(bins, p, n_bins)
    others = np.bincount(bins, minlength=n_bins) - events
    return float(events @ (np.cumsum(others) - 0.5 * others)), float(events @ others)


def soft_auroc_influence(probability: Array, y_score: Array) -> Array:
    r"""What each patient of the population adds to `soft_auroc`: its sampling error by the delta method.

    .. math:: \psi_i = \frac{p_i (B_i - A Q) + (1-p_i)(C_i - A P)}{\sum_{k \ne l} p_k (1-p_l)}, \qquad
              \operatorname{se}(A) = \sqrt{\textstyle\sum_i \psi_i^2}

    with :math:`B_i` the expected non-events scored below patient i and :math:`C_i` the expected events scored
    above (ties one half), P and Q the expected events and non-events, and A the AUROC. Differences of two
    models' influences give the error of their paired difference.

    Parameters
    ----------
    probability, y_score : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
    """
    p, score = _rows(probability, y_score)
    q = 1 - p
    P, Q, own = p.sum(), q.sum(), (p * q).sum()
    order, others_below = _mass_below(score, q)
    _, events_below = _mass_below(score, p)
    rank = np.argsort(order[0])
    lower = others_below[0, rank] - 0.5 * q[0]
    higher = P - events_below[0, rank] - 0.5 * p[0]
    pairs = P * Q - own
    area = (p[0] @ lower) / pairs
    return (p[0] * (lower - area * (Q - q[0])) + q[0] * (higher - area * (P - p[0]))) / pairs
