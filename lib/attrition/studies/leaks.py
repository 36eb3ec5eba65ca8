"""What each way of leaking would have been worth: the same model and folds, once honest and once not.

Two kinds. A *feature* leak adds one column that is known only after the outcome. A *procedure* leak uses the outcome,
or the patient, of the test part while building the model. `FEATURES` and `PROCEDURES` list them; the guard against
them is `attrition.landmark.guard`. `price_list` is about a real trial, `simulated_price_list` about simulated ones in
which about one patient in four leaves and the truth is known, and is a study run by name.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed
from scipy.special import expit

from attrition import engine, features, metrics, params, seeds, settings, simulate, studies
from attrition.cdisc.trial import Trial
from attrition.landmark import cohort, uncertainty
from attrition.landmark.prediction import Problem, enough, problem
from attrition.metrics import intervals, ranks
from attrition.models import batched
from attrition.resampling import Fold, masks, placed, repeated_folds
from attrition.simulate import oracle
from notebook_report.text import unless_missing

NAME, SEED = "leaks", 42
Array = np.ndarray
Scores = tuple[Array, Array, Array]
"""Patient of each row, its outcome, its score a repeat (n_rows, n_repeats)."""
BOOSTED = {"objective": "binary:logistic", "max_depth": 4, "learning_rate": 0.3, "nthread": 1, "seed": 1}
ROUNDS = 40
GAPS = 0.3
"""Share of the values that are deleted before imputation."""
N_SITES = 20
ROWS_A_PATIENT = 3


def _count(trial: Trial, ids: pd.Index, kind: str, last: float = np.inf) -> pd.Series:
    records = trial.events[trial.events["kind"].eq(kind) & trial.events["day"].between(1, last)]
    return records.groupby("id").size().reindex(ids, fill_value=0).astype(float)


def _days_in_trial(trial: Trial, ids: pd.Index) -> pd.Series:
    return trial.patients.set_index("id")["event_day"].reindex(ids)


def _visit_number_reached(trial: Trial, ids: pd.Index) -> pd.Series:
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


FEATURES: dict[str, Callable[[Trial, pd.Index], pd.Series]] = {
    "whole_follow_up_counts": lambda trial, ids: _count(trial, ids, "adverse event"),
    "rate_per_day": lambda trial, ids: _count(trial, ids, "adverse event") / _days_in_trial(trial, ids),
    "visit_number_reached": _visit_number_reached,
    "cumulative_dose": _cumulative_dose,
    "exposure_records": lambda trial, ids: _count(trial, ids, "exposure"),
    # still there two thirds of the way to the horizon (a flag such as COMP16FL)
    "completion_flag": lambda trial, ids: (_days_in_trial(trial, ids) >= round(trial.horizon * 2 / 3)).astype(float),
    # onset by the first landmark, whenever they were reported
    "onset_before_collection": lambda trial, ids: _count(trial, ids, "adverse event", trial.landmarks[0]),
}
"""Feature leaks of a real trial, by name: trial and patients to the column."""
CHOOSE = 1_000
"""Events, and patients without, that are enough to choose among settings: of twice as many every second row does."""
ENROLMENT = ("age", "trial_phase_risk", "treatment_risk")
"""Features of a simulated trial that are known on the first day."""


@dataclass(frozen=True)
class Task:
    """Data of a procedure leak: numbers without missing values, outcome, what belongs to whom, and how much it weighs.

    Every fit, rate and choice of both twins goes by the weights, which are those of censoring; missing: all one.
    """

    X: Array
    y: Array
    patient: Array
    category: Array
    candidates: Array
    n_folds: int
    n_repeats: int
    seed: int
    C: float
    weight: Array | None = None

    @property
    def w(self) -> Array:
        """The weight of every row."""
        return np.ones(len(self.y)) if self.weight is None else self.weight

    def oof(self, X: Array, folds: Sequence[Fold]) -> Array:
        """Out-of-fold probabilities (n_rows, n_repeats) of a weighted ridge logistic regression on X (n_rows, p).

        X has shape (n_folds, n_rows, p) where a feature is learned within the fold.
        """
        return _probabilities(X, self.y, folds, self.C, self.w)

    @functools.cached_property
    def tuned(self) -> Array:
        """Out-of-fold probabilities of every setting, for both twins of `tuning_on_test`."""
        return _settings_oof(self, np.arange(len(self.y)), self.folds())

    def folds(self, y: Array | None = None) -> list[Fold]:
        """Folds of the rows (not of the patients)."""
        outcome = self.y if y is None else y
        return repeated_folds(outcome, self.n_folds, self.n_repeats, seeds.integer(self.seed, "folds"))


def _probabilities(X: Array, y: Array, folds: Sequence[Fold], C: float, w: Array) -> Array:
    """Out-of-fold probabilities, (n_rows, n_repeats)."""
    fit = batched.fit_pipeline(X, y, counts=w * (1 - masks(folds, len(y))), C=C)
    found = zip(expit(fit.decision_function(X)), folds, strict=True)
    return placed(folds, [p[fold.test] for p, fold in found], len(y))


def _boosted_oof(X: Array, y: Array, folds: Sequence[Fold], w: Array, rows_of: Callable | None = None) -> Array:
    """Out-of-fold probabilities of a model that can remember rows; XGBoost without `XGBClassifier`'s slow checks."""
    import xgboost

    scores = []
    for fold in folds:
        train = fold.train if rows_of is None else rows_of(fold)
        booster = xgboost.train(BOOSTED, xgboost.DMatrix(X[train], y[train], weight=w[train], nthread=1), ROUNDS)
        scores.append(ranks.settled(booster.inplace_predict(X[fold.test])))
    return placed(folds, scores, len(y))


