"""Internal validation: what one trial says about the AUROC that its model has in the population, and how well.

Aim: choose the scheme the report relies on. Data: trials simulated from the published law. Estimand: the AUROC, in the
population, of the model fitted on all patients of the trial at hand. Methods: `SCHEMES`, for logistic regression.
Performance measures: bias, root mean squared error, coverage and width of the 95 % interval.

Every refit of a trial is the same small logistic regression with other row weights (a fold is a weight of zero, a
bootstrap sample a count), so that all refits of a trial run as one batch of Newton steps.
"""

from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd

from attrition import engine, features, seeds, settings
from attrition.metrics import intervals, ranks
from attrition.metrics.evaluator import nested
from attrition.metrics.intervals import Interval
from attrition.models.batched import LogisticFit, fit_pipeline
from attrition.resampling import corrected_interval
from attrition.studies.population import Population, drawn, simulated

Array = np.ndarray
SCHEMES: dict[str, str] = settings.declared(__file__, "validation.yaml")
"""Scheme and its name in tables; the last two validate a model whose penalty is tuned.

Intervals are DeLong's for the model at hand, which take the predictions as fixed, except: *corrected* adds what folds
share (Nadeau and Bengio), *refit* adds the variance of the AUROC over bootstrap refits, *nested* averages folds.
"""
TUNED = ("tuned_cv", "nested")
"""Schemes that validate a model whose penalty is tuned; their truth is that of the tuned model."""
VALIDATIONS = tuple(scheme for scheme in SCHEMES if scheme not in ("apparent", *TUNED))
"""Schemes among which the report chooses for models with fixed settings."""
ROW_WISE = ("cv5", "repeated_cv5", "repeated_cv5_corrected")
"""Schemes that predict every patient out of sample, as calibration and decision curves need."""
PENALTIES = (0.001, 0.01, 0.1, 1.0)
FEATURES = features.VERSIONS["v3_causal"]
CHANCE = 0.5
NOMINAL = 0.95
COVERAGE_RANGE = (0.93, 0.97)
BLOCK = 10
"""Trials that share one task."""


@dataclass(frozen=True)
class Sizes:
    """Repeats of cross-validation, bootstrap samples, folds and inner folds."""

    n_repeats: int = 5
    n_bootstraps: int = 50
    n_folds: int = 5
    n_inner: int = 3


def fold_masks(y: Array, n_folds: int, rng: np.random.Generator) -> Array:
    """1 where a patient is in the test part of a stratified fold: shape (n_folds, n_patients)."""
    fold = np.empty(len(y), dtype=int)
    first = 0
    for outcome in (0, 1):
        rows = rng.permutation(np.flatnonzero(y == outcome))
        fold[rows] = (first + np.arange(len(rows))) % n_folds
        first += len(rows)
    return (fold == np.arange(n_folds)[:, None]).astype(float)


def of_rows(y: Array, oof: Array) -> Interval:
    """AUROC a repeat of scores (n_repeats, n_patients), averaged, with DeLong's error on the logit scale."""
    aurocs, covariance = intervals.delong(y, oof.T)
    return intervals.logit_interval(float(aurocs.mean()), float(np.sqrt(np.diag(covariance).mean())))


def of_folds(y: Array, score: Array, masks: Array) -> Interval:
    """AUROC a fold, averaged, with DeLong's variance within each; for scores that have another scale in each fold."""
    parts = [intervals.delong(y[mask == 1], score[mask == 1, None]) for mask in masks]
    value = float(np.mean([aurocs[0] for aurocs, _ in parts]))
    se = np.sqrt(sum(float(np.ravel(covariance)[0]) for _, covariance in parts)) / len(parts)
    return intervals.logit_interval(value, float(se))


def _corrected(y: Array, fitted: Array, name: str, value: float, refit_sd: float) -> dict[str, Interval]:
    """Intervals of a bootstrap-corrected AUROC: DeLong's moved by the optimism, and with the refits' variance."""
    aurocs, covariance = intervals.delong(y, fitted[:, None])
    variance = float(np.ravel(covariance)[0])
    found = intervals.logit_interval(float(aurocs[0]), float(np.sqrt(variance)))
    moved = value - float(aurocs[0])
    plain = Interval(value=value, ci_low=found["ci_low"] + moved, ci_high=found["ci_high"] + moved)
    return {name: plain, f"{name}_refit": intervals.logit_interval(value, float(np.sqrt(variance + refit_sd**2)))}


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


