"""What chapters call to show a result: figures, tables, findings, sentences, boxes, the claim ledger.

Each helper emits an ordinary mime bundle, so that JupyterLab shows it, and puts what the report needs (id,
caption, alternative text, data) into the metadata of that output, where Papermill keeps it. The report is
built from the metadata: text from data never passes through as markup.
"""

import base64
import io
import re
import sys
import textwrap
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

from notebook_report import project, results, text
from notebook_report.said import Said
from notebook_report.said import said as wording

DATA_ROWS = 40  # longer data behind a figure are offered as CSV only
SMALLEST = 8.95  # smallest text of a figure, in points
PHONE = 3.7  # width of a drawing for phones, in inches: its smallest text is shown at eleven pixels or more
# How often a drawing for phones is made narrower because its labels stand out, and down to which width
TRIES, NARROWEST = 3, 3.2
TALLER = 0.22  # by how much a drawing for phones grows for each line of a row's name beyond the second
# Characters of a row's name, of a title, and of a line of a legend, that a drawing for phones holds
LONG_NAME, LONG_TITLE, LEGEND = 18, 34, 52
LEDGER = ("id", "claim", "published", "found", "verdict")
PREVIEW = jinja2.Template((Path(__file__).with_name("templates") / "preview.html.j2").read_text(encoding="utf-8"))
# Text stays text, at a fraction of the bytes of outlines; Verdana has the widths of the computed layout
FONTS = "DejaVu Sans,Verdana,Segoe UI,Roboto,sans-serif"
RASTER_DPI = 192  # of what matplotlib was asked to rasterise (``rasterized=True``): a lossless picture among vectors
PAD = 0.04  # inches around a figure, so that no label touches the edge of a screen
LONG_PATH = 150  # lines of more points are drawn to a tenth of a point
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
SIZE = re.compile(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"')
SPOKEN = {"black": "#1f2429", "#000000": "#1f2429", "white": "#fefefe", "#ffffff": "#fefefe"}
Forms = Mapping[str, str | Callable[[Any], str]]
Words = Mapping[str, str] | None

project.style().use()
_captured: list[list[dict[str, Any]]] = []


@contextmanager
def capture() -> Iterator[list[dict[str, Any]]]:
    """Collect outputs instead of showing them, as notebook outputs.

    >>> with capture() as outputs:
    ...     _ = say("{{ n }} patients", n=3)
    >>> outputs[0]["data"]["text/markdown"]
    '3 patients'
    """
    outputs: list[dict[str, Any]] = []
    _captured.append(outputs)
    try:
        yield outputs
    finally:
        _captured.pop()


def _emit(bundle: dict[str, str], **metadata: Any) -> None:
    about = {project.current.name: {key: value for key, value in metadata.items() if value is not None}}
    if _captured:
        _captured[-1].append({"output_type": "display_data", "data": bundle, "metadata": about})
        return
    from IPython.core.interactiveshell import InteractiveShell

    if InteractiveShell.initialized():
        from IPython.display import publish_display_data

        publish_display_data(bundle, about)


def _identity(id: str, prefix: str) -> None:
    if not re.fullmatch(rf"{prefix}-[a-z0-9]+(-[a-z0-9]+)*", id or ""):
        raise ValueError(f"{id!r} is not a usable id: write {prefix}-some-name in lower case")


def _told(value: str | None, what: str, id: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{id}: {what} is missing")
    return " ".join(value.split())


def references(markdown: str) -> str:
    """Give references without text their id as text, since only the report knows their number.

    >>> references("see [](#fig-roc)")
    'see [fig-roc](#fig-roc)'
    """
    return re.sub(r"\[\]\(#([a-z0-9-]+)\)", r"[\1](#\1)", markdown)


def _preview(spec: dict[str, Any], caption: str, notes: str | None) -> dict[str, str]:
    """How a table looks in JupyterLab, and in terminals and diffs."""
    head = " | ".join(column["label"] for column in spec["columns"])
    plain = "\n".join([caption, head, *(" | ".join(row) for row in spec["rows"])])
    return {"text/html": PREVIEW.render(spec, caption=caption, notes=notes), "text/plain": plain}


def _ready(template: str, values: Mapping[str, Any]) -> Said:
    """A sentence as it is, or a template filled with `values` and the names of the notebook that calls."""
    known = sys._getframe(2).f_globals
    return template if isinstance(template, Said) else wording(template, ChainMap(dict(values), known))


def _filled(id: str, values: Mapping[str, Any], **given: str | None) -> list[str | None]:
    """Texts as given; if none is, those of the captions file, with results filled in."""
    if any(given.values()):
        return list(given.values())
    known = text.captions(id)
    plain = {name: Said(value) if isinstance(value, str) else value for name, value in values.items()}
    fill = {name: plain if name == "alt" else values for name in given}  # no Markdown there: nothing is escaped
    return [wording(known[name], fill[name]) if name in known else None for name in given]


def _absent(id: str) -> None:
    """Say to who runs the cell, and to the report, that this item is left out on purpose."""
    _emit({"text/plain": f"[{id}] nothing to show"}, kind="absent", id=id)


def _tidy(df: pd.DataFrame) -> pd.DataFrame:
    """A table with numbers for text: an estimate with its interval becomes three columns."""
    made: dict[str, pd.Series] = {}
    for name in df.columns:
        column, parts = df[name], [getattr(cell, "numbers", None) for cell in df[name]]
        if not any(parts):
            made[name] = column
            continue
        for place, ending in enumerate(("", "_ci_low", "_ci_high")):
            other = [None if place or cell in ("", text.MISSING) else cell for cell in column]
            values = [own[place] if own else rest for own, rest in zip(parts, other, strict=True)]
            made[f"{name}{ending}"] = pd.Series(values, df.index, object).infer_objects()
    return pd.DataFrame(made)


def _csv(id: str, data: pd.DataFrame) -> dict[str, Any]:
    return {"csv": results.write_table(id, _tidy(data)).read_text(encoding="utf-8")}


def _figure_of(drawn: Any) -> Any:
    while hasattr(drawn, "__len__") and not hasattr(drawn, "savefig"):
        drawn = drawn[0]
    figure = drawn if hasattr(drawn, "savefig") else drawn.figure
    return getattr(figure, "figure", None) or figure


def _legible(drawn: Any, id: str) -> None:
    """Refuse a figure that is wider than the report or whose text is too small."""
    (width, _), widest = drawn.get_size_inches(), project.style().WIDTH
    if width > widest + 1e-6:
        raise ValueError(f"{id}: {width:.1f} inches wide; at most {widest}")
    for item in drawn.findobj(Text):
        if item.get_visible() and item.get_text().strip() and item.get_fontsize() < SMALLEST:
            raise ValueError(f"{id}: the text {item.get_text()!r} has {item.get_fontsize():g} points; at least 9")


def _narrowed(drawn: Any) -> float:
    """Fold what would not fit a phone, names of rows, titles and a legend below; gives by how much taller that is."""
    most = 0
    for ax in drawn.axes:
        names = [label.get_text() for label in ax.get_yticklabels()]
        if max(map(len, names), default=0) > LONG_NAME:
            folded = [textwrap.fill(" ".join(name.split()), LONG_NAME) for name in names]
            ax.set_yticks(ax.get_yticks(), folded)
            most = max(most, max(name.count("\n") for name in folded))
        ax.set_title(textwrap.fill(ax.get_title(loc="left"), LONG_TITLE), loc="left")
    for legend in drawn.legends:
        words = [text.get_text() for text in legend.get_texts()]
        columns = max(1, min(len(words), LEGEND // (max(map(len, words)) + 7)))
        marks = legend.legend_handles
        legend.remove()
        drawn.legend(marks, words, loc="outside lower center", ncols=columns)
    return 1 + TALLER * max(most - 1, 0)


def _for_phones(drawn: Any) -> str:
    """The figure drawn once more, as narrow as a phone, with text of the same size."""
    width, height = PHONE, _narrowed(drawn) * drawn.get_size_inches()[1]
    for _ in range(TRIES):
        drawn.set_size_inches(width, height)
        picture = draw(drawn)
        excess = size(picture)[0] / 72 - PHONE
        if excess < 0.05:
            break
        width = max(width - excess, NARROWEST)
    return picture


def draw(figure: Figure) -> str:
    """SVG of a figure in the light theme, without metadata or generated names: equal figures give equal text."""
    buffer = io.StringIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": project.current.name}
    with mpl.rc_context(settings):
        figure.savefig(buffer, format="svg", metadata=NO_METADATA, bbox_inches="tight", pad_inches=PAD, dpi=RASTER_DPI)
    return tidy(buffer.getvalue())


def size(svg: str) -> tuple[float, float]:
    """Width and height of a picture, in points; raises where it does not say so."""
    if (found := SIZE.search(svg)) is None:
        raise ValueError("the picture does not say how large it is")
    return float(found[1]), float(found[2])


def _short(match: re.Match[str]) -> str:
    """Coordinates to a hundredth of a point, of long lines to a tenth, without spare zeros and blanks."""
    digits = 1 if match[2].count("L") > LONG_PATH else 2

    def shorter(number: re.Match[str]) -> str:
        return f"{float(number[0]):.{digits}f}".rstrip("0").rstrip(".").replace("-0.", "-.").removeprefix("0") or "0"

    numbers = re.sub(r"-?\d+\.\d+", shorter, match[2].strip())
    return match[1] + re.sub(r"\s*([A-Za-z])\s*", r"\1", numbers) + '"'


def tidy(svg: str) -> str:
    """SVG as matplotlib writes it without what no reader sees, coordinates to a hundredth of a point, fonts named."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}", svg)
    svg = re.sub(r'(\b(?:d|x|y|cx|cy|r|transform|points)=")([^"]*)"', _short, svg)
    svg = re.sub(r'(style="[^"]*)"', lambda m: m[1].replace("; ", ";").replace(": ", ":") + '"', svg)
    svg = re.sub(r'"data:image/png;base64,([^"]*)"', _webp, svg)
    return re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", svg)).strip()


def _webp(match: re.Match[str]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(re.sub(r"\s", "", match[1]))))
    picture.save(buffer, "WEBP", lossless=True, quality=100, method=4, exact=False)
    return f'"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"'


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
    width, height = size(picture)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<style.*?</style>", "", picture, flags=re.S)
    used = set(re.findall(r"""(?:href="|url\()#([^")]+)""", body))
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r"""((?:href="|url\()#)""", rf"\g<1>{name}-", body)
    body = re.sub(r"<g>\s*</g>", "", body).replace("xlink:href=", "href=")
    label, box = escape(" ".join(alt.split())), f'viewBox="0 0 {width:g} {height:g}"'
    start = f'<svg class="{kind}" role="img" aria-label="{label}" style="max-width:{width * 4 / 3:.0f}px" {box}>'
    return re.sub(r"<svg\b[^>]*>", lambda _: start, body, count=1)


def figure(
    ax_or_fig: Any,
    id: str,
    caption: str | None = None,
    alt: str | None = None,
    data: pd.DataFrame | None = None,
    **values: Any,
) -> None:
    """Show a figure, once, and close it.

    Parameters
    ----------
    ax_or_fig : matplotlib Axes, array of Axes, Figure, or None
        At most 5.5 inches wide. None: there is nothing to show, and nothing is shown.
    id : str
        ``fig-some-name``, unique over the book.
    caption : str, optional
        Markdown, one or two sentences. By default caption and alternative text are those of `captions`.
    alt : str, optional
        What the picture shows, for those who do not see it; not the caption again.
    data : pandas.DataFrame, optional
        The numbers drawn; written to ``tables/<id>.csv`` and offered to the reader.
    **values
        Results for the fields of the texts in the captions file, as in `say`.

    Raises
    ------
    ValueError
        Missing id, caption or alternative text, both texts equal, wider than 5.5 inches, text below 9 points.
    """
    _identity(id, "fig")
    if ax_or_fig is None:
        return _absent(id)
    caption, alt = _filled(id, values, caption=caption, alt=alt)
    caption, alt = _told(caption, "the caption", id), _told(alt, "the alternative text", id)
    if caption.casefold() == alt.casefold():
        raise ValueError(f"{id}: the alternative text repeats the caption; say what the picture shows")
    drawn = _figure_of(ax_or_fig)
    _legible(drawn, id)
    picture = draw(drawn)
    phone = _for_phones(drawn)
    plt.close(drawn)
    source = _csv(id, data) if data is not None else {}
    rows = _spec(data) if data is not None and len(data) <= DATA_ROWS else None
    _emit(
        {"image/svg+xml": picture, "text/plain": f"[{id}] {alt}"},
        kind="figure", id=id, caption=caption, alt=alt, phone=phone, data=rows, **source,
    )  # fmt: skip
    _emit({"text/markdown": f"*{references(caption)}*", "text/plain": caption}, kind="caption", of=id)


def _side(values: list[str], raw: pd.Series) -> str:
    """Where a column's cells stand: numbers right, text left."""
    numeric = pd.api.types.is_numeric_dtype(raw) and not pd.api.types.is_bool_dtype(raw)
    filled = [value for value in values if value]
    return "right" if numeric or (filled and all(map(text.is_number, filled))) else "left"


def _spec(df: pd.DataFrame, formats: Forms | None = None, labels: Words = None, align: Words = None) -> dict[str, Any]:
    """A table as text: headings with their side, and rows of cells."""
    columns, cells = [], []
    forms = {**text.columns()["formats"], **(formats or {})}
    for position, name in enumerate(df.columns):
        raw = df.iloc[:, position]
        values = text.cells(raw.tolist(), forms.get(name))
        label = text.heading(str((labels or {}).get(name, name)))
        columns.append({"label": label, "align": (align or {}).get(name) or _side(values, raw)})
        cells.append(values)
    return {"columns": columns, "rows": [list(row) for row in zip(*cells, strict=True)]}


def table(
    df: pd.DataFrame | None,
    id: str,
    caption: str | None = None,
    formats: Forms | None = None,
    notes: str | None = None,
    labels: Words = None,
    align: Words = None,
    **values: Any,
) -> None:
    """Show a table and write it to ``tables/<id>.csv``.

    Parameters
    ----------
    df : pandas.DataFrame or None
        Plain numbers and text; the index is not shown. None: there is nothing to show, and nothing is shown.
    id : str
        ``tbl-some-name``, unique over the book.
    caption : str, optional
        Markdown, one or two sentences. By default caption, notes and labels are those of `captions`.
    formats : mapping, optional
        Column to format (``"{:.3f}"``) or function; by default that of ``notebooks/columns.yaml``, else integers
        with thousands, three decimals.
    notes : str, optional
        Markdown below the table: units, what an interval is, abbreviations.
    labels : mapping, optional
        Column to heading, with its unit; by default that of ``notebooks/columns.yaml``, else made from the name.
    align : mapping, optional
        Column to ``"left"``, ``"right"`` or ``"center"``; otherwise numbers right, text left.
    **values
        Results for the fields of the texts in the captions file, as in `say`.

    Raises
    ------
    ValueError
        Missing id or caption, an empty table, or an option for an unknown column.
    """
    _identity(id, "tbl")
    if df is None:
        return _absent(id)
    if labels is None and caption is None:
        labels = text.captions(id).get("labels")
    caption, notes = _filled(id, values, caption=caption, notes=notes)
    caption = _told(caption, "the caption", id)
    if df.empty:
        raise ValueError(f"{id}: the table is empty")
    for what, given in {"formats": formats, "labels": labels, "align": align}.items():
        for name in given or ():
            if name not in df.columns:
                raise ValueError(f"{id}: {what} names {name!r}, which is not a column")
    spec = _spec(df, formats, labels, align)
    _emit(_preview(spec, caption, notes), kind="table", id=id, caption=caption, notes=notes, data=spec, **_csv(id, df))


def finding(id: str, sentence: str, verdict: str, evidence: Sequence[str]) -> None:
    """State a finding with its verdict; the front page of the report collects them.

    Parameters
    ----------
    id : str
        ``finding-some-name``, unique over the book.
    sentence : str
        Markdown with its numbers and interval, filled as in `say`.
    verdict : str
        One of the report's verdicts, such as ``"supported"`` or ``"exploratory"``.
    evidence : sequence of str
        At least one id of a figure or table, of any chapter.
    """
    _identity(id, "finding")
    sentence = _told(_ready(sentence, {}), "the sentence", id)
    evidence = [evidence] if isinstance(evidence, str) else list(evidence)
    if not evidence:
        raise ValueError(f"{id}: a finding needs evidence, an id of a figure or table")
    text.verdict(verdict)
    links = ", ".join(f"[{item}](#{item})" for item in evidence)
    shown = f"> **{verdict.capitalize()}.** {references(sentence)}  \n> Evidence: {links}"
    _emit(
        {"text/markdown": shown, "text/plain": f"{verdict}: {sentence}"},
        kind="finding", id=id, sentence=sentence, verdict=verdict, evidence=evidence,
    )  # fmt: skip


def say(template: str, facts: Mapping[str, Any] | None = None, **values: Any) -> Said:
    """Write a sentence whose words turn with the numbers, and give it back, for a finding that says the same.

    Parameters
    ----------
    template : str
        Jinja, or the name of a block in ``notebooks/words``; what `said` gives is shown as it is. If it gives nothing,
        nothing is written.
    facts : mapping, optional
    **values
        What the template names; what is given nowhere is looked up among the names of the notebook that calls.
    """
    if made := _ready(template, {**(facts or {}), **values}):
        _emit({"text/markdown": references(made), "text/plain": made}, kind="prose", markdown=made)
    return made


def callout(kind: str, template: str, title: str | None = None, **values: Any) -> None:
    """Set a box of a kind (``"caution"``, ``"note"`` or ``"method"``); its Markdown is filled as in `say`."""
    known = text.VOCABULARY["callouts"]
    if kind not in known:
        raise ValueError(f"{kind!r} is not a kind of box; known: {', '.join(known)}")
    filled, title = _ready(template, values), title or known[kind]
    quoted = "\n".join(f"> {line}" for line in references(filled).splitlines())
    _emit(
        {"text/markdown": f"> **{title}**\n>\n{quoted}", "text/plain": f"{title}: {filled}"},
        kind="callout", tone=kind, title=title, markdown=filled,
    )  # fmt: skip


def ledger(claims: pd.DataFrame, id: str = "tbl-ledger", caption: str = "", notes: str | None = None) -> None:
    """Show the claim ledger: a strip of one cell a claim, and the full table below it.

    Parameters
    ----------
    claims : pandas.DataFrame, shape (n_claims, >= 5)
        Columns ``id, claim, published, found, verdict`` and, optionally, ``evidence`` (ids of figures, tables
        or findings, separated by blanks or as a list).
    id, caption, notes : str
        As in `table`.
    """
    _identity(id, "tbl")
    if lacking := ", ".join(name for name in LEDGER if name not in claims.columns):
        raise ValueError(f"{id}: the ledger lacks {lacking}")
    verdicts = [text.verdict(word) for word in claims["verdict"]]
    caption = _told(caption or f"The {len(claims)} published claims, and what became of each.", "caption", id)
    listed = claims["evidence"].tolist() if "evidence" in claims.columns else [""] * len(claims)
    evidence = [item.split() if isinstance(item, str) else list(item or ()) for item in listed]
    flat = claims[list(LEDGER)].assign(evidence=[" ".join(item) for item in evidence])
    spec = _spec(flat[list(LEDGER)], labels={"id": "claim no.", "claim": "what was published"})
    _emit(
        _preview(spec, caption, notes),
        kind="ledger", id=id, caption=caption, notes=notes, data=spec, verdicts=verdicts, evidence=evidence,
        **_csv(id, flat),
    )  # fmt: skip
