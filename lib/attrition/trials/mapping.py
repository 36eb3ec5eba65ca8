"""The mapping: which column of a flat table is what, in TOML or YAML.

Every key is known: another one is refused with the key that was probably meant, and all that is wrong is said at once.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from attrition import errors
from attrition.cdisc import KINDS
from attrition.params import StrictLoader

ENDINGS = (".toml", ".yaml", ".yml")
LONGEST_STUDY = 36_500
RESERVED = frozenset(
    {"completed", "ongoing", "none", "primary", "censored", "all", "all cause", "at risk", "landmark", "risk", "step"}
    | {"n", "left", "arm", "patients", "still in", "patient days", "sum", "seen", "off treatment", "auroc", "skipped"}
)
"""Names that stand beside those of the reason groups in tables and results."""
INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
TEXT, TEXTS, DAY, DAYS, GROUPS = "text", "a list of texts", "a whole day from 1 on", "a list of days", "lists of texts"
SCHEMA: dict[str, dict[str, str]] = {
    "": {"name": TEXT, "title": TEXT, "table": TEXT, "missing": TEXTS},
    "columns": {"id": TEXT, "event_day": TEXT, "reason": TEXT, "event": TEXT, "arm": TEXT, "site": TEXT},
    "design": {"horizon": DAY, "landmarks": DAYS, "reference_arm": TEXT},
    "baseline": {"numbers": TEXTS, "categories": TEXTS},
    "reasons": {"completed": TEXTS, "ongoing": TEXTS, "competing": TEXTS, "groups": GROUPS},
    "events": {
        "table": TEXT, "id": TEXT, "day": TEXT, "known_day": TEXT,
        "kind": TEXT, "all_are": TEXT, "name": TEXT, "value": TEXT, "detail": TEXT,
    },
}  # fmt: skip
RECORDS = tuple(kind for kind in KINDS if kind != "end of exposure")
"""Kinds that a long table may hold: an end of exposure is known in hindsight only."""
NEEDED = {"columns": ("id", "event_day"), "design": ("horizon",), "events": ("table", "id", "day")}

TEMPLATE = """\
# Mapping of one flat table, one row a patient (CSV in UTF-8 with commas, or parquet).
# Only the columns named here are read: names, birth dates and free text stay where they are.
# Days are study days: day 1 is the first day. Run it with:
#   ./run_all.sh --trial patients.csv --mapping trial-mapping.toml

name = "my-trial"                # the report goes to reports/trial-my-trial/
title = "My trial"
table = "patients.csv"           # beside this file; not needed when --trial names the table
missing = [""]                   # cells that mean "missing"; an arm called "NA" stays an arm unless listed

[columns]
id = "patient_id"                # text: 007 stays 007
event_day = "last_day"           # day of leaving, of completion, or of last contact
reason = "reason"                # why the patient left, a coded term; an empty cell: still in the trial
# event = "dropout"              # instead of reason: 1 left, 0 did not
arm = "arm"                      # leave out for a trial with one arm
site = "site"                    # leave out where it is not known

[design]
horizon = 168                    # leaving up to this day counts; most who complete must be seen through it
landmarks = [28, 56, 84]         # days on which a prediction is made; default: 1/6, 1/3 and 1/2 of the horizon
reference_arm = "Placebo"        # default: the arm called placebo or control, else the largest

[baseline]                       # known on day 1, before anything happened
numbers = ["age"]
categories = ["sex"]

[reasons]                        # with a reason column; any other term counts as leaving, group "other"
completed = ["completed"]        # no leaving at all
ongoing = []                     # no leaving yet: follow-up ends on that day
competing = ["death"]            # leaving that is not the primary event

[reasons.groups]                 # name of a group, and the terms in it
"adverse event" = ["adverse event"]
"withdrawal by subject" = ["withdrawal by subject"]

