"""Tuning within the training rows: a seeded search with a stated budget, as one estimator.

A search is an estimator that searches its settings in its own rows, so that cross-validating it is nested
cross-validation: the rows that judge the tuned model have not chosen its settings.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, StratifiedKFold

from attrition import features, metrics, models
from attrition.metrics import intervals
from attrition.resampling import folds

FACTOR = 3
"""Halving keeps one candidate in this many, and gives those as many times the trees."""
BOOSTED = ("xgb", "lgbm")
"""Models with a number of trees: the resource that halving spends."""


@dataclass(frozen=True)
class Budget:
    """What a search may spend, fixed before the results.

    Attributes
    ----------
    n_candidates : int
        Settings drawn at random for a boosted model, or spread evenly over the grid for others.
    n_folds : int
        Inner folds.
    min_trees, max_trees : int
        Trees of the first and of the last round; each round keeps a third and trebles the trees.
    """

    n_candidates: int = 9
    n_folds: int = 3
    min_trees: int = 20
    max_trees: int = 180


def score_auroc(fitted: BaseEstimator, X: Any, y: np.ndarray) -> float:
    """Scorer of searches: scikit-learn's ``"roc_auc"`` without its checks, which take longer than a small fit."""
    return metrics.auroc(y, models.probability(fitted, X))


def _space(model: str) -> dict[str, list[Any]]:
    return {f"classify__{key}": values for key, values in models.MODELS[model].search.items()}


def _spread(values: list[Any], n: int) -> list[Any]:
    return [values[i] for i in np.unique(np.linspace(0, len(values) - 1, n).round().astype(int))]


def search(model: str, strategy: str = "none", seed: int = 42, budget: Budget | None = None) -> BaseEstimator:
    """Unfitted search over the settings of one model, from a feature matrix to a probability.

    Boosted models: successive halving over the number of trees. Others: a grid.

    Parameters
    ----------
    model : str
        Key of `attrition.models.MODELS` with settings to search.
    strategy : str
        Key of `attrition.models.STRATEGIES`.
    seed : int
        Of candidates and inner folds.
    budget : Budget, optional

    Returns
    -------
    estimator
        With `predict_proba`, refitted on all its rows with the best settings by AUROC.

    Examples
    --------
    >>> search("lr", budget=Budget(n_candidates=3)).param_grid
    {'classify__C': [0.0001, 0.1, 100.0]}
    """
    budget = budget or Budget()
    inner = StratifiedKFold(budget.n_folds, shuffle=True, random_state=seed)
    base, space = models.classifier(model, strategy, seed), _space(model)
    if model not in BOOSTED:
        grid = {key: _spread(values, budget.n_candidates) for key, values in space.items()}
        return GridSearchCV(base, grid, cv=inner, scoring=score_auroc)
    return HalvingRandomSearchCV(
        base,
        space,
        n_candidates=budget.n_candidates,
        factor=FACTOR,
        resource="classify__n_estimators",
        min_resources=budget.min_trees,
        max_resources=budget.max_trees,
        cv=inner,
        scoring=score_auroc,
        random_state=seed,
    )


def fits(model: str, budget: Budget) -> dict[str, int]:
    """What one search costs: candidates, fits, and trees grown (0 for models without).

    Examples
    --------
    >>> fits("xgb", Budget(9, 3, 20, 180))
    {'candidates': 9, 'fits': 40, 'trees': 1800}
    """
    if model not in BOOSTED:
        candidates = np.prod([len(_spread(values, budget.n_candidates)) for values in _space(model).values()])
        return {"candidates": int(candidates), "fits": int(candidates) * budget.n_folds + 1, "trees": 0}
    n_fits, trees, kept, size = 1, 0, budget.n_candidates, budget.min_trees
    while True:
        n_fits, trees = n_fits + kept * budget.n_folds, trees + kept * size * budget.n_folds
        if kept < FACTOR or size * FACTOR > budget.max_trees:
            return {"candidates": budget.n_candidates, "fits": n_fits, "trees": trees + size}
        kept, size = int(np.ceil(kept / FACTOR)), size * FACTOR


