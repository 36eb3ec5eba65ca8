"""What each way of leaking would have been worth: the same model and folds, once honest and once not.

Two kinds. A *feature* leak adds one column that is known only after the outcome. A *procedure* leak uses the outcome,
or the patient, of the test part while building the model. `FEATURES` and `PROCEDURES` list them; the guard against
them is `attrition.landmark.guard`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attrition import metrics, seeds
from attrition.cdisc.trial import Trial
from attrition.landmark import cohort
from attrition.landmark.prediction import Problem, enough, problem
from attrition.leaks import procedures
from attrition.leaks.procedures import Scores, Task, logistic_oof
from attrition.metrics import intervals
from attrition.resampling import repeated_folds
from attrition.text import unless_missing


@dataclass(frozen=True)
class Leak:
    """One way of leaking.

    Attributes
    ----------
    name, label : str
    how : str
        How it happens in practice.
    compute : callable
        Feature leak: ``compute(trial, ids) -> Series``. Procedure leak: ``compute(task, honest) -> Scores``.
    """

    name: str
    label: str
    how: str
    compute: Callable


def _count(trial: Trial, ids: pd.Index, kind: str) -> pd.Series:
    records = trial.events[trial.events["kind"].eq(kind) & (trial.events["day"] >= 1)]
    return records.groupby("id").size().reindex(ids, fill_value=0).astype(float)


def _days_in_trial(trial: Trial, ids: pd.Index) -> pd.Series:
    return trial.patients.set_index("id")["event_day"].reindex(ids)


def _rate_per_day(trial: Trial, ids: pd.Index) -> pd.Series:
    return _count(trial, ids, "adverse event") / _days_in_trial(trial, ids)


def _visit_reached(trial: Trial, ids: pd.Index) -> pd.Series:
    """Largest visit number, or the number of visits where they have none."""
    visits = trial.events[trial.events["kind"].eq("visit")]
    reached = visits.groupby("id")["value"].max() if visits["value"].notna().any() else visits.groupby("id").size()
    return reached.reindex(ids).fillna(0.0).astype(float)


def _cumulative_dose(trial: Trial, ids: pd.Index) -> pd.Series:
    """Dose of each record times the days until the next one, or until the patient leaves."""
    doses = trial.events[trial.events["kind"].eq("exposure")].sort_values(["id", "day"])
    end = doses.groupby("id")["day"].shift(-1).fillna(doses["id"].map(trial.patients.set_index("id")["event_day"]))
    given = doses["value"] * (end - doses["day"]).clip(lower=0)
    return given.groupby(doses["id"]).sum().reindex(ids).fillna(0.0)


def _completion_flag(trial: Trial, ids: pd.Index) -> pd.Series:
    """Still there two thirds of the way to the horizon (a flag such as COMP16FL)."""
    return (_days_in_trial(trial, ids) >= round(trial.horizon * 2 / 3)).astype(float)


def _late_onsets(trial: Trial, ids: pd.Index) -> pd.Series:
    """Adverse events with onset by the first landmark, whenever they were reported."""
    adverse = trial.events[trial.events["kind"].eq("adverse event")]
    by_onset = adverse[adverse["day"].between(1, trial.landmarks[0])]
    return by_onset.groupby("id").size().reindex(ids, fill_value=0).astype(float)


FEATURES = (
    Leak(
        "whole_follow_up_counts",
        "Adverse events over the whole follow-up",
        "counting all adverse events of the final data",
        lambda trial, ids: _count(trial, ids, "adverse event"),
    ),
    Leak(
        "rate_per_day",
        "Adverse events per day in the trial",
        "dividing by a duration that ends when the patient leaves",
        _rate_per_day,
    ),
    Leak("visit_number_reached", "Last visit number reached", "VISNUMEN, or the largest VISITNUM", _visit_reached),
    Leak("cumulative_dose", "Cumulative dose", "CUMDOSE, TRTDURD or AVGDD from ADSL", _cumulative_dose),
    Leak(
        "exposure_records",
        "Number of dosing records",
        "counting EX records",
        lambda trial, ids: _count(trial, ids, "exposure"),
    ),
    Leak("completion_flag", "Completion flag", "COMP8FL, COMP16FL, EFFFL and the like", _completion_flag),
    Leak(
        "onset_before_collection",
        "Adverse events by onset, not by collection",
        "using what was reported only weeks later",
        _late_onsets,
    ),
)


PROCEDURES = (
    Leak(
        "selection_outside_folds",
        "Selection outside the folds",
        "choosing the best of many columns on all patients",
        procedures.selection,
    ),
    Leak(
        "resampling_outside_folds",
        "Over-sampling before the split",
        "balancing the data before cross-validation",
        procedures.oversampling,
    ),
    Leak(
        "imputation_with_outcome",
        "Imputation with the outcome",
        "filling gaps with the mean of the outcome class",
        procedures.imputation,
    ),
    Leak(
        "encoding_with_outcome",
        "Event rate of the site as a feature",
        "target encoding on all patients",
        procedures.encoding,
    ),
    Leak("tuning_on_test", "Tuning on the test part", "reporting the best of forty settings", procedures.tuning),
    Leak(
        "repeated_patients",
        "A patient on both sides",
        "rows of one patient at several landmarks, split by row",
        procedures.repeated,
    ),
)
COLUMNS = (
    *("leak", "label", "how", "honest", "leaky", "difference", "ci_low", "ci_high"),
    *("n_patients", "n_events"),
)
LABELS = {leak.name: leak.label for leak in (*FEATURES, *PROCEDURES)}
HOW = {leak.name: leak.how for leak in (*FEATURES, *PROCEDURES)}


def _per_repeat(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    return intervals.replicates(metrics.auroc, y, scores, weights)


def price(name: str, honest: Scores, leaky: Scores, weights: np.ndarray) -> dict:
    """Honest and leaky AUROC and their paired difference; resamples draw patients with all their rows.

    Parameters
    ----------
    name : str
    honest, leaky : Scores
        With the patient of each row as position.
    weights : ndarray, shape (n_patients, n_resamples)

    Returns
    -------
    dict
        leak, honest, leaky, difference, ci_low, ci_high, n_patients, n_events.
    """
    (value, drawn), (other, other_drawn) = (_per_repeat(y, s, weights[who]) for who, y, s in (honest, leaky))
    found = intervals.percentile_interval(other - value, other_drawn - drawn)
    who, y, _ = honest
    return {
        "leak": name,
        "honest": value,
        "leaky": other,
        "difference": found["value"],
        "ci_low": found["ci_low"],
        "ci_high": found["ci_high"],
        "n_patients": len(np.unique(who)),
        "n_events": len(np.unique(who[y == 1])),
    }


def filled(X: pd.DataFrame) -> np.ndarray:
    """Missing values at the column's median: without the outcome, and the same for both sides of a comparison."""
    return X.fillna(X.median()).fillna(0.0).to_numpy(float)


