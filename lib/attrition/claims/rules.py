"""Rules that turn a published figure and a measured one into a verdict.

Every rule is a function of the statement's own arguments (fixed in ``claims.yaml``) and of a `Source` that reads
results; it returns an `Outcome`, numbers and grades of which ``notebooks/words/00_findings.md`` makes the reason. The
verdicts, best first:

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
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attrition import params, settings
from attrition.claims import arithmetic
from attrition.settings import ANY, Number, problems, shape, unknown

VERDICTS = ("reproduced", "supported", "not testable", "not settled", "direction only", "not supported", "impossible")
Z = 1.959963984540054
RESOLUTION = 5  # the Monte-Carlo standard error must be below the margin divided by this


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

    def ends(self) -> tuple[float, float]:
        """Ends of the 95 % interval, from the Monte-Carlo error where no interval was stored."""
        half = Z * (self.mc_se or 0.0)
        low = self.value - half if self.ci_low is None else self.ci_low
        return low, self.value + half if self.ci_high is None else self.ci_high

    def coarse(self, margin: float) -> bool:
        """Whether the Monte-Carlo error is too large for a margin."""
        return self.mc_se is not None and not self.mc_se < margin / RESOLUTION

    def stored(self) -> dict[str, float | None]:
        """As a row of the ledger has it."""
        return {"measured": self.value, "ci_low": self.ci_low, "ci_high": self.ci_high, "mc_se": self.mc_se}


@dataclass(frozen=True)
class Outcome:
    """What became of one statement: the verdicts that the interval leaves open, and the numbers that they rest on."""

    options: tuple[str, ...]
    published: float | None = None
    measured: Measure | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The verdict; *not settled* where more than one is left open."""
        return joint([self.options])


Args = Mapping[str, Any]
Source = Callable[[Any], Measure]  # reads a number, or a reference to one in the results, as a `Measure`
Decide = Callable[[Args, Source], Outcome]

OPERATIONS = ("minus", "plus", "over", "times", "largest")
REFERENCE = re.compile(r"(?P<chapter>[^:\s]+): [^.\s][^.]*(\.[^.]+)*")
NUMBER = Number()


class Figure:
    """What a source may be: a number, a reference to one in the results, or an operation on these."""

    def problems(self, value: Any, where: str, key: str) -> Iterator[str]:
        """What is wrong with a source."""
        if isinstance(value, str):
            written = REFERENCE.fullmatch(value)
            if written:
                yield from unknown([written["chapter"]], params.SECTIONS, where, "chapter")
            else:
                yield f"{where}{key} must be a reference 'chapter: key.key', found {value!r}"
        elif isinstance(value, dict) and len(value) == 1:
            ((operation, terms),) = value.items()
            yield from unknown([operation], OPERATIONS, where, "operation")
            yield from problems(terms, [self], where, f"{key}.{operation}")
            if operation != "largest" and isinstance(terms, list) and len(terms) != 2:
                yield f"{where}{key}.{operation} takes two terms, found {len(terms)}"
        elif list(NUMBER.problems(value, where, key)):
            yield f"{where}{key} must be a number, a reference or an operation on these, found {value!r}"


SOURCE = Figure()
SCHEMA = settings.declared(__file__, "schema.yaml")
# What an argument may be, by its name, as a shape of `attrition.settings`
ARGUMENTS: dict[str, Any] = {name: shape(kind, {"source": SOURCE}) for name, kind in SCHEMA["arguments"].items()}


@dataclass(frozen=True)
class Rule:
    """A rule with the arguments it must and may have; `arithmetic` when the data have no say in it.

    `kinds` holds the arguments that are of another kind than `ARGUMENTS` says.
    """

    decide: Decide
    required: tuple[str, ...]
    optional: tuple[str, ...]
    arithmetic: bool
    kinds: dict[str, Any]


RULES: dict[str, Rule] = {}  # the rules by name, each entered by `rule`