def _learned(task: Task, made: Callable[[Array], Array], honest: bool) -> Scores:
    """Scores on columns that are made from the rows of the training part, or from everybody."""
    folds = task.folds()
    tables = np.stack([made(fold.train if honest else np.arange(len(task.y))) for fold in folds])
    return task.patient, task.y, task.oof(tables, folds)


def _strongest(X: Array, y: Array, rows: Array, w: Array, n: int = 5) -> Array:
    w = w[rows][:, None]
    x, outcome = X[rows] - (w * X[rows]).sum(axis=0) / w.sum(), y[rows] - (w[:, 0] @ y[rows]) / w.sum()
    strength = ranks.settled(np.abs((w * x).T @ outcome) / np.sqrt((w * x**2).sum(axis=0) + 1e-12))
    return np.argsort(-strength, kind="stable")[:n]


def selection_outside_folds(task: Task, honest: bool) -> Scores:
    """The five candidates with the strongest correlation, chosen on the training part or on everybody."""
    return _learned(task, lambda rows: task.candidates[:, _strongest(task.candidates, task.y, rows, task.w)], honest)


def _balanced_rows(y: Array, rows: Array, rng: np.random.Generator) -> Array:
    """The rows, with rows of the smaller class repeated until both are as many."""
    ones, zeros = rows[y[rows] == 1], rows[y[rows] == 0]
    small, large = (ones, zeros) if len(ones) < len(zeros) else (zeros, ones)
    return np.concatenate([rows, rng.choice(small, len(large) - len(small))])


def resampling_outside_folds(task: Task, honest: bool) -> Scores:
    """The smaller class repeated to balance, within the training part or before the split."""
    rng = seeds.stream(task.seed, "oversampling")
    if honest:
        balanced = functools.partial(_balanced_rows, task.y, rng=rng)
        scores = _boosted_oof(task.X, task.y, task.folds(), task.w, lambda fold: balanced(fold.train))
        return task.patient, task.y, scores
    rows = _balanced_rows(task.y, np.arange(len(task.y)), rng)
    y, w = task.y[rows], task.w[rows]
    return task.patient[rows], y, _boosted_oof(task.X[rows], y, task.folds(y), w)


