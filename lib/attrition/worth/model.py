"""The decision model: completers gained by contacts, information, power, money, and the verdict on draws of worth.

A contact multiplies the hazard of leaving for a reason by h from some days after it on. Who is prevented from leaving
for one reason can still leave for another, so fewer are gained than prevented. Estimates are in hindsight: product
limits in strata, with the leavers of contacted patients counted h times. Arrays end in the axis of halves or draws.

What is known of contacts and costs stands in ``evidence.yaml``. A prior is derived from it, never typed: the two
randomised contacts with attendance at a visit as outcome, as ratios of the hazard of not attending, are pooled and
multiplied by a sceptical prior around no effect.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from attrition import settings
from attrition.decision import net_benefit
from attrition.metrics.intervals import LEVEL, Interval, percentile_interval

STAYED, ADDRESSABLE, OTHER, ADVERSE, COMPETING = range(5)
CAUSES = {"addressable": ADDRESSABLE, "other": OTHER, "adverse event": ADVERSE, "competing": COMPETING}
SMALLEST_STRATUM = 15
NOBODY, EVERYBODY, ORACLE, RETRIEVE = "nobody", "everybody", "oracle", "retrieve"
FEWEST = 10
"""Addressable leavers below which nothing is judged."""
BINS = 20
EVIDENCE: dict[str, Any] = settings.declared(__file__, "evidence.yaml")
"""Facts, sceptical prior, prior of retrieval, words by which reasons are told apart."""
EACH = slice(None)
Array = np.ndarray


def merged(stratum: Array, counts: Array, smallest: int = SMALLEST_STRATUM) -> Array:
    """Strata with at least so many patients each, as far as there are: small ones together, and with the next.

    >>> merged(np.array([0, 1, 2, 2]), np.array([5, 10, 20, 20]), 15).tolist()
    [0, 0, 2, 2]
    >>> merged(np.array([0, 1, 2]), np.array([5, 20, 30]), 15).tolist()
    [0, 0, 2]
    """
    sizes = pd.Series(counts).groupby(stratum).first().sort_values(kind="stable")
    small = sizes[sizes < smallest]
    if small.empty:
        return stratum
    together, rest = list(small.index), list(sizes.index[len(small) :])
    if small.sum() < smallest and rest:
        together.append(rest[0])
    return np.where(np.isin(stratum, together), min(together), stratum)


def gained(
    time: Array,
    cause: Array,
    stratum: Array,
    weight: Array,
    start: ArrayLike,
    log_h: Mapping[int, ArrayLike],
    delta: float = 7,
    halving: float = np.inf,
    *,
    half: Any = EACH,
) -> dict[str, Array]:
    """Completers gained by contacts on day `start` (inf: never), by stratum and in all.

    Parameters
    ----------
    time, cause, stratum : array of shape (n,)
        Days from the landmark to leaving, and why; see `CAUSES`.
    weight : array of shape (n,) or (n, n_halves)
        How often each patient stands in each half-sample; 0 where it is none of those that are counted.
    start : float or array of shape (n,)
        Day of the contact, from the landmark on.
    log_h : mapping of int to float or array of shape (n_draws,)
        Log hazard ratio of each cause that a contact moves.
    delta, halving : float
        Days after the contact from which on it has an effect, and in which the log hazard ratio halves.
    half : array of shape (n_draws,), optional
        Column of the weights that each draw takes; default: its own, or the only one.

    Returns
    -------
    dict
        completers (n_draws,): sum over strata of n (S^h - S); by_stratum (n_strata, n_draws), in the order of the
        sorted strata; prevented (n_draws,): fewer leavers for the reasons that are moved, others not set off.
    """
    since = np.maximum(time - np.asarray(start), 0.0)
    power = (since > delta) * 0.5 ** (since / halving)
    (strata, of), (days, on) = (np.unique(each, return_inverse=True) for each in (stratum, time))
    cell = of * len(days) + on

    def counts(some: Any) -> Array:
        """Sums by stratum, day and half: what draws take up, however many patients there are."""
        sums = [np.bincount(cell[some], one[some], len(strata) * len(days)) for one in np.atleast_2d(weight.T)]
        return np.stack(sums, axis=-1).reshape(len(strata), len(days), -1)

    risk = counts(EACH)[:, ::-1].cumsum(axis=1)[:, ::-1]
    there, moved, under = np.where(risk > 0, risk, 1.0), np.zeros_like(risk), np.zeros(1)
    for why, log in log_h.items():
        for share in np.unique(power[(cause == why) & (power > 0)]):
            some = counts((cause == why) & (power == share))
            moved, under = moved + some, under + some[..., half] * np.exp(np.multiply(share, log))

    def incidence(hazard: Array, own: Array) -> tuple[Array, Array]:
        stay = np.cumprod(1 - hazard, axis=1)
        return stay[:, -1], (np.hstack([np.ones_like(stay[:, :1]), stay[:, :-1]]) * own).sum(axis=1)

    hazard, own, own_under = counts(cause != STAYED) / there, moved / there, under / there[..., half]
    stay, lost = (one[:, half] for one in incidence(hazard, own))
    hazard_under = np.minimum(hazard[..., half] + (own_under - own[..., half]), 1.0)
    stay_under, lost_under = incidence(hazard_under, own_under)
    by, prevented = (risk[:, 0][:, half] * fewer for fewer in (stay_under - stay, lost - lost_under))
    return {"completers": by.sum(axis=0), "by_stratum": by, "prevented": prevented.sum(axis=0)}


def effective(n_completers: ArrayLike, n_earlier: ArrayLike, rho: float = 0.0) -> Array:
    """Effective sample size of an arm whose earlier measurement, correlated by `rho`, is there for more patients.

    >>> effective(50, 80).item(), round(effective(50, 80, 0.8).item(), 1)
    (50.0, 65.8)
    """
    completers = np.asarray(n_completers, dtype=float)
    return 1 / ((1 - rho**2) / completers + rho**2 / np.maximum(np.asarray(n_earlier, dtype=float), completers))


def information(n_0: ArrayLike, n_1: ArrayLike) -> Array:
    """Information on a difference of two means in units of the variance: the inverse of 1/n_0 + 1/n_1."""
    return 1 / (1 / np.asarray(n_0, dtype=float) + 1 / np.asarray(n_1, dtype=float))


def effect_for(power: float, information: float, alpha: float = 0.05) -> float:
    """Standardised effect that has this power, the other tail left out.

    >>> round(power_of(effect_for(0.9, 42.0), 42.0).item(), 4)
    0.9
    """
    return float((ndtri(1 - alpha / 2) + ndtri(power)) / np.sqrt(information))


def power_of(effect: float, information: ArrayLike, alpha: float = 0.05) -> Array:
    """Power of a two-sided z test for a standardised effect."""
    shift, edge = effect * np.sqrt(information), ndtri(1 - alpha / 2)
    return np.asarray(ndtr(shift - edge) + ndtr(-shift - edge))


def value_of_completer(patient_cost: float, dropout: float) -> float:
    """What a completer costs that is bought by recruiting: the price of a patient over the share that completes.

    >>> round(value_of_completer(6533, 0.54))
    14202
    """
    return patient_cost / (1 - dropout)


def worth(completers: ArrayLike, contacts: ArrayLike, value: float, contact_cost: float) -> Array:
    """Money: completers times their value, less contacts times their cost."""
    return value * np.asarray(completers, dtype=float) - contact_cost * np.asarray(contacts, dtype=float)


def worth_by_net_benefit(
    y_true: ArrayLike, contacted: ArrayLike, kept: float, value: float, contact_cost: float
) -> tuple[float, float]:
    """Worth a patient where a contact keeps each leaver with a probability: from counts, and from net benefit.

    With t = c / (e V) as threshold, e V TP / n - c (TP + FP) / n is (e V - c) times the net benefit at t.

    Parameters
    ----------
    y_true, contacted : array (n,)
        Who leaves, and who is contacted.
    kept : float
        Probability that a contact keeps a leaver.
    value, contact_cost : float
        Of a leaver who is kept, and of a contact.

    Examples
    --------
    >>> by_counts, by_curve = worth_by_net_benefit([1, 0, 1, 0], [1, 1, 0, 0], 0.1, 1000, 20)
    >>> by_counts, round(by_curve, 12)
    (15.0, 15.0)
    """
    y, contact = np.asarray(y_true, dtype=float), np.asarray(contacted, dtype=float)
    by_counts = float((kept * value * (y * contact) - contact_cost * contact).mean())
    threshold = contact_cost / (kept * value)
    by_curve = (kept * value - contact_cost) * net_benefit(y, np.where(contact > 0, 1.0, -1.0), threshold)
    return by_counts, float(by_curve)


def threshold(contact_cost: float, kept: float, value: float) -> float:
    """Risk from which on a contact pays that keeps each leaver with probability `kept`."""
    return contact_cost / (kept * value)


def ceilings(time: Array, cause: Array, stratum: Array, ratios: Mapping[str, float], delta: float) -> dict[str, Any]:
    """The most that contacts at the landmark can do: everybody contacted, by hazard ratio, for all reasons and some.

    Per 100 at risk; ``all`` moves every reason but the competing one. The oracle contacts only those who would leave
    for a reason that is moved, late enough for the contact to matter, and gains the same: a stayer gains nothing.
    """
    n = len(time)
    found: dict[str, Any] = {}
    for name, moved in {"all": (ADDRESSABLE, OTHER, ADVERSE), "addressable": (ADDRESSABLE,)}.items():
        oracle = float(100 * (np.isin(cause, moved) & (time > delta)).mean())
        found[name] = {}
        for label, ratio in ratios.items():
            one = gained(time, cause, stratum, np.ones(n), 0.0, dict.fromkeys(moved, float(np.log(ratio))), delta)
            both = {"prevented": one["prevented"], "completers_gained": one["completers"]}
            numbers = {key: float(100 * value[0] / n) for key, value in both.items()}
            found[name][label] = numbers | {"contacts_everybody": 100.0, "contacts_oracle": oracle}
    return found


def ends(drawn: Array, value: float | None = None) -> Interval:
    """Mean (or a given value) with the interval between the quantiles of its draws."""
    return percentile_interval(float(np.mean(drawn)) if value is None else value, drawn)


def perfect_information(worth: Mapping[str, Array]) -> dict[str, float]:
    """Expected value of knowing everything first, with its Monte Carlo error, and which strategy is best on average."""
    table, best, gains, error = _beyond_the_best(worth)
    return {"value": float(gains.mean()), "mc_se": error, "p_best": float((table.argmax(axis=0) == best).mean())}


def _beyond_the_best(worth: Mapping[str, Array]) -> tuple[Array, int, Array, float]:
    """Worth by strategy and draw, which is best on average, how much better the best of each draw is, and its error."""
    table = np.stack(list(worth.values()))
    best = int(table.mean(axis=1).argmax())
    gains = table.max(axis=0) - table[best]
    return table, best, gains, float(gains.std(ddof=1) / np.sqrt(gains.size))


def partial_information(worth: Mapping[str, Array], known: Array, bins: int = BINS) -> dict[str, float]:
    """Expected value of knowing one parameter first: draws sorted by it, the best strategy of each bin."""
    table, best, _, error = _beyond_the_best(worth)
    parts = np.array_split(np.argsort(known, kind="stable"), bins)
    each = np.array([table[:, part].mean(axis=1).max() * len(part) for part in parts]) / table.shape[1]
    return {"value": max(float(each.sum() - table[best].mean()), 0.0), "mc_se": error}


def simultaneous(worth: Mapping[str, Array], against: str) -> dict[str, dict[str, float]]:
    """Difference of every strategy from one, with intervals that hold for all of them at once (largest deviation)."""
    drawn = {name: values - worth[against] for name, values in worth.items() if name != against}
    means = {name: values.mean() for name, values in drawn.items()}
    errors = {name: values.std(ddof=1) for name, values in drawn.items()}
    away = [np.abs(v - means[name]) / errors[name] for name, v in drawn.items() if errors[name] > 1e-12]
    widest = float(np.quantile(np.max(away, axis=0), LEVEL)) if away else 0.0
    reach = {name: widest * error for name, error in errors.items()}
    return {name: {"value": v, "ci_low": v - reach[name], "ci_high": v + reach[name]} for name, v in means.items()}


def verdict(worth: Mapping[str, Array], addressable: int, targeted: Collection[str]) -> dict[str, Any]:
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


def facts_table() -> pd.DataFrame:
    """The facts, a row each: what, outcome, measure, value, low, high, patients, where, source, verified, used_for."""
    facts = pd.DataFrame(EVIDENCE["facts"])
    both = facts["counts"].map(lambda c: c[1] + c[3] if isinstance(c, list) else np.nan)
    facts = facts.assign(
        patients=facts["patients"].fillna(both), verified=np.where(facts["read"].isin(["whole", "cut"]), "yes", "no")
    )
    return facts.rename(columns={"for": "used_for"}).drop(columns=["counts", "read"])


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
    found = [hazard_ratio(fact["counts"]) for fact in EVIDENCE["facts"] if fact.get("for") == "effect"]
    logs, weights = np.array([log for log, _ in found]), np.array([1 / error**2 for _, error in found])
    pooled, precision = float(logs @ weights / weights.sum()), weights.sum()
    whole = precision + 1 / EVIDENCE["sceptical_sd"] ** 2
    mean, sd = float(pooled * precision / whole), float(whole**-0.5)
    low, high = np.exp([mean - 1.959964 * sd, mean + 1.959964 * sd]).tolist()
    reach = 1.959964 * precision**-0.5
    ends = {"pooled": np.exp(pooled), "pooled_low": np.exp(pooled - reach), "pooled_high": np.exp(pooled + reach)}
    own = {"mean": mean, "sd": sd, "median": np.exp(mean), "low": low, "high": high, "below_one": ndtr(-mean / sd)}
    return {name: float(value) for name, value in (own | ends).items()}


def cost(used_for: str) -> list[float]:
    """Amounts that stand for a kind of cost, in the order of the file."""
    return [float(fact["value"]) for fact in EVIDENCE["facts"] if fact.get("for") == used_for]
