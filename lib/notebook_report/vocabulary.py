"""Words of the report: verdicts and boxes, each with a mark that does not rely on colour, and headings of columns."""

import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from notebook_report import project

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Verdict(NamedTuple):
    """Tone, mark, and the letter of a verdict in the ledger's strip."""

    tone: str
    mark: str
    letter: str


VERDICTS = {
    "reproduced": Verdict("good", "=", "R"),
    "supported": Verdict("good", "✓", "S"),
    "direction only": Verdict("half", "◐", "D"),
    "not supported": Verdict("bad", "✗", "N"),
    "impossible": Verdict("bad", "⊘", "I"),
    "not testable": Verdict("open", "?", "T"),
    "not settled": Verdict("open", "±", "U"),
    "exploratory": Verdict("open", "~", "E"),
}
"""The last is for findings that no rule, written down before the results, decides."""
CALLOUTS = {"caution": "What not to conclude", "note": "Note", "method": "How this is judged"}
"""Kinds of boxes and their default titles."""


def verdict(word: str) -> str:
    """The verdict, if it is one.

    >>> verdict("not supported")
    'not supported'
    """
    if word not in VERDICTS:
        raise ValueError(f"{word!r} is not a verdict; known: {', '.join(VERDICTS)}")
    return word


@functools.lru_cache(maxsize=4)
def _columns(file: Path) -> dict[str, dict[str, str]]:
    known = yaml.load(file.read_text(encoding="utf-8"), Loader) if file.exists() else {}
    return {name: known.get(name, {}) for name in ("terms", "headings", "formats")}


def columns() -> dict[str, Any]:
    """What ``notebooks/columns.yaml`` says: terms in column names, whole headings, forms of numbers."""
    return _columns(project.notebooks() / "columns.yaml")


def heading(name: str) -> str:
    """Heading of a column from its name.

    >>> [heading(name) for name in ("brier_score", "auroc_oracle", "n", "ci_low", "at_risk", "Age (years)")]
    ['Brier score', 'AUROC oracle', 'n', '95% from', 'At risk', 'Age (years)']
    >>> heading("net_benefit_0.2")
    'Net benefit at 0.2'
    """
    known = columns()
    if name in known["headings"]:
        return known["headings"][name]
    if at := re.fullmatch(r"([a-z_]+)_(0\.\d+)", name):
        return f"{heading(at[1])} at {at[2]}"
    told = " ".join(known["terms"].get(word, word) for word in name.split("_")) if re.fullmatch(r"\w+", name) else name
    return told[:1].upper() + told[1:] if re.match(r"[a-z]{3}|[a-z]{2} ", told) else told
