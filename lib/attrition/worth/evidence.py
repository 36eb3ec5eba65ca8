"""What is known of contacts and costs, as data, and the priors that follow from it.

A prior is derived, never typed: the two randomised contacts with attendance at a visit as outcome, as ratios of the
hazard of not attending, are pooled and multiplied by a sceptical prior around no effect.
"""

import functools
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from attrition import settings


@functools.cache
def content() -> dict[str, Any]:
    """``evidence.yaml``: facts, sceptical prior, prior of retrieval, words by which reasons are told apart."""
    return settings.declared(__file__, "evidence.yaml")


def table() -> pd.DataFrame:
    """The facts, a row each: what, outcome, measure, value, low, high, patients, where, source, verified, used_for."""
    facts = pd.DataFrame(content()["facts"])
    both = facts["counts"].map(lambda c: c[1] + c[3] if isinstance(c, list) else np.nan)
    facts = facts.assign(patients=facts["patients"].fillna(both), verified=facts["read"].isin(["whole", "cut"]))
    facts = facts.rename(columns={"for": "used_for"}).drop(columns=["counts", "read"])
    return facts.assign(verified=facts["verified"].map({True: "yes", False: "no"}))


def hazard_ratio(counts: tuple[int, int, int, int]) -> tuple[float, float]:
    """Log hazard ratio of not attending, and its standard error, from attended and all of two arms.

    >>> log_ratio, error = hazard_ratio((129, 147, 125, 144))
    >>> round(float(np.exp(log_ratio)), 2), round(error, 2)
    (0.92, 0.33)
    """
    shares = np.array([counts[0] / counts[1], counts[2] / counts[3]])
    variance = (1 - shares) / (shares * np.array([counts[1], counts[3]]) * np.log(shares) ** 2)
    logs = np.log(-np.log(shares))
    return float(logs[0] - logs[1]), float(np.sqrt(variance.sum()))


def prior() -> dict[str, float]:
    """Prior of the log hazard ratio of an addressable reason: mean and sd, median with 95 % range, P(below one).

    The pool of the evidence alone is there as ``pooled``, ``pooled_low``, ``pooled_high``.
    """
    known = content()
    found = [hazard_ratio(fact["counts"]) for fact in known["facts"] if fact.get("for") == "effect"]
    logs, weights = np.array([log for log, _ in found]), np.array([1 / error**2 for _, error in found])
    pooled, precision = float(logs @ weights / weights.sum()), weights.sum()
    whole = precision + 1 / known["sceptical_sd"] ** 2
    mean, sd = float(pooled * precision / whole), float(whole**-0.5)
    low, high = np.exp([mean - 1.959964 * sd, mean + 1.959964 * sd]).tolist()
    reach = 1.959964 * precision**-0.5
    ends = {"pooled": np.exp(pooled), "pooled_low": np.exp(pooled - reach), "pooled_high": np.exp(pooled + reach)}
    own = {"mean": mean, "sd": sd, "median": np.exp(mean), "low": low, "high": high, "below_one": ndtr(-mean / sd)}
    return {name: float(value) for name, value in (own | ends).items()}


def cost(used_for: str) -> list[float]:
    """Amounts that stand for a kind of cost, in the order of the file."""
    return [float(fact["value"]) for fact in content()["facts"] if fact.get("for") == used_for]
