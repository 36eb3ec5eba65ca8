"""HTML of one output: figure, table, ledger, finding, sentence, box, plain text; its form is in ``outputs.html.j2``."""

import base64
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from notebook_report import checks, markdown, text
from notebook_report.errors import BuildError
from notebook_report.manuscript import Cell, Item, Manuscript, about
from notebook_report.text import VERDICTS

LONG_TABLE = 24
"""Tables of more rows scroll inside themselves."""
UPRIGHT, SMALLER = 105, 125
"""What a printed page holds of the longest words of a table's columns, in characters, at the usual and a smaller size.

At 8 points a character with its share of the cells' padding takes up to 6.2 of the page's 672 pixels.
"""
SPOKEN = {"black": "#1f2429", "#000000": "#1f2429", "white": "#fefefe", "#ffffff": "#fefefe"}
SIZE = re.compile(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"')

Label = Callable[[str, str], str]
"""``label(id, where)`` gives the text of a reference; raises for an unknown id."""


class Outputs:
    """Renders outputs of one book; `fill` renders ``outputs.html.j2``."""

    def __init__(self, manuscript: Manuscript, label: Label, fill: Callable[..., str], look: Any) -> None:
        self.manuscript, self.items = manuscript, manuscript.items
        self.label, self.fill, self.look = label, fill, look
        self.on_front: set[str] = set()

    def filters(self) -> dict[str, Callable[..., Any]]:
        """What the templates of the book use."""
        return {
            "e": escape,
            "shown": lambda words: escape(text.typeset(words)),
            "said": said,
            "inline": lambda source, where: markdown.inline(source, markdown.Renderer(where, self.label)),
            "block": self._block,
            "csv_address": csv_address,
            "layout": layout,
            "paper": _paper,
            "made_in": self._made_in,
        }

    def render(self, output: dict[str, Any], cell: Cell) -> str:
        """HTML of an output; never empty."""
        html = self._html(output, about(output), cell)
        if not re.sub(r"<(?!img|math)[^>]*>", "", html).strip():
            raise BuildError("an output would be empty in the report", cell.where)
        return html

    def _html(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        more: dict[str, Any] = {}
        kind = known.get("kind")
        if kind == "prose":
            return self._block(known["markdown"], cell.where)
        if kind == "figure":
            more = self._picture(output, known["id"], cell)
        elif kind == "findings":
            more = {"chosen": self._chosen(known.get("ids"), cell)}
        elif kind not in ("table", "ledger", "finding", "callout"):
            return self._other(output["data"], cell)
        return self.part(kind, known=known, item=self.items.get(known.get("id", "")), where=cell.where, **more)

    def part(self, kind: str, **values: Any) -> str:
        """A part of the book by its kind, as the template has it."""
        return self.fill(kind=kind, items=self.items, verdicts=VERDICTS, long=LONG_TABLE, **values)

    def _block(self, source: str, where: str) -> str:
        return markdown.render(source, markdown.Renderer(where, self.label))

    def _picture(self, output: dict[str, Any], id: str, cell: Cell) -> dict[str, Any]:
        svg = output["data"].get("image/svg+xml")
        if not svg:
            raise BuildError(f"{id} has lost its picture", cell.where)
        box = SIZE.search(svg)
        if box is None:
            raise BuildError(f"the picture of {id} does not say how large it is", cell.where)
        source = _address(themed(svg, self.look))
        if len(source) > checks.FIGURE_LIMIT:
            size = f"{len(source) / 1024:.0f} KiB; at most {checks.FIGURE_LIMIT // 1024}"
            raise BuildError(f"{id} takes {size}. Draw fewer points or pass raster=True", cell.where)
        return {"source": source, "width": float(box[1]), "height": float(box[2])}

    def _chosen(self, ids: Sequence[str] | None, cell: Cell) -> list[Item]:
        known = {item.id: item for item in self.manuscript.findings()}
        for name in ids or ():
            if name not in known:
                raise BuildError(f"{name!r} is not a finding of any chapter", cell.where)
        self.on_front.update(ids or known)
        return [known[name] for name in ids or known]

    def _made_in(self, item: Item, anchored: bool) -> str:
        """Links to the cells that made a finding and its evidence, named once a chapter."""
        makers = {cell.anchor: cell for cell in (item.cell, *(self.items[n].cell for n in item.about["evidence"]))}
        chapters: dict[str, list[str]] = {}
        for anchor, cell in sorted(makers.items()):
            chapters.setdefault(cell.where[:2], []).append(f'<a href="#{anchor}">cell {cell.number}</a>')
        here = item.cell.where[:2] if anchored else None
        parts = [("" if n == here else f"chapter {int(n)}: ") + ", ".join(links) for n, links in chapters.items()]
        return "; ".join(parts)

    def _other(self, data: dict[str, str], cell: Cell) -> str:
        """Outputs of other libraries, by the report's own order of mime types."""
        if any(mime.startswith("image/") for mime in data):
            raise BuildError("a picture without caption and alternative text; use report.figure", cell.where)
        if "<table" in data.get("text/html", ""):
            raise BuildError("a table without caption; use report.table", cell.where)
        if "text/html" in data:
            return f'<div class="html scroll">{markdown.sanitised(data["text/html"])}</div>'
        if "text/markdown" in data:
            return self._block(data["text/markdown"], cell.where)
        if "text/latex" in data:
            latex = data["text/latex"].strip().strip("$")
            return f'<div class="math scroll">{markdown.formula(latex, cell.where, display=True)}</div>'
        if "text/plain" not in data:
            raise BuildError(f"an output of a kind the report cannot show ({', '.join(data)})", cell.where)
        return f'<pre class="text scroll">{escape(data["text/plain"])}</pre>'


def said(value: Any) -> str:
    """Words or a list of them, escaped, without traces of the machine."""
    return escape(markdown.scrub(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)))


def csv_address(csv: str) -> str:
    """A table as the address of a download."""
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


def themed(svg: str, look: Any) -> str:
    """Swap the colours of the light theme for variables that a dark screen redefines.

    The picture is embedded as an image, and an image's ``prefers-color-scheme`` is the colour scheme of the place
    where it stands: it follows the page's switch as well as the reader's setting.
    """
    names, used = {hexa: name for name, hexa in look.LIGHT.items()}, {"ink"}

    def variable(match: re.Match[str]) -> str:
        name = names.get(SPOKEN.get(match[2].lower(), match[2].lower()))
        if name is None:
            return match[0]
        used.add(name)
        return f"{match[1]}:var(--{name})"

    body = re.sub(r"\b(fill|stroke|stop-color|color):\s*(#[0-9a-fA-F]{6}|black|white)\b", variable, svg)
    light, dark = ("".join(f"--{name}:{theme[name]};" for name in sorted(used)) for theme in (look.LIGHT, look.DARK))
    style = (  # text without a colour of its own is black by default
        f"<style>svg{{{light}}}text{{fill:var(--ink)}}"
        f"@media(prefers-color-scheme:dark){{svg{{{dark}}}.l{{display:none}}.d{{display:inline}}}}</style>"
    )
    return re.sub(r"(<svg\b[^>]*>)", lambda m: m[1] + style, body, count=1)


def _single_quotes(match: re.Match[str]) -> str:
    return match[0] if "'" in match[0] else match[0].replace('"', "'")


def _address(svg: str) -> str:
    """Shorter of two ways to write a picture as the address of an image."""
    svg = re.sub(r"<[^<>]*>", _single_quotes, svg.replace("\n", " "))
    coded = svg.replace("%", "%25").replace("#", "%23").replace("<", "%3C").replace(">", "%3E")
    plain = "data:image/svg+xml;charset=utf-8," + coded.replace("&", "&amp;").replace('"', "&quot;")
    packed = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return min(plain, packed, key=len)
