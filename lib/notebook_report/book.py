"""Pages and chapters in one HTML file: each by nbconvert under the book's templates, bound and checked.

An output is a figure, table, ledger, finding, sentence, box or plain text; its form is in ``outputs.html.j2``.
"""

import base64
import dataclasses
import gzip
import importlib
import itertools
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from nbconvert.exporters.templateexporter import TemplateExporter
from nbformat.v4 import new_notebook
from pygments import lex, token
from pygments.lexers.python import PythonLexer
from traitlets.config import Config

from notebook_report import checks, display, markdown, project, results, text
from notebook_report.errors import BuildError
from notebook_report.manuscript import Cell, Chapter, Item, Manuscript, about, gather
from notebook_report.pages import FRONT, Block, Number, Pages, printed

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
MADE = "how-made"
ELSEWHERE = "the published report"
NUMBER = re.compile(r'<a href="(#(?:n-\d+|ref-\w+))">')
TOKENS = {token.string_to_tokentype(kind): name for kind, name in text.VOCABULARY["coloured"].items()}
LEXER = PythonLexer(stripnl=False)
SORTED_FROM = 10  # tables of fewer rows need no sorting
# Files of more characters are offered packed: spreadsheets and pandas open them, and the report stays small
PACKED_FROM = 8_000
# What a printed page holds of the longest words of a table's columns, in characters, at the usual and a smaller size.
# At 8 points a character with its share of the cells' padding takes up to 6.2 of the page's 672 pixels.
UPRIGHT, SMALLER = 105, 125


def build(
    executed: Iterable[Path], out: Path, made: Mapping[str, Any] | None = None, quick: bool = False, outdated: str = ""
) -> Path:
    """Build ``report.html`` from executed notebooks ``NN_name.ipynb`` and the pages; a failure leaves an earlier one.

    `made` says how it was made: heading to text, to a mapping (shown as pairs) or to a list of mappings (shown as a
    table); equal bytes from two builds need equal values there, so no time of day. `outdated` is said at the top. What
    `manuscript.gather`, the pages, the rendering or `checks.problems` refuse is told with its place.
    """
    html = compose(executed, made, quick, outdated)
    if found := checks.problems(html):
        more = f" (and {len(found) - 5} more)" if len(found) > 5 else ""
        raise BuildError("; ".join(found[:5]) + more, "report.html")
    return results.publish(out / "report.html", html)


def compose(
    executed: Iterable[Path], made: Mapping[str, Any] | None = None, quick: bool = False, outdated: str = ""
) -> str:
    """HTML of the report, not yet checked."""
    if not (files := list(executed)):
        raise BuildError("there is no executed notebook to make a report of")
    folder, params = files[0].parent.parent / "results", {}
    if project.current.params:
        read = importlib.import_module(project.current.params).read("quick" if quick else "full")
        params = {name: vars(part) if dataclasses.is_dataclass(part) else part for name, part in read.items()}
    pages = Pages([file.stem for file in files], folder, params)
    book = Book(gather(files, pages.shown), pages, {MADE: "How it was made"} if made else {})
    values: dict[str, Any] = {name: book.page(name) for name in pages.blocks}
    values |= {"chapters": [book.chapter_page(chapter) for chapter in book.manuscript.chapters]}
    values |= {"numbers": book.numbers(), "references": book.listed_references()}
    values = book.settle(values)
    head = project.current.title.replace("\\", "").replace('"', "")
    printed_head = f'@page{{@top-left{{content:"{head}";font:8pt sans-serif}}}}'
    css = asset("report.css") + display.palette(project.style()) + printed_head
    js = asset("report.js")
    return book.template("shell").render(
        values, css=css, js=js, csp=checks.policy(css, js), made=made, quick=quick, outdated=outdated,
        name=project.current.title,
    )  # fmt: skip


def asset(name: str) -> str:
    """Style or script as the report carries it."""
    written = (HERE / name).read_text(encoding="utf-8")
    if name.endswith(".css"):
        written = re.sub(r"/\*.*?\*/", "", written, flags=re.S)
        written = re.sub(r"\s*([{};,>])\s*|(?<=:) ", r"\1", re.sub(r"\s+", " ", written)).replace(";}", "}")
    return written.strip()


