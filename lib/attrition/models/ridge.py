"""Ridge logistic regression whose penalty is chosen inside the data it is developed on, many developments at once.

One table serves all developments: each counts its own rows, so that cross-validation, bootstrap and leave-one-out are
rows of counts. What is learned from those rows (median of the known values, scale, penalty, coefficients) enters as the
penalty's quadratic form; the table itself is never copied.

Axes: ``R`` developments, ``n`` rows, ``q`` columns of the design (a constant, the features, a mark a pattern of gaps).
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from attrition.models.batched import Shared, newton

Array = np.ndarray
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
INNER_FOLDS = 5
PATIENCE = 2
"""Values of the grid in a row that are worse than the best before them, after which the search ends."""
NEAR = 0.1
"""Change of a log odds below which a fit is good enough while penalties are compared."""
AT_ONCE = 40
"""Developments that run together: memory stays small."""
PLENTY, TOGETHER = 40, 10
"""Rows (events of a Cox model) for each column from which inner folds are left out by one step, and how many
developments then run together."""
SETTLED, EXACT = 1e-3, 1e-8
"""Change of a log odds below which a fit is good enough to step away from, and to be the last."""
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

    @functools.cached_property
    def ordered(self) -> dict[int, Array]:
        """Of the features that were asked for, the rows where each is known, from its lowest value on."""
        return {}

    def medians(self, counts: Array, features: Array) -> Array:
        """Median of the known values among the counted rows, of some features (0 for the others); (R, p)."""
        middle = np.zeros((len(counts), len(self.marks)))
        for j in features:
            if j not in self.ordered:
                known = np.flatnonzero(~self.gaps[:, j])
                self.ordered[j] = known[np.argsort(self.table[known, 1 + j], kind="stable")]
            order = self.ordered[j]
            for row, below in enumerate(counts.take(order, axis=1).cumsum(axis=1) if len(order) else ()):
                if below[-1] > 0:
                    ends = [np.searchsorted(below, below[-1] / 2, side) for side in ("left", "right")]
                    middle[row, j] = self.table[order[ends], 1 + j].sum() / 2
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

    >>> inner_labels(np.random.default_rng(1), np.array([[1, 1, 0, 2, 1, 1]]), np.array([0, 0, 1, 2, 3, 4])).tolist()
    [[2, 2, -1, 0, 3, 1]]
    """
    group = np.arange(counts.shape[1]) if group is None else group
    by_group = np.argsort(group, kind="stable")
    begins = np.searchsorted(group[by_group], np.arange(group.max() + 1))
    present = np.logical_or.reduceat(counts[:, by_group] > 0, begins, axis=1)
    order = np.where(present, rng.random(present.shape), 2.0).argsort(axis=1)
    place = order.argsort(axis=1) % INNER_FOLDS
    return np.where(counts > 0, place[:, group], -1)


def loss(y: Array, log_odds: Array) -> Array:
    """Log loss of every row."""
    return np.logaddexp(0.0, log_odds) - y * log_odds


