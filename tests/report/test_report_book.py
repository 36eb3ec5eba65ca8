"""The book from synthetic chapters: what is in it, what stops it, and that two builds agree."""

import base64
import gzip
import html as entities
import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbformat import v4

from notebook_report import checks, markdown
from notebook_report.book import PACKED_FROM
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


@pytest.mark.slow
def test_two_builds_give_the_same_bytes(html, out):
    again = books.write(out / "again")
    assert books.compose(again, made=MADE) == html


def test_figures_and_tables_are_numbered_as_they_stand_pages_first(html):
    captions = re.findall(r'<figure class="[\w ]+" id="([\w-]+)">.*?<b>((?:Figure|Table) \d+)\.</b>', html, flags=re.S)
    assert captions == [
        ("fig-roc", "Figure 1"),
        ("fig-forest", "Figure 2"),
        ("tbl-models", "Table 1"),
        ("fig-cloud", "Figure 3"),
        ("tbl-hostile", "Table 2"),
        ("tbl-strategies", "Table 3"),
        ("tbl-bands", "Table 4"),
        ("tbl-days", "Table 5"),
        ("tbl-ledger", "Table 6"),
    ]
    assert '<a href="#fig-forest">Figure 2</a>' in html
    assert '<a href="#ch-05">the evaluation</a>' in html


def test_the_chapter_on_all_others_comes_last(html):
    assert re.findall(r'<h3 id="ch-(\d\d)">', html) == ["03", "05", "00"]
    assert re.findall(r'<li><a href="#ch-(\d\d)">', html) == ["03", "05", "00"]
    assert html.count('<details class="chapter"><summary>') == 3


def test_a_finding_stands_in_its_chapter_with_verdict_evidence_and_cell(html):
    card = html[html.index('id="finding-trees"') : html.index("</article>", html.index('id="finding-trees"'))]
    assert "not supported</span>" in card
    assert "Trees are worse" in card
    assert '<a href="#tbl-models">Table 1</a>, <a href="#fig-roc">Figure 1</a>' in card
    assert 'Computed in <a href="#cell-05-02">cell 2</a>' in card
    assert re.sub(r'<details class="code".*?</details>', "", html, flags=re.S).count("Trees are worse") == 1


def test_ledger_has_a_strip_and_a_table(html):
    strip = html[html.index('<ol class="strip">') : html.index("</ol>", html.index('<ol class="strip">'))]
    assert strip.count("<li>") == 54
    assert re.search(r'aria-label="C01, reproduced">R</a>', strip)
    assert re.search(r'aria-label="C54, not testable">T</a>', strip)
    assert len(re.findall(r'<tr id="tbl-ledger-\d+">', html)) == 54


def test_every_picture_says_what_it_shows(html):
    pictures = re.findall(r'<svg class="(wide|narrow)" role="img" aria-label="([^"]+)"', html)
    assert [kind for kind, _ in pictures] == ["wide", "narrow"] * 3
    assert len({alt for _, alt in pictures}) == 3
    text = re.sub(r'<details class="code".*?</details>|<[^>]*>', "", html, flags=re.S)
    assert not [alt for _, alt in pictures if alt in text]
    assert checks.FILLER not in html


def test_names_inside_pictures_belong_to_one_picture(html):
    for id, kind in (("fig-roc", "wide"), ("fig-roc", "narrow"), ("fig-forest", "narrow")):
        figure = html[html.index(f'id="{id}"') : html.index("</figure>", html.index(f'id="{id}"'))]
        (picture,) = re.findall(rf'<svg class="{kind}".*?</svg>', figure, flags=re.S)
        used = set(re.findall(r'(?:href="|url\()#([^")]+)', picture))
        made = set(re.findall(r' id="([^"]*)"', picture))
        own = f"{id}-phone-" if kind == "narrow" else f"{id}-"
        assert used
        assert used == made
        assert all(name.startswith(own) for name in made)
    assert "<style" not in html[html.index("<body") :]


def offered(html, name):
    """Content of a download of the report."""
    (found,) = re.findall(rf'download="{name}" href="data:([^"]+)"', html)
    kind, _, code = entities.unescape(found).partition(",")
    if kind == "application/gzip;base64":
        return gzip.decompress(base64.b64decode(code)).decode()
    assert kind == "text/csv;charset=utf-8"
    return unquote(code)