def imputation_with_outcome(task: Task, honest: bool) -> Scores:
    """Values deleted at random, then filled with a mean: of the training part, or of the outcome class."""
    holed = np.where(seeds.stream(task.seed, "imputation").random(task.X.shape) < GAPS, np.nan, task.X)
    by_class = np.stack([np.nanmean(holed[task.y == k], axis=0) for k in (0, 1)])[task.y]

    def filled(rows: Array) -> Array:
        return np.where(np.isnan(holed), np.nanmean(holed[rows], axis=0) if honest else by_class, holed)

    return _learned(task, filled, honest)


def encoding_with_outcome(task: Task, honest: bool) -> Scores:
    """Each category replaced by its event rate: in the training part, or among everybody."""

    def encoded(rows: Array) -> Array:
        w, y = pd.Series(task.w[rows]), task.y[rows]
        rates = (w * y).groupby(task.category[rows]).sum() / w.groupby(task.category[rows]).sum()
        return pd.Series(task.category).map(rates).fillna((w @ y) / w.sum()).to_numpy()[:, None]

    return _learned(task, encoded, honest)


def _settings_oof(task: Task, rows: Array, folds: Sequence[Fold]) -> Array:
    """Out-of-fold probabilities of forty settings (random halves of the features, weak or strong ridge) among rows.

    Shape (n_settings, n_rows, n_repeats).
    """
    rng, y, half = seeds.stream(task.seed, "settings"), task.y[rows], max(1, task.X.shape[1] // 2)
    settings = [(np.sort(rng.permutation(task.X.shape[1])[:half]), C) for C in (0.01, 10.0) for _ in range(20)]
    own = (task.X[np.ix_(rows, columns)] for columns, _ in settings)  # one at a time: large trials have large tables
    return np.stack([_probabilities(X, y, folds, C, task.w[rows]) for X, (_, C) in zip(own, settings, strict=True)])


def _aurocs(y: Array, tables: Array, w: Array) -> Array:
    """AUROC of every setting and repeat, (n_settings, n_repeats)."""
    scores = np.moveaxis(tables, 2, 1).reshape(-1, len(y))
    return ranks.auroc(y, scores, np.broadcast_to(w, scores.shape)).reshape(len(tables), -1)


def tuning_on_test(task: Task, honest: bool) -> Scores:
    """The best of forty settings: by inner folds (of evenly spread rows, see `CHOOSE`), or by the test parts."""
    folds, tables = task.folds(), task.tuned
    if not honest:
        best = np.argmax(_aurocs(task.y, tables, task.w), axis=0)
        return task.patient, task.y, np.column_stack([tables[k][:, r] for r, k in enumerate(best)])
    scores = []
    for fold in folds:
        fewest = np.bincount(task.y[fold.train], minlength=2).min()
        rows = fold.train[:: max(1, fewest // CHOOSE)]
        inner = repeated_folds(task.y[rows], task.n_folds - 1, 1, seeds.integer(task.seed, "inner", fold.repeat))
        value = _aurocs(task.y[rows], _settings_oof(task, rows, inner), task.w[rows])
        scores.append(tables[int(np.argmax(value))][fold.test, fold.repeat])
    return task.patient, task.y, placed(folds, scores, len(task.y))


def grouped_folds(task: Task) -> list[Fold]:
    """Folds of patients: all rows of a patient are in one part; stratified by the patient's first outcome."""
    patients, first = np.unique(task.patient, return_index=True)
    folds = []
    for fold in task.folds(task.y[first]):
        test = np.isin(task.patient, patients[fold.test])
        folds.append(Fold(fold.repeat, fold.fold, np.flatnonzero(~test), np.flatnonzero(test)))
    return folds


def repeated_patients(task: Task, honest: bool) -> Scores:
    """Several rows a patient: folds of patients, or of rows."""
    folds = grouped_folds(task) if honest else task.folds()
    return task.patient, task.y, _boosted_oof(task.X, task.y, folds, task.w)


PROCEDURES: tuple[Callable[[Task, bool], Scores], ...] = (
    selection_outside_folds, resampling_outside_folds, imputation_with_outcome, encoding_with_outcome, tuning_on_test,
    repeated_patients,
)  # fmt: skip
SAID = pd.DataFrame.from_dict(settings.declared(__file__, "leaks.yaml"), orient="index")
"""Label of every leak, and how it happens in practice."""
FOLLOW_UP: dict[str, str] = SAID["simulated"].dropna().to_dict()
"""Feature leaks of a simulated trial, and the feature of each."""
SIZE = ("n_patients", "n_events", "n_censored")
COLUMNS = ("leak", "label", "how", "honest", "leaky", "difference", "ci_low", "ci_high", *SIZE)


def price(name: str, honest: Scores, leaky: Scores, weights: Array, base: Array | None = None) -> dict:
    """Honest and leaky AUROC and their paired difference; resamples draw patients with all their rows.

    Where patients are censored, who has rows stands for them too, by the weights `base` and those of the resamples.
    """
    sides = [
        intervals.replicates(metrics.auroc, y, scores, weights[who], None if base is None else base[who])
        for who, y, scores in (honest, leaky)
    ]
    (value, drawn), (other, other_drawn) = sides
    found = intervals.percentile_interval(other - value, other_drawn - drawn)
    who, y, _ = honest
    size = {"n_patients": len(weights), "n_events": len(np.unique(who[y == 1]))}
    size["n_censored"] = len(weights) - len(np.unique(who))
    ends = {"difference": found["value"], "ci_low": found["ci_low"], "ci_high": found["ci_high"]}
    return {"leak": name, "honest": value, "leaky": other} | ends | size


def _filled(X: pd.DataFrame) -> Array:
    """Missing values at the column's median: without the outcome, and the same for both sides of a comparison."""
    return X.fillna(X.median()).fillna(0.0).to_numpy(float)


def _of_features(task: Task, added: Mapping[str, Array]) -> Iterator[tuple[str, Scores, Scores]]:
    """Honest and leaky scores of what is known, against the same with each leak."""
    folds = task.folds()

    def scored(*columns: Array) -> Scores:
        return task.patient, task.y, task.oof(np.column_stack(columns), folds)

    honest = scored(task.X)
    yield from ((name, honest, scored(task.X, columns)) for name, columns in added.items())


def _known(of: Problem, p, seed: int) -> Task:
    """Baseline, arm and adverse events known by the landmark, of the patients who are not censored."""
    patient = np.flatnonzero(of.weight > 0)
    X = _filled(of.X[of.columns("adverse_events")])[patient]
    common = p.n_folds, p.leak_repeats, seed, p.leak_ridge_c, of.weight[patient]
    return Task(X, of.y[patient], patient, patient, X, *common)


def _added(trial: Trial, of: Problem) -> dict[str, Array]:
    ids = of.X.index[of.weight > 0]
    columns = {name: leak(trial, ids).to_numpy(float) for name, leak in FEATURES.items()}
    return {name: column for name, column in columns.items() if np.ptp(column) > 0}


@functools.lru_cache(maxsize=1)
def _draws(of: Problem, n: int, seed: int) -> tuple[Array, Array | None]:
    """Weights of the patients in each of `n` resamples, and in the sample; kept for the next leak."""
    return of.resampled(intervals.bootstrap_weights(seeds.stream(seed, "leaks"), len(of.y), n)), of.base


@unless_missing
def wrong_way(trial: Trial, day: int, p, seed: int) -> dict:
    """The usual notebook: everything in the final data, counted over the whole follow-up, in one model."""
    of = problem(trial, day)
    p, columns = uncertainty.sized(p, of), np.column_stack(list(_added(trial, of).values()))
    (sides,) = _of_features(_known(of, p, seed), {"wrong_way": columns})
    return price(*sides, *_draws(of, p.n_bootstraps, seed))


def _wide_candidates(trial: Trial, of: Problem, rng: np.random.Generator, n_noise: int) -> Array:
    """Many columns to choose from: last value and change of every lab test, or noise where there are too few."""
    view = cohort.known(trial, of.landmark)
    labs = view.kind("lab")
    before, after = (cohort.last_values(labs[early]) for early in (labs["day"] <= 1, labs["day"] > 1))
    both = pd.concat([after, after - before.reindex(columns=after.columns)], axis=1)
    table = both.reindex(of.X.index).set_axis(range(both.shape[1]), axis=1)
    table = table.loc[:, table.notna().mean() > cohort.MOSTLY]
    return _filled(table) if table.shape[1] >= n_noise // 2 else rng.standard_normal((len(of.y), n_noise))


def _stacked(problems: Sequence[Problem]) -> tuple[Array, Array, Array, Array]:
    """Rows, outcome, patient and weight at all landmarks, with the features that all have, of who is not censored.

    The weights of a patient at different landmarks are in a constant ratio, so those of the first serve for all.
    """
    common = [name for name in problems[0].X if all(name in of.X for of in problems)]
    ids = pd.Index(sorted(set().union(*(of.X.index for of in problems))))
    X = np.concatenate([np.column_stack([np.full(len(of.y), of.landmark), _filled(of.X[common])]) for of in problems])
    patient = np.concatenate([ids.get_indexer(of.X.index) for of in problems])
    order = np.argsort(patient, kind="stable")
    order = order[(problems[0].weight > 0)[patient[order]]]
    y, weight = (np.concatenate([getattr(of, name) for of in problems])[order] for name in ("y", "weight"))
    return X[order], y, patient[order], weight


def _priced(name: str, honest: Scores, leaky: Scores, *drawn: Any) -> dict[str, Any]:
    """`price` with resamples that are drawn where it is asked for, by what `_draws` takes."""
    return price(name, honest, leaky, *_draws(*drawn))


def _fitted(leak: Callable, task: Task, *drawn: Any) -> dict[str, Any]:
    """Fit both twins of a procedure, and price it."""
    return _priced(leak.__name__, leak(task, True), leak(task, False), *drawn)


def price_list(trial: Trial, p, seed: int) -> pd.DataFrame:
    """Price of every leak on a trial, with 95 % intervals of a patient bootstrap; empty without a landmark to judge at.

    Feature leaks, selection, imputation, encoding and tuning at the landmark with most events; over-sampling at the one
    with the fewest (where there is most to balance); repeated patients over all landmarks.
    """
    problems = [of for of in (problem(trial, day) for day in trial.landmarks) if enough(of)]
    if not problems:
        return pd.DataFrame(columns=COLUMNS)
    most, fewest = max(problems, key=lambda of: of.n_events), min(problems, key=lambda of: of.n_events)
    p, site = uncertainty.sized(p, fewest), trial.patients.set_index("id")["site"]
    common = p.n_folds, p.leak_repeats, seed, p.leak_ridge_c
    tasks: dict[str, Task] = {}
    for name, of in (("most", most), ("fewest", fewest)):
        columns = _wide_candidates(trial, of, seeds.stream(seed, "candidates", of.landmark), p.noise_features)
        patient, own = np.flatnonzero(of.weight > 0), site.loc[of.X.index].to_numpy(object)
        table = _filled(of.X)[patient]
        tasks[name] = Task(table, of.y[patient], patient, own[patient], columns[patient], *common, of.weight[patient])
    X, y, patient, weight = _stacked(problems)
    tasks["stacked"] = Task(X, y, patient, patient, X, *common, weight)
    where = {"resampling_outside_folds": "fewest", "repeated_patients": "stacked"}
    drawn = {
        name: (of, p.n_bootstraps, seed) for name, of in (("most", most), ("fewest", fewest), ("stacked", problems[0]))
    }
    planted = _of_features(_known(most, p, seed), _added(trial, most))
    on = {leak: where.get(leak.__name__, "most") for leak in PROCEDURES}
    priced = [delayed(_priced)(*sides, *drawn["most"]) for sides in planted]
    priced += [delayed(_fitted)(leak, tasks[name], *drawn[name]) for leak, name in on.items()]
    return pd.DataFrame(engine.compute(priced, "prices of leaks")).join(SAID, on="leak")[list(COLUMNS)]


def _features(trial: pd.DataFrame, names: Sequence[str]) -> Array:
    return np.ascontiguousarray(features.columns(trial, tuple(names)))


def prices_of_one(trial: pd.DataFrame, p, seed: int) -> dict[str, tuple[float, float]]:
    """Honest and leaky AUROC of every leak on one simulated trial, which gets what a real one has.

    That is sites, missing values, several rows a patient, and many columns that have nothing to do with the outcome.
    """
    rng, n, known = seeds.stream(seed, "columns"), len(trial), _features(trial, ENROLMENT)
    y, common = trial["dropout"].to_numpy(int), (p.n_folds, 1, seed, p.leak_ridge_c)
    X, who = np.column_stack([known, rng.standard_normal((n, 9))]), np.arange(n)
    task = Task(X, y, who, rng.integers(0, N_SITES, n), rng.standard_normal((n, p.noise_features)), *common)
    rows = np.repeat(who, ROWS_A_PATIENT)  # the same at enrolment, another measurement each time
    repeated = np.column_stack([known[rows], rng.standard_normal(len(rows))])
    stacked = Task(repeated, y[rows], rows, rows, repeated, *common)
    added = {name: _features(trial, [column]) for name, column in FOLLOW_UP.items()}
    sides = [*_of_features(replace(task, X=known), added)]
    for leak in PROCEDURES:
        own = stacked if leak is repeated_patients else task
        sides.append((leak.__name__, leak(own, True), leak(own, False)))
    return {name: tuple(metrics.auroc(y, p[:, 0]) for _, y, p in pair) for name, *pair in sides}


def simulated_price_list(p, seed: int) -> pd.DataFrame:
    """Mean price of every leak over simulated trials in which about one patient in four leaves (95 % Monte-Carlo).

    ``truth``: what the honest model of the feature leaks attains among new patients (missing for the procedures).
    """
    law = simulate.PUBLISHED_LAW
    offset = oracle.prevalence_offsets(law)["p24"]
    crowd = simulate.draw_trial(law, p.leak_population, seeds.stream(seed, "leak", "population"), offset)
    found, truth = [], []
    for number in range(p.leak_trials):
        trial = simulate.draw_trial(law, p.leak_patients, seeds.stream(seed, "leak", "trial", number), offset)
        found.append(prices_of_one(trial, p, seeds.integer(seed, "leak", number)))
        known = _features(trial, ENROLMENT)
        fit = batched.fit_pipeline(known[None], trial["dropout"].to_numpy(int)[None], C=p.leak_ridge_c)
        scores = fit.decision_function(_features(crowd, ENROLMENT))[0]
        truth.append(metrics.auroc(crowd["dropout"].to_numpy(int), scores))
    honest, leaky = (pd.DataFrame(found).map(lambda pair, side=side: pair[side]) for side in (0, 1))
    gains = {name: intervals.monte_carlo(gain) for name, gain in (leaky - honest).items()}
    table = pd.DataFrame.from_dict(gains, orient="index").rename(columns={"value": "difference"}).join(SAID)
    table = table.assign(honest=honest.mean(), leaky=leaky.mean(), n_trials=p.leak_trials)
    table["truth"] = np.where(table.index.isin(FOLLOW_UP), np.mean(truth), np.nan)
    return table.rename_axis("leak").reset_index()[[*COLUMNS[: -len(SIZE)], "mc_se", "n_trials", "truth"]]


def run(n_trials: int, n_every_method: int, seed: int) -> dict[str, Any]:
    """The study by name: `simulated_price_list` with the parameters of the full report."""
    rows = simulated_price_list(params.load("06_real_trial").but(leak_trials=n_trials), seed)
    return studies.about(NAME, seed, n_trials) | {"rows": rows.to_dict("records")}
