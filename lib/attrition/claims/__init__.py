"""The claim ledger: every published figure, the rule that settles it, a measurement and a verdict.

``claims.yaml`` holds one entry a claim and the amendments of its rules. A claim is one
or several *statements*, each with a rule of `attrition.claims.rules`; its verdict is that of its weakest statement,
where the intervals settle which this is. Measurements are references into the chapters' result files, written
``04_modelling: published_split.lr.test_auroc``; ``{prevalence}`` in a reference stands for the claim's main setting,
and the other setting is evaluated beside it. Nothing here looks at data: a verdict can be recomputed from
``results/claims.json`` alone.
"""

import datetime
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrition import paths, settings
from attrition.claims.rules import ARGUMENTS, RULES, SCHEMA, VERDICTS, Measure, Source, joint, row
from attrition.settings import TEXT, Keys, Kind, problems, refuse, shape, unknown
from notebook_report import errors, results, sources

WRITTEN = re.compile(r'"(\d\d[^"]*: [^"]*)"')  # a reference among the arguments of a statement, as JSON
PREVALENCES = ("default", "p24")
CHAPTER_SEPARATOR = ": "
ID = Kind("an id such as C01", lambda value: isinstance(value, str) and re.fullmatch(r"C\d{2,}", value))
DATE = Kind("a date", lambda value: isinstance(value, datetime.date))
STATEMENT = Kind("a statement with a rule", lambda value: isinstance(value, dict) and "rule" in value)
WORDS = {"id": ID, "date": DATE, "statement": STATEMENT, "prevalence": PREVALENCES, "verdict": (*VERDICTS, "no result")}
# What an entry of each list may hold
SECTIONS: dict[str, Keys] = {name: shape(keys, WORDS) for name, keys in SCHEMA["sections"].items()}


class LedgerError(errors.Refusal, ValueError):
    """The ledger holds something that cannot be evaluated; the message says which claim and what was meant."""

    exit_code = errors.USAGE


@dataclass(frozen=True)
class Statement:
    """One figure of a claim and the rule that settles it."""

    rule: str
    args: Mapping[str, Any]
    label: str = ""


class Claim(SimpleNamespace):
    """One row of the ledger by the keys of `SECTIONS`; what its entry does not say is None, and its origin empty."""


def _statement(entry: dict[str, Any], where: str, margin: float | None) -> Statement:
    refuse(unknown([entry["rule"]], RULES, where, "rule"), LedgerError)
    rule, where = RULES[entry["rule"]], f"{where.removesuffix(': ')}, {entry['rule']}: "
    needed, optional = ({key: (ARGUMENTS | rule.kinds)[key] for key in keys} for keys in (rule.required, rule.optional))
    refuse(problems(entry, Keys({"rule": TEXT} | needed, {"label": TEXT} | optional), where), LedgerError)
    given = {key: value for key, value in entry.items() if key not in ("rule", "label")}
    if "margin" in rule.optional and "margin" not in given:
        if margin is None:
            raise LedgerError(f"{where}a measured effect needs a margin and its origin")
        given["margin"] = margin
    return Statement(entry["rule"], given, entry.get("label", ""))


def _claim(entry: dict[str, Any]) -> Claim:
    where = f"claims.yaml, {entry['id']}: "
    if "margin" in entry and "origin" not in entry:
        raise LedgerError(f"{where}'origin' is missing")
    statements = tuple(_statement(item, where, entry.get("margin")) for item in entry["statements"])
    unsaid = dict.fromkeys(SECTIONS["claims"].optional) | {"origin": ""}
    return Claim(**unsaid | entry | {"statements": statements, "evidence": tuple(entry["evidence"])})


