"""What ``claims.yaml`` may hold, checked when it is read.

The file has three lists, ``claims``, ``amendments`` and ``references`` (`SECTIONS` has their keys), and may have
``printed``, a place for YAML anchors. A claim has

``id``
    ``C`` and digits, used once;
``claim``, ``published``, ``where``, ``estimand``
    texts: what was claimed, the printed figure in quotes, the source's files, what would settle it;
``kind``
    one of `KINDS`;
``statements``
    one or several, each with a ``rule``, its arguments and, optionally, a ``label``. `attrition.claims.rules` has the
    rules with the arguments that each must and may have (``RULES``), and of what kind these are (``ARGUMENTS``);
``evidence``
    ids of figures or tables that a notebook shows;
``margin`` and ``origin``
    for an effect: the smallest difference of interest, a number, and why it is that;
``prevalence``
    for simulated trials: the main setting, one of `PREVALENCES`;
``entered``
    the day of a claim that joined the ledger when results were known.

A *source* is a number, a reference ``chapter: dotted.path`` into ``results/chapter.json`` (``{prevalence}`` in it
stands for the setting), or an operation on sources, ``{minus: [a, b]}``; see `attrition.claims.reader`.
"""

import datetime
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attrition import errors, params, paths, sources
from attrition.claims.rules import (
    ANY,
    ARGUMENTS,
    NUMBER,
    OPERATIONS,
    RULES,
    SOURCE,
    TEXT,
    VERDICTS,
    WHOLE,
)

KINDS = ("data", "method", "arithmetic", "rule", "design")
PREVALENCES = ("default", "p24")
CHAPTER_SEPARATOR = ": "
ID, DATE, STATEMENT = "an id such as C01", "a date", "a statement"
SECTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "claims": (
        {
            **{"id": ID, "claim": TEXT, "published": TEXT, "where": TEXT, "kind": KINDS, "estimand": TEXT},
            **{"statements": [STATEMENT], "evidence": [TEXT]},
        },
        {"margin": NUMBER, "origin": TEXT, "prevalence": PREVALENCES, "entered": DATE},
    ),
    "amendments": ({"date": DATE, "what": TEXT}, {"before": {ANY: (*VERDICTS, "no result")}}),
    "references": ({"authors": TEXT, "title": TEXT, "where": TEXT}, {"doi": TEXT, "address": TEXT}),
}
"""Keys that an entry of each list must have, and may have, with what they hold: a tuple is a choice, a list holds one
or more of its item, a mapping with `ANY` has names of one's own."""
REFERENCE = re.compile(r"(?P<chapter>[^:\s]+): [^.\s][^.]*(\.[^.]+)*")
FITS = {
    NUMBER: lambda value: _is_number(value) and math.isfinite(value),
    WHOLE: lambda value: _is_number(value) and isinstance(value, int),
    TEXT: lambda value: isinstance(value, str) and value.strip() != "",
    ID: lambda value: isinstance(value, str) and re.fullmatch(r"C\d{2,}", value),
    DATE: lambda value: isinstance(value, datetime.date),
}


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
    entered: datetime.date | None = None

    @property
    def arithmetic(self) -> bool:
        """Whether no measurement enters the verdict."""
        return all(RULES[statement.rule].arithmetic for statement in self.statements)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _known(value: Any, known: Any, where: str, what: str) -> None:
    if value not in known:
        raise LedgerError(f"{where}: unknown {what} {value!r}{errors.closest(str(value), known)}")


def _keys(entry: Any, needed: dict[str, Any], optional: dict[str, Any], where: str) -> None:
    """Check the keys of a mapping, then what each holds."""
    if not isinstance(entry, dict):
        raise LedgerError(f"{where}: must be keys with values, found {entry!r}")
    for key in entry:
        _known(key, [*needed, *optional], where, "key")
    for key in needed:
        if entry.get(key) in (None, "", [], {}):
            raise LedgerError(f"{where}: {key!r} is missing")
    for key, value in entry.items():
        _check(value, (needed | optional)[key], where, key)