def rule(required: str, optional: str = "", arithmetic: bool = False, **kinds: Any) -> Callable[[Decide], Decide]:
    """Enter a function into `RULES` under its name, with the names of its arguments."""

    def enter(decide: Decide) -> Decide:
        RULES[decide.__name__] = Rule(decide, tuple(required.split()), tuple(optional.split()), arithmetic, kinds)
        return decide

    return enter


def worst(verdicts: Sequence[str]) -> str:
    """The least favourable verdict: a row of several figures holds as far as its weakest figure."""
    return max(verdicts, key=VERDICTS.index)


def joint(options: Sequence[Sequence[str]]) -> str:
    """Verdict of statements each of which may have any of its options: of the weakest, where all choices agree on it.

    >>> joint([["supported"], ["supported", "direction only"]])
    'not settled'
    >>> joint([["not supported"], ["supported", "direction only"]])
    'not supported'
    """
    best = worst([min(each, key=VERDICTS.index) for each in options])
    return best if best == worst([worst(each) for each in options]) else "not settled"


def _either(holds: bool, otherwise: str = "not supported", then: str = "reproduced") -> tuple[str]:
    return (then if holds else otherwise,)


@rule("published decimals measured", "scale or_else out_of")
def rounds_to(args: Args, read: Source) -> Outcome:
    """*Reproduced* when the measured figure rounds to the published one, else *not supported*.

    A published percentage has the `scale` 100. `or_else` is what the same protocol gives up to the noise of software, a
    mapping of words to references. A ratio is undefined when the counts that it is `out_of` add up to nothing.
    """
    published, decimals, scale = args["published"], args["decimals"], args.get("scale", 1)
    if "out_of" in args and not sum(read(path).value for path in args["out_of"]):
        return Outcome(("not supported",), published, facts={"decimals": decimals, "or_else": {}, "exact": False})
    measure = read(args["measured"]).scaled(scale)
    others = {words: read(path).scaled(scale).value for words, path in args.get("or_else", {}).items()}
    exact, *close = (arithmetic.rounds_to(value, published, decimals) for value in (measure.value, *others.values()))
    facts = {"decimals": decimals, "or_else": others, "exact": exact}
    return Outcome(_either(exact or any(close)), published, measure, facts)


@rule("recall precision f1 decimals positives n", arithmetic=True)
def one_matrix(args: Args, read: Source) -> Outcome:
    """*Impossible* when no confusion matrix of any candidate test part has the printed figures, else *reproduced*.

    An F1 (three digits) that is that of the printed recall and precision was computed from these and asks nothing more
    of the counts. `positives` are candidates for the number of dropouts among the `n` patients of the test part.
    """
    recall, precision, decimals = args["recall"], args["precision"], args["decimals"]
    sizes = list(dict.fromkeys(round(read(size).value) for size in args["positives"]))
    derived = arithmetic.rounds_to(2 * recall * precision / (recall + precision), args["f1"], 3)
    every, to_three = (
        [one for size in sizes for one in arithmetic.matrices(recall, precision, size, args["n"] - size, digits)]
        for digits in (decimals, 3)
    )
    fits = [matrix for matrix in every if derived or arithmetic.rounds_to(matrix.f1, args["f1"], 3)]
    facts: dict[str, Any] = {"matrices": len(fits), "sizes": sizes, "fit_to_three": bool(to_three)}
    if fits:
        best = min(fits, key=lambda matrix: abs(matrix.f1 - args["f1"]))
        facts |= {"tp": best.tp, "positives": best.positives, "flagged": best.tp + best.fp}
    return Outcome(_either(bool(fits), "impossible"), recall, facts=facts)


def effect_grades(measure: Measure, published: float, margin: float) -> tuple[str, ...]:
    """Verdicts of the effects within the interval (published size positive), each once.

    Below the margin, the smallest difference of interest, an effect is *not supported*; from half to twice the
    published size *supported*; else *direction only*.
    """
    if measure.coarse(margin):
        return ("not testable",)
    low, high = measure.ends()
    inside = [limit for limit in (margin, published / 2) if low < limit < high]
    return tuple(dict.fromkeys(_size(value, published, margin) for value in (low, *inside, high)))


