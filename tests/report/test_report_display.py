"""Display helpers: what they emit, what they refuse, what they write."""

import base64
import html as entities
import io
import re

import jinja2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import notebook_report as report
from attrition import paths
from attrition.plots.style import LIGHT
from notebook_report import book, display, markdown, project, sources, text
from notebook_report.said import said

CAPTION, ALT = "Two points.", "A line rises from left to right."


def line(**kwargs):
    ax = plt.figure(**kwargs).add_subplot()
    ax.plot([0, 1], [0, 1], color=LIGHT["blue"], label='it\'s < & "so"')
    ax.legend()
    return ax


def shown(function, *args, **kwargs):
    with report.capture() as outputs:
        function(*args, **kwargs)
    return outputs


@pytest.mark.slow
def test_figure_carries_what_the_report_needs():
    open_before = plt.get_fignums()
    first, second = shown(report.figure, line(), id="fig-a", caption=CAPTION, alt=ALT)
    about = first["metadata"]["attrition"]
    assert (about["kind"], about["id"], about["caption"], about["alt"]) == ("figure", "fig-a", CAPTION, ALT)
    assert first["data"]["image/svg+xml"].startswith("<svg")
    assert second["metadata"]["attrition"] == {"kind": "caption", "of": "fig-a"}
    assert plt.get_fignums() == open_before


@pytest.fixture
def words(tmp_path, monkeypatch):
    """A captions file of two entries; what a test writes into it holds at once."""
    monkeypatch.setattr(project.current, "notebooks", str(tmp_path))
    file = tmp_path / "captions" / "01_stub.yaml"
    file.parent.mkdir()
    file.write_text("fig-a: {caption: 'Of *{{ n | whole }}* in {{ arm }}.',\n"
                    "alt: 'To {{ top | signed1 }} in {{ arm }}.'}\n"
                    "tbl-a: {caption: Numbers., notes: 'Of {{ n }}.', labels: {b: patients}}\n")  # fmt: skip
    return file


@pytest.mark.slow
def test_texts_that_a_cell_does_not_give_are_those_of_the_captions_file(words):
    about = shown(report.figure, line(), id="fig-a", n=1000, arm="A*", top=2)[0]["metadata"]["attrition"]
    assert (about["caption"], about["alt"]) == (r"Of *1,000* in A\*.", "To +2.0 in A*.")
    df = pd.DataFrame({"b": [1]})
    about = shown(report.table, df, id="tbl-a", n=3)[0]["metadata"]["attrition"]
    assert (about["caption"], about["notes"], about["data"]["columns"][0]["label"]) == ("Numbers.", "Of 3.", "Patients")
    about = shown(report.table, df, id="tbl-a", caption="Own.")[0]["metadata"]["attrition"]
    assert (about["caption"], about.get("notes"), about["data"]["columns"][0]["label"]) == ("Own.", None, "b")
    words.write_text("tbl-a: {caption: Others.}")
    assert shown(report.table, df, id="tbl-a")[0]["metadata"]["attrition"]["caption"] == "Others."


def test_a_field_of_a_caption_without_its_value_is_refused(words):
    with pytest.raises(jinja2.UndefinedError, match="'n'"):
        shown(report.table, pd.DataFrame({"b": [1]}), id="tbl-a")


def test_captions_are_of_figures_and_tables_that_their_notebook_shows():
    shown_in = sources.shown()
    for file in sorted(paths.NOTEBOOKS.glob("captions/*.yaml")):
        for identifier in yaml.safe_load(file.read_text(encoding="utf-8")):
            assert any(f"{identifier}-".startswith(f"{shown}-") for shown in shown_in[file.stem]), identifier


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"caption": " "}, "caption is missing"),
        ({"alt": ""}, "alternative text is missing"),
        ({"alt": CAPTION.upper()}, "repeats the caption"),
        ({"id": ""}, "not a usable id"),
        ({"id": "tbl-a"}, "not a usable id"),
        ({"id": "fig-A b"}, "not a usable id"),
    ],
)
def test_figure_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        shown(report.figure, line(), **{"id": "fig-a", "caption": CAPTION, "alt": ALT, **change})
    plt.close("all")


def test_figure_refuses_what_a_phone_cannot_show():
    with pytest.raises(ValueError, match=r"6\.0 inches wide"):
        shown(report.figure, line(figsize=(6, 3)), id="fig-a", caption=CAPTION, alt=ALT)
    ax = line()
    ax.set_xlabel("too small", fontsize=7)
    with pytest.raises(ValueError, match="'too small' has 7 points"):
        shown(report.figure, ax, id="fig-a", caption=CAPTION, alt=ALT)
    plt.close("all")


