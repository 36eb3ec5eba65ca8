"""HTML of one output: figure, table, ledger, finding, sentence, box, or plain text."""

import re
from html import escape
from typing import Any
from urllib.parse import quote

from attrition import text
from attrition.report import markdown, sanitise, theme, words
from attrition.report.errors import BuildError
from attrition.report.manuscript import Cell, Item, Manuscript, about

FIGURE_LIMIT = 150 * 1024
LONG_TABLE = 24
"""Tables of more rows scroll inside themselves."""
UPRIGHT, SMALLER = 105, 125
"""What a printed page holds of the longest words of a table's columns, in characters, at the usual and a smaller size.

At 8 points a character with its share of the cells' padding takes up to 6.2 of the page's 672 pixels.
"""


class Outputs:
    """Renders outputs of one book.

    Parameters
    ----------
    manuscript : Manuscript
    label : callable
        Text of a reference by id; raises for an unknown one.
    """

    def __init__(self, manuscript: Manuscript, label: Any) -> None:
        self.items = manuscript.items
        self.manuscript = manuscript
        self.label = label
        self.on_front: set[str] = set()

    def render(self, output: dict[str, Any], cell: Cell) -> str:
        """HTML of an output; never empty."""
        known = about(output)
        kind = known.get("kind", "")
        html = getattr(self, f"_{kind}", self._other)(output, known, cell) if kind else self._other(output, known, cell)
        if not re.sub(r"<(?!img|math)[^>]*>", "", html).strip():
            raise BuildError("an output would be empty in the report", cell.where)
        return html

    def _inline(self, source: str, cell: Cell) -> str:
        return markdown.inline(source, markdown.Renderer(cell.where, self.label))

    def _block(self, source: str, cell: Cell) -> str:
        return markdown.render(source, markdown.Renderer(cell.where, self.label))

    def _figure(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        item = self.items[known["id"]]
        svg = output["data"].get("image/svg+xml")
        if not svg:
            raise BuildError(f"{item.id} has lost its picture", cell.where)
        source, width, height = theme.embed(svg)
        if len(source) > FIGURE_LIMIT:
            size = f"{len(source) / 1024:.0f} KiB; at most {FIGURE_LIMIT // 1024}"
            raise BuildError(f"{item.id} takes {size}. Draw fewer points or pass raster=True", cell.where)
        picture = (
            f'<img src="{source}" alt="{escape(known["alt"])}" width="{width * 4 / 3:.0f}" '
            f'height="{height * 4 / 3:.0f}" style="min-width:{width:.0f}px">'
        )
        caption = self._caption(item, known["caption"], cell)
        return (
            f'<figure class="fig" id="{item.id}"><div class="scroll">{picture}</div>'
            f"{caption}{self._behind(item, known)}</figure>"
        )

    def _caption(self, item: Item, text: str, cell: Cell) -> str:
        return f'<figcaption id="{item.id}-t"><b>{item.label}.</b> {self._inline(text, cell)}</figcaption>'

    def _behind(self, item: Item, known: dict[str, Any]) -> str:
        """Data behind a figure: folded table and CSV."""
        csv, file = known.get("csv"), known.get("csv_file")
        if not file:
            return ""
        offer = _download(item.id, csv, file)
        spec = known.get("data")
        if not spec:
            return f'<p class="behind">{offer}</p>'
        rows = f'<div class="scroll">{_table(spec, f"Data behind {item.label}")}</div>'
        return f'<details class="behind"><summary>Data behind {item.label}</summary>{rows}<p>{offer}</p></details>'

    def _table(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        item, spec = self.items[known["id"]], known["data"]
        notes = f'<p class="notes">{self._inline(known["notes"], cell)}</p>' if known.get("notes") else ""
        offer = _download(item.id, known.get("csv"), known["csv_file"])
        long = " long" if len(spec["rows"]) > LONG_TABLE else ""
        first = f"First {len(spec['rows'])} of {spec['total']:,} rows. " if len(spec["rows"]) < spec["total"] else ""
        first += f"{len(spec['rows'])} rows: the table scrolls. " if long and not first else ""
        return (
            f'<figure class="tbl{_paper(spec)}" id="{item.id}">{self._caption(item, known["caption"], cell)}'
            f'<div class="scroll{long}">{_table(spec, labelled=f"{item.id}-t")}</div>{notes}'
            f'<p class="behind">{first}{offer}</p></figure>'
        )

    def _ledger(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        item, spec, verdicts = self.items[known["id"]], known["data"], known["verdicts"]
        names = [row[0] for row in spec["rows"]]
        strip = "".join(
            f'<li><a class="{words.VERDICTS[v][0]}" href="#{item.id}-{i}" '
            f'title="{escape(row[0])}: {v}. {escape(row[1])}" aria-label="{escape(row[0])}, {v}">{words.LETTERS[v]}</a>'
            for i, (v, row) in enumerate(zip(verdicts, spec["rows"], strict=True))
        )
        present = [v for v in words.VERDICTS if v in verdicts]
        key = "".join(f"<li>{chip(v)} <b>{words.LETTERS[v]}</b> {verdicts.count(v)} of {len(names)}" for v in present)
        notes = f'<p class="notes">{self._inline(known["notes"], cell)}</p>' if known.get("notes") else ""
        return (
            f'<figure class="tbl ledger" id="{item.id}">{self._caption(item, known["caption"], cell)}'
            f'<ol class="strip">{strip}</ol><ul class="key">{key}</ul>{notes}'
            f'<details class="full"><summary>All {len(names)} claims as a table</summary>'
            f'<div class="scroll long">{self._claims(item, known)}</div></details>'
            f'<p class="behind">{_download(item.id, known.get("csv"), known["csv_file"])}</p></figure>'
        )

    def _claims(self, item: Item, known: dict[str, Any]) -> str:
        rows = []
        for i, (row, evidence) in enumerate(zip(known["data"]["rows"], known["evidence"], strict=True)):
            number, claim, published, found, word = map(_shown, row)
            links = ", ".join(self._link(name) for name in evidence) or "–"
            rows.append(
                f'<tr id="{item.id}-{i}"><th scope="row">{number}</th><td>{claim}</td><td>{published}</td>'
                f"<td>{found}</td><td>{chip(word)}</td><td>{links}</td></tr>"
            )
        heads = ("No.", "Claim", "Published", "Found", "Verdict", "Evidence")
        head = "".join(f'<th scope="col">{name}</th>' for name in heads)
        return (
            f'<table class="sort" aria-labelledby="{item.id}-t"><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table>"
        )

    def _link(self, name: str) -> str:
        return f'<a href="#{name}">{escape(self.items[name].label)}</a>'

    def _finding(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        return self.card(self.items[known["id"]], anchored=True)

    def card(self, item: Item, anchored: bool) -> str:
        """Finding with its verdict, its evidence, and the cell that made it."""
        known = item.about
        evidence = ", ".join(self._link(name) for name in known["evidence"])
        makers = {self.items[name].cell.anchor: self.items[name].cell for name in known["evidence"]}
        makers.setdefault(item.cell.anchor, item.cell)
        cells = _made_in(list(makers.values()), here=item.cell if anchored else None)
        place = f' id="{item.id}"' if anchored else ""
        there = "" if anchored else f' · <a href="#{item.id}">In context: chapter {int(item.chapter.number)}</a>'
        tone = words.VERDICTS[known["verdict"]][0]
        return (
            f'<article class="finding {tone}"{place}><p>{chip(known["verdict"])}</p>'
            f'<p class="said">{self._inline(known["sentence"], item.cell)}</p>'
            f'<p class="basis">Evidence: {evidence} · Computed in {cells}{there}</p></article>'
        )

    def _findings(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        chosen = known.get("ids") or [item.id for item in self.manuscript.findings()]
        for name in chosen:
            if name not in self.items or self.items[name].kind != "finding":
                raise BuildError(f"{name!r} is not a finding of any chapter", cell.where)
        self.on_front.update(chosen)
        cards = "".join(self.card(self.items[name], anchored=False) for name in chosen)
        return f'<div class="findings">{cards}</div>' if cards else "<p>No chapter states a finding yet.</p>"

    def _prose(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        return self._block(known["markdown"], cell)

    def _callout(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        body = self._block(known["markdown"], cell)
        title = escape(known["title"])
        return f'<div class="box {escape(known["tone"])}" role="note"><p class="head">{title}</p>{body}</div>'

    def _other(self, output: dict[str, Any], known: dict[str, Any], cell: Cell) -> str:
        """Outputs of other libraries, by the report's own order of mime types."""
        data = output["data"]
        if any(mime.startswith("image/") for mime in data):
            raise BuildError("a picture without caption and alternative text; use report.figure", cell.where)
        if "<table" in data.get("text/html", ""):
            raise BuildError("a table without caption; use report.table", cell.where)
        if "text/html" in data:
            return f'<div class="html scroll">{sanitise.html(data["text/html"])}</div>'
        if "text/markdown" in data:
            return self._block(data["text/markdown"], cell)
        if "text/latex" in data:
            latex = data["text/latex"].strip().strip("$")
            return f'<div class="math scroll">{markdown.formula(latex, cell.where, display=True)}</div>'
        if "text/plain" not in data:
            raise BuildError(f"an output of a kind the report cannot show ({', '.join(data)})", cell.where)
        return f'<pre class="text scroll">{escape(data["text/plain"])}</pre>'


def chip(word: str) -> str:
    """Verdict in words, with a mark."""
    tone, mark = words.VERDICTS[word]
    return f'<span class="chip {tone}"><span aria-hidden="true">{mark}</span> {word}</span>'


def _made_in(cells: list[Cell], here: Cell | None) -> str:
    """Links to cells, named once a chapter."""
    chapters: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: cell.anchor):
        chapters.setdefault(cell.where[:2], []).append(cell)
    parts = []
    for number, group in chapters.items():
        links = ", ".join(f'<a href="#{cell.anchor}">cell {cell.number}</a>' for cell in group)
        parts.append(links if here and here.where[:2] == number else f"chapter {int(number)}: {links}")
    return "; ".join(parts)


def _download(id: str, csv: str | None, file: str) -> str:
    if csv is None:
        return f"All rows: <code>{escape(file)}</code>, beside this report."
    href = "data:text/csv;charset=utf-8," + quote(csv, safe=" ,.:;/()=+-_'!*\u2013")
    return f'<a download="{escape(id)}.csv" href="{escape(href.replace(" ", "%20"))}">Download {escape(id)}.csv</a>'


def _shown(words: str) -> str:
    return escape(text.typeset(words))


def _paper(spec: dict[str, Any]) -> str:
    """Class of a table that does not fit a printed page as it is: set smaller, or on a page that is turned.

    Examples
    --------
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
    """Column that tells a row from the others beside the first: second or third, or 1 where none is needed or does.

    Examples
    --------
    >>> [_key(rows) for rows in ([["a", "x"], ["b", "x"]], [["a", "x"], ["a", "y"]], [["a", "x"], ["a", "x"]])]
    [1, 2, 1]
    >>> _key([["0.35", "call", "LightGBM"], ["0.35", "call", "XGBoost"]])
    3
    """
    if len({row[0] for row in rows}) == len(rows):
        return 1
    return next((at for at in (2, 3) if len({(row[0], *row[at - 1 : at]) for row in rows}) == len(rows)), 1)


def _table(spec: dict[str, Any], caption: str = "", labelled: str = "") -> str:
    """Table of plain text cells; the first column heads its rows when it names them."""
    columns, rows = spec["columns"], spec["rows"]
    key = _key(rows) - 1
    marks = [column["align"][0] + " k" * (0 < at == key) for at, column in enumerate(columns)]
    names = [row[0] for row in rows]
    heading = len(columns) > 1 and marks[0] == "l" and all(names) and len(set(names)) == len(names)
    kinds = [
        f"{mark}{_width(column['label'], cells)}"
        for mark, column, cells in zip(marks, columns, zip(*rows, strict=True), strict=True)
    ]
    head = "".join(
        f'<th scope="col" class="{kind}">{_shown(column["label"])}</th>' if column["label"].strip() else "<td></td>"
        for column, kind in zip(columns, kinds, strict=True)
    )
    body = []
    for row in rows:
        cells = [f'<td class="{mark}">{_shown(cell)}</td>' for cell, mark in zip(row, marks, strict=True)]
        if heading:
            cells[0] = f'<th scope="row">{_shown(row[0])}</th>'
        body.append(f"<tr>{''.join(cells)}</tr>")
    told = f'<caption class="hidden">{escape(caption)}</caption>' if caption else ""
    name = f' aria-labelledby="{labelled}"' if labelled else ""
    sort = ' class="sort"' if len(rows) > 2 else ""
    return f"<table{sort}{name}>{told}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