# [events]                       # optional: a long table, one row a dated record
# table = "events.csv"
# id = "patient_id"
# day = "day"                    # onset or measurement
# known_day = "reported_day"     # day on which it was recorded; an adverse event without one is never used
# kind = "kind"                  # "adverse event", "visit", "vital sign", "lab" or "questionnaire"
# all_are = "visit"              # instead of kind: all rows are of one kind
# name = "term"                  # coded term, visit, test
# value = "value"                # number, for measurements
# detail = "detail"              # body system of an adverse event; LOW, NORMAL or HIGH of a lab
"""


class MappingError(errors.Refusal, ValueError):
    """A mapping, or the way it is used, says something that cannot be meant; the message lists all of it."""

    exit_code = errors.CONTRACT


class NoMappingError(MappingError):
    """There is no mapping at the place that was named."""

    exit_code = errors.USAGE


@dataclass(frozen=True)
class EventsTable:
    """Columns of the long table of dated records; see `TEMPLATE`."""

    table: Path
    id: str
    day: str
    known_day: str | None = None
    kind: str | None = None
    all_are: str | None = None
    name: str | None = None
    value: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class TableMapping:
    """What a mapping says.

    Attributes
    ----------
    path : pathlib.Path
        The file it was read from.
    id, event_day, reason, event, arm, site : str or None
        Columns of the table; one of `reason` and `event`.
    horizon : int
    landmarks : tuple of int
        Empty: left to the default.
    groups : mapping of str to tuple of str
        Reason group to terms.
    numbers, categories : tuple of str
        Baseline columns.
    events : EventsTable or None
    """

    path: Path
    id: str
    event_day: str
    horizon: int
    name: str | None = None
    title: str | None = None
    table: Path | None = None
    missing: tuple[str, ...] = ("",)
    reason: str | None = None
    event: str | None = None
    arm: str | None = None
    site: str | None = None
    landmarks: tuple[int, ...] = ()
    reference_arm: str | None = None
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    ongoing: tuple[str, ...] = ()
    competing: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    events: EventsTable | None = None


def plain(text: str) -> str:
    r"""A text without case and needless spaces (also non-breaking and invisible ones): alike to a reader.

    Examples
    --------
    >>> plain(" Adverse\u00a0 EVENT") == plain("adverse event")
    True
    """
    return " ".join(text.translate(INVISIBLE).split()).casefold()


def slug(text: str) -> str:
    """A name for files.

    Examples
    --------
    >>> slug("My Trial (2024)")
    'my-trial-2024'
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "trial"


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text) if path.suffix.lower() == ".toml" else yaml.load(text, StrictLoader)
    except FileNotFoundError:
        raise NoMappingError(f"{path.name}: there is no such mapping file") from None
    except (OSError, UnicodeDecodeError):
        raise MappingError(f"{path.name}: the mapping cannot be read; it must be a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{path.name}: no valid TOML: {error}") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        raise MappingError(f"{path.name}: no valid YAML{'' if line is None else f' (line {line + 1})'}") from None


