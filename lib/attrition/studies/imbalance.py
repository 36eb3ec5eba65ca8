"""What to do about a rare outcome, and what it is worth before and after the split: on simulated trials.

Aim: whether balancing helps. Data: trials simulated from the published law, at its own event rate and at lower ones.
Estimand: performance in the population of the model that a strategy yields. Methods: `models.STRATEGIES`. Performance
measures: `MEASURES`, in which each patient of an independent population counts with its exact probability of dropout.
Each trial has a population of its own, so that the spread over trials contains what the draw of a population adds.
Strategies meet the same trials and populations, so that differences are paired.

`before_splitting` is the wrong way: standardising before splitting lets means and standard deviations of the test fold
in; balancing before splitting puts copies of a patient, or points between a patient and its neighbours, on both sides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import joblib
import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from sklearn import config_context
from sklearn.preprocessing import StandardScaler

from attrition import engine, features, metrics, models, resampling, seeds, simulate
from attrition.metrics import calibration, intervals, ranks
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW
from attrition.studies.population import Population, drawn, exact
from notebook_report.text import MISSING, interval_text

Array = np.ndarray
FEATURES = features.VERSIONS["v3_causal"]
MEASURES = ("auroc", "calibration_slope", "calibration_in_the_large", "brier", "recall", "precision")
SHARES = ("auroc", "recall", "precision")
"""Measures that lie between 0 and 1."""
RESAMPLED = ("class_weight", "smote", "undersample")
"""Strategies that change the event rate that the model is fitted to."""
INNER_FOLDS = 3
INTERVAL = ("value", "ci_low", "ci_high", "mc_se")
INSIDE = "inside"
WAYS = {
    INSIDE: "Everything inside the folds",
    "scale_before": "Standardised before splitting",
    "smote_before": "SMOTE before splitting",
    "copies_before": "Copies of events before splitting",
}
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


def settings(rates: Mapping[str, float]) -> list[Setting]:
    """Event rates by name; a rate of 0 stands for the law's own.

    Examples
    --------
    >>> [round(s.event_rate, 3) for s in settings({"default": 0, "p24": 0.24})]
    [0.534, 0.24]
    """
    for name, rate in rates.items():
        if name.startswith("p") and name != f"p{100 * rate:g}":
            raise ValueError(f"event rate {rate:g} must be named p{100 * rate:g}, not {name}: sentences read the name")
    return [
        Setting(
            name, rate or exact(0.0)["prevalence"], oracle.offset_for_prevalence(PUBLISHED_LAW, rate) if rate else 0.0
        )
        for name, rate in rates.items()
    ]


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
    found = {
        "auroc": float(ranks.soft_auroc(p, y_prob)[0]),
        "calibration_slope": calibration.calibration_slope(p, y_prob),
        "calibration_in_the_large": calibration.calibration_in_the_large(p, y_prob),
        "brier": float(oracle.expected_brier(y_prob, p).mean()),
        "recall": float(p[flagged].sum() / p.sum()),
        "precision": float(p[flagged].mean()) if flagged.any() else np.nan,
    }
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
    X, X_new : array of shape (n, p) and (n_new, p)
    y : array of shape (n,)
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
    patients = simulate.draw_arrays(
        PUBLISHED_LAW, sizes[0], seeds.stream(seed, "imbalance", setting.name, trial), setting.offset
    )
    X, y = features.array(patients, FEATURES), patients["dropout"]
    inner = seeds.integer(seed, "imbalance", "fit", trial)
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return [
            {"event_rate": setting.name, "model": model, "strategy": strategy, "trial": trial}
            | _shifted(measures(people.probability, y_prob, threshold, net_benefit_at), people)
            for strategy, y_prob, threshold in predictions(model, X, y, people.X, inner)
        ]


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
    n_trials: Mapping[str, int],
    rates: Mapping[str, float],
    n_patients: int,
    n_population: int,
    net_benefit_at: list[float],
    seed: int,
) -> pd.DataFrame:
    """Every strategy, model and event rate on simulated trials.

    Parameters
    ----------
    n_trials : mapping of str to int
        Trials a model: few for trees, whose fits are slow and whose paired differences vary little.
    rates : mapping of str to float
        See `settings`.
    n_patients, n_population : int
        Patients of a trial and of the independent population on which its models are judged.
    net_benefit_at : list of float
        Thresholds.
    seed : int

    Returns
    -------
    DataFrame
        One row a (event_rate, model, strategy, trial); a column a measure. Models share trials and populations.
    """
    found, sizes = settings(rates), (n_patients, n_population)
    every = range(max(n_trials.values()))
    tasks = [joblib.delayed(reference_rows)(s, every, n_population, net_benefit_at, seed) for s in found]
    tasks += [
        joblib.delayed(_trial_rows)(model, setting, trial, sizes, net_benefit_at, seed)
        for setting in found
        for model, trials in n_trials.items()
        for trial in range(trials)
    ]
    return pd.DataFrame([row for part in engine.compute(tasks, "balancing") for row in part])


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean of each measure of `study` over trials and its paired difference to doing nothing.

    Columns event_rate, model, strategy, measure, n_trials, value, ci_low, ci_high, mc_se, and the last four with the
    prefix ``difference_`` (NaN for ``"none"`` itself and for oracle and null model).
    """
    keys = ["event_rate", "model", "strategy"]
    wide = rows.set_index([*keys, "trial"])
    found = []
    for (rate, model, strategy), part in wide.groupby(level=keys, sort=False):
        plain = wide.xs((rate, model, "none"), level=keys)
        for measure in wide:
            values = part[measure].to_numpy()
            gain = values - plain[measure].to_numpy() if strategy != "none" else np.array([])
            found.append(
                {"event_rate": rate, "model": model, "strategy": strategy, "measure": measure, "n_trials": len(values)}
                | _interval(measure, values)
                | {f"difference_{key}": value for key, value in intervals.monte_carlo(gain).items()}
            )
    return pd.DataFrame(found)


