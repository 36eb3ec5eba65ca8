"""What a chapter's result depends on, as one hash: content decides what is redone, never a time stamp.

A chapter depends on its notebook, on the library modules that the notebook imports (and that those import), on its
parameters, on the lock and on the chapters it reads. Prose is not code: a chapter whose text changed is redone, what
reads from it is not.
"""

import ast
import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrition import paths
from attrition.digests import digest, file_digest
from attrition.run.plan import Chapter

LIBRARY = Path(__file__).resolve().parents[1]


def _module_file(name: str) -> Path | None:
    place = LIBRARY.joinpath(*name.split(".")[1:])
    if (place / "__init__.py").exists():
        return place / "__init__.py"
    return place.with_suffix(".py") if place.with_suffix(".py").exists() else None


def imported(source: str) -> set[str]:
    """Names of the ``attrition`` modules that a piece of Python imports.

    Examples
    --------
    >>> sorted(imported("from attrition import metrics, paths\\nimport numpy"))
    ['attrition', 'attrition.metrics', 'attrition.paths']
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    ours = {n for n in names if n.split(".")[0] == "attrition"}
    parents = {n.rsplit(".", i)[0] for n in ours for i in range(n.count(".") + 1)}
    return {name for name in ours | parents if _module_file(name)}


@functools.cache
def _module(name: str) -> tuple[str, frozenset[str]]:
    text = _module_file(name).read_text(encoding="utf-8")
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


def code(notebook: Path) -> str:
    """Code cells of a notebook, IPython magics left out."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    lines = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return "\n".join(line for cell in lines for line in cell.splitlines() if not line.lstrip().startswith(("%", "!")))


def code_key(chapter: Chapter, parameters: dict[str, Any], needs: Iterable[str], inputs: str = "") -> str:
    """Hash of all that can change what a chapter computes.

    Parameters
    ----------
    chapter : Chapter
    parameters : dict
        Resolved parameters, seed and profile included.
    needs : iterable of str
        `code_key` of each chapter that it reads.
    inputs : str
        Hash of files from outside the repository (a reader's own trial).

    Returns
    -------
    str
    """
    source = code(chapter.notebook)
    parts = [source, json.dumps(modules(source)), json.dumps(parameters, sort_keys=True), inputs]
    extra = [p.read_bytes() for p in (paths.CLAIMS,) if chapter.name.startswith("00") and p.exists()]
    return digest(*parts, file_digest(paths.LOCK), *sorted(needs), *extra)


def own_key(chapter: Chapter, key: str) -> str:
    """`code_key` together with the prose."""
    return digest(key, chapter.notebook.read_bytes())


def sources() -> str:
    """Hash of everything that the report is made from: library, notebooks, parameters, claims, lock."""
    files = [p for p in LIBRARY.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    files += [*paths.NOTEBOOKS.glob("[0-9]*.ipynb"), paths.PARAMS, paths.CLAIMS, paths.LOCK]
    known = sorted((str(p.relative_to(paths.ROOT)), p) for p in files if p.exists())
    return digest(*(part for name, path in known for part in (name, path.read_bytes())))
