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

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
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
FLOOR = 1e-3  # share that an empty cell counts as in the population stability index
SAID = settings.declared(__file__, "monitoring.yaml")
# Alarms, actions and worlds to their names in figures, tables and sentences
NAMES, ACTIONS, WORLDS = SAID["alarms"], SAID["actions"], SAID["scenarios"]
RULES, WATCHED = SAID["rules"], SAID["watched"]
WITHOUT_NULL = ("psi_customary", "seed_rule")
# Cut-off above which a population stability index is customarily called a shift, at any batch size
CUSTOMARY_PSI = 0.25
REFITS = ("recalibrate", "retrain")  # actions that fit to the new data, whatever is in them
TEXT = {"gender": GENDERS, "treatment_group": ARMS, "trial_phase": PHASES}
VERSION = "v3_causal"
THRESHOLD = 0.5
ALPHA = 0.05
ENOUGH = 0.8  # power that sample sizes are customarily planned for
N_DEVELOPMENT = 1000  # patients that a model is fitted to, before it is frozen
AT_ONCE = 200  # replicates that share one task, and are held in memory at a time
Patients = dict[str, NDArray]  # a trial as `attrition.simulate.draw_arrays` draws it
Outcome = dict[tuple[str, str], bool]  # what one look sets off, by kind and name; see `study`
World = tuple[str, int, int]  # a scenario, a batch size, and how many replicates are drawn of it


class Cells:
    """Cells that each column is counted in, fixed on the patients that the model was made from.

    `edges` has the inner cuts of each numeric column (quantiles), `levels` the known values of each text column; any
    other value has a cell of its own. `columns` are numeric, then text; `slices` has the cells of each.
    """

    def __init__(self, development: pd.DataFrame):
        numeric, at = development.select_dtypes("number"), np.linspace(0, 1, NUMERIC_BINS + 1)[1:-1]
        text = development.drop(columns=numeric.columns).astype(str)
        self.edges = {name: np.unique(np.quantile(column, at)) for name, column in numeric.items()}
        self.levels = {name: pd.Index(sorted(column.unique())) for name, column in text.items()}
        self.columns = [*self.edges, *self.levels]
        sizes = [len(known) + 1 for known in (*self.edges.values(), *self.levels.values())]
        self.slices = [slice(*ends) for ends in itertools.pairwise([0, *np.cumsum(sizes).tolist()])]

    def onehot(self, table: pd.DataFrame) -> NDArray:
        """Membership of each patient in the cells, float32 of shape (n_patients, n_cells)."""
        place = {name: np.searchsorted(cuts, table[name], side="right") for name, cuts in self.edges.items()}
        for name, known in self.levels.items():
            code, found = pd.factorize(table[name], use_na_sentinel=False)
            place[name] = known.get_indexer(pd.Index(found).astype(str))[code]
        cells = zip(self.columns, self.slices, strict=True)
        return np.hstack([np.eye(s.stop - s.start, dtype=np.float32)[place[name]] for name, s in cells])


def psi(share: NDArray, reference: NDArray) -> NDArray:
    r"""Population stability index: the Kullback-Leibler divergences of two binned distributions, both ways, added.

    .. math:: \sum_k (q_k - p_k) \log (q_k / p_k) = \mathrm{KL}(q \| p) + \mathrm{KL}(p \| q)

    Shares of the batch and of the reference are (..., n_cells); an empty cell counts as `FLOOR`.

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


def drifts(counts: NDArray, total: NDArray, n_batch: int, cells: Cells) -> tuple[NDArray, NDArray, NDArray]:
    """Drift of the inputs of many batches, each by PSI, KS and chi-squared with a permutation null.

    The overall p-value of a method belongs to its largest standing over all columns (each column's statistic divided
    by its own mean over all deals), so looking at many columns costs no extra false alarms.

    From `cell_counts` (n_batches, 1 + permutations, n_cells) and the patients of reference and batch in each cell:
    statistic and p (n_batches, n_methods, n_columns), NaN where a method does not apply (KS to categories), and the
    overall p (n_batches, n_methods); methods as in `METHODS`.
    """
    counts, total = counts.astype(float), total.astype(float)[:, None]
    n_reference = int(total[0, 0, cells.slices[0]].sum()) - n_batch
    share, reference = counts / n_batch, (total - counts) / n_reference
    by_column = []
    for s in cells.slices:
        pair = share[..., s], reference[..., s]
        freedom = max(s.stop - s.start - 1, 1)
        pearson = chi_squared(*pair, n_batch, n_reference) / freedom
        by_column.append((psi(*pair), kolmogorov_smirnov(*pair), pearson))
    statistics = np.transpose(by_column, (3, 2, 1, 0))
    usable = np.ones(statistics.shape[2:], dtype=bool)
    usable[METHODS.index("ks"), len(cells.edges) :] = False
    # the observed deal counts in the scale as well: with it left out, the test would not be exact
    standing = np.where(usable, statistics / (statistics.mean(0) + 1e-12), -np.inf).max(-1)
    single, overall = p_values(statistics[0], statistics[1:]), p_values(standing[0], standing[1:])
    return np.where(usable, statistics[0], np.nan), np.where(usable, single, np.nan), overall


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
    ranking for recalibration only. `p` has p-values ``performance``, ``calibration`` and ``covariates``; without
    `inputs_first` it is the wrong way, for comparison: the inputs are looked at when nothing else is amiss.

    >>> decide({"performance": 0.4, "calibration": 0.01, "covariates": 0.2})
    'recalibrate'
    """
    looks = {"performance": "retrain", "calibration": "recalibrate"}
    looks = {"covariates": "inspect"} | looks if inputs_first else looks | {"covariates": "inspect"}
    return next((action for name, action in looks.items() if p[name] <= alpha), "none")


