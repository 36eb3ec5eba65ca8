"""Ridge logistic regression whose penalty is chosen inside the data it is developed on, many developments at once.

One table serves all developments: each counts its own rows, so that cross-validation, bootstrap and leave-one-out are
rows of counts. What is learned from those rows (median of the known values, scale, penalty, coefficients) enters as the
penalty's quadratic form; the table itself is never copied.

Axes: ``R`` developments, ``n`` rows, ``q`` columns of the design (a constant, the features, a mark a pattern of gaps).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from attrition.models.batched import Shared

Array = np.ndarray
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
INNER_FOLDS = 5
PATIENCE = 2
"""Values of the grid in a row that are worse than the best before them, after which the search ends."""
LONGEST = 4.0
"""Largest change of a log odds in one step."""
NEAR, ENOUGH = 0.1, 1e-9
"""Change of a log odds below which a fit has settled: while penalties are compared, and of the chosen one."""
MAX_STEPS = 60
AT_ONCE = 40
"""Developments that run together: memory stays small."""
NO_SPREAD = 1e-12
HELD = 1e-11
"""Penalty of what is not penalised: keeps an arm without patients, or without events, finite."""


@dataclass(frozen=True)
class Design:
    """A table as the fits see it.

    Attributes
    ----------
    table : ndarray, shape (n, q)
        Constant, features on a common scale with gaps at 0, and one 0/1 mark for each pattern of gaps.
    centre, scale : ndarray, shape (p,)
    gaps : ndarray of bool, shape (n, p)
    marks : ndarray of int, shape (p,)
        Column of each feature's mark; 0 where the feature has no gap.
    free : ndarray of bool, shape (p,)
        Features without a penalty.
    """

    table: Array
    centre: Array
    scale: Array
    gaps: Array
    marks: Array
    free: Array

    @classmethod
    def of(cls, X: Array, free: Sequence[bool] | Array | None = None) -> Self:
        """The design of features ``X``, shape (n, p), gaps as NaN."""
        X = np.asarray(X, dtype=float)
        gaps = np.isnan(X)
        known = np.maximum((~gaps).sum(axis=0), 1)
        centre = np.where(gaps, 0.0, X).sum(axis=0) / known
        scale = np.sqrt((np.where(gaps, 0.0, X - centre) ** 2).sum(axis=0) / known)
        scale[scale <= NO_SPREAD * np.maximum(1.0, np.abs(centre))] = 1.0
        patterns, marks = _patterns(gaps)
        free = np.zeros(X.shape[1], dtype=bool) if free is None else np.asarray(free, dtype=bool)
        table = np.column_stack([np.ones(len(X)), np.where(gaps, 0.0, (X - centre) / scale), gaps[:, patterns]])
        return cls(table, centre, scale, gaps, marks, free)

    def rows(self, X: Array) -> Array:
        """Other patients in the columns of the design; a gap that has no mark of its own becomes the median."""
        X = np.asarray(X, dtype=float)
        gaps, everybody = np.isnan(X), np.ones((1, len(self.table)))
        patterns = [np.flatnonzero(self.marks == column)[0] for column in np.unique(self.marks[self.marks > 0])]
        marked = np.column_stack([np.zeros(len(X)), gaps[:, patterns]])
        own = marked[:, np.maximum(self.marks - len(self.marks), 0)] > 0
        middle = np.where(own, 0.0, self.medians(everybody, np.arange(len(self.marks))))
        scaled = np.where(gaps, middle, (X - self.centre) / self.scale)
        return np.column_stack([np.ones(len(X)), scaled, marked[:, 1:]])

    def medians(self, counts: Array, features: Array) -> Array:
        """Median of the known values among the counted rows, of some features (0 for the others); (R, p)."""
        middle = np.zeros((len(counts), len(self.marks)))
        for j in features:
            known = np.flatnonzero(~self.gaps[:, j])
            order = known[np.argsort(self.table[known, 1 + j], kind="stable")]
            values, below = self.table[order, 1 + j], counts[:, order].cumsum(axis=1)
            half = below[:, -1:] / 2 if len(known) else np.zeros((len(counts), 1))
            first, last = (below >= half).argmax(axis=1), (below > half).argmax(axis=1)
            middle[:, j] = np.where(half[:, 0] > 0, (values[first] + values[last]) / 2, 0.0)
        return middle

    def penalty(self, counts: Array) -> Array:
        """Quadratic form (R, q, q) of a unit ridge on features that are filled with the median and standardised.

        A feature with gaps is filled by its mark, so the mark's own coefficient, which is penalised as well, is what
        is left of the design's coefficient after the filling.
        """
        p, total = len(self.marks), counts.sum(axis=1, keepdims=True)
        middle = self.medians(counts, np.flatnonzero(self.marks))
        share, squares = counts @ self.table / total, counts @ self.table**2 / total
        gone = np.where(self.marks > 0, share[:, self.marks], 0.0)
        mean = share[:, 1 : p + 1] + middle * gone
        spread = _positive(squares[:, 1 : p + 1] + middle**2 * gone - mean**2)
        form = np.zeros((len(counts), self.table.shape[1], self.table.shape[1]))
        inside = np.arange(1, p + 1)
        form[:, 0, 0], form[:, inside, inside] = HELD, np.where(self.free, HELD, spread)
        for column in range(p + 1, self.table.shape[1]):
            own = np.zeros((len(counts), self.table.shape[1]))
            filled = np.flatnonzero(self.marks == column)
            own[:, column], own[:, 1 + filled] = 1.0, -middle[:, filled]
            form += _positive(share[:, column] * (1 - share[:, column]))[:, None, None] * own[:, :, None] * own[:, None]
        return form


def _patterns(gaps: Array) -> tuple[list[int], Array]:
    """First feature of every pattern of gaps, and the column of each feature's mark."""
    first: dict[bytes, int] = {}
    for j in np.flatnonzero(gaps.any(axis=0)):
        first.setdefault(gaps[:, j].tobytes(), int(j))
    column = {pattern: 1 + gaps.shape[1] + k for k, pattern in enumerate(first)}
    marks = [column.get(gaps[:, j].tobytes(), 0) if gaps[:, j].any() else 0 for j in range(gaps.shape[1])]
    return list(first.values()), np.array(marks, dtype=int)