def developed(
    design: Design, y: Array, counts: Array, labels: Array, grid: Sequence[float] = GRID
) -> tuple[Array, Array]:
    """Develop a model on each set of counted rows: choose the penalty by inner folds, then fit.

    The inner log loss is followed from the strongest penalty on; the search ends when two values in a row were worse
    than the best before them. Where rows are plenty, see `PLENTY`, an inner fold is left out by one Newton step.

    Gives coefficients on the columns of the design, (R, q), and the inverse penalty that each chose, (R,).
    """
    y, values = np.broadcast_to(y, counts.shape), np.asarray(grid)
    searched = len(values) > 1 and (not design.free.all() or design.marks.any())
    plenty = (counts > 0).sum(axis=1).min() >= PLENTY * design.table.shape[1]
    size, everybody, found = TOGETHER if plenty else AT_ONCE, Shared(design.table), []
    for part in (slice(first, first + size) for first in range(0, len(counts), size)):
        own, outcome, label, tables = counts[part], y[part], labels[part], everybody
        form, best, start = design.penalty(own), np.full(len(own), len(values) - 1), np.zeros((len(own), everybody.q))
        if plenty:  # what no development of this part counts is left out
            rows = own.any(axis=0)
            own, outcome, label = own[:, rows], outcome[:, rows], label[:, rows]
            tables = tables if rows.all() else Shared(design.table[rows])
        near, inverse = 0.0, None
        if searched and plenty:
            near, (best, start, inverse) = EXACT, _stepped_search(tables, form, outcome, own, label, values)
        elif searched:
            best = _inner_search(design, tables, outcome, own, label, values)
        C = values[best]
        found.append((newton(tables, outcome, own * C[:, None], form, start, near, inverse)[0], C))
    return np.concatenate([coef for coef, _ in found]), np.concatenate([chosen for _, chosen in found])


def _stepped_search(
    tables: Shared, form: Array, y: Array, counts: Array, labels: Array, grid: Array
) -> tuple[Array, Array, Array]:
    r"""Position of the best penalty of each development, its coefficients there, and inverse second derivatives.

    The fit of all counted rows settles at every penalty, with the second derivatives of the one before; from there an
    inner fold :math:`f` is left out by one Newton step, and its loss taken to the second order. With :math:`H_f` its
    share of the second derivatives :math:`H` of the loss and :math:`g_f` its gradient,

    .. math:: \delta_f = -\{C (H - H_f) + P\}^{-1} \{C (g - g_f) + P b\}, \qquad
              \ell_f(b) + g_f'\delta_f + \tfrac12 \delta_f' H_f \delta_f

    This is the infinitesimal jackknife of Giordano and others (2019), with the remaining rows' second derivatives.
    """
    total, rate = counts.sum(axis=1), (counts * y).sum(axis=1) / counts.sum(axis=1)
    path = np.zeros((len(grid), len(counts), tables.q))
    beta = np.column_stack([np.log(rate / (1 - rate)), path[0, :, 1:]])
    curve = tables.gram(counts * (rate * (1 - rate))[:, None], slice(None))

    def losses(C: float, going: Array) -> Array:
        of, lost = np.flatnonzero(going), np.zeros(len(counts))
        own, outcome, penalty = counts[of], y[of], form[of]
        inverse = np.linalg.inv(C * curve[of] + penalty)
        beta[of], _ = newton(tables, outcome, C * own, penalty, beta[of], SETTLED, inverse)
        path[np.searchsorted(grid, C), of] = beta[of]
        log_odds = tables.linear(beta[of], slice(None))
        risk, missed = expit(log_odds), own * loss(outcome, log_odds)
        curve[of], pull = tables.gram(own * risk * (1 - risk), slice(None)), own * (risk - outcome)
        held = [labels[of] == fold for fold in range(INNER_FOLDS)]
        slopes = np.stack([tables.cross(pull * one, slice(None)) for one in held])
        bias = (penalty @ beta[of][:, :, None])[:, :, 0]
        for one, slope in zip(held, slopes, strict=True):
            share = ((own * one).sum(axis=1) / total[of])[:, None, None]
            kept = C * (slopes.sum(axis=0) - slope) + bias
            step = -np.linalg.solve(C * (1 - share) * curve[of] + penalty, kept[:, :, None])
            bent = (step.transpose(0, 2, 1) @ (share * curve[of] @ step))[:, 0, 0]
            lost[of] += (missed * one).sum(axis=1) + (slope * step[:, :, 0]).sum(axis=1) + bent / 2
        return lost

    best = best_of_grid(grid, len(counts), losses)
    return best, path[best, np.arange(len(best))], np.linalg.inv(grid[best, None, None] * curve + form)