@pytest.mark.parametrize("id", ["fig-roc", "fig-forest", "tbl-models", "tbl-hostile", "tbl-days", "tbl-ledger"])
def test_data_behind_figures_and_tables_can_be_had(html, out, id):
    assert offered(html, f"{id}.csv") == (out / "tables" / f"{id}.csv").read_text(encoding="utf-8")


def test_data_behind_a_short_figure_are_a_table_too(html):
    assert "Data behind Figure 2" in html
    assert "Data behind Figure 1" not in html


def test_a_long_file_is_offered_packed_and_whole(html, out):
    told = offered(html, "tbl-draws.csv.gz")
    assert told == (out / "tables" / "tbl-draws.csv").read_text(encoding="utf-8")
    assert (
        len(told) > PACKED_FROM >= max(len((out / "tables" / f"{n}.csv").read_text()) for n in ("fig-roc", "tbl-days"))
    )


def test_what_is_a_file_alone_has_a_place_and_no_number(html):
    (place,) = re.findall(r'<(\w+) class="behind" id="tbl-draws">(.*?)</\1>', html)
    assert place[1].startswith("Each of nine hundred draws. <a download=")
    assert "<td>899</td>" not in html
    assert '<a href="#tbl-draws">tbl-draws.csv</a>' in html


def test_what_stands_on_a_page_is_named_in_its_chapter_and_shown_once(html):
    chapter = html[html.index('id="ch-05"') :]
    assert '<a href="#tbl-models">Table 1</a> (Discrimination, calibration and net benefit.) stands above' in chapter
    assert html.count('id="tbl-models"') == 1
    assert html.index('id="tbl-models"') < html.index('id="ch-03"')


def test_formulas_are_mathml(html):
    assert html.count("<math") == 3
    assert "<mo>=</mo><mi>P</mi>" in html
    assert "\\mathrm" not in html


def test_parameters_are_hidden_and_code_is_folded(html):
    assert "profile = " not in re.sub(r"<[^>]*>", "", html)
    names = re.findall(r'<details class="code" id="cell-[\d-]+"><summary>([^<]+)<', html)
    assert len(names) == len(set(names)) == html.count('<details class="code"') == 11
    assert names[0] == "Code of chapter 3, cell 5"
    assert '<details class="code" open' not in html


def test_hostile_text_is_text_on_every_route(html):
    chapter, ledger = html[html.index('id="ch-05"') :].split('id="ch-00"')
    assert len(re.findall(r"<td>&lt;img src=x", ledger)) == 1, "claim of the ledger"
    for route in (
        r'<th scope="col" class="l x">&lt;img',
        r'<th scope="row">&lt;img',
        r"<figcaption[^>]*><b>Table 2.</b> Hostile text &lt;img",
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


@pytest.mark.slow
def test_a_trial_of_the_reader_has_the_front_page_alone(out):
    beyond = "As [](#tbl-ledger) and [the ablation](03_feature_ablation.ipynb) show."
    folder = books.write(out / "own", {"05_evaluation": [*books.EVALUATION, beyond]})
    html = books.compose(folder)
    assert "As the published report and the ablation show." in html
    assert checks.problems(html) == []
    assert html.index('id="fig-roc"') < html.index('id="ch-05"') < html.index('id="tbl-models"')
    assert '<section class="study"' not in html
    assert "#study" not in html


@pytest.mark.slow
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
        '```python\nreport.finding("finding-x", "So.", "supported", ["fig-none"])\n```',
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
}


@pytest.mark.slow
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
    for name in ("conf.json", "shell.html.j2", "chapter.html.j2", "outputs.html.j2"):
        text = (exporter.TEMPLATES / "book" / name).read_text()
        (broken / name).write_text(text.replace("{{ one | output(cell, loop.index0) }}", ""))
    monkeypatch.setattr(exporter, "TEMPLATES", broken.parent)
    with pytest.raises(BuildError, match="lost on the way"):
        books.compose(executed)


def test_no_chapters_no_report(tmp_path):
    assert "no executed notebook" in refused(tmp_path)


@pytest.mark.slow
def test_a_failed_build_leaves_the_last_report(out, page, html):
    folder = changed(out, "failing", ["# T", "$\\nosuch$"])
    with pytest.raises(BuildError):
        books.build(folder, page.parent)
    assert page.read_text(encoding="utf-8") == html
