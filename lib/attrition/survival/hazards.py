"""Cause-specific hazards: Cox regression, the check of its assumption, discrete time, and the risks that follow.

Tied days are handled as Efron proposed, here and in the R package survival.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from attrition.models.batched import Periods, newton
from attrition.models.ridge import GRID, INNER_FOLDS, PLENTY, SETTLED, best_of_grid, inner_labels

Array = np.ndarray

HELD = 1e-3
"""Penalty of a predictor that is not penalised: keeps a group without events finite."""
SMOOTH = 0.01
STEPS = 50
AT_ONCE = 1_000
"""Patients whose risks are followed together."""
FEW_ROWS = 2_000
"""Rows below which sums of them are made by numpy, which has less to set up."""
ROUNDING = 1e-10
"""Share of a log-likelihood by which it may fall without the step being too long."""
Ridge = float | Array
"""A penalty of all predictors, or of each."""
SEPARATED = 30.0
"""Range of the log hazard ratios beyond which the likelihood has no maximum in practice."""


@dataclass(frozen=True)
class _Order:
    """Patients sorted from the last day to the first; `rows` are the events among them, one entry each below."""

    order: Array
    rows: Array
    last: Array
    group: Array
    first: Array
    share: Array


def _sorted(time: Array, event: Array) -> _Order:
    order = np.argsort(-time, kind="stable")
    late = -time[order]
    rows = np.flatnonzero(event[order])
    _, group, size = np.unique(late[rows], return_inverse=True, return_counts=True)
    first = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(int)
    share = (np.arange(len(rows)) - first[group]) / size[group]
    last = np.searchsorted(late, late[rows], side="right") - 1
    return _Order(order, rows, last, group, first, share)


def _at_risk(part: Array, o: _Order) -> Array:
    """Sum over the patients at risk at each event, less Efron's share of those who leave that day."""
    ties = np.add.reduceat(part[o.rows], o.first, axis=0)[o.group]
    return np.cumsum(part, axis=0)[o.last] - o.share.reshape((-1,) + (1,) * (part.ndim - 1)) * ties


def _visited(o: _Order, weight: Array, n: int) -> Array:
    """Sum over the risk sets that a patient is in of one over their weight, for each of `n` patients."""
    total = np.cumsum(np.bincount(o.last, weights=1 / weight, minlength=n)[::-1])[::-1]
    total[o.rows] -= np.bincount(o.group, weights=o.share / weight)[o.group]
    return total


def _summed(weight: Array, x: Array, rows: Array, begins: Array) -> Array:
    """Sums of weighted rows of x, those from each beginning to the next: (n_beginnings, p)."""
    if len(rows) < FEW_ROWS:
        return np.add.reduceat(weight[:, None] * x[rows], begins, axis=0)
    return csr_array((weight, rows, np.append(begins, len(rows))), shape=(len(begins), len(x))) @ x


def _derivatives(x: Array, o: _Order, observed: Array, beta: Array, curved: bool = True) -> tuple[float, Array, Any]:
    """Partial log-likelihood, its first derivatives and, with a minus, its second ones.

    The variances over the risk sets are summed without forming each: every patient's weight over all of them, less the
    squares of their means, which on a day of several events differ by Efron's share alone.
    """
    relative = np.exp(x @ beta)
    weight = _at_risk(relative, o)
    often = relative * _visited(o, weight, len(x))
    value, slope = float(observed @ beta - np.log(weight).sum()), observed - x.T @ often
    if not curved:
        return value, slope, None
    last = o.last[o.first]
    at_risk = np.arange(last[-1] + 1)  # not who is gone before the first event
    whole = np.cumsum(_summed(relative[at_risk], x, at_risk, np.append(0, last[:-1] + 1)), axis=0)
    ties = _summed(relative[o.rows], x, o.rows, o.first)
    first, mixed, second = (np.bincount(o.group, o.share**k / weight**2)[:, None] for k in (0, 1, 2))
    cross, root = whole.T @ (mixed * ties), np.sqrt(np.maximum(often, 0.0))[:, None] * x
    return value, slope, root.T @ root - whole.T @ (first * whole) + cross + cross.T - ties.T @ (second * ties)


def _arrays(time: ArrayLike, event: ArrayLike, X: ArrayLike) -> tuple[Array, Array, Array]:
    X = np.asarray(X, dtype=float)
    return np.asarray(time, dtype=float), np.asarray(event, dtype=bool), X - X.mean(axis=0)


