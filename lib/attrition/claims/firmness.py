"""How firm a verdict is: what it would be if an effect lay at an end of its interval.

A rule compares an effect with limits: zero, the margin, half the claimed size. Where a limit lies inside the
effect's interval, another run of the same study may decide otherwise, and the ledger says so.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from attrition.claims.rules import RULES, VERDICTS, Measure, Source, worst

ENDS = ("ci_low", "ci_high")


def _at(read: Source, end: str, moved: Sequence[Any] | None) -> Source:
    """`read`, with effects put at one end of their intervals, which move with them; only the `moved`, if named."""

    def shifted(source: Any) -> Measure:
        measure = read(source)
        value = getattr(measure, end)
        if value is None or (moved is not None and source not in moved):
            return measure
        by = value - measure.value
        low, high = (None if limit is None else limit + by for limit in (measure.ci_low, measure.ci_high))
        return dataclasses.replace(measure, value=value, ci_low=low, ci_high=high)

    return shifted


def at_the_ends(rule: str, args: Mapping[str, Any], read: Source) -> list[str]:
    """Verdicts of a statement if its effects lay at the lower, and at the upper, ends of their intervals.

    Parameters
    ----------
    rule : str
        Key of `attrition.claims.rules.RULES`.
    args : mapping
        The statement's arguments.
    read : callable
        See `attrition.claims.rules.Source`.

    Returns
    -------
    list of str
        Two verdicts; none for a rule that compares no effect with a margin. In a ranking only the named leader is
        moved.

    Examples
    --------
    >>> effect = {"published": 0.12, "measured": "effect", "margin": 0.01}
    >>> at_the_ends("direction_and_half", effect, lambda _: Measure(0.06, 0.056, 0.064, 0.001))
    ['direction only', 'supported']
    """
    if "margin" not in RULES[rule].optional:
        return []
    moved = [args["measured"][args["leader"]]] if "leader" in args else None
    return [RULES[rule].decide(args, _at(read, end, moved)).verdict for end in ENDS]


def could_be(verdicts: Sequence[str], ends: Sequence[Sequence[str]]) -> list[str]:
    """Other verdicts that a claim could have, if each of its statements had that of either end.

    Parameters
    ----------
    verdicts : sequence of str
        Of the claim's statements.
    ends : sequence of sequence of str
        From `at_the_ends`, one for each statement.

    Returns
    -------
    list of str
        Best first; empty when the verdict is firm.

    Examples
    --------
    >>> could_be(["supported", "reproduced"], [["direction only", "supported"], []])
    ['direction only']
    >>> could_be(["direction only", "impossible"], [["not supported"], []])
    []
    """
    options = [{verdict, *others} for verdict, others in zip(verdicts, ends, strict=True)]
    found = {worst(each) for each in itertools.product(*options)} - {worst(verdicts)}
    return sorted(found, key=VERDICTS.index)
