"""How often would monitoring cry wolf, and how often would it see a change? Simulated batches from a known law.

Aims: false-alarm rate and power of each alarm of `attrition.monitoring` and of the seed's rule, by batch size.
Data-generating mechanism: the published law at an event rate of 24 % (at the law's own 53 % an event rate cannot
double). A model is fitted once and frozen; each replicate draws a fresh reference of patients and a fresh batch.
Estimand: the probability of an alarm at one look at one batch. Performance measure: the share of replicates with an
alarm, with its Wilson interval.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attrition import batched, features, intervals, monitoring, oracle, ranks, seeds, simulate
from attrition.law import PUBLISHED_LAW, Law

WATCHED = ("age", "gender", "treatment_group", "trial_phase", "days_in_trial", "visits_completed", "adverse_events")
VERSION = "v3_causal"
THRESHOLD = 0.5
ALPHA = 0.05
AT_ONCE = 200
"""Replicates held in memory at a time."""


@dataclass(frozen=True)
class Scenario:
    """A way in which the world may change after a model was made.

    Parameters
    ----------
    name : str
    label : str
        In words, for tables.
    draw : callable
        ``(law, n, rng, offset)`` to a trial of `n` patients.
    """

    name: str
    label: str
    draw: Callable[[Law, int, np.random.Generator, float], pd.DataFrame]


def _unchanged(law: Law, n: int, rng: np.random.Generator, offset: float) -> pd.DataFrame:
    return simulate.draw_trial(law, n, rng, offset)


def _new_sites(law: Law, n: int, rng: np.random.Generator, offset: float) -> pd.DataFrame:
    """Sites that recruit older patients, mostly for phase III: kept with a chance that grows with age and phase."""
    drawn = simulate.draw_trial(law, 4 * n, rng, offset)
    phase = drawn["trial_phase"].map({"Phase I": 0.3, "Phase II": 0.6, "Phase III": 1.0}).to_numpy(float)
    keep = rng.random(len(drawn)) < phase * (0.3 + 0.7 * (drawn["age"].to_numpy() - 18) / 67)
    order = np.argsort(~keep, kind="stable")[:n]
    return drawn.iloc[order].reset_index(drop=True)


def _doubled(law: Law, n: int, rng: np.random.Generator, offset: float) -> pd.DataFrame:
    return simulate.draw_trial(law, n, rng, oracle.offset_for_prevalence(law, 2 * oracle.BELIEVED_PREVALENCE))


def _under_reported(law: Law, n: int, rng: np.random.Generator, offset: float) -> pd.DataFrame:
    """Every second adverse event is no longer written down; patients are as before."""
    drawn = simulate.draw_trial(law, n, rng, offset)
    return drawn.assign(adverse_events=rng.binomial(drawn["adverse_events"], 0.5))


SCENARIOS = (
    Scenario("none", "no change", _unchanged),
    Scenario("new_sites", "new site mix: older patients, more phase III", _new_sites),
    Scenario("event_rate_doubled", "event rate doubled", _doubled),
    Scenario("adverse_event_reporting", "half of the adverse events unreported", _under_reported),
)


@dataclass(frozen=True)
class Frozen:
    """A logistic regression that was fitted once.

    Parameters
    ----------
    fit : attrition.batched.LogisticFit
        One replicate.
    mean, scale : numpy.ndarray, shape (n_features,)
        Of the development patients.
    """

    fit: object
    mean: NDArray
    scale: NDArray

    def probability(self, trial: pd.DataFrame) -> NDArray:
        """Predicted probability of dropout, shape (n_patients,)."""
        X = (features.matrix(trial, VERSION).to_numpy() - self.mean) / self.scale
        return 1 / (1 + np.exp(-batched.decision_function(self.fit, X[None])[0]))


def freeze(trial: pd.DataFrame, balanced: bool) -> Frozen:
    """Fit the model once, with class weights (as the seed did) or without."""
    X, y = features.matrix(trial, VERSION).to_numpy(), trial["dropout"].to_numpy(float)
    mean, scale = X.mean(0), X.std(0)
    weight = batched.balanced_weight(y[None]) if balanced else None
    return Frozen(batched.fit_logistic(((X - mean) / scale)[None], y[None], weight), mean, scale)


@dataclass(frozen=True)
class Setting:
    """What is fixed before the first batch: the law, the models, the cells.

    Parameters
    ----------
    offset : float
        Prevalence offset of the law.
    plain, balanced : Frozen
        The model without and with class weights.
    cells : attrition.monitoring.Cells
    """

    offset: float
    plain: Frozen
    balanced: Frozen
    cells: monitoring.Cells

    @classmethod
    def make(cls, seed: int, n_development: int = 1000) -> "Setting":
        """Draw the development trial and fit both models on it."""
        offset = oracle.offset_for_prevalence(PUBLISHED_LAW, oracle.BELIEVED_PREVALENCE)
        trial = simulate.draw_trial(PUBLISHED_LAW, n_development, seeds.stream(seed, "monitoring", "model"), offset)
        cells = monitoring.Cells.of(trial[list(WATCHED)])
        return cls(offset, freeze(trial, balanced=False), freeze(trial, balanced=True), cells)


@dataclass(frozen=True)
class Seen:
    """Patients as monitoring sees them.

    Parameters
    ----------
    inputs : numpy.ndarray, shape (n_patients, n_cells)
    y, prob, balanced : numpy.ndarray, shape (n_patients,)
        Outcome, and predicted probability without and with class weights.
    """

    inputs: NDArray
    y: NDArray
    prob: NDArray
    balanced: NDArray

    @classmethod
    def of(cls, trial: pd.DataFrame, setting: Setting) -> "Seen":
        """Score a trial."""
        return cls(
            setting.cells.onehot(trial),
            trial["dropout"].to_numpy(float),
            setting.plain.probability(trial),
            setting.balanced.probability(trial),
        )

    def block(self, number: int, size: int) -> "Seen":
        """Patients of one replicate."""
        rows = slice(number * size, (number + 1) * size)
        return Seen(self.inputs[rows], self.y[rows], self.prob[rows], self.balanced[rows])


def figures(seen: Seen) -> dict[str, float]:
    """What the seed's rule looks at: AUROC, and recall at its threshold, of the class-weighted model."""
    events = seen.y == 1
    recall = float((seen.balanced[events] >= THRESHOLD).mean()) if events.any() else np.nan
    return {"auroc": float(ranks.auroc(seen.y[None], seen.balanced[None])[0]), "recall": recall}


