"""What chapters show, and the book made of it: `display` shows results, `book` builds the report, `checks` examines it.

What chapters call is loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrition.report.display import callout, capture, figure, finding, findings, ledger, prose, say, table
    from attrition.text import fill

SHOWN = ("callout", "capture", "figure", "fill", "finding", "findings", "ledger", "prose", "say", "table")


def __getattr__(name: str) -> Any:
    if name not in SHOWN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module("attrition.report.display"), name)
    return value
