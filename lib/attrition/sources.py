"""The library's own sources: which modules a piece of code reaches, and what they contain."""

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrition.digests import digest

LIBRARY = Path(__file__).resolve().parent


def module_file(name: str) -> Path | None:
    """File of a module of this library; None when there is none of that name."""
    place = LIBRARY.joinpath(*name.split(".")[1:])
    if (place / "__init__.py").exists():
        return place / "__init__.py"
    return place.with_suffix(".py") if place.with_suffix(".py").exists() else None


def text_of(name: str) -> str:
    """Source of a module of this library.

    Raises
    ------
    ModuleNotFoundError
        There is no module of that name.
    """
    file = module_file(name)
    if file is None:
        raise ModuleNotFoundError(name)
    return file.read_text(encoding="utf-8")


def _statements(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Statements at any depth; expressions, most of a program, hold no import and are left out."""
    for node in nodes:
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, name, ()))


def imported(source: str) -> set[str]:
    """Names of the ``attrition`` modules that a piece of Python imports.

    Examples
    --------
    >>> sorted(imported("from attrition import metrics, paths\\nimport numpy"))
    ['attrition', 'attrition.metrics', 'attrition.paths']
    """
    names: set[str] = set()
    for node in _statements(ast.parse(source).body):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    ours = {n for n in names if n.split(".")[0] == "attrition"}
    parents = {n.rsplit(".", i)[0] for n in ours for i in range(n.count(".") + 1)}
    return {name for name in ours | parents if module_file(name)}


def packages(source: str) -> frozenset[str]:
    """What a piece of Python takes from other packages, at once or later inside a function.

    Examples
    --------
    >>> sorted(packages("from scipy import stats\\nimport attrition.paths, numpy as np\\ndef f():\\n    import mlflow"))
    ['mlflow', 'numpy', 'scipy.stats']
    """
    names: set[str] = set()
    for node in _statements(ast.parse(source).body):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names if name.split(".")[0] != "attrition")


@functools.cache
def packages_of(name: str) -> frozenset[str]:
    """`packages` of a module of this library."""
    return packages(text_of(name))


@functools.cache
def _module(name: str) -> tuple[str, frozenset[str]]:
    text = text_of(name)
    return digest(text), frozenset(imported(text))


def modules(source: str) -> dict[str, str]:
    """Library modules that `source` reaches, directly or not: name to hash."""
    reached: dict[str, str] = {}
    waiting = sorted(imported(source))
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name], further = _module(name)
            waiting.extend(further)
    return dict(sorted(reached.items()))
