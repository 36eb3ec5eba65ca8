"""Rules that turn a published figure and a measured one into a verdict.

Every rule is a function of the statement's own arguments (fixed in ``claims.yaml``) and of a `Source` that reads
results; it returns an `Outcome`. The verdicts, best first:

*reproduced*
    the published figure is what the published data give, within rounding, or the printed arithmetic is right;
*supported*
    the effect has the claimed direction and at least half the claimed size;
*not testable*
    what was printed does not say enough, or this run was too small to tell;
*direction only*
    the effect has the claimed direction and matters, at less than half the claimed size;
*not supported*
    neither;
*impossible*
    no data can give the printed figures.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attrition.claims import bounds, printed

VERDICTS = ("reproduced", "supported", "not testable", "direction only", "not supported", "impossible")
Z = 1.959963984540054
RESOLUTION = 5
"""The Monte-Carlo standard error must be below the margin divided by this."""


@dataclass(frozen=True)
class Measure:
    """A measured number, with its interval and Monte-Carlo error where it has them."""

    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    mc_se: float | None = None

    def scaled(self, factor: float) -> "Measure":
        """The same number in another unit; a negative factor turns the interval round."""
        ends = [None if end is None else factor * end for end in (self.ci_low, self.ci_high)]
        low, high = ends if factor > 0 else ends[::-1]
        return Measure(self.value * factor, low, high, None if self.mc_se is None else abs(factor) * self.mc_se)


@dataclass(frozen=True)
class Outcome:
    """Verdict of one statement, with the sentence that gives its reason."""

    verdict: str
    reason: str
    published: float | None = None
    measured: Measure | None = None
    extra: dict[str, Any] = field(default_factory=dict)


Source = Callable[[Any], Measure]
"""Reads a number, or a reference to one in the results, as a `Measure`."""


def worst(verdicts: Sequence[str]) -> str:
    """The least favourable verdict: a row of several figures holds as far as its weakest figure.

    Examples
    --------
    >>> worst(["reproduced", "direction only", "supported"])
    'direction only'
    """
    return max(verdicts, key=VERDICTS.index)


def _number(value: float, decimals: int) -> str:
    return f"{value:.{max(decimals, 0)}f}"


def _with_interval(measure: Measure, sign: bool = False) -> str:
    decimals = 3 if abs(measure.value) >= 0.002 else 4
    form = f"{{:{'+' if sign else ''}.{decimals}f}}"
    text = form.format(measure.value)
    if measure.ci_low is None or measure.ci_high is None:
        return text
    return f"{text} (95 % interval {form.format(measure.ci_low)} to {form.format(measure.ci_high)})"


def rounds_to(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Reproduced* when the measured figure rounds to the published one, else *not supported*.

    Arguments: ``published``, ``decimals``, ``measured``, optional ``scale`` (100 for a published percentage).
    """
    published, decimals = args["published"], args["decimals"]
    measure = read(args["measured"]).scaled(args.get("scale", 1))
    agrees = printed.rounds_to(measure.value, published, decimals)
    shown = _number(measure.value, decimals if agrees else decimals + 1)
    reason = f"published {_number(published, decimals)}, recomputed {shown}"
    verdict = "reproduced" if agrees else "not supported"
    return Outcome(verdict, reason, published, measure, {"decimals": decimals})