def test_equal_figures_have_equal_bytes_and_nothing_of_the_day():
    first, second = (display.draw(line().figure) for _ in range(2))
    assert first == second
    assert "metadata" not in first
    assert "<!--" not in first
    plt.close("all")


def test_text_of_figures_stays_text():
    picture = display.draw(line().figure)
    assert 'it\'s &lt; &amp; "so"' in picture
    assert len(picture) < 12_000
    plt.close("all")


@pytest.mark.slow
def test_marks_that_matplotlib_rasterises_are_a_lossless_picture():
    rng = np.random.default_rng(1)
    fig, ax = plt.subplots()
    ax.scatter(rng.normal(size=2000), rng.normal(size=2000), s=4, color=LIGHT["blue"], rasterized=True)
    (code,) = re.findall(r"data:image/webp;base64,([^\"]+)", display.draw(fig))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGBA"))
    assert LIGHT["blue"] in {"#" + bytes(p[:3]).hex() for p in pixels[pixels[..., 3] == 255]}
    plt.close("all")


def test_a_dark_page_lights_such_a_picture_up():
    rules = re.findall(r"([^{}]*)\{filter:brightness", book.asset("report.css"))
    assert [rule.strip() for rule in rules] == [
        ':root[data-theme="dark"] svg image', ':root:not([data-theme="light"]) svg image'
    ]  # fmt: skip


def test_rounded_corners_survive_the_shortening():
    fig, ax = plt.subplots()
    ax.axis("off")
    ax.text(0.5, 0.5, "node", bbox={"boxstyle": "round"})
    path = re.search(r' d="(M[^"]*Q[^"]*)"', display.draw(fig))[1]
    numbers = {"M": 2, "L": 2, "Q": 4, "z": 0}
    told = re.findall(r"([MLQz])([^MLQz]*)", path)
    steps = [(letter, len(re.findall(r"-?\d*\.?\d+", rest))) for letter, rest in told]
    assert [letter for letter, _ in steps] == list("MLQLQLQLQz")
    assert [n for _, n in steps] == [numbers[letter] for letter, _ in steps]
    plt.close("all")


def test_figures_of_the_page_have_its_colours_and_no_style_of_their_own():
    picture = display.inline(display.themed(display.draw(line().figure), project.style()), "fig-a", 'an "alt"', "wide")
    assert not [hexa for hexa in LIGHT.values() if hexa in picture]
    assert "stroke:var(--c-blue)" in picture
    assert "<style" not in picture
    assert picture.startswith('<svg class="wide" role="img" aria-label="an &quot;alt&quot;" style="max-width:')
    plt.close("all")


@pytest.mark.slow
def test_a_figure_is_drawn_again_for_phones_with_letters_of_the_same_size():
    first, _ = shown(report.figure, line(figsize=(5.5, 3)), id="fig-a", caption=CAPTION, alt=ALT)
    wide, phone = first["data"]["image/svg+xml"], first["metadata"]["attrition"]["phone"]
    widths = [display.size(picture)[0] / 72 for picture in (wide, phone)]
    assert widths[0] == pytest.approx(5.5 + 2 * display.PAD, abs=0.1)
    assert widths[1] <= display.PHONE + 0.05
    assert display.size(phone)[1] == pytest.approx(display.size(wide)[1], abs=8)
    letters = [re.findall(r"font: ?([\d.]+)px|font-size: ?([\d.]+)px", picture) for picture in (wide, phone)]
    assert set(letters[0]) == set(letters[1])


@pytest.mark.slow
def test_what_stands_out_of_a_drawing_for_phones_makes_it_narrower():
    ax = line(figsize=(5.5, 3))
    ax.text(1.0, 0.5, "a label that stands out", transform=ax.transAxes, fontsize=9)
    first, _ = shown(report.figure, ax, id="fig-a", caption=CAPTION, alt=ALT)
    assert display.size(first["metadata"]["attrition"]["phone"])[0] / 72 < 5.5


