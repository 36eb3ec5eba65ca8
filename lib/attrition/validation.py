"""Internal validation: how well does each scheme estimate what a fitted model will do on new patients?

Aim: choose the scheme the report relies on. Data: trials simulated from the published law. Estimand: the AUROC, in
the population, of the model fitted on all patients of the trial at hand. Methods: `SCHEMES`. Performance measures:
bias, root mean squared error, coverage and width of the 95 % interval.

Every refit of a trial is the same small logistic regression with other row weights (a fold is a weight of
zero, a bootstrap sample a count), so that all refits of a trial run as one batch of Newton steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from attrition import batched, features, intervals, oracle, seeds, simulate
from attrition.law import PUBLISHED_LAW

Array = np.ndarray
CHANCE = 0.5
NOMINAL = 0.95
COVERAGE_RANGE = (0.93, 0.97)
SCHEMES = {
    "apparent": "Apparent (no validation)",
    "split": "One split, 80/20",
    "cv5": "5-fold",
    "repeated_cv5": "Repeated 5-fold",
    "optimism": "Bootstrap optimism (Harrell)",
    "point632plus": "Bootstrap .632+",
    "tuned_cv": "5-fold of the tuned winner",
    "nested": "Nested 5-fold",
}
"""Scheme and its name in tables; the last two validate a model whose penalty is tuned."""
VALIDATIONS = ("split", "cv5", "repeated_cv5", "optimism", "point632plus", "nested")
"""Schemes among which the report chooses; the others show what they guard against."""
ROW_WISE = ("cv5", "repeated_cv5", "nested")
"""Schemes that predict every patient out of sample, as calibration and decision curves need."""
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

    def __call__(self, weights: Array, C: Array | float = 1.0, max_iter: int = 50) -> Array:
        """Fit under each row of weights.

        Parameters
        ----------
        weights : array of shape (n_refits, n_patients)
            Fold masks or bootstrap counts.
        C : float or array of shape (n_refits,)
            Inverse penalty.
        max_iter : int

        Returns
        -------
        array of shape (n_refits, n_features + 1)
            Intercept and coefficients for the features standardised on all rows.

        Raises
        ------
        ArithmeticError
            When Newton's method does not settle.
        """
        beta, penalty = np.repeat(self.start, len(weights), axis=0), self._penalties(weights, C)
        for _ in range(max_iter):
            step = self._step(beta, weights, penalty)
            beta = beta - np.clip(step, -5, 5)
            if np.abs(step).max() < self.tol:
                return beta
        raise ArithmeticError("the logistic regressions of a trial did not settle")

    def _penalties(self, weights: Array, C: Array | float) -> Array:
        share = weights / weights.sum(axis=1, keepdims=True)
        variance = share @ self.design**2 - (share @ self.design) ** 2
        variance[:, 0] = 0.0
        return variance / np.broadcast_to(C, len(weights))[:, None]

    def _step(self, beta: Array, weights: Array, penalty: Array) -> Array:
        q = beta.shape[1]
        risk = expit(beta @ self.design.T)
        gradient = (weights * (risk - self.y)) @ self.design + penalty * beta
        hessian = np.empty((len(beta), q, q))
        packed = (weights * (risk * (1 - risk))) @ self.pairs
        hessian[:, self.upper[0], self.upper[1]] = hessian[:, self.upper[1], self.upper[0]] = packed
        hessian[:, np.arange(q), np.arange(q)] += penalty
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


def _shifted(apparent: float, y: Array, score: Array, value: float) -> tuple[float, float, float]:
    """DeLong's interval of the apparent AUROC, moved by the optimism (Noma et al. 2021)."""
    _, low, high = of_rows(y, score[None])
    optimism = apparent - value
    return value, low - optimism, high - optimism


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


