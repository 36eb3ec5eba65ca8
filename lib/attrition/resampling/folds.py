"""Repeated and nested cross-validation to tidy out-of-fold rows.

All models that are compared see the same folds. A row is (model, repeat, fold, patient_id, y, y_prob); each
patient appears once a model and repeat, and was not among the rows that made that prediction.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedKFold

from attrition import models, seeds

OOF_COLUMNS = ["model", "repeat", "fold", "patient_id", "y", "y_prob"]


@dataclass(frozen=True)
class Fold:
    """One split: positions of the training and the test rows, both sorted."""

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray


def repeated_folds(y: np.ndarray, n_folds: int = 5, n_repeats: int = 1, seed: int = 42) -> list[Fold]:
    """Stratified folds, shuffled anew in every repeat.

    Parameters
    ----------
    y : array of shape (n_patients,)
        Outcome, 0 or 1.
    n_folds, n_repeats : int
        Folds a repeat, repeats.
    seed : int
        Repeat r uses the stream ``("folds", r)`` of it.

    Returns
    -------
    list of Fold
        Ordered by repeat and fold.

    Raises
    ------
    ValueError
        When the smaller class has fewer patients than there are folds.

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
        splits = splitter.split(np.zeros(len(y)), y)
        folds += [Fold(repeat, number, train, test) for number, (train, test) in enumerate(splits)]
    return folds


def unshuffled_folds(y: np.ndarray, n_folds: int = 5) -> list[Fold]:
    """Stratified folds in row order, as the published figures used them."""
    splits = StratifiedKFold(n_folds).split(np.zeros(len(y)), y)
    return [Fold(0, number, train, test) for number, (train, test) in enumerate(splits)]


def _rows(X: Any, positions: np.ndarray) -> Any:
    return X.iloc[positions] if hasattr(X, "iloc") else X[positions]


def _predictions(
    estimators: Mapping[str, BaseEstimator], X: Any, y: np.ndarray, fold: Fold
) -> Iterator[tuple[str, np.ndarray]]:
    for name, estimator in estimators.items():
        fitted = clone(estimator).fit(_rows(X, fold.train), y[fold.train])
        yield name, models.probability(fitted, _rows(X, fold.test))


def out_of_fold(
    estimators: Mapping[str, BaseEstimator],
    X: Any,
    y: np.ndarray,
    folds: list[Fold],
    patient_id: np.ndarray | None = None,
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
    frames = [
        pd.DataFrame(
            {
                "model": name,
                "repeat": fold.repeat,
                "fold": fold.fold,
                "patient_id": ids[fold.test],
                "y": y[fold.test],
                "y_prob": y_prob,
            }
        )
        for fold in folds
        for name, y_prob in _predictions(estimators, X, y, fold)
    ]
    rows = pd.concat(frames, ignore_index=True)
    order = rows["model"].map({name: i for i, name in enumerate(estimators)})
    return rows.iloc[order.argsort(kind="stable")].reset_index(drop=True)[OOF_COLUMNS]


def per_repeat(oof: pd.DataFrame, metric: Any) -> pd.DataFrame:
    """A metric of each model in each repeat, over all patients of the repeat.

    Scores are pooled over the folds of a repeat and never averaged over repeats before ranking: a patient's
    own event is missing from the rows that made the score, which pulls averages of near-constant models below
    chance.

    Parameters
    ----------
    oof : DataFrame
        Columns `OOF_COLUMNS`.
    metric : callable
        ``metric(y_true, y_prob) -> float``.

    Returns
    -------
    DataFrame
        Columns model, repeat, value.
    """
    return _grouped(oof, ["model", "repeat"], metric)


def per_fold(oof: pd.DataFrame, metric: Any) -> pd.DataFrame:
    """A metric of each model in each fold: columns model, repeat, fold, value. See `per_repeat`."""
    return _grouped(oof, ["model", "repeat", "fold"], metric)


def _grouped(oof: pd.DataFrame, keys: list[str], metric: Any) -> pd.DataFrame:
    rows = [
        dict(zip(keys, key, strict=True), value=metric(part["y"].to_numpy(), part["y_prob"].to_numpy()))
        for key, part in oof.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows)