def _is_day(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LONGEST_STUDY


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


FITS = {
    TEXT: lambda value: isinstance(value, str) and value.strip() != "",
    TEXTS: _is_texts,
    DAY: _is_day,
    DAYS: lambda value: isinstance(value, list) and len(value) > 0 and all(map(_is_day, value)),
    GROUPS: lambda value: isinstance(value, dict) and all(map(_is_texts, value.values())),
}


def _section_problems(name: str, values: Any) -> list[str]:
    where = f"[{name}] " if name else ""
    if not isinstance(values, dict):
        return [f"{where}must be a section with keys"]
    known = SCHEMA[name]
    problems = []
    for key, value in values.items():
        if key not in known:
            problems.append(f"{where}unknown key {key!r}{errors.closest(str(key), known)}")
        elif not FITS[known[key]](value):
            quoted = " (put it in quotes)" if known[key] in (TEXT, TEXTS) and not isinstance(value, str) else ""
            problems.append(f"{where}{key} must be {known[key]}{quoted}")
    return problems + [f"{where}{key} is missing" for key in NEEDED.get(name, ()) if key not in values]


def _sections(content: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    top = {key: value for key, value in content.items() if key in SCHEMA[""]}
    known = [*SCHEMA[""], *(name for name in SCHEMA if name)]
    problems = [f"unknown key {key!r}{errors.closest(str(key), known)}" for key in content if key not in known]
    found = {"": top} | {name: content.get(name, {}) for name in SCHEMA if name and (name in content or name in NEEDED)}
    if "events" not in content:
        found.pop("events", None)
    for name, values in found.items():
        problems += _section_problems(name, values)
    return found, problems


def _group_problems(groups: Mapping[str, Any]) -> list[str]:
    where, forms = "[reasons.groups]", [plain(name).replace("_", " ") for name in groups]
    problems = []
    for name, form in zip(groups, forms, strict=True):
        if form == "competing":
            problems.append(f"{where} competing events have a key of their own: [reasons] competing")
        elif form in RESERVED or not form:
            problems.append(f"{where} the name {name!r} is taken by the report; give the group another one")
        elif forms.count(form) > 1:
            problems.append(f"{where} the name {name!r} differs from another one only in case or spaces")
    return problems


def _across(found: dict[str, dict[str, Any]]) -> list[str]:
    """Rules that join several keys."""
    columns, design, reasons = (found.get(name, {}) for name in ("columns", "design", "reasons"))
    problems = []
    if ("reason" in columns) == ("event" in columns):
        problems.append("[columns] needs one of reason and event, not both")
    if "event" in columns and reasons:
        problems.append("[reasons] needs the column reason")
    if any(day >= design["horizon"] for day in design.get("landmarks", ())):
        problems.append("[design] landmarks must lie before the horizon")
    if reasons.keys() & {"ongoing", "competing", "groups"} and not reasons.get("completed"):
        problems.append("[reasons] completed is missing: without it every completion would count as leaving")
    terms = [*reasons.get("completed", ()), *reasons.get("ongoing", ()), *reasons.get("competing", ())]
    terms += [term for group in reasons.get("groups", {}).values() for term in group]
    problems += [
        f"[reasons] the term {term!r} stands in two places" for term in {t for t in terms if terms.count(t) > 1}
    ]
    problems += _group_problems(reasons.get("groups", {}))
    used = [*(columns.get(key) for key in columns), *found.get("baseline", {}).get("numbers", ())]
    used += found.get("baseline", {}).get("categories", ())
    problems += [f"the column {name!r} has two roles" for name in {u for u in used if used.count(u) > 1}]
    events = found.get("events", {})
    if events and ("kind" in events) == ("all_are" in events):
        problems.append("[events] needs one of kind and all_are, not both")
    if events.get("all_are", RECORDS[0]) not in RECORDS:
        problems.append(f"[events] all_are must be one of {', '.join(RECORDS)}")
    return problems


def read(source: str | Path | Mapping[str, Any]) -> TableMapping:
    """Read a mapping.

    Parameters
    ----------
    source : str or pathlib.Path or mapping
        TOML or YAML, or what such a file holds. Tables are looked for beside the file, else in the working directory.

    Returns
    -------
    TableMapping

    Raises
    ------
    MappingError
        With everything that is wrong: unknown and missing keys, values of the wrong kind, keys that contradict.
    """
    path = Path("the mapping") if isinstance(source, Mapping) else Path(source)
    if not isinstance(source, Mapping) and path.suffix.lower() not in ENDINGS:
        raise MappingError(f"{path.name}: a mapping ends in {', '.join(ENDINGS)}")
    content = dict(source) if isinstance(source, Mapping) else _parsed(path)
    if not isinstance(content, dict):
        raise MappingError(f"{path.name}: the mapping is empty; ./run_all.sh --trial template writes an annotated one")
    found, problems = _sections(content)
    problems = problems or _across(found)
    if problems:
        raise MappingError("\n  ".join([f"{path.name}: refused, {len(problems)} problem(s)", *sorted(problems)]))
    return _built(path, found)


def _built(path: Path, found: dict[str, dict[str, Any]]) -> TableMapping:
    reasons = dict(found.get("reasons", {}))
    groups = {name: tuple(terms) for name, terms in reasons.pop("groups", {}).items()}
    merged = {**found[""], **found["columns"], **found["design"], **found.get("baseline", {}), **reasons}
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in merged.items()}
    given["landmarks"] = tuple(sorted(set(given.get("landmarks", ()))))
    if "table" in given:
        given["table"] = path.parent / given["table"]
    events = found.get("events")
    long = EventsTable(**{**events, "table": path.parent / events["table"]}) if events else None
    return TableMapping(path=path, **given, groups=groups, events=long)
