"""What to do about a rare outcome, and what it is worth before and after the split: on simulated trials.

Aim: whether balancing helps. Data: trials simulated from the published law, at its own event rate and at lower ones.
Estimand: performance in the population of the model that a strategy yields. Methods: `models.STRATEGIES`. Performance
measures: those of the evaluator; each patient of an independent population counts with its exact probability.
Each trial has a population of its own, so that the spread over trials contains what the draw of a population adds.
Strategies meet the same trials and populations, so that differences are paired.

`before_splitting` is the wrong way: standardising before splitting lets means and standard deviations of the test fold
in; balancing before splitting puts copies of a patient, or points between a patient and its neighbours, on both sides.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import joblib
import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from sklearn import config_context
from sklearn.preprocessing import StandardScaler

from attrition import engine, features, metrics, models, resampling, seeds, settings
from attrition.metrics import evaluator, intervals, ranks
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW
from attrition.studies.population import Population, drawn, exact, simulated
from notebook_report.text import MISSING

Array = np.ndarray
FEATURES = features.VERSIONS["v3_causal"]
LEFT_OUT = ("average_precision", "scaled_brier", "ici")
"""Measures of the evaluator that say what others say here, or take long."""
SHARES = ("auroc", "recall", "precision")
"""Measures that lie between 0 and 1."""
RESAMPLED = ("class_weight", "smote", "undersample")
"""Strategies that change the event rate that the model is fitted to."""
INNER_FOLDS = 3
INTERVAL = ("value", "ci_low", "ci_high", "mc_se")
SHOWN = ("auroc", "calibration_slope", "calibration_in_the_large", "brier_score", "recall", "precision")
"""Columns of tables; measures that were added to the evaluator follow."""
INSIDE = "inside"
WAYS: dict[str, str] = settings.declared(__file__, "imbalance.yaml")["ways"]
"""Ways of cross-validating, right and wrong, and their names."""
WORSE = 0.1
"""Log odds further from the truth, on average, that count as a loss of calibration."""
SAME_RECALL = 0.05
"""A recall that is lower by less counts as the same."""


@dataclass(frozen=True)
class Setting:
    """An event rate: its name, the rate itself, and the offset on the logit that brings it about."""

    name: str
    event_rate: float
    offset: float


def event_rates(rates: Mapping[str, float]) -> list[Setting]:
    """Event rates by name; a rate of 0 stands for the law's own.

    Examples
    --------
    >>> [round(s.event_rate, 3) for s in event_rates({"default": 0, "p24": 0.24})]
    [0.534, 0.24]
    """
    found = []
    for name, rate in rates.items():
        if name.startswith("p") and name != f"p{100 * rate:g}":
            raise ValueError(f"event rate {rate:g} must be named p{100 * rate:g}, not {name}: sentences read the name")
        offset = oracle.offset_for_prevalence(PUBLISHED_LAW, rate) if rate else 0.0
        found.append(Setting(name, rate or exact(0.0)["prevalence"], offset))
    return found


@lru_cache(maxsize=64)
def population(setting: Setting, n: int, seed: int, trial: int) -> Population:
    """Draw the population on which one trial's models are judged: the same patients under every setting."""
    return drawn(FEATURES, n, seeds.stream(seed, "imbalance", "population", trial), setting.offset)


def measures(p: Array, y_prob: Array, threshold: float, net_benefit_at: list[float]) -> dict[str, float]:
    """Expected performance of predictions for patients with known probabilities.

    Examples
    --------
    >>> found = measures(np.array([0.2, 0.8]), np.array([0.2, 0.8]), 0.5, [0.5])
    >>> found["recall"], found["precision"], round(found["net_benefit_0.5"], 2)
    (0.8, 0.8, 0.3)
    """
    flagged = y_prob >= threshold
    judged = {name: metric for name, metric in evaluator.MEASURES.items() if name not in LEFT_OUT}
    found = evaluator.expected(p, y_prob, judged) | {"recall": float(p[flagged].sum() / p.sum())}
    found["precision"] = float(p[flagged].mean()) if flagged.any() else np.nan
    for t in net_benefit_at:
        found[f"net_benefit_{t:g}"] = float(((p - (1 - p) * t / (1 - t)) * (y_prob >= t)).mean())
    return found


def _shifted(found: dict[str, float], people: Population) -> dict[str, float]:
    return found | {measure: found[measure] + by for measure, by in people.shift.items()}