def _interval(measure: str, values: Array) -> intervals.Interval:
    """Mean with its interval, which of a share is cut off at 0 and 1: few trials may carry it beyond."""
    found = intervals.monte_carlo(values)
    if measure in SHARES:
        found["ci_low"], found["ci_high"] = max(found["ci_low"], 0.0), min(found["ci_high"], 1.0)
    return found


def as_results(table: pd.DataFrame) -> dict[str, Any]:
    """Nested mapping ``event_rate.model.strategy.measure`` of intervals, each with ``difference``."""
    found: dict[str, Any] = {}
    for row in table.to_dict("records"):
        place = found.setdefault(row["event_rate"], {}).setdefault(row["model"], {}).setdefault(row["strategy"], {})
        gain = {key: row[f"difference_{key}"] for key in INTERVAL}
        place[row["measure"]] = {key: row[key] for key in (*INTERVAL, "n_trials")} | {"difference": gain}
    return found


def shown(table: pd.DataFrame, rate: str, threshold: float = 0.2) -> pd.DataFrame:
    """One event rate of `summary` as text with intervals: model, strategy, trials, a column a measure.

    Of the thresholds of the net benefit, the one nearest to `threshold` has its column.
    """
    thresholds = table["measure"].str.extract(r"^net_benefit_(.+)$")[0].dropna().unique()
    columns = [*MEASURES, f"net_benefit_{min(thresholds, key=lambda t: abs(float(t) - threshold))}"]
    part = table[(table["event_rate"] == rate) & table["measure"].isin(columns)]
    part = part.assign(text=[interval_text(row) or MISSING for row in part.to_dict("records")])
    keys = ["model", "strategy", "n_trials"]
    wide = part.pivot_table(index=keys, columns="measure", values="text", aggfunc="first")[columns].reset_index()
    order = {name: i for i, name in enumerate(("oracle", "null", *models.FITTED, *models.STRATEGIES))}
    wide = wide.sort_values(["model", "strategy"], key=lambda column: column.map(order), ignore_index=True)
    plain = wide["model"].isin(("oracle", "null"))
    strategies = wide["strategy"].map(models.STRATEGIES).where(~plain, MISSING)
    return wide.assign(model=wide["model"].map(models.LABELS), strategy=strategies)


