"""Cause-specific hazards: Cox regression, the check of its assumption, and the risks that follow from it.

Tied days are handled as Efron proposed, here and in the R package survival.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

SCALES = ("identity", "rank", "km")
HELD = 1e-3
"""Penalty of a predictor that is not penalised: keeps a group without events finite."""
SEPARATED = 30.0
"""Range of the log hazard ratios beyond which the likelihood has no maximum in practice."""


@dataclass(frozen=True)
class _Order:
    """Patients sorted from the last day to the first; `rows` are the events among them, one entry each below."""

    order: np.ndarray
    rows: np.ndarray
    last: np.ndarray
    group: np.ndarray
    first: np.ndarray
    share: np.ndarray


def _sorted(time: np.ndarray, event: np.ndarray) -> _Order:
    order = np.argsort(-time, kind="stable")
    late = -time[order]
    rows = np.flatnonzero(event[order])
    _, group, size = np.unique(late[rows], return_inverse=True, return_counts=True)
    first = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(int)
    share = (np.arange(len(rows)) - first[group]) / size[group]
    last = np.searchsorted(late, late[rows], side="right") - 1
    return _Order(order, rows, last, group, first, share)


def _at_risk(part: np.ndarray, o: _Order) -> np.ndarray:
    """Sum over the patients at risk at each event, less Efron's share of those who leave that day."""
    ties = np.add.reduceat(part[o.rows], o.first, axis=0)[o.group]
    return np.cumsum(part, axis=0)[o.last] - o.share.reshape((-1,) + (1,) * (part.ndim - 1)) * ties


def _moments(x: np.ndarray, beta: np.ndarray, o: _Order) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    relative = np.exp(x @ beta)
    weight = _at_risk(relative, o)
    return relative, weight, _at_risk(relative[:, None] * x, o) / weight[:, None]


