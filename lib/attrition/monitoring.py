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

METHODS = ("psi", "ks", "chi2")
NUMERIC_BINS = 10
FLOOR = 1e-3
"""Share that an empty cell counts as in the population stability index."""
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
WITHOUT_NULL = ("psi_customary", "seed_rule")
CUSTOMARY_PSI = 0.25
"""Cut-off above which a population stability index is customarily called a shift, at any batch size."""
RULES = {"auroc": 0.60, "recall": 0.70}
"""The published monitoring rule: retrain when a batch's figure falls below."""
ACTIONS = {
    "none": "keep the model",
    "inspect": "look at how the inputs are recorded, before any refit",
    "recalibrate": "recalibrate: re-estimate intercept and slope",
    "retrain": "retrain",
}
REFITS = ("recalibrate", "retrain")
"""Actions that fit to the new data, whatever is in them."""


@dataclass(frozen=True)
class Cells:
    """Cells that each column is counted in, fixed on the patients that the model was made from.

    `edges` has the inner cuts of each numeric column, `levels` the known values of each text column; any other value
    has a cell of its own.
    """

    edges: dict[str, NDArray]
    levels: dict[str, list[str]]

    @classmethod
    def of(cls, development: pd.DataFrame) -> "Cells":
        """Cut numeric columns at quantiles of the development patients, list the values of text columns."""
        edges, levels = {}, {}
        for name, column in development.items():
            if pd.api.types.is_numeric_dtype(column):
                edges[name] = np.unique(np.quantile(column, np.linspace(0, 1, NUMERIC_BINS + 1)[1:-1]))
            else:
                levels[name] = sorted(column.astype(str).unique())
        return cls(edges, levels)

    @property
    def columns(self) -> list[str]:
        """Numeric columns, then text columns."""
        return [*self.edges, *self.levels]

    @property
    def slices(self) -> list[slice]:
        """Cells of each of `columns`."""
        sizes = [*map(len, self.edges.values()), *map(len, self.levels.values())]
        ends = np.cumsum([size + 1 for size in sizes]).tolist()
        return [slice(end - size - 1, end) for end, size in zip(ends, sizes, strict=True)]

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


def psi(share: NDArray, reference: NDArray) -> NDArray:
    r"""Population stability index: the Kullback-Leibler divergences of two binned distributions, both ways, added.

    .. math:: \sum_k (q_k - p_k) \log (q_k / p_k) = \mathrm{KL}(q \| p) + \mathrm{KL}(p \| q)

    Parameters
    ----------
    share, reference : numpy.ndarray, shape (..., n_cells)
        Shares of the batch and of the reference; an empty cell counts as `FLOOR`.

    Examples
    --------
    >>> float(psi(np.array([0.5, 0.5]), np.array([0.5, 0.5])))
    0.0
    """
    q, p = np.maximum(share, FLOOR), np.maximum(reference, FLOOR)
    return ((q - p) * np.log(q / p)).sum(-1)


def kolmogorov_smirnov(share: NDArray, reference: NDArray) -> NDArray:
    """Largest distance of two cumulative distributions over ordered cells."""
    return np.abs(np.cumsum(share - reference, axis=-1)).max(-1)


def chi_squared(share: NDArray, reference: NDArray, n_batch: int, n_reference: int) -> NDArray:
    r"""Pearson's statistic for equal distributions over cells.

    .. math:: \frac{n m}{n + m} \sum_k \frac{(q_k - p_k)^2}{\bar p_k}, \quad \bar p_k = \frac{n p_k + m q_k}{n + m}
    """
    total = n_batch + n_reference
    pooled = (n_batch * share + n_reference * reference) / total
    part = np.divide((share - reference) ** 2, pooled, out=np.zeros_like(pooled), where=pooled > 0)
    return n_batch * n_reference / total * part.sum(-1)


def _statistics(counts: NDArray, total: NDArray, n_batch: int, slices: Sequence[slice]) -> NDArray:
    """Every statistic in every deal, shape (deals, n_batches, n_methods, n_columns) with the first two as given."""
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
    """Deal batch membership anew: rows that form the batch in random order of arrival, int (permutations, n_batch).

    A partial sort would leave an order that is neither random nor the same on every processor.
    """
    return np.argsort(rng.random((permutations, n_total)), axis=1, kind="stable")[:, :n_batch]


