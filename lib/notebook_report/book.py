"""All chapters in one self-contained HTML file: each by nbconvert under the book's templates, bound and checked."""

import functools
import re
from collections.abc import Iterable, Mapping
from html import escape, unescape
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.templateexporter import TemplateExporter
from pygments import lex
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String
from traitlets.config import Config

from notebook_report import checks, markdown, project, results
from notebook_report.errors import BuildError
from notebook_report.manuscript import Cell, Chapter, Item, Manuscript, gather
from notebook_report.outputs import Outputs

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
FRONT = "00"
MADE = "how-made"
ELSEWHERE = "the published report"
TOKENS = (
    (Comment, "c"),
    (String, "s"),
    (Number, "m"),
    (Operator.Word, "k"),
    (Keyword, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
)


def build(
    executed: Iterable[Path],
    out: Path,
    made: Mapping[str, Any] | None = None,
    quick: bool = False,
    outdated: str = "",
) -> Path:
    """Build ``report.html`` from executed notebooks ``NN_name.ipynb``, 00 first; a failure leaves an earlier one.

    `made` says how it was made: heading to text, to a mapping (shown as pairs) or to a list of mappings (shown as a
    table); equal bytes from two builds need equal values there, so no time of day. `outdated` is said at the top. What
    `manuscript.gather`, the rendering or `checks.problems` refuse is told with the notebook and the cell.
    """
    html = compose(executed, made, quick, outdated)
    found = checks.problems(html)
    if found:
        more = f" (and {len(found) - 5} more)" if len(found) > 5 else ""
        raise BuildError("; ".join(found[:5]) + more, "report.html")
    return results.publish(out / "report.html", html)


def compose(
    executed: Iterable[Path], made: Mapping[str, Any] | None = None, quick: bool = False, outdated: str = ""
) -> str:
    """HTML of the report, not yet checked."""
    book = Book(gather(executed), {MADE: "How it was made"} if made else {})
    pages = [book.page(chapter) for chapter in book.manuscript.chapters]
    if pages[0]["number"] != FRONT:
        title = project.current.title
        pages.insert(0, {"number": FRONT, "title": title, "short": "Findings", "sections": [], "html": ""})
    pages[0]["html"] = book.front(pages[0]["html"])
    for page in pages:
        page["html"] = book.settle(page["html"])
    question, mark, rest = pages[0]["title"].partition("? ")
    css, js = asset("report.css"), asset("report.js")
    return book.template("shell").render(
        css=css, js=js, csp=checks.policy(css, js), chapters=pages, made=made, quick=quick, outdated=outdated,
        title=f'{question}? <span class="sub">{rest}</span>' if mark else question,
        title_text=escape(unescape(re.sub(r"<[^>]*>", "", pages[0]["title"]))),
    )  # fmt: skip


def asset(name: str) -> str:
    """Style or script as the report carries it."""
    text = (HERE / name).read_text(encoding="utf-8")
    if name.endswith(".css"):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"\s*([{};,>])\s*|(?<=:) ", r"\1", re.sub(r"\s+", " ", text)).replace(";}", "}")
    return text.strip()


@functools.cache
def _lexer() -> PythonLexer:
    return PythonLexer(stripnl=False)


def coloured(code: str) -> str:
    """HTML of Python code: only what a reader's eye looks for has a colour.

    >>> coloured("x = 1  # one")
    'x = <i class="m">1</i>  <i class="c"># one</i>'
    """
    parts: list[tuple[str, str]] = []
    for kind, text in lex(code.rstrip(), _lexer()):
        name = next((short for family, short in TOKENS if kind in family), "")
        if parts and parts[-1][0] == name:
            parts[-1] = (name, parts[-1][1] + text)
        else:
            parts.append((name, text))
    html = "".join(f'<i class="{name}">{escape(text)}</i>' if name else escape(text) for name, text in parts)
    return html.rstrip("\n")


def slug(text: str) -> str:
    """Part of an address, from a heading.

    >>> slug("What we learned: $x$ & <b>")
    'what-we-learned-x'
    """
    plain = re.sub(r"<[^>]*>|&\w+;", "", text).lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].rstrip("-") or "section"


def _unlinked(html: str) -> str:
    return re.sub(r"</?a\b[^>]*>", "", html)