def _new_sites(law: Law, n: int, rng: np.random.Generator, offset: float) -> Patients:
    """Sites that recruit older patients, mostly for phase III: kept with a chance that grows with age and phase."""
    drawn = simulate.draw_arrays(law, 4 * n, rng, offset)
    by_phase = {"Phase I": 0.3, "Phase II": 0.6, "Phase III": 1.0}
    phase = np.array([by_phase[name] for name in PHASES])[drawn["trial_phase"]]
    keep = rng.random(len(phase)) < phase * (0.3 + 0.7 * (drawn["age"] - 18) / 67)
    order = np.argsort(~keep, kind="stable")[:n]
    return {name: values[order] for name, values in drawn.items()}


def _under_reported(law: Law, n: int, rng: np.random.Generator, offset: float) -> Patients:
    """Every second adverse event is no longer written down; patients are as before."""
    drawn = simulate.draw_arrays(law, n, rng, offset)
    return drawn | {"adverse_events": rng.binomial(drawn["adverse_events"], 0.5)}


# Ways in which the world may change after a model was made: name to what draws such patients
SCENARIOS: dict[str, Callable[[Law, int, np.random.Generator, float], Patients]] = {
    "none": simulate.draw_arrays,
    "new_sites": _new_sites,
    "event_rate_doubled": lambda law, n, rng, _: simulate.draw_arrays(
        law, n, rng, oracle.offset_for_prevalence(law, 2 * oracle.BELIEVED_PREVALENCE)
    ),
    "adverse_event_reporting": _under_reported,
}


def model_inputs(patients: Patients) -> NDArray:
    """Features of the frozen model, shape (n_patients, n_features)."""
    return features.array(patients, features.VERSIONS[VERSION])


def watched(patients: Patients) -> pd.DataFrame:
    """The columns whose drift is looked at, text as categories."""
    named = {name: pd.Categorical.from_codes(patients[name], TEXT[name]) for name in TEXT}
    return pd.DataFrame({name: named.get(name, patients[name]) for name in WATCHED})


# Logistic regressions, one a replicate, each fitted once: without class weights, and with, as was published
Models = tuple[batched.LogisticFit, batched.LogisticFit]


def freeze(patients: Patients, n_models: int) -> Models:
    """Fit `n_models` models, each on its own share of the patients, in order."""
    X, y = model_inputs(patients), patients["dropout"].astype(float)
    X, y = X.reshape(n_models, -1, X.shape[1]), y.reshape(n_models, -1)
    return batched.fit_pipeline(X, y), batched.fit_pipeline(X, y, class_weight="balanced")


class Setting:
    """What is fixed before the first batch: seed, prevalence offset of the law, cells cut in a development trial."""

    def __init__(self, seed: int):
        self.seed, self.offset = seed, oracle.offset_for_prevalence(PUBLISHED_LAW, oracle.BELIEVED_PREVALENCE)
        self.cells = Cells(watched(self.drawn("none", N_DEVELOPMENT, seeds.stream(seed, "monitoring", "cells"))))

    def drawn(self, scenario: str, n: int, rng: np.random.Generator) -> Patients:
        """Patients of a world of `SCENARIOS`."""
        return SCENARIOS[scenario](PUBLISHED_LAW, n, rng, self.offset)

    def models(self, replicates: range) -> Models:
        """Models of some replicates, each from a development trial of its own."""
        rng = seeds.stream(self.seed, "monitoring", "model", replicates.start)
        return freeze(self.drawn("none", N_DEVELOPMENT * len(replicates), rng), len(replicates))


