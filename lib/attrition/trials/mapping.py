"""The mapping: what a reader decides about a trial, in TOML or YAML; one format for flat tables and CDISC folders.

A flat table needs ``[columns]``, which column is what, and a horizon; of a folder every section may be left out. Every
key is known: another one is refused with the key that was probably meant, and all that is wrong is said at once.
"""

import contextlib
import dataclasses
import datetime
import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from attrition import settings
from attrition.cdisc.trial import KINDS, Definitions
from attrition.contract.strict import plain, tidied
from attrition.settings import Keys, Kind, Number, problems, shape, whole
from notebook_report import errors

ENDINGS = (".toml", ".yaml", ".yml")
LONGEST_STUDY = 36_500
ACROSS: dict[str, Any] = settings.declared(__file__, "across.yaml")
RENAMED, RESERVED = ACROSS["renamed"], frozenset(ACROSS["reserved"])
DAY = whole(1, LONGEST_STUDY)
TEXTS = Kind("a list of texts", lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value))
GROUPS = Kind("lists of texts", lambda value: isinstance(value, dict) and all(map(TEXTS.holds, value.values())))
RECORDS = tuple(kind for kind in KINDS if kind != "end of exposure")
"""Kinds that a long table may hold: an end of exposure is known in hindsight only."""
SHARE = Number(0, 0.99)


def as_date(value: Any) -> datetime.date | None:
    """A calendar day, as TOML and YAML have it or as text of ISO 8601; None for what is none.

    >>> as_date("2013-06-01") == datetime.date(2013, 6, 1)
    True
    """
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        with contextlib.suppress(ValueError):
            return datetime.date.fromisoformat(value)
    return value if type(value) is datetime.date else None


def _pairs(value: Any) -> bool:
    """Whether a planned curve is a list of [day, share] that rises in both."""
    sound = isinstance(value, list) and all(isinstance(item, list) and len(item) == 2 for item in value)
    if not sound or any([*problems(day, DAY, ""), *problems(share, SHARE, "")] for day, share in value):
        return False
    return bool(value) and all(a[0] < b[0] and a[1] <= b[1] for a, b in itertools.pairwise(value))


DATE = Kind("a date, YYYY-MM-DD", as_date)
DROPOUT = Kind(
    "a share from 0 to 0.99, or a list of [day, share] that rises",
    lambda value: _pairs(value) if isinstance(value, list) else not [*problems(value, SHARE, "")],
)
PAIR = Kind(
    "two shares, [of the reference arm, of the other]",
    lambda value: isinstance(value, list) and len(value) == 2 and not [*problems(value, [Number(0, 1)], "")],
)
POSITIVE = Kind("a number above 0", lambda value: not [*problems(value, Number(0), "")] and value > 0)
MOMENTS = ("collected", "next visit", "onset")
"""When an adverse event counts as known: on its collection date (never without one), at the next visit, at once."""
WORDS = {"day": DAY, "texts": TEXTS, "groups": GROUPS, "record": RECORDS, "date": DATE, "dropout": DROPOUT}
WORDS |= {"pair": PAIR, "positive": POSITIVE, "moment": MOMENTS}
OF_TABLES = ("columns", "schedule", "events")
FIELDS = {each.name for each in dataclasses.fields(Definitions)} - {"name", "completed", "competing", "ongoing"}
"""Choices that a mapping states as `Definitions` have them."""
CELL = 4
SHAPE: Keys = shape(settings.declared(__file__, "mapping.yaml"), WORDS)
TEMPLATE = Path(__file__).with_name("template.toml").read_text(encoding="utf-8")
"""An annotated mapping with every key."""


class MappingError(errors.Refusal, ValueError):
    """A mapping, or the way it is used, says something that cannot be meant; the message lists all of it."""

    exit_code = errors.CONTRACT


class NoMappingError(MappingError):
    """There is no mapping at the place that was named."""

    exit_code = errors.USAGE


