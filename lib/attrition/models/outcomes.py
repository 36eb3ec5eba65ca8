"""Cross-validate one ridge regression under many outcomes of the same patients, as a permutation test needs it.

The training parts are the same for all outcomes, so one inverse of a bound on the second derivatives serves them all
(Böhning's bound: a variance of a binary outcome is at most one quarter), and a step is three matrix products.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from attrition.models.ridge import GRID, INNER_FOLDS, Design, Follow, loss

Array = np.ndarray
NEAR, ENOUGH = 0.02, 1e-3
"""Change of a log odds below which a fit has settled: while penalties are compared, and of the chosen one."""
MAX_STEPS = 200


def out_of_fold(design: Design, Y: Array, fold: Array, labels: Array, grid: Sequence[float] = GRID) -> Array:
    """Out-of-fold log odds for every outcome, the penalty chosen by inner folds in each training part.

    Parameters
    ----------
    design : Design
    Y : ndarray, shape (n_outcomes, n)
    fold : ndarray of int, shape (n,)
        Test fold of every patient.
    labels : ndarray of int, shape (n_folds, n)
        Inner fold of the patients of each training part, see `ridge.inner_labels`.
    grid : sequence of float

    Returns
    -------
    ndarray, shape (n_outcomes, n)

    References
    ----------
    Böhning and Lindsay (1988), Ann Inst Stat Math 40, 641-663.
    """
    found = np.empty(Y.shape)
    for k in range(len(labels)):
        train, test = fold != k, fold == k
        best = _search(design, Y, train, labels[k], np.asarray(grid))
        for position in np.unique(best):
            rows = np.flatnonzero(best == position)
            start = np.zeros((len(rows), design.table.shape[1]))
            beta = _Bound(design, train).fitted(Y[rows], grid[position], start, ENOUGH)
            found[np.ix_(rows, test)] = beta @ design.table[test].T
    return found


def _search(design: Design, Y: Array, train: Array, label: Array, grid: Array) -> Array:
    follow, shape = Follow(len(Y)), (INNER_FOLDS, len(Y), design.table.shape[1])
    bounds, beta = [_Bound(design, train & (label != f)) for f in range(INNER_FOLDS)], np.zeros(shape)
    for position, C in enumerate(grid):
        going, losses = np.flatnonzero(follow.going), np.zeros(len(Y))
        for f, bound in enumerate(bounds):
            beta[f, going] = bound.fitted(Y[going], C, beta[f, going], NEAR)
            held = label == f
            losses[going] += loss(Y[np.ix_(going, held)], beta[f, going] @ design.table[held].T).sum(axis=1)
        if not follow.see(position, losses):
            break
    return follow.best


class _Bound:
    """The rows of a training part, its penalty, and a quarter of its products of columns."""

    def __init__(self, design: Design, rows: Array):
        self.rows, self.table = rows, design.table[rows]
        (self.form,) = design.penalty(rows[None].astype(float))
        self.quarter = self.table.T @ self.table / 4

    def fitted(self, Y: Array, C: float, start: Array, tol: float) -> Array:
        """Coefficients for every outcome, from `start`."""
        inverse = np.linalg.inv(C * self.quarter + self.form)
        beta, going, y = start.copy(), np.arange(len(start)), Y[:, self.rows]
        for _ in range(MAX_STEPS):
            own = beta[going]
            slope = C * ((expit(own @ self.table.T) - y[going]) @ self.table) + own @ self.form
            step = slope @ inverse
            beta[going] = own - step
            going = going[np.abs(step @ self.table.T).max(axis=1) > tol]
            if not len(going):
                break
        return beta