class Seen(NamedTuple):
    """Patients as monitoring sees them: cells of their inputs, outcome, probability without and with class weights."""

    inputs: NDArray
    y: NDArray
    prob: NDArray
    balanced: NDArray


def seen(patients: Patients, models: Models, cells: Cells, n: int = 1) -> list[Seen]:
    """Patients of `n` replicates, as many in each and in order, scored with the models of the replicates."""
    X, inputs = model_inputs(patients), cells.onehot(watched(patients))
    probabilities = (model.first(n).predict_proba(X.reshape(n, -1, X.shape[1])) for model in models)
    parts = inputs.reshape(n, -1, inputs.shape[1]), patients["dropout"].astype(float).reshape(n, -1), *probabilities
    return [Seen(*own) for own in zip(*parts, strict=True)]


def figures(batch: Seen) -> dict[str, float]:
    """What the published rule looks at: AUROC, and recall at its threshold, of the class-weighted model."""
    if np.isnan(batch.y).any():
        return {}
    events = batch.y == 1
    recall = float((batch.balanced[events] >= THRESHOLD).mean()) if events.any() else np.nan
    return {"auroc": metrics.auroc(batch.y, batch.balanced), "recall": recall}


class Look(NamedTuple):
    """One look at one batch.

    Parameters
    ----------
    statistic, p_column : numpy.ndarray, shape (n_methods, n_columns)
        Drift of each input, see `drifts`.
    p : dict
        p-value of each alarm: ``psi, ks, chi2`` (inputs); with outcomes ``cusum`` (calibration in the large), and where
        some left and some stayed ``auroc`` (ranking).
    figures : dict
        What the published rule looks at; empty without outcomes.
    """

    statistic: NDArray
    p_column: NDArray
    p: dict[str, float]
    figures: dict[str, float]

    def table(self, columns: Sequence[str]) -> pd.DataFrame:
        """One row a column: each method's statistic and p-value."""
        pairs = zip(METHODS, self.statistic, self.p_column, strict=True)
        found = {name: row for method, own, p in pairs for name, row in ((method, own), (f"p_{method}", p))}
        return pd.DataFrame({"column": list(columns), **found})

    def action(self, inputs_first: bool = True) -> str:
        """Key of `ACTIONS`; see `decide`."""
        looked = {"performance": "auroc", "calibration": "cusum", "covariates": "chi2"}
        return decide({name: self.p.get(alarm, np.nan) for name, alarm in looked.items()}, ALPHA, inputs_first)

    def outcome(self) -> Outcome:
        """Alarms at level `ALPHA` and those of the two customary rules, which look at no null; see `study`."""
        below = {name: bool(self.figures.get(name, np.nan) < bound) for name, bound in RULES.items()}
        alarms = {name: value <= ALPHA for name, value in self.p.items()}
        alarms |= {"psi_customary": bool(self.statistic[0].max() > CUSTOMARY_PSI), "seed_rule": any(below.values())}
        actions = {kind: self.action(first) for kind, first in (("action", True), ("inputs_last", False))}
        chosen = {kind: {name: name == action for name in ACTIONS} for kind, action in actions.items()}
        kinds = {"alarm": alarms, "part": below, **chosen}
        return {(kind, name): hit for kind, hits in kinds.items() for name, hit in hits.items()}


def looks(references: Sequence[Seen], batches: Sequence[Seen], cells: Cells, deals: Iterable[NDArray]) -> list[Look]:
    """Compare batches of one size, each with a reference and deals (`deal`) of its own.

    A batch whose outcomes are not known, NaN, is looked at by its inputs alone.
    """
    counts, totals = [], []
    p: list[dict[str, float]] = []
    for reference, batch, dealt in zip(references, batches, deals, strict=True):
        inputs, y, prob, _ = map(np.concatenate, zip(reference, batch, strict=True))
        member = membership(dealt, len(y))
        counts.append(cell_counts(inputs, member))
        totals.append(inputs.sum(0))
        p.append({})
        if known := not np.isnan(batch.y).any():
            p[-1]["cusum"] = calibration_drift(reference.y - reference.prob, batch.y - batch.prob, dealt)
        if known and 0 < batch.y.sum() < len(batch.y):
            p[-1]["auroc"] = performance_drift(y, prob, member, ranks.auroc)
    found = drifts(np.stack(counts), np.stack(totals), len(batches[0].y), cells)
    return [
        Look(statistic, single, dict(zip(METHODS, overall.tolist(), strict=True)) | alone, figures(batch))
        for statistic, single, overall, alone, batch in zip(*found, p, batches, strict=True)
    ]