Ordered = tuple[Array, _Order, Array]
"""Centred predictors from the last day to the first, their order, and their sum over the events."""


def _ordered(time: ArrayLike, event: ArrayLike, X: ArrayLike) -> Ordered:
    time, event, X = _arrays(time, event, X)
    o = _sorted(time, event)
    x = X[o.order]
    return x, o, x[o.rows].sum(axis=0)


def _likelihood(x: Array, o: _Order, observed: Array, beta: Array) -> float:
    """Partial log-likelihood of coefficients (Efron's for ties).

    >>> round(_likelihood(*_ordered([1, 2, 3], [1, 1, 0], [[0.0], [1.0], [0.0]]), np.zeros(1)), 4)
    -1.7918
    """
    return _derivatives(x, o, observed, beta, curved=False)[0]


def fit_cox(
    time: ArrayLike, event: ArrayLike, X: ArrayLike, ridge: Ridge = 0.0, start: Array | None = None, tol: float = 1e-9
) -> Array:
    r"""Coefficients of a Cox model by Newton steps, with an optional ridge penalty.

    Maximises the partial log-likelihood (Efron's for ties) less :math:`\tfrac12 \lambda \sum_j \beta_j^2`; raises
    ValueError without an event, or when the steps do not converge (complete separation).

    References
    ----------
    Efron B (1977), J Am Stat Assoc 72:557-565. Verweij PJM, van Houwelingen HC (1994), Stat Med 13:2427-2436.

    Examples
    --------
    >>> fit_cox([1, 2, 3, 4], [1, 1, 1, 0], [[0.0], [1.0], [0.0], [1.0]]).round(4)
    array([-0.9406])
    """
    if not np.any(event):
        raise ValueError("a Cox model needs at least one event")
    return _fitted(*_ordered(time, event, X), ridge, start, tol)


def _fitted(x: Array, o: _Order, observed: Array, ridge: Ridge, start: Array | None, tol: float) -> Array:
    previous, step, moved = -np.inf, np.zeros(x.shape[1]), np.inf
    beta = np.zeros(x.shape[1]) if start is None else start.copy()
    for _ in range(STEPS):
        value, slope, curvature = _derivatives(x, o, observed, beta)
        gain, slope = value - float((ridge * beta) @ beta) / 2, slope - ridge * beta
        if not gain > previous - ROUNDING * max(1.0, abs(gain)):
            step /= 2
            beta = beta - step
            continue
        previous = gain
        curvature = curvature + np.diag(np.broadcast_to(ridge, beta.shape))
        held = np.min(ridge) > 0
        step = np.linalg.solve(curvature, slope) if held else np.linalg.lstsq(curvature, slope, rcond=None)[0]
        beta, moved = beta + step, np.ptp(x @ step)  # of coefficients that hardly differ in likelihood nothing is asked
        if moved < tol:
            break
    if np.ptp(x @ beta) > SEPARATED or moved >= tol:
        raise ValueError("a predictor separates those who left from those who stayed: drop it or add a ridge")
    return beta


def _left_out(whole: Ordered, parts: Sequence[Ordered], ridge: Array, beta: Array) -> float:
    r"""Cross-validated partial log-likelihood, with a minus, of parts that are one Newton step from the fit of all.

    With the share :math:`s` of the events of a part, its derivatives :math:`g_k` and those of all, :math:`g` and
    :math:`-H`, it is to the second order

    .. math:: \delta_k = (s H + P)^{-1} (g_k - P b), \qquad
              \ell(b) - \ell_k(b) + (g - g_k)' \delta_k - \tfrac12 (1 - s) \delta_k' H \delta_k
    """
    (value, slope, curve), found = _derivatives(*whole, beta), 0.0
    for part in parts:
        share, (value_k, slope_k, _) = len(part[1].rows) / len(whole[1].rows), _derivatives(*part, beta, curved=False)
        step = np.linalg.solve(share * curve + np.diag(ridge), slope_k - ridge * beta)
        found += value_k - value - (slope - slope_k) @ step + (1 - share) / 2 * step @ curve @ step
    return found


