"""AUROC of many score vectors at once, for drawn outcomes and for exact probabilities.

Ranks are taken over all rows together. The AUROC equals scikit-learn's `roc_auc_score`; with P(event | features) in
place of drawn outcomes the noise of drawing them is gone.

Axes: ``R`` replicates, ``n`` patients.
"""

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray
TOGETHER = 2**16
"""Scores that are ranked together: more leave the processor's cache."""
LONG = 2_000
"""Scores of a row from which on a row at a time is quicker."""
DECIMALS = 8  # decimals of a score that count when scores are ranked or compared


def settled(score: ArrayLike) -> Array:
    """Scores without the noise of their last bits: to be made of every prediction before it is ranked or compared.

    Patients who are alike to a model have one score in exact arithmetic. A processor may give them scores that differ
    by a few units in the last place, since sums are formed in another order for another row; an AUROC would then count
    a coin flip where it should count one half, and another processor would flip it another way. `DECIMALS` decimals
    are far above that noise (about 1e-16: it moves one score in 1e8 across a rounding edge) and far below any
    difference between patients that means something (an AUROC moves by less than 1e-8).

    >>> score = settled([0.1 + 0.2, 0.3])
    >>> bool(score[0] == score[1])
    True
    """
    return np.round(np.asarray(score, dtype=np.float64), DECIMALS)


def _lower(mass: Array) -> Array:
    """Of groups in order of the score, the mass scored lower plus half the mass scored equal."""
    return np.cumsum(mass) - mass / 2


def concordance(up: Array, down: Array, score: Array) -> Array:
    """Of each row, the mass of pairs in which `up` is scored above `down`, ties one half."""
    if not score.size:
        return np.zeros(len(score))
    size = max(1, TOGETHER // score.shape[1])
    parts = (slice(first, first + size) for first in range(0, len(score), size))
    return np.concatenate([_concordance(up[part], down[part], score[part]) for part in parts])


def _concordance(up: Array, down: Array, score: Array) -> Array:
    begins = score.shape[1] * np.arange(len(score))
    order = (np.argsort(score, axis=1) + begins[:, None]).ravel()
    score, up, down = (np.take(part, order) for part in (score, up, down))
    new = np.append(True, (score[1:] != score[:-1]) & ~np.isnan(score[:-1]))  # missing ones, which are last, tie
    new[begins] = True
    ties = np.flatnonzero(new)
    through = np.cumsum(down.reshape(len(begins), -1), axis=1).ravel()[np.append(ties[1:], len(order)) - 1]
    above, level = np.add.reduceat(up, ties), np.add.reduceat(down, ties)
    return np.add.reduceat(above * (through - level / 2), np.searchsorted(ties, begins))


def won(event: Array, score: Array) -> Array:
    """`concordance` of the rows with an event above those without: long rows are sorted without their outcomes."""
    if score.shape[1] < LONG:
        return concordance(event.astype(float), (~event).astype(float), score)
    return np.array([_won(row[own], row[~own]) for own, row in zip(event, score, strict=True)])


def _won(own: Array, others: Array) -> float:
    own, others = np.sort(own), np.sort(others)
    return float(sum(np.searchsorted(others, own, side).sum() for side in ("left", "right")) / 2)


def _rows(*parts: ArrayLike) -> list[Array]:
    """The arrays as rows of one shape."""
    return [np.atleast_2d(part) for part in np.broadcast_arrays(*(np.asarray(each, float) for each in parts))]


def auroc(y_true: Array, y_score: Array, sample_weight: Array | None = None) -> Array:
    r"""AUROC of every replicate by ranks, ties counted one half; NaN where a replicate has one class only.

    .. math:: \frac{\sum_{i: y_i=1} \sum_{j: y_j=0} w_i w_j (1[s_i > s_j] + \tfrac12 1[s_i = s_j])}{W_1 W_0}

    Outcomes, scores and weights (bootstrap counts or fold masks) are of shape (n,) or (R, n).

    >>> auroc(np.array([0, 0, 1, 1]), np.array([[.1, .4, .35, .8], [.5, .5, .5, .5]]))
    array([0.75, 0.5 ])
    """
    if sample_weight is not None and (np.ndim(y_true), np.ndim(y_score), np.ndim(sample_weight)) == (1, 1, 2):
        return _of_one_score(*(np.asarray(part, dtype=float) for part in (y_true, y_score, sample_weight)))
    y, score, weight = _rows(y_true, y_score, 1.0 if sample_weight is None else sample_weight)
    up, down = weight * y, weight * (1 - y)
    pairs = up.sum(axis=1) * down.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, concordance(up, down, score) / pairs, np.nan)