def _inner_search(design: Design, tables: Shared, y: Array, counts: Array, labels: Array, grid: Array) -> Array:
    """Position of the best penalty of each development."""
    n_sets, folds = len(counts), np.arange(INNER_FOLDS)
    held = np.concatenate([counts * (labels == k) for k in folds])
    kept, outcome = np.tile(counts, (INNER_FOLDS, 1)) - held, np.tile(y, (INNER_FOLDS, 1))
    of = np.tile(np.arange(n_sets), INNER_FOLDS)
    form, beta = design.penalty(kept), np.zeros((len(kept), tables.q))

    def losses(C: float, going: Array) -> Array:
        rows = np.flatnonzero(going[of])
        beta[rows], _ = newton(tables, outcome[rows], C * kept[rows], form[rows], beta[rows], NEAR)
        lost = (held[rows] * loss(outcome[rows], beta[rows] @ design.table.T)).sum(axis=1)
        return np.bincount(of[rows], lost, minlength=n_sets)

    return best_of_grid(grid, n_sets, losses)


def best_of_grid(grid: Sequence[float] | Array, n: int, losses: Callable[[float, Array], Array]) -> Array:
    """Place of the best value of a grid in each of many searches at once.

    A search ends when `PATIENCE` values in a row were worse than the best before them.
    """
    lowest, best = np.full(n, np.inf), np.zeros(n, dtype=int)
    since, going = np.zeros(n, dtype=int), np.ones(n, dtype=bool)
    for position, value in enumerate(grid):
        found = losses(value, going)
        better = going & (found < lowest - 1e-9)
        lowest, best = np.where(better, found, lowest), np.where(better, position, best)
        since = np.where(better, 0, since + 1)
        going = going & (since < PATIENCE)
        if not going.any():
            break
    return best


class OneStep:
    """Out-of-fold log odds, up to a constant a fold, for many outcomes of the same patients, by one Newton step each.

    As a permutation test needs them: the penalty is chosen by inner folds, and every fit is one step from the rate,
    whose second derivatives are the same for all outcomes of that rate. So nothing but sums over the patients of each
    test and inner fold depends on the outcome, and these are made once for all training parts. With `weight`, of each
    patient, the derivatives are those of the mean weight in a test fold, within which outcomes move with their weights.

    `fold` has the test fold of every patient, and `inner` the inner fold in whatever training part it is.
    """

    def __init__(
        self, design: Design, fold: Array, inner: Array, grid: Sequence[float] = GRID, weight: Array | None = None
    ):
        tests, fold = np.unique(fold, return_inverse=True)
        self.order, self.grid, self.folds = np.lexsort((inner, fold)), grid, []
        self.table, self.shape = design.table[self.order], (len(tests), INNER_FOLDS)
        cells = np.searchsorted((fold * INNER_FOLDS + inner)[self.order], np.arange(len(tests) * INNER_FOLDS + 1))
        self.cells = [slice(*ends) for ends in itertools.pairwise(cells)]
        usual = np.ones(len(fold)) if weight is None else (np.bincount(fold, weight) / np.bincount(fold))[fold]
        roots = np.sqrt(usual[self.order, None]) * self.table
        bends = self._by_fold([roots[cell].T @ roots[cell] for cell in self.cells])
        for k in range(len(tests)):
            kept = np.stack([fold != k, *((fold != k) & (inner != f) for f in range(INNER_FOLDS))])
            self.folds.append((np.delete(bends, k, axis=0).sum(axis=0), design.penalty(usual * kept)))

    def _by_fold(self, each: Sequence[Array]) -> Array:
        """One array a cell, by test and inner fold."""
        return np.stack(each).reshape(*self.shape, *each[0].shape)

    def _sums(self, rows: Array) -> Array:
        """Sums of the table's rows, weighted, in each test and inner fold: (n_folds, INNER_FOLDS, n_outcomes, q)."""
        rows = rows.take(self.order, axis=1)
        return self._by_fold([rows[:, cell] @ self.table[cell] for cell in self.cells])

    def __call__(self, Y: Array, weights: Array | None = None) -> Array:
        """Log odds of outcomes, (n_outcomes, n_patients), with as many events in each fold; `weights` move along."""
        events = self._sums(Y if weights is None else weights * Y)
        everybody = self._sums(np.ones((1, Y.shape[1])) if weights is None else weights)
        found = np.empty(Y.shape)
        for k, (bends, forms) in enumerate(self.folds):
            had, were = (np.delete(sums, k, axis=0).sum(axis=0) for sums in (events, everybody))
            rate = had.sum(axis=0)[:, :1] / were.sum(axis=0)[:, :1]  # the first column is the constant
            variance, slopes = float((rate * (1 - rate)).mean()), had - rate * were
            best = best_of_grid(self.grid, len(Y), functools.partial(_left_out, slopes, variance * bends, forms[1:]))
            beta, slope, bend = np.empty(had.shape[1:]), slopes.sum(axis=0), variance * bends.sum(axis=0)
            for position in np.unique(best):
                rows, C = best == position, self.grid[position]
                beta[rows] = C * slope[rows] @ np.linalg.inv(C * bend + forms[0])
            own = slice(self.cells[k * INNER_FOLDS].start, self.cells[(k + 1) * INNER_FOLDS - 1].stop)
            found[:, self.order[own]] = beta @ self.table[own].T
        return found


