"""What the committed report holds, by name: figures, tables, findings, result keys. Sizes and values do not matter.

``python -m tests.inventory`` takes the inventory anew; the difference in ``tests/golden/inventory.json`` then shows
what a change of the report adds and what it loses.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrition import paths

GOLDEN = Path(__file__).parent / "golden" / "inventory.json"
REPORT = paths.ROOT / "reports"
DRAWN = re.compile(r"-[a-z]?[0-9a-f]{10}$")
"""Ends of the ids that matplotlib gives pieces of a drawing, by their coordinates to the last bit."""
DEPTH = 3
"""Levels of a result that are named; below them keys follow from sizes."""


def _keys(value: Any, name: str = "", depth: int = DEPTH) -> Iterator[str]:
    if depth and isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _keys(item, f"{name}.{key}" if name else key, depth - 1)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for item in value:
            yield from _keys(item, f"{name}[]", depth)
    else:
        yield name


def take(report: Path = REPORT) -> dict[str, list[str]]:
    """Names of all that a folder with ``report.html``, ``results`` and ``tables`` holds, by kind."""
    html = (report / "report.html").read_text(encoding="utf-8")
    ids = re.findall(r'\bid="((?:fig|tbl|finding)-[\w-]+)"', html)
    found = {"ids": {id for id in ids if not DRAWN.search(id)}}
    found["files"] = {path.name for path in (report / "tables").iterdir()}
    for path in (report / "results").glob("*.json"):
        found[path.name] = set(_keys(json.loads(path.read_text(encoding="utf-8"))))
    return {kind: sorted(names) for kind, names in sorted(found.items())}


def missing(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """What is in `before` and not in `after`."""
    return [f"{kind}: {name}" for kind, names in before.items() for name in names if name not in after.get(kind, ())]


def known() -> dict[str, list[str]]:
    """The inventory as committed."""
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(take(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
