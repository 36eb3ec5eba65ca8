"""All chapters in one self-contained HTML file."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape, unescape
from pathlib import Path
from typing import Any

from attrition import results
from attrition.report import checks, markdown, sanitise
from attrition.report.errors import BuildError
from attrition.report.exporter import FRONT, Book
from attrition.report.manuscript import Chapter, gather
from attrition.report.outputs import chip

HERE = Path(__file__).parent
MADE = "how-made"
TITLE = "Who left this trial, and could it be told early?"
"""Title of a book without a front page of its own: a reader's own trial."""
__all__ = ["BuildError", "build"]


def build(
    executed: Iterable[Path],
    out: Path,
    made: Mapping[str, Any] | None = None,
    quick: bool = False,
    outdated: str = "",
    name: str = "report.html",
) -> Path:
    """Build the report from executed notebooks.

    Parameters
    ----------
    executed : iterable of pathlib.Path
        Executed notebooks ``NN_name.ipynb``, and no others that may lie beside them; 00 is shown first.
    out : pathlib.Path
        Folder of the report.
    made : mapping, optional
        How it was made: heading to text, to a mapping (shown as pairs) or to a list of mappings (shown as a table).
        Equal bytes from two builds need equal values here: no time of day.
    quick : bool
        Mark the report as a quick run.
    outdated : str
        What is not as the sources have it, in words, for the top of the report.
    name : str
        File name.

    Returns
    -------
    pathlib.Path
        The report, published by rename; on failure an earlier report stays untouched.

    Raises
    ------
    BuildError
        With the notebook and the cell, for whatever `manuscript.gather`, the rendering or `checks.problems` refuse.
    """
    html = compose(executed, made, quick, outdated)
    found = checks.problems(html)
    if found:
        raise BuildError("; ".join(found[:5]) + (f" (and {len(found) - 5} more)" if len(found) > 5 else ""), name)
    return results.publish(out / name, html)


def compose(
    executed: Iterable[Path], made: Mapping[str, Any] | None = None, quick: bool = False, outdated: str = ""
) -> str:
    """HTML of the report, not yet checked."""
    manuscript = gather(executed)
    book = Book(manuscript, {MADE: "How it was made"} if made else {})
    pages = [_page(book, chapter) for chapter in manuscript.chapters]
    if pages[0]["number"] != FRONT:
        pages.insert(0, {"number": FRONT, "title": TITLE, "short": "Findings", "sections": [], "html": ""})
    pages[0]["html"] = _front(book, pages[0]["html"])
    for page in pages:
        page["html"] = book.settle(page["html"])
    return _shell(book, pages, made, quick, outdated)


def _page(book: Book, chapter: Chapter) -> dict[str, Any]:
    html = book.render(chapter)
    title = markdown.inline(chapter.title, markdown.Renderer(chapter.cells[0].where, book.label))
    short = "Findings" if chapter.number == FRONT else re.sub(r"</?a\b[^>]*>", "", title)
    sections = [(id, re.sub(r"</?a\b[^>]*>", "", text)) for id, text in book.sections[chapter.number]]
    return {"number": chapter.number, "title": title, "short": short, "sections": sections, "html": html}


def _front(book: Book, html: str) -> str:
    """Front page: findings first, also when chapter 00 states none of its own, and a list of the others."""
    rest = book.manuscript.findings()
    own = {item.id for item in rest if item.chapter.number == FRONT}
    if not own and not book.outputs.on_front and rest:
        cards = "".join(book.outputs.card(item, anchored=False) for item in rest)
        return f'<div class="findings">{cards}</div>\n{html}'
    others = [item for item in rest if item.id not in own | book.outputs.on_front]
    if not others:
        return html
    rows = "".join(
        f"<li>{chip(item.about['verdict'])} {markdown.inline(item.about['sentence'], _plain(book, item.cell.where))} "
        f'<a href="#{item.id}">Chapter {int(item.chapter.number)}</a></li>'
        for item in others
    )
    return f'{html}\n<details class="more"><summary>{_more(len(others))}</summary><ul>{rows}</ul></details>'


def _more(count: int) -> str:
    return "One more finding, in its chapter" if count == 1 else f"{count} more findings, in their chapters"


def _plain(book: Book, where: str) -> markdown.Renderer:
    return markdown.Renderer(where, book.label)


def _made(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = "".join(f"<dt>{_said(key)}</dt><dd>{_said(item)}</dd>" for key, item in value.items())
        return f"<dl>{pairs}</dl>"
    if isinstance(value, Sequence) and not isinstance(value, str) and value and isinstance(value[0], Mapping):
        head = "".join(f'<th scope="col">{_said(key)}</th>' for key in value[0])
        rows = "".join("<tr>" + "".join(f"<td>{_said(item)}</td>" for item in row.values()) + "</tr>" for row in value)
        return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    return f"<p>{_said(value)}</p>"


def _said(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return escape(sanitise.scrub(text))


def _asset(name: str) -> str:
    text = (HERE / name).read_text(encoding="utf-8")
    if name.endswith(".css"):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"\s*([{};,>])\s*|(?<=:) ", r"\1", re.sub(r"\s+", " ", text)).replace(";}", "}")
    return text.strip()


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _csp(css: str, js: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(css)}; style-src-attr 'unsafe-inline'; "
        f"script-src {_hash(js)}; base-uri 'none'; form-action 'none'"
    )


def _shell(book: Book, pages: list[dict[str, Any]], made: Mapping[str, Any] | None, quick: bool, outdated: str) -> str:
    css, js = _asset("report.css"), _asset("report.js")
    told = "".join(f"<h3>{_said(key)}</h3>{_made(value)}" for key, value in (made or {}).items())
    template = book.exporter.environment.get_template("shell.html.j2")
    title = pages[0]["title"]
    question, mark, rest = title.partition("? ")
    shown = f'{question}? <span class="sub">{rest}</span>' if mark else title
    return template.render(
        css=css, js=js, csp=_csp(css, js), chapters=pages, made=told, quick=quick,
        outdated=_said(outdated), title=shown, title_text=escape(unescape(re.sub(r"<[^>]*>", "", title))),
    )  # fmt: skip
