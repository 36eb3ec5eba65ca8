"""The library's own sources: which modules a piece of code reaches, and what they contain."""

import ast
import functools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrition.digests import digest
from attrition.paths import NOTEBOOKS

LIBRARY = Path(__file__).resolve().parent
BESIDE = re.compile(r'with_name\("([\w.-]+)"\)')
"""How a module names a file of data that stands beside it."""
SHOWN = re.compile(r'\bid="((?:fig|tbl)-[a-z0-9-]+)"')


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


def cells(notebook: str | bytes) -> list[tuple[str, str, list[str]]]:
    """Kind, source and tags of a notebook's cells: all that a run takes from it.

    Outputs, counts and what an editor notes of itself are left out, so that a notebook that was opened and saved again
    is the same notebook.

    Examples
    --------
    >>> cell = '{"cell_type": "code", "source": ["x ", "= 1"], "outputs": [1], "metadata": {"trusted": true}}'
    >>> cells('{"cells": [' + cell + ']}')
    [('code', 'x = 1', [])]
    """
    listed = json.loads(notebook)["cells"]
    return [(cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in listed]


def shown() -> dict[str, list[str]]:
    """Figures and tables of each notebook, in the order in which it shows them.

    Examples
    --------
    >>> shown()["05_evaluation"][0]
    'fig-calibration-by-hand'
    """
    found = {}
    for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        source = "\n".join(text for kind, text, _ in cells(path.read_bytes()) if kind == "code")
        found[path.stem] = list(dict.fromkeys(SHOWN.findall(source)))
    return found


def _statements(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Statements at any depth; expressions, most of a program, hold no import and are left out."""
    for node in nodes:
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, name, ()))


def _taken(source: str) -> frozenset[str]:
    """Full names of modules, and of what is taken from a module, that a piece of Python imports at any depth."""
    names: set[str] = set()
    for node in _statements(ast.parse(source).body):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def _ours(name: str) -> bool:
    return name.split(".")[0] == "attrition"


def _modules_among(taken: Iterable[str]) -> set[str]:
    parents = {name.rsplit(".", i)[0] for name in filter(_ours, taken) for i in range(name.count(".") + 1)}
    return {name for name in parents if module_file(name)}


def imported(source: str) -> set[str]:
    """Names of the ``attrition`` modules that a piece of Python imports.

    Examples
    --------
    >>> sorted(imported("from attrition import metrics, paths\\nimport numpy"))
    ['attrition', 'attrition.metrics', 'attrition.paths']
    """
    return _modules_among(_taken(source))


def packages(source: str) -> frozenset[str]:
    """What a piece of Python takes from other packages, at once or later inside a function.

    Examples
    --------
    >>> sorted(packages("from scipy import stats\\nimport attrition.paths, numpy as np\\ndef f():\\n    import mlflow"))
    ['mlflow', 'numpy', 'scipy.stats']
    """
    return frozenset(name for name in _taken(source) if not _ours(name))


@functools.cache
def _module(name: str) -> tuple[str, frozenset[str], frozenset[str]]:
    """Digest of a library module and its data, the modules and the packages that it imports."""
    text = text_of(name)
    taken = _taken(text)
    place = LIBRARY.joinpath(*name.split(".")[1:])
    beside = [(place if place.is_dir() else place.parent) / file for file in BESIDE.findall(text)]
    content = (file.read_bytes() for file in beside if file.exists())
    return digest(text, *content), frozenset(_modules_among(taken)), frozenset(n for n in taken if not _ours(n))


def packages_of(name: str) -> frozenset[str]:
    """`packages` of a module of this library."""
    return _module(name)[2]


def modules(source: str) -> dict[str, str]:
    """Library modules that `source` reaches, directly or not: name to hash."""
    reached: dict[str, str] = {}
    waiting = sorted(imported(source))
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name], further, _ = _module(name)
            waiting.extend(further)
    return dict(sorted(reached.items()))
