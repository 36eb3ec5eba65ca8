"""What to do about a rare outcome: every strategy on the same simulated trials, judged against the truth.

Aim: whether balancing helps. Data: trials simulated from the published law, at its own event rate and at lower ones.
Estimand: performance in the population of the model that a strategy yields. Methods: `models.STRATEGIES`. Performance
measures: `MEASURES`, in which each patient of an independent population counts with its exact probability of dropout,
so that no drawn outcome adds noise. Each trial has a population of its own, so that the spread over trials contains
what the draw of a population adds. Strategies meet the same trials and populations, so that differences are paired.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn import config_context

from attrition import engine, features, models, seeds, simulate
from attrition.metrics import calibration, intervals, ranks
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW
from attrition.text import listed

Array = np.ndarray
VERSION = "v3_causal"
MEASURES = {
    "auroc": "AUROC",
    "calibration_slope": "Calibration slope",
    "calibration_in_the_large": "In-the-large",
    "brier": "Brier",
    "recall": "Recall",
    "precision": "Precision",
}
SHARES = ("auroc", "recall", "precision")
"""Measures that lie between 0 and 1."""
RESAMPLED = ("class_weight", "smote", "undersample")
"""Strategies that change the event rate that the model is fitted to."""
INNER_FOLDS = 3


@dataclass(frozen=True)
class Setting:
    """An event rate: its name, the rate itself, and the offset on the logit that brings it about."""

    name: str
    event_rate: float
    offset: float


@dataclass(frozen=True)
class Population:
    """Independent patients: features (n, k), exact probabilities (n,) under one setting, the oracle's shortfall.

    `shift` is what the oracle's exact AUROC and Brier score exceed those on these patients by (a control variate).
    """

    X: Array
    p: Array
    shift: Mapping[str, float]


def settings(rates: Mapping[str, float]) -> list[Setting]:
    """Event rates by name; a rate of 0 stands for the law's own.

    Examples
    --------
    >>> [round(s.event_rate, 3) for s in settings({"default": 0, "p24": 0.24})]
    [0.534, 0.24]
    """
    own = oracle.exact(PUBLISHED_LAW)["prevalence"]
    for name, rate in rates.items():
        if name.startswith("p") and name != f"p{100 * rate:g}":
            raise ValueError(f"event rate {rate:g} must be named p{100 * rate:g}, not {name}: sentences read the name")
    return [
        Setting(name, rate or own, oracle.offset_for_prevalence(PUBLISHED_LAW, rate) if rate else 0.0)
        for name, rate in rates.items()
    ]


@lru_cache(maxsize=8)
def _exact(offset: float) -> dict[str, float]:
    return oracle.exact(PUBLISHED_LAW, offset)


@lru_cache(maxsize=64)
def population(setting: Setting, n: int, seed: int, trial: int) -> Population:
    """Draw the population on which one trial's models are judged: the same patients under every setting."""
    patients = simulate.draw_arrays(PUBLISHED_LAW, n, seeds.stream(seed, "imbalance", "population", trial))
    p = oracle.of_patients(PUBLISHED_LAW, patients, setting.offset)
    here = {"auroc": float(ranks.soft_auroc(p, p)[0]), "brier": float(oracle.expected_brier(p, p).mean())}
    shift = {measure: _exact(setting.offset)[measure] - value for measure, value in here.items()}
    return Population(features.array(patients, features.VERSIONS[VERSION]), p, shift)


def shifted(found: dict[str, float], shift: Mapping[str, float]) -> dict[str, float]:
    """Measures with most of the luck of their population's draw taken away; see `validation.Population`."""
    return found | {measure: found[measure] + by for measure, by in shift.items()}


