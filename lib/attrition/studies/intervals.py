"""How often do intervals of cross-validated measures hold the truth, on the design of the pilot?

Aims: choose the interval that chapter 06 prints. Data-generating mechanism: the patients at risk at a landmark of the
pilot are drawn with replacement with all they were known by, and their outcome from a known risk (`LAWS`). Estimand:
the mean, over such trials, of the measure that the model developed on a whole trial has among all patients of the
design, computed from the known risks. Methods: `METHODS`. Performance: share of trials whose 95 % interval holds the
estimand, and on which side it misses.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed
from scipy.stats import t

from attrition import engine, metrics, seeds, settings, studies, trials
from attrition.landmark import prediction, uncertainty
from attrition.landmark.prediction import Problem
from attrition.metrics import evaluator, intervals, ranks
from attrition.models import ridge
from attrition.resampling import corrected_interval, repeated_folds

NAME = "intervals"
WORLDS = ((28, "null"), (28, "arm"), (28, "all"), (84, "null"), (84, "all"))
"""Landmark of the pilot, and the law of the outcome."""
SAID = settings.declared(__file__, "intervals.yaml")
LAWS: dict[str, str] = SAID["laws"]
METHODS: dict[str, str] = SAID["methods"]
MEASURES = ("auroc", "brier_score", "calibration_slope")
MODELS = ("all", "arm_only")
CHOSEN = "half-samples"
SEED = 42
REPEATS, FOLDS, HALVES, BOOTSTRAPS, RESAMPLES = 3, 5, 12, 12, 200
Found = dict[tuple[str, str], dict[str, Any]]
"""Intervals by model and measure."""


@functools.cache
def design(day: int) -> Problem:
    """The pilot's patients at risk at a landmark."""
    return prediction.problem(trials.load("pilot"), day)


def risks(of: Problem, law: str) -> np.ndarray:
    """Known risk of every patient of the design under a law."""
    if law == "null":
        return np.full(len(of.y), of.y.mean())
    if law == "arm":
        return pd.Series(of.y).groupby(of.arm).transform("mean").to_numpy(float)
    model = ridge.RidgeLogistic(grid=(0.01,), free=of.free("all"))
    X = of.X[of.columns("all")].to_numpy()
    return model.fit(X, of.y).predict_proba(X)[:, 1]


def drawn(of: Problem, risk: np.ndarray, rng: np.random.Generator) -> Problem:
    """A trial of the same size: patients with replacement, outcomes from their risks."""
    while True:
        pick = rng.integers(len(of.y), size=len(of.y))
        y = (rng.random(len(of.y)) < risk[pick]).astype(int)
        if min(y.sum(), len(y) - y.sum()) >= prediction.MINIMUM_EVENTS:
            break
    X = of.X.iloc[pick].reset_index(drop=True)
    return dataclasses.replace(of, X=X, y=y, time=of.time[pick], arm=of.arm[pick], site_group=of.site_group[pick])


def true_measures(risk: np.ndarray, y_prob: np.ndarray) -> dict[str, float]:
    """AUROC (pairs of different patients), Brier score and calibration slope of a model among the design's patients."""
    ranked = {"auroc": float(ranks.soft_auroc(risk[None], ranks.settled(y_prob)[None])[0])}
    return evaluator.expected(risk, y_prob, {name: evaluator.MEASURES[name] for name in MEASURES}) | ranked


def _developed(of: Problem, seed: int) -> uncertainty.Developed:
    folds = repeated_folds(of.y, FOLDS, REPEATS, seed)
    halves = uncertainty.halves(of.y, HALVES, FOLDS, seeds.stream(seed, "halves"))
    return uncertainty.develop(of, {name: (name, prediction.ridge(of, name, seed)) for name in MODELS}, folds, halves)


def _half_samples(developed: uncertainty.Developed) -> Found:
    found = {(name, measure): developed.interval(name, measure) for name in MODELS for measure in MEASURES}
    return found | {("all less arm_only", "auroc"): developed.difference("all", "arm_only")}


def _fixed(developed: uncertainty.Developed, seed: int) -> Found:
    y, predictions = developed.of.y, developed.predictions
    weights = intervals.bootstrap_weights(seeds.stream(seed, "fixed"), len(y), RESAMPLES)
    replicates = {name: intervals.replicates(metrics.auroc, y, predictions[name], weights) for name in MODELS}
    (value, every), (less, less_every) = replicates["all"], replicates["arm_only"]
    replicates["all less arm_only"] = value - less, every - less_every
    found: Found = {(name, "auroc"): {**intervals.percentile_interval(*own)} for name, own in replicates.items()}
    brier = intervals.replicates(metrics.brier_score, y, predictions["all"], weights)
    return found | {("all", "brier_score"): {**intervals.percentile_interval(*brier)}}