def _size(effect: float, published: float, margin: float) -> str:
    if effect < margin:
        return "not supported"
    return "supported" if published / 2 <= effect <= 2 * published else "direction only"


def grade_effect(measure: Measure, published: float, margin: float) -> str:
    """Verdict on an effect (published size positive); *not settled* when a limit lies inside its interval.

    >>> effect = Measure(0.004, mc_se=0.0002)
    >>> grade_effect(effect, published=0.042, margin=0.01), grade_effect(effect, published=0.006, margin=0.003)
    ('not supported', 'supported')
    """
    return joint([effect_grades(measure, published, margin)])


def _lies(verdict: str, measure: Measure, published: float, margin: float) -> str:
    """Where an effect (published size positive) lies, for the reason of its verdict."""
    low, high = measure.ends()
    if verdict == "not settled":
        limits = {"around the margin": margin, "around half": published / 2, "around twice": 2 * published}
        return next(words for words, limit in limits.items() if low < limit < high)
    if verdict == "not supported":
        return "below the margin" if measure.value > 0 else "opposite" if high <= 0 else "absent"
    return "above twice" if measure.value > 2 * published else "within"


@rule("published measured", "margin")
def direction_and_half(args: Args, read: Source) -> Outcome:
    """*Supported* for the claimed direction and from half to twice the claimed size; *direction only* for other sizes.

    An effect below the margin counts as none. The margin is the claim's, or half the published size when that is
    smaller. Where one of these limits lies inside the 95 % interval (of the mean, for simulated trials), the verdict
    is *not settled*. `published` is signed.
    """
    published, measure = args["published"], read(args["measured"])
    size, along = abs(published), measure.scaled(math.copysign(1.0, published))
    margin = min(args["margin"], size / 2)
    grades = effect_grades(along, size, margin)
    facts: dict[str, Any] = {"margin": margin, "margin_is_half": margin == size / 2}
    facts["lies"] = _lies(joint([grades]), along, size, margin)
    return Outcome(grades, published, measure, facts)


@rule("steps leads", "margin")
def order(args: Args, read: Source) -> Outcome:
    """A ranking: *supported* when every step has its direction and size, *direction only* when the first leads all
    others by the margin, else *not supported*; *not settled* when the intervals leave room for two of these.

    `steps` and `leads` are lists of ``{label, published, measured}``: differences between neighbours, and of the first
    to every other.
    """
    outcomes = {
        key: [direction_and_half({**step, "margin": args["margin"]}, read) for step in args[key]]
        for key in ("steps", "leads")
    }
    facts: dict[str, Any] = {
        key: [row(one["label"], "direction_and_half", each) for one, each in zip(args[key], own, strict=True)]
        for key, own in outcomes.items()
    }
    first = outcomes["leads"][0]
    options = tuple(_ranking(outcomes, choose) for choose in (min, max))
    return Outcome(options, first.published, first.measured, facts | {"margin": args["margin"]})


def _ranking(outcomes: Mapping[str, Sequence[Outcome]], choose: Callable[..., str]) -> str:
    """Verdict of a ranking when each difference gets the best (`min`) or worst (`max`) of its options."""
    each = (outcomes["steps"], outcomes["leads"])
    steps, leads = ({choose(one.options, key=VERDICTS.index) for one in own} for own in each)
    if "not testable" in steps | leads:
        return "not testable"
    if steps == {"supported"}:
        return "supported"
    return "direction only" if leads <= {"supported", "direction only"} else "not supported"


