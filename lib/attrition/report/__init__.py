"""The report: what chapters show, and the book made of it.

Chapters use the helpers named here; `attrition.report.book` builds the report, `attrition.report.checks`
examines it. Everything is loaded on first use; inside a notebook the figure style is applied at import.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrition.report.display import callout, capture, figure, finding, findings, ledger, prose, table
    from attrition.report.text import fill

_HOME = {
    "callout": "display",
    "capture": "display",
    "figure": "display",
    "fill": "text",
    "finding": "display",
    "findings": "display",
    "ledger": "display",
    "prose": "display",
    "table": "display",
}
__all__ = ["callout", "capture", "figure", "fill", "finding", "findings", "ledger", "prose", "table"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"attrition.report.{_HOME[name]}"), name)
    globals()[name] = value
    return value


if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
    import_module("attrition.report.display")
