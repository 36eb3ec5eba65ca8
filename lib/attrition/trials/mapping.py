"""The mapping: which column of a flat table is what, in TOML or YAML.

Every key is known: another one is refused with the key that was probably meant, and all that is wrong is said at once.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrition import settings
from attrition.cdisc.trial import KINDS
from attrition.settings import Keys, Kind, shape, whole
from notebook_report import errors

ENDINGS = (".toml", ".yaml", ".yml")
LONGEST_STUDY = 36_500
RESERVED = frozenset(
    {"completed", "ongoing", "none", "primary", "censored", "all", "all cause", "at risk", "landmark", "risk", "step"}
    | {"n", "left", "arm", "patients", "still in", "patient days", "sum", "seen", "off treatment", "auroc", "skipped"}
)
"""Names that stand beside those of the reason groups in tables and results."""
INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
DAY = whole(1, LONGEST_STUDY)
TEXTS = Kind("a list of texts", lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value))
GROUPS = Kind("lists of texts", lambda value: isinstance(value, dict) and all(map(TEXTS.holds, value.values())))
RECORDS = tuple(kind for kind in KINDS if kind != "end of exposure")
"""Kinds that a long table may hold: an end of exposure is known in hindsight only."""
WORDS = {"day": DAY, "texts": TEXTS, "groups": GROUPS, "record": RECORDS}
SHAPE: Keys = shape(settings.read(Path(__file__).with_name("mapping.yaml"), ValueError), WORDS)
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

    `path` is its file; `events` is a mapping of the same kind, of the long table.
    """


def plain(text: str) -> str:
    r"""A text without case and needless spaces (also non-breaking and invisible ones): alike to a reader.

    >>> plain(" Adverse\u00a0 EVENT") == plain("adverse event")
    True
    """
    return " ".join(text.translate(INVISIBLE).split()).casefold()


def slug(text: str) -> str:
    """A name for files.

    >>> slug("My Trial (2024)")
    'my-trial-2024'
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "trial"


def _group_problems(groups: Mapping[str, Any]) -> Iterator[str]:
    where, forms = "[reasons.groups]", [plain(name).replace("_", " ") for name in groups]
    for name, form in zip(groups, forms, strict=True):
        if form == "competing":
            yield f"{where} competing events have a key of their own: [reasons] competing"
        elif form in RESERVED or not form:
            yield f"{where} the name {name!r} is taken by the report; give the group another one"
        elif forms.count(form) > 1:
            yield f"{where} the name {name!r} differs from another one only in case or spaces"


def _twice(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def _across(content: dict[str, Any]) -> Iterator[str]:
    """Rules that join several keys."""
    columns, design = content["columns"], content["design"]
    reasons, baseline, events = (content.get(name, {}) for name in ("reasons", "baseline", "events"))
    groups = reasons.get("groups", {})
    if ("reason" in columns) == ("event" in columns):
        yield "[columns] needs one of reason and event, not both"
    if "event" in columns and reasons:
        yield "[reasons] needs the column reason"
    if any(day >= design["horizon"] for day in design.get("landmarks", ())):
        yield "[design] landmarks must lie before the horizon"
    if reasons.keys() & {"ongoing", "competing", "groups"} and not reasons.get("completed"):
        yield "[reasons] completed is missing: without it every completion would count as leaving"
    lists = [reasons.get(key, ()) for key in ("completed", "ongoing", "competing")]
    for term in _twice([term for terms in (*lists, *groups.values()) for term in terms]):
        yield f"[reasons] the term {term!r} stands in two places"
    yield from _group_problems(groups)
    for name in _twice([*columns.values(), *baseline.get("numbers", ()), *baseline.get("categories", ())]):
        yield f"the column {name!r} has two roles"
    if events and ("kind" in events) == ("all_are" in events):
        yield "[events] needs one of kind and all_are, not both"


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
    if isinstance(source, Mapping):
        path, content = Path("the mapping"), dict(source)
    else:
        path = Path(source)
        content = _parsed(path)
    found = [re.sub(r"^(\w+): ", r"[\1] ", told) for told in settings.problems(content, SHAPE, "")]
    found = found or list(_across(content))
    if found:
        raise MappingError("\n  ".join([f"{path.name}: refused, {len(found)} problem(s)", *sorted(found)]))
    return _built(path, content)


def _parsed(path: Path) -> dict[str, Any]:
    if path.suffix.lower() not in ENDINGS:
        raise MappingError(f"{path.name}: a mapping ends in {', '.join(ENDINGS)}")
    if not path.exists():
        raise NoMappingError(f"{path.name}: there is no such mapping file")
    content = settings.read(path, MappingError, settings.StrictLoader)
    if not content:
        raise MappingError(f"{path.name}: the mapping is empty; ./run_all.sh --trial template writes an annotated one")
    return content


def _built(path: Path, content: dict[str, Any]) -> TableMapping:
    m = _part(SHAPE, content)
    m.path, m.landmarks = path, tuple(sorted(set(m.landmarks)))
    m.missing = tuple(content.get("missing", [""]))
    m.groups = {name: tuple(terms) for name, terms in (m.groups or {}).items()}
    m.events = _part(SHAPE.optional["events"], content["events"]) if content.get("events") else None
    for part in filter(None, (m, m.events)):
        part.table = path.parent / part.table if part.table else None
    return m


def _part(keys: Keys, given: Mapping[str, Any]) -> TableMapping:
    """Keys of a shape, those of its sections but `events` among them, with what is given for them."""
    found: dict[str, Any] = {}
    for key, kind in {**keys.needed, **keys.optional}.items():
        if not isinstance(kind, Keys):
            value = given.get(key)
            found[key] = tuple(value or ()) if kind is TEXTS or isinstance(kind, list) else value
        elif key != "events":
            found |= vars(_part(kind, given.get(key, {})))
    return TableMapping(**found)
