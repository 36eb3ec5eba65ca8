"""How often would monitoring cry wolf, and how often would it see a change? Simulated batches from a known law.

Aims: false-alarm rate and power of each alarm of `attrition.monitoring` and of the published rule, by batch size.
Data-generating mechanism: the published law at an event rate of 24 % (at the law's own 53 % an event rate cannot
double). Each replicate fits a model on a trial of its own and freezes it, then draws a reference of patients and a
batch; so no rate hangs on how one development trial happened to fall out. Replicate `r` has the same model in every
world. Estimand: the probability of an alarm at one look at one batch. Performance measure: the share of replicates
with an alarm, with its Wilson interval.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attrition import engine, features, metrics, monitoring, seeds, simulate
from attrition.metrics import intervals, ranks
from attrition.models import batched
from attrition.simulate import oracle
from attrition.simulate.law import ARMS, GENDERS, PHASES, PUBLISHED_LAW, Law

WATCHED = ("age", "gender", "treatment_group", "trial_phase", "days_in_trial", "visits_completed", "adverse_events")
TEXT = {"gender": GENDERS, "treatment_group": ARMS, "trial_phase": PHASES}
VERSION = "v3_causal"
THRESHOLD = 0.5
ALPHA = 0.05
N_DEVELOPMENT = 1000
"""Patients that a model is fitted to, before it is frozen."""
AT_ONCE = 200
"""Replicates that share one task, and are held in memory at a time."""
Patients = dict[str, NDArray]
"""A trial as `attrition.simulate.draw_arrays` draws it."""


@dataclass(frozen=True)
class Scenario:
    """A way in which the world may change after a model was made.

    Parameters
    ----------
    name : str
    label : str
        In words, for tables.
    draw : callable
        ``(law, n, rng, offset)`` to `Patients`, `n` of them.
    """

    name: str
    label: str
    draw: Callable[[Law, int, np.random.Generator, float], Patients]


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


SCENARIOS = (
    Scenario("none", "no change", simulate.draw_arrays),
    Scenario("new_sites", "new site mix: older patients, more phase III", _new_sites),
    Scenario("event_rate_doubled", "event rate doubled", _doubled),
    Scenario("adverse_event_reporting", "half of the adverse events unreported", _under_reported),
)


def model_inputs(patients: Patients) -> NDArray:
    """Features of the frozen model, shape (n_patients, n_features)."""
    return features.array(patients, features.VERSIONS[VERSION])


def watched(patients: Patients) -> pd.DataFrame:
    """The columns whose drift is looked at, text as categories."""
    named = {name: pd.Categorical.from_codes(patients[name], TEXT[name]) for name in TEXT}
    return pd.DataFrame({name: named.get(name, patients[name]) for name in WATCHED})


@dataclass(frozen=True)
class Frozen:
    """Logistic regressions, one a replicate, each fitted once.

    Parameters
    ----------
    plain, balanced : attrition.models.batched.LogisticFit
        Without class weights, and with them, as was published.
    """

    plain: batched.LogisticFit
    balanced: batched.LogisticFit

    def probabilities(self, X: NDArray) -> tuple[NDArray, NDArray]:
        """Predicted probability of dropout, without and with class weights, shape (n_patients,) each.

        Parameters
        ----------
        X : numpy.ndarray, shape (n_patients, n_features)
            From `model_inputs`; as many patients for each model, in the order of the models.
        """
        R = len(self.plain.intercept)
        own = X.reshape(R, -1, X.shape[1])
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
    """What is fixed before the first batch: the law and the cells.

    Parameters
    ----------
    seed : int
    offset : float
        Prevalence offset of the law.
    cells : attrition.monitoring.Cells
        Cut at quantiles of one development trial.
    """

    seed: int
    offset: float
    cells: monitoring.Cells

    @classmethod
    def make(cls, seed: int) -> "Setting":
        """Draw the trial that the cells are cut from."""
        offset = oracle.offset_for_prevalence(PUBLISHED_LAW, oracle.BELIEVED_PREVALENCE)
        rng = seeds.stream(seed, "monitoring", "cells")
        cut_from = simulate.draw_arrays(PUBLISHED_LAW, N_DEVELOPMENT, rng, offset)
        return cls(seed, offset, monitoring.Cells.of(watched(cut_from)))

    def frozen(self, replicates: range) -> Frozen:
        """Models of some replicates, each from a development trial of its own."""
        rng = seeds.stream(self.seed, "monitoring", "model", replicates.start)
        patients = simulate.draw_arrays(PUBLISHED_LAW, N_DEVELOPMENT * len(replicates), rng, self.offset)
        return freeze(patients, len(replicates))


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
    def of(cls, patients: Patients, models: Frozen, cells: monitoring.Cells) -> "Seen":
        """Score patients, as many with each model, in order."""
        prob, balanced = models.probabilities(model_inputs(patients))
        return cls(cells.onehot(watched(patients)), patients["dropout"].astype(float), prob, balanced)

    def blocks(self, size: int) -> list["Seen"]:
        """Patients of each replicate."""
        rows = [slice(first, first + size) for first in range(0, len(self.y), size)]
        return [Seen(self.inputs[r], self.y[r], self.prob[r], self.balanced[r]) for r in rows]


def figures(seen: Seen) -> dict[str, float]:
    """What the published rule looks at: AUROC, and recall at its threshold, of the class-weighted model."""
    events = seen.y == 1
    recall = float((seen.balanced[events] >= THRESHOLD).mean()) if events.any() else np.nan
    return {"auroc": metrics.auroc(seen.y, seen.balanced), "recall": recall}


@dataclass(frozen=True)
class Look:
    """One look at one batch.

    Parameters
    ----------
    drift : attrition.monitoring.Drift
        Of the inputs.
    p : dict
        p-value of each alarm: ``psi, ks, chi2`` (inputs), ``cusum`` (calibration in the large), ``auroc`` (ranking).
    figures : dict
        What the published rule looks at.
    """

    drift: monitoring.Drift
    p: dict[str, float]
    figures: dict[str, float]

    @property
    def alarms(self) -> dict[str, bool]:
        """Alarms at level `ALPHA`, and those of the two customary rules that look at no null."""
        ours = {name: value <= ALPHA for name, value in self.p.items()}
        customary = bool(self.drift.statistic[0].max() > monitoring.CUSTOMARY_PSI)
        return ours | {"psi_customary": customary, "seed_rule": monitoring.seed_rule(self.figures)}

    def action(self, inputs_first: bool = True) -> str:
        """Key of `attrition.monitoring.ACTIONS`; see `attrition.monitoring.decide`."""
        p = {"performance": self.p["auroc"], "calibration": self.p["cusum"], "covariates": self.p["chi2"]}
        return monitoring.decide(p, ALPHA, inputs_first)


def looks(
    references: Sequence[Seen], batches: Sequence[Seen], cells: monitoring.Cells, deals: Iterable[NDArray]
) -> list[Look]:
    """Compare batches of one size, each with a reference of its own.

    Parameters
    ----------
    references, batches : sequence of Seen
    cells : attrition.monitoring.Cells
    deals : iterable of numpy.ndarray of int, shape (permutations, n_batch)
        For each batch, from `attrition.monitoring.deal`.
    """
    counts, totals, p = [], [], []
    for reference, batch, dealt in zip(references, batches, deals, strict=True):
        inputs, y, prob = (
            np.concatenate([getattr(part, name) for part in (reference, batch)]) for name in ("inputs", "y", "prob")
        )
        member = monitoring.membership(dealt, len(y))
        counts.append(monitoring.cell_counts(inputs, member))
        totals.append(inputs.sum(0))
        cusum = monitoring.calibration_drift(reference.y - reference.prob, batch.y - batch.prob, dealt)
        p.append({"cusum": cusum, "auroc": monitoring.performance_drift(y, prob, member, ranks.auroc)})
    drifts = monitoring.drifts(np.stack(counts), np.stack(totals), len(batches[0].y), cells)
    return [
        Look(drift, drift.overall | alone, figures(batch))
        for drift, alone, batch in zip(drifts, p, batches, strict=True)
    ]


def _looks(reference: Seen, batches: Seen, sizes: tuple[int, int], cells: monitoring.Cells, permutations: int, rng):
    """Looks at all replicates: one pattern of deals, its patients drawn anew in each."""
    n_reference, n_batch = sizes
    pattern = monitoring.deal(n_batch, n_reference + n_batch, permutations, rng)
    each = batches.blocks(n_batch)
    deals = (rng.permutation(n_reference + n_batch)[pattern] for _ in each)
    return looks(reference.blocks(n_reference), each, cells, deals)


Outcome = tuple[dict[str, bool], dict[str, bool], str, str]
"""Alarms, figures below their bounds, and action of one look: by the rule, and were the inputs looked at last."""


@dataclass(frozen=True)
class World:
    """A scenario at one batch size, and how many replicates are drawn of it."""

    scenario: Scenario
    n_batch: int
    count: int


def _replicates(
    setting: Setting, worlds: Sequence[World], n_reference: int, block: range, permutations: int
) -> list[list[Outcome]]:
    """What each replicate of the block sets off, in each of the worlds, which all meet the same models."""
    models = setting.frozen(block)
    return [_in_world(setting, world, models, n_reference, block, permutations) for world in worlds]


def _in_world(
    setting: Setting, world: World, models: Frozen, n_reference: int, block: range, permutations: int
) -> list[Outcome]:
    n = len(range(block.start, min(block.stop, world.count)))
    if not n:
        return []
    rng = seeds.stream(setting.seed, "monitoring", world.scenario.name, world.n_batch, block.start)
    reference = simulate.draw_arrays(PUBLISHED_LAW, n_reference * n, rng, setting.offset)
    batches = world.scenario.draw(PUBLISHED_LAW, world.n_batch * n, rng, setting.offset)
    before, now = (Seen.of(patients, models.first(n), setting.cells) for patients in (reference, batches))
    found = _looks(before, now, (n_reference, world.n_batch), setting.cells, permutations, rng)
    return [(one.alarms, monitoring.below_bound(one.figures), one.action(), one.action(False)) for one in found]


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
    setting = Setting.make(seed)
    counts = {scenario: null_batches if scenario.name == "none" else power_batches for scenario in SCENARIOS}
    worlds = [World(scenario, size, counts[scenario]) for scenario in SCENARIOS for size in batch_sizes]
    most = max(counts.values())
    blocks = [range(first, min(first + AT_ONCE, most)) for first in range(0, most, AT_ONCE)]
    tasks = [joblib.delayed(_replicates)(setting, worlds, n_reference, block, permutations) for block in blocks]
    by_block = engine.compute(tasks, "batches")
    rows = []
    for world, parts in zip(worlds, zip(*by_block, strict=True), strict=True):
        looks = [look for part in parts for look in part]
        alarms, below, *orders = zip(*looks, strict=True)
        done = [pd.DataFrame({name: [a == name for a in order] for name in monitoring.ACTIONS}) for order in orders]
        tables = (pd.DataFrame(alarms), pd.DataFrame(below), *done)
        for kind, hits in zip(("alarm", "part", "action", "inputs_last"), tables, strict=True):
            rows += [_rate(world.scenario, world.n_batch, kind, name, hits[name]) for name in hits]
    return pd.DataFrame(rows)


def _rate(scenario: Scenario, size: int, kind: str, name: str, hits: pd.Series) -> dict:
    interval = intervals.wilson(int(hits.sum()), len(hits))
    row = {"scenario": scenario.name, "label": scenario.label, "batch_size": size, "kind": kind, "name": name}
    row |= {"batches": len(hits), "count": int(hits.sum()), "rate": interval["value"]}
    return row | {"ci_low": interval["ci_low"], "ci_high": interval["ci_high"]}


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
    chosen = next(s for s in SCENARIOS if s.name == scenario)
    rng = seeds.stream(seed, "monitoring", "one batch", scenario)
    model, cells = setting.frozen(range(1)), setting.cells
    reference = Seen.of(simulate.draw_arrays(PUBLISHED_LAW, n_reference, rng, setting.offset), model, cells)
    batch = Seen.of(chosen.draw(PUBLISHED_LAW, size, rng, setting.offset), model, cells)
    dealt = monitoring.deal(size, n_reference + size, permutations, rng)
    residuals = np.concatenate([reference.y - reference.prob, batch.y - batch.prob])
    centred = residuals - residuals.mean()
    band = np.quantile(np.cumsum(centred[dealt], axis=1), [0.025, 0.975], axis=0)
    return looks([reference], [batch], cells, [dealt])[0], np.cumsum(centred[n_reference:]), band
