"""Rules that turn a published figure and a measured one into a verdict.

Every rule is a function of the statement's own arguments (fixed in ``claims.yaml``) and of a `Source` that reads
results; it returns an `Outcome`. The verdicts, best first:

*reproduced*
    the published figure is what the published data give, within rounding, or the printed arithmetic is right;
*supported*
    the effect has the claimed direction, and from half to twice the claimed size;
*not testable*
    what was printed does not say enough, or this run was too small to tell;
*not settled*
    a limit of the rule lies inside the interval of the effect: another run, or other patients, may decide otherwise;
*direction only*
    the effect has the claimed direction and matters, but is less than half or more than twice as large as claimed;
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

VERDICTS = (
    "reproduced",
    "supported",
    "not testable",
    "not settled",
    "direction only",
    "not supported",
    "impossible",
)
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
    within: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """Verdicts of the effects that lie within the interval."""
        return self.within or (self.verdict,)


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


def joint(options: Sequence[Sequence[str]]) -> str:
    """Verdict of statements each of which may have any of its options: of the weakest, where all choices agree on it.

    Examples
    --------
    >>> joint([["supported"], ["supported", "direction only"]])
    'not settled'
    >>> joint([["not supported"], ["supported", "direction only"]])
    'not supported'
    """
    best = worst([min(each, key=VERDICTS.index) for each in options])
    return best if best == worst([worst(each) for each in options]) else "not settled"


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

    Arguments: ``published``, ``decimals``, ``measured``, optional ``scale`` (100 for a published percentage) and
    ``or_else``, what the same protocol gives up to the noise of software: a mapping of words to references. A ratio is
    undefined when its optional ``out_of``, a list of counts, adds up to nothing.
    """
    published, decimals, scale = args["published"], args["decimals"], args.get("scale", 1)
    if "out_of" in args and not sum(read(path).value for path in args["out_of"]):
        reason = f"published {_number(published, decimals)}, recomputed –, since it would be out of none"
        return Outcome("not supported", reason, published, extra={"decimals": decimals, "or_else": {}})
    measure = read(args["measured"]).scaled(scale)
    others = {words: read(path).scaled(scale).value for words, path in args.get("or_else", {}).items()}
    exact = printed.rounds_to(measure.value, published, decimals)
    agrees = [words for words, value in others.items() if printed.rounds_to(value, published, decimals)]
    shown = _number(measure.value, decimals if exact else decimals + 1)
    reason = f"published {_number(published, decimals)}, recomputed {shown}"
    if others and not exact:
        reason += "".join(f", {words} {_number(value, decimals + 1)}" for words, value in others.items())
    verdict = "reproduced" if exact or agrees else "not supported"
    return Outcome(verdict, reason, published, measure, {"decimals": decimals, "or_else": others})


