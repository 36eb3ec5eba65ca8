"""What a chapter's result depends on, as one hash: content decides what is redone, never a time stamp.

A chapter depends on its notebook, on the library modules that the notebook imports (and that those import), on its
parameters, on the lock and on the chapters it reads. Prose is not code: a chapter whose text changed is redone, what
reads from it is not.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrition import paths
from attrition.digests import digest, file_digest
from attrition.run.plan import Chapter
from attrition.sources import LIBRARY, cells, modules, packages, packages_of


def code(notebook: Path) -> str:
    """Code cells of a notebook, IPython magics left out."""
    lines = (source.splitlines() for kind, source, _ in cells(notebook.read_bytes()) if kind == "code")
    return "\n".join(line for cell in lines for line in cell if not line.lstrip().startswith(("%", "!")))


def loaded(chapter: Chapter) -> frozenset[str]:
    """Library modules that the notebook reaches, and what these and it take from packages, sooner or later."""
    source = code(chapter.notebook)
    reached = modules(source)
    return packages(source).union(reached, *map(packages_of, reached))


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
    extra = [p.read_bytes() for p in (paths.CLAIMS, paths.COST) if chapter.name.startswith("00") and p.exists()]
    extra += [p.read_bytes() for p in sorted(paths.STUDIES.glob("*.json")) if "attrition.studies" in source]
    return digest(*parts, file_digest(paths.LOCK), *sorted(needs), *extra)


def own_key(chapter: Chapter, key: str) -> str:
    """`code_key` together with the prose, captions and sentences included."""
    beside = (f"captions/{chapter.name}.yaml", f"words/{chapter.name}.md", "words/shared.md")
    found = [paths.NOTEBOOKS / name for name in beside if (paths.NOTEBOOKS / name).exists()]
    return digest(key, _content(chapter.notebook), *(path.read_bytes() for path in found))


def _content(path: Path) -> str | bytes:
    """What counts of a file: of a notebook its cells, however an editor saves it."""
    return json.dumps(cells(path.read_bytes())) if path.suffix == ".ipynb" else path.read_bytes()


def sources() -> str:
    """Hash of everything that the report is made from: library, notebooks, parameters, claims, lock."""
    files = [p for p in LIBRARY.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    files += [*paths.NOTEBOOKS.glob("[0-9]*.ipynb"), paths.PARAMS, paths.CLAIMS, paths.LOCK, paths.COST]
    files += [
        *paths.NOTEBOOKS.glob("captions/*.yaml"),
        *paths.NOTEBOOKS.glob("words/*.md"),
        *paths.STUDIES.glob("*.json"),
    ]
    known = sorted((str(p.relative_to(paths.ROOT)), p) for p in files if p.exists())
    return digest(*(part for name, path in known for part in (name, _content(path))))