def _task(of: Problem, X: np.ndarray, site: np.ndarray, candidates: np.ndarray, p, seed: int) -> Task:
    patient = np.arange(len(of.y))
    return Task(X, of.y, patient, site, candidates, p.n_folds, p.leak_repeats, seed, p.leak_ridge_c)


def feature_prices(trial: Trial, of: Problem, p, seed: int, weights: np.ndarray) -> list[dict]:
    """Price of each feature leak: baseline, arm and adverse events known by the landmark, with and without it.

    Parameters
    ----------
    trial : Trial
    of : Problem
        The honest problem at the landmark.
    p : attrition.params.RealTrial
    seed : int
    weights : ndarray of shape (n_patients, n_resamples)
    """
    X = filled(of.X[of.columns("adverse_events")])
    folds = repeated_folds(of.y, p.n_folds, p.leak_repeats, seeds.integer(seed, "folds"))
    patient = np.arange(len(of.y))
    honest = logistic_oof(X, of.y, folds, p.leak_ridge_c)
    rows = []
    for leak in FEATURES:
        column = leak.compute(trial, of.X.index).to_numpy(float)
        if np.ptp(column) == 0:
            continue
        leaky = logistic_oof(np.column_stack([X, column]), of.y, folds, p.leak_ridge_c)
        rows.append(price(leak.name, (patient, of.y, honest), (patient, of.y, leaky), weights))
    return rows