def predictions(model: str, X: Array, y: Array, X_new: Array, seed: int) -> Iterator[tuple[str, Array, float]]:
    """Fit every strategy and predict new patients: strategy, probabilities, and the strategy's own threshold.

    ``"threshold"`` has the probabilities of ``"none"``, and ``"recalibrated"`` contains the fit of ``"class_weight"``:
    neither is fitted twice.

    Parameters
    ----------
    model : str
        Key of `attrition.models.MODELS`.
    X, y, X_new : array
    seed : int
        Of the fits and of the resampling.
    """
    for strategy in ("none", "smote", "undersample"):
        y_prob = models.probability(models.classifier(model, strategy, seed).fit(X, y), X_new)
        yield strategy, y_prob, 0.5
        if strategy == "none":
            yield "threshold", y_prob, float(y.mean())
    fitted = models.classifier(model, "recalibrated", seed)
    fitted.set_params(classify__folds=INNER_FOLDS).fit(X, y)
    inputs = fitted[:-1].transform(X_new) if len(fitted) > 1 else X_new
    yield "recalibrated", models.probability(fitted, X_new), 0.5
    yield "class_weight", models.probability(fitted[-1].estimator_, inputs), 0.5


def _trial_rows(
    model: str, setting: Setting, trial: int, sizes: tuple[int, int], net_benefit_at: list[float], seed: int
) -> list[dict[str, Any]]:
    people = population(setting, sizes[1], seed, trial)
    rng, inner = seeds.stream(seed, "imbalance", setting.name, trial), seeds.integer(seed, "imbalance", "fit", trial)
    X, y = simulated(FEATURES, sizes[0], rng, setting.offset)
    rows, common = [], {"event_rate": setting.name, "model": model, "trial": trial}
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for strategy, y_prob, threshold in predictions(model, X, y, people.X, inner):
            found = measures(people.probability, y_prob, threshold, net_benefit_at)
            rows.append(common | {"strategy": strategy} | _shifted(found, people))
    return rows


def reference_rows(
    setting: Setting, trials: range, n_population: int, net_benefit_at: list[float], seed: int
) -> list[dict[str, Any]]:
    """Oracle and null model in the population of each trial: rows of `study`."""
    rows: list[dict[str, Any]] = []
    for trial in trials:
        people = population(setting, n_population, seed, trial)
        p = people.probability
        common = {"event_rate": setting.name, "strategy": "none", "trial": trial}
        best, null = measures(p, p, 0.5, net_benefit_at), measures(p, np.full(len(p), p.mean()), 0.5, net_benefit_at)
        rows += [common | {"model": "oracle"} | _shifted(best, people), common | {"model": "null"} | null]
    return rows


def study(
    n_trials: dict[str, int], rates: dict[str, float], sizes: tuple[int, int], net_benefit_at: list[float], seed: int
) -> pd.DataFrame:
    """Every strategy, model and event rate on simulated trials.

    Parameters
    ----------
    n_trials : mapping of str to int
        Trials a model: few for trees, whose fits are slow and whose paired differences vary little.
    rates : mapping of str to float
        See `event_rates`.
    sizes : tuple of int
        Patients of a trial, and of the independent population on which its models are judged.
    net_benefit_at : list of float
        Thresholds.
    seed : int

    Returns
    -------
    DataFrame
        One row a (event_rate, model, strategy, trial); a column a measure. Models share trials and populations.
    """
    found = event_rates(rates)
    every = range(max(n_trials.values()))
    cases = [(model, s, trial) for s in found for model, trials in n_trials.items() for trial in range(trials)]
    tasks = [joblib.delayed(reference_rows)(s, every, sizes[1], net_benefit_at, seed) for s in found]
    tasks += [joblib.delayed(_trial_rows)(*case, sizes, net_benefit_at, seed) for case in cases]
    return pd.DataFrame([row for part in engine.compute(tasks, "balancing") for row in part])


