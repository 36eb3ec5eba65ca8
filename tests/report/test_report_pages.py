"""The report's own pages: every number leads to its key, value, table and cell; what is not there stops the build."""

import csv
import gzip
import io
import json
import re

import pytest

from notebook_report import book, results
from notebook_report.errors import BuildError
from notebook_report.pages import Number, printed, traced
from tests.report import books
from tests.report.test_report_book import offered

ROW = re.compile(
    r'<tr id="(n-\d+)"><th scope="row">(.*?)</th><td>(.*?)</td><td><code>(.*?)</code></td><td>(.*?)</td></tr>'
)


def composed(executed, **pages):
    """HTML of the small book with some of its pages replaced."""
    with books.pages(executed.parent / "notebooks", books.PAGES | pages):
        return book.compose(books.chapters(executed))


def within(found, key):
    """Value below a dotted key, whose parts may have dots themselves (``at_0.5``)."""
    if not key:
        return found
    if isinstance(found, list):
        first, _, rest = key.partition(".")
        return within(found[int(first)], rest)
    name = max((name for name in found if f"{key}.".startswith(f"{name}.")), key=len)
    return within(found[name], key[len(name) + 1 :])


def valued(file, key, folder):
    """Value of a result by its file and dotted key."""
    return within(json.loads((folder / f"{file}.json").read_text(encoding="utf-8")), key)


def test_every_number_has_its_row_with_value_key_table_and_cell(html):
    rows = {id: (shown, full, key, re.sub(r"<[^>]*>", "", where)) for id, shown, full, key, where in ROW.findall(html)}
    at = "05_evaluation: "
    assert list(rows.values()) == [
        ("1,000", "1000", f"{at}n", "Table 1, chapter 5, cell 4"),
        ("64", "0.643", f"{at}auroc.lr.value", "Table 1, chapter 5, cell 4"),
        ("0.64 (0.61 to 0.68)", "0.643 (0.6100001 to 0.68)", f"{at}auroc.lr", "chapter 5, cell 9"),
        ("411", "411", f"{at}counts.left", "chapter 5, cell 9"),
        ("42", "42", "params.yaml: seed", "chosen beforehand, or from the ledger"),
        ("−0.4", "−0.41", f"{at}slope", "chapter 5, cell 9"),
        ("0.143", "0.1428571429", f"{at}draws.0", "tbl-draws.csv, chapter 5, cell 8"),
        ("0.5", "0.5", f"{at}auroc.chance", "Table 1, chapter 5, cell 4"),
    ]
    links = re.findall(r'href="#(n-\d+)">([^<]*)</a>', html)
    assert {id for id, _ in links} == set(rows)
    assert all(rows[id][0] == shown for id, shown in links)


def problems_of_numbers(html, folder):
    """Rows of "Check one number" that do not hold against the result files and the tables in the report."""
    found, rows = [], ROW.findall(html)
    shown = {id: shown for id, shown, *_ in rows}
    for id, words in re.findall(r'href="#(n-\d+)">([^<]*)</a>', html):
        if shown.get(id) != words:
            found.append(f"{words} leads to {id}, {shown.get(id)}")
    for id, words, full, place, where in rows:
        file, _, key = place.partition(": ")
        if file == "params.yaml":
            continue
        value = valued(file, key, folder)
        if printed(Number(id, words, place, value)) != full:
            found.append(f"{place} is {value}, not {full}")
        if table := re.search(r'href="#((?:tbl|fig)-[\w-]+)"', where):
            (name,) = set(re.findall(rf'download="({table[1]}\.csv(?:\.gz)?)"', html))
            cells = {cell for row in csv.reader(io.StringIO(offered(html, name))) for cell in row}
            parts = value.values() if isinstance(value, dict) else [value]
            parts = [f"{part:.{results.DIGITS}g}" for part in parts if isinstance(part, int | float)]
            found += [f"{place}: {part} is not in {table[1]}" for part in parts if part not in cells]
        if not re.search(r'href="#cell-\d\d-\d+"', where) and file not in ("claims", "00_findings"):
            found.append(f"{place} has no cell")
    return found


def test_a_table_that_is_named_for_a_number_holds_it(html, out):
    assert problems_of_numbers(html, out / "results") == []
    assert problems_of_numbers(html.replace("#tbl-models", "#tbl-bands"), out / "results")
    assert problems_of_numbers(html.replace("<td>0.5</td>", "<td>0.51</td>"), out / "results")


@pytest.mark.slow
def test_every_number_of_the_published_report_holds():
    from tests.report.test_report_browser import PUBLISHED

    if not PUBLISHED.exists():
        pytest.skip("reports/report.html is not there; run ./run_all.sh")
    html = PUBLISHED.read_text(encoding="utf-8")
    assert len(ROW.findall(html)) > 150
    assert problems_of_numbers(html, PUBLISHED.parent / "results") == []


def test_a_number_is_reached_once_by_the_keyboard(html):
    links = re.findall(r'<a( tabindex="-1")? href="#(n-\d+)">', html)
    reached = [id for skipped, id in links if not skipped]
    assert len(links) > len(reached) == len(set(reached)) == 8


def test_counts_of_a_bar_are_traced_and_none_is_empty(html):
    (bar,) = re.findall(r'<div class="bar" aria-hidden="true">(.*?)</div><ul class="key">(.*?)</ul>', html)
    assert re.findall(r"flex-grow:(\d+)", bar[0]) == ["411"]
    assert re.sub(r"<[^>]*>", "", bar[1]) == "411 left"


