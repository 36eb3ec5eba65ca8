"""HTML of one output: figure, table, ledger, finding, sentence, box, plain text; its form is in ``outputs.html.j2``."""

import base64
import gzip
import re
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import quote

from notebook_report import checks, display, markdown, text
from notebook_report.errors import BuildError
from notebook_report.manuscript import Cell, Item, Manuscript, about
from notebook_report.text import VERDICTS

SORTED_FROM = 10  # tables of fewer rows need no sorting
# Files of more characters are offered packed: spreadsheets and pandas open them, and the report stays small
PACKED_FROM = 8_000
# What a printed page holds of the longest words of a table's columns, in characters, at the usual and a smaller size.
# At 8 points a character with its share of the cells' padding takes up to 6.2 of the page's 672 pixels.
UPRIGHT, SMALLER = 105, 125
SPOKEN = {"black": "#1f2429", "#000000": "#1f2429", "white": "#fefefe", "#ffffff": "#fefefe"}

Label = Callable[[str, str], str]  # ``label(id, where)`` gives the text of a reference; raises for an unknown id


class Outputs:
    """Renders outputs of one book; `template` gives ``outputs.html.j2``."""

    def __init__(self, manuscript: Manuscript, label: Label, template: Callable[[], Any], look: Any) -> None:
        self.manuscript, self.items = manuscript, manuscript.items
        self.label, self.template, self.look = label, template, look

    def filters(self) -> dict[str, Callable[..., Any]]:
        """What the templates of the book use."""
        return {
            "e": escape,
            "shown": lambda words: escape(text.typeset(words)),
            "said": said,
            "inline": lambda source, where: markdown.inline(source, markdown.Renderer(where, self.label)),
            "block": self._block,
            "csv_address": csv_address,
            "file_name": lambda id, csv: f"{id}.csv" + ".gz" * (len(csv) > PACKED_FROM),
            "layout": layout,
            "paper": _paper,
        }

    def render(self, output: dict[str, Any], cell: Cell) -> str:
        """HTML of an output in its chapter; never empty."""
        html = self._html(output, about(output), cell)
        if not re.sub(r"<(?!svg|math)[^>]*>", "", html).strip():
            raise BuildError("an output would be empty in the report", cell.where)
        return html

    def _html(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        kind, item = known.get("kind"), self.items.get(known.get("id", ""))
        if kind == "prose":
            return self._block(known["markdown"], cell.where)
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
        return self.template().render(kind=kind, items=self.items, verdicts=VERDICTS, sorted_from=SORTED_FROM, **values)

    def _block(self, source: str, where: str) -> str:
        return markdown.render(source, markdown.Renderer(where, self.label))

    def _drawings(self, item: Item) -> list[str]:
        """The drawing for screens, and the one for phones."""
        made = []
        for place, drawing in enumerate((item.output["data"].get("image/svg+xml"), item.about.get("phone"))):
            if not drawing:
                raise BuildError(f"{item.id} has lost its picture", item.cell.where)
            name = f"{item.id}{'-phone' * place}"
            made.append(inline(themed(drawing, self.look), name, item.about["alt"], "narrow" if place else "wide"))
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


def themed(picture: str, look: Any) -> str:
    """Swap the colours of the light theme for the page's variables, see `palette`."""
    names = {hexa: name for name, hexa in look.LIGHT.items()}

    def variable(match: re.Match[str]) -> str:
        name = names.get(SPOKEN.get(match[2].lower(), match[2].lower()))
        return f"{match[1]}:var(--c-{name})" if name else match[0]

    return re.sub(r"\b(fill|stroke|stop-color|color):\s*(#[0-9a-fA-F]{6}|black|white)\b", variable, picture)


def palette(look: Any) -> str:
    """Style rules with a variable for each colour of figures, light and dark."""
    plain = "".join(f"--c-{name}:{colour};" for name, colour in look.LIGHT.items())
    both = "".join(f"--c-{name}:light-dark({colour},{look.DARK[name]});" for name, colour in look.LIGHT.items())
    return f":root{{{plain}}}@supports (color:light-dark(red,red)){{:root{{{both}}}}}"


def inline(picture: str, name: str, alt: str, kind: str) -> str:
    """A picture as part of the page: no style of its own, names that nothing else has, as wide as it is drawn."""
    width, height = display.size(picture)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<style.*?</style>", "", picture, flags=re.S)
    used = set(re.findall(r"""(?:href="|url\()#([^")]+)""", body))
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r"""((?:href="|url\()#)""", rf"\g<1>{name}-", body)
    body = re.sub(r"<g>\s*</g>", "", body).replace("xlink:href=", "href=")
    look = f"max-width:{width * 4 / 3:.0f}px"
    start = (
        f'<svg class="{kind}" role="img" aria-label="{escape(" ".join(alt.split()))}" style="{look}" '
        f'viewBox="0 0 {width:g} {height:g}">'
    )
    return re.sub(r"<svg\b[^>]*>", lambda _: start, body, count=1)
