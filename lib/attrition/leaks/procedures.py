"""Ways of validating a model, each honest and leaky: the leaky way uses the outcome or the patient of the test part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from attrition import seeds
from attrition.metrics import ranks
from attrition.models import batched
from attrition.resampling import Fold, repeated_folds

Scores = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Patient of each row, its outcome, its score a repeat (n_rows, n_repeats)."""


@dataclass(frozen=True)
class Task:
    """Data of a procedure leak: numbers without missing values, outcome, and what belongs to whom."""

    X: np.ndarray
    y: np.ndarray
    patient: np.ndarray
    category: np.ndarray
    candidates: np.ndarray
    n_folds: int
    n_repeats: int
    seed: int
    C: float

    def folds(self, y: np.ndarray | None = None, name: str = "folds") -> list[Fold]:
        """Folds of the rows (not of the patients)."""
        outcome = self.y if y is None else y
        return repeated_folds(outcome, self.n_folds, self.n_repeats, seeds.integer(self.seed, name))


def _masks(folds: Sequence[Fold], n_rows: int) -> np.ndarray:
    masks = np.zeros((len(folds), n_rows))
    for row, fold in enumerate(folds):
        masks[row, fold.train] = 1.0
    return masks


def _collect(folds: Sequence[Fold], scores: Sequence[np.ndarray], n_rows: int) -> np.ndarray:
    """Scores of the test parts, a column a repeat."""
    table = np.full((n_rows, 1 + max(fold.repeat for fold in folds)), np.nan)
    for fold, score in zip(folds, scores, strict=True):
        table[fold.test, fold.repeat] = score
    return table