def _check(value: Any, shape: Any, where: str, key: str) -> None:
    if isinstance(shape, tuple):
        return _known(value, shape, where, key)
    if isinstance(shape, (list, dict)) and (not isinstance(value, type(shape)) or not value):
        raise LedgerError(f"{where}: {key} must be a {type(shape).__name__} that is not empty, found {value!r}")
    if isinstance(shape, list):
        for place, item in enumerate(value, 1):
            _check(item, shape[0], where, f"{key} {place}")
    elif isinstance(shape, dict) and ANY in shape:
        for name, item in value.items():
            _check(item, shape[ANY], where, f"{key}.{name}")
    elif isinstance(shape, dict):
        _keys(value, shape, {}, f"{where}, {key}")
    elif shape == SOURCE:
        _source(value, where, key)
    elif shape != STATEMENT and not FITS[shape](value):
        raise LedgerError(f"{where}: {key} must be {shape}, found {value!r}")


def _source(value: Any, where: str, key: str) -> None:
    if isinstance(value, str):
        written = REFERENCE.fullmatch(value)
        if not written:
            raise LedgerError(f"{where}: {key} must be a reference 'chapter: key.key', found {value!r}")
        _known(written["chapter"], list(params.SECTIONS), where, "chapter")
    elif isinstance(value, dict) and len(value) == 1:
        ((operation, terms),) = value.items()
        _known(operation, OPERATIONS, where, "operation")
        _check(terms, [SOURCE], where, f"{key}.{operation}")
        if operation != "largest" and len(terms) != 2:
            raise LedgerError(f"{where}: {key}.{operation} takes two terms, found {len(terms)}")
    elif not FITS[NUMBER](value):
        raise LedgerError(f"{where}: {key} must be {SOURCE}, found {value!r}")


def _statement(entry: Any, where: str, margin: float | None) -> Statement:
    if not isinstance(entry, dict) or "rule" not in entry:
        raise LedgerError(f"{where}: 'rule' is missing")
    _known(entry["rule"], list(RULES), where, "rule")
    rule, where = RULES[entry["rule"]], f"{where}, {entry['rule']}"
    needed, optional = ({key: (ARGUMENTS | rule.kinds)[key] for key in keys} for keys in (rule.required, rule.optional))
    _keys(entry, {"rule": TEXT} | needed, {"label": TEXT} | optional, where)
    given = {key: value for key, value in entry.items() if key not in ("rule", "label")}
    if "margin" in rule.optional and "margin" not in given:
        if margin is None:
            raise LedgerError(f"{where}: a measured effect needs a margin and its origin")
        given["margin"] = margin
    return Statement(entry["rule"], given, entry.get("label", ""))


def _claim(entry: dict[str, Any]) -> Claim:
    where = f"claims.yaml, {entry['id']}"
    if "margin" in entry and "origin" not in entry:
        raise LedgerError(f"{where}: 'origin' is missing")
    statements = tuple(_statement(item, where, entry.get("margin")) for item in entry["statements"])
    return Claim(**entry | {"statements": statements, "evidence": tuple(entry["evidence"])})


def section(name: str, path: Path | None = None) -> list[dict[str, Any]]:
    """Entries of one list of ``claims.yaml``, ``claims``, ``amendments`` or ``references``, with their keys checked.

    Examples
    --------
    >>> section("amendments")[0]["date"].isoformat()
    '2026-11-23'
    """
    content = params.read_yaml(path or paths.CLAIMS, LedgerError)
    for key in content:
        _known(key, [*SECTIONS, "printed"], "claims.yaml", "key")
    entries = content.get(name)
    if not isinstance(entries, list):
        raise LedgerError(f"claims.yaml: {name!r} must be a list of entries")
    for place, entry in enumerate(entries, 1):
        label = entry.get("id") if isinstance(entry, dict) else None
        _keys(entry, *SECTIONS[name], f"claims.yaml, {label or f'{name} {place}'}")
    return entries


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
        The first thing that is not as the schema (the docstring of this module) has it: the claim's id, the key, what
        it must be.

    Examples
    --------
    >>> load()[0].id
    'C01'
    """
    ledger = tuple(_claim(entry) for entry in section("claims", path))
    shown = [identifier for identifiers in sources.shown().values() for identifier in identifiers]
    for claim in ledger:
        for identifier in claim.evidence:
            _known(identifier, shown, f"claims.yaml, {claim.id}", "evidence")
    for identifier, uses in Counter(claim.id for claim in ledger).items():
        if uses > 1:
            raise LedgerError(f"claims.yaml, {identifier}: this id is used {uses} times")
    return ledger
