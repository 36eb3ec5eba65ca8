"""Sentences over cases, and the turns, signs and factors in them that no case holds.

In ``tests/words/test_NN.py``:

    CASES = {"block": [({"gain": 0.25}, "Better by 0.25."), ({"gain": -1.0}, "No better.")]}
    test_words = turns.over(CASES)

Every condition is made always true, then never true, every number and sign is changed: if all that the tests of
``tests/words`` render still reads the same, `test_turns.py` names the place. ``python -m tests.words.turns 06`` prints
these places of a chapter.
"""

import ast
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2 import nodes

from attrition import paths
from notebook_report import display
from notebook_report import said as saying

PAGES = "tests/words/test_turns.py", "tests/words/test_front.py", "tests/words/test_study.py"
"""Tests here that render no sentence of a chapter."""
Case = tuple[Mapping[str, Any], str]


def over(cases: Mapping[str, list[Case]]) -> Callable[[str, Mapping[str, Any], str], None]:
    """A test that renders each block (or template of a cell) over its cases, facts and expected text."""
    table = [
        pytest.param(name, facts, text, id=f"{name[:40]}-{i}")
        for name, own in cases.items()
        for i, (facts, text) in enumerate(own)
    ]

    @pytest.mark.parametrize(("name", "facts", "text"), table)
    def test(name: str, facts: Mapping[str, Any], text: str) -> None:
        assert saying.said(name, facts) == text

    return test


def inline(chapter: str, id: str) -> str:
    """The template that a cell of a notebook gives to `report.say`."""
    return next(template for cell, template in templates(chapter) if cell == id)


