"""Docstrings of the public library, by the rules of numpydoc that a reader notices.

Whatever is public says in a sentence what it is. What notebooks, documents and the command line call also describes its
parameters in a section, when they are too many for that sentence; a section that is there must be true.

numpydoc itself would bring Sphinx and a dozen packages with it into the lock, for a check of a hundred lines.
"""

import ast
import importlib
import inspect
import json
import pkgutil
import re

import pytest

import attrition
import notebook_report
from attrition import paths

SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "See Also", "Notes")
SECTIONS += ("References", "Examples")
UNSAID = 4
"""So many parameters can be told in a sentence; more need a section."""
LINE_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)


def code():
    """Python of the notebooks and of the modules that are commands."""
    for path in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield from (LINE_MAGIC.sub("", "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code")
    for path in sorted((paths.ROOT / "lib").rglob("__main__.py")):
        yield path.read_text(encoding="utf-8")


def called():
    """Last names of all functions that notebooks, documents and the command line call."""
    calls = (node.func for text in code() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    names = {getattr(function, "attr", getattr(function, "id", "")) for function in calls}
    for path in (*paths.ROOT.glob("*.md"), *(paths.ROOT / "docs").rglob("*.md")):
        names |= set(re.findall(r"\b(\w+)\(", path.read_text(encoding="utf-8")))
    return names


CALLED = called()


def modules():
    found = [
        one
        for room in (attrition, notebook_report)
        for one in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
    ]
    return sorted(one.name for one in found if not one.name.endswith("__main__"))


def public(module):
    """Functions, classes and methods that a module defines, as (name, object)."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing):
            yield name, thing
            for own, member in vars(thing).items():
                if not own.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
                    yield f"{name}.{own}", getattr(thing, own) if inspect.isroutine(member) else member
        elif inspect.isroutine(inspect.unwrap(thing)):
            yield name, inspect.unwrap(thing)


def sections(text):
    """Section to its lines, in the order of the docstring."""
    lines, found, current = text.splitlines(), {}, []
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line and not line.startswith(" ") and re.fullmatch(r"-{3,}", below):
            current = found.setdefault(line, [])
        else:
            current.append(line)
    return found


def named(lines):
    """Parameters that a section describes."""
    heads = [line.partition(" : ")[0] for line in lines[1:] if line and not line.startswith(" ")]
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def taken(thing):
    """Parameters of a function without self; none for a class, whose fields say more than its constructor."""
    if not callable(thing) or inspect.isclass(thing):
        return []
    return [name for name in inspect.signature(thing).parameters if name not in ("self", "cls")]


def faults(name, thing):
    """What is wrong with the docstring of one function, class or property."""
    text = inspect.getdoc(thing)
    if not text:
        yield f"{name}: no docstring"
        return
    first = text.split("\n\n")[0]
    if not first.endswith((".", ":", "?")):
        yield f"{name}: the first paragraph is no sentence"
    found = sections(text)
    known = [title for title in found if title in SECTIONS]
    if set(found) - set(SECTIONS):
        yield f"{name}: no sections of numpydoc: {sorted(set(found) - set(SECTIONS))}"
    if known != sorted(known, key=SECTIONS.index):
        yield f"{name}: sections in another order than numpydoc's: {known}"
    parameters = set(taken(thing))
    if "Parameters" in found and not inspect.isclass(thing) and named(found["Parameters"]) != parameters:
        yield f"{name}: parameters {sorted(named(found['Parameters']) ^ parameters)} are in one of text and signature"
    if "Parameters" not in found and len(parameters) > UNSAID and thing.__name__ in CALLED:
        yield f"{name}: {len(parameters)} parameters and no section on them"
    if {"Returns", "Yields"} & set(found) and any(not lines[1:] for lines in found.values()):
        yield f"{name}: an empty section"


@pytest.mark.parametrize("name", modules())
def test_public_docstrings(name):
    module = importlib.import_module(name)
    assert module.__doc__, name
    found = [fault for own, thing in public(module) for fault in faults(own, thing)]
    assert not found, "\n".join(found)


def example(first, second=1):
    """Add two numbers.

    Parameters
    ----------
    first : int

    Returns
    -------
    int
    """


def test_the_rules_find_what_they_are_there_for():
    assert list(faults("example", example)) == ["example: parameters ['second'] are in one of text and signature"]
    turned = type("Turned", (), {"__doc__": "No sentence\n\nReturns\n-------\nint\n\nParameters\n----------\nx : int"})
    told = " ".join(faults("Turned", turned))
    assert "no sentence" in told
    assert "another order" in told


def test_only_what_is_called_describes_many_parameters(monkeypatch):
    def many(a, b, c, d, e):
        """Add five numbers."""

    assert not list(faults("many", many))
    assert "finding" in CALLED
    monkeypatch.setitem(globals(), "CALLED", {"many"})
    assert list(faults("many", many)) == ["many: 5 parameters and no section on them"]
