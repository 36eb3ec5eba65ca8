"""How large the library is, by room, beside its budget.

    python benchmarks/size.py            writes docs/size.md
    python benchmarks/size.py --check    exit code 1 and a line when that page is stale

A code line is one that is not blank, no comment and no part of a docstring. The page is stale when it names other
rooms, other modules above the limit, or a total that is off by more than a hundredth.
"""

import argparse
import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "size.md"
BUDGET = {"code lines": 12_500, "docstring lines": 6_500, "modules": 105, "modules above 400 code lines": 0}
LONGEST = 400
SLACK = 0.01
TOTAL = re.compile(r"^\| (?:code lines|docstring lines|modules) \| ([\d,]+)", re.MULTILINE)
TEXT = """\
# Size of the library

Written by `python benchmarks/size.py`; a test says when it is stale. \
Code lines are those of `lib/` that are not blank, no comment and no part of a docstring.

| | now | budget | |
|---|---|---|---|
{totals}

{verdict}

## Modules above {longest} code lines

{above}

## By room

| room | modules | code lines | docstring lines |
|---|---|---|---|
{rooms}
"""


def counted(source: str) -> tuple[int, int]:
    """Code lines and docstring lines of a piece of Python."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                inside.update(range(first.lineno, first.end_lineno + 1))
    lines = (line.strip() for i, line in enumerate(source.splitlines(), 1) if i not in inside)
    return sum(bool(line) and not line.startswith("#") for line in lines), len(inside)


def modules(library: Path) -> dict[str, tuple[int, int]]:
    """Code and docstring lines of every module below a folder, by its path there."""
    found = sorted(library.rglob("*.py"))
    return {path.relative_to(library).as_posix(): counted(path.read_text(encoding="utf-8")) for path in found}


def page(sizes: dict[str, tuple[int, int]]) -> str:
    """The page on these modules: first folder (the package), then room."""
    rooms = defaultdict(list)
    for path, size in sizes.items():
        package, _, rest = path.partition("/")
        rooms[rest.partition("/")[0] if "/" in rest else f"{package}, single modules"].append(size)
    above = {path: code for path, (code, _) in sizes.items() if code > LONGEST}
    now = [sum(code for code, _ in sizes.values()), sum(doc for _, doc in sizes.values()), len(sizes), len(above)]
    kept = [value <= limit for value, limit in zip(now, BUDGET.values(), strict=True)]
    totals = [
        f"| {what} | {value:,} | {limit:,} | {'met' if met else 'not met'} |"
        for (what, limit), value, met in zip(BUDGET.items(), now, kept, strict=True)
    ]
    table = [
        f"| {room} | {len(own)} | {sum(code for code, _ in own):,} | {sum(doc for _, doc in own):,} |"
        for room, own in sorted(rooms.items(), key=lambda item: -sum(code for code, _ in item[1]))
    ]
    return TEXT.format(
        totals="\n".join(totals),
        verdict="The budget is met." if all(kept) else "**The budget is not met yet.**",
        longest=LONGEST,
        above="\n".join(f"- `{path}`: {code:,}" for path, code in sorted(above.items())) or "None.",
        rooms="\n".join(table),
    )


def alike(one: str, other: str) -> bool:
    """Whether two pages say the same: the same rooms and modules, and totals within a hundredth."""
    words = [sorted(re.sub(r"[\d,]+", "", text).splitlines()) for text in (one, other)]
    totals = [TOTAL.findall(text) for text in (one, other)]
    pairs = [[int(number.replace(",", "")) for number in pair] for pair in zip(*totals, strict=True)]
    return words[0] == words[1] and all(abs(a - b) <= SLACK * max(a, b) for a, b in pairs)


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    text = page(modules(ROOT / "lib"))
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or not alike(PAGE.read_text(encoding="utf-8"), text):
        print("docs/size.md is stale: python benchmarks/size.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