def measures(p: Array, y_prob: Array, threshold: float, net_benefit_at: list[float]) -> dict[str, float]:
    """Expected performance of predictions for patients with known probabilities.

    Parameters
    ----------
    p : array of shape (n_patients,)
        Exact probabilities of dropout.
    y_prob : array of shape (n_patients,)
        Predictions.
    threshold : float
        For recall and precision.
    net_benefit_at : list of float
        Thresholds for ``net_benefit_<threshold>``: expected true positives less false positives at the odds of the
        threshold, a patient.

    Returns
    -------
    dict
        Keys of `MEASURES` and the net benefits. Precision is NaN when nobody is flagged.

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
    return found | {f"net_benefit_{t:g}": _net_benefit(p, y_prob, t) for t in net_benefit_at}


def _net_benefit(p: Array, y_prob: Array, threshold: float) -> float:
    flagged = y_prob >= threshold
    gain = p - (1 - p) * threshold / (1 - threshold)
    return float((gain * flagged).mean())


def predictions(model: str, X: Array, y: Array, X_new: Array, seed: int) -> Iterator[tuple[str, Array, float]]:
    """Fit every strategy and predict new patients.

    ``"threshold"`` has the probabilities of ``"none"``, and ``"recalibrated"`` contains the fit of
    ``"class_weight"``: neither is fitted twice.

    Parameters
    ----------
    model : str
        Key of `attrition.models.MODELS`.
    X, X_new : array of shape (n, p) and (n_new, p)
        Features of the trial's patients and of new ones.
    y : array of shape (n,)
        Outcome of the trial's patients.
    seed : int
        Of the fits and of the resampling.

    Yields
    ------
    strategy : str
    y_prob : array of shape (n_new,)
    threshold : float
        The strategy's own.
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
    n, n_population = sizes
    everyone = population(setting, n_population, seed, trial)
    rng = seeds.stream(seed, "imbalance", setting.name, trial)
    drawn = simulate.draw_arrays(PUBLISHED_LAW, n, rng, setting.offset)
    X, y = features.array(drawn, features.VERSIONS[VERSION]), drawn["dropout"]
    inner = seeds.integer(seed, "imbalance", "fit", trial)
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return [
            {"event_rate": setting.name, "model": model, "strategy": strategy, "trial": trial}
            | shifted(measures(everyone.p, y_prob, threshold, net_benefit_at), everyone.shift)
            for strategy, y_prob, threshold in predictions(model, X, y, everyone.X, inner)
        ]


def reference_rows(
    setting: Setting, trials: range, n_population: int, net_benefit_at: list[float], seed: int
) -> list[dict[str, Any]]:
    """Oracle and null model in the population of each trial: rows of `study`.

    Parameters
    ----------
    setting : Setting
        Event rate.
    trials : range
        Numbers of the trials.
    n_population : int
        Patients in the population of one trial.
    net_benefit_at : list of float
        Thresholds.
    seed : int
    """
    rows: list[dict[str, Any]] = []
    for trial in trials:
        everyone = population(setting, n_population, seed, trial)
        p = everyone.p
        common = {"event_rate": setting.name, "strategy": "none", "trial": trial}
        for name, y_prob in (("oracle", p), ("null", np.full(len(p), p.mean()))):
            found = measures(p, y_prob, 0.5, net_benefit_at)
            rows.append(common | {"model": name} | (shifted(found, everyone.shift) if name == "oracle" else found))
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
    rows: list[dict[str, Any]] = []
    for part in engine.compute(tasks, "balancing"):
        rows += part
    return pd.DataFrame(rows)


