"""Is the model still looking at the patients it was made for? Drift of inputs, of calibration, of performance.

Every alarm is a permutation test: under "nothing changed" the patients of a batch and those of the reference are
exchangeable, so the statistic is compared with its values when membership is dealt anew, at the batch's own size. The
false-alarm rate is then the nominal one for any statistic and any batch size, which fixed cut-offs (such as the
customary .1 and .25 for the population stability index) are not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NUMERIC_BINS = 10
NAMES = {
    "psi": "inputs, PSI",
    "ks": "inputs, KS",
    "chi2": "inputs, chi-squared",
    "cusum": "calibration, running sum",
    "auroc": "ranking, AUROC",
    "psi_customary": "PSI above its customary cut-off",
    "seed_rule": "the published rule",
}
"""Alarm to its name in figures, tables and sentences."""
CUSTOMARY_PSI = 0.25
"""Cut-off above which a population stability index is customarily called a shift, at any batch size."""
RULES = {"auroc": 0.60, "recall": 0.70}
"""The published monitoring rule: retrain when a batch's figure falls below."""


@dataclass(frozen=True)
class Cells:
    """Cells that each column is counted in, fixed on the patients that the model was made from.

    Parameters
    ----------
    edges : dict
        Numeric column to its inner cuts.
    levels : dict
        Text column to its known values; any other value has a cell of its own.
    """

    edges: dict[str, NDArray]
    levels: dict[str, list[str]]

    @classmethod
    def of(cls, development: pd.DataFrame, bins: int = NUMERIC_BINS) -> "Cells":
        """Cut numeric columns at quantiles of the development patients, list the values of text columns."""
        edges, levels = {}, {}
        for name, column in development.items():
            if pd.api.types.is_numeric_dtype(column):
                edges[name] = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]))
            else:
                levels[name] = sorted(column.astype(str).unique())
        return cls(edges, levels)

    @property
    def columns(self) -> list[str]:
        """Numeric columns, then text columns."""
        return [*self.edges, *self.levels]

    @property
    def numeric(self) -> NDArray:
        """Which of `columns` are numeric, shape (n_columns,)."""
        return np.arange(len(self.columns)) < len(self.edges)

    @property
    def slices(self) -> list[slice]:
        """Cells of each of `columns`."""
        sizes = [len(cuts) + 1 for cuts in self.edges.values()] + [len(known) + 1 for known in self.levels.values()]
        ends = np.cumsum(sizes)
        return [slice(end - size, end) for end, size in zip(ends.tolist(), sizes, strict=True)]

    def onehot(self, table: pd.DataFrame) -> NDArray:
        """Membership of each patient in the cells, float32 of shape (n_patients, n_cells)."""
        parts = []
        for name, cuts in self.edges.items():
            place = np.searchsorted(cuts, table[name].to_numpy(float), side="right")
            parts.append(np.eye(len(cuts) + 1, dtype=np.float32)[place])
        for name, known in self.levels.items():
            code, found = pd.factorize(table[name], use_na_sentinel=False)
            place = pd.Index(known).get_indexer(pd.Index(found).astype(str))
            parts.append(np.eye(len(known) + 1, dtype=np.float32)[place[code]])
        return np.hstack(parts)


def psi(share: NDArray, reference: NDArray, floor: float = 1e-3) -> NDArray:
    r"""Population stability index: the Kullback-Leibler divergences of two binned distributions, both ways, added.

    .. math:: \sum_k (q_k - p_k) \log (q_k / p_k) = \mathrm{KL}(q \| p) + \mathrm{KL}(p \| q)

    Parameters
    ----------
    share, reference : numpy.ndarray, shape (..., n_cells)
        Shares of the batch and of the reference.
    floor : float
        Share that an empty cell counts as.

    Returns
    -------
    numpy.ndarray, shape (...)

    Examples
    --------
    >>> float(psi(np.array([0.5, 0.5]), np.array([0.5, 0.5])))
    0.0
    """
    q, p = np.maximum(share, floor), np.maximum(reference, floor)
    return ((q - p) * np.log(q / p)).sum(-1)


def kolmogorov_smirnov(share: NDArray, reference: NDArray) -> NDArray:
    """Largest distance of two cumulative distributions over ordered cells.

    Examples
    --------
    >>> float(kolmogorov_smirnov(np.array([1.0, 0.0]), np.array([0.5, 0.5])))
    0.5
    """
    return np.abs(np.cumsum(share - reference, axis=-1)).max(-1)


