"""What to do about a rare outcome: every strategy on the same simulated trials, judged against the truth.

Aim: whether balancing helps. Data: trials simulated from the published law, at its own event rate and at lower ones.
Estimand: performance in the population of the model that a strategy yields. Methods: `models.STRATEGIES`. Performance
measures: `MEASURES`, in which each patient of an independent population counts with its exact probability of dropout,
so that no drawn outcome adds noise. Strategies meet the same trials, so that differences are paired.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from attrition import batched, calibration, features, models, oracle, seeds, simulate
from attrition.law import PUBLISHED_LAW

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
RESAMPLED = ("class_weight", "smote", "undersample")
"""Strategies that change the event rate that the model is fitted to."""
PROBABILITY_KEEPING = ("none", "threshold", "recalibrated")
INNER_FOLDS = 3


@dataclass(frozen=True)
class Setting:
    """An event rate: its name, the rate itself, and the offset on the logit that brings it about."""

    name: str
    event_rate: float
    offset: float


@dataclass(frozen=True)
class Population:
    """Independent patients: features (n, k) and exact probabilities (n,) under one setting."""

    X: pd.DataFrame
    p: Array


def settings(rates: Mapping[str, float]) -> list[Setting]:
    """Event rates by name; a rate of 0 stands for the law's own.

    Examples
    --------
    >>> [round(s.event_rate, 3) for s in settings({"default": 0, "p24": 0.24})]
    [0.534, 0.24]
    """
    own = oracle.exact(PUBLISHED_LAW)["prevalence"]
    return [
        Setting(name, rate or own, oracle.offset_for_prevalence(PUBLISHED_LAW, rate) if rate else 0.0)
        for name, rate in rates.items()
    ]


def populations(found: list[Setting], n: int, seed: int) -> dict[str, Population]:
    """The same patients under every setting."""
    patients = simulate.draw_patients(PUBLISHED_LAW, n, seeds.stream(seed, "imbalance", "population"))
    X = features.matrix(patients, VERSION)
    return {s.name: Population(X, oracle.of_patients(PUBLISHED_LAW, patients, s.offset)) for s in found}


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
        "auroc": float(batched.soft_auroc(p, y_prob)[0]),
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


def predictions(
    model: str, X: pd.DataFrame, y: Array, X_new: pd.DataFrame, seed: int
) -> Iterator[tuple[str, Array, float]]:
    """Fit every strategy and predict new patients.

    ``"threshold"`` has the probabilities of ``"none"``, and ``"recalibrated"`` contains the fit of
    ``"class_weight"``: neither is fitted twice.

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
    model: str, setting: Setting, trial: int, n: int, everyone: Population, net_benefit_at: list[float], seed: int
) -> list[dict[str, Any]]:
    rng = seeds.stream(seed, "imbalance", setting.name, trial)
    drawn = simulate.draw_trial(PUBLISHED_LAW, n, rng, setting.offset)
    X, y = features.matrix(drawn, VERSION), drawn["dropout"].to_numpy()
    inner = seeds.integer(seed, "imbalance", "fit", trial)
    return [
        {"event_rate": setting.name, "model": model, "strategy": strategy, "trial": trial}
        | measures(everyone.p, y_prob, threshold, net_benefit_at)
        for strategy, y_prob, threshold in predictions(model, X, y, everyone.X, inner)
    ]


def reference_rows(setting: Setting, everyone: Population, net_benefit_at: list[float]) -> list[dict[str, Any]]:
    """Oracle and null model in the same population; they do not vary over trials."""
    prevalence = np.full(len(everyone.p), everyone.p.mean())
    chance = measures(everyone.p, prevalence, 0.5, net_benefit_at)
    best = measures(everyone.p, everyone.p, 0.5, net_benefit_at)
    common = {"event_rate": setting.name, "strategy": "none", "trial": 0}
    return [common | {"model": "oracle"} | best, common | {"model": "null"} | chance]


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
        Patients a trial and in the independent population.
    net_benefit_at : list of float
        Thresholds.
    seed : int

    Returns
    -------
    DataFrame
        One row a (event_rate, model, strategy, trial); a column a measure. Models share trials.
    """
    found = settings(rates)
    everyone = populations(found, n_population, seed)
    rows = [row for s in found for row in reference_rows(s, everyone[s.name], net_benefit_at)]
    for setting in found:
        for model, trials in n_trials.items():
            for trial in range(trials):
                rows += _trial_rows(model, setting, trial, n_patients, everyone[setting.name], net_benefit_at, seed)
    return pd.DataFrame(rows)


def mean_interval(values: Array, level: float = 0.95) -> dict[str, float]:
    """Mean over simulated trials with Student's interval, right also for few trials.

    Examples
    --------
    >>> found = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> found["value"], round(found["ci_high"], 3), round(found["mc_se"], 3)
    (2.0, 4.484, 0.577)
    """
    kept = values[np.isfinite(values)]
    n = len(kept)
    if n < 2:
        value = float(kept[0]) if n else np.nan
        return {"value": value, "ci_low": np.nan, "ci_high": np.nan, "mc_se": np.nan}
    mean, se = float(kept.mean()), float(kept.std(ddof=1) / np.sqrt(n))
    half = float(stats.t.ppf(0.5 + level / 2, n - 1)) * se
    return {"value": mean, "ci_low": mean - half, "ci_high": mean + half, "mc_se": se}


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
                | mean_interval(values)
                | {f"difference_{key}": value for key, value in mean_interval(gain).items()}
            )
    return pd.DataFrame(found)


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
