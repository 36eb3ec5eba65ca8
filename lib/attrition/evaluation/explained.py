"""The published models fitted, opened and developed again: what chapter 05 shows beside the law.

`attrition.evaluation.explain` and `attrition.evaluation.stability` compute on arrays; here they meet the models of
`attrition.models` and the trial's columns.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from attrition import features, models, seeds, simulate
from attrition.evaluation import explain, out_of_fold, stability
from attrition.evaluation.appraisal import FITTED
from attrition.resampling import Fold
from attrition.simulate import oracle

GRIDS = {"adverse_events": np.arange(0, 7), "visits_completed": np.arange(0, 11)}
"""Values at which partial dependence is taken."""

Fitted = dict[str, list[BaseEstimator]]


def _law(trial: pd.DataFrame) -> NDArray:
    return oracle.of_patients(simulate.PUBLISHED_LAW, trial)


def _predict(fitted: BaseEstimator) -> Callable[[pd.DataFrame], NDArray]:
    return lambda X: models.probability(fitted, X)


def coefficients_beside_law(X: pd.DataFrame, y: NDArray, weights: NDArray) -> pd.DataFrame:
    """Coefficients of logistic regression with bootstrap intervals, and what the law puts on each feature (`law`)."""
    law = explain.law_coefficients(X)
    return explain.coefficients(X, y, weights, "balanced").assign(law=law.to_numpy())


def fit_folds(trial: pd.DataFrame, y: NDArray, folds: Sequence[Fold], names: Sequence[str]) -> Fitted:
    """Fit every model on the training part of every fold, from raw columns."""
    return {
        name: [models.pipeline(name).fit(trial.iloc[fold.train], y[fold.train]) for fold in folds] for name in names
    }


def on_features(fitted: Sequence[BaseEstimator], folds: Sequence[Fold]) -> list[tuple[NDArray, Callable]]:
    """Held-out rows and a prediction from model inputs, past the pipelines' first step."""
    return [(fold.test, _predict(model[1:])) for model, fold in zip(fitted, folds, strict=True)]


def raw_importance(
    fitted: Fitted,
    folds: Sequence[Fold],
    trial: pd.DataFrame,
    y: NDArray,
    weights: NDArray,
    seed: int,
    n_permutations: int,
) -> pd.DataFrame:
    """Permutation importance of the raw columns for every model and for the oracle.

    Parameters
    ----------
    fitted : mapping
        From `fit_folds`.
    folds : sequence of Fold
        The same folds.
    trial : pandas.DataFrame of n_patients rows
    y : array of shape (n_patients,)
    weights : array of shape (n_patients, n_resamples)
    seed, n_permutations : int

    Returns
    -------
    pandas.DataFrame
        ``model, column, importance, ci_low, ci_high``. All models see the same shuffles.
    """
    held_out = {
        name: [(fold.test, _predict(model)) for model, fold in zip(members, folds, strict=True)]
        for name, members in fitted.items()
    }
    held_out["oracle"] = [(fold.test, _law) for fold in folds]
    columns = list(features.RAW_COLUMNS)
    frames = []
    for name, predictors in held_out.items():
        rng = seeds.stream(seed, "permutation", "raw")
        table = explain.permutation_importance(predictors, trial, y, weights, rng, columns, n_permutations)
        frames.append(table.assign(model=name))
    return pd.concat(frames, ignore_index=True)[["model", "column", "importance", "ci_low", "ci_high"]]


