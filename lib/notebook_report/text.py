"""Text with results in it: filled templates, escaped Markdown, table cells and headings, words of verdicts."""

import functools
import math
import numbers
import re
from collections import UserString
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import pandas as pd
import yaml

from notebook_report import project

MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~$&^=-])")
NUMBER = re.compile(r"[<>≤≥≈±]? ?[−+-]?\.?\d[\d.,eE%/ ()\[\]to–−+;:-]*")
MISSING = "–"
INTERVAL = ("value", "ci_low", "ci_high")
MINUS = re.compile(
    r"(?<![\w.−–-])-(?=\.?\d)"  # a sign before a number
    r"|(?<=\d )-(?= [^\W\d])|(?<=[^\W\d] )-(?= \d)|(?<=\w )-(?= [a-z]+_)"  # between a term and a number or a name
)
# Below `SMALL` three decimals show nothing; from `SMALLEST` on a column without exponents shows a digit
SMALL, SMALLEST = 5e-4, 5e-7
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


VOCABULARY = yaml.load(Path(__file__).with_name("vocabulary.yaml").read_text(encoding="utf-8"), Loader)


VERDICTS = VOCABULARY["verdicts"]
Made = TypeVar("Made", bound=Callable)


def unless_missing(function: Made) -> Made:
    """The function, with None for an argument that is None, or whose ``main`` is: what cannot be judged is not shown.

    >>> unless_missing(len)([1, 2]), unless_missing(len)(None)
    (2, None)
    """

    @functools.wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        return None if any(getattr(one, "main", one) is None for one in args) else function(*args, **options)

    return cast(Made, called)


def escape(text: str) -> str:
    r"""Escape text so that Markdown shows it literally, on one line.

    >>> print(escape("<b>a*b</b>"))
    \<b\>a\*b\</b\>
    """
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", MARKDOWN.sub(r"\\\1", " ".join(text.split())))


def number(text: str) -> str:
    """Set a true minus sign before a formatted number, and no sign before one that rounds to zero.

    >>> number("-0.12"), number("-0.00"), number("+0.000"), number("$-1,234")
    ('−0.12', '0.00', '0.000', '−$1,234')
    """
    unsigned = re.sub(r"(?<![\w.])[+−-](?=0?\.?0+(?![\d.]))", "", text)
    return re.sub(r"(?<![\w.])-(?=[\d.])", "−", unsigned).replace("$−", "−$")


def percent(text: str) -> str:
    """Close the blank before a per cent sign: one form everywhere, and none that breaks over two lines.

    >>> percent("52.5% of 24 %")
    '52.5% of 24%'
    """
    return re.sub(r"(?<=\d)[ \N{NO-BREAK SPACE}]%", "%", text)


def typeset(text: str) -> str:
    """Words as they are set: true minus signs, arrows, and one form of per cent. Ranges and names keep their hyphens.

    >>> typeset("-0.070 (95 % -0.1 to .2), divisor n - 1; 0.52 -> 0.63; 35-49, 1 - visit_rate, CDISC-01, Site A - B")
    '−0.070 (95% −0.1 to .2), divisor n − 1; 0.52 → 0.63; 35-49, 1 − visit_rate, CDISC-01, Site A - B'
    """
    return percent(MINUS.sub("−", text.replace("->", "→")))


def with_ends(found: Mapping[str, Any], write: Callable[[Any], str]) -> str:
    """An estimate with its interval, each number as `write` has it.

    >>> with_ends({"value": 0.5, "ci_low": 0, "ci_high": 1}, str)
    '0.5 (0 to 1)'
    """
    value, low, high = (write(found[name]) for name in INTERVAL)
    return f"{value} ({low} to {high})"


def written(value: Any, form: str = "") -> str:
    """One value as sentences have it: a number as formatted, text escaped, an interval written out; no missing one.

    >>> written({"value": 0.643, "ci_low": 0.6, "ci_high": 0.684}, ".2f"), written(1000, ","), written("a*b")
    ('0.64 (0.60 to 0.68)', '1,000', 'a\\\\*b')
    """
    if value is None or (isinstance(value, numbers.Real) and math.isnan(value)):
        raise ValueError("a sentence of the report would say 'nan': the value is missing")
    if isinstance(value, Mapping) and set(value) >= set(INTERVAL):
        return with_ends(value, lambda one: written(one, form))
    if isinstance(value, numbers.Number):
        return number(format(value, form))
    return escape(format(value, form) if form else str(value))