@unless_missing
def wrong_way(trial: Trial, day: int, p, seed: int) -> dict:
    """The usual notebook: everything in the final data, counted over the whole follow-up, in one model.

    Returns
    -------
    dict
        As `price`: the honest model of baseline, arm and adverse events against the same with all `FEATURES` added.
    """
    of = problem(trial, day)
    X = filled(of.X[of.columns("adverse_events")])
    folds = repeated_folds(of.y, p.n_folds, p.leak_repeats, seeds.integer(seed, "folds"))
    leaky = np.column_stack([X, *(leak.compute(trial, of.X.index).to_numpy(float) for leak in FEATURES)])
    patient = np.arange(len(of.y))
    honest, other = (logistic_oof(table, of.y, folds, p.leak_ridge_c) for table in (X, leaky[:, leaky.std(axis=0) > 0]))
    weights = intervals.bootstrap_weights(seeds.stream(seed, "leaks"), len(of.y), p.n_bootstraps)
    return price("wrong_way", (patient, of.y, honest), (patient, of.y, other), weights)


def wide_candidates(trial: Trial, of: Problem, rng: np.random.Generator, n_noise: int) -> np.ndarray:
    """Many columns to choose from: last value and change of every lab test, or noise where there are too few."""
    view = cohort.known(trial, of.landmark)
    labs = view.kind("lab")
    before, after = (cohort.last_values(labs[early]) for early in (labs["day"] <= 1, labs["day"] > 1))
    both = pd.concat([after, after - before.reindex(columns=after.columns)], axis=1)
    table = both.reindex(of.X.index).set_axis(range(both.shape[1]), axis=1)
    table = table.loc[:, table.notna().mean() > cohort.MOSTLY]
    return filled(table) if table.shape[1] >= n_noise // 2 else rng.standard_normal((len(of.y), n_noise))


def _stacked(problems: Sequence[Problem]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of all landmarks, with the features that all have, the landmark among them."""
    common = [name for name in problems[0].X if all(name in of.X for of in problems)]
    ids = pd.Index(sorted(set().union(*(of.X.index for of in problems))))
    X = np.concatenate([np.column_stack([np.full(len(of.y), of.landmark), filled(of.X[common])]) for of in problems])
    patient = np.concatenate([ids.get_indexer(of.X.index) for of in problems])
    order = np.argsort(patient, kind="stable")
    return X[order], np.concatenate([of.y for of in problems])[order], patient[order]


def price_list(trial: Trial, p, seed: int) -> pd.DataFrame:
    """Price of every leak on a trial.

    Feature leaks, selection, imputation, encoding and tuning at the landmark with most events; over-sampling at the one
    with the fewest (where there is most to balance); repeated patients over all landmarks.

    Parameters
    ----------
    trial : Trial
    p : attrition.params.RealTrial
        Fields folds, leak_repeats, bootstrap, leak_ridge_c, noise_features.
    seed : int

    Returns
    -------
    pandas.DataFrame
        leak, label, how, honest, leaky, difference, ci_low, ci_high (95 %, patient bootstrap), n_patients, n_events;
        empty when no landmark has enough events.
    """
    problems = [of for of in (problem(trial, day) for day in trial.landmarks) if enough(of)]
    if not problems:
        return pd.DataFrame(columns=COLUMNS)
    most, fewest = max(problems, key=lambda of: of.n_events), min(problems, key=lambda of: of.n_events)
    site = trial.patients.set_index("id")["site"]
    tasks: dict[str, Task] = {}
    for name, of in (("most", most), ("fewest", fewest)):
        rng = seeds.stream(seed, "candidates", of.landmark)
        candidates = wide_candidates(trial, of, rng, p.noise_features)
        tasks[name] = _task(of, filled(of.X), site.loc[of.X.index].to_numpy(object), candidates, p, seed)
    X, y, patient = _stacked(problems)
    tasks["stacked"] = Task(X, y, patient, patient, X, p.n_folds, p.leak_repeats, seed, p.leak_ridge_c)
    where: Mapping[str, str] = {"resampling_outside_folds": "fewest", "repeated_patients": "stacked"}
    draws = {name: _draws(task, p.n_bootstraps, seed) for name, task in tasks.items()}
    rows = feature_prices(trial, most, p, seed, draws["most"])
    for leak in PROCEDURES:
        name = where.get(leak.name, "most")
        rows.append(price(leak.name, leak.compute(tasks[name], True), leak.compute(tasks[name], False), draws[name]))
    table = pd.DataFrame(rows)
    table.insert(1, "label", table["leak"].map(LABELS))
    table.insert(2, "how", table["leak"].map(HOW))
    return table[list(COLUMNS)]


def _draws(task: Task, n_resamples: int, seed: int) -> np.ndarray:
    return intervals.bootstrap_weights(seeds.stream(seed, "leaks"), int(task.patient.max()) + 1, n_resamples)