def coloured(code: str) -> str:
    """HTML of Python code: only what a reader's eye looks for has a colour.

    >>> coloured("x = 1  # one")
    'x = <i class="m">1</i>  <i class="c"># one</i>'
    """

    def colour(piece: tuple[Any, str]) -> str:
        return next((name for family, name in TOKENS.items() if piece[0] in family), "")

    runs = itertools.groupby(lex(code.rstrip(), LEXER), colour)
    told = ((name, escape("".join(words for _, words in run))) for name, run in runs)
    return "".join(f'<i class="{name}">{words}</i>' if name else words for name, words in told).rstrip("\n")


def said(value: Any) -> str:
    """Words or a list of them, escaped, without traces of the machine."""
    return escape(markdown.scrub(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)))


def csv_address(csv: str) -> str:
    """A table as the address of a download, packed if it is long."""
    if len(csv) > PACKED_FROM:
        return "data:application/gzip;base64," + base64.b64encode(gzip.compress(csv.encode(), mtime=0)).decode()
    return "data:text/csv;charset=utf-8," + quote(csv, safe=",.:;/()=+-_'!*\u2013")


def _paper(spec: dict[str, Any]) -> str:
    """Class of a table that does not fit a printed page as it is: set smaller, or on a page that is turned.

    >>> [_paper({"columns": [{"label": "x" * 9}] * n, "rows": [["1"] * n]}) for n in (10, 11, 13)]
    ['', ' wide', ' turned']
    """
    columns = zip(*[[column["label"] for column in spec["columns"]], *spec["rows"]], strict=True)
    words = [max(len(word) for cell in column for word in re.split("[ \n]", text.typeset(cell))) for column in columns]
    needed = sum(words) + 1.35 * len(words)
    return "" if needed <= UPRIGHT else " wide" if needed <= SMALLER else " turned"


def _width(label: str, cells: tuple[str, ...]) -> str:
    """Class of a column that must not be squeezed on a phone."""
    longest = max(map(len, cells), default=0)
    steps = ((90, " xx"), (28, " x"), (17, " v"))
    return next((name for least, name in steps if longest > least), " w" if max(longest, len(label)) > 12 else "")


def _key(rows: list[list[str]]) -> int:
    """Place of the column that tells a row from the others beside the first: 1 or 2, or 0 where none is needed or does.

    >>> [_key(rows) for rows in ([["a", "x"], ["b", "x"]], [["a", "x"], ["a", "y"]], [["a", "x"], ["a", "x"]])]
    [0, 1, 0]
    >>> _key([["0.35", "call", "LightGBM"], ["0.35", "call", "XGBoost"]])
    2
    """
    if len({row[0] for row in rows}) == len(rows):
        return 0
    return next((at for at in (1, 2) if len({(row[0], *row[at : at + 1]) for row in rows}) == len(rows)), 0)


def layout(spec: dict[str, Any]) -> dict[str, Any]:
    """Classes of a table's cells and headings, and whether the first column names its rows."""
    columns, rows = spec["columns"], spec["rows"]
    key, names = _key(rows), [row[0] for row in rows]
    marks = [column["align"][0] + " k" * (0 < at == key) for at, column in enumerate(columns)]
    named = len(columns) > 1 and marks[0] == "l" and all(names) and len(set(names)) == len(names)
    each = zip(marks, columns, zip(*rows, strict=True), strict=True)
    heads = [f"{mark}{_width(column['label'], cells)}" for mark, column, cells in each]
    return {"marks": marks, "heads": heads, "named": named}


# What the templates of the book use, beside methods of `Book`
FILTERS = {
    **{"e": escape, "said": said, "csv_address": csv_address, "layout": layout, "paper": _paper, "coloured": coloured},
    "shown": lambda words: escape(text.typeset(words)),
    "file_name": lambda id, csv: f"{id}.csv" + ".gz" * (len(csv) > PACKED_FROM),
}


def slug(heading: str) -> str:
    """Part of an address, from a heading.

    >>> slug("What we learned: $x$ & <b>")
    'what-we-learned-x'
    """
    plain = re.sub(r"<[^>]*>|&\w+;", "", heading).lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].rstrip("-") or "section"


def _unlinked(html: str) -> str:
    return re.sub(r"</?a\b[^>]*>", "", html)