def tuned_penalty(X: Array, y: Array, masks: Array, weights: Array) -> tuple[Array, Array]:
    """Penalty with the best cross-validated AUROC, for each set of training rows at once, and its scores."""
    train = (weights[:, None] - masks).reshape(-1, len(y))
    C = np.repeat(PENALTIES, len(train))[:, None]
    score = fit_pipeline(X, y, np.tile(train, (len(PENALTIES), 1)), C=C).decision_function(X)
    oof = (score.reshape(len(PENALTIES), *masks.shape) * masks).sum(axis=2)
    winner = np.stack([ranks.auroc(y, rows, weights) for rows in oof]).argmax(axis=0)
    return np.array(PENALTIES)[winner], oof[winner, np.arange(len(winner))]


def estimate(
    X: Array, y: Array, rng: np.random.Generator, sizes: Sizes | None = None
) -> tuple[list[LogisticFit], dict[str, Interval]]:
    """All schemes on one trial: the plain and the tuned model, and the interval of each."""
    sizes, n = sizes or Sizes(), len(y)
    masks = np.stack([fold_masks(y, sizes.n_folds, rng) for _ in range(sizes.n_repeats)])
    flat, everyone = masks.reshape(-1, n), np.ones((1, n))
    counts = rng.multinomial(n, np.full(n, 1 / n), size=sizes.n_bootstraps).astype(float)
    plain = fit_pipeline(X, y, np.concatenate([everyone, 1 - flat, counts]))
    score = plain.decision_function(X)
    fitted, held, drawn = score[0], score[1 : 1 + len(flat)], score[1 + len(flat) :]
    oof = (held * flat).reshape(masks.shape).sum(axis=1)
    apparent, first = float(ranks.auroc(y, fitted)[0]), flat[0] == 1
    harrell, plus, refit_sd = bootstrapped(y, drawn, counts, apparent)
    repeated = of_rows(y, oof)
    corrected = corrected_interval(ranks.auroc(y, held, flat), repeated["value"], sizes.n_folds)
    found = {"apparent": of_rows(y, fitted[None]), "split": of_rows(y[first], held[:1, first])}
    found |= {"cv5": of_rows(y, oof[:1]), "repeated_cv5": repeated, "repeated_cv5_corrected": corrected}
    found |= _corrected(y, fitted, "optimism", harrell, refit_sd)
    found |= _corrected(y, fitted, "point632plus", plus, refit_sd)
    outer = masks[0]
    best, winner = tuned_penalty(X, y, outer[None], everyone)
    chosen, _ = tuned_penalty(X, y, _inner_masks(y, outer, sizes.n_inner, rng), 1 - outer)
    tuned = fit_pipeline(X, y, np.concatenate([everyone, 1 - outer]), C=np.concatenate([best, chosen])[:, None])
    by_fold = (tuned.decision_function(X)[1:] * outer).sum(axis=0)
    found |= {"tuned_cv": of_rows(y, winner), "nested": of_folds(y, by_fold, outer)}
    return [plain.first(1), tuned.first(1)], found


def study(
    trial_sizes: list[int], n_trials: int, n_population: int, seed: int, sizes: Sizes | None = None
) -> pd.DataFrame:
    """Every scheme on simulated trials, beside the truth.

    Parameters
    ----------
    trial_sizes : list of int
        Patients a trial.
    n_trials, n_population : int
        Trials a size; patients on whom the truth is computed.
    seed : int
    sizes : Sizes, optional

    Returns
    -------
    DataFrame
        Columns n_patients, trial, scheme, truth, value, ci_low, ci_high.
    """
    people = drawn(FEATURES, n_population, seeds.stream(seed, "validation", "population"))
    blocks = [range(first, min(first + BLOCK, n_trials)) for first in range(0, n_trials, BLOCK)]
    tasks = [joblib.delayed(_rows)(people, n, block, seed, sizes) for n in trial_sizes for block in blocks]
    return pd.DataFrame([row for part in engine.compute(tasks, "validation schemes") for row in part])


def _rows(people: Population, n: int, trials: range, seed: int, sizes: Sizes | None) -> list[dict]:
    rows = []
    for trial in trials:
        X, y = simulated(FEATURES, n, seeds.stream(seed, "validation", n, trial))
        fits, found = estimate(X, y.astype(float), seeds.stream(seed, "validation", "folds", n, trial), sizes)
        scores = np.concatenate([fit.decision_function(people.X) for fit in fits])
        plain, tuned = ranks.binned_soft_auroc(people.probability, scores)[0] + people.shift["auroc"]
        for scheme, numbers in found.items():
            row = {"n_patients": n, "trial": trial, "scheme": scheme}
            rows.append(row | {"truth": tuned if scheme in TUNED else plain, **numbers})
    return rows