@dataclass(frozen=True)
class Nested:
    """Out-of-fold rows (see `attrition.resampling.OOF_COLUMNS`) and the settings chosen in each outer fold."""

    oof: pd.DataFrame
    chosen: pd.DataFrame


def nested(
    names: list[str],
    trial: pd.DataFrame,
    folds: list[folds.Fold],
    strategy: str = "none",
    seed: int = 42,
    budget: Budget | None = None,
) -> Nested:
    """Nested cross-validation of tuned models.

    Parameters
    ----------
    names : list of str
        Models.
    trial : DataFrame of n_patients rows
        Raw columns, ``dropout`` and ``patient_id``.
    folds : list of Fold
        Outer folds; the same as those of the untuned models, for a paired comparison.
    strategy, seed, budget
        See `search`.

    Returns
    -------
    Nested
    """
    y, ids = trial["dropout"].to_numpy(), trial["patient_id"].to_numpy()
    X = features.matrix(trial, "v3_causal").to_numpy()  # features learn nothing from the rows: once is enough
    parts, chosen = [], []
    for name in names:
        for fold in folds:
            with config_context(assume_finite=True, skip_parameter_validation=True):
                found = search(name, strategy, seed, budget).fit(X[fold.train], y[fold.train])
            parts.append(_oof_rows(name, fold, ids, y, models.probability(found, X[fold.test])))
            settings = {key.removeprefix("classify__"): value for key, value in found.best_params_.items()}
            place = {"model": name, "repeat": fold.repeat, "fold": fold.fold}
            chosen.append(place | {"inner_auroc": float(found.best_score_)} | settings)
    return Nested(pd.concat(parts, ignore_index=True), pd.DataFrame(chosen))


def _oof_rows(name: str, fold: folds.Fold, ids: np.ndarray, y: np.ndarray, y_prob: np.ndarray) -> pd.DataFrame:
    rows = {"model": name, "repeat": fold.repeat, "fold": fold.fold, "patient_id": ids[fold.test]}
    return pd.DataFrame(rows | {"y": y[fold.test], "y_prob": y_prob})[folds.OOF_COLUMNS]


def compare(untuned: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """AUROC of published and tuned settings on the same folds, with the paired difference.

    AUROCs are taken a fold and averaged: tuned models of different folds may shrink differently, so that their scores
    have no common scale and must not be pooled (column ``tuned_pooled`` shows what pooling would say).

    Parameters
    ----------
    untuned, tuned : DataFrame
        Out-of-fold rows of the same folds.

    Returns
    -------
    DataFrame
        Columns model, n, events, published, tuned, difference, ci_low, ci_high, tuned_pooled. The interval adds
        DeLong's variances of the folds.
    """
    rows = []
    for name, part in tuned.groupby("model", sort=False):
        published = untuned[untuned["model"] == name].rename(columns={"y_prob": "y_prob_published"})
        keys = ["repeat", "fold", "patient_id", "y"]
        both = part.merge(published[[*keys, "y_prob_published"]], on=keys, validate="one_to_one")
        events = int(both["y"].sum())
        rows.append(
            {"model": name, "n": len(both), "events": events}
            | _paired(both)
            | {"tuned_pooled": metrics.auroc(both["y"].to_numpy(), both["y_prob"].to_numpy())}
        )
    return pd.DataFrame(rows)


def _paired(both: pd.DataFrame) -> dict[str, float]:
    aurocs, variances = [], []
    for _, part in both.groupby(["repeat", "fold"], sort=False):
        value, covariance = intervals.delong(part["y"], part[["y_prob_published", "y_prob"]].to_numpy())
        aurocs.append(value)
        variances.append(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    published, tuned = np.mean(aurocs, axis=0)
    se = float(np.sqrt(max(sum(variances), 0.0))) / len(variances)
    found = intervals.wald(float(tuned - published), se)
    return {"published": float(published), "tuned": float(tuned), "difference": found["value"]} | {
        key: found[key] for key in ("ci_low", "ci_high")
    }
