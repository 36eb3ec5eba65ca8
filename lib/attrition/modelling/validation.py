"""Internal validation: how well does each scheme estimate what a fitted model will do on new patients?

Aim: choose the scheme the report relies on. Data: trials simulated from the published law. Estimand: the AUROC, in
the population, of the model fitted on all patients of the trial at hand. Methods:
`attrition.resampling.schemes.SCHEMES`, for logistic regression. Performance measures: bias, root mean squared error,
coverage and width of the 95 % interval.
"""

from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd

from attrition import engine, features, seeds, simulate
from attrition.metrics import ranks
from attrition.resampling.schemes import SCHEMES, Sizes, estimate
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW

Array = np.ndarray
NOMINAL = 0.95
BLOCK = 10
"""Trials that share one task."""
COVERAGE_RANGE = (0.93, 0.97)
RANGE_WORDS = "{:.0f} to {:.0f} %".format(*(100 * end for end in COVERAGE_RANGE))
TUNED = ("tuned_cv", "nested")
"""Schemes that validate a model whose penalty is tuned; their truth is that of the tuned model."""
VALIDATIONS = tuple(scheme for scheme in SCHEMES if scheme not in ("apparent", *TUNED))
"""Schemes among which the report chooses for models with fixed settings."""
ROW_WISE = ("cv5", "repeated_cv5", "repeated_cv5_corrected")
"""Schemes that predict every patient out of sample, as calibration and decision curves need."""


@dataclass(frozen=True)
class Population:
    """Patients whose exact probabilities are known: features (n, p), probabilities (n,), oracle's shortfall.

    `shift` is the oracle's exact AUROC less its AUROC on these patients. Added to a model's AUROC here, it
    takes away most of the error of using a finite population (a control variate).
    """

    X: Array
    p: Array
    shift: float

    def auroc(self, beta: Array) -> Array:
        """Population AUROC of models with intercept and coefficients (n_models, 1 + p); shape (n_models,)."""
        return ranks.binned_soft_auroc(self.p, beta[:, :1] + beta[:, 1:] @ self.X.T)[0] + self.shift


def population(n: int, seed: int) -> Population:
    """Draw the population; see `Population`."""
    patients = simulate.draw_patients(PUBLISHED_LAW, n, seeds.stream(seed, "validation", "population"))
    p = oracle.of_patients(PUBLISHED_LAW, patients)
    shift = oracle.exact(PUBLISHED_LAW)["auroc"] - float(ranks.soft_auroc(p, p)[0])
    return Population(features.matrix(patients, "v3_causal").to_numpy(), p, shift)