def _positive(variance: Array) -> Array:
    return np.where(variance > NO_SPREAD, variance, 1.0)


def inner_labels(rng: np.random.Generator, counts: Array, group: Array | None = None) -> Array:
    """Inner fold of every counted row, -1 for the others; all rows of a group, or of a patient, in one fold.

    Parameters
    ----------
    rng : numpy.random.Generator
    counts : ndarray, shape (R, n)
    group : ndarray of int, shape (n,), optional

    Examples
    --------
    >>> inner_labels(np.random.default_rng(1), np.array([[1, 1, 0, 2, 1, 1]]), np.array([0, 0, 1, 2, 3, 4])).tolist()
    [[2, 2, -1, 0, 3, 1]]
    """
    group = np.arange(counts.shape[1]) if group is None else group
    n_groups = group.max() + 1
    present = np.zeros((len(counts), n_groups), dtype=bool)
    for members in np.unique(group):
        present[:, members] = (counts[:, group == members] > 0).any(axis=1)
    order = np.where(present, rng.random((len(counts), n_groups)), 2.0).argsort(axis=1)
    place = order.argsort(axis=1) % INNER_FOLDS
    return np.where(counts > 0, place[:, group], -1)


def fitted(
    tables: Shared, y: Array, counts: Array, form: Array, C: Array | float, start: Array, tol: float = ENOUGH
) -> Array:
    r"""Coefficients (R, q) that minimise :math:`C \sum_i w_i \ell(y_i, x_i'b) + \tfrac12 b'Pb`, by Newton steps.

    Parameters
    ----------
    tables : Shared
        Of the design.
    y, counts : ndarray, shape (R, n)
    form : ndarray, shape (R, q, q)
        P, see `Design.penalty`.
    C : float or ndarray, shape (R,)
        Inverse penalty.
    start : ndarray, shape (R, q)
    tol : float
        Largest change of a log odds in a last step.

    References
    ----------
    le Cessie S, van Houwelingen JC (1992), J R Stat Soc C 41:191-201.
    """
    found, open_, weights = start.copy(), np.arange(len(counts)), counts * np.reshape(C, (-1, 1))
    for _ in range(MAX_STEPS):
        beta, weight = found[open_], weights[open_]
        risk = expit(tables.linear(beta))
        slope = tables.cross(weight * (risk - y[open_])) + (form[open_] @ beta[:, :, None])[:, :, 0]
        curve = tables.gram(weight * risk * (1 - risk)) + form[open_]
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        change = np.abs(tables.linear(step)).max(axis=1)
        found[open_] = beta - step / np.maximum(1.0, change / LONGEST)[:, None]
        open_ = open_[change > tol]
        if not len(open_):
            break
    return found


def loss(y: Array, log_odds: Array) -> Array:
    """Log loss of every row."""
    return np.logaddexp(0.0, log_odds) - y * log_odds


def developed(
    design: Design, y: Array, counts: Array, labels: Array, grid: Sequence[float] = GRID
) -> tuple[Array, Array]:
    """Develop a model on each set of counted rows: choose the penalty by inner folds, then fit.

    The inner log loss is followed from the strongest penalty on; the search ends when two values in a row were worse
    than the best before them.

    Parameters
    ----------
    design : Design
    y : ndarray, shape (n,) or (R, n)
    counts : ndarray, shape (R, n)
        How often each row takes part.
    labels : ndarray of int, shape (R, n)
        From `inner_labels`.
    grid : sequence of float
        Inverse penalties, strongest penalty first.

    Returns
    -------
    coef : ndarray, shape (R, q)
        On the columns of the design.
    chosen : ndarray, shape (R,)
        Inverse penalty of each.
    """
    tables, y = Shared(design.table), np.broadcast_to(y, counts.shape)
    parts = [slice(first, first + AT_ONCE) for first in range(0, len(counts), AT_ONCE)]
    found = [_developed(design, tables, y[s], counts[s], labels[s], np.asarray(grid)) for s in parts]
    return np.concatenate([coef for coef, _ in found]), np.concatenate([chosen for _, chosen in found])