def corrected(y: Array, drawn: Array, counts: Array, apparent: float) -> tuple[float, float]:
    """Optimism-corrected AUROC (Harrell) and the .632+ estimate, from the same bootstrap refits.

    Parameters
    ----------
    y : array of shape (n_patients,)
    drawn : array of shape (n_bootstraps, n_patients)
        Linear predictors of the refits for all patients.
    counts : array of shape (n_bootstraps, n_patients)
        How often each patient was drawn.
    apparent : float
        AUROC of the model on the patients that it was fitted on.

    References
    ----------
    Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Statistics in Medicine 1996;15:361-387.
    """
    optimism = float((batched.auroc(y, drawn, counts) - batched.auroc(y, drawn)).mean())
    left_out = float(np.nanmean(batched.auroc(y, drawn, (counts == 0).astype(float))))
    return apparent - optimism, point632plus(apparent, left_out)


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
    aurocs = np.stack([batched.auroc(fit.y, rows, weights) for rows in oof])
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
    apparent = float(batched.auroc(y, fitted)[0])
    harrell, plus = corrected(y, drawn, counts, apparent)
    test = flat[0] == 1
    found = {
        "apparent": of_rows(y, fitted[None]),
        "split": of_rows(y[test], held[:1, test]),
        "cv5": of_rows(y, oof[:1]),
        "repeated_cv5": of_rows(y, oof),
        "optimism": _shifted(apparent, y, fitted, harrell),
        "point632plus": _shifted(apparent, y, fitted, plus),
    }
    tuned, by_tuning = _tuned(fit, masks[0], rng, sizes)
    return Estimates(fit.raw(fit.start)[0], tuned, found | by_tuning)


def _tuned(fit: Refitter, outer: Array, rng: np.random.Generator, sizes: Sizes) -> tuple[Array, dict]:
    everyone = np.ones((1, len(fit.y)))
    best, winner = tuned_penalty(fit, outer[None], everyone)
    chosen, _ = tuned_penalty(fit, _inner_masks(fit.y, outer, sizes.n_inner, rng), 1 - outer)
    beta = fit(np.concatenate([everyone, 1 - outer]), np.concatenate([best, chosen]))
    nested = (fit.scores(beta[1:]) * outer).sum(axis=0, keepdims=True)
    return fit.raw(beta[:1])[0], {"tuned_cv": of_rows(fit.y, winner), "nested": of_rows(fit.y, nested)}


@dataclass(frozen=True)
class Population:
    """Patients whose exact probabilities are known: features (n, 9), probabilities (n,), oracle's shortfall.

    `shift` is the oracle's exact AUROC less its AUROC on these patients. Added to a model's AUROC here, it
    takes away most of the error of using a finite population (a control variate).
    """

    X: Array
    p: Array
    shift: float

    def auroc(self, beta: Array) -> Array:
        """Population AUROC of models with coefficients (n_models, 10); shape (n_models,)."""
        return batched.binned_soft_auroc(self.p, beta[:, :1] + beta[:, 1:] @ self.X.T)[0] + self.shift


def population(n: int, seed: int, version: str = "v3_causal", prevalence_offset: float = 0.0) -> Population:
    """Draw the population; see `Population`."""
    patients = simulate.draw_patients(PUBLISHED_LAW, n, seeds.stream(seed, "validation", "population"))
    p = oracle.of_patients(PUBLISHED_LAW, patients, prevalence_offset)
    exact = oracle.exact(PUBLISHED_LAW, prevalence_offset)["auroc"]
    shift = exact - float(batched.soft_auroc(p, p)[0])
    return Population(features.matrix(patients, version).to_numpy(), p, shift)


