"""What ``claims.yaml`` may hold, checked when it is read.

The file has two lists, ``claims`` and ``amendments`` (`SECTIONS` has their keys), and may have ``printed``, a place for
YAML anchors. A claim has

``id``
    ``C`` and digits, used once;
``claim``, ``published``, ``where``, ``estimand``
    texts: what was claimed, the printed figure in quotes, the source's files, what would settle it;
``kind``
    what was claimed about: data, method, arithmetic, rule or design;
``statements``
    one or several, each with a ``rule``, its arguments and, optionally, a ``label``. `attrition.claims.rules` has the
    rules with the arguments that each must and may have (``RULES``), and ``schema.yaml`` says of what kind these are;
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
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrition import paths, settings
from attrition.claims.rules import ARGUMENTS, RULES, SCHEMA, VERDICTS
from attrition.settings import TEXT, Keys, Kind, problems, refuse, shape, unknown
from notebook_report import errors, sources

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
        What is not as the schema (the docstring of this module) has it: the claim's id, the key, what
        it must be.

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
