"""The claim ledger: every published figure, the rule that settles it, a measurement and a verdict.

``claims.yaml`` holds one entry a claim, the amendments of its rules, and the references of the report. A claim is one
or several *statements*, each with a rule of `attrition.claims.rules`; its verdict is that of its weakest statement,
where the intervals settle which this is. Measurements are references into the chapters' result files, written
``04_modelling: published_split.lr.test_auroc``; ``{prevalence}`` in a reference stands for the claim's main setting,
and the other setting is evaluated beside it. Nothing here looks at data: a verdict can be recomputed from
``results/claims.json`` alone.
"""

import dataclasses
import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from attrition import errors, paths, results
from attrition.claims.rules import RULES, VERDICTS, Measure, Outcome, joint

KINDS = ("data", "method", "arithmetic", "rule", "design")
PREVALENCES = ("default", "p24")
FIELDS = ("id", "claim", "published", "where", "kind", "estimand", "statements", "evidence")
OPTIONAL = ("margin", "origin", "prevalence")
CHAPTER_SEPARATOR = ": "


class LedgerError(errors.Refusal, ValueError):
    """The ledger holds something that cannot be evaluated; the message says which claim and what was meant."""

    exit_code = errors.USAGE


@dataclass(frozen=True)
class Statement:
    """One figure of a claim and the rule that settles it."""

    rule: str
    args: Mapping[str, Any]
    label: str = ""


@dataclass(frozen=True)
class Claim:
    """One row of the ledger."""

    id: str
    claim: str
    published: str
    where: str
    kind: str
    estimand: str
    statements: tuple[Statement, ...]
    evidence: tuple[str, ...]
    margin: float | None = None
    origin: str = ""
    prevalence: str | None = None

    @property
    def arithmetic(self) -> bool:
        """Whether no measurement enters the verdict."""
        return all(RULES[statement.rule].arithmetic for statement in self.statements)


def _refuse(keys: Sequence[str], known: Sequence[str], where: str, what: str = "key") -> None:
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise LedgerError(f"{where}: unknown {what} {key!r}; {hint}")


def _require(keys: Sequence[str], given: Mapping[str, Any], where: str) -> None:
    for key in keys:
        if given.get(key) in (None, "", []):
            raise LedgerError(f"{where}: {key!r} is missing")


def _statement(entry: Mapping[str, Any], where: str, margin: float | None) -> Statement:
    _require(["rule"], entry, where)
    _refuse([entry["rule"]], list(RULES), where, "rule")
    rule = RULES[entry["rule"]]
    known = [*rule.required, *rule.optional]
    given = {key: value for key, value in entry.items() if key not in ("rule", "label")}
    _refuse(list(given), known, f"{where}, {entry['rule']}")
    for key in rule.required:
        if key not in given:
            raise LedgerError(f"{where}, {entry['rule']}: {key!r} is missing")
    if "margin" in rule.optional and "margin" not in given:
        if margin is None:
            raise LedgerError(f"{where}, {entry['rule']}: a measured effect needs a margin and its origin")
        given["margin"] = margin
    return Statement(entry["rule"], given, str(entry.get("label", "")))


def _claim(entry: Mapping[str, Any]) -> Claim:
    where = f"claims.yaml, {entry.get('id', 'claim without id')}"
    _refuse(list(entry), [*FIELDS, *OPTIONAL], where)
    _require(FIELDS, entry, where)
    _refuse([entry["kind"]], KINDS, where, "kind")
    if entry.get("margin") is not None:
        _require(["origin"], entry, where)
    if entry.get("prevalence") is not None:
        _refuse([entry["prevalence"]], PREVALENCES, where, "prevalence")
    statements = tuple(_statement(item, where, entry.get("margin")) for item in entry["statements"])
    shared = {key: entry[key] for key in (*FIELDS, *OPTIONAL) if key in entry and key not in ("statements", "evidence")}
    return Claim(**shared, statements=statements, evidence=tuple(entry["evidence"]))


def section(name: str, path: Path | None = None) -> list[dict[str, Any]]:
    """Entries of one section of ``claims.yaml``: ``claims``, ``amendments`` or ``references``.

    Examples
    --------
    >>> section("amendments")[0]["date"].isoformat()
    '2026-11-23'
    """
    return yaml.safe_load((path or paths.CLAIMS).read_text(encoding="utf-8"))[name]


def load(path: Path | None = None) -> tuple[Claim, ...]:
    """Read and check the ledger.

    Parameters
    ----------
    path : pathlib.Path, optional
        Another ledger than ``claims.yaml``.

    Returns
    -------
    tuple of Claim

    Raises
    ------
    LedgerError
        Unknown key, rule or kind (with what was probably meant), missing field or evidence, an id used twice.

    Examples
    --------
    >>> load()[0].id
    'C01'
    """
    ledger = tuple(_claim(entry) for entry in section("claims", path))
    for identifier, uses in Counter(claim.id for claim in ledger).items():
        if uses > 1:
            raise LedgerError(f"{(path or paths.CLAIMS).name}: id {identifier!r} is used {uses} times")
    return ledger


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
    chapter, separator, dotted = reference.partition(CHAPTER_SEPARATOR)
    if not separator:
        raise LedgerError(f"{where}: {reference!r} is no reference; write 'chapter: key.key'")
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
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there is {', '.join(known[:12]) or 'nothing'}"
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
        return _combined(operation, [read(term) for term in terms], where)

    return read


def _combined(operation: str, terms: Sequence[Measure], where: str) -> Measure:
    _refuse([operation], ["minus", "plus", "over", "times", "largest"], where, "operation")
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
