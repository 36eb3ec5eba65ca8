"""What draws of the worth of each strategy say: intervals, value of information, and the verdict, in a fixed order."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

NOBODY, EVERYBODY, ORACLE, RETRIEVE = "nobody", "everybody", "oracle", "retrieve"
FEWEST = 10
"""Addressable leavers below which nothing is judged."""
BINS = 20
LEVEL = 0.95
Array = np.ndarray
Draws = Mapping[str, Array]


def ends(drawn: Array, value: float | None = None) -> dict[str, float]:
    """Mean (or a given value) with the interval between the quantiles of its draws."""
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]).tolist()
    return {"value": float(np.mean(drawn)) if value is None else value, "ci_low": low, "ci_high": high}


def perfect_information(worth: Draws) -> dict[str, float]:
    """Expected value of knowing everything first, with its Monte Carlo error, and which strategy is best on average."""
    table, best, gains, error = _beyond_the_best(worth)
    return {"value": float(gains.mean()), "mc_se": error, "p_best": float((table.argmax(axis=0) == best).mean())}


def _beyond_the_best(worth: Draws) -> tuple[Array, int, Array, float]:
    """Worth by strategy and draw, which is best on average, how much better the best of each draw is, and its error."""
    table = np.stack(list(worth.values()))
    best = int(table.mean(axis=1).argmax())
    gains = table.max(axis=0) - table[best]
    return table, best, gains, float(gains.std(ddof=1) / np.sqrt(gains.size))


def partial_information(worth: Draws, known: Array, bins: int = BINS) -> dict[str, float]:
    """Expected value of knowing one parameter first: draws sorted by it, the best strategy of each bin."""
    table, best, _, error = _beyond_the_best(worth)
    parts = np.array_split(np.argsort(known, kind="stable"), bins)
    each = np.array([table[:, part].mean(axis=1).max() * len(part) for part in parts]) / table.shape[1]
    return {"value": max(float(each.sum() - table[best].mean()), 0.0), "mc_se": error}


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
    """The verdict, by rules that were fixed before results, on the worth of each strategy in every draw.

    `addressable` counts leavers late enough for a contact to matter, `targeted` names the strategies that choose. The
    grade is ``"cannot be judged"``, ``"not shown"``, ``"everybody"``, ``"choosing"`` or ``"targeting"``; beside it
    stand the strategies that are worth it, those that beat everybody, and the best, if one must choose.
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