@pytest.mark.slow
def test_a_drawing_for_phones_folds_long_names_of_rows_and_a_legend():
    name = "a name of a row that is far too long for a phone"
    fig, ax = plt.subplots(figsize=(5.5, 2.5), layout="constrained")
    marks = ax.plot([0, 1], [0, 1], color=LIGHT["blue"]) + ax.plot([1, 0], [0, 1], color=LIGHT["red"])
    ax.set_yticks([0, 1], [name, "b"])
    names = ["the first of two long names", "the second of two long names"]
    fig.legend(marks, names, loc="outside lower center", ncols=2)
    first, _ = shown(report.figure, fig, id="fig-a", caption=CAPTION, alt=ALT)
    wide, phone = first["data"]["image/svg+xml"], first["metadata"]["attrition"]["phone"]
    assert name in wide
    assert name not in phone
    assert {"far too long for a", "a name of a row"} & set(re.findall(r">([^<]+)</t", phone))
    assert display.size(phone)[0] / 72 <= display.PHONE + 0.05
    assert all(words in phone for words in names)


ESTIMATE = {"value": 0.5, "ci_low": -0.25, "ci_high": 1.0 / 3}


def test_an_estimate_is_words_in_the_table_and_three_numbers_in_its_file(out):
    df = pd.DataFrame({"model": ["a", "b", "c"], "auroc": [text.interval_text(ESTIMATE, ".1f"), None, "–"]})
    (output,) = shown(report.table, df, id="tbl-estimates", caption="c")
    assert [row[1] for row in output["metadata"]["attrition"]["data"]["rows"]] == ["0.5 (−0.2 to 0.3)", "–", "–"]
    written = (out / "tables" / "tbl-estimates.csv").read_text(encoding="utf-8")
    assert written == "model,auroc,auroc_ci_low,auroc_ci_high\na,0.5,-0.25,0.3333333333\nb,,,\nc,,,\n"
    read = pd.read_csv(io.StringIO(written))
    assert [str(kind) for kind in read.dtypes[1:]] == ["float64"] * 3


def test_words_beside_an_estimate_stay_in_its_first_column(out):
    df = pd.DataFrame({"auroc": [text.interval_text(ESTIMATE), "not fitted"]})
    shown(report.table, df, id="tbl-words", caption="c")
    written = (out / "tables" / "tbl-words.csv").read_text(encoding="utf-8")
    assert written == "auroc,auroc_ci_low,auroc_ci_high\n0.5,-0.25,0.3333333333\nnot fitted,,\n"


@pytest.mark.parametrize(
    ("found", "words", "numbers"),
    [
        (ESTIMATE, "0.500 (−0.250 to 0.333)", (0.5, -0.25, 1 / 3)),
        (ESTIMATE | {"ci_low": float("nan"), "ci_high": float("nan")}, "0.500", (0.5, None, None)),
    ],
)
def test_an_estimate_knows_its_numbers(found, words, numbers):
    made = text.interval_text(found)
    assert (made, made.numbers) == (words, numbers)


@pytest.mark.parametrize("value", [None, float("nan")])
def test_an_estimate_that_is_not_defined_is_none(value):
    assert text.interval_text(ESTIMATE | {"value": value}) is None


@pytest.mark.slow
def test_no_file_of_the_published_report_holds_intervals_as_words():
    files = sorted((paths.ROOT / "reports" / "tables").glob("*.csv"))
    if not files:
        pytest.skip("reports/tables is empty; run ./run_all.sh")
    words = re.compile(r"(?:^|,)\"?[−+-]?[\d.]+ \([−+-]?[\d.]+ to [−+-]?[\d.]+\)\"?(?:,|$)", re.M)
    mixed = {"tbl-ledger.csv", "tbl-model-card.csv"}  # whose rows are of many kinds, words among them
    tidy = [file for file in files if file.name not in mixed]
    assert [file.name for file in tidy if words.search(file.read_text(encoding="utf-8"))] == []


def test_table_shows_text_as_text_and_numbers_to_the_right(out):
    df = pd.DataFrame({"<b>": ["<i>x</i>", "=1+1"], "n_events": [1234, -5], "auroc": [0.5, np.nan]})
    (output,) = shown(report.table, df, id="tbl-a", caption="Numbers.", formats={"auroc": "{:.2f}"})
    spec = output["metadata"]["attrition"]["data"]
    assert spec["rows"] == [["<i>x</i>", "1,234", "0.50"], ["=1+1", "−5", "–"]]
    assert [c["align"] for c in spec["columns"]] == ["left", "right", "right"]
    assert [c["label"] for c in spec["columns"]] == ["<b>", "Events", "AUROC"]
    assert "<i>" not in output["data"]["text/html"]
    written = (paths.tables() / "tbl-a.csv").read_text()
    assert "'=1+1" in written
    assert output["metadata"]["attrition"]["csv"] == written