class File(NamedTuple):
    """What is looked for in the file of a figure or table: its cells, and the words of its id and cells."""

    item: Item
    cells: set[str]
    words: set[str]


class Book:
    """Rendering state of one book: labels, anchors, what has been shown; `extra` are further ids with their text."""

    def __init__(self, manuscript: Manuscript, pages: Pages, extra: Mapping[str, str]) -> None:
        self.manuscript, self.pages = manuscript, pages
        self.labels = {item.id: item.label for item in manuscript.items.values()}
        self.labels |= {f"ch-{chapter.number}": chapter.label for chapter in manuscript.chapters}
        self.labels |= {"chapters": "the chapters", "check": "Check one number", **extra}
        self.labels |= {name: f"the {name}" for name in pages.blocks}
        known = {chapter.name for chapter in manuscript.chapters}
        self.complete = bool(pages.blocks) and known >= {chapter.name for chapter in project.current.chapters}
        self.later: dict[str, str] = {}
        self.sections: list[tuple[str, str]] = []
        self.chapter: Chapter | None = None
        self.anchors = {number.id for number in pages.numbers.values()} | {f"ref-{key}" for key in pages.references}
        self.parts = {f"#{number.id}": number.key.rpartition(".")[0] for number in pages.numbers.values()}
        self.reached: set[str] = set()
        self.at: str | None = None
        self.rendered: set[tuple[str, int]] = set()
        self.exporter = TemplateExporter(
            config=Config({"Exporter": {"optimistic_validation": True}}),
            template_name="book", template_file="chapter.html.j2", extra_template_basedirs=[str(TEMPLATES)],
            filters={**FILTERS, "inline": self._line, "block": self._text, "prose": self.prose, "output": self.output},
        )  # fmt: skip

    def template(self, name: str) -> Any:
        """A template of the book."""
        return self.exporter.environment.get_template(f"{name}.html.j2")

    def label(self, target: str, where: str) -> str:
        """Text of a reference; headings and cells are looked up when all chapters are rendered."""
        if target not in self.labels:
            self.later.setdefault(target, where)
        return self.labels.get(target, target)

    def settle(self, values: dict[str, Any]) -> dict[str, Any]:
        """Check the references that were left for later: one to what no chapter shows is an error.

        In a book of some chapters (a reader's own data) a reference to one that was not run becomes text.
        """
        missing = {target: where for target, where in self.later.items() if target not in self.anchors}
        if missing and self.complete:
            target, where = next(iter(missing.items()))
            raise BuildError(f"a reference to #{target}, which is nowhere in the book", where)
        for page in (*values["chapters"], *(values[name] for name in self.pages.blocks)):
            for target in missing:
                named = page["html"].replace(f'<a href="#{target}">{target}</a>', ELSEWHERE)
                page["html"] = re.sub(rf'<a href="#{re.escape(target)}">(.*?)</a>', r"\1", named)
        return values

    def chapter_page(self, chapter: Chapter) -> dict[str, Any]:
        """A chapter as the shell shows it: number, title, sections, HTML."""
        self.sections, self.prefix, self.chapter = [], f"c{chapter.number}", chapter
        html = self.render(chapter)
        title = markdown.inline(chapter.title, markdown.Renderer(chapter.cells[0].where, self.label))
        return {"number": chapter.number, "title": _unlinked(title), "sections": self.sections, "html": html}

    def page(self, name: str) -> dict[str, Any]:
        """A page as the shell shows it: sections, HTML."""
        self.sections, self.prefix, self.chapter = [], name, None
        parts = [self._block(block, f"pages/{name}.md") for block in self.pages.blocks[name]]
        return {"sections": self.sections, "html": NUMBER.sub(self._once, "\n".join(parts))}

    def _once(self, link: re.Match[str]) -> str:
        """A keyboard reaches each number and source once, and a run of numbers of one part of the results at its first.

        Their rows are neighbours. A pointer reaches all.
        """
        here = self.parts.get(link[1])
        stopped = link[1] in self.reached or (here is not None and here == self.at)
        self.reached.add(link[1])
        self.at = here
        return f'<a tabindex="-1" href="{link[1]}">' if stopped else link[0]

    def _block(self, block: Block, where: str) -> str:
        kind, content = block
        renderer = markdown.Renderer(where, self.label, self._heading)
        if kind == "markdown":
            return markdown.render(content, renderer)
        if kind == "shown":
            item = self.manuscript.items[content["id"]]
            self.rendered |= {(item.cell.anchor, at) for at, out in enumerate(item.cell.outputs) if out is item.output}
            return self.shown(item, content["title"])
        if kind == "bar":
            parts = [(n, markdown.inline(link, renderer), words, tone) for n, link, words, tone in content["parts"]]
            return self.part("bar", parts=parts)
        return f'<div class="{escape(content["name"])}">' if kind == "begin" else "</div>"

    def numbers(self) -> list[dict[str, Any]]:
        """Every number of the pages: as written, in full, its key, the table that holds it, the cell that made it."""
        chapters = {chapter.name: chapter for chapter in self.manuscript.chapters}
        files = {name: _files(self.manuscript, chapter) for name, chapter in chapters.items()}
        return [self._explained(number, chapters, files) for number in self.pages.numbers.values()]

    @staticmethod
    def _explained(number: Number, chapters: dict[str, Chapter], files: dict[str, list[File]]) -> dict[str, Any]:
        file, _, key = number.key.partition(": ")
        known = {"id": number.id, "shown": number.shown, "value": printed(number), "key": key, "file": file}
        if file not in chapters:  # a parameter, or the ledger, which the last chapter writes
            return known | {"item": None, "cell": None}
        item, cells = _holder(number, files[file]), chapters[file].cells
        writers = [cell for cell in cells if "results.write(" in cell.source]
        return known | {"item": item, "cell": item.cell if item else (writers or cells)[-1]}

    def listed_references(self) -> list[dict[str, Any]]:
        """Sources in the order in which the pages cite them, then the others by name."""
        known, cited = self.pages.references, self.pages.cited
        rest = sorted(set(known) - set(cited))
        return [{"id": f"ref-{key}", "cited": key in cited, **known[key]} for key in (*cited, *rest)] if cited else []

    def prose(self, cell: Cell) -> str:
        """HTML of a Markdown cell; the chapter's title stands above it."""
        source = re.sub(r"\A#\s+.+\n?", "", cell.source) if cell.number == self.first else cell.source
        below = markdown.Renderer(cell.where, self.label, lambda text, level: self._heading(text, max(level, 2)))
        html = markdown.render(source, below)
        return html.replace("<p><em>Reads</em>", '<p class="meta"><em>Reads</em>')

    def _heading(self, text: str, level: int) -> str:
        base = f"{self.prefix}-{slug(text)}"
        names = itertools.chain([base], (f"{base}-{count}" for count in itertools.count(2)))
        name = next(name for name in names if name not in self.anchors)
        self.anchors.add(name)
        deeper = min(level + (2 if self.chapter else self.prefix != FRONT), 6)
        if level == 2:
            self.sections.append((name, _unlinked(text)))
        more = f'<span class="hidden"> ({self.chapter.label})</span>' if self.chapter else ""
        return f'<h{deeper} id="{name}">{text}{more}</h{deeper}>\n'

    def output(self, output: dict[str, Any], cell: Cell, index: int) -> str:
        """HTML of one output of a cell in its chapter; never empty."""
        self.rendered.add((cell.anchor, index))
        html = self._html(output, about(output), cell)
        if not re.sub(r"<(?!svg|math)[^>]*>", "", html).strip():
            raise BuildError("an output would be empty in the report", cell.where)
        return html

    def _html(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        kind, item = known.get("kind"), self.manuscript.items.get(known.get("id", ""))
        if kind == "prose":
            return self._text(known["markdown"], cell.where)
        if kind == "callout":
            return self.part(kind, known=known, where=cell.where)
        if item is None:
            return self._other(output["data"], cell)
        if item.id in self.manuscript.placed:
            return self.part("elsewhere", item=item)
        if item.file_only:
            return self.part("file", item=item, known=known, where=cell.where)
        return self.shown(item)

    def shown(self, item: Item, title: str = "") -> str:
        """HTML of a figure, table, ledger or finding where it stands; with a `title` that says what was found."""
        more = {"drawings": self._drawings(item)} if item.kind == "figure" else {}
        return self.part(item.kind, known=item.about, item=item, title=title, where=item.cell.where, **more)

    def part(self, kind: str, **values: Any) -> str:
        """A part of the book by its kind, as the template has it."""
        known = {"items": self.manuscript.items, "verdicts": text.VERDICTS, "sorted_from": SORTED_FROM}
        return self.template("outputs").render(values, kind=kind, **known)

    def _text(self, source: str, where: str) -> str:
        return markdown.render(source, markdown.Renderer(where, self.label))

    def _drawings(self, item: Item) -> list[str]:
        """The drawing for screens, and the one for phones."""
        made = []
        for place, drawing in enumerate((item.output["data"].get("image/svg+xml"), item.about.get("phone"))):
            if not drawing:
                raise BuildError(f"{item.id} has lost its picture", item.cell.where)
            name, themed = f"{item.id}{'-phone' * place}", display.themed(drawing, project.style())
            made.append(display.inline(themed, name, item.about["alt"], "narrow" if place else "wide"))
            if len(made[-1]) > checks.FIGURE_LIMIT:
                took = f"{len(made[-1]) / 1024:.0f} KiB; at most {checks.FIGURE_LIMIT // 1024}"
                raise BuildError(f"{name} takes {took}. Draw fewer points, or with rasterized=True", item.cell.where)
        return made

    def _other(self, data: dict[str, str], cell: Cell) -> str:
        """Outputs of other libraries, by the report's own order of mime types."""
        if any(mime.startswith("image/") for mime in data):
            raise BuildError("a picture without caption and alternative text; use report.figure", cell.where)
        if "<table" in data.get("text/html", ""):
            raise BuildError("a table without caption; use report.table", cell.where)
        if "text/html" in data:
            return f'<div class="html scroll">{markdown.sanitised(data["text/html"])}</div>'
        if "text/markdown" in data:
            return self._text(data["text/markdown"], cell.where)
        if "text/latex" in data:
            latex = data["text/latex"].strip().strip("$")
            return f'<div class="math scroll">{markdown.formula(latex, cell.where, display=True)}</div>'
        if "text/plain" not in data:
            raise BuildError(f"an output of a kind the report cannot show ({', '.join(data)})", cell.where)
        return f'<pre class="text scroll">{escape(data["text/plain"])}</pre>'

    def _line(self, source: str, where: str) -> str:
        return markdown.inline(source, markdown.Renderer(where, self.label))

    def render(self, chapter: Chapter) -> str:
        """HTML of a chapter without its title; an output that did not reach it is an error."""
        self.first = chapter.cells[0].number
        self.anchors |= {cell.anchor for cell in chapter.cells}
        html, _ = self.exporter.from_notebook_node(new_notebook(), {"cells": chapter.cells})
        for cell in chapter.cells:
            for index, output in enumerate(cell.outputs):
                if (cell.anchor, index) not in self.rendered:
                    raise BuildError(f"a {output['output_type']} output was lost on the way", cell.where)
        return html


def _words(text: str) -> set[str]:
    return set(re.split(r"\W+|_", text))


def _files(manuscript: Manuscript, chapter: Chapter) -> list[File]:
    """The files that a chapter's figures and tables have, each taken apart once."""
    texts = {id: item.about.get("csv") or "" for id, item in manuscript.items.items() if item.chapter is chapter}
    items = manuscript.items
    return [File(items[id], set(re.split(r"[,\n]", csv)), _words(f"{id} {csv}")) for id, csv in texts.items()]


def _holder(number: Number, files: list[File]) -> Item | None:
    """The figure or table whose file holds a number; of several the one that shares most words with its key."""
    values = number.value if isinstance(number.value, Mapping) else {"value": number.value}
    wanted = {f"{value:.{results.DIGITS}g}" for value in values.values() if isinstance(value, float | int)}
    words, exact = _words(number.key), any("." in one for one in wanted)
    alike = [(1.5 * (file.item.kind == "table") + len(words & file.words), file) for file in files]
    held = [  # a small count is in many files: there its name must be too
        (rank, file.item) for rank, file in alike if wanted and wanted <= file.cells and (exact or words & file.words)
    ]
    return max(held, key=lambda one: one[0])[1] if held else None
