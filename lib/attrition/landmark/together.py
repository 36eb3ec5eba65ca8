"""One model for all landmarks: the rows of all of them stacked, with effects that may change with the landmark.

The super-landmark model of van Houwelingen and Putter. A patient gives one row a landmark at which it is at risk; folds
and inner folds take patients, never rows.

References
----------
van Houwelingen (2007), Scandinavian Journal of Statistics 34, 70-85. van Houwelingen and Putter (2012), Dynamic
Prediction in Clinical Survival Analysis, chapter 7.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attrition import seeds
from attrition.landmark.prediction import Problem
from attrition.landmark.uncertainty import Half, collected
from attrition.metrics import ranks
from attrition.models.ridge import RidgeLogistic
from attrition.resampling import Fold

PERIOD = 28.0
"""Days by which the landmark is counted."""


@dataclass(frozen=True)
class Stack:
    """Rows of all landmarks.

    Attributes
    ----------
    X : ndarray, shape (n_rows, n_columns)
        Features that all landmarks have, the landmark, and their products.
    y, landmark : ndarray, shape (n_rows,)
    patient : ndarray of int, shape (n_rows,)
        Patients numbered over all landmarks.
    free : ndarray of bool, shape (n_columns,)
        The arm and the landmark: not penalised.
    ids : pandas.Index
        Of the patients.
    """

    X: np.ndarray
    y: np.ndarray
    landmark: np.ndarray
    patient: np.ndarray
    free: np.ndarray
    ids: pd.Index


def stacked(problems: Mapping[int, Problem]) -> Stack:
    """The stack of several landmarks' problems."""
    parts = list(problems.values())
    common = [name for name in parts[0].columns("all") if all(name in of.X for of in parts)]
    ids = pd.Index(sorted(set().union(*(of.X.index for of in parts))))
    landmark = np.concatenate([np.full(len(of.y), float(of.landmark)) for of in parts])
    moved = ((landmark - landmark.mean()) / PERIOD)[:, None]
    X = np.concatenate([of.X[common].to_numpy(float) for of in parts])
    centred = X - np.nanmean(X, axis=0)
    arm = np.array([name in parts[0].groups.get("arm", ()) for name in common])
    free = np.concatenate([arm, [True], np.zeros(len(common), dtype=bool)])
    patient = np.concatenate([ids.get_indexer(of.X.index) for of in parts])
    y = np.concatenate([of.y for of in parts])
    return Stack(np.hstack([X, moved, np.where(np.isnan(X), 0.0, centred) * moved]), y, landmark, patient, free, ids)


def _predicted(
    stack: Stack, of: Problem, cases: Sequence[tuple[np.ndarray, np.ndarray]], seed: int
) -> list[np.ndarray]:
    """Predictions of test rows of a landmark, by models of all rows of the patients that may be trained on.

    Each case names the test rows of the landmark, and, for all patients of the stack, who may be trained on.
    """
    trainings = [np.flatnonzero(allowed[stack.patient]) for _, allowed in cases]
    estimator = RidgeLogistic(free=stack.free, seed=seeds.integer(seed, "penalty", "together", of.landmark))
    found = estimator.probabilities(stack.X, stack.y, trainings, stack.patient)
    rows = np.flatnonzero(stack.landmark == of.landmark)
    return [ranks.settled(p[rows][test]) for p, (test, _) in zip(found, cases, strict=True)]


def developed(
    stack: Stack, of: Problem, folds: Sequence[Fold], drawn: Sequence[Half], seed: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Out-of-fold predictions at a landmark, on all patients and in half-samples.

    A half-sample takes half of the patients of the landmark, and half of those who had left before it.

    Parameters
    ----------
    stack : Stack
    of : Problem
        The landmark.
    folds : sequence of Fold
    drawn : sequence of Half
    seed : int

    Returns
    -------
    predictions : ndarray, shape (n_patients, n_repeats)
    halves : list of ndarray
        See `attrition.landmark.uncertainty.redeveloped`.
    """
    own = stack.ids.get_indexer(of.X.index)
    gone = np.setdiff1d(np.arange(len(stack.ids)), own)
    cases = [(fold.test, _without(len(stack.ids), own[fold.test])) for fold in folds]
    for half in drawn:
        absent = np.concatenate([np.setdiff1d(own, own[half.rows]), half.outside(gone)])
        cases += [(test, _without(len(stack.ids), absent, own[test])) for _, test in half.splits()]
    found = iter(_predicted(stack, of, cases, seed))
    predictions = np.full((len(of.y), 1 + max(fold.repeat for fold in folds)), np.nan)
    for fold in folds:
        predictions[fold.test, fold.repeat] = next(found)
    return predictions, [collected(len(of.y), half.splits(), found)[half.rows] for half in drawn]


def _without(n: int, *absent: np.ndarray) -> np.ndarray:
    allowed = np.ones(n, dtype=bool)
    allowed[np.concatenate(absent)] = False
    return allowed