def attainable(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* when no count out of any candidate number of patients rounds to the printed proportion.

    Arguments: ``published``, ``decimals``, ``denominators`` (numbers or references).
    """
    sizes = [round(read(size).value) for size in args["denominators"]]
    counts = {n: printed.attainable(args["published"], n, args["decimals"]) for n in sizes}
    fits = [f"{k}/{n}" for n, found in counts.items() for k in found]
    shown = _number(args["published"], args["decimals"])
    listed = " or ".join(str(n) for n in dict.fromkeys(sizes))
    if fits:
        return Outcome("reproduced", f"{shown} is attainable as {fits[0]}", args["published"])
    return Outcome("impossible", f"no whole number out of {listed} rounds to {shown}", args["published"])


def _too_coarse(measure: Measure, margin: float) -> str | None:
    if measure.mc_se is None or measure.mc_se < margin / RESOLUTION:
        return None
    return f"Monte-Carlo error {measure.mc_se:.2g} is not below a fifth of the margin {margin:.2g}"


def _lower_end(measure: Measure) -> float:
    if measure.ci_low is not None:
        return measure.ci_low
    return measure.value - Z * (measure.mc_se or 0.0)


def grade_effect(measure: Measure, published: float, margin: float) -> str:
    """Verdict on an effect (published size positive): direction, half the size, smallest difference of interest.

    The direction is established when the lower end of the 95 % interval (of the mean, for simulated trials) is above 0.

    Examples
    --------
    >>> effect = Measure(0.004, mc_se=0.0005)
    >>> grade_effect(effect, published=0.042, margin=0.01), grade_effect(effect, published=0.006, margin=0.003)
    ('not supported', 'supported')
    """
    if _too_coarse(measure, margin):
        return "not testable"
    if _lower_end(measure) <= 0 or measure.value < margin:
        return "not supported"
    return "supported" if measure.value >= published / 2 else "direction only"


def direction_and_half(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Supported* for the claimed direction and at least half the claimed size; *direction only* for less.

    An effect below the margin counts as none. The margin is the claim's, or half the published size when that is
    smaller. Arguments: ``published`` (signed effect), ``measured``, ``margin``.
    """
    published = args["published"]
    sign = math.copysign(1.0, published)
    measure = read(args["measured"])
    margin = min(args["margin"], abs(published) / 2)
    verdict = grade_effect(measure.scaled(sign), abs(published), margin)
    reason = f"published {published:+.3f}, measured {_with_interval(measure, sign=True)}"
    if verdict == "not testable":
        reason = f"{reason}; {_too_coarse(measure, margin)}"
    elif verdict == "not supported" and 0 < sign * measure.value < margin:
        reason += f", below the smallest difference of interest {margin:.2g}"
    elif verdict == "not supported" and sign * measure.value >= margin:
        reason += ", with an interval that includes none"
    elif verdict == "not supported":
        reason += ", not in the claimed direction"
    return Outcome(verdict, reason, published, measure, {"margin": margin})


def order(args: Mapping[str, Any], read: Source) -> Outcome:
    """A ranking: *supported* when every step has its direction and half its size, *direction only* when the first
    leads all others by the margin, else *not supported*.

    Arguments: ``steps`` and ``leads``, each a list of ``{label, published, measured}`` (differences between
    neighbours, and of the first to every other), ``margin``.
    """
    grades = {
        key: [direction_and_half({**step, "margin": args["margin"]}, read) for step in args[key]]
        for key in ("steps", "leads")
    }
    every = [outcome.verdict for outcome in [*grades["steps"], *grades["leads"]]]
    if "not testable" in every:
        verdict = "not testable"
    elif all(outcome.verdict == "supported" for outcome in grades["steps"]):
        verdict = "supported"
    elif all(outcome.verdict in ("supported", "direction only") for outcome in grades["leads"]):
        verdict = "direction only"
    else:
        verdict = "not supported"
    reason = "; ".join(
        f"{step['label']}: {outcome.reason}" for step, outcome in zip(args["steps"], grades["steps"], strict=True)
    )
    first = grades["leads"][0]
    stored = {
        key: [{"published": o.published, **_stored(o.measured)} for o in outcomes] for key, outcomes in grades.items()
    }
    return Outcome(verdict, reason, first.published, first.measured, {**stored, "margin": args["margin"]})


def _stored(measure: Measure | None) -> dict[str, float | None]:
    measure = measure or Measure(math.nan)
    return {
        "measured": measure.value,
        "ci_low": measure.ci_low,
        "ci_high": measure.ci_high,
        "mc_se": measure.mc_se,
    }


def rank_first(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Supported* when the named one is largest and its own effect reaches the margin, *direction only* when it is
    largest but too small to matter, else *not supported*.

    Arguments: ``leader``, ``measured`` (mapping of names to references), ``margin``.
    """
    found = {name: read(path) for name, path in args["measured"].items()}
    mine = found[args["leader"]]
    place = 1 + sum(other.value > mine.value for other in found.values())
    if _too_coarse(mine, args["margin"]):
        verdict = "not testable"
    elif place > 1:
        verdict = "not supported"
    else:
        verdict = "supported" if mine.value >= args["margin"] else "direction only"
    best = max(found, key=lambda name: found[name].value)
    reason = f"{args['leader']} ranks {place} of {len(found)} with {_with_interval(mine, sign=True)}"
    if place > 1:
        reason += f"; first is {best} with {_with_interval(found[best], sign=True)}"
    extra = {"place": place, "margin": args["margin"], "values": {name: found[name].value for name in found}}
    return Outcome(verdict, reason, 1, mine, extra)


def at_most(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Supported* when the measured number does not exceed the limit, else *not supported*.

    Arguments: ``published``, ``limit`` (the published number as far as rounding lets it reach), ``measured``,
    ``margin`` (for the Monte-Carlo error), optional ``what``.
    """
    measure, limit = read(args["measured"]), args["limit"]
    reason = f"{args.get('what', 'measured')} {_with_interval(measure)}, limit {limit:.3g}"
    coarse = _too_coarse(measure, args["margin"])
    extra = {"margin": args["margin"], "limit": limit}
    if coarse:
        return Outcome("not testable", f"{reason}; {coarse}", args["published"], measure, extra)
    verdict = "supported" if measure.value <= limit else "not supported"
    return Outcome(verdict, reason, args["published"], measure, extra)


def equal(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Reproduced* when independent runs gave the same number to the last stored digit, else *not supported*.

    Arguments: ``measured`` (list of references), optional ``tolerance``.
    """
    found = [read(path) for path in args["measured"]]
    spread = max(m.value for m in found) - min(m.value for m in found)
    same = spread <= args.get("tolerance", 1e-9)
    told = f"differ by {spread:.2g}" if not same else f"agree at {found[0].value:.4f}"
    reason = f"{len(found)} independent runs with one seed {told}"
    return Outcome("reproduced" if same else "not supported", reason, 0.0, Measure(spread))


def auc_ceiling(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* when the claim needs an AUROC that not even the true probabilities reach.

    No score ranks better than the likelihood ratio (Neyman and Pearson), so the oracle's AUROC is a ceiling.
    Arguments: ``published`` (the AUROC that the claim needs), ``measured`` (the oracle's).
    """
    measure, needed = read(args["measured"]), args["published"]
    ceiling = measure.value + 3 * (measure.mc_se or 0.0)
    reason = f"needs an AUROC of {needed:.3g}, the true probabilities reach {_with_interval(measure)}"
    verdict = "impossible" if ceiling < needed else "supported"
    return Outcome(verdict, reason, needed, measure)


def sums(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* when printed counts do not add up to the stated total, else *reproduced*.

    Arguments: ``terms``, ``totals`` (candidates, any of which will do; numbers or references), ``what``, optional
    ``decimals`` for rounded parts.
    """
    total = math.fsum(args["terms"])
    targets = [read(target).value for target in args["totals"]]
    fits = any(printed.sums_to(args["terms"], target, args.get("decimals")) for target in targets)
    wanted = " or ".join(f"{target:g}" for target in dict.fromkeys(targets))
    terms = " + ".join(f"{term:g}" for term in args["terms"])
    shown = f"{terms} = {total:g}" if len(args["terms"]) > 1 else f"{total:g}"
    reason = f"{args['what']}: {shown}, {'as' if fits else 'but'} it must be {wanted}"
    return Outcome("reproduced" if fits else "impossible", reason, targets[0], Measure(total))


def sd_of_folds(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* when the printed folds cannot have the printed mean and standard deviation, else *reproduced*.

    Arguments: ``folds``, ``mean``, ``sd``, ``decimals``.
    """
    folds, decimals = args["folds"], args["decimals"]
    agrees = printed.folds_agree(folds, args["mean"], args["sd"], decimals)
    population, sample = (sum(printed.sd_range(folds, decimals, ddof)) / 2 for ddof in (0, 1))
    reason = (
        f"the folds have mean {sum(folds) / len(folds):.4f} and standard deviation {population:.4f} (divisor n) or "
        f"{sample:.4f} (n - 1), printed {args['mean']:.{decimals}f} and {args['sd']:.{decimals}f}"
    )
    verdict = "reproduced" if all(agrees.values()) else "impossible"
    return Outcome(verdict, reason, args["sd"], Measure(sample))


def relative_change(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* when the printed ends of a change cannot give the printed percentage, else *reproduced*.

    Arguments: ``before``, ``after``, ``decimals`` (of the two), ``published`` (per cent, whole).
    """
    low, high = printed.relative_change(args["before"], args["after"], args["decimals"])
    least, most = printed.interval(args["published"], 0)
    fits = 100 * low <= most and 100 * high >= least
    change = 100 * (args["after"] / args["before"] - 1)
    reason = (
        f"from {args['before']} to {args['after']} is {change:+.1f} % "
        f"({100 * low:.1f} to {100 * high:.1f} % with rounding), printed {args['published']:+d} %"
    )
    return Outcome("reproduced" if fits else "impossible", reason, args["published"], Measure(change))


def auc_bound(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* when recall, precision and AUROC cannot belong to one model on the stated test part.

    *Not supported* when only a curve that is not concave (one that its own score could improve on) has that area;
    *not testable* when the bounds leave room. Arguments: ``recall``, ``precision``, ``auroc``, ``prevalence``, ``n``,
    ``decimals`` (of recall and precision).
    """
    positives = round(args["n"] * args["prevalence"])
    claim = bounds.joint(
        args["recall"], args["precision"], args["auroc"], positives, args["n"] - positives, {"recall": args["decimals"]}
    )
    reason = (
        f"with {positives} dropouts of {args['n']} the point implies a false-positive rate of {claim.fpr:.3f}, "
        f"hence an AUROC of at least {claim.least_auc:.3f} for any curve and "
        f"{claim.least_concave_auc:.3f} for a concave one, published {args['auroc']:.3f}"
    )
    if not claim.fits:
        reason += f"; and no confusion matrix of {args['n']} patients has both figures"
    doubtful = "not testable" if claim.possible_if_concave else "not supported"
    verdict = doubtful if claim.possible else "impossible"
    point = {"tpr": args["recall"], "precision": args["precision"], "fpr": claim.fpr}
    extra = {**point, "matrices": len(claim.fits), "least_auc": claim.least_auc}
    return Outcome(verdict, reason, args["auroc"], Measure(claim.least_concave_auc), extra)


def never(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* by construction; the reason says why. Arguments: ``reason``."""
    return Outcome("impossible", args["reason"])


def not_testable(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Not testable*; the reason says what is missing. Arguments: ``reason``."""
    return Outcome("not testable", args["reason"])


@dataclass(frozen=True)
class Rule:
    """A rule with the arguments it must and may have; `arithmetic` when the data have no say in it."""

    decide: Callable[[Mapping[str, Any], Source], Outcome]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    arithmetic: bool = False


RULES = {
    "rounds_to": Rule(rounds_to, ("published", "decimals", "measured"), ("scale",)),
    "attainable": Rule(attainable, ("published", "decimals", "denominators"), arithmetic=True),
    "direction_and_half": Rule(direction_and_half, ("published", "measured"), ("margin",)),
    "order": Rule(order, ("steps", "leads"), ("margin",)),
    "rank_first": Rule(rank_first, ("leader", "measured"), ("margin",)),
    "at_most": Rule(at_most, ("published", "limit", "measured"), ("margin", "what")),
    "equal": Rule(equal, ("measured",), ("tolerance",)),
    "auc_ceiling": Rule(auc_ceiling, ("published", "measured")),
    "sums": Rule(sums, ("terms", "totals", "what"), ("decimals",), arithmetic=True),
    "sd_of_folds": Rule(sd_of_folds, ("folds", "mean", "sd", "decimals"), arithmetic=True),
    "relative_change": Rule(relative_change, ("before", "after", "decimals", "published"), arithmetic=True),
    "auc_bound": Rule(auc_bound, ("recall", "precision", "auroc", "prevalence", "n", "decimals"), arithmetic=True),
    "never": Rule(never, ("reason",), arithmetic=True),
    "not_testable": Rule(not_testable, ("reason",), arithmetic=True),
}
