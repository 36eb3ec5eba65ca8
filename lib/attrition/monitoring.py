"""Is the model still looking at the patients it was made for, and how often would monitoring cry wolf?

Every alarm is a permutation test: under "nothing changed" the patients of a batch and those of the reference are
exchangeable, so the statistic is compared with its values when membership is dealt anew, at the batch's own size. The
false-alarm rate is then the nominal one for any statistic and any batch size, which fixed cut-offs (such as the
customary .1 and .25 for the population stability index) are not.

`study` counts alarms. Aims: false-alarm rate and power of each alarm and of the published rule, by batch size.
Data-generating mechanism: the published law at an event rate of 24 % (at the law's own 53 % an event rate cannot
double). Each replicate fits a model on a trial of its own and freezes it, then draws a reference of patients and a
batch; so no rate hangs on how one development trial happened to fall out. Replicate `r` has the same model in every
world. Estimand: the probability of an alarm at one look at one batch. Performance measure: the share of replicates
with an alarm, with its Wilson interval.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attrition import engine, features, metrics, seeds, settings, simulate
from attrition.metrics import intervals, ranks
from attrition.models import batched
from attrition.simulate import oracle
from attrition.simulate.law import ARMS, GENDERS, PHASES, PUBLISHED_LAW, Law

METHODS = ("psi", "ks", "chi2")
NUMERIC_BINS = 10
FLOOR = 1e-3
"""Share that an empty cell counts as in the population stability index."""
SAID = settings.read(Path(__file__).with_name("monitoring.yaml"), ValueError)
NAMES, ACTIONS, WORLDS = SAID["alarms"], SAID["actions"], SAID["scenarios"]
"""Alarms, actions and worlds to their names in figures, tables and sentences."""
RULES, WATCHED = SAID["rules"], SAID["watched"]
WITHOUT_NULL = ("psi_customary", "seed_rule")
CUSTOMARY_PSI = 0.25
"""Cut-off above which a population stability index is customarily called a shift, at any batch size."""
REFITS = ("recalibrate", "retrain")
"""Actions that fit to the new data, whatever is in them."""
TEXT = {"gender": GENDERS, "treatment_group": ARMS, "trial_phase": PHASES}
VERSION = "v3_causal"
THRESHOLD = 0.5
ALPHA = 0.05
ENOUGH = 0.8
"""Power that sample sizes are customarily planned for."""
N_DEVELOPMENT = 1000
"""Patients that a model is fitted to, before it is frozen."""
AT_ONCE = 200
"""Replicates that share one task, and are held in memory at a time."""
Patients = dict[str, NDArray]
"""A trial as `attrition.simulate.draw_arrays` draws it."""


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
        pairs = zip(METHODS, self.statistic, self.p, strict=True)
        found = {name: row for method, own, p in pairs for name, row in ((method, own), (f"p_{method}", p))}
        return pd.DataFrame({"column": list(columns), **found})


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


def _new_sites(law: Law, n: int, rng: np.random.Generator, offset: float) -> Patients:
    """Sites that recruit older patients, mostly for phase III: kept with a chance that grows with age and phase."""
    drawn = simulate.draw_arrays(law, 4 * n, rng, offset)
    by_phase = {"Phase I": 0.3, "Phase II": 0.6, "Phase III": 1.0}
    phase = np.array([by_phase[name] for name in PHASES])[drawn["trial_phase"]]
    keep = rng.random(len(phase)) < phase * (0.3 + 0.7 * (drawn["age"] - 18) / 67)
    order = np.argsort(~keep, kind="stable")[:n]
    return {name: values[order] for name, values in drawn.items()}


def _doubled(law: Law, n: int, rng: np.random.Generator, offset: float) -> Patients:
    return simulate.draw_arrays(law, n, rng, oracle.offset_for_prevalence(law, 2 * oracle.BELIEVED_PREVALENCE))


def _under_reported(law: Law, n: int, rng: np.random.Generator, offset: float) -> Patients:
    """Every second adverse event is no longer written down; patients are as before."""
    drawn = simulate.draw_arrays(law, n, rng, offset)
    return drawn | {"adverse_events": rng.binomial(drawn["adverse_events"], 0.5)}


SCENARIOS: dict[str, Callable[[Law, int, np.random.Generator, float], Patients]] = {
    "none": simulate.draw_arrays,
    "new_sites": _new_sites,
    "event_rate_doubled": _doubled,
    "adverse_event_reporting": _under_reported,
}
"""Ways in which the world may change after a model was made: name to what draws such patients."""


def model_inputs(patients: Patients) -> NDArray:
    """Features of the frozen model, shape (n_patients, n_features)."""
    return features.array(patients, features.VERSIONS[VERSION])


def watched(patients: Patients) -> pd.DataFrame:
    """The columns whose drift is looked at, text as categories."""
    named = {name: pd.Categorical.from_codes(patients[name], TEXT[name]) for name in TEXT}
    return pd.DataFrame({name: named.get(name, patients[name]) for name in WATCHED})


class Frozen(NamedTuple):
    """Logistic regressions, one a replicate, each fitted once: without class weights, and with, as was published."""

    plain: batched.LogisticFit
    balanced: batched.LogisticFit

    def probabilities(self, X: NDArray) -> tuple[NDArray, NDArray]:
        """Predicted probability of dropout, without and with class weights, shape (n_patients,) each.

        Parameters
        ----------
        X : numpy.ndarray, shape (n_patients, n_features)
            From `model_inputs`; as many patients for each model, in the order of the models.
        """
        own = X.reshape(len(self.plain.intercept), -1, X.shape[1])
        return self.plain.predict_proba(own).ravel(), self.balanced.predict_proba(own).ravel()

    def first(self, n: int) -> "Frozen":
        """The first `n` of the models."""
        return Frozen(self.plain.first(n), self.balanced.first(n))


def freeze(patients: Patients, n_models: int) -> Frozen:
    """Fit `n_models` models, each on its own share of the patients, in order."""
    X, y = model_inputs(patients), patients["dropout"].astype(float)
    X, y = X.reshape(n_models, -1, X.shape[1]), y.reshape(n_models, -1)
    return Frozen(batched.fit_pipeline(X, y), batched.fit_pipeline(X, y, class_weight="balanced"))


@dataclass(frozen=True)
class Setting:
    """What is fixed before the first batch: seed, prevalence offset of the law, cells cut in a development trial."""

    seed: int
    offset: float
    cells: Cells

    @classmethod
    def make(cls, seed: int) -> "Setting":
        """Draw the trial that the cells are cut from."""
        offset = oracle.offset_for_prevalence(PUBLISHED_LAW, oracle.BELIEVED_PREVALENCE)
        rng = seeds.stream(seed, "monitoring", "cells")
        cut_from = simulate.draw_arrays(PUBLISHED_LAW, N_DEVELOPMENT, rng, offset)
        return cls(seed, offset, Cells.of(watched(cut_from)))

    def frozen(self, replicates: range) -> Frozen:
        """Models of some replicates, each from a development trial of its own."""
        rng = seeds.stream(self.seed, "monitoring", "model", replicates.start)
        patients = simulate.draw_arrays(PUBLISHED_LAW, N_DEVELOPMENT * len(replicates), rng, self.offset)
        return freeze(patients, len(replicates))


class Seen(NamedTuple):
    """Patients as monitoring sees them: cells of their inputs, outcome, probability without and with class weights."""

    inputs: NDArray
    y: NDArray
    prob: NDArray
    balanced: NDArray

    @classmethod
    def of(cls, patients: Patients, models: Frozen, cells: Cells) -> "Seen":
        """Score patients, as many with each model, in order."""
        prob, balanced = models.probabilities(model_inputs(patients))
        return cls(cells.onehot(watched(patients)), patients["dropout"].astype(float), prob, balanced)

    def blocks(self, size: int) -> list["Seen"]:
        """Patients of each replicate."""
        return [Seen(*(part[first : first + size] for part in self)) for first in range(0, len(self.y), size)]


def figures(seen: Seen) -> dict[str, float]:
    """What the published rule looks at: AUROC, and recall at its threshold, of the class-weighted model."""
    events = seen.y == 1
    recall = float((seen.balanced[events] >= THRESHOLD).mean()) if events.any() else np.nan
    return {"auroc": metrics.auroc(seen.y, seen.balanced), "recall": recall}


class Look(NamedTuple):
    """One look at one batch.

    Parameters
    ----------
    drift : Drift
        Of the inputs.
    p : dict
        p-value of each alarm: ``psi, ks, chi2`` (inputs), ``cusum`` (calibration in the large), ``auroc`` (ranking).
    figures : dict
        What the published rule looks at.
    """

    drift: Drift
    p: dict[str, float]
    figures: dict[str, float]

    @property
    def alarms(self) -> dict[str, bool]:
        """Alarms at level `ALPHA`, and those of the two customary rules that look at no null."""
        ours = {name: value <= ALPHA for name, value in self.p.items()}
        customary = bool(self.drift.statistic[0].max() > CUSTOMARY_PSI)
        return ours | {"psi_customary": customary, "seed_rule": any(below_bound(self.figures).values())}

    def action(self, inputs_first: bool = True) -> str:
        """Key of `ACTIONS`; see `decide`."""
        p = {"performance": self.p["auroc"], "calibration": self.p["cusum"], "covariates": self.p["chi2"]}
        return decide(p, ALPHA, inputs_first)


def looks(references: Sequence[Seen], batches: Sequence[Seen], cells: Cells, deals: Iterable[NDArray]) -> list[Look]:
    """Compare batches of one size, each with a reference and deals (`deal`) of its own."""
    counts, totals, p = [], [], []
    for reference, batch, dealt in zip(references, batches, deals, strict=True):
        inputs, y, prob = (
            np.concatenate([getattr(part, name) for part in (reference, batch)]) for name in ("inputs", "y", "prob")
        )
        member = membership(dealt, len(y))
        counts.append(cell_counts(inputs, member))
        totals.append(inputs.sum(0))
        cusum = calibration_drift(reference.y - reference.prob, batch.y - batch.prob, dealt)
        p.append({"cusum": cusum, "auroc": performance_drift(y, prob, member, ranks.auroc)})
    found = zip(drifts(np.stack(counts), np.stack(totals), len(batches[0].y), cells), p, batches, strict=True)
    return [Look(drift, drift.overall | alone, figures(batch)) for drift, alone, batch in found]


Outcome = dict[str, dict[str, bool]]
"""What one look sets off, by `kind` and name; see `study`."""


class World(NamedTuple):
    """A scenario at one batch size, and how many replicates are drawn of it."""

    scenario: str
    n_batch: int
    n_replicates: int


def _replicates(
    setting: Setting, worlds: Sequence[World], n_reference: int, block: range, permutations: int
) -> list[list[Outcome]]:
    """What each replicate of the block sets off, in each of the worlds, which all meet the same models."""
    models = setting.frozen(block)
    return [_in_world(setting, world, models, n_reference, block, permutations) for world in worlds]


def _in_world(
    setting: Setting, world: World, models: Frozen, n_reference: int, block: range, permutations: int
) -> list[Outcome]:
    n, n_batch = len(range(block.start, min(block.stop, world.n_replicates))), world.n_batch
    if not n:
        return []
    rng = seeds.stream(setting.seed, "monitoring", world.scenario, n_batch, block.start)
    reference = simulate.draw_arrays(PUBLISHED_LAW, n_reference * n, rng, setting.offset)
    batches = SCENARIOS[world.scenario](PUBLISHED_LAW, n_batch * n, rng, setting.offset)
    before, now = (Seen.of(patients, models.first(n), setting.cells) for patients in (reference, batches))
    # one pattern of deals, its patients drawn anew in each replicate
    pattern = deal(n_batch, n_reference + n_batch, permutations, rng)
    deals = (rng.permutation(n_reference + n_batch)[pattern] for _ in range(n))
    found = []
    for one in looks(before.blocks(n_reference), now.blocks(n_batch), setting.cells, deals):
        actions = {kind: one.action(first) for kind, first in (("action", True), ("inputs_last", False))}
        chosen = {kind: {name: name == action for name in ACTIONS} for kind, action in actions.items()}
        found.append({"alarm": one.alarms, "part": below_bound(one.figures)} | chosen)
    return found


def study(
    seed: int, batch_sizes: list[int], null_batches: int, power_batches: int, n_reference: int, permutations: int
) -> pd.DataFrame:
    """Alarm rates by scenario, batch size and method.

    Parameters
    ----------
    seed : int
    batch_sizes : list of int
        Patients in a batch.
    null_batches, power_batches : int
        Replicates without and with a change.
    n_reference : int
        Patients of the reference, drawn anew in each replicate, as is the trial that its model is fitted to.
    permutations : int

    Returns
    -------
    pandas.DataFrame
        Columns ``scenario, label, batch_size, kind, name, batches, count, rate, ci_low, ci_high``; `kind` is
        ``alarm`` (`name` a method), ``part`` (`name` a figure that the published rule finds below its bound) or
        ``action`` (`name` what the stated rule would do), or ``inputs_last`` (the same with the inputs looked at last).
    """
    counts = {name: null_batches if name == "none" else power_batches for name in SCENARIOS}
    worlds = [World(name, size, counts[name]) for name in SCENARIOS for size in batch_sizes]
    setting, most = Setting.make(seed), max(counts.values())
    blocks = [range(first, min(first + AT_ONCE, most)) for first in range(0, most, AT_ONCE)]
    tasks = [joblib.delayed(_replicates)(setting, worlds, n_reference, block, permutations) for block in blocks]
    by_block = engine.compute(tasks, "batches")
    rows = []
    for world, parts in zip(worlds, zip(*by_block, strict=True), strict=True):
        outcomes = [one for part in parts for one in part]
        place = {"scenario": world.scenario, "label": WORLDS[world.scenario], "batch_size": world.n_batch}
        for kind in outcomes[0]:
            hits = pd.DataFrame([one[kind] for one in outcomes]).sum()
            about = [place | {"kind": kind, "name": name, "batches": len(outcomes)} for name in hits.index]
            rows += [
                one | {"count": n, **intervals.wilson(n, len(outcomes))} for one, n in zip(about, hits, strict=True)
            ]
    return pd.DataFrame(rows).rename(columns={"value": "rate"})


def one_batch(
    seed: int, scenario: str, size: int, n_reference: int, permutations: int
) -> tuple[Look, NDArray, NDArray]:
    """A single look, with what is needed to draw it.

    Parameters
    ----------
    seed : int
    scenario : str
        Name in `SCENARIOS`.
    size, n_reference, permutations : int

    Returns
    -------
    look : Look
    path : numpy.ndarray, shape (size,)
        Running sum of observed minus predicted dropouts.
    band : numpy.ndarray, shape (2, size)
        Central 95 % of that sum when membership is dealt anew.
    """
    setting = Setting.make(seed)
    rng = seeds.stream(seed, "monitoring", "one batch", scenario)
    model, cells = setting.frozen(range(1)), setting.cells
    reference = Seen.of(simulate.draw_arrays(PUBLISHED_LAW, n_reference, rng, setting.offset), model, cells)
    batch = Seen.of(SCENARIOS[scenario](PUBLISHED_LAW, size, rng, setting.offset), model, cells)
    dealt = deal(size, n_reference + size, permutations, rng)
    residuals = np.concatenate([reference.y - reference.prob, batch.y - batch.prob])
    centred = residuals - residuals.mean()
    band = np.quantile(np.cumsum(centred[dealt], axis=1), [0.025, 0.975], axis=0)
    return looks([reference], [batch], cells, [dealt])[0], np.cumsum(centred[n_reference:]), band


def power(alarms: pd.DataFrame, size: int) -> dict[str, Any]:
    """What each change sets off at one batch size.

    Returns
    -------
    dict
        ``size``; ``worlds``: of each change its label, the permutation alarms that sound most and least often
        (``most, least``) and their rates (``most_rate, least_rate``); ``seer``: the permutation alarm whose smallest
        power is largest, with that ``power``; ``blind``: false-alarm rate of each rule without a null that finds every
        change with a power of `ENOUGH`.
    """
    wide = alarms[alarms["batch_size"] == size].pivot_table("rate", "name", "scenario", sort=False).rename(index=NAMES)
    rules = [NAMES[name] for name in WITHOUT_NULL if NAMES[name] in wide.index]
    ours, rules_found, worlds = wide.drop(index=rules), wide.loc[rules], []
    for scenario in [name for name in SCENARIOS if name != "none"]:
        rate, world = ours[scenario], {"label": WORLDS[scenario]}
        for end, value in (("most", rate.max()), ("least", rate.min())):
            world |= {end: list(rate.index[rate == value]), f"{end}_rate": float(value)}
        worlds.append(world)
    weakest = ours.drop(columns="none").min(axis=1)
    blind = rules_found.loc[rules_found.drop(columns="none").min(axis=1) >= ENOUGH, "none"].to_dict()
    best = {"seer": weakest.idxmax(), "power": float(weakest.max()), "enough": ENOUGH}
    return {"size": size, "worlds": worlds, "blind": blind} | best


def action_table(table: pd.DataFrame) -> pd.DataFrame:
    """Share of batches by action, one row a world and batch size, from `study`."""
    keys, actions = ["scenario", "label", "batch_size", "batches"], table[table["kind"] == "action"]
    wide = actions.pivot_table("rate", keys, "name", sort=False)[list(ACTIONS)]
    return wide.reset_index().drop(columns="scenario").rename_axis(columns=None)


def prevailing(actions: pd.DataFrame) -> dict[str, Any]:
    """What the stated rule does in each world at the largest batch: ``size``, and ``worlds`` with ranked shares."""
    large = actions[actions["batch_size"] == actions["batch_size"].max()].set_index("label")[list(ACTIONS)]
    ranked = {
        label: row.sort_values(ascending=False, kind="stable")
        for label, row in large.rename(columns=ACTIONS).iterrows()
    }
    worlds = [{"label": label, "shares": list(shares.items())} for label, shares in ranked.items()]
    return {"size": int(actions["batch_size"].max()), "worlds": worlds}


def refits(table: pd.DataFrame, scenario: str) -> pd.DataFrame:
    """How often a model is refitted in one world: columns ``batch_size, first, last`` (the inputs looked at)."""
    kinds = {"action": "first", "inputs_last": "last"}
    own = (table["scenario"] == scenario) & table["name"].isin(REFITS)
    wide = table[own].pivot_table(index="batch_size", columns="kind", values="rate", aggfunc="sum")
    return wide[list(kinds)].rename(columns=kinds).rename_axis(columns=None).reset_index()


def published_rule(null: pd.DataFrame, parts: pd.DataFrame) -> dict[str, Any]:
    """The chapter's finding: is the published rule usable, at the largest batch, or why does it alarm for nothing?

    Parameters
    ----------
    null, parts : pandas.DataFrame
        Alarms, and figures below their bounds, of unchanged batches; rows of `study`.

    Returns
    -------
    dict
        ``size``, ``rate`` (an interval), ``verdict``; ``below``: share of batches in which each figure is below its
        bound, ``worst``: the figure that is most often, and ``unattainable``: whether more patients make that surer.
    """
    size = int(null["batch_size"].max())
    rate = intervals.of_row(null[(null["name"] == "seed_rule") & (null["batch_size"] == size)].iloc[0], "rate")
    rates = parts.pivot_table(index="name", columns="batch_size", values="rate")
    small, large = rates[rates.columns.min()], rates[rates.columns.max()]
    worst = large.idxmax()
    found = {"size": size, "rate": rate, "below": large.to_dict(), "worst": worst}
    found["unattainable"] = bool(large[worst] > max(small[worst], 0.5))
    return found | {"verdict": "supported" if rate["ci_low"] <= ALPHA else "not supported"}