def test_columns_have_the_heading_and_form_of_their_name_unless_a_chapter_says_otherwise(out):
    df = pd.DataFrame({"ci_low": [-0.0001], "difference": [0.25], "threshold": [0.5]})
    own = {"labels": {"ci_low": "low"}, "formats": {"threshold": "{:.1f}"}}
    (output,) = shown(report.table, df, id="tbl-a", caption="c", **own)
    spec = output["metadata"]["attrition"]["data"]
    assert [column["label"] for column in spec["columns"]] == ["Low", "Difference", "Threshold"]
    assert spec["rows"] == [["−1.0e-04", "+0.250", "0.5"]]


def test_a_column_of_decimals_has_no_exponents(out):
    df = pd.DataFrame({"mixed": [0.078, -0.00022, 2e-9], "small": [1e-4, 2e-4, 3e-5], "n": [1, 2, 3]})
    (output,) = shown(report.table, df, id="tbl-a", caption="c")
    rows = output["metadata"]["attrition"]["data"]["rows"]
    assert rows == [["0.078", "1.0e-04", "1"], ["−0.0002", "2.0e-04", "2"], ["2.0e-09", "3.0e-05", "3"]]


def test_signs_of_prose_are_true_minus_signs_and_code_keeps_its_own():
    renderer = markdown.Renderer("here", lambda target, where: target)
    source = said("Gain {{ found }}, divisor n - 1, 35-49, `n - 1`.", {"found": "-0.070 (-0.1 to -.02), .52 -> .63"})
    assert "Gain −0.070 (−0.1 to −.02), .52 → .63, divisor n − 1, 35-49, <code>n - 1</code>." in markdown.inline(
        source, renderer
    )


def test_finding_fills_its_sentence_as_say_does(monkeypatch):
    monkeypatch.setitem(globals(), "n", 1000)
    with report.capture() as outputs:
        report.finding("finding-a", "{{ n | whole }} left", "supported", ["fig-a"])
    (output,) = outputs
    assert output["metadata"]["attrition"]["sentence"] == "1,000 left"


def test_table_refuses():
    df = pd.DataFrame({"a": [1]})
    with pytest.raises(ValueError, match="labels names 'b'"):
        shown(report.table, df, id="tbl-a", caption="c", labels={"b": "x"})
    with pytest.raises(ValueError, match="empty"):
        shown(report.table, df.head(0), id="tbl-a", caption="c")
    with pytest.raises(ValueError, match="caption is missing"):
        shown(report.table, df, id="tbl-a", caption="")


def test_finding_needs_a_verdict_and_evidence():
    with pytest.raises(ValueError, match="not a verdict"):
        shown(report.finding, "finding-a", "So.", "proven", ["fig-a"])
    with pytest.raises(ValueError, match="needs evidence"):
        shown(report.finding, "finding-a", "So.", "supported", [])


def test_sentences_refuse_missing_values_and_names():
    with pytest.raises(ValueError, match="missing"):
        said("{{ a | f2 }}", {"a": float("nan")})
    with pytest.raises(jinja2.UndefinedError, match="'b' is undefined"):
        said("{{ b }}", {"a": 1})


def test_a_template_reaches_nothing_behind_its_values():
    with pytest.raises(jinja2.exceptions.SecurityError):
        said("{{ a.__class__.__mro__ }}", {"a": 1})


@pytest.mark.slow
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
def test_escaped_text_is_shown_as_it_is(value):
    renderer = markdown.Renderer("here", lambda target, where: target)
    html = markdown.inline("x" + text.escape(value) + "x", renderer)
    assert "<" not in html
    assert entities.unescape(html) == text.typeset("x" + " ".join(value.split()) + "x")


def test_helpers_are_silent_outside_a_notebook(capsys):
    report.say("{{ n }}", n=1)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_metadata_survives_papermill(tmp_path):
    import nbformat
    import papermill

    source = (
        "import notebook_report as report\nfrom attrition import paths\nreport.say('{{ n | whole }} patients', n=1000);"
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="a")])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "a.ipynb")
    papermill.execute_notebook(tmp_path / "a.ipynb", tmp_path / "b.ipynb", progress_bar=False)
    (output,) = nbformat.read(tmp_path / "b.ipynb", as_version=4).cells[0].outputs
    assert output.metadata.attrition == {"kind": "prose", "markdown": "1,000 patients"}