def measure_columns(rows: pd.DataFrame) -> list[str]:
    """Columns of `study` that hold measures."""
    return [name for name in rows if name in MEASURES or name.startswith("net_benefit_")]


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean of each measure over trials and its paired difference to doing nothing.

    Parameters
    ----------
    rows : DataFrame
        From `study`.

    Returns
    -------
    DataFrame
        Columns event_rate, model, strategy, measure, n_trials, value, ci_low, ci_high, mc_se, and the same with the
        prefix ``difference_`` (NaN for ``"none"`` itself and for oracle and null model).
    """
    keys = ["event_rate", "model", "strategy"]
    wide = rows.set_index([*keys, "trial"])
    found = []
    for (rate, model, strategy), part in wide.groupby(level=keys, sort=False):
        plain = wide.xs((rate, model, "none"), level=keys)
        for measure in measure_columns(rows):
            values = part[measure].to_numpy()
            gain = values - plain[measure].to_numpy() if strategy != "none" else np.array([])
            found.append(
                {"event_rate": rate, "model": model, "strategy": strategy, "measure": measure}
                | {"n_trials": len(values)}
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
        place = found.setdefault(row["event_rate"], {}).setdefault(row["model"], {})
        interval = {key: row[key] for key in ("value", "ci_low", "ci_high", "mc_se")}
        gain = {key: row[f"difference_{key}"] for key in interval}
        interval |= {"n_trials": row["n_trials"], "difference": gain}
        place.setdefault(row["strategy"], {})[row["measure"]] = interval
    return found


def _pick(table: pd.DataFrame, **where: str) -> pd.DataFrame:
    for key, value in where.items():
        table = table[table[key] == value]
    return table


def _in_words(rate: str) -> str:
    return f"{rate.removeprefix('p')} % events" if rate.startswith("p") else "the law's own event rate"


def _place(row: pd.Series) -> str:
    return f"{models.STRATEGIES[row['strategy']]}, {models.LABELS[row['model']]}, {_in_words(row['event_rate'])}"


def _discrimination(table: pd.DataFrame, margin: float) -> tuple[str, dict[str, Any]]:
    gains = _pick(table[table["strategy"].isin(RESAMPLED)], measure="auroc")
    best = gains.loc[gains["difference_value"].idxmax()]
    helped, excluded = gains["difference_ci_low"] >= margin, gains["difference_ci_high"] < margin
    values: dict[str, Any] = {
        "auroc_gain": float(best["difference_value"]),
        "auroc_place": _place(best),
        "margin": margin,
    }
    values |= {"n_helped": int(helped.sum()), "n_excluded": int(excluded.sum()), "n_gains": len(gains)}
    values |= {"n_open": len(gains) - values["n_helped"] - values["n_excluded"]}
    values |= {"helped": {0: "none raises", 1: "one raises"}.get(values["n_helped"], f"{values['n_helped']} raise")}
    values |= {"largest_mc_se": float(gains["difference_mc_se"].max())}
    return (
        "Of {n_gains} combinations of balancing strategy, model and event rate, {helped} the AUROC by "
        "the {margin:.2f} that matters, with the whole interval; in {n_excluded} such a gain is ruled out, in {n_open} "
        "the trials are too few to say; the largest mean gain is {auroc_gain:.3f} ({auroc_place}).",
        values,
    )


def _calibration(table: pd.DataFrame, rate: str) -> tuple[str, dict[str, Any], bool]:
    found = _pick(table, event_rate=rate, model="lr", measure="calibration_in_the_large").set_index("strategy")["value"]
    shifted = found[list(RESAMPLED)]
    worse = bool((shifted.abs() > abs(found["none"]) + 0.1).all())
    values = {
        "rate": _in_words(rate),
        "citl_none": found["none"],
        "citl_low": shifted.min(),
        "citl_high": shifted.max(),
    }
    how = "costs calibration" if worse else "leaves calibration about as it was"
    return (
        f"It {how}: logistic regression's calibration-in-the-large goes from {{citl_none:.2f}} to between "
        "{citl_low:.2f} and {citl_high:.2f} ({rate}).",
        values,
        worse,
    )


def _worth(table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    rows = table[table["measure"].str.startswith("net_benefit_") & table["strategy"].isin(RESAMPLED)]
    lower, higher = (rows["difference_ci_high"] < 0).sum(), (rows["difference_ci_low"] > 0).sum()
    winners = list(dict.fromkeys(rows.loc[rows["difference_ci_low"] > 0, "model"]))
    some = 0 < len(winners) < len(models.FITTED)
    where = f", all with {listed([models.LABELS[model] for model in winners])}" if some else ""
    return (
        "Net benefit falls (interval below zero) in {n_lower} of {n_worth} comparisons and rises in {n_higher}{where}.",
        {"n_lower": int(lower), "n_higher": int(higher), "n_worth": len(rows), "where": where},
    )


def _recall(table: pd.DataFrame, rate: str) -> tuple[str, dict[str, Any], bool]:
    found = _pick(table, event_rate=rate, model="lr", measure="recall").set_index("strategy")["value"]
    values = {f"recall_{name}": float(found[name]) for name in ("none", "class_weight", "threshold")}
    same = bool(found["threshold"] >= found["class_weight"] - 0.05)
    verb = "does the same" if same else "does less"
    rises = found["class_weight"] > found["none"]
    moves, link = ("does rise", "but") if rises else ("does not rise", "and")
    return (
        f"Recall at one half {moves} with class weights, from {{recall_none:.2f}} to {{recall_class_weight:.2f}}, "
        f"{link} moving the threshold of the plain model {verb}: {{recall_threshold:.2f}}.",
        values,
        same,
    )


def conclude(table: pd.DataFrame, margin: float, rate: str = "p24") -> dict[str, Any]:
    """Concluding sentences about balancing, chosen from the numbers.

    Parameters
    ----------
    table : DataFrame
        From `summary`.
    margin : float
        Smallest gain in AUROC that matters.
    rate : str
        Event rate of the sentences on calibration and recall.

    Returns
    -------
    dict
        ``sentence`` (a template), its values, ``verdict`` on "balance the classes for a better model", ``advice``.
    """
    discrimination, a = _discrimination(table, margin)
    calibration_, b, worse = _calibration(table, rate)
    worth, c = _worth(table)
    recall, d, same = _recall(table, rate)
    verdict = "not supported"
    if a["n_helped"]:
        verdict = "supported" if a["n_helped"] > a["n_gains"] / 2 and c["n_higher"] > c["n_lower"] else "direction only"
    advice = (
        "Fit without balancing and move the threshold to where the costs put it."
        if same and worse
        else "No strategy is better throughout; choose by net benefit at the threshold in use."
    )
    sentence = " ".join((discrimination, calibration_, worth, recall))
    return {"sentence": sentence, "verdict": verdict, "advice": advice} | a | b | c | d