def chi_squared(share: NDArray, reference: NDArray, n_batch: int, n_reference: int) -> NDArray:
    r"""Pearson's statistic for equal distributions over cells.

    .. math:: \frac{n m}{n + m} \sum_k \frac{(q_k - p_k)^2}{\bar p_k}, \quad \bar p_k = \frac{n p_k + m q_k}{n + m}

    Parameters
    ----------
    share, reference : numpy.ndarray, shape (..., n_cells)
    n_batch, n_reference : int
        Patients behind each.
    """
    total = n_batch + n_reference
    pooled = (n_batch * share + n_reference * reference) / total
    part = np.divide((share - reference) ** 2, pooled, out=np.zeros_like(pooled), where=pooled > 0)
    return n_batch * n_reference / total * part.sum(-1)


METHODS = ("psi", "ks", "chi2")


def _statistics(counts: NDArray, total: NDArray, n_batch: int, slices: Sequence[slice]) -> NDArray:
    n_reference = int(total[0, 0, slices[0]].sum()) - n_batch
    share, reference = counts / n_batch, (total - counts) / n_reference
    by_column = [
        (
            psi(share[..., s], reference[..., s]),
            kolmogorov_smirnov(share[..., s], reference[..., s]),
            chi_squared(share[..., s], reference[..., s], n_batch, n_reference) / max(s.stop - s.start - 1, 1),
        )
        for s in slices
    ]
    return np.moveaxis(np.array(by_column), (0, 1), (-1, -2))


def deal(n_batch: int, n_total: int, permutations: int, rng: np.random.Generator) -> NDArray:
    """Deal batch membership anew.

    Returns
    -------
    numpy.ndarray of int, shape (permutations, n_batch)
        Rows that form the batch, in random order of arrival (a partial sort would leave an order that is neither
        random nor the same on every processor).
    """
    return np.argsort(rng.random((permutations, n_total)), axis=1, kind="stable")[:, :n_batch]


def p_values(observed: NDArray, null: NDArray) -> NDArray:
    """Permutation p-values, the observed deal counted as one of them.

    Parameters
    ----------
    observed : numpy.ndarray, shape (...)
    null : numpy.ndarray, shape (permutations, ...)

    References
    ----------
    Phipson, Smyth. Statistical Applications in Genetics and Molecular Biology 2010;9:39.
    """
    slack = 1e-9 * (1 + np.abs(observed))
    return (1 + (null >= observed - slack).sum(0)) / (1 + len(null))


@dataclass(frozen=True)
class Drift:
    """Drift of inputs by column, and over all columns.

    Parameters
    ----------
    statistic, p : numpy.ndarray, shape (n_methods, n_columns)
        Rows as in `METHODS`; NaN where a method does not apply (KS to categories).
    overall : dict
        p-value of the largest standing over the columns, by method.
    """

    statistic: NDArray
    p: NDArray
    overall: dict[str, float]

    def table(self, columns: Sequence[str]) -> pd.DataFrame:
        """One row a column: each method's statistic and p-value."""
        made = pd.DataFrame({"column": list(columns)})
        for row, method in enumerate(METHODS):
            made[method], made[f"p_{method}"] = self.statistic[row], self.p[row]
        return made


def membership(dealt: NDArray, n_total: int) -> NDArray:
    """Who is in the batch: as it came, and in every deal.

    Parameters
    ----------
    dealt : numpy.ndarray of int, shape (permutations, n_batch)
        From `deal`.
    n_total : int
        Patients of reference and batch, the batch last.

    Returns
    -------
    numpy.ndarray, shape (1 + permutations, n_total)
        1 for members, the batch itself in the first row.
    """
    member = np.zeros((1 + len(dealt), n_total))
    member[0, n_total - dealt.shape[1] :] = 1.0
    member.ravel()[(dealt + n_total * np.arange(1, 1 + len(dealt))[:, None]).ravel()] = 1.0
    return member


def cell_counts(pooled: NDArray, member: NDArray) -> NDArray:
    """Patients of each batch in each cell.

    Parameters
    ----------
    pooled : numpy.ndarray of float32, shape (n_total, n_cells)
        From `Cells.onehot`.
    member : numpy.ndarray, shape (1 + permutations, n_total)
        From `membership`.

    Returns
    -------
    numpy.ndarray of float32, shape (1 + permutations, n_cells)
        Whole numbers.
    """
    return member.astype(np.float32) @ pooled


