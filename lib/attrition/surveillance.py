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
from typing import Any, NamedTuple

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
ENOUGH = 0.8
"""Power that sample sizes are customarily planned for."""
N_DEVELOPMENT = 1000
"""Patients that a model is fitted to, before it is frozen."""
AT_ONCE = 200
"""Replicates that share one task, and are held in memory at a time."""
Patients = dict[str, NDArray]
"""A trial as `attrition.simulate.draw_arrays` draws it."""


class Scenario(NamedTuple):
    """A way in which the world may change after a model was made; `draw` takes ``(law, n, rng, offset)``."""

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


class Seen(NamedTuple):
    """Patients as monitoring sees them: cells of their inputs, outcome, probability without and with class weights."""

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
        return ours | {"psi_customary": customary, "seed_rule": any(monitoring.below_bound(self.figures).values())}

    def action(self, inputs_first: bool = True) -> str:
        """Key of `attrition.monitoring.ACTIONS`; see `attrition.monitoring.decide`."""
        p = {"performance": self.p["auroc"], "calibration": self.p["cusum"], "covariates": self.p["chi2"]}
        return monitoring.decide(p, ALPHA, inputs_first)


def looks(
    references: Sequence[Seen], batches: Sequence[Seen], cells: monitoring.Cells, deals: Iterable[NDArray]
) -> list[Look]:
    """Compare batches of one size, each with a reference and deals (`attrition.monitoring.deal`) of its own."""
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


Outcome = tuple[dict[str, bool], dict[str, bool], str, str]
"""Alarms, figures below their bounds, and action of one look: by the rule, and were the inputs looked at last."""


class World(NamedTuple):
    """A scenario at one batch size, and how many replicates are drawn of it."""

    scenario: Scenario
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
    rng = seeds.stream(setting.seed, "monitoring", world.scenario.name, n_batch, block.start)
    reference = simulate.draw_arrays(PUBLISHED_LAW, n_reference * n, rng, setting.offset)
    batches = world.scenario.draw(PUBLISHED_LAW, n_batch * n, rng, setting.offset)
    before, now = (Seen.of(patients, models.first(n), setting.cells) for patients in (reference, batches))
    # one pattern of deals, its patients drawn anew in each replicate
    pattern = monitoring.deal(n_batch, n_reference + n_batch, permutations, rng)
    deals = (rng.permutation(n_reference + n_batch)[pattern] for _ in range(n))
    found = looks(before.blocks(n_reference), now.blocks(n_batch), setting.cells, deals)
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
    rate = intervals.wilson(int(hits.sum()), len(hits))
    row = {"scenario": scenario.name, "label": scenario.label, "batch_size": size, "kind": kind, "name": name}
    row |= {"batches": len(hits), "count": int(hits.sum()), "rate": rate["value"]}
    return row | {"ci_low": rate["ci_low"], "ci_high": rate["ci_high"]}


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


def nested(table: pd.DataFrame, *levels: str) -> dict:
    """Rates as nested results: ``{level: {...: {"value", "ci_low", "ci_high"}}}``.

    Examples
    --------
    >>> row = {"name": "psi", "batch_size": 50, "rate": 0.05, "ci_low": 0.04, "ci_high": 0.06}
    >>> nested(pd.DataFrame([row]), "name", "batch_size")["psi"]["50"]["value"]
    0.05
    """
    if not levels:
        return dict(intervals.of_row(table.iloc[0], "rate"))
    return {str(key): nested(part, *levels[1:]) for key, part in table.groupby(levels[0], sort=False)}


def standing_out(columns: pd.DataFrame) -> dict[str, Any]:
    """The input with the smallest p-value of any method, from `attrition.monitoring.Drift.table`."""
    smallest = columns.filter(regex="^p_").min(axis=1)
    return {"input": columns["column"][smallest.idxmin()], "p": float(smallest.min()), "n": len(columns)}


def furthest(null: pd.DataFrame) -> dict[str, Any]:
    """The permutation alarm whose false-alarm rate is furthest from `ALPHA`, a row of alarms without a change."""
    ours = null[~null["name"].isin(monitoring.WITHOUT_NULL)]
    return ours.loc[(ours["rate"] - ALPHA).abs().idxmax()].to_dict()


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
    sized = alarms[alarms["batch_size"] == size]
    ours = sized[~sized["name"].isin(monitoring.WITHOUT_NULL)].set_index("name")
    worlds = []
    for scenario in SCENARIOS[1:]:
        rate = ours.loc[ours["scenario"] == scenario.name, "rate"]
        world: dict[str, Any] = {"label": scenario.label}
        for end, value in (("most", rate.max()), ("least", rate.min())):
            world |= {end: [monitoring.NAMES[n] for n in rate.index[rate == value]], f"{end}_rate": float(value)}
        worlds.append(world)
    weakest = ours[ours["scenario"] != "none"].groupby(level="name")["rate"].min()
    blind = {}
    for name in monitoring.WITHOUT_NULL:
        rate = sized[sized["name"] == name].set_index("scenario")["rate"]
        if not rate.empty and rate.drop("none").min() >= ENOUGH:
            blind[monitoring.NAMES[name]] = float(rate["none"])
    best = {"seer": monitoring.NAMES[weakest.idxmax()], "power": float(weakest.max()), "enough": ENOUGH}
    return {"size": size, "worlds": worlds, "blind": blind} | best


def action_table(table: pd.DataFrame) -> pd.DataFrame:
    """Share of batches by action, one row a world and batch size, from `study`."""
    actions = table[table["kind"] == "action"]
    wide = actions.pivot_table(index=["scenario", "label", "batch_size", "batches"], columns="name", values="rate")
    order = pd.Categorical(wide.index.get_level_values("scenario"), [s.name for s in SCENARIOS], ordered=True)
    rows = wide[list(monitoring.ACTIONS)].iloc[np.argsort(order.codes, kind="stable")].reset_index()
    return rows.drop(columns="scenario").rename_axis(columns=None)


def prevailing(actions: pd.DataFrame) -> dict[str, Any]:
    """What the stated rule does in each world at the largest batch: ``size``, and ``worlds`` with ranked shares."""
    large = actions[actions["batch_size"] == actions["batch_size"].max()]
    names = list(monitoring.ACTIONS)
    worlds = []
    for row in large.to_dict("records"):
        ranked = sorted(names, key=lambda name: -row[name])
        worlds.append({"label": row["label"], "shares": [(monitoring.ACTIONS[name], row[name]) for name in ranked]})
    return {"size": int(large["batch_size"].iloc[0]), "worlds": worlds}


def refits(table: pd.DataFrame, scenario: str) -> pd.DataFrame:
    """How often a model is refitted in one world: columns ``batch_size, first, last`` (the inputs looked at)."""
    kinds = {"action": "first", "inputs_last": "last"}
    own = (table["scenario"] == scenario) & table["name"].isin(monitoring.REFITS)
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
    rate = nested(null[(null["name"] == "seed_rule") & (null["batch_size"] == size)])
    rates = parts.pivot_table(index="name", columns="batch_size", values="rate")
    small, large = rates[rates.columns.min()], rates[rates.columns.max()]
    worst = large.idxmax()
    found = {"size": size, "rate": rate, "below": large.to_dict(), "worst": worst}
    found["unattainable"] = bool(large[worst] > max(small[worst], 0.5))
    return found | {"verdict": "supported" if rate["ci_low"] <= ALPHA else "not supported"}
