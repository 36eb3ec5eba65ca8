"""The report: what chapters show, and the book made of it.

Chapters use the helpers named here; `attrition.report.book` builds the report, `attrition.report.checks`
examines it. Everything is loaded on first use; inside a notebook the figure style is applied at import.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrition.report.display import callout, capture, figure, finding, findings, ledger, prose, say, table
    from attrition.text import fill

_HOME = {
    "callout": "attrition.report.display",
    "capture": "attrition.report.display",
    "figure": "attrition.report.display",
    "fill": "attrition.text",
    "finding": "attrition.report.display",
    "findings": "attrition.report.display",
    "ledger": "attrition.report.display",
    "prose": "attrition.report.display",
    "say": "attrition.report.display",
    "table": "attrition.report.display",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
    import_module("attrition.report.display")