def count(n: int, noun: str = "", plural: str | None = None) -> str:
    """A small number in words, with its noun.

    >>> count(1, "claim"), count(0, "claim"), count(14, "claim")
    ('one claim', 'no claims', '14 claims')
    """
    known = VOCABULARY["counts"]
    word = known[n] if 0 <= n < len(known) else str(n)
    named = noun if n == 1 else plural or f"{noun}s"
    return f"{word} {named}" if noun else word


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence with commas and a final *and*.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


class Estimate(UserString):
    """An estimate with its interval in words, and their ``numbers`` for the file of the table that holds it.

    No `str`, of which pandas would keep the characters alone.
    """

    __iter__: Any = None  # one value to pandas, no list of characters

    def __init__(self, words: str, numbers: Sequence[float | None] = ()) -> None:
        super().__init__(words)
        self.numbers = tuple(numbers)


def interval_text(found: Mapping[str, Any], form: str = ".3f") -> Estimate | None:
    """An estimate with its interval; None where it is not defined, without the interval where that is not.

    >>> interval_text({"value": 0.5, "ci_low": -0.1, "ci_high": 1.1}, ".1f")
    '0.5 (−0.1 to 1.1)'
    """
    if found["value"] is None or not math.isfinite(found["value"]):
        return None
    known = math.isfinite(found["ci_low"])

    def write(one: float) -> str:
        return number(format(one, form))

    words = with_ends(found, write) if known else write(found["value"])
    return Estimate(words, [found[key] if known or key == "value" else None for key in INTERVAL])


def cell(value: Any, form: str | Callable[[Any], str] | None = None) -> str:
    """Text of one table cell, by a format with one field such as ``"{:.3f}"`` or a function, if there is one.

    >>> [cell(1234), cell(-0.5), cell(True), cell(None), cell(0.25, "{:.0%}"), cell(pd.Timestamp("2026-05-31"))]
    ['1,234', '−0.500', 'yes', '–', '25%', '2026-05-31']
    """
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, Estimate):
        return str(value)
    if form is not None and not isinstance(value, str):
        return number(form(value) if callable(form) else form.format(value))
    if callable(form):
        return form(value)
    if isinstance(value, str):
        return number(value) if is_number(value) else value
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return number(f"{value:,}")
    if isinstance(value, numbers.Real):
        return number(f"{value:.3f}" if abs(float(value)) >= SMALL or value == 0 else f"{value:.1e}")
    return str(value).removesuffix(" 00:00:00")  # a day


def cells(values: Sequence[Any], form: str | Callable[[Any], str] | None = None) -> list[str]:
    """Text of a column's cells: a small number among others of three decimals has the decimals that show a digit of it.

    >>> cells([0.078, -0.00022, None]), cells([0.00022, 0.00003])
    (['0.078', '−0.0002', '–'], ['2.2e-04', '3.0e-05'])
    """
    whole = numbers.Integral
    sizes = [abs(float(v)) if isinstance(v, numbers.Real) and not isinstance(v, whole) else 0.0 for v in values]
    if form is not None or not any(SMALL <= size < math.inf for size in sizes):
        return [cell(value, form) for value in values]
    return [
        number(f"{value:.{-math.floor(math.log10(size))}f}") if SMALLEST <= size < SMALL else cell(value)
        for value, size in zip(values, sizes, strict=True)
    ]


def is_number(text: str) -> bool:
    """Tell whether a formatted cell reads as a number, perhaps with its interval or unit.

    >>> [is_number(t) for t in ("−0.64 (−0.60 to 0.68)", "25%", "–", "Phase I", "1e3 mg daily and more")]
    [True, True, True, False, False]
    """
    return text == MISSING or NUMBER.fullmatch(text) is not None


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


@functools.lru_cache(maxsize=4)
def _captions(captions: str) -> dict[str, dict[str, Any]]:
    return yaml.load(captions, Loader) or {}


def captions(id: str) -> dict[str, Any]:
    """What ``notebooks/captions`` has for a figure or table: caption, alt, notes, labels; empty if there is nothing."""
    files = (path.read_text(encoding="utf-8") for path in project.notebooks().glob("captions/*.yaml"))
    return next((_captions(file)[id] for file in files if f"\n{id}:" in f"\n{file}"), {})


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
