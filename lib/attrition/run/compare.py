"""Do two runs agree? ``python -m attrition.run.compare OLD NEW`` holds one folder of results against another.

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
from typing import Any, NamedTuple

from attrition import errors

RELATIVE = 1e-6
FLOOR = 1e-9
"""Two numbers this close to each other are equal, whatever their size."""
ABSENT = "(absent)"
DIFFERENT = 1

Leaves = dict[tuple[str, str], Any]


class Unreadable(errors.Refusal, ValueError):
    """A folder without results, or a result file that is not JSON."""

    exit_code = errors.USAGE


class Difference(NamedTuple):
    """A leaf that differs; a side that lacks it is `ABSENT`."""

    file: str
    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {_shown(self.old)} -> {_shown(self.new)}"


def _shown(value: Any) -> str:
    return value if value is ABSENT else json.dumps(value, ensure_ascii=False)


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers and text of a nested result, each under the path that leads to it.

    An empty mapping or list is a leaf, so that what it should have held is missed.

    Examples
    --------
    >>> list(leaves({"auroc": {"value": 0.7}, "days": [28, 56], "none": {}}))
    [('auroc.value', 0.7), ('days.0', 28), ('days.1', 56), ('none', {})]
    """
    if not value or not isinstance(value, Mapping | list):
        yield key, value
        return
    for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield from leaves(item, f"{key}.{name}" if key else str(name))


def flatten(folder: Path) -> Leaves:
    """Every leaf of the result files in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``*.json``, such as ``reports/results``.

    Returns
    -------
    dict of (file, key) to leaf

    Raises
    ------
    Unreadable
        No result file in the folder, or one that is not JSON.
    """
    found: Leaves = {}
    files = sorted(folder.glob("*.json"))
    if not files:
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

    Examples
    --------
    >>> agree(0.7, 0.7 + 1e-8), agree(0.7, 0.70001), agree(0.0, 1e-10), agree(3, 4), agree("supported", None)
    (True, False, True, False, False)
    """
    kinds = {type(old), type(new)}
    if float in kinds and kinds <= {int, float}:
        return math.isclose(old, new, rel_tol=RELATIVE, abs_tol=FLOOR)
    return len(kinds) == 1 and old == new


def differences(old: Leaves, new: Leaves) -> list[Difference]:
    """Leaves on which two sets of results differ, in the order of file and key.

    Parameters
    ----------
    old, new : dict
        From `flatten`.

    Returns
    -------
    list of Difference

    Examples
    --------
    >>> differences({("a.json", "n"): 3, ("a.json", "x"): 0.5}, {("a.json", "n"): 4, ("a.json", "x"): 0.5 + 1e-9})
    [Difference(file='a.json', key='n', old=3, new=4)]
    """
    pairs = ((place, old.get(place, ABSENT), new.get(place, ABSENT)) for place in sorted(old.keys() | new.keys()))
    return [Difference(*place, before, after) for place, before, after in pairs if not agree(before, after)]


def _kinds(found: Leaves) -> str:
    numbers = sum(isinstance(value, int | float) and not isinstance(value, bool) for value in found.values())
    return f"{numbers} numbers and {len(found) - numbers} texts"


def main(argv: list[str] | None = None) -> int:
    """Print every difference, or that there is none; 0 without a difference, 1 with one, 2 for unreadable folders."""
    command = argparse.ArgumentParser(prog="python -m attrition.run.compare", description="Compare results of two runs")
    command.add_argument("old", type=Path, metavar="OLD", help="folder of results, such as reports/results")
    command.add_argument("new", type=Path, metavar="NEW")
    args = command.parse_args(argv)
    try:
        old, new = flatten(args.old), flatten(args.new)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return error.exit_code
    found = differences(old, new)
    print("\n".join(map(str, found)) if found else f"{_kinds(old)} agree")
    return DIFFERENT if found else errors.OK


if __name__ == "__main__":
    sys.exit(main())
