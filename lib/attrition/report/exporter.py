"""Second pass: one chapter to HTML, by nbconvert under the book's own template."""

import functools
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import pass_context
from nbconvert.exporters.html import HTMLExporter
from pygments import lex
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String
from traitlets.config import Config

from attrition.report import markdown
from attrition.report.errors import BuildError
from attrition.report.manuscript import Cell, Chapter, Manuscript
from attrition.report.outputs import Outputs

TEMPLATES = Path(__file__).with_name("templates")
FRONT = "00"
ELSEWHERE = "the published report"
PRIORITY = ["image/svg+xml", "text/html", "text/markdown", "text/latex", "text/plain"]
TOKENS = (
    (Comment, "c"),
    (String, "s"),
    (Number, "m"),
    (Operator.Word, "k"),
    (Keyword, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
)


@cache
def _lexer() -> PythonLexer:
    return PythonLexer(stripnl=False)


def coloured(code: str) -> str:
    """HTML of Python code: only what a reader's eye looks for has a colour.

    Examples
    --------
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


class ChapterExporter(HTMLExporter):
    """nbconvert's walker with the book's template, Markdown, formulas, sanitiser and order of mime types."""

    @property
    def default_config(self) -> Config:
        """The book's order of mime types; no preprocessor rewrites cells."""
        settings = Config({"NbConvertBase": {"display_data_priority": PRIORITY}})
        settings.merge(Config({"Exporter": {"optimistic_validation": True}}))  # once, not after each preprocessor
        settings.merge(Config({"HighlightMagicsPreprocessor": {"enabled": False}}))
        return settings

    def __init__(self, book: "Book", **kwargs: Any) -> None:
        self.book = book
        super().__init__(
            template_name="book", extra_template_basedirs=[str(TEMPLATES)], template_file="chapter.html.j2", **kwargs
        )

    def default_filters(self) -> Any:
        """Filters of nbconvert, then the book's."""
        yield from super().default_filters()
        yield ("prose", self.book.prose)
        yield ("coloured", coloured)
        yield ("output", self.book.output)

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Use the book's Markdown also where nbconvert's own filter is asked for."""
        return markdown.render(source, markdown.Renderer("", self.book.label))

    def from_notebook_node(self, nb: Any, resources: Any = None, **kw: Any) -> tuple[Any, Any]:
        """Convert, without the pass that fills in alternative texts nobody wrote."""
        self.register_filter("highlight_code", lambda source, **_: coloured(source))
        self.register_filter("filter_data_type", lambda data: [m for m in PRIORITY if m in data][:1])
        return super(HTMLExporter, self).from_notebook_node(nb, self._init_resources(resources), **kw)


def _elsewhere(target: str, link: re.Match[str]) -> str:
    """A link's text, or words in its place where it has none but its target's name."""
    return ELSEWHERE if link[1] == target else link[1]


def slug(text: str) -> str:
    """Part of an address, from a heading.

    Examples
    --------
    >>> slug("What we learned: $x$ & <b>")
    'what-we-learned-x'
    """
    plain = re.sub(r"<[^>]*>|&\w+;", "", text).lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].rstrip("-") or "section"


class Book:
    """Rendering state of one book: labels, sections, what has been shown.

    Parameters
    ----------
    manuscript : Manuscript
    extra : mapping of str to str, optional
        Further ids that may be referred to, with their text.
    """

    def __init__(self, manuscript: Manuscript, extra: dict[str, str] | None = None) -> None:
        self.manuscript = manuscript
        self.labels = {item.id: item.label for item in manuscript.items.values()}
        self.labels |= {f"ch-{chapter.number}": self.chapter_label(chapter) for chapter in manuscript.chapters}
        self.labels |= extra or {}
        self.complete = any(chapter.number == FRONT for chapter in manuscript.chapters)
        self.later: dict[str, str] = {}
        self.sections: dict[str, list[tuple[str, str]]] = {}
        self.anchors: set[str] = set()
        self.cells: dict[str, Cell] = {}
        self.rendered: set[tuple[str, int]] = set()
        self.outputs = Outputs(manuscript, self.label)
        self.exporter = ChapterExporter(self)

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
        """Check the references that were left for later.

        In a book without a front page (a reader's own trial) a reference to a chapter that was not run becomes text.

        Raises
        ------
        BuildError
            For the first reference to what no chapter shows, with the notebook and the cell that refers to it.
        """
        for target, where in self.later.items():
            if target in self.anchors:
                continue
            if self.complete:
                raise BuildError(f"a reference to #{target}, which is nowhere in the book", where)
            link = re.compile(rf'<a href="#{re.escape(target)}">(.*?)</a>')
            html = link.sub(functools.partial(_elsewhere, target), html)
        return html

    def prose(self, name: str) -> str:
        """HTML of a Markdown cell, by its anchor."""
        cell = self.cells[name]
        source = re.sub(r"\A#\s+.+\n?", "", cell.source) if cell.anchor == self.first else cell.source

        def heading(text: str, level: int) -> str:
            return self._heading(text, max(level, 2), cell)

        html = markdown.render(source, markdown.Renderer(cell.where, self.label, heading))
        return html.replace("<p><em>Reads</em>", '<p class="meta"><em>Reads</em>')

    def _heading(self, text: str, level: int, cell: Cell) -> str:
        number = self.chapter.number
        base = name = f"c{number}-{slug(text)}"
        count = 1
        while name in self.anchors:
            count += 1
            name = f"{base}-{count}"
        self.anchors.add(name)
        deeper = min(level + (number != FRONT), 6)
        if level == 2:
            self.sections[number].append((name, text))
        return f'<h{deeper} id="{name}">{text}</h{deeper}>\n'

    def output(self, index: int, name: str) -> str:
        """HTML of one output, by its place in its cell."""
        cell = self.cells[name]
        self.rendered.add((name, index))
        return self.outputs.render(cell.outputs[index], cell)

    def render(self, chapter: Chapter) -> str:
        """HTML of a chapter without its title.

        Raises
        ------
        BuildError
            When an output of the notebook did not reach the report.
        """
        self.chapter, self.first = chapter, chapter.cells[0].anchor
        self.sections[chapter.number] = []
        self.cells |= {cell.anchor: cell for cell in chapter.cells}
        self.anchors |= set(self.cells)
        html, _ = self.exporter.from_notebook_node(_node(chapter))
        for cell in chapter.cells:
            for index, output in enumerate(cell.outputs):
                if (cell.anchor, index) not in self.rendered:
                    raise BuildError(f"a {output['output_type']} output was lost on the way", cell.where)
        return html


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