def _information(x: np.ndarray, o: _Order, relative: np.ndarray, weight: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Sum of the variances over the risk sets, without forming each: every patient's weight over all of them."""
    visits = np.bincount(o.last, weights=1 / weight, minlength=len(x))
    total = np.cumsum(visits[::-1])[::-1]
    total[o.rows] -= np.bincount(o.group, weights=o.share / weight)[o.group]
    return x.T @ ((relative * total)[:, None] * x) - mean.T @ mean


@dataclass(frozen=True)
class _RiskSets:
    """One entry an event, in order of the days: mean and variance of the predictors over the patients at risk."""

    day: np.ndarray
    of: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def _risk_sets(time: np.ndarray, event: np.ndarray, X: np.ndarray, beta: np.ndarray) -> _RiskSets:
    o = _sorted(time, event)
    x = X[o.order]
    relative, weight, mean = _moments(x, beta, o)
    square = _at_risk(relative[:, None, None] * x[:, :, None] * x[:, None, :], o)
    variance = square / weight[:, None, None] - mean[:, :, None] * mean[:, None, :]
    back, of = slice(None, None, -1), o.order[o.rows]
    return _RiskSets(time[of][back], of[back], weight[back], mean[back], variance[back])


def _arrays(time: ArrayLike, event: ArrayLike, X: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X = np.asarray(X, dtype=float)
    return np.asarray(time, dtype=float), np.asarray(event, dtype=bool), X - X.mean(axis=0)


def log_likelihood(time: ArrayLike, event: ArrayLike, X: ArrayLike, beta: np.ndarray) -> float:
    """Partial log-likelihood of coefficients (Efron's for ties), the predictors centred.

    Examples
    --------
    >>> round(log_likelihood([1, 2, 3], [1, 1, 0], [[0.0], [1.0], [0.0]], np.zeros(1)), 4)
    -1.7918
    """
    time, event, X = _arrays(time, event, X)
    o = _sorted(time, event)
    x = X[o.order]
    weight = _at_risk(np.exp(x @ beta), o)
    return float(x[o.rows].sum(axis=0) @ beta - np.log(weight).sum())


def fit_cox(
    time: ArrayLike,
    event: ArrayLike,
    X: ArrayLike,
    ridge: float | np.ndarray = 0.0,
    steps: int = 50,
    start: np.ndarray | None = None,
    tol: float = 1e-9,
) -> np.ndarray:
    r"""Coefficients of a Cox model by Newton steps, with an optional ridge penalty.

    Maximises the partial log-likelihood (Efron's for ties) less :math:`\tfrac12 \lambda \sum_j \beta_j^2`. Fast
    enough for cross-validation; `cause_specific_cox` gives the table of an unpenalised model.

    Parameters
    ----------
    time : array_like, shape (n_patients,)
        Day of leaving or of the end of observation.
    event : array_like of bool, shape (n_patients,)
        Left for the reason of interest; other reasons count as censored.
    X : array_like, shape (n_patients, n_predictors)
        Standardise before a penalty.
    ridge : float or ndarray, shape (n_predictors,)
        Penalty, on the scale of the log-likelihood.
    steps : int
        Largest number of Newton steps.
    start : ndarray, shape (n_predictors,), optional
    tol : float
        Largest change of a coefficient in the last step.

    Returns
    -------
    ndarray, shape (n_predictors,)

    Raises
    ------
    ValueError
        Without an event, or when the steps do not converge (complete separation).

    References
    ----------
    Efron B (1977), J Am Stat Assoc 72:557-565. Verweij PJM, van Houwelingen HC (1994), Stat Med 13:2427-2436.

    Examples
    --------
    >>> fit_cox([1, 2, 3, 4], [1, 1, 1, 0], [[0.0], [1.0], [0.0], [1.0]]).round(4)
    array([-0.9406])
    """
    time, event, X = _arrays(time, event, X)
    if not event.any():
        raise ValueError("a Cox model needs at least one event")
    o = _sorted(time, event)
    x, previous = X[o.order], -np.inf
    beta = np.zeros(X.shape[1]) if start is None else start.copy()
    observed, step = x[o.rows].sum(axis=0), np.zeros(X.shape[1])
    for _ in range(steps):
        relative, weight, mean = _moments(x, beta, o)
        gain = observed @ beta - np.log(weight).sum() - (ridge * beta) @ beta / 2
        if not gain > previous - 1e-10:
            step /= 2
            beta = beta - step
            continue
        previous = gain
        slope = observed - mean.sum(axis=0) - ridge * beta
        curvature = _information(x, o, relative, weight, mean) + np.diag(np.broadcast_to(ridge, beta.shape))
        held = np.min(ridge) > 0
        step = np.linalg.solve(curvature, slope) if held else np.linalg.lstsq(curvature, slope, rcond=None)[0]
        beta = beta + step
        if np.abs(step).max(initial=0.0) < tol:
            break
    if np.ptp(X @ beta) > SEPARATED or np.abs(step).max(initial=0.0) >= tol:
        raise ValueError("a predictor separates those who left from those who stayed: drop it or add a ridge")
    return beta


def cause_specific_cox(time: ArrayLike, event: ArrayLike, X: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Hazard ratios of leaving for one reason (statsmodels ``PHReg``, Efron's ties, Wald intervals).

    A cause-specific hazard ratio compares the rates of leaving among the patients still in the trial. It is not a
    ratio of cumulative incidences: those also depend on the other reasons.

    Parameters
    ----------
    time : array_like, shape (n_patients,)
    event : array_like of bool, shape (n_patients,)
        Left for this reason.
    X : pandas.DataFrame, shape (n_patients, n_predictors)
        Predictors, numeric.
    level : float
        Confidence level.

    Returns
    -------
    pandas.DataFrame
        ``term``, ``coefficient``, ``se``, ``hazard_ratio``, ``ci_low``, ``ci_high``, ``n``, ``events``.

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
    half = stats.norm.ppf(0.5 + level / 2) * fit.bse
    columns = {"term": list(X.columns), "coefficient": fit.params, "se": fit.bse}
    ratios = {"hazard_ratio": fit.params, "ci_low": fit.params - half, "ci_high": fit.params + half}
    table = pd.DataFrame({**columns, **{name: np.exp(value) for name, value in ratios.items()}})
    return table.assign(n=len(event), events=int(event.sum()))


def _clock(time: np.ndarray, event: np.ndarray, days: np.ndarray, scale: str) -> np.ndarray:
    if scale == "identity":
        return days
    if scale == "rank":
        return _mid_rank(time, days)
    if scale == "km":
        steps, position = np.unique(time, return_inverse=True)
        gone, all_ = np.bincount(position, weights=event), np.bincount(position)
        at_risk = len(time) - np.concatenate([[0], np.cumsum(all_)[:-1]])
        surviving = np.concatenate([[1.0], np.cumprod(1 - gone / at_risk)])
        return 1 - surviving[np.searchsorted(steps, days, side="left")]
    raise ValueError(f"scale must be one of {', '.join(SCALES)}")


def _mid_rank(time: np.ndarray, days: np.ndarray) -> np.ndarray:
    ordered = np.sort(time)
    below, upto = np.searchsorted(ordered, days, "left"), np.searchsorted(ordered, days, "right")
    return (below + upto + 1) / 2


def scaled_schoenfeld(time: ArrayLike, event: ArrayLike, X: pd.DataFrame) -> pd.DataFrame:
    r"""Scaled Schoenfeld residuals: noisy looks at the coefficient on each day on which somebody left.

    .. math:: r^*_i = \hat\beta + d\,\hat V(\hat\beta)\, \{x_i - \bar x(t_i)\}

    Parameters
    ----------
    time, event, X
        As for `cause_specific_cox`.

    Returns
    -------
    pandas.DataFrame
        One row an event: ``day`` and one column a predictor.

    References
    ----------
    Grambsch PM, Therneau TM (1994), Biometrika 81:515-526.
    """
    time, event, values = _arrays(time, event, X)
    beta = fit_cox(time, event, values)
    sets = _risk_sets(time, event, values, beta)
    _, group, size = np.unique(sets.day, return_inverse=True, return_counts=True)
    mean = np.zeros((len(size), values.shape[1]))
    np.add.at(mean, group, sets.mean)
    residual = values[sets.of] - (mean / size[:, None])[group]
    covariance = np.linalg.inv(sets.variance.sum(axis=0))
    scaled = beta + len(sets.day) * residual @ covariance
    return pd.DataFrame({"day": sets.day, **dict(zip(X.columns, scaled.T, strict=True))})


def proportional_hazards(
    time: ArrayLike,
    event: ArrayLike,
    X: pd.DataFrame,
    scale: str = "rank",
    terms: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    r"""Is a hazard ratio constant over time? Score test of :math:`\beta(t) = \beta + \theta\,g(t)` with theta = 0.

    Parameters
    ----------
    time, event, X
        As for `cause_specific_cox`.
    scale : {"rank", "identity", "km"}
        The function g: rank of the day, the day, or 1 - Kaplan-Meier just before it.
    terms : mapping of str to sequence of str, optional
        Predictors to test jointly, such as the columns of one factor; by default each alone.

    Returns
    -------
    pandas.DataFrame
        One row a term and a last one ``GLOBAL``: ``term``, ``statistic``, ``df``, ``p``, and ``correlation`` of the
        scaled Schoenfeld residuals with g (for single predictors; its sign says which way the effect moves).

    References
    ----------
    Grambsch PM, Therneau TM (1994), Biometrika 81:515-526; the test as in ``cox.zph`` of the R package survival 3.
    """
    names, (time, event, values) = list(X.columns), _arrays(time, event, X)
    terms = {name: [name] for name in names} if terms is None else terms
    sets = _risk_sets(time, event, values, fit_cox(time, event, values))
    clock = _clock(time, event, sets.day, scale)
    clock = clock - clock.mean()
    score = clock @ (values[sets.of] - sets.mean)
    blocks = [np.einsum("i,ijk->jk", clock**power, sets.variance) for power in (0, 1, 2)]
    residuals = scaled_schoenfeld(time, event, X)
    rows = []
    for term, columns in {**terms, "GLOBAL": names}.items():
        of = [names.index(column) for column in columns]
        corner = blocks[2][np.ix_(of, of)] - blocks[1][of] @ np.linalg.solve(blocks[0], blocks[1][:, of])
        statistic = float(score[of] @ np.linalg.solve(corner, score[of]))
        alone = len(of) == 1 and term != "GLOBAL"
        moved = np.corrcoef(residuals[columns[0]], clock)[0, 1] if alone else np.nan
        row = {"term": term, "statistic": statistic, "df": len(of), "p": stats.chi2.sf(statistic, len(of))}
        rows.append({**row, "correlation": moved})
    return pd.DataFrame(rows)


def _baseline(time: np.ndarray, event: np.ndarray, X: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days of the events and the steps of the baseline hazard on them."""
    if not event.any():
        return np.zeros(0), np.zeros(0)
    o = _sorted(time, event)
    _, weight, _ = _moments(X[o.order], beta, o)
    return time[o.order[o.rows]], 1 / weight


def cox_risk(
    time: ArrayLike,
    cause: ArrayLike,
    X: ArrayLike,
    X_new: ArrayLike,
    days: ArrayLike,
    ridge: float | np.ndarray = 0.0,
    plain: Sequence[int] = (),
) -> np.ndarray:
    r"""Predicted cumulative incidence of cause 1 from one Cox model a reason.

    .. math:: \hat F_1(t \mid x) = \sum_{s \le t} \hat S(s- \mid x)\, d\hat\Lambda_1(s \mid x), \qquad
              \hat S(t \mid x) = \prod_{s \le t} \Bigl(1 - \sum_k d\hat\Lambda_k(s \mid x)\Bigr)

    Parameters
    ----------
    time, cause : array_like, shape (n_patients,)
        0 censored, 1 the event, above 1 competing events.
    X : array_like, shape (n_patients, n_predictors)
    X_new : array_like, shape (n_new, n_predictors)
    days : array_like, shape (n_days,)
    ridge : float or ndarray, shape (n_predictors,)
        Penalty, see `fit_cox`.
    plain : sequence of int
        Causes with too few events for predictors: a hazard that is the same for everybody.

    Returns
    -------
    ndarray, shape (n_new, n_days)

    References
    ----------
    Benichou J, Gail MH (1990), Biometrics 46:813-826. Ozenne B et al. (2017), R Journal 9:440-460.
    """
    time, cause, X = np.asarray(time, dtype=float), np.asarray(cause), np.asarray(X, dtype=float)
    centre, new, days = X.mean(axis=0), np.asarray(X_new, dtype=float), np.asarray(days, dtype=float)
    steps = np.unique(time[cause > 0])
    increments = np.zeros((int(cause.max()), len(new), len(steps)))
    for k in range(1, int(cause.max()) + 1):
        fitted = k not in plain and bool((cause == k).any())
        beta = fit_cox(time, cause == k, X, ridge) if fitted else np.zeros(X.shape[1])
        day, hazard = _baseline(time, cause == k, X - centre, beta)
        base = np.bincount(np.searchsorted(steps, day), weights=hazard, minlength=len(steps))
        increments[k - 1] = np.exp((new - centre) @ beta)[:, None] * base
    staying = np.cumprod(np.clip(1 - increments.sum(axis=0), 0.0, 1.0), axis=1)
    before = np.hstack([np.ones((len(new), 1)), staying[:, :-1]])
    cif = np.hstack([np.zeros((len(new), 1)), np.cumsum(before * increments[0], axis=1)])
    return np.minimum(cif[:, np.searchsorted(steps, days, side="right")], 1.0)