def conclude(table: pd.DataFrame, margin: float, rate: str = "p24") -> dict[str, Any]:
    """What `summary` says of balancing: numbers, and the verdict on "balance the classes for a better model".

    Returns
    -------
    dict
        n_gains comparisons of AUROC, of which n_helped reach the margin, n_excluded cannot, n_open may; the largest
        auroc_gain and its strategy, model and event_rate; citl_none, citl_low, citl_high; n_worth comparisons of net
        benefit, of which n_lower and n_higher are certain, the latter with `winners`; recall_none,
        recall_class_weight, recall_threshold; ``worse`` calibration and ``same`` recall (bool), verdict.
    """
    resampled = table[table["strategy"].isin(RESAMPLED)]
    gains = resampled[resampled["measure"] == "auroc"]
    worth = resampled[resampled["measure"].str.startswith("net_benefit_")]
    best = gains.loc[gains["difference_value"].idxmax()]
    of_lr = table[(table["event_rate"] == rate) & (table["model"] == "lr")].set_index(["measure", "strategy"])["value"]
    citl, recall = of_lr["calibration_in_the_large"], of_lr["recall"]
    higher = worth["difference_ci_low"] > 0
    found: dict[str, Any] = {
        "n_gains": len(gains),
        "n_helped": int((gains["difference_ci_low"] >= margin).sum()),
        "n_excluded": int((gains["difference_ci_high"] < margin).sum()),
        "auroc_gain": float(best["difference_value"]),
        "largest_mc_se": float(gains["difference_mc_se"].max()),
        "margin": margin,
        "rate": rate,
        "citl_none": float(citl["none"]),
        "citl_low": float(citl[list(RESAMPLED)].min()),
        "citl_high": float(citl[list(RESAMPLED)].max()),
        "worse": bool((citl[list(RESAMPLED)].abs() > abs(citl["none"]) + WORSE).all()),
        "n_worth": len(worth),
        "n_lower": int((worth["difference_ci_high"] < 0).sum()),
        "n_higher": int(higher.sum()),
        "winners": list(dict.fromkeys(worth.loc[higher, "model"])),
        "same": bool(recall["threshold"] >= recall["class_weight"] - SAME_RECALL),
    }
    found |= {key: best[key] for key in ("strategy", "model", "event_rate")}
    found |= {f"recall_{name}": float(recall[name]) for name in ("none", "class_weight", "threshold")}
    found["n_open"] = found["n_gains"] - found["n_helped"] - found["n_excluded"]
    found["verdict"] = "not supported"
    if found["n_helped"]:
        most = found["n_helped"] > found["n_gains"] / 2 and found["n_higher"] > found["n_lower"]
        found["verdict"] = "supported" if most else "direction only"
    return found


def _prepared(way: str, X: Array, y: Array, seed: int) -> tuple[Array, Array]:
    """What the way does with all patients before any split."""
    match way:
        case "scale_before":
            return StandardScaler().fit_transform(X), y
        case "smote_before":
            return SMOTE(random_state=seed).fit_resample(X, y)
        case "copies_before":
            return RandomOverSampler(random_state=seed).fit_resample(X, y)
    return X, y


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
            rng = seeds.stream(seed, "before splitting", trial)
            patients = simulate.draw_arrays(PUBLISHED_LAW, n_patients, rng, setting.offset)
            X, y = features.array(patients, FEATURES), patients["dropout"]
            rows += [
                {"trial": trial, "model": name, "way": way} | _one_way(name, way, X, y, people, seed + trial)
                for name in names
                for way in WAYS
            ]
    return pd.DataFrame(rows)


def _one_way(name: str, way: str, X: Array, y: Array, people: Population, seed: int) -> dict[str, float]:
    model, (rows, outcome) = models.classifier(name, "none", seed), _prepared(way, X, y, seed)
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
    found = []
    for (model, way), part in rows.groupby(["model", "way"], sort=False):
        right = rows[(rows["model"] == model) & (rows["way"] == INSIDE)]
        gain = part["value"].to_numpy() - right["value"].to_numpy()
        price = intervals.monte_carlo(gain if way != INSIDE else np.array([]))
        found.append(
            {"model": model, "way": way, "n_trials": len(part)}
            | {"truth": part["truth"].mean(), "value": part["value"].mean(), "inflation": price["value"]}
            | {key: price[key] for key in ("ci_low", "ci_high", "mc_se")}
        )
    return pd.DataFrame(found)


def deceptive(table: pd.DataFrame, margin: float) -> dict[str, Any]:
    """Which ways of `inflation` deceive by the margin or more, which do not, and the worst of them.

    ``small`` is the most that the harmless ones move an AUROC (0 where there are none).
    """
    wrong = table[table["way"] != INSIDE]
    bad = wrong[(wrong["inflation"] >= margin) & (wrong["ci_low"] > 0)]
    rest = wrong[~wrong["way"].isin(bad["way"])]
    found: dict[str, Any] = {"deceptive": sorted(set(bad["way"])), "margin": margin}
    found["harmless"] = [way for way in WAYS if way in set(rest["way"])]
    if bad.empty:
        return found
    worst = bad.loc[bad["inflation"].idxmax()]
    found |= {key: float(worst[key]) for key in ("value", "truth", "inflation")}
    found |= {"model": worst["model"], "way": worst["way"]}
    return found | {"small": float(rest["inflation"].abs().max()) if len(rest) else 0.0}