def study(
    trial_sizes: list[int],
    n_trials: int,
    n_population: int,
    seed: int,
    sizes: Sizes | None = None,
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

    Returns
    -------
    DataFrame
        Columns n_patients, trial, scheme, truth, value, ci_low, ci_high.
    """
    everyone = population(n_population, seed)
    tasks = [
        joblib.delayed(_block_rows)(everyone, n, range(first, min(first + BLOCK, n_trials)), seed, sizes)
        for n in trial_sizes
        for first in range(0, n_trials, BLOCK)
    ]
    return pd.DataFrame([row for part in engine.compute(tasks, "validation schemes") for row in part])


def _block_rows(everyone: Population, n: int, trials: range, seed: int, sizes: Sizes | None) -> list[dict]:
    return [row for trial in trials for row in _trial_rows(everyone, n, trial, seed, sizes)]


def _trial_rows(everyone: Population, n: int, trial: int, seed: int, sizes: Sizes | None) -> list[dict]:
    drawn = simulate.draw_arrays(PUBLISHED_LAW, n, seeds.stream(seed, "validation", n, trial))
    X, y = features.array(drawn, features.VERSIONS["v3_causal"]), drawn["dropout"].astype(float)
    found = estimate(X, y, seeds.stream(seed, "validation", "folds", n, trial), sizes)
    plain, tuned = everyone.auroc(np.stack([found.plain, found.tuned]))
    return [
        {
            "n_patients": n,
            "trial": trial,
            "scheme": scheme,
            "truth": tuned if scheme in TUNED else plain,
            **dict(zip(("value", "ci_low", "ci_high"), numbers, strict=True)),
        }
        for scheme, numbers in found.by_scheme.items()
    ]


def _judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Each estimate held against the truth."""
    error = rows["value"] - rows["truth"]
    covered = (rows["ci_low"] <= rows["truth"]) & (rows["truth"] <= rows["ci_high"])
    return rows.assign(error=error, squared=error**2, covered=covered, width=rows["ci_high"] - rows["ci_low"])


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
    parts = _judged(rows)
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
    return str(found["scheme"].iloc[int(_rule(found["rmse"].to_numpy(), found["coverage"].to_numpy()))])


def _rule(rmse: Array, coverage: Array) -> Array:
    """Place of the scheme that `recommend` takes, along the last axis."""
    covers = (coverage >= COVERAGE_RANGE[0]) & (coverage <= COVERAGE_RANGE[1])
    nearest = np.abs(coverage - NOMINAL)
    return np.where(covers.any(-1, keepdims=True), np.where(covers, rmse, np.inf), nearest).argmin(-1)


def firmness(
    rows: pd.DataFrame, n_resamples: int, rng: np.random.Generator, among: tuple[str, ...] = VALIDATIONS
) -> pd.Series:
    """How often the rule would take each scheme if other trials had been simulated: a bootstrap over trials.

    Parameters
    ----------
    rows : DataFrame
        From `study`.
    n_resamples : int
    rng : numpy.random.Generator
    among : tuple of str
        Eligible schemes.

    Returns
    -------
    Series
        Share of resamples by scheme, largest first. Trials of each size are drawn with replacement, the same for
        all schemes.
    """
    parts = _judged(rows[rows["scheme"].isin(among)])
    schemes = list(dict.fromkeys(parts["scheme"]))
    squared = coverage = 0.0
    for _, size in parts.groupby("n_patients", sort=False):
        wide = size.pivot_table(index="trial", columns="scheme", values=["squared", "covered"]).astype(float)
        drawn = rng.multinomial(len(wide), np.full(len(wide), 1 / len(wide)), n_resamples) / len(wide)
        squared = squared + drawn @ wide["squared"][schemes].to_numpy()
        coverage = coverage + drawn @ wide["covered"][schemes].to_numpy()
    n_sizes = parts["n_patients"].nunique()
    taken = _rule(np.sqrt(squared / n_sizes), coverage / n_sizes)
    return pd.Series(schemes).iloc[taken].value_counts(normalize=True)


def conclude(table: pd.DataFrame, firm: pd.Series) -> dict[str, Any]:
    """Sentence about the recommended scheme and the row-wise one, chosen from the numbers.

    Parameters
    ----------
    table : DataFrame
        From `summary`.
    firm : Series
        From `firmness`.

    Returns
    -------
    dict
        ``sentence`` (a template), its values, ``recommended`` and ``recommended_row_wise`` (keys of `SCHEMES`).
    """
    pooled = overall(table).set_index("scheme")
    best, rows = recommend(table), recommend(table, ROW_WISE)
    covered = bool(COVERAGE_RANGE[0] <= pooled.loc[best, "coverage"] <= COVERAGE_RANGE[1])
    reason = (
        f"of the schemes whose intervals cover the truth in {RANGE_WORDS} of trials it has the smallest error"
        if covered
        else f"no scheme covers within {RANGE_WORDS}, and it comes nearest to {100 * NOMINAL:.0f} %"
    )
    same = "It also predicts every patient out of sample." if rows == best else "For measures that need "
    same += "" if rows == best else "out-of-sample predictions of every patient the rule takes *{rows_label}*."
    sentence = (
        f"For the AUROC the rule recommends *{{label}}*: {reason}. Over the sizes its root mean squared error "
        "is {rmse:.4f} and its interval covers the truth in {coverage:.1%}; one split has {split_rmse:.4f}, and "
        f"the apparent AUROC is too high by {{optimism:.3f}}. {_doubt(best, firm)} {same}"
    )
    values = {"label": SCHEMES[best], "rows_label": SCHEMES[rows], **pooled.loc[best, ["rmse", "coverage"]].to_dict()}
    others = firm.drop(best, errors="ignore")
    values |= {"share": float(firm.get(best, 0.0)), "second_share": float(others.max()) if len(others) else 0.0}
    values |= {"second_label": SCHEMES[str(others.idxmax())] if len(others) else ""}
    values |= {"split_rmse": pooled.loc["split", "rmse"], "optimism": pooled.loc["apparent", "bias"]}
    return {"sentence": sentence, "recommended": best, "recommended_row_wise": rows, **values}


def _doubt(best: str, firm: pd.Series) -> str:
    """Template of the sentence on how firmly the trials settle the choice."""
    if firm.get(best, 0.0) == 1:
        return "Whichever of the trials are drawn again, the rule takes the same scheme."
    firmly = "The choice is firm" if firm.get(best, 0.0) >= NOMINAL else "The choice is not firm"
    return (
        f"{firmly}: over bootstrap samples of the trials the rule takes *{{label}}* in {{share:.0%}} and "
        "*{second_label}* in {second_share:.0%}."
    )


def as_results(table: pd.DataFrame) -> dict[str, Any]:
    """Nested mapping ``n.scheme`` of bias, rmse, coverage (each with ``mc_se``), width and n_trials."""
    found: dict[str, Any] = {}
    for row in table.to_dict("records"):
        numbers = {key: {"value": row[key], "mc_se": row[f"{key}_se"]} for key in ("bias", "rmse", "coverage")}
        numbers |= {key: row[key] for key in ("truth", "width", "n_trials")}
        found.setdefault(str(row["n_patients"]), {})[row["scheme"]] = numbers
    return found
