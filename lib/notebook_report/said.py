"""Sentences whose words turn with the numbers: Jinja templates, in the notebook or in ``notebooks/words``.

A template file holds one block a sentence, ``{% block honest %} ... {% endblock %}``; block names are unique over the
book. Text from data is escaped, a missing number is refused, and a number needs a filter that says how it is written.
"""

import functools
import numbers
import re
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from notebook_report import project, text


class Said(str):
    """Markdown that is ready: results are filled in and text from data is escaped."""

    __slots__ = ()


def _formatted(form: str) -> Any:
    return lambda value: Said(text.written(value, form))


def _listed(parts: Any) -> Said:
    return Said(text.listed([part if isinstance(part, Said) else text.escape(str(part)) for part in parts]))


# How a value is written: ``{{ auroc | f3 }}`` also takes an interval and gives *value (low to high)*
FILTERS = {
    **{f"f{n}": _formatted(f".{n}f") for n in range(5)},
    **{f"signed{n}": _formatted(f"+.{n}f") for n in range(5)},
    **{f"percent{n}": _formatted(f".{n}%") for n in range(3)},
    "whole": _formatted(","),
    "digits": lambda value, n: _formatted(f".{max(int(n), 0)}f")(value),
    "form": lambda value, form: _formatted(form)(value),
    "count": lambda n, noun="", plural=None: Said(text.count(int(n), noun, plural)),
    "days": lambda days: _listed([f"day {day}" for day in days]),
    "listed": _listed,
    "markdown": Said,
}


def _final(value: Any) -> Any:
    if isinstance(value, Said | jinja2.Undefined):
        return value
    if isinstance(value, numbers.Number) and not isinstance(value, bool | numbers.Integral):
        raise ValueError("a sentence names a number without saying how it is written; see `notebook_report.said`")
    return text.written(value)


@jinja2.pass_context
def _within(context: jinja2.runtime.Context, template: str, facts: Mapping[str, Any] | None = None) -> Any:
    """Another sentence inside this one: ``{{ said("usable") }}``, with this one's values and further ones."""
    return said(template, context.get_all() | dict(facts or {}))


ENVIRONMENT = SandboxedEnvironment(undefined=jinja2.StrictUndefined, finalize=_final, trim_blocks=True)
ENVIRONMENT.filters.update(FILTERS)
ENVIRONMENT.globals["said"] = _within


@functools.lru_cache(maxsize=64)
def _parsed(source: str) -> jinja2.Template:
    return ENVIRONMENT.from_string(source)


def said(template: str, values: Mapping[str, Any]) -> Said:
    """Fill a template, or the block of that name in ``notebooks/words``; line breaks are blanks, but before ``- ``.

    >>> said("{% if gain > 0 %}Better by {{ gain | f2 }}{% else %}No better{% endif %}.", {"gain": 0.25})
    'Better by 0.25.'
    """
    values = {name: value for name, value in values.items() if name != "said"}
    if not template.replace("_", "").isalnum():
        return _one_line(_parsed(template).render(values))
    for path in sorted(project.notebooks().glob("words/*.md")):
        found = _parsed(path.read_text(encoding="utf-8"))
        if template in found.blocks:
            return _one_line("".join(found.blocks[template](found.new_context(values))))
    raise ValueError(f"no file in notebooks/words has a sentence {template!r}")


def _one_line(rendered: str) -> Said:
    """Paragraphs, and the points of a list, each on one line."""
    parts = re.split(r"(\n\n|\n(?=- ))", rendered.strip())
    return Said("".join(part if place % 2 else " ".join(part.split()) for place, part in enumerate(parts)))