def _settings_oof(task: Task, rows: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """Out-of-fold probabilities of all settings among some rows, as `logistic_oof`; (n_settings, n_rows, n_repeats)."""
    X, y, settings = task.X[rows], task.y[rows], _settings(task)
    masks = np.tile(_masks(folds, len(y)), (len(settings), 1))
    tables = np.repeat(np.stack([X[:, columns] for columns, _ in settings]), len(folds), axis=0)
    C = np.repeat([C for _, C in settings], len(folds))[:, None]
    fit = batched.fit_pipeline(tables, y, counts=masks, C=C)
    scores = expit(batched.decision_function(fit, tables)).reshape(len(settings), len(folds), len(y))
    return np.stack(
        [_collect(folds, [p[fold.test] for p, fold in zip(each, folds, strict=True)], len(y)) for each in scores]
    )


def _aurocs(y: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """AUROC of every setting and repeat, (n_settings, n_repeats)."""
    scores = np.moveaxis(tables, 2, 1)
    return ranks.auroc(y, scores.reshape(-1, len(y))).reshape(scores.shape[:2])


def logistic_oof(X: np.ndarray, y: np.ndarray, folds: Sequence[Fold], C: float) -> np.ndarray:
    """Out-of-fold probabilities of a ridge logistic regression, standardised and fitted in each training part.

    Parameters
    ----------
    X : ndarray, shape (n_rows, n_features) or (n_folds, n_rows, n_features)
        The latter where a feature is learned within the fold.
    y : ndarray, shape (n_rows,)
    folds : sequence of Fold
    C : float

    Returns
    -------
    ndarray, shape (n_rows, n_repeats)
    """
    fit = batched.fit_pipeline(X, y, counts=_masks(folds, len(y)), C=C)
    scores = expit(batched.decision_function(fit, X))
    return _collect(folds, [row[fold.test] for row, fold in zip(scores, folds, strict=True)], len(y))


BOOSTED = {"objective": "binary:logistic", "max_depth": 4, "learning_rate": 0.3, "nthread": 1, "seed": 1}
ROUNDS = 40


def _boosted(X: np.ndarray, y: np.ndarray, X_new: np.ndarray) -> np.ndarray:
    """XGBoost's own loop: the scores of `XGBClassifier` without its checks, which cost half of so small a fit."""
    import xgboost

    data = xgboost.DMatrix(X, y, nthread=1)
    booster = xgboost.Booster(BOOSTED | {"disable_default_eval_metric": True}, [data])
    for number in range(ROUNDS):
        booster.update(data, number)
    return ranks.settled(booster.inplace_predict(X_new))


def _boosted_oof(X: np.ndarray, y: np.ndarray, folds: Sequence[Fold], rows_of: Callable | None = None) -> np.ndarray:
    """Out-of-fold probabilities of a model that can remember rows."""
    scores = []
    for fold in folds:
        train = fold.train if rows_of is None else rows_of(fold)
        scores.append(_boosted(X[train], y[train], X[fold.test]))
    return _collect(folds, scores, len(y))


def _strongest(X: np.ndarray, y: np.ndarray, rows: np.ndarray, n: int = 5) -> np.ndarray:
    x, outcome = X[rows] - X[rows].mean(axis=0), y[rows] - y[rows].mean()
    strength = ranks.settled(np.abs(x.T @ outcome) / np.sqrt((x**2).sum(axis=0) + 1e-12))
    return np.argsort(-strength, kind="stable")[:n]


def selection(task: Task, honest: bool) -> Scores:
    """The five candidates with the strongest correlation, chosen on the training part or on everybody."""
    folds, everybody = task.folds(), np.arange(len(task.y))
    chosen = [_strongest(task.candidates, task.y, fold.train if honest else everybody) for fold in folds]
    stacked = np.stack([task.candidates[:, columns] for columns in chosen])
    return task.patient, task.y, logistic_oof(stacked, task.y, folds, task.C)


def _balanced_rows(y: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows, with rows of the smaller class repeated until both are as many."""
    ones, zeros = rows[y[rows] == 1], rows[y[rows] == 0]
    small, large = (ones, zeros) if len(ones) < len(zeros) else (zeros, ones)
    return np.concatenate([rows, rng.choice(small, len(large) - len(small))])


def oversampling(task: Task, honest: bool) -> Scores:
    """The smaller class repeated to balance, within the training part or before the split."""
    rng = seeds.stream(task.seed, "oversampling")
    if honest:
        scores = _boosted_oof(task.X, task.y, task.folds(), lambda fold: _balanced_rows(task.y, fold.train, rng))
        return task.patient, task.y, scores
    rows = _balanced_rows(task.y, np.arange(len(task.y)), rng)
    return task.patient[rows], task.y[rows], _boosted_oof(task.X[rows], task.y[rows], task.folds(task.y[rows]))


def imputation(task: Task, honest: bool, share: float = 0.3) -> Scores:
    """Values deleted at random, then filled with a mean: of the training part, or of the outcome class."""
    rng = seeds.stream(task.seed, "imputation")
    holed = np.where(rng.random(task.X.shape) < share, np.nan, task.X)
    folds = task.folds()
    if not honest:
        means = np.stack([np.nanmean(holed[task.y == k], axis=0) for k in (0, 1)])
        filled = np.where(np.isnan(holed), means[task.y], holed)
        return task.patient, task.y, logistic_oof(filled, task.y, folds, task.C)
    filled = np.stack([np.where(np.isnan(holed), np.nanmean(holed[fold.train], axis=0), holed) for fold in folds])
    return task.patient, task.y, logistic_oof(filled, task.y, folds, task.C)


def encoding(task: Task, honest: bool) -> Scores:
    """Each category replaced by its event rate: in the training part, or among everybody."""
    folds, everybody = task.folds(), np.arange(len(task.y))

    def encoded(rows: np.ndarray) -> np.ndarray:
        rates = pd.Series(task.y[rows]).groupby(task.category[rows]).mean()
        return pd.Series(task.category).map(rates).fillna(task.y[rows].mean()).to_numpy()[:, None]

    stacked = np.stack([encoded(fold.train if honest else everybody) for fold in folds])
    return task.patient, task.y, logistic_oof(stacked, task.y, folds, task.C)


def _settings(task: Task) -> list[tuple[np.ndarray, float]]:
    """Forty candidate models: random halves of the features with weak or strong ridge."""
    rng = seeds.stream(task.seed, "settings")
    half = max(1, task.X.shape[1] // 2)
    return [(np.sort(rng.permutation(task.X.shape[1])[:half]), C) for C in (0.01, 10.0) for _ in range(20)]


def tuning(task: Task, honest: bool) -> Scores:
    """The best of forty settings: by inner folds, or by the test parts themselves."""
    folds = task.folds()
    tables = _settings_oof(task, np.arange(len(task.y)), folds)
    if not honest:
        best = np.argmax(_aurocs(task.y, tables), axis=0)
        return task.patient, task.y, np.column_stack([tables[k][:, r] for r, k in enumerate(best)])
    scores = []
    for fold in folds:
        inner = repeated_folds(task.y[fold.train], task.n_folds - 1, 1, seeds.integer(task.seed, "inner", fold.repeat))
        value = _aurocs(task.y[fold.train], _settings_oof(task, fold.train, inner))
        scores.append(tables[int(np.argmax(value))][fold.test, fold.repeat])
    return task.patient, task.y, _collect(folds, scores, len(task.y))


def grouped_folds(task: Task) -> list[Fold]:
    """Folds of patients: all rows of a patient are in one part; stratified by the patient's first outcome."""
    patients, first = np.unique(task.patient, return_index=True)
    folds = []
    for fold in repeated_folds(task.y[first], task.n_folds, task.n_repeats, seeds.integer(task.seed, "folds")):
        test = np.isin(task.patient, patients[fold.test])
        folds.append(Fold(fold.repeat, fold.fold, np.flatnonzero(~test), np.flatnonzero(test)))
    return folds


def repeated(task: Task, honest: bool) -> Scores:
    """Several rows a patient: folds of patients, or of rows."""
    folds = grouped_folds(task) if honest else task.folds()
    return task.patient, task.y, _boosted_oof(task.X, task.y, folds)
