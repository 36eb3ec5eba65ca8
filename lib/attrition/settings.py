"""One validator for every file of settings: ``params.yaml``, ``claims.yaml``, the mapping of a table.

A *shape* says what a value may be: a `Kind` (words, and a test), a tuple (one of its items), a list (one or more of its
item), a mapping with `ANY` (names of one's own), `Rising` or `Keys`. `problems` holds a value against a shape and says
all that is wrong: where, which key, what is allowed, what was probably meant.
"""

import ast
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from notebook_report import errors

ANY = "any name"
NAMES = {list: "list", dict: "mapping"}
DEEPEST, STEPS = 20, {"[": 1, "{": 1, "]": -1, "}": -1}
NESTED = f"nested more than {DEEPEST} levels deep"
OTHER_BASE = re.compile(r"[-+]?(0[0-9_]+|0[box][0-9A-Fa-f_]+|[0-9][0-9_]*(:[0-9.]+)+)", re.ASCII)
OF_TOML = re.compile(r"^[^#\"'\n]*[=,\[][ \t]*[-+]?(0[box][0-9A-Fa-f_]+)", re.MULTILINE)


class _OnceOnly:
    """A key that stands twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Refuse a second key of the same name, which YAML would let win unseen."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value != "<<" and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)  # type: ignore[misc]

    def construct_yaml_number(self, node: Any) -> Any:
        """Refuse what YAML 1.1 would take for another number than it looks like."""
        if OTHER_BASE.fullmatch(node.value):
            said = f"{node.value} would be read in another base than ten; write it out, or put it in quotes"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark)
        return getattr(self, f"construct_yaml_{node.tag.rpartition(':')[2]}")(node)


class Loader(_OnceOnly, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML for the project's own files, in C where that is there: six times as fast."""


class StrictLoader(_OnceOnly, yaml.SafeLoader):
    """Safe YAML for a reader's files, without aliases and deep nesting: the loader in C lets both pass, and marks."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse what makes much of a small file, or refers to another place of it."""
        event, said = self.peek_event(), ""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            said = "anchors (&) and aliases (*) are not read; write the value out, or put it in quotes"
        elif self.depth >= DEEPEST:
            said = NESTED
        if said:
            raise yaml.composer.ComposerError(None, None, said, event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


for _loader in (Loader, StrictLoader):
    for _kind in ("int", "float"):
        _loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _loader.construct_yaml_number)


