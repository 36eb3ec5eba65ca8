"""First pass: read the executed notebooks, number figures and tables, collect findings."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from notebook_report import markdown, project, text
from notebook_report.errors import BuildError

LAST = "00"  # the chapter on all others comes after them
HIDDEN_TAGS = {"parameters", "injected-parameters", "remove-cell"}
SHOWN = re.compile(r"""\bid\s*=\s*["']((?:fig|tbl|finding)-[a-z0-9-]+)["']""")


# What a last line without semicolon leaves behind: nothing a reader wants
NOISE = re.compile(r"(Posix|Windows)Path\(|\[?<(Axes|Figure|matplotlib|seaborn)\b|Text\(")


class Cell(NamedTuple):
    """One cell that the report shows."""

    number: int
    kind: str
    source: str
    where: str
    anchor: str
    outputs: list[dict[str, Any]]


class Chapter(NamedTuple):
    """One executed notebook."""

    name: str
    cells: list[Cell]
    title: str

    @property
    def number(self) -> str:
        """Two digits at the front of its name."""
        return self.name[:2]

    @property
    def label(self) -> str:
        """Text of a reference to it."""
        return f"chapter {int(self.number)}"


@dataclass
class Item:
    """A figure, table or finding: where it stands and what it is called."""

    id: str
    kind: str
    label: str
    chapter: Chapter
    cell: Cell
    about: dict[str, Any]
    output: dict[str, Any]
    file_only: bool = False


class Manuscript(NamedTuple):
    """All chapters, and everything that can be referred to by id; `placed` are those that stand on a page."""

    chapters: list[Chapter]
    items: dict[str, Item]
    placed: frozenset[str]


def about(output: dict[str, Any]) -> dict[str, Any]:
    """What a display helper said about its output; empty for other outputs."""
    return output.get("metadata", {}).get(project.current.name, {})


def _kept(output: dict[str, Any], where: str) -> dict[str, Any] | None:
    """Return the output without what a run leaves behind; None for warnings, progress and previews."""
    kind = output["output_type"]
    if kind == "error":
        raise BuildError(f"the cell failed with {output.get('ename', 'an error')}", where)
    if kind == "stream":
        text = markdown.scrub(output["text"]).strip("\n")
        shown = output.get("name") == "stdout" and text.strip()
        return {"output_type": "stream", "data": {"text/plain": text}} if shown else None
    known = about(output)
    if known.get("kind") in ("caption", "absent"):
        return None
    data = {mime: value for mime, value in output["data"].items() if isinstance(value, str)}
    if set(data) == {"text/plain"} and NOISE.match(data["text/plain"]):
        return None
    if not any(value.strip() for value in data.values()):
        raise BuildError("an output is empty", where)
    cleaned = {mime: value if mime.startswith("image/") else markdown.scrub(value) for mime, value in data.items()}
    return {"output_type": kind, "data": cleaned, "metadata": {project.current.name: markdown.scrub_all(known)}}


def _shows_all(cell: Cell, outputs: list[dict[str, Any]]) -> None:
    """Refuse a cell that names a figure, table or finding but neither gave it nor left it out on purpose."""
    code = "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith("#"))
    given = {about(output).get("id") for output in outputs}
    for name in SHOWN.findall(code) if cell.kind == "code" else ():
        if name not in given:
            raise BuildError(f"{name} is in the code but not among the outputs: it was lost on the way", cell.where)


def read(path: Path) -> Chapter:
    """Read one executed notebook; refuse a failed cell, an empty or lost output, a missing title."""
    name = path.stem
    notebook = nbformat.read(path, as_version=4)
    cells = []
    for number, raw in enumerate(notebook.cells, start=1):
        hidden = HIDDEN_TAGS & set(raw.metadata.get("tags", []))
        if hidden or raw.cell_type == "raw" or (not raw.source.strip() and not raw.get("outputs")):
            continue
        where, outputs = f"{name}, cell {number}", raw.get("outputs", [])
        kept = [one for output in outputs if (one := _kept(output, where))]
        cells.append(Cell(number, raw.cell_type, raw.source.strip(), where, f"cell-{name[:2]}-{number:02d}", kept))
        _shows_all(cells[-1], outputs)
    first = cells[0].source if cells and cells[0].kind == "markdown" else ""
    if (title := re.match(r"(?:#\s+)+(.+)", first)) is None:
        raise BuildError("the notebook must begin with a level-1 heading", f"{name}, cell 1")
    return Chapter(name, cells, title[1].strip())


REQUIRED = {kind: keys.split() for kind, keys in text.VOCABULARY["required"].items()}
NOUN = {"figure": "Figure", "table": "Table", "ledger": "Table"}


def _items(chapters: list[Chapter]) -> dict[str, Item]:
    items: dict[str, Item] = {}
    every = ((chapter, cell, output) for chapter in chapters for cell in chapter.cells for output in cell.outputs)
    for chapter, cell, output in every:
        kind = (known := about(output)).get("kind", "")
        for key in REQUIRED.get(kind, ()):
            if not known.get(key):
                raise BuildError(f"a {kind} ({known.get('id', 'without id')}) lacks its {key}", cell.where)
        if kind in REQUIRED:
            item = items.setdefault(known["id"], Item(known["id"], kind, "finding", chapter, cell, known, output))
            if item.output is not output:
                raise BuildError(f"{item.id} is used twice, first in {item.cell.where}", cell.where)
    return items


def _number(items: dict[str, Item], placed: Sequence[str]) -> None:
    """Label figures and tables in reading order: those on pages first; what is a file alone has no number."""
    counts = Counter[str]()
    for name in placed:
        if name not in items:
            raise BuildError(f"a page shows {name}, which no chapter makes")
    for item in (*(items[name] for name in placed), *(one for one in items.values() if one.id not in placed)):
        noun = NOUN.get(item.kind)
        if text.captions(item.id).get("only") == "file" and item.id not in placed:
            item.label, item.file_only = f"{item.id}.csv", True
        elif noun:
            counts[noun] += 1
            item.label = f"{noun} {counts[noun]}"


def _evidence(items: dict[str, Item]) -> None:
    for item in items.values():
        rows = ([row] if isinstance(row, str) else row for row in item.about.get("evidence", []))
        for name in itertools.chain.from_iterable(rows):
            if name not in items:
                raise BuildError(f"{item.id} rests on {name!r}, which no chapter shows", item.cell.where)


def gather(executed: Iterable[Path], placed: Sequence[str] = ()) -> Manuscript:
    """Read the chapters, in order of their numbers, 00 last; `placed` are the ids that stand on pages, in order.

    Refused is what `read` refuses, and a duplicate id, unknown evidence, a missing caption or alternative text.
    """
    chapters = [read(path) for path in sorted(executed, key=lambda path: (path.name[:2] == LAST, path.name))]
    items = _items(chapters)
    _evidence(items)
    if twice := [name for name, count in Counter(placed).items() if count > 1]:
        raise BuildError(f"{twice[0]} is shown on the pages twice")
    _number(items, placed)
    return Manuscript(chapters, items, frozenset(placed))
