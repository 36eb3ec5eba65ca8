"""Repeated and nested cross-validation to tidy out-of-fold rows, and what they say of each model.

All models that are compared see the same folds. A row is (model, repeat, fold, patient_id, y, y_prob); each patient
appears once a model and repeat, and was not among the rows that made that prediction. A search is an estimator that
searches its settings in its own rows, so that cross-validating it is nested cross-validation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, StratifiedKFold

from attrition import features, metrics, models, seeds
from attrition.metrics import evaluator, intervals
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW

OOF_COLUMNS = ["model", "repeat", "fold", "patient_id", "y", "y_prob"]
FACTOR = 3
"""Halving keeps one candidate in this many, and gives those as many times the trees."""
DETAILED = ("average_precision", "brier_score", "scaled_brier", "calibration_slope", "calibration_in_the_large", "ici")
"""Measures that chapter 05 has for the same predictions, and `model_table` leaves out."""
BOOSTED = ("xgb", "lgbm")
"""Models with a number of trees: the resource that halving spends."""


@dataclass(frozen=True)
class Fold:
    """One split: positions of the training and the test rows, both sorted."""

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray


def repeated_folds(y: np.ndarray, n_folds: int = 5, n_repeats: int = 1, seed: int = 42) -> list[Fold]:
    """Stratified folds, shuffled anew in every repeat; ordered by repeat and fold.

    Examples
    --------
    >>> [len(f.test) for f in repeated_folds(np.tile([0, 1], 10), n_folds=5)]
    [4, 4, 4, 4, 4]
    """
    y = np.asarray(y)
    smaller = np.bincount(y.astype(int), minlength=2).min()
    if smaller < n_folds:
        raise ValueError(f"{n_folds} folds need at least {n_folds} patients of each outcome, found {smaller}")
    folds = []
    for repeat in range(n_repeats):
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seeds.integer(seed, "folds", repeat))
        folds += split_by(splitter, y, repeat)
    return folds


def unshuffled_folds(y: np.ndarray, n_folds: int = 5) -> list[Fold]:
    """Stratified folds in row order, as the published figures used them."""
    return split_by(StratifiedKFold(n_folds), y, 0)


def split_by(splitter: StratifiedKFold, y: np.ndarray, repeat: int) -> list[Fold]:
    """The folds of one repeat."""
    splits = splitter.split(np.zeros(len(y)), y)
    return [Fold(repeat, number, train, test) for number, (train, test) in enumerate(splits)]


def masks(folds: Sequence[Fold], n_rows: int) -> np.ndarray:
    """1 where a row is in the test part of a fold, 0 elsewhere; (n_folds, n_rows)."""
    return np.stack([np.isin(np.arange(n_rows), fold.test) for fold in folds]).astype(float)


def placed(folds: Sequence[Fold], parts: Iterable[np.ndarray | float], n_rows: int) -> np.ndarray:
    """What belongs to the test part of each fold, in one table (n_rows, n_repeats).

    >>> folds = unshuffled_folds(np.array([0, 1, 0, 1]), n_folds=2)
    >>> placed(folds, [[0.1, 0.2], [0.3, 0.4]], 4).ravel().tolist()
    [0.1, 0.2, 0.3, 0.4]
    """
    table = np.full((n_rows, 1 + max(fold.repeat for fold in folds)), np.nan)
    for fold, part in zip(folds, parts, strict=True):
        table[fold.test, fold.repeat] = part
    return table


def _rows(X: Any, positions: np.ndarray) -> Any:
    return X.iloc[positions] if hasattr(X, "iloc") else X[positions]


def _tested(name: str, fold: Fold, ids: np.ndarray, y: np.ndarray, y_prob: np.ndarray) -> pd.DataFrame:
    place = {"model": name, "repeat": fold.repeat, "fold": fold.fold, "patient_id": ids[fold.test]}
    return pd.DataFrame(place | {"y": y[fold.test], "y_prob": y_prob})[OOF_COLUMNS]


def out_of_fold(
    estimators: dict[str, BaseEstimator], X: Any, y: np.ndarray, folds: list[Fold], patient_id: np.ndarray | None = None
) -> pd.DataFrame:
    """Fit every estimator on every training part and predict the test part.

    Parameters
    ----------
    estimators : mapping of str to estimator
        Unfitted pipelines; a search object makes this nested cross-validation.
    X : DataFrame or array of n_patients rows
        Raw columns: everything that is learned is learned inside the estimators.
    y : array of shape (n_patients,)
        Outcome, 0 or 1.
    folds : list of Fold
        The same for all estimators.
    patient_id : array of shape (n_patients,), optional
        Row labels; positions by default.

    Returns
    -------
    DataFrame
        Columns `OOF_COLUMNS`, sorted by model (in the order given), repeat, fold and row.
    """
    y = np.asarray(y)
    ids = np.arange(len(y)) if patient_id is None else np.asarray(patient_id)
    frames = []
    for name, estimator in estimators.items():
        for fold in folds:
            fitted = clone(estimator).fit(_rows(X, fold.train), y[fold.train])
            frames.append(_tested(name, fold, ids, y, models.probability(fitted, _rows(X, fold.test))))
    return pd.concat(frames, ignore_index=True)


def every_model(trial: pd.DataFrame, folds: list[Fold]) -> pd.DataFrame:
    """Out-of-fold rows of every model of `attrition.models.MODELS` and of the oracle, with ``true_probability``."""
    fitted = {name: models.classifier(name) for name in models.MODELS}
    y, ids = trial["dropout"].to_numpy(), trial["patient_id"].to_numpy()
    X = features.matrix(trial, "v3_causal").to_numpy()  # features learn nothing from the rows: once is enough
    with config_context(assume_finite=True, skip_parameter_validation=True):
        oof = out_of_fold(fitted, X, y, folds, ids)
    truth = pd.Series(oracle.of_patients(PUBLISHED_LAW, trial), index=ids)
    oof = oof.assign(true_probability=oof["patient_id"].map(truth))
    perfect = oof[oof["model"] == "null"].assign(model="oracle", y_prob=lambda rows: rows["true_probability"])
    return pd.concat([oof, perfect], ignore_index=True)


def per_repeat(oof: pd.DataFrame, metric: Any) -> pd.DataFrame:
    """A metric of each model in each repeat, over all patients of the repeat: columns model, repeat, value.

    Scores are pooled over the folds of a repeat and never averaged over repeats before ranking: a patient's own event
    is missing from the rows that made the score, which pulls averages of near-constant models below chance.
    """
    return _grouped(oof, ["model", "repeat"], metric)


def per_fold(oof: pd.DataFrame, metric: Any) -> pd.DataFrame:
    """A metric of each model in each fold: columns model, repeat, fold, value. See `per_repeat`."""
    return _grouped(oof, ["model", "repeat", "fold"], metric)


def _grouped(oof: pd.DataFrame, keys: list[str], metric: Any) -> pd.DataFrame:
    by = oof.groupby(keys, sort=False)[["y", "y_prob"]]
    return by.apply(lambda part: metric(part["y"].to_numpy(), part["y_prob"].to_numpy())).reset_index(name="value")


def corrected_interval(found: np.ndarray, value: float, n_folds: int, share: bool = True) -> intervals.Interval:
    """Interval of a repeated cross-validation that allows for training sets that overlap.

    The standard error is sqrt((1/J + 1/(n_folds - 1)) s^2), with s^2 the variance of the J fold figures over all
    repeats, and the quantile Student's with J - 1 degrees of freedom; for a `share` such as an AUROC on the logit
    scale. Without any variance there is no interval.

    References
    ----------
    Nadeau C, Bengio Y. Inference for the generalization error. Machine Learning 2003;52:239-281.

    Examples
    --------
    >>> found = corrected_interval(np.array([0.6, 0.7, 0.65, 0.75, 0.7]), 0.68, 5)
    >>> [round(number, 3) for number in found.values()]
    [0.68, 0.566, 0.776]
    """
    if np.ptp(found) == 0:
        return {"value": value, "ci_low": np.nan, "ci_high": np.nan}
    J = len(found)
    se = float(np.sqrt((1 / J + 1 / (n_folds - 1)) * found.var(ddof=1))) * stats.t.ppf(0.975, J - 1)
    return (intervals.logit_interval if share else intervals.wald)(value, se / stats.norm.ppf(0.975))


def model_table(oof: pd.DataFrame, n_folds: int = 5) -> pd.DataFrame:
    """Measures of each model: a repeat, then averaged, with `corrected_interval`; the evaluator's long table.

    Columns model, measure, value, ci_low, ci_high, fold_sd, n_patients, n_events, and of the AUROC attainable (share of
    the oracle's lift). Measures are the AUROC and whatever was added to the evaluator beside `DETAILED`.
    """
    patients, rows = oof.drop_duplicates("patient_id"), []
    for measure, metric in evaluator.MEASURES.items():
        if measure in DETAILED:
            continue
        by_repeat = per_repeat(oof, metric).groupby("model", sort=False)["value"].mean()
        for model, found in per_fold(oof, metric).groupby("model", sort=False)["value"]:
            interval = corrected_interval(found.to_numpy(), by_repeat[model], n_folds, measure == "auroc")
            rows.append({"model": model, "measure": measure, **interval, "fold_sd": found.std()})
    table = pd.DataFrame(rows).assign(n_patients=len(patients), n_events=int(patients["y"].sum()))
    best = table.loc[(table["model"] == "oracle") & (table["measure"] == "auroc"), "value"].item()
    share = metrics.share_of_attainable_lift(table["value"], best)
    return table.assign(attainable=np.where(table["measure"] == "auroc", share, np.nan))


@dataclass(frozen=True)
class Budget:
    """What a search may spend: settings, inner folds, trees of the first and the last round, each a third as many fits.

    Settings are drawn at random for a boosted model, or spread evenly over the grid for others.
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
    """Unfitted search over the settings of one model: a grid, or successive halving over the number of trees.

    >>> search("lr", budget=Budget(n_candidates=3)).param_grid
    {'classify__C': [0.0001, 0.1, 100.0]}
    """
    budget = budget or Budget()
    base, space = models.classifier(model, strategy, seed), _space(model)
    inner = StratifiedKFold(budget.n_folds, shuffle=True, random_state=seed)
    judged: dict[str, Any] = {"cv": inner, "scoring": score_auroc}
    if model not in BOOSTED:
        return GridSearchCV(
            base, {key: _spread(values, budget.n_candidates) for key, values in space.items()}, **judged
        )
    trees: dict[str, Any] = {"resource": "classify__n_estimators"}
    trees |= {"min_resources": budget.min_trees, "max_resources": budget.max_trees, "factor": FACTOR}
    return HalvingRandomSearchCV(base, space, n_candidates=budget.n_candidates, random_state=seed, **trees, **judged)


def search_cost(found: BaseEstimator) -> dict[str, int]:
    """What a fitted search cost: candidates, fits, and trees grown (0 for models without)."""
    kept = getattr(found, "n_candidates_", [len(found.cv_results_["params"])])
    trees, n = getattr(found, "n_resources_", [0] * len(kept)), found.n_splits_
    grown = n * int(np.dot(kept, trees)) + int(trees[-1])
    return {"candidates": int(kept[0]), "fits": n * int(sum(kept)) + 1, "trees": grown}


def nested(
    names: list[str], trial: pd.DataFrame, folds: list[Fold], seed: int = 42, budget: Budget | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nested cross-validation of tuned models, without balancing.

    Parameters
    ----------
    names : list of str
        Models.
    trial : DataFrame of n_patients rows
        Raw columns, ``dropout`` and ``patient_id``.
    folds : list of Fold
        Outer folds; the same as those of the untuned models, for a paired comparison.
    seed, budget
        See `search`.

    Returns
    -------
    oof : DataFrame
        Out-of-fold rows of the tuned models, columns `OOF_COLUMNS`.
    chosen : DataFrame
        A row a model and outer fold: ``inner_auroc``, `search_cost`, and the settings chosen there.
    """
    y, ids = trial["dropout"].to_numpy(), trial["patient_id"].to_numpy()
    X = features.matrix(trial, "v3_causal").to_numpy()
    parts, chosen = [], []
    for name in names:
        for fold in folds:
            with config_context(assume_finite=True, skip_parameter_validation=True):
                found = search(name, "none", seed, budget).fit(X[fold.train], y[fold.train])
            parts.append(_tested(name, fold, ids, y, models.probability(found, X[fold.test])))
            settings = {key.removeprefix("classify__"): value for key, value in found.best_params_.items()}
            place = {"model": name, "repeat": fold.repeat, "fold": fold.fold}
            chosen.append(place | {"inner_auroc": float(found.best_score_)} | search_cost(found) | settings)
    return pd.concat(parts, ignore_index=True), pd.DataFrame(chosen)


def tuning_gain(untuned: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """AUROC of published and tuned settings on the same folds, with the paired difference.

    AUROCs are taken a fold and averaged: tuned models of different folds may shrink differently, so that their scores
    have no common scale and must not be pooled (column ``tuned_pooled`` shows what pooling would say). The interval of
    the difference adds DeLong's variances of the folds.
    """
    keys, rows = ["model", "repeat", "fold", "patient_id", "y"], []
    published = untuned[[*keys, "y_prob"]].rename(columns={"y_prob": "y_prob_published"})
    for name, both in tuned.merge(published, on=keys, validate="one_to_one").groupby("model", sort=False):
        scores = [part[["y", "y_prob_published", "y_prob"]].to_numpy() for _, part in both.groupby(["repeat", "fold"])]
        folds = [intervals.delong(part[:, 0], part[:, 1:]) for part in scores]
        before, after = np.mean([aurocs for aurocs, _ in folds], axis=0)
        variance = sum(c[0, 0] + c[1, 1] - 2 * c[0, 1] for _, c in folds)
        found = intervals.wald(after - before, np.sqrt(max(variance, 0.0)) / len(folds))
        row = {"model": name, "n_patients": len(both), "n_events": int(both["y"].sum()), "published": before}
        row |= {"tuned": after, "difference": found["value"], "ci_low": found["ci_low"], "ci_high": found["ci_high"]}
        rows.append(row | {"tuned_pooled": metrics.auroc(both["y"].to_numpy(), both["y_prob"].to_numpy())})
    return pd.DataFrame(rows)
