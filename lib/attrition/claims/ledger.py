"""The claim ledger: every published figure, the rule that settles it, a measurement and a verdict.

``claims.yaml`` holds one entry a claim, the amendments of its rules, and the references of the report. A claim is one
or several *statements*, each with a rule of `attrition.claims.rules`; its verdict is that of its weakest statement,
where the intervals settle which this is. Measurements are references into the chapters' result files, written
``04_modelling: published_split.lr.test_auroc``; ``{prevalence}`` in a reference stands for the claim's main setting,
and the other setting is evaluated beside it. Nothing here looks at data: a verdict can be recomputed from
``results/claims.json`` alone.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrition import errors, paths, results
from attrition.claims.rules import RULES, VERDICTS, Measure, Outcome, joint
from attrition.claims.schema import CHAPTER_SEPARATOR, PREVALENCES, Claim, LedgerError, Statement, load


def look_up(found: Mapping[str, Any], reference: str, where: str = "") -> Any:
    """Value at ``chapter: dotted.path`` of the results.

    Parameters
    ----------
    found : mapping
        Chapter name to its result file.
    reference : str
    where : str
        Put before an error message.

    Raises
    ------
    attrition.results.MissingResult
        Chapter or key is not there; names the closest key.

    Examples
    --------
    >>> look_up({"06_real_trial": {"flow": {"randomised": 254}}}, "06_real_trial: flow.randomised")
    254
    """
    chapter, _, dotted = reference.partition(CHAPTER_SEPARATOR)
    if chapter not in found:
        raise results.MissingResult(
            f"{where}: results/{chapter}.json is not there; run {paths.command()} --only {chapter}"
        )
    value = found[chapter]
    for key in dotted.split("."):
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
            continue
        if not isinstance(value, Mapping) or key not in value:
            known = sorted(value) if isinstance(value, Mapping) else []
            hint = errors.closest(key, known, 0.4)
            raise results.MissingResult(f"{where}: results/{chapter}.json has no {dotted!r} (at {key!r}){hint}")
        value = value[key]
    return value


def _as_measure(value: Any, where: str) -> Measure:
    if isinstance(value, Mapping) and "value" in value:
        numbers: dict[str, Any] = {key: value.get(key) for key in ("value", "ci_low", "ci_high", "mc_se")}
    else:
        numbers = {"value": value}
    if isinstance(numbers["value"], bool) or not isinstance(numbers["value"], (int, float)):
        raise results.MissingResult(f"{where} is not a number but {numbers['value']!r}")
    return Measure(**numbers)


def reader(found: Mapping[str, Any], where: str, prevalence: str | None = None) -> Callable[[Any], Measure]:
    """Function that turns a number, a reference, or an operation on these into a `Measure`.

    Operations: ``{minus: [a, b]}``, ``{plus: [a, b]}``, ``{over: [a, b]}``, ``{times: [a, b]}`` and
    ``{largest: [a, b, ...]}``, the largest size without sign. A combination of two measured numbers carries no interval
    of its own, one with a constant does: paired intervals come from the chapters.

    Examples
    --------
    >>> read = reader({"04_modelling": {"auroc": {"value": 0.66, "ci_low": 0.65, "ci_high": 0.67}}}, "C16")
    >>> read({"minus": [{"over": ["04_modelling: auroc", 0.5]}, 1]}).ci_low.__round__(2)
    0.3
    """

    def read(source: Any) -> Measure:
        if isinstance(source, (int, float)):
            return Measure(source)
        if isinstance(source, str):
            reference = source.replace("{prevalence}", prevalence or "default")
            return _as_measure(look_up(found, reference, where), f"{where}: {reference}")
        ((operation, terms),) = source.items()
        return _combined(operation, [read(term) for term in terms])

    return read


def _combined(operation: str, terms: Sequence[Measure]) -> Measure:
    if operation == "largest":
        return Measure(max(abs(term.value) for term in terms))
    first, second = terms
    if operation == "over":
        return first.scaled(1 / second.value) if _constant(second) else Measure(first.value / second.value)
    if operation == "times":
        return Measure(first.value * second.value)
    signed = second.scaled(-1.0) if operation == "minus" else second
    if not (_constant(first) or _constant(signed)):
        return Measure(first.value + signed.value)
    moved, by = (signed, first.value) if _constant(first) else (first, signed.value)
    low, high = (None if end is None else end + by for end in (moved.ci_low, moved.ci_high))
    return Measure(moved.value + by, low, high, moved.mc_se)


def _constant(measure: Measure) -> bool:
    return measure.ci_low is None and measure.mc_se is None


def _decide(claim: Claim, found: Mapping[str, Any], prevalence: str | None) -> list[Outcome]:
    read = reader(found, f"claims.yaml, {claim.id}", prevalence)
    return [RULES[statement.rule].decide(statement.args, read) for statement in claim.statements]


def _row(statement: Statement, outcome: Outcome) -> dict[str, Any]:
    measure = outcome.measured or Measure(float("nan"))
    return {
        "label": statement.label,
        "rule": statement.rule,
        "published": outcome.published,
        "measured": measure.value,
        "ci_low": measure.ci_low,
        "ci_high": measure.ci_high,
        "mc_se": measure.mc_se,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        **outcome.extra,
    }


def _first_or_all(rows: Sequence[Mapping[str, Any]], key: str) -> Any:
    values = [row[key] for row in rows]
    return values[0] if len(values) == 1 else values


def _reason(rows: Sequence[Mapping[str, Any]], verdict: str) -> str:
    decisive = [row for row in rows if row["verdict"] == verdict]
    told = [f"{row['label']}: {row['reason']}" if row["label"] else row["reason"] for row in decisive]
    others = [
        f"{row['label']}{': ' if row['label'] else ''}{row['verdict']} ({row['reason']})"
        for row in rows
        if row["verdict"] != verdict
    ]
    text = "; ".join([*told, *others])
    return text[0].upper() + text[1:] + "."


def _beside(claim: Claim, found: Mapping[str, Any]) -> dict[str, Any] | None:
    if claim.prevalence is None:
        return None
    other = next(name for name in PREVALENCES if name != claim.prevalence)
    outcomes = _decide(claim, found, other)
    rows = [_row(*pair) for pair in zip(claim.statements, outcomes, strict=True)]
    return {
        "prevalence": other,
        "verdict": joint([outcome.options for outcome in outcomes]),
        "verdicts": [row["verdict"] for row in rows],
        **{key: _first_or_all(rows, key) for key in ("measured", "ci_low", "ci_high", "mc_se")},
    }


def evaluate_one(claim: Claim, found: Mapping[str, Any]) -> dict[str, Any]:
    """Ledger row of one claim; see `evaluate`."""
    if not claim.evidence:
        raise LedgerError(f"claims.yaml, {claim.id}: a claim without evidence gets no verdict")
    outcomes = _decide(claim, found, claim.prevalence)
    rows = [_row(*pair) for pair in zip(claim.statements, outcomes, strict=True)]
    verdict = joint([outcome.options for outcome in outcomes])
    about = dataclasses.asdict(claim)
    return {
        **{key: about[key] for key in ("id", "claim", "published", "where", "kind", "estimand", "margin", "origin")},
        "prevalence": claim.prevalence,
        "entered": claim.entered and claim.entered.isoformat(),
        **{key: _first_or_all(rows, key) for key in ("measured", "ci_low", "ci_high", "mc_se")},
        "rule": " + ".join(dict.fromkeys(row["rule"] for row in rows)),
        "verdict": verdict,
        "evidence": list(claim.evidence),
        "reason": _reason(rows, verdict),
        "beside": _beside(claim, found),
        "statements": rows,
    }


def verdict_of(id: str, found: Mapping[str, Any]) -> str:
    """Verdict on one claim of the ledger, by its number; see `evaluate_one`."""
    return evaluate_one(next(claim for claim in load() if claim.id == id), found)["verdict"]


def evaluate(ledger: Sequence[Claim], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Verdict of every claim.

    Parameters
    ----------
    ledger : sequence of Claim
        From `load`.
    found : mapping
        Chapter name to its results; `read_chapters` makes it.

    Returns
    -------
    list of dict
        In the ledger's order: ``id, claim, published, measured, ci_low, ci_high, rule, verdict, evidence``, the
        sentence ``reason``, the setting ``prevalence`` with the other one ``beside``, and the ``statements`` with every
        number that the verdict was made from. A claim of several statements has lists for the measured numbers.

    Raises
    ------
    LedgerError
        A claim without evidence.
    attrition.results.MissingResult
        A reference leads nowhere.
    """
    return [results.plain(evaluate_one(claim, found)) for claim in ledger]


def references(ledger: Sequence[Claim]) -> dict[str, list[str]]:
    """References of the ledger, as written, by claim.

    Examples
    --------
    >>> references(load())["C01"]
    ['04_modelling: published_split.lr.test_auroc']
    """
    return {claim.id: sorted(set(_strings([s.args for s in claim.statements]))) for claim in ledger}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str) and CHAPTER_SEPARATOR in value and value[:2].isdigit():
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def read_chapters(ledger: Sequence[Claim]) -> dict[str, Any]:
    """Read the result file of every chapter that the ledger refers to."""
    named = {text.partition(CHAPTER_SEPARATOR)[0] for texts in references(ledger).values() for text in texts}
    return {chapter: results.read(chapter) for chapter in sorted(named)}


def count_verdicts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Number of claims by verdict, in the order of `attrition.claims.rules.VERDICTS`.

    Examples
    --------
    >>> count_verdicts([{"verdict": "impossible"}])["impossible"]
    1
    """
    found = Counter(row["verdict"] for row in rows)
    return {verdict: found[verdict] for verdict in VERDICTS}


def write(rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write ``results/claims.json``, a list with one entry a claim."""
    text = json.dumps(results.plain(list(rows)), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return results.publish(paths.results() / "claims.json", text + "\n")