def drifts(counts: NDArray, total: NDArray, n_batch: int, cells: Cells) -> list[Drift]:
    """Drift of the inputs of many batches, each by PSI, KS and chi-squared with a permutation null.

    The overall p-value of a method belongs to its largest standing over all columns (each column's statistic divided
    by its own mean over all deals), so looking at many columns costs no extra false alarms.

    Parameters
    ----------
    counts : numpy.ndarray, shape (n_batches, 1 + permutations, n_cells)
        From `cell_counts`.
    total : numpy.ndarray, shape (n_batches, n_cells)
        Patients of reference and batch in each cell.
    n_batch : int
        Patients in a batch.
    cells : Cells

    Returns
    -------
    list of Drift
    """
    statistics = _statistics(counts.astype(float), total.astype(float)[:, None], n_batch, cells.slices)
    statistics = np.moveaxis(statistics, 1, 0)
    usable = np.array([np.ones_like(cells.numeric), cells.numeric, np.ones_like(cells.numeric)])
    # the observed deal counts in the scale as well: with it left out, the test would not be exact
    standing = np.where(usable, statistics / (statistics.mean(0) + 1e-12), -np.inf).max(-1)
    overall = p_values(standing[0], standing[1:])
    observed, single = statistics[0], p_values(statistics[0], statistics[1:])
    return [
        Drift(value, p, dict(zip(METHODS, over.tolist(), strict=True)))
        for value, p, over in zip(
            np.where(usable, observed, np.nan), np.where(usable, single, np.nan), overall, strict=True
        )
    ]


def excursion(residuals: NDArray) -> NDArray:
    """Largest excursion of the running sum of observed minus predicted, in either direction.

    The statistic of the CUSUM test on the residuals of one finished batch. Not Page's CUSUM chart, which is read after
    every patient and set by its run length.

    Parameters
    ----------
    residuals : numpy.ndarray, shape (..., n_patients)
        Outcome minus predicted probability, in the order of arrival.

    Returns
    -------
    numpy.ndarray, shape (...)

    References
    ----------
    Ploberger, Krämer. Econometrica 1992;60:271-285.

    Examples
    --------
    >>> float(excursion(np.array([0.5, 0.5, -1.0])))
    1.0
    """
    return np.abs(np.cumsum(residuals, axis=-1)).max(-1)


def calibration_drift(reference: NDArray, batch: NDArray, dealt: NDArray) -> float:
    """p-value of the `excursion` of a batch's calibration in the large, against residuals dealt anew.

    Parameters
    ----------
    reference, batch : numpy.ndarray
        Outcome minus predicted probability; the reference's mean is taken off first, since a model may be off in the
        large from the start.
    dealt : numpy.ndarray of int, shape (permutations, n_batch)
    """
    pooled = np.concatenate([reference, batch])
    centred = pooled - pooled.mean()
    return float(p_values(excursion(centred[len(reference) :]), excursion(centred[dealt])))


def performance_drift(y: NDArray, prob: NDArray, member: NDArray, metric: Callable) -> float:
    """p-value of the drop in a metric from reference to batch.

    Parameters
    ----------
    y, prob : numpy.ndarray, shape (n_total,)
        Outcomes and predicted probabilities of reference and batch, the batch last.
    member : numpy.ndarray, shape (1 + permutations, n_total)
        From `membership`.
    metric : callable
        ``metric(y, prob, weights)`` to one value a row of weights, such as `attrition.metrics.ranks.auroc`.
    """
    values = metric(y, prob, member)
    return float(p_values(-values[0], -values[1:]))


ACTIONS = {
    "none": "keep the model",
    "inspect": "look at how the inputs are recorded, before any refit",
    "recalibrate": "recalibrate: re-estimate intercept and slope",
    "retrain": "retrain",
}


REFITS = ("recalibrate", "retrain")
"""Actions that fit to the new data, whatever is in them."""


def decide(p: Mapping[str, float], alpha: float = 0.05, inputs_first: bool = True) -> str:
    """What to do after a batch: the stated rule.

    Inputs that look different ask a person to find out why before anything is fitted to them: they may be recorded
    otherwise. With inputs as they were, worse ranking asks for a new model, and a shifted event rate with intact
    ranking for recalibration only.

    Parameters
    ----------
    p : mapping
        p-values ``performance``, ``calibration`` and ``covariates``.
    alpha : float
        Level of each.
    inputs_first : bool
        False is the wrong way, for comparison: the inputs are looked at when nothing else is amiss.

    Returns
    -------
    str
        A key of `ACTIONS`.

    Examples
    --------
    >>> decide({"performance": 0.4, "calibration": 0.01, "covariates": 0.2})
    'recalibrate'
    """
    looks = {"performance": "retrain", "calibration": "recalibrate"}
    looks = {"covariates": "inspect"} | looks if inputs_first else looks | {"covariates": "inspect"}
    return next((action for name, action in looks.items() if p[name] <= alpha), "none")


def below_bound(figures: Mapping[str, Any], rules: Mapping[str, float] = RULES) -> dict[str, bool]:
    """Which figures the published rule finds below their bounds."""
    return {name: figures[name] < bound for name, bound in rules.items()}


def seed_rule(figures: Mapping[str, Any], rules: Mapping[str, float] = RULES) -> bool:
    """Whether the published rule raises an alarm: any figure below its bound.

    Examples
    --------
    >>> seed_rule({"auroc": 0.64, "recall": 0.69})
    True
    """
    return any(below_bound(figures, rules).values())
