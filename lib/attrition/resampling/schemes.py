"""Schemes of internal validation: what one trial says about the AUROC that its model has in the population.

Every refit of a trial is the same small logistic regression with other row weights (a fold is a weight of
zero, a bootstrap sample a count), so that all refits of a trial run as one batch of Newton steps.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from attrition.metrics import intervals, ranks
from attrition.metrics.calibration import inverse_logit
from attrition.models import batched

Array = np.ndarray
CHANCE = 0.5
SCHEMES = {
    "apparent": "Apparent (no validation)",
    "split": "One split, 80/20",
    "cv5": "5-fold",
    "repeated_cv5": "Repeated 5-fold",
    "repeated_cv5_corrected": "Repeated 5-fold, corrected interval",
    "optimism": "Bootstrap optimism (Harrell)",
    "optimism_refit": "Bootstrap optimism, refit interval",
    "point632plus": "Bootstrap .632+",
    "point632plus_refit": "Bootstrap .632+, refit interval",
    "tuned_cv": "5-fold of the tuned winner",
    "nested": "Nested 5-fold",
}
"""Scheme and its name in tables; the last two validate a model whose penalty is tuned.

Intervals are DeLong's for the model at hand, which take the predictions as fixed, except: *corrected* adds what folds
share (Nadeau and Bengio), *refit* adds the variance of the AUROC over bootstrap refits, *nested* averages folds.
"""
PENALTIES = (0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True)
class Sizes:
    """Repeats of cross-validation, bootstrap samples and inner folds."""

    n_repeats: int = 5
    n_bootstraps: int = 50
    n_folds: int = 5
    n_inner: int = 3


class Refitter:
    """Logistic regressions of one trial under many row weights, each standardised on its own rows.

    Equal to `batched.fit_pipeline` (and so to scikit-learn's scaler and regression): instead of rescaling the
    features for every refit, the penalty of a coefficient is scaled by the variance within its rows. All refits
    start from the fit to all rows, to which they are close.

    Parameters
    ----------
    X : array of shape (n_patients, n_features)
    y : array of shape (n_patients,)
    tol : float
        Largest change of a coefficient, in standard deviations, at which to stop; the error then is about its
        square.
    """

    def __init__(self, X: Array, y: Array, tol: float = 1e-4):
        self.y, self.tol = y, tol
        self.mean, self.scale = X.mean(axis=0), X.std(axis=0)
        self.design = np.column_stack([np.ones(len(X)), (X - self.mean) / self.scale])
        self.upper = np.triu_indices(self.design.shape[1])
        self.pairs = self.design[:, self.upper[0]] * self.design[:, self.upper[1]]
        self.start = np.zeros((1, self.design.shape[1]))
        self.start = self(np.ones((1, len(y))))

    def __call__(self, weights: Array, C: Array | float = 1.0, max_iter: int = 12) -> Array:
        """Fit under each row of weights.

        Parameters
        ----------
        weights : array of shape (n_refits, n_patients)
            Fold masks or bootstrap counts.
        C : float or array of shape (n_refits,)
            Inverse penalty.
        max_iter : int
            Newton steps, after which what has not settled is fitted with a line search.

        Returns
        -------
        array of shape (n_refits, n_features + 1)
            Intercept and coefficients for the features standardised on all rows.
        """
        C = np.broadcast_to(C, len(weights))
        beta, penalty = np.repeat(self.start, len(weights), axis=0), self._penalties(weights, C)
        for _ in range(max_iter):
            step = self._step(beta, weights, penalty)
            beta = beta - np.clip(step, -5, 5)
            open_ = np.abs(step).max(axis=1) >= self.tol
            if not open_.any():
                return beta
        for k in np.flatnonzero(open_):
            beta[k] = self._searched(weights[k : k + 1], float(C[k]))
        return beta

    def _searched(self, weights: Array, C: float) -> Array:
        fit = batched.fit_pipeline(self.design[:, 1:], self.y, weights, C=C)
        return np.append(fit.intercept, fit.coef[0])

    def _penalties(self, weights: Array, C: Array) -> Array:
        share = weights / weights.sum(axis=1, keepdims=True)
        variance = share @ self.design**2 - (share @ self.design) ** 2
        variance[:, 0] = 0.0
        return variance / C[:, None]

    def _step(self, beta: Array, weights: Array, penalty: Array) -> Array:
        risk = inverse_logit(beta @ self.design.T)
        gradient = (weights * (risk - self.y)) @ self.design + penalty * beta
        hessian = batched.unpacked((weights * (risk * (1 - risk))) @ self.pairs, self.upper)
        diagonal = np.arange(beta.shape[1])
        hessian[:, diagonal, diagonal] += penalty
        return np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]

    def scores(self, beta: Array) -> Array:
        """Linear predictors of every refit for the patients of the trial, shape (n_refits, n_patients)."""
        return beta @ self.design.T

    def raw(self, beta: Array) -> Array:
        """Intercepts and coefficients for features on their own scale, shape as `beta`."""
        coef = beta[:, 1:] / self.scale
        return np.column_stack([beta[:, 0] - coef @ self.mean, coef])


def fold_masks(y: Array, n_folds: int, rng: np.random.Generator) -> Array:
    """1 where a patient is in the test part of a stratified fold: shape (n_folds, n_patients)."""
    fold = np.empty(len(y), dtype=int)
    first = 0
    for outcome in (0, 1):
        rows = rng.permutation(np.flatnonzero(y == outcome))
        fold[rows] = (first + np.arange(len(rows))) % n_folds
        first += len(rows)
    return (fold == np.arange(n_folds)[:, None]).astype(float)


def _interval(value: float, se: float) -> tuple[float, float, float]:
    found = intervals.logit_interval(value, se)
    return value, found["ci_low"], found["ci_high"]


def of_rows(y: Array, oof: Array) -> tuple[float, float, float]:
    """AUROC a repeat, averaged, with DeLong's error (averaged over repeats) on the logit scale.

    Parameters
    ----------
    y : array of shape (n_patients,)
    oof : array of shape (n_repeats, n_patients)

    Returns
    -------
    value, ci_low, ci_high : float
    """
    aurocs, covariance = intervals.delong(y, oof.T)
    return _interval(float(aurocs.mean()), float(np.sqrt(np.diag(covariance).mean())))


def corrected_interval(aurocs: Array, value: float, n_folds: int) -> tuple[float, float, float]:
    """Interval of a repeated cross-validation that allows for training sets that overlap.

    The standard error is sqrt((1/J + 1/(n_folds - 1)) s^2), with s^2 the variance of the J fold AUROCs over all
    repeats, and the quantile Student's with J - 1 degrees of freedom.

    Parameters
    ----------
    aurocs : array of shape (J,)
        AUROC of every fold of every repeat.
    value : float
        The estimate.
    n_folds : int

    References
    ----------
    Nadeau C, Bengio Y. Inference for the generalization error. Machine Learning 2003;52:239-281.

    Examples
    --------
    >>> [round(x, 3) for x in corrected_interval(np.array([0.6, 0.7, 0.65, 0.75, 0.7]), 0.68, 5)]
    [0.68, 0.566, 0.776]
    """
    J = len(aurocs)
    se = float(np.sqrt((1 / J + 1 / (n_folds - 1)) * aurocs.var(ddof=1)))
    return _interval(value, se * stats.t.ppf(0.975, J - 1) / stats.norm.ppf(0.975))


def of_folds(y: Array, score: Array, masks: Array) -> tuple[float, float, float]:
    """AUROC a fold, averaged; for models whose scores have another scale in each fold.

    Parameters
    ----------
    y, score : array of shape (n_patients,)
    masks : array of shape (n_folds, n_patients)

    Returns
    -------
    value, ci_low, ci_high : float
        DeLong's variance within each fold.
    """
    parts = [intervals.delong(y[mask == 1], score[mask == 1, None]) for mask in masks]
    value = float(np.mean([aurocs[0] for aurocs, _ in parts]))
    se = np.sqrt(sum(float(np.ravel(covariance)[0]) for _, covariance in parts)) / len(parts)
    return _interval(value, float(se))


def _around(y: Array, fitted: Array, value: float, refit_sd: float) -> dict[str, tuple[float, float, float]]:
    """Intervals of a bootstrap-corrected AUROC: DeLong's moved by the optimism, and with the refits' variance."""
    aurocs, covariance = intervals.delong(y, fitted[:, None])
    variance, optimism = float(np.ravel(covariance)[0]), float(aurocs[0]) - value
    _, low, high = _interval(float(aurocs[0]), float(np.sqrt(variance)))
    moved = (value, low - optimism, high - optimism)
    return {"": moved, "_refit": _interval(value, float(np.sqrt(variance + refit_sd**2)))}


def point632plus(apparent: float, left_out: float, chance: float = CHANCE) -> float:
    """Efron and Tibshirani's .632+ for an AUROC.

    With the relative overfitting rate R = (apparent - left_out) / (apparent - chance), within 0 and 1, and weight
    w = .632 / (1 - .368 R), it is (1 - w) * apparent + w * left_out.

    References
    ----------
    Efron B, Tibshirani R. Improvements on cross-validation: the .632+ bootstrap method. JASA 1997;92:548-560.

    Examples
    --------
    >>> point632plus(0.8, 0.8), round(point632plus(0.9, 0.5), 3), round(point632plus(0.8, 0.7), 4)
    (0.8, 0.5, 0.728)
    """
    left_out = max(left_out, chance)
    if apparent <= max(left_out, chance):
        return left_out
    rate = (apparent - left_out) / (apparent - chance)
    weight = 0.632 / (1 - 0.368 * rate)
    return (1 - weight) * apparent + weight * left_out


def bootstrapped(y: Array, drawn: Array, counts: Array, apparent: float) -> tuple[float, float, float]:
    """Optimism-corrected AUROC (Harrell), the .632+ estimate, and the spread of refits, from the same refits.

    Parameters
    ----------
    y : array of shape (n_patients,)
    drawn : array of shape (n_bootstraps, n_patients)
        Linear predictors of the refits for all patients.
    counts : array of shape (n_bootstraps, n_patients)
        How often each patient was drawn.
    apparent : float
        AUROC of the model on the patients that it was fitted on.

    Returns
    -------
    harrell, plus, refit_sd : float
        The last is the standard deviation of the refits' AUROC on all patients: how much the model at hand differs
        from others that the same population could have given.

    References
    ----------
    Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Statistics in Medicine 1996;15:361-387.
    """
    on_all = ranks.auroc(y, drawn)
    optimism = float((ranks.auroc(y, drawn, counts) - on_all).mean())
    left_out = float(np.nanmean(ranks.auroc(y, drawn, (counts == 0).astype(float))))
    return apparent - optimism, point632plus(apparent, left_out), float(on_all.std(ddof=1))


def _inner_masks(y: Array, outer: Array, n_inner: int, rng: np.random.Generator) -> Array:
    """Inner test folds within the training rows of each outer fold: (n_folds, n_inner, n_patients)."""
    masks = np.zeros((len(outer), n_inner, len(y)))
    for k, test in enumerate(outer):
        rows = np.flatnonzero(test == 0)
        masks[k][:, rows] = fold_masks(y[rows], n_inner, rng)
    return masks


def tuned_penalty(fit: Refitter, masks: Array, weights: Array) -> tuple[Array, Array]:
    """Penalty with the best cross-validated AUROC, for each set of training rows at once.

    Parameters
    ----------
    fit : Refitter
    masks : array of shape (n_sets, n_folds, n_patients)
        Inner test folds within each set of training rows.
    weights : array of shape (n_sets, n_patients)
        1 for training rows.

    Returns
    -------
    best : array of shape (n_sets,)
        Values of `PENALTIES`.
    oof : array of shape (n_sets, n_patients)
        The winner's out-of-fold linear predictors; 0 outside the training rows.
    """
    train = (weights[:, None] - masks).reshape(-1, len(fit.y))
    beta = fit(np.tile(train, (len(PENALTIES), 1)), np.repeat(PENALTIES, len(train)))
    oof = (fit.scores(beta).reshape(len(PENALTIES), *masks.shape) * masks).sum(axis=2)
    aurocs = np.stack([ranks.auroc(fit.y, rows, weights) for rows in oof])
    winner = aurocs.argmax(axis=0)
    return np.array(PENALTIES)[winner], oof[winner, np.arange(len(winner))]


@dataclass(frozen=True)
class Estimates:
    """What one trial says: fitted coefficients and (value, ci_low, ci_high) by scheme."""

    plain: Array
    tuned: Array
    by_scheme: dict[str, tuple[float, float, float]]


def estimate(X: Array, y: Array, rng: np.random.Generator, sizes: Sizes | None = None) -> Estimates:
    """All schemes on one trial.

    Parameters
    ----------
    X : array of shape (n_patients, n_features)
    y : array of shape (n_patients,)
    rng : numpy.random.Generator
        Of folds and bootstrap samples.
    sizes : Sizes, optional

    Returns
    -------
    Estimates
    """
    sizes = sizes or Sizes()
    fit, n = Refitter(X, y), len(y)
    masks = np.stack([fold_masks(y, sizes.n_folds, rng) for _ in range(sizes.n_repeats)])
    flat = masks.reshape(-1, n)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=sizes.n_bootstraps).astype(float)
    score = fit.scores(np.concatenate([fit.start, fit(np.concatenate([1 - flat, counts]))]))
    fitted, held, drawn = score[0], score[1 : 1 + len(flat)], score[1 + len(flat) :]
    oof = (held * flat).reshape(masks.shape).sum(axis=1)
    apparent, first = float(ranks.auroc(y, fitted)[0]), flat[0] == 1
    harrell, plus, refit_sd = bootstrapped(y, drawn, counts, apparent)
    repeated = of_rows(y, oof)
    found = {
        "apparent": of_rows(y, fitted[None]),
        "split": of_rows(y[first], held[:1, first]),
        "cv5": of_rows(y, oof[:1]),
        "repeated_cv5": repeated,
        "repeated_cv5_corrected": corrected_interval(ranks.auroc(y, held, flat), repeated[0], sizes.n_folds),
    }
    for name, value in (("optimism", harrell), ("point632plus", plus)):
        found |= {name + kind: numbers for kind, numbers in _around(y, fitted, value, refit_sd).items()}
    tuned, by_tuning = _tuned(fit, masks[0], rng, sizes)
    return Estimates(fit.raw(fit.start)[0], tuned, found | by_tuning)


def _tuned(fit: Refitter, outer: Array, rng: np.random.Generator, sizes: Sizes) -> tuple[Array, dict]:
    everyone = np.ones((1, len(fit.y)))
    best, winner = tuned_penalty(fit, outer[None], everyone)
    chosen, _ = tuned_penalty(fit, _inner_masks(fit.y, outer, sizes.n_inner, rng), 1 - outer)
    beta = fit(np.concatenate([everyone, 1 - outer]), np.concatenate([best, chosen]))
    nested = (fit.scores(beta[1:]) * outer).sum(axis=0)
    return fit.raw(beta[:1])[0], {"tuned_cv": of_rows(fit.y, winner), "nested": of_folds(fit.y, nested, outer)}


def as_intervals(found: Estimates) -> dict[str, dict[str, float]]:
    """Interval mappings ``{"value", "ci_low", "ci_high"}`` by scheme."""
    keys = ("value", "ci_low", "ci_high")
    return {scheme: dict(zip(keys, numbers, strict=True)) for scheme, numbers in found.by_scheme.items()}