def _of_one_score(y: Array, score: Array, weight: Array) -> Array:
    """AUROC of one score under many weights: sorted once.

    Among themselves the events win half of their pairs, so what they win against everybody tells what they win against
    the others.
    """
    order = np.argsort(score, kind="stable")
    event, ordered = np.flatnonzero(y[order]), score[order]
    through = np.zeros((len(weight), len(y) + 1))
    mass = np.take(weight, order, axis=1)
    np.cumsum(mass, axis=1, out=through[:, 1:])
    below, upto = (through.take(np.searchsorted(ordered, ordered[event], side), axis=1) for side in ("left", "right"))
    up = mass.take(event, axis=1)
    events, others = up.sum(axis=1), mass.take(np.flatnonzero(y[order] == 0), axis=1).sum(axis=1)
    won = (np.einsum("re,re->r", up, below + upto) - events**2) / 2
    pairs = events * others
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def soft_auroc(probability: Array, y_score: Array, weight: Array | float | None = None) -> Array:
    r"""AUROC over all outcomes that could have been, shape (R,): the outcome is replaced by its exact probability.

    With independent outcomes :math:`y_i \sim` Bernoulli(:math:`p_i`) it is the ratio of expected concordant
    pairs to expected pairs. A patient is never paired with itself.

    .. math:: \frac{\sum_{i \ne j} p_i (1-p_j) (1[s_i > s_j] + \tfrac12 1[s_i = s_j])}
              {\sum_{i \ne j} p_i (1-p_j)}

    Probabilities, P(event | features), and scores are (n,) or (R, n). With a `weight`, (n,) or a float, rows are groups
    with these shares of a large population; patients of one group are paired with one another.

    Examples
    --------
    >>> soft_auroc(np.array([0., 0., 1., 1.]), np.array([.1, .4, .35, .8]))
    array([0.75])
    """
    p, score = _rows(probability, y_score)
    if weight is not None:
        up, down = weight * p, weight * (1 - p)
        return concordance(up, down, score) / (up.sum(axis=1) * down.sum(axis=1))
    own = (p * (1 - p)).sum(axis=1)
    pairs = p.sum(axis=1) * (1 - p).sum(axis=1) - own
    return (concordance(p, 1 - p, score) - 0.5 * own) / pairs


def binned_soft_auroc(probability: Array, y_score: Array, n_bins: int = 2**13) -> tuple[Array, Array]:
    r"""`soft_auroc` from counts in equal-width bins of the score, for large populations, and the bound of its error.

    Patients in one bin count as tied. Only pairs inside a bin can be miscounted, each by at most one half, hence

    .. math:: |\text{binned} - \text{exact}| \le \tfrac12 \sum_b P_b Q_b / (P Q)

    with :math:`P_b, Q_b` the expected events and non-events of bin b. That is the worst case; order inside a narrow
    bin is close to random, and the error met in the tests is a hundred times smaller.
    """
    p = np.asarray(probability, dtype=float)
    own = (p * (1 - p)).sum()
    pairs = p.sum() * (1 - p).sum() - own
    values = [_binned_concordance(p, row, n_bins) for row in np.atleast_2d(y_score)]
    concordant, within = np.array(values).T
    return (concordant - 0.5 * own) / pairs, 0.5 * np.maximum(within - own, 0) / pairs


def _binned_concordance(p: Array, score: Array, n_bins: int) -> tuple[float, float]:
    low, high = score.min(), score.max()
    width = (high - low) / n_bins or 1.0
    bins = np.minimum(((score - low) * (1 / width)).astype(np.int64), n_bins - 1)
    events = np.bincount(bins, p, n_bins)
    others = np.bincount(bins, minlength=n_bins) - events
    return float(events @ _lower(others)), float(events @ others)


def soft_auroc_influence(probability: Array, y_score: Array) -> tuple[float, Array]:
    r"""`soft_auroc`, and what each patient of the population adds to it: its sampling error by the delta method.

    .. math:: \psi_i = \frac{p_i (B_i - A Q) + (1-p_i)(C_i - A P)}{\sum_{k \ne l} p_k (1-p_l)}, \qquad
              \operatorname{se}(A) = \sqrt{\textstyle\sum_i \psi_i^2}

    with :math:`B_i` the expected non-events scored below patient i and :math:`C_i` the expected events scored
    above (ties one half), P and Q the expected events and non-events, and A the AUROC. Differences of two
    models' influences give the error of their paired difference.
    """
    p, score = (row[0] for row in _rows(probability, y_score))
    q = 1 - p
    P, Q = p.sum(), q.sum()
    pairs = P * Q - (p * q).sum()
    _, group = np.unique(score, return_inverse=True)
    others_below, events_below = (_lower(np.bincount(group, mass))[group] for mass in (q, p))
    lower, higher = others_below - 0.5 * q, P - events_below - 0.5 * p
    area = (p @ lower) / pairs
    return float(area), (p * (lower - area * (Q - q)) + q * (higher - area * (P - p))) / pairs