def _replicates(
    setting: Setting, worlds: Sequence[World], n_reference: int, block: range, permutations: int
) -> list[list[Outcome]]:
    """What each replicate of the block sets off, in each of the worlds, which all meet the same models."""
    models = setting.models(block)
    found: list[list[Outcome]] = []
    for scenario, n_batch, n_replicates in worlds:
        n = len(range(block.start, min(block.stop, n_replicates)))
        if not n:
            found.append([])
            continue
        rng = seeds.stream(setting.seed, "monitoring", scenario, n_batch, block.start)
        before, now = (
            seen(setting.drawn(name, size * n, rng), models, setting.cells, n)
            for name, size in (("none", n_reference), (scenario, n_batch))
        )
        # one pattern of deals, its patients drawn anew in each replicate
        pattern = deal(n_batch, n_reference + n_batch, permutations, rng)
        deals = (rng.permutation(n_reference + n_batch)[pattern] for _ in range(n))
        found.append([look.outcome() for look in looks(before, now, setting.cells, deals)])
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
    worlds = [(name, size, counts[name]) for name in SCENARIOS for size in batch_sizes]
    setting, most = Setting(seed), max(counts.values())
    blocks = [range(first, min(first + AT_ONCE, most)) for first in range(0, most, AT_ONCE)]
    tasks = [joblib.delayed(_replicates)(setting, worlds, n_reference, block, permutations) for block in blocks]
    by_block, rows = engine.compute(tasks, "batches"), []
    for (scenario, size, n), parts in zip(worlds, zip(*by_block, strict=True), strict=True):
        about = {"scenario": scenario, "label": WORLDS[scenario], "batch_size": size}
        for (kind, name), count in pd.DataFrame(list(itertools.chain(*parts))).sum().items():
            place = about | {"kind": kind, "name": name, "batches": n, "count": count}
            rows.append(place | intervals.wilson(count, n))
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
    setting, rng = Setting(seed), seeds.stream(seed, "monitoring", "one batch", scenario)
    models, worlds = setting.models(range(1)), (("none", n_reference), (scenario, size))
    reference, batch = (seen(setting.drawn(name, n, rng), models, setting.cells)[0] for name, n in worlds)
    dealt = deal(size, n_reference + size, permutations, rng)
    residuals = np.concatenate([reference.y - reference.prob, batch.y - batch.prob])
    centred = residuals - residuals.mean()
    band = np.quantile(np.cumsum(centred[dealt], axis=1), [0.025, 0.975], axis=0)
    return looks([reference], [batch], setting.cells, [dealt])[0], np.cumsum(centred[n_reference:]), band


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
    size = int(actions["batch_size"].max())
    large = actions[actions["batch_size"] == size].set_index("label")[list(ACTIONS)].rename(columns=ACTIONS)
    ranked = ((label, row.sort_values(ascending=False, kind="stable")) for label, row in large.iterrows())
    return {"size": size, "worlds": [{"label": label, "shares": list(shares.items())} for label, shares in ranked]}


def refits(table: pd.DataFrame, scenario: str) -> pd.DataFrame:
    """How often a model is refitted in one world: columns ``batch_size, first, last`` (the inputs looked at)."""
    kinds = {"action": "first", "inputs_last": "last"}
    own = (table["scenario"] == scenario) & table["name"].isin(REFITS)
    wide = table[own].pivot_table(index="batch_size", columns="kind", values="rate", aggfunc="sum")
    return wide[list(kinds)].rename(columns=kinds).rename_axis(columns=None).reset_index()


def published_rule(null: pd.DataFrame, parts: pd.DataFrame) -> dict[str, Any]:
    """The chapter's finding: is the published rule usable, at the largest batch, or why does it alarm for nothing?

    Both tables are rows of `study` on unchanged batches: alarms, and figures below their bounds.

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