def test_references_are_numbered_as_cited_and_all_are_listed(html):
    assert '[<a href="#ref-ada1843">1</a>]' in html
    assert '[<a href="#ref-bob2001">2</a>, <a tabindex="-1" href="#ref-ada1843">1</a>]' in html
    cited = html[html.index('id="references"') : html.index("further source")]
    assert re.findall(r'<li id="ref-(\w+)">', cited) == ["ada1843", "bob2001"]
    assert re.findall(r'<li id="ref-(\w+)">', html) == ["ada1843", "bob2001", "bob1999"]
    assert 'Ada L. Notes &lt;b&gt;. Memoirs 1843;3:666. <a href="https://doi.org/10.1000/1">doi:10.1000/1</a>' in html
    assert 'Journal 2001;1:1. <a href="https://example.org/bob">' in html


def test_a_figure_on_a_page_has_the_title_given_there(html):
    assert '<figure class="fig" id="fig-roc"><p class="said">Better than chance, and no more</p><svg' in html


FOUND = '{% set found = results["05_evaluation"] %}'
REFUSED = {
    "computed": (FOUND + "{{ (found.n * 2) | whole }}", "2,000 is computed in the page"),
    "rounded": (FOUND + "{{ found.slope | round(1) | f1 }}", "is computed in the page"),
    "typed": ("{{ 0.5 | f2 }}", "0.50 is computed in the page"),
    "counted": (FOUND + "{{ found.draws | length | whole }}", "2 is computed in the page"),
    "without a form": (FOUND + "{{ found.n }}", "1000 without saying how it is written"),
    "bar of computed counts": ('{{ bar([[3, "x", "good"]]) }}', "3 is computed in the page"),
    "missing key": (FOUND + "{{ found.recall | f2 }}", "no attribute 'recall'"),
    "missing key in an interval": (FOUND + "{{ found.auroc.gone | of100 }}", "no attribute 'gone'"),
    "missing value in a condition": (FOUND + "{% if found.recall %}x{% endif %}", "no attribute 'recall'"),
    "missing chapter": ('{{ results["06_real_trial"].n | whole }}', "no attribute '06_real_trial'"),
    "unknown reference": ("Said [@nobody1999].", "nothing in references.yaml is called 'nobody1999'"),
    "one unknown reference of two": ("Said [@ada1843; @nobody1999].", "called 'nobody1999'"),
    "figure of no chapter": ('{{ show("fig-none") }}', "a page shows fig-none, which no chapter makes"),
    "figure shown twice": ('{{ show("fig-roc") }}', "fig-roc is shown on the pages twice"),
    "dangling link": ("See [](#fig-none).", "a reference to #fig-none, which is nowhere in the book"),
    "broken template": ("{% if x %}", "Unexpected end of template"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_fault_of_a_page_stops_the_build_and_names_the_page(executed, case):
    source, message = REFUSED[case]
    with pytest.raises(BuildError) as caught:
        composed(executed, study=books.STUDY_PAGE + "\n" + source)
    assert message in str(caught.value)
    if "shown" not in case and "figure of" not in case:
        assert "pages/study.md" in str(caught.value)


REFERENCES = {
    "without place": ('- {authors: "A B", title: "T", where: "J 1999"}', "a1999: neither DOI nor address"),
    "twice": (books.REFERENCES + '- {authors: "Ada L", title: "T", where: "J 1843", doi: "1"}', "ada1843: used twice"),
}


@pytest.mark.parametrize("case", REFERENCES)
def test_a_reference_nobody_can_find_stops_the_build(executed, monkeypatch, case):
    text, message = REFERENCES[case]
    monkeypatch.setattr(books, "REFERENCES", text)
    with pytest.raises(BuildError, match=message):
        composed(executed)


def test_a_page_of_the_whole_book_is_not_left_out_for_want_of_a_result(executed, out):
    file = out / "results" / "05_evaluation.json"
    kept = file.read_bytes()
    file.unlink()
    try:
        with pytest.raises(BuildError, match="05_evaluation"):
            composed(executed)
    finally:
        file.write_bytes(kept)


@pytest.mark.slow
def test_a_removed_table_fails_the_build_of_a_page_that_shows_it(out):
    cells = [cell for cell in books.EVALUATION if "tbl-models" not in cell]
    folder = books.write(out / "removed", {**books.CHAPTERS, "05_evaluation": cells})
    with pytest.raises(BuildError, match="tbl-models"):
        books.compose(folder)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (0.66950191, "0.66950191"),
        ([1, -2], "1, −2"),
        ({"value": -0.5, "ci_low": None, "ci_high": 0.1}, "−0.5 (None to 0.1)"),
    ],
)
def test_values_are_printed_in_full(value, form):
    assert printed(Number("n-1", "x", "a: b", value)) == form


def test_traces_reach_into_lists_and_leave_truth_and_words_alone():
    made = traced({"rows": [{"n": 1, "ok": True, "word": "x"}], "none": None}, "a: ")
    assert made["rows"].key == "a: rows"
    assert made["rows"][0]["n"].key == "a: rows.0.n"
    assert made["rows"][0]["ok"] is True
    assert made["rows"][0]["word"] == "x"
    assert made["none"] is None
    assert json.loads(json.dumps(made)) == {"rows": [{"n": 1, "ok": True, "word": "x"}], "none": None}


def test_packed_files_are_the_same_bytes_every_time(html):
    from notebook_report.book import csv_address

    assert csv_address("a\n" * 9000) == csv_address("a\n" * 9000)
    assert gzip.compress(b"x", mtime=0)[4:8] == b"\0\0\0\0"
