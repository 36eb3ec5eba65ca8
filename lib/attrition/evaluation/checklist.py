"""TRIPOD+AI and PROBAST+AI: what each item asks for, and where the report shows it.

The items live in ``checklist.yaml``. Each links to figures, tables or chapters by id, and the build refuses an id that
no chapter shows; or it is *not done* and says why.
"""

from functools import cache
from typing import Any

import pandas as pd

from attrition import settings
from notebook_report.said import Said

NAMES = {"tripod_ai": "TRIPOD+AI", "probast_ai": "PROBAST+AI"}
STATES = ("shown", "partly", "not done")


@cache
def items(name: str) -> tuple[dict[str, Any], ...]:
    """Items of one checklist: ``item, topic, state`` with ``shows`` and ``anchors``, or ``reason`` when not done."""
    return tuple(settings.declared(__file__, "checklist.yaml")[name])


def markdown(name: str) -> Said:
    """A checklist as a Markdown table whose links the report fills in."""
    lines = ["| item | topic | what this report shows | where |", "|---|---|---|---|"]
    for entry in items(name):
        if entry["state"] == "not done":
            shown, where = f"**not done:** {entry['reason']}", "–"
        else:
            shown = ("*in part:* " if entry["state"] == "partly" else "") + entry["shows"]
            where = ", ".join(f"[](#{anchor})" for anchor in entry["anchors"])
        lines.append(f"| {entry['item']} | {entry['topic']} | {shown} | {where} |")
    return Said("\n".join(lines))


def counts() -> dict[str, dict[str, int]]:
    """Items of each checklist by state."""
    return {name: {state: sum(e["state"] == state for e in items(name)) for state in STATES} for name in NAMES}


def summary() -> pd.DataFrame:
    """`counts` as a table: ``checklist, items, shown, in_part, not_done``."""
    rows = [{"checklist": NAMES[name], "items": len(items(name)), **found} for name, found in counts().items()]
    return pd.DataFrame(rows).rename(columns={"not done": "not_done", "partly": "in_part"})