def look(reference: Seen, batch: Seen, cells: monitoring.Cells, dealt: NDArray) -> dict[str, float]:
    """p-value of each alarm for one batch.

    Parameters
    ----------
    reference, batch : Seen
    cells : attrition.monitoring.Cells
    dealt : numpy.ndarray of int, shape (permutations, n_batch)

    Returns
    -------
    dict
        ``psi, ks, chi2`` (inputs), ``cusum`` (calibration in the large), ``auroc`` (ranking).
    """
    p = dict(monitoring.covariate_drift(reference.inputs, batch.inputs, cells, dealt).overall)
    p["cusum"] = monitoring.calibration_drift(reference.y - reference.prob, batch.y - batch.prob, dealt)
    p["auroc"] = monitoring.performance_drift((reference.y, reference.prob), (batch.y, batch.prob), dealt, ranks.auroc)
    return p


def _alarms(reference: Seen, batches: Seen, sizes: tuple[int, int], cells: monitoring.Cells, permutations: int, rng):
    n_reference, n_batch = sizes
    pattern = monitoring.deal(n_batch, n_reference + n_batch, permutations, rng)
    rows = []
    for number in range(len(batches.y) // n_batch):
        batch = batches.block(number, n_batch)
        dealt = rng.permutation(n_reference + n_batch)[pattern]
        p = look(reference.block(number, n_reference), batch, cells, dealt)
        alarms = {name: value <= ALPHA for name, value in p.items()}
        rows.append(alarms | {"seed_rule": monitoring.seed_rule(figures(batch))})
    return pd.DataFrame(rows)


def _replicates(seed: int, setting: Setting, scenario: Scenario, sizes: tuple[int, int], count: int, permutations: int):
    parts = []
    for first in range(0, count, AT_ONCE):
        n_reference, n_batch = sizes
        replicates = min(AT_ONCE, count - first)
        rng = seeds.stream(seed, "monitoring", scenario.name, n_batch, first)
        reference = simulate.draw_trial(PUBLISHED_LAW, n_reference * replicates, rng, setting.offset)
        batches = scenario.draw(PUBLISHED_LAW, n_batch * replicates, rng, setting.offset)
        seen = Seen.of(reference, setting), Seen.of(batches, setting)
        parts.append(_alarms(*seen, sizes, setting.cells, permutations, rng))
    return pd.concat(parts, ignore_index=True)


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
        Patients of the reference, drawn anew in each replicate.
    permutations : int

    Returns
    -------
    pandas.DataFrame
        Columns ``scenario, label, batch_size, method, batches, alarms, rate, ci_low, ci_high``.
    """
    setting = Setting.make(seed)
    rows = []
    for scenario in SCENARIOS:
        count = null_batches if scenario.name == "none" else power_batches
        for size in batch_sizes:
            alarms = _replicates(seed, setting, scenario, (n_reference, size), count, permutations)
            rows += [_rate(scenario, size, method, alarms[method]) for method in alarms]
    return pd.DataFrame(rows)


def _rate(scenario: Scenario, size: int, method: str, alarms: pd.Series) -> dict:
    interval = intervals.wilson(int(alarms.sum()), len(alarms))
    row = {"scenario": scenario.name, "label": scenario.label, "batch_size": size, "method": method}
    row |= {"batches": len(alarms), "alarms": int(alarms.sum()), "rate": interval["value"]}
    return row | {"ci_low": interval["ci_low"], "ci_high": interval["ci_high"]}