def _judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Each estimate held against the truth."""
    error = rows["value"] - rows["truth"]
    covered = (rows["ci_low"] <= rows["truth"]) & (rows["truth"] <= rows["ci_high"])
    return rows.assign(error=error, squared=error**2, covered=covered, width=rows["ci_high"] - rows["ci_low"])


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Bias, rmse, coverage (each with its error, ``_se``) and width of each scheme of `study`, by trial size."""
    found = _judged(rows).groupby(["n_patients", "scheme"], sort=False).agg(
        n_trials=("error", "size"), truth=("truth", "mean"), bias=("error", "mean"), bias_se=("error", "sem"),
        rmse=("squared", "mean"), rmse_se=("squared", "sem"), coverage=("covered", "mean"),
        coverage_se=("covered", "mean"), width=("width", "mean"),
    )  # fmt: skip
    rmse, coverage = np.sqrt(found["rmse"]), found["coverage"]
    errors = {"rmse_se": found["rmse_se"] / (2 * rmse)}
    errors["coverage_se"] = np.sqrt(coverage * (1 - coverage) / found["n_trials"])
    return found.assign(rmse=rmse, **errors).reset_index()


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Each scheme over all trial sizes: rmse (root mean square over sizes), coverage, bias, by scheme."""
    means = table.assign(squared=table["rmse"] ** 2).groupby("scheme", sort=False)
    found = means[["squared", "coverage", "bias"]].mean()
    return found.assign(rmse=np.sqrt(found["squared"]))


def recommend(table: pd.DataFrame, among: tuple[str, ...] = VALIDATIONS) -> str:
    """The scheme to use, by a rule fixed before the results.

    Over all trial sizes of a `summary`: the smallest root mean squared error among the schemes whose intervals cover
    the truth in 93 to 97 % of trials; if there is none, the coverage nearest to 95 %.
    """
    found = overall(table)
    found = found[found.index.isin(among)]
    return str(found.index[int(_rule(found["rmse"].to_numpy(), found["coverage"].to_numpy()))])


def _rule(rmse: Array, coverage: Array) -> Array:
    """Place of the scheme that `recommend` takes, along the last axis."""
    covers = (coverage >= COVERAGE_RANGE[0]) & (coverage <= COVERAGE_RANGE[1])
    nearest = np.abs(coverage - NOMINAL)
    return np.where(covers.any(-1, keepdims=True), np.where(covers, rmse, np.inf), nearest).argmin(-1)


def firmness(rows: pd.DataFrame, n_resamples: int, rng: np.random.Generator) -> pd.Series:
    """How often the rule would take each scheme if other trials had been simulated: a bootstrap over trials."""
    parts = _judged(rows[rows["scheme"].isin(VALIDATIONS)])
    names = list(dict.fromkeys(parts["scheme"]))
    squared = coverage = 0.0
    for _, size in parts.groupby("n_patients", sort=False):
        wide = size.pivot_table(index="trial", columns="scheme", values=["squared", "covered"]).astype(float)
        again = rng.multinomial(len(wide), np.full(len(wide), 1 / len(wide)), n_resamples) / len(wide)
        squared = squared + again @ wide["squared"][names].to_numpy()
        coverage = coverage + again @ wide["covered"][names].to_numpy()
    n_sizes = parts["n_patients"].nunique()
    taken = _rule(np.sqrt(squared / n_sizes), coverage / n_sizes)
    return pd.Series(names).iloc[taken].value_counts(normalize=True)


def conclude(table: pd.DataFrame, firm: pd.Series) -> dict[str, Any]:
    """The recommended scheme and the row-wise one, from `summary`, and how firm the choice is, from `firmness`.

    ``second`` is the scheme that resamples take most often besides the recommended one, empty when there is none.
    """
    pooled, best = overall(table), recommend(table)
    found: dict[str, Any] = {"recommended": best, "recommended_row_wise": recommend(table, ROW_WISE)}
    found |= pooled.loc[best, ["rmse", "coverage"]].to_dict() | {"share": float(firm.get(best, 0.0))}
    found |= {"covers": bool(COVERAGE_RANGE[0] <= found["coverage"] <= COVERAGE_RANGE[1])}
    others = firm.drop(best, errors="ignore").to_dict() or {"": 0.0}
    second = max(others, key=others.__getitem__)
    found |= {"second": second, "second_share": others[second]}
    return found | {"split_rmse": pooled.loc["split", "rmse"], "optimism": pooled.loc["apparent", "bias"]}


def as_results(table: pd.DataFrame) -> dict[str, Any]:
    """Nested mapping ``n.scheme`` of bias, rmse, coverage (each with ``mc_se``), width and n_trials."""

    def leaf(row: dict[str, Any]) -> dict[str, Any]:
        numbers = {key: {"value": row[key], "mc_se": row[f"{key}_se"]} for key in ("bias", "rmse", "coverage")}
        return numbers | {key: row[key] for key in ("truth", "width", "n_trials")}

    return nested(table, "n_patients", "scheme", leaf=leaf)