def _left_out(slopes: Array, bends: Array, forms: Array, C: float, going: Array) -> Array:
    """Change of the log loss of the inner folds, each left out; shapes (F, n_outcomes, q), (F, q, q), (F, q, q)."""
    lost = np.zeros(len(going))
    for own, bent, form in zip(slopes, bends, forms, strict=True):
        step = C * (slopes.sum(axis=0) - own) @ np.linalg.inv(C * (bends.sum(axis=0) - bent) + form)
        lost += ((step @ bent) * step).sum(axis=1) / 2 - (own * step).sum(axis=1)
    return lost


class RidgeLogistic(ClassifierMixin, BaseEstimator):
    """Median and mark of gaps, scaling, ridge logistic regression: all learned on the rows it is fitted on.

    The `grid` has the inverse penalties to choose from by inner folds, which `seed` draws; a single one is taken as it
    is. Features that are `free` have no penalty.
    """

    def __init__(self, grid: Sequence[float] = GRID, free: Sequence[bool] | Array | None = None, seed: int = 0):
        self.grid, self.free, self.seed = grid, free, seed

    def fit(self, X: Any, y: Array, sample_weight: Array | None = None) -> Self:
        """Fit on all rows, or on those that weigh something."""
        self.classes_ = np.array([0, 1])
        self.design_ = Design.of(X, self.free)
        counts = np.ones((1, len(y))) if sample_weight is None else np.asarray(sample_weight, dtype=float)[None]
        self.coef_, self.C_ = self._develop(self.design_, y, counts, None)
        return self

    def _develop(self, design: Design, y: Array, counts: Array, group: Array | None) -> tuple[Array, Array]:
        labels = inner_labels(np.random.default_rng(self.seed), counts, group)
        return developed(design, np.asarray(y, dtype=float), counts, labels, self.grid)

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of no event and of the event, (n_patients, 2)."""
        p = expit(self.design_.rows(X) @ self.coef_[0])
        return np.column_stack([1 - p, p])

    def probabilities(
        self, X: Array, y: Array, trainings: list[Array], group: Array | None = None, weights: list[Array] | None = None
    ) -> Array:
        """Probability of every row under a model developed on each training part, whose rows have `weights`."""
        design = Design.of(X, self.free)
        each = weights or [np.ones(len(rows)) for rows in trainings]
        counts = [np.bincount(rows, w, minlength=len(X)) for rows, w in zip(trainings, each, strict=True)]
        coef, _ = self._develop(design, y, np.stack(counts).astype(float), group)
        return expit(np.stack([design.table @ beta for beta in coef]))