def read(path: Path, refusal: type[Exception], loader: Any = Loader) -> dict[str, Any]:
    """Content of a TOML or YAML file whose top level has keys; a `refusal` says what is wrong, and in which line."""
    if why := errors.endless(path):
        raise refusal(f"{path.name}: {why}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        is_toml = path.suffix.lower() == ".toml"
        wrong = _unlike_toml(text) if is_toml else ""
        content = (tomllib.loads(text) if is_toml else yaml.load(text, loader)) if not wrong else {}
    except tomllib.TOMLDecodeError as error:
        raise refusal(f"{path.name}: no valid TOML: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise refusal(f"{path.name}{line}: {error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise refusal(f"{path.name}: cannot be read; it must be YAML or TOML in UTF-8") from None
    except (ValueError, RecursionError) as error:  # a date or number that is none, or nesting beyond all measure
        why = NESTED if isinstance(error, RecursionError) else "a date or a number that cannot be one"
        raise refusal(f"{path.name}: {why}") from None
    if wrong:
        raise refusal(f"{path.name}{wrong}")
    if not isinstance(content or {}, dict):
        raise refusal(f"{path.name}: the top level must be keys with values")
    return content or {}


def declared(module: str, name: str) -> dict[str, Any]:
    """Content of a file of the project's own that lies beside a module, by the module's ``__file__``."""
    return read(Path(module).with_name(name), ValueError)


def _unlike_toml(text: str) -> str:
    """What TOML may hold and no reader expects, with its line: deep nesting, and numbers to another base than ten."""
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|#.*", "", line)
        depths = list(accumulate((STEPS.get(letter, 0) for letter in bare), initial=depth))
        depth = max(0, depths[-1])
        if max(depths) > DEEPEST or bare.count(".") > 5 * DEEPEST:
            return f", line {number}: {NESTED}"
        if found := OF_TOML.match(bare):
            return f", line {number}: {found[1]} is to another base than ten; write it out"
    return ""


@dataclass(frozen=True)
class Kind:
    """What a single value must be, in words, and the test of it."""

    words: str
    holds: Callable[[Any], Any]

    def problems(self, value: Any, where: str, key: str) -> Iterator[str]:
        """What is wrong with a value, in at most one sentence."""
        if not self.holds(value):
            quotes = " (put it in quotes)" if self is TEXT and not isinstance(value, str) else ""
            yield f"{where}{key} must be {self.words}{quotes}, found {value!r}"


@dataclass(frozen=True)
class Number:
    """A number within a range; both ends belong to it."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False

    def problems(self, value: Any, where: str, key: str) -> Iterator[str]:
        """What is wrong with a value, in at most one sentence."""
        kind = (int,) if self.whole else (int, float)
        sound = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
        if not sound or not self.low <= value <= self.high:
            ends = f" from {self.low:,} to {self.high:,}" if math.isfinite(self.high) else ""
            yield f"{where}{key} must be a {'whole ' * self.whole}number{ends}, found {value!r}"


def whole(low: float, high: float) -> Number:
    """A whole number within a range."""
    return Number(low, high, whole=True)


TEXT = Kind("text", lambda value: isinstance(value, str) and value.strip())


@dataclass(frozen=True)
class Rising:
    """A list of numbers, each larger than the one before it."""

    item: Number

    def problems(self, value: Any, where: str, key: str) -> Iterator[str]:
        """What is wrong with its numbers, or else with their order."""
        found = list(problems(value, [self.item], where, key))
        yield from found
        if not found and value != sorted(set(value)):
            yield f"{where}{key}: each number must be larger than the one before it, found {value}"


@dataclass(frozen=True)
class Keys:
    """Named values: those that must be there, and those that may be."""

    needed: Mapping[str, Any]
    optional: Mapping[str, Any] = field(default_factory=dict)


def shape(written: Any, words: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """A shape as a YAML file writes it: ``text``, ``whole 1 9``, ``rising number 0 1``, ``a|b``, or one of `words`.

    ``[x]`` is a list of x, ``{any name: x}`` a mapping; other mappings have keys of which ``key?`` may be left out.

    >>> shape({"seed": "whole 0 99", "better?": "higher|lower"}).optional
    {'better': ('higher', 'lower')}
    """
    if isinstance(written, list):
        return [shape(written[0], words)]
    if isinstance(written, dict):
        parts = {key: shape(part, words) for key, part in written.items()}
        needed = {key: part for key, part in parts.items() if not key.endswith("?")}
        return parts if ANY in parts else Keys(needed, {key[:-1]: parts[key] for key in parts if key not in needed})
    known = words.get(written, written)
    if not isinstance(known, str):
        return known
    kind, _, rest = known.partition(" ")
    if kind == "rising":
        return Rising(shape(rest, words))
    if kind in ("whole", "number"):
        ends = dict(zip(("low", "high"), map(ast.literal_eval, rest.split()), strict=False))
        return Number(**ends, whole=kind == "whole")
    return TEXT if kind == "text" else tuple(kind.split("|"))


def unknown(keys: Iterable[Any], known: Iterable[str], where: str, what: str = "key") -> Iterator[str]:
    """A sentence for each key that is not known, with the one that was probably meant."""
    known = list(known)
    return (f"{where}unknown {what} {k!r}{errors.closest(str(k), known)}" for k in keys if k not in known)


def problems(value: Any, shape: Any, where: str, key: str = "") -> Iterator[str]:
    """All that is wrong with a value, a sentence each.

    Parameters
    ----------
    value : object
    shape : Kind, Number, Rising, Keys, tuple, list or mapping
        See the docstring of this module.
    where : str
        What sentences begin with.
    key : str
        What they call the value.

    Examples
    --------
    >>> shape = Keys({"seed": whole(0, 99)}, {"better": ("higher", "lower")})
    >>> list(problems({"seed": 100, "beter": "higher"}, shape, "params.yaml: "))
    ["params.yaml: unknown key 'beter'; did you mean 'better'?", \
'params.yaml: seed must be a whole number from 0 to 99, found 100']
    """
    if isinstance(shape, Keys):
        yield from _keys(value, shape, f"{where}{key}: " if key else where)
    elif isinstance(shape, tuple):
        yield from unknown([value], shape, where, key)
    elif isinstance(shape, dict):
        yield from _each(value, dict, shape[ANY], where, key)
    elif isinstance(shape, list):
        yield from _each(value, list, shape[0], where, key)
    else:
        yield from shape.problems(value, where, key)


def _each(value: Any, kind: Any, shape: Any, where: str, key: str) -> Iterator[str]:
    if not isinstance(value, kind) or not value:
        yield f"{where}{key} must be a {NAMES[kind]} that is not empty, found {value!r}"
        return
    for name, item in value.items() if isinstance(value, dict) else enumerate(value, 1):
        yield from problems(item, shape, where, f"{key} {name}")


def _nothing(value: Any, shape: Any) -> bool:
    return value in (None, "", []) or (value == {} and not isinstance(shape, Keys))


def _keys(value: Any, shape: Keys, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}must be keys with values, found {value!r}"
        return
    shapes = {**shape.needed, **shape.optional}
    missing = [key for key, kind in shape.needed.items() if _nothing(value.get(key), kind)]
    yield from unknown(value, shapes, where)
    yield from (f"{where}{key!r} is missing" for key in missing)
    for key in value:
        if key in shapes and key not in missing:
            yield from problems(value[key], shapes[key], where, key)


def refuse(found: Iterable[str], refusal: type[Exception]) -> None:
    """Raise a refusal with all sentences, a line each, if there is one."""
    if told := list(found):
        raise refusal("\n".join(told))
