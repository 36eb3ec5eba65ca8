"""A cell of a notebook can be run again: it reads nothing that it, or a later cell, makes anew."""

import ast
import json
import shutil
import symtable

import pytest

from attrition import paths
from notebook_report import display as report

NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))
MUTATING = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse"}
MUTATING |= {"setdefault", "setflags", "shuffle", "sort", "update"}


def code_of(path):
    """Sources of the code cells by id."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}


def inside_comprehensions(statement):
    """Names that only comprehensions bind."""
    within = [
        node for each in ast.walk(statement) if isinstance(each, ast.comprehension) for node in ast.walk(each.target)
    ]
    bound = [node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    ours = {id(node) for node in within}
    return {node.id for node in bound if id(node) in ours} - {node.id for node in bound if id(node) not in ours}


def names(statement):
    """Names of the notebook that a statement reads, and those that it binds."""
    table = symtable.symtable(ast.unparse(statement), "cell", "exec")
    reads, binds, inner = set(), set(), list(table.get_children())
    for symbol in table.get_symbols():
        if symbol.is_referenced():
            reads.add(symbol.get_name())
        if symbol.is_assigned() or symbol.is_imported():
            binds.add(symbol.get_name())
    while inner:
        scope = inner.pop()
        inner += scope.get_children()
        reads |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
    within = inside_comprehensions(statement)  # Python 3.12 counts these among the names of the cell
    reads, binds = reads - within, binds - within
    if isinstance(statement, ast.AugAssign):
        reads |= {node.id for node in ast.walk(statement.target) if isinstance(node, ast.Name)}
    return reads, binds


def steps(statements):
    """Statements in order, loops and conditions parted into head and body."""
    for statement in statements:
        if isinstance(statement, ast.For | ast.If):
            if isinstance(statement, ast.If):
                yield ast.Expr(statement.test)
            else:
                yield ast.Assign(targets=[statement.target], value=statement.iter, lineno=0)
            yield from steps([*statement.body, *statement.orelse])
        else:
            yield statement


def root(node):
    """Name at the root of ``a.b[c]``."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def changed(statement):
    """Names whose value a statement changes in place, other than by setting an item anew to the same."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATING:
            yield root(node.func)
        if isinstance(node, ast.Call) and any(k.arg == "inplace" for k in node.keywords):
            yield root(node.func)
        if isinstance(node, ast.AugAssign | ast.Delete):
            yield from map(root, node.targets if isinstance(node, ast.Delete) else [node.target])
        if isinstance(node, ast.Assign):
            read = {inner.id for inner in ast.walk(node.value) if isinstance(inner, ast.Name)}
            yield from {root(t) for t in node.targets if not isinstance(t, ast.Name | ast.Tuple)} & read


def once_only(cells):
    """What makes cells go wrong, or give something else, when they are run again."""
    bound, incoming, problems = {}, {}, []
    for cell, source in cells.items():
        own = set()
        for statement in steps(ast.parse(source).body):
            reads, binds = names(statement)
            for name in reads - own:
                incoming.setdefault(name, set()).add(cell)
            problems += [f"{cell}: changes {name} in place" for name in set(changed(statement)) - own - binds if name]
            own |= binds
        for name in own:
            bound.setdefault(name, []).append(cell)
    for name, readers in incoming.items():
        for cell in readers & set(bound.get(name, [])):
            problems.append(f"{cell}: makes {name} from itself")
        if len(bound.get(name, [])) > 1:
            problems.append(f"{', '.join(bound[name])}: all make {name}, which {', '.join(sorted(readers))} read")
    return problems


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_cells_can_be_run_again(path):
    assert once_only(code_of(path)) == []


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["from attrition import leaks", "leaks = leaks.price(1)"], "b: makes leaks from itself"),
        (["from attrition import leaks", "found = leaks.price(1)", "leaks = 2"], "a, c: all make leaks, which b read"),
        (["x = 1", "x = x + 1"], "b: makes x from itself"),
        (["x = 1", "x += 1"], "b: makes x from itself"),
        (["x = []", "x.append(1)"], "b: changes x in place"),
        (["x = {}", "x['n'] = x.get('n', 0) + 1"], "b: changes x in place"),
        (["t = f()", "t.drop(columns='a', inplace=True)"], "b: changes t in place"),
        (["t = f()", "del t['a']"], "b: changes t in place"),
        (["p = f()", "told = [p(n) for n in range(3)]", "p = 2"], "a, c: all make p, which b read"),
    ],
)
def test_a_cell_that_cannot_be_run_again_is_noticed(cells, problem):
    assert problem in once_only(dict(zip("abc", cells, strict=False)))


@pytest.mark.parametrize(
    "cells",
    [
        ["x = 1", "y = {x: 2 for x in range(x)}\nz = x"],
        ["seen = 1\nprint(seen)", "seen = 2\nprint(seen)"],
        ["x = {}", "x['n'] = 1"],
        ["x = []\nx.append(1)", "for n in x:\n    print(n)\nn = 3"],
    ],
)
def test_cells_that_can_be_run_again_pass(cells):
    assert once_only(dict(zip("ab", cells, strict=False))) == []


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """An output folder that has the results of every chapter."""
    folder = tmp_path_factory.mktemp("twice")
    shutil.copytree(paths.ROOT / "reports" / "results", folder / "results")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["01_generation", "02_eda", "06_real_trial", "00_findings"])
def test_every_cell_shows_the_same_when_it_is_run_twice(name, out, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(out))
    namespace, shown = {}, 0
    for cell, source in code_of(paths.NOTEBOOKS / f"{name}.ipynb").items():
        ran = compile(source.replace('profile = "full"', 'profile = "quick"'), cell, "exec")
        outputs = []
        for _ in range(2):
            with report.capture() as caught:
                exec(ran, namespace)
            outputs.append(caught)
        assert outputs[0] == outputs[1], cell
        shown += len(outputs[0])
    assert shown > 5