def one_matrix(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* when no confusion matrix of any candidate test part has the printed figures, else *reproduced*.

    An F1 that is that of the printed recall and precision was computed from these and asks nothing more of the counts.
    Arguments: ``recall``, ``precision``, ``f1`` (three digits), ``decimals`` (of recall and precision), ``positives``
    (dropouts of the test part: numbers or references), ``n`` (all its patients).
    """
    recall, precision, decimals = args["recall"], args["precision"], args["decimals"]
    sizes = list(dict.fromkeys(round(read(size).value) for size in args["positives"]))
    derived = printed.rounds_to(2 * recall * precision / (recall + precision), args["f1"], 3)
    listed = " or ".join(str(size) for size in sizes)
    shown = f"{recall:.{decimals}f}, {precision:.{decimals}f} and {args['f1']:.3f}"
    fits = [
        matrix
        for size in sizes
        for matrix in printed.matrices(recall, precision, size, args["n"] - size, decimals)
        if derived or printed.rounds_to(matrix.f1, args["f1"], 3)
    ]
    if not fits:
        return Outcome("impossible", f"no confusion matrix with {listed} dropouts has {shown}", recall)
    best = min(fits, key=lambda matrix: abs(matrix.f1 - args["f1"]))
    reason = f"{shown} are attainable: {best.tp} of {best.positives} dropouts among {best.tp + best.fp} flagged"
    if decimals < 3 and not any(printed.matrices(recall, precision, size, args["n"] - size) for size in sizes):
        reason += f" (to three digits no matrix with {listed} dropouts has them)"
    return Outcome("reproduced", reason, recall, extra={"matrices": len(fits)})


def _too_coarse(measure: Measure, margin: float) -> str | None:
    if measure.mc_se is None or measure.mc_se < margin / RESOLUTION:
        return None
    return f"Monte-Carlo error {measure.mc_se:.2g} is not below a fifth of the margin {margin:.2g}"


def _ends(measure: Measure) -> tuple[float, float]:
    """Ends of the 95 % interval, from the Monte-Carlo error where no interval was stored."""
    half = Z * (measure.mc_se or 0.0)
    low = measure.value - half if measure.ci_low is None else measure.ci_low
    return low, measure.value + half if measure.ci_high is None else measure.ci_high


def effect_grades(measure: Measure, published: float, margin: float) -> tuple[str, ...]:
    """Verdicts of the effects within the interval (published size positive), each once.

    Below the margin, the smallest difference of interest, an effect is *not supported*; from half to twice the
    published size *supported*; else *direction only*.

    Examples
    --------
    >>> effect_grades(Measure(0.06, 0.056, 0.064), published=0.12, margin=0.01)
    ('direction only', 'supported')
    """
    if _too_coarse(measure, margin):
        return ("not testable",)
    low, high = _ends(measure)
    inside = [limit for limit in (margin, published / 2) if low < limit < high]
    return tuple(dict.fromkeys(_size(value, published, margin) for value in (low, *inside, high)))


def _size(effect: float, published: float, margin: float) -> str:
    if effect < margin:
        return "not supported"
    return "supported" if published / 2 <= effect <= 2 * published else "direction only"


def grade_effect(measure: Measure, published: float, margin: float) -> str:
    """Verdict on an effect (published size positive); *not settled* when a limit lies inside its interval.

    Examples
    --------
    >>> effect = Measure(0.004, mc_se=0.0002)
    >>> grade_effect(effect, published=0.042, margin=0.01), grade_effect(effect, published=0.006, margin=0.003)
    ('not supported', 'supported')
    """
    return joint([effect_grades(measure, published, margin)])


def direction_and_half(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Supported* for the claimed direction and from half to twice the claimed size; *direction only* for other sizes.

    An effect below the margin counts as none. The margin is the claim's, or half the published size when that is
    smaller. Where one of these limits lies inside the 95 % interval (of the mean, for simulated trials), the verdict
    is *not settled*. Arguments: ``published`` (signed effect), ``measured``, ``margin``.
    """
    published = args["published"]
    sign = math.copysign(1.0, published)
    measure = read(args["measured"])
    margin = min(args["margin"], abs(published) / 2)
    grades = effect_grades(measure.scaled(sign), abs(published), margin)
    verdict = joint([grades])
    reason = f"published {published:+.3f}, measured {_with_interval(measure, sign=True)}"
    reason += _why(verdict, measure.scaled(sign), abs(published), margin)
    return Outcome(verdict, reason, published, measure, {"margin": margin}, grades)


def _why(verdict: str, measure: Measure, published: float, margin: float) -> str:
    if verdict == "not testable":
        return f"; {_too_coarse(measure, margin)}"
    if verdict == "not settled":
        limits = {
            _named(margin, published): margin,
            f"half of what was published, {published / 2:.2g},": published / 2,
            f"twice what was published, {2 * published:.2g},": 2 * published,
        }
        low, high = _ends(measure)
        return f"; {next(words for words, limit in limits.items() if low < limit < high)} lies inside the interval"
    if verdict == "not supported":
        if measure.value > 0:
            return f", below {_named(margin, published)}"
        seen = _ends(measure)[1] <= 0
        return ", not in the claimed direction" if seen else ", no difference is seen and the claimed size is excluded"
    return ", more than twice the claimed size" if measure.value > 2 * published else ""


def _named(margin: float, published: float) -> str:
    """What a margin is: half of a claim that is itself smaller than twice the smallest difference of interest."""
    if margin == published / 2:
        return f"{margin:.2g} (half of what was published)"
    return f"the smallest difference of interest {margin:.2g}"


def order(args: Mapping[str, Any], read: Source) -> Outcome:
    """A ranking: *supported* when every step has its direction and size, *direction only* when the first leads all
    others by the margin, else *not supported*; *not settled* when the intervals leave room for two of these.

    Arguments: ``steps`` and ``leads``, each a list of ``{label, published, measured}`` (differences between
    neighbours, and of the first to every other), ``margin``.
    """
    grades = {
        key: [direction_and_half({**step, "margin": args["margin"]}, read) for step in args[key]]
        for key in ("steps", "leads")
    }
    within = [_ranking(grades, choose) for choose in (min, max)]
    verdict = joint([within])
    reason = "; ".join(
        f"{step['label']}: {outcome.reason}" for step, outcome in zip(args["steps"], grades["steps"], strict=True)
    )
    first = grades["leads"][0]
    stored = {
        key: [{"published": o.published, **_stored(o.measured)} for o in outcomes] for key, outcomes in grades.items()
    }
    extra = {**stored, "margin": args["margin"]}
    return Outcome(verdict, reason, first.published, first.measured, extra, tuple(within))


def _ranking(grades: Mapping[str, Sequence[Outcome]], choose: Callable[..., str]) -> str:
    """Verdict of a ranking when each difference gets the best (`min`) or worst (`max`) of its options."""
    steps, leads = (
        {choose(outcome.options, key=VERDICTS.index) for outcome in grades[key]} for key in ("steps", "leads")
    )
    if "not testable" in steps | leads:
        return "not testable"
    if steps == {"supported"}:
        return "supported"
    return "direction only" if leads <= {"supported", "direction only"} else "not supported"


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
    largest but too small to matter, else *not supported*. Its interval decides whether this is settled.

    Arguments: ``leader``, ``measured`` (mapping of names to references), ``margin``.
    """
    found = {name: read(path) for name, path in args["measured"].items()}
    mine = found[args["leader"]]
    place = _place(mine.value, found)
    if _too_coarse(mine, args["margin"]):
        within: tuple[str, ...] = ("not testable",)
    else:
        ends = dict.fromkeys((_ends(mine)[0], mine.value, _ends(mine)[1]))
        within = tuple(_first(value, _place(value, found, args["leader"]), args["margin"]) for value in ends)
    verdict = joint([within])
    best = max(found, key=lambda name: found[name].value)
    reason = f"{args['leader']} ranks {place} of {len(found)} with {_with_interval(mine, sign=True)}"
    if place > 1:
        reason += f"; first is {best} with {_with_interval(found[best], sign=True)}"
    extra = {"place": place, "margin": args["margin"], "values": {name: found[name].value for name in found}}
    return Outcome(verdict, reason, 1, mine, extra, within)


def _place(value: float, found: Mapping[str, Measure], leader: str = "") -> int:
    return 1 + sum(other.value > value for name, other in found.items() if name != leader)


def _first(value: float, place: int, margin: float) -> str:
    if place > 1:
        return "not supported"
    return "supported" if value >= margin else "direction only"


def at_most(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Supported* when the measured number does not exceed the limit, else *not supported*; *not settled* when the
    limit lies inside its interval.

    Arguments: ``published``, ``limit`` (the published number as far as rounding lets it reach), ``measured``,
    ``margin`` (for the Monte-Carlo error), optional ``what``.
    """
    measure, limit = read(args["measured"]), args["limit"]
    reason = f"{args.get('what', 'measured')} {_with_interval(measure)}, limit {limit:.3g}"
    coarse = _too_coarse(measure, args["margin"])
    extra = {"margin": args["margin"], "limit": limit}
    if coarse:
        return Outcome("not testable", f"{reason}; {coarse}", args["published"], measure, extra)
    within = tuple("supported" if end <= limit else "not supported" for end in _ends(measure))
    return Outcome(joint([within]), reason, args["published"], measure, extra, within)


def equal(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Reproduced* when runs gave the same number to the last stored digit, else *not supported*.

    Arguments: ``measured`` (list of references), ``what`` (was compared), optional ``tolerance``.
    """
    found = [read(path) for path in args["measured"]]
    spread = max(m.value for m in found) - min(m.value for m in found)
    same = spread <= args.get("tolerance", 1e-9)
    told = f"differ by {spread:.2g}" if not same else f"agree at {found[0].value:.4f}"
    return Outcome("reproduced" if same else "not supported", f"{args['what']} {told}", 0.0, Measure(spread))


def auc_ceiling(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Not supported* when the claim needs an AUROC that under this law not even the true probabilities reach.

    No score ranks better than the likelihood ratio (Neyman and Pearson), so the oracle's AUROC is a ceiling; under
    another law it would be another one, so that nothing is impossible. Arguments: ``published`` (the AUROC that the
    claim needs), ``measured`` (the oracle's).
    """
    measure, needed = read(args["measured"]), args["published"]
    ceiling = measure.value + 3 * (measure.mc_se or 0.0)
    reason = f"needs an AUROC of {needed:.3g}, the true probabilities reach {_with_interval(measure)}"
    return Outcome("not supported" if ceiling < needed else "supported", reason, needed, measure)


def between(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Reproduced* when a number lies in a range, ends included as rounded, else *not supported*.

    Arguments: ``value``, ``lowest``, ``highest`` (numbers or references; the printed ones and the measured ones),
    ``decimals``, ``what``.
    """
    value, low, high = (read(args[key]) for key in ("value", "lowest", "highest"))
    slack = 0.5 * 10.0 ** -args["decimals"] + 1e-12
    fits = low.value - slack <= value.value <= high.value + slack
    shown = [_number(measure.value, args["decimals"]) for measure in (value, low, high)]
    reason = f"{args['what']}: {shown[0]} is {'' if fits else 'not '}within {shown[1]} to {shown[2]}"
    found = Measure((low.value + high.value) / 2, low.value, high.value) if _printed(args["value"]) else value
    extra = {"value": value.value, "ends": [low.value, high.value]}
    return Outcome("reproduced" if fits else "not supported", reason, measured=found, extra=extra)


def _printed(source: Any) -> bool:
    return isinstance(source, (int, float))


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


def calculation(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* when printed numbers do not give what was printed as their result, else *reproduced*.

    Arguments: ``of`` (an operation on printed numbers), ``published``, ``decimals``.
    """
    measure, decimals = read(args["of"]), args["decimals"]
    fits = printed.rounds_to(measure.value, args["published"], decimals)
    reason = f"printed {_number(args['published'], decimals)}, calculated {_number(measure.value, decimals + 1)}"
    return Outcome("reproduced" if fits else "impossible", reason, args["published"], measure, {"decimals": decimals})


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

    Arguments: ``before``, ``after``, ``decimals`` (of the two), ``published`` (per cent, whole or with the digits
    that it shows).
    """
    low, high = printed.relative_change(args["before"], args["after"], args["decimals"])
    least, most = printed.interval(args["published"], 0 if isinstance(args["published"], int) else 1)
    fits = 100 * low <= most and 100 * high >= least
    change = 100 * (args["after"] / args["before"] - 1)
    reason = (
        f"from {args['before']} to {args['after']} is {change:+.1f} % "
        f"({100 * low:.1f} to {100 * high:.1f} % with rounding), printed {args['published']:+g} %"
    )
    return Outcome("reproduced" if fits else "impossible", reason, args["published"], Measure(change))


def auc_bound(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* when recall, precision and AUROC cannot belong to one model on the stated test part.

    The printed rate (two digits) stands for several numbers of dropouts, and each is allowed. *Not supported* when only
    a curve that is not concave (one that its own score could improve on) has that area; *not testable* when the bounds
    leave room. Arguments: ``recall``, ``precision``, ``auroc``, ``prevalence``, ``n``, ``decimals`` (of recall and
    precision).
    """
    n, stated = args["n"], round(args["n"] * args["prevalence"])
    every = {
        k: bounds.joint(args["recall"], args["precision"], args["auroc"], k, n - k, {"recall": args["decimals"]})
        for k in printed.attainable(args["prevalence"], n, 2)
    }
    claim = every[stated]
    weighed = [one for one in every.values() if one.fits] or [claim]
    least, concave = (min(getattr(one, key) for one in weighed) for key in ("least_auc", "least_concave_auc"))
    reason = (
        f"with {stated} dropouts of {n} the point implies a false-positive rate of {claim.fpr:.3f}; with "
        f"{min(every)} to {max(every)}, an AUROC of at least {least:.3f} for any curve and {concave:.3f} for a concave "
        f"one, published {args['auroc']:.3f}"
    )
    if not claim.fits:
        reason += f"; no confusion matrix with {stated} dropouts has both figures"
    doubtful = "not testable" if any(one.possible_if_concave for one in weighed) else "not supported"
    verdict = doubtful if any(one.possible for one in weighed) else "impossible"
    point = {"tpr": args["recall"], "precision": args["precision"], "fpr": claim.fpr}
    extra = {**point, "matrices": len(claim.fits), "least_auc": least, "n": n, "dropouts": stated}
    return Outcome(verdict, reason, args["auroc"], Measure(concave), extra)


def never(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Impossible* by construction; the reason says why. Arguments: ``reason``."""
    return Outcome("impossible", args["reason"])


def not_testable(args: Mapping[str, Any], read: Source) -> Outcome:
    """*Not testable*; the reason says what is missing. Arguments: ``reason``."""
    return Outcome("not testable", args["reason"])


OPERATIONS = ("minus", "plus", "over", "times", "largest")
NUMBER, WHOLE, TEXT, ANY = "a number", "a whole number", "a text", "any name"
SOURCE = "a number, a reference or an operation on these"
EFFECT = {"label": TEXT, "published": NUMBER, "measured": SOURCE}
ARGUMENTS: dict[str, Any] = {
    **dict.fromkeys(("published", "scale", "limit", "margin", "tolerance", "recall", "precision", "f1"), NUMBER),
    **dict.fromkeys(("auroc", "prevalence", "mean", "sd", "before", "after"), NUMBER),
    **dict.fromkeys(("decimals", "n"), WHOLE),
    **dict.fromkeys(("what", "reason", "leader"), TEXT),
    **dict.fromkeys(("measured", "value", "lowest", "highest", "of"), SOURCE),
    **{
        "positives": [SOURCE],
        "totals": [SOURCE],
        "out_of": [SOURCE],
        "terms": [NUMBER],
        "folds": [NUMBER],
        "or_else": {ANY: SOURCE},
    },
    **{"steps": [EFFECT], "leads": [EFFECT]},
}
"""Of what kind an argument is, by its name; see `attrition.claims.schema.SECTIONS` for lists and mappings."""


@dataclass(frozen=True)
class Rule:
    """A rule with the arguments it must and may have; `arithmetic` when the data have no say in it.

    `kinds` holds the arguments that are of another kind than `ARGUMENTS` says.
    """

    decide: Callable[[Mapping[str, Any], Source], Outcome]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    arithmetic: bool = False
    kinds: dict[str, Any] = field(default_factory=dict)


RULES = {
    "rounds_to": Rule(rounds_to, ("published", "decimals", "measured"), ("scale", "or_else", "out_of")),
    "one_matrix": Rule(one_matrix, ("recall", "precision", "f1", "decimals", "positives", "n"), arithmetic=True),
    "direction_and_half": Rule(direction_and_half, ("published", "measured"), ("margin",)),
    "order": Rule(order, ("steps", "leads"), ("margin",)),
    "rank_first": Rule(rank_first, ("leader", "measured"), ("margin",), kinds={"measured": {ANY: SOURCE}}),
    "at_most": Rule(at_most, ("published", "limit", "measured"), ("margin", "what")),
    "equal": Rule(equal, ("measured", "what"), ("tolerance",), kinds={"measured": [SOURCE]}),
    "between": Rule(between, ("value", "lowest", "highest", "decimals", "what")),
    "auc_ceiling": Rule(auc_ceiling, ("published", "measured")),
    "sums": Rule(sums, ("terms", "totals", "what"), ("decimals",), arithmetic=True),
    "calculation": Rule(calculation, ("of", "published", "decimals"), arithmetic=True),
    "sd_of_folds": Rule(sd_of_folds, ("folds", "mean", "sd", "decimals"), arithmetic=True),
    "relative_change": Rule(relative_change, ("before", "after", "decimals", "published"), arithmetic=True),
    "auc_bound": Rule(auc_bound, ("recall", "precision", "auroc", "prevalence", "n", "decimals"), arithmetic=True),
    "never": Rule(never, ("reason",), arithmetic=True),
    "not_testable": Rule(not_testable, ("reason",), arithmetic=True),
}