def _around(value: float, reach: float) -> dict[str, float]:
    return {"value": value, "ci_low": value - reach, "ci_high": value + reach}


def _nadeau_bengio(developed: uncertainty.Developed) -> Found:
    """AUROC of each fold; the variance over folds is taken with 1/n + test size / training size."""
    of, values = developed.of, {}
    for name in MODELS:
        pairs = list(zip(developed.predictions[name].T, developed.fold.T, strict=True))
        each = [metrics.auroc(of.y[fold == k], p[fold == k]) for p, fold in pairs for k in range(FOLDS)]
        values[name] = np.array(each)
    values["all less arm_only"] = values["all"] - values["arm_only"]
    corrected = {name: corrected_interval(each, float(each.mean()), FOLDS, False) for name, each in values.items()}
    return {(name, "auroc"): {**found} for name, found in corrected.items()}


def _samples(of: Problem, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Bootstrap samples: rows, and the fold of each patient; patients who are absent have fold -1."""
    samples: list[tuple[np.ndarray, np.ndarray]] = []
    while len(samples) < BOOTSTRAPS:
        rows = np.sort(rng.integers(len(of.y), size=len(of.y)))
        present, label = np.unique(rows), np.full(len(of.y), -1)
        if min(of.y[present].sum(), (1 - of.y[present]).sum()) >= FOLDS:
            folds = repeated_folds(of.y[present], FOLDS, 1, int(rng.integers(2**31)))
            label[present] = uncertainty.fold_labels(folds, len(present))[:, 0]
            samples.append((rows, label))
    return samples


def _bootstrapped(developed: uncertainty.Developed, seed: int) -> tuple[Found, Found]:
    """Intervals that develop the models again in bootstrap samples: around cross-validation, and Noma's."""
    of, n, everybody = developed.of, BOOTSTRAPS, np.arange(len(developed.of.y))
    samples, cases = _samples(of, seeds.stream(seed, "bootstrap")), []
    for rows, label in samples:
        cases += [(rows[label[rows] != k], everybody) for k in range(FOLDS)] + [(rows, everybody)]
    again: dict[str, np.ndarray] = {}
    shifted: Found = {}
    for name in MODELS:
        X, model = of.X[of.columns(name)].to_numpy(), prediction.ridge(of, name, seed)
        found = np.stack(prediction.fitted_on(model, X, of.y, [*cases, (everybody, everybody)]))
        crossed, apparent, excess = [], [], []
        for (rows, label), p in zip(samples, found[:-1].reshape(n, FOLDS + 1, -1), strict=True):
            oof = p[np.maximum(label, 0), everybody]
            crossed.append(metrics.auroc_within(of.y[rows], oof[rows], label[rows]))
            apparent.append(metrics.auroc(of.y[rows], p[-1][rows]))
            excess.append(apparent[-1] - metrics.auroc(of.y, p[-1]))
        again[name] = np.array(crossed)
        value, reach = metrics.auroc(of.y, found[-1]) - np.mean(excess), t.ppf(0.975, n - 1) * np.std(apparent, ddof=1)
        shifted[name, "auroc"] = _around(value, reach)
    again["all less arm_only"] = again["all"] - again["arm_only"]
    around, values = {}, _half_samples(developed)
    for name, replicates in again.items():
        reach = t.ppf(0.975, n - 1) * replicates.std(ddof=1)
        around[name, "auroc"] = _around(values[name, "auroc"]["value"], reach)
    return around, shifted


def one(day: int, law: str, number: int, seed: int, every_method: bool) -> pd.DataFrame:
    """One simulated trial, by its number: interval and truth of its models, a row a method and measure."""
    of = design(day)
    risk, rng = risks(of, law), seeds.stream(seed, NAME, day, law, number)
    trial = drawn(of, risk, rng)
    own = int(rng.integers(2**31))
    developed = _developed(trial, own)
    found = {"half-samples": _half_samples(developed)}
    if every_method:
        around, shifted = _bootstrapped(developed, own)
        found |= {"fixed predictions": _fixed(developed, own), "Nadeau-Bengio": _nadeau_bengio(developed)}
        found |= {"bootstrap": around, "location shift": shifted}
    truth: dict[str, dict[str, float]] = {}
    for name in MODELS:
        fitted = prediction.ridge(trial, name, own).fit(trial.X[trial.columns(name)].to_numpy(), trial.y)
        truth[name] = true_measures(risk, fitted.predict_proba(of.X[of.columns(name)].to_numpy())[:, 1])
    truth["all less arm_only"] = {"auroc": truth["all"]["auroc"] - truth["arm_only"]["auroc"]}
    rows = []
    for method, (of_what, ends) in ((method, one) for method, each in found.items() for one in each.items()):
        named = dict(zip(("method", "model", "measure"), (method, *of_what), strict=True))
        rows.append(named | ends | {"truth": truth[named["model"]][named["measure"]]})
    return pd.DataFrame(rows).assign(day=day, law=law, number=number)


def coverage(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage (with Wilson's interval) by world, method, model and measure, and on which side others miss.

    The truth is the mean over trials, of a slope the median; `n_trials` have a defined interval.
    """
    keys = ["day", "law", "model", "measure"]
    truths = rows.groupby(keys)["truth"]
    slopes = truths.median().index.get_level_values("measure") == "calibration_slope"
    middle = truths.median().where(slopes, truths.mean())
    rows = rows.dropna(subset=["ci_low"]).drop(columns="truth").join(middle, on=keys)
    rows = rows.assign(too_low=rows["ci_high"] < rows["truth"], too_high=rows["ci_low"] > rows["truth"])
    rows = rows.assign(held=~rows["too_low"] & ~rows["too_high"], width=rows["ci_high"] - rows["ci_low"])
    found = rows.groupby([*keys, "method"], sort=False).agg(
        truth=("truth", "first"), value=("value", "mean"), coverage=("held", "mean"), too_low=("too_low", "mean"),
        too_high=("too_high", "mean"), width=("width", "mean"), n_trials=("held", "size"),
    )  # fmt: skip
    ends = pd.DataFrame([intervals.wilson(row.coverage * row.n_trials, row.n_trials) for row in found.itertuples()])
    low, high = (ends[end].to_numpy() for end in ("ci_low", "ci_high"))
    return found.assign(coverage_low=low, coverage_high=high).reset_index()


def run(n_trials: int, n_every_method: int, seed: int) -> dict[str, Any]:
    """The study: coverage of every method, and the first trials of every world for a rerun to be held against."""
    cases = [(*world, number) for world in WORLDS for number in range(n_trials)]
    tasks = [delayed(one)(day, law, number, seed, number < n_every_method) for day, law, number in cases]
    rows = pd.concat(engine.compute(tasks, "simulated trials"), ignore_index=True)
    first = rows[(rows["number"] < 1) & (rows["method"] == CHOSEN)]
    found = studies.about(NAME, seed, n_trials, n_every_method=n_every_method)
    found |= {"chosen": CHOSEN, "laws": LAWS, "methods": METHODS}
    return found | {"coverage": coverage(rows).to_dict("records"), "first": first.to_dict("records")}


def shown(found: Mapping[str, Any]) -> pd.DataFrame:
    """Coverage of every method by world and model, of an AUROC; a row a world and model, a column a method."""
    keys, table = ["day", "law", "model"], pd.DataFrame(found["coverage"])
    table = table[table["measure"] == "auroc"]
    columns = [method for method in METHODS if method in set(table["method"])]
    wide = table.pivot_table(index=keys, columns="method", values="coverage", sort=False)[columns]
    truth = table[table["method"] == found["chosen"]].set_index(keys)[["truth", "value"]]
    named = {name: prediction.LABELS[name] for name in MODELS} | {"all less arm_only": "difference of the two"}
    wide = truth.join(wide).reset_index()
    return wide.assign(law=wide["law"].map(LAWS), model=wide["model"].replace(named))


def in_short(found: Mapping[str, Any]) -> dict[str, Any]:
    """What chapter 06 quotes of the study: method, size, and coverage without and with something to predict."""
    table = pd.DataFrame(found["coverage"])
    own = table[table["method"] == found["chosen"]]
    auroc = own[(own["measure"] == "auroc") & (own["model"] == "all")]
    nothing = auroc["law"] == "null"
    of, world = own["measure"] + "_" + own["model"].str.replace(" ", "_"), own["law"] + "_" + own["day"].astype(str)
    ends = functools.partial(intervals.of_row, value="coverage", low="coverage_low", high="coverage_high")
    by = evaluator.nested(own.assign(of=of, world=world), "of", "world", leaf=ends)
    slope = own["measure"] == "calibration_slope"
    ranges, slopes = own.loc[~slope, "coverage"], own.loc[slope, "coverage"]
    fixed = table.query("method == 'fixed predictions' and measure == 'auroc'")["coverage"]
    facts = {"method": found["chosen"], "date": found["date"], "command": found["command"], "coverage": by}
    facts |= {"simulations": found["n_trials"], "simulations_every_method": found["n_every_method"]}
    facts["coverage_null"] = float(auroc.loc[nothing, "coverage"].mean())
    facts["coverage_signal"] = float(auroc.loc[~nothing, "coverage"].mean())
    facts |= {"lowest": float(ranges.min()), "highest": float(ranges.max()), "lowest_slope": float(slopes.min())}
    return facts | {"fixed_lowest": float(fixed.min()), "fixed_highest": float(fixed.max())}