@rule("leader measured", "margin", measured={ANY: SOURCE})
def rank_first(args: Args, read: Source) -> Outcome:
    """*Supported* when the `leader` among those `measured` is largest and its own effect reaches the margin, *direction
    only* when it is largest but too small to matter, else *not supported*; its interval decides if this is settled.
    """
    found = {name: read(path) for name, path in args["measured"].items()}
    mine, margin = found[args["leader"]], args["margin"]
    most = max((other.value for name, other in found.items() if name != args["leader"]), default=-math.inf)
    options = tuple(
        "not supported" if most > value else "supported" if value >= margin else "direction only"
        for value in dict.fromkeys((mine.ends()[0], mine.value, mine.ends()[1]))
    )
    first = max(found, key=lambda name: found[name].value)
    facts = {
        "place": 1 + sum(other.value > mine.value for other in found.values()),
        "margin": margin,
        "values": {name: one.value for name, one in found.items()},
        "first": {"label": first, **found[first].stored()},
    }
    return Outcome(("not testable",) if mine.coarse(margin) else options, 1, mine, facts)


@rule("published limit measured", "margin what")
def at_most(args: Args, read: Source) -> Outcome:
    """*Supported* when the measured number does not exceed the limit, else *not supported*; *not settled* when the
    limit lies inside its interval.

    The `limit` is the published number as far as rounding lets it reach; the `margin` is for the Monte-Carlo error.
    """
    measure, limit = read(args["measured"]), args["limit"]
    options = tuple("supported" if end <= limit else "not supported" for end in measure.ends())
    facts = {"margin": args["margin"], "limit": limit}
    coarse = measure.coarse(args["margin"])
    return Outcome(("not testable",) if coarse else options, args["published"], measure, facts)


@rule("measured what", "tolerance", measured=[SOURCE])
def equal(args: Args, read: Source) -> Outcome:
    """*Reproduced* when runs gave the same number to the last stored digit, else *not supported*."""
    found = [read(path).value for path in args["measured"]]
    spread = max(found) - min(found)
    return Outcome(_either(spread <= args.get("tolerance", 1e-9)), 0.0, Measure(spread), {"value": found[0]})


@rule("published measured")
def auc_ceiling(args: Args, read: Source) -> Outcome:
    """*Not supported* when the claim needs an AUROC that under this law not even the true probabilities reach.

    No score ranks better than the likelihood ratio (Neyman and Pearson), so the oracle's AUROC is a ceiling; under
    another law it would be another one, so that nothing is impossible. `published` is the AUROC that the claim needs,
    `measured` the oracle's.
    """
    measure, needed = read(args["measured"]), args["published"]
    ceiling = measure.value + 3 * (measure.mc_se or 0.0)
    return Outcome(_either(ceiling >= needed, then="supported"), needed, measure)


@rule("value lowest highest decimals what")
def between(args: Args, read: Source) -> Outcome:
    """*Reproduced* when a number lies in a range, ends included as rounded, else *not supported*.

    What is measured is the number or, when that is printed, the range.
    """
    value, low, high = (read(args[key]).value for key in ("value", "lowest", "highest"))
    slack = 0.5 * 10.0 ** -args["decimals"] + 1e-12
    printed = isinstance(args["value"], (int, float))
    found = Measure((low + high) / 2, low, high) if printed else read(args["value"])
    fits = low - slack <= value <= high + slack
    return Outcome(_either(fits), measured=found, facts={"value": value, "ends": [low, high]})


@rule("terms totals what", "decimals", arithmetic=True)
def sums(args: Args, read: Source) -> Outcome:
    """*Impossible* when printed counts do not add up to the stated total, else *reproduced*.

    Any of the candidates among `totals` will do; rounded parts have `decimals`.
    """
    totals = [read(target).value for target in args["totals"]]
    fits = any(arithmetic.sums_to(args["terms"], target, args.get("decimals")) for target in totals)
    total = Measure(math.fsum(args["terms"]))
    return Outcome(_either(fits, "impossible"), totals[0], total, {"totals": list(dict.fromkeys(totals))})