class Book:
    """Rendering state of one book: labels, sections, what has been shown; `extra` are further ids with their text."""

    def __init__(self, manuscript: Manuscript, extra: Mapping[str, str]) -> None:
        self.manuscript = manuscript
        self.labels = {item.id: item.label for item in manuscript.items.values()}
        self.labels |= {f"ch-{chapter.number}": self.chapter_label(chapter) for chapter in manuscript.chapters}
        self.labels |= extra
        self.complete = any(chapter.number == FRONT for chapter in manuscript.chapters)
        self.later: dict[str, str] = {}
        self.sections: list[tuple[str, str]] = []
        self.anchors: set[str] = set()
        self.cells: dict[str, Cell] = {}
        self.rendered: set[tuple[str, int]] = set()
        self.outputs = Outputs(manuscript, self.label, self._fill, project.style())
        self.exporter = TemplateExporter(
            config=Config({"Exporter": {"optimistic_validation": True}}),
            template_name="book", template_file="chapter.html.j2", extra_template_basedirs=[str(TEMPLATES)],
            filters={**self.outputs.filters(), "prose": self.prose, "coloured": coloured, "output": self.output},
        )  # fmt: skip

    def template(self, name: str) -> Any:
        """A template of the book."""
        return self.exporter.environment.get_template(f"{name}.html.j2")

    def _fill(self, **values: Any) -> str:
        return self.template("outputs").render(**values)

    @staticmethod
    def chapter_label(chapter: Chapter) -> str:
        """Text of a reference to a chapter."""
        return "the front page" if chapter.number == FRONT else f"chapter {int(chapter.number)}"

    def label(self, target: str, where: str) -> str:
        """Text of a reference; headings and cells are looked up when all chapters are rendered."""
        if target not in self.labels:
            self.later.setdefault(target, where)
        return self.labels.get(target, target)

    def settle(self, html: str) -> str:
        """Check the references that were left for later: one to what no chapter shows is an error.

        In a book without a front page (a reader's own data) a reference to a chapter that was not run becomes text.
        """
        for target, where in self.later.items():
            if target in self.anchors:
                continue
            if self.complete:
                raise BuildError(f"a reference to #{target}, which is nowhere in the book", where)
            link = re.compile(rf'<a href="#{re.escape(target)}">(.*?)</a>')
            html = link.sub(functools.partial(_elsewhere, target), html)
        return html

    def page(self, chapter: Chapter) -> dict[str, Any]:
        """A chapter as the shell shows it: number, title, sections, HTML."""
        self.sections = []
        html = self.render(chapter)
        title = markdown.inline(chapter.title, markdown.Renderer(chapter.cells[0].where, self.label))
        short = "Findings" if chapter.number == FRONT else _unlinked(title)
        sections = [(id, _unlinked(text)) for id, text in self.sections]
        return {"number": chapter.number, "title": title, "short": short, "sections": sections, "html": html}

    def front(self, html: str) -> str:
        """Front page: findings first, also when chapter 00 states none of its own, and a list of the others."""
        rest: list[Item] = self.manuscript.findings()
        own = {item.id for item in rest if item.chapter.number == FRONT}
        if not own and not self.outputs.on_front and rest:
            return f"{self.outputs.part('findings', chosen=rest)}\n{html}"
        others = [item for item in rest if item.id not in own | self.outputs.on_front]
        return f"{html}\n{self.outputs.part('others', chosen=others)}" if others else html

    def prose(self, name: str) -> str:
        """HTML of a Markdown cell, by its anchor."""
        cell = self.cells[name]
        source = re.sub(r"\A#\s+.+\n?", "", cell.source) if cell.anchor == self.first else cell.source

        def heading(text: str, level: int) -> str:
            return self._heading(text, max(level, 2))

        html = markdown.render(source, markdown.Renderer(cell.where, self.label, heading))
        return html.replace("<p><em>Reads</em>", '<p class="meta"><em>Reads</em>')

    def _heading(self, text: str, level: int) -> str:
        number = self.chapter.number
        base = name = f"c{number}-{slug(text)}"
        count = 1
        while name in self.anchors:
            count += 1
            name = f"{base}-{count}"
        self.anchors.add(name)
        deeper = min(level + (number != FRONT), 6)
        if level == 2:
            self.sections.append((name, text))
        return f'<h{deeper} id="{name}">{text}</h{deeper}>\n'

    def output(self, index: int, name: str) -> str:
        """HTML of one output, by its place in its cell."""
        cell = self.cells[name]
        self.rendered.add((name, index))
        return self.outputs.render(cell.outputs[index], cell)

    def render(self, chapter: Chapter) -> str:
        """HTML of a chapter without its title; an output that did not reach it is an error."""
        self.chapter, self.first = chapter, chapter.cells[0].anchor
        self.cells |= {cell.anchor: cell for cell in chapter.cells}
        self.anchors |= set(self.cells)
        html, _ = self.exporter.from_notebook_node(_node(chapter))
        for cell in chapter.cells:
            for index, output in enumerate(cell.outputs):
                if (cell.anchor, index) not in self.rendered:
                    raise BuildError(f"a {output['output_type']} output was lost on the way", cell.where)
        return html


def _elsewhere(target: str, link: re.Match[str]) -> str:
    """A link's text, or words in its place where it has none but its target's name."""
    return ELSEWHERE if link[1] == target else link[1]


def _node(chapter: Chapter) -> Any:
    """The chapter for nbconvert's walker, with a mark where each output is to be filled in."""
    mark = {"output_type": "display_data", "data": {"text/plain": "-"}, "metadata": {}}
    cells = []
    for cell in chapter.cells:
        about = {"where": cell.where, "number": cell.number}
        node = {"cell_type": cell.kind, "id": cell.anchor, "metadata": about, "source": cell.source}
        code = {"execution_count": None, "outputs": [mark] * len(cell.outputs)} if cell.kind == "code" else {}
        cells.append(node | code)
    return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})
