"""Calibration: does a probability of .3 mean three in ten?

All measures come from one small logistic regression of the outcome on the logit of the prediction, fitted
by Newton steps for all columns of weights at once. Offered to callers through `attrition.metrics`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from attrition.metrics.measures import columns, plain

EDGE = 1e-12
# Quantiles of the predicted logit at which Harrell puts so many knots
KNOTS = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}
BAND = 1.959964  # half width of the pointwise band of a curve in standard errors, on the logit scale
N_STEPS = 30  # most Newton steps of a fit
MIN_SPREAD = 0.01  # least standard deviation of the predicted logits for which a slope is defined


class CalibrationCurve(NamedTuple):
    """Predicted probability, observed frequency and its pointwise band; arrays of one length."""

    predicted: NDArray
    observed: NDArray
    ci_low: NDArray
    ci_high: NDArray


def logit(p: ArrayLike) -> NDArray:
    """Log odds; probabilities are kept 1e-12 away from 0 and 1."""
    inside = np.clip(np.asarray(p, dtype=float), EDGE, 1 - EDGE)
    return np.log(inside) - np.log1p(-inside)


def inverse_logit(eta: NDArray) -> NDArray:
    """Probability of log odds: scipy's `expit` up to the last bits and several times faster, for inner loops.

    Numpy's exponential goes over many numbers at once.

    >>> inverse_logit(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    with np.errstate(over="ignore"):  # a probability of 0
        return 1 / (1 + np.exp(-eta))


def fit_logistic(X: NDArray, y: NDArray, weights: NDArray, offset: NDArray | float = 0.0) -> tuple[NDArray, NDArray]:
    """Maximum likelihood by Newton steps, for every column of weights (n_patients, n_columns) at once.

    Coefficients (n_terms, n_columns) are NaN where the information (n_columns, n_terms, n_terms), which is given as
    well, is singular or the fit does not settle (separation).

    >>> beta, _ = fit_logistic(np.ones((4, 1)), np.array([0, 1, 1, 1.0]), np.ones((4, 1)))
    >>> round(float(np.exp(beta[0, 0])), 6)
    3.0
    """
    n_columns = weights.shape[1]
    pairs = (X[:, :, None] * X[:, None, :]).reshape(len(X), -1).T
    shift = np.broadcast_to(offset, y.shape)[:, None]
    beta, tol = np.zeros((X.shape[1], n_columns)), 1e-10
    if n_columns > 1:
        together, _ = fit_logistic(X, y, weights.mean(axis=1, keepdims=True), offset)
        beta, tol = beta + np.nan_to_num(together), 1e-4  # a step of 1e-4 leaves an error of about its square
    for _ in range(N_STEPS):
        p = inverse_logit(X @ beta + shift)
        score = X.T @ (weights * (y[:, None] - p))
        p *= 1 - p
        p *= weights
        information = (pairs @ p).T.reshape(n_columns, X.shape[1], X.shape[1])
        step = _solve(information, score)
        beta += step
        if np.nanmax(np.abs(step), initial=0.0) < tol:
            break
    settled = np.abs(step).max(axis=0) < max(tol, 1e-6)
    return np.where(settled, beta, np.nan), information


def _solve(information: NDArray, score: NDArray) -> NDArray:
    """Newton steps; NaN where the information, scaled to a unit diagonal, is all but singular."""
    scale = np.sqrt(np.einsum("bii->bi", information))
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = information / (scale[:, :, None] * scale[:, None, :])
    usable = np.isfinite(scaled).all(axis=(1, 2))
    usable[usable] = np.abs(np.linalg.det(scaled[usable])) > 1e-10
    step = np.full(score.shape, np.nan)
    step[:, usable] = np.linalg.solve(information[usable], score[:, usable].T[:, :, None])[:, :, 0].T
    return step


def calibration_slope(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None = None):
    r"""Slope b of :math:`\mathrm{logit}\,P(y = 1) = a + b\,\mathrm{logit}(p)`: below 1 predictions are too extreme.

    A float, or with `weights` (n_patients, n_resamples) one a resample; NaN when predictions hardly differ (standard
    deviation of the logits below `MIN_SPREAD`, as for a null model), or when they separate the outcome.

    References
    ----------
    Cox (1958), Biometrika 45, 562-565; Van Calster et al. (2016), J Clin Epidemiol 74, 167-176.

    Examples
    --------
    >>> y, p = np.repeat([0, 1, 0, 1], [7, 3, 3, 7]), np.repeat([0.1, 0.9], 10)
    >>> round(calibration_slope(y, p), 4)
    0.3856
    """
    y, lp = np.asarray(y_true, dtype=float), logit(y_prob)
    w = columns(weights, y.size)
    if lp.std() < MIN_SPREAD:
        return plain(np.full(w.shape[1], np.nan), weights)
    centre = lp.mean()
    beta, _ = fit_logistic(np.column_stack([np.ones_like(lp), lp - centre]), y, w)
    return plain(beta[1], weights)


def calibration_in_the_large(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None = None):
    r"""Intercept a of :math:`\mathrm{logit}\,P(y = 1) = a + \mathrm{logit}(p)`: below 0 predictions are too high.

    NaN when all or none have the event. Van Calster et al. (2016), J Clin Epidemiol 74, 167-176.

    >>> round(calibration_in_the_large([0, 1, 1, 1], [0.5, 0.5, 0.5, 0.5]), 4)  # log(3)
    1.0986
    """
    y, lp = np.asarray(y_true, dtype=float), logit(y_prob)
    w = columns(weights, y.size)
    beta, _ = fit_logistic(np.ones((y.size, 1)), y, w, offset=lp)
    rate = y @ w / w.sum(axis=0)
    return plain(np.where((rate > 0) & (rate < 1), beta[0], np.nan), weights)


def recalibration_covariance(
    y_true: ArrayLike, y_prob: ArrayLike, slope: bool = True, weights: ArrayLike | None = None
) -> tuple[NDArray, NDArray]:
    """Coefficients of the recalibration model and their robust (sandwich) covariance.

    Of intercept and slope, or of calibration-in-the-large alone; valid also when the recalibration model is wrong.
    White (1982), Econometrica 50, 1-25.
    """
    y, lp = np.asarray(y_true, dtype=float), logit(y_prob)
    X = np.column_stack([np.ones_like(lp), lp]) if slope else np.ones((y.size, 1))
    offset = 0.0 if slope else lp
    beta, information = fit_logistic(X, y, columns(weights, y.size), offset=offset)
    return beta[:, 0], _robust(X, y, expit(X @ beta[:, 0] + offset), columns(weights, y.size), information[0])


def _robust(X: NDArray, y: NDArray, p: NDArray, w: NDArray, information: NDArray) -> NDArray:
    """Sandwich covariance of a weighted fit."""
    residual, bread = w * (y - p)[:, None] * X, np.linalg.pinv(information)
    return bread @ (residual.T @ residual) @ bread


def spline_basis(x: ArrayLike, knots: ArrayLike) -> NDArray:
    """Restricted cubic spline terms, linear beyond the outer knots: (n, n_knots - 1), the variable itself first.

    Harrell (2015), Regression Modeling Strategies, section 2.4.5.

    >>> spline_basis([0.0, 1.0, 2.0], [0, 1, 2]).round(3).tolist()
    [[0.0, 0.0], [1.0, 0.25], [2.0, 1.5]]
    """
    x, t = np.asarray(x, dtype=float), np.asarray(knots, dtype=float)

    def cubed(knot: float) -> NDArray:
        return np.maximum(x - knot, 0) ** 3

    last, before = t[-1], t[-2]
    terms = [
        cubed(tj) - cubed(before) * (last - tj) / (last - before) + cubed(last) * (before - tj) / (last - before)
        for tj in t[:-2]
    ]
    return np.column_stack([x, *(term / (last - t[0]) ** 2 for term in terms)])


def _flexible_design(lp: NDArray, n_knots: int = 4) -> tuple[NDArray, NDArray]:
    """Knots and design; a line where predictions are too coarse for that many."""
    knots = np.unique(np.quantile(lp, KNOTS[n_knots]))
    if knots.size < 3 or np.diff(knots).min() < 1e-6:
        return np.empty(0), np.column_stack([np.ones_like(lp), lp])
    return knots, np.column_stack([np.ones_like(lp), spline_basis(lp, knots)])


def calibration_curve(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    grid: ArrayLike | None = None,
    n_knots: int = 4,
    weights: ArrayLike | None = None,
) -> CalibrationCurve:
    """Flexible calibration curve: logistic regression on a restricted cubic spline of the predicted logit.

    Frequencies are all NaN when predictions hardly differ. Van Calster et al. (2016), as for `calibration_slope`.

    Parameters
    ----------
    y_true, y_prob : array of shape (n_patients,)
    grid : array of shape (n_grid,), optional
        Probabilities at which to draw; by default 61 between the 1st and 99th percentile of the predictions.
    n_knots : {3, 4, 5}
        At Harrell's quantiles of the predicted logit.
    weights : array of shape (n_patients,), optional
        Of patients who stand for censored ones; the standard errors are then robust ones.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> p = rng.uniform(0.1, 0.9, 4000)
    >>> curve = calibration_curve(rng.random(4000) < p, p, grid=[0.3, 0.7])
    >>> np.abs(curve.observed - [0.3, 0.7]).max() < 0.05
    np.True_
    """
    y, lp = np.asarray(y_true, dtype=float), logit(y_prob)
    low, high = np.quantile(np.asarray(y_prob, dtype=float), (0.01, 0.99))
    grid = np.linspace(low, high, 61) if grid is None else np.asarray(grid, dtype=float)
    if lp.std() < MIN_SPREAD:
        return CalibrationCurve(grid, *np.full((3, grid.size), np.nan))
    knots, X = _flexible_design(lp, n_knots)
    w = columns(weights, y.size)
    beta, information = fit_logistic(X, y, w)
    covariance = np.linalg.pinv(information[0])
    covariance = covariance if weights is None else _robust(X, y, expit(X @ beta[:, 0]), w, information[0])
    at = logit(grid)
    Z = np.column_stack([np.ones_like(at), spline_basis(at, knots) if knots.size else at])
    centre = Z @ beta[:, 0]
    half = BAND * np.sqrt(np.einsum("gi,ij,gj->g", Z, covariance, Z))
    return CalibrationCurve(grid, expit(centre), expit(centre - half), expit(centre + half))


def ici(y_true: ArrayLike, y_prob: ArrayLike, weights: ArrayLike | None = None):
    """Integrated calibration index: mean distance of the flexible calibration curve from the prediction.

    Never negative, hence biased upwards for a well-calibrated model. For predictions that hardly differ, the distance
    of their mean from the event rate. Austin and Steyerberg (2019), Statistics in Medicine 38, 4051-4065.

    >>> ici([0, 1, 1, 1], [0.5, 0.5, 0.5, 0.5])
    0.25
    """
    y, p, lp = np.asarray(y_true, dtype=float), np.asarray(y_prob, dtype=float), logit(y_prob)
    w = columns(weights, y.size)
    total = w.sum(axis=0)
    if lp.std() < MIN_SPREAD:
        return plain(np.abs(y @ w - p @ w) / total, weights)
    _, X = _flexible_design(lp)
    beta, _ = fit_logistic(X, y, w)
    distance = np.abs(inverse_logit(X @ beta) - p[:, None])
    return plain(np.einsum("nb,nb->b", distance, w) / total, weights)