@rule("of published decimals", arithmetic=True)
def calculation(args: Args, read: Source) -> Outcome:
    """*Impossible* when an operation on printed numbers does not give what was printed, else *reproduced*."""
    measure, decimals = read(args["of"]), args["decimals"]
    fits = arithmetic.rounds_to(measure.value, args["published"], decimals)
    return Outcome(_either(fits, "impossible"), args["published"], measure, {"decimals": decimals})


@rule("folds mean sd decimals", arithmetic=True)
def sd_of_folds(args: Args, read: Source) -> Outcome:
    """*Impossible* when the printed folds cannot have the printed mean and standard deviation, else *reproduced*."""
    folds, decimals = args["folds"], args["decimals"]
    agrees = arithmetic.folds_agree(folds, args["mean"], args["sd"], decimals)
    population, sample = (sum(arithmetic.sd_range(folds, decimals, ddof)) / 2 for ddof in (0, 1))
    facts = {"mean": sum(folds) / len(folds), "population": population}
    return Outcome(_either(all(agrees.values()), "impossible"), args["sd"], Measure(sample), facts)


@rule("before after decimals published", arithmetic=True)
def relative_change(args: Args, read: Source) -> Outcome:
    """*Impossible* when the printed ends of a change cannot give the printed percentage, else *reproduced*.

    `decimals` are those of the two ends; the percentage is whole or has the digits that it shows.
    """
    low, high = arithmetic.relative_change(args["before"], args["after"], args["decimals"])
    least, most = arithmetic.interval(args["published"], 0 if isinstance(args["published"], int) else 1)
    change = Measure(100 * (args["after"] / args["before"] - 1))
    fits = 100 * low <= most and 100 * high >= least
    return Outcome(_either(fits, "impossible"), args["published"], change, {"low": 100 * low, "high": 100 * high})


@rule("recall precision auroc prevalence n decimals", arithmetic=True)
def auc_bound(args: Args, read: Source) -> Outcome:
    """*Impossible* when recall, precision and AUROC cannot belong to one model on the stated test part.

    The printed rate (two digits) stands for several numbers of dropouts, and each is allowed. *Not supported* when only
    a curve that is not concave (one that its own score could improve on) has that area; *not testable* when the bounds
    leave room. `decimals` are those of recall and precision.
    """
    n, stated = args["n"], round(args["n"] * args["prevalence"])
    every = {
        k: arithmetic.joint(args["recall"], args["precision"], args["auroc"], k, n - k, args["decimals"])
        for k in arithmetic.attainable(args["prevalence"], n, 2)
    }
    claim = every[stated]
    weighed = [one for one in every.values() if one.fits] or [claim]
    least, concave = (min(getattr(one, key) for one in weighed) for key in ("least_auc", "least_concave_auc"))
    doubtful = "not testable" if any(one.possible_if_concave for one in weighed) else "not supported"
    facts = {"tpr": args["recall"], "precision": args["precision"], "fpr": claim.fpr, "matrices": len(claim.fits)}
    facts |= {"least_auc": least, "n": n, "dropouts": stated, "fewest": min(every), "most": max(every)}
    possible = any(one.possible for one in weighed)
    return Outcome(_either(possible, "impossible", doubtful), args["auroc"], Measure(concave), facts)


@rule("reason", arithmetic=True)
def never(args: Args, read: Source) -> Outcome:
    """*Impossible* by construction; the reason says why."""
    return Outcome(("impossible",))


@rule("reason", arithmetic=True)
def not_testable(args: Args, read: Source) -> Outcome:
    """*Not testable*; the reason says what is missing."""
    return Outcome(("not testable",))


def row(label: str, name: str, outcome: Outcome) -> dict[str, Any]:
    """A statement's row of the ledger: its label, the name of its rule, and its `Outcome` as plain numbers."""
    measured = (outcome.measured or Measure(math.nan)).stored()
    about = {"label": label, "rule": name, "published": outcome.published, "verdict": outcome.verdict}
    return about | measured | outcome.facts
