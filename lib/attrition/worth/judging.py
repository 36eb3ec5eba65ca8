"""What draws of the worth of each strategy say: intervals, value of information, and the verdict, in a fixed order."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from attrition.metrics.intervals import LEVEL, Interval, percentile_interval

NOBODY, EVERYBODY, ORACLE, RETRIEVE = "nobody", "everybody", "oracle", "retrieve"
FEWEST = 10
"""Addressable leavers below which nothing is judged."""
BINS = 20
Array = np.ndarray
Draws = Mapping[str, Array]


def ends(drawn: Array, value: float | None = None) -> Interval:
    """Mean (or a given value) with the interval between the quantiles of its draws."""
    return percentile_interval(float(np.mean(drawn)) if value is None else value, drawn)


def perfect_information(worth: Draws) -> dict[str, float]:
    """Expected value of knowing everything first, with its Monte Carlo error, and which strategy is best on average."""
    table = np.stack(list(worth.values()))
    best = int(table.mean(axis=1).argmax())
    gains = table.max(axis=0) - table[best]
    error = float(gains.std(ddof=1) / np.sqrt(gains.size))
    return {"value": float(gains.mean()), "mc_se": error, "p_best": float((table.argmax(axis=0) == best).mean())}


def partial_information(worth: Draws, known: Array, bins: int = BINS) -> dict[str, float]:
    """Expected value of knowing one parameter first: draws sorted by it, the best strategy of each bin."""
    table = np.stack(list(worth.values()))
    parts = np.array_split(np.argsort(known, kind="stable"), bins)
    each = np.array([table[:, part].mean(axis=1).max() * len(part) for part in parts]) / table.shape[1]
    best = int(table.mean(axis=1).argmax())
    gain = table.max(axis=0) - table[best]
    value = float(each.sum() - table[best].mean())
    return {"value": max(value, 0.0), "mc_se": float(gain.std(ddof=1) / np.sqrt(gain.size))}


def simultaneous(worth: Draws, against: str) -> dict[str, dict[str, float]]:
    """Difference of every strategy from one, with intervals that hold for all of them at once (largest deviation)."""
    drawn = {name: values - worth[against] for name, values in worth.items() if name != against}
    means = {name: values.mean() for name, values in drawn.items()}
    errors = {name: values.std(ddof=1) for name, values in drawn.items()}
    away = [np.abs(v - means[name]) / errors[name] for name, v in drawn.items() if errors[name] > 1e-12]
    widest = float(np.quantile(np.max(away, axis=0), LEVEL)) if away else 0.0
    reach = {name: widest * error for name, error in errors.items()}
    return {name: {"value": v, "ci_low": v - reach[name], "ci_high": v + reach[name]} for name, v in means.items()}


def verdict(worth: Draws, addressable: int, targeted: Collection[str]) -> dict[str, Any]:
    """The verdict by the rules that were fixed before results.

    Parameters
    ----------
    worth : mapping of str to array
        Money a strategy (`NOBODY` and `EVERYBODY` among them) in every draw.
    addressable : int
        Addressable leavers late enough for a contact to matter.
    targeted : collection of str
        Strategies that choose.

    Returns
    -------
    dict
        grade (``"cannot be judged"``, ``"not shown"``, ``"everybody"``, ``"choosing"`` or ``"targeting"``), worth_it,
        beats_everybody (names), best (name, if one must choose), over_nobody and over_everybody (differences with
        simultaneous ends).
    """
    over_nobody, over_everybody = simultaneous(worth, NOBODY), simultaneous(worth, EVERYBODY)
    shown = [name for name, one in over_nobody.items() if one["ci_low"] > 0]
    better = [name for name in targeted if over_everybody[name]["ci_low"] > 0 and name in shown]
    best = max(worth, key=lambda name: float(worth[name].mean()))
    grade = "targeting" if better else "everybody" if EVERYBODY in shown else "choosing" if shown else "not shown"
    grade = "cannot be judged" if addressable < FEWEST else grade
    found = {"grade": grade, "worth_it": shown, "beats_everybody": better, "best": best}
    return found | {"over_nobody": over_nobody, "over_everybody": over_everybody}


def verdicts(grade: str) -> tuple[str, str]:
    """The report's verdicts on contacts at all, and on choosing whom to contact, from a grade of `verdict`.

    Examples
    --------
    >>> verdicts("everybody"), verdicts("not shown")
    (('supported', 'not supported'), ('not supported', 'not supported'))
    """
    if grade == "cannot be judged":
        return "not testable", "not testable"
    return ("not supported" if grade == "not shown" else "supported"), (
        "supported" if grade == "targeting" else "not supported"
    )