class TableMapping(SimpleNamespace):
    """What a mapping says by the keys of `SHAPE`, without sections: None, or an empty tuple, where it says nothing.

    `path` is its file, `sections` those that it has; `events` is a mapping of the same kind, of the long table; `plan`
    holds that section as it is; `RENAMED` has the attributes that have another name than their key.
    """


def composed(text: str) -> str:
    r"""A text in composed form (NFC), without invisible characters; blanks around it stay.

    >>> composed(" e\u0301\u200b ") == " \u00e9 "
    True
    """
    core = text.strip()
    return text.replace(core, tidied(core)) if core and not text.isascii() else text


def _tidy(value: Any) -> Any:
    """What a mapping holds with every text composed, as the cells that it names are."""
    if isinstance(value, dict):
        return {_tidy(key): _tidy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    return composed(value) if isinstance(value, str) else value


def slug(text: str) -> str:
    """A name for files.

    >>> slug("My Trial (2024)")
    'my-trial-2024'
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "trial"


def _group_problems(groups: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    where, forms = "[reasons.groups]", [plain(name).replace("_", " ") for name in groups]
    for name, form in zip(groups, forms, strict=True):
        own, taken = form == "competing", form in RESERVED or not form
        yield own, f"{where} competing events have a key of their own: [reasons] competing"
        yield taken and not own, f"{where} the name {name!r} is taken by the report; give the group another one"
        alike = forms.count(form) > 1 and not own and not taken
        yield alike, f"{where} the name {name!r} differs from another one only in case or spaces"


def _twice(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def _across(content: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Rules that join several keys: whether each is broken, and what it says."""
    sections = {name: content.get(name, {}) for name in SHAPE.optional}
    rules = ACROSS["rules"] | (ACROSS["of_table"] if "columns" in content else {})
    yield from ((not eval(holds, sections | {"content": content}), said) for said, holds in rules.items())
    others = ACROSS["of_folders"] if "columns" in content else {}
    for section, key in ((section, key) for section, keys in others.items() for key in keys):
        said = f"[{section}] {key} is about a folder of CDISC files; [columns] is about a table"
        yield key in sections[section], said
    baseline, reasons = sections["baseline"], sections["reasons"]
    groups = reasons.get("groups", {})
    lists = [reasons.get(key, ()) for key in ("completed", "ongoing", "competing")]
    for term in _twice([term for terms in (*lists, *groups.values()) for term in terms]):
        yield True, f"[reasons] the term {term!r} stands in two places"
    yield from _group_problems(groups)
    named = [name for key in ("numbers", "categories", "strata") for name in baseline.get(key, [])]
    for name in _twice([*content.get("columns", {}).values(), *named]):
        yield True, f"the column {name!r} has two roles"
    for name in baseline.get("known_on_day_1", ()):
        said = f"[baseline] known_on_day_1: {name!r} is no column of numbers, categories or strata"
        yield named and name not in named, said
    cells = [(key, cell) for key, each in content.get("disposition", {}).items() if type(each) is list for cell in each]
    for key, cell in cells:
        said = f"[disposition] {key}: {cell!r} must be a DSSCAT, or a cell DSCAT | DSSCAT | EPOCH | DSDECOD"
        yield "|" in cell and cell.count("|") != CELL - 1, said


def for_table(m: TableMapping) -> TableMapping:
    """The mapping, refused when it cannot be that of a flat table."""
    if "columns" not in m.sections:
        raise MappingError(f"{m.path.name}: [columns] is missing: it says which column of the table is what")
    return m


def for_folder(m: TableMapping) -> TableMapping:
    """The mapping, refused when it says what only a flat table needs."""
    if found := ", ".join(f"[{name}]" for name in OF_TABLES if name in m.sections):
        said = "about the columns of a flat table; a folder of CDISC files has its own"
        raise MappingError(f"{m.path.name}: {found}: {said}")
    return m


def chosen(m: TableMapping) -> dict[str, Any]:
    """What a mapping chooses, by the fields of `Definitions`; terms mean something else in a table than in a folder."""
    given = {name: value for name, value in vars(m).items() if name in FIELDS and value}
    return given | ({"data_cut": pd.Timestamp(m.data_cut)} if m.data_cut else {})


def over(base: Definitions, m: TableMapping) -> Definitions:
    """The definitions of a study with what a mapping of its folder says put over them.

    Terms extend those of CDISC: one that the mapping names leaves every other list in which it stood.
    """
    m, given = for_folder(m), chosen(m)
    terms = {key: _upper(getattr(m, key)) for key in ("completed", "competing", "ongoing")}
    groups = {term: group for group, names in m.groups.items() for term in _upper(names)}
    named = {*groups, *(term for names in terms.values() for term in names)}
    given |= {key: frozenset((getattr(base, key) - named) | {*terms[key]}) for key in ("completed", "ongoing")}
    competing = {term: name for term, name in base.competing.items() if term not in named}
    given["competing"] = competing | {term: base.competing.get(term, "competing") for term in terms["competing"]}
    given["reasons"] = {term: group for term, group in base.reasons.items() if term not in named} | groups
    given |= {"landmarks": m.landmarks} if m.landmarks or m.horizon or m.epochs else {}
    return dataclasses.replace(base, **given | ({"arms": ()} if m.reference else {}))


def _upper(names: Any) -> list[str]:
    return [str(name).strip().upper() for name in names]


def read(source: str | Path | Mapping[str, Any]) -> TableMapping:
    """Read a mapping: TOML or YAML, or what such a file holds; tables are looked for beside the file.

    Refused with everything that is wrong: unknown and missing keys, values of the wrong kind, keys that contradict.
    """
    if isinstance(source, Mapping):
        path, content = Path("the mapping"), dict(source)
    else:
        path = Path(source)
        content = _parsed(path)
    content = _tidy(content)
    found = [re.sub(r"^(\w+): ", r"[\1] ", told) for told in settings.problems(content, SHAPE, "")]
    if found := found or [said for broken, said in _across(content) if broken]:
        raise MappingError("\n  ".join([f"{path.name}: refused, {len(found)} problem(s)", *sorted(found)]))
    return _built(path, content)


def _parsed(path: Path) -> dict[str, Any]:
    if path.suffix.lower() not in ENDINGS:
        raise MappingError(f"{path.name}: a mapping ends in {', '.join(ENDINGS)}")
    if not path.exists():
        raise NoMappingError(f"{path.name}: there is no such mapping file")
    if not (content := settings.read(path, MappingError, settings.StrictLoader)):
        raise MappingError(f"{path.name}: the mapping is empty; ./run_all.sh --trial template writes an annotated one")
    return content


def _built(path: Path, content: dict[str, Any]) -> TableMapping:
    m = _part(SHAPE, content)
    m.path, m.sections, m.plan = path, frozenset(content), dict(content.get("plan", {}))
    m.horizon, m.data_cut = m.horizon or m.plan.get("horizon"), as_date(m.data_cut)
    m.landmarks, m.visits = tuple(sorted(set(m.landmarks))), tuple(m.visits or ())
    m.adverse_events_known = (m.adverse_events_known or "").replace(MOMENTS[0], "")
    m.categories = (*m.categories, *m.strata)
    m.missing = tuple(content.get("missing", [""]))
    m.groups = {name: tuple(terms) for name, terms in (m.groups or {}).items()}
    m.events = _part(SHAPE.optional["events"], content["events"]) if content.get("events") else None
    for part in filter(None, (m, m.events)):
        part.table = path.parent / part.table if part.table else None
    return m


def _part(keys: Keys, given: Mapping[str, Any], section: str = "") -> TableMapping:
    """Keys of a shape, those of its sections but `events` and `plan` among them, with what is given for them."""
    found: dict[str, Any] = {}
    for key, kind in {**keys.needed, **keys.optional}.items():
        if not isinstance(kind, Keys):
            value, name = given.get(key), RENAMED.get(section, {}).get(key, key)
            found[name] = tuple(value or ()) if kind is TEXTS or isinstance(kind, list) else value
        elif key not in ("events", "plan"):
            found |= vars(_part(kind, given.get(key, {}), key))
    return TableMapping(**found)