def section(name: str, path: Path | None = None) -> list[dict[str, Any]]:
    """Entries of one list of ``claims.yaml``, ``claims`` or ``amendments``, with their keys checked.

    Examples
    --------
    >>> section("amendments")[0]["date"].isoformat()
    '2026-11-23'
    """
    content = settings.read(path or paths.CLAIMS, LedgerError)
    refuse(unknown(content, [*SECTIONS, "printed"], "claims.yaml: "), LedgerError)
    entries = content.get(name)
    if not isinstance(entries, list):
        raise LedgerError(f"claims.yaml: {name!r} must be a list of entries")
    for place, entry in enumerate(entries, 1):
        label = entry.get("id") if isinstance(entry, dict) else None
        refuse(problems(entry, SECTIONS[name], f"claims.yaml, {label or f'{name} {place}'}: "), LedgerError)
    return entries


def load(path: Path | None = None) -> tuple[Claim, ...]:
    """Read and check the ledger: ``claims.yaml``, or that at `path`.

    Raises
    ------
    LedgerError
        What is not as ``schema.yaml`` has it: the claim's id, the key, what it must be.

    Examples
    --------
    >>> load()[0].id
    'C01'
    """
    ledger = tuple(_claim(entry) for entry in section("claims", path))
    shown = [identifier for identifiers in sources.shown().values() for identifier in identifiers]
    for claim in ledger:
        refuse(unknown(claim.evidence, shown, f"claims.yaml, {claim.id}: ", "evidence"), LedgerError)
    for identifier, uses in Counter(claim.id for claim in ledger).items():
        if uses > 1:
            raise LedgerError(f"claims.yaml, {identifier}: this id is used {uses} times")
    return ledger


def look_up(found: Mapping[str, Any], reference: str, where: str = "") -> Any:
    """Value at ``chapter: dotted.path`` of the results; an error, after `where`, names the closest key."""
    chapter, _, dotted = reference.partition(CHAPTER_SEPARATOR)
    file = f"{where}: results/{chapter}.json"
    if chapter not in found:
        raise results.MissingResult(f"{file} is not there; run {paths.command()} --only {chapter}")
    return results.look_up(found[chapter], dotted, file)


def reader(found: Mapping[str, Any], where: str, prevalence: str | None = None) -> Source:
    """Function that turns a number, a reference, or an operation on these into a `Measure`.

    Operations: ``{minus: [a, b]}``, ``{plus: [a, b]}``, ``{over: [a, b]}``, ``{times: [a, b]}`` and
    ``{largest: [a, b, ...]}``, the largest size without sign. A combination of two measured numbers carries no interval
    of its own, one with a constant does: paired intervals come from the chapters.
    """

    def read(source: Any) -> Measure:
        if isinstance(source, (int, float)):
            return Measure(source)
        if isinstance(source, str):
            reference = source.replace("{prevalence}", prevalence or "default")
            value = look_up(found, reference, where)
            numbers = value if isinstance(value, Mapping) and "value" in value else {"value": value}
            if isinstance(numbers["value"], bool) or not isinstance(numbers["value"], (int, float)):
                raise results.MissingResult(f"{where}: {reference} is not a number but {numbers['value']!r}")
            return Measure(numbers["value"], *(numbers.get(key) for key in ("ci_low", "ci_high", "mc_se")))
        ((operation, terms),) = source.items()
        return _combined(operation, [read(term) for term in terms])

    return read


def _combined(operation: str, terms: Sequence[Measure]) -> Measure:
    if operation == "largest":
        return Measure(max(abs(term.value) for term in terms))
    first, second = terms
    constant = [term.ci_low is None and term.mc_se is None for term in terms]
    if operation == "over":
        return first.scaled(1 / second.value) if constant[1] else Measure(first.value / second.value)
    if operation == "times":
        return Measure(first.value * second.value)
    signed = second.scaled(-1.0) if operation == "minus" else second
    if not any(constant):
        return Measure(first.value + signed.value)
    moved, by = (signed, first.value) if constant[0] else (first, signed.value)
    low, high = (None if end is None else end + by for end in (moved.ci_low, moved.ci_high))
    return Measure(moved.value + by, low, high, moved.mc_se)


