"""How often would monitoring cry wolf, and how often would it see a change? Simulated batches from a known law.

Aims: false-alarm rate and power of each alarm of `attrition.monitoring` and of the published rule, by batch size.
Data-generating mechanism: the published law at an event rate of 24 % (at the law's own 53 % an event rate cannot
double). A model is fitted once and frozen; each replicate draws a fresh reference of patients and a fresh batch.
Estimand: the probability of an alarm at one look at one batch. Performance measure: the share of replicates with an
alarm, with its Wilson interval.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

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


@dataclass(frozen=True)
class Frozen:
    """A logistic regression that was fitted once.

    Parameters
    ----------
    fit : attrition.models.batched.LogisticFit
        One replicate.
    mean, scale : numpy.ndarray, shape (n_features,)
        Of the development patients.
    """

    fit: batched.LogisticFit
    mean: NDArray
    scale: NDArray

    def probability(self, X: NDArray) -> NDArray:
        """Predicted probability of dropout from features of `model_inputs`, shape (n_patients,)."""
        return expit(batched.decision_function(self.fit, ((X - self.mean) / self.scale)[None])[0])


def model_inputs(patients: Patients) -> NDArray:
    """Features of the frozen model, shape (n_patients, n_features)."""
    return features.array(patients, features.VERSIONS[VERSION])


def watched(patients: Patients) -> pd.DataFrame:
    """The columns whose drift is looked at, text as categories."""
    named = {name: pd.Categorical.from_codes(patients[name], TEXT[name]) for name in TEXT}
    return pd.DataFrame({name: named.get(name, patients[name]) for name in WATCHED})


def freeze(patients: Patients, balanced: bool) -> Frozen:
    """Fit the model once, with class weights (as was published) or without."""
    X, y = model_inputs(patients), patients["dropout"].astype(float)
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
        rng = seeds.stream(seed, "monitoring", "model")
        patients = simulate.draw_arrays(PUBLISHED_LAW, n_development, rng, offset)
        cells = monitoring.Cells.of(watched(patients))
        return cls(offset, freeze(patients, balanced=False), freeze(patients, balanced=True), cells)


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
    def of(cls, patients: Patients, setting: Setting) -> "Seen":
        """Score patients."""
        X, inputs = model_inputs(patients), setting.cells.onehot(watched(patients))
        prob, balanced = setting.plain.probability(X), setting.balanced.probability(X)
        return cls(inputs, patients["dropout"].astype(float), prob, balanced)

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

    @property
    def action(self) -> str:
        """Key of `attrition.monitoring.ACTIONS`."""
        p = {"performance": self.p["auroc"], "calibration": self.p["cusum"], "covariates": self.p["chi2"]}
        return monitoring.decide(p, ALPHA)


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


def _replicates(
    seed: int, setting: Setting, scenario: Scenario, sizes: tuple[int, int], replicates: range, permutations: int
) -> list[tuple[dict[str, bool], str]]:
    n_reference, n_batch = sizes
    rng = seeds.stream(seed, "monitoring", scenario.name, n_batch, replicates.start)
    reference = simulate.draw_arrays(PUBLISHED_LAW, n_reference * len(replicates), rng, setting.offset)
    batches = scenario.draw(PUBLISHED_LAW, n_batch * len(replicates), rng, setting.offset)
    seen = Seen.of(reference, setting), Seen.of(batches, setting)
    return [(one.alarms, one.action) for one in _looks(*seen, sizes, setting.cells, permutations, rng)]


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
        Columns ``scenario, label, batch_size, kind, name, batches, count, rate, ci_low, ci_high``; `kind` is
        ``alarm`` (`name` a method) or ``action`` (`name` what the stated rule would do).
    """
    setting, tasks = Setting.make(seed), {}
    for scenario in SCENARIOS:
        count = null_batches if scenario.name == "none" else power_batches
        for size in batch_sizes:
            blocks = [range(first, min(first + AT_ONCE, count)) for first in range(0, count, AT_ONCE)]
            tasks[scenario, size] = [
                joblib.delayed(_replicates)(seed, setting, scenario, (n_reference, size), block, permutations)
                for block in blocks
            ]
    done = iter(engine.compute([task for each in tasks.values() for task in each], "batches"))
    rows = []
    for (scenario, size), each in tasks.items():
        looks = [look for _ in each for look in next(done)]
        alarms, actions = pd.DataFrame([alarm for alarm, _ in looks]), pd.Series([action for _, action in looks])
        rows += [_rate(scenario, size, "alarm", method, alarms[method]) for method in alarms]
        rows += [_rate(scenario, size, "action", name, actions == name) for name in monitoring.ACTIONS]
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
    reference = Seen.of(simulate.draw_arrays(PUBLISHED_LAW, n_reference, rng, setting.offset), setting)
    batch = Seen.of(chosen.draw(PUBLISHED_LAW, size, rng, setting.offset), setting)
    dealt = monitoring.deal(size, n_reference + size, permutations, rng)
    residuals = np.concatenate([reference.y - reference.prob, batch.y - batch.prob])
    centred = residuals - residuals.mean()
    band = np.quantile(np.cumsum(centred[dealt], axis=1), [0.025, 0.975], axis=0)
    return looks([reference], [batch], setting.cells, [dealt])[0], np.cumsum(centred[n_reference:]), band
