"""docs/edge-cases.md and the tests of this folder hold each other."""

import ast
import re

from attrition import paths

HERE = paths.ROOT / "tests" / "faults"
TABLE = paths.ROOT / "docs" / "edge-cases.md"
OF_THE_TESTS = re.compile(r"would_be_noticed|_is_noticed|are_noticed|search_itself|independent_reading")
"""Tests of what the tests themselves use."""


def rows():
    return re.findall(r"^\| .+? \| .+? \| `(test_\w+\.py::test_\w+)` \|$", TABLE.read_text(encoding="utf-8"), re.M)


def named():
    found = set()
    for path in HERE.glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        found |= {f"{path.name}::{name}" for name in names if name.startswith("test_") and path.name != "test_table.py"}
    return {name for name in found if not OF_THE_TESTS.search(name)}


def test_every_row_has_its_test_and_every_test_its_row():
    assert len(rows()) == len(set(rows())) > 60
    assert set(rows()) == named()


def test_no_row_is_without_a_test():
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    plain = [line for line in lines if not line.startswith(("| **", "| what happens"))]
    assert len(plain) == len(rows())