def study(
    trial_sizes: list[int],
    n_trials: int,
    n_population: int,
    seed: int,
    sizes: Sizes | None = None,
    progress: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Every scheme on simulated trials, beside the truth.

    Parameters
    ----------
    trial_sizes : list of int
        Patients a trial.
    n_trials : int
        Trials a size.
    n_population : int
        Patients on whom the truth is computed.
    seed : int
    sizes : Sizes, optional
    progress : callable, optional
        Called with the number of each trial.

    Returns
    -------
    DataFrame
        Columns n_patients, trial, scheme, truth, value, ci_low, ci_high.
    """
    everyone = population(n_population, seed)
    rows = []
    for n in trial_sizes:
        for trial in range(n_trials):
            rows += _trial_rows(everyone, n, trial, seed, sizes)
            if progress:
                progress(trial)
    return pd.DataFrame(rows)


def _trial_rows(everyone: Population, n: int, trial: int, seed: int, sizes: Sizes | None) -> list[dict]:
    drawn = simulate.draw_trial(PUBLISHED_LAW, n, seeds.stream(seed, "validation", n, trial))
    X, y = features.matrix(drawn, "v3_causal").to_numpy(), drawn["dropout"].to_numpy(float)
    found = estimate(X, y, seeds.stream(seed, "validation", "folds", n, trial), sizes)
    plain, tuned = everyone.auroc(np.stack([found.plain, found.tuned]))
    return [
        {
            "n_patients": n,
            "trial": trial,
            "scheme": scheme,
            "truth": tuned if scheme in ("tuned_cv", "nested") else plain,
            **dict(zip(("value", "ci_low", "ci_high"), numbers, strict=True)),
        }
        for scheme, numbers in found.by_scheme.items()
    ]


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Performance of each scheme at each trial size, with Monte-Carlo errors.

    Parameters
    ----------
    rows : DataFrame
        From `study`.

    Returns
    -------
    DataFrame
        Columns n_patients, scheme, n_trials, truth, bias, bias_se, rmse, rmse_se, coverage, coverage_se, width.
    """
    error = rows["value"] - rows["truth"]
    covered = (rows["ci_low"] <= rows["truth"]) & (rows["truth"] <= rows["ci_high"])
    parts = rows.assign(error=error, squared=error**2, covered=covered, width=rows["ci_high"] - rows["ci_low"])
    found = [
        {"n_patients": n, "scheme": scheme, **_performance(part)}
        for (n, scheme), part in parts.groupby(["n_patients", "scheme"], sort=False)
    ]
    return pd.DataFrame(found)


def _performance(part: pd.DataFrame) -> dict[str, float]:
    n, rmse, coverage = len(part), np.sqrt(part["squared"].mean()), part["covered"].mean()
    return {
        "n_trials": n,
        "truth": part["truth"].mean(),
        "bias": part["error"].mean(),
        "bias_se": part["error"].std() / np.sqrt(n),
        "rmse": rmse,
        "rmse_se": part["squared"].std() / np.sqrt(n) / (2 * rmse),
        "coverage": coverage,
        "coverage_se": np.sqrt(coverage * (1 - coverage) / n),
        "width": part["width"].mean(),
    }


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Each scheme over all trial sizes: columns scheme, rmse (root mean square over sizes), coverage, bias."""
    schemes = table.assign(squared=table["rmse"] ** 2).groupby("scheme", sort=False)
    means = schemes[["squared", "coverage", "bias"]].mean().reset_index()
    return means.assign(rmse=np.sqrt(means["squared"]))[["scheme", "rmse", "coverage", "bias"]]


def recommend(table: pd.DataFrame, among: tuple[str, ...] = VALIDATIONS) -> str:
    """The scheme to use, by a rule fixed before the results.

    Over all trial sizes: the smallest root mean squared error among the schemes whose intervals cover the truth in
    93 to 97 % of trials; if there is none, the coverage nearest to 95 %.

    Parameters
    ----------
    table : DataFrame
        From `summary`.
    among : tuple of str
        Eligible schemes.

    Returns
    -------
    str
        Key of `SCHEMES`.
    """
    found = overall(table)
    found = found[found["scheme"].isin(among)]
    honest = found[found["coverage"].between(*COVERAGE_RANGE)]
    if len(honest):
        return str(honest.loc[honest["rmse"].idxmin(), "scheme"])
    return str(found.loc[(found["coverage"] - NOMINAL).abs().idxmin(), "scheme"])
