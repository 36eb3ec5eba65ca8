"""The book from synthetic chapters: what is in it, what stops it, and that two builds agree."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from notebook_report import checks, markdown
from notebook_report.errors import BuildError
from tests.report import books
from tests.report.conftest import MADE

HOSTILE_AS_TEXT = "&lt;img src=x onerror="


def changed(out: Path, name: str, cells: list[str], chapter: str = "05_evaluation") -> Path:
    """Folder of the small book with one chapter replaced."""
    return books.write(out / name, {**books.CHAPTERS, chapter: cells})


def stub(folder: Path, *outputs: object, source: str = "1", title: str = "# Title") -> Path:
    """Folder of one chapter with hand-made outputs."""
    folder.mkdir()
    cells = [v4.new_markdown_cell(title, id="a"), v4.new_code_cell(source, id="b", outputs=list(outputs))]
    nbformat.write(v4.new_notebook(cells=cells), folder / "01_stub.ipynb")
    return folder


def refused(folder: Path) -> str:
    """Message with which the build refuses."""
    with pytest.raises(BuildError) as caught:
        books.build(folder, folder)
    assert not (folder / "report.html").exists()
    return str(caught.value)


def test_the_report_has_no_problems(html):
    assert checks.problems(html) == []


def test_two_builds_give_the_same_bytes(html, out):
    again = books.write(out / "again")
    assert books.compose(again, made=MADE) == html


def test_figures_and_tables_are_numbered_over_the_whole_book(html):
    labels = re.findall(r'<figcaption id="([\w-]+)-t"><b>((?:Figure|Table) \d+)\.</b>', html)
    assert labels == [
        ("tbl-ledger", "Table 1"),
        ("fig-forest", "Figure 1"),
        ("fig-roc", "Figure 2"),
        ("tbl-models", "Table 2"),
        ("fig-cloud", "Figure 3"),
        ("tbl-hostile", "Table 3"),
        ("tbl-strategies", "Table 4"),
        ("tbl-bands", "Table 5"),
    ]
    assert '<a href="#fig-forest">Figure 1</a>' in html
    assert '<a href="#ch-05">the evaluation</a>' in html


def test_findings_stand_first_with_verdict_evidence_and_cell(html):
    front = html[html.index('class="front"') : html.index('class="chapter"')]
    card = front[front.index("Trees are worse") - 200 : front.index("Trees are worse") + 700]
    assert "not supported</span>" in card
    assert '<a href="#tbl-models">Table 2</a>, <a href="#fig-roc">Figure 2</a>' in card
    assert 'chapter 5: <a href="#cell-05-02">cell 2</a>' in card
    assert '<a href="#finding-trees">' in card


def test_ledger_has_a_strip_and_a_table(html):
    strip = html[html.index('<ol class="strip">') : html.index("</ol>", html.index('<ol class="strip">'))]
    assert strip.count("<li>") == 54
    assert re.search(r'aria-label="C01, reproduced">R</a>', strip)
    assert re.search(r'aria-label="C54, not testable">T</a>', strip)
    assert len(re.findall(r'<tr id="tbl-ledger-\d+">', html)) == 54


def test_every_picture_says_what_it_shows(html):
    alts = re.findall(r'<img [^>]*alt="([^"]+)"', html)
    assert len(alts) == 3
    text = re.sub(r'<details class="code".*?</details>|<[^>]*>', "", html, flags=re.S)
    assert not [alt for alt in alts if alt in text]
    assert checks.FILLER not in html


def test_data_behind_a_figure_can_be_had(html, out):
    from urllib.parse import unquote

    code = re.search(r'download="fig-roc.csv" href="data:text/csv;charset=utf-8,([^"]+)"', html)[1]
    assert unquote(code) == (out / "tables" / "fig-roc.csv").read_text()
    assert "Data behind Figure 1" in html


def test_formulas_are_mathml(html):
    assert html.count("<math") == 3
    assert "<mo>=</mo><mi>P</mi>" in html
    assert "\\mathrm" not in html


def test_parameters_are_hidden_and_code_is_folded(html):
    assert "profile = " not in re.sub(r"<[^>]*>", "", html)
    assert html.count('<details class="code"') == 10
    assert '<details class="code" open' not in html


def test_hostile_text_is_text_on_every_route(html):
    front, chapter = html.split('id="ch-05"')
    assert len(re.findall(r"<td>&lt;img src=x", front)) == 1, "claim of the ledger"
    for route in (
        r'<th scope="col" class="l x">&lt;img',
        r'<th scope="row">&lt;img',
        r"<figcaption[^>]*><b>Table 3.</b> Hostile text &lt;img",
        r'<p class="notes">Note &lt;img',
        r"<p>A site is called &lt;img",
        r"<p>A box about &lt;img",
        r'<p class="said">Said of &lt;img',
    ):
        assert re.search(route, chapter), route
    assert chapter.count(HOSTILE_AS_TEXT) >= 7
    assert "<img src=x" not in html
    assert html.count("<script") == 1


def test_html_of_other_libraries_is_sanitised(out):
    data = {"text/html": '<p onclick="x()">kept <b>bold</b></p>' + books.HOSTILE, "text/plain": "x"}
    html = books.compose(stub(out / "foreign", v4.new_output("execute_result", data)))
    assert "<p>kept <b>bold</b></p>" in html
    assert "onerror" not in html
    assert checks.problems(html) == []


@pytest.mark.parametrize("tag", ["p", "span", "td", "a", "div", "math", "mrow", "mstyle"])
def test_no_element_brings_a_style(tag):
    inside = f'<{tag} style="position:fixed;top:0" class="x">kept</{tag}>'
    shown = markdown.sanitised(f"<math>{inside}</math>" if tag.startswith("m") else f"<table><tr>{inside}</tr></table>")
    assert "kept" in shown
    assert 'class="x"' in shown
    assert "style=" not in shown
    assert "position" not in shown


def test_no_style_sheet_comes_in():
    assert markdown.sanitised("<p>kept</p><style>p {position: fixed}</style>") == "<p>kept</p>"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:x()",
        "JaVaScRiPt:x()",
        " javascript:x()",
        "java&#10;script:x()",
        "javascript&colon;x()",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:x()",
        "file:///etc/hosts",
    ],
)
def test_links_lead_to_pages_and_nowhere_else(address):
    shown = markdown.sanitised(f'<a href="{address}">kept</a><math href="{address}"><mi href="{address}">y</mi></math>')
    assert "kept" in shown
    assert "href" not in shown
    assert markdown.sanitised('<a href="https://example.org/">x</a>') == '<a href="https://example.org/">x</a>'
    assert markdown.sanitised('<a href="#fig-roc">x</a>') == '<a href="#fig-roc">x</a>'


@pytest.mark.parametrize("kind", ["execute_result", "display_data"])
def test_results_of_a_last_line_are_shown(out, kind):
    folder = stub(out / f"last-{kind}", v4.new_output(kind, {"text/plain": "{'auroc': 0.643}"}))
    assert "{&#x27;auroc&#x27;: 0.643}" in books.compose(folder)


def test_traces_of_the_run_are_scrubbed(out):
    warning = v4.new_output("stream", name="stderr", text="/tmp/ipykernel_9/1.py: UserWarning")
    printed = v4.new_output("stream", name="stdout", text="10%\r100%\n\x1b[31mread /home/ada/x/trial.csv\x1b[0m\n")
    shown = v4.new_output("execute_result", {"text/plain": "<Model at 0x7f3a2b1c4d50>"})
    noise = v4.new_output("execute_result", {"text/plain": "PosixPath('results/01.json')"})
    html = books.compose(stub(out / "traces", warning, printed, shown, noise))
    assert "ipykernel" not in html
    assert "10%\r" not in html
    assert "100%\nread ~/x/trial.csv" in html
    assert "&lt;Model at 0x…&gt;" in html
    assert "PosixPath" not in html
    assert markdown.traces(html) == []


def test_a_trial_of_the_reader_needs_no_front_page(out):
    beyond = "As [](#tbl-ledger) and [the ablation](03_feature_ablation.ipynb) show."
    folder = books.write(out / "own", {"05_evaluation": [*books.EVALUATION, beyond]})
    html = books.compose(folder)
    assert "As the published report and the ablation show." in html
    assert checks.problems(html) == []
    assert html.index("Trees are worse") < html.index("Chapter 5")


def test_a_quick_run_says_so(executed):
    assert "Quick run." in books.compose(executed, quick=True)
    assert "Quick run." not in books.compose(executed)


REFUSED = {
    "dangling reference": ("See [](#fig-nowhere).", "a reference to #fig-nowhere"),
    "link to a heading that is gone": ("See [it](#c05-gone).", "a reference to #c05-gone"),
    "picture in Markdown": ("![x](https://example.org/x.png)", "use report.figure"),
    "broken formula": ("The value $\\frac{1}{$ is.", "broken formula"),
    "unknown command": ("$$\n\\nosuch{x}\n$$", "Unknown command"),
    "duplicate id": (
        '```python\nreport.table(pd.DataFrame({"a": [1]}), id="tbl-models", caption="c")\n```',
        "tbl-models is used twice",
    ),
    "unknown evidence": (
        '```python\nreport.finding("finding-x", "s", "supported", ["fig-none"])\n```',
        "finding-x rests on 'fig-none'",
    ),
    "failed cell": ("```python\n1 / 0\n```", "failed with ZeroDivisionError"),
    "figure that was not shown": (
        '```python\nif False:\n    report.figure(None, id="fig-lost", caption="c", alt="a")\n```',
        "fig-lost is in the code but not among the outputs",
    ),
    "broken formula in a caption": (
        '```python\nreport.table(pd.DataFrame({"a": [1]}), id="tbl-x", caption="$\\\\nosuch$")\n```',
        "broken formula",
    ),
    "unknown finding on the front": ('```python\nreport.findings(["finding-none"])\n```', "not a finding"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_fault_stops_the_build_and_names_notebook_and_cell(out, case):
    cell, message = REFUSED[case]
    told = refused(changed(out, f"refused-{case.replace(' ', '-')}", [*books.EVALUATION, "Text.", cell]))
    assert message in told
    assert told.startswith(f"05_evaluation, cell {len(books.EVALUATION) + 2}: ")


METADATA = {"attrition": {"kind": "figure", "id": "fig-a", "caption": "c", "alt": "a"}}
SVG = '<svg viewBox="0 0 10 10"></svg>'
LOST = {
    "empty output": ({"text/plain": " "}, {}, "an output is empty"),
    "lost picture": ({"text/plain": "x"}, METADATA, "has lost its picture"),
    "bare picture": ({"image/png": "aGk=", "text/plain": "x"}, {}, "without caption and alternative text"),
    "bare table": ({"text/html": "<table></table>"}, {}, "a table without caption"),
    "missing alt": (
        {"image/svg+xml": SVG},
        {"attrition": {**METADATA["attrition"], "alt": ""}},
        "lacks its alt",
    ),
    "missing caption": (
        {"image/svg+xml": SVG},
        {"attrition": {**METADATA["attrition"], "caption": ""}},
        "lacks its caption",
    ),
    "large figure": (
        {"image/svg+xml": SVG.replace("><", ">" + "<g/>" * 45_000 + "<")},
        METADATA,
        "at most 150",
    ),
    "unknown kind": ({"application/json": "{}"}, {}, "of a kind the report cannot show"),
    "emptied by the sanitiser": ({"text/html": "<script>x()</script>"}, {}, "would be empty"),
}


@pytest.mark.parametrize("case", LOST)
def test_an_output_that_is_lost_or_bare_stops_the_build(out, case):
    data, metadata, message = LOST[case]
    folder = stub(out / f"lost-{case.replace(' ', '-')}", v4.new_output("display_data", data, metadata=metadata))
    told = refused(folder)
    assert message in told
    assert told.startswith("01_stub, cell 2: ")


def test_a_template_that_drops_outputs_stops_the_build(out, monkeypatch, executed):
    """The stock trap: a template without a block for results, and nobody notices."""
    from notebook_report import book as exporter

    broken = out / "templates" / "book"
    broken.mkdir(parents=True)
    for name in ("conf.json", "shell.html.j2", "chapter.html.j2"):
        text = (exporter.TEMPLATES / "book" / name).read_text()
        (broken / name).write_text(text.replace("{{ loop.index0 | output(cell.id) }}", ""))
    monkeypatch.setattr(exporter, "TEMPLATES", broken.parent)
    with pytest.raises(BuildError, match="lost on the way"):
        books.compose(executed)


def test_no_chapters_no_report(tmp_path):
    assert "no executed notebook" in refused(tmp_path)


def test_a_failed_build_leaves_the_last_report(out, page, html):
    folder = changed(out, "failing", ["# T", "$\\nosuch$"])
    with pytest.raises(BuildError):
        books.build(folder, page.parent)
    assert page.read_text(encoding="utf-8") == html
