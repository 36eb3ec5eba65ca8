"""Does a 95 % interval cover in 95 % of trials? Simulated, with the true values known exactly.

Trials are drawn from a finite population of predictions with known true probabilities. Every true value is then an
exact weighted sum over that population: each member counts once as an event, with its true probability, and once as a
non-event. One prediction is miscalibrated on purpose, so that no true value sits at a convenient place.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from attrition import decision, metrics, seeds
from attrition.metrics import evaluator, intervals
from attrition.metrics.calibration import expit

THRESHOLD = 0.5


def expected_range(n_trials: int, level: float = intervals.LEVEL) -> tuple[float, float]:
    """Range of observed coverage, in 95 of 100 runs of `n_trials` trials, of a method that covers exactly."""
    noise = 1.96 * (level * (1 - level) / n_trials) ** 0.5
    return level - noise, level + noise


def population(n_members: int = 2000, spread: float = 0.9) -> pd.DataFrame:
    """Members on quantiles of a normal law of the logit, of standard deviation `spread`: true probability, a and b.

    The prediction `b` sees a part of the logit only.
    """
    z = ndtri((np.arange(n_members) + 0.5) / n_members)
    other = ndtri((np.arange(n_members) * 0.6180339887498949 + 0.5) % 1)
    lp = 0.25 + spread * z
    a, b = expit(0.1 + 1.4 * lp + 0.5 * other), expit(0.5 * lp + 0.7 * other)
    return pd.DataFrame({"true": expit(lp), "a": a, "b": b})


def truth(metric: Callable, members: pd.DataFrame, name: str) -> Any:
    """Exact value of a measure over the population, or of several by name."""
    return evaluator.over_outcomes(metric, members["true"], members[name])


_net_benefit = partial(decision.net_benefit, thresholds=THRESHOLD)


BOOTSTRAPPED: dict[str, Callable] = {
    "AUROC": metrics.auroc,
    "AUPRC": metrics.average_precision,
    "Brier score": metrics.brier_score,
    "scaled Brier score": metrics.scaled_brier,
    "calibration slope": metrics.calibration_slope,
    "calibration-in-the-large": metrics.calibration_in_the_large,
    "net benefit": _net_benefit,
}


def _analytic(y: NDArray, a: NDArray, b: NDArray) -> dict[tuple[str, str], Any]:
    """Intervals by formula on one trial, by measure and method."""
    flagged, (difference, variance) = y[a >= THRESHOLD], intervals.auroc_difference(y, a, b)
    gain = np.where(a >= THRESHOLD, np.where(y == 1, 1.0, -THRESHOLD / (1 - THRESHOLD)), 0.0)
    return {
        ("AUROC", "DeLong, logit scale"): intervals.auroc_interval(y, a),
        ("difference of AUROCs", "DeLong, paired"): intervals.wald(difference, np.sqrt(variance)),
        ("calibration slope", "sandwich"): intervals.calibration_slope_interval(y, a),
        ("calibration-in-the-large", "sandwich"): intervals.calibration_in_the_large_interval(y, a),
        ("precision", "Wilson"): intervals.wilson(flagged.sum(), flagged.size),
        ("recall", "Wilson"): intervals.wilson(flagged.sum(), y.sum()),
        ("Brier score", "normal"): intervals.mean_interval((y - a) ** 2),
        ("net benefit", "normal"): intervals.mean_interval(gain),
    }


def _true_values(members: pd.DataFrame) -> dict[str, float]:
    values = {name: float(truth(metric, members, "a")) for name, metric in BOOTSTRAPPED.items()}
    flagged = truth(partial(metrics.classification, threshold=THRESHOLD), members, "a")
    values["difference of AUROCs"] = values["AUROC"] - truth(metrics.auroc, members, "b")
    values["difference of net benefits"] = values["net benefit"] - truth(_net_benefit, members, "b")
    values |= {name: float(flagged[name]) for name in ("precision", "recall")}
    return values | {"ICI": truth(metrics.ici, members, "a")}


def _bootstrapped(y: NDArray, a: NDArray, b: NDArray, weights: NDArray) -> dict[tuple[str, str], Any]:
    drawn = {name: intervals.replicates(metric, y, a, weights) for name, metric in BOOTSTRAPPED.items()}
    method = "bootstrap, percentile"
    found = {(name, method): intervals.percentile_interval(*pair) for name, pair in drawn.items()}
    for name in ("AUROC", "net benefit"):
        value, other = intervals.replicates(BOOTSTRAPPED[name], y, b, weights)
        difference = drawn[name][0] - value, drawn[name][1] - other
        found[f"difference of {name}s", method] = intervals.percentile_interval(*difference)
    measure = intervals.replicates(metrics.ici, y, a, weights[:, : max(2, weights.shape[1] // 2)])
    return found | {("ICI", "bootstrap, centred"): intervals.centred_interval(*measure)}


def coverage_table(
    seed: int, n_simulations: int, n_patients: int = 400, n_bootstraps: int = 400, n_bootstrapped: int | None = None
) -> pd.DataFrame:
    """Coverage of every method that the report calls a 95 % interval.

    Parameters
    ----------
    seed : int
    n_simulations, n_patients, n_bootstraps : int
        Trials for the intervals by formula, patients a trial, and resamples an interval.
    n_bootstrapped : int, optional
        Trials for the bootstrap intervals; all when left out.

    Returns
    -------
    pandas.DataFrame
        ``measure, method, true_value, n_patients, n_trials, coverage, ci_low, ci_high, mean_width``: the interval of
        the coverage is Wilson's over trials. A trial where an interval is undefined counts as not covered.
    """
    members = population()
    values = _true_values(members)
    n_bootstrapped = n_simulations if n_bootstrapped is None else min(n_bootstrapped, n_simulations)
    rows = []
    for trial in range(n_simulations):
        rng = seeds.stream(seed, "coverage", trial)
        true, a, b = members.to_numpy()[rng.integers(len(members), size=n_patients)].T
        y = (rng.random(n_patients) < true).astype(int)
        found = _analytic(y, a, b)
        if trial < n_bootstrapped:
            found |= _bootstrapped(y, a, b, intervals.bootstrap_weights(rng, n_patients, n_bootstraps))
        for (measure, method), one in found.items():
            held = one["ci_low"] <= values[measure] <= one["ci_high"]
            rows.append((measure, method, held, one["ci_high"] - one["ci_low"]))
    every = pd.DataFrame(rows, columns=["measure", "method", "held", "width"]).groupby(["measure", "method"])
    table = every.agg(held=("held", "sum"), n_trials=("held", "size"), mean_width=("width", "mean")).reset_index()
    shares = [intervals.wilson(*pair) for pair in zip(table["held"], table["n_trials"], strict=True)]
    table = table.join(pd.DataFrame(shares).rename(columns={"value": "coverage"}))
    table = table.assign(true_value=table["measure"].map(values), n_patients=n_patients)
    about = ["measure", "method", "true_value", "n_patients", "n_trials"]
    return table[[*about, "coverage", "ci_low", "ci_high", "mean_width"]]


def judged(table: pd.DataFrame, low: float = 0.93, high: float = 0.97) -> dict[str, Any]:
    """Whether every 95 % interval covers as it should, as far as the number of simulated trials can tell."""
    off = table[(table["ci_high"] < low) | (table["ci_low"] > high)]
    facts: dict[str, Any] = {"verdict": "supported" if off.empty else "not supported", "low": low, "high": high}
    facts |= {"outside": (off["measure"] + " (" + off["method"] + ")").tolist(), "methods": len(table)}
    return facts | {"lowest": table["coverage"].min(), "highest": table["coverage"].max()}
