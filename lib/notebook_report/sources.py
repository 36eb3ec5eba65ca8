"""The sources of a report: cells of notebooks, the modules that code reaches, and their checksums.

What a chapter's result depends on is one hash: content decides what is redone, never a time stamp. A chapter depends on
its notebook, on the library modules that the notebook imports (and that those import), on its parameters, on the lock
and on the chapters it reads. Prose is not code: a chapter whose text changed is redone, what reads from it is not.
"""

import ast
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from notebook_report import errors, project

SHARED = ("columns.yaml", "words/shared.md")  # beside the notebooks: what every chapter may show
# Beside the notebooks: what the report's own pages are made from, and how it shows what notebooks made
PAGES = ("pages/*.md", "references.yaml", "captions/*.yaml", "columns.yaml")
# How a module names a file of data that stands beside it
BESIDE = re.compile(r'(?:with_name\(|declared\(__file__, )"([\w.-]+)"\)')
SHOWN = re.compile(r'\bid="((?:fig|tbl)-[a-z0-9-]+)"')


def digest(*parts: str | bytes) -> str:
    """SHA-256 of the parts (text as UTF-8), each preceded by its length, as 64 hexadecimal digits.

    >>> digest("ab", "c") == digest("a", "bc")
    False
    """
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(f"{len(raw)}:".encode() + raw)
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as ``sha256sum`` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cells(notebook: str | bytes) -> list[tuple[str, str, list[str]]]:
    """Kind, source and tags of a notebook's cells: all that a run takes from it.

    Outputs, counts and what an editor notes of itself are left out, so that a notebook that was opened and saved again
    is the same notebook.

    >>> cell = '{"cell_type": "code", "source": ["x ", "= 1"], "outputs": [1], "metadata": {"trusted": true}}'
    >>> cells('{"cells": [' + cell + ']}')
    [('code', 'x = 1', [])]
    """
    listed = json.loads(notebook)["cells"]
    return [(cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in listed]


def _codes(notebook: Path) -> list[str]:
    lines = (source.splitlines() for kind, source, _ in cells(notebook.read_bytes()) if kind == "code")
    return ["\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in cell) for cell in lines]


def code(notebook: Path) -> str:
    """Code cells of a notebook, IPython magics as empty lines."""
    return "\n".join(_codes(notebook))


def _refuse_no_python(notebook: Path) -> None:
    """Refuse the first code cell that cannot be read, by its number and line."""
    for number, source in enumerate(_codes(notebook), 1):
        try:
            ast.parse(source)
        except SyntaxError as error:
            where = f"{notebook.stem}, code cell {number}, line {error.lineno}"
            raise errors.BuildError(f"this is not Python ({error.msg}); mend the cell and run again", where) from None


def shown() -> dict[str, list[str]]:
    """Ids of figures and tables by notebook, in the order in which it shows them."""
    notebooks = sorted(project.notebooks().glob("[0-9][0-9]_*.ipynb"))
    return {path.stem: list(dict.fromkeys(SHOWN.findall(code(path)))) for path in notebooks}


def module_file(name: str) -> Path | None:
    """File of a module of the project's own packages; None when there is none of that name."""
    place = project.library().joinpath(*name.split("."))
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.exists()), None)


def _statements(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Statements at any depth; expressions hold no import and are left out, as is what only types need."""
    for node in nodes:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, name, ()))


@functools.cache
def _ours(package: str) -> bool:
    return module_file(package) is not None


def imports(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a piece of Python imports, at once or later inside a function: our modules, and names of others."""
    taken: set[str] = set()
    for node in _statements(ast.parse(source).body):
        if isinstance(node, ast.Import):
            taken.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            taken.update(f"{node.module}.{alias.name}" for alias in node.names)
    ours = {name for name in taken if _ours(name.partition(".")[0])}
    parents = {name.rsplit(".", i)[0] for name in ours for i in range(name.count(".") + 1)}
    return frozenset(filter(module_file, parents)), frozenset(taken - ours)


@functools.cache
def module(name: str) -> tuple[str, frozenset[str], frozenset[str]]:
    """Digest of a library module and its data, the modules and the packages that it imports."""
    if (file := module_file(name)) is None:
        raise ModuleNotFoundError(name)
    text = file.read_text(encoding="utf-8")
    beside = [path for path in map(file.with_name, BESIDE.findall(text)) if path.is_file()]
    return digest(text, *(path.read_bytes() for path in beside)), *imports(text)


def modules(source: str) -> dict[str, str]:
    """The project's own modules that `source` reaches, directly or not: name to hash."""
    found: dict[str, str] = {}
    waiting = sorted(imports(source)[0])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name], further, _ = module(name)
            waiting.extend(further)
    return dict(sorted(found.items()))


def reached(chapter: project.Chapter) -> dict[str, str]:
    """The project's own modules that a chapter runs, `display` and the look of figures included: name to hash."""
    look = "\nimport notebook_report.display" + (f"\nimport {project.current.style}" if project.current.style else "")
    try:
        return modules(code(chapter.notebook) + look)
    except SyntaxError:
        _refuse_no_python(chapter.notebook)
        raise


def loaded(chapter: project.Chapter) -> frozenset[str]:
    """Library modules that the notebook reaches, and what these and it take from packages, sooner or later."""
    ours = reached(chapter)
    return imports(code(chapter.notebook))[1].union(ours, *(module(name)[2] for name in ours))


def code_key(chapter: project.Chapter, parameters: dict[str, Any], needs: Iterable[str], inputs: str = "") -> str:
    """Hash of all that can change what a chapter computes.

    That is its own code, the library it reaches, its resolved `parameters`, the keys of the chapters that it `needs`,
    and `inputs`, a hash of files from outside the repository (a reader's own data).
    """
    source = code(chapter.notebook)
    parts = [source, json.dumps(reached(chapter)), json.dumps(parameters, sort_keys=True), inputs]
    lock = project.current.root / "requirements.lock"
    return digest(*parts, file_digest(lock), *sorted(needs), *map(_content, _found(chapter.reads)))


def own_key(chapter: project.Chapter, key: str) -> str:
    """`code_key` together with the prose, captions and sentences included."""
    texts = (f"captions/{chapter.name}.yaml", f"words/{chapter.name}.md", *SHARED)
    beside = [path for path in (project.notebooks() / name for name in texts) if path.exists()]
    return digest(key, *map(_content, [chapter.notebook, *beside]))


def _found(patterns: Iterable[str], folder: Path | None = None) -> list[Path]:
    """Files below a folder, by default the project's."""
    return sorted({path for pattern in patterns for path in (folder or project.current.root).glob(pattern)})


def _content(path: Path) -> str | bytes:
    """What counts of a file: of a notebook its cells, however an editor saves it."""
    return json.dumps(cells(path.read_bytes())) if path.suffix == ".ipynb" else path.read_bytes()


def bound() -> list[Path]:
    """Files beside the notebooks that only the report is made from."""
    return _found(PAGES, project.notebooks())


def everything() -> str:
    """Hash of all that the report is made from: library, notebooks, parameters, lock."""
    packages = [file.parent for file in project.library().glob("*/__init__.py")]
    library = [p for folder in packages for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    texts = _found(("[0-9]*.ipynb", "words/*.md", *PAGES), project.notebooks())
    files = [*library, *texts, *_found(project.current.made_from)]
    named = {str(path.relative_to(project.current.root)): path for path in files}
    return digest(*(part for name in sorted(named) for part in (name, _content(named[name]))))