def templates(chapter: str) -> Iterator[tuple[str, str]]:
    """Templates written out in the cells of a chapter, each with the id of its cell."""
    cells = json.loads((paths.NOTEBOOKS / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        tree = ast.parse("".join(cell["source"])) if cell["cell_type"] == "code" else ast.Module([], [])
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        said = [call for call in calls if ast.unparse(call.func) in ("report.say", "said") and call.args]
        for call in said:
            for text in (node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)):
                if isinstance(text, str) and not text.replace("_", "").isalnum():
                    yield cell["id"], text


def _in_condition(node: nodes.Node) -> list[tuple[str, Callable[[nodes.Expr], None], nodes.Expr]]:
    """Conditions directly in a node: what the place is called, how to set it, what stands there."""
    if isinstance(node, nodes.If | nodes.CondExpr) or (isinstance(node, nodes.For) and node.test is not None):
        return [("condition", lambda new: setattr(node, "test", new), node.test)]
    if isinstance(node, nodes.And | nodes.Or):
        return [
            (f"{side} part of a condition", lambda new, side=side: setattr(node, side, new), getattr(node, side))
            for side in ("left", "right")
        ]
    return []


def _constants(node: nodes.Node) -> Iterator[tuple[str, str, Any]]:
    """Attributes of a node that a changed factor, sign or word would give another value."""
    if isinstance(node, nodes.Const) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield f"the number {node.value}", "value", node.value + (1 if isinstance(node.value, int) else 0.1 * node.value)
    if isinstance(node, nodes.Pair) and isinstance(node.value, nodes.Const | nodes.CondExpr):
        yield "the words of a choice", "value", nodes.Const("(changed)")
    if isinstance(node, nodes.TemplateData) and node.data.strip():
        yield "the words", "data", "(changed)"


def _swaps(node: nodes.Node) -> Iterator[tuple[str, type[nodes.Expr]]]:
    other = {nodes.Add: nodes.Sub, nodes.Sub: nodes.Add, nodes.Mul: nodes.Div, nodes.Div: nodes.Mul}
    if type(node) in other:
        yield f"the sign {node.operator}", other[type(node)]
    if isinstance(node, nodes.Neg):
        yield "the minus", nodes.Pos


def _conditions_of(tree: nodes.Node) -> set[int]:
    """Numbers inside conditions: a case on either side of a threshold is enough, none just beside it is asked for."""
    kinds = (nodes.If, nodes.CondExpr, nodes.For)
    tests = [node.test for node in tree.find_all(kinds) if node.test is not None]
    return {id(inner) for test in tests for inner in (test, *test.find_all(nodes.Node))}


def changes(tree: nodes.Node) -> Iterator[tuple[int, str]]:
    """Each change of a template in turn, made in place while the iterator rests on it: line and what was changed."""
    exempt = _conditions_of(tree)
    for node in list(tree.find_all(nodes.Node)):
        for what, put, now in _in_condition(node):
            for word, value in (("false", True), ("true", False)):
                put(nodes.Const(value, lineno=node.lineno))
                yield node.lineno, f"no case in which the {what} is {word} reads otherwise"
            put(now)
        for what, name, new in _constants(node) if id(node) not in exempt else ():
            now = getattr(node, name)
            setattr(node, name, new)
            yield node.lineno, f"no case shows {what}"
            setattr(node, name, now)
        for what, kind in _swaps(node) if id(node) not in exempt else ():
            now, node.__class__ = node.__class__, kind
            yield node.lineno, f"no case shows {what}"
            node.__class__ = now


@functools.cache
def _environment() -> jinja2.Environment:
    return saying.ENVIRONMENT.overlay(optimized=False)  # the optimizer would change the tree


def _renderer(tree: nodes.Template, name: str | None) -> Callable[[Mapping[str, Any]], str]:
    environment = _environment()
    made = jinja2.Template.from_code(environment, environment.compile(tree), environment.make_globals(None))
    within = {"said": environment.globals.get("said")}  # as `said` has it
    if name is None:
        return lambda values: saying._one_line(made.render({**values, **within}))
    return lambda values: saying._one_line("".join(made.blocks[name](made.new_context({**values, **within}))))


def _reached(blocks: Mapping[str, nodes.Block], name: str) -> list[str]:
    """A block and those that it says within it, ``{{ self.other() }}``; nested ones come with it."""
    names = [name]
    for each in names:
        asked = (node.attr for node in blocks[each].find_all(nodes.Getattr) if getattr(node.node, "name", "") == "self")
        names += [one for one in dict.fromkeys(asked) if one not in names]
    return names


def unheld(source: str, name: str | None, cases: list[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """Changes of a block, or of a whole template, after which every case reads as before."""
    tree = _environment().parse(source)
    part: nodes.Node = tree
    if name is not None:
        blocks = {block.name: block for block in tree.find_all(nodes.Block)}
        part = blocks[name]
        tree = nodes.Template([blocks[each] for each in _reached(blocks, name)], lineno=1)
    before = [(values, _renderer(tree, name)(values)) for values in cases]

    def held() -> bool:
        try:
            render = _renderer(tree, name)
            return any(render(values) != text for values, text in before)
        except Exception:
            return True

    return sorted({found for found in changes(part) if not held()})


def _asked(tree: nodes.Node, function: str) -> list[str]:
    """Put each condition of a template through a function of its number, and say where they stand."""
    places: list[str] = []
    for node in list(tree.find_all(nodes.Node)):
        for what, put, now in _in_condition(node):
            name = nodes.Name(function, "load", lineno=node.lineno)
            put(nodes.Call(name, [nodes.Const(len(places)), now], [], None, None, lineno=node.lineno))
            places.append(f"line {node.lineno}: {what}")
    return places


def free_conditions(
    environment: jinja2.Environment, source: str, render: Callable[[Any, jinja2.Template], str], cases: Sequence[Any]
) -> list[str]:
    """Conditions of a page that may always be true, or never, while each case reads as before; compiled only once."""
    chosen: dict[int, bool] = {}
    environment = environment.overlay(optimized=False)  # the optimizer would change the tree
    environment.globals = environment.globals | {"turned": lambda number, is_so: chosen.get(number, is_so)}
    tree = environment.parse(source)
    places = _asked(tree, "turned")
    made = jinja2.Template.from_code(environment, environment.compile(tree), environment.make_globals(None))
    before, order, free = [render(case, made) for case in cases], list(range(len(cases))), []

    def held(position: int) -> bool:
        try:
            return render(cases[position], made) != before[position]
        except (jinja2.TemplateError, ValueError, TypeError, KeyError):
            return True

    for number, place in enumerate(places):
        for value in (True, False):
            chosen.clear()
            chosen[number] = value
            first = next((position for position in order if held(position)), None)
            if first is None:
                free.append(f"{place} may always be {value}")
            else:  # it is likely to hold the next one as well
                order.insert(0, order.pop(order.index(first)))
    return free


def report(cases: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[str]:
    """Places of the words files, then of the templates in cells that turn, by the cases of each block or template."""
    for path in sorted(paths.NOTEBOOKS.glob("words/*.md")):
        source = path.read_text(encoding="utf-8")
        for name in saying.ENVIRONMENT.from_string(source).blocks:
            for line, what in unheld(source, name, cases.get(name, [])):
                yield f"{path.stem}.md:{line} {name}: {what}"
    for path in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        for cell, template in templates(path.stem):
            if "{%" in template or " if " in template:
                for line, what in unheld(template, None, cases.get(template, [])):
                    yield f"{path.stem} {cell}:{line}: {what}"


class Recorder:
    """A pytest plugin: keeps what is said while tests run, and writes what no case of it holds."""

    def __init__(self) -> None:
        self.cases: dict[str, list[Mapping[str, Any]]] = {}
        original = saying.said

        def said(template: str, values: Mapping[str, Any]) -> saying.Said:
            text = original(template, values)
            self.cases.setdefault(template, []).append(dict(values))
            return text

        saying.said = display.wording = said

    def pytest_sessionfinish(self) -> None:
        """Write a line for each place."""
        Path(os.environ["TURNS"]).write_text("\n".join(report(self.cases)), encoding="utf-8")


def places(folder: Path) -> list[str]:
    """Run the tests of ``tests/words`` once more, and give the places that they do not hold."""
    words = sorted(set((paths.ROOT / "tests" / "words").glob("test_*.py")) - {paths.ROOT / place for place in PAGES})
    if not words:
        return list(report({}))
    run = [sys.executable, "-m", "tests.words.turns", "--record", "-p", "no:cacheprovider", *map(str, words)]
    environment = os.environ | {"TURNS": str(folder / "places")}
    done = subprocess.run(run, cwd=paths.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return (folder / "places").read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        sys.exit(pytest.main(sys.argv[2:], plugins=[Recorder()]))
    with tempfile.TemporaryDirectory() as folder:
        found = places(Path(folder))
    print("\n".join(place for place in found if place.startswith(tuple(sys.argv[1:]) or "")))
