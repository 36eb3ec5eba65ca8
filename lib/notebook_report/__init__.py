"""Numbered notebooks run in order, cached, and bound into one checked HTML report; knows nothing of what they study.

`command` runs them, `display` shows results in them, `book` builds the report, `checks` examines it. A project says
what it is with `project.use`. What chapters call stands here and is loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notebook_report.display import callout, capture, figure, finding, ledger, say, table

SHOWN = ("callout", "capture", "figure", "finding", "ledger", "say", "table")


def __getattr__(name: str) -> Any:
    if name not in SHOWN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module("notebook_report.display"), name)
    return value