def importances(
    trial: pd.DataFrame, X: pd.DataFrame, y: NDArray, folds: Sequence[Fold], weights: NDArray, seed: int, n: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Permutation importance of logistic regression's inputs, and of the raw columns for every model.

    Parameters
    ----------
    trial : pandas.DataFrame of shape (n_patients, n_columns)
    X : pandas.DataFrame of shape (n_patients, n_features)
        Model inputs.
    y : array of shape (n_patients,)
    folds : sequence of attrition.resampling.Fold
    weights : array of shape (n_patients, n_resamples)
        Bootstrap weights of the intervals.
    seed, n : int
        Seed, and permutations a column.

    Returns
    -------
    tuple of pandas.DataFrame
        ``column, importance, ci_low, ci_high``; and `raw_importance`.
    """
    fitted = fit_folds(trial, y, folds, FITTED)
    rng = seeds.stream(seed, "permutation")
    inputs = on_features(fitted["lr"], folds)
    by_feature = explain.permutation_importance(inputs, X, y, weights, rng, list(X), n)
    return by_feature, raw_importance(fitted, folds, trial, y, weights, seed, n)


def importance_table(importance: pd.DataFrame) -> pd.DataFrame:
    """`raw_importance` for readers: a row a column, a text cell a model, most important to the oracle first."""
    cells = importance.rename(columns={"importance": "value"}).to_dict("records")
    shown = pd.DataFrame(
        {"column": row["column"], "model": row["model"], "cell": out_of_fold.as_text(row)} for row in cells
    )
    wide = shown.set_index(["column", "model"])["cell"].unstack()  # noqa: PD010 (text is not aggregated)
    order = importance[importance["model"] == "oracle"].sort_values("importance", ascending=False)["column"]
    return wide.loc[order, list(dict.fromkeys(importance["model"]))].reset_index()


def dependence(trial: pd.DataFrame, y: NDArray) -> dict[str, pd.DataFrame]:
    """Partial dependence of the fitted models, fitted to all patients, and of the law, on `GRIDS`."""
    predictors = {name: _predict(models.pipeline(name).fit(trial, y)) for name in models.FITTED}
    predictors["oracle"] = _law
    return {column: explain.partial_dependence(predictors, trial, column, grid) for column, grid in GRIDS.items()}


def dependence_data(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`dependence` as one table: ``column, model, value, y_prob``."""
    return pd.concat([table.assign(column=column) for column, table in found.items()], ignore_index=True)


def contribution_table(X: pd.DataFrame, y: NDArray) -> pd.DataFrame:
    """Share of each feature in the mean absolute contribution: tree models, and the law.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_patients, n_features)
        Model inputs.
    y : array of shape (n_patients,)

    Returns
    -------
    pandas.DataFrame
        ``feature, xgb, lgbm, law``, largest under the law first.
    """
    shares = {}
    for name in ("xgb", "lgbm"):
        classifier = models.classifier(name).fit(X, y).named_steps["classify"]
        shares[name] = explain.contribution_shares(explain.contributions(classifier, X))
    shares["law"] = explain.contribution_shares(explain.law_contributions(X))
    table = pd.DataFrame(shares).rename_axis("feature").reset_index()
    return table.sort_values(["law", "xgb"], ascending=False, ignore_index=True)


def unused_share(shares: pd.DataFrame, model: str) -> float:
    """Share of a model's contributions that goes to features which the law does not use; see `contribution_table`."""
    return float(shares.loc[shares["law"] == 0, model].sum())


def boosted_stability(X: pd.DataFrame, y: NDArray, weights: NDArray, name: str = "lgbm") -> tuple[NDArray, NDArray]:
    """`attrition.evaluation.stability.bootstrap_estimator` of a published tree model."""

    def fit_predict(rows: NDArray) -> NDArray:
        return models.probability(models.classifier(name).fit(X.iloc[rows], y[rows]), X)

    return stability.bootstrap_estimator(fit_predict, weights)


def stability_summaries(
    fitted: Mapping[str, tuple[NDArray, NDArray]],
    y: NDArray,
    true: NDArray,
    weights: NDArray,
    thresholds: Mapping[str, float],
    often: float,
) -> dict[str, dict[str, float]]:
    """`stability.summary` of fitted models, of the oracle (which never moves) and of the null model.

    Parameters
    ----------
    fitted : mapping of str to (original, resampled)
    y, true : array of shape (n_patients,)
    weights : array of shape (n_patients, n_resamples)
        The samples on which the null model takes its event rate.
    thresholds : mapping of str to float
    often : float
        See `attrition.evaluation.stability.summary`.
    """
    n = y.size
    null = np.full(n, y.mean()), np.broadcast_to(y @ weights / n, (n, weights.shape[1]))
    everyone = {**fitted, "oracle": (true, true[:, None]), "null": null}
    at = list(thresholds.values())
    return {name: stability.summary(stability.per_patient(*pair, at), often) for name, pair in everyone.items()}


def stability_table(
    found: Mapping[str, Mapping[str, float]],
    n_models: Mapping[str, int],
    otherwise: int,
    n_patients: int,
    n_events: int,
    thresholds: Mapping[str, float],
) -> pd.DataFrame:
    """Stability of every model for readers, with unsteady patients at each threshold.

    Parameters
    ----------
    found : mapping
        From `stability_summaries`.
    n_models : mapping of str to int
        Number of models developed again, where it is not `otherwise`.
    otherwise, n_patients, n_events : int
    thresholds : mapping of str to float
    """
    rows = []
    for name, summary in found.items():
        row = {
            "model": models.LABELS[name],
            "n": n_patients,
            "events": n_events,
            "models": n_models.get(name, otherwise),
        }
        row |= {
            "mape": summary["mape"],
            "median_width": summary["median_width"],
            "changes_band": summary["changes_band"],
        }
        row |= {f"unsteady at {t:g}": summary[f"unsteady_at_{t:g}"] for t in thresholds.values()}
        rows.append(row)
    return pd.DataFrame(rows)
