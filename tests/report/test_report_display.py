"""Display helpers: what they emit, what they refuse, what they write."""

import base64
import html as entities
import io
import re

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
from notebook_report import markdown, outputs, project, sources, svg, text

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
    file.write_text("fig-a: {caption: 'Of *{n:,}* in {arm}.', alt: 'A line to {top:+.1f} in {arm}.'}\n"
                    "tbl-a: {caption: Numbers., notes: 'Of {n}.', labels: {b: patients}}\n")  # fmt: skip
    return file


def test_texts_that_a_cell_does_not_give_are_those_of_the_captions_file(words):
    about = shown(report.figure, line(), id="fig-a", n=1000, arm="A*", top=2)[0]["metadata"]["attrition"]
    assert (about["caption"], about["alt"]) == (r"Of *1,000* in A\*.", "A line to +2.0 in A*.")
    df = pd.DataFrame({"b": [1]})
    about = shown(report.table, df, id="tbl-a", n=3)[0]["metadata"]["attrition"]
    assert (about["caption"], about["notes"], about["data"]["columns"][0]["label"]) == ("Numbers.", "Of 3.", "Patients")
    about = shown(report.table, df, id="tbl-a", caption="Own.")[0]["metadata"]["attrition"]
    assert (about["caption"], about.get("notes"), about["data"]["columns"][0]["label"]) == ("Own.", None, "b")
    words.write_text("tbl-a: {caption: Others.}")
    assert shown(report.table, df, id="tbl-a")[0]["metadata"]["attrition"]["caption"] == "Others."


def test_a_field_of_a_caption_without_its_value_is_refused(words):
    with pytest.raises(KeyError, match="'n'"):
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
    first, second = (svg.draw(line().figure) for _ in range(2))
    assert first == second
    assert "metadata" not in first
    assert "<!--" not in first
    plt.close("all")


def test_text_of_figures_stays_text():
    picture = svg.draw(line().figure)
    assert 'it\'s &lt; &amp; "so"' in picture
    assert len(picture) < 12_000
    plt.close("all")


def test_raster_figures_hold_a_lossless_picture_for_each_theme():
    rng = np.random.default_rng(1)
    fig, ax = plt.subplots()
    ax.scatter(rng.normal(size=2000), rng.normal(size=2000), s=4, color=LIGHT["blue"])
    before = [c.get_facecolor().copy() for c in ax.collections]
    picture = svg.draw(fig, raster=True)
    assert [tuple(c.get_facecolor()[0]) for c in ax.collections] == [tuple(b[0]) for b in before]
    embedded = [base64.b64decode(code) for code in re.findall(r"data:image/webp;base64,([^\"]+)", picture)]
    assert len(embedded) == 2
    pixels = [np.asarray(Image.open(io.BytesIO(code)).convert("RGBA")) for code in embedded]
    solid = [{"#" + bytes(p[:3]).hex() for p in pix[pix[..., 3] == 255]} for pix in pixels]
    assert LIGHT["blue"] in solid[0]
    assert "#6db9f2" in solid[1]
    assert 'class="d" display="none"' in picture
    plt.close("all")


def test_rounded_corners_survive_the_shortening():
    fig, ax = plt.subplots()
    ax.axis("off")
    ax.text(0.5, 0.5, "node", bbox={"boxstyle": "round"})
    path = re.search(r' d="(M[^"]*Q[^"]*)"', svg.draw(fig))[1]
    numbers = {"M": 2, "L": 2, "Q": 4, "z": 0}
    told = re.findall(r"([MLQz])([^MLQz]*)", path)
    steps = [(letter, len(re.findall(r"-?\d*\.?\d+", rest))) for letter, rest in told]
    assert [letter for letter, _ in steps] == list("MLQLQLQLQz")
    assert [n for _, n in steps] == [numbers[letter] for letter, _ in steps]
    plt.close("all")


def test_themed_figures_have_no_fixed_colour_of_the_light_theme():
    picture = outputs.themed(svg.draw(line().figure), project.style())
    inside = picture.replace(picture[picture.index("<style>") : picture.index("</style>")], "")
    assert not [hexa for hexa in LIGHT.values() if hexa in inside]
    assert "prefers-color-scheme:dark" in picture
    plt.close("all")


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
    source = text.fill("Gain {said}, divisor n - 1, 35-49, `n - 1`.", {"said": "-0.070 (-0.1 to -.02), .52 -> .63"})
    assert "Gain −0.070 (−0.1 to −.02), .52 → .63, divisor n − 1, 35-49, <code>n - 1</code>." in markdown.inline(
        source, renderer
    )


def test_finding_fills_its_sentence_as_prose_does():
    (output,) = shown(report.finding, "finding-a", "{n:,} left", "supported", ["fig-a"], n=1000)
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
        shown(report.finding, "finding-a", "s", "proven", ["fig-a"])
    with pytest.raises(ValueError, match="needs evidence"):
        shown(report.finding, "finding-a", "s", "supported", [])


def test_prose_refuses_missing_values_and_names():
    with pytest.raises(ValueError, match="missing"):
        report.fill("{a:.2f}", {"a": float("nan")})
    with pytest.raises(KeyError, match="prose names 'b'"):
        report.fill("{b}", {"a": 1})


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
def test_escaped_text_is_shown_as_it_is(value):
    renderer = markdown.Renderer("here", lambda target, where: target)
    html = markdown.inline("x" + text.escape(value) + "x", renderer)
    assert "<" not in html
    assert entities.unescape(html) == text.typeset("x" + " ".join(value.split()) + "x")


def test_helpers_are_silent_outside_a_notebook(capsys):
    report.prose("{n}", n=1)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_metadata_survives_papermill(tmp_path):
    import nbformat
    import papermill

    source = "import notebook_report as report\nfrom attrition import paths\nreport.prose('{n:,} patients', n=1000)"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="a")])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "a.ipynb")
    papermill.execute_notebook(tmp_path / "a.ipynb", tmp_path / "b.ipynb", progress_bar=False)
    (output,) = nbformat.read(tmp_path / "b.ipynb", as_version=4).cells[0].outputs
    assert output.metadata.attrition == {"kind": "prose", "markdown": "1,000 patients"}