def _against(rows: pd.DataFrame, keys: list[str], reference: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measures by keys and trial, and their differences to `reference` (of the last key) in the same trial."""
    wide = rows.set_index([*keys, "trial"])
    gains = wide - wide.xs(reference, level=keys[-1]).reindex(wide.index.droplevel(keys[-1])).to_numpy()
    gains[wide.index.get_level_values(keys[-1]) == reference] = np.nan
    return wide, gains


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean of each measure of `study` over trials and its paired difference to doing nothing.

    Columns event_rate, model, strategy, measure, n_trials, value, ci_low, ci_high, mc_se, and the last four with the
    prefix ``difference_`` (NaN for ``"none"`` itself and for oracle and null model).
    """
    keys, found = ["event_rate", "model", "strategy"], []
    wide, gains = _against(rows, keys, "none")
    for (group, part), measure in itertools.product(wide.groupby(level=keys, sort=False), wide):
        gain = intervals.monte_carlo(gains.loc[part.index, measure])
        row = dict(zip(keys, group, strict=True)) | {"measure": measure, "n_trials": len(part)}
        row |= _interval(measure, part[measure].to_numpy())
        found.append(row | {f"difference_{key}": value for key, value in gain.items()})
    return pd.DataFrame(found)


def _interval(measure: str, values: Array) -> intervals.Interval:
    """Mean with its interval, which of a share is cut off at 0 and 1: few trials may carry it beyond."""
    found = intervals.monte_carlo(values)
    if measure in SHARES:
        found["ci_low"], found["ci_high"] = max(found["ci_low"], 0.0), min(found["ci_high"], 1.0)
    return found


def as_results(table: pd.DataFrame) -> dict[str, Any]:
    """Nested mapping ``event_rate.model.strategy.measure`` of intervals, each with ``difference``."""

    def leaf(row: dict[str, Any]) -> dict[str, Any]:
        gain = {key: row[f"difference_{key}"] for key in INTERVAL}
        return {key: row[key] for key in (*INTERVAL, "n_trials")} | {"difference": gain}

    return evaluator.nested(table, "event_rate", "model", "strategy", "measure", leaf=leaf)


def shown(table: pd.DataFrame, rate: str, threshold: float = 0.2) -> pd.DataFrame:
    """One event rate of `summary` as text with intervals: model, strategy, trials, a column a measure.

    Of the thresholds of the net benefit, the one nearest to `threshold` has its column.
    """
    thresholds = table["measure"].str.extract(r"^net_benefit_(.+)$")[0].dropna().unique()
    nearest = f"net_benefit_{min(thresholds, key=lambda t: abs(float(t) - threshold))}"
    added = [name for name in evaluator.MEASURES if name not in (*SHOWN, *LEFT_OUT)]
    keys, columns = ["model", "strategy", "n_trials"], [*SHOWN, *added, nearest]
    part = table[(table["event_rate"] == rate) & table["measure"].isin(columns)]
    wide = evaluator.readable(part[[*keys, *evaluator.OF_INTERVAL]])[[*keys, *columns]].fillna(MISSING)
    order = {name: i for i, name in enumerate(("oracle", "null", *models.FITTED, *models.STRATEGIES))}
    wide = wide.sort_values(["model", "strategy"], key=lambda column: column.map(order), ignore_index=True)
    strategies = wide["strategy"].map(models.STRATEGIES).mask(wide["model"].isin(("oracle", "null")), MISSING)
    return wide.assign(model=wide["model"].map(models.LABELS), strategy=strategies)


def conclude(table: pd.DataFrame, margin: float, rate: str = "p24") -> dict[str, Any]:
    """What `summary` says of balancing: numbers, and the verdict on "balance the classes for a better model".

    Of n_gains comparisons of AUROC n_helped reach the margin, n_excluded cannot, n_open may; of n_worth comparisons of
    net benefit n_lower and n_higher are certain, the latter with `winners`.
    """
    resampled, strategies = table[table["strategy"].isin(RESAMPLED)], list(RESAMPLED)
    gains = resampled[resampled["measure"] == "auroc"]
    worth = resampled[resampled["measure"].str.startswith("net_benefit_")]
    best = gains.loc[gains["difference_value"].idxmax()]
    of_lr = table[(table["event_rate"] == rate) & (table["model"] == "lr")].set_index(["measure", "strategy"])["value"]
    citl, recall = of_lr["calibration_in_the_large"], of_lr["recall"]
    higher, helped = worth["difference_ci_low"] > 0, gains["difference_ci_low"] >= margin
    found: dict[str, Any] = {"margin": margin, "rate": rate, "auroc_gain": float(best["difference_value"])}
    found |= {key: best[key] for key in ("strategy", "model", "event_rate")}
    found["largest_mc_se"] = float(gains["difference_mc_se"].max())
    found |= {"n_gains": len(gains), "n_helped": int(helped.sum())}
    found["n_excluded"] = int((gains["difference_ci_high"] < margin).sum())
    found["n_open"] = found["n_gains"] - found["n_helped"] - found["n_excluded"]
    found |= {"citl_none": citl["none"], "citl_low": citl[strategies].min(), "citl_high": citl[strategies].max()}
    found["worse"] = bool((citl[strategies].abs() > abs(citl["none"]) + WORSE).all())
    found |= {"n_worth": len(worth), "n_lower": int((worth["difference_ci_high"] < 0).sum())}
    found |= {"n_higher": int(higher.sum()), "winners": list(dict.fromkeys(worth.loc[higher, "model"]))}
    found["same"] = bool(recall["threshold"] >= recall["class_weight"] - SAME_RECALL)
    found |= {f"recall_{name}": float(recall[name]) for name in ("none", "class_weight", "threshold")}
    most = helped.mean() > 0.5 and found["n_higher"] > found["n_lower"]
    return found | {"verdict": "not supported" if not helped.any() else "supported" if most else "direction only"}


BEFORE: dict[str, Callable[[Array, Array, int], tuple[Array, Array]]] = {
    INSIDE: lambda X, y, seed: (X, y),
    "scale_before": lambda X, y, seed: (StandardScaler().fit_transform(X), y),
    "smote_before": lambda X, y, seed: SMOTE(random_state=seed).fit_resample(X, y),
    "copies_before": lambda X, y, seed: RandomOverSampler(random_state=seed).fit_resample(X, y),
}
"""What each of `WAYS` does with all patients before any split."""


def before_splitting(
    names: list[str], n_trials: int, n_patients: int, setting: Setting, n_population: int, seed: int
) -> pd.DataFrame:
    """Every way of `WAYS` on simulated trials, without balancing inside: its cross-validated AUROC and the truth.

    Parameters
    ----------
    names : list of str
        Models.
    n_trials, n_patients, n_population : int
        Trials, patients a trial, patients on whom the truth of a trial's models is computed.
    setting : Setting
        Event rate.
    seed : int

    Returns
    -------
    DataFrame
        Columns trial, model, way, value, truth. The truth is that of the model which the way fits to all its rows.
    """
    rows = []
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for trial in range(n_trials):
            people = population(setting, n_population, seed, trial)
            X, y = simulated(FEATURES, n_patients, seeds.stream(seed, "before splitting", trial), setting.offset)
            for name, way in itertools.product(names, WAYS):
                found = _one_way(name, way, X, y, people, seed + trial)
                rows.append({"trial": trial, "model": name, "way": way, **found})
    return pd.DataFrame(rows)


def _one_way(name: str, way: str, X: Array, y: Array, people: Population, seed: int) -> dict[str, float]:
    model, (rows, outcome) = models.classifier(name, "none", seed), BEFORE[way](X, y, seed)
    oof = resampling.out_of_fold({name: model}, rows, outcome, resampling.repeated_folds(outcome, seed=seed))
    # what scales the trial must scale new patients as well
    new = StandardScaler().fit(X).transform(people.X) if way == "scale_before" else people.X
    y_prob = models.probability(model.fit(rows, outcome), new)
    value = metrics.auroc(oof["y"].to_numpy(), oof["y_prob"].to_numpy())
    return {"value": value, "truth": float(ranks.soft_auroc(people.probability, y_prob)[0])}


def inflation(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean of each way of `before_splitting` over trials, and its paired difference to the right way.

    Columns model, way, n_trials, truth, value, and of the difference inflation, ci_low, ci_high, mc_se.
    """
    keys = ["model", "way"]
    wide, gains = _against(rows, keys, INSIDE)
    by, each = (part.groupby(level=keys, sort=False) for part in (wide, gains["value"]))
    found = by.agg(n_trials=("value", "size"), truth=("truth", "mean"), value=("value", "mean"))
    prices = pd.DataFrame({group: intervals.monte_carlo(part) for group, part in each}).T
    return found.join(prices.rename(columns={"value": "inflation"}).rename_axis(keys)).reset_index()


def deceptive(table: pd.DataFrame, margin: float) -> dict[str, Any]:
    """Which ways of `inflation` deceive by the margin or more, which do not, and the worst of them.

    ``small`` is the most that the harmless ones move an AUROC (0 where there are none).
    """
    wrong = table[table["way"] != INSIDE]
    bad = wrong[(wrong["inflation"] >= margin) & (wrong["ci_low"] > 0)]
    rest = wrong[~wrong["way"].isin(bad["way"])]
    harmless = [way for way in WAYS if way in set(rest["way"])]
    found: dict[str, Any] = {"deceptive": sorted(set(bad["way"])), "margin": margin, "harmless": harmless}
    if bad.empty:
        return found
    worst = bad.loc[bad["inflation"].idxmax()]
    found |= {key: worst[key] for key in ("model", "way", "value", "truth", "inflation")}
    return found | {"small": float(rest["inflation"].abs().max()) if len(rest) else 0.0}