def _judged(claim: Claim, found: Mapping[str, Any], prevalence: str | None) -> tuple[str, list[dict[str, Any]]]:
    """Verdict of a claim in one setting, and the rows of its statements."""
    read = reader(found, f"claims.yaml, {claim.id}", prevalence)
    outcomes = [(one, RULES[one.rule].decide(one.args, read)) for one in claim.statements]
    rows = [row(statement.label, statement.rule, outcome) for statement, outcome in outcomes]
    return joint([outcome.options for _, outcome in outcomes]), rows


def _measured(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The measured numbers of one statement, or lists of those of several."""
    each = {key: [one[key] for one in rows] for key in ("measured", "ci_low", "ci_high", "mc_se")}
    return {key: values[0] if len(values) == 1 else values for key, values in each.items()}


def evaluate_one(claim: Claim, found: Mapping[str, Any]) -> dict[str, Any]:
    """Ledger row of one claim; see `evaluate`."""
    if not claim.evidence:
        raise LedgerError(f"claims.yaml, {claim.id}: a claim without evidence gets no verdict")
    verdict, rows = _judged(claim, found, claim.prevalence)
    beside = None
    if claim.prevalence is not None:
        other = next(name for name in PREVALENCES if name != claim.prevalence)
        overall, there = _judged(claim, found, other)
        beside = {"prevalence": other, "verdict": overall, "verdicts": [one["verdict"] for one in there]}
        beside |= _measured(there)
    about = ("id", "claim", "published", "where", "kind", "estimand", "margin", "origin", "prevalence")
    statements = [
        {**one, "args": dict(statement.args), "arithmetic": RULES[statement.rule].arithmetic}
        for one, statement in zip(rows, claim.statements, strict=True)
    ]
    made = {key: getattr(claim, key) for key in about} | _measured(rows)
    made |= {"entered": claim.entered and claim.entered.isoformat(), "evidence": list(claim.evidence)}
    made |= {"rule": " + ".join(dict.fromkeys(one["rule"] for one in rows)), "verdict": verdict}
    return made | {"beside": beside, "statements": statements}


def verdict_of(id: str, found: Mapping[str, Any]) -> str:
    """Verdict on one claim of the ledger, by its number; see `evaluate_one`."""
    return evaluate_one(next(claim for claim in load() if claim.id == id), found)["verdict"]


def evaluate(ledger: Sequence[Claim], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Verdict of every claim of a ledger, on chapters' results by name (`read_chapters`).

    Returns
    -------
    list of dict
        In the ledger's order: ``id, claim, published, measured, ci_low, ci_high, rule, verdict, evidence``, the setting
        ``prevalence`` with the other one ``beside``, and the ``statements``, each with its arguments (``args``) and
        every number that the verdict was made from. A claim of several statements has lists for the measured numbers.

    Raises
    ------
    LedgerError
        A claim without evidence.
    notebook_report.results.MissingResult
        A reference leads nowhere.
    """
    return [results.plain(evaluate_one(claim, found)) for claim in ledger]


def references(ledger: Sequence[Claim]) -> dict[str, list[str]]:
    """References of the ledger, as written, by claim."""
    return {claim.id: sorted(set(WRITTEN.findall(json.dumps([s.args for s in claim.statements])))) for claim in ledger}


def read_chapters(ledger: Sequence[Claim]) -> dict[str, Any]:
    """Read the result file of every chapter that the ledger refers to."""
    named = {text.partition(CHAPTER_SEPARATOR)[0] for texts in references(ledger).values() for text in texts}
    return {chapter: results.read(chapter) for chapter in sorted(named)}


def count_verdicts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Number of claims by verdict, in the order of `attrition.claims.rules.VERDICTS`."""
    found = Counter(row["verdict"] for row in rows)
    return {verdict: found[verdict] for verdict in VERDICTS}


def write(rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write ``results/claims.json``, a list with one entry a claim."""
    return results.write("claims", rows)