def _developed(
    design: Design, tables: Shared, y: Array, counts: Array, labels: Array, grid: Array
) -> tuple[Array, Array]:
    n_sets = len(counts)
    form, zero = design.penalty(counts), np.zeros((n_sets, design.table.shape[1]))
    nothing_penalised = design.free.all() and not design.marks.any()
    if nothing_penalised or len(grid) == 1:
        chosen = np.full(n_sets, grid[-1])
    else:
        chosen = grid[_search(design, tables, y, counts, labels, grid)]
    return fitted(tables, y, counts, form, chosen, zero), chosen


def _search(design: Design, tables: Shared, y: Array, counts: Array, labels: Array, grid: Array) -> Array:
    """Position of the best penalty of each development."""
    n_sets, folds = len(counts), np.arange(INNER_FOLDS)
    held = np.concatenate([counts * (labels == k) for k in folds])
    kept, outcome = np.tile(counts, (INNER_FOLDS, 1)) - held, np.tile(y, (INNER_FOLDS, 1))
    of = np.tile(np.arange(n_sets), INNER_FOLDS)
    form, beta = design.penalty(kept), np.zeros((len(kept), design.table.shape[1]))
    follow = Follow(n_sets)
    for position, C in enumerate(grid):
        rows = np.flatnonzero(follow.going[of])
        inverse = np.full(len(rows), C)
        beta[rows] = fitted(tables, outcome[rows], kept[rows], form[rows], inverse, beta[rows], NEAR)
        losses = (held[rows] * loss(outcome[rows], beta[rows] @ design.table.T)).sum(axis=1)
        if not follow.see(position, np.bincount(of[rows], losses, minlength=n_sets)):
            break
    return follow.best


class Follow:
    """The best value of a grid so far, for many searches at once, and which of them still go on."""

    def __init__(self, n: int):
        self.lowest, self.best = np.full(n, np.inf), np.zeros(n, dtype=int)
        self.since, self.going = np.zeros(n, dtype=int), np.ones(n, dtype=bool)

    def see(self, position: int, losses: Array) -> bool:
        """Take the losses at the next value of the grid; whether any search goes on."""
        better = self.going & (losses < self.lowest - 1e-9)
        self.lowest, self.best = np.where(better, losses, self.lowest), np.where(better, position, self.best)
        self.since = np.where(better, 0, self.since + 1)
        self.going &= self.since < PATIENCE
        return bool(self.going.any())


class RidgeLogistic(ClassifierMixin, BaseEstimator):
    """Median and mark of gaps, scaling, ridge logistic regression: all learned on the rows it is fitted on.

    Parameters
    ----------
    grid : sequence of float
        Inverse penalties to choose from by inner folds; a single one is taken as it is.
    free : sequence of bool, optional
        Features without a penalty.
    seed : int
        Of the inner folds.
    """

    def __init__(self, grid: Sequence[float] = GRID, free: Sequence[bool] | Array | None = None, seed: int = 0):
        self.grid, self.free, self.seed = grid, free, seed

    def fit(self, X: Any, y: Array) -> Self:
        """Fit on all rows."""
        self.classes_ = np.array([0, 1])
        self.design_ = Design.of(X, self.free)
        self.coef_, self.C_ = self._develop(self.design_, y, np.ones((1, len(y))), None)
        return self

    def _develop(self, design: Design, y: Array, counts: Array, group: Array | None) -> tuple[Array, Array]:
        labels = inner_labels(np.random.default_rng(self.seed), counts, group)
        return developed(design, np.asarray(y, dtype=float), counts, labels, self.grid)

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of no event and of the event, (n_patients, 2)."""
        p = expit(self.design_.rows(X) @ self.coef_[0])
        return np.column_stack([1 - p, p])

    def probabilities(self, X: Array, y: Array, trainings: Sequence[Array], group: Array | None = None) -> Array:
        """Probability of every row under a model developed on each training part.

        Parameters
        ----------
        X : ndarray, shape (n_rows, n_features)
        y : ndarray, shape (n_rows,)
            Outcomes outside a training part are not looked at.
        trainings : sequence of ndarray of int
            Rows of each part; a row may come more than once.
        group : ndarray of int, shape (n_rows,), optional
            Patient of each row, where a patient has several.

        Returns
        -------
        ndarray, shape (n_trainings, n_rows)
        """
        design = Design.of(X, self.free)
        counts = np.stack([np.bincount(rows, minlength=len(X)) for rows in trainings]).astype(float)
        coef, _ = self._develop(design, y, counts, group)
        return expit(np.stack([design.table @ beta for beta in coef]))