def membership(dealt: NDArray, n_total: int) -> NDArray:
    """Who is in the batch, 0 or 1: as it came (the last rows), and in every deal; shape (1 + permutations, n_total)."""
    member = np.zeros((1 + len(dealt), n_total))
    member[0, n_total - dealt.shape[1] :] = 1.0
    member.ravel()[(dealt + n_total * np.arange(1, 1 + len(dealt))[:, None]).ravel()] = 1.0
    return member


def cell_counts(pooled: NDArray, member: NDArray) -> NDArray:
    """Patients of each batch of `membership` in each cell of `Cells.onehot`, whole numbers as float32."""
    return member.astype(np.float32) @ pooled


def p_values(observed: NDArray, null: NDArray) -> NDArray:
    """Permutation p-values, the observed deal counted as one of them; deals along the first axis of `null`.

    Phipson, Smyth. Statistical Applications in Genetics and Molecular Biology 2010;9:39.
    """
    slack = 1e-9 * (1 + np.abs(observed))
    return (1 + (null >= observed - slack).sum(0)) / (1 + len(null))


@dataclass(frozen=True)
class Drift:
    """Drift of inputs: statistic and p-value, shape (n_methods, n_columns), and by method over all columns.

    Rows as in `METHODS`; NaN where a method does not apply (KS to categories).
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
    cells : Cells
    """
    statistics = _statistics(counts.astype(float), total.astype(float)[:, None], n_batch, cells.slices)
    statistics = np.moveaxis(statistics, 1, 0)
    numeric = np.arange(len(cells.columns)) < len(cells.edges)
    usable = np.array([np.ones_like(numeric), numeric, np.ones_like(numeric)])
    # the observed deal counts in the scale as well: with it left out, the test would not be exact
    standing = np.where(usable, statistics / (statistics.mean(0) + 1e-12), -np.inf).max(-1)
    overall = p_values(standing[0], standing[1:])
    observed = np.where(usable, statistics[0], np.nan)
    single = np.where(usable, p_values(statistics[0], statistics[1:]), np.nan)
    by_method = [dict(zip(METHODS, over.tolist(), strict=True)) for over in overall]
    return [Drift(*found) for found in zip(observed, single, by_method, strict=True)]


def excursion(residuals: NDArray) -> NDArray:
    """Largest excursion of the running sum of observed minus predicted along the last axis, in either direction.

    The statistic of the CUSUM test on the residuals of one finished batch (Ploberger, Krämer. Econometrica
    1992;60:271-285). Not Page's CUSUM chart, which is read after every patient and set by its run length.
    """
    return np.abs(np.cumsum(residuals, axis=-1)).max(-1)


def calibration_drift(reference: NDArray, batch: NDArray, dealt: NDArray) -> float:
    """p-value of the `excursion` of a batch's calibration in the large, against residuals dealt anew.

    The mean of all residuals (outcome minus predicted probability) is taken off first, since a model may be off in the
    large from the start.
    """
    pooled = np.concatenate([reference, batch])
    centred = pooled - pooled.mean()
    return float(p_values(excursion(centred[len(reference) :]), excursion(centred[dealt])))


def performance_drift(y: NDArray, prob: NDArray, member: NDArray, metric: Callable) -> float:
    """p-value of the drop in a metric from reference to batch, the batch last in `y` and `prob`.

    ``metric(y, prob, weights)`` gives one value a row of weights, such as `attrition.metrics.ranks.auroc`.
    """
    values = metric(y, prob, member)
    return float(p_values(-values[0], -values[1:]))


def decide(p: Mapping[str, float], alpha: float = 0.05, inputs_first: bool = True) -> str:
    """What to do after a batch, a key of `ACTIONS`: the stated rule.

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

    Examples
    --------
    >>> decide({"performance": 0.4, "calibration": 0.01, "covariates": 0.2})
    'recalibrate'
    """
    looks = {"performance": "retrain", "calibration": "recalibrate"}
    looks = {"covariates": "inspect"} | looks if inputs_first else looks | {"covariates": "inspect"}
    return next((action for name, action in looks.items() if p[name] <= alpha), "none")


def below_bound(figures: Mapping[str, Any]) -> dict[str, bool]:
    """Which figures the published rule finds below their bounds; it raises an alarm when one is."""
    return {name: bool(figures[name] < bound) for name, bound in RULES.items()}