def cause_specific_cox(time: ArrayLike, event: ArrayLike, X: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Hazard ratios of leaving for one reason (statsmodels ``PHReg``, Efron's ties, Wald intervals), a row a predictor.

    A cause-specific hazard ratio compares the rates of leaving among the patients still in the trial. It is not a
    ratio of cumulative incidences: those also depend on the other reasons.

    References
    ----------
    Prentice RL et al. (1978), Biometrics 34:541-554. Putter H, Fiocco M, Geskus RB (2007), Stat Med 26:2389-2430.
    """
    from statsmodels.duration.hazard_regression import PHReg

    event = np.asarray(event, dtype=bool)
    centred = X.astype(float) - X.astype(float).mean()
    start = fit_cox(time, event, centred)
    model = PHReg(np.asarray(time, dtype=float), centred, status=event.astype(int), ties="efron")
    fit = model.fit(start_params=start, disp=False)
    low, high = np.exp(fit.conf_int(1 - level)).T
    table = pd.DataFrame({"term": list(X.columns), "coefficient": fit.params, "se": fit.bse})
    table = table.assign(hazard_ratio=np.exp(fit.params), ci_low=low, ci_high=high)
    return table.assign(n=len(event), events=int(event.sum()))


def _looks(time: Array, event: Array, X: Array) -> tuple[Array, Array, Array, Array]:
    """Coefficients; of each event, in order of the days, its patient; and mean and variance over those at risk then."""
    beta, o = fit_cox(time, event, X), _sorted(time, event)
    x = X[o.order]
    relative = np.exp(x @ beta)
    weight = _at_risk(relative, o)
    mean = _at_risk(relative[:, None] * x, o) / weight[:, None]
    square = _at_risk(relative[:, None, None] * x[:, :, None] * x[:, None, :], o)
    variance = square / weight[:, None, None] - mean[:, :, None] * mean[:, None, :]
    return beta, o.order[o.rows][::-1], mean[::-1], variance[::-1]


def scaled_schoenfeld(time: ArrayLike, event: ArrayLike, X: pd.DataFrame) -> pd.DataFrame:
    r"""Scaled Schoenfeld residuals: noisy looks at the coefficient on each day on which somebody left, a row an event.

    .. math:: r^*_i = \hat\beta + d\,\hat V(\hat\beta)\, \{x_i - \bar x(t_i)\}

    References
    ----------
    Grambsch PM, Therneau TM (1994), Biometrika 81:515-526.
    """
    time, event, values = _arrays(time, event, X)
    beta, of, mean, variance = _looks(time, event, values)
    residual = values[of] - pd.DataFrame(mean).groupby(time[of]).transform("mean").to_numpy()
    scaled = beta + len(of) * residual @ np.linalg.inv(variance.sum(axis=0))
    return pd.DataFrame({"day": time[of], **dict(zip(X.columns, scaled.T, strict=True))})


def proportional_hazards(time: ArrayLike, event: ArrayLike, X: pd.DataFrame) -> pd.DataFrame:
    r"""Is a hazard ratio constant over time? Score test of :math:`\beta(t) = \beta + \theta\,g(t)`, g a rank of days.

    The test of Grambsch and Therneau as in ``cox.zph`` of the R package survival 3. One row a predictor and a last one
    ``GLOBAL``: ``term``, ``statistic``, ``df``, ``p``, and ``correlation`` of the scaled Schoenfeld residuals with g
    (its sign says which way the effect moves).
    """
    names, (time, event, values) = list(X.columns), _arrays(time, event, X)
    _, of, mean, variance = _looks(time, event, values)
    clock = stats.rankdata(time)[of]
    clock = clock - clock.mean()
    score = clock @ (values[of] - mean)
    blocks = [np.einsum("i,ijk->jk", clock**power, variance) for power in (0, 1, 2)]
    residuals = scaled_schoenfeld(time, event, X)
    rows = []
    for term, one in {**{name: [k] for k, name in enumerate(names)}, "GLOBAL": list(range(len(names)))}.items():
        corner = blocks[2][np.ix_(one, one)] - blocks[1][one] @ np.linalg.solve(blocks[0], blocks[1][:, one])
        statistic = float(score[one] @ np.linalg.solve(corner, score[one]))
        moved = np.nan if term == "GLOBAL" else np.corrcoef(residuals[term], clock)[0, 1]
        row = {"term": term, "statistic": statistic, "df": len(one), "p": stats.chi2.sf(statistic, len(one))}
        rows.append({**row, "correlation": moved})
    return pd.DataFrame(rows)


def cox_risk(
    time: Array,
    cause: Array,
    X: Array,
    X_new: Array,
    days: ArrayLike,
    ridge: Ridge = 0.0,
    plain: Sequence[int] = (),
    start: Array | None = None,
) -> Array:
    r"""Predicted cumulative incidence of cause 1 from one Cox model a reason, shape (n_new, n_days).

    .. math:: \hat F_1(t \mid x) = \sum_{s \le t} \hat S(s- \mid x)\, d\hat\Lambda_1(s \mid x), \qquad
              \hat S(t \mid x) = \prod_{s \le t} \Bigl(1 - \sum_k d\hat\Lambda_k(s \mid x)\Bigr)

    Causes in `plain` have too few events for predictors: a hazard that is the same for everybody. Fits set out from
    the coefficients `start`.

    References
    ----------
    Benichou J, Gail MH (1990), Biometrics 46:813-826. Ozenne B et al. (2017), R Journal 9:440-460.
    """
    time, cause, X = np.asarray(time, dtype=float), np.asarray(cause), np.asarray(X, dtype=float)
    centre, new, days = X.mean(axis=0), np.asarray(X_new, dtype=float), np.asarray(days, dtype=float)
    steps, hazards = np.unique(time[cause > 0]), []
    for k in range(1, int(cause.max()) + 1):
        if not (cause == k).any():
            continue
        beta = np.zeros(X.shape[1]) if k in plain else fit_cox(time, cause == k, X, ridge, start)
        o = _sorted(time, cause == k)
        weight = _at_risk(np.exp((X[o.order] - centre) @ beta), o)
        base = np.bincount(np.searchsorted(steps, time[o.order[o.rows]]), weights=1 / weight, minlength=len(steps))
        hazards.append((k, base[:, None], np.exp((new - centre) @ beta)))
    found, upto = np.zeros((len(new), len(days))), np.searchsorted(steps, days, side="right")
    for part in (slice(first, first + AT_ONCE) for first in range(0, len(new), AT_ONCE)):
        increments = {k: base * relative[part] for k, base, relative in hazards}
        staying = np.cumprod(np.clip(1 - sum(increments.values()), 0.0, 1.0), axis=0)
        own = increments.get(1, np.zeros_like(staying))
        own[1:] *= staying[:-1]
        found[part] = np.vstack([np.zeros_like(own[:1]), np.cumsum(own, axis=0)])[upto].T
    return np.minimum(found, 1.0)


class RidgeCox(ClassifierMixin, BaseEstimator):
    """Cause-specific ridge Cox model; its score is the relative hazard on the logit scale, for ranking only.

    Fitted on ``y`` with the columns event and time. The penalty is the one with the highest cross-validated partial
    log-likelihood over inner folds; `free` features have none (those behind them, marks of gaps, do).

    References
    ----------
    Verweij and van Houwelingen (1993), Statistics in Medicine 12, 2305-2314.
    """

    def __init__(self, free: Sequence[bool] | Array | None = None, seed: int = 0, grid: Sequence[float] = GRID):
        self.free, self.seed, self.grid = free, seed, grid

    def fit(self, X: Any, y: Array) -> Self:
        """Fit on ``y`` of shape (n_patients, 2): event, time."""
        X, (event, time) = np.asarray(X, dtype=float), np.asarray(y, dtype=float).T
        ridge, start = self.penalty(X, event == 1, time)
        self.coef_ = fit_cox(time, event == 1, X, ridge, start)
        self.classes_, self.centre_ = np.array([0, 1]), X.mean(axis=0)
        return self

    def penalty(self, X: Array, event: Array, time: Array) -> tuple[Array, Array]:
        """The penalty of every feature, and coefficients that a fit may start from.

        Where events are plenty (`attrition.models.ridge.PLENTY`), an inner fold is left out by one step (`_left_out`).
        """
        held, free = np.ones(X.shape[1]), np.asarray([] if self.free is None else self.free, dtype=bool)
        held[: len(free)] = ~free
        (label,) = inner_labels(np.random.default_rng(self.seed), np.ones((1, len(X))))
        kept = [label != k for k in range(INNER_FOLDS) if event[label != k].any()]
        starts, whole = {0.0: np.zeros(X.shape[1])}, _ordered(time, event, X)
        parts = [_ordered(time[rows], event[rows], X[rows]) for rows in kept]
        beta, plenty = np.zeros((len(kept), X.shape[1])), np.count_nonzero(event) >= PLENTY * X.shape[1]

        def losses(C: float, going: Array) -> Array:
            ridge, lost = held / C + HELD, 0.0
            try:
                if plenty:
                    starts[C] = _fitted(*whole, ridge, starts[max(starts)], SETTLED)
                    return np.array([_left_out(whole, parts, ridge, starts[C])])
                for k, part in enumerate(parts):
                    beta[k] = _fitted(*part, ridge, beta[k], 1e-2)
                    lost += _likelihood(*part, beta[k]) - _likelihood(*whole, beta[k])
            except ValueError:  # so weak a penalty lets a predictor separate the patients
                return np.array([np.inf])
            return np.array([lost])

        self.C_ = float(self.grid[best_of_grid(self.grid, 1, losses)[0]])
        return held / self.C_ + HELD, starts.get(self.C_, starts[0.0])

    def predict_proba(self, X: Any) -> Array:
        """Two columns, the second increasing in the hazard."""
        score = expit((np.asarray(X) - self.centre_) @ self.coef_)
        return np.column_stack([1 - score, score])


def person_periods(time: ArrayLike, cause: ArrayLike, edges: ArrayLike) -> tuple[Array, Array, Array]:
    """One row a patient and period that the patient began and was seen through, or left in.

    The `edges` are the ends of the periods, from 0 to the horizon; a period holds its last day and not its first. Gives
    patient (position), period and cause in it; a period in which a patient is censored is left out.

    >>> [column.tolist() for column in person_periods([40, 20, 56], [1, 0, 0], [0, 28, 56])]
    [[0, 0, 2, 2], [0, 1, 0, 1], [0, 1, 0, 0]]
    """
    time, cause, edges = np.asarray(time, dtype=float), np.asarray(cause), np.asarray(edges, dtype=float)
    day, reason, begin, end = time[:, None], cause[:, None], edges[:-1], edges[1:]
    left = (reason > 0) & (day > begin) & (day <= end)
    patient, period = np.nonzero(left | (day > end) | ((day == end) & (reason == 0)))
    return patient, period, np.where(left, reason, 0)[patient, period]


def discrete_risk(time: ArrayLike, cause: ArrayLike, X: Array, X_new: Array, edges: ArrayLike, ridge: Ridge) -> Array:
    r"""Cumulative incidence of cause 1 by the end of each period, from a discrete-time model at a landmark.

    A logistic regression on person-periods gives the hazard of the primary event in each period,
    :math:`\operatorname{logit} h_1(j \mid x) = \alpha_j + x^\top \beta`; competing events, usually few, have one hazard
    a period for everybody. Then

    .. math:: F_1(m \mid x) = \sum_{j \le m} h_1(j \mid x) \prod_{l < j} \{1 - h_1(l \mid x) - h_2(l)\}

    The penalty `SMOOTH` of the period effects gives a period without an event an estimate.

    References
    ----------
    Allison PD (1982), Sociol Methodol 13:61-98. Tutz G, Schmid M (2016), Modeling Discrete Time-to-Event Data, ch. 8.
    """
    (patient, period, reason), n_periods = person_periods(time, cause, edges), np.size(edges) - 1
    began, had = np.zeros((2, len(X), n_periods))
    began[patient, period], had[patient, period] = 1.0, reason == 1
    penalty = np.concatenate([np.full(n_periods, SMOOTH), np.broadcast_to(ridge, X.shape[1])])
    start = np.zeros((1, len(penalty)))
    (beta,), _ = newton(Periods(X, n_periods), had.reshape(1, -1), began.reshape(1, -1), np.diag(penalty)[None], start)
    logit = beta[:n_periods] + (X_new @ beta[n_periods:])[:, None]
    own = 1 / (1 + np.exp(-logit))
    begun = np.bincount(period, minlength=n_periods)
    other = np.bincount(period, weights=reason == 2, minlength=n_periods) / np.maximum(begun, 1)
    staying = np.cumprod(np.clip(1 - own - other, 0.0, 1.0), axis=1)
    return np.cumsum(np.hstack([np.ones((len(X_new), 1)), staying[:, :-1]]) * own, axis=1)


def period_edges(ahead: float, length: float) -> Array:
    """Ends of the periods from a landmark to the horizon; a short rest joins the last full period.

    >>> period_edges(84, 28).tolist(), period_edges(60, 28).tolist()
    ([0.0, 28.0, 56.0, 84.0], [0.0, 28.0, 60.0])
    """
    return np.append(np.arange(max(int(ahead // length), 1)) * float(length), float(ahead))
