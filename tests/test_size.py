"""The page on the library's size is counted, and told when it is stale."""

import importlib.util
import sys

import pytest

from attrition import paths

SPEC = importlib.util.spec_from_file_location("size", paths.ROOT / "benchmarks" / "size.py")
size = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(size)
SOURCE = '''"""Module,
two lines."""

# comment
import os

NAME = """no
docstring"""


def f():
    """One."""
    return os  # code
'''


@pytest.mark.slow
def test_the_page_is_as_the_library_is(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["size", "--check"])
    assert size.main() == 0, "run: python benchmarks/size.py"


def test_lines_are_counted_as_the_page_says():
    assert size.counted(SOURCE) == (5, 3)
    assert size.counted("") == (0, 0)


@pytest.mark.parametrize(("code", "told"), [(399, "The budget is met."), (401, "**The budget is not met yet.**")])
def test_the_page_says_whether_the_budget_is_met(code, told):
    page = size.page({"attrition/room/a.py": (code, 10), "attrition/b.py": (10, 0)})
    assert told in page
    assert ("- `attrition/room/a.py`: 401" in page) == (code == 401)
    assert f"| code lines | {code + 10} | 12,500 | met |" in page
    assert "| room | 1 |" in page
    assert "| attrition, single modules | 1 | 10 | 0 |" in page


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"attrition/a/b.py": (1005, 100)}, True),
        ({"attrition/a/b.py": (1020, 100)}, False),
        ({"attrition/a/b.py": (1000, 120)}, False),
        ({"attrition/c/b.py": (1000, 100)}, False),
        ({"attrition/a/b.py": (900, 100), "attrition/a/c.py": (100, 0)}, False),
    ],
)
def test_a_page_is_stale_when_rooms_or_totals_changed(changed, same):
    assert size.alike(size.page({"attrition/a/b.py": (1000, 100)}), size.page(changed)) == same
