"""Do two runs agree? ``python -m notebook_report.compare OLD NEW`` holds one folder of results against another.

On one machine two runs give the same bytes. Processors round differently in the last bits, so between machines the
numbers of results are compared instead: verdicts, text and counts must be equal, measures must agree to a relative
`RELATIVE`, and nothing may be missing or new.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from notebook_report import errors

RELATIVE = 1e-6
FLOOR = 1e-9  # two numbers this close to each other are equal, whatever their size
ABSENT = "(absent)"
DIFFERENT = 1

Leaves = dict[tuple[str, str], Any]  # number or text by file and key


class Unreadable(errors.Refusal, ValueError):
    """A folder without results, or a result file that is not JSON."""

    exit_code = errors.USAGE


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers and text of a nested result, each under the path that leads to it.

    An empty mapping or list is a leaf, so that what it should have held is missed.

    >>> list(leaves({"auroc": {"value": 0.7}, "days": [28, 56], "none": {}}))
    [('auroc.value', 0.7), ('days.0', 28), ('days.1', 56), ('none', {})]
    """
    if not value or not isinstance(value, Mapping | list):
        yield key, value
        return
    for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield from leaves(item, f"{key}.{name}" if key else str(name))


def flatten(folder: Path) -> Leaves:
    """Every leaf of the result files (``*.json``) in a folder."""
    found: Leaves = {}
    if not (files := sorted(folder.glob("*.json"))):
        raise Unreadable(f"{folder} holds no results (*.json)")
    for path in files:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise Unreadable(f"{path} is not JSON") from None
        found |= {(path.name, key): value for key, value in leaves(content)}
    return found


def agree(old: Any, new: Any) -> bool:
    """Whether two leaves are the same up to rounding; counts (whole numbers) and text must be equal.

    >>> agree(0.7, 0.7 + 1e-8), agree(0.7, 0.70001), agree(0.0, 1e-10), agree(3, 4), agree("supported", None)
    (True, False, True, False, False)
    """
    kinds = {type(old), type(new)}
    if float in kinds and kinds <= {int, float}:
        return math.isclose(old, new, rel_tol=RELATIVE, abs_tol=FLOOR)
    return len(kinds) == 1 and old == new


def _shown(value: Any) -> str:
    return value if value is ABSENT else json.dumps(value, ensure_ascii=False)


def differences(old: Leaves, new: Leaves) -> Iterator[str]:
    """A line for each leaf on which two sets of results differ, in the order of file and key."""
    for file, key in sorted(old.keys() | new.keys()):
        before, after = (side.get((file, key), ABSENT) for side in (old, new))
        if not agree(before, after):
            yield f"{file}: {key}: {_shown(before)} -> {_shown(after)}"


def main(argv: list[str] | None = None) -> int:
    """Print every difference, or that there is none; 0 without a difference, 1 with one, 2 for unreadable folders."""
    parser = argparse.ArgumentParser("python -m notebook_report.compare", description="Compare results of two runs")
    parser.add_argument("old", type=Path, metavar="OLD", help="folder of results, such as reports/results")
    parser.add_argument("new", type=Path, metavar="NEW")
    args = parser.parse_args(argv)
    try:
        old, new = flatten(args.old), flatten(args.new)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return error.exit_code
    found = list(differences(old, new))
    numbers = sum(isinstance(value, int | float) and not isinstance(value, bool) for value in old.values())
    print("\n".join(found) if found else f"{numbers} numbers and {len(old) - numbers} texts agree")
    return DIFFERENT if found else errors.OK


if __name__ == "__main__":
    sys.exit(main())
